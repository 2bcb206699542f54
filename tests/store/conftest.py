"""Stores to test, and a maker of spans, runs and annotations that differ in what a test names."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

import pytest
from sample_records import run_record, span_record

from mirascope_ops.store.memory import MemoryStore
from mirascope_ops.store.records import AnnotationRecord
from mirascope_ops.store.sqlite import SqliteStore

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from mirascope_ops.store.protocol import Store
    from mirascope_ops.store.records import RunRecord, SpanRecord


class Make:
    """Records with made-up values for everything that a test does not care about."""

    def __init__(self) -> None:
        self._numbers = itertools.count(1)

    def span(self, **values: Any) -> SpanRecord:
        number = next(self._numbers)
        ids = {"trace_id": f"{number:032x}", "span_id": f"{number:016x}"}
        return span_record(**{**ids, "start": number * 1000, "end": number * 1000 + 500, **values})

    def run(self, session_id: str, **values: Any) -> RunRecord:
        number = next(self._numbers)
        return run_record(**{"run_id": f"run-{number}", "session_id": session_id, "start": number * 1000, **values})

    def annotation(self, span: SpanRecord, **values: Any) -> AnnotationRecord:
        defaults: dict[str, Any] = {"time": next(self._numbers), "label": "pass", "reasoning": None, "tags": []}
        defaults["metadata"] = {}
        return AnnotationRecord(trace_id=span.trace_id, span_id=span.span_id, **{**defaults, **values})


@pytest.fixture
def make() -> Make:
    return Make()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "spans.db"


@pytest.fixture
def sqlite(path: Path) -> Iterator[SqliteStore]:
    store = SqliteStore(path)
    yield store
    store.close()


@pytest.fixture(params=["memory", "sqlite"])
def store(request: pytest.FixtureRequest, path: Path) -> Iterator[Store]:
    store = MemoryStore() if request.param == "memory" else SqliteStore(path)
    yield store
    store.close()
