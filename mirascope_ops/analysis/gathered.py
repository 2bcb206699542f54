"""The columns of a table while spans are still coming, the long ones in as little room as they will have in the end."""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Final

from mirascope_ops._optional import require
from mirascope_ops.analysis.rows import SLOT
from mirascope_ops.analysis.texts import Column, Texts, compact, packed

if TYPE_CHECKING:
    from collections.abc import Sequence

# So many values are worth an Arrow array; an answer of fewer spans does not even load pyarrow.
_MANY: Final = 16_384
# From then on so many go into one at a time, while the processor still has them in its cache.
_CHUNK: Final = 4096
# What makes up most of a large answer, and no span takes from those around it.
_HEAVY: Final = tuple(SLOT[name] for name in ("attributes", "input", "output", "events", "links"))
_IDS: Final = tuple(SLOT[name] for name in ("trace_id", "span_id", "parent_id"))


class Gathered:
    """Columns that grow by batches.

    Attributes:
        columns: For each field of `SpanRow` its values so far; of `_HEAVY` fields the last ones only.
    """

    def __init__(self) -> None:
        self.columns: list[list[Any]] = [[] for _ in SLOT]
        self._packs = find_spec("pyarrow") is not None
        self._chunks: dict[int, list[Any]] = {slot: [] for slot in _HEAVY} if self._packs else {}

    def __len__(self) -> int:
        return len(self.columns[0])

    def extend(self, part: Sequence[Sequence[Any]]) -> None:
        """Add the columns of a batch."""
        for column, more in zip(self.columns, part, strict=True):
            column.extend(more)
        for slot, chunks in list(self._chunks.items()):
            if len(self.columns[slot]) >= (_CHUNK if chunks else _MANY):
                self._pack(slot)

    def finished(self) -> list[Column]:
        """Give all columns, in little room where there are many spans."""
        if len(self) < _MANY:
            return list(self.columns)
        if self._packs:
            self._chunks.update((slot, []) for slot in _IDS)
        for slot in list(self._chunks):
            self._pack(slot)
        return [
            Texts(require("pyarrow", extra="notebook").chunked_array(self._chunks[slot]))
            if slot in self._chunks
            else compact(column)
            for slot, column in enumerate(self.columns)
        ]

    def _pack(self, slot: int) -> None:
        column, chunks = self.columns[slot], self._chunks[slot]
        chunk = packed(column)
        if chunk is None:
            # What cannot be packed as it is stays a list, all of it.
            before = Texts(require("pyarrow", extra="notebook").chunked_array(chunks)) if chunks else ()
            self.columns[slot] = [*before, *column]
            del self._chunks[slot]
        else:
            chunks.append(chunk)
            self.columns[slot] = []
