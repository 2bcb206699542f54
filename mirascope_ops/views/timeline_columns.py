"""Fields of spans as columns: read from rows or from a table, and as arrays of numbers.

Text that is packed is looked at where it lies, without a string for each span: of a million, these would take longer
than all the rest.
"""

from __future__ import annotations

import re
from array import array
from binascii import unhexlify
from itertools import compress, repeat
from operator import itemgetter
from typing import TYPE_CHECKING, Any, Final

from mirascope_ops._optional import require
from mirascope_ops.analysis.rows import SLOT, SpanRow
from mirascope_ops.analysis.table import ENCODED, SpanTable
from mirascope_ops.analysis.texts import Same, Texts
from mirascope_ops.store.digits import SPAN_DIGITS
from mirascope_ops.views.escape import one_line
from mirascope_ops.views.timeline_threads import HINT, said_by, thread_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

NAME_LIMIT: Final = 200
FIRST, LAST = -(2**63), 2**63 - 1
_NO_ID: Final = "0" * SPAN_DIGITS
MIX: Final = 0x9E3779B97F4A7C15
_AT_ONCE: Final = 256
_READ: Final = {
    field: itemgetter(SLOT[field])
    for field in (
        *("trace_id", "span_id", "parent_id", "session_id", "name", "kind", "status", "start", "end", "model"),
        *("input_tokens", "output_tokens", "cost", "ttft", "attributes", "events", "scope", "resource"),
    )
}


class Fields:
    """The fields of spans as columns; where the spans are rows, these are turned round, some at a time.

    Args:
        spans: The spans.
        only: The names of the fields that are looked at; else all that a timeline needs.
    """

    def __init__(self, spans: Sequence[SpanRow], *only: str) -> None:
        self.number = len(spans)
        columns = spans.columns if isinstance(spans, SpanTable) else None
        self._encoded = columns is not None
        self._columns: dict[str, Sequence[Any]] = {}
        if columns is not None:
            self._columns = {field: columns[SLOT[field]] for field in _READ}
            return
        reading = [_READ[field] for field in only or _READ]
        found: dict[str, list[Any]] = {field: [] for field in only or _READ}
        for first in range(0, len(spans), _AT_ONCE):
            # A row is fetched from memory once, and all of its fields while it is in the processor's cache.
            rows = spans[first : first + _AT_ONCE]
            for column, read in zip(found.values(), reading, strict=True):
                column.extend(map(read, rows))
        self._columns.update(found)

    def __getitem__(self, field: str) -> Sequence[Any]:
        return self._columns[field]

    def read(self, field: str, hint: str) -> Iterator[tuple[int, Any]]:
        """Give a field that stores keep as text, by place: where it is not empty and, as text, holds the hint."""
        values = self._columns[field]
        if not self._encoded:
            for place in compress(range(self.number), values):
                yield place, values[place]
            return
        for place, value in _holding(values, hint):
            if read := ENCODED[field](value):
                yield place, read

    def threads(self) -> Iterator[tuple[int, tuple[str, str]]]:
        """Give id and name of the threads that spans name, by place."""
        values = self._columns["attributes"]
        for place, value in _holding(values, HINT) if self._encoded else enumerate(values):
            said = said_by(value) if self._encoded else None
            if said is None:
                thread = thread_of(ENCODED["attributes"](value) if self._encoded else value)
                said = thread[1:] if thread else None
            if said is not None:
                yield place, said


def _holding(values: Sequence[Any], hint: str) -> list[tuple[int, Any]]:
    """The texts that hold a hint, with their places."""
    if isinstance(values, Same):
        return list(enumerate(values)) if values.value and hint in values.value else []
    if not isinstance(values, Texts):
        return [(place, value) for place, value in enumerate(values) if value and hint in value]
    # As an expression it is found in a third of the time that a plain text takes.
    found = require("pyarrow.compute", extra="notebook").match_substring_regex(values.packed, re.escape(hint))
    places = found.to_numpy(zero_copy_only=False).nonzero()[0].tolist()
    return list(zip(places, values.take(places), strict=True)) if places else []


def identified(np: Any, ids: Sequence[str] | Texts, digits: int) -> Any:
    """Ids as integers of 64 bits, those of 32 digits mixed; None where some are no hexadecimal numbers of that size."""
    read = _unhexed(np, ids.packed, digits) if isinstance(ids, Texts) else _unhexed_texts(ids, digits)
    if read is None:
        return None
    words = np.frombuffer(read, ">u8").astype(np.uint64)
    if digits == SPAN_DIGITS:
        return words
    # An odd factor: what differs in one half only stays different.
    return words[::2] * np.uint64(MIX) + words[1::2]


def identified_or_zero(np: Any, ids: Sequence[str | None]) -> tuple[Any, Any]:
    """Ids of spans as `identified` gives them, 0 for none; and whether there is one."""
    if isinstance(ids, Texts):
        filled = Texts(require("pyarrow.compute", extra="notebook").fill_null(ids.packed, _NO_ID))
        told = ids.packed.is_valid().to_numpy(zero_copy_only=False)
        found = identified(np, filled, SPAN_DIGITS)
        if found is not None:
            return found, told
    told = np.fromiter(map(bool, ids), bool, len(ids))
    return identified(np, [one or _NO_ID for one in ids], SPAN_DIGITS), told


def _unhexed_texts(ids: Sequence[str], digits: int) -> bytes | None:
    if set(map(len, ids)) != {digits}:
        return None
    try:
        return unhexlify("".join(ids))
    except ValueError:
        return None


def _unhexed(np: Any, packed: Any, digits: int) -> bytes | None:
    """The ids of an Arrow array, of which nothing but the bytes is looked at."""
    parts: list[bytes] = []
    for chunk in packed.chunks:
        _, offsets, text = chunk.buffers()
        if chunk.null_count or text is None:
            return None
        ends = np.frombuffer(offsets, np.int64)[chunk.offset : chunk.offset + len(chunk) + 1]
        if (np.diff(ends) != digits).any():
            return None
        try:
            parts.append(unhexlify(memoryview(text)[ends[0] : ends[-1]]))
        except ValueError:
            return None
    return b"".join(parts)


class Codes(dict[Any, int]):
    """Numbers values in the order in which they come."""

    def __missing__(self, value: Any) -> int:
        self[value] = number = len(self)
        return number


def numbers_of(np: Any, values: Sequence[Any]) -> tuple[list[Any], Any]:
    """Number values in the order in which they come."""
    codes = Codes()
    numbers = np.fromiter(map(codes.__getitem__, values), dtype=np.int64, count=len(values))
    return list(codes), numbers


def different(np: Any, numbers: Any) -> int:
    """How many different numbers there are."""
    changes = np.append(True, numbers[1:] != numbers[:-1])[: len(numbers)]  # of those side by side one is enough
    ordered = np.sort(numbers[changes])  # many times quicker than `np.unique`
    return int(len(ordered) > 0) + int((ordered[1:] != ordered[:-1]).sum())


def dictionary(np: Any, values: Sequence[str | None]) -> tuple[list[str], Any]:
    """Strings that a browser can show, and for each value its number; "" stands for None."""
    known, numbers = numbers_of(np, values)
    kind = np.uint8 if len(known) <= 2**8 else np.uint16 if len(known) <= 2**16 else np.uint32
    return ["" if value is None else one_line(value, NAME_LIMIT) for value in known], numbers.astype(kind)


def coded(np: Any, values: Iterable[str], words: Sequence[str], instead: str) -> Any:
    """The numbers of words among known ones; of an unknown word that of another one."""
    codes = {word: code for code, word in enumerate(words)}
    return np.fromiter(map(codes.get, values, repeat(codes[instead])), dtype=np.uint8)


def floats(np: Any, values: Sequence[Any]) -> Any:
    """Numbers as floats; None is NaN."""
    if isinstance(values, Same) and values.value is None:
        return np.full(len(values), np.nan)
    return np.array(_listed(values), dtype=np.float64)


def _listed(values: Sequence[Any]) -> Any:
    """What numpy reads quickest: arrays as they are, else a list."""
    return values if isinstance(values, list | array) else list(values)


def has_none(values: Sequence[Any]) -> bool:
    """Whether there is None among numbers; of a machine's array nothing has to be looked at."""
    return not isinstance(values, array) and None in values


def integers(np: Any, values: Sequence[int]) -> Any:
    """Integers of 64 bits; larger ones are cut."""
    values = _listed(values)
    try:
        return np.array(values, dtype=np.int64)
    except OverflowError:  # a broken clock's
        return np.array([min(max(value, FIRST), LAST) for value in values], dtype=np.int64)
