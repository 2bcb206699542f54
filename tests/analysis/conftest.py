"""Reads the captures in `data/` (OTLP/JSON, our own scenario run through other libraries) as records."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

# Tests are no package; the builders beside this file are imported by their name.
sys.path.insert(0, str(Path(__file__).parent))

from analysis_otlp import records_of

from mirascope_ops.analysis.normalise import normalise

DATA = Path(__file__).parent / "data"


class Capture:
    """One capture: its records and rows, and what the person who made it says a reader should find."""

    def __init__(self, name):
        lines = (DATA / f"{name}.jsonl").read_text().splitlines()
        self.name = name
        self.records = records_of(lines)
        self.rows = normalise(self.records)
        self.truth = json.loads((DATA / f"{name}.truth.json").read_text())

    def row(self, span_id):
        return next(row for row in self.rows if row.span_id == span_id)

    def trace(self, trace_id):
        return [row for row in self.rows if row.trace_id == trace_id]


_captures = {}


@pytest.fixture
def capture():
    def load(name):
        if name not in _captures:
            _captures[name] = Capture(name)
        return _captures[name]

    return load
