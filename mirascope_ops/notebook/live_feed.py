"""What a running session has recorded so far, read without its store: from spans as they end, and those open now.

The store would be asked for the whole session each time, and be told of every open span. Here a span is read once
or, while its trace grows, a few times; a trace that is over is summed up and forgotten.
"""

from __future__ import annotations

import time
from collections import deque
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final

from mirascope_ops.analysis.normalise import normalise
from mirascope_ops.analysis.turns import turn_of
from mirascope_ops.core import backend
from mirascope_ops.core.open_spans import open_spans
from mirascope_ops.store import recorder
from mirascope_ops.store.ended import span_record
from mirascope_ops.store.records import SpanQuery
from mirascope_ops.views.live import LiveSession
from mirascope_ops.views.outline import Outline, outline
from mirascope_ops.views.session_outline import TurnLine

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from mirascope_ops.analysis.rows import SpanRow, Totals, Turn
    from mirascope_ops.core.ended import EndedSpan
    from mirascope_ops.core.session import SessionContext, Stamp
    from mirascope_ops.store.records import SpanRecord

_MOST_WAITING: Final = 100_000  # spans that have ended and were not looked at yet; older ones are forgotten
_FEWEST: Final = 20  # spans that are looked at in one go, however little time there is
_MOST_OPEN: Final = 200
_SMALL: Final = 200  # spans of a trace that is read anew each time that it changes; a larger one as it grows
_GROWTH: Final = 1.2
_SHOWN: Final = 40  # spans of a large trace that are shown
_MOST_PAST: Final = 60  # turns that the bars tell apart
_MOST_ROWS: Final = 6
_NAME, _ID, _END, _STAMP = 1, 3, 6, 9  # places in an EndedSpan
_NOTHING: Final = Outline([], 0, 1)


@dataclass(slots=True)
class _Trace:
    """One trace of the session."""

    number: int
    records: dict[str, SpanRecord] = field(default_factory=dict[str, "SpanRecord"])  # those that have ended
    changed: bool = True
    counted: int = 0  # spans when `turn` was read
    turn: Turn | None = None
    shown: Turn | None = None  # of a large trace only some spans

    def is_due(self, size: int) -> bool:
        """Whether it is time to read all of its spans again."""
        return size <= _SMALL or size >= self.counted * _GROWTH


@dataclass(slots=True)
class _Sum:
    """Figures of traces."""

    failed: int = 0
    llm_calls: int = 0
    input_tokens: int | None = None
    output_tokens: int | None = None
    cost: float | None = None

    def add(self, turn: Turn) -> None:
        """Add a trace's figures."""
        totals: Totals = turn.totals
        self.failed += turn.error is not None
        self.llm_calls += totals.llm_calls
        for name in ("input_tokens", "output_tokens", "cost"):
            value: Any = getattr(totals, name)
            if value is not None:
                setattr(self, name, value + (getattr(self, name) or 0))


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
        self._traces: dict[str, _Trace] = {}
        self._past: deque[tuple[int, Turn]] = deque(maxlen=_MOST_PAST)
        self._sum = _Sum()
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
        seen = (len(self._waiting), [row[_ID] for row in opened])
        if not self._waiting and seen == self._seen:
            return None
        begun = time.thread_time()
        taken = self._take(max(_FEWEST, int(seconds * self._rate)))
        self._seen = (len(self._waiting), seen[1])
        by_trace: dict[str, dict[str, SpanRecord]] = {}
        for record in map(span_record, opened):
            by_trace.setdefault(record.trace_id, {})[record.span_id] = record
            self._trace(record.trace_id).changed = True
        self._read(by_trace)
        self._forget(by_trace)
        if taken >= _FEWEST:
            self._rate = taken / max(1e-6, time.thread_time() - begun)
        return self._session(now, opened, frozenset(by_trace))

    def again(self) -> None:
        """Let the next `read` return what there is also where nothing has changed: time goes on."""
        self._seen = None

    # --- spans

    def _recall(self) -> None:
        active = recorder.active()
        active.flush(with_open=False)
        below = active.store.runs([self._context.id], descendants=True)
        self._runs.update((run.run_id, True) for run in below)
        query = SpanQuery(
            session_ids=[self._context.id], run_ids=list(self._runs), sessions_or_runs=True, whole_traces=True
        )
        for record in active.store.spans(query):
            if record.status != "open":
                self._keep(record)

    def _keep(self, record: SpanRecord) -> None:
        trace = self._trace(record.trace_id)
        self._spans += record.span_id not in trace.records
        trace.records[record.span_id] = record
        trace.changed = True

    def _opened(self) -> list[EndedSpan]:
        rows = [row for row in open_spans() if row[_END] is None and self._is_ours(row[_STAMP])]
        self._open = len(rows)
        return rows[-_MOST_OPEN:]

    def _take(self, most: int) -> int:
        number = min(most, len(self._waiting))
        for _ in range(number):
            ended = self._waiting.popleft()
            if self._is_ours(ended[_STAMP]):
                self._keep(span_record(ended))
        return number

    def _trace(self, trace_id: str) -> _Trace:
        found = self._traces.get(trace_id)
        if found is None:
            self._number += 1
            found = self._traces[trace_id] = _Trace(self._number)
        return found

    def _is_ours(self, stamp: Stamp | None) -> bool:
        if stamp is None:
            return False
        if stamp.run_id is None:  # a session that another library's span names
            return stamp.session_id == self._context.id
        known = self._runs.get(stamp.run_id)
        if known is None:
            active = recorder.active()
            active.flush(with_open=False)  # entries into sessions are noted there
            below = active.store.runs([self._context.id], descendants=True)
            self._runs.update((run.run_id, True) for run in below)
            known = self._runs.setdefault(stamp.run_id, False)
        return known

    # --- traces

    def _read(self, opened: dict[str, dict[str, SpanRecord]]) -> None:
        """Read the traces that have changed; all at once, which is quicker by far."""
        whole: list[SpanRecord] = []
        parts: list[SpanRecord] = []
        for trace_id, trace in self._traces.items():
            if not trace.changed:
                continue
            trace.changed = False
            spans = {**trace.records, **opened.get(trace_id, {})}
            if trace.is_due(len(spans)):
                trace.counted = len(spans)
                whole += spans.values()
            if len(spans) > _SMALL:
                parts += _some(trace, spans, opened.get(trace_id, {}))
        for turn in _turns(whole):
            trace = self._traces[turn.trace_id]
            trace.turn = trace.shown = turn
        for turn in _turns(parts):
            trace = self._traces[turn.trace_id]
            trace.shown = turn if trace.turn is None else replace(trace.turn, roots=turn.roots)

    def _forget(self, opened: dict[str, dict[str, SpanRecord]]) -> None:
        """Sum up the traces that are over, but for the newest."""
        over = [trace_id for trace_id in self._traces if trace_id not in opened]
        for trace_id in over[: max(0, len(over) - _MOST_ROWS)]:
            trace = self._traces.pop(trace_id)
            if trace.counted < len(trace.records):
                trace.turn = next(iter(_turns(trace.records.values())))
            if trace.turn is not None:
                self._close(trace.number, trace.turn)

    def _close(self, number: int, turn: Turn) -> None:
        self._sum.add(turn)
        self._past.append((number, replace(turn, roots=())))

    # --- the session

    def _session(self, now: int, opened: Sequence[EndedSpan], running: frozenset[str]) -> LiveSession:
        sums = replace(self._sum)
        rows: list[TurnLine] = []
        for trace_id, trace in self._traces.items():
            if trace.turn is None or trace.shown is None:
                continue
            sums.add(trace.turn)
            turn = trace.shown
            if trace_id in running:
                since = trace.turn.totals.start or now
                turn = replace(turn, totals=turn.totals._replace(duration=max(0, now - since)))
            rows.append(self._line(trace.number, turn, outline(turn.roots)))
        past = [self._line(number, turn, _NOTHING) for number, turn in self._past]
        ended = [line for line in rows if line.turn.trace_id not in running]
        shown = [line for line in rows if line.turn.trace_id in running][-_MOST_ROWS:]
        shown += ended[max(0, len(ended) + len(shown) - _MOST_ROWS) :]
        return LiveSession(
            session_id=self._context.id,
            attributes=self._context.attributes,
            execution_count=self._context.cell.execution_count if self._context.cell else None,
            started=self._context.started,
            now=now,
            spans=self._spans + len(self._waiting) + self._open,
            running=[str(row[_NAME]) for row in opened],
            turns=self._number,
            failed=sums.failed,
            llm_calls=sums.llm_calls,
            input_tokens=sums.input_tokens,
            output_tokens=sums.output_tokens,
            cost=sums.cost,
            past=[*past, *ended][-_MOST_PAST:],
            shown=sorted(shown, key=lambda line: line.number),
            open_turns=running,
        )

    def _line(self, number: int, turn: Turn, view: Outline) -> TurnLine:
        session_id = turn.session_id or self._context.id
        return TurnLine(turn, view, number, number, session_id, is_first_of_child=False)


def _turns(records: Iterable[SpanRecord]) -> list[Turn]:
    traces: dict[str, list[SpanRow]] = {}
    for row in normalise(list(records)):
        traces.setdefault(row.trace_id, []).append(row)
    return [turn_of(rows) for rows in traces.values()]


def _some(trace: _Trace, spans: dict[str, SpanRecord], opened: dict[str, SpanRecord]) -> list[SpanRecord]:
    """The spans of a large trace to show: the open ones, the newest, and what is above them."""
    newest = list(trace.records.values())[-_SHOWN:]
    chosen: dict[str, SpanRecord] = {}
    for record in [*opened.values(), *newest]:
        above: SpanRecord | None = record
        while above is not None and above.span_id not in chosen:
            chosen[above.span_id] = above
            above = spans.get(above.parent_id or "")
    return sorted(chosen.values(), key=lambda record: record.start)
