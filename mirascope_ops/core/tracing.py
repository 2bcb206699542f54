"""`@ops.trace`: a span around every call of a function, whatever kind of callable it is."""

from __future__ import annotations

import functools
import inspect
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, Protocol, TypeVar, cast, overload

from mirascope_ops.core.callables import around_async_generator, around_generator
from mirascope_ops.core.calls import Iteration, close_call, fail_call, open_call, prepare_call
from mirascope_ops.core.methods import TracedClassMethod, TracedMethod, TracedObject
from mirascope_ops.core.result import Trace
from mirascope_ops.core.session import CURRENT
from mirascope_ops.core.site import CallSite
from mirascope_ops.exceptions import TraceTargetError

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Mapping, Sequence

P = ParamSpec("P")
Q = ParamSpec("Q")
R = TypeVar("R")
R_co = TypeVar("R_co", covariant=True)
S = TypeVar("S")


class TracedFunction(Protocol[P, R_co]):
    """A traced function: called, it returns its result; `wrapped` returns the `Trace`."""

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R_co:
        """Call the function."""
        ...

    def wrapped(self, *args: P.args, **kwargs: P.kwargs) -> Trace[R_co]:
        """Call the function and return a `Trace`: its result, with its span."""
        ...

    @overload
    def __get__(self, instance: None, owner: type, /) -> TracedFunction[P, R_co]: ...
    @overload
    def __get__(
        self: TracedFunction[Concatenate[S, Q], R_co], instance: S, owner: type | None = None, /
    ) -> TracedFunction[Q, R_co]: ...
    def __get__(self, instance: Any, owner: Any = None, /) -> Any: ...


class AsyncTracedFunction(Protocol[P, R_co]):
    """A traced coroutine function: `await fn(...)` for its result, `await fn.wrapped(...)` for the `Trace`."""

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> Coroutine[Any, Any, R_co]:
        """Call the function; await what it returns."""
        ...

    def wrapped(self, *args: P.args, **kwargs: P.kwargs) -> Coroutine[Any, Any, Trace[R_co]]:
        """Call the function; awaited, returns a `Trace`: its result, with its span."""
        ...

    @overload
    def __get__(self, instance: None, owner: type, /) -> AsyncTracedFunction[P, R_co]: ...
    @overload
    def __get__(
        self: AsyncTracedFunction[Concatenate[S, Q], R_co], instance: S, owner: type | None = None, /
    ) -> AsyncTracedFunction[Q, R_co]: ...
    def __get__(self, instance: Any, owner: Any = None, /) -> Any: ...


class TraceDecorator(Protocol):
    """What `ops.trace(...)` with options returns."""

    @overload
    def __call__(self, fn: Callable[P, Coroutine[Any, Any, R]], /) -> AsyncTracedFunction[P, R]: ...  # pyright: ignore[reportOverlappingOverload] - a coroutine function is a function too; the first that fits is meant
    @overload
    def __call__(self, fn: Callable[P, R], /) -> TracedFunction[P, R]: ...
    def __call__(self, fn: Any, /) -> Any:
        """Trace the function."""
        ...


@overload
def trace(fn: Callable[P, Coroutine[Any, Any, R]], /) -> AsyncTracedFunction[P, R]: ...  # pyright: ignore[reportOverlappingOverload] - as above
@overload
def trace(fn: Callable[P, R], /) -> TracedFunction[P, R]: ...
@overload
def trace(
    *,
    name: str | None = None,
    tags: Sequence[str] = (),
    metadata: Mapping[str, Any] | None = None,
    capture_args: bool | None = None,
    capture_result: bool | None = None,
) -> TraceDecorator: ...
def trace(
    fn: Any = None,
    /,
    *,
    name: str | None = None,
    tags: Sequence[str] = (),
    metadata: Mapping[str, Any] | None = None,
    capture_args: bool | None = None,
    capture_result: bool | None = None,
) -> Any:
    """Trace every call of a function: `@ops.trace`, or `@ops.trace(...)` with options.

    The function stays what it was: same results, exceptions, signature, laziness. It gains `wrapped`, which takes
    the same arguments and returns a `Trace`. Functions, coroutine functions, generators, async generators,
    methods, class and static methods, partials, callable objects and Mirascope calls can be traced. A first
    parameter named `trace_ctx` is given the `Span`; callers leave it out.

    Args:
        fn: The function, where the decorator is used without options.
        name: The spans' name; the function's qualified name where None.
        tags: Tags for every call.
        metadata: JSON values for every call.
        capture_args: Whether arguments are captured; as configured where None.
        capture_result: Whether results are captured; as configured where None.

    Returns:
        The traced function, or a decorator.

    Raises:
        TraceTargetError: It is not something that can be traced; the message says what to do.

    Example:
        >>> @trace
        ... def greet(name: str) -> str:
        ...     return f"Hello, {name}!"
        >>> greet("Ada")
        'Hello, Ada!'
        >>> greet.wrapped("Ada").result
        'Hello, Ada!'
    """
    if isinstance(tags, str):
        message = f"tags must be a sequence of strings, got the string {tags!r}: write tags=[{tags!r}]."
        raise TraceTargetError(message)

    def decorate(target: Any) -> Any:
        return _decorate(
            target,
            name=name,
            tags=tags,
            metadata=metadata,
            captures_arguments=capture_args,
            captures_result=capture_result,
        )

    return decorate if fn is None else decorate(fn)


def _decorate(fn: Any, **options: Any) -> Any:
    if isinstance(fn, classmethod | staticmethod):
        traced: Any = _decorate(cast("staticmethod[..., Any]", fn).__func__, **options)
        function = traced.function if isinstance(traced, TracedMethod) else traced
        return staticmethod(function) if isinstance(fn, staticmethod) else TracedClassMethod(function)
    if isinstance(fn, functools.partial):
        return _decorate_partial(cast("functools.partial[Any]", fn), options)
    if isinstance(fn, type):
        message = f"{fn.__qualname__} is a class: decorate its methods with @ops.trace instead."
        raise TraceTargetError(message)
    if isinstance(fn, property):
        message = "A property cannot be traced: put @ops.trace under @property, on its function."
        raise TraceTargetError(message)
    if not callable(fn):
        message = f"@ops.trace needs a callable, got {type(fn).__name__}; with options write @ops.trace(name=...)."
        raise TraceTargetError(message)
    is_async = inspect.iscoroutinefunction(fn) or inspect.isasyncgenfunction(fn) or _has_async_call(fn)
    site = CallSite(fn, is_async=is_async, **options)
    wrapper, wrapped = _wrappers(fn, site, is_async=is_async)
    if not inspect.isroutine(fn):
        return TracedObject(fn, wrapper, wrapped)
    wrapper.wrapped = wrapped
    if site.wants_span:
        for function in (wrapper, wrapped):
            function.__signature__ = _without_span(fn, site)
    return TracedMethod(wrapper) if _is_in_class_body(fn) else wrapper


def _decorate_partial(fn: functools.partial[Any], options: dict[str, Any]) -> Any:
    """Trace the function in a partial and bind its arguments again: it stays a partial, of the same kind."""
    inner: Any = _decorate(fn.func, **options)
    function = inner.function if isinstance(inner, TracedMethod) else inner
    traced: Any = functools.partial(function, *fn.args, **fn.keywords)
    traced.wrapped = functools.partial(cast("Any", function).wrapped, *fn.args, **fn.keywords)
    return traced


def _has_async_call(fn: Any) -> bool:
    """Tell whether a callable object is called with `await`."""
    return inspect.iscoroutinefunction(getattr(cast("type[Any]", type(fn)), "__call__", None))  # noqa: B004 - it is wanted


def _is_in_class_body(fn: Any) -> bool:
    around = getattr(fn, "__qualname__", "").rpartition(".")[0]
    return inspect.isfunction(fn) and bool(around) and not around.endswith("<locals>")


def _without_span(fn: Any, site: CallSite) -> inspect.Signature:
    signature = inspect.signature(fn)
    parameters = list(signature.parameters.values())
    del parameters[site.skipped]
    return signature.replace(parameters=parameters)


def _wrappers(fn: Any, site: CallSite, *, is_async: bool) -> tuple[Any, Any]:
    """Return the traced function and its `wrapped`, of the same kind as `fn`."""
    if inspect.isasyncgenfunction(fn):
        return around_async_generator(fn, CURRENT, functools.partial(Iteration.open, site)), _async_generator(fn, site)
    if inspect.isgeneratorfunction(fn):
        return around_generator(fn, CURRENT, functools.partial(Iteration.open, site)), _generator(fn, site)
    make = _coroutine if is_async else _function
    return make(fn, site, plain=True), make(fn, site, plain=False)


def _wraps(fn: Any) -> Callable[[Any], Any]:
    """`functools.wraps`, also for callables without a function's attributes (partials, objects)."""
    return functools.wraps(fn, updated=("__dict__",) if inspect.isroutine(fn) and hasattr(fn, "__dict__") else ())


def _function(fn: Any, site: CallSite, *, plain: bool) -> Any:
    at = site.skipped if site.wants_span else None

    @_wraps(fn)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        span = open_call(site, args, kwargs)
        try:
            result = fn(*args, **kwargs) if at is None else fn(*args[:at], span, *args[at:], **kwargs)
        except BaseException as error:
            fail_call(span, error)
            raise
        close_call(span, site, result)
        return result if plain else Trace(result, span)

    return wrapper


def _coroutine(fn: Any, site: CallSite, *, plain: bool) -> Any:
    at = site.skipped if site.wants_span else None

    @_wraps(fn)
    async def wrapper(*args: Any, **kwargs: Any) -> Any:
        span = open_call(site, args, kwargs)
        try:
            result = await (fn(*args, **kwargs) if at is None else fn(*args[:at], span, *args[at:], **kwargs))
        except BaseException as error:
            fail_call(span, error)
            raise
        close_call(span, site, result)
        return result if plain else Trace(result, span)

    return wrapper


def _generator(fn: Any, site: CallSite) -> Any:
    @_wraps(fn)
    def wrapped(*args: Any, **kwargs: Any) -> Trace[Any]:
        """Return the generator as a Trace's result; its span starts with the first item."""
        span = prepare_call(site, args, kwargs)
        iterate = around_generator(fn, CURRENT, functools.partial(Iteration.resume, site, span))
        return Trace(iterate(*args, **kwargs), span)

    return wrapped


def _async_generator(fn: Any, site: CallSite) -> Any:
    @_wraps(fn)
    def wrapped(*args: Any, **kwargs: Any) -> Trace[Any]:
        """Return the async generator as a Trace's result; its span starts with the first item."""
        span = prepare_call(site, args, kwargs)
        iterate = around_async_generator(fn, CURRENT, functools.partial(Iteration.resume, site, span))
        return Trace(iterate(*args, **kwargs), span)

    return wrapped
