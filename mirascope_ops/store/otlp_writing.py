"""From a `SpanRecord` to what OTLP says of it, whatever the encoding; `otlp` tells what goes where."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final, cast

from mirascope_ops.core import attributes as keys
from mirascope_ops.store import codec, otlp
from mirascope_ops.store.otlp import KINDS, PREFIX, Scope, WireEvent, WireLink, WireSpan, status_of, text_in

if TYPE_CHECKING:
    from collections.abc import Callable

    from mirascope_ops.store.otlp import Exported
    from mirascope_ops.store.records import AnnotationRecord, EventRecord, LinkRecord, SpanRecord

_KIND_NUMBERS: Final = {kind: number for number, kind in enumerate(KINDS)}
_STATUS_NUMBERS: Final = {status: number for number, status in enumerate(otlp.STATUSES)}
_MAX_TIME: Final = 2**64 - 1
_MAX_COUNT: Final = 2**32 - 1
_MIN_INT, _MAX_INT = -(2**63), 2**63 - 1
# Readers over protobuf refuse messages nested more than 100 deep, and one level of a mapping is three of them.
_MAX_DEPTH: Final = 24
_HEX: Final = re.compile("[0-9a-f]+").fullmatch
_SAMPLED: Final = 1  # W3C Trace Context's flag
_PLAIN_TYPES: Final = frozenset((bool, float, type(None)))
_PLAIN_FIELDS: Final = ("run_id", "cell_id", "execution_count", "notebook")


def wire_of(exported: Exported) -> tuple[Scope, WireSpan]:
    """Give a span as OTLP has it.

    Args:
        exported: The span.

    Returns:
        What it shares with others, and the span itself.
    """
    record = exported.record
    said, _ = _said(record.attributes, {})
    resource, native = _divided(record.resource)
    marks: dict[str, Any] = {}
    trace_id = _hex_id(record.trace_id, 32, "trace_id", marks)
    span_id = _hex_id(record.span_id, 16, "span_id", marks)
    parent_id = "" if record.parent_id is None else _hex_id(record.parent_id, 16, "parent_id", marks)
    start = _time(record.start, "start", marks)
    end = 0 if record.end is None else _time(record.end, "end", marks)
    if record.end == 0:
        marks["end"] = 0
    code, kind = _STATUS_NUMBERS.get(record.status, 0), _KIND_NUMBERS.get(record.span_kind, 0)
    marks.update(_unsaid(record, code, kind))
    marks.update(exported.derived)
    if exported.annotations:
        told = [_annotation_pairs(annotation) for annotation in exported.annotations]
        marks["annotations"] = told if _fits(told, 0) else codec.encode(told)
    said.update((PREFIX + field, _otlp(value)) for field, value in marks.items())
    extras = {key: native.pop(key) for key in _SCOPE_NATIVES if key in native} if native else {}
    span = WireSpan(
        trace_id, span_id, parent_id, codec.text(record.name), kind, start, end, code,
        codec.text(record.status_message), said,
        [_wire_event(event) for event in record.events],
        [_wire_link(link) for link in record.links],
        (native.get(otlp.DROPPED_ATTRIBUTES, 0), native.get(otlp.DROPPED_EVENTS, 0), native.get(otlp.DROPPED_LINKS, 0)),
        native.get(otlp.TRACE_STATE, ""),
        native.get(otlp.FLAGS, _SAMPLED if record.sampled else 0),
    )  # fmt: skip
    return Scope(resource, record.scope, extras), span


def _divided(resource: Mapping[str, Any]) -> tuple[Mapping[str, Any], dict[str, Any]]:
    """Divide what a record keeps with its resource into the resource, and what has a field of its own in OTLP."""
    if _SPAN_NATIVES.keys().isdisjoint(resource):
        return resource, {}
    native = {key: value for key, value in resource.items() if key in _SPAN_NATIVES and _SPAN_NATIVES[key](value)}
    return {key: value for key, value in resource.items() if key not in native}, native


def _unsaid(record: SpanRecord, code: int, kind: int) -> dict[str, Any]:
    """Give the fields of a record that a reader would not find in what OTLP says otherwise."""
    found = {field: value for field in _PLAIN_FIELDS if (value := getattr(record, field)) is not None}
    if not record.sampled:
        found["sampled"] = False
    if record.status != status_of(code, record.end):
        found["status"] = record.status
    if record.span_kind != KINDS[kind]:
        found["span_kind"] = record.span_kind
    if record.session_id != text_in(record.attributes, keys.SESSION_ID):
        found["session_id"] = record.session_id
    if record.session_attributes != text_in(record.attributes, keys.SESSION_ATTRIBUTES):
        found["session_attributes"] = record.session_attributes
    if record.service != text_in(record.resource, "service.name"):
        found["service"] = record.service
    return found


def resource_of(scope: Scope) -> Mapping[str, Any]:
    """Give a resource's attributes with values that OTLP can hold."""
    return _said(scope.resource, {})[0]


def _wire_event(event: EventRecord) -> WireEvent:
    said, native = _said(event.attributes, _EVENT_NATIVES)
    marks: dict[str, Any] = {}
    time = _time(event.time, "time", marks)
    said.update((PREFIX + field, value) for field, value in marks.items())
    return WireEvent(codec.text(event.name), time, said, native.get(otlp.DROPPED_ATTRIBUTES, 0))


def _wire_link(link: LinkRecord) -> WireLink:
    said, native = _said(link.attributes, _LINK_NATIVES)
    marks: dict[str, Any] = {}
    trace_id = _hex_id(link.trace_id, 32, "trace_id", marks)
    span_id = _hex_id(link.span_id, 16, "span_id", marks)
    said.update((PREFIX + field, value) for field, value in marks.items())
    dropped, state = native.get(otlp.DROPPED_ATTRIBUTES, 0), native.get(otlp.TRACE_STATE, "")
    return WireLink(trace_id, span_id, said, dropped, state, native.get(otlp.FLAGS, 0))


def _said(
    attributes: Mapping[str, Any], natives: Mapping[str, Callable[[Any], bool]]
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Divide attributes into those that OTLP says as such, and those that have a field of their own there."""
    said: dict[str, Any] = {}
    native: dict[str, Any] = {}
    exact: dict[str, Any] = {}
    for key, value in attributes.items():
        if key in natives and natives[key](value):
            native[key] = value
            continue
        name = _name(key)
        kind = cast("type[Any]", type(value))
        if kind is str:
            said[name] = value if value.isascii() else codec.text(value)
        elif kind in _PLAIN_TYPES or (kind is int and _MIN_INT <= value <= _MAX_INT):
            said[name] = value
        else:
            said[name] = _otlp(value)
            if not _fits(value, 0):
                exact[name] = value
    if exact:
        said[otlp.EXACT] = codec.encode(exact)
    return said, native


@lru_cache(4096, typed=True)
def _name(key: Any) -> str:
    """Give the name under which an attribute is written; programs have few of them."""
    name = codec.text(str(key))
    return otlp.ESCAPED + name[len(PREFIX) :] if name.startswith(PREFIX) else name


def _fits(value: Any, depth: int) -> bool:
    """Whether OTLP can hold a value as it is."""
    if type(value) is str:
        return True
    if isinstance(value, int):
        return _MIN_INT <= value <= _MAX_INT
    if isinstance(value, Mapping):
        inner = cast("Mapping[Any, Any]", value)
        return depth < _MAX_DEPTH and all(_fits(each, depth + 1) for each in inner.values())
    if isinstance(value, (list, tuple)):
        return depth < _MAX_DEPTH and all(_fits(each, depth + 1) for each in cast("Sequence[Any]", value))
    return True


def _otlp(value: Any, depth: int = 0) -> Any:
    """Make a value of nothing but what OTLP holds: None, bool, 64-bit int, float, str, bytes, list, dict."""
    plain: Any
    if type(value) is str:
        plain = value if value.isascii() else codec.text(value)
    elif value is None or isinstance(value, (bool, float)):
        plain = value
    elif isinstance(value, int):
        plain = int(value) if _MIN_INT <= value <= _MAX_INT else str(codec.decode(codec.encode(value)))
    elif isinstance(value, (bytes, bytearray)):
        plain = bytes(value)
    elif isinstance(value, (Mapping, list, tuple)) and depth >= _MAX_DEPTH:
        plain = codec.encode(value)
    elif isinstance(value, Mapping):
        inner = cast("Mapping[Any, Any]", value)
        plain = {codec.text(str(key)): _otlp(each, depth + 1) for key, each in inner.items()}
    elif isinstance(value, (list, tuple)):
        plain = [_otlp(each, depth + 1) for each in cast("Sequence[Any]", value)]
    elif isinstance(value, str):
        plain = codec.text(str(value))
    else:
        plain = _otlp(codec.decode(codec.encode(value)), depth)  # sets, objects
    return plain


def _hex_id(given: str, digits: int, field: str, marks: dict[str, Any]) -> str:
    """Give an id as so many hex digits; one that is something else is hashed, the same one always alike."""
    if len(given) == digits and _HEX(given):
        return given
    marks[field] = given
    if len(given) == digits and _HEX(given.lower()):
        return given.lower()
    return hashlib.sha256(given.encode("utf-8", "surrogatepass")).hexdigest()[:digits] if given else ""


def _time(given: int, field: str, marks: dict[str, Any]) -> int:
    if 0 <= given <= _MAX_TIME:
        return given
    marks[field] = str(given)
    return min(max(given, 0), _MAX_TIME)


def _annotation_pairs(annotation: AnnotationRecord) -> dict[str, Any]:
    return {
        "time": annotation.time,
        "label": annotation.label,
        "reasoning": annotation.reasoning,
        "tags": list(annotation.tags),
        "metadata": annotation.metadata,
    }


# -- what is a field in OTLP and an attribute here ----------------------------------------------------------------


def _is_count(value: Any) -> bool:
    return type(value) is int and 0 < value <= _MAX_COUNT


def _is_flags(value: Any) -> bool:
    return _is_count(value) and bool(value & ~otlp.USUAL_FLAGS)


def _is_text(value: Any) -> bool:
    return type(value) is str and bool(value) and codec.text(value) == value


def _is_scope_attributes(value: Any) -> bool:
    return isinstance(value, dict) and bool(cast("dict[str, Any]", value)) and _fits(value, 0) and _otlp(value) == value


_SCOPE_NATIVES: Final[dict[str, Callable[[Any], bool]]] = {
    otlp.SCOPE_VERSION: _is_text,
    otlp.SCOPE_ATTRIBUTES: _is_scope_attributes,
    otlp.SCOPE_DROPPED: _is_count,
    otlp.SCOPE_SCHEMA: _is_text,
    otlp.RESOURCE_DROPPED: _is_count,
    otlp.RESOURCE_SCHEMA: _is_text,
}
_EVENT_NATIVES: Final[dict[str, Callable[[Any], bool]]] = {otlp.DROPPED_ATTRIBUTES: _is_count}
_LINK_NATIVES: Final[dict[str, Callable[[Any], bool]]] = {
    **_EVENT_NATIVES,
    otlp.TRACE_STATE: _is_text,
    otlp.FLAGS: _is_flags,
}
_SPAN_NATIVES: Final[dict[str, Callable[[Any], bool]]] = {
    **_SCOPE_NATIVES,
    **_LINK_NATIVES,
    otlp.DROPPED_EVENTS: _is_count,
    otlp.DROPPED_LINKS: _is_count,
}
