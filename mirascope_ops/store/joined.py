"""Several stores read as if one held everything: the rescue, and the file in whose place it is in use.

An answer is not put together of answers: a limit, a session's totals, a trace that is spread over two files would come
out wrong. The traces that the question concerns are read from every store into memory, in the order in which one store
would have been given them, and memory answers. That takes its time, in a state that is rare.
"""

from __future__ import annotations

import sys
from dataclasses import replace
from typing import TYPE_CHECKING, Final, Protocol, TypeVar

from mirascope_ops.exceptions import StoreError
from mirascope_ops.store.listing import select
from mirascope_ops.store.memory import MemoryStore
from mirascope_ops.store.read_only import ReadOnlyStore
from mirascope_ops.store.records import SessionQuery, SpanQuery

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from mirascope_ops.store.batch import SpanBatch
    from mirascope_ops.store.protocol import Store, StoreStats
    from mirascope_ops.store.records import AnnotationRecord, RunRecord, SessionRecord, SpanRecord
    from mirascope_ops.store.rescue import Rescue

_MORE: Final = 16  # spans, or traces, that are read beyond a limit: some are known better elsewhere
_T = TypeVar("_T")


class Readable(Protocol):
    """The half of a `Store` that reads."""

    def spans(self, query: SpanQuery) -> list[SpanRecord]:
        """See `Store.spans`."""
        ...

    def batches(self, query: SpanQuery) -> Iterator[SpanBatch]:
        """See `Store.batches`."""
        ...

    def runs(self, session_ids: Sequence[str] | None = None, *, descendants: bool = False) -> list[RunRecord]:
        """See `Store.runs`."""
        ...

    def sessions(self, query: SessionQuery) -> list[SessionRecord]:
        """See `Store.sessions`."""
        ...

    def annotations(self, trace_ids: Sequence[str] | None) -> list[AnnotationRecord]:
        """See `Store.annotations`."""
        ...

    def stats(self) -> StoreStats:
        """See `Store.stats`."""
        ...


class JoinedStore:
    """Reads from several stores as from one to which all that they hold was written, one store after the other.

    Of a span or run that is in several, the last store's counts. One thing no store tells: where a span starts at
    another time in a later store, its place among those that start at the very same time is a guess.

    Args:
        stores: The stores. One before the last that cannot be read counts as empty; the last raises its StoreError.

    Example:
        >>> JoinedStore([MemoryStore(), MemoryStore()]).spans(SpanQuery())
        []
    """

    def __init__(self, stores: Sequence[Readable]) -> None:
        self._stores = tuple(stores)

    def __repr__(self) -> str:
        return f"JoinedStore({list(self._stores)!r})"

    def spans(self, query: SpanQuery) -> list[SpanRecord]:
        """Give the spans that fit; see `Store.spans`."""
        return self._concerned(query).spans(query)

    def batches(self, query: SpanQuery) -> Iterator[SpanBatch]:
        """Give the same spans column by column; see `Store.batches`."""
        return self._concerned(query).batches(query)

    def runs(self, session_ids: Sequence[str] | None = None, *, descendants: bool = False) -> list[RunRecord]:
        """Give the runs of these sessions; see `Store.runs`."""
        return self._with_runs(_memory()).runs(session_ids, descendants=descendants)

    def sessions(self, query: SessionQuery) -> list[SessionRecord]:
        """List the sessions that fit; see `Store.sessions`."""
        if query.session_ids is not None:
            found = self._trace_ids(SpanQuery(session_ids=query.session_ids))
            return self._with_runs(self._loaded(sorted(found))).sessions(query)
        first, *others = self._stores
        mixed, traces = self._mixed(first, others)
        together = self._with_runs(self._loaded(sorted(traces)))
        recomputed = together.sessions(replace(query, session_ids=sorted(mixed), limit=None))
        # What is mixed may be among the first so many.
        limit = None if query.limit is None else max(query.limit, 0) + len(mixed)
        listed = self._read(first, lambda store: store.sessions(replace(query, limit=limit)))
        return select([*(each for each in listed if each.session_id not in mixed), *recomputed], query)

    def annotations(self, trace_ids: Sequence[str] | None) -> list[AnnotationRecord]:
        """Give the annotations of these traces; see `Store.annotations`."""
        memory = _memory()
        for found in self._from_each(lambda store: store.annotations(trace_ids)):
            memory.write((), (), found)
        return memory.annotations(None)

    def stats(self) -> StoreStats:
        """Say what all of them hold; the rest is what the last one says of itself."""
        memory = self._with_runs(self._loaded(None))
        memory.write((), (), self.annotations(None))
        held = memory.stats()
        return replace(
            self._stores[-1].stats(),
            spans=held.spans,
            traces=held.traces,
            runs=held.runs,
            sessions=held.sessions,
            annotations=held.annotations,
            oldest=held.oldest,
            newest=held.newest,
            estimated=False,
        )

    def release(self) -> None:
        """Let go of the files that are only read, until they are read again."""
        for store in self._stores:
            if isinstance(store, ReadOnlyStore):
                store.release()

    def _read(self, store: Readable, look: Callable[[Readable], Iterable[_T]]) -> list[_T]:
        try:
            return list(look(store))
        except (StoreError, ValueError):  # SQLite does not notice every damage: then it is no JSON
            if store is self._stores[-1]:
                raise
            return []

    def _from_each(self, look: Callable[[Readable], Iterable[_T]]) -> list[list[_T]]:
        """Read from every store, the last one first: what somebody moves to an earlier one is not missed."""
        return [self._read(store, look) for store in reversed(self._stores)][::-1]

    def _loaded(self, trace_ids: Sequence[str] | None) -> MemoryStore:
        """Read whole traces (None: all) from every store, each once, so that the order of writing is known."""
        memory = _memory()
        query = SpanQuery(trace_ids=trace_ids)
        for found in self._from_each(lambda store: store.spans(query)):
            memory.write(found)
        return memory

    def _with_runs(self, memory: MemoryStore) -> MemoryStore:
        """Add all runs: whatever is below a run, or in its place, may be in another store."""
        for found in self._from_each(lambda store: store.runs()):
            memory.write((), found)
        return memory

    def _trace_ids(self, query: SpanQuery) -> set[str]:
        return {trace for store in reversed(self._stores) for trace in self._traces_of(store, query)}

    def _traces_of(self, store: Readable, query: SpanQuery) -> set[str]:
        return {trace for batch in self._read(store, lambda store: map(_ids, store.batches(query))) for trace in batch}

    def _concerned(self, query: SpanQuery) -> MemoryStore:
        """Read every trace of which a span may be in the answer.

        Whatever fits in the end is so in the store that knows it best, and fits there: the traces of what fits
        somewhere are enough.
        """
        if query.limit is None:
            unconditional = replace(query, whole_traces=False, sessions_or_runs=False) == SpanQuery()
            return self._loaded(None if unconditional else sorted(self._trace_ids(replace(query, whole_traces=False))))
        if query.limit <= 0:
            return _memory()
        most = query.limit
        while True:
            most = 2 * most + _MORE
            some = replace(query, limit=most)
            traces: set[str] = set()
            cuts: list[int] = []
            for found in self._from_each(lambda store, some=some: store.spans(some)):
                traces.update(span.trace_id for span in found)
                starts = _newest_starts(_memory_of(found), query)
                if len(starts) >= most:
                    cuts.append(min(starts))  # what else is in there is no newer
            memory = self._loaded(sorted(traces))
            if not cuts or sum(start > max(cuts) for start in _newest_starts(memory, query)) >= query.limit:
                return memory

    def _mixed(self, first: Readable, others: Sequence[Readable]) -> tuple[set[str], set[str]]:
        """Name the sessions that the first store does not know alone, and the traces with spans of theirs."""
        mixed: set[str] = set()
        traces: set[str] = set()
        runs: set[str] = set()
        for store in others:
            mixed.update(each.session_id for each in self._read(store, lambda store: store.sessions(SessionQuery())))
            traces |= self._traces_of(store, SpanQuery())
            runs.update(run.run_id for run in self._read(store, lambda store: store.runs()))
        in_traces = SpanQuery(trace_ids=sorted(traces))
        replaced = self._read(first, lambda store: store.spans(in_traces))
        mixed.update(span.session_id for span in replaced if span.session_id is not None)
        mixed.update(run.session_id for run in self._read(first, lambda store: store.runs()) if run.run_id in runs)
        return mixed, traces | self._traces_of(first, SpanQuery(session_ids=sorted(mixed)))


def with_original(rescue: Rescue, store: Store) -> JoinedStore:
    """Join a rescue with the file in whose place it is in use, and with what was in use before it.

    Args:
        rescue: The places.
        store: The one that is in use.
    """
    used = getattr(store, "path", None)
    before = [ReadOnlyStore(path) for path in (rescue.path, *rescue.places) if path != used]
    return JoinedStore([*before, store])


def _memory() -> MemoryStore:
    return MemoryStore(sys.maxsize, sys.maxsize)


def _memory_of(spans: Sequence[SpanRecord]) -> MemoryStore:
    memory = _memory()
    memory.write(spans)
    return memory


def _ids(batch: SpanBatch) -> set[str]:
    return set(batch.columns[0])


def _newest_starts(memory: MemoryStore, query: SpanQuery) -> list[int]:
    """Tell when that began which a limit counts: each span that fits, or the newest that fits of each trace."""
    fitting = memory.spans(replace(query, whole_traces=False, limit=None))
    if not query.whole_traces:
        return [span.start for span in fitting]
    return list({span.trace_id: span.start for span in fitting}.values())
