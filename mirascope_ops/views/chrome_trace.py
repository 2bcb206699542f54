"""Spans in Chrome's Trace Event Format, which https://ui.perfetto.dev and chrome://tracing open.

https://docs.google.com/document/d/1CvAClvFfyA5R-PhYUmn5OOQtYMH4h6I0nSsKchNAySU. A service is a process there. Its
threads are lanes: on one lane, slices lie inside or beside each other, never across, and what lies directly inside a
span is a descendant of it; siblings that overlap go to lanes of their own.
"""

from __future__ import annotations

import heapq
from typing import TYPE_CHECKING, Any, NamedTuple

import orjson

from mirascope_ops.analysis.tree import lineage
from mirascope_ops.store import codec
from mirascope_ops.views.escape import one_line, visible

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from mirascope_ops.analysis.rows import SpanRow

_ROOT = -1
_VALUE_LIMIT = 4_000
_NAME_LIMIT = 200
_ATTRIBUTES_LIMIT = 100
# Chrome's names of colours: only what failed has one, the rest is coloured by name.
_FAILED = "terrible"


class Slice(NamedTuple):
    """One span with its place.

    Attributes:
        span: The span.
        start: Nanoseconds after the first span's start.
        duration: Nanoseconds; of a span without an end up to the last moment known of its trace.
        service: The number of its service, from 1.
        lane: The number of its lane, from 1.
    """

    span: SpanRow
    start: int
    duration: int
    service: int
    lane: int


def chrome_trace(spans: Iterable[SpanRow]) -> Iterator[bytes]:
    """Give spans as a JSON document in the Trace Event Format, part by part.

    Times are microseconds after the first span's start, with three decimals: since the epoch they would be more than
    the readers' numbers hold. When that was stands under `otherData`.

    Args:
        spans: Spans of any traces, complete or not.

    Yields:
        Parts of the document, one event each.

    Example:
        >>> b"".join(chrome_trace([])).startswith(b'{"displayTimeUnit":"ns"')
        True
    """
    slices, base = laid_out(spans)
    yield (
        b'{"displayTimeUnit":"ns","otherData":{"source":"mirascope_ops","start_unix_nano":"%d"},"traceEvents":[' % base
    )
    between = b"\n"
    for event in _events(slices, base):
        yield between + orjson.dumps(event)
        between = b",\n"
    yield b"\n]}\n"


def laid_out(spans: Iterable[SpanRow]) -> tuple[list[Slice], int]:
    """Put spans on lanes.

    Args:
        spans: The spans.

    Returns:
        The slices by start, outer ones first, each span once; and the first start, ns since the epoch.
    """
    linked = lineage(spans)
    found, parents = linked.spans, linked.parents
    if not found:
        return [], 0
    base = min((span.start for span in found if span.start > 0), default=0)
    starts = _starts(found, base)
    ends = _ends(found, starts)
    depths = _depths(parents)
    services: dict[str, int] = {}
    lanes: dict[int, _Lanes] = {}
    placed: list[tuple[int, int]] = [(0, 0)] * len(found)
    slices: list[Slice] = []
    for place in sorted(range(len(found)), key=lambda place: (starts[place], -ends[place], depths[place])):
        span = found[place]
        service = services.setdefault(span.service or "", len(services) + 1)
        own = lanes.setdefault(service, _Lanes(parents))
        parent = parents[place]
        wished = placed[parent][1] if parent != _ROOT and placed[parent][0] == service else 0
        lane = own.put(place, starts[place], ends[place], wished)
        placed[place] = (service, lane)
        slices.append(Slice(span, starts[place] - base, ends[place] - starts[place], service, lane))
    return slices, base


class _Lanes:
    """The lanes of one service, filled in the order of starts."""

    def __init__(self, parents: Sequence[int]) -> None:
        self._parents = parents
        self._open: list[list[tuple[int, int]]] = [[]]  # for each lane, from 1 on, the ends and places of open slices
        self._busy: list[tuple[int, int]] = []  # until when, which lane
        self._idle: list[int] = []

    def put(self, place: int, start: int, end: int, wished: int) -> int:
        """Give the lane for a span: the wished one if it lies inside an ancestor there, else one with nothing on."""
        if wished:
            opened = self._open[wished]
            while opened and opened[-1][0] <= start:
                opened.pop()
            if opened and end <= opened[-1][0] and self._is_below(place, opened[-1][1]):
                opened.append((end, place))
                return wished
        while self._busy and self._busy[0][0] <= start:
            heapq.heappush(self._idle, heapq.heappop(self._busy)[1])
        if self._idle:
            lane = heapq.heappop(self._idle)
        else:
            lane = len(self._open)
            self._open.append([])
        self._open[lane] = [(end, place)]
        heapq.heappush(self._busy, (end, lane))
        return lane

    def _is_below(self, place: int, other: int) -> bool:
        above = self._parents[place]
        while above not in (_ROOT, other):
            above = self._parents[above]
        return above == other


def _starts(found: Sequence[SpanRow], base: int) -> list[int]:
    """Give the starts; a span that told none starts with its trace."""
    first: dict[str, int] = {}
    for span in found:
        if span.start > 0:
            first[span.trace_id] = min(first.get(span.trace_id, span.start), span.start)
    return [span.start if span.start > 0 else first.get(span.trace_id, base) for span in found]


def _ends(found: Sequence[SpanRow], starts: Sequence[int]) -> list[int]:
    """Give the ends; a span without one lasts to the last moment known of its trace."""
    last: dict[str, int] = {}
    for span, start in zip(found, starts, strict=True):
        moments = [start, *([span.end] if span.end is not None else [event.time for event in span.events])]
        last[span.trace_id] = max(last.get(span.trace_id, start), *moments)
    return [
        max(start, last[span.trace_id] if span.end is None else span.end)
        for span, start in zip(found, starts, strict=True)
    ]


def _depths(parents: Sequence[int]) -> list[int]:
    depths = [-1] * len(parents)
    for place in range(len(parents)):
        path: list[int] = []
        above = place
        while above != _ROOT and depths[above] < 0:
            path.append(above)
            above = parents[above]
        depth = -1 if above == _ROOT else depths[above]
        for passed in reversed(path):
            depth += 1
            depths[passed] = depth
    return depths


def _events(slices: Sequence[Slice], base: int) -> Iterator[dict[str, Any]]:
    yield from _names(slices)
    by_id = {(one.span.trace_id, one.span.span_id): one for one in slices}
    flows: dict[tuple[str, str], list[int]] = {}
    arriving: dict[tuple[str, str], list[int]] = {}
    number = 0
    for one in slices:
        own = (one.span.trace_id, one.span.span_id)
        for link in one.span.links:
            cause = (link.trace_id, link.span_id)
            if cause in by_id and cause != own:
                number += 1
                flows.setdefault(cause, []).append(number)
                arriving.setdefault(own, []).append(number)
    for one in slices:
        own = (one.span.trace_id, one.span.span_id)
        where = {"pid": one.service, "tid": one.lane, "ts": _microseconds(one.start)}
        yield _slice(one, where)
        # Right behind its slice, so that a reader binds an arrow to this one and not to one inside that starts with it.
        for flow in flows.get(own, ()):
            yield {"ph": "s", "cat": "link", "name": "link", "id": flow, **where}
        for flow in arriving.get(own, ()):
            yield {"ph": "f", "bp": "e", "cat": "link", "name": "link", "id": flow, **where}
    for one in slices:
        yield from _instants(one, base)


def _names(slices: Sequence[Slice]) -> Iterator[dict[str, Any]]:
    services: dict[int, str] = {}
    lanes: dict[tuple[int, int], None] = {}
    for one in slices:
        services.setdefault(one.service, one.span.service or "")
        lanes[one.service, one.lane] = None
    for service, name in services.items():
        shown = _name(name) if name else "(no service)"
        yield {"ph": "M", "name": "process_name", "pid": service, "tid": 0, "args": {"name": shown}}
    for service, lane in sorted(lanes):
        yield {"ph": "M", "name": "thread_name", "pid": service, "tid": lane, "args": {"name": f"lane {lane}"}}
        yield {"ph": "M", "name": "thread_sort_index", "pid": service, "tid": lane, "args": {"sort_index": lane}}


def _slice(one: Slice, where: dict[str, Any]) -> dict[str, Any]:
    span = one.span
    colour = {"cname": _FAILED} if span.status == "error" else {}
    name, duration = _name(span.name), _microseconds(one.duration)
    return {"ph": "X", "name": name, "cat": span.kind, **where, "dur": duration, **colour, "args": _arguments(span)}


def _instants(one: Slice, base: int) -> Iterator[dict[str, Any]]:
    for event in one.span.events:
        if event.time < base:
            continue  # before everything: a time that was not told
        told = {_name(str(key)): _shown(value) for key, value in list(event.attributes.items())[:_ATTRIBUTES_LIMIT]}
        where = {"pid": one.service, "tid": one.lane, "ts": _microseconds(event.time - base)}
        yield {"ph": "i", "s": "t", "name": _name(event.name), "cat": "event", **where, "args": told}


def _arguments(span: SpanRow) -> dict[str, Any]:
    """Give what a person reads of a slice; what is not known is left out."""
    told: dict[str, Any] = {
        "status": span.status,
        "error": ": ".join(part for part in (span.error_type, span.error_message) if part) or None,
        "model": span.model,
        "provider": span.provider,
        "input_tokens": span.input_tokens,
        "output_tokens": span.output_tokens,
        "cache_read_tokens": span.cache_read_tokens,
        "cost": span.cost,
        "ttft_ms": None if span.ttft is None else span.ttft / 1e6,
        "input": span.input,
        "output": span.output,
        "tags": ", ".join(span.tags) or None,
        "session_id": span.session_id,
        "user_id": span.user_id,
        "cell": span.execution_count,
        "scope": span.scope or None,
        "trace_id": span.trace_id,
        "span_id": span.span_id,
        "parent_id": span.parent_id,
    }
    return {key: _shown(value) for key, value in told.items() if value is not None}


def _shown(value: Any) -> Any:
    if isinstance(value, int | float) and -(2**53) <= value <= 2**53:
        return value
    text = value if isinstance(value, str) else codec.encode(value)
    cut = text[:_VALUE_LIMIT]
    return visible(cut) + (f"… {len(text) - len(cut):,} more characters" if len(text) > len(cut) else "")


def _name(text: str) -> str:
    return one_line(text, _NAME_LIMIT) or "(no name)"


def _microseconds(nanoseconds: int) -> orjson.Fragment:
    """Write nanoseconds as microseconds, to the last digit, which a float does not always do."""
    whole, rest = divmod(nanoseconds, 1000)
    return orjson.Fragment(f"{whole}.{rest:03d}" if rest else str(whole))
