"""A maker of spans that differ in what a test names, for tests of exports and imports."""

from __future__ import annotations

import itertools
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from mirascope_ops.store.records import SpanRecord

if TYPE_CHECKING:
    from collections.abc import Callable

# Tests are no package; the strategies beside this file are imported by their name.
sys.path.insert(0, str(Path(__file__).parent))

T0 = 1_790_000_000_000_000_000
MS = 1_000_000


@pytest.fixture
def make() -> Callable[..., SpanRecord]:
    """Make a span; each call another id, and a start one millisecond later."""
    numbers = itertools.count(1)

    def make(**values: Any) -> SpanRecord:
        number = next(numbers)
        defaults: dict[str, Any] = {
            "trace_id": f"{1:032x}",
            "span_id": f"{number:016x}",
            "parent_id": None,
            "name": "answer",
            "span_kind": "internal",
            "start": T0 + number * MS,
            "end": T0 + number * MS + 500,
            "status": "ok",
            "status_message": "",
            "session_id": None,
            "run_id": None,
            "session_attributes": None,
            "cell_id": None,
            "execution_count": None,
            "notebook": None,
            "sampled": True,
            "service": None,
            "scope": "tests",
            "resource": {},
            "attributes": {},
        }
        return SpanRecord(**{**defaults, **values})

    return make
