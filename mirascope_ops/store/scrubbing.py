"""Bytes of deleted rows that SQLite leaves in its pages, overwritten.

`PRAGMA secure_delete` overwrites what is deleted where it stands. But a row that was moved from page to page before, as
happens whenever a page overflows, leaves a copy in the gap between a page's list of cells and its first cell, which
SQLite never reads nor clears. So after a deletion the gaps of all pages are filled with zeros, in the file itself: to
whoever reads the database it is the same before and after.

The format is https://www.sqlite.org/fileformat2.html, sections 1.2 (header), 1.5 (pointer maps), 1.6 (b-tree pages).
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_FILE_HEADER: Final = 100
_LEAVES: Final = (10, 13)  # of an index, of a table
_INNER: Final = (2, 5)
# Pages of long texts and of free pages begin with the number of another page, of which the first byte is 0.
_KINDS: Final = frozenset((*_LEAVES, *_INNER))
_PENDING_BYTE: Final = 0x40000000  # the page that holds it is never used
_POINTER: Final = 5  # bytes of an entry in a pointer map


class Scrubber:
    """Clears the gaps of one file's pages.

    The file is opened once and stays open for as long as the process lives: closing it would drop the locks that SQLite
    holds on it in this process.

    Args:
        path: The database.
    """

    _descriptors: Final[dict[tuple[int, int], int]] = {}

    def __init__(self, path: Path) -> None:
        status = path.stat()
        place = status.st_dev, status.st_ino
        if place not in self._descriptors:
            self._descriptors[place] = os.open(path, os.O_RDWR | getattr(os, "O_BINARY", 0))
        self._file = self._descriptors[place]
        header = os.pread(self._file, _FILE_HEADER, 0)
        self._page_size = int.from_bytes(header[16:18], "big")
        if self._page_size == 1:
            self._page_size = 65536
        self._usable = self._page_size - header[20]
        self._has_pointer_maps = any(header[52:56])
        self.pages = os.fstat(self._file).st_size // self._page_size

    def clear(self, first: int, last: int) -> int:
        """Clear the gaps of the pages first to last - 1, counted from 1; nobody may write, and the log be empty.

        Returns:
            How many pages had something in theirs.
        """
        content = os.pread(self._file, (last - first) * self._page_size, (first - 1) * self._page_size)
        cleared = 0
        for number in range(first, first + len(content) // self._page_size):
            page = (number - first) * self._page_size
            if (content[page] not in _KINDS and number != 1) or self._is_pointer_map(number):
                continue
            begin, end = self._gap(number, content, page)
            zeros = bytes(max(0, end - begin))
            if content[page + begin : page + end] != zeros:
                os.pwrite(self._file, zeros, (number - 1) * self._page_size + begin)
                cleared += 1
        if cleared:
            os.fsync(self._file)
        return cleared

    def _gap(self, number: int, content: bytes, page: int) -> tuple[int, int]:
        """Where the unused middle of a page begins and ends, counted from its beginning at `page` of `content`."""
        header = page + (_FILE_HEADER if number == 1 else 0)
        kind = content[header]
        cells = int.from_bytes(content[header + 3 : header + 5], "big")
        first_cell = int.from_bytes(content[header + 5 : header + 7], "big") or 65536
        end_of_list = header - page + (8 if kind in _LEAVES else 12) + 2 * cells
        return (end_of_list, first_cell) if kind in _KINDS and end_of_list <= first_cell <= self._usable else (0, 0)

    def _is_pointer_map(self, number: int) -> bool:
        if not self._has_pointer_maps or number == 1:
            return False
        mapped = self._usable // _POINTER + 1
        first = (number - 2) // mapped * mapped + 2
        if first == _PENDING_BYTE // self._page_size + 1:
            first += 1
        return number == first


def ranges(pages: int, most: int) -> Iterator[tuple[int, int]]:
    """Divide pages, counted from 1, into ranges of no more than so many.

    Example:
        >>> list(ranges(5, 2))
        [(1, 3), (3, 5), (5, 6)]
    """
    return ((first, min(first + most, pages + 1)) for first in range(1, pages + 1, most))
