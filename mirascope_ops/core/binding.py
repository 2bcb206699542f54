"""Carrying the session and the span to where Python does not: threads, pools, other processes.

`asyncio` tasks and `asyncio.to_thread` inherit what is current; `threading.Thread`, `ThreadPoolExecutor`,
`run_in_executor`, joblib and multiprocessing do not. `bind_context` takes it along in the function that is handed over.
(OpenTelemetry's own `opentelemetry-instrumentation-threading` does the same for threads without a change to the
program; a session travels with it too.)
"""

from __future__ import annotations

import functools
import inspect
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar, cast

from opentelemetry import trace as otel_trace
from opentelemetry.trace import NonRecordingSpan, SpanContext

from mirascope_ops.core import backend, callables, context, guard
from mirascope_ops.core.session import CURRENT, KEY, SessionContext, current_session, current_variable
from mirascope_ops.exceptions import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

P = ParamSpec("P")
R = TypeVar("R")


class BoundContext:
    """A function with the session and the span that were current when it was bound.

    It can be called any number of times, by several threads at once, and pickled: another process continues the
    same run of the session, below the same span. What a call recorded there is stored before its result leaves: a
    pool ends its workers with a signal (`with Pool() as pool` does), and they write nothing more.
    """

    def __init__(
        self, fn: Any, session: SessionContext | None, span: otel_trace.Span | None, *, elsewhere: bool = False
    ) -> None:
        self.__wrapped__ = fn
        self._session = session
        self._span = span
        self._elsewhere = elsewhere
        functools.update_wrapper(self, fn, updated=())

    def __call__(self, /, *args: Any, **kwargs: Any) -> Any:
        """Call the function with the bound session and span current."""
        try:
            with self.current():
                return self.__wrapped__(*args, **kwargs)
        finally:
            if self._elsewhere:
                _store()

    @contextmanager
    def current(self) -> Generator[None]:
        """Make the bound session and span current inside a `with` block."""
        session_token = CURRENT.set(self._session)
        carrier_token = context.attach(KEY, self._session)
        span = self._span or otel_trace.INVALID_SPAN
        span_token = context.attach(context.SPAN_KEY, span)
        try:
            yield
        finally:
            context.detach(span_token, context.SPAN_KEY, span)
            context.detach(carrier_token, KEY, self._session)
            context.reset(CURRENT, session_token, self._session)

    def __reduce__(self) -> tuple[Any, ...]:
        found = None if self._span is None else self._span.get_span_context()
        place = None if found is None or not found.is_valid else tuple(found)
        return (_rebound, (self.__wrapped__, self._session, place))

    def __repr__(self) -> str:
        return f"<{self.__wrapped__!r} bound to {self._session!r}>"


def bind_context(fn: Callable[P, R]) -> Callable[P, R]:
    """Bind a function to the session and the span that are current here, whoever calls it and wherever.

    What a bound function records in another process is stored before its result leaves, however the process ends. An
    unbound one's spans are stored at the end of each outermost span in a worker of `multiprocessing.Pool`, unless that
    would cost a program of very many short calls more than a twentieth of its time; then those that wait to be written
    are lost where `with Pool() as pool` ends the workers with a signal, and not after `pool.close(); pool.join()`.

    Args:
        fn: A function or a coroutine function; picklable where another process is to call it.

    Returns:
        A callable with the same signature.

    Raises:
        ConfigurationError: It is not callable: what a call has returned, in most cases.

    Example:
        >>> from concurrent.futures import ThreadPoolExecutor
        >>> from mirascope_ops import ops
        >>> def session_id() -> str | None:
        ...     session = ops.current_session()
        ...     return session.id if session else None
        >>> with ThreadPoolExecutor() as pool, ops.session(id="batch-1"):
        ...     print(pool.submit(session_id).result(), pool.submit(ops.bind_context(session_id)).result())
        None batch-1
    """
    if not callable(fn):
        kind = type(cast("Any", fn)).__name__
        message = f"bind_context takes a function, got {kind}: write bind_context(work), and call what it returns."
        raise ConfigurationError(message)
    span = otel_trace.get_current_span()
    bound = BoundContext(fn, current_session(), span if context.place_of(span).is_valid else None)
    # The body of some runs after the call, and it is the body that needs the context. Of an object, its method tells.
    bodies: tuple[Any, ...] = (fn,) if isinstance(fn, type) else (fn, cast("Any", fn).__call__)
    for body in bodies:
        if inspect.iscoroutinefunction(body) or inspect.isgeneratorfunction(body) or inspect.isasyncgenfunction(body):
            return cast("Callable[P, R]", callables.in_context(body, current_variable, bound.current))
    return cast("Callable[P, R]", bound)


def _store() -> None:
    try:
        backend.get().flush()
    except Exception as error:  # noqa: BLE001 - never the user's exception
        guard.report("flushing the store", error)


def _rebound(fn: Any, session: SessionContext | None, place: tuple[Any, ...] | None) -> BoundContext:
    """Unpickle: the span is in another process now, so it is a remote parent."""
    if place is None:
        return BoundContext(fn, session, None, elsewhere=True)
    trace_id, span_id, _, flags, state = place[:5]
    remote = SpanContext(trace_id, span_id, is_remote=True, trace_flags=flags, trace_state=state)
    return BoundContext(fn, session, NonRecordingSpan(remote), elsewhere=True)
