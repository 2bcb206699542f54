"""Kinds: what a captured value was, where JSON alone does not tell.

A tuple is written as a list, a date as text, an object as its description. An annotation tells them apart, unless it
leaves open what it takes (`Any`, `Sequence[int]`, `str | datetime`, none at all); for those, and for those only, a call
notes the type of an argument that is not plain JSON data.
"""

from __future__ import annotations

import re
from functools import lru_cache
from itertools import chain, islice
from math import isfinite
from typing import TYPE_CHECKING, Any, Final, cast

from mirascope_ops.core.outline import type_name

if TYPE_CHECKING:
    from collections.abc import Iterable

PLAIN_NAMES: Final = frozenset(("str", "bool", "int", "float", "list", "dict", "NoneType"))
"""How types are called whose values JSON holds as they are."""
WITHIN: Final = " of "
"""Stands between the type of a container and the type of what in it is not plain."""
NOT_FINITE: Final = "float (not finite)"
LONG: Final = "int (more than 64 bits)"
KEYS: Final = "dict (with keys that are no text)"

_PLAIN: Final = frozenset((str, bool, type(None)))
_KEY_TYPES: Final = frozenset((str,))
_CONTAINERS: Final = frozenset((list, dict, tuple, set, frozenset))
_MOST: Final = 32 * 1024  # values that are looked at; a bigger one is cut
_DEPTH: Final = 64
_values: Final = dict[Any, Any].values
# Compiled by `re` when a function is traced: a program's start does not wait for it.
_OPEN: Final = r"""\b(?:Any|object|float|Union|Optional|Annotated|[A-Z]\d?)\b
    |\b(?:(?:Mutable)?(?:Sequence|Set|Mapping)|Collection|Iterable|Container|Reversible)\b
    |\b(?:list|dict|tuple|set|frozenset)\b(?!\[)"""


@lru_cache(maxsize=4096)
def is_open(annotation: str | None) -> bool:
    """Tell whether an annotation leaves open what a value is that was captured under it.

    Args:
        annotation: Its text; None where there is none.

    Example:
        >>> is_open("dict[str, Any]"), is_open("str | datetime"), is_open("str | None"), is_open(None)
        (True, True, False, True)
    """
    if annotation is None:
        return True
    members = [member for member in annotation.split("|") if member.strip() not in ("None", "")]
    return len(members) > 1 or re.search(_OPEN, annotation, re.VERBOSE) is not None


def odd(value: Any) -> str | None:
    """Return the type of a value that is not plain JSON data, in words; None for one that is.

    Args:
        value: Anything; none of its code is run.

    Example:
        >>> odd([1, "a", {"b": None}]) is None, odd([1, (2, 3)]), odd(())
        (True, 'list of tuple', 'tuple')
    """
    kind = cast("type[Any]", type(value))
    if kind in _PLAIN:
        return None
    if kind not in _CONTAINERS:
        return _odd_atom(value, kind)
    try:
        inside, outside = _odd_inside(value, kind), _odd_container(value, kind)
    except RuntimeError:  # another thread changes it at this moment
        return None
    if inside is None:
        return outside
    return f"{outside or kind.__name__}{WITHIN}{inside}"


def _odd_atom(value: Any, kind: type[Any]) -> str | None:
    if kind is float:
        return None if value - value == 0 else NOT_FINITE
    if kind is int:
        return None if -(2**63) <= value < 2**64 else LONG
    return type_name(kind)


def _odd_container(value: Any, kind: type[Any]) -> str | None:
    if kind is dict:
        return _odd_keys(value)
    return None if kind is list else kind.__name__


def _odd_keys(keys: Iterable[Any]) -> str | None:
    return None if set(map(type, islice(keys, _MOST))) <= _KEY_TYPES else KEYS


def _odd_inside(value: Any, kind: type[Any]) -> str | None:
    """Return the type of a value inside that is not plain, of those nearest to the surface.

    All values of one depth are looked at together, by calls of C: mostly their types tell.
    """
    level: list[Any] = list(islice(value.values() if kind is dict else value, _MOST + 1))
    looked = depth = 0
    while level:
        looked, depth = looked + len(level), depth + 1
        if looked > _MOST or depth > _DEPTH:  # then it is cut, or holds itself
            return None
        below: list[Any] = []
        for inner in dict.fromkeys(map(type, level)):  # not a set: the same words in every run
            if inner in _PLAIN:
                continue
            some = [item for item in level if type(item) is inner]
            found = _odd_among(some, inner)
            if found is not None:
                return found
            if inner is dict:
                below += islice(chain.from_iterable(map(_values, some)), _MOST + 1)
            elif inner is list:
                below += islice(chain.from_iterable(some), _MOST + 1)
        level = below
    return None


def _odd_among(some: list[Any], kind: type[Any]) -> str | None:
    """Return the words for values of one type if one of them is not plain."""
    if kind is dict:
        return _odd_keys(chain.from_iterable(some))
    if kind is list:
        return None
    if kind is float:
        total = sum(some)
        return None if total - total == 0 or all(map(isfinite, some)) else NOT_FINITE
    if kind is int:
        return None if min(some) >= -(2**63) and max(some) < 2**64 else LONG
    return kind.__name__ if kind in _CONTAINERS else type_name(kind)
