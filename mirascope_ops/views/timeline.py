"""The timeline's payload: spans as binary columns that a browser reads without parsing.

A payload is one block of bytes: `MAGIC`, the length of a JSON header (uint32), the header, then the columns, each at
a multiple of eight bytes, little-endian. The header lists the columns by name with type, offset (from the first
column on) and length, and holds the strings that columns refer to by number, each of them once. Times are
nanoseconds after the header's `origin`, exact up to 104 days.
"""

from __future__ import annotations

from itertools import repeat
from operator import is_not, itemgetter
from typing import TYPE_CHECKING, Any, Final, NamedTuple, get_args

from mirascope_ops._optional import require
from mirascope_ops.analysis.rows import SLOT, Kind, SpanRow, Status
from mirascope_ops.analysis.table import SpanTable, spans_at
from mirascope_ops.analysis.tree import lineage
from mirascope_ops.store import codec
from mirascope_ops.store.digits import SPAN_DIGITS, TRACE_DIGITS
from mirascope_ops.store.same import Same
from mirascope_ops.views.timeline_columns import (
    FIRST,
    LAST,
    Fields,
    coded,
    dictionary,
    different,
    floats,
    has_none,
    identified,
    identified_or_zero,
    integers,
    numbers_of,
)
from mirascope_ops.views.timeline_keys import places_among
from mirascope_ops.views.timeline_threads import MAIN, Thread, ThreadLabels, is_main, process_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

MAGIC: Final = b"OPS1"
KINDS: Final[tuple[str, ...]] = get_args(Kind)
STATUSES: Final[tuple[str, ...]] = get_args(Status)
ROOT: Final = -1

# What no number of tokens, and no entry of a dictionary, is.
NO_TOKENS: Final = 2**32 - 1

# Which figures of a call a roll-up counts: bits of the column `call_counts`.
COUNTS_LLM, COUNTS_USAGE, COUNTS_COST = 1, 2, 4

_FEW: Final = 64  # below so many, a loop is quicker than arrays
_TYPES: Final = {"float64": "f8", "uint32": "u4", "int32": "i4", "uint16": "u2", "uint8": "u1"}


class Whole(NamedTuple):
    """What the spans of a part have been chosen from.

    Attributes:
        number: How many spans there are in all.
        origin: Nanoseconds since the epoch.
        end: Nanoseconds after `origin`.
        callers: The spans of the part that called others, whether these are in it or not.
    """

    number: int
    origin: int
    end: float
    callers: Sequence[SpanRow]


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


def timeline_data(spans: Iterable[SpanRow], *, part_of: Whole | None = None) -> TimelineData:
    """Lay spans out in columns.

    Args:
        spans: Spans of any traces, in any order. Of several with the same ids one counts, as in every tree.
        part_of: Where they are only a part: all of them, whose times the columns keep to.

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
    origin, start, end, unfinished = _times(np, given, traces, None if part_of is None else part_of.origin)
    kind = coded(np, given["kind"], KINDS, "other")
    calls = _calls(np, given, parents, kind)
    events = _events(np, given, origin)
    names, name = dictionary(np, given["name"])
    sessions, session = dictionary(np, given["session_id"])
    threads, thread = _threads(np, given, parents)
    columns: dict[str, Any] = {
        "start": start,
        "duration": end - start,
        "parent": parents,
        "name": name,
        "session": session,
        "thread": thread,
        "kind": kind,
        "status": coded(np, given["status"], STATUSES, "unset"),
        "open": unfinished,
        **calls.columns,
        **events.columns,
        **({} if part_of is None else {"callers": places_among(part_of.callers, shown)}),
    }
    header = {
        "version": 1,
        "count": len(shown),
        "traces": different(np, traces),
        "origin": str(origin),
        "end": max(float(end.max()) if len(shown) else 0.0, 0.0 if part_of is None else part_of.end),
        **({} if part_of is None else {"of": part_of.number}),
        "kinds": KINDS,
        "statuses": STATUSES,
        "names": names,
        "sessions": sessions,
        "threads": threads,
        "models": calls.strings,
        "events": events.strings,
    }
    return TimelineData(shown, start, end, origin, packed(header, columns))


class _Part(NamedTuple):
    """Columns that only some spans have a row in, and the strings to which one of them refers."""

    columns: dict[str, Any]
    strings: list[str]


def _linked(np: Any, spans: Sequence[SpanRow]) -> tuple[Sequence[SpanRow], Fields, Any, Any]:
    """Order spans by start, tell their traces apart by numbers, and link them to parents.

    That is quick where each span is there once and no parent starts later.
    """
    starts = integers(np, _field(spans, "start"))
    order = np.argsort(starts, kind="stable")
    shown = spans if (order[1:] > order[:-1]).all() else spans_at(spans, order.tolist())
    given = Fields(shown)
    if len(shown) and starts[order[0]] > 0:
        traces = identified(np, given["trace_id"], TRACE_DIGITS)
        parents = _parents(np, identified(np, given["span_id"], SPAN_DIGITS), given["parent_id"])
        if traces is not None and parents is not None:
            parents[traces[parents] != traces] = ROOT
            if not (parents >= np.arange(len(shown))).any():
                return shown, given, traces, parents
    linked = lineage(spans)  # of several with the same ids, the order in which they are given decides
    given = Fields(linked.spans)
    _, traces = numbers_of(np, given["trace_id"])
    return linked.spans, given, traces, np.array(linked.parents, dtype=np.int32)


def _parents(np: Any, ids: Any, parent_ids: Sequence[str | None]) -> Any:
    """For each span the place of the one that its parent's id names, or -1; None where ids are not each there once."""
    named, told = identified_or_zero(np, parent_ids)
    if ids is None or named is None:
        return None
    order = np.argsort(ids, kind="stable")
    ordered = ids[order]
    if (ordered[1:] == ordered[:-1]).any():
        return None
    at = np.minimum(np.searchsorted(ordered, named), len(ids) - 1)
    return np.where((ordered[at] == named) & told, order[at], ROOT).astype(np.int32)


def _field(spans: Sequence[SpanRow], field: str) -> Sequence[Any]:
    columns = spans.columns if isinstance(spans, SpanTable) else None
    return [span[SLOT[field]] for span in spans] if columns is None else columns[SLOT[field]]


def origin_of(starts: Any) -> int:
    """Give the first moment of these (an array of nanoseconds since the epoch) that was told."""
    told = starts > 0
    return int(starts[told].min()) if told.any() else 0


def _times(np: Any, given: Fields, trace: Any, origin: int | None) -> tuple[int, Any, Any, Any]:
    """Origin, starts, ends, and the places of open spans, which end with their trace.

    A span whose start was not told is put at the origin, which is that of these spans where it is not given.
    """
    starts = integers(np, given["start"])
    if origin is None:
        origin = origin_of(starts)
    starts = np.where(starts > 0, starts, origin)
    ended = given["end"]
    open_ones: list[int] = []
    if has_none(ended):
        ended = list(ended)
        open_ones = [place for place, end in enumerate(ended) if end is None]
        last_event = {place: max(event.time for event in found) for place, found in given.read("events", "[")}
        for place in open_ones:
            ended[place] = last_event.get(place, FIRST)
    ends = np.maximum(starts, integers(np, ended))
    if open_ones:
        traces, numbers = np.unique(trace, return_inverse=True)
        last = np.full(len(traces), origin, dtype=np.int64)
        np.maximum.at(last, numbers, ends)
        ends[open_ones] = last[numbers[open_ones]]
    unfinished = np.array(open_ones, dtype=np.int32)
    return origin, (starts - origin).astype(np.float64), (ends - origin).astype(np.float64), unfinished


def _calls(np: Any, given: Fields, parents: Any, kind: Any) -> _Part:
    """One row for each span that says something of a model call: tokens, cost, model, first token."""
    models = given["model"]
    asked, answered, cost, first = (
        floats(np, given[field]) for field in ("input_tokens", "output_tokens", "cost", "ttft")
    )
    llm = kind == KINDS.index("llm")
    usage = ~(np.isnan(asked) & np.isnan(answered))
    costly = ~np.isnan(cost)
    named = np.fromiter(map(is_not, models, repeat(None)), bool, given.number)
    places = (llm | usage | costly | named | ~np.isnan(first)).nonzero()[0]
    counts = np.zeros(given.number, dtype=np.uint8)
    for marked, bit in ((llm, COUNTS_LLM), (usage, COUNTS_USAGE), (costly, COUNTS_COST)):
        counts[_innermost(np, parents, marked)] |= bit
    strings, model = dictionary(np, list(map(models.__getitem__, places.tolist())))

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


def _events(np: Any, given: Fields, origin: int) -> _Part:
    """One row an event, by span and time."""
    found = [
        (place, min(max(event.time - origin, FIRST), LAST), event.name)
        for place, events in given.read("events", "[")
        for event in sorted(events, key=itemgetter(1))
    ]
    strings, name = dictionary(np, [event[2] for event in found])
    return _Part(
        {
            "event_span": np.fromiter((event[0] for event in found), np.int32, len(found)),
            "event_time": np.fromiter((float(event[1]) for event in found), np.float64, len(found)),
            "event_name": name,
        },
        strings,
    )


def _threads(np: Any, given: Fields, parents: Any) -> tuple[list[str], Any]:
    """The thread of every span that tells one, else that of its nearest ancestor in the same process."""
    said = dict(given.threads())
    scopes, resources = given["scope"], given["resource"]
    if not said and not any(map(is_main, set(scopes))):
        return [], np.zeros(0, dtype=np.uint8)
    if not said and isinstance(scopes, Same) and isinstance(resources, Same):  # one process, and one thread of it
        return [MAIN], np.zeros(given.number, dtype=np.uint8)
    processes = _Processes()
    process = [processes[resource] for resource in resources]
    threads = {place: Thread(process[place], *told) for place, told in said.items()}
    labels = ThreadLabels()
    # Those of which most is known give the names.
    for thread in sorted(dict.fromkeys(threads.values()), key=lambda thread: not (thread.number and thread.name)):
        labels[thread]
    own: list[str | None] = [None] * given.number
    for place, scope in enumerate(scopes):
        thread = threads.get(place) or (Thread(process[place], "", MAIN) if is_main(scope) else None)
        if thread is not None:
            own[place] = labels[thread]
    # Children come after their parents, but for spans whose start was not told.
    for place, parent in enumerate(parents.tolist()):
        if own[place] is None and parent != ROOT and process[place] == process[parent]:
            own[place] = own[parent]
    return dictionary(np, own)


class _Processes:
    """What tells processes apart, by the resources of spans, which many of them share."""

    def __init__(self) -> None:
        self._known: dict[int, tuple[Any, str]] = {}  # with the resource, so that no other one takes its place

    def __getitem__(self, resource: Mapping[str, Any]) -> str:
        known = self._known.get(id(resource))
        if known is None:
            known = self._known[id(resource)] = (resource, process_of(resource))
        return known[1]


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
