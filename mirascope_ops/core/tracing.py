"""`@ops.trace`: a span around every call of a function, whatever kind of callable it is."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any, Concatenate, NamedTuple, ParamSpec, Protocol, TypeVar, cast, overload
from weakref import WeakKeyDictionary

from mirascope_ops.core import classbody
from mirascope_ops.core.callables import around_async_generator, around_generator
from mirascope_ops.core.calls import Iteration, close_call, fail_call, open_call, prepare_call
from mirascope_ops.core.methods import (
    TracedCall,
    TracedClassMethod,
    TracedMethod,
    TracedObject,
    TracedPartial,
    explain_lost_object,
)
from mirascope_ops.core.result import Trace
from mirascope_ops.core.session import current_variable
from mirascope_ops.core.site import CallSite
from mirascope_ops.exceptions import TraceTargetError

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Sequence

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
    parameter named `trace_ctx` is given the `Span`; callers leave it out. On a function that a model calls, put it
    under `@llm.tool`: the model's calls do not pass by a decorator above.

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
    check_options(name, tags, metadata)

    def decorate(target: Any) -> Any:
        return decorate_callable(
            target,
            name=name,
            tags=tags,
            metadata=metadata,
            captures_arguments=capture_args,
            captures_result=capture_result,
        )

    return decorate if fn is None else decorate(fn)


_IMPLICIT_CLASS_METHODS = ("__init_subclass__", "__class_getitem__")


class Upgrade(Protocol):
    """What a decorator that does more than trace (`ops.version`) adds to a traced callable."""

    def site(self, fn: Any, **options: Any) -> CallSite:
        """Make the site of the callable, from what `CallSite` takes."""
        ...

    def present(self, traced: Any, site: CallSite) -> Any:
        """Return what the user gets in place of a `TracedMethod` or a `TracedObject`."""
        ...

    @property
    def partial(self) -> type[TracedPartial]:
        """The kind of partial to make."""
        ...


class _Made(NamedTuple):
    """How a traced callable was made, for the decorator above it."""

    fn: Any
    upgrade: Upgrade | None
    options: dict[str, Any]

    def again(self, target: Any = None) -> Any:
        """Trace the callable again, or another one in the same way; this is how copies and pickles come to be."""
        return decorate_callable(self.fn if target is None else target, self.upgrade, **self.options)


# Functions only: an object keeps it itself, because it may have no hash.
_MADE: WeakKeyDictionary[Any, _Made] = WeakKeyDictionary()


def decorate_callable(fn: Any, upgrade: Upgrade | None = None, **options: Any) -> Any:
    """Trace a callable of any kind.

    `ops.trace` directly above or below another of these decorators is one decorator with the options of both, and
    makes one span.

    Args:
        fn: The callable.
        upgrade: What to add to tracing; nothing where None.
        **options: As `CallSite` takes them.

    Returns:
        The traced callable.

    Raises:
        TraceTargetError: It is not something that can be traced; the message says what to do.
    """
    if isinstance(fn, TracedClassMethod):
        return TracedClassMethod(_unbound(decorate_callable(fn.function, upgrade, **options)))
    if isinstance(fn, TracedMethod):
        fn = fn.function
    if isinstance(fn, classmethod | staticmethod):
        function = _unbound(decorate_callable(cast("staticmethod[..., Any]", fn).__func__, upgrade, **options))
        return staticmethod(function) if isinstance(fn, staticmethod) else TracedClassMethod(function)
    below: _Made | None = fn.made if isinstance(fn, TracedObject) else _MADE.get(fn) if inspect.isfunction(fn) else None
    if below is not None and (upgrade is not None or below.upgrade is not None):
        fn, upgrade, options = below.fn, upgrade or below.upgrade, _both(below.options, options)
    if isinstance(fn, functools.partial) and not isinstance(fn.func, type):
        return _decorate_partial(cast("functools.partial[Any]", fn), upgrade, options)
    _refuse(fn)
    return _trace(fn, upgrade, options)


def check_options(name: object, tags: object, metadata: object) -> None:
    """Check the options that `ops.trace` and `ops.version` share.

    Raises:
        TraceTargetError: One of them is of another type than it should be; the message says what to write.
    """
    if name is not None and not isinstance(name, str):
        message = f"name must be a string, got {type(name).__name__}: write name={str(name)!r}."
        raise TraceTargetError(message)
    if isinstance(tags, str):
        message = f"tags must be a sequence of strings, got the string {tags!r}: write tags=[{tags!r}]."
        raise TraceTargetError(message)
    found = cast("Collection[Any]", tags) if isinstance(tags, Collection) else None  # an iterator can be read once only
    if tags is not None and (found is None or not all(isinstance(tag, str) for tag in found)):
        message = f"tags must be a sequence of strings, got {tags!r:.80}: write tags=['first', 'second']."
        raise TraceTargetError(message)
    if metadata is not None and not isinstance(metadata, Mapping):
        message = f"metadata must be a mapping, got {metadata!r:.80}: write metadata={{'owner': 'me'}}."
        raise TraceTargetError(message)


def _refuse(fn: Any) -> None:
    """Raise where something cannot be traced."""
    if isinstance(fn, type):
        message = f"{fn.__qualname__} is a class: decorate its methods with @ops.trace instead."
        raise TraceTargetError(message)
    if isinstance(fn, property):
        message = "A property cannot be traced: put @ops.trace under @property, on its function."
        raise TraceTargetError(message)
    if isinstance(fn, str):
        message = f"@ops.trace needs a callable, got a string: for the spans' name write @ops.trace(name={fn!r})."
        raise TraceTargetError(message)
    if not callable(fn) and hasattr(cast("type[Any]", type(fn)), "__get__"):  # as a cached_property
        message = f"A {type(fn).__name__} cannot be traced: put @ops.trace under its decorator, on its function."
        raise TraceTargetError(message)
    if not callable(fn):
        message = f"@ops.trace needs a callable, got {type(fn).__name__}; with options write @ops.trace(name=...)."
        raise TraceTargetError(message)


def _trace(fn: Any, upgrade: Upgrade | None, options: dict[str, Any]) -> Any:
    """Trace a callable that is neither a descriptor nor a partial."""
    body = _body_of(fn)
    is_async = inspect.iscoroutinefunction(body) or inspect.isasyncgenfunction(body)
    site = (CallSite if upgrade is None else upgrade.site)(fn, is_async=is_async, **options)
    wrapper, wrapped = _wrappers(fn, site, is_async=is_async)
    made = _Made(fn, upgrade, options)
    if not inspect.isroutine(fn):
        traced: Any
        if _is_model_call(fn):
            stream, wrapped_stream = _wrappers(fn.stream, site, is_async=is_async)
            traced = TracedCall(fn, wrapper, wrapped, made, stream=stream, wrapped_stream=wrapped_stream)
        else:
            traced = TracedObject(fn, wrapper, wrapped, made)
        return traced if upgrade is None else upgrade.present(traced, site)
    _keep_attributes(fn, wrapper)
    wrapper.wrapped = wrapped
    wrapped.__qualname__ = f"{wrapper.__qualname__}.wrapped"  # where a pickle finds it
    _MADE[wrapper] = made
    if site.wants_span:
        for function in (wrapper, wrapped):
            function.__signature__ = _without_span(fn, site)
    in_class_body = _is_in_class_body(fn)
    if in_class_body and not classbody.CLASS_METHODS_BIND:
        classbody.watch(fn)
    if upgrade is not None:
        return upgrade.present(TracedMethod(wrapper), site)
    if not in_class_body:
        return wrapper
    # Python makes these class methods by itself, but only where they are plain functions.
    return (TracedClassMethod if fn.__name__ in _IMPLICIT_CLASS_METHODS else TracedMethod)(wrapper)


def _unbound(traced: Any) -> Any:
    """Return what a method descriptor calls: a plain traced function out of its own descriptor."""
    return traced.function if type(traced) is TracedMethod else traced


def _both(below: dict[str, Any], above: dict[str, Any]) -> dict[str, Any]:
    """Join the options of two decorators; where they disagree, the one above wins."""
    joined = {**below, **{key: value for key, value in above.items() if value is not None}}
    return {
        **joined,
        "tags": (*(below.get("tags") or ()), *(above.get("tags") or ())),
        "metadata": {**(below.get("metadata") or {}), **(above.get("metadata") or {})},
    }


def _decorate_partial(fn: functools.partial[Any], upgrade: Upgrade | None, options: dict[str, Any]) -> Any:
    """Trace the function in a partial and bind its arguments again: it stays a partial, of the same kind."""
    function = _unbound(decorate_callable(fn.func, upgrade, **options))
    kind = TracedPartial if upgrade is None else upgrade.partial
    traced = kind(function, *fn.args, **fn.keywords)
    traced.made = _Made(fn, upgrade, options)
    traced.wrapped = functools.partial(function.wrapped, *fn.args, **fn.keywords)
    return traced


def _body_of(fn: Any) -> Any:
    """Return what tells the kind of a callable: itself, or its class's `__call__` where it is an object."""
    # A traced object binds like a function, and would pass for one.
    is_traced = issubclass(cast("type[Any]", type(fn)), TracedObject)
    if not is_traced and (inspect.isroutine(fn) or isinstance(fn, functools.partial)):
        return cast("Any", fn)
    return cast("type[Any]", type(fn)).__call__


def _keep_attributes(fn: Any, wrapper: Any) -> None:
    """Keep what is no function's attribute: `cache_info` and `cache_clear` of `functools.cache`."""
    if not inspect.isfunction(fn):
        for name in dir(fn):
            if not name.startswith("_") and not hasattr(wrapper, name):
                setattr(wrapper, name, getattr(fn, name))


def _is_model_call(fn: Any) -> bool:
    """Tell whether this is what Mirascope's `@llm.call` or `@llm.prompt` makes, by its class: nothing is imported."""
    modules = ("mirascope.llm.calls.", "mirascope.llm.prompts.")
    return str(type(fn).__module__).startswith(modules) and hasattr(fn, "stream")


def _is_in_class_body(fn: Any) -> bool:
    around = getattr(fn, "__qualname__", "").rpartition(".")[0]
    is_python = inspect.isfunction(fn) or hasattr(fn, "__wrapped__")  # a cache around a function is written in C
    return is_python and bool(around) and not around.endswith("<locals>")


def _without_span(fn: Any, site: CallSite) -> inspect.Signature:
    signature = inspect.signature(fn)
    parameters = list(signature.parameters.values())
    del parameters[site.skipped]
    return signature.replace(parameters=parameters)


def _wrappers(fn: Any, site: CallSite, *, is_async: bool) -> tuple[Any, Any]:
    """Return the traced function and its `wrapped`, of the same kind as `fn`."""
    body = _body_of(fn)
    if inspect.isasyncgenfunction(body):
        return _iterated(fn, site, around_async_generator)
    if inspect.isgeneratorfunction(body):
        return _iterated(fn, site, around_generator)
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
            if at is not None:
                result = fn(*args[:at], span, *args[at:], **kwargs)
            else:  # an empty `**kwargs` would be copied
                result = fn(*args, **kwargs) if kwargs else fn(*args)
            close_call(span, site, result)  # here, so that an interrupt in it ends the span
        except BaseException as error:
            if not plain:
                explain_lost_object(error, fn, args, kwargs)
            fail_call(span, error)
            raise
        return result if plain else Trace(result, span)

    return wrapper


def _coroutine(fn: Any, site: CallSite, *, plain: bool) -> Any:
    at = site.skipped if site.wants_span else None

    @_wraps(fn)
    async def wrapper(*args: Any, **kwargs: Any) -> Any:
        span = open_call(site, args, kwargs)
        try:
            if at is not None:
                result = await fn(*args[:at], span, *args[at:], **kwargs)
            else:  # as above
                body = fn(*args, **kwargs) if kwargs else fn(*args)
                if plain:
                    args, kwargs = (), {}  # the body has them, and may drop them while it waits
                result = await body
            close_call(span, site, result)
        except BaseException as error:
            if not plain:
                explain_lost_object(error, fn, args, kwargs)
            fail_call(span, error)
            raise
        return result if plain else Trace(result, span)

    return wrapper


def _iterated(fn: Any, site: CallSite, around: Callable[..., Any]) -> tuple[Any, Any]:
    """Wrap a generator function, sync or async, by the function in `callables` that does it for its kind."""

    @_wraps(fn)
    def wrapped(*args: Any, **kwargs: Any) -> Trace[Any]:
        """Return the generator as a Trace's result; its span starts with the first item."""
        span = prepare_call(site, args, kwargs)
        waiting: list[dict[str, Any]] = []
        iterate = around(fn, current_variable, functools.partial(Iteration.resume, site, span, waiting))
        return Trace(iterate(*args, **kwargs), span, waiting)

    return around(fn, current_variable, functools.partial(Iteration.open, site)), wrapped
