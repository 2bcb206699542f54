"""Sessions as a store lists them: made of its runs and of totals over its spans, alike in every store."""

from __future__ import annotations

from operator import itemgetter
from typing import TYPE_CHECKING, Any, Final, NamedTuple, cast

from mirascope_ops.store.codec import decode, encode
from mirascope_ops.store.records import SessionRecord

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from mirascope_ops.store.records import RunRecord, SessionQuery


_SESSION_ID: Final = itemgetter(SessionRecord._fields.index("session_id"))
_LAST_SEEN: Final = itemgetter(SessionRecord._fields.index("last_seen"))


class SpanTotals(NamedTuple):
    """What a session's own spans add up to.

    Attributes:
        first: Start of the first span (ns).
        last: The latest start or end (ns).
        spans: How many spans.
        traces: How many traces they belong to.
        errors: How many have status error.
    """

    first: int
    last: int
    spans: int
    traces: int
    errors: int


def session_record(
    session_id: str, runs: Sequence[RunRecord], totals: SpanTotals | None, span_attributes: str | None
) -> SessionRecord:
    """Put one session together.

    Args:
        session_id: The session.
        runs: Its runs, oldest first.
        totals: What its spans add up to; None where it has none. Runs or totals must be there.
        span_attributes: JSON text of the attributes on its newest span that has some, for a session
            without runs.

    Returns:
        The session. Its parent is that of the newest run that had one other than itself.
    """
    attributes: dict[str, Any] = {}
    parent: str | None = None
    for run in runs:
        attributes.update(run.attributes)
        if run.parent_session_id is not None and run.parent_session_id != session_id:
            parent = run.parent_session_id
    if not runs and span_attributes is not None:
        attributes = attributes_of(span_attributes)
    firsts = [run.start for run in runs]
    lasts = [max(run.start, run.start if run.end is None else run.end) for run in runs]
    if totals is not None:
        firsts.append(totals.first)
        lasts.append(totals.last)
    return SessionRecord(
        session_id=session_id,
        parent_session_id=parent,
        attributes=attributes,
        first_seen=min(firsts),
        last_seen=max(lasts),
        runs=len(runs),
        spans=totals.spans if totals else 0,
        traces=totals.traces if totals else 0,
        errors=totals.errors if totals else 0,
    )


def select(sessions: Iterable[SessionRecord], query: SessionQuery) -> list[SessionRecord]:
    """Keep the sessions that fit, the one last seen first, and of those seen at once the smaller id first."""
    wanted = None if query.session_ids is None else set(query.session_ids)
    if wanted is None and query.since is None and query.until is None and not query.attributes:
        found = list(sessions)
    else:
        found = [
            session
            for session in sessions
            if (wanted is None or session.session_id in wanted)
            and (query.since is None or session.last_seen >= query.since)
            and (query.until is None or session.first_seen < query.until)
            and has_attributes(session.attributes, query.attributes)
        ]
    # Two sorts, each by what is there already: with tens of thousands of sessions, making keys would take longest.
    found.sort(key=_SESSION_ID)
    found.sort(key=_LAST_SEEN, reverse=True)
    return found if query.limit is None else found[: max(query.limit, 0)]


def has_attributes(attributes: Mapping[str, Any], wanted: Mapping[str, Any]) -> bool:
    """Tell whether each of the wanted values is there, equal as JSON."""
    if not wanted:
        return True
    plain: dict[str, Any] = decode(encode(wanted))
    return all(key in attributes and json_equal(attributes[key], value) for key, value in plain.items())


def attributes_of(text: str) -> dict[str, Any]:
    """Read attributes that a span carries as text, which may be anything."""
    try:
        value = decode(text)
    except ValueError:
        return {}
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {}


def json_equal(one: Any, other: Any) -> bool:
    """Compare two JSON values: 1 equals 1.0, but not true; the order of an object's keys is no matter.

    Example:
        >>> json_equal({"a": [1, True]}, {"a": [1.0, True]}), json_equal(1, True)
        (True, False)
    """
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, dict) and isinstance(other, dict):
        ours, theirs = cast("dict[str, Any]", one), cast("dict[str, Any]", other)
        return ours.keys() == theirs.keys() and all(json_equal(value, theirs[key]) for key, value in ours.items())
    if isinstance(one, list) and isinstance(other, list):
        first, second = cast("list[Any]", one), cast("list[Any]", other)
        return len(first) == len(second) and all(map(json_equal, first, second))
    return bool(one == other)
