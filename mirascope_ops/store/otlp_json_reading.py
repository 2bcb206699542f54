"""Reading OTLP/JSON, as the specification has it and as others write it.

Field names in snake_case, enums by name, ints as JSON numbers, ids in base64, the older
`instrumentationLibrarySpans`: all are read, and what is unknown is left aside.
"""

from __future__ import annotations

import base64
import binascii
import json
import math
from typing import TYPE_CHECKING, Any, Final, cast

import orjson

from mirascope_ops.store import otlp, otlp_reading, otlp_runs
from mirascope_ops.store.otlp import Exported, Resources, Scope, WireEvent, WireLink, WireSpan

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from mirascope_ops.store.records import RunRecord

_KINDS: Final = {
    f"SPAN_KIND_{name}": number
    for number, name in enumerate(("UNSPECIFIED", "INTERNAL", "SERVER", "CLIENT", "PRODUCER", "CONSUMER"))
}
_STATUSES: Final = {f"STATUS_CODE_{name}": number for number, name in enumerate(("UNSET", "OK", "ERROR"))}
# What anything at all in the place of a span raises where it is read.
_MISREAD: Final = (AttributeError, KeyError, OverflowError, RecursionError, TypeError, ValueError)
_SPECIAL: Final = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}
_OTHER_SIGNALS: Final = frozenset(
    f"resource{camel}" for camel in ("Metrics", "Logs", "Profiles")
) | frozenset(f"resource_{snake}" for snake in ("metrics", "logs", "profiles"))  # fmt: skip
_CAMEL: Final = {
    "dropped_attributes_count": "droppedAttributesCount",
    "dropped_events_count": "droppedEventsCount",
    "dropped_links_count": "droppedLinksCount",
    "end_time_unix_nano": "endTimeUnixNano",
    "instrumentation_library": "instrumentationLibrary",
    "instrumentation_library_spans": "instrumentationLibrarySpans",
    "parent_span_id": "parentSpanId",
    "resource_spans": "resourceSpans",
    "schema_url": "schemaUrl",
    "scope_spans": "scopeSpans",
    "span_id": "spanId",
    "start_time_unix_nano": "startTimeUnixNano",
    "time_unix_nano": "timeUnixNano",
    "trace_id": "traceId",
    "trace_state": "traceState",
}


def loads(text: bytes) -> Any:
    """Read JSON; NaN and lone surrogates, which JSON or UTF-8 do not have and others write, included.

    Raises:
        ValueError: It is no JSON, or nested too deep.
    """
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        try:
            return json.loads(text)
        except RecursionError:
            raise ValueError("it is nested too deep") from None


def spans_in(
    found: Any, problem: Callable[[str, Exception], None], resources: Resources | None = None
) -> Iterator[Exported | RunRecord]:
    """Give the spans of an OTLP/JSON document, and the entries into sessions that it holds.

    Args:
        found: The document as JSON has it. One of metrics, logs or profiles has no spans.
        problem: Is told of what cannot be read: where it is, and why. If it returns, reading goes on behind it.
        resources: Those seen so far.

    Raises:
        ValueError: It is no OTLP document at all.
    """
    if not isinstance(found, dict):
        raise ValueError(f"expected an object with resourceSpans, found {_kind(found)}")  # noqa: TRY004 - bad content
    known = resources or Resources()
    whole = _camel(cast("dict[str, Any]", found), "resourceSpans")
    if whole and "resourceSpans" not in whole and not _OTHER_SIGNALS & whole.keys():
        keys = ", ".join(map(repr, list(whole)[:5]))
        raise ValueError(f"expected an object with resourceSpans, found one with {keys}")
    for place, one in enumerate(_list(whole.get("resourceSpans"), "resourceSpans")):
        where = f"resourceSpans[{place}]"
        try:
            described = _camel(one, "scopeSpans")
            resource, runs = _read_resource(described)
            listed = described.get("scopeSpans") or described.get("instrumentationLibrarySpans")
            scopes = _list(listed, "scopeSpans")
        except _MISREAD as error:
            problem(where, error)
            continue
        yield from runs
        for at, inner in enumerate(scopes):
            yield from _scope_spans(inner, resource, f"{where}.scopeSpans[{at}]", problem, known)


def _scope_spans(
    inner: Any,
    resource: Mapping[str, Any],
    where: str,
    problem: Callable[[str, Exception], None],
    known: Resources,
) -> Iterator[Exported]:
    try:
        described = _camel(inner, "schemaUrl")
        scope = _read_scope(described, resource, known)
        spans = _list(described.get("spans"), "spans")
    except _MISREAD as error:
        problem(where, error)
        return
    for place, span in enumerate(spans):
        try:
            read = otlp_reading.exported_of(scope, _read_span(span), known)
        except _MISREAD as error:
            problem(f"{where}.spans[{place}]", error)
            continue
        yield read


def _read_resource(described: dict[str, Any]) -> tuple[dict[str, Any], list[RunRecord]]:
    """Give the resource's attributes and what else OTLP says of it, and the entries into sessions that it holds."""
    told = _camel(described.get("resource") or {}, "droppedAttributesCount")
    more = {
        otlp.RESOURCE_DROPPED: int(told.get("droppedAttributesCount") or 0),
        otlp.RESOURCE_SCHEMA: _text(described.get("schemaUrl")),
    }
    attributes = _attributes(told.get("attributes"))
    resource = otlp_reading.resource_told(attributes)
    runs = otlp_runs.runs_in(attributes[otlp_runs.KEY]) if otlp_runs.KEY in attributes else []
    return {**{key: value for key, value in more.items() if value}, **resource}, runs


def _read_scope(described: dict[str, Any], resource: Mapping[str, Any], known: Resources) -> Scope:
    told = _camel(described.get("scope") or described.get("instrumentationLibrary") or {}, "droppedAttributesCount")
    more = {
        otlp.SCOPE_VERSION: _text(told.get("version")),
        otlp.SCOPE_ATTRIBUTES: _attributes(told.get("attributes")),
        otlp.SCOPE_DROPPED: int(told.get("droppedAttributesCount") or 0),
        otlp.SCOPE_SCHEMA: _text(described.get("schemaUrl")),
    }
    whole = known.one({**{key: value for key, value in more.items() if value}, **resource})
    return Scope(whole, _text(told.get("name")), {})


def _read_span(told: Any) -> WireSpan:
    span = _camel(told, "traceId")
    get = span.get
    status: dict[str, Any] = get("status") or {}
    return WireSpan(
        _text(get("traceId")),
        _text(get("spanId")),
        _text(get("parentSpanId")),
        _text(get("name")),
        _enum(get("kind"), _KINDS),
        _int(get("startTimeUnixNano")),
        _int(get("endTimeUnixNano")),
        _enum(status.get("code"), _STATUSES),
        _text(status.get("message")),
        _attributes(get("attributes")),
        [_read_event(event) for event in _list(get("events"), "events")],
        [_read_link(link) for link in _list(get("links"), "links")],
        (
            int(get("droppedAttributesCount") or 0),
            int(get("droppedEventsCount") or 0),
            int(get("droppedLinksCount") or 0),
        ),
        _text(get("traceState")),
        int(get("flags") or 0),
    )


def _read_event(told: Any) -> WireEvent:
    event = _camel(told, "timeUnixNano")
    return WireEvent(
        _text(event.get("name")),
        _int(event.get("timeUnixNano")),
        _attributes(event.get("attributes")),
        int(event.get("droppedAttributesCount") or 0),
    )


def _read_link(told: Any) -> WireLink:
    link = _camel(told, "traceId")
    return WireLink(
        _text(link.get("traceId")),
        _text(link.get("spanId")),
        _attributes(link.get("attributes")),
        int(link.get("droppedAttributesCount") or 0),
        _text(link.get("traceState")),
        int(link.get("flags") or 0),
    )


def _camel(told: Any, expected: str) -> dict[str, Any]:
    """Give an object with its names in camelCase; one that has the expected name is taken to be so."""
    if expected in told:
        return told
    found: dict[str, Any] = dict(told.items())
    return {_CAMEL.get(key, key): value for key, value in found.items()}


def _list(value: Any, name: str) -> Sequence[Any]:
    if value is None:
        return ()
    if isinstance(value, list):
        return cast("list[Any]", value)
    raise TypeError(f"{name} is {_kind(value)}, expected a list")


def _kind(value: Any) -> str:
    names = {dict: "an object", list: "a list", str: "text", bool: "a boolean", int: "a number", float: "a number"}
    return "null" if value is None else names[cast("type[Any]", type(value))]


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value
    if value is None:
        return ""
    raise TypeError(f"found {_kind(value)}, expected text")


def _int(value: Any) -> int:
    return int(value) if value else 0


def _enum(value: Any, names: Mapping[str, int]) -> int:
    if isinstance(value, int):
        return value
    if value is None:
        return 0
    text = str(value)
    return int(text) if text.isdecimal() else names.get(text, 0)


def _attributes(pairs: Any) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for pair in _list(pairs, "attributes"):
        key, value = pair.get("key"), pair.get("value")
        if type(key) is not str:
            key = _text(key)  # a key that is missing is an empty one, as in protobuf
        found[key] = value["stringValue"] if value and "stringValue" in value else _read_value(value)
    return found


def _read_value(told: Any) -> Any:
    if not told:
        return None
    # The first field counts: it is one of several, and the others are what a later version adds.
    name, value = next(iter(told.items()))
    read = _READERS.get(name)
    if read is None:
        return told
    try:
        return read(value)
    except (AttributeError, OverflowError, TypeError, ValueError, binascii.Error):
        return value  # not what it says that it is: kept as it came


def _read_double(value: Any) -> float:
    return _SPECIAL[value] if value in _SPECIAL else float(value)


def _read_array(value: Any) -> list[Any]:
    return [_read_value(each) for each in _list(value.get("values"), "values")]


def _read_pairs(value: Any) -> dict[str, Any]:
    return _attributes(value.get("values"))


def _read_bytes(value: Any) -> bytes:
    return base64.b64decode(value, validate=True)


def _read_bool(value: Any) -> bool:
    return value if isinstance(value, bool) else value == "true"


_READERS: Final[dict[str, Callable[[Any], Any]]] = {
    "stringValue": lambda value: value,
    "string_value": lambda value: value,
    "intValue": int,
    "int_value": int,
    "boolValue": _read_bool,
    "bool_value": _read_bool,
    "doubleValue": _read_double,
    "double_value": _read_double,
    "arrayValue": _read_array,
    "array_value": _read_array,
    "kvlistValue": _read_pairs,
    "kvlist_value": _read_pairs,
    "bytesValue": _read_bytes,
    "bytes_value": _read_bytes,
}
