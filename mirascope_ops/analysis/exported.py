"""Rows as the spans that files of OTLP hold, and back."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Any

from mirascope_ops.analysis import annotations as annotated
from mirascope_ops.analysis.normalise import normalise
from mirascope_ops.analysis.schema import KINDS
from mirascope_ops.store.otlp import DERIVED, Exported
from mirascope_ops.store.records import RunRecord, SpanRecord

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from mirascope_ops.analysis.rows import SpanRow
    from mirascope_ops.store.records import AnnotationRecord

_ROWS_AT_ONCE = 512


def exported(rows: Iterable[SpanRow]) -> Iterator[Exported]:
    """Give rows as spans to write.

    What reading made of a span from those around it (its session, whether it is the model call) is written along,
    so that a part of a trace reads as it did within the whole.

    Args:
        rows: The rows.
    """
    source = iter(rows)
    while some := list(islice(source, _ROWS_AT_ONCE)):
        records = [record_of(row) for row in some]
        # What each span is by itself: as if it were alone in its trace.
        alone = normalise([record._replace(trace_id=str(place)) for place, record in enumerate(records)])
        for row, record, single in zip(some, records, alone, strict=True):
            derived = {field: getattr(row, field) for field in DERIVED if getattr(row, field) != getattr(single, field)}
            yield Exported(record, _later(row, record), derived)


def read_back(written: Iterable[Exported | RunRecord]) -> tuple[list[SpanRow], list[RunRecord]]:
    """Read what was written as rows, by start; of several with the same ids the last that has ended counts.

    Args:
        written: Spans and entries into sessions, in any order.

    Returns:
        The rows, and the entries, each once, by start.
    """
    runs: dict[str, RunRecord] = {}

    def spans() -> Iterator[Exported]:
        for one in written:
            if isinstance(one, RunRecord):
                runs[one.run_id] = one
            else:
                yield one

    rows = rows_of(spans())
    return rows, sorted(runs.values(), key=lambda run: run.start)


def rows_of(spans: Iterable[Exported]) -> list[SpanRow]:
    """Read spans that were written as rows, by start; of several with the same ids the last that has ended counts.

    Args:
        spans: The spans, in any order.
    """
    found: dict[tuple[str, str], Exported] = {}
    for span in spans:
        key = (span.record.trace_id, span.record.span_id)
        other = found.get(key)
        if other is None or span.record.end is not None or other.record.end is None:
            found[key] = span
    ordered = sorted(found.values(), key=lambda span: span.record.start)
    rows = normalise(
        [span.record for span in ordered], [annotation for span in ordered for annotation in span.annotations]
    )
    return [_derived(row, span.derived) if span.derived else row for row, span in zip(rows, ordered, strict=True)]


def record_of(row: SpanRow) -> SpanRecord:
    """Give the record that a row was read from, with the session that it took over."""
    return SpanRecord(
        trace_id=row.trace_id,
        span_id=row.span_id,
        parent_id=row.parent_id,
        name=row.name,
        span_kind=row.span_kind,
        start=row.start,
        end=row.end,
        status=row.status if row.status_code is None else row.status_code,
        status_message=row.status_message,
        session_id=row.session_id,
        run_id=row.run_id,
        session_attributes=row.session_attributes,
        cell_id=row.cell_id,
        execution_count=row.execution_count,
        notebook=row.notebook,
        sampled=row.sampled,
        service=row.service,
        scope=row.scope,
        resource=row.resource,
        attributes=row.attributes,
        events=row.events,
        links=row.links,
    )


def _later(row: SpanRow, record: SpanRecord) -> Sequence[AnnotationRecord]:
    """Give the annotations that were made later: those that do not stand among the attributes."""
    if not row.annotations:
        return ()
    emitted = annotated.emitted(record)
    return [annotation for annotation in row.annotations if annotation not in emitted]


def _derived(row: SpanRow, told: Any) -> SpanRow:
    # A file may have been written by anybody: only what could have been ours counts.
    known: dict[str, Any] = {}
    if told.get("kind") in KINDS:
        known["kind"] = told["kind"]
    if "user_id" in told and isinstance(told["user_id"], str | None):
        known["user_id"] = told["user_id"]
    return row._replace(**known)
