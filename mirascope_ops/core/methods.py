"""Traced methods: what makes `obj.method.wrapped(...)` know its object.

A bound method hands every attribute look-up on to its function, so a plain function with a `wrapped` attribute
would lose the object. A traced function defined in a class body is therefore a descriptor. It is a subclass of
`staticmethod` because class machinery (pydantic, dataclasses, enum) lets that through as what it is, a
member and not a field; unlike a property it leaves instances free to override it.
"""

from __future__ import annotations

import inspect
from types import MethodType
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from collections.abc import Callable

    _StaticMethod = staticmethod[..., Any]
else:
    _StaticMethod = staticmethod  # generic for type checkers only


class TracedMethod(_StaticMethod):
    """A traced function in a class body; binds like a function."""

    def __init__(self, function: Callable[..., Any]) -> None:
        super().__init__(function)
        self.function = function

    @property
    def wrapped(self) -> Any:
        """The function's `wrapped`, for use without an object."""
        return self.function.wrapped  # type: ignore[attr-defined] # pyright: ignore[reportFunctionMemberAccess]

    def __get__(self, instance: Any, owner: type | None = None) -> Any:
        return self.function if instance is None else BoundTrace(self.function, instance)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Call the function."""
        return self.function(*args, **kwargs)

    def __getattr__(self, name: str) -> Any:
        if name == "function":  # not set yet: copying and unpickling ask before __init__
            raise AttributeError(name)
        return getattr(self.function, name)


class TracedClassMethod(TracedMethod):
    """A traced class method: `@ops.trace` on top of `@classmethod`."""

    def __get__(self, instance: Any, owner: type | None = None) -> Any:
        return BoundTrace(self.function, type(instance) if owner is None else owner)


class BoundTrace:
    """A traced method of an object: like a bound method, with `wrapped`.

    Introspection sees the function (`__name__`, `__code__`, ...), which is how `inspect.iscoroutinefunction` and
    its like recognise something that behaves like one.
    """

    __slots__ = ("__func__", "__self__", "__weakref__")

    def __init__(self, function: Callable[..., Any], instance: Any) -> None:
        self.__func__ = function
        self.__self__ = instance

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Call the method."""
        return self.__func__(self.__self__, *args, **kwargs)

    def wrapped(self, *args: Any, **kwargs: Any) -> Any:
        """Call the method and return a `Trace`: its result, with its span."""
        return self.__func__.wrapped(self.__self__, *args, **kwargs)  # type: ignore[attr-defined] # pyright: ignore[reportFunctionMemberAccess]

    @property
    def __signature__(self) -> inspect.Signature:
        return inspect.signature(MethodType(self.__func__, self.__self__))

    @property
    def __doc__(self) -> str | None:  # type: ignore[override] # pyright: ignore[reportIncompatibleVariableOverride] - the method's, not this class's
        return self.__func__.__doc__

    def __getattr__(self, name: str) -> Any:
        return getattr(self.__func__, name)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, BoundTrace):
            return NotImplemented
        return self.__self__ is other.__self__ and self.__func__ is other.__func__

    def __hash__(self) -> int:
        return hash((id(self.__self__), self.__func__))

    def __reduce__(self) -> tuple[Any, ...]:
        return (getattr, (self.__self__, self.__func__.__name__))

    def __repr__(self) -> str:
        return f"<traced method {self.__func__.__qualname__} of {self.__self__!r}>"


class TracedObject:
    """A traced callable object: calls are traced, everything else is the object's own."""

    def __init__(self, target: Any, call: Callable[..., Any], wrapped: Callable[..., Any]) -> None:
        self.__wrapped__ = target
        self._call = call
        self.wrapped = wrapped

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Call the object."""
        return self._call(*args, **kwargs)

    def __getattr__(self, name: str) -> Any:
        if name == "__wrapped__":  # not set yet: copying and unpickling ask before __init__
            raise AttributeError(name)
        return getattr(self.__wrapped__, name)

    def __get__(self, instance: Any, owner: type | None = None) -> Any:
        kind = cast("type[Any]", type(self.__wrapped__))
        return BoundTrace(self, instance) if instance is not None and hasattr(kind, "__get__") else self

    def __repr__(self) -> str:
        return f"<traced {self.__wrapped__!r}>"


class TracedCall(TracedObject):
    """A traced model call of Mirascope's: `call` and `stream` are traced as the call itself is.

    Attributes:
        call: As calling the object.
        stream: The streaming call; its span lasts until the stream has been read.
        wrapped: As calling the object, but returns a `Trace`.
        wrapped_stream: As `stream`, but returns a `Trace`.
    """

    def __init__(self, target: Any, call: Any, wrapped: Any, stream: Any, wrapped_stream: Any) -> None:
        super().__init__(target, call, wrapped)
        self.call = call
        self.stream = stream
        self.wrapped_stream = wrapped_stream
