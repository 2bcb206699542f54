"""Values as JSON data for hashing: equal values give equal data, in every process, and the data is bounded.

What is captured for a trace will not do here: it is masked, cut at a limit that can be configured, and shows
addresses where a type has no repr of its own.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import decimal
import enum
import fractions
import functools
import hashlib
import inspect
import json
import os
import pathlib
import re
import string
import sys
import sysconfig
import types
import typing
import uuid
from collections import deque
from pathlib import Path
from types import FunctionType, ModuleType
from typing import TYPE_CHECKING, Any, Final, cast

import orjson

from mirascope_ops.core.methods import TracedClassMethod, TracedMethod, TracedObject
from mirascope_ops.core.summaries import summarise

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

_LONG: Final = 4096  # characters; longer text enters as its own hash
_MAX_ITEMS: Final = 100_000  # of all containers of one function together
_MAX_DEPTH: Final = 40
_PLAIN: Final = (bool, int, float, complex, type(None), types.EllipsisType, types.NotImplementedType)
_WRITTEN: Final = (  # types whose repr is their value
    dt.date, dt.time, dt.timedelta, dt.tzinfo, decimal.Decimal, fractions.Fraction,
    pathlib.PurePath, range, slice, uuid.UUID,
)  # fmt: skip
_ARRAYS: Final = frozenset(("numpy", "pandas", "polars", "PIL"))
_PACKAGE: Final = str(Path(__file__).parent.parent) + os.sep
_FOREIGN_PATHS: Final = tuple({
    path + os.sep for key in ("stdlib", "platstdlib", "purelib", "platlib") if (path := sysconfig.get_path(key))
})  # fmt: skip


def is_foreign_file(filename: str | None) -> bool:
    """Tell whether a file belongs to Python, to an installed package or to this one, and not to the user."""
    if not filename:
        return True
    return (
        filename.startswith(("<frozen ", _PACKAGE, *_FOREIGN_PATHS))
        or "site-packages" in filename
        or "dist-packages" in filename
    )


def module_of(kind: type[Any]) -> str:
    """Return the name of a class's module; empty where it has none.

    The classes of proxies (wrapt's, ours around methods) may have a property in its place, which speaks for what is
    wrapped.
    """
    name: Any = kind.__module__
    return name if isinstance(name, str) else ""


def wrapped_in(value: Any) -> Any:
    """Return what a wrapper says that it wraps, or None.

    Wrappers say it in their `__dict__`, as `functools.wraps` does, or, wrapt's, in a slot. An attribute of that name
    that is worked out when it is asked for is left alone: asking would run somebody's code.

    Example:
        >>> wrapped_in(functools.cache(is_own)) is is_own
        True
    """
    if "__wrapped__" in getattr(value, "__dict__", ()):
        return value.__wrapped__
    kept = inspect.getattr_static(cast("type[Any]", type(value)), "__wrapped__", None)
    return value.__wrapped__ if inspect.isgetsetdescriptor(kept) or inspect.ismemberdescriptor(kept) else None


def is_foreign_module(name: str | None) -> bool:
    """Tell whether a module is Python's, an installed package's or this package's, and not the user's."""
    if not name or name == "__main__":
        return False
    if name.partition(".")[0] in sys.stdlib_module_names or name.partition(".")[0] == "mirascope_ops":
        return True
    module = sys.modules.get(name)
    if module is None:
        return False
    path: Any = getattr(module, "__file__", None) or getattr(getattr(module, "__spec__", None), "origin", None)
    return bool(path) and is_foreign_file(path)


def is_own(fn: Any) -> bool:
    """Tell whether a function is one of this package's wrappers."""
    return type(fn) is FunctionType and fn.__code__.co_filename.startswith(_PACKAGE)


class Encoder:
    """Makes JSON data of values; the user's functions and classes are handed to `refer`.

    Args:
        refer: Takes a function or class of the user's, returns what stands for it.
    """

    def __init__(self, refer: Callable[[Any], Any]) -> None:
        self._refer = refer
        self._items = 0
        self._inside: set[int] = set()

    def encode(self, value: Any) -> Any:
        """Return JSON data for a value; never raises an Exception.

        Example:
            >>> Encoder(lambda _: None).encode(["a", 1])
            ['list', [['str', 'a'], ['int', '0x1']]]
        """
        if id(value) in self._inside or len(self._inside) > _MAX_DEPTH:
            return ["…", type(value).__name__]
        self._inside.add(id(value))
        try:
            return self._encode(value)
        except Exception:  # noqa: BLE001 - a value's own code failed: its type has to do
            return ["object", self._type(cast("type[Any]", type(value)))]
        finally:
            self._inside.discard(id(value))

    def _encode(self, value: Any) -> Any:
        kind = cast("type[Any]", type(value))
        if isinstance(value, enum.Enum):
            return ["member", self._type(kind), value.name]
        if isinstance(value, _PLAIN):
            return [kind.__name__, hex(value) if isinstance(value, int) else repr(value)]
        if isinstance(value, str | bytes | bytearray):
            return [kind.__name__, _text(value)]
        for encode in (self._container, self._definition, self._data):
            found = encode(value, kind)
            if found is not None:
                return found
        return ["object", self._type(kind)]

    def _container(self, value: Any, kind: type[Any]) -> Any:
        if isinstance(value, dict | types.MappingProxyType):
            return [kind.__name__, self._pairs(cast("dict[Any, Any]", value))]
        if isinstance(value, list | tuple | deque):
            name = self._type(kind) if hasattr(kind, "_fields") else kind.__name__
            return [name, self._all(cast("list[Any]", value))]
        if isinstance(value, set | frozenset):
            members = cast("set[Any]", value)
            return [kind.__name__, sorted(self._all(members), key=json.dumps)]
        return None

    def _definition(self, value: Any, kind: type[Any]) -> Any:
        if isinstance(value, ModuleType):
            return ["module", value.__name__]
        if isinstance(value, type):
            return self._type(cast("type[Any]", value))
        if issubclass(kind, TracedMethod | TracedObject):  # a traced function counts as the function
            inner = self.encode(value.function if issubclass(kind, TracedMethod) else value.__wrapped__)
            return ["method", inner, self.encode(None)] if issubclass(kind, TracedClassMethod) else inner
        if kind is FunctionType:  # by its type: what stands for a function says that it is one
            return self._function(value)
        return self._around_function(value, kind)

    def _around_function(self, value: Any, kind: type[Any]) -> Any:
        """Encode what holds functions: methods, properties, partials, wrappers; and what is written in C."""
        found: Any = None
        if isinstance(value, property):
            found = ["property", [self.encode(part) for part in (value.fget, value.fset, value.fdel)]]
        elif isinstance(value, functools.partial):
            bound = cast("functools.partial[Any]", value)
            found = ["partial", self.encode(bound.func), self.encode(bound.args), self.encode(bound.keywords)]
        elif isinstance(value, functools.cached_property):
            found = ["cached_property", self.encode(cast("functools.cached_property[Any]", value).func)]
        elif inspect.getattr_static(value, "__func__", None) is not None:
            own = None if isinstance(value, classmethod | staticmethod) else value.__self__
            found = ["method", self.encode(cast("Any", value).__func__), self.encode(own)]
        elif wrapped_in(value) is not None:
            found = self._wrapper(value, kind)
        elif inspect.isroutine(value):
            found = ["name", f"{getattr(value, '__module__', None)}.{value.__qualname__}"]
        elif typing.get_origin(value) is not None:
            found = ["type", self.encode(typing.get_origin(value)), self._all(typing.get_args(value))]
        return found

    def _function(self, fn: FunctionType) -> Any:
        if not is_foreign_file(fn.__code__.co_filename):
            return self._refer(fn)
        inner: Any = getattr(fn, "__wrapped__", None)
        if is_own(fn) and inner is not None:
            return self.encode(inner)
        name = f"{fn.__module__}.{fn.__qualname__}"
        return ["name", name] if inner is None else ["wrapper", name, self.encode(inner)]

    def _wrapper(self, value: Any, kind: type[Any]) -> Any:
        """Encode an object around a function: a cached function, what `@llm.call` makes."""
        inner = self.encode(wrapped_in(value))
        model = getattr(value, "default_model", None)
        more = [self.encode(getattr(model, "model_id", None)), self.encode(getattr(model, "params", None))]
        return ["wrapper", self._type(kind), inner, more if model is not None else []]

    def _data(self, value: Any, kind: type[Any]) -> Any:
        found: Any = None
        if isinstance(value, _WRITTEN):
            found = [kind.__name__, repr(cast("Any", value))]
        elif isinstance(value, re.Pattern):
            found = ["pattern", self.encode(cast("re.Pattern[str]", value).pattern), value.flags]
        elif isinstance(value, string.Template):
            found = [self._type(kind), self.encode(value.template)]
        elif isinstance(value, types.SimpleNamespace) or hasattr(kind, "__pydantic_fields__"):
            found = [self._type(kind), self._pairs(cast("dict[str, Any]", value.__dict__))]
        elif dataclasses.is_dataclass(value):
            fields = {field.name: getattr(value, field.name, None) for field in dataclasses.fields(value)}
            found = [self._type(kind), self._pairs(fields)]
        elif module_of(kind).partition(".")[0] in _ARRAYS:
            found = [self._type(kind), _text(orjson.dumps(summarise(value), default=summarise))]
        return found

    def _type(self, kind: type[Any]) -> Any:
        if is_foreign_module(module_of(kind)):
            return ["name", f"{kind.__module__}.{kind.__qualname__}"]
        return self._refer(kind)

    def _pairs(self, mapping: Mapping[Any, Any]) -> list[Any]:
        keys = self._all(mapping)
        return [[key, self.encode(value)] for key, value in zip(keys, mapping.values(), strict=False)]

    def _all(self, values: Iterable[Any]) -> list[Any]:
        found: list[Any] = []
        for value in values:
            self._items += 1
            if self._items > _MAX_ITEMS:
                found.append(["…", len(cast("list[Any]", values))])
                break
            found.append(self.encode(value))
        return found


def _text(value: str | bytes | bytearray) -> Any:
    if len(value) <= _LONG:
        return value if isinstance(value, str) else value.hex()
    data = value.encode("utf-8", "surrogatepass") if isinstance(value, str) else value
    return [len(value), hashlib.sha256(data).hexdigest()]
