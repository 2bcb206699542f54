"""Ids of one length, as one text: a column of them without a string for each."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Final, Self, overload

TRACE_DIGITS: Final = 32
SPAN_DIGITS: Final = 16
"""How many hexadecimal digits OpenTelemetry's ids have."""


class Digits(Sequence[str | None]):
    """Ids that have the same number of digits.

    Args:
        data: All digits, in ASCII.
        width: How many an id has.
        missing: The places where there is no id, ascending; digits stand there all the same.

    Example:
        >>> list(Digits(b"0a0b00", 2, [2]))
        ['0a', '0b', None]
    """

    __slots__ = ("data", "missing", "width")

    def __init__(self, data: bytes | bytearray, width: int, missing: Iterable[int] = ()) -> None:
        self.data = bytearray(data)
        self.width = width
        self.missing = list(missing)

    def __len__(self) -> int:
        return len(self.data) // self.width

    @overload
    def __getitem__(self, index: int) -> str | None: ...
    @overload
    def __getitem__(self, index: slice) -> list[str | None]: ...
    def __getitem__(self, index: int | slice) -> str | list[str | None] | None:
        if isinstance(index, slice):
            return list(self)[index]
        place = range(len(self))[index]
        return None if place in self.missing else self.data[place * self.width : (place + 1) * self.width].decode()

    def __iter__(self) -> Iterator[str | None]:
        text, width = self.data.decode(), self.width
        found: list[str | None] = [text[first : first + width] for first in range(0, len(text), width)]
        for place in self.missing:
            found[place] = None
        return iter(found)

    def __contains__(self, value: object) -> bool:
        if value is None:
            return bool(self.missing)
        return isinstance(value, str) and len(value) == self.width and value in iter(self)

    def extend(self, more: Self) -> None:
        """Add others of the same width."""
        first = len(self)
        self.missing += [first + place for place in more.missing]
        self.data += more.data
