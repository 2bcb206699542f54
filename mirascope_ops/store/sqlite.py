"""The durable store: one SQLite file that many processes write at once."""

from __future__ import annotations

import hashlib
import os
import sqlite3
import time
import weakref
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mirascope_ops.exceptions import StoreError
from mirascope_ops.store import codec, deletion, location, moving, process, scrubbing, summing
from mirascope_ops.store.batch import BATCH, SpanBatch, batch_of_rows
from mirascope_ops.store.codec import ANNOTATION_COLUMNS, OWN_COLUMNS, RUN_COLUMNS, SPAN_COLUMNS
from mirascope_ops.store.collection import uncollected
from mirascope_ops.store.connections import PATIENCE, Connections, damaged
from mirascope_ops.store.contexts import Contexts, Numbers
from mirascope_ops.store.protocol import Retention, StoreStats
from mirascope_ops.store.queries import OWN_SELECTION, Condition, Rest, spans_statement
from mirascope_ops.store.readers import ReadingEndedError
from mirascope_ops.store.records import SpanQuery

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Sequence

    from mirascope_ops.store.protocol import Store
    from mirascope_ops.store.records import (
        AnnotationRecord,
        RunRecord,
        SessionQuery,
        SessionRecord,
        SpanRecord,
    )

_ROWS_AT_ONCE = 100  # of spans in one statement: 2,000 parameters, of 32,766 that SQLite takes
_SCRUBBED_AT_ONCE = 16_384  # pages, 64 MB
_START, _ID = OWN_COLUMNS.index("start"), len(OWN_COLUMNS)  # in a row of OWN_SELECTION
_DELETED_AT_ONCE = 500  # traces in one transaction of a purge: other processes wait for each


def _upsert(table: str, columns: Sequence[str], key: Sequence[str]) -> str:
    names = ", ".join(f'"{column}"' for column in columns)
    updates = ", ".join(f'"{column}" = excluded."{column}"' for column in columns if column not in key)
    return (
        f"INSERT INTO {table} ({names}) VALUES ({', '.join('?' * len(columns))}) "  # noqa: S608 - our own names
        f"ON CONFLICT ({', '.join(key)}) DO UPDATE SET {updates}"
    )


# A later record of a span or run replaces the earlier, but keeps its place in the order of writing.
_WRITE_SPAN = _upsert("spans", ("process", *SPAN_COLUMNS, "context"), ("trace_id", "span_id"))
_WRITE_RUN = _upsert("runs", RUN_COLUMNS, ("run_id",))
# The same annotation again adds nothing: a batch can be written once more where its first fate is unknown.
_WRITE_ANNOTATION = f"""INSERT INTO annotations ({", ".join(ANNOTATION_COLUMNS)})
    SELECT {", ".join(f":{column}" for column in ANNOTATION_COLUMNS)} WHERE NOT EXISTS (
        SELECT 1 FROM annotations
        WHERE {" AND ".join(f"{column} IS :{column}" for column in ANNOTATION_COLUMNS)})"""  # noqa: S608 - our own names
_WRITE_RESOURCE = "INSERT OR IGNORE INTO resources (id, attributes) VALUES (?, ?)"
_WRITE_PROCESS = _upsert("processes", ("token", "system", "pid", "started", "heartbeat"), ("token",))

_RUNS = "SELECT " + ", ".join(f'r."{column}"' for column in RUN_COLUMNS) + " FROM runs r"  # noqa: S608 - our own names


class SqliteStore:
    """A store in one file, for any number of threads, processes and notebook kernels at once.

    Args:
        path: The file. It is made where it is missing, readable by its owner only.
        retention: What `purge` is expected to enforce; `stats()` tells it.
        patience: How many seconds to wait for another process that holds the file, before a StoreError.

    Raises:
        StoreError: The file cannot be opened, is damaged, or belongs to something else or to a newer version.

    Example:
        >>> import tempfile
        >>> from mirascope_ops.store.records import SpanQuery
        >>> store = SqliteStore(Path(tempfile.mkdtemp()) / "spans.db")
        >>> store.spans(SpanQuery())
        []
        >>> store.close()
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        retention: Retention = Retention(),  # noqa: B008 - immutable
        patience: float = PATIENCE,
    ) -> None:
        self.path = Path(path).absolute()
        self.retention = retention
        self._process: process.Process | None = None
        self._contexts = Numbers()
        self._connections = Connections(self.path, patience)
        # A store that nobody closed is closed at the interpreter's exit, or when it is forgotten.
        self._finalizer = weakref.finalize(self, self._connections.release)

    def __repr__(self) -> str:
        return f"SqliteStore({str(self.path)!r})"

    def write(
        self,
        spans: Sequence[SpanRecord],
        runs: Sequence[RunRecord] = (),
        annotations: Sequence[AnnotationRecord] = (),
    ) -> None:
        """Keep all of these in one transaction; see `Store.write`."""
        resources = _Resources()
        span_rows = codec.span_rows(spans, [resources.number(span.resource) for span in spans])
        run_rows = [codec.clean_row(codec.run_row(run)) for run in runs]
        annotation_rows = [
            dict(zip(ANNOTATION_COLUMNS, codec.clean_row(codec.annotation_row(annotation)), strict=True))
            for annotation in annotations
        ]
        with self._connections.writing() as connection:
            number = self._registered(connection)
            connection.executemany(_WRITE_RESOURCE, resources.rows())
            try:
                _write_spans(connection, number, span_rows, self._contexts)
            except (
                OverflowError,
                UnicodeEncodeError,
                sqlite3.InterfaceError,
                sqlite3.ProgrammingError,
                sqlite3.IntegrityError,
            ):
                # Looking at every value first would cost each span what only odd ones need.
                clean_rows = [codec.clean_span_row(row) for row in span_rows]
                _write_spans(connection, number, clean_rows, self._contexts)
            connection.executemany(_WRITE_RUN, run_rows)
            connection.executemany(_WRITE_ANNOTATION, annotation_rows)

    def spans(self, query: SpanQuery) -> list[SpanRecord]:
        """Give the spans that fit; see `Store.spans`. Open spans of ended processes read as interrupted."""
        resources: dict[int | None, Any] = {None: {}}

        def look(connection: sqlite3.Connection) -> list[codec.Row]:
            dead = self._dead_processes(connection)
            rows: list[codec.Row] = connection.execute(*spans_statement(connection, query, dead)).fetchall()
            if dead:
                rows = [
                    (*row[:7], "interrupted", *row[8:]) if row[-2] == "open" and row[-1] in dead else row
                    for row in rows
                ]
            _read_resources(connection, {row[18] for row in rows}, resources)
            return rows

        rows = self._connections.read(look)
        try:
            return [codec.span_of(row, resources[row[18]]) for row in rows]
        except ValueError as error:  # no JSON: SQLite does not notice every damage
            raise StoreError(damaged(self.path, error)) from error

    def batches(self, query: SpanQuery) -> Iterator[SpanBatch]:
        """Give the same spans column by column; see `Store.batches`.

        Where this process forks while somebody takes his time between two batches, the rest of the same spans is given
        as it is after the fork.
        """
        rest: Rest | None = None
        while True:
            try:
                with self._connections.reading() as connection:
                    newest = rest.newest if rest else connection.execute("SELECT max(id) FROM spans").fetchone()[0]
                    contexts = Contexts(connection)
                    dead = self._dead_processes(connection)
                    cursor = connection.execute(*spans_statement(connection, query, dead, OWN_SELECTION, rest))
                    while True:
                        with uncollected():
                            rows = cursor.fetchmany(BATCH)
                            if not rows:
                                return
                            batch = batch_of_rows(rows, contexts, dead)
                            rest = Rest(rows[-1][_START], rows[-1][_ID], newest)
                            del rows
                        with self._connections.pausing(connection):
                            yield batch
            except ReadingEndedError:
                continue

    def runs(self, session_ids: Sequence[str] | None = None, *, descendants: bool = False) -> list[RunRecord]:
        """Give the runs of these sessions; see `Store.runs`."""

        def look(connection: sqlite3.Connection) -> list[codec.Row]:
            condition = Condition(connection)
            condition.add_in("session_id", session_ids)
            if descendants and session_ids is not None:
                # UNION drops what was found before: runs that name each other as parents end the search.
                statement = (
                    f"WITH RECURSIVE found (run_id) AS (SELECT run_id FROM runs WHERE {condition} UNION "  # noqa: S608 - values are parameters
                    "SELECT child.run_id FROM runs child JOIN found ON child.parent_run_id = found.run_id) "
                    f"{_RUNS} WHERE r.run_id IN (SELECT run_id FROM found) ORDER BY r.start, r.id"
                )
            else:
                statement = f"{_RUNS} WHERE {condition} ORDER BY r.start, r.id"
            return connection.execute(statement, condition.parameters).fetchall()

        return list(map(codec.run_of, self._connections.read(look)))

    def sessions(self, query: SessionQuery) -> list[SessionRecord]:
        """List the sessions that fit; see `Store.sessions`."""
        return self._connections.read(lambda connection: summing.sessions(connection, query))

    def annotations(self, trace_ids: Sequence[str] | None) -> list[AnnotationRecord]:
        """Give the annotations of these traces; see `Store.annotations`."""

        def look(connection: sqlite3.Connection) -> list[codec.Row]:
            if connection.execute("SELECT 1 FROM annotations LIMIT 1").fetchone() is None:
                return []  # mostly: then no long list of traces need be looked up
            condition = Condition(connection)
            condition.add_in("trace_id", trace_ids)
            return connection.execute(
                f"SELECT {', '.join(ANNOTATION_COLUMNS)} FROM annotations WHERE {condition} ORDER BY time, id",  # noqa: S608 - values are parameters
                condition.parameters,
            ).fetchall()

        return list(map(codec.annotation_of, self._connections.read(look)))

    def delete(self, session_ids: Sequence[str]) -> int:
        """Delete these sessions for good; see `Store.delete`. What they held is overwritten in the file.

        Raises:
            StoreError: The file cannot be written; or it was, and another process reads it for so long that the log
                beside it, which holds the deleted text too, could not be cut.
        """
        with self._connections.writing() as connection:
            deleted = deletion.delete_sessions(connection, session_ids)
        if not (self._give_space_back() and self._scrub()):
            raise StoreError(
                f"{deleted} spans were deleted from {self.path}, but another process is reading it, so that their text "
                "is still in the log beside it. Call ops.store.vacuum() when that process has done."
            )
        return deleted

    def wait_for_others(self, patience: float) -> None:
        """Wait so many seconds for another process that holds the file, from now on."""
        self._connections.wait_for_others(patience)

    def hand_over(self, target: Store, most: int) -> bool:
        """Move the oldest records to another store; spans that are open in a living process stay.

        Args:
            target: Where they go.
            most: How many of each kind at a time.

        Returns:
            Whether there were any.

        Raises:
            StoreError: One of the two fails; nothing is lost.
        """
        with self._connections.writing() as connection:
            if self._process is not None:  # what is open in this process is written to the other store anew
                connection.execute(
                    "DELETE FROM spans WHERE status = 'open' AND process = (SELECT id FROM processes WHERE token = ?)",
                    (self._process.token,),
                )
            given = moving.load(connection, self._dead_processes(connection), most)
            if given:
                target.write(_not_ended_there(given.spans, target), given.runs, given.annotations)
                moving.forget(connection, given)
        return bool(given)

    def remove_empty(self) -> bool:
        """Close and remove the file, if it holds nothing; tells whether it did."""
        return self._connections.remove(moving.is_empty)

    def purge(
        self,
        max_age_ns: int | None = None,
        max_bytes: int | None = None,
        *,
        now: int | None = None,
        stopped: Callable[[], bool] = lambda: False,
    ) -> int:
        """Delete the oldest traces, always whole ones; those with spans still open in a living process stay.

        Args:
            max_age_ns: Delete traces in which nothing started or ended for longer; None deletes none for its age.
            max_bytes: Delete the oldest traces until the file needs no more than this; None sets no bound.
            now: The present time in nanoseconds since the epoch, by default the clock's.
            stopped: Asked between two steps whether to stop.

        Returns:
            How many spans were deleted. Sessions that have no spans left go with them.

        Raises:
            StoreError: The file cannot be written; or the archive (`Retention.archive`), and then what could not be
                written there was not deleted.
        """
        now = time.time_ns() if now is None else now
        deleted = 0
        if max_age_ns is not None:
            before = now - max_age_ns
            expired = self._connections.read(
                lambda connection: deletion.expired_traces(connection, before, self._dead_processes(connection))
            )
            deleted += self._delete_traces(expired, before, stopped)
        if max_bytes is not None:
            deleted += self._shrink(max_bytes, stopped)
        with self._connections.writing() as connection:
            deletion.forget_processes(connection, now - process.SILENCE_NS)
        if deleted:
            self._give_space_back()
        return deleted

    def settle(self, most: int = 200) -> int:
        """Write down what sessions add up to that have been left alone, so that listing them is quick.

        Args:
            most: How many sessions at a time.

        Returns:
            How many were; fewer than `most` where there are no more.
        """
        if not self._connections.read(lambda connection: summing.quiet(connection, time.time_ns(), 1)):
            return 0  # mostly: then nobody need wait for us
        with self._connections.writing() as connection:
            return summing.settle(connection, time.time_ns(), most)

    def vacuum(self) -> None:
        """Write the file anew without gaps; other processes wait meanwhile."""
        with self._connections.maintaining() as connection:
            connection.execute("PRAGMA temp_store = FILE")  # what it writes anew may be gigabytes
            try:
                connection.execute("VACUUM")
            finally:
                connection.execute("PRAGMA temp_store = MEMORY")
            _cut_log(connection)

    def stats(self) -> StoreStats:
        """Say what is kept, where, and for how long."""

        def look(connection: sqlite3.Connection) -> tuple[int, int, bool, codec.Row]:
            row: codec.Row = connection.execute(
                """SELECT (SELECT count(*) FROM runs),
                    (SELECT count(*) FROM sessions s WHERE spans + runs > 0 OR stale AND (
                        EXISTS (SELECT 1 FROM spans WHERE session_id = s.session_id)
                        OR EXISTS (SELECT 1 FROM runs WHERE session_id = s.session_id))),
                    (SELECT count(*) FROM annotations),
                    (SELECT min(start) FROM spans), (SELECT max(start) FROM spans)"""
            ).fetchone()
            return (*summing.counts(connection), row)

        spans, traces, estimated, row = self._connections.read(look)
        files = (self.path, *(self.path.with_name(self.path.name + suffix) for suffix in ("-wal", "-shm")))
        return StoreStats(
            path=self.path,
            spans=spans,
            traces=traces,
            runs=row[0],
            sessions=row[1],
            annotations=row[2],
            bytes=sum(file.stat().st_size for file in files if file.exists()),
            oldest=row[3],
            newest=row[4],
            estimated=estimated,
            retention=self.retention,
            private=location.is_private(self.path),
        )

    def close(self) -> None:
        """Close the file; calling it again does nothing."""
        self._finalizer.detach()
        self._connections.close()

    def _registered(self, connection: sqlite3.Connection) -> int:
        """Note that this process wrote just now, and give its number in the file."""
        if self._process is None or self._process.pid != self._connections.pid:
            self._process = process.this_process()  # the first write, or the first after a fork
        connection.execute(_WRITE_PROCESS, (*self._process, time.time_ns()))
        number: int = connection.execute("SELECT id FROM processes WHERE token = ?", (self._process.token,)).fetchone()[
            0
        ]
        return number

    def _dead_processes(self, connection: sqlite3.Connection) -> set[int]:
        """Name the processes that left open spans behind when they ended."""
        own = self._process.token if self._process is not None else ""
        now = time.time_ns()
        rows = connection.execute(
            """SELECT DISTINCT s.process, p.token, p.system, p.pid, p.started, p.heartbeat
            FROM spans s LEFT JOIN processes p ON p.id = s.process WHERE s.status = 'open'"""
        )
        return {
            number
            for number, token, *rest, heartbeat in rows
            if token is None
            or (token != own and not process.is_alive(process.Process(token, *rest), heartbeat=heartbeat, now=now))
        }

    def _shrink(self, most: int, stopped: Callable[[], bool]) -> int:
        """Delete the oldest traces until the file needs no more than so many bytes."""

        def look(connection: sqlite3.Connection) -> tuple[list[str], int]:
            return deletion.oldest_traces(connection, most, self._dead_processes(connection))

        deleted = 0
        while not stopped():
            traces, newest = self._connections.read(look)
            if not traces:
                break
            deleted += self._delete_traces(traces, newest, stopped)
        return deleted

    def _delete_traces(self, traces: Sequence[str], before: int, stopped: Callable[[], bool]) -> int:
        deleted = 0
        for index in range(0, len(traces), _DELETED_AT_ONCE):
            if stopped():
                return deleted
            some = traces[index : index + _DELETED_AT_ONCE]
            if self.retention.archive is not None:
                self._archive(self.retention.archive, some)
            with self._connections.writing() as connection:
                deleted += deletion.delete_traces(connection, some)
        with self._connections.writing() as connection:
            deletion.forget_empty_sessions(connection, before)
        return deleted

    def _archive(self, folder: Path, traces: Sequence[str]) -> None:
        from mirascope_ops.store import archive

        spans = self.spans(SpanQuery(trace_ids=traces))
        if spans:  # else another process was first
            runs = self.runs(sorted({span.session_id for span in spans if span.session_id is not None}))
            archive.add(folder, spans, runs, self.annotations(traces))

    def _scrub(self) -> bool:
        """Overwrite what deleted rows left between others; tells whether that could be done."""
        if not hasattr(os, "pwrite"):  # Windows
            self.vacuum()
            return True
        for first, last in scrubbing.ranges(scrubbing.Scrubber(self.path).pages, _SCRUBBED_AT_ONCE):
            with self._connections.maintaining() as connection:
                if not _cut_log(connection):
                    return False
                connection.execute("BEGIN IMMEDIATE")
                cleared = scrubbing.Scrubber(self.path).clear(first, last)
                if cleared:
                    # What others remember of these pages, they read anew after a change; we ourselves forget it.
                    connection.execute("UPDATE processes SET heartbeat = heartbeat + 1")
                connection.execute("COMMIT")
                if cleared:
                    self._connections.release()
        with self._connections.maintaining() as connection:
            return _cut_log(connection)

    def _give_space_back(self) -> bool:
        """Make the file smaller and cut its log; tells whether that could be done."""
        with self._connections.maintaining() as connection:
            # `execute` would free one page only: it takes one step, and this statement needs one for each.
            connection.executescript("PRAGMA incremental_vacuum")
            return _cut_log(connection)


def _cut_log(connection: sqlite3.Connection) -> bool:
    """Write the log back and cut it: it holds deleted text until then. Tells whether nobody was in the way."""
    busy: int = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]
    return not busy


def _not_ended_there(spans: Sequence[SpanRecord], target: Store) -> Sequence[SpanRecord]:
    """Leave out the spans that were interrupted here, and of which the other store knows the end."""
    doubtful = sorted({span.trace_id for span in spans if span.end is None})
    if not doubtful:
        return spans
    ended = {span[:2] for span in target.spans(SpanQuery(trace_ids=doubtful)) if span.end is not None}
    return [span for span in spans if span.end is not None or span[:2] not in ended]


class _Resources:
    """The resources of one batch: mostly one object, shared by all spans."""

    def __init__(self) -> None:
        self._numbers: dict[int, int] = {}  # by identity, sound while the batch holds the objects
        self._texts: dict[int, str] = {}

    def number(self, resource: Any) -> int | None:
        if not resource:
            return None
        number = self._numbers.get(id(resource))
        if number is None:
            text = codec.encode(resource)
            number = int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big", signed=True)
            self._numbers[id(resource)] = number
            self._texts[number] = text
        return number

    def rows(self) -> Iterable[tuple[int, str]]:
        return self._texts.items()


def _write_spans(connection: sqlite3.Connection, number: int, rows: Sequence[codec.Row], contexts: Numbers) -> None:
    """Write many rows with each statement.

    The interpreter's lock is let go at every statement that runs. Beside a thread that computes, each time may take
    5 ms to get it back, so a statement for each row would write no more than 200 spans a second.
    """
    # The process's number stands in the statement: appending it to every row would copy them all.
    one = _WRITE_SPAN.replace("?", str(int(number)), 1)
    whole = len(rows) - len(rows) % _ROWS_AT_ONCE
    numbers = contexts.of(rows)
    if whole:
        values = f"({', '.join([str(int(number)), *'?' * len(SPAN_COLUMNS), '?'])})"
        many = one.replace(values, ", ".join([values] * _ROWS_AT_ONCE), 1)
        for index in range(0, whole, _ROWS_AT_ONCE):
            some = slice(index, index + _ROWS_AT_ONCE)
            both = chain.from_iterable(zip(rows[some], numbers[some], strict=True))
            connection.execute(many, list(chain.from_iterable(both)))
    connection.executemany(one, [row + context for row, context in zip(rows[whole:], numbers[whole:], strict=True)])


def _read_resources(
    connection: sqlite3.Connection, numbers: Collection[int | None], resources: dict[int | None, Any]
) -> None:
    for number in numbers:
        if number not in resources:
            row = connection.execute("SELECT attributes FROM resources WHERE id = ?", (number,)).fetchone()
            resources[number] = codec.decode(row[0]) if row else {}
