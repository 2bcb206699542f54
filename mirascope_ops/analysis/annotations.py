"""Judgements on spans: those made later, and those that libraries write among a span's attributes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from mirascope_ops.analysis.values import identifier, indexed
from mirascope_ops.store.records import AnnotationRecord

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from mirascope_ops.store.records import SpanRecord

_LABEL = "mirascope.annotation.label"
_REASONING = "mirascope.annotation.reasoning"
_LISTS = ("annotations.", "session.annotations.", "trace.annotations.")


def by_span(annotations: Iterable[AnnotationRecord]) -> dict[tuple[str, str], list[AnnotationRecord]]:
    """Group annotations by the trace id and span id that they judge, oldest first."""
    grouped: dict[tuple[str, str], list[AnnotationRecord]] = {}
    for annotation in sorted(annotations, key=lambda annotation: annotation.time):
        grouped.setdefault((annotation.trace_id, annotation.span_id), []).append(annotation)
    return grouped


def emitted(record: SpanRecord) -> list[AnnotationRecord]:
    """Read the annotations that stand among a span's attributes."""
    attributes = record.attributes
    found: list[AnnotationRecord] = []
    label, reasoning = identifier(attributes.get(_LABEL)), identifier(attributes.get(_REASONING))
    if label or reasoning:
        found.append(_annotation(record, label, reasoning, {}))
    for prefix in _LISTS:
        for item in indexed(attributes, prefix):
            inner = cast("dict[str, Any]", item).get("annotation") if isinstance(item, dict) else None
            if not isinstance(inner, dict):
                continue
            told = dict(cast("dict[str, Any]", inner))
            label, reasoning = identifier(told.pop("label", None)), identifier(told.pop("explanation", None))
            found.append(_annotation(record, label, reasoning, told))
    return found


def merged(emitted_ones: Sequence[AnnotationRecord], later: Sequence[AnnotationRecord]) -> list[AnnotationRecord]:
    """Join both kinds; one that was written to the span and kept as a record is one annotation."""
    kept = {(annotation.label, annotation.reasoning) for annotation in later}
    return [one for one in emitted_ones if (one.label, one.reasoning) not in kept] + list(later)


def _annotation(
    record: SpanRecord, label: str | None, reasoning: str | None, metadata: dict[str, Any]
) -> AnnotationRecord:
    time = record.start if record.end is None else record.end
    return AnnotationRecord(record.trace_id, record.span_id, time, label, reasoning, (), metadata)
