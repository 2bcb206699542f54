"""A maker of spans that differ in what a test names, for tests of exports and imports."""

from __future__ import annotations

import itertools
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from sample_records import MS, T0, span_record

if TYPE_CHECKING:
    from collections.abc import Callable

    from mirascope_ops.store.records import SpanRecord

# Tests are no package; the strategies beside this file are imported by their name.
sys.path.insert(0, str(Path(__file__).parent))


@pytest.fixture
def make() -> Callable[..., SpanRecord]:
    """Make a span; each call another id, and a start one millisecond later."""
    numbers = itertools.count(1)

    def make(**values: Any) -> SpanRecord:
        number = next(numbers)
        start = T0 + number * MS
        times = {"start": start, "end": start + 500}
        return span_record(**{"trace_id": f"{1:032x}", "span_id": f"{number:016x}", **times, **values})

    return make
