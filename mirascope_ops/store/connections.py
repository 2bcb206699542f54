"""The SQLite connections of one store: one that writes, a pool of those that read.

Everything that changes the file or may change it on closing (the last connection to close writes the log
back) happens under a lock between processes. Connections never cross a fork: they are closed before it (`forking`).
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import sqlite3
import threading
import time
from collections import Counter
from typing import TYPE_CHECKING

from mirascope_ops.exceptions import StoreError
from mirascope_ops.store import forking, location, schema
from mirascope_ops.store.lock import FileLock

if TYPE_CHECKING:
    from collections.abc import Callable, Generator
    from pathlib import Path

PATIENCE = 30.0  # seconds
_FORK_SECONDS = 5.0  # how long a fork waits for those who read in other threads
_POOLED = 4  # idle reading connections that are kept
_LOG_PAGES = 4000  # the log is written back when it is this long (16 MB): four times as rarely as by default
_CACHE_KIB = 32 * 1024  # the indexes over random ids want to stay in memory while they grow


class Connections:
    """Connections to one file, opened when needed.

    Args:
        path: The file; made with its folders where it is missing.
        patience: How many seconds to wait for other processes.

    Raises:
        StoreError: The file cannot be opened or is not ours.
    """

    def __init__(self, path: Path, patience: float = PATIENCE) -> None:
        self._path = path
        self._patience = patience
        self._start_anew()
        forking.watch(self)
        with self._lock, self._explained():
            self._open_writer()

    @property
    def pid(self) -> int:
        """The process that these connections belong to."""
        return self._pid

    def wait_for_others(self, patience: float) -> None:
        """Wait so many seconds for other processes, from now on."""
        with self._lock, self._explained():
            self._patience = self._file_lock.timeout = patience
            if self._writer is not None:
                self._writer.execute(f"PRAGMA busy_timeout = {int(patience * 1000)}")

    @contextlib.contextmanager
    def writing(self) -> Generator[sqlite3.Connection]:
        """Give the writing connection inside a transaction, committed at the block's end, undone on errors."""
        with self.maintaining() as connection:
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
        with self._lock, self._explained(), self._locked_writer() as connection:
            yield connection

    def remove(self, condition: Callable[[sqlite3.Connection], bool]) -> bool:
        """Remove the file and all beside it, if the condition still holds when nobody can write.

        Other processes that have it open find it gone before they write again, and make it anew.
        """
        with self._lock, self._explained(), self._locked_writer() as connection:
            if not condition(connection):
                return False
            with self._pool_lock:
                self._generation += 1
                for each in (connection, *self._pool):
                    each.close()
                self._pool, self._writer, self._identity = [], None, None
            for suffix in ("-wal", "-shm", "", ".lock"):
                with contextlib.suppress(OSError):  # on Windows, where somebody has it open
                    self._path.with_name(self._path.name + suffix).unlink()
        self.close()
        return True

    @contextlib.contextmanager
    def reading(self) -> Generator[sqlite3.Connection]:
        """Give a connection that sees one state of the file during the block, whoever writes meanwhile."""
        self._check_process()
        with self._explained():
            if not self._is_current():
                with self._lock:
                    self._current_writer()
            with self._pool_lock:
                self._let_a_fork_go_first()
                connection = self._pool.pop() if self._pool else None
                place = (self._pid, self._generation)
                self._readers[threading.get_ident()] += 1
            try:
                if connection is None:
                    connection = self._connect()
                try:
                    connection.execute("BEGIN")
                    yield connection
                finally:
                    if place[0] == os.getpid() and connection.in_transaction:
                        connection.execute("ROLLBACK")
            finally:
                self._give_back(connection, place)

    def before_fork(self) -> None:
        """Close what is open, and open nothing until `after_fork_in_parent`; waits for those who read meanwhile."""
        until = time.monotonic() + _FORK_SECONDS
        while True:
            self._lock.acquire()  # first, as everywhere; and not while waiting: who reads may need it to end
            self._pool_lock.acquire()
            self._is_forking = True
            others = self._readers.keys() - {threading.get_ident()}
            if not others or time.monotonic() >= until:
                break
            self._lock.release()
            self._reader_left.wait(until - time.monotonic())
            self._pool_lock.release()
        try:
            self._close_idle()
        except BaseException:
            self.after_fork_in_parent()
            raise

    def after_fork_in_parent(self) -> None:
        """Go on after `before_fork`."""
        self._is_forking = False
        self._reader_left.notify_all()
        self._pool_lock.release()
        self._lock.release()

    def after_fork_in_child(self) -> None:
        """Start afresh in the child of a fork, with nothing of the parent's."""
        closed = self._closed
        self._leave_to_parent()
        self._start_anew()
        self._closed = closed

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
        self._pool_lock = threading.RLock()  # a reader never waits for a writer
        self._file_lock = FileLock(self._path.with_name(self._path.name + ".lock"), self._patience)
        self._writer: sqlite3.Connection | None = None
        self._identity: tuple[int, int] | None = None
        self._pool: list[sqlite3.Connection] = []
        self._readers: Counter[int] = Counter()  # how often each thread reads now
        self._reader_left = threading.Condition(self._pool_lock)
        self._is_forking = False  # somebody forks, or waits for it until nobody reads
        self._generation = 0
        self._closed = False

    def _check_process(self, *, closing: bool = False) -> None:
        """Leave the parent's connections to the parent after a fork (called without the lock)."""
        if os.getpid() != self._pid:
            self.after_fork_in_child()
        if self._closed and not closing:
            raise StoreError(f"The store {self._path} is closed: open it again by ops.configure(store=...).")

    def _leave_to_parent(self) -> None:
        """Drop what was opened before the fork without closing it (called in the child, without the lock)."""
        for connection in (self._writer, *self._pool):
            if connection is not None:
                _keep_for_ever(connection)
        self._writer, self._pool = None, []
        self._file_lock.close()

    def _is_current(self) -> bool:
        """Tell whether the writer is open, on the file that has the path now (needs no lock)."""
        return self._writer is not None and self._identity == self._identity_on_disk()

    @contextlib.contextmanager
    def _locked_writer(self) -> Generator[sqlite3.Connection]:
        """Give the writer under the lock between processes, on the file that has the path while nobody can write."""
        while True:
            connection = self._current_writer()
            with self._file_lock.held():
                if self._is_current():
                    yield connection
                    return
            # It was removed or replaced before we had the lock: what we wrote would be seen by nobody.

    def _current_writer(self) -> sqlite3.Connection:
        if self._writer is not None and not self._is_current():
            location.prepare(self._path)  # with the folder, which the lock is in
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
            timeout=self._patience,
            isolation_level=None,
            check_same_thread=False,
        )
        try:
            connection.execute("PRAGMA synchronous = NORMAL")
            connection.execute("PRAGMA secure_delete = ON")
            connection.execute("PRAGMA temp_store = MEMORY")
            connection.execute(f"PRAGMA cache_size = -{_CACHE_KIB}")
            connection.execute(f"PRAGMA wal_autocheckpoint = {_LOG_PAGES}")
        except BaseException:
            connection.close()
            raise
        return connection

    def _let_a_fork_go_first(self) -> None:
        """Wait while another thread forks (called with the pool's lock, and without the other one).

        Where threads read by turns without a pause, there would never be a moment for the fork at which nobody does.
        Who reads already may read more: the fork waits for that.
        """
        if self._is_forking and threading.get_ident() not in self._readers:
            self._reader_left.wait_for(lambda: not self._is_forking, _FORK_SECONDS)

    def _give_back(self, connection: sqlite3.Connection | None, place: tuple[int, int]) -> None:
        """Keep a reading connection for the next reader, or close it (called without the lock).

        Args:
            connection: The connection; None where none could be opened.
            place: The process and the generation that it belongs to.
        """
        if place[0] != os.getpid():  # we are in a child, in a block that was entered before the fork
            if connection is not None:
                _keep_for_ever(connection)
            return
        with self._pool_lock:
            kept = connection is not None and place == (self._pid, self._generation) and len(self._pool) < _POOLED
            if kept and connection is not None:
                self._pool.append(connection)
        try:
            if not kept and connection is not None:
                with self._lock, self._file_lock.held():
                    connection.close()
        finally:
            with self._pool_lock:
                reader = threading.get_ident()
                self._readers[reader] -= 1
                if not self._readers[reader]:
                    del self._readers[reader]
                self._reader_left.notify_all()

    def _release(self) -> None:
        with self._pool_lock:
            self._close_idle()

    def _close_idle(self) -> None:
        """Close all connections but those that somebody reads from (called with both locks)."""
        if self._writer is not None and self._writer.in_transaction:
            return  # this thread forks while it writes
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
            raise StoreError(_explanation(error, self._path, self._patience)) from error


def _keep_for_ever(connection: sqlite3.Connection) -> None:
    """Let a connection of the parent be, in the child.

    SQLite forbids even to close it, which garbage collection would do: one reference more prevents that.
    """
    ctypes.pythonapi.Py_IncRef(ctypes.py_object(connection))


def damaged(path: Path, error: Exception) -> str:
    """Say that a file is damaged, and what to do about it."""
    return (
        f"{path} is damaged or no store ({error}); it was left as it is. `ops.store.repair()` saves what can be read "
        "of it into a new file. Or: Move it away, together with its -wal and -shm files, and a new one is made; or set "
        "MIRASCOPE_OPS_STORE to another file."
    )


def _explanation(error: sqlite3.Error, path: Path, patience: float) -> str:
    name = getattr(error, "sqlite_errorname", "") or ""
    if name.startswith(("SQLITE_NOTADB", "SQLITE_CORRUPT", "SQLITE_FORMAT")):
        return damaged(path, error)
    if name.startswith(("SQLITE_READONLY", "SQLITE_CANTOPEN", "SQLITE_PERM")):
        return f"{path} cannot be written ({error}): make it writable, or set MIRASCOPE_OPS_STORE to another file."
    if name.startswith("SQLITE_FULL"):
        return f"There is no space left for {path}: free some, or set MIRASCOPE_OPS_STORE to a file on another disk."
    if name.startswith(("SQLITE_BUSY", "SQLITE_LOCKED")):
        return f"{path} is held by another program for over {patience:g} s: close what has it open, and try again."
    what = f"{name or type(error).__name__}: {error}"
    return f"The store {path} failed ({what}). Try again, or set MIRASCOPE_OPS_STORE to another file."
