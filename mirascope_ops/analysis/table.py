"""Spans column by column, of which rows are made when somebody looks at one.

A row for each span costs more than all that a table of the spans needs. So what a store gave stays in columns, and most
questions (a DataFrame, a file, a choice by a column) are answered from these.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from operator import itemgetter
from typing import Any, Final, NamedTuple, cast, overload

from mirascope_ops._optional import require
from mirascope_ops.analysis.rows import SLOT, SpanRow
from mirascope_ops.analysis.texts import Column, Texts, compact, take
from mirascope_ops.store import codec

# What stands in the columns as the text that the store keeps, and how a row's value is made of it.
ENCODED: Final[dict[str, Callable[[Any], Any]]] = {
    "attributes": codec.decode,
    "events": codec.events_of,
    "links": codec.links_of,
}
_AT_ONCE: Final = 2048
_FEW: Final = 4096  # spans of which all rows are made at once where one is asked for

make_row: Callable[[tuple[Any, ...]], SpanRow] = partial(cast("Any", tuple).__new__, SpanRow)
"""As `SpanRow._make`, without a frame for each row."""


class SpanTable(Sequence[SpanRow]):
    """An immutable sequence of spans that holds columns until all its rows are asked for, then the rows.

    Args:
        columns: For each field of `SpanRow` its values; attributes, events and links as the text that a store keeps.

    Example:
        >>> len(SpanTable([[] for _ in SpanRow._fields]))
        0
    """

    def __init__(self, columns: Sequence[Column]) -> None:
        self._columns: Sequence[Column] | None = columns
        self._rows: list[SpanRow] = []
        self._number = len(columns[0])

    def __len__(self) -> int:
        return self._number

    @overload
    def __getitem__(self, index: int) -> SpanRow: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[SpanRow]: ...
    def __getitem__(self, index: int | slice) -> SpanRow | Sequence[SpanRow]:
        columns = self._columns
        if columns is None or (isinstance(index, int) and self._number <= _FEW):
            return self.rows()[index]
        if isinstance(index, slice):
            return SpanTable([column[index] for column in columns])
        place = range(self._number)[index]
        return _rows([column[place : place + 1] for column in columns])[0]

    def __iter__(self) -> Iterator[SpanRow]:
        return iter(self.rows())

    @property
    def columns(self) -> Sequence[Column] | None:
        """The columns; None where rows were made of them."""
        return self._columns

    def rows(self) -> list[SpanRow]:
        """Give all rows; they take the place of the columns."""
        # Another thread may do the same meanwhile: who finds no columns finds rows.
        columns = self._columns
        if columns is not None:
            self._rows = _rows(columns)
            self._columns = None
        return self._rows

    def take(self, places: Sequence[int]) -> Sequence[SpanRow]:
        """Give the spans at these places."""
        columns = self._columns
        if columns is None:
            rows = self._rows
            return [rows[place] for place in places]
        return SpanTable([take(column, places) for column in columns])


def few_spans_at(spans: Sequence[SpanRow], places: Sequence[int]) -> Sequence[SpanRow]:
    """Give the spans at these places, which are few and ascend: of text in many parts, only those are looked at."""
    columns = spans.columns if isinstance(spans, SpanTable) else None
    if columns is None:
        return [spans[place] for place in places]
    return SpanTable([_few_of(column, places) for column in columns])


def _few_of(column: Column, places: Sequence[int]) -> Column:
    """Take of each part: Arrow would put all of them together first."""
    if not isinstance(column, Texts) or column.packed.num_chunks <= 1:
        return take(column, places)
    np = require("numpy", extra="notebook")
    wanted = np.array(places, dtype=np.int64)
    parts: list[Any] = column.packed.chunks
    ends = np.cumsum([len(part) for part in parts])
    cuts = np.searchsorted(wanted, ends)
    found = [
        part.take(wanted[first:last] - (end - len(part)))
        for part, first, last, end in zip(parts, [0, *cuts[:-1].tolist()], cuts.tolist(), ends.tolist(), strict=True)
        if last > first
    ]
    return Texts(require("pyarrow", extra="notebook").chunked_array(found, type=column.packed.type))


class Told(NamedTuple):
    """The columns of some spans; where `encoded`, those of `ENCODED` are text."""

    columns: Sequence[Column]
    encoded: bool


def told_by(spans: Sequence[SpanRow]) -> Told:
    """Give the columns of spans, whatever holds them."""
    columns = spans.columns if isinstance(spans, SpanTable) else None
    if columns is not None:
        return Told(columns, encoded=True)
    found: list[list[Any]] = [[] for _ in SLOT]
    for first in range(0, len(spans), _AT_ONCE):
        # Few rows at a time, so that they stay in the processor's cache while they are turned round.
        for column, more in zip(found, zip(*spans[first : first + _AT_ONCE], strict=True), strict=True):
            column.extend(more)
    return Told(list(map(compact, found)), encoded=False)


def chosen_spans(spans: Sequence[SpanRow], test: Callable[..., object], *fields: str) -> Sequence[SpanRow]:
    """Give the spans that pass a test of some of their fields.

    Args:
        spans: The spans.
        test: A function of these fields.
        *fields: Their names.

    Example:
        >>> chosen_spans([], lambda kind: kind == "llm", "kind")
        []
    """
    columns = spans.columns if isinstance(spans, SpanTable) else None
    if columns is None or not ENCODED.keys().isdisjoint(fields):
        values: list[Iterable[Any]] = [map(itemgetter(SLOT[name]), spans) for name in fields]
    else:
        values = [columns[SLOT[name]] for name in fields]
    places = [place for place, told in enumerate(zip(*values, strict=True)) if test(*told)]
    return spans if len(places) == len(spans) else spans_at(spans, places)


def spans_at(spans: Sequence[SpanRow], places: Sequence[int]) -> Sequence[SpanRow]:
    """Give the spans at these places."""
    return spans.take(places) if isinstance(spans, SpanTable) else [spans[place] for place in places]


def _rows(columns: Sequence[Column]) -> list[SpanRow]:
    """Make rows of columns."""
    whole: list[Any] = list(columns)
    for name, read in ENCODED.items():
        whole[SLOT[name]] = map(read, columns[SLOT[name]])
    return list(map(make_row, zip(*whole, strict=True)))
