"""Columns that take less room than a list: text in an Arrow array, ints in a machine's array, one value (`Same`).

They read like lists of the same values. A million prompts as Python strings behind a list are a million objects; packed
they are two, and what a table is made of without another look at them.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator, MutableSequence, Sequence
from operator import itemgetter
from typing import TYPE_CHECKING, Any, Self, overload

from mirascope_ops._optional import require
from mirascope_ops.store.same import Same, shared

if TYPE_CHECKING:
    from mirascope_ops.store.digits import Digits

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


def packed(values: Sequence[str | None]) -> Any:
    """Put text into an Arrow array of large strings; None where there is a lone surrogate, which no file can hold."""
    pa = require("pyarrow", extra="notebook")
    try:
        # Arrow's own pool clears pages anew for what it had before, which takes longer than all the rest.
        return pa.array(values, pa.large_string(), memory_pool=pa.system_memory_pool())
    except UnicodeEncodeError:
        return None


def packed_digits(values: Digits) -> Any:
    """Put ids into an Arrow array of large strings."""
    pa, np = require("pyarrow", extra="notebook"), require("numpy", extra="notebook")
    number = len(values)
    ends = np.arange(number + 1, dtype="int64") * values.width
    told = None
    if values.missing:
        is_told = np.ones(number, dtype="bool")
        is_told[values.missing] = False
        told = pa.py_buffer(np.packbits(is_told, bitorder="little"))
    data = pa.py_buffer(bytes(values.data))
    return pa.LargeStringArray.from_buffers(number, pa.py_buffer(ends), data, told, len(values.missing))


def compact(values: Column) -> Column:
    """Give the same values in less room, where they are all the same or all ints of 64 bits."""
    if not values or not isinstance(values, (list, tuple)):
        return values
    if type(values[0]) is int:
        try:
            return array("q", values)
        except (OverflowError, TypeError):
            return values  # too large, or there is None among them
    same = shared(values)
    return values if same is None else same


def take(values: Column, places: Sequence[int]) -> Column:
    """Give the values at these places."""
    if isinstance(values, Same):
        return Same(values.value, len(places))
    if isinstance(values, Texts):
        return values.take(places)
    found = itemgetter(*places)(values) if len(places) > 1 else [values[place] for place in places]
    return array("q", found) if isinstance(values, array) else list(found)


def writable(columns: MutableSequence[Column], slot: int) -> list[Any]:
    """Give one of several columns as a list, which takes the column's place."""
    column = columns[slot]
    if not isinstance(column, list):
        column = columns[slot] = list(column)
    return column
