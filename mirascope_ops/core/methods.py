"""Traced methods: what makes `obj.method.wrapped(...)` know its object.

A bound method hands every attribute look-up on to its function, so a plain function with a `wrapped` attribute
would lose the object. A traced function defined in a class body is therefore a descriptor of our own.

Class machinery and mocks ask what it is: pydantic takes anything but a function in a class body for a field, mock
takes a method's first parameter away only from functions. So both classes here answer `isinstance` as what they
stand for, by their `__class__`, as the proxies of `unittest.mock` and `wrapt` do; attributes they do not have are
looked up in the function.
"""

from __future__ import annotations

import copy
import functools
import inspect
from types import FunctionType, MethodType
from typing import TYPE_CHECKING, Any, Final, Self, cast

if TYPE_CHECKING:
    from collections.abc import Callable


def _speak_for_another(kind: type[Any], base: type[Any]) -> None:
    """Give a class the properties that a class statement sets anew."""
    for name in ("__module__", "__doc__"):
        setattr(kind, name, base.__dict__[name])


class TracedMethod:
    """A traced function in a class body; binds like a function."""

    _own = ("function",)

    def __init_subclass__(cls) -> None:
        _speak_for_another(cls, TracedMethod)

    def __init__(self, function: Callable[..., Any]) -> None:
        self.function: Any = function

    @property
    def __class__(self) -> type[Any]:  # pyright: ignore[reportIncompatibleMethodOverride] - see the module's docstring
        return FunctionType

    @property
    def wrapped(self) -> Any:
        """The function's `wrapped`, for use without an object."""
        return self.function.wrapped

    def __get__(self, instance: Any, owner: type | None = None) -> Any:
        return self.function if instance is None else BoundTrace(self.function, instance)

    def __call__(self, /, *args: Any, **kwargs: Any) -> Any:
        """Call the function."""
        return self.function(*args, **kwargs)

    @property
    def __module__(self) -> str:  # pyright: ignore[reportIncompatibleVariableOverride] - the function's, not this class's
        return self.function.__module__

    @property
    def __doc__(self) -> str | None:  # pyright: ignore[reportIncompatibleVariableOverride] - the function's, not this class's
        return self.function.__doc__

    def __getattr__(self, name: str) -> Any:
        if name == "function":  # not set yet: copying and unpickling ask before __init__
            raise AttributeError(name)
        return getattr(self.function, name)

    def __setattr__(self, name: str, value: Any) -> None:
        # What others note on a function (abc's `__isabstractmethod__`, a framework's mark) is noted on the function.
        if name in self._own:
            object.__setattr__(self, name, value)
        else:
            setattr(self.function, name, value)

    def __dir__(self) -> list[str]:  # for completion in notebooks; Python's own looks at what `__class__` says
        return sorted({*dir(self.function), *dir(type(self))})

    def __reduce__(self) -> Any:
        # Found again by its name, as a function is: a static method is this object, wherever it is asked for.
        return self.function.__qualname__

    def __repr__(self) -> str:
        return repr(self.function)


class TracedClassMethod(TracedMethod):
    """A traced class method: `@ops.trace` on top of `@classmethod`."""

    @property
    def __class__(self) -> type[Any]:  # pyright: ignore[reportIncompatibleMethodOverride] - see the module's docstring
        return classmethod

    @property
    def __func__(self) -> Any:
        """The traced function, as a class method has it."""
        return self.function

    def __get__(self, instance: Any, owner: type | None = None) -> Any:
        return BoundTrace(self.function, type(instance) if owner is None else owner)

    def __reduce__(self) -> Any:
        # Only its class has it: it is asked for where the class itself is sent, as cloudpickle sends a notebook's.
        return _class_method, (self.function,)


def _class_method(function: Callable[..., Any]) -> TracedClassMethod:
    """Unpickle a class method: by a function, because its class does not tell its module as classes do."""
    return TracedClassMethod(function)


class BoundTrace:
    """A traced method of an object: like a bound method, with `wrapped`."""

    __slots__ = ("__func__", "__self__", "__weakref__")

    def __init__(self, function: Any, instance: Any) -> None:
        self.__func__ = function
        self.__self__ = instance

    @property
    def __class__(self) -> type[Any]:  # pyright: ignore[reportIncompatibleMethodOverride] - see the module's docstring
        return MethodType

    def __call__(self, /, *args: Any, **kwargs: Any) -> Any:
        """Call the method."""
        return self.__func__(self.__self__, *args, **kwargs)

    def wrapped(self, /, *args: Any, **kwargs: Any) -> Any:
        """Call the method and return a `Trace`: its result, with its span."""
        return self.__func__.wrapped(self.__self__, *args, **kwargs)

    @property
    def __module__(self) -> str:  # pyright: ignore[reportIncompatibleVariableOverride] - the method's, not this class's
        return self.__func__.__module__

    @property
    def __doc__(self) -> str | None:  # pyright: ignore[reportIncompatibleVariableOverride] - the method's, not this class's
        return self.__func__.__doc__

    def __getattr__(self, name: str) -> Any:
        return getattr(self.__func__, name)

    def __eq__(self, other: object) -> bool:
        if type(other) is not BoundTrace:
            return NotImplemented
        return self.__self__ is other.__self__ and self.__func__ is other.__func__

    def __hash__(self) -> int:
        return hash((id(self.__self__), self.__func__))

    def __reduce__(self) -> tuple[Any, ...]:
        return (getattr, (self.__self__, self.__func__.__name__))

    def __dir__(self) -> list[str]:
        return sorted({*dir(self.__func__), *dir(type(self))})

    def __repr__(self) -> str:
        return f"<traced method {self.__func__.__qualname__} of {self.__self__!r}>"


# Python looks these up in the class of an object only. Its own comparison, hash and copy come with them; `__repr__` and
# `__call__` are ours.
_SPECIAL: Final = tuple(f"__{name}__" for name in (
    "len", "length_hint", "getitem", "setitem", "delitem", "contains", "iter", "next", "reversed",
    "enter", "exit", "aenter", "aexit", "aiter", "anext", "await",
    "bool", "int", "float", "complex", "index", "str", "format", "eq", "ne", "lt", "le", "gt", "ge", "hash",
    "neg", "pos", "abs", "invert",
    *(kind + name for kind in ("", "r", "i") for name in (
        "add", "sub", "mul", "matmul", "truediv", "floordiv", "mod", "pow", "lshift", "rshift", "and", "or", "xor",
    )),
))  # fmt: skip


class _Call:
    """How a traced object is called: by the traced function itself, which is of the kind of the object's own method."""

    def __init__(self, own: Any) -> None:
        self._own = own

    def __get__(self, instance: Any, owner: type | None = None) -> Any:
        return self._own if instance is None else instance._call  # noqa: SLF001 - part of the same thing


class TracedObject:
    """A traced callable object: calls are traced, everything else is the object's own.

    Attributes:
        made: How it was made, from what; `made.again(target)` does it again.
        wrapped: As calling the object, but returns a `Trace`.
    """

    _own: tuple[str, ...] = ("__wrapped__", "_call", "made", "version_site", "wrapped")

    def __init_subclass__(cls) -> None:
        _speak_for_another(cls, TracedObject)

    def __new__(cls, target: Any, *_: Any, **__: Any) -> Self:
        """Make an object of a class of its own, with the special methods that the target's class has."""
        kind = cast("type[Any]", type(target))
        members: dict[str, Any] = {
            name: _forwarded(name) if getattr(kind, name) is not None else None
            for name in _SPECIAL
            if getattr(kind, name, None) is not getattr(object, name, None)
        }
        members["__call__"] = _Call(kind.__call__)
        return object.__new__(cast("type[Self]", type(cls.__name__, (cls,), members)))

    def __init__(self, target: Any, call: Callable[..., Any], wrapped: Callable[..., Any], made: Any) -> None:
        self.__wrapped__ = target
        self._call = call
        self.wrapped = wrapped
        self.made = made

    @property
    def __class__(self) -> type[Any]:  # pyright: ignore[reportIncompatibleMethodOverride] - see the module's docstring
        return cast("type[Any]", type(self.__wrapped__))

    def __call__(self, /, *args: Any, **kwargs: Any) -> Any:
        """Call the object."""
        return self._call(*args, **kwargs)

    @property
    def __module__(self) -> str:  # pyright: ignore[reportIncompatibleVariableOverride] - the object's, not this class's
        return self.__wrapped__.__module__

    @property
    def __doc__(self) -> str | None:  # pyright: ignore[reportIncompatibleVariableOverride] - the object's, not this class's
        return self.__wrapped__.__doc__

    def __getattr__(self, name: str) -> Any:
        if name == "__wrapped__":  # not set yet: copying and unpickling ask before __init__
            raise AttributeError(name)
        return getattr(self.__wrapped__, name)

    def __setattr__(self, name: str, value: Any) -> None:
        if name in self._own:
            object.__setattr__(self, name, value)
        else:
            setattr(self.__wrapped__, name, value)

    def __delattr__(self, name: str) -> None:
        delattr(self.__wrapped__, name)

    def __get__(self, instance: Any, owner: type | None = None) -> Any:
        kind = cast("type[Any]", type(self.__wrapped__))
        return BoundTrace(self, instance) if instance is not None and hasattr(kind, "__get__") else self

    def __reduce__(self) -> tuple[Any, ...]:
        return (cast("Any", type(self.made)).again, (self.made,))

    def __copy__(self) -> Any:
        return self.made.again(copy.copy(self.__wrapped__))

    def __dir__(self) -> list[str]:
        return sorted({*dir(self.__wrapped__), *dir(type(self))})

    def __repr__(self) -> str:
        return f"<traced {self.__wrapped__!r}>"


def _forwarded(name: str) -> Callable[..., Any]:
    def method(self: Any, *args: Any) -> Any:
        return getattr(self.__wrapped__, name)(*args)

    return method


class TracedPartial(functools.partial[Any]):
    """A partial of a traced function; it is pickled as the partial that was traced."""

    made: Any
    wrapped: Callable[..., Any]

    def __reduce__(self) -> tuple[Any, ...]:
        return (cast("Any", type(self.made)).again, (self.made,))


class TracedCall(TracedObject):  # pyright: ignore[reportIncompatibleMethodOverride] - see `_speak_for_another`
    """A traced model call of Mirascope's: `call` and `stream` are traced as the call itself is.

    Attributes:
        call: As calling the object.
        stream: The streaming call; its span lasts until the stream has been read.
        wrapped: As calling the object, but returns a `Trace`.
        wrapped_stream: As `stream`, but returns a `Trace`.
    """

    _own = ("__wrapped__", "_call", "made", "version_site", "wrapped", "call", "stream", "wrapped_stream")

    def __init__(self, target: Any, call: Any, wrapped: Any, made: Any, *, stream: Any, wrapped_stream: Any) -> None:
        super().__init__(target, call, wrapped, made)
        self.call = call
        self.stream = stream
        self.wrapped_stream = wrapped_stream


def explain_lost_object(error: BaseException, fn: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
    """Say it where `wrapped` was called as a method's and does not know the object.

    A plain function that became a method after it was traced hands `wrapped` on as it is: Python has no way to tell it
    the object, which `obj.method(...)` gets.
    """
    if type(error) is not TypeError or (error.__traceback__ and error.__traceback__.tb_next):
        return  # the function was called and failed by itself
    fits: list[bool] = []
    for given in (args, (None, *args)):
        try:
            inspect.signature(fn).bind(*given, **kwargs)
        except (TypeError, ValueError):
            fits.append(False)
        else:
            fits.append(True)
    if fits == [False, True]:
        error.add_note(
            "Called as obj.method.wrapped(...)? A function that became a method outside of a class body does not know "
            "obj there: write Class.method.wrapped(obj, ...), for a class method ops.trace(classmethod(function))."
        )
