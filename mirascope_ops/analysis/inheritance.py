"""What a span takes from the spans around it: its session, and whether it is a model call."""

from __future__ import annotations

from itertools import compress, repeat
from operator import is_
from typing import TYPE_CHECKING, Any

from mirascope_ops.analysis.rows import SLOT
from mirascope_ops.analysis.texts import writable
from mirascope_ops.store.same import Same

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from mirascope_ops.analysis.texts import Column

_TRACE, _SPAN, _PARENT, _START = SLOT["trace_id"], SLOT["span_id"], SLOT["parent_id"], SLOT["start"]
_SESSION, _CONVERSATION, _KIND = SLOT["session_id"], SLOT["conversation_id"], SLOT["kind"]
# What a span that takes over a session takes over with it, where it has none of its own.
_WITH_SESSION = (SLOT["session_attributes"], SLOT["user_id"], SLOT["run_id"])
_NONE = -1


def inherit_sessions(columns: list[Column]) -> None:
    """Give every span that has no session its nearest ancestor's, else its trace's, else its conversation.

    Instrumentations write no session on the spans that they make for an application which does. Where a
    trace names conversations only, a conversation is the session.

    Args:
        columns: The columns of the spans of whole traces, in the order of SpanRow's fields; changed in place.
    """
    if None not in columns[_SESSION]:
        return
    sessions = writable(columns, _SESSION)
    lacking = list(compress(range(len(sessions)), map(is_, sessions, repeat(None))))
    if len(lacking) < len(sessions):
        _spread(columns, lacking)
        lacking = [place for place in lacking if sessions[place] is None]
    conversations = columns[_CONVERSATION]
    if isinstance(conversations, Same) and conversations.value is None:
        return
    talking = [place for place in lacking if conversations[place] is not None]
    if talking:
        for place in talking:
            sessions[place] = conversations[place]
        _spread(columns, [place for place in lacking if sessions[place] is None])


def settle_wrappers(columns: list[Column], wrappers: Sequence[int]) -> None:
    """Decide what the spans are that carry a model's answer without having said what they are.

    Mirascope attaches the response to the span of the decorated function. That span is the model call
    where nothing below it is (no instrumentation recorded one), else it is the chain around the call.

    Args:
        columns: The columns of the spans of whole traces, in the order of SpanRow's fields; changed in place.
        wrappers: The places of the spans in question.
    """
    parents = _Parents(columns)
    kinds = writable(columns, _KIND)
    for place in wrappers:
        kinds[place] = "other"
    above: set[int] = set()

    def mark(place: int) -> None:
        for ancestor in _ancestors(parents, place):
            if ancestor in above:
                break
            above.add(ancestor)

    for place, kind in enumerate(kinds):
        if kind == "llm":
            mark(place)
    inside_out = sorted(wrappers, key=lambda place: -sum(1 for _ in _ancestors(parents, place)))
    for place in inside_out:
        if place in above:
            kinds[place] = "chain"
        else:
            kinds[place] = "llm"
            mark(place)


class _Parents:
    """Finds the parents of spans: from place to place, -1 where there is none or it was not read.

    Of several spans with the same ids the last is the parent.

    Args:
        columns: The spans.
    """

    def __init__(self, columns: list[Column]) -> None:
        self._traces, self._named = writable(columns, _TRACE), writable(columns, _PARENT)
        spans = writable(columns, _SPAN)
        # Span ids differ mostly, also between traces: looking for them alone is faster.
        self._by_span: dict[Any, int] = dict(zip(spans, range(len(spans)), strict=True))
        self._by_both: dict[tuple[Any, Any], int] | None = None
        if len(self._by_span) < len(spans):
            self._by_both = dict(zip(zip(self._traces, spans, strict=True), range(len(spans)), strict=True))

    def of(self, place: int) -> int:
        """Find the parent of one span."""
        trace, named = self._traces[place], self._named[place]
        if self._by_both is not None:
            return self._by_both.get((trace, named), _NONE)
        parent = self._by_span.get(named, _NONE)
        return parent if parent != _NONE and self._traces[parent] == trace else _NONE

    def of_all(self, places: Sequence[int]) -> list[int]:
        """Find the parents of many."""
        if self._by_both is not None:
            return list(map(self.of, places))
        traces = self._traces
        found = map(self._by_span.get, map(self._named.__getitem__, places), repeat(_NONE))
        return [
            parent if parent != _NONE and traces[parent] == traces[place] else _NONE
            for place, parent in zip(places, found, strict=True)
        ]


def _ancestors(parents: _Parents, place: int) -> Iterator[int]:
    """Go up from a span, once through a cycle."""
    seen = {place}
    above = parents.of(place)
    while above != _NONE and above not in seen:
        seen.add(above)
        yield above
        above = parents.of(above)


def _spread(columns: list[Column], lacking: Sequence[int]) -> None:
    # Decide first, write later: a session that was taken over must not look like a span's own.
    traces = writable(columns, _TRACE)
    agreed = _agreed(columns)
    found = list(map(agreed.get, map(traces.__getitem__, lacking)))
    given = [(place, told) for place, told in zip(lacking, found, strict=True) if told]
    if () in found:
        given += _by_donors(columns, [place for place, told in zip(lacking, found, strict=True) if told == ()])
    for number, slot in enumerate(_WITH_SESSION, 1):
        if columns[slot].count(None) < len(columns[slot]):
            column = writable(columns, slot)
            for place, told in given:
                if column[place] is None:
                    column[place] = told[number]
    sessions = writable(columns, _SESSION)
    for place, told in given:
        sessions[place] = told[0]


def _agreed(columns: Sequence[Column]) -> dict[str, tuple[Any, ...]]:
    """For each trace that has a session what its spans tell of it; nothing where they do not tell the same.

    Where they do, whichever of them a span takes it from is one: nobody's parent need be found.
    """
    found: dict[str, tuple[Any, ...]] = {}
    # What is the same for all spans tells nothing apart, and need not be compared for each.
    slots = (_TRACE, _SESSION, *(slot for slot in _WITH_SESSION if not isinstance(columns[slot], Same)))
    order = [slots.index(slot) if slot in slots else None for slot in (_SESSION, *_WITH_SESSION)]
    shared = [
        column.value if isinstance(column := columns[slot], Same) else None for slot in (_SESSION, *_WITH_SESSION)
    ]
    for told in dict.fromkeys(zip(*(columns[slot] for slot in slots), strict=True)):
        trace, session = told[:2]
        if session is not None:
            values = [one if at is None else told[at] for at, one in zip(order, shared, strict=True)]
            found[trace] = () if trace in found else tuple(values)
    return found


def _by_donors(columns: list[Column], lacking: Sequence[int]) -> list[tuple[int, tuple[Any, ...]]]:
    """Give spans what their nearest ancestor that has a session tells of it, else what counts for their trace."""
    donors = _donors(columns[_SESSION], _Parents(columns), lacking)
    without = [place for place in lacking if donors[place] == _NONE]
    if without:
        of_trace = _of_traces(columns, {columns[_TRACE][place] for place in without})
        for place in without:
            donors[place] = of_trace.get(columns[_TRACE][place], _NONE)
    return [
        (place, tuple(columns[slot][donor] for slot in (_SESSION, *_WITH_SESSION)))
        for place in lacking
        if (donor := donors[place]) != _NONE
    ]


def _donors(sessions: Sequence[str | None], parents: _Parents, lacking: Sequence[int]) -> dict[int, int]:
    """For each span without a session, and those between, find the nearest ancestor that has one, or -1."""
    donors: dict[int, int] = {}
    for place, parent in zip(lacking, parents.of_all(lacking), strict=True):
        if place in donors:
            continue
        donor = parent
        if donor != _NONE and sessions[donor] is not None:
            donors[place] = donor
            continue
        path = [place]
        donors[place] = _NONE  # ends a cycle
        while donor != _NONE and sessions[donor] is None:
            if donor in donors:
                donor = donors[donor]
                break
            donors[donor] = _NONE
            path.append(donor)
            donor = parents.of(donor)
        for passed in path:
            donors[passed] = donor
    return donors


def _of_traces(columns: Sequence[Column], traces: set[str]) -> dict[str, int]:
    """For each trace that has any, the span whose session counts for the whole trace: the root, else the first."""
    found: dict[str, int] = {}

    def seniority(place: int) -> tuple[bool, int]:
        return columns[_PARENT][place] is not None, columns[_START][place]

    for place, (trace, session) in enumerate(zip(columns[_TRACE], columns[_SESSION], strict=True)):
        if session is not None and trace in traces:
            other = found.get(trace)
            if other is None or seniority(place) < seniority(other):
                found[trace] = place
    return found
