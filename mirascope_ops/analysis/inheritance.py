"""What a span takes from the spans around it: its session, and whether it is a model call."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from mirascope_ops.analysis.rows import SpanRow

Key = tuple[str, str]

# What a span that takes over a session takes over with it, where it has none of its own.
_WITH_SESSION = ("session_attributes", "user_id", "run_id")


class Family(NamedTuple):
    """The spans of some traces by their ids: their places, and their parents where those were read."""

    places: dict[Key, int]
    parents: dict[Key, Key]

    def ancestors(self, key: Key) -> Iterator[Key]:
        """Go up from a span, once through a cycle."""
        seen = {key}
        above = self.parents.get(key)
        while above is not None and above not in seen:
            seen.add(above)
            yield above
            above = self.parents.get(above)


def inherit_sessions(rows: list[SpanRow]) -> None:
    """Give every row that has no session its nearest ancestor's, else its trace's, else its conversation.

    Instrumentations write no session on the spans that they make for an application which does. Where a
    trace names conversations only, a conversation is the session.

    Args:
        rows: The rows of whole traces, in any order; those that change are replaced in this list.
    """
    lacking = [place for place, row in enumerate(rows) if row.session_id is None]
    if not lacking:
        return
    _spread(rows, lacking)
    lacking = [place for place in lacking if rows[place].session_id is None]
    talking = [place for place in lacking if rows[place].conversation_id is not None]
    if talking:
        for place in talking:
            rows[place] = rows[place]._replace(session_id=rows[place].conversation_id)
        _spread(rows, [place for place in lacking if rows[place].session_id is None])


def settle_wrappers(rows: list[SpanRow], wrappers: Sequence[int]) -> None:
    """Decide what the spans are that carry a model's answer without having said what they are.

    Mirascope attaches the response to the span of the decorated function. That span is the model call
    where nothing below it is (no instrumentation recorded one), else it is the chain around the call.

    Args:
        rows: The rows of whole traces, in any order; those that change are replaced in this list.
        wrappers: The places of the spans in question.
    """
    family = _family(rows, {rows[place].trace_id for place in wrappers})
    above: set[Key] = set()

    def mark(key: Key) -> None:
        for ancestor in family.ancestors(key):
            if ancestor in above:
                break
            above.add(ancestor)

    for key, place in family.places.items():
        if rows[place].kind == "llm":
            mark(key)
    inside_out = sorted(wrappers, key=lambda place: -sum(1 for _ in family.ancestors(_key(rows[place]))))
    for place in inside_out:
        key = _key(rows[place])
        if key in above:
            rows[place] = rows[place]._replace(kind="chain")
        else:
            rows[place] = rows[place]._replace(kind="llm")
            mark(key)


def _spread(rows: list[SpanRow], lacking: Sequence[int]) -> None:
    of_trace = _of_traces(rows, {rows[place].trace_id for place in lacking})
    if not of_trace:
        return
    family = _family(rows, set(of_trace))
    # Decide first, write later: a session that was taken over must not look like a row's own.
    donors: dict[Key, SpanRow] = {}
    for place in lacking:
        row = rows[place]
        path = [_key(row)]
        if row.trace_id not in of_trace or path[0] in donors:
            continue
        donor = of_trace[row.trace_id]
        for key in family.ancestors(path[0]):
            ancestor = rows[family.places[key]]
            if key in donors or ancestor.session_id is not None:
                donor = donors.get(key, ancestor)
                break
            path.append(key)
        donors.update(dict.fromkeys(path, donor))
    for place in lacking:
        donor = donors.get(_key(rows[place]))
        if donor is not None:
            rows[place] = _taking_over(rows[place], donor)


def _taking_over(row: SpanRow, donor: SpanRow) -> SpanRow:
    taken = {name: getattr(donor, name) for name in _WITH_SESSION if getattr(row, name) is None}
    return row._replace(session_id=donor.session_id, **taken)


def _of_traces(rows: Sequence[SpanRow], traces: set[str]) -> dict[str, SpanRow]:
    """For each trace that has any, the row whose session counts for the whole trace: the root, else the first."""
    found: dict[str, SpanRow] = {}
    for row in rows:
        if row.session_id is not None and row.trace_id in traces:
            other = found.get(row.trace_id)
            if other is None or _seniority(row) < _seniority(other):
                found[row.trace_id] = row
    return found


def _family(rows: Iterable[SpanRow], traces: set[str]) -> Family:
    places = {_key(row): place for place, row in enumerate(rows) if row.trace_id in traces}
    parents: dict[Key, Key] = {}
    for row in rows:
        above = (row.trace_id, row.parent_id or "")
        if above in places:
            parents[_key(row)] = above
    return Family(places, parents)


def _key(row: SpanRow) -> Key:
    return row.trace_id, row.span_id


def _seniority(row: SpanRow) -> tuple[bool, int]:
    return row.parent_id is not None, row.start
