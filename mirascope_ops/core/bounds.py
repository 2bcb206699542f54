"""Whether a value is too big to be written out before it is cut: told without looking at more than a part of it.

Writing a list of five million mappings as JSON takes seconds and a gigabyte, only to keep 64 KiB of it. A few lists
that hold each other several times, or the nodes of a graph, are no bigger in memory than their names, and without end
as JSON. So what is not plainly small is counted first, up to a bound, without any code of the value's own.
"""

from __future__ import annotations

import contextlib
from collections import OrderedDict, UserDict, UserList, deque
from dataclasses import is_dataclass
from itertools import islice
from types import MemberDescriptorType
from typing import TYPE_CHECKING, Any, Final, cast

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator

MAX_NODES: Final = 32 * 1024  # values inside a value: so many take 64 KiB at least, as JSON
MAX_CHARACTERS: Final = 1024 * 1024  # of text inside a value
_ATOMS: Final = frozenset((str, int, float, bool, type(None), bytes, bytearray, memoryview, complex))
_MAX_TYPES: Final = 4096  # remembered; a program that makes classes without end must not grow us
VIEWS: Final = frozenset(
    type(view) for fields in (dict[Any, Any](), OrderedDict[Any, Any]()) for view in (fields.keys(), fields.values())
)
"""The keys and the values of a dict, as it gives them."""
ITEM_VIEWS: Final = frozenset((type(dict[Any, Any]().items()), type(OrderedDict[Any, Any]().items())))
"""The items of a dict, as it gives them."""
_ALL_VIEWS: Final = VIEWS | ITEM_VIEWS
_COLLECTIONS: Final[frozenset[type[Any]]] = _ALL_VIEWS | {set, frozenset, deque}

# How to look inside the values of a type; None for those that are one node, whatever they hold.
_openers: dict[type, Callable[[Any], Collection[Any]] | None] = {}


def is_big(value: Any, nodes: int = MAX_NODES, characters: int = MAX_CHARACTERS) -> bool:
    """Tell whether a value holds more than so much; a value that holds itself does.

    Args:
        value: Anything. No code of its own is run.
        nodes: Values inside it, counted as often as they would be written.
        characters: Text inside it.

    Example:
        >>> is_big([[0] * 10_000] * 1_000), is_big({"a": ["b", 1]})
        (True, False)
    """
    try:
        return _count(value, nodes, characters)
    except Exception:  # noqa: BLE001 - it changes at this moment, in another thread: whoever copies it copies a part
        return True


def _count(value: Any, nodes: int, characters: int) -> bool:
    groups: list[Collection[Any]] = [(value,)]
    for group in groups:  # grows while it is gone through
        nodes -= len(group)
        if nodes < 0:
            return True
        for item in group:
            kind = cast("type[Any]", type(item))
            if kind is str:
                characters -= len(item)
            elif kind is dict:
                groups.append(item.values())
            elif kind is list or kind is tuple:
                groups.append(item)
            elif kind not in _ATOMS and (inside := _open(item, kind)):
                groups.append(inside)
        if characters < 0:
            return True
    return False


def items_of(value: Any, most: int) -> list[Any] | None:
    """Return the first items of a list, tuple, set, deque or a dict's view, by its storage; None for anything else.

    A subclass may load its items when it is iterated, so its own methods are not asked.

    Example:
        >>> items_of((1, 2, 3), 2), items_of("text", 2)
        ([1, 2], None)
    """
    kind = cast("type[Any]", type(value))
    for base in (list, tuple, set, frozenset, deque):
        if issubclass(kind, base):
            return list(islice(cast("Iterator[Any]", base.__iter__(value)), most))  # pyright: ignore[reportUnknownMemberType] - a base of the value's
    return list(islice(value, most)) if kind in _ALL_VIEWS else None


def length_of(value: Any) -> int:
    """Return how many items a list, tuple, set, deque, dict or a dict's view stores, whatever its subclass says."""
    kind = cast("type[Any]", type(value))
    if kind in _ALL_VIEWS:
        return len(value)
    bases = (list, tuple, set, frozenset, deque, dict)
    return next((base.__len__(value) for base in bases if issubclass(kind, base)), 0)  # pyright: ignore[reportUnknownMemberType] - as above


def fields_of(value: Any) -> dict[str, Any]:
    """Return what an object stores in its `__dict__` and slots, as it is: nothing is loaded or computed for it.

    Example:
        >>> class Point:
        ...     __slots__ = ("x", "y")
        >>> point = Point()
        >>> point.x = 1
        >>> fields_of(point)
        {'x': 1}
    """
    found: dict[str, Any] = {}
    for name, member in _slots_of(cast("type[Any]", type(value))):
        try:
            found[name] = member.__get__(value)
        except AttributeError:  # a slot that is empty
            continue
    with contextlib.suppress(AttributeError):  # slots only
        found.update(object.__getattribute__(value, "__dict__"))
    return found


def _slots_of(kind: type[Any]) -> list[tuple[str, Any]]:
    return [
        (name, member)
        for base in reversed(kind.__mro__)
        for name, member in list(vars(base).items())
        if type(member) is MemberDescriptorType
    ]


def _open(value: Any, kind: type[Any]) -> Collection[Any] | None:
    try:
        opener = _openers[kind]
    except KeyError:
        opener = _find_opener(kind)
        if len(_openers) < _MAX_TYPES:
            _openers[kind] = opener
    return None if opener is None else opener(value)


def _find_opener(kind: type[Any]) -> Callable[[Any], Collection[Any]] | None:
    rules: tuple[tuple[bool, Callable[[Any], Collection[Any]]], ...] = (
        (kind in _COLLECTIONS, _itself),
        (issubclass(kind, dict), dict[Any, Any].values),
        (issubclass(kind, list | tuple | set | frozenset | deque), _first_items),
        (issubclass(kind, UserList | UserDict), _dictionary),
        (hasattr(kind, "__pydantic_fields__"), _fields_of_model),
    )
    found = next((opener for fits, opener in rules if fits), None)
    if found is None and (is_dataclass(kind) or hasattr(kind, "__attrs_attrs__")):
        found = _fields if _slots_of(kind) else _dictionary
    return found


def _itself(value: Any) -> Collection[Any]:
    return value


def _first_items(value: Any) -> Collection[Any]:
    return items_of(value, MAX_NODES + 1) or ()


def _fields(value: Any) -> Collection[Any]:
    return fields_of(value).values()


def _dictionary(value: Any) -> Collection[Any]:
    return object.__getattribute__(value, "__dict__").values()


def _fields_of_model(value: Any) -> Collection[Any]:
    """Return a pydantic model's fields, and those that its class does not name."""
    stored: dict[str, Any] = object.__getattribute__(value, "__dict__")
    more: dict[str, Any] | None = object.__getattribute__(value, "__pydantic_extra__")
    return [*stored.values(), *more.values()] if more else stored.values()
