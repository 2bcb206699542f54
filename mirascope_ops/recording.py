"""Recording: what a file holds: spans, and the entries into the sessions in which they were made."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

from mirascope_ops.sessionset import Session, SessionSet
from mirascope_ops.spanset import SpanSet
from mirascope_ops.store.listing import SpanTotals, select, session_record
from mirascope_ops.store.records import SessionQuery

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from mirascope_ops.analysis.rows import SpanRow
    from mirascope_ops.store.records import RunRecord, SessionRecord


class Recording(SpanSet):
    """The spans of a file, and its sessions; `read_otlp` and `read_parquet` give one.

    Args:
        spans: The spans.
        runs: The entries into sessions; a file of single traces has none.

    Example:
        >>> len(Recording([]).sessions)
        0
    """

    def __init__(self, spans: Iterable[SpanRow], runs: Iterable[RunRecord] = ()) -> None:
        super().__init__(spans)
        self._runs = tuple(sorted(runs, key=lambda run: run.start))

    @property
    def runs(self) -> tuple[RunRecord, ...]:
        """The entries into sessions, oldest first."""
        return self._runs

    @property
    def sessions(self) -> SessionSet:
        """The sessions, the one last seen first; those without spans too, where sessions were exported."""
        index = self._index
        names = {**index.entered, **index.inside}
        records = [_record(name, index.entered.get(name, []), index.spans(name)) for name in names]
        return SessionSet(select(records, SessionQuery()), self._load)

    @functools.cached_property
    def _index(self) -> _Index:
        return _Index(self._spans, self._runs)

    def _load(self, records: Sequence[SessionRecord]) -> list[Session]:
        return [Session(record, *self._index.session(record.session_id)) for record in records]

    def _entries(self) -> Sequence[RunRecord]:
        return self._runs


class _Index:
    """Spans and entries by what they belong to."""

    def __init__(self, spans: Sequence[SpanRow], runs: Sequence[RunRecord]) -> None:
        self._all = spans
        self.entered: dict[str, list[RunRecord]] = {}
        self._below: dict[str, list[RunRecord]] = {}
        self.inside: dict[str, list[int]] = {}
        self._of_run: dict[str, list[int]] = {}
        for run in runs:
            self.entered.setdefault(run.session_id, []).append(run)
            if run.parent_run_id is not None:
                self._below.setdefault(run.parent_run_id, []).append(run)
        for place, span in enumerate(spans):
            if span.session_id is not None:
                self.inside.setdefault(span.session_id, []).append(place)
            if span.run_id is not None:
                self._of_run.setdefault(span.run_id, []).append(place)

    def spans(self, session_id: str) -> list[SpanRow]:
        """Give a session's own spans."""
        return [self._all[place] for place in self.inside.get(session_id, ())]

    def session(self, session_id: str) -> tuple[list[RunRecord], list[SpanRow]]:
        """Give the entries into a session and those inside them, with the spans of all, as the store gives them."""
        runs = self._runs(session_id)
        places = set(self.inside.get(session_id, ()))
        for run in runs:
            places.update(self._of_run.get(run.run_id, ()))
            # Spans from outside know no runs.
            places.update(place for place in self.inside.get(run.session_id, ()) if self._all[place].run_id is None)
        return runs, [self._all[place] for place in sorted(places)]

    def _runs(self, session_id: str) -> list[RunRecord]:
        found: dict[str, RunRecord] = {}
        waiting = list(self.entered.get(session_id, ()))
        while waiting:
            run = waiting.pop()
            if run.run_id not in found:
                found[run.run_id] = run
                waiting += self._below.get(run.run_id, ())
        return sorted(found.values(), key=lambda run: run.start)


def _record(session_id: str, runs: list[RunRecord], spans: list[SpanRow]) -> SessionRecord:
    totals = None
    if spans:
        totals = SpanTotals(
            first=min(span.start for span in spans),
            last=max(span.start if span.end is None else max(span.start, span.end) for span in spans),
            spans=len(spans),
            traces=len({span.trace_id for span in spans}),
            errors=sum(span.status == "error" for span in spans),
        )
    told = [span.session_attributes for span in spans if span.session_attributes is not None]
    return session_record(session_id, runs, totals, told[-1] if told else None)
