"""Spans with the same attribute keys, whose values are read key by key.

The spans of one program have few sets of keys. What has to be found out about a set is found out once, and a column of
values costs a fraction of as many look-ups.
"""

from __future__ import annotations

from collections import defaultdict
from operator import itemgetter
from typing import TYPE_CHECKING, Any

from mirascope_ops.store.same import Same, shared

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence


class Alike:
    """Some spans of a batch that have the same attribute keys, in the same order.

    Args:
        keys: The keys.
        places: Where in the batch the spans are, ascending.
        columns: For each key the spans' values; or nothing, where `mappings` has them.
        mappings: The spans' attributes; made of the columns where None.
        plain: What makes values those that a file would give back, where they may be others.

    Example:
        >>> some = Alike(("a",), [0, 2], mappings=[{"a": 1}, {"a": 2}])
        >>> some.values("a")
        [1, 2]
    """

    __slots__ = ("_columns", "_mappings", "_plain", "keys", "places")

    def __init__(
        self,
        keys: tuple[str, ...],
        places: Sequence[int],
        columns: Mapping[str, Sequence[Any]] | None = None,
        mappings: Sequence[Mapping[str, Any]] | None = None,
        plain: Callable[[Sequence[Any]], Sequence[Any]] | None = None,
    ) -> None:
        self.keys = keys
        self.places = places
        self._columns: dict[str, Sequence[Any]] = dict(columns or {})
        self._mappings = mappings
        self._plain = plain

    def __len__(self) -> int:
        return len(self.places)

    def values(self, key: str) -> Sequence[Any]:
        """Give the spans' values under a key that they have."""
        found = self._columns.get(key)
        if found is None:
            told = list(map(itemgetter(key), self._mappings or ()))
            # What all have in common, such as the name of a model, is looked at once.
            one = shared(told)
            if one is not None:
                found = one if self._plain is None else Same(self._plain([one.value])[0], len(told))
            else:
                found = told if self._plain is None else self._plain(told)
            self._columns[key] = found
        return found

    def mappings(self) -> Sequence[Mapping[str, Any]]:
        """Give the spans' attributes."""
        if self._mappings is None or self._plain is not None:
            columns = [self.values(key) for key in self.keys]
            values = zip(*columns, strict=True) if columns else [()] * len(self)
            self._mappings, self._plain = [dict(zip(self.keys, each, strict=True)) for each in values], None
        return self._mappings


def by_keys(
    attributes: Sequence[Mapping[str, Any]], plain: Callable[[Sequence[Any]], Sequence[Any]] | None = None
) -> list[Alike]:
    """Group spans by their attribute keys.

    Args:
        attributes: The attributes of a batch's spans.
        plain: What makes values those that a file would give back, where they may be others.

    Example:
        >>> [each.keys for each in by_keys([{"a": 1}, {"b": 1}, {"a": 2}])]
        [('a',), ('b',)]
    """
    found = list(map(tuple, attributes))
    if found and found[-1] == found[0] and found.count(found[0]) == len(found):
        return [Alike(found[0], range(len(found)), mappings=attributes, plain=plain)]
    places: defaultdict[tuple[str, ...], list[int]] = defaultdict(list)
    for place, keys in enumerate(found):
        places[keys].append(place)
    return [
        Alike(keys, some, mappings=[attributes[place] for place in some], plain=plain) for keys, some in places.items()
    ]
