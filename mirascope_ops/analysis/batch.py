"""Spans on the way from a store to rows and tables, column by column.

A table of a hundred thousand spans needs thirty-five columns and not one row, so what a store holds is read into
columns first; rows are made of these where somebody asks for rows.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mirascope_ops.store import codec

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from mirascope_ops.store.records import SpanRecord

_ATTRIBUTES = codec.SPAN_COLUMNS.index("attributes")
_EVENTS = codec.SPAN_COLUMNS.index("events")
_LINKS = codec.SPAN_COLUMNS.index("links")
BATCH = 4096


@dataclass(frozen=True, slots=True)
class Batch:
    """Some spans of a store.

    Attributes:
        told: For each of `codec.SPAN_COLUMNS` its values; events and links as records.
        attributes: The spans' attributes.
        texts: The attributes as JSON text where the store keeps them so.
        record: Gives the span at a place as a record.
    """

    told: Sequence[Sequence[Any]]
    attributes: Sequence[Mapping[str, Any]]
    texts: Sequence[str | None] | None
    record: Callable[[int], SpanRecord]

    def __len__(self) -> int:
        return len(self.attributes)


def batches_of_records(records: Sequence[SpanRecord]) -> Iterator[Batch]:
    """Take spans that are records already, some at a time."""
    for first in range(0, len(records), BATCH):
        yield batch_of_records(records[first : first + BATCH])


def batch_of_records(records: Sequence[SpanRecord]) -> Batch:
    """Take some spans that are records already."""
    told = _columns(records)
    return Batch(told, told[_ATTRIBUTES], None, records.__getitem__)


def batch_of_rows(rows: Sequence[codec.Row]) -> Batch:
    """Take spans as a file keeps them (`codec.span_row`), which keeps attributes, events and links as text.

    The text of the attributes goes into a table as it is.
    """
    told = _columns(rows)
    texts: Sequence[str | None] = told[_ATTRIBUTES]
    decode = codec.decode
    attributes: list[Mapping[str, Any]] = [decode(text) if text else {} for text in texts]
    told[_EVENTS] = [codec.events_of(text) if text else () for text in told[_EVENTS]]
    told[_LINKS] = [codec.links_of(text) if text else () for text in told[_LINKS]]

    def record(place: int) -> SpanRecord:
        return codec.span_of(rows[place], {})

    return Batch(told, attributes, texts, record)


def _columns(rows: Sequence[tuple[Any, ...]]) -> list[Sequence[Any]]:
    # Batches are small, so that the rows stay in the processor's cache while they are turned round.
    columns: list[Sequence[Any]] = list(zip(*rows, strict=False))
    return columns[: len(codec.SPAN_COLUMNS)] if rows else [()] * len(codec.SPAN_COLUMNS)
