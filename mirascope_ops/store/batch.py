"""Spans on the way out of a store, column by column.

A record for each span costs more than all else on the way to a table, most of it in the collector of cycles that walks
through a hundred thousand of them. So a store gives many spans at once as the columns in which it holds them; of a
batch a few thousand, so that what it is made of stays in the processor's cache.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from mirascope_ops.store import codec
from mirascope_ops.store.records import SpanRecord

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, MutableMapping, Sequence

BATCH: Final = 2048

_SAMPLED, _RESOURCE, _ATTRIBUTES, _EVENTS, _LINKS = (
    codec.SPAN_COLUMNS.index(name) for name in ("sampled", "resource", "attributes", "events", "links")
)
# Text of which many spans have the same: kept once, however many rows a file has it in.
_REPEATED: Final = tuple(
    codec.SPAN_COLUMNS.index(name)
    for name in (
        "name", "span_kind", "status", "status_message", "session_id", "run_id", "session_attributes", "cell_id",
        "notebook", "service", "scope",
    )
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class SpanBatch:
    """Some spans of a store.

    Attributes:
        columns: For each of `codec.SPAN_COLUMNS` the spans' values, as `SpanRecord` has them; where `encoded`,
            attributes, events and links are the text that the store keeps, None where there are none.
        attributes: The spans' attributes.
        encoded: Whether attributes, events and links are text.
    """

    columns: Sequence[Sequence[Any]]
    attributes: Sequence[Mapping[str, Any]]
    encoded: bool

    def __len__(self) -> int:
        return len(self.attributes)

    def record(self, place: int) -> SpanRecord:
        """Give the span at a place as a record."""
        values = [column[place] for column in self.columns]
        values[_ATTRIBUTES] = self.attributes[place]
        if self.encoded:
            values[_EVENTS], values[_LINKS] = codec.events_of(values[_EVENTS]), codec.links_of(values[_LINKS])
        return SpanRecord._make(values)


def batches_of_records(records: Sequence[SpanRecord]) -> Iterator[SpanBatch]:
    """Take spans that are records, some at a time; their attributes, events and links stay as they are.

    Example:
        >>> list(batches_of_records([]))
        []
    """
    for first in range(0, len(records), BATCH):
        columns = _turned(records[first : first + BATCH])
        yield SpanBatch(columns, columns[_ATTRIBUTES], encoded=False)


def batch_of_kept_records(records: Sequence[SpanRecord], resources: codec.Resources) -> SpanBatch:
    """Take records as a file would give them back, encoded.

    Args:
        records: The records, their columns such as a file keeps them.
        resources: Resources that were read before.
    """
    columns = _turned(records)
    columns[_RESOURCE] = list(map(resources.read, columns[_RESOURCE]))
    attributes = list(map(codec.plain, columns[_ATTRIBUTES]))
    for place in (_ATTRIBUTES, _EVENTS, _LINKS):
        columns[place] = [codec.encode(found) if found else None for found in columns[place]]
    return SpanBatch(columns, attributes, encoded=True)


def batch_of_rows(
    rows: Sequence[codec.Row],
    resources: Mapping[int | None, Mapping[str, Any]],
    shared: MutableMapping[Any, Any] | None = None,
) -> SpanBatch:
    """Take spans that are rows of a table, as `codec.span_row` gives them.

    Args:
        rows: The rows; what stands in them after `codec.SPAN_COLUMNS` is left aside.
        resources: The resources by what stands for them in the rows.
        shared: What repeats in the rows, to be filled; give the same for all batches of an answer.
    """
    columns = _turned(rows)
    shared = {} if shared is None else shared
    for place in _REPEATED:
        columns[place] = _once(columns[place], shared)
    columns[_SAMPLED] = _each(columns[_SAMPLED], lambda sampled: sampled == 1)
    columns[_RESOURCE] = _each(columns[_RESOURCE], resources.__getitem__)
    return SpanBatch(columns, codec.decode_all(columns[_ATTRIBUTES]), encoded=True)


def _once(values: Sequence[Any], shared: MutableMapping[Any, Any]) -> Sequence[Any]:
    """Give the values, equal ones as one object."""
    if not values or values.count(values[0]) == len(values):
        return [shared.setdefault(value, value) for value in values[:1]] * len(values)
    return list(map(shared.setdefault, values, values))


def _each(values: Sequence[Any], read: Callable[[Any], Any]) -> Sequence[Any]:
    """Read values that are mostly all equal."""
    if values and values.count(values[0]) == len(values):
        return [read(values[0])] * len(values)
    return list(map(read, values))


def _turned(rows: Sequence[tuple[Any, ...]]) -> list[Sequence[Any]]:
    columns: list[Sequence[Any]] = list(zip(*rows, strict=False))
    return columns[: len(codec.SPAN_COLUMNS)] if rows else [()] * len(codec.SPAN_COLUMNS)
