"""Several stores read as if one held everything: the rescue, and the file in whose place it is in use.

An answer is not put together of answers: a limit, a session's totals, a trace that is spread over two files would come
out wrong. The traces that the question concerns are read from every store into memory, in the order in which one store
would have been given them, and memory answers. That takes its time, in a state that is rare.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
import sys
import weakref
from dataclasses import replace
from typing import TYPE_CHECKING, Final, NoReturn, Protocol, TypeVar

from mirascope_ops.exceptions import StoreError
from mirascope_ops.store import forking, schema
from mirascope_ops.store.connections import (
    Connections,
    _Connection,  # pyright: ignore[reportPrivateUsage] - what a fork ends is to end here too
)
from mirascope_ops.store.contexts import Numbers
from mirascope_ops.store.listing import select
from mirascope_ops.store.lock import FileLock
from mirascope_ops.store.memory import MemoryStore
from mirascope_ops.store.protocol import Retention
from mirascope_ops.store.records import SessionQuery, SpanQuery
from mirascope_ops.store.sqlite import SqliteStore

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
    from pathlib import Path

    from mirascope_ops.store.batch import SpanBatch
    from mirascope_ops.store.protocol import Store, StoreStats
    from mirascope_ops.store.records import AnnotationRecord, RunRecord, SessionRecord, SpanRecord
    from mirascope_ops.store.rescue import Rescue

_PATIENCE: Final = 0.2  # seconds; a file in this state may not be readable at all
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


class ReadOnlyStore(SqliteStore):
    """A store's file that is read and never written, made, locked or brought to the present schema.

    SQLite's own locks keep a reader safe from those who write. The file is opened when it is read: every method raises
    a StoreError where that is not possible, and `write` always.

    Args:
        path: The file.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.retention = Retention()
        self._process = None
        self._contexts = Numbers()
        self._connections = _ReadingConnections(path, _PATIENCE)
        self._finalizer = weakref.finalize(self, self._connections.release)


class _ReadingConnections(Connections):
    """Connections of which none can write: closing them changes nothing, so nobody need be kept out."""

    def __init__(self, path: Path, patience: float) -> None:
        self._path = path
        self._patience = patience
        self._start_anew()
        forking.watch(self)

    def _start_anew(self) -> None:
        super()._start_anew()
        self._file_lock = _NoLock(self._path)
        self._is_immutable = False

    def _is_current(self) -> bool:
        return not self._is_immutable and super()._is_current()

    def _locked_writer(self) -> NoReturn:
        raise StoreError(f"{self._path} is only read here.")

    def _current_writer(self) -> sqlite3.Connection:
        if self._writer is not None and not self._is_current():
            self._release()
        return self._writer or self._open_writer()

    def _open_writer(self) -> sqlite3.Connection:
        identity = self._identity_on_disk()
        self._is_immutable = False
        self._writer, self._identity = self._connect(), identity
        return self._writer

    def _connect(self) -> sqlite3.Connection:
        try:
            return self._connected("mode=ro")
        except sqlite3.OperationalError as error:
            log = self._path.with_name(self._path.name + "-wal")
            if not error.sqlite_errorname.startswith(("SQLITE_CANTOPEN", "SQLITE_READONLY")) or _has_content(log):
                raise
        # Where nothing can be made beside the file, SQLite reads it if it may take for granted that nobody writes: so
        # that connection is used once.
        self._is_immutable = True
        return self._connected("mode=ro&immutable=1")

    def _connected(self, how: str) -> sqlite3.Connection:
        connection = sqlite3.connect(
            f"{self._path.as_uri()}?{how}",
            uri=True,
            timeout=self._patience,
            factory=_Connection,
            isolation_level=None,
            check_same_thread=False,
        )
        try:
            connection.execute("PRAGMA temp_store = MEMORY")
            version, ours = (
                connection.execute(f"PRAGMA {name}").fetchone()[0] for name in ("user_version", "application_id")
            )
            if (version, ours) != (schema.SCHEMA_VERSION, schema.APPLICATION_ID):
                raise StoreError(f"{self._path} is no store of this version.")  # noqa: TRY301 - closed just below
        except BaseException:
            connection.close()
            raise
        return connection


class _NoLock(FileLock):
    """Excludes nobody."""

    @contextlib.contextmanager
    def held(self) -> Generator[None]:
        """Do nothing."""
        yield


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


def _has_content(file: Path) -> bool:
    with contextlib.suppress(OSError):
        return os.stat(file).st_size > 0  # noqa: PTH116
    return False
