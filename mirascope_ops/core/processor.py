"""The span processor that brings other libraries' spans in: their session when they start, our store when they end."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any, Final

from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor

from mirascope_ops.core import attributes as keys
from mirascope_ops.core import backend, guard
from mirascope_ops.core.cell import Cell, current_cell
from mirascope_ops.core.notes import Notes, Wire
from mirascope_ops.core.open_spans import note_ended, note_open
from mirascope_ops.core.pipeline import Origin
from mirascope_ops.core.session import Stamp, current_session, session_in
from mirascope_ops.core.span import Span

if TYPE_CHECKING:
    from collections.abc import Mapping

    from opentelemetry.context import Context
    from opentelemetry.trace import SpanKind, TraceFlags

    from mirascope_ops.core.ended import EndedSpan

_MAX_OPEN: Final = 100_000  # spans of which we remember the session while they are open


class _Foreign:
    """Another library's span, with the session and the cell in which it started."""

    __slots__ = ("_origin", "_span", "cell", "stamp")

    def __init__(self, span: Any, stamp: Stamp | None, cell: Cell | None, origin: Origin) -> None:
        self._span = span
        self.stamp = stamp
        self.cell = cell
        self._origin = origin

    def record(self) -> EndedSpan:
        span = self._span
        context = span.get_span_context()
        return (
            None,
            span.name,
            context.trace_id,
            context.span_id,
            0 if span.parent is None else span.parent.span_id,
            span.start_time,
            span.end_time,
            self.stamp,
            self.cell,
            None,
            None,
            _notes(span),
            _wire(span.kind, context.trace_flags),
            self._origin,
        )


def _notes(span: Any) -> Notes:
    notes = Notes()
    notes.code, notes.message = span.status.status_code.value, span.status.description
    notes.extra = dict(span.attributes or {}) or None
    notes.events = [(event.name, event.timestamp, dict(event.attributes or {})) for event in span.events] or None
    notes.links = list(span.links) or None
    return notes


@functools.lru_cache
def _wire(kind: SpanKind, flags: TraceFlags) -> Wire:
    return Wire(kind, flags)


class SessionProcessor(SpanProcessor):
    """Stamps every span that starts inside a session, and records every span that ends.

    It is added to the user's provider automatically; add it by hand to a provider that is not the global one.

    Example:
        >>> from opentelemetry.sdk.trace import TracerProvider
        >>> provider = TracerProvider()
        >>> provider.add_span_processor(SessionProcessor())
    """

    mirascope_ops_processor = True

    def __init__(self) -> None:
        self._open: dict[int, _Foreign] = {}  # our own: a span may pass through several of us
        self._origins: dict[tuple[Any, ...], Origin] = {}

    def on_start(self, span: Any, parent_context: Context | None = None) -> None:
        """Give a span its session; our own spans have theirs already."""
        if type(span) is Span:
            return
        try:
            session = current_session() or session_in(parent_context)
            stamp = None if session is None else session.stamp
            if stamp is not None:
                span.set_attribute(keys.SESSION_ID, stamp.session_id)
                if keys.OTEL_SESSION_ID not in (span.attributes or {}):
                    span.set_attribute(keys.OTEL_SESSION_ID, stamp.session_id)
                if stamp.attributes is not None:
                    span.set_attribute(keys.SESSION_ATTRIBUTES, stamp.attributes)
            cell = current_cell() if stamp is None else stamp.cell
            if not backend.is_open:
                backend.open_store()
            if len(self._open) < _MAX_OPEN:
                number = span.get_span_context().span_id
                known = self._open[number] = _Foreign(span, stamp, cell, self._origin(span))
                note_open(number, known)
        except Exception as error:  # noqa: BLE001 - never the user's exception
            guard.report("giving a span its session", error)

    def on_end(self, span: ReadableSpan) -> None:
        """Record a span; our own are recorded by themselves."""
        if type(span) is Span:
            return
        try:
            context = span.get_span_context()
            if context is None:
                return
            note_ended(context.span_id)
            known = self._open.pop(context.span_id, None)
            stamp, cell = (None, current_cell()) if known is None else (known.stamp, known.cell)
            if stamp is None:
                stamp = _told(span.attributes or {}, cell)
            # Not `known`'s own record: what is given to us may be another object than the one that started.
            backend.sink.take(_Foreign(span, stamp, cell, self._origin(span)).record())
        except Exception as error:  # noqa: BLE001 - never the user's exception
            guard.report("recording a span of another library", error)

    def shutdown(self) -> None:
        """Nothing to shut down: the store belongs to the process, not to a provider."""

    def force_flush(self, timeout_millis: int = 30000) -> bool:
        """Write what is waiting to the store."""
        del timeout_millis
        try:
            backend.get().flush()
        except Exception as error:  # noqa: BLE001 - never the user's exception
            guard.report("flushing the store", error)
            return False
        return True

    def _origin(self, span: ReadableSpan) -> Origin:
        scope = span.instrumentation_scope
        key = (scope, id(span.resource))
        origin = self._origins.get(key)
        if origin is None:
            origin = self._origins[key] = Origin(scope, span.resource, is_foreign=True)  # pyright: ignore[reportArgumentType] - never None on an SDK span
        return origin


def _told(attributes: Mapping[str, Any], cell: Cell | None) -> Stamp | None:
    """Return the session that a span names itself, as those of Mirascope's own `ops` do: it is listed too."""
    for key in (keys.SESSION_ID, keys.OTEL_SESSION_ID):
        session_id = attributes.get(key)
        if isinstance(session_id, str) and session_id.strip():
            text = attributes.get(keys.SESSION_ATTRIBUTES)
            return Stamp(session_id, None, text if isinstance(text, str) else None, cell)
    return None
