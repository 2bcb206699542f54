"""Spans on the way out of a store, column by column.

A record for each span costs more than all else on the way to a table, most of it in the collector of cycles that walks
through a hundred thousand of them. So a store gives many spans at once as the columns in which it holds them; of a
batch a few thousand, so that what it is made of stays in the processor's cache.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from mirascope_ops.store import codec
from mirascope_ops.store.alike import by_keys
from mirascope_ops.store.records import SpanRecord
from mirascope_ops.store.same import Same, shared

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Sequence

    from mirascope_ops.store.alike import Alike
    from mirascope_ops.store.contexts import Contexts

BATCH: Final = 2048

_RESOURCE, _ATTRIBUTES, _EVENTS, _LINKS = (
    codec.SPAN_COLUMNS.index(name) for name in ("resource", "attributes", "events", "links")
)


@dataclass(frozen=True, slots=True)
class SpanBatch:
    """Some spans of a store.

    Attributes:
        columns: For each of `codec.SPAN_COLUMNS` the spans' values, as `SpanRecord` has them; where `encoded`,
            attributes, events and links are the text that the store keeps, None where there are none.
        groups: The spans by their attribute keys; each span stands in one group.
        encoded: Whether attributes, events and links are text.
    """

    columns: Sequence[Sequence[Any]]
    groups: Sequence[Alike]
    encoded: bool

    def __len__(self) -> int:
        return len(self.columns[0])

    def record(self, place: int) -> SpanRecord:
        """Give the span at a place as a record."""
        values = [column[place] for column in self.columns]
        if self.encoded:
            text = values[_ATTRIBUTES]
            values[_ATTRIBUTES] = codec.decode(text) if text else {}
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
        yield SpanBatch(columns, by_keys(columns[_ATTRIBUTES]), encoded=False)


def batch_of_kept_records(records: Sequence[SpanRecord], resources: codec.Resources) -> SpanBatch:
    """Take records as a file would give them back, encoded.

    Args:
        records: The records, their columns such as a file keeps them.
        resources: Resources that were read before.
    """
    columns = _turned(records)
    columns[_RESOURCE] = _each(columns[_RESOURCE], resources.read)
    attributes = columns[_ATTRIBUTES]
    groups = by_keys(attributes, codec.plain_values)
    if not all(all(type(key) is str and key.isascii() for key in some.keys) for some in groups):
        groups = by_keys(list(map(codec.plain, attributes)))
    special = any(codec.may_be_special(some.values(key)) for some in groups for key in some.keys)
    columns[_ATTRIBUTES] = _texts(attributes, special=special)
    for place in (_EVENTS, _LINKS):
        columns[place] = _texts(columns[place])
    return SpanBatch(columns, groups, encoded=True)


def batch_of_rows(rows: Sequence[codec.Row], contexts: Contexts, dead: Collection[int] = ()) -> SpanBatch:
    """Take spans that are rows of a table.

    Args:
        rows: Rows of `queries.OWN_SELECTION`.
        contexts: What tells the other columns.
        dead: The processes that are gone: what they left open is interrupted. The rows then end with status and
            process.
    """
    own = dict(zip((*codec.OWN_COLUMNS, "id", "context", "status", "process"), zip(*rows, strict=True), strict=False))
    found = contexts.columns(own["id"], own["context"])
    if dead:
        told = zip(own["status"], own["process"], strict=True)
        found["status"] = [
            "interrupted" if status == "open" and process in dead else status for status, process in told
        ]
    columns = [found[name] if name in found else _compact(own[name]) for name in codec.SPAN_COLUMNS]
    return SpanBatch(columns, by_keys(codec.decode_all(columns[_ATTRIBUTES])), encoded=True)


def _texts(values: Sequence[Any], *, special: bool = True) -> Sequence[str | None]:
    """Write what a file keeps as text; nothing where there is nothing."""
    if not any(values):
        return Same(None, len(values))
    texts: list[str | None] = [*codec.encode_all(values, special=special)]
    if not all(values):
        texts = [text if found else None for text, found in zip(texts, values, strict=True)]
    return texts


def _each(values: Sequence[Any], read: Callable[[Any], Any]) -> Sequence[Any]:
    """Read values that are mostly one."""
    return Same(read(values.value), len(values)) if isinstance(values, Same) else list(map(read, values))


def _turned(rows: Sequence[tuple[Any, ...]]) -> list[Sequence[Any]]:
    if not rows:
        return [()] * len(codec.SPAN_COLUMNS)
    return list(map(_compact, zip(*rows, strict=True)))


def _compact(column: Sequence[Any]) -> Sequence[Any]:
    one = shared(column)
    return column if one is None else one
