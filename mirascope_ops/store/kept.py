"""What memory keeps of a span: what the span left behind, or a record that came from elsewhere.

A record takes three times the room of the tuple that a span leaves behind (`core.span.EndedSpan`), and making it
takes longer than the traced call did. So memory keeps the tuple and makes the record when somebody asks for it;
these functions read from either the few things by which spans are found.
"""

from __future__ import annotations

from contextlib import suppress
from operator import itemgetter
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from opentelemetry.trace import StatusCode

from mirascope_ops.core import guard
from mirascope_ops.core.ended import END, NOTES, SPAN, STAMP, START, TRACE, EndedSpan
from mirascope_ops.store import codec, waiting
from mirascope_ops.store.batch import SpanBatch, batch_of_kept_records
from mirascope_ops.store.digits import SPAN_DIGITS, TRACE_DIGITS
from mirascope_ops.store.ended import batch_of_ended, span_record
from mirascope_ops.store.records import SpanRecord

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

Kept = SpanRecord | EndedSpan
Key = int | tuple[str, str]
"""A span's trace id and span id; as one number, of 192 bits, where they are what OpenTelemetry's are."""
TraceKey = int | str


def plain(span: SpanRecord) -> SpanRecord:
    """Make a record's columns such as a file keeps them; its mappings wait until they are read."""
    columns = span[:18]
    if codec.is_clean_span_row(columns):
        return span
    cleaned = SpanRecord._make((*codec.clean_span_row(columns), *span[18:]))
    return cleaned._replace(sampled=bool(cleaned.sampled))


def record_of(kept: Kept) -> SpanRecord | None:
    """Make the record; None, reported, where something on the span cannot be put in one."""
    if isinstance(kept, SpanRecord):
        return kept
    try:
        return plain(span_record(kept))
    except Exception as error:  # noqa: BLE001 - one span that cannot be read must not hide the others
        guard.report("reading a span from memory", error)
        return None


def size_of(*spans: Kept) -> int:
    """Estimate the bytes that spans take."""
    records = [each for each in spans if isinstance(each, SpanRecord)]
    if not records:
        return waiting.size_of(*cast("tuple[EndedSpan, ...]", spans))
    rest = [each for each in spans if not isinstance(each, SpanRecord)]
    return waiting.size_of(*rest) + sum(
        waiting.size_of_attributes(record.attributes, *(event.attributes for event in record.events))
        for record in records
    )


def key_of(kept: Kept) -> Key:
    """Give what identifies a span in the store."""
    if not isinstance(kept, SpanRecord):
        return cast("int", kept[TRACE]) << 64 | cast("int", kept[SPAN])
    return key_of_ids(kept.trace_id, kept.span_id)


def by_key(spans: Sequence[Kept]) -> dict[Key, Kept]:
    """Give spans as they are kept, by what identifies them: of several that are one span, the last."""
    if set(map(type, spans)) == {tuple}:
        ended = cast("Sequence[EndedSpan]", spans)
        return dict(zip([span[TRACE] << 64 | span[SPAN] for span in ended], ended, strict=True))
    whole = [plain(span) if isinstance(span, SpanRecord) else span for span in spans]
    return dict(zip(map(key_of, whole), whole, strict=True))


def key_of_ids(trace_id: str, span_id: str) -> Key:
    """Give what identifies the span with these ids."""
    trace, span = trace_key(trace_id), _number(span_id, SPAN_DIGITS)
    return (trace_id, span_id) if isinstance(trace, str) or span is None else trace << 64 | span


def trace_key(trace_id: str) -> TraceKey:
    """Give what identifies a trace: its number where the id is one of OpenTelemetry's."""
    number = _number(trace_id, TRACE_DIGITS)
    return trace_id if number is None else number


def trace_of(kept: Kept) -> TraceKey:
    """Give what identifies a span's trace."""
    return trace_key(kept.trace_id) if isinstance(kept, SpanRecord) else kept[TRACE]


def by_start(spans: Iterable[Kept]) -> list[Kept]:
    """Give the spans by start; what starts together stays in its order."""
    # A SpanRecord has its start at the same place as an EndedSpan.
    return sorted(spans, key=itemgetter(START))


def batch_of(spans: Sequence[Kept], resources: codec.Resources) -> SpanBatch:
    """Give spans column by column, as a file would give them; what cannot be read is reported and left out.

    Args:
        spans: The spans.
        resources: Resources that were read before.
    """
    kinds: set[type[Any]] = set(map(type, spans))
    if kinds == {tuple}:
        # Whatever may be odd about one of them, making its record tells; mostly there is nothing.
        with suppress(Exception):
            return batch_of_ended(spans, resources)
    records = spans if kinds == {SpanRecord} else list(filter(None, map(record_of, spans)))
    return batch_of_kept_records(cast("Sequence[SpanRecord]", records), resources)


def in_traces(spans: Iterable[Kept], traces: Collection[TraceKey]) -> list[Kept]:
    """Give the spans of these traces."""
    return [each for each in spans if (each[TRACE] if type(each) is tuple else trace_key(each[0])) in traces]


def in_sessions_or_runs(spans: Iterable[Kept], sessions: Collection[str], runs: Collection[str]) -> list[Kept]:
    """Give the spans of these sessions and those of these runs."""
    found: list[Kept] = []
    for each in spans:
        if type(each) is tuple:
            stamp = each[STAMP]
            if stamp is not None and (stamp.session_id in sessions or stamp.run_id in runs):
                found.append(each)
        else:
            record = cast("SpanRecord", each)
            if record.session_id in sessions or record.run_id in runs:
                found.append(each)
    return found


def between(spans: Iterable[Kept], since: int | None, until: int | None) -> list[Kept]:
    """Give the spans that start in this time: nanoseconds since the epoch, `until` excluded."""
    return [
        each for each in spans if (since is None or each[START] >= since) and (until is None or each[START] < until)
    ]


class Head(NamedTuple):
    """What a span adds to its session's totals; fields as `SpanRecord` has them."""

    trace: TraceKey
    session_id: str | None
    start: int
    end: int | None
    is_error: bool
    session_attributes: str | None


def head_of(kept: Kept) -> Head:
    """Read a span's head, without making the record."""
    if isinstance(kept, SpanRecord):
        return Head(
            trace_key(kept.trace_id),
            kept.session_id,
            kept.start,
            kept.end,
            kept.status == "error",
            kept.session_attributes,
        )
    end, stamp = kept[END], kept[STAMP]
    is_error = end is not None and kept[NOTES].code == StatusCode.ERROR.value
    if stamp is None:
        return Head(kept[TRACE], None, kept[START], end, is_error, None)
    return Head(kept[TRACE], codec.clean(stamp.session_id), kept[START], end, is_error, codec.clean(stamp.attributes))


def _number(digits: str, length: int) -> int | None:
    """Read an id as a number; None where writing that number would not give the id again."""
    if len(digits) != length:
        return None
    try:
        number = int(digits, 16)
    except ValueError:
        return None
    return number if f"{number:0{length}x}" == digits else None
