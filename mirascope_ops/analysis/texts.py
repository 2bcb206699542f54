"""Columns that take less room than a list: text in an Arrow array, ints in a machine's array, one value many times.

They read like lists of the same values. A million prompts as Python strings behind a list are a million objects; packed
they are two, and what a table is made of without another look at them.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Sequence
from itertools import repeat
from operator import is_, itemgetter
from typing import Any, Self, overload

from mirascope_ops._optional import require

Column = Sequence[Any]


class Texts(Sequence[str | None]):
    """Text in an Arrow array.

    Args:
        packed: A chunked array of large strings.
    """

    def __init__(self, packed: Any) -> None:
        self.packed = packed

    def __len__(self) -> int:
        return len(self.packed)

    @overload
    def __getitem__(self, index: int) -> str | None: ...
    @overload
    def __getitem__(self, index: slice) -> Self: ...
    def __getitem__(self, index: int | slice) -> str | Self | None:
        if isinstance(index, slice):
            start, stop, step = index.indices(len(self))
            if step == 1:
                return type(self)(self.packed.slice(start, max(0, stop - start)))
            return self.take(range(start, stop, step))
        return self.packed[range(len(self))[index]].as_py()

    def __iter__(self) -> Iterator[str | None]:
        for chunk in self.packed.chunks:
            # numpy makes the strings in a quarter of the time that Arrow takes for it.
            yield from chunk.to_numpy(zero_copy_only=False).tolist()

    def take(self, places: Sequence[int]) -> Self:
        """Give the texts at these places."""
        return type(self)(self.packed.take(require("numpy", extra="notebook").array(places, dtype="int64")))


class Same(Sequence[Any]):
    """One value many times.

    Args:
        value: The value.
        number: How many times.
    """

    def __init__(self, value: Any, number: int) -> None:
        self.value = value
        self._number = number

    def __len__(self) -> int:
        return self._number

    @overload
    def __getitem__(self, index: int) -> Any: ...
    @overload
    def __getitem__(self, index: slice) -> Self: ...
    def __getitem__(self, index: int | slice) -> Any:
        places = range(self._number)[index]
        return type(self)(self.value, len(places)) if isinstance(places, range) else self.value

    def __iter__(self) -> Iterator[Any]:
        return repeat(self.value, self._number)


def packed(values: Sequence[str | None]) -> Any:
    """Put text into an Arrow array of large strings; None where there is a lone surrogate, which no file can hold."""
    pa = require("pyarrow", extra="notebook")
    try:
        return pa.array(values, pa.large_string())
    except UnicodeEncodeError:
        return None


def compact(values: Column) -> Column:
    """Give the same values in less room, where they are all the same or all ints of 64 bits."""
    if not values or not isinstance(values, list):
        return values
    first, last = values[0], values[-1]
    if type(first) is int:
        try:
            return array("q", values)
        except (OverflowError, TypeError):
            return values  # too large, or there is None among them
    if last is not first and (type(first) is not str or last != first):
        return values
    same = values.count(first) if type(first) is str else sum(map(is_, values, repeat(first)))
    return Same(first, same) if same == len(values) else values


def take(values: Column, places: Sequence[int]) -> Column:
    """Give the values at these places."""
    if isinstance(values, Same):
        return Same(values.value, len(places))
    if isinstance(values, Texts):
        return values.take(places)
    found = itemgetter(*places)(values) if len(places) > 1 else [values[place] for place in places]
    return array("q", found) if isinstance(values, array) else list(found)
