"""Arguments of many calls of one function, described at once: by column, each text put together of pieces."""

from __future__ import annotations

from itertools import repeat
from typing import TYPE_CHECKING, Any, Final

import orjson

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

_NAMES: Final = {
    dict: "dict", list: "list", str: "str", bool: "bool", int: "int", float: "float", type(None): "NoneType",
}  # fmt: skip
_dumps: Final = orjson.dumps


def rows_of(texts: Sequence[str]) -> list[Any]:
    """Read many JSON texts in one go.

    Args:
        texts: JSON texts, each of one value.

    Raises:
        ValueError: One of them is no JSON.

    Example:
        >>> rows_of(["[1]", '{"a": 2}'])
        [[1], {'a': 2}]
    """
    rows: list[Any] = orjson.loads(f"[{','.join(texts)}]")
    if len(rows) != len(texts):
        raise ValueError("one of the texts is no JSON value")
    return rows


def type_name(value: Any) -> str:
    """Return what the type of a value of JSON data is called.

    Example:
        >>> type_name(None), type_name([1])
        ('NoneType', 'list')
    """
    return _NAMES.get(type(value), "object")  # pyright: ignore[reportUnknownArgumentType] - a type of JSON data


def type_texts(told: Mapping[str, str | None], columns: Sequence[Sequence[Any]]) -> list[str]:
    """Write the types of arguments as JSON objects, one a call.

    Args:
        told: What the type of each parameter is called; None where each call's value tells.
        columns: For each parameter where that is so, in their order, the calls' values.

    Example:
        >>> type_texts({"a": "str", "b": None}, [[1, None]])
        ['{"a":"str","b":"int"}', '{"a":"str","b":"NoneType"}']
    """
    known: dict[tuple[type[Any], ...], str] = {}
    texts: list[str] = []
    for alike in zip(*(map(type, column) for column in columns), strict=True):
        text = known.get(alike)
        if text is None:
            found = map(_NAMES.__getitem__, alike)
            types = {name: next(found) if kind is None else kind for name, kind in told.items()}
            text = known[alike] = _dumps(types).decode()
        texts.append(text)
    return texts


def value_texts(names: Sequence[str], columns: Sequence[Sequence[Any]], rest: str) -> list[str]:
    """Write arguments as JSON objects, one a call.

    Args:
        names: The parameters, at least one.
        columns: For each of them the calls' values, JSON data.
        rest: The JSON object of what all calls have beside.

    Example:
        >>> value_texts(["a", "b"], [["x", "y"], [1, None]], '{"c":2}')
        ['{"a":"x","b":1,"c":2}', '{"a":"y","b":null,"c":2}']
    """
    pieces: list[Iterable[str]] = []
    before = "{"
    for name, column in zip(names, columns, strict=True):
        pieces += (repeat(f"{before}{_dumps(name).decode()}:"), _written(column))
        before = ","
    end = "}" if rest == "{}" else "," + rest[1:]
    return list(map("".join, zip(*pieces, repeat(end), strict=False)))


def _written(column: Sequence[Any]) -> Iterable[str]:
    kinds: set[type[Any]] = set(map(type, column))
    if kinds == {int}:
        return _dumps(column)[1:-1].decode().split(",")
    return map(bytes.decode, map(_dumps, column))
