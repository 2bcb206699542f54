"""Rows read from the pages of a damaged database, where SQLite itself finds no way to them.

SQLite reaches a row through its table's name, the tree's root and the inner pages below it. Where one of these is
damaged, the rows below are whole, and lost to it. A page that holds rows can be known for itself, and its rows told by
how many columns they have.

The format is https://www.sqlite.org/fileformat2.html, sections 1.6 (b-tree pages), 2.1 (records) and 4 (the log).
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_PAGE: Final = 4096  # as every store has it: the header that would say so may be damaged
_FILE_HEADER: Final = 100
_TABLE_LEAF: Final = 13
_LOG_HEADER, _FRAME_HEADER = 32, 24
_INTEGERS: Final = {1: 1, 2: 2, 3: 3, 4: 4, 5: 6, 6: 8}  # serial type: bytes
_FLOAT, _ZERO, _ONE, _TEXTS = 7, 8, 9, 12
_LONGEST: Final = 9  # bytes of a number of variable length
_MOST_COLUMNS: Final = 64


def rows(database: Path) -> Iterator[tuple[int, list[Any]]]:
    """Read the rows of all tables, in the order of the pages.

    Args:
        database: The file; what its log adds is taken too.

    Yields:
        A row's id and its values; texts that are cut off by damage as far as they go, what is missing as None.
    """
    pages = _pages(database)
    for number in sorted(pages):
        page = pages[number]
        begin = _FILE_HEADER if number == 1 else 0
        if page[begin] != _TABLE_LEAF:
            continue
        for index in range(int.from_bytes(page[begin + 3 : begin + 5], "big")):
            place = begin + 8 + 2 * index
            cell = int.from_bytes(page[place : place + 2], "big")
            try:
                found = _row(pages, page, cell)
            except (IndexError, ValueError, struct.error):  # this one cell is damaged
                continue
            if found is not None:
                yield found


def _pages(database: Path) -> dict[int, bytes]:
    content = database.read_bytes()
    pages = {at // _PAGE + 1: content[at : at + _PAGE] for at in range(0, len(content) - _PAGE + 1, _PAGE)}
    log = database.with_name(database.name + "-wal")
    if log.exists():
        content = log.read_bytes()
        salts = content[16:24]
        for at in range(_LOG_HEADER, len(content) - _FRAME_HEADER - _PAGE + 1, _FRAME_HEADER + _PAGE):
            if content[at + 8 : at + 16] != salts:
                break  # from an earlier round of the log
            body = at + _FRAME_HEADER
            pages[int.from_bytes(content[at : at + 4], "big")] = content[body : body + _PAGE]
    return pages


def _row(pages: dict[int, bytes], page: bytes, cell: int) -> tuple[int, list[Any]] | None:
    size, cell = _number(page, cell)
    row_id, cell = _number(page, cell)
    payload = _payload(pages, page, cell, size)
    header, at = _number(payload, 0)
    types: list[int] = []
    while at < header:
        kind, at = _number(payload, at)
        types.append(kind)
        if len(types) > _MOST_COLUMNS:
            return None
    return row_id, list(_values(payload, header, types))


def _payload(pages: dict[int, bytes], page: bytes, at: int, size: int) -> bytes:
    """Gather a row's bytes, of which long ones go on in a chain of pages."""
    most = _PAGE - 35
    if size <= most:
        return page[at : at + size]
    least = (_PAGE - 12) * 32 // 255 - 23
    local = least + (size - least) % (_PAGE - 4)
    if local > most:
        local = least
    parts = [page[at : at + local]]
    following = int.from_bytes(page[at + local : at + local + 4], "big")
    left = size - local
    while left > 0 and following in pages:
        more = pages[following]
        parts.append(more[4 : 4 + left])
        left -= _PAGE - 4
        following = int.from_bytes(more[:4], "big")
    return b"".join(parts)


def _values(payload: bytes, at: int, types: list[int]) -> Iterator[Any]:
    for kind in types:
        if kind in _INTEGERS:
            size = _INTEGERS[kind]
            yield int.from_bytes(payload[at : at + size], "big", signed=True) if at + size <= len(payload) else None
        elif kind == _FLOAT:
            size = 8
            yield struct.unpack(">d", payload[at : at + size])[0]
        elif kind >= _TEXTS:
            size = (kind - _TEXTS) // 2
            data = payload[at : at + size]
            yield (data.decode("utf-8", "replace") if kind % 2 else data) if data or not size else None
        else:
            size = 0
            yield {_ZERO: 0, _ONE: 1}.get(kind)
        at += size


def _number(data: bytes, at: int) -> tuple[int, int]:
    """Read a number of variable length; returns it and where it ends."""
    value = 0
    for index in range(_LONGEST):
        byte = data[at + index]
        if index == _LONGEST - 1:
            value = value << 8 | byte
        else:
            value = value << 7 | byte & 0x7F
            if byte < 0x80:  # noqa: PLR2004 - the bit that says that more follows
                return value, at + index + 1
    return value - (1 << 64) if value >= 1 << 63 else value, at + _LONGEST
