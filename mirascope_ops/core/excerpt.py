"""An excerpt: JSON data that stands for a value which JSON cannot hold, or which is too big to be written out.

Everything is there that fits; what does not says how much is missing, where it is missing. The walk visits a bounded
part of the value and runs none of its code, except where `summaries` does.
"""

from __future__ import annotations

from collections import deque
from itertools import islice
from typing import Any, Final, cast

import orjson

from mirascope_ops.core import bounds
from mirascope_ops.core.outline import describe, key_of, more, outline
from mirascope_ops.core.summaries import summarise

_DEPTH: Final = 64
_SHARE: Final = 64  # bytes: of many items, rather show so much of the first than less of each
_NODE: Final = 2  # bytes that any value takes, with its comma
_MARKER: Final = 40
_SEQUENCES: Final = (list, set, frozenset, deque)
_KEY_ROOM: Final = 1024
_pairs: Final = dict[Any, Any].items  # past a subclass's own method


def excerpt(value: Any, room: int) -> Any:
    """Return JSON data of about so many bytes.

    Args:
        value: Anything.
        room: Bytes of JSON that it may take, roughly.

    Example:
        >>> excerpt({"words": ["one", 10**30], "text": "x" * 100}, 1000) == {
        ...     "words": ["one", "1000000000000000000000000000000"],
        ...     "text": "x" * 100,
        ... }
        True
        >>> excerpt(range(10**6), 100), excerpt([*range(10**6)], 40)
        ('range(0, 1000000)', [0, 1, 2, 3, 4, '… [999,995 more items]'])
    """
    return _Walk().take(value, room, 0)[0]


class _Walk:
    """One walk through a value.

    Each step returns the data and how many bytes they take, roughly, so that what one item leaves others may use.
    """

    def __init__(self) -> None:
        self._path: set[int] = set()

    def take(self, value: Any, room: int, depth: int) -> tuple[Any, int]:
        kind = cast("type[Any]", type(value))
        if value is None or issubclass(kind, str | int | float):
            return _scalar(value, kind, room)
        if id(value) in self._path:
            return "[cycle]", 10
        if depth > _DEPTH or room < _MARKER:
            return outline(value), _MARKER
        self._path.add(id(value))
        try:
            return self._inside(value, kind, room, depth + 1)
        except Exception:  # noqa: BLE001 - the value's own code failed
            return describe(value), _MARKER
        finally:
            self._path.discard(id(value))

    def _inside(self, value: Any, kind: type[Any], room: int, depth: int) -> tuple[Any, int]:
        if issubclass(kind, dict) or kind in bounds.ITEM_VIEWS:
            return self._mapping(value, room, depth)
        if (
            issubclass(kind, _SEQUENCES)
            or kind in bounds.VIEWS
            or (tuple in kind.__mro__ and not hasattr(kind, "_fields"))
        ):
            return self._sequence(value, room, depth)
        simple = summarise(value)
        if isinstance(simple, orjson.Fragment):
            simple = orjson.loads(orjson.dumps(simple))
        return self.take(simple, room, depth)

    def _sequence(self, value: Any, room: int, depth: int) -> tuple[list[Any], int]:
        length = bounds.length_of(value)
        items = bounds.items_of(value, room // _NODE + 1) or []
        found: list[Any] = []
        used = _NODE
        for index, item in enumerate(items):
            if used >= room:
                break
            data, size = self.take(item, _share(room - used, len(items) - index), depth)
            found.append(data)
            used += size
        if len(found) < length:
            found.append(more(length - len(found), "items"))
            used += _MARKER
        return found, used

    def _mapping(self, value: Any, room: int, depth: int) -> tuple[dict[str, Any], int]:
        length = bounds.length_of(value)
        pairs = value if type(value) in bounds.ITEM_VIEWS else _pairs(value)
        items = list(islice(pairs, room // _NODE + 1))
        found: dict[str, Any] = {}
        used = _NODE
        taken = 0
        for index, (key, item) in enumerate(items):
            if used >= room:
                break
            name = self._key(key, depth)
            data, size = self.take(item, _share(room - used, len(items) - index), depth)
            found[name] = data
            taken += 1
            used += size + len(name) + _NODE
        if taken < length:
            found["…"] = more(length - taken, "items")
            used += _MARKER
        return found, used

    def _key(self, key: Any, depth: int) -> str:
        if type(key) is str and len(key) <= _KEY_ROOM and key.isascii():
            return key
        if key is None or type(key) is bool:
            return key_of(key)
        if type(key) is bytes:  # by its text: a summary of it might be that of another key
            return _text(key[:_KEY_ROOM].decode("utf-8", "backslashreplace"), _KEY_ROOM)[0]
        return str(self.take(key, _KEY_ROOM, depth)[0])


def _share(room: int, items: int) -> int:
    """Divide the room among the items that are left; what is divided never grows, so that the walk ends."""
    return room // max(1, min(items, room // _SHARE))


def _text(value: str, room: int) -> tuple[str, int]:
    length = str.__len__(value)
    room = max(room - _MARKER, 8)
    if length <= room + _MARKER:
        room = length
    found = str.__getitem__(value, slice(0, room))
    if not found.isascii():
        found = found.encode("utf-8", "backslashreplace").decode()
    size = len(found) if found.isascii() else len(found.encode())
    if length > room:
        found += more(length - room, "characters")
    return found, size + _NODE


def _scalar(value: Any, kind: type[Any], room: int) -> tuple[Any, int]:
    if issubclass(kind, str):
        return _text(value, room)
    if value is None or kind is bool:
        return value, 6
    if issubclass(kind, float):
        return float.__pos__(value), 8  # of a subclass: a plain float
    value = int.__int__(value)
    if -(2**63) <= value < 2**64:
        return value, 8
    return _text(digits(value), room)


def digits(value: int) -> str:
    """Return an int of any size as text; in hex where Python refuses to write that many decimal digits."""
    try:
        return str(value)
    except ValueError:
        return hex(value)
