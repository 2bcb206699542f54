"""What a span leaves behind when it ends, as a plain tuple.

A tuple is a fraction of what the garbage collector has to look at in an object with containers of its own, of which
100,000 would cost a program its latency.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mirascope_ops.core import attributes as keys

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mirascope_ops.core.session import Stamp
    from mirascope_ops.core.site import Arguments, CallSite

# (site, name, trace_id, span_id, parent_id or 0, start, end or None, stamp, cell, arguments, output, notes, wire,
#  origin); `store.ended` unpacks it. What few spans have is behind the notes and the wire, of which most share one.
EndedSpan = tuple[Any, ...]
SITE, NAME, TRACE, SPAN, PARENT, START, END, STAMP = 0, 1, 2, 3, 4, 5, 6, 7
CELL, ARGUMENTS, OUTPUT, NOTES, WIRE, ORIGIN = 8, 9, 10, 11, 12, 13
"""Where an EndedSpan has what."""


def assemble(
    site: CallSite | None,
    stamp: Stamp | None,
    arguments: Arguments | None,
    output: Any,
    extra: Mapping[str, Any] | None,
) -> dict[str, Any]:
    """Put together a span's attributes from the parts that a span keeps.

    Args:
        site: The traced function, or None.
        stamp: The session's stamp, or None.
        arguments: The captured arguments, or None.
        output: The captured result, or None.
        extra: What was set on the span.
    """
    found: dict[str, Any] = {keys.TYPE: "trace"} if site is None else dict(site.attributes)
    if stamp is not None:
        found[keys.SESSION_ID] = found[keys.OTEL_SESSION_ID] = stamp.session_id
        if stamp.attributes is not None:
            found[keys.SESSION_ATTRIBUTES] = stamp.attributes
    if site is not None and arguments is not None:
        found[keys.ARG_TYPES], found[keys.ARG_VALUES] = site.describe(arguments)
    if output is not None:
        found[keys.OUTPUT] = output
    if extra:
        found.update(extra)
    return found
