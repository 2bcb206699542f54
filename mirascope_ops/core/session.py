"""Sessions: the context that groups the traces of one conversation, user or job.

The current session is kept in two places. A ContextVar decides. A key in OpenTelemetry's Context is read
where that ContextVar is unset: what carries a Context to a thread or a worker then carries the session too,
while an instrumentation that starts from a fresh Context (server middlewares do) cannot drop it.
"""

from __future__ import annotations

import math
import re
from contextvars import ContextVar, Token
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, NamedTuple, ParamSpec, Self, TypeVar, cast

import orjson
from opentelemetry.context import create_key

from mirascope_ops.core import backend, callables, capture, clock, context, guard, pipeline
from mirascope_ops.core.cell import Cell, current_cell
from mirascope_ops.core.recorded import Recorded
from mirascope_ops.exceptions import SessionError, TraceTargetError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from types import TracebackType

    from opentelemetry.context import Context

    from mirascope_ops.spandiff import SpanDiff

    P = ParamSpec("P")
    R = TypeVar("R")

MAX_ID_LENGTH: Final = 256
# C0, DEL, C1 and lone surrogates: none of them survives an HTTP header or a JSON file. `re` compiles this at the first
# session: a program's start does not wait for it.
_FORBIDDEN: Final = r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]"
_JSON_ONLY: Final = orjson.OPT_PASSTHROUGH_DATACLASS | orjson.OPT_PASSTHROUGH_DATETIME
KEY: Final = create_key("mirascope-ops-session")


class Stamp(NamedTuple):
    """What a span keeps of its session: fixed when the span starts, shared by all spans until it changes.

    A session that another library opened has no entry of ours: its `run_id` is None.
    """

    session_id: str
    run_id: str | None
    attributes: str | None
    cell: Cell | None


class SessionContext(Recorded):
    """A session while it is entered.

    Attributes:
        id: The session's id.
        run_id: The id of this entry; entering the same session again makes another.
        attributes: The session's attributes, a read-only mapping.
        parent: The session around this one, or None.
        cell: The notebook cell in which it was entered, or None.
        started: When it was entered, nanoseconds since the epoch.
        ended: When it was left, or None.
        is_gone: Whether it was left while another was current, so that no way back must lead to it.
        stamp: What spans that start now keep of it.
    """

    __slots__ = ("__weakref__", "_attributes", "cell", "ended", "id", "is_gone", "parent", "run_id", "stamp", "started")

    def __init__(
        self, session_id: str, attributes: dict[str, Any], parent: SessionContext | None, cell: Cell | None
    ) -> None:
        self.id: Final = session_id
        self.run_id = clock.new_uuid().hex
        self.parent: Final = parent
        self.cell: Final = cell
        self.started = clock.now()
        self.ended: int | None = None
        self.is_gone = False
        self._attributes = attributes
        self.stamp = self._make_stamp()

    @property
    def attributes(self) -> Mapping[str, Any]:
        """The session's attributes; empty where none were given."""
        return MappingProxyType(self._attributes)

    def set(self, **attributes: Any) -> None:
        """Add attributes, or change some; spans that start from now on carry them.

        Args:
            **attributes: JSON values.

        Raises:
            SessionError: A value is not JSON; nothing is changed.

        Example:
            >>> with session(id="docs") as ctx:
            ...     ctx.set(user_tier="premium")
            ...     dict(ctx.attributes)
            {'user_tier': 'premium'}
        """
        self._attributes = {**self._attributes, **_checked_attributes(attributes)}
        self.stamp = self._make_stamp()
        _record(self)

    @property
    def spans(self) -> Any:
        """The spans recorded in this session, its child sessions' included."""
        return backend.get().session(self).spans

    @property
    def traces(self) -> Any:
        """The traces recorded in this session, oldest first."""
        return backend.get().session(self).traces

    @property
    def card(self) -> Any:
        """All that the session's card shows, as data."""
        return backend.get().session(self).card

    @property
    def runs(self) -> Any:
        """The entries into this session, oldest first."""
        return backend.get().session(self).runs

    @property
    def entries(self) -> Any:
        """The entries into this session and into those inside of it, oldest first."""
        return backend.get().session(self).entries

    def live(self) -> Any:
        """Show the session's card in a notebook, and keep it up to date while the cell runs.

        In the end, when the session is left, the cell is over, or a `with` around the code ends, the finished card
        takes its place. Outside of a notebook this does nothing.

        Returns:
            What `with` takes; its `stop()` ends it earlier.

        Example:
            >>> with session(id="long") as long, long.live():
            ...     pass
        """
        return backend.get().live(self)

    def diff(self, other: Any) -> SpanDiff:
        """Compare the session with another run; see `SpanSet.diff`."""
        return backend.get().session(self).diff(other)

    def check(self, *checks: Callable[[Self], object], **bounds: Any) -> Self:
        """Raise one error that lists every bound that does not hold; the bounds are those of `SpanSet.check`.

        Args:
            *checks: Functions of this context.
            **bounds: `max_cost`, `max_latency`, `max_tokens`, ...

        Returns:
            The context itself.

        Raises:
            CheckError: A bound does not hold.
            TypeError: There is no such bound; the message names the nearest.
        """
        __tracebackhide__ = True  # as in `SpanSet.check`
        backend.get().session(self)._check(self, checks, bounds)  # noqa: SLF001 - as for a trace
        return self

    def __repr__(self) -> str:
        return f"SessionContext(id={self.id!r}, attributes={self._attributes!r})"

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> Any:
        return backend.get().session(self)._repr_mimebundle_(include, exclude)

    def _recorded(self) -> Any:
        return backend.get().session(self)

    def in_cell(self, cell: Cell | None) -> SessionContext:
        """Return the same run as it continues in another notebook cell."""
        again = SessionContext(self.id, dict(self._attributes), self.parent, cell)
        again.run_id, again.started = self.run_id, self.started
        again.stamp = again._make_stamp()
        return again

    def __reduce__(self) -> tuple[Any, ...]:
        # Another process continues the same run: what it records belongs to it.
        return (SessionContext, (self.id, self._attributes, self.parent, self.cell), (self.run_id, self.started))

    def __setstate__(self, state: tuple[str, int]) -> None:
        self.run_id, self.started = state
        self.stamp = self._make_stamp()

    def _make_stamp(self) -> Stamp:
        try:
            text = capture.dump(self._attributes) if self._attributes else None
        except Exception as error:  # noqa: BLE001 - our bug is not the user's exception
            guard.report("capturing session attributes", error)
            text = None
        return Stamp(self.id, self.run_id, text, self.cell)


CURRENT: Final[ContextVar[SessionContext | None]] = ContextVar("mirascope_ops_session", default=None)


def current_variable() -> ContextVar[SessionContext | None]:
    """Return the variable that holds the current session."""
    return CURRENT


def session_in(carrier: Context | None) -> SessionContext | None:
    """Return the session that an OpenTelemetry Context carries, or None."""
    carried = None if carrier is None else carrier.get(KEY)
    return carried if isinstance(carried, SessionContext) else None


def current_session() -> SessionContext | None:
    """Return the innermost session that is active here, or None.

    Example:
        >>> with session(id="user-123"):
        ...     current_session().id
        'user-123'
        >>> current_session() is None
        True
    """
    return CURRENT.get() or session_in(context.get())


class session:  # noqa: N801 - used as a function, in `with ops.session(...)`, as the API names it
    """Group every span that starts inside into one session.

    Works as `with`, as `async with`, and as a decorator of functions, coroutine functions, generators and
    async generators (each call is then an entry of its own). Sessions nest: the innermost wins, and a child
    knows its parent. The same id again resumes the session.

    Args:
        id: The session's id, at most 256 characters without control characters; a UUID where None.
        attributes: JSON values that describe the session, for filtering.

    Raises:
        SessionError: The id or an attribute cannot be kept; the message names it.

    Example:
        >>> with session(id="conversation-456", attributes={"user_tier": "premium"}) as ctx:
        ...     print(ctx.id, ctx.attributes["user_tier"])
        conversation-456 premium
    """

    __slots__ = ("_attributes", "_entries", "_id")

    def __init__(self, id: str | None = None, attributes: Mapping[str, Any] | None = None) -> None:  # noqa: A002 - the API's name
        self._id = id if id is None else check_id(id)
        self._attributes = _checked_attributes(attributes or {})
        self._entries: list[Entry] = []

    @property
    def id(self) -> str | None:
        """The id given, or None for a new one at each entry."""
        return self._id

    @property
    def attributes(self) -> dict[str, Any]:
        """The attributes given, checked."""
        return self._attributes

    def __enter__(self) -> SessionContext:
        entry = enter(self._id, self._attributes, current_session())
        self._entries.append(entry)
        return entry.context

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        # One object may be entered by several tasks at once: leave the entry that is current here.
        current = CURRENT.get()
        for index in range(len(self._entries) - 1, -1, -1):
            if self._entries[index].context is current:
                return _leave_surely(self._entries.pop(index))
        if self._entries:
            _leave_surely(self._entries.pop())
        return None

    async def __aenter__(self) -> SessionContext:
        return self.__enter__()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.__exit__(kind, error, traceback)

    def __call__(self, fn: Callable[P, R]) -> Callable[P, R]:
        """Run every call of a function in a session; each call is an entry of its own.

        Raises:
            TraceTargetError: It is no function: a class, a property, what a call has returned.
        """
        target: Any = fn
        if type(target) in (classmethod, staticmethod):
            return type(target)(self(target.__func__))
        if isinstance(target, type):
            message = f"{target.__qualname__} is a class: decorate its methods with @ops.session(...) instead."
            raise TraceTargetError(message)
        if not callable(target):
            message = f"@ops.session(...) needs a function, got {type(target).__name__}: put it directly on a function."
            raise TraceTargetError(message)
        return callables.in_context(fn, current_variable, self._fresh)

    def _fresh(self) -> Self:
        return type(self)(self._id, self._attributes)


class Entry(NamedTuple):
    """What it takes to leave a session again."""

    context: SessionContext
    token: Token[SessionContext | None]
    otel_token: Token[Context]


def enter(
    session_id: str | None, attributes: dict[str, Any], parent: SessionContext | None, cell: Cell | None = None
) -> Entry:
    """Make a session current here; `leave` undoes it.

    Args:
        session_id: A checked id, or None for a new one.
        attributes: Checked attributes.
        parent: The session around it.
        cell: The notebook cell that it belongs to; the running one where None.
    """
    try:
        pipeline.current()  # joins a provider that has appeared: other libraries' spans may come before any of ours
    except Exception as error:  # noqa: BLE001 - a session works without a provider
        guard.report("joining the tracer provider", error)
    chosen = str(clock.new_uuid()) if session_id is None else session_id
    entered = SessionContext(chosen, attributes, parent, cell or current_cell())
    before, around = CURRENT.get(), context.get()
    try:
        entry = Entry(entered, CURRENT.set(entered), context.attach(KEY, entered))
        _record(entered)
    except BaseException:  # an interrupt: nobody gets the entry, and nobody would leave the session
        CURRENT.set(before)
        context.attach_context(around)
        raise
    return entry


def leave(entry: Entry) -> None:
    """Leave a session; never raises.

    Where a token cannot be reset (a generator closed in another context, a cell that awaited), the value from
    before is set, unless something else is current by now. An undecorated generator's body may leave its session when
    those around it have been left: none of them becomes current again.
    """
    before = entry.token.old_value
    is_current = CURRENT.get() is entry.context
    if is_current and _still_there(before) is not before:
        around = _still_there(before)
        context.attach(KEY, around)
        CURRENT.set(around)
    elif is_current or not isinstance(before, SessionContext) or before.ended is None:
        context.detach(entry.otel_token, KEY, entry.context)
        context.reset(CURRENT, entry.token, entry.context)
    entry.context.is_gone = not is_current
    entry.context.ended = clock.now()
    _record(entry.context)


def _leave_surely(entry: Entry) -> None:
    """Leave a session, also where an interrupt comes as it is left: nobody else would."""
    try:
        leave(entry)
    except BaseException:
        leave(entry)
        raise


def _still_there(session_context: Any) -> Any:
    while isinstance(session_context, SessionContext) and session_context.is_gone:
        session_context = session_context.parent
    return session_context


def reapply(session_context: SessionContext, cell: Cell | None) -> SessionContext:
    """Make a session current here once more, without a way back, as the same run but in another cell.

    For a session over several notebook cells: each cell may run in a context of its own, so no token can be kept
    from one to the next, and the session is applied anew at the start of each.

    Args:
        session_context: The session as it was entered or last reapplied.
        cell: The cell that runs now.

    Returns:
        The session as it is current now.
    """
    again = session_context.in_cell(cell)
    CURRENT.set(again)
    context.attach(KEY, again)
    return again


def clear(session_context: SessionContext) -> None:
    """End a session that `reapply` made current: nothing is current here afterwards; never raises."""
    CURRENT.set(None)
    context.attach(KEY, None)
    session_context.ended = clock.now()
    _record(session_context)


def check_id(value: object) -> str:
    """Return a session id that is fit to be kept and sent.

    Raises:
        SessionError: It is not a non-empty string of at most 256 characters without control characters.
    """
    if not isinstance(value, str):
        how = "id=value.decode()" if isinstance(value, bytes) else "id=str(value)"
        message = f"A session id must be a str, got {type(value).__name__}: write {how}."
        raise SessionError(message)
    if not value:
        message = "A session id must not be empty: give one, or leave it out to get a new UUID."
        raise SessionError(message)
    if len(value) > MAX_ID_LENGTH:
        message = f"A session id may have {MAX_ID_LENGTH} characters, this one has {len(value)}: {value[:40]!r}…"
        raise SessionError(message)
    if found := re.search(_FORBIDDEN, value):
        message = f"A session id must have no control characters or lone surrogates, found {found[0]!r} in {value!r}."
        raise SessionError(message)
    return str(value)


def _checked_attributes(attributes: Mapping[str, Any]) -> dict[str, Any]:
    """Return a copy of session attributes, taken now, so that a later mutation changes nothing.

    Raises:
        SessionError: A key is not a str or a value is not JSON; the message names the key.
    """
    checked: dict[str, Any] = {}
    try:
        given: dict[Any, Any] = dict(attributes)
    except (TypeError, ValueError) as error:
        message = f"Session attributes must be a mapping such as {{'user_tier': 'premium'}}, got {attributes!r:.80}."
        raise SessionError(message) from error
    for key, value in given.items():
        if not isinstance(key, str):
            message = f"A session attribute's key must be a str, got {key!r} ({type(key).__name__})."
            raise SessionError(message)
        try:
            text = orjson.dumps({key: value}, option=_JSON_ONLY)  # first: it refuses cycles and too deep nesting
            _require_json(value)
            checked[key] = orjson.loads(text)[key]
        except (TypeError, ValueError) as error:
            message = (
                f"The session attribute {key!r} must be a JSON value (str, number, bool, None, list, dict), "
                f"got {type(value).__name__}: {error}"
            )
            raise SessionError(message) from error
    return checked


def _require_json(value: Any) -> None:
    """Refuse what orjson writes as something else than it is: UUIDs and enums as text, NaN as null."""
    if isinstance(value, dict):
        for item in cast("dict[str, Any]", value).values():
            _require_json(item)
    elif isinstance(value, list | tuple):
        for item in cast("list[Any]", value):
            _require_json(item)
    elif not (value is None or isinstance(value, str | bool | int | float)):
        message = f"{type(value).__name__} is no JSON value"
        raise TypeError(message)
    elif isinstance(value, float) and not math.isfinite(value):
        message = f"{value} is no JSON value"
        raise ValueError(message)


def _record(changed: SessionContext) -> None:
    try:
        backend.get().record_run(changed)
    except Exception as error:  # noqa: BLE001 - a session works without a store
        guard.report("recording a session", error)
