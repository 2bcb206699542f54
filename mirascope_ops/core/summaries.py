"""What stands for a value that JSON has no form for: a faithful copy where it is cheap, else a summary.

Foreign types are recognised by looking in `sys.modules`, never by importing: a value of a library's type can
exist only where that library is imported already. One handler is looked up per type and remembered.
"""

from __future__ import annotations

import dataclasses
import sys
from collections import deque
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final, cast

import orjson

if TYPE_CHECKING:
    from collections.abc import Callable

_HEAD: Final = 8  # items of an array or rows of a frame that a summary shows
_SMALL: Final = 64  # an array of at most so many items is kept whole
_REPR_LIMIT: Final = 2048
_MAX_TYPES: Final = 4096  # handlers remembered; a program that makes classes without end must not grow us

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
    except Exception:  # noqa: BLE001 - the value's own code failed: describe it from outside
        return describe(value)


def describe(value: Any) -> str:
    """Return a value's repr, cut, or its type where even that fails; never raises an Exception.

    Example:
        >>> describe(range(3))
        'range(0, 3)'
    """
    kind = cast("type[Any]", type(value))
    try:
        text = repr(value)
    except Exception as error:  # noqa: BLE001 - a failing __repr__ is the user's business, not a failed call
        return f"<{type_name(kind)} object, whose repr raised {type(error).__name__}>"
    text = text.encode("utf-8", "backslashreplace").decode()
    return text if len(text) <= _REPR_LIMIT else f"{text[:_REPR_LIMIT]}… [{len(text) - _REPR_LIMIT:,} more characters]"


def type_name(kind: type) -> str:
    """Return a type's qualified name, without `builtins`.

    Example:
        >>> type_name(dict), type_name(deque)
        ('dict', 'collections.deque')
    """
    return kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"


def _find_handler(kind: type[Any]) -> Callable[[Any], Any]:
    """Choose how values of a type are captured; the first rule that fits."""
    for base in kind.__mro__:
        root = str(base.__module__).partition(".")[0]
        found = _STANDARD.get(base) or (_FOREIGN.get((root, base.__name__)) if root in sys.modules else None)
        if found is not None:
            return found
    rules: tuple[tuple[bool, Callable[[Any], Any]], ...] = (
        (hasattr(kind, "_asdict"), lambda value: value._asdict()),
        (dataclasses.is_dataclass(kind), _dataclass),
        (hasattr(kind, "__attrs_attrs__"), _attrs),
        (Mapping in kind.__mro__ or issubclass(kind, Mapping), dict),
    )
    return next((handler for fits, handler in rules if fits), describe)


def _attrs(value: Any) -> dict[str, Any]:
    names: list[str] = [field.name for field in value.__attrs_attrs__]
    return {name: getattr(value, name) for name in names}


def _dataclass(value: Any) -> dict[str, Any]:
    return {field.name: getattr(value, field.name, None) for field in dataclasses.fields(value)}


def _bytes(value: Any) -> dict[str, Any]:
    head = bytes(value[:_HEAD])
    return {"type": type(value).__name__, "size": len(value), "head": head.hex()}


def _members(value: Any) -> list[Any]:
    members = list(value)
    try:
        return sorted(members)
    except TypeError:
        return sorted(members, key=repr)


def _exception(value: Any) -> dict[str, Any]:
    kind = cast("type[Any]", type(value))
    return {"type": type_name(kind), "message": str(value)}


def _class(value: Any) -> str:
    return f"<class {type_name(value)}>"


def _pydantic(value: Any) -> orjson.Fragment:
    return orjson.Fragment(value.model_dump_json())


def _array(value: Any) -> Any:
    if value.size <= _SMALL and value.dtype.kind in "biuf":
        return value.tolist()
    head = value.reshape(-1)[:_HEAD] if value.flags.c_contiguous else value.flat[:_HEAD]
    return {
        "type": "numpy.ndarray",
        "shape": list(value.shape),
        "dtype": str(value.dtype),
        "head": head.tolist() if value.dtype.kind in "biuf" else [describe(item) for item in head],
    }


def _is_pandas(value: Any) -> bool:
    kinds: tuple[type[Any], ...] = type(value).__mro__
    return any(kind.__module__.startswith("pandas.") for kind in kinds)


def _frame(value: Any) -> dict[str, Any]:
    head = value.head(_HEAD)
    is_pandas = _is_pandas(value)
    rows = head.itertuples(index=False, name=None) if is_pandas else head.iter_rows()
    return {
        "type": "pandas.DataFrame" if is_pandas else "polars.DataFrame",
        "shape": list(value.shape),
        # Lists, because two columns may have one name.
        "columns": [[str(name), str(kind)] for name, kind in zip(value.columns, value.dtypes, strict=True)],
        "head": [list(row) for row in rows],
    }


def _series(value: Any) -> dict[str, Any]:
    kind = "pandas.Series" if _is_pandas(value) else "polars.Series"
    items = value.head(_HEAD)
    return {"type": kind, "name": value.name, "length": len(value), "dtype": str(value.dtype), "head": list(items)}


def _image(value: Any) -> dict[str, Any]:
    return {"type": "PIL.Image", "mode": value.mode, "size": list(value.size), "format": value.format}


_STANDARD: Final[dict[type, Callable[[Any], Any]]] = {
    bytes: _bytes,
    bytearray: _bytes,
    memoryview: _bytes,
    set: _members,
    frozenset: _members,
    deque: list,
    BaseException: _exception,
    type: _class,
    complex: str,
}
_FOREIGN: Final[dict[tuple[str, str], Callable[[Any], Any]]] = {
    ("pydantic", "BaseModel"): _pydantic,
    ("numpy", "ndarray"): _array,
    ("numpy", "generic"): lambda value: value.item(),
    ("pandas", "DataFrame"): _frame,
    ("pandas", "Series"): _series,
    ("pandas", "Timestamp"): str,
    ("polars", "DataFrame"): _frame,
    ("polars", "Series"): _series,
    ("PIL", "Image"): _image,
}
