"""Running something around a callable without changing what kind of callable it is.

A decorated generator function is still a generator function, and so on: frameworks look. For generators there
is more to it. Their body runs in the consumer's context, piece by piece, so whatever is "current" in the body
has to be put away at every `yield` and brought back at every resumption; `Carried` does that for the session
and for OpenTelemetry's Context. Nothing else of the user's context is touched.
"""

from __future__ import annotations

import functools
import inspect
import sys
from typing import TYPE_CHECKING, Any, Protocol, TypeVar, cast

from mirascope_ops.core import context
from mirascope_ops.core.methods import TracedMethod

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Generator
    from contextvars import ContextVar

    from opentelemetry.context import Context

    F = TypeVar("F", bound=Callable[..., Any])


class Scope(Protocol):
    """What is open while the body of a generator exists."""

    def call(self, fn: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Make the generator, with the user's arguments."""
        ...

    def item(self, value: Any) -> None:
        """The body yielded a value."""
        ...

    def close(self, error: BaseException | None) -> None:
        """The body ended: by returning (None) or by this error; GeneratorExit means that it was closed."""
        ...


class Carried:
    """What is current in a generator's body: set while the body runs, put away while it waits.

    Use it as a context manager around each piece of the body.
    """

    __slots__ = ("_context", "_outer", "_session", "_variable")

    def __init__(self, variable: ContextVar[Any]) -> None:
        self._variable = variable
        self._session: Any = variable.get()
        self._context: Context = context.get()
        self._outer: tuple[Any, Context] | None = None

    def __enter__(self) -> None:
        if self._outer is None:  # else an interrupt came as the last piece was left, and the body's is still current
            self._outer = (self._variable.get(), context.get())
        try:
            self._variable.set(self._session)
            context.attach_context(self._context)
        except BaseException:  # an interrupt: what was entered half would not be left
            self._put_away(self._outer)
            raise

    def __exit__(self, *_: object) -> None:
        outer = self._outer
        if outer is not None:
            try:
                self._session, self._context = self._variable.get(), context.get()
            finally:
                self._put_away(outer)

    def _put_away(self, outer: tuple[Any, Context]) -> None:
        session, around = outer
        self._variable.set(session)
        context.attach_context(around)
        self._outer = None


def around_generator(fn: F, variable: Callable[[], ContextVar[Any]], open_scope: Callable[..., Scope]) -> F:
    """Wrap a generator function: the scope opens at the first `next` and closes when the body ends.

    Args:
        fn: The generator function.
        variable: Returns the ContextVar of the current session; by its name, for a ContextVar cannot be pickled, and
            cloudpickle sends a notebook's functions to other processes with all that they hold.
        open_scope: Called with the arguments (a tuple and a dict); returns the scope.
    """

    @functools.wraps(fn)
    def wrapper(*args: Any, **kwargs: Any) -> Generator[Any, Any, Any]:
        carried = Carried(variable())
        with carried:
            scope = open_scope(args, kwargs)
        body: Generator[Any, Any, Any] = scope.call(fn, args, kwargs)
        del args, kwargs  # the body has them, and may drop them
        # What goes in or out: a variable would keep it alive for as long as the other side has the word.
        passing: list[Any] = [None]
        thrown: BaseException | None = None
        while True:
            try:
                with carried:
                    item = body.send(passing.pop()) if thrown is None else body.throw(thrown)
            except StopIteration as stop:
                with carried:
                    scope.close(None)
                return stop.value
            except BaseException as error:
                thrown = None  # the traceback holds this frame: a reference back would keep it all from being freed
                with carried:
                    scope.close(error)
                raise
            scope.item(item)
            passing.append(item)
            item = thrown = None
            try:
                passing.append((yield passing.pop()))
            except BaseException as error:  # noqa: BLE001 - GeneratorExit too: the body decides what becomes of it
                thrown = error

    return cast("F", wrapper)


def around_async_generator(fn: F, variable: Callable[[], ContextVar[Any]], open_scope: Callable[..., Scope]) -> F:
    """Wrap an async generator function; as `around_generator`."""

    @functools.wraps(fn)
    async def wrapper(*args: Any, **kwargs: Any) -> AsyncGenerator[Any, Any]:
        carried = Carried(variable())
        with carried:
            scope = open_scope(args, kwargs)
        body: Any = scope.call(fn, args, kwargs)
        del args, kwargs  # as above
        step: Any = _first_step(body)
        passing: list[Any] = []
        thrown: BaseException | None = None
        while True:
            try:
                if thrown is not None and body.ag_frame is None:
                    # The garbage collector has closed the body already, and `athrow` would return None.
                    raise thrown  # noqa: TRY301 - it goes the way of what the body raises
                with carried:
                    item = await (step or (body.asend(passing.pop()) if thrown is None else body.athrow(thrown)))
            except StopAsyncIteration:
                with carried:
                    scope.close(None)
                return
            except BaseException as error:
                thrown = None  # as above
                with carried:
                    scope.close(error)
                raise
            scope.item(item)
            passing.append(item)
            item = step = thrown = None
            try:
                passing.append((yield passing.pop()))
            except BaseException as error:  # noqa: BLE001 - GeneratorExit too: the body decides what becomes of it
                thrown = error

    return cast("F", wrapper)


def _first_step(body: AsyncGenerator[Any, Any]) -> Any:
    """Ask an async generator for its first item, unseen by the event loop.

    A loop closes the async generators that it saw start: all at its end, each when it is collected. It has seen the one
    around this, which closes it; closed by the loop as well, at the same time, it would fail with "already running".
    """
    hooks = sys.get_asyncgen_hooks()
    sys.set_asyncgen_hooks(None, _leave)
    try:
        return body.asend(None)
    finally:
        sys.set_asyncgen_hooks(*hooks)


def _leave(_: object) -> None:
    """Do nothing as an async generator is collected: without a finalizer, Python would close it at once."""


def in_context(fn: F, variable: Callable[[], ContextVar[Any]], manager: Callable[[], Any]) -> F:
    """Wrap a function of any kind so that each call runs inside a context manager of its own.

    Args:
        fn: A function, coroutine function, generator function or async generator function.
        variable: As `around_generator` takes it.
        manager: Makes the context manager for one call.

    Returns:
        A function of the same kind.
    """

    class _Managed:
        """A context manager as a scope."""

        def __init__(self, *_: object) -> None:
            self._manager = manager()
            self._manager.__enter__()

        def call(self, fn: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
            return fn(*args, **kwargs)

        def item(self, value: Any) -> None:
            pass

        def close(self, error: BaseException | None) -> None:
            self._manager.__exit__(type(error) if error else None, error, error.__traceback__ if error else None)

    if issubclass(type(fn), TracedMethod):  # `@ops.session(...)` on top of `@ops.trace`, in a class body
        method: Any = fn
        return cast("F", type(method)(in_context(method.function, variable, manager)))
    wrapper = _in_managed(fn, variable, manager, _Managed)
    if hasattr(fn, "wrapped"):  # on top of `@ops.trace`: the other way to call the function is wrapped too
        cast("Any", wrapper).wrapped = _in_managed(cast("Any", fn).wrapped, variable, manager, _Managed)
    return wrapper


def _in_managed(
    fn: F, variable: Callable[[], ContextVar[Any]], manager: Callable[[], Any], scope: Callable[..., Scope]
) -> F:
    if inspect.isasyncgenfunction(fn):
        return around_async_generator(fn, variable, scope)
    if inspect.isgeneratorfunction(fn):
        return around_generator(fn, variable, scope)
    if inspect.iscoroutinefunction(fn):

        @functools.wraps(fn)
        async def async_wrapper(*args: Any, **kwargs: Any) -> Any:
            with manager():
                return await fn(*args, **kwargs)

        return cast("F", async_wrapper)

    @functools.wraps(fn)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        with manager():
            return fn(*args, **kwargs)

    return cast("F", wrapper)
