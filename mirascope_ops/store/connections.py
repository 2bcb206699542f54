"""The SQLite connections of one store: one that writes, a pool of those that read.

Everything that changes the file or may change it on closing (the last connection to close writes the log
back) happens under a lock between processes. Connections never cross a fork.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import sqlite3
import threading
from typing import TYPE_CHECKING

from mirascope_ops.exceptions import StoreError
from mirascope_ops.store import location, schema
from mirascope_ops.store.lock import FileLock

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

_BUSY_SECONDS = 30.0
_POOLED = 4  # idle reading connections that are kept
_LOG_PAGES = 4000  # the log is written back when it is this long (16 MB): four times as rarely as by default
_CACHE_KIB = 32 * 1024  # the indexes over random ids want to stay in memory while they grow


class Connections:
    """Connections to one file, opened when needed.

    Args:
        path: The file; made with its folders where it is missing.

    Raises:
        StoreError: The file cannot be opened or is not ours.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._start_anew()
        with self._lock, self._explained():
            self._open_writer()

    @property
    def pid(self) -> int:
        """The process that these connections belong to."""
        return self._pid

    @contextlib.contextmanager
    def writing(self) -> Generator[sqlite3.Connection]:
        """Give the writing connection inside a transaction, committed at the block's end, undone on errors."""
        self._check_process()
        with self._lock, self._explained():
            connection = self._current_writer()
            with self._file_lock.held():
                try:
                    connection.execute("BEGIN IMMEDIATE")
                    yield connection
                    connection.execute("COMMIT")
                except BaseException:
                    if connection.in_transaction:
                        connection.execute("ROLLBACK")
                    raise

    @contextlib.contextmanager
    def maintaining(self) -> Generator[sqlite3.Connection]:
        """Give the writing connection under the locks, without a transaction: for VACUUM and checkpoints."""
        self._check_process()
        with self._lock, self._explained():
            connection = self._current_writer()
            with self._file_lock.held():
                yield connection

    @contextlib.contextmanager
    def reading(self) -> Generator[sqlite3.Connection]:
        """Give a connection that sees one state of the file during the block, whoever writes meanwhile."""
        self._check_process()
        with self._explained():
            if not self._is_current():
                with self._lock:
                    self._current_writer()
            with self._pool_lock:
                connection = self._pool.pop() if self._pool else None
                generation = self._generation
            if connection is None:
                connection = self._connect()
            try:
                try:
                    connection.execute("BEGIN")
                    yield connection
                finally:
                    if connection.in_transaction:
                        connection.execute("ROLLBACK")
            finally:
                self._give_back(connection, generation)

    def release(self) -> None:
        """Close all connections; they are opened again when needed."""
        if os.getpid() != self._pid:
            self._leave_to_parent()  # we may be about to be garbage
            return
        with self._lock, self._explained():
            self._release()

    def close(self) -> None:
        """Close all connections for good."""
        self._check_process(closing=True)
        self.release()
        self._closed = True

    # --- below: called with self._lock held, if it says nothing else --------------------------------------

    def _start_anew(self) -> None:
        self._pid = os.getpid()
        self._lock = threading.RLock()
        self._pool_lock = threading.Lock()  # a reader never waits for a writer
        self._file_lock = FileLock(self._path.with_name(self._path.name + ".lock"), _BUSY_SECONDS)
        self._writer: sqlite3.Connection | None = None
        self._identity: tuple[int, int] | None = None
        self._pool: list[sqlite3.Connection] = []
        self._generation = 0
        self._closed = False

    def _check_process(self, *, closing: bool = False) -> None:
        """Leave the parent's connections to the parent after a fork (called without the lock)."""
        if os.getpid() != self._pid:
            self._leave_to_parent()
            was_closed = self._closed
            self._start_anew()
            self._closed = was_closed
        if self._closed and not closing:
            raise StoreError(f"The store {self._path} is closed: open it again by ops.configure(store=...).")

    def _leave_to_parent(self) -> None:
        """Drop what was opened before the fork without closing it (called in the child, without the lock)."""
        for connection in (self._writer, *self._pool):
            if connection is not None:
                # SQLite forbids even to close a connection of the parent, which garbage collection would
                # do: one reference more keeps it for ever.
                ctypes.pythonapi.Py_IncRef(ctypes.py_object(connection))
        self._writer, self._pool = None, []
        self._file_lock.close()

    def _is_current(self) -> bool:
        """Tell whether the writer is open, on the file that has the path now (needs no lock)."""
        return self._writer is not None and self._identity == self._identity_on_disk()

    def _current_writer(self) -> sqlite3.Connection:
        if self._writer is not None and not self._is_current():
            self._release()  # the file was removed or replaced: what we hold is seen by nobody
        return self._writer or self._open_writer()

    def _open_writer(self) -> sqlite3.Connection:
        location.prepare(self._path)
        with self._file_lock.held():
            connection = self._connect()
            try:
                schema.migrate(connection, self._path)
            except BaseException:
                connection.close()
                raise
            self._identity = self._identity_on_disk()
        self._writer = connection
        return connection

    def _connect(self) -> sqlite3.Connection:
        """Open one connection (needs no lock)."""
        connection = sqlite3.connect(
            f"{self._path.as_uri()}?mode=rw",  # never makes the file: `location.prepare` does, with its mode
            uri=True,
            timeout=_BUSY_SECONDS,
            isolation_level=None,
            check_same_thread=False,
        )
        connection.execute("PRAGMA synchronous = NORMAL")
        connection.execute("PRAGMA secure_delete = ON")
        connection.execute("PRAGMA temp_store = MEMORY")
        connection.execute(f"PRAGMA cache_size = -{_CACHE_KIB}")
        connection.execute(f"PRAGMA wal_autocheckpoint = {_LOG_PAGES}")
        return connection

    def _give_back(self, connection: sqlite3.Connection, generation: int) -> None:
        """Keep a reading connection for the next reader, or close it (called without the lock)."""
        if os.getpid() != self._pid:
            return
        with self._pool_lock:
            if generation == self._generation and len(self._pool) < _POOLED:
                self._pool.append(connection)
                return
        with self._lock, self._file_lock.held():
            connection.close()

    def _release(self) -> None:
        with self._pool_lock:
            self._generation += 1
            everything = [*self._pool, *([self._writer] if self._writer is not None else [])]
            self._pool, self._writer, self._identity = [], None, None
        if everything:
            with self._file_lock.held():
                for connection in everything:
                    connection.close()
        self._file_lock.close()

    def _identity_on_disk(self) -> tuple[int, int] | None:
        try:
            status = self._path.stat()
        except OSError:
            return None
        return status.st_dev, status.st_ino

    @contextlib.contextmanager
    def _explained(self) -> Generator[None]:
        """Turn SQLite's errors into ours, which say what to do."""
        try:
            yield
        except sqlite3.Error as error:
            raise StoreError(_explanation(error, self._path)) from error


def _explanation(error: sqlite3.Error, path: Path) -> str:
    name = getattr(error, "sqlite_errorname", "") or ""
    if name.startswith(("SQLITE_NOTADB", "SQLITE_CORRUPT", "SQLITE_FORMAT")):
        return (
            f"{path} is damaged or no store ({error}); it was left as it is. Move it away, together with its -wal "
            "and -shm files, and a new one is made; or set MIRASCOPE_OPS_STORE to another file. "
            f'`sqlite3 "{path}" .recover` may save what it holds.'
        )
    if name.startswith(("SQLITE_READONLY", "SQLITE_CANTOPEN", "SQLITE_PERM")):
        return f"{path} cannot be written ({error}): make it writable, or set MIRASCOPE_OPS_STORE to another file."
    if name.startswith("SQLITE_FULL"):
        return f"There is no space left for {path}: free some, or set MIRASCOPE_OPS_STORE to a file on another disk."
    if name.startswith(("SQLITE_BUSY", "SQLITE_LOCKED")):
        return f"{path} is held by another program for over {_BUSY_SECONDS:g} s: close what has it open, and try again."
    what = f"{name or type(error).__name__}: {error}"
    return f"The store {path} failed ({what}). Try again, or set MIRASCOPE_OPS_STORE to another file."
