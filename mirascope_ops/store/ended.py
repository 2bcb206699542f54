"""From what a span leaves behind to what a store keeps.

The core hands over plain tuples (`core.span.EndedSpan`) because making them is all that a traced call pays for.
They become records here, on the writer's thread or when somebody reads; many of them at once become columns, in a
fraction of the time.
"""

from __future__ import annotations

import sys
from array import array
from operator import attrgetter
from typing import TYPE_CHECKING, Any, Final

import orjson
from opentelemetry.trace import SpanKind

from mirascope_ops.core.ended import assemble
from mirascope_ops.store import codec, masked
from mirascope_ops.store.batch import SpanBatch
from mirascope_ops.store.digits import SPAN_DIGITS, TRACE_DIGITS, Digits
from mirascope_ops.store.ended_attributes import Parts, Sessions, attributes_of
from mirascope_ops.store.records import EventRecord, LinkRecord, RunRecord, SpanRecord
from mirascope_ops.store.same import Same, shared

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from opentelemetry.trace import Link

    from mirascope_ops.core.ended import EndedSpan
    from mirascope_ops.core.notes import Notes
    from mirascope_ops.core.pipeline import Origin
    from mirascope_ops.core.session import SessionContext

_KINDS: Final = {kind: kind.name.lower() for kind in SpanKind}
_NOTHING: Final = (None, None, None)
_STATUSES: Final = ("unset", "ok", "error")
_note: Final[Callable[[Notes], tuple[Any, ...]]] = attrgetter("code", "message", "extra", "events", "links")


def span_record(ended: EndedSpan) -> SpanRecord:
    """Make the record of a span; one without an end is open."""
    site, name, trace, span, parent, start, end, stamp, cell, arguments, output, notes, wire, origin = ended
    foreign = origin.is_foreign
    found = origin.resource.attributes
    return SpanRecord(
        trace_id=f"{trace:032x}",
        span_id=f"{span:016x}",
        parent_id=f"{parent:016x}" if parent else None,
        name=name,
        span_kind=_KINDS[wire.kind],
        start=start,
        end=end,
        status="open" if end is None else _STATUSES[notes.code],
        status_message=_message(notes.message, foreign=foreign),
        session_id=None if stamp is None else stamp.session_id,
        run_id=None if stamp is None else stamp.run_id,
        session_attributes=None if stamp is None else stamp.attributes,
        cell_id=None if cell is None else cell.id,
        execution_count=None if cell is None else cell.execution_count,
        notebook=None if cell is None else cell.notebook,
        sampled=bool(wire.flags & 1),
        service=found.get("service.name"),
        scope=origin.scope.name,
        resource=masked.resource(found),
        attributes=masked.attributes(notes.extra or {})
        if foreign
        else assemble(site, stamp, arguments, output, notes.extra),
        events=[_event(*event, foreign=foreign) for event in notes.events or ()],
        links=[_link(link, foreign=foreign) for link in notes.links or ()],
    )


def _message(text: str, *, foreign: bool) -> str:
    if not text:
        return ""
    return masked.foreign_message(text) if foreign else masked.message(text)


def _event(name: str, time: int, found: Mapping[str, Any], *, foreign: bool) -> EventRecord:
    return EventRecord(name, time, masked.event(masked.attributes(found) if foreign else found))


def _link(link: Link, *, foreign: bool) -> LinkRecord:
    found = dict(link.attributes or {})
    context = link.context
    return LinkRecord(
        f"{context.trace_id:032x}", f"{context.span_id:016x}", masked.attributes(found) if foreign else found
    )


def run_record(context: SessionContext) -> RunRecord:
    """Make the record of an entry into a session."""
    cell = context.cell
    text = context.stamp.attributes
    attributes: Any = {} if text is None else orjson.loads(text)
    return RunRecord(
        run_id=context.run_id,
        session_id=context.id,
        parent_run_id=None if context.parent is None else context.parent.run_id,
        parent_session_id=None if context.parent is None else context.parent.id,
        attributes=attributes if isinstance(attributes, dict) else {"attributes": attributes},
        cell_id=None if cell is None else cell.id,
        execution_count=None if cell is None else cell.execution_count,
        notebook=None if cell is None else cell.notebook,
        start=context.started,
        end=context.ended,
    )


def batch_of_ended(spans: Sequence[EndedSpan], resources: codec.Resources) -> SpanBatch:
    """Give many spans that have ended column by column, as a file would give them.

    Args:
        spans: The spans.
        resources: Resources that were read before.

    Returns:
        The batch.

    Raises:
        Exception: A span is so odd that only `span_record` knows what to make of it.
    """
    (
        sites, names, traces, ids, parents, starts, ends, stamps, cells, arguments, outputs, notes, wires, origins,
    ) = zip(*spans, strict=True)  # fmt: skip
    codes, messages, extras, events, links = _noted(notes)
    kinds, flags = _told(wires, lambda wire: (_KINDS[wire.kind], bool(wire.flags & 1)), read=_as_it_is)
    sessions = Sessions(stamps)
    session, run, session_attributes = sessions.columns
    cell, execution_count, notebook = _told(cells, lambda cell: (cell.id, cell.execution_count, cell.notebook))
    service, scope, resource = _told(origins, lambda origin: _origin(origin, resources), read=_as_it_is)
    parts = Parts(
        sites, stamps, arguments, outputs, extras, origins, session, session_attributes, sessions.keys, sessions.texts
    )
    texts, groups = attributes_of(parts)
    return SpanBatch(
        (
            _trace_ids(traces),
            Digits(_span_digits(ids), SPAN_DIGITS),
            Digits(_span_digits(parents), SPAN_DIGITS, _zeros(parents)),
            _each(names, codec.clean),
            kinds,
            array("q", starts),  # fails where one is no time
            array("q", ends),
            _each(codes, _STATUSES.__getitem__),
            _messages(messages, origins),
            session, run, session_attributes, cell, execution_count, notebook,
            flags,
            service, scope, resource,
            texts,
            _texts(events, origins, lambda event, origin: _event(*event, foreign=origin.is_foreign)),
            _texts(links, origins, lambda link, origin: _link(link, foreign=origin.is_foreign)),
        ),
        groups,
        encoded=True,
    )  # fmt: skip


def _noted(notes: Sequence[Notes]) -> Sequence[Sequence[Any]]:
    """Read the columns of what was noted: codes, messages, attributes, events and links."""
    if (one := shared(notes)) is not None:  # mostly nothing was noted on any
        return [Same(value, len(notes)) for value in _note(one.value)]
    return list(zip(*map(_note, notes), strict=True))


def _messages(found: Sequence[str], origins: Sequence[Origin]) -> Sequence[str]:
    if not any(found):
        return Same("", len(found))
    told = [(message, origin.is_foreign) for message, origin in zip(found, origins, strict=True)]
    return _each(told, lambda one: codec.clean(_message(one[0], foreign=one[1])))


def _trace_ids(numbers: Sequence[int]) -> Digits:
    known = {number: f"{number:0{TRACE_DIGITS}x}" for number in set(numbers)}
    return Digits("".join(map(known.__getitem__, numbers)).encode(), TRACE_DIGITS)


def _span_digits(numbers: Sequence[int]) -> bytes:
    packed = array("Q", numbers)
    if sys.byteorder == "little":
        packed.byteswap()
    return packed.tobytes().hex().encode()


def _zeros(numbers: Sequence[int]) -> list[int]:
    return [] if all(numbers) else [place for place, number in enumerate(numbers) if not number]


def _each(values: Sequence[Any], read: Callable[[Any], Any]) -> Sequence[Any]:
    """Read values of which many are equal."""
    if isinstance(values, Same):
        return Same(read(values.value), len(values))
    known = {value: read(value) for value in set(values)}
    if len(known) == 1:
        return Same(known[values[0]], len(values))
    return list(map(known.__getitem__, values))


def _told(
    values: Sequence[Any], tell: Callable[[Any], tuple[Any, ...]], read: Callable[[Any], Any] = codec.clean
) -> Sequence[Sequence[Any]]:
    """Read columns of what many spans share, each thing once; None tells nothing."""
    if (one := shared(values)) is not None:
        told = _NOTHING if one.value is None else tuple(map(read, tell(one.value)))
        return [Same(each, len(values)) for each in told]
    places = list(map(id, values))
    known: dict[int, tuple[Any, ...]] = {
        place: _NOTHING if value is None else tuple(map(read, tell(value)))
        for place, value in dict(zip(places, values, strict=True)).items()
    }
    return list(zip(*map(known.__getitem__, places), strict=False))


def _as_it_is(value: Any) -> Any:
    return value


def _origin(origin: Origin, resources: codec.Resources) -> tuple[Any, ...]:
    found = origin.resource.attributes
    return (
        codec.clean(found.get("service.name")),
        codec.clean(origin.scope.name or ""),
        resources.read(masked.resource(found)),
    )


def _texts(
    found: Sequence[Sequence[Any] | None], origins: Sequence[Origin], read: Callable[[Any, Origin], Any]
) -> Sequence[str | None]:
    """Write the events or the links of spans."""
    if not any(found):
        return Same(None, len(found))
    return [
        codec.encode([read(one, origin) for one in each]) if each else None
        for each, origin in zip(found, origins, strict=True)
    ]
