"""OTLP in protobuf, by the messages of the package opentelemetry-proto (extra `files`)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from mirascope_ops._optional import require
from mirascope_ops.store import codec, otlp, otlp_reading, otlp_runs, otlp_writing
from mirascope_ops.store.otlp import Exported, Resources, Scope, WireEvent, WireLink, WireSpan

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from mirascope_ops.store.records import RunRecord


def traces_data() -> Any:
    """Give the message class of a document.

    Raises:
        ImportError: opentelemetry-proto is not installed; the message says how.
    """
    try:
        return require("opentelemetry.proto.trace.v1.trace_pb2", extra="files").TracesData
    except ImportError as error:
        message = (
            "opentelemetry-proto is needed for OTLP in protobuf. Install it with: "
            'pip install "mirascope_ops[files]". OTLP in JSON needs nothing.'
        )
        raise ImportError(message, name="opentelemetry.proto") from error


# -- writing ------------------------------------------------------------------------------------------------------


def message(groups: Sequence[tuple[Scope, Sequence[WireSpan]]]) -> bytes:
    """Give spans as one message, `TracesData`.

    Args:
        groups: Spans with what they share, in order; neighbours of one resource are written under it.
    """
    data = traces_data()()
    resource: Any = None
    last: tuple[Any, ...] = ()
    for scope, spans in groups:
        extras = scope.extras
        dropped, schema = extras.get(otlp.RESOURCE_DROPPED, 0), extras.get(otlp.RESOURCE_SCHEMA, "")
        shared = (id(scope.resource), dropped, schema)
        if resource is None or shared != last:
            resource, last = data.resource_spans.add(schema_url=schema), shared
            resource.resource.dropped_attributes_count = dropped
            _put_pairs(resource.resource.attributes, otlp_writing.resource_of(scope))
        inner = resource.scope_spans.add(schema_url=extras.get(otlp.SCOPE_SCHEMA, ""))
        inner.scope.name = codec.text(scope.name)
        inner.scope.version = extras.get(otlp.SCOPE_VERSION, "")
        inner.scope.dropped_attributes_count = extras.get(otlp.SCOPE_DROPPED, 0)
        _put_pairs(inner.scope.attributes, extras.get(otlp.SCOPE_ATTRIBUTES, {}))
        for span in spans:
            _put_span(inner.spans, span)
    return data.SerializeToString()


def _put_span(target: Any, span: WireSpan) -> None:
    attributes, events, links = span.dropped
    put = target.add(
        trace_id=bytes.fromhex(span.trace_id),
        span_id=bytes.fromhex(span.span_id),
        trace_state=span.trace_state,
        parent_span_id=bytes.fromhex(span.parent_id),
        flags=span.flags,
        name=span.name,
        kind=span.kind,
        start_time_unix_nano=span.start,
        end_time_unix_nano=span.end,
        dropped_attributes_count=attributes,
        dropped_events_count=events,
        dropped_links_count=links,
    )
    _put_pairs(put.attributes, span.attributes)
    for event in span.events:
        added = put.events.add(time_unix_nano=event.time, name=event.name, dropped_attributes_count=event.dropped)
        _put_pairs(added.attributes, event.attributes)
    for link in span.links:
        added = put.links.add(
            trace_id=bytes.fromhex(link.trace_id),
            span_id=bytes.fromhex(link.span_id),
            trace_state=link.trace_state,
            dropped_attributes_count=link.dropped,
            flags=link.flags,
        )
        _put_pairs(added.attributes, link.attributes)
    status = put.status
    status.SetInParent()
    if span.code:
        status.code = span.code
    if span.message:
        status.message = span.message


def _put_pairs(target: Any, attributes: Mapping[str, Any]) -> None:
    for key, value in attributes.items():
        pair = target.add(key=key)
        if type(value) is str:
            pair.value.string_value = value
        else:
            _put_value(pair.value, value)


def runs_message(text: str) -> bytes:
    """Give a message that holds entries into sessions and no spans.

    Args:
        text: The entries, as `otlp_runs.texts_of` writes them.
    """
    data = traces_data()()
    _put_pairs(data.resource_spans.add().resource.attributes, {otlp_runs.KEY: text})
    return data.SerializeToString(deterministic=True)


def _put_value(target: Any, value: Any) -> None:
    if isinstance(value, str):
        target.string_value = value
    elif isinstance(value, bool):
        target.bool_value = value
    elif isinstance(value, int):
        target.int_value = value
    elif isinstance(value, float):
        target.double_value = value
    elif isinstance(value, bytes):
        target.bytes_value = value
    elif isinstance(value, list):
        target.array_value.SetInParent()
        for each in cast("list[Any]", value):
            _put_value(target.array_value.values.add(), each)
    elif isinstance(value, dict):
        target.kvlist_value.SetInParent()
        _put_pairs(target.kvlist_value.values, cast("dict[str, Any]", value))
    else:
        target.SetInParent()


# -- reading ------------------------------------------------------------------------------------------------------


def loads(data: bytes) -> Any:
    """Read one message.

    Raises:
        ValueError: It is no such message.
        ImportError: opentelemetry-proto is not installed.
    """
    from google.protobuf.message import DecodeError  # pyright: ignore[reportMissingTypeStubs] - protobuf ships none

    try:
        return traces_data().FromString(data)
    except DecodeError:
        raise ValueError("it is no OTLP message in protobuf") from None


def spans_in(
    data: Any, problem: Callable[[str, Exception], None], resources: Resources | None = None
) -> Iterator[Exported | RunRecord]:
    """Give the spans of a message, and the entries into sessions that it holds.

    Args:
        data: A `TracesData`, or the collector's request, which is the same on the wire.
        problem: Is told of what cannot be read: where it is, and why. If it returns, reading goes on behind it.
        resources: Those seen so far.
    """
    known = resources or Resources()
    for place, described in enumerate(data.resource_spans):
        more = {
            otlp.RESOURCE_DROPPED: described.resource.dropped_attributes_count,
            otlp.RESOURCE_SCHEMA: described.schema_url,
        }
        attributes = _attributes(described.resource.attributes)
        try:
            yield from otlp_runs.runs_in(attributes.get(otlp_runs.KEY, "[]"))
        except ValueError as error:
            problem(f"resource_spans[{place}]", error)
        told = otlp_reading.resource_told(attributes)
        resource = {**{key: value for key, value in more.items() if value}, **told}
        for at, inner in enumerate(described.scope_spans):
            scope = _read_scope(inner, resource, known)
            for index, span in enumerate(inner.spans):
                try:
                    read = otlp_reading.exported_of(scope, _read_span(span), known)
                except (AttributeError, KeyError, TypeError, ValueError) as error:
                    problem(f"resource_spans[{place}].scope_spans[{at}].spans[{index}]", error)
                    continue
                yield read


def _read_scope(inner: Any, resource: Mapping[str, Any], known: Resources) -> Scope:
    told = inner.scope
    more = {
        otlp.SCOPE_VERSION: told.version,
        otlp.SCOPE_ATTRIBUTES: _attributes(told.attributes),
        otlp.SCOPE_DROPPED: told.dropped_attributes_count,
        otlp.SCOPE_SCHEMA: inner.schema_url,
    }
    whole = known.one({**{key: value for key, value in more.items() if value}, **resource})
    return Scope(whole, told.name, {})


def _read_span(span: Any) -> WireSpan:
    status = span.status
    return WireSpan(
        span.trace_id.hex(),
        span.span_id.hex(),
        span.parent_span_id.hex(),
        span.name,
        span.kind,
        span.start_time_unix_nano,
        span.end_time_unix_nano,
        status.code,
        status.message,
        _attributes(span.attributes),
        [
            WireEvent(event.name, event.time_unix_nano, _attributes(event.attributes), event.dropped_attributes_count)
            for event in span.events
        ],
        [
            WireLink(
                link.trace_id.hex(),
                link.span_id.hex(),
                _attributes(link.attributes),
                link.dropped_attributes_count,
                link.trace_state,
                link.flags,
            )
            for link in span.links
        ],
        (span.dropped_attributes_count, span.dropped_events_count, span.dropped_links_count),
        span.trace_state,
        span.flags,
    )


def _attributes(pairs: Any) -> dict[str, Any]:
    return {pair.key: _read_value(pair.value) for pair in pairs}


def _read_value(value: Any) -> Any:
    kind = value.WhichOneof("value")
    if kind == "string_value":
        return value.string_value
    if kind is None:
        return None
    told = getattr(value, kind)
    if kind == "array_value":
        return [_read_value(each) for each in told.values]
    if kind == "kvlist_value":
        return _attributes(told.values)
    return told
