"""The timeline's payload: spans as binary columns that a browser reads without parsing.

A payload is one block of bytes: `MAGIC`, the length of a JSON header (uint32), the header, then the columns, each at
a multiple of eight bytes, little-endian. The header lists the columns by name with type, offset (from the first
column on) and length, and holds the strings that columns refer to by number, each of them once. Times are
nanoseconds after the header's `origin`, exact up to 104 days.
"""

from __future__ import annotations

from array import array
from itertools import compress, repeat
from operator import is_not, itemgetter
from typing import TYPE_CHECKING, Any, Final, NamedTuple, get_args

from mirascope_ops._optional import require
from mirascope_ops.analysis.rows import SLOT, Kind, SpanRow, Status
from mirascope_ops.analysis.table import ENCODED, SpanTable, spans_at
from mirascope_ops.analysis.texts import Same
from mirascope_ops.analysis.tree import lineage
from mirascope_ops.store import codec
from mirascope_ops.views.escape import one_line
from mirascope_ops.views.timeline_threads import HINT, Thread, ThreadLabels, process_of, said_by, thread_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

MAGIC: Final = b"OPS1"
KINDS: Final[tuple[str, ...]] = get_args(Kind)
STATUSES: Final[tuple[str, ...]] = get_args(Status)
ROOT: Final = -1

# What no number of tokens, and no entry of a dictionary, is.
NO_TOKENS: Final = 2**32 - 1

# Which figures of a call a roll-up counts: bits of the column `call_counts`.
COUNTS_LLM, COUNTS_USAGE, COUNTS_COST = 1, 2, 4

NAME_LIMIT: Final = 200
_FIRST, _LAST = -(2**63), 2**63 - 1
_FEW: Final = 64  # below so many, a loop is quicker than arrays
_AT_ONCE: Final = 256
_DIGITS: Final = 16  # of a span's id
_NO_ID: Final = "0" * _DIGITS
_MIX: Final = 0x9E3779B97F4A7C15
_READ: Final = {
    field: itemgetter(SLOT[field])
    for field in (
        *("trace_id", "span_id", "parent_id", "session_id", "name", "kind", "status", "start", "end", "model"),
        *("input_tokens", "output_tokens", "cost", "ttft", "attributes", "events", "resource"),
    )
}
_TYPES: Final = {"float64": "f8", "uint32": "u4", "int32": "i4", "uint16": "u2", "uint8": "u1"}


class TimelineData(NamedTuple):
    """What a timeline shows.

    Attributes:
        spans: The spans, each once, in the order of the columns: by start.
        start: Nanoseconds after `origin`, as the browser has them (a float64 array).
        end: In the same way; of an open span the last moment that is known of its trace.
        origin: Nanoseconds since the epoch.
        payload: The bytes for the browser.
    """

    spans: Sequence[SpanRow]
    start: Any
    end: Any
    origin: int
    payload: bytes

    def between(self, first: float, last: float) -> list[int]:
        """Give the places of the spans that ran between two moments.

        Args:
            first: Nanoseconds after `origin`.
            last: Nanoseconds after `origin`; not itself within.
        """
        within = (self.start < last) & ((self.end > first) | ((self.end == self.start) & (self.start >= first)))
        return [int(place) for place in within.nonzero()[0]]


def timeline_data(spans: Iterable[SpanRow]) -> TimelineData:
    """Lay spans out in columns.

    Args:
        spans: Spans of any traces, in any order. Of several with the same ids one counts, as in every tree.

    Returns:
        The columns, with the spans in their order.

    Raises:
        ImportError: numpy is not installed; the message says how.

    Example:
        >>> timeline_data([]).payload[:4]
        b'OPS1'
    """
    np = require("numpy", extra="notebook")
    shown, given, traces, parents = _linked(np, spans if isinstance(spans, SpanTable) else list(spans))
    origin, start, end, unfinished = _times(np, given, traces)
    calls = _calls(np, given, parents)
    events = _events(np, given, origin)
    names, name = _dictionary(np, given["name"])
    sessions, session = _dictionary(np, given["session_id"])
    threads, thread = _threads(np, given, parents)
    columns: dict[str, Any] = {
        "start": start,
        "duration": end - start,
        "parent": parents,
        "name": name,
        "session": session,
        "thread": thread,
        "kind": _coded(np, given["kind"], KINDS, "other"),
        "status": _coded(np, given["status"], STATUSES, "unset"),
        "open": unfinished,
        **calls.columns,
        **events.columns,
    }
    header = {
        "version": 1,
        "count": len(shown),
        "traces": _different(np, traces),
        "origin": str(origin),
        "end": float(end.max()) if len(shown) else 0.0,
        "kinds": KINDS,
        "statuses": STATUSES,
        "names": names,
        "sessions": sessions,
        "threads": threads,
        "models": calls.strings,
        "events": events.strings,
    }
    return TimelineData(shown, start, end, origin, packed(header, columns))


class _Fields:
    """The fields of spans as columns; where the spans are rows, these are turned round, some at a time."""

    def __init__(self, spans: Sequence[SpanRow]) -> None:
        self.number = len(spans)
        columns = spans.columns if isinstance(spans, SpanTable) else None
        self._encoded = columns is not None
        self._columns: dict[str, Sequence[Any]] = {}
        if columns is not None:
            self._columns = {field: columns[SLOT[field]] for field in _READ}
            return
        found: dict[str, list[Any]] = {field: [] for field in _READ}
        for first in range(0, len(spans), _AT_ONCE):
            # A row is fetched from memory once, and all of its fields while it is in the processor's cache.
            rows = spans[first : first + _AT_ONCE]
            for column, read in zip(found.values(), _READ.values(), strict=True):
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
        for place, value in [(place, value) for place, value in enumerate(values) if value and hint in value]:
            if read := ENCODED[field](value):
                yield place, read

    def threads(self) -> Iterator[tuple[int, tuple[str, str]]]:
        """Give id and name of the threads that spans name, by place."""
        values = self._columns["attributes"]
        for place, value in enumerate(values):
            if self._encoded and HINT not in value:
                continue
            said = said_by(value) if self._encoded else None
            if said is None:
                thread = thread_of(ENCODED["attributes"](value) if self._encoded else value)
                said = thread[1:] if thread else None
            if said is not None:
                yield place, said


class _Part(NamedTuple):
    """Columns that only some spans have a row in, and the strings to which one of them refers."""

    columns: dict[str, Any]
    strings: list[str]


def _linked(np: Any, spans: Sequence[SpanRow]) -> tuple[Sequence[SpanRow], _Fields, Any, Any]:
    """Order spans by start, tell their traces apart by numbers, and link them to parents.

    That is quick where each span is there once and no parent starts later.
    """
    starts = _integers(np, _field(spans, "start"))
    order = np.argsort(starts, kind="stable")
    shown = spans if (order[1:] > order[:-1]).all() else spans_at(spans, order.tolist())
    given = _Fields(shown)
    if len(shown) and starts[order[0]] > 0:
        traces = _identified(np, given["trace_id"], 32)
        parents = _parents(np, _identified(np, given["span_id"], 16), given["parent_id"])
        if traces is not None and parents is not None:
            parents[traces[parents] != traces] = ROOT
            if not (parents >= np.arange(len(shown))).any():
                return shown, given, traces, parents
    linked = lineage(spans)  # of several with the same ids, the order in which they are given decides
    given = _Fields(linked.spans)
    _, traces = _numbers(np, given["trace_id"])
    return linked.spans, given, traces, np.array(linked.parents, dtype=np.int32)


def _identified(np: Any, ids: Sequence[str], digits: int) -> Any:
    """Ids as integers of 64 bits, those of 32 digits mixed; None where some are no hexadecimal numbers of that size."""
    joined = "".join(ids)
    if set(map(len, ids)) != {digits} or not joined.isascii():
        return None
    try:
        words = np.frombuffer(bytes.fromhex(joined), ">u8").astype(np.uint64)
    except ValueError:
        return None
    if digits == _DIGITS:
        return words
    # An odd factor: what differs in one half only stays different.
    return words[::2] * np.uint64(_MIX) + words[1::2]


def _parents(np: Any, ids: Any, parent_ids: Sequence[str | None]) -> Any:
    """For each span the place of the one that its parent's id names, or -1; None where ids are not each there once."""
    named = _identified(np, [above or _NO_ID for above in parent_ids], _DIGITS)
    if ids is None or named is None:
        return None
    order = np.argsort(ids, kind="stable")
    ordered = ids[order]
    if (ordered[1:] == ordered[:-1]).any():
        return None
    at = np.minimum(np.searchsorted(ordered, named), len(ids) - 1)
    told = np.fromiter(map(bool, parent_ids), bool, len(ids))
    return np.where((ordered[at] == named) & told, order[at], ROOT).astype(np.int32)


def _field(spans: Sequence[SpanRow], field: str) -> Sequence[Any]:
    columns = spans.columns if isinstance(spans, SpanTable) else None
    return list(map(_READ[field], spans)) if columns is None else columns[SLOT[field]]


def _times(np: Any, given: _Fields, trace: Any) -> tuple[int, Any, Any, Any]:
    """Origin, starts, ends, and the places of open spans, which end with their trace.

    A span whose start was not told is put at the origin.
    """
    starts = _integers(np, given["start"])
    told = starts > 0
    origin = int(starts[told].min()) if told.any() else 0
    starts = np.where(told, starts, origin)
    ended = given["end"]
    open_ones: list[int] = []
    if None in ended:
        ended = list(ended)
        open_ones = [place for place, end in enumerate(ended) if end is None]
        last_event = {place: max(event.time for event in found) for place, found in given.read("events", "[")}
        for place in open_ones:
            ended[place] = last_event.get(place, _FIRST)
    ends = np.maximum(starts, _integers(np, ended))
    if open_ones:
        traces, numbers = np.unique(trace, return_inverse=True)
        last = np.full(len(traces), origin, dtype=np.int64)
        np.maximum.at(last, numbers, ends)
        ends[open_ones] = last[numbers[open_ones]]
    unfinished = np.array(open_ones, dtype=np.int32)
    return origin, (starts - origin).astype(np.float64), (ends - origin).astype(np.float64), unfinished


def _calls(np: Any, given: _Fields, parents: Any) -> _Part:
    """One row for each span that says something of a model call: tokens, cost, model, first token."""
    models = given["model"]
    asked, answered, cost, first = (
        _floats(np, given[field]) for field in ("input_tokens", "output_tokens", "cost", "ttft")
    )
    llm = _coded(np, given["kind"], KINDS, "other") == KINDS.index("llm")
    usage = ~(np.isnan(asked) & np.isnan(answered))
    costly = ~np.isnan(cost)
    named = np.fromiter(map(is_not, models, repeat(None)), bool, given.number)
    places = (llm | usage | costly | named | ~np.isnan(first)).nonzero()[0]
    counts = np.zeros(given.number, dtype=np.uint8)
    for marked, bit in ((llm, COUNTS_LLM), (usage, COUNTS_USAGE), (costly, COUNTS_COST)):
        counts[_innermost(np, parents, marked)] |= bit
    strings, model = _dictionary(np, list(map(models.__getitem__, places.tolist())))

    def tokens(reported: Any) -> Any:
        kept = np.clip(reported[places], 0, NO_TOKENS - 1)
        return np.where(np.isnan(kept), NO_TOKENS, kept).astype(np.uint32)

    return _Part(
        {
            "call_span": places.astype(np.int32),
            "call_model": model,
            "call_input": tokens(asked),
            "call_output": tokens(answered),
            "call_cost": cost[places],
            "call_first": first[places],
            "call_counts": counts[places],
        },
        strings,
    )


def _innermost(np: Any, parents: Any, marked: Any) -> Any:
    """Of the marked spans, those with no marked one below: what `stats.counted` counts."""
    above = np.zeros(len(parents), dtype=bool)
    last = np.zeros(len(parents), dtype=np.int32)
    reached = parents[marked]
    while len(reached) > _FEW:
        reached = reached[reached >= 0]
        reached = reached[~above[reached]]
        number = np.arange(len(reached), dtype=np.int32)
        last[reached] = number
        reached = reached[last[reached] == number]  # each once
        above[reached] = True
        reached = parents[reached]
    for place in reached.tolist():  # the last few may be chains of any length
        while place != ROOT and not above[place]:
            above[place] = True
            place = parents.item(place)  # noqa: PLW2901 - upwards
    return marked & ~above


def _events(np: Any, given: _Fields, origin: int) -> _Part:
    """One row an event, by span and time."""
    found = [
        (place, min(max(event.time - origin, _FIRST), _LAST), event.name)
        for place, events in given.read("events", "[")
        for event in sorted(events, key=itemgetter(1))
    ]
    strings, name = _dictionary(np, [event[2] for event in found])
    return _Part(
        {
            "event_span": np.fromiter((event[0] for event in found), np.int32, len(found)),
            "event_time": np.fromiter((float(event[1]) for event in found), np.float64, len(found)),
            "event_name": name,
        },
        strings,
    )


def _threads(np: Any, given: _Fields, parents: Any) -> tuple[list[str], Any]:
    """The thread of every span that says one, else that of its nearest ancestor in the same process."""
    said = dict(given.threads())
    if not said:
        return [], np.zeros(0, dtype=np.uint8)
    processes = _Processes()
    process = [processes[resource] for resource in given["resource"]]
    threads = {place: Thread(process[place], *told) for place, told in said.items()}
    labels = ThreadLabels()
    # Those of which most is known give the names.
    for thread in sorted(dict.fromkeys(threads.values()), key=lambda thread: not (thread.number and thread.name)):
        labels[thread]
    own: list[str | None] = [None] * given.number
    for place, thread in threads.items():
        own[place] = labels[thread]
    # Children come after their parents, but for spans whose start was not told.
    for place, parent in enumerate(parents.tolist()):
        if own[place] is None and parent != ROOT and process[place] == process[parent]:
            own[place] = own[parent]
    return _dictionary(np, own)


class _Processes:
    """What tells processes apart, by the resources of spans, which many of them share."""

    def __init__(self) -> None:
        self._known: dict[int, tuple[Any, str]] = {}  # with the resource, so that no other one takes its place

    def __getitem__(self, resource: Mapping[str, Any]) -> str:
        known = self._known.get(id(resource))
        if known is None:
            known = self._known[id(resource)] = (resource, process_of(resource))
        return known[1]


class Codes(dict[Any, int]):
    """Numbers values in the order in which they come."""

    def __missing__(self, value: Any) -> int:
        self[value] = number = len(self)
        return number


def _numbers(np: Any, values: Sequence[Any]) -> tuple[list[Any], Any]:
    """Number values in the order in which they come."""
    codes = Codes()
    numbers = np.fromiter(map(codes.__getitem__, values), dtype=np.int64, count=len(values))
    return list(codes), numbers


def _different(np: Any, numbers: Any) -> int:
    ordered = np.sort(numbers)  # many times quicker than `np.unique`
    return int(len(ordered) > 0) + int((ordered[1:] != ordered[:-1]).sum())


def _dictionary(np: Any, values: Sequence[str | None]) -> tuple[list[str], Any]:
    """Strings that a browser can show, and for each value its number; "" stands for None."""
    known, numbers = _numbers(np, values)
    kind = np.uint8 if len(known) <= 2**8 else np.uint16 if len(known) <= 2**16 else np.uint32
    return ["" if value is None else one_line(value, NAME_LIMIT) for value in known], numbers.astype(kind)


def _coded(np: Any, values: Iterable[str], words: Sequence[str], instead: str) -> Any:
    codes = {word: code for code, word in enumerate(words)}
    return np.fromiter(map(codes.get, values, repeat(codes[instead])), dtype=np.uint8)


def _floats(np: Any, values: Sequence[Any]) -> Any:
    """Numbers as floats; None is NaN."""
    if isinstance(values, Same) and values.value is None:
        return np.full(len(values), np.nan)
    return np.array(_listed(values), dtype=np.float64)


def _listed(values: Sequence[Any]) -> Any:
    """What numpy reads quickest: arrays as they are, else a list."""
    return values if isinstance(values, list | array) else list(values)


def _integers(np: Any, values: Sequence[int]) -> Any:
    values = _listed(values)
    try:
        return np.array(values, dtype=np.int64)
    except OverflowError:  # a broken clock's
        return np.array([min(max(value, _FIRST), _LAST) for value in values], dtype=np.int64)


def packed(header: Mapping[str, Any], columns: Mapping[str, Any]) -> bytes:
    """Put columns (numpy arrays) behind a header, as the module's documentation tells it."""
    placed: dict[str, tuple[str, int, int]] = {}
    blocks: list[bytes] = []
    offset = 0
    for name, values in columns.items():
        block = values.astype(values.dtype.newbyteorder("<"), copy=False).tobytes()
        placed[name] = (_TYPES[values.dtype.name], offset, len(values))
        padding = -len(block) % 8
        blocks += [block, b"\0" * padding]
        offset += len(block) + padding
    told = codec.encode({**header, "columns": placed}).encode()
    told += b" " * (-(len(MAGIC) + 4 + len(told)) % 8)
    return b"".join([MAGIC, len(told).to_bytes(4, "little"), told, *blocks])
