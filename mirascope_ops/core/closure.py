"""The closure hash: one number for a function and all of the user's own code and constants that it depends on.

What counts: the function's source in normal form; the functions, classes, constants and closure variables that it
refers to, and what those refer to; its defaults, by value. What does not: comments, formatting, docstrings (but a
tool's, and those of classes that become a schema, because the model reads them), `@ops.version` and `@ops.trace`,
the module in which the code stands, and the inside of installed packages and the standard library, which are known
by name only. A variable that the program itself changes (`global n`, `history.append(...)`, `cache[key] = ...`) is
state and does not count either, nor do attributes of objects other than dataclasses, pydantic models and the like,
unless the function names them (`settings.prompt`).

A function without source (`exec`, a prompt) is known by its bytecode, so its hash holds for one version of Python.
"""

from __future__ import annotations

import ast
import builtins
import dis
import enum
import functools
import hashlib
import inspect
import json
import operator
import sys
from types import CodeType, FunctionType, ModuleType
from typing import TYPE_CHECKING, Any, Final, NamedTuple, cast

from mirascope_ops.core import guard, sources
from mirascope_ops.core.encoding import Encoder, is_foreign_file, is_foreign_module, is_own, module_of, wrapped_in
from mirascope_ops.core.methods import TracedMethod

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

_MISSING: Final = object()
_GLOBAL_READS: Final = frozenset(("LOAD_GLOBAL", "LOAD_NAME", "LOAD_FROM_DICT_OR_GLOBALS", "LOAD_CLASSDEREF"))
_OWN_DECORATORS: Final = frozenset(("trace", "version"))
_MACHINERY: Final = frozenset(("_abc_impl", "_is_protocol", "_is_runtime_protocol"))
_SOURCELESS: Final = (
    "The source of {} cannot be found (exec, or a prompt without history): its version is told by its bytecode, "
    "which differs between versions of Python. Define it in a file or a notebook cell."
)


class Read(NamedTuple):
    """Names that were read in one place, and what they stood for: a test that costs some tens of nanoseconds.

    Values are compared as tuples, which compares identity first and asks an object's own `==` only about another
    object in its place.
    """

    get: Callable[[Any], tuple[Any, ...]]
    source: Any
    values: tuple[Any, ...]


class Closure(NamedTuple):
    """A function with all that it depends on.

    Attributes:
        hash: SHA-256 of the whole, hex.
        signature_hash: SHA-256 of the parameters' names, kinds, defaults and annotations, as text; hex.
        reads: The names that were read; as long as each `get(source) == values` holds, they stand for the same.
    """

    hash: str
    signature_hash: str
    reads: tuple[Read, ...]


def closure_of(fn: Any) -> Closure | None:
    """Return the closure of a callable as it is now.

    Args:
        fn: A function, method, partial, or an object around one.

    Returns:
        The closure, or None for what is not written in Python (builtins, C).

    Example:
        >>> closure_of(len) is None
        True
    """
    function = function_of(fn)
    state: frozenset[tuple[int, str]] = frozenset()
    while True:
        walk = _Walk(fn, function, state)
        if walk.state <= state:
            break
        state |= walk.state  # what turned out to be state must not have counted anywhere: walk again without it
    if not walk.entries:
        return None
    text = json.dumps([walk.root, walk.entries], separators=(",", ":"))
    return Closure(_sha256(text), _signature_hash(function), tuple(walk.reads()))


def function_of(fn: Any) -> Any:
    """Return the function at the bottom of wrappers, methods, partials and callable objects.

    Example:
        >>> function_of(functools.partial(functools.lru_cache(closure_of), 1)) is closure_of
        True
    """
    for _ in range(100):  # a chain of wrappers may be a circle
        if issubclass(type(fn), TracedMethod):
            fn = fn.function
        elif isinstance(fn, functools.partial):
            fn = cast("functools.partial[Any]", fn).func
        elif inspect.ismethod(fn) or isinstance(fn, classmethod | staticmethod):
            fn = cast("Any", fn).__func__
        elif (inner := wrapped_in(fn)) is not None:
            fn = inner
        elif inspect.isroutine(fn) or isinstance(fn, type):
            return fn
        else:
            fn = getattr(cast("type[Any]", type(fn)), "__call__", None)  # noqa: B004 - it is wanted
    return fn


class _Watch(NamedTuple):
    """Names that were read in one namespace, and what they stood for."""

    namespace: Any
    names: dict[str, Any]


class _Walk:
    """Goes through a function and all that it refers to; numbers what it meets, so that circles are no matter."""

    def __init__(self, root: Any, function: Any, state: frozenset[tuple[int, str]]) -> None:
        self.entries: list[Any] = []
        self.state: set[tuple[int, str]] = set()
        self._known: dict[int, int] = {}
        self._queue: list[tuple[Any, type[Any] | None]] = []  # keeps the objects alive, so that ids stay theirs
        self._ignored = state
        self._watched: dict[int, _Watch] = {}
        self._cells: list[tuple[Any, Any]] = []
        self._bases: dict[type[Any], Any] = {}  # one view of each class's namespace, so that it is watched once
        self._encoder = Encoder(self.refer)
        if root is function and isinstance(root, FunctionType):  # even where it is part of an installed package
            self.root = self.refer(root, _owner(root))
        else:
            self.root = self._encoder.encode(root)
        at = 0
        while at < len(self._queue):
            item, owner = self._queue[at]
            at += 1
            # In two steps, because an entry is made while others are added.
            entry = self._function(item, owner) if isinstance(item, FunctionType) else self._class(item)
            self.entries.append(entry)

    def refer(self, item: Any, owner: type[Any] | None = None) -> Any:
        """Return what stands for one of the user's functions or classes."""
        at = self._known.get(id(item))
        if at is None:
            at = self._known[id(item)] = len(self._queue)
            self._queue.append((item, owner))
        return ["ref", at]

    def reads(self) -> Iterator[Read]:
        """Yield what was read where."""
        for namespace, names in self._watched.values():
            values = tuple(names.values())
            if any(value is _MISSING for value in values):
                yield Read(functools.partial(_look_up, tuple(names)), namespace, values)
            else:
                repeated = (*names, *names) if len(names) == 1 else tuple(names)  # with one name it gives no tuple
                yield Read(operator.itemgetter(*repeated), namespace, values * (len(repeated) // len(names)))
        for cell, value in self._cells:
            yield Read(_content, cell, (value,))

    # -- entries ----------------------------------------------------------------------------------------------

    def _function(self, fn: FunctionType, owner: type[Any] | None) -> Any:
        source = sources.find(fn.__code__, fn.__globals__)
        names = _global_names(fn.__code__)
        cells = dict(zip(fn.__code__.co_freevars, fn.__closure__ or (), strict=True))
        if source is None:
            guard.warn_once(f"source of {fn.__qualname__}", _SOURCELESS.format(fn.__qualname__))
            text: Any = _code(fn.__code__)
            paths = {(name, other) for name in names for other in fn.__code__.co_names}
            state: frozenset[str] = frozenset()
        else:
            dropped = [at for at, node in enumerate(source.decorators) if _is_own_decorator(node, fn)]
            text = source.normalised(dropped)
            kept = [node for at, node in enumerate(source.decorators) if at not in dropped]
            names |= _outside_names(source, kept)
            paths, state = set(source.uses.paths), source.uses.state
        self._note_state(fn, cells, state & (names | set(cells)))
        return {
            "function": text,
            "defaults": self._encoder.encode((fn.__defaults__, fn.__kwdefaults__)),
            "names": self._names(fn, sorted(names - set(cells)), paths),
            "cells": self._closure(cells, paths),
            "self": self._own_attributes(fn, owner, paths, source.uses.inherited if source else frozenset()),
        }

    def _note_state(self, fn: FunctionType, cells: dict[str, Any], names: Iterable[str]) -> None:
        self.state.update((id(cells[name]) if name in cells else id(fn.__globals__), name) for name in names)

    def _names(self, fn: FunctionType, names: list[str], paths: set[tuple[str, str]]) -> list[Any]:
        found: list[Any] = []
        for name in names:
            if (id(fn.__globals__), name) in self._ignored:
                found.append([name, "state"])
                continue
            value = fn.__globals__.get(name, _MISSING)
            if value is not _MISSING or not hasattr(builtins, name):
                self._watch(fn.__globals__, name, value)
            if value is not _MISSING:
                found.append([name, self._encoder.encode(value), self._attributes(value, name, paths)])
        return found

    def _closure(self, cells: dict[str, Any], paths: set[tuple[str, str]]) -> list[Any]:
        found: list[Any] = []
        for name, cell in sorted(cells.items()):
            if name == "__class__":
                continue
            if (id(cell), name) in self._ignored:
                found.append([name, "state"])
                continue
            (value,) = _content(cell)
            self._cells.append((cell, value))
            if value is not _MISSING:
                found.append([name, self._encoder.encode(value), self._attributes(value, name, paths)])
        return found

    def _attributes(self, value: Any, name: str, paths: set[tuple[str, str]]) -> list[Any]:
        """Encode what is named with a dot: a name of the user's module, an attribute of the user's object."""
        if isinstance(value, ModuleType):
            if is_foreign_module(value.__name__):
                return []
        elif isinstance(value, type) or is_foreign_module(module_of(cast("type[Any]", type(value)))):
            return []
        namespace: Any = getattr(value, "__dict__", {})
        found: list[Any] = []
        for attribute in sorted(attribute for root, attribute in paths if root == name):
            inner = namespace.get(attribute, _MISSING)
            if inner is not _MISSING:
                self._watch(namespace, attribute, inner)
                deeper = {(attribute, last) for _, last in paths} if isinstance(inner, ModuleType) else set[Any]()
                found.append([attribute, self._encoder.encode(inner), self._attributes(inner, attribute, deeper)])
        return found

    def _own_attributes(
        self, fn: FunctionType, owner: type[Any] | None, paths: set[tuple[str, str]], inherited: frozenset[str]
    ) -> list[Any]:
        """Encode what a method uses of its own class: `self.helper`, `self.PROMPT`, `super().run`."""
        if owner is None or not fn.__code__.co_argcount:
            return []
        first = fn.__code__.co_varnames[0]
        wanted = [(name, owner.__mro__) for root, name in paths if root == first]
        wanted += [(name, owner.__mro__[1:]) for name in inherited]
        found: list[Any] = []
        for name, classes in sorted(wanted, key=lambda pair: (pair[0], -len(pair[1]))):
            base = next((base for base in classes if name in vars(base)), None)
            if base is None or is_foreign_module(module_of(base)):
                continue
            value: Any = vars(base)[name]
            self._watch(self._bases.setdefault(base, vars(base)), name, value)
            inner = value if isinstance(value, property | type) else function_of(value) if callable(value) else value
            if isinstance(inner, FunctionType) and not is_foreign_file(inner.__code__.co_filename):
                found.append([name, self.refer(inner, owner)])
            else:
                found.append([name, self._encoder.encode(value)])
        return found

    def _class(self, kind: type[Any]) -> Any:
        members: list[Any] = []
        for name, value in sorted(vars(kind).items()):
            if _is_member(kind, name, value):
                members.append([name, self._encoder.encode(value)])
        annotations = inspect.get_annotations(kind)
        schema = getattr(kind, "model_json_schema", None) if hasattr(kind, "__pydantic_fields__") else None
        fields: list[Any] = list(getattr(kind, "__dataclass_fields__", {}).values())
        entry: dict[str, Any] = {
            "class": kind.__qualname__.rpartition("<locals>.")[2],
            "bases": [self._encoder.encode(base) for base in kind.__bases__],
            "annotations": [[name, self._annotation(kind, value)] for name, value in annotations.items()],
            "members": members,
            "enum": [[m.name, self._encoder.encode(m.value)] for m in kind] if issubclass(kind, enum.Enum) else [],
            "dataclass": [
                repr(getattr(kind, "__dataclass_params__", None)),
                [[field.name, self._encoder.encode((field.default_factory, field.metadata))] for field in fields],
            ],
            "schema": _schema(schema) if schema is not None else None,
        }
        return entry

    def _annotation(self, kind: type[Any], annotation: Any) -> Any:
        if not isinstance(annotation, str):
            return self._encoder.encode(annotation)
        try:
            tree = sources.parse(annotation, mode="eval")
        except SyntaxError:
            return annotation
        namespace = _namespace_of(kind)
        found = {name: namespace.get(name, _MISSING) for name in sources.names_in(tree, annotation=True)}
        used = [[name, self._encoder.encode(value)] for name, value in sorted(found.items()) if value is not _MISSING]
        return [annotation, used]

    def _watch(self, namespace: Any, name: str, value: Any) -> None:
        """Remember what a name stood for; large foreign values are not kept alive for it."""
        if (
            isinstance(value, _KEPT)
            or value is _MISSING
            or not is_foreign_module(module_of(cast("type[Any]", type(value))))
        ):
            self._watched.setdefault(id(namespace), _Watch(namespace, {})).names[name] = value


_KEPT: Final = (
    bool, int, float, complex, str, bytes, type(None), list, tuple, dict, set, frozenset, FunctionType, type,
    ModuleType, staticmethod, classmethod, property,
)  # fmt: skip


def _look_up(names: tuple[str, ...], namespace: Any) -> tuple[Any, ...]:
    return tuple(namespace.get(name, _MISSING) for name in names)


def _content(cell: Any) -> tuple[Any]:
    try:
        return (cell.cell_contents,)
    except ValueError:  # a variable of the function around that has no value yet
        return (_MISSING,)


def _owner(fn: FunctionType) -> type[Any] | None:
    """Return the class in whose body a function was defined, where its module tells."""
    found: Any = None
    for at, name in enumerate(fn.__qualname__.split(".")[:-1]):
        found = fn.__globals__.get(name) if at == 0 else getattr(found, name, None)
    if found is None and "__class__" in fn.__code__.co_freevars and fn.__closure__ is not None:
        (found,) = _content(fn.__closure__[fn.__code__.co_freevars.index("__class__")])
    return cast("type[Any]", found) if isinstance(found, type) else None


def _global_names(code: CodeType) -> set[str]:
    """Return the global names that a function and the functions inside it read."""
    names = {item.argval for item in dis.get_instructions(code) if item.opname in _GLOBAL_READS}
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            names |= _global_names(constant)
    return names


def _outside_names(source: sources.Source, decorators: list[Any]) -> set[str]:
    """Return the names in a function's annotations and in the decorators that count."""
    names = set(source.uses.annotations)
    for decorator in decorators:
        names.update(sources.names_in(decorator))
    return names


def _is_own_decorator(node: Any, fn: FunctionType) -> bool:
    """Tell whether a decorator is `ops.trace` or `ops.version`, ours or Mirascope's, under whatever name."""
    found = sources.resolved(node, fn.__globals__.get)
    if found is None:
        return ast.unparse(node).partition("(")[0] in ("ops.trace", "ops.version")
    module = str(getattr(found, "__module__", ""))
    name = str(getattr(found, "__qualname__", "")).partition(".")[0]
    return (is_own(found) or module.startswith("mirascope.ops.")) and name in _OWN_DECORATORS


def _code(code: CodeType) -> list[Any]:
    """Return what a function without source is known by."""
    constants = [_code(item) if isinstance(item, CodeType) else repr(item) for item in code.co_consts]
    counts = (code.co_argcount, code.co_posonlyargcount, code.co_kwonlyargcount, code.co_flags)
    return [code.co_name, counts, code.co_names, code.co_varnames, constants, code.co_code.hex()]


def _is_member(kind: type[Any], name: str, value: Any) -> bool:
    """Tell whether something in a class was written by the user, and not made by Python or a decorator."""
    function = function_of(value) if callable(value) or isinstance(value, classmethod | staticmethod) else None
    if isinstance(function, FunctionType):
        if is_foreign_file(function.__code__.co_filename):
            return False
        return not name.startswith("__") or not function.__code__.co_filename.startswith("<string>")
    if issubclass(kind, enum.Enum):
        return isinstance(value, property)
    return not name.startswith("__") and name not in _MACHINERY


def _namespace_of(kind: type[Any]) -> dict[str, Any]:
    for value in map(function_of, filter(callable, vars(kind).values())):
        if isinstance(value, FunctionType) and value.__module__ == kind.__module__:
            return value.__globals__
    return vars(sys.modules[kind.__module__]) if kind.__module__ in sys.modules else {}


def _schema(make: Callable[[], Any]) -> Any:
    try:
        return json.loads(json.dumps(make(), sort_keys=True, default=str))
    except Exception:  # noqa: BLE001 - types without a schema: the annotations have to do
        return None


def _signature_hash(function: Any) -> str:
    source = sources.find(function.__code__, function.__globals__) if isinstance(function, FunctionType) else None
    if source is not None:
        return _sha256(json.dumps(source.signature()))
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):
        return _sha256("")
    rows = [[p.name, p.kind.description, str(p.annotation), str(p.default)] for p in signature.parameters.values()]
    return _sha256(json.dumps([rows, str(signature.return_annotation)]))


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
