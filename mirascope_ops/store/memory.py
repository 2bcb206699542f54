"""The store that keeps nothing on disk: the newest spans, in this process."""

from __future__ import annotations

import os
import threading
from itertools import islice
from operator import attrgetter
from typing import TYPE_CHECKING, TypeVar

from mirascope_ops.exceptions import StoreError
from mirascope_ops.store import codec, kept
from mirascope_ops.store.batch import BATCH, SpanBatch
from mirascope_ops.store.collection import uncollected
from mirascope_ops.store.listing import SpanTotals, select, session_record
from mirascope_ops.store.protocol import StoreStats
from mirascope_ops.store.waiting import MAX_BYTES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from mirascope_ops.store.kept import Head, Kept, Key
    from mirascope_ops.store.records import (
        AnnotationRecord,
        RunRecord,
        SessionQuery,
        SessionRecord,
        SpanQuery,
        SpanRecord,
    )

_K = TypeVar("_K")
_V = TypeVar("_V")


class MemoryStore:
    """A store in memory, bounded: where more comes in, the spans written first are dropped.

    Spans that this process recorded are kept as they were left behind, at a third of a record's size (`kept`).
    There is no index, which would take as much again: a look-up goes through all that is kept, some milliseconds
    for 100,000 spans. Records are kept as they are given and must not be changed afterwards; they come back as a
    file would give them back (`codec`).

    Args:
        max_spans: How many spans to hold; as many runs, and as many annotations.
        max_bytes: How many bytes the spans may take, by estimate (`waiting.size_of`).

    Attributes:
        dropped: How many spans were dropped to make room.

    Example:
        >>> from mirascope_ops.store.records import SpanQuery
        >>> MemoryStore().spans(SpanQuery())
        []
    """

    def __init__(self, max_spans: int = 100_000, max_bytes: int = MAX_BYTES) -> None:
        self.max_spans = max_spans
        self.max_bytes = max_bytes
        self.dropped = 0
        self._bytes = 0
        self._pid = os.getpid()
        self._lock = threading.Lock()
        self._spans: dict[Key, Kept] = {}  # in the order of first writing
        self._runs: dict[str, RunRecord] = {}
        self._annotations: dict[codec.Row, AnnotationRecord] = {}
        self._closed = False

    def __repr__(self) -> str:
        return f"MemoryStore(max_spans={self.max_spans})"

    def write(
        self,
        spans: Sequence[Kept],
        runs: Sequence[RunRecord] = (),
        annotations: Sequence[AnnotationRecord] = (),
    ) -> None:
        """Keep all of these; see `Store.write`."""
        with self._usable():
            newest = kept.by_key(spans)
            replaced = [self._spans[key] for key in self._spans.keys() & newest.keys()]
            self._bytes += kept.size_of(*newest.values()) - kept.size_of(*replaced)
            self._spans.update(newest)
            for run in runs:
                plain = codec.run_of(codec.clean_row(codec.run_row(run)))
                self._runs[plain.run_id] = plain
            for annotation in annotations:
                row = codec.clean_row(codec.annotation_row(annotation))
                self._annotations.setdefault(row, codec.annotation_of(row))
            self._make_room()
            _drop_first(self._runs, self.max_spans)
            _drop_first(self._annotations, self.max_spans)

    def spans(self, query: SpanQuery) -> list[SpanRecord]:
        """Give the spans that fit; see `Store.spans`."""
        resources = codec.Resources()
        return [codec.as_read(record, resources) for record in map(kept.record_of, self._found(query)) if record]

    def batches(self, query: SpanQuery) -> Iterator[SpanBatch]:
        """Give the same spans column by column; see `Store.batches`."""
        found = self._found(query)
        resources = codec.Resources()
        for first in range(0, len(found), BATCH):
            with uncollected():
                batch = kept.batch_of(found[first : first + BATCH], resources)
            yield batch

    def _found(self, query: SpanQuery) -> list[Kept]:
        fits = _condition(query)
        with self._usable():
            # A copy, in one step: records are made of it while others write.
            everything = list(self._spans.values())
        found = _candidates(everything, query)
        if fits is not None:
            found = [each for each in found if (record := kept.record_of(each)) and fits(record)]
        found = kept.by_start(found)
        if len(found) == len(everything) and query.limit is None:
            return found
        if query.whole_traces:
            newest_first = dict.fromkeys(map(kept.trace_of, reversed(found)))
            chosen = set(islice(newest_first, None if query.limit is None else max(query.limit, 0)))
            found = kept.by_start(kept.in_traces(everything, chosen))
        elif query.limit is not None:
            newest = list(islice(filter(kept.record_of, reversed(found)), max(query.limit, 0)))
            found = newest[::-1]
        return found

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
            runs: dict[str, list[RunRecord]] = {}
            for run in sorted(self._runs.values(), key=lambda run: run.start):
                runs.setdefault(run.session_id, []).append(run)
            everything = list(self._spans.values())
        if wanted is not None:
            everything = kept.in_sessions_or_runs(everything, wanted, ())
        heads: dict[str, list[Head]] = {}
        for head in map(kept.head_of, everything):
            if head.session_id is not None:
                heads.setdefault(head.session_id, []).append(head)
        return select(
            (
                _session(key, runs.get(key, ()), heads.get(key, ()))
                for key in dict.fromkeys([*runs, *heads])
                if wanted is None or key in wanted
            ),
            query,
        )

    def annotations(self, trace_ids: Sequence[str] | None) -> list[AnnotationRecord]:
        """Give the annotations of these traces; see `Store.annotations`."""
        with self._usable():
            found = list(self._annotations.values())
        if trace_ids is not None:
            wanted = _cleaned(trace_ids)
            found = [annotation for annotation in found if annotation.trace_id in wanted]
        return sorted(found, key=lambda annotation: annotation.time)

    def delete(self, session_ids: Sequence[str]) -> int:
        """Delete these sessions; see `Store.delete`."""
        wanted = _cleaned(session_ids)
        with self._usable():
            heads = {key: kept.head_of(span) for key, span in self._spans.items()}
            traces = {head.trace for head in heads.values() if head.session_id in wanted}
            doomed = [
                key
                for key, head in heads.items()
                if head.session_id in wanted or (head.session_id is None and head.trace in traces)
            ]
            for key in doomed:
                self._bytes -= kept.size_of(self._spans.pop(key))
            self._runs = {
                key: run._replace(parent_session_id=None) if run.parent_session_id in wanted else run
                for key, run in self._runs.items()
                if run.session_id not in wanted
            }
            self._annotations = {
                row: annotation
                for row, annotation in self._annotations.items()
                if kept.trace_key(annotation.trace_id) not in traces
                or kept.key_of_ids(annotation.trace_id, annotation.span_id) in self._spans
            }
        return len(doomed)

    def stats(self) -> StoreStats:
        """Say what is kept, and that it is kept in memory only."""
        with self._usable():
            heads = [kept.head_of(span) for span in self._spans.values()]
            starts = [head.start for head in heads]
            in_sessions = {head.session_id for head in heads if head.session_id is not None}
            return StoreStats(
                spans=len(heads),
                traces=len({head.trace for head in heads}),
                runs=len(self._runs),
                sessions=len(in_sessions | {run.session_id for run in self._runs.values()}),
                annotations=len(self._annotations),
                oldest=min(starts, default=None),
                newest=max(starts, default=None),
                max_spans=self.max_spans,
                dropped=self.dropped,
            )

    def close(self) -> None:
        """Forget everything; calling it again does nothing."""
        self._closed = True
        self._bytes = 0
        self._spans.clear()
        self._runs.clear()
        self._annotations.clear()

    def _make_room(self) -> None:
        """Drop the spans written first until the others fit."""
        many = len(self._spans) - self.max_spans
        if many > 0:
            self._drop(list(islice(self._spans, many)))
        if self._bytes > self.max_bytes:
            oldest: list[Key] = []
            left = self._bytes
            for key, span in self._spans.items():
                if left <= self.max_bytes:
                    break
                left -= kept.size_of(span)
                oldest.append(key)
            self._drop(oldest)

    def _drop(self, keys: Sequence[Key]) -> None:
        self._bytes -= kept.size_of(*map(self._spans.pop, keys))
        self.dropped += len(keys)

    def _usable(self) -> threading.Lock:
        """Give the lock to enter."""
        if self._closed:
            raise StoreError("The store in memory is closed: open one again by ops.configure(store=...).")
        if os.getpid() != self._pid:
            # A thread of the parent may have held the lock when this process was forked off.
            self._pid, self._lock = os.getpid(), threading.Lock()
        return self._lock


_start = attrgetter("start")
_COLUMNS = ("name", "status", "cell_id", "execution_count", "notebook")  # of a query, each of them a value or None


def _cleaned(values: Iterable[str]) -> set[str]:
    return {codec.clean(value) for value in values}


def _drop_first(everything: dict[_K, _V], most: int) -> None:
    for key in list(islice(everything, max(0, len(everything) - most))):
        del everything[key]


def _candidates(spans: list[Kept], query: SpanQuery) -> list[Kept]:
    """Give a superset of the spans that fit, without making records; exactly these where `_condition` is None."""
    if query.trace_ids is not None:
        spans = kept.in_traces(spans, {kept.trace_key(trace) for trace in _cleaned(query.trace_ids)})
    if query.session_ids is not None or query.run_ids is not None:
        sessions, runs = _cleaned(query.session_ids or ()), _cleaned(query.run_ids or ())
        spans = kept.in_sessions_or_runs(spans, sessions, runs)
    if query.since is not None or query.until is not None:
        spans = kept.between(spans, query.since, query.until)
    return spans


def _condition(query: SpanQuery) -> Callable[[SpanRecord], bool] | None:
    """Give the test that a span must pass beyond `_candidates`, or None."""
    both = query.session_ids is not None and query.run_ids is not None and not query.sessions_or_runs
    prefixes = query.trace_prefix, query.span_prefix
    if not both and prefixes == (None, None) and all(getattr(query, column) is None for column in _COLUMNS):
        return None
    traces, sessions, runs = (
        None if values is None else _cleaned(values) for values in (query.trace_ids, query.session_ids, query.run_ids)
    )
    equal = {column: codec.clean(value) for column in _COLUMNS if (value := getattr(query, column)) is not None}

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
            and (query.span_prefix is None or span.span_id.startswith(query.span_prefix))
            and in_session_and_run(span)
            and all(getattr(span, column) == value for column, value in equal.items())
            and (query.since is None or span.start >= query.since)
            and (query.until is None or span.start < query.until)
        )

    return fits


def _session(session_id: str, runs: Sequence[RunRecord], heads: Sequence[Head]) -> SessionRecord:
    ordered = sorted(heads, key=_start)
    attributes = [head.session_attributes for head in ordered if head.session_attributes not in (None, "{}")]
    totals = (
        SpanTotals(
            first=ordered[0].start,
            last=max(max(head.start, head.start if head.end is None else head.end) for head in ordered),
            spans=len(ordered),
            traces=len({head.trace for head in ordered}),
            errors=sum(head.is_error for head in ordered),
        )
        if ordered
        else None
    )
    return session_record(session_id, runs, totals, attributes[-1] if attributes else None)
