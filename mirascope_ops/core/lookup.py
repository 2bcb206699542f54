"""Finding a traced function again by the names that its spans carry.

The names come from a trace, and a trace may come from anywhere. So nothing is imported for them and no code runs:
modules that are loaded already are looked into, past `__getattr__` and descriptors, and only what is traced is given.
"""

from __future__ import annotations

import functools
import inspect
import sys
from types import FunctionType, MethodType, ModuleType
from typing import Any, Final, NamedTuple, cast

from mirascope_ops.core.methods import BoundTrace, TracedClassMethod, TracedMethod, TracedObject

_OWN: Final = (BoundTrace, TracedMethod, TracedObject)


class Located(NamedTuple):
    """A traced function, and the class in whose body it stands.

    Attributes:
        function: What is called; a class method is bound to its class already.
        owner: The class of a method that needs an object; None where none is needed.
    """

    function: Any
    owner: type[Any] | None


def is_traced(value: Any) -> bool:
    """Tell whether calling a value makes a span: it is a function with `wrapped`; none of its code is run.

    Example:
        >>> from mirascope_ops import ops
        >>> is_traced(ops.trace(lambda: None)), is_traced(print)
        (True, False)
    """
    kind = cast("type[Any]", type(value))
    if issubclass(kind, _OWN):
        return True
    # The PyPI package's traced functions have it too, as a method of their class.
    return callable(value) and inspect.getattr_static(value, "wrapped", None) is not None


def locate(module: str, qualname: str) -> Located | None:
    """Find a traced function.

    Args:
        module: The name of a module, as in `mirascope.fn.module`.
        qualname: The function's name in it, as in `mirascope.fn.qualname`: `answer`, `Agent.answer`.

    Returns:
        The function; None where there is none of that name, or it is not traced.

    Example:
        >>> locate("os", "system") is None
        True
    """
    *classes, name = qualname.split(".")
    place: Any = sys.modules.get(module)
    if not issubclass(cast("type[Any]", type(place)), ModuleType):
        return None
    names: dict[str, Any] = object.__getattribute__(place, "__dict__")
    owner: type[Any] | None = None
    for part in classes:
        found = names.get(part)
        if not issubclass(cast("type[Any]", type(found)), type):
            return None
        owner = cast("type[Any]", found)
        names = dict(type.__dict__["__dict__"].__get__(owner))
    function = names.get(name)
    return _located(function, owner)


def _located(found: Any, owner: type[Any] | None) -> Located | None:
    kind = cast("type[Any]", type(found))
    if owner is None or issubclass(kind, staticmethod):
        function = found.__func__ if issubclass(kind, staticmethod) else found
        return Located(function, None) if is_traced(function) else None
    if issubclass(kind, classmethod):  # of the PyPI package, whose traced functions are no descriptors of ours
        return Located(MethodType(found.__func__, owner), None) if is_traced(found.__func__) else None
    if issubclass(kind, TracedClassMethod):
        return Located(MethodType(found.function, owner), None)
    if issubclass(kind, property):
        found = found.fget
    elif issubclass(kind, functools.cached_property):
        found = found.func
    if issubclass(cast("type[Any]", type(found)), TracedMethod):
        found = found.function
    return Located(found, owner) if type(found) is FunctionType and is_traced(found) else None
