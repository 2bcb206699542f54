"""A column in which one value stands many times."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import repeat
from operator import is_
from typing import Any, Self, overload


class Same(Sequence[Any]):
    """One value many times.

    Args:
        value: The value.
        number: How many times.

    Example:
        >>> list(Same("a", 3)), Same("a", 3)[1:]
        (['a', 'a', 'a'], Same('a', 2))
    """

    __slots__ = ("_number", "value")

    def __init__(self, value: Any, number: int) -> None:
        self.value = value
        self._number = number

    def __repr__(self) -> str:
        return f"Same({self.value!r}, {self._number})"

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

    def __contains__(self, value: object) -> bool:
        return self._number > 0 and (self.value is value or self.value == value)

    def count(self, value: Any) -> int:
        """Tell how often a value stands here."""
        return self._number if value in self else 0


def shared(values: Sequence[Any]) -> Same | None:
    """Give values that are one and the same object, or equal text, as what they are; None where they differ.

    Example:
        >>> shared(["a", "a"]), shared([1, True])
        (Same('a', 2), None)
    """
    if isinstance(values, Same):
        return values
    if not values:
        return None
    first, number = values[0], len(values)
    if values[-1] is not first and (type(first) is not str or values[-1] != first):
        return None
    # Text that is equal is the same, and where a class does not say what equal is, only the object itself is.
    plain = type(first) is str or type(first).__eq__ is object.__eq__
    same = values.count(first) == number if plain else all(map(is_, values, repeat(first)))
    return Same(first, number) if same else None
