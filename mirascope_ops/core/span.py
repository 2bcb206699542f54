"""The one span of this library: OpenTelemetry's API `Span` and, read lazily, the SDK's `ReadableSpan`.

The SDK's own span costs about 19 us, most of it for containers and locks that nobody looks at while the span
is open. This one keeps plain values in slots, makes one tuple when it ends, and becomes a ReadableSpan only
when an exporter reads it. It is an instance of both base classes, and everything the user configured (sampler,
limits, processors, id generator, resource) holds for it; see `pipeline`.
"""

from __future__ import annotations

from threading import get_ident
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, Self, cast

from opentelemetry import trace as otel_trace
from opentelemetry.trace import Link, SpanContext, SpanKind, Status, StatusCode

from mirascope_ops.core import attributes as keys
from mirascope_ops.core import backend, capture, clock, context, guard, outline, pipeline, stacks, thread
from mirascope_ops.core.cell import Cell, cells_in, current_cell
from mirascope_ops.core.ended import EndedSpan, assemble
from mirascope_ops.core.notes import NO_STATE, NOT_SAMPLED, NOTHING, OK, PLAIN, SAMPLED, Notes, Wire
from mirascope_ops.core.open_spans import MAX_OPEN, OPEN
from mirascope_ops.core.readable import LazyReadable
from mirascope_ops.core.session import CURRENT, KEY, Stamp
from mirascope_ops.core.summaries import type_name

if TYPE_CHECKING:
    from collections.abc import Mapping
    from contextvars import Token
    from types import TracebackType

    from opentelemetry.context import Context
    from opentelemetry.util.types import Attributes, AttributeValue

    from mirascope_ops.core.pipeline import Pipeline
    from mirascope_ops.core.site import Arguments, CallSite

_NO_ATTRIBUTES: Final[Mapping[str, Any]] = MappingProxyType({})
_new = object.__new__
_MAX_INT: Final = 2**63 - 1
_PLAIN: Final = frozenset((bool, type(None)))
_HOLDER: Final = pipeline.HOLDER
_get, _attach, _reset, _SPAN_KEY = context.get, context.attach_context, context.CONTEXT.reset, context.SPAN_KEY
_Within = context.Within


class Span(LazyReadable):
    """A span; `ops.span(name)` makes one, which starts when it is entered.

    It is a context manager (`with`, `async with`) and an OpenTelemetry span: `trace.get_current_span()` returns it
    inside. Methods change nothing before it has started and after it has ended.

    Args:
        name: The span's name.
        **attributes: Its first attributes; what OpenTelemetry has no form for is kept as JSON text.

    Example:
        >>> with Span("retrieve", top_k=3) as span:
        ...     span.set(found=2)
        ...     span.info("two documents", source="index")
        >>> len(span.span_id), len(span.trace_id)
        (16, 32)
    """

    # A slot is written at every call, so what few spans use shares two of them: `_notes` and `_wire`.
    __slots__ = (
        "_arguments", "_cell", "_context_cache", "_context_token", "_end_time", "_id", "_name", "_notes", "_output",
        "_parent_id", "_parent_span", "_pipe", "_site", "_stamp", "_start_time", "_trace", "_wire",
    )  # fmt: skip

    def __init__(self, name: str, **attributes: Any) -> None:
        self._name = str(name)
        self._site: CallSite | None = None
        self._arguments: Arguments | None = None
        self._output: Any = None
        self._id = self._trace = self._parent_id = self._start_time = 0
        self._end_time: int | None = None
        self._parent_span: Span | SpanContext | None = None
        self._stamp: Stamp | None = None
        self._cell: Cell | None = None
        self._context_token: Token[Context] | Context | None = None  # a Context where `_leave_below` has put it
        self._context_cache: SpanContext | None = None
        self._notes = NOTHING
        self._wire = PLAIN
        self._pipe: Pipeline = pipeline.NONE
        for key, value in attributes.items():
            self._keep(key, value)

    # -- as people use it -------------------------------------------------------------------------------------

    def set(self, **attributes: Any) -> None:
        """Set attributes.

        Args:
            **attributes: Strings, numbers, bools, lists of these; anything else is kept as JSON text.
        """
        self.set_attributes(attributes)

    def event(self, name: str, **attributes: Any) -> None:
        """Add an event, at this instant.

        Args:
            name: The event's name.
            **attributes: The event's attributes.
        """
        self.add_event(name, attributes)

    def debug(self, message: str, **attributes: Any) -> None:
        """Add a `debug` event with a message."""
        self.add_event("debug", {"level": "debug", "message": message, **attributes})

    def info(self, message: str, **attributes: Any) -> None:
        """Add an `info` event with a message."""
        self.add_event("info", {"level": "info", "message": message, **attributes})

    def warning(self, message: str, **attributes: Any) -> None:
        """Add a `warning` event with a message."""
        self.add_event("warning", {"level": "warning", "message": message, **attributes})

    def error(self, message: str, **attributes: Any) -> None:
        """Add an `error` event with a message, and make the span's status an error."""
        self.add_event("error", {"level": "error", "message": message, **attributes})
        self.set_status(StatusCode.ERROR)

    def critical(self, message: str, **attributes: Any) -> None:
        """Add a `critical` event with a message, and make the span's status an error."""
        self.add_event("critical", {"level": "critical", "message": message, **attributes})
        self.set_status(StatusCode.ERROR)

    def finish(self) -> None:
        """End the span, and make current again what was before it."""
        if self._context_token is not None:
            current: Any = _get().get(_SPAN_KEY)
            if current is not self:
                self._leave_below(current)
        self.finish_at(None)

    @property
    def span_id(self) -> str | None:
        """The span's id, 16 hex digits; None before it has started and while tracing is disabled."""
        return f"{self._id:016x}" if self._id else None

    @property
    def trace_id(self) -> str | None:
        """The trace's id, 32 hex digits; None before it has started and while tracing is disabled."""
        return f"{self._trace:032x}" if self._id else None

    @property
    def is_noop(self) -> bool:
        """Whether nothing is recorded: not started yet, or tracing is disabled."""
        return not self._id

    @property
    def span_context(self) -> SpanContext | None:
        """OpenTelemetry's context of the span; None where `span_id` is."""
        return self.get_span_context() if self._id else None

    def __enter__(self) -> Self:
        if not self._start_time:
            before = _get()
            try:
                self.start()
            except Exception as error:  # noqa: BLE001 - our bug is not the user's exception
                guard.report("starting a span", error)
            except BaseException:
                self._abandon(before)
                raise
        elif self._end_time is not None:
            guard.warn_once(
                f"entering {self._name} again",
                f"The span {self._name!r} has ended and records nothing more: write `with ops.span(...)` for each one.",
            )
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        try:
            if error is not None:
                self.fail(error)
            self.finish()
        except BaseException:  # an interrupt: it must not leave the span current
            self.finish()
            raise

    async def __aenter__(self) -> Self:
        return self.__enter__()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None
    ) -> None:
        self.__exit__(kind, error, tb)

    def __reduce__(self) -> tuple[Any, ...]:
        # Nobody but this process can go on with the span: what a pickle or a copy holds is what is known of it now.
        ids, times = (self._trace, self._id), (self._start_time, self._end_time)
        status = (self._notes.code, self._notes.message)
        return (Span._known, (self._name, self.all_attributes(), ids, times, status))

    @classmethod
    def _known(cls, name: str, attributes: dict[str, Any], ids: Any, times: Any, status: Any) -> Self:
        """Make the copy of a span: it tells the same, and records nothing."""
        span = cls(name)
        span._trace, span._id = ids
        span._start_time, end = times
        span._end_time = end or span._start_time
        notes = span._notes = Notes()
        notes.extra = attributes
        notes.code, notes.message = status
        return span

    def __repr__(self) -> str:
        state = "not started" if not self._start_time else "open" if self._end_time is None else "ended"
        return f"<Span {self._name!r} {self.span_id or ''} {state}>".replace("  ", " ")

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> Any:
        if not self._id:
            return {"text/plain": repr(self)}
        return backend.get().spans(self.trace_id or "", self.span_id or "")._repr_mimebundle_(include, exclude)

    # -- OpenTelemetry's API ----------------------------------------------------------------------------------

    def get_span_context(self) -> SpanContext:
        """Return what identifies the span, in and between processes."""
        found = self._context_cache
        if found is None:
            if not self._id:
                return otel_trace.INVALID_SPAN_CONTEXT
            told = self._wire
            found = SpanContext(self._trace, self._id, is_remote=False, trace_flags=told.flags, trace_state=told.state)
            self._context_cache = found
        return found

    def is_recording(self) -> bool:
        """Tell whether the span is open."""
        return self._end_time is None and self._id != 0

    def set_attribute(self, key: str, value: AttributeValue) -> None:
        """Set one attribute; None and a span that has ended change nothing."""
        if self._end_time is None:
            self._keep(key, value)

    def set_attributes(self, attributes: Mapping[str, AttributeValue]) -> None:
        """Set several attributes."""
        if self._end_time is None:
            for key, value in attributes.items():
                self._keep(key, value)

    def add_event(self, name: str, attributes: Attributes = None, timestamp: int | None = None) -> None:
        """Add an event; `timestamp` in nanoseconds since the epoch, now where None."""
        if self._end_time is None and self._id:
            notes = self._own_notes()
            if notes.events is None:
                notes.events = []
            notes.events.append((name, timestamp or clock.now(), _captured(attributes)))

    def add_link(self, context: SpanContext, attributes: Attributes = None) -> None:
        """Link another span; one without a valid context is ignored."""
        if self._end_time is None and context.is_valid:
            notes = self._own_notes()
            if notes.links is None:
                notes.links = []
            notes.links.append(Link(context, _captured(attributes)))

    def update_name(self, name: str) -> None:
        """Rename the span."""
        if self._end_time is None:
            self._name = name

    def set_status(self, status: Status | StatusCode, description: str | None = None) -> None:
        """Set the status; ok is final, and unset changes nothing, as OpenTelemetry has it."""
        if self._end_time is not None or self._notes.code == OK:
            return
        code, text = (status.status_code, status.description) if isinstance(status, Status) else (status, description)
        if code is not StatusCode.UNSET:
            notes = self._own_notes()
            notes.code = code.value
            notes.message = text if code is StatusCode.ERROR else None

    def record_exception(
        self,
        exception: BaseException,
        attributes: Attributes = None,
        timestamp: int | None = None,
        escaped: bool = False,  # noqa: FBT001, FBT002 - OpenTelemetry's signature
    ) -> None:
        """Add an `exception` event, with type, message and traceback."""
        try:
            told = str(exception)
            stack = stacks.text_of(exception)
            near = 2 * capture.policy.limit  # what is further on is cut off, however much shorter the masks are
            message = outline.masked(told[:near]) + told[near:]
            if message != told:
                stack = stack.replace(told, message)
        except Exception as error:  # noqa: BLE001 - an exception whose own __str__ fails is recorded all the same
            message = stack = f"<{type(error).__name__} while formatting the exception>"
        kept: dict[str, Any] = {
            keys.EXCEPTION_TYPE: type_name(type(exception)),
            keys.EXCEPTION_MESSAGE: message,
            keys.EXCEPTION_STACKTRACE: stack,
            "exception.escaped": str(escaped),
            **(attributes or {}),
        }
        if cells := cells_in(stack):
            kept[keys.EXCEPTION_CELLS] = capture.dump(cells)
        self.add_event("exception", kept, timestamp)

    def end(self, end_time: int | None = None) -> None:
        """End the span and record it; a second call changes nothing.

        Args:
            end_time: Nanoseconds since the epoch; now where None.
        """
        token, self._context_token = self._context_token, None  # it stays current, as OpenTelemetry's spans do
        self.finish_at(end_time)
        self._context_token = token

    # -- within this library ------------------------------------------------------------------------------------

    def fail(self, error: BaseException) -> None:
        """Note that an exception left the span.

        A generator that is closed, and an exit with code 0, are no failures.

        Args:
            error: The exception.
        """
        try:
            if isinstance(error, GeneratorExit) or (isinstance(error, SystemExit) and error.code in (None, 0)):
                return
            self.record_exception(error, escaped=True)
            events = self._notes.events
            last = events[-1][2] if events else _NO_ATTRIBUTES
            self.set_status(StatusCode.ERROR, f"{type(error).__name__}: {last.get(keys.EXCEPTION_MESSAGE, '')}")
        except Exception as fault:  # noqa: BLE001 - our bug is not the user's exception
            guard.report("recording an exception", fault)

    @classmethod
    def of_kind(cls, kind: SpanKind, name: str, attributes: Mapping[str, Any]) -> Self:
        """Make a span of another of OpenTelemetry's kinds than internal.

        Args:
            kind: The kind, such as `SpanKind.SERVER`.
            name: The span's name.
            attributes: Its first attributes.
        """
        span = cls(name)
        span._wire = Wire(kind)
        span.set_attributes(attributes)
        return span

    def adopt(self, site: CallSite, arguments: Arguments | None) -> None:
        """Make this the span of a traced call that has yet to start."""
        self._site, self._arguments = site, arguments

    def give_output(self, output: Any) -> None:
        """Keep the captured result of a traced call."""
        self._output = output

    def finish_at(self, end_time: int | None, output: Any = None) -> None:
        """End the span at this time (ns; now where None), and make current again what was before it.

        Args:
            end_time: Nanoseconds since the epoch; now where None.
            output: The captured result of a traced call; None changes nothing.
        """
        if output is not None:
            self._output = output
        token = self._context_token
        if token is not None:
            try:
                _reset(token)  # pyright: ignore[reportArgumentType] - a Context in its place is no token: see the next line
            except (ValueError, RuntimeError, TypeError):
                context.detach(token, _SPAN_KEY, self)
            self._context_token = None  # last: where an interrupt comes before it, `fail_call` does this once more
        number = self._id
        if self._end_time is not None or not number:
            return
        self._end_time = clock.now() if end_time is None else end_time
        try:  # noqa: SIM105 - to suppress costs more than to delete
            del OPEN[number]
        except KeyError:  # too many were open when it started
            pass
        try:
            sink = backend.sink  # what `Sink.take` does, without its frame
            sink.append((  # what `record` returns, without its frame
                self._site, self._name, self._trace, number, self._parent_id, self._start_time, self._end_time,
                self._stamp, self._cell, self._arguments, self._output, self._notes, self._wire, self._pipe.origin,
            ))  # fmt: skip
            if len(sink.waiting) >= sink.mark:
                sink.look()
            parent = self._parent_span
            # Or spans that each began below the last, as those of a timer that sets itself again, would never be freed.
            if type(parent) is Span and parent._end_time is not None:
                self._parent_span = None if self._wire is PLAIN else parent.get_span_context()
            pipe = self._pipe
            if pipe.exporting and self._wire.readable:
                pipe.multi.on_end(self)
        except Exception as error:  # noqa: BLE001 - our bug is not the user's exception
            guard.report("recording a span", error)

    def _leave_below(self, current: Any) -> None:
        """Prepare to end while another span is current: an undecorated generator's body, for one, may do that.

        No way back may lead to a span that has ended in this manner; OpenTelemetry's `start_as_current_span` would make
        it current for good.
        """
        inner: Any = current
        while type(inner) is Span:
            way_back = inner._context_token
            if way_back is not None and context.before(way_back).get(_SPAN_KEY) is self:
                inner._context_token = context.before(cast("Token[Context]", self._context_token))
                if inner._site is not None:  # a traced call that is under way: it is current until it returns
                    self._context_token = None
                return
            inner = inner._parent_span
        parent = self._parent_span
        if type(parent) is Span and parent._end_time is not None:  # what was around this has been left already
            self._context_token = None

    def _abandon(self, before: Context) -> None:
        """Take back what an interrupted start has done."""
        OPEN.pop(getattr(self, "_id", 0), None)
        found: Any = _get()
        if type(found) is _Within and found.span is self:
            _attach(before)

    def leave(self) -> None:
        """Make current again what was before; the span stays open."""
        token = self._context_token
        if token is not None:
            self._context_token = None
            context.detach(token, _SPAN_KEY, self)

    def all_attributes(self) -> dict[str, Any]:
        """Return every attribute, whole, as it is exported and stored."""
        return assemble(self._site, self._stamp, self._arguments, self._output, self._notes.extra)

    def record(self) -> EndedSpan:
        """Return what the span leaves behind."""
        return (
            self._site, self._name, self._trace, self._id, self._parent_id, self._start_time, self._end_time,
            self._stamp, self._cell, self._arguments, self._output, self._notes, self._wire, self._pipe.origin,
        )  # fmt: skip

    def _keep(self, key: str, value: Any) -> None:
        if value is None:
            return
        try:
            key = str(key)
            kept = capture.attribute(value, key)
        except Exception as error:  # noqa: BLE001 - our bug is not the user's exception
            guard.report("capturing an attribute", error)
            return
        notes = self._own_notes()
        if notes.extra is None:
            notes.extra = {key: kept}
        else:
            notes.extra[key] = kept

    def _own_notes(self) -> Notes:
        """Return the span's notes, to be written to."""
        if self._notes is NOTHING:
            self._notes = Notes()
        return self._notes

    @staticmethod
    def begin(site: CallSite, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Span:  # noqa: C901, PLR0912, PLR0915 - see below
        """Capture a call's arguments, start its span and make it current; never raises an Exception.

        A traced call pays for every step and for every frame. So this does by itself what most calls need: without
        `__init__`, it keeps arguments that are plain values, and starts the span below one of ours or below none.
        `CallSite.capture_arguments` and `start` do the same for all others.

        Args:
            site: The traced function.
            args: Its positional arguments, `self` included.
            kwargs: Its keyword arguments.

        Returns:
            The span; one that records nothing where something of ours failed.
        """
        span = _new(Span)
        try:
            if site.latest is not None:
                site = site.latest()
            given = args[site.skipped :] if site.skipped else args
            longest = capture.policy.longest_unwritten
            if kwargs or len(given) > site.quick or longest < 0:
                given = None
            else:
                for value in given:
                    kind = type(value)  # pyright: ignore[reportUnknownVariableType] - whatever the user's value is
                    if kind is str:
                        if len(value) <= longest and value.isascii():
                            continue
                    elif kind is int:
                        if -_MAX_INT <= value <= _MAX_INT:
                            continue
                    elif kind in _PLAIN or (kind is float and value - value == 0):  # and not infinite
                        continue
                    given = None
                    break
            span._arguments = site.capture_arguments(args, kwargs) if given is None else given
        except Exception as error:  # noqa: BLE001 - our bug is not the user's exception
            guard.report("capturing arguments", error)
            span._arguments = None
        span._name = site.name
        span._site = site
        span._output = span._end_time = span._context_cache = span._parent_span = None
        span._notes = NOTHING
        span._wire = PLAIN
        current: Any = None
        try:
            pipe = pipeline.latest  # what `pipeline.current` does, without its frame
            current = _get()
            if type(current) is _Within:
                parent: Any = current.span
                around = current.around
            else:
                parent = current.get(_SPAN_KEY)
                around = current
            session: Any = CURRENT.get()
            if (
                session is None
                or not pipe.is_plain
                or pipe.multi._span_processors is not pipe.processors
                or _HOLDER._TRACER_PROVIDER is not pipe.installed
                or get_ident() != thread.main
            ):
                span.start()
                return span
            if parent is None:
                span._parent_id = 0
                span._trace = clock.generate_trace_id()
            elif type(parent) is Span and parent._id and parent._wire is PLAIN:
                span._parent_span = parent
                span._parent_id = parent._id
                span._trace = parent._trace
            else:
                span.start()
                return span
            span._pipe = pipe
            stamp = span._stamp = session.stamp
            span._cell = stamp.cell
            number = span._id = clock.generate_span_id()
            if len(OPEN) < MAX_OPEN:
                OPEN[number] = span
            within = _Within()
            within.around = around
            within.span = span
            span._context_token = _attach(within)
            span._start_time = clock.now()
        except Exception as error:  # noqa: BLE001 - our bug is not the user's exception
            guard.report("starting the span of a traced call", error)
            return Span(site.name)
        except BaseException:  # an interrupt: the caller never gets the span, so nobody would end it
            span._abandon(_get() if current is None else current)
            raise
        return span

    def start(self) -> None:  # noqa: C901 - a traced call would pay for every frame more
        """Start below the current span, in the current session, and become current."""
        pipe = pipeline.latest  # what `pipeline.current` does, without its frame
        if pipe.multi._span_processors is not pipe.processors or _HOLDER._TRACER_PROVIDER is not pipe.installed:
            pipe = pipeline.current()
        self._pipe = pipe
        self._parent_span = None
        if pipe.disabled:
            self._id = self._trace = self._parent_id = self._start_time = 0
            self._stamp = self._cell = self._context_token = None
            return
        current = _get()
        is_within = type(current) is _Within
        around = current.around if is_within else current
        parent: Any = current.span if is_within else current.get(_SPAN_KEY)
        ids = pipe.ids
        if parent is None or not self._join(parent):
            self._parent_id = 0
            self._trace = ids.generate_trace_id()
        number = self._id = ids.generate_span_id()
        session: Any = CURRENT.get()
        if session is None:  # `or` would ask the session whether it is true
            session = around.get(KEY)
        if session is None:
            self._stamp = None
            self._cell = current_cell()
        else:
            stamp = self._stamp = session.stamp
            self._cell = stamp.cell
        if get_ident() != thread.main:
            self._note_thread()
        if pipe.sampler is not None:
            self._sample(pipe.sampler, current)
        if not backend.is_open:
            backend.open_store()
        if len(OPEN) < MAX_OPEN:
            OPEN[number] = self
        within = _Within()
        within.around = around
        within.span = self
        self._context_token = _attach(within)
        self._start_time = clock.now()
        if pipe.exporting and self._wire.readable:
            try:
                pipe.multi.on_start(self, parent_context=current)
            except Exception as error:  # noqa: BLE001 - a processor's bug is not the user's exception
                guard.report("telling span processors of a start", error)

    def _note_thread(self) -> None:
        notes = self._own_notes()
        notes.extra = {**thread.attributes_here(), **(notes.extra or {})}

    def _join(self, parent: Any) -> bool:
        """Take the place below a span; tells whether it has a valid context, else this is a root."""
        if type(parent) is Span and parent._id:
            self._parent_span = parent
            self._trace = parent._trace
            self._parent_id = parent._id
            told = parent._wire
            if told is not PLAIN:
                self._wire = self._wire.below(told.flags, told.state)
            return True
        found: SpanContext | None = parent.get_span_context()
        if found is None or not found.is_valid:  # None: MLflow's, where it records nothing
            return False
        self._parent_span = found
        self._parent_id = found.span_id
        self._trace = found.trace_id
        self._wire = self._wire.below(found.trace_flags, found.trace_state)
        return True

    def _sample(self, sampler: Any, around: Context) -> None:
        """Ask the user's sampler. A dropped span is recorded locally all the same and says so on the wire."""
        known = self.all_attributes()
        try:
            result = sampler.should_sample(around, self._trace, self._name, self._wire.kind, known, ())
        except Exception as error:  # noqa: BLE001 - a sampler's bug is not the user's exception
            guard.report("asking the sampler", error)
            return
        flags = SAMPLED if result.decision.is_sampled() else NOT_SAMPLED
        state = result.trace_state or NO_STATE
        self._wire = Wire(self._wire.kind, flags, state, readable=result.decision.is_recording())
        more: Mapping[str, Any] = result.attributes or {}
        for key, value in more.items():
            if key not in known:
                self._keep(key, value)


def _captured(attributes: Attributes) -> dict[str, Any]:
    """Return the attributes of an event or a link as they are kept; never raises an Exception."""
    try:
        given = {str(key): value for key, value in (attributes or {}).items() if value is not None}
        return {key: capture.attribute(value, key) for key, value in given.items()}
    except Exception as error:  # noqa: BLE001 - our bug is not the user's exception
        guard.report("capturing attributes", error)
        return {}


def span(name: str, **attributes: Any) -> Span:
    """Make a span for `with`: it starts below the current one when it is entered.

    Args:
        name: The span's name.
        **attributes: Its first attributes.

    Returns:
        The span.

    Example:
        >>> with span("rerank", model="small") as rerank:
        ...     rerank.set(kept=3)
    """
    return Span(name, **attributes)
