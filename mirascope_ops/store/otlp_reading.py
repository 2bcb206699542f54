"""From what OTLP says of a span, whatever the encoding, to a `SpanRecord`; `otlp` tells what goes where."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final, cast

from mirascope_ops.core import attributes as keys
from mirascope_ops.store import codec, otlp
from mirascope_ops.store.otlp import KINDS, PREFIX, Exported, status_of, text_in
from mirascope_ops.store.records import AnnotationRecord, EventRecord, LinkRecord, SpanRecord

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mirascope_ops.store.otlp import Resources, Scope, WireEvent, WireLink, WireSpan

# Lengths of ids that protobuf's own JSON writes, as base64: 16 bytes and 8.
_BASE64_LENGTHS: Final = {32: 24, 16: 12}
_STATUSES: Final = (*otlp.STATUSES, "open", "interrupted")
_DROPPED: Final = (otlp.DROPPED_ATTRIBUTES, otlp.DROPPED_EVENTS, otlp.DROPPED_LINKS)


def exported_of(scope: Scope, wire: WireSpan, known: Resources) -> Exported:
    """Give a span that came as OTLP has it; what is said in attributes for our own fields goes back to these.

    Args:
        scope: What it shares with others.
        wire: The span. Ids may be anything; hex ones are made lower case.
        known: The resources seen so far.

    Raises:
        ValueError: An attribute that stands for a field of the record holds what cannot be its value.
    """
    attributes, found = _told(wire.attributes)
    native = _natives(wire)
    resource = known.one({**native, **scope.resource}) if native else scope.resource
    if not found:  # nearly always
        end = wire.end or None
        return Exported(
            SpanRecord(
                _id(wire.trace_id, 32),
                _id(wire.span_id, 16),
                _id(wire.parent_id, 16) or None,
                wire.name,
                _kind(wire.kind),
                wire.start,
                end,
                status_of(wire.code, end),
                wire.message,
                text_in(attributes, keys.SESSION_ID),
                None,
                text_in(attributes, keys.SESSION_ATTRIBUTES),
                None,
                None,
                None,
                True,  # noqa: FBT003 - sampled
                text_in(resource, "service.name"),
                scope.name,
                resource,
                attributes,
                [_event(event) for event in wire.events] if wire.events else (),
                [_link(link) for link in wire.links] if wire.links else (),
            )
        )
    return _marked(scope, wire, attributes, resource, found)


def _marked(
    scope: Scope, wire: WireSpan, attributes: dict[str, Any], resource: Mapping[str, Any], found: Mapping[str, Any]
) -> Exported:
    """Read a span whose attributes stand for fields of the record."""
    marks = _Marks(found)
    end: int | None = marks.number("end", wire.end)
    if end == 0 and "end" not in found:
        end = None
    trace_id = marks.text("trace_id", _id(wire.trace_id, 32)) or ""
    span_id = marks.text("span_id", _id(wire.span_id, 16)) or ""
    kind = _kind(wire.kind)
    record = SpanRecord(
        trace_id=trace_id,
        span_id=span_id,
        parent_id=marks.text("parent_id", _id(wire.parent_id, 16) or None),
        name=wire.name,
        span_kind=marks.text("span_kind", kind) or kind,
        start=marks.number("start", wire.start),
        end=end,
        status=marks.status(status_of(wire.code, end)),
        status_message=wire.message,
        session_id=marks.text("session_id", text_in(attributes, keys.SESSION_ID)),
        run_id=marks.text("run_id", None),
        session_attributes=marks.text("session_attributes", text_in(attributes, keys.SESSION_ATTRIBUTES)),
        cell_id=marks.text("cell_id", None),
        execution_count=marks.number("execution_count", 0) if "execution_count" in found else None,
        notebook=marks.text("notebook", None),
        sampled=found.get("sampled") is not False,
        service=marks.text("service", text_in(resource, "service.name")),
        scope=scope.name,
        resource=resource,
        attributes=attributes,
        events=[_event(event) for event in wire.events] if wire.events else (),
        links=[_link(link) for link in wire.links] if wire.links else (),
    )
    derived = {field: found[field] for field in otlp.DERIVED if field in found}
    return Exported(record, marks.annotations(trace_id, span_id), derived)


def _kind(number: int) -> str:
    return KINDS[number] if 0 <= number < len(KINDS) else KINDS[0]


def resource_told(attributes: Mapping[str, Any]) -> Mapping[str, Any]:
    """Give a resource's attributes as they were before `resource_of`."""
    return _told(attributes)[0]


class _Marks:
    """What stands for fields of a record among a span's attributes; it may have been written by anybody."""

    def __init__(self, found: Mapping[str, Any]) -> None:
        self._found = found

    def text(self, field: str, default: str | None) -> str | None:
        value = self._found.get(field, default)
        if value is None or isinstance(value, str):
            return value
        raise ValueError(f"{PREFIX}{field} is {type(value).__name__}, expected text")

    def number(self, field: str, default: int) -> int:
        return int(self._found[field]) if self._found and field in self._found else default

    def status(self, default: str) -> str:
        found = self.text("status", None) or default
        if found not in _STATUSES:
            raise ValueError(f"{PREFIX}status is {found!r:.40}, expected one of {', '.join(_STATUSES)}")
        return found

    def annotations(self, trace_id: str, span_id: str) -> Sequence[AnnotationRecord]:
        told = self._found.get("annotations", ())
        listed = cast("list[Any]", codec.decode(told) if isinstance(told, str) else told)
        return [_annotation(one, trace_id, span_id) for one in listed] or ()


def _annotation(told: Any, trace_id: str, span_id: str) -> AnnotationRecord:
    """Read a judgement; one that no view could show is none, or it would spoil whatever it is shown with."""
    if not isinstance(told, Mapping):
        raise ValueError(f"{PREFIX}annotations holds {type(told).__name__}, expected objects")  # noqa: TRY004 - it is data
    fields = cast("Mapping[str, Any]", told)
    label, reasoning = fields.get("label"), fields.get("reasoning")
    tags: Any = fields.get("tags") or []
    metadata: Any = fields.get("metadata") or {}
    texts = isinstance(label, str | None) and isinstance(reasoning, str | None)
    if not (texts and isinstance(tags, list) and all(isinstance(tag, str) for tag in cast("list[Any]", tags))):
        raise ValueError(f"{PREFIX}annotations holds a label, a reasoning or tags that are no text")
    if not isinstance(metadata, Mapping):
        raise ValueError(f"{PREFIX}annotations holds metadata that is no object")  # noqa: TRY004 - it is data
    return AnnotationRecord(trace_id, span_id, int(fields["time"]), label, reasoning, tags, metadata)


def _natives(wire: WireSpan) -> dict[str, Any]:
    """Give what OTLP says of a span in fields that records have not."""
    found: dict[str, Any] = {}
    if wire.dropped != (0, 0, 0):
        found = {key: number for key, number in zip(_DROPPED, wire.dropped, strict=True) if number}
    if wire.trace_state:
        found[otlp.TRACE_STATE] = wire.trace_state
    if wire.flags & ~otlp.USUAL_FLAGS:
        found[otlp.FLAGS] = wire.flags
    return found


def _told(attributes: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Divide attributes as OTLP has them into those of the span, and what stands for fields of the record."""
    told = dict(attributes)
    marked = [key for key in told if key.startswith(PREFIX)]
    marks = {key[len(PREFIX) :]: told.pop(key) for key in marked}
    if marks:
        exact = marks.pop("exact", None)
        for key in [key for key in marks if key.startswith("attribute.")]:
            told[PREFIX + key.removeprefix("attribute.")] = marks.pop(key)
        if isinstance(exact, str):
            for key, value in codec.decode(exact).items():
                name = PREFIX + key[len(otlp.ESCAPED) :] if key.startswith(otlp.ESCAPED) else key
                told[name] = value
    return told, marks


def _event(wire: WireEvent) -> EventRecord:
    attributes, marks = _told(wire.attributes)
    if wire.dropped:
        attributes.setdefault(otlp.DROPPED_ATTRIBUTES, wire.dropped)
    return EventRecord(wire.name, int(marks.get("time", wire.time)), attributes)


def _link(wire: WireLink) -> LinkRecord:
    attributes, marks = _told(wire.attributes)
    if wire.flags & ~otlp.USUAL_FLAGS:
        attributes.setdefault(otlp.FLAGS, wire.flags)
    for key, value in ((otlp.DROPPED_ATTRIBUTES, wire.dropped), (otlp.TRACE_STATE, wire.trace_state)):
        if value:
            attributes.setdefault(key, value)
    told = _Marks(marks)
    trace_id, span_id = (
        told.text(field, _id(given, digits)) or ""
        for field, given, digits in (("trace_id", wire.trace_id, 32), ("span_id", wire.span_id, 16))
    )
    return LinkRecord(trace_id, span_id, attributes)


def _id(given: str, digits: int) -> str:
    """Give an id in lower case; base64, which protobuf's own JSON writes, as the hex that it stands for."""
    if len(given) == digits or not given:
        return given.lower()
    if len(given) == _BASE64_LENGTHS[digits] and given.endswith("="):
        try:
            return base64.b64decode(given, validate=True).hex()
        except binascii.Error:
            return given
    return given
