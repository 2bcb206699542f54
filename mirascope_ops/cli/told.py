"""Sessions, traces and spans as JSON data: times are ISO text in UTC, durations seconds, costs US dollars."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from mirascope_ops.analysis.turns import turn_of
from mirascope_ops.views.list_lines import session_line, trace_line

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mirascope_ops.analysis.rows import SpanRow
    from mirascope_ops.sessionset import Session
    from mirascope_ops.spanset import StoredTrace
    from mirascope_ops.store.protocol import StoreStats
    from mirascope_ops.store.records import AnnotationRecord, RunRecord

_SECOND: Final = 1_000_000_000
_AMOUNTS: Final = ("input_tokens", "output_tokens", "cost")


def session_data(session: Session) -> dict[str, Any]:
    """Tell what the table of sessions tells of one, its attributes as an object, and what was said last."""
    card = session.card
    figures = card.totals._asdict()
    return {
        "session_id": session.id,
        "parent_session_id": session.parent_id,
        "attributes": session.attributes,
        "tags": card.tags,
        "status": card.status,
        "first_seen": iso(card.first_seen),
        "last_seen": iso(card.last_seen),
        "runs": card.runs,
        "turns": len(card.turns),
        **{name: figures[name] for name in ("traces", "spans", "errors", "llm_calls", *_AMOUNTS)},
        "last": session_line(card).last,
    }


def trace_data(trace: StoredTrace) -> dict[str, Any]:
    """Tell what the table of traces tells of one, its kind, and what was asked and answered."""
    turn, line = turn_of(trace), trace_line(trace)
    figures, verdict = line.figures._asdict(), line.verdict
    return {
        "trace_id": trace.trace_id,
        "session_id": turn.session_id,
        "name": turn.name,
        "kind": line.root.kind,
        "status": line.status,
        "start": iso(line.figures.start),
        "end": iso(line.figures.end),
        "duration": seconds(line.figures.duration),
        "ttft": seconds(line.figures.ttft),
        **{name: figures[name] for name in ("spans", "errors", "llm_calls")},
        "model": turn.model,
        **{name: figures[name] for name in ("input_tokens", "output_tokens", "cache_read_tokens", "cost")},
        "error": turn.error,
        "recovered": turn.recovered,
        "label": verdict.label if verdict else None,
        "score": verdict.score if verdict else None,
        "note": verdict.note if verdict else None,
        "tags": line.root.tags,
        "user": turn.user,
        "assistant": turn.assistant,
    }


def span_data(span: SpanRow) -> dict[str, Any]:
    """Tell all of a span, under the names of the spans table."""
    told = {**span._asdict(), "start": iso(span.start), "end": iso(span.end)}
    told |= {"duration": seconds(span.duration), "ttft": seconds(span.ttft)}
    told["events"] = [
        {"name": event.name, "time": iso(event.time), "attributes": event.attributes} for event in span.events
    ]
    told["links"] = [link._asdict() for link in span.links]
    told["annotations"] = [_annotation(annotation) for annotation in span.annotations]
    return told


def spans_data(spans: Sequence[SpanRow]) -> list[dict[str, Any]]:
    """Tell all of some spans."""
    return [span_data(span) for span in spans]


def run_data(run: RunRecord) -> dict[str, Any]:
    """Tell of an entry into a session."""
    return {**run._asdict(), "start": iso(run.start), "end": iso(run.end)}


def stats_data(stats: StoreStats) -> dict[str, Any]:
    """Tell what a store holds."""
    kept = stats.retention
    return {
        "path": None if stats.path is None else str(stats.path),
        **{name: getattr(stats, name) for name in ("sessions", "runs", "traces", "spans", "annotations", "bytes")},
        "estimated": stats.estimated,
        "oldest": iso(stats.oldest),
        "newest": iso(stats.newest),
        "private": stats.private,
        "max_age_days": kept.max_age_days if kept else None,
        "max_bytes": kept.max_bytes if kept else None,
        "archive": str(kept.archive) if kept and kept.archive else None,
        "dropped": stats.dropped,
        "waiting": stats.waiting,
    }


def iso(ns: int | None) -> str | None:
    """Write nanoseconds since the epoch as ISO text in UTC, to the nanosecond.

    Example:
        >>> iso(1_790_000_000_123_456_789)
        '2026-09-21T14:13:20.123456789Z'
    """
    if ns is None:
        return None
    try:
        whole = datetime.fromtimestamp(ns // _SECOND, tz=UTC)
    except (OverflowError, OSError, ValueError):  # a broken clock: no calendar has it
        return None
    return f"{whole:%Y-%m-%dT%H:%M:%S}.{ns % _SECOND:09d}Z"


def seconds(ns: int | None) -> float | None:
    """Give nanoseconds as seconds."""
    return None if ns is None else ns / _SECOND


def _annotation(annotation: AnnotationRecord) -> dict[str, Any]:
    told = annotation._asdict()
    return {**{name: told[name] for name in ("label", "reasoning", "tags", "metadata")}, "time": iso(annotation.time)}
