"""From what a span leaves behind to what a store keeps.

The core hands over plain tuples (`core.span.EndedSpan`) because making them is all that a traced call pays for.
They become records here, on the writer's thread or when somebody reads.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import orjson
from opentelemetry.trace import SpanKind

from mirascope_ops.core.span import assemble
from mirascope_ops.store.records import EventRecord, LinkRecord, RunRecord, SpanRecord

if TYPE_CHECKING:
    from mirascope_ops.core.session import SessionContext
    from mirascope_ops.core.span import EndedSpan

_KINDS: Final = {kind: kind.name.lower() for kind in SpanKind}
_STATUSES: Final = ("unset", "ok", "error")


def span_record(ended: EndedSpan) -> SpanRecord:
    """Make the record of a span; one without an end is open."""
    (
        site, name, trace, span, parent, start, end, code, message, stamp, cell, arguments, output, extra, events,
        links, kind, flags, origin,
    ) = ended  # fmt: skip
    foreign = site is None and origin.is_foreign
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
        status_message=message or "",
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
        attributes=extra if foreign else assemble(site, stamp, arguments, output, extra),
        events=[EventRecord(label, time, found) for label, time, found in events or ()],
        links=[
            LinkRecord(f"{link.context.trace_id:032x}", f"{link.context.span_id:016x}", dict(link.attributes or {}))
            for link in links or ()
        ],
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
