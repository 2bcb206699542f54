"""Spans on the way from a store to rows and tables, column by column.

The spans of one program repeat few sets of attribute keys, so reading a column of many such spans at once costs less
than reading each span by itself; rows are made of the columns at the end.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mirascope_ops.store import codec

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from mirascope_ops.store.records import SpanRecord

_ATTRIBUTES = codec.SPAN_COLUMNS.index("attributes")
BATCH = 4096


@dataclass(frozen=True, slots=True)
class Batch:
    """Some spans of a store.

    Attributes:
        told: For each of `codec.SPAN_COLUMNS` its values; events and links as records.
        attributes: The spans' attributes.
        record: Gives the span at a place as a record.
    """

    told: Sequence[Sequence[Any]]
    attributes: Sequence[Mapping[str, Any]]
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
    return Batch(told, told[_ATTRIBUTES], records.__getitem__)


def _columns(rows: Sequence[tuple[Any, ...]]) -> list[Sequence[Any]]:
    # Batches are small, so that the rows stay in the processor's cache while they are turned round.
    columns: list[Sequence[Any]] = list(zip(*rows, strict=False))
    return columns[: len(codec.SPAN_COLUMNS)] if rows else [()] * len(codec.SPAN_COLUMNS)
