"""Spans and runs that say nothing but what a test names: the one place that knows what such a record is made of."""

from __future__ import annotations

from typing import Any, Final

from mirascope_ops.store.records import RunRecord, SpanRecord

T0: Final = 1_790_000_000_000_000_000  # an instant of 2026
MS: Final = 1_000_000

_SPAN: Final[dict[str, Any]] = {
    "parent_id": None,
    "name": "answer",
    "span_kind": "internal",
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
}
_RUN: Final[dict[str, Any]] = {
    "parent_run_id": None,
    "parent_session_id": None,
    "cell_id": None,
    "execution_count": None,
    "notebook": None,
    "end": None,
}


def span_record(**told: Any) -> SpanRecord:
    """A span; `trace_id`, `span_id`, `start` and `end` have to be told."""
    return SpanRecord(**{**_SPAN, "resource": {}, "attributes": {}, **told})


def run_record(**told: Any) -> RunRecord:
    """An entry of a session; `run_id`, `session_id` and `start` have to be told."""
    return RunRecord(**{**_RUN, "attributes": {}, **told})
