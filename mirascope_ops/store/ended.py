"""From what a span leaves behind to what a store keeps.

The core hands over plain tuples (`core.span.EndedSpan`) because making them is all that a traced call pays for.
They become records here, on the writer's thread or when somebody reads; many of them at once become columns, in a
fraction of the time.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import orjson
from opentelemetry.trace import SpanKind

from mirascope_ops.core import attributes as keys
from mirascope_ops.core.ended import assemble
from mirascope_ops.store import codec, masked
from mirascope_ops.store.batch import SpanBatch
from mirascope_ops.store.records import EventRecord, LinkRecord, RunRecord, SpanRecord

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from opentelemetry.trace import Link

    from mirascope_ops.core.pipeline import Origin
    from mirascope_ops.core.session import SessionContext, Stamp
    from mirascope_ops.core.site import CallSite
    from mirascope_ops.core.ended import EndedSpan

_KINDS: Final = {kind: kind.name.lower() for kind in SpanKind}
_NOTHING: Final = (None, None, None)
_TYPES, _VALUES, _OUTPUT = (f'"{key}":' for key in (keys.ARG_TYPES, keys.ARG_VALUES, keys.OUTPUT))
_STATUSES: Final = ("unset", "ok", "error")


def span_record(ended: EndedSpan) -> SpanRecord:
    """Make the record of a span; one without an end is open."""
    (
        site, name, trace, span, parent, start, end, code, message, stamp, cell, arguments, output, extra, events,
        links, kind, flags, origin,
    ) = ended  # fmt: skip
    foreign = origin.is_foreign
    resource = origin.resource.attributes
    return SpanRecord(
        trace_id=f"{trace:032x}",
        span_id=f"{span:016x}",
        parent_id=f"{parent:016x}" if parent else None,
        name=name,
        span_kind=_KINDS[kind],
        start=start,
        end=end,
        status="open" if end is None else _STATUSES[code],
        status_message=masked.message(message) if message else "",
        session_id=None if stamp is None else stamp.session_id,
        run_id=None if stamp is None else stamp.run_id,
        session_attributes=None if stamp is None else stamp.attributes,
        cell_id=None if cell is None else cell.id,
        execution_count=None if cell is None else cell.execution_count,
        notebook=None if cell is None else cell.notebook,
        sampled=bool(flags & 1),
        service=resource.get("service.name"),
        scope=origin.scope.name,
        resource=resource,
        attributes=masked.attributes(extra) if foreign else assemble(site, stamp, arguments, output, extra),
        events=[_event(*event, foreign=foreign) for event in events or ()],
        links=[_link(link, foreign=foreign) for link in links or ()],
    )


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
        sites, names, traces, ids, parents, starts, ends, codes, messages, stamps, cells, arguments, outputs, extras,
        events, links, kinds, flags, origins,
    ) = zip(*spans, strict=True)  # fmt: skip
    if not (_are_times(starts) and _are_times(ends)):
        raise ValueError("a start or an end is no time")
    span_ids = [f"{number:016x}" for number in ids]
    known = dict(zip(ids, span_ids, strict=True))
    session, run, session_attributes = _told(stamps, lambda stamp: (stamp.session_id, stamp.run_id, stamp.attributes))
    cell, execution_count, notebook = _told(cells, lambda cell: (cell.id, cell.execution_count, cell.notebook))
    service, scope, resource = _told(origins, lambda origin: _origin(origin, resources), read=_as_it_is)
    attributes = _Attributes()
    for parts in zip(sites, stamps, arguments, outputs, extras, origins, strict=True):
        attributes.add(*parts)
    return SpanBatch(
        (
            _each(traces, "{:032x}".format),
            span_ids,
            [(known.get(parent) or f"{parent:016x}") if parent else None for parent in parents],
            _each(names, codec.clean),
            _told(kinds, lambda kind: (_KINDS[kind],))[0],
            starts,
            ends,
            _each(codes, _STATUSES.__getitem__),
            _each(messages, lambda message: codec.clean(masked.message(message) if message else "")),
            session, run, session_attributes, cell, execution_count, notebook,
            _told(flags, lambda flag: (bool(flag & 1),), read=_as_it_is)[0],
            service, scope, resource,
            attributes.texts,
            [
                codec.encode([_event(*event, foreign=origin.is_foreign) for event in each]) if each else None
                for each, origin in zip(events, origins, strict=True)
            ],
            [
                codec.encode([_link(link, foreign=origin.is_foreign) for link in each]) if each else None
                for each, origin in zip(links, origins, strict=True)
            ],
        ),
        attributes.mappings,
        encoded=True,
    )  # fmt: skip


def _are_times(values: Sequence[Any]) -> bool:
    return set(map(type, values)) == {int} and min(values) >= codec.MIN_INT and max(values) <= codec.MAX_INT


def _each(values: Sequence[Any], read: Callable[[Any], Any]) -> list[Any]:
    """Read values of which many are equal."""
    known = {value: read(value) for value in set(values)}
    return [known[value] for value in values]


def _told(
    values: Sequence[Any], tell: Callable[[Any], tuple[Any, ...]], read: Callable[[Any], Any] = codec.clean
) -> list[Sequence[Any]]:
    """Read columns of what many spans share, each thing once; None tells nothing."""
    places = list(map(id, values))
    known: dict[int, tuple[Any, ...]] = {
        place: _NOTHING if value is None else tuple(map(read, tell(value)))
        for place, value in dict(zip(places, values, strict=True)).items()
    }
    if len(known) == 1:
        return [[one] * len(places) for one in known[places[0]]]
    width = min(map(len, known.values()))
    return [[known[place][column] for place in places] for column in range(width)]


def _as_it_is(value: Any) -> Any:
    return value


def _origin(origin: Origin, resources: codec.Resources) -> tuple[Any, ...]:
    found = origin.resource.attributes
    return codec.clean(found.get("service.name")), codec.clean(origin.scope.name or ""), resources.read(found)


class _Attributes:
    """The attributes of many spans, as mappings and as the text that `codec.encode` makes of them.

    What the spans of one function, of one session, or calls with the same arguments share is looked at and written
    once. The text of a span is then put together of pieces, which takes a fraction of writing it anew.
    """

    def __init__(self) -> None:
        self.mappings: list[Mapping[str, Any]] = []
        self.texts: list[str | None] = []
        self._beginnings: dict[tuple[int, int], tuple[dict[str, Any], str]] = {}
        self._calls: dict[tuple[int, str], tuple[str, str, str]] = {}
        self._types: dict[str, str] = {}

    def add(  # noqa: PLR0917 - a span's parts, in the order in which it has them
        self, site: CallSite | None, stamp: Stamp | None, arguments: str | None, output: Any, extra: Any, origin: Origin
    ) -> None:
        """Add those of one span."""
        if site is None and origin.is_foreign:
            self._add(masked.attributes(extra))
            return
        beginning = self._beginnings.get((id(site), id(stamp)))
        if beginning is None:
            beginning = self._beginnings[id(site), id(stamp)] = self._begin(site, stamp)
        attributes, text = dict(beginning[0]), beginning[1]
        if site is not None and arguments is not None:
            call = self._calls.get((id(site), arguments))
            if call is None:
                call = self._calls[id(site), arguments] = self._describe(site, arguments)
            attributes[keys.ARG_TYPES], attributes[keys.ARG_VALUES], more = call
            text += more
        if extra or not (output is None or type(output) is bool or (type(output) is str and output.isascii())):
            if output is not None:
                attributes[keys.OUTPUT] = output
            self._add({**attributes, **(extra or {})})
            return
        if output is not None:
            attributes[keys.OUTPUT] = output
            text = f"{text},{_OUTPUT}{orjson.dumps(output).decode()}"
        self.mappings.append(attributes)
        self.texts.append(text + "}")

    def _add(self, attributes: Mapping[str, Any]) -> None:
        self.mappings.append(codec.plain(attributes))
        self.texts.append(codec.encode(attributes) if attributes else None)

    def _begin(self, site: CallSite | None, stamp: Stamp | None) -> tuple[dict[str, Any], str]:
        found = assemble(site, stamp, None, None, None)
        return dict(codec.plain(found)), codec.encode(found)[:-1]

    def _describe(self, site: CallSite, arguments: str) -> tuple[str, str, str]:
        types, values = site.describe(arguments)
        written = self._types.get(types)
        if written is None:
            written = self._types[types] = f",{_TYPES}{orjson.dumps(types).decode()},{_VALUES}"
        return types, values, written + orjson.dumps(values).decode()
