"""What a running session has recorded so far, read without its store: from spans as they end, and those open now.

The store would be asked for the whole session each time, and be told of every open span. Here each span is added to
the figures once, those that tell nothing of a model in a microsecond; only the few traces that are shown are read.
"""

from __future__ import annotations

import time
from collections import deque
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final

from mirascope_ops.analysis.normalise import normalise
from mirascope_ops.analysis.plans import plan_of
from mirascope_ops.analysis.rows import Totals, Turn
from mirascope_ops.analysis.turns import turn_of
from mirascope_ops.core import backend
from mirascope_ops.core.ended import END, NAME, NOTES, PARENT, SITE, SPAN, STAMP, START, TRACE
from mirascope_ops.core.open_spans import open_spans
from mirascope_ops.notebook.live_totals import NOTHING, Figures, RunningTotals, plus
from mirascope_ops.store import recorder
from mirascope_ops.store.ended import span_record
from mirascope_ops.store.records import SpanQuery, SpanRecord
from mirascope_ops.views.live import LiveSession
from mirascope_ops.views.outline import Outline, outline
from mirascope_ops.views.session_outline import TurnLine

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from mirascope_ops.analysis.rows import SpanRow
    from mirascope_ops.core.ended import EndedSpan
    from mirascope_ops.core.session import SessionContext, Stamp

_MOST_WAITING: Final = 100_000  # spans that have ended and were not looked at yet; older ones are forgotten
_MOST_KEYS: Final = 4_096
_FEWEST: Final = 20  # spans that are looked at in one go, however little time there is
_MOST_OPEN: Final = 200
_SMALL: Final = 200  # spans of a trace that is read whole; of a larger one the newest
_SHOWN: Final = 40  # spans of a large trace that are shown
_MOST_PAST: Final = 60  # turns that the bars tell apart
_MOST_ROWS: Final = 6
_ERROR: Final = 2
_NO_SPANS: Final = Outline([], 0, 1)


@dataclass(slots=True)
class _Trace:
    """One trace of the session.

    Attributes:
        number: Its place among all, from 1.
        trace_id: 32 hex digits.
        kept: Its spans that have ended, by id; of a large trace the newest.
        tops: The names of its spans without a parent that have ended, and what failed in them, by id.
    """

    number: int
    trace_id: str
    kept: dict[int, EndedSpan | SpanRecord] = field(default_factory=dict[int, "EndedSpan | SpanRecord"])
    tops: dict[int, tuple[str, str | None]] = field(default_factory=dict[int, "tuple[str, str | None]"])
    failed: dict[int, str] = field(default_factory=dict[int, str])
    totals: RunningTotals = field(default_factory=RunningTotals)
    ended: int = 0
    start: int = 0
    end: int = 0
    is_large: bool = False
    is_changed: bool = True
    turn: Turn | None = None  # as it was read the last time
    user: str | None = None

    def error(self, opened: frozenset[int] = frozenset()) -> str | None:
        """What failed in a root, given the ids of the spans that are still open."""
        if self.tops:
            return next((problem for _, problem in self.tops.values() if problem is not None), None)
        for number, span in self.kept.items():
            parent = _parent(span)
            if parent and parent not in self.kept and parent not in opened:
                return self.failed.get(number)
        return None


class LiveFeed:
    """Follows one session of this process, with the sessions inside it.

    What other processes record for the session is not seen.

    Args:
        context: The session.
    """

    def __init__(self, context: SessionContext) -> None:
        self._context = context
        self._waiting: deque[EndedSpan] = deque(maxlen=_MOST_WAITING)
        self._tell = self._waiting.append
        self._runs = {context.run_id: True}  # whether a run belongs to the session
        self._recalled: set[int] = set()  # spans that may have been both in the store and among those that wait
        self._telling: dict[tuple[Any, tuple[str, ...]], bool] = {}
        self._traces: dict[int, _Trace] = {}
        self._past: deque[TurnLine] = deque(maxlen=_MOST_PAST)
        self._sum: Figures = NOTHING
        self._failed = 0
        self._spans = 0
        self._open = 0
        self._number = 0
        self._rate = 10_000.0  # spans that are looked at in a second
        self._seen: Any = None

    def open(self) -> None:
        """Start to follow, from what the store holds of the session already."""
        backend.watch(self._tell)
        try:
            self._recall()
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Follow no more."""
        backend.unwatch(self._tell)

    def read(self, now: int, seconds: float = 1.0) -> LiveSession | None:
        """Return what there is now; None where nothing has changed since the last time.

        Args:
            now: Nanoseconds since the epoch.
            seconds: About so long spans are looked at that have ended; those that are left wait for the next time.
        """
        opened = self._opened()
        seen = (len(self._waiting), [row[SPAN] for row in opened])
        if not self._waiting and seen == self._seen:
            return None
        begun = time.thread_time()
        taken = self._take(max(_FEWEST, int(seconds * self._rate)))
        if taken >= _FEWEST:
            self._rate = taken / max(1e-6, time.thread_time() - begun)
        self._seen = (len(self._waiting), seen[1])
        open_rows: dict[int, list[SpanRow]] = {}
        for row, read in zip(opened, normalise([span_record(row) for row in opened]), strict=True):
            open_rows.setdefault(row[TRACE], []).append(read)
            self._trace(row[TRACE]).is_changed = True
        self._forget(open_rows)
        return self._session(now, opened, open_rows)

    def again(self) -> None:
        """Let the next `read` return what there is also where nothing has changed: time goes on."""
        self._seen = None

    def owns(self, stamp: Stamp | None) -> bool:
        """Whether a span belongs to the session or to one inside it.

        Args:
            stamp: The span's stamp.
        """
        if stamp is None:
            return False
        if stamp.run_id is None:  # a session that another library's span names
            return stamp.session_id == self._context.id
        known = self._runs.get(stamp.run_id)
        if known is None:
            active = recorder.active()
            active.flush(with_open=False)  # entries into sessions are noted there
            below = active.readable().runs([self._context.id], descendants=True)
            self._runs.update((run.run_id, True) for run in below)
            known = self._runs.setdefault(stamp.run_id, False)
        return known

    # --- spans

    def _recall(self) -> None:
        active = recorder.active()
        active.flush(with_open=False)
        below = active.readable().runs([self._context.id], descendants=True)
        self._runs.update((run.run_id, True) for run in below)
        query = SpanQuery(
            session_ids=[self._context.id], run_ids=list(self._runs), sessions_or_runs=True, whole_traces=True
        )
        records = [record for record in active.readable().spans(query) if record.status != "open"]
        for record in records:
            number = int(record.span_id, 16)
            self._recalled.add(number)
            failed = record.status_message or "error" if record.status == "error" else None
            self._keep(int(record.trace_id, 16), number, record, (record.name, record.start, record.end, failed))
        self._count(records)

    def _keep(
        self, trace_id: int, number: int, span: EndedSpan | SpanRecord, told: tuple[str, int, int | None, str | None]
    ) -> None:
        name, start, end, failed = told
        trace = self._trace(trace_id)
        self._spans += 1
        trace.ended += 1
        trace.is_changed = True
        trace.start = min(trace.start or start, start)
        trace.end = max(trace.end, end or start)
        trace.kept[number] = span
        if failed is not None:
            trace.failed[number] = failed
        if not _parent(span):
            trace.tops[number] = (name, failed)
        if len(trace.kept) > _SMALL:
            trace.is_large = True
            for old in list(trace.kept)[: len(trace.kept) - _SHOWN]:
                del trace.kept[old]
                trace.failed.pop(old, None)

    def _opened(self) -> list[EndedSpan]:
        rows = [row for row in open_spans() if row[END] is None and self.owns(row[STAMP])]
        self._open = len(rows)
        return rows[-_MOST_OPEN:]

    def _take(self, most: int) -> int:
        number = min(most, len(self._waiting))
        telling: list[EndedSpan] = []
        for _ in range(number):
            ended = self._waiting.popleft()
            span = ended[SPAN]
            if not self.owns(ended[STAMP]) or span in self._recalled:
                continue
            notes = ended[NOTES]
            failed = (notes.message or "error") if notes.code == _ERROR else None
            self._keep(ended[TRACE], span, ended, (ended[NAME], ended[START], ended[END], failed))
            if notes.events or self._is_telling(ended):
                telling.append(ended)
        if not self._waiting:
            self._recalled.clear()
        self._count([span_record(ended) for ended in telling])
        return number

    def _is_telling(self, ended: EndedSpan) -> bool:
        """Whether the attributes of a span may tell of a model, or of an error: their keys decide."""
        extra = ended[NOTES].extra
        keys = (ended[SITE], tuple(extra) if extra else ())
        known = self._telling.get(keys)
        if known is None:
            if len(self._telling) >= _MOST_KEYS:
                self._telling.clear()  # a program that invents keys must not fill the memory
            plan = plan_of(tuple(span_record(ended).attributes))
            known = self._telling[keys] = plan.counts or plan.remarkable
        return known

    def _count(self, records: Sequence[SpanRecord]) -> None:
        """Add spans to the figures of their traces; many at once, which is quicker by far."""
        for row in normalise(records):
            trace = self._traces[int(row.trace_id, 16)]
            trace.totals.add(row)
            number = int(row.span_id, 16)
            if row.status == "error":
                trace.failed[number] = row.error_message or row.error_type or "error"
            else:
                trace.failed.pop(number, None)
            if number in trace.tops:
                trace.tops[number] = (row.name, trace.failed.get(number))

    def _trace(self, trace_id: int) -> _Trace:
        found = self._traces.get(trace_id)
        if found is None:
            self._number += 1
            found = self._traces[trace_id] = _Trace(self._number, f"{trace_id:032x}")
        return found

    # --- traces

    def _forget(self, opened: dict[int, list[SpanRow]]) -> None:
        """Sum up the traces that are over, but for the newest."""
        over = [number for number in self._traces if number not in opened]
        gone = over[: max(0, len(over) - _MOST_ROWS)]
        for place, number in enumerate(gone, _MOST_PAST - len(gone)):
            trace = self._traces.pop(number)
            error = trace.error()
            figures = trace.totals.with_open(())
            self._failed += error is not None
            if figures != NOTHING:
                self._sum = plus(self._sum, figures)
            if place >= 0:
                self._past.append(self._line(trace.number, self._brief(trace, error, figures), _NO_SPANS))

    def _brief(self, trace: _Trace, error: str | None, figures: Figures) -> Turn:
        """A turn with its figures alone."""
        name = next((name for name, _ in trace.tops.values()), "")
        return Turn(
            trace.trace_id, self._context.id, name, trace.user, None, None, error, None, _totals(trace, figures), ()
        )

    def _read(self, shown: Sequence[_Trace], opened: dict[int, list[SpanRow]]) -> None:
        """Read the traces that are shown and have changed; all at once."""
        records: list[SpanRecord] = []
        for trace in shown:
            if trace.is_changed or trace.turn is None:
                kept = [span if isinstance(span, SpanRecord) else span_record(span) for span in trace.kept.values()]
                records += _connected(kept, opened.get(int(trace.trace_id, 16), ())) if trace.is_large else kept
        rows: dict[str, list[SpanRow]] = {}
        for row in normalise(records):
            rows.setdefault(row.trace_id, []).append(row)
        for trace in shown:
            own = [*rows.get(trace.trace_id, ()), *opened.get(int(trace.trace_id, 16), ())]
            if own and (trace.is_changed or trace.turn is None):
                trace.is_changed = False
                trace.turn = turn_of(own)
                trace.user = trace.user or trace.turn.user

    # --- the session

    def _session(self, now: int, opened: Sequence[EndedSpan], open_rows: dict[int, list[SpanRow]]) -> LiveSession:
        running = [trace for number, trace in self._traces.items() if number in open_rows]
        ended = [trace for number, trace in self._traces.items() if number not in open_rows]
        shown = running[-_MOST_ROWS:]
        shown += ended[max(0, len(ended) + len(shown) - _MOST_ROWS) :]
        self._read(shown, open_rows)
        numbers = {trace.number for trace in shown}
        sums, failed = self._sum, self._failed
        lines: dict[int, TurnLine] = {}
        for number, trace in self._traces.items():
            rows = open_rows.get(number, [])
            figures = trace.totals.with_open(rows)
            error = trace.error(frozenset(int(row.span_id, 16) for row in rows))
            sums, failed = plus(sums, figures), failed + (error is not None)
            turn = self._brief(trace, error, figures)
            totals = turn.totals
            if rows:
                since = min([row.start for row in rows] + ([trace.start] if trace.start else []))
                totals = totals._replace(start=since, duration=max(0, now - since), spans=trace.ended + len(rows))
            read = trace.turn if trace.turn is not None and trace.number in numbers else turn
            turn = replace(read, user=trace.user, error=error, totals=totals)
            lines[trace.number] = self._line(trace.number, turn, outline(turn.roots) if turn.roots else _NO_SPANS)
        past = [*self._past, *(lines[trace.number] for trace in ended)]
        return LiveSession(
            session_id=self._context.id,
            attributes=self._context.attributes,
            execution_count=self._context.cell.execution_count if self._context.cell else None,
            started=self._context.started,
            now=now,
            spans=self._spans + len(self._waiting) + self._open,
            running=[str(row[NAME]) for row in opened],
            turns=self._number,
            failed=failed,
            llm_calls=sums[0],
            input_tokens=sums[1],
            output_tokens=sums[2],
            cost=sums[4],
            past=past[-_MOST_PAST:],
            shown=sorted((lines[trace.number] for trace in shown), key=lambda line: line.number),
            open_turns=frozenset(trace.trace_id for trace in running),
        )

    def _line(self, number: int, turn: Turn, view: Outline) -> TurnLine:
        session_id = turn.session_id or self._context.id
        return TurnLine(turn, view, number, number, session_id, is_first_of_child=False)


def _parent(span: EndedSpan | SpanRecord) -> int:
    if isinstance(span, SpanRecord):
        return int(span.parent_id, 16) if span.parent_id else 0
    return span[PARENT] or 0


def _totals(trace: _Trace, figures: Figures) -> Totals:
    calls, given, answered, cached, cost = figures
    return Totals(
        spans=trace.ended,
        traces=1,
        errors=len(trace.failed),
        llm_calls=calls,
        llm_errors=0,
        start=trace.start or None,
        end=trace.end or None,
        duration=max(0, trace.end - trace.start) if trace.start else None,
        input_tokens=given,
        output_tokens=answered,
        cache_read_tokens=cached,
        cost=cost,
        ttft=None,
    )


def _connected(records: Sequence[SpanRecord], opened: Iterable[SpanRow]) -> list[SpanRecord]:
    """The newest spans of a large trace whose parents are shown too: open ones, or among the newest themselves."""
    known = {record.span_id: record for record in records}
    there = {row.span_id for row in opened}
    chosen: dict[str, SpanRecord] = {}
    for record in records[-_SHOWN:]:
        path: list[SpanRecord] = []
        above: SpanRecord | None = record
        while above is not None and above.span_id not in chosen:
            path.append(above)
            above = known.get(above.parent_id or "")
        top = path[-1] if path else record
        if above is not None or not top.parent_id or top.parent_id in there:
            chosen.update((one.span_id, one) for one in path)
    return sorted(chosen.values(), key=lambda record: record.start)
