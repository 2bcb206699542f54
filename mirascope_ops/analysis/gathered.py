"""The columns of a table while spans are still coming, the long ones in as little room as they will have in the end."""

from __future__ import annotations

from array import array
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Final

from mirascope_ops._optional import require
from mirascope_ops.analysis.rows import SLOT
from mirascope_ops.analysis.texts import Column, Texts, compact, packed, packed_digits, writable
from mirascope_ops.store.digits import Digits
from mirascope_ops.store.same import Same

if TYPE_CHECKING:
    from collections.abc import Sequence

# So many values are worth an Arrow array; an answer of fewer spans does not even load pyarrow.
_MANY: Final = 16_384
# From then on so many go into one at a time, while the processor still has them in its cache.
_CHUNK: Final = 4096
# What makes up most of a large answer, and no span takes from those around it.
_HEAVY: Final = tuple(SLOT[name] for name in ("attributes", "input", "output", "events", "links"))
_TIMES: Final = (SLOT["start"], SLOT["end"])
_IDS: Final = tuple(SLOT[name] for name in ("trace_id", "span_id", "parent_id"))


class Gathered:
    """Columns that grow by batches.

    Args:
        packs: Whether the long ones of many spans go into Arrow arrays.

    Attributes:
        columns: For each field of `SpanRow` its values so far; of `_HEAVY` fields the last ones only.
    """

    def __init__(self, *, packs: bool = True) -> None:
        self.columns: list[Column] = [Same(None, 0) for _ in SLOT]
        self._packs = packs and find_spec("pyarrow") is not None
        self._chunks: dict[int, list[Any]] = {slot: [] for slot in _HEAVY} if self._packs else {}

    def __len__(self) -> int:
        return len(self.columns[0])

    def extend(self, part: Sequence[Column]) -> None:
        """Add the columns of a batch."""
        for slot, more in enumerate(part):
            self._extend(slot, compact(more) if slot in _TIMES else more)
        for slot, chunks in list(self._chunks.items()):
            column = self.columns[slot]
            if len(column) >= (_CHUNK if chunks else _MANY) and isinstance(column, list):
                self._pack(slot)

    def finished(self) -> list[Column]:
        """Give all columns, in little room where there are many spans."""
        many = len(self) >= _MANY
        for slot in _IDS:
            if not (many and self._packs):
                self.columns[slot] = _listed(self.columns[slot])
        if not many:
            return self.columns
        if self._packs:
            self._chunks.update((slot, []) for slot in _IDS)
        for slot, chunks in list(self._chunks.items()):
            if chunks or isinstance(self.columns[slot], (list, Digits)):
                self._pack(slot)
            else:
                del self._chunks[slot]
        return [
            Texts(require("pyarrow", extra="notebook").chunked_array(self._chunks[slot]))
            if slot in self._chunks
            else compact(column)
            for slot, column in enumerate(self.columns)
        ]

    def _extend(self, slot: int, more: Column) -> None:
        column = self.columns[slot]
        same = _joined(column, more)
        if same is not None:
            self.columns[slot] = same
        elif isinstance(more, array) and not column:
            self.columns[slot] = more[:]
        elif isinstance(more, array) and isinstance(column, array):
            column.extend(more)
        elif isinstance(more, Digits) and not column:
            self.columns[slot] = Digits(more.data, more.width, more.missing)
        elif isinstance(more, Digits) and isinstance(column, Digits) and column.width == more.width:
            column.extend(more)
        else:
            writable(self.columns, slot).extend(more)

    def _pack(self, slot: int) -> None:
        column, chunks = self.columns[slot], self._chunks[slot]
        chunk = packed_digits(column) if isinstance(column, Digits) else packed(column)
        if chunk is None:
            # What cannot be packed as it is stays a list, all of it.
            before = Texts(require("pyarrow", extra="notebook").chunked_array(chunks)) if chunks else ()
            self.columns[slot] = [*before, *column]
            del self._chunks[slot]
        else:
            chunks.append(chunk)
            self.columns[slot] = []


def _listed(column: Column) -> Column:
    return list(column) if isinstance(column, Digits) else column


def _joined(column: Column, more: Column) -> Same | None:
    """Give two columns as one value many times, if they are; None if not."""
    if not (isinstance(column, Same) and isinstance(more, Same)):
        return None
    value, other = column.value, more.value
    same = not column or value is other or (type(value) is str and type(other) is str and value == other)
    return Same(other, len(column) + len(more)) if same else None
