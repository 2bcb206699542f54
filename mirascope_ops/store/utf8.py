"""Text as it goes into files and arrays, in UTF-8: a column of it that becomes `str` where somebody reads it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Self, overload


class Utf8(Sequence[str | None]):
    """Text in UTF-8, which reads like a list of `str`.

    Args:
        data: The bytes of each, None where there is no text.

    Example:
        >>> list(Utf8([b"a", None]))
        ['a', None]
    """

    __slots__ = ("data",)

    def __init__(self, data: list[bytes | None]) -> None:
        self.data = data

    def __len__(self) -> int:
        return len(self.data)

    @overload
    def __getitem__(self, index: int) -> str | None: ...
    @overload
    def __getitem__(self, index: slice) -> Self: ...
    def __getitem__(self, index: int | slice) -> str | Self | None:
        if isinstance(index, slice):
            return type(self)(self.data[index])
        found = self.data[index]
        return None if found is None else found.decode()

    def __iter__(self) -> Iterator[str | None]:
        return (None if each is None else each.decode() for each in self.data)

    def __contains__(self, value: object) -> bool:
        return (value.encode("utf-8", "surrogatepass") if isinstance(value, str) else value) in self.data
