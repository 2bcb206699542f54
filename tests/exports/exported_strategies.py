"""Spans as a store gives them back, of all kinds: what every export must give back unchanged."""

from __future__ import annotations

import math

from hypothesis import strategies as st

from mirascope_ops.store import codec
from mirascope_ops.store.otlp import Exported
from mirascope_ops.store.records import AnnotationRecord, EventRecord, LinkRecord, SpanRecord

# Characters that break lines, quotes, encodings and views; lone surrogates are no characters in any file.
odd = st.sampled_from(
    ["", "\0", "\n", "\r\n", "\u2028", "\ufeff", "🗼", "👩\u200d👩", "\u202e", '"', "\\", "NaN", "null", " "]
)
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=6) | odd
keys = st.sampled_from(
    [
        "", "a", "a.b", "session.id", "mirascope.ops.session.id", "mirascope.ops.record.run_id",
        "mirascope.ops.record.attribute.x", "mirascope.ops.record.exact", "otel.scope.version", "otel.trace_state",
        "otel.flags", "otel.dropped_attributes_count", "otel.scope.attributes", "service.name",
    ]
) | texts  # fmt: skip
scalars = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.integers(-3, 300)
    | st.floats().map(lambda number: math.nan if math.isnan(number) else number)  # one NaN: JSON has no other
    | st.sampled_from([math.nan, math.inf, -math.inf, -0.0, 1e300, 5e-324])
    | texts
)
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=6,
)
mappings = st.dictionaries(keys, values, max_size=5)
maybe_text = st.none() | texts
trace_ids = st.sampled_from(["0af7651916cd43dd8448eb211c80319c", f"{1:032x}"])
span_ids = st.integers(1, 9).map("{:016x}".format)
times = st.integers(1, 2**63 - 1) | st.integers(1_790_000_000_000_000_000, 1_790_000_000_000_000_009)
empty_or = lambda inner: st.just(()) | st.lists(inner, min_size=1, max_size=2)  # noqa: E731 - as the store gives them


@st.composite
def records(draw, trace_ids=trace_ids, span_ids=span_ids, times=times, starts=None):
    resource = draw(st.dictionaries(keys, scalars | st.just({"team": "a"}), max_size=3))
    end = draw(st.none() | times)
    service = resource.get("service.name")
    return SpanRecord(
        trace_id=draw(trace_ids),
        span_id=draw(span_ids),
        parent_id=draw(st.none() | span_ids),
        name=draw(texts),
        span_kind=draw(st.sampled_from(["internal", "server", "client", "producer", "consumer"])),
        start=draw(times if starts is None else starts),
        end=end,
        status=draw(st.sampled_from(["open", "interrupted"] if end is None else ["unset", "ok", "error"])),
        status_message=draw(texts),
        session_id=draw(maybe_text),
        run_id=draw(maybe_text),
        session_attributes=draw(st.none() | st.just('{"user_tier":"premium"}') | texts),
        cell_id=draw(maybe_text),
        execution_count=draw(st.none() | st.integers(0, 2**40)),
        notebook=draw(maybe_text),
        sampled=draw(st.booleans()),
        service=draw(st.sampled_from([service if isinstance(service, str) else None, None]) | maybe_text),
        scope=draw(texts),
        resource=resource,
        attributes=draw(mappings),
        events=draw(empty_or(st.builds(EventRecord, texts, st.integers(0, 2**63 - 1), mappings))),
        links=draw(empty_or(st.builds(LinkRecord, trace_ids, span_ids, mappings))),
    )


@st.composite
def exported(draw, **strategies):
    record = draw(records(**strategies))
    annotation = st.builds(
        AnnotationRecord,
        trace_id=st.just(record.trace_id),
        span_id=st.just(record.span_id),
        time=st.integers(0, 2**63 - 1),
        label=maybe_text,
        reasoning=maybe_text,
        tags=st.lists(texts, max_size=2),
        metadata=mappings,
    )
    return Exported(as_stored(record), draw(empty_or(annotation)))


def as_stored(record: SpanRecord) -> SpanRecord:
    """The record as a store gives it back: of what JSON and 64-bit columns can say."""
    row = codec.span_row(record, None)
    return codec.span_of(row, codec.decode(codec.encode(record.resource)))


def said(value) -> str:
    """All that a value says, as text: 1, 1.0 and True differ here, as do NaN and None; the order of keys does not."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key!r}: {said(value[key])}" for key in sorted(value)) + "}"
    if hasattr(value, "_asdict"):
        return said(value._asdict())
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(said, value)) + "]"
    return repr(value)
