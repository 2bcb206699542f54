"""The store that keeps nothing on disk: the newest spans, in this process."""

from __future__ import annotations

import os
import threading
from itertools import islice
from typing import TYPE_CHECKING, TypeVar

from mirascope_ops.exceptions import StoreError
from mirascope_ops.store import codec
from mirascope_ops.store.listing import SpanTotals, select, session_record
from mirascope_ops.store.protocol import StoreStats
from mirascope_ops.store.records import AnnotationRecord, RunRecord, SessionQuery, SessionRecord, SpanQuery, SpanRecord

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

_Key = tuple[str, str]
_K = TypeVar("_K")
_V = TypeVar("_V")


class MemoryStore:
    """A store in memory, bounded: where more comes in, the spans written first are dropped.

    Writing only appends; what was written is put in order when somebody reads. Records are kept as they are
    given and must not be changed afterwards; they come back as a file would give them back (`codec`).

    Args:
        max_spans: How many spans to hold; as many runs, and as many annotations.

    Example:
        >>> from mirascope_ops.store.records import SpanQuery
        >>> MemoryStore().spans(SpanQuery())
        []
    """

    def __init__(self, max_spans: int = 100_000) -> None:
        self.max_spans = max_spans
        self._pid = os.getpid()
        self._lock = threading.Lock()
        self._pending: list[SpanRecord] = []
        self._number = 0  # of the next span: the order of writing
        self._spans: dict[_Key, tuple[int, SpanRecord]] = {}
        self._by_trace: dict[str, dict[_Key, None]] = {}
        self._by_session: dict[str, dict[_Key, None]] = {}
        self._by_run: dict[str, dict[_Key, None]] = {}
        self._runs: dict[str, RunRecord] = {}
        self._annotations: dict[codec.Row, AnnotationRecord] = {}
        self._closed = False

    def __repr__(self) -> str:
        return f"MemoryStore(max_spans={self.max_spans})"

    def write(
        self,
        spans: Sequence[SpanRecord],
        runs: Sequence[RunRecord] = (),
        annotations: Sequence[AnnotationRecord] = (),
    ) -> None:
        """Keep all of these; see `Store.write`."""
        with self._usable():
            self._pending.extend(spans)
            for run in runs:
                plain = codec.run_of(codec.clean_row(codec.run_row(run)))
                self._runs[plain.run_id] = plain
            for annotation in annotations:
                row = codec.clean_row(codec.annotation_row(annotation))
                self._annotations.setdefault(row, codec.annotation_of(row))
            _drop_first(self._runs, len(self._runs) - self.max_spans)
            _drop_first(self._annotations, len(self._annotations) - self.max_spans)
            if len(self._pending) >= self.max_spans:
                self._take_in()

    def spans(self, query: SpanQuery) -> list[SpanRecord]:
        """Give the spans that fit; see `Store.spans`."""
        with self._usable():
            self._take_in()
            fits = _condition(query)
            found = [entry for entry in self._candidates(query) if fits(entry[1])]
            if query.whole_traces:
                found.sort(key=_by_start, reverse=True)
                traces = dict.fromkeys(entry[1].trace_id for entry in found)  # the one with the newest span first
                chosen = islice(traces, None if query.limit is None else max(query.limit, 0))
                found = [self._spans[key] for trace in chosen for key in self._by_trace[trace]]
        found.sort(key=_by_start)
        if query.limit is not None and not query.whole_traces:
            found = found[max(0, len(found) - max(query.limit, 0)) :]
        return [_as_read(span) for _, span in found]

    def runs(self, session_ids: Sequence[str] | None = None, *, descendants: bool = False) -> list[RunRecord]:
        """Give the runs of these sessions; see `Store.runs`."""
        with self._usable():
            everything = list(self._runs.values())
        if session_ids is not None:
            wanted = _cleaned(session_ids)
            found = {run.run_id for run in everything if run.session_id in wanted}
            if descendants:
                children: dict[str | None, list[str]] = {}
                for run in everything:
                    children.setdefault(run.parent_run_id, []).append(run.run_id)
                below = list(found)
                while below:
                    new = [child for child in children.get(below.pop(), ()) if child not in found]
                    found.update(new)
                    below.extend(new)
            everything = [run for run in everything if run.run_id in found]
        return sorted(everything, key=lambda run: run.start)  # stable: runs of one start stay as written

    def sessions(self, query: SessionQuery) -> list[SessionRecord]:
        """List the sessions that fit; see `Store.sessions`."""
        wanted = None if query.session_ids is None else _cleaned(query.session_ids)
        with self._usable():
            self._take_in()
            runs: dict[str, list[RunRecord]] = {}
            for run in sorted(self._runs.values(), key=lambda run: run.start):
                runs.setdefault(run.session_id, []).append(run)
            spans = {
                key: [self._spans[each] for each in own]
                for key, own in self._by_session.items()
                if wanted is None or key in wanted
            }
        return select(
            (
                _session(key, runs.get(key, ()), spans.get(key, ()))
                for key in dict.fromkeys([*runs, *spans])
                if wanted is None or key in wanted
            ),
            query,
        )

    def annotations(self, trace_ids: Sequence[str]) -> list[AnnotationRecord]:
        """Give the annotations of these traces; see `Store.annotations`."""
        wanted = _cleaned(trace_ids)
        with self._usable():
            found = [annotation for annotation in self._annotations.values() if annotation.trace_id in wanted]
        return sorted(found, key=lambda annotation: annotation.time)

    def delete(self, session_ids: Sequence[str]) -> int:
        """Delete these sessions; see `Store.delete`."""
        wanted = _cleaned(session_ids)
        with self._usable():
            self._take_in()
            doomed = [key for session in wanted for key in self._by_session.get(session, ())]
            traces = {trace for trace, _ in doomed}
            doomed += [
                key for trace in traces for key in self._by_trace[trace] if self._spans[key][1].session_id is None
            ]
            for key in doomed:
                self._forget(key)
            self._runs = {key: run for key, run in self._runs.items() if run.session_id not in wanted}
            self._annotations = {
                row: annotation
                for row, annotation in self._annotations.items()
                if annotation.trace_id not in traces or (annotation.trace_id, annotation.span_id) in self._spans
            }
        return len(doomed)

    def stats(self) -> StoreStats:
        """Say what is kept, and that it is kept in memory only."""
        with self._usable():
            self._take_in()
            starts = [span.start for _, span in self._spans.values()]
            return StoreStats(
                spans=len(self._spans),
                traces=len(self._by_trace),
                runs=len(self._runs),
                sessions=len(self._by_session.keys() | {run.session_id for run in self._runs.values()}),
                annotations=len(self._annotations),
                oldest=min(starts, default=None),
                newest=max(starts, default=None),
                max_spans=self.max_spans,
            )

    def close(self) -> None:
        """Forget everything; calling it again does nothing."""
        self._closed = True
        self._pending = []
        for kept in (self._spans, self._by_trace, self._by_session, self._by_run, self._runs, self._annotations):
            kept.clear()

    def _usable(self) -> threading.Lock:
        """Give the lock to enter."""
        if self._closed:
            raise StoreError("The store in memory is closed: open one again by ops.configure(store=...).")
        if os.getpid() != self._pid:
            # A thread of the parent may have held the lock when this process was forked off.
            self._pid, self._lock = os.getpid(), threading.Lock()
        return self._lock

    def _take_in(self) -> None:
        """Put what was written since the last time in its place, and drop what is too much."""
        pending, self._pending = self._pending, []
        for span in pending:
            plain = _checked(span)
            key = (plain.trace_id, plain.span_id)
            earlier = self._spans.get(key)
            if earlier is not None:
                _discard(self._by_session, earlier[1].session_id, key)
                _discard(self._by_run, earlier[1].run_id, key)
                self._spans[key] = (earlier[0], plain)
            else:
                self._spans[key] = (self._number, plain)
                self._number += 1
            self._by_trace.setdefault(plain.trace_id, {})[key] = None
            if plain.session_id is not None:
                self._by_session.setdefault(plain.session_id, {})[key] = None
            if plain.run_id is not None:
                self._by_run.setdefault(plain.run_id, {})[key] = None
        for key in list(islice(self._spans, max(0, len(self._spans) - self.max_spans))):
            self._forget(key)

    def _forget(self, key: _Key) -> None:
        _, span = self._spans.pop(key)
        _discard(self._by_trace, span.trace_id, key)
        _discard(self._by_session, span.session_id, key)
        _discard(self._by_run, span.run_id, key)

    def _candidates(self, query: SpanQuery) -> Iterable[tuple[int, SpanRecord]]:
        """Give a superset of the spans that fit, by the narrowest index."""
        both = query.sessions_or_runs and query.session_ids is not None and query.run_ids is not None
        keys: Iterable[_Key]
        if query.trace_ids is not None:
            keys = _indexed(self._by_trace, query.trace_ids)
        elif both:
            keys = dict.fromkeys(
                [*_indexed(self._by_session, query.session_ids or ()), *_indexed(self._by_run, query.run_ids or ())]
            )
        elif query.session_ids is not None:
            keys = _indexed(self._by_session, query.session_ids)
        elif query.run_ids is not None:
            keys = _indexed(self._by_run, query.run_ids)
        else:
            return self._spans.values()
        return [self._spans[key] for key in keys]


def _by_start(entry: tuple[int, SpanRecord]) -> tuple[int, int]:
    return entry[1].start, entry[0]


def _cleaned(values: Iterable[str]) -> set[str]:
    return {codec.clean(value) for value in values}


def _indexed(index: Mapping[str, Collection[_Key]], values: Iterable[str]) -> list[_Key]:
    return [key for value in _cleaned(values) for key in index.get(value, ())]


def _discard(index: dict[str, dict[_Key, None]], value: str | None, key: _Key) -> None:
    keys = index.get(value) if value is not None else None
    if keys is not None and value is not None:
        keys.pop(key, None)
        if not keys:
            del index[value]


def _drop_first(kept: dict[_K, _V], number: int) -> None:
    for key in list(islice(kept, max(0, number))):
        del kept[key]


def _condition(query: SpanQuery) -> Callable[[SpanRecord], bool]:
    """Give the test that a span must pass."""
    traces, sessions, runs = (
        None if values is None else _cleaned(values) for values in (query.trace_ids, query.session_ids, query.run_ids)
    )
    equal = {
        column: codec.clean(value)
        for column in ("name", "status", "cell_id", "execution_count", "notebook")
        if (value := getattr(query, column)) is not None
    }

    def in_session_and_run(span: SpanRecord) -> bool:
        by_session = sessions is None or span.session_id in sessions
        by_run = runs is None or span.run_id in runs
        if query.sessions_or_runs and sessions is not None and runs is not None:
            return by_session or by_run
        return by_session and by_run

    def fits(span: SpanRecord) -> bool:
        return (
            (traces is None or span.trace_id in traces)
            and (query.trace_prefix is None or span.trace_id.startswith(query.trace_prefix))
            and in_session_and_run(span)
            and all(getattr(span, column) == value for column, value in equal.items())
            and (query.since is None or span.start >= query.since)
            and (query.until is None or span.start < query.until)
        )

    return fits


def _checked(span: SpanRecord) -> SpanRecord:
    """Make the columns such as a file keeps them; the mappings wait until they are read."""
    columns = span[:18]
    if codec.is_clean_span_row(columns):
        return span
    return SpanRecord._make((*codec.clean_span_row(columns), *span[18:]))


def _as_read(span: SpanRecord) -> SpanRecord:
    row = codec.span_row(span, None)
    return codec.span_of(row, codec.decode(codec.encode(span.resource)) if span.resource else {})


def _session(session_id: str, runs: Sequence[RunRecord], entries: Sequence[tuple[int, SpanRecord]]) -> SessionRecord:
    spans = [span for _, span in sorted(entries, key=_by_start)]
    attributes = [span.session_attributes for span in spans if span.session_attributes not in (None, "{}")]
    totals = (
        SpanTotals(
            first=spans[0].start,
            last=max(max(span.start, span.start if span.end is None else span.end) for span in spans),
            spans=len(spans),
            traces=len({span.trace_id for span in spans}),
            errors=sum(span.status == "error" for span in spans),
        )
        if spans
        else None
    )
    return session_record(session_id, runs, totals, attributes[-1] if attributes else None)
