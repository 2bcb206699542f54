"""Taking spans from elsewhere into a store that may have some of them."""

from __future__ import annotations

import time
from collections import OrderedDict
from typing import TYPE_CHECKING, Any, Final

from mirascope_ops.store import codec, masked
from mirascope_ops.store.records import RunRecord, SpanQuery

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from mirascope_ops.store.otlp import Exported
    from mirascope_ops.store.protocol import Store
    from mirascope_ops.store.records import AnnotationRecord, SpanRecord

_BATCH: Final = 2_000
_MOST_KNOWN: Final = 400_000  # spans whose ids are remembered
_DAY: Final = 86_400 * 10**9
_SPAN_ID, _END = codec.SPAN_COLUMNS.index("span_id"), codec.SPAN_COLUMNS.index("end")


class Merge:
    """Writes spans that came from outside, some at a time, and counts what became of them.

    A span that the store has stays as it is there, unless only the newcomer knows its end. Secrets are masked, as
    everywhere before something is written.

    Args:
        store: Where they go.

    Attributes:
        new: How many spans were added.
        completed: How many spans got their end.
        known: How many spans were there already.
        refused: How many spans have no usable ids.
        entries: How many entries into sessions were added or got their end.
        annotations: How many annotations came along.

    Example:
        >>> from mirascope_ops.store.memory import MemoryStore
        >>> merge = Merge(MemoryStore())
        >>> merge.finish()
        >>> merge.new
        0
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._spans: list[Exported] = []
        self._runs: list[RunRecord] = []
        self._known: OrderedDict[str, dict[str, bool]] = OrderedDict()  # by trace: span ids, and whether they ended
        self._remembered = 0
        self._oldest: dict[int, int] = {}  # by day of the last end: how many of the spans that were added
        self.new = self.completed = self.known = self.refused = self.entries = self.annotations = 0

    def add_all(self, found: Iterable[Exported | RunRecord]) -> None:
        """Take spans and entries into sessions.

        Raises:
            StoreError: The store cannot be written.
        """
        for one in found:
            if isinstance(one, RunRecord):
                self._runs.append(one)
            elif not one.record.trace_id.strip("0") or not one.record.span_id.strip("0"):
                self.refused += 1
                continue
            else:
                self._spans.append(one)
            if len(self._spans) >= _BATCH or len(self._runs) >= _BATCH:
                self.finish()

    def finish(self) -> None:
        """Write what was taken so far.

        Raises:
            StoreError: The store cannot be written.
        """
        taken, self._spans = self._spans, []
        runs, self._runs = self._new_runs(self._runs), []
        self._look_up([one.record.trace_id for one in taken])
        spans: list[SpanRecord] = []
        resources: dict[int, tuple[Any, Mapping[str, Any]]] = {}
        annotations: list[AnnotationRecord] = []
        for one in taken:
            if self._is_news(one.record):
                spans.append(masked.span(one.record, resources))
            annotations += map(masked.annotation, one.annotations)
        if spans or runs or annotations:
            self._store.write(spans, runs, annotations)
        self.entries += len(runs)
        self.annotations += len(annotations)
        self._forget()

    def expired(self, max_age_ns: int | None) -> int:
        """Tell how many of the spans that were added ended longer ago than that.

        Args:
            max_age_ns: The age; None for any.
        """
        if max_age_ns is None:
            return 0
        limit = (time.time_ns() - max_age_ns) // _DAY
        return sum(number for day, number in self._oldest.items() if day < limit)

    def _is_news(self, span: SpanRecord) -> bool:
        known = self._known[span.trace_id]
        ended = known.get(span.span_id)
        if ended is None:
            self.new += 1
            self._remembered += 1
            day = (span.start if span.end is None else span.end) // _DAY
            self._oldest[day] = self._oldest.get(day, 0) + 1
        elif ended or span.end is None:
            self.known += 1
            return False
        else:
            self.completed += 1
        known[span.span_id] = span.end is not None
        return True

    def _look_up(self, traces: Iterable[str]) -> None:
        """Learn which spans of these traces the store has."""
        wanted = list(dict.fromkeys(traces))
        missing = [trace for trace in wanted if trace not in self._known]
        for trace in missing:
            self._known[trace] = {}
        for batch in self._store.batches(SpanQuery(trace_ids=missing)) if missing else ():
            self._remembered += len(batch)
            columns = batch.columns
            for trace, span, end in zip(columns[0], columns[_SPAN_ID], columns[_END], strict=True):
                self._known.setdefault(trace, {})[span] = end is not None
        for trace in wanted:
            self._known.move_to_end(trace)

    def _forget(self) -> None:
        while self._remembered > _MOST_KNOWN and len(self._known) > 1:
            _, spans = self._known.popitem(last=False)
            self._remembered -= len(spans)

    def _new_runs(self, runs: list[RunRecord]) -> list[RunRecord]:
        if not runs:
            return []
        there = {run.run_id: run for run in self._store.runs(sorted({run.session_id for run in runs}))}
        newest = {run.run_id: run for run in runs}
        return [
            masked.run(run)
            for run in newest.values()
            if run.run_id not in there or (there[run.run_id].end is None and run.end is not None)
        ]
