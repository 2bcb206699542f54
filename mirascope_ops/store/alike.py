"""Spans with the same attribute keys, whose values are read key by key.

The spans of one program have few sets of keys. What has to be found out about a set is found out once, and a column of
values costs a fraction of as many look-ups.
"""

from __future__ import annotations

from operator import itemgetter
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


class Alike:
    """Some spans of a batch that have the same attribute keys, in the same order.

    Args:
        keys: The keys.
        places: Where in the batch the spans are, ascending.
        columns: For each key the spans' values; or nothing, where `mappings` has them.
        mappings: The spans' attributes; made of the columns where None.

    Example:
        >>> some = Alike(("a",), [0, 2], mappings=[{"a": 1}, {"a": 2}])
        >>> some.values("a")
        [1, 2]
    """

    __slots__ = ("_columns", "_mappings", "keys", "places")

    def __init__(
        self,
        keys: tuple[str, ...],
        places: Sequence[int],
        columns: Mapping[str, Sequence[Any]] | None = None,
        mappings: Sequence[Mapping[str, Any]] | None = None,
    ) -> None:
        self.keys = keys
        self.places = places
        self._columns: dict[str, Sequence[Any]] = dict(columns or {})
        self._mappings = mappings

    def __len__(self) -> int:
        return len(self.places)

    def values(self, key: str) -> Sequence[Any]:
        """Give the spans' values under a key that they have."""
        found = self._columns.get(key)
        if found is None:
            found = self._columns[key] = list(map(itemgetter(key), self.mappings()))
        return found

    def mappings(self) -> Sequence[Mapping[str, Any]]:
        """Give the spans' attributes."""
        if self._mappings is None:
            values = zip(*(self._columns[key] for key in self.keys), strict=True) if self.keys else [()] * len(self)
            self._mappings = [dict(zip(self.keys, each, strict=True)) for each in values]
        return self._mappings


def by_keys(attributes: Sequence[Mapping[str, Any]]) -> list[Alike]:
    """Group spans by their attribute keys.

    Args:
        attributes: The attributes of a batch's spans.

    Example:
        >>> [each.keys for each in by_keys([{"a": 1}, {"b": 1}, {"a": 2}])]
        [('a',), ('b',)]
    """
    keys = list(map(tuple, attributes))
    if keys and keys.count(keys[0]) == len(keys):
        return [Alike(keys[0], range(len(keys)), mappings=attributes)]
    groups: dict[tuple[str, ...], list[int]] = {}
    for place, found in enumerate(keys):
        group = groups.get(found)
        if group is None:
            groups[found] = [place]
        else:
            group.append(place)
    return [Alike(found, places, mappings=[attributes[place] for place in places]) for found, places in groups.items()]
