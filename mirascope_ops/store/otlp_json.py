"""Writing OTLP/JSON: the messages of OTLP's protobuf as JSON, with hex ids, and 64-bit ints as text.

https://opentelemetry.io/docs/specs/otlp/#json-protobuf-encoding
"""

from __future__ import annotations

import base64
import math
from typing import TYPE_CHECKING, Any, cast

import orjson

from mirascope_ops.store import codec, otlp, otlp_runs, otlp_writing

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mirascope_ops.store.otlp import Scope, WireEvent, WireLink, WireSpan


def document(groups: Sequence[tuple[Scope, Sequence[WireSpan]]]) -> bytes:
    """Give spans as one OTLP/JSON document on one line, without the line's end.

    Args:
        groups: Spans with what they share, in order; neighbours of one resource are written under it.

    Example:
        >>> document([])
        b'{"resourceSpans":[]}'
    """
    resources: list[dict[str, Any]] = []
    last: tuple[Any, ...] = ()
    for scope, spans in groups:
        extras = scope.extras
        shared = (id(scope.resource), extras.get(otlp.RESOURCE_DROPPED), extras.get(otlp.RESOURCE_SCHEMA))
        if not resources or shared != last:
            resources.append(_resource(scope))
            last = shared
        resources[-1]["scopeSpans"].append(_scope(scope, spans))
    return _dumped({"resourceSpans": resources})


def runs_document(text: str) -> bytes:
    """Give a document that holds entries into sessions and no spans.

    Args:
        text: The entries, as `otlp_runs.texts_of` writes them.
    """
    resource: dict[str, Any] = {"resource": {"attributes": _pairs({otlp_runs.KEY: text})}, "scopeSpans": []}
    return _dumped({"resourceSpans": [resource]})


def _dumped(value: Any) -> bytes:
    try:
        return orjson.dumps(value)
    except TypeError:  # a key or text that is a subclass of str
        return codec.encode(value).encode()


def _resource(scope: Scope) -> dict[str, Any]:
    said: dict[str, Any] = {"attributes": _pairs(otlp_writing.resource_of(scope))}
    if otlp.RESOURCE_DROPPED in scope.extras:
        said["droppedAttributesCount"] = scope.extras[otlp.RESOURCE_DROPPED]
    written: dict[str, Any] = {"resource": said, "scopeSpans": []}
    if otlp.RESOURCE_SCHEMA in scope.extras:
        written["schemaUrl"] = scope.extras[otlp.RESOURCE_SCHEMA]
    return written


def _scope(scope: Scope, spans: Sequence[WireSpan]) -> dict[str, Any]:
    extras = scope.extras
    said: dict[str, Any] = {"name": codec.text(scope.name)}
    if otlp.SCOPE_VERSION in extras:
        said["version"] = extras[otlp.SCOPE_VERSION]
    if otlp.SCOPE_ATTRIBUTES in extras:
        said["attributes"] = _pairs(extras[otlp.SCOPE_ATTRIBUTES])
    if otlp.SCOPE_DROPPED in extras:
        said["droppedAttributesCount"] = extras[otlp.SCOPE_DROPPED]
    written: dict[str, Any] = {"scope": said, "spans": [_span(span) for span in spans]}
    if otlp.SCOPE_SCHEMA in extras:
        written["schemaUrl"] = extras[otlp.SCOPE_SCHEMA]
    return written


def _span(span: WireSpan) -> dict[str, Any]:
    written: dict[str, Any] = {"traceId": span.trace_id, "spanId": span.span_id}
    if span.trace_state:
        written["traceState"] = span.trace_state
    if span.parent_id:
        written["parentSpanId"] = span.parent_id
    written["flags"] = span.flags
    written["name"] = span.name
    written["kind"] = span.kind
    written["startTimeUnixNano"] = str(span.start)
    if span.end:
        written["endTimeUnixNano"] = str(span.end)
    written["attributes"] = _pairs(span.attributes)
    attributes, events, links = span.dropped
    if attributes:
        written["droppedAttributesCount"] = attributes
    if span.events:
        written["events"] = [_event(event) for event in span.events]
    if events:
        written["droppedEventsCount"] = events
    if span.links:
        written["links"] = [_link(link) for link in span.links]
    if links:
        written["droppedLinksCount"] = links
    status: dict[str, Any] = {"message": span.message} if span.message else {}
    if span.code:
        status["code"] = span.code
    written["status"] = status
    return written


def _event(event: WireEvent) -> dict[str, Any]:
    written: dict[str, Any] = {"timeUnixNano": str(event.time), "name": event.name}
    if event.attributes:
        written["attributes"] = _pairs(event.attributes)
    if event.dropped:
        written["droppedAttributesCount"] = event.dropped
    return written


def _link(link: WireLink) -> dict[str, Any]:
    written: dict[str, Any] = {"traceId": link.trace_id, "spanId": link.span_id}
    if link.trace_state:
        written["traceState"] = link.trace_state
    if link.attributes:
        written["attributes"] = _pairs(link.attributes)
    if link.dropped:
        written["droppedAttributesCount"] = link.dropped
    if link.flags:
        written["flags"] = link.flags
    return written


def _pairs(attributes: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [
        {"key": key, "value": {"stringValue": value} if type(value) is str else _value(value)}
        for key, value in attributes.items()
    ]


def _value(value: Any) -> dict[str, Any]:
    written: dict[str, Any]
    if isinstance(value, str):
        written = {"stringValue": value}
    elif isinstance(value, bool):
        written = {"boolValue": value}
    elif isinstance(value, int):
        written = {"intValue": str(value)}
    elif isinstance(value, float):
        written = {"doubleValue": value if math.isfinite(value) else _special(value)}
    elif isinstance(value, bytes):
        written = {"bytesValue": base64.b64encode(value).decode()}
    elif isinstance(value, list):
        written = {"arrayValue": {"values": [_value(each) for each in cast("list[Any]", value)]}}
    elif isinstance(value, dict):
        written = {"kvlistValue": {"values": _pairs(cast("dict[str, Any]", value))}}
    else:
        written = {}
    return written


def _special(value: float) -> str:
    return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
