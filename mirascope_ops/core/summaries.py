"""What stands for a value that JSON has no form for: a faithful copy where it is cheap, else a summary.

Foreign types are recognised by looking in `sys.modules`, never by importing: a value of a library's type can
exist only where that library is imported already. One handler is looked up per type and remembered.

A value may be more than it holds: a query, a lazy mapping, a row whose fields are loaded when they are read. So values
are read where they are stored, past their own methods; nothing is iterated that is not stored; and what has to be asked
for (a `repr`, a mapping's items, a model's serialiser) is measured: a type whose answers take long is not asked again
(`patience`).
"""

from __future__ import annotations

import dataclasses
import sys
from collections import UserDict, UserList, deque
from collections.abc import Mapping
from functools import partial
from inspect import signature
from itertools import islice
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, Final, cast

import orjson

from mirascope_ops.core import arrays, bounds, patience
from mirascope_ops.core.outline import REPR_LIMIT, describe, key_of, masked, more, outline, shorten, type_name

if TYPE_CHECKING:
    from collections.abc import Callable

_HEAD: Final = 8  # bytes that a summary shows
_MESSAGE_LIMIT: Final = 64 * 1024
_ITEMS: Final = 10_000  # of a mapping that has to be asked for each
_MAX_TYPES: Final = 4096  # handlers remembered; a program that makes classes without end must not grow us
# Types that compare quickly and cannot fail; a set of these is written in order.
_SORTABLE: Final = (str, int, float, bytes)

_handlers: dict[type, Callable[[Any], Any]] = {}


def summarise(value: Any) -> Any:
    """Return JSON data (or an orjson.Fragment) in place of a value that orjson does not know.

    Args:
        value: The value; this is orjson's `default` hook.

    Returns:
        Data that orjson knows, possibly with further unknown values inside.
    """
    kind: type = type(value)  # pyright: ignore[reportUnknownVariableType] - whatever the user's value is
    handler = _handlers.get(kind)
    if handler is None:
        handler = _find_handler(kind)
        if len(_handlers) < _MAX_TYPES:
            _handlers[kind] = handler
    try:
        return handler(value)
    except patience.ImpatientError:
        return outline(value)
    except Exception:  # noqa: BLE001 - the value's own code failed: describe it from outside
        return describe(value)


def _find_handler(kind: Any) -> Callable[[Any], Any]:
    """Choose how values of a type are captured; the first rule that fits."""
    for base in kind.__mro__:
        root = str(base.__module__).partition(".")[0]
        found = _STANDARD.get(base) or (_FOREIGN.get((root, base.__name__)) if root in sys.modules else None)
        if found is not None:
            return _writer_of_models(kind) if found is _pydantic else found
    rules: tuple[tuple[bool, Callable[[Any], Any]], ...] = (
        (hasattr(kind, "_sa_class_manager"), _loaded),  # a class that SQLAlchemy maps
        (tuple in kind.__mro__ and hasattr(kind, "_fields"), _named_tuple),
        (tuple in kind.__mro__, _items),
        (dataclasses.is_dataclass(kind), _dataclass),
        (hasattr(kind, "__attrs_attrs__"), _attrs),
        (Mapping in kind.__mro__ or issubclass(kind, Mapping), _mapping),
    )
    return next((handler for fits, handler in rules if fits), describe)


def _named_tuple(value: Any) -> dict[str, Any]:
    names: tuple[str, ...] = value._fields
    return dict(zip(names, _items(value), strict=False))


def _attrs(value: Any) -> dict[str, Any]:
    stored = bounds.fields_of(value)
    names: list[str] = [field.name for field in value.__attrs_attrs__]
    return {name: stored[name] for name in names if name in stored}


def _dataclass(value: Any) -> dict[str, Any]:
    stored = bounds.fields_of(value)
    return {field.name: stored[field.name] for field in dataclasses.fields(value) if field.name in stored}


def _loaded(value: Any) -> dict[str, Any]:
    """Return the fields of a database row that are loaded; to read another would be a query."""
    return {name: item for name, item in bounds.fields_of(value).items() if not name.startswith("_")}


def _data(value: Any) -> Any:
    return bounds.fields_of(value)["data"]


def _fields_as_text(value: Any) -> str:
    """Return the repr of an object whose repr writes out all that it holds, if that is little."""
    held = (value.args, value.keywords) if isinstance(value, partial) else vars(value)  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType] - arguments of any type
    return outline(value) if bounds.is_big(held, REPR_LIMIT, REPR_LIMIT * 8) else describe(value)


def _bytes(value: Any) -> dict[str, Any]:
    head = bytes(value[:_HEAD])
    return {"type": type(value).__name__, "size": len(value), "head": head.hex()}


def _view(value: Any) -> dict[str, Any]:
    head = value[:_HEAD].tobytes()[:_HEAD] if value.ndim == 1 else b""
    return {"type": "memoryview", "size": value.nbytes, "head": head.hex()}


def _items(value: Any) -> list[Any]:
    return bounds.items_of(value, bounds.length_of(value)) or []


def _pairs(value: Any) -> dict[Any, Any]:
    return dict(value)


def _members(value: Any) -> list[Any]:
    members = _items(value)
    if not all(type(member) in _SORTABLE for member in members):
        return members  # to compare them may be code of theirs, or an error
    try:
        return sorted(members)
    except TypeError:
        return sorted(members, key=repr)


def _mapping(value: Any) -> dict[str, Any]:
    return patience.ask(cast("type[Any]", type(value)), _first_of_mapping, value)


def _first_of_mapping(value: Any) -> dict[str, Any]:
    """Ask a mapping for its items: so many, and for as long as it answers quickly."""
    found: dict[str, Any] = {}
    length = len(value)
    until = patience.clock() + patience.SLOW
    for key in islice(iter(value), _ITEMS):
        # Keys as JSON has them, or orjson would refuse the whole, and all would be asked for once more.
        found[key if type(key) is str else key_of(key)] = value[key]
        if patience.clock() > until:
            break
    if len(found) < length:
        found["…"] = more(length - len(found), "items")
    return _without_big(found)


def _without_big(fields: dict[str, Any]) -> dict[str, Any]:
    """Return fields, the big ones in outline, if they are big together."""
    if not bounds.is_big(fields):
        return fields
    nodes, characters = bounds.MAX_NODES // 16, bounds.MAX_CHARACTERS // 16
    return {name: outline(item) if bounds.is_big(item, nodes, characters) else item for name, item in fields.items()}


def _exception(value: Any) -> dict[str, Any]:
    kind = cast("type[Any]", type(value))
    return {"type": type_name(kind), "message": masked(shorten(patience.ask(kind, str, value), _MESSAGE_LIMIT))}


def _class(value: Any) -> str:
    return f"<class {type_name(value)}>"


def _pydantic(value: Any) -> Any:
    """Write a model as it writes itself, but without fields that are computed for it, and big ones in outline."""
    return _writer_of_models(cast("type[Any]", type(value)))(value)


def _writer_of_models(kind: type[Any]) -> Callable[[Any], Any]:
    """Make the handler of one class of models, so that its values need not be asked for it each time."""
    if not hasattr(kind, "__pydantic_serializer__"):  # a model of pydantic 1
        return lambda value: outline(value) if bounds.is_big(vars(value)) else _written(kind, kind.json, value)
    left_out: set[str] = set(kind.__pydantic_decorators__.computed_fields)
    # What is computed for models inside of this one, pydantic can leave out from 2.12 on.
    leaves_out = "exclude_computed_fields" in signature(kind.model_dump_json).parameters
    ask = partial(kind.model_dump_json, exclude_computed_fields=True) if leaves_out else kind.model_dump_json
    write = partial(ask, exclude=left_out) if left_out and not leaves_out else ask

    def handler(value: Any) -> Any:
        big: dict[str, Any] = {}
        if bounds.is_big(value):
            stored = _stored(value)
            if getattr(kind, "__pydantic_root_model__", False):
                return stored["root"]
            big = {name: item for name, item in _without_big(stored).items() if item is not stored[name]}
        try:
            if not big:
                return _written(kind, write, value)
            written = patience.ask(kind, partial(ask, exclude={*left_out, *big}), value)
            return {**orjson.loads(written), **big}
        except patience.ImpatientError:
            raise
        except Exception:  # noqa: BLE001 - it holds something that it cannot write: a client, an array
            return _field_by_field(kind, ask, value, big)

    return handler


def _stored(model: Any) -> dict[str, Any]:
    """Return the fields of a pydantic model, and those that its class does not name."""
    names: dict[str, Any] = cast("Any", type(model)).__pydantic_fields__
    more_of_it: dict[str, Any] = model.__pydantic_extra__ or {}
    return {name: item for name, item in bounds.fields_of(model).items() if name in names} | more_of_it


def _field_by_field(kind: type[Any], ask: Callable[..., str], model: Any, big: dict[str, Any]) -> Any:
    """Write each field as the model writes it; one that it cannot write is written as anything else is.

    Args:
        kind: The model's class.
        ask: Writes some of its fields.
        model: The model.
        big: What stands for its big fields.
    """
    if kind.__pydantic_decorators__.model_serializers:  # the class writes itself in a way of its own, or not at all
        return outline(model)
    found: dict[str, Any] = {}
    for name, item in _stored(model).items():
        field = kind.__pydantic_fields__.get(name)
        if name in big:
            found[name] = big[name]
        elif field is None or not field.exclude:
            try:
                found.update(orjson.loads(patience.ask(kind, partial(ask, include={name}), model)))
            except patience.ImpatientError:
                raise
            except Exception:  # noqa: BLE001 - as above
                found[name] = item
    return found


def _written(kind: type[Any], write: Callable[[Any], str], value: Any) -> orjson.Fragment:
    return orjson.Fragment(patience.ask(kind, write, value))


_STANDARD: Final[dict[type, Callable[[Any], Any]]] = {
    bytes: _bytes,
    bytearray: _bytes,
    memoryview: _view,
    set: _members,
    frozenset: _members,
    deque: _items,
    **dict.fromkeys(bounds.VIEWS, _items),
    **dict.fromkeys(bounds.ITEM_VIEWS, _pairs),
    UserDict: _data,
    UserList: _data,
    SimpleNamespace: _fields_as_text,
    partial: _fields_as_text,
    BaseException: _exception,
    type: _class,
    complex: str,
}
_FOREIGN: Final[dict[tuple[str, str], Callable[[Any], Any]]] = {
    ("pydantic", "BaseModel"): _pydantic,
    ("array", "array"): arrays.plain_array,
    ("argparse", "Namespace"): _fields_as_text,
    ("numpy", "ndarray"): arrays.array,
    ("numpy", "generic"): lambda value: value.item(),
    ("pandas", "DataFrame"): arrays.frame,
    ("pandas", "Series"): arrays.series,
    ("pandas", "Timestamp"): str,
    ("polars", "DataFrame"): arrays.frame,
    ("polars", "Series"): arrays.series,
    ("PIL", "Image"): arrays.image,
    ("torch", "Tensor"): arrays.tensor,
    ("jax", "Array"): arrays.tensor,
    ("jaxlib", "ArrayImpl"): arrays.tensor,
    ("tensorflow", "Tensor"): arrays.tensor,
    ("cupy", "ndarray"): arrays.tensor,
    # What these have is in a database or a file: to write them out, or to write their repr, would fetch it.
    ("django", "QuerySet"): outline,
    ("django", "Promise"): outline,
    ("django", "LazyObject"): outline,
    ("django", "Model"): _loaded,
    ("peewee", "Model"): lambda value: dict(value.__data__),
    ("peewee", "BaseQuery"): outline,
    ("sqlalchemy", "Row"): lambda value: value._asdict(),
    ("shelve", "Shelf"): outline,
    ("dbm", "_Database"): outline,
    ("h5py", "HLObject"): outline,
    ("zarr", "Group"): outline,
}
