"""A session with everything below it: its turns, its child sessions, its figures."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from mirascope_ops.analysis.rows import SessionCard
from mirascope_ops.analysis.stats import totals
from mirascope_ops.analysis.tree import forest
from mirascope_ops.analysis.turns import turn_of
from mirascope_ops.analysis.verdicts import verdict_of_session

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from mirascope_ops.analysis.rows import SpanRow
    from mirascope_ops.store.records import RunRecord, SessionRecord

# Sessions nested deeper count in the totals but get no card of their own.
_MOST_DEPTH = 50


@dataclass(slots=True)
class _Part:
    """One session in the card: the entries into it that belong here, and what was made in them."""

    session_id: str
    parent_session_id: str | None
    runs: list[RunRecord]
    children: list[_Part] = field(default_factory=list["_Part"])
    spans: list[SpanRow] = field(default_factory=list["SpanRow"])
    traces: list[list[SpanRow]] = field(default_factory=list["list[SpanRow]"])

    def walk(self) -> Iterator[_Part]:
        """Go through the parts from this one down."""
        stack: list[_Part] = [self]
        while stack:
            part = stack.pop()
            yield part
            stack.extend(reversed(part.children))


class _Runs:
    """The entries into sessions, as the forest that they are."""

    def __init__(self, runs: Iterable[RunRecord]) -> None:
        self.all = sorted(runs, key=lambda run: run.start)
        self.below: dict[str, list[RunRecord]] = {}
        for run in self.all:
            if run.parent_run_id is not None:
                self.below.setdefault(run.parent_run_id, []).append(run)

    def under(self, runs: Iterable[RunRecord]) -> list[RunRecord]:
        """Give some runs and all those inside them, each once, oldest first."""
        found: dict[str, RunRecord] = {}
        stack = list(runs)
        while stack:
            run = stack.pop()
            if run.run_id not in found:
                found[run.run_id] = run
                stack.extend(self.below.get(run.run_id, ()))
        return sorted(found.values(), key=lambda run: run.start)


def session_card(
    session: SessionRecord, runs: Sequence[RunRecord], spans: Sequence[SpanRow], *, run_id: str | None = None
) -> SessionCard:
    """Put together what a session's card shows.

    A child session is one that was entered inside this one. The parent belongs to the entry: of a session
    that was entered here and elsewhere, what was made here counts; and an id that is nested in itself, or in
    its own child, counts once.

    Args:
        session: The session.
        runs: The entries into the session and those inside them.
        spans: The spans of the session and those of the runs inside its runs.
        run_id: The run on which the card reports, such as that of a notebook cell; None for the whole session.

    Returns:
        The card; its totals cover the session and its descendants, its turns are those that began in the
        session itself.
    """
    known = _Runs(runs)
    own = [run for run in known.all if run.session_id == session.session_id]
    top = _Part(session.session_id, session.parent_session_id, own)
    _add_children(top, known, (session.session_id,))
    _hand_out(top, spans)
    reported = [run for run in known.all if run.run_id == run_id]
    within = {run.run_id for run in known.under(reported)}
    return SessionCard(
        session_id=session.session_id,
        parent_session_id=session.parent_session_id,
        attributes=session.attributes,
        first_seen=session.first_seen,
        last_seen=session.last_seen,
        runs=session.runs,
        run_spans=None if run_id is None else sum(span.run_id in within for span in spans),
        execution_count=reported[0].execution_count if reported else None,
        **_contents(top),
    )


def _add_children(part: _Part, known: _Runs, path: tuple[str, ...]) -> None:
    if len(path) > _MOST_DEPTH:
        return
    entries: dict[str, list[RunRecord]] = {}
    for run in part.runs:
        for child in known.below.get(run.run_id, ()):
            if child.session_id not in path:
                entries.setdefault(child.session_id, []).append(child)
    for session_id, entered in entries.items():
        # The same id again further down is this session still, not a child of its own child.
        runs = [run for run in known.under(entered) if run.session_id == session_id]
        child = _Part(session_id, part.session_id, runs)
        _add_children(child, known, (*path, session_id))
        part.children.append(child)


def _hand_out(top: _Part, spans: Sequence[SpanRow]) -> None:
    by_run: dict[str, _Part] = {}
    by_session: dict[str, _Part] = {}
    for part in top.walk():
        by_session.setdefault(part.session_id, part)
        for run in part.runs:
            by_run.setdefault(run.run_id, part)

    def owner(span: SpanRow) -> _Part:
        return by_run.get(span.run_id or "") or by_session.get(span.session_id or "") or top

    traces: dict[str, list[SpanRow]] = {}
    for span in spans:
        owner(span).spans.append(span)
        traces.setdefault(span.trace_id, []).append(span)
    for trace in traces.values():
        owner(forest(trace)[0].span).traces.append(trace)


def _card(part: _Part) -> SessionCard:
    moments = [moment for run in part.runs for moment in (run.start, run.end) if moment is not None]
    moments += [moment for span in part.spans for moment in (span.start, span.end) if moment is not None]
    return SessionCard(
        session_id=part.session_id,
        parent_session_id=part.parent_session_id,
        attributes={key: value for run in part.runs for key, value in run.attributes.items()},
        first_seen=min(moments),
        last_seen=max(moments),
        runs=len(part.runs),
        run_spans=None,
        execution_count=None,
        **_contents(part),
    )


def _contents(part: _Part) -> dict[str, Any]:
    below = [span for inner in part.walk() for span in inner.spans]
    children = [_card(child) for child in part.children]
    turns = sorted((turn_of(trace) for trace in part.traces), key=lambda turn: turn.totals.start or 0)
    failed = any(turn.error is not None for turn in turns) or any(child.status == "error" for child in children)
    return {
        "tags": tuple(dict.fromkeys(tag for span in part.spans for tag in span.tags)),
        "status": _status(below, failed=failed),
        "totals": totals(below),
        "turns": turns,
        "children": children,
        "verdict": verdict_of_session(part.session_id, below),
    }


def _status(spans: Sequence[SpanRow], *, failed: bool) -> Literal["ok", "error", "open", "interrupted"]:
    statuses = {span.status for span in spans}
    if "open" in statuses:
        return "open"
    if failed:
        return "error"
    return "interrupted" if "interrupted" in statuses else "ok"
