"""The SQLite connections of one store: one that writes, a pool of those that read.

Everything that changes the file or may change it on closing (the last connection to close writes the log
back) happens under a lock between processes. Connections never cross a fork: they are closed before it (`forking`).
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import shlex
import sqlite3
import threading
import time
import weakref
from typing import TYPE_CHECKING, Any, TypeVar

from mirascope_ops.core import guard
from mirascope_ops.exceptions import StoreError
from mirascope_ops.store import forking, location, schema
from mirascope_ops.store.lock import FileLock
from mirascope_ops.store.readers import Readers, ReadingEndedError

if TYPE_CHECKING:
    from collections.abc import Callable, Generator
    from pathlib import Path

    from mirascope_ops.store.readers import Reading

_T = TypeVar("_T")

PATIENCE = 30.0  # seconds
_FORK_SECONDS = 5.0  # how long a fork waits for those who read in other threads, before it ends what they read
_INTERRUPT_SECONDS = 0.02  # between two attempts to end it: what is between two statements feels none
_LOG_PAGES = 4000  # the log is written back when it is this long (16 MB): four times as rarely as by default
_CACHE_KIB = 32 * 1024  # the indexes over random ids want to stay in memory while they grow


class Connection(sqlite3.Connection):
    """A connection that is closed at once, whoever still holds a cursor of which not all rows were read.

    SQLite would else leave it open, with its locks, until that cursor is gone.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._cursors: weakref.WeakSet[sqlite3.Cursor] = weakref.WeakSet()

    def execute(self, sql: str, parameters: Any = (), /) -> sqlite3.Cursor:
        """Run a statement with a cursor that is known here: sqlite3's own method asks no method of ours for it."""
        cursor = self.cursor()
        self._cursors.add(cursor)
        return cursor.execute(sql, parameters)

    def close(self) -> None:
        """Close the cursors, then the connection."""
        while self._cursors:
            self._cursors.pop().close()
        super().close()


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
            with self._readers.lock:
                self._generation += 1
                for each in (connection, *self._readers.idle):
                    each.close()
                self._readers.idle, self._writer, self._identity = [], None, None
            for suffix in ("-wal", "-shm", "", ".lock"):
                with contextlib.suppress(OSError):  # on Windows, where somebody has it open
                    self._path.with_name(self._path.name + suffix).unlink()
        self.close()
        return True

    def read(self, look: Callable[[sqlite3.Connection], _T]) -> _T:
        """Read one state of the file, whoever writes meanwhile.

        Args:
            look: Reads, by the connection that it is given, and changes nothing. Where this process forks meanwhile it
                may be called once more.

        Returns:
            What `look` gave.
        """
        while True:
            with contextlib.suppress(ReadingEndedError), self.reading() as connection:
                return look(connection)

    @contextlib.contextmanager
    def reading(self) -> Generator[sqlite3.Connection]:
        """Give a connection that sees one state of the file during the block.

        Raises:
            ReadingEndedError: This process forked meanwhile, and what was to be read has to be read anew.
        """
        self._check_process()
        with self._explained():
            if not self._is_current():
                with self._lock:
                    self._current_writer()
            reading = self._readers.begin((self._pid, self._generation), self._patience)
            try:
                reading.connection = connection = reading.connection or self._connect()
                try:
                    connection.execute("BEGIN")
                    yield connection
                except sqlite3.Error as error:
                    if reading.is_ended:
                        raise ReadingEndedError from error
                    raise
                finally:
                    if reading.place[0] == os.getpid() and not reading.is_ended and connection.in_transaction:
                        connection.execute("ROLLBACK")
            finally:
                self._give_back(reading)

    def pausing(self, connection: sqlite3.Connection) -> contextlib.AbstractContextManager[None]:
        """Let somebody else run, for as long as it likes, while not all that `reading` is for has been read.

        Args:
            connection: The connection that was given.

        Raises:
            ReadingEndedError: At the block's end: this process forked meanwhile.
        """
        return self._readers.pausing(connection)

    def before_fork(self) -> None:
        """Close what is open, and open nothing until `after_fork_in_parent`.

        Those who read in other threads are waited for, and what takes them too long is ended.
        """
        begun = time.monotonic()
        readers = self._readers
        while True:
            self._lock.acquire()  # first, as everywhere; and not while waiting: who reads may need it to end
            readers.lock.acquire()
            readers.announce_fork()
            left = begun + _FORK_SECONDS - time.monotonic()
            if not readers.others():
                break
            if left <= 0:
                readers.interrupt()
                if not readers.others(working=True):
                    break
                if left <= -self._patience:  # that long it may itself wait for another process
                    guard.warn_once(f"fork {self._path}", _held_up(self._path, _FORK_SECONDS + self._patience))
                    break
            self._lock.release()
            readers.wait(left if left > 0 else _INTERRUPT_SECONDS)
            readers.lock.release()
        try:
            self._close_idle(forking=True)
        except BaseException:
            self.after_fork_in_parent()
            raise

    def after_fork_in_parent(self) -> None:
        """Go on after `before_fork`."""
        self._readers.end_fork()
        self._readers.lock.release()
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
        self._file_lock = FileLock(self._path.with_name(self._path.name + ".lock"), self._patience)
        self._writer: sqlite3.Connection | None = None
        self._identity: tuple[int, int] | None = None
        self._readers = Readers()
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
        for connection in (self._writer, *self._readers.idle):
            if connection is not None:
                _keep_for_ever(connection)
        self._writer, self._readers.idle = None, []
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
        connection = self._opened("mode=rw")  # never makes the file: `location.prepare` does, with its mode
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

    def _opened(self, how: str) -> Connection:
        return sqlite3.connect(
            f"{self._path.as_uri()}?{how}",
            uri=True,
            timeout=self._patience,
            factory=Connection,
            isolation_level=None,
            check_same_thread=False,
        )

    def _give_back(self, reading: Reading) -> None:
        """Keep the connection of a reading for the next one, or close it (called without the lock)."""
        readers, connection = self._readers, reading.connection
        if reading.place[0] != os.getpid():  # we are in a child, in a block that was entered before the fork
            if connection is not None:
                _keep_for_ever(connection)
            return
        with readers.lock:
            kept = reading.place == (self._pid, self._generation) and readers.keep(reading)
        try:
            if not kept and connection is not None:
                with self._lock, self._file_lock.held():
                    connection.close()
        finally:
            with readers.lock:
                readers.leave(reading)

    def _release(self) -> None:
        with self._readers.lock:
            self._close_idle()

    def _close_idle(self, *, forking: bool = False) -> None:
        """Close all connections but those that somebody reads from (called with both locks).

        Args:
            forking: Close those too that are at rest between two statements.
        """
        if self._writer is not None and self._writer.in_transaction:
            return  # this thread forks while it writes
        self._generation += 1
        everything = self._readers.idle + (self._readers.end_resting() if forking else [])
        if self._writer is not None:
            everything.append(self._writer)
        self._readers.idle, self._writer, self._identity = [], None, None
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


def _held_up(path: Path, seconds: float) -> str:
    return (
        f"This process forked while one of its threads was reading {path}, and went on doing so for {seconds:g} s: "
        "what the child writes there may be lost. Let it write to another file (ops.configure(store=...)), or start it "
        "by multiprocessing's `spawn`."
    )


def damaged(path: Path, error: Exception) -> str:
    """Say that a file is damaged, and what to do about it."""
    if _is_rescue(path):  # `ops.store.repair` would repair the store that this stands beside
        return (
            f"{path}, where spans were kept while their store could not be written, is damaged or no store ({error}); "
            f"it was left as it is. `mirascope-ops --store {shlex.quote(str(path))} repair` saves what can be read of "
            "it, which then goes to the store by itself. Or: Move it away, together with its -wal and -shm files."
        )
    return (
        f"{path} is damaged or no store ({error}); it was left as it is. `ops.store.repair()` saves what can be read "
        "of it into a new file. Or: Move it away, together with its -wal and -shm files, and a new one is made; or set "
        "MIRASCOPE_OPS_STORE to another file."
    )


def _is_rescue(path: Path) -> bool:
    """Tell whether a file is one of the places of a `Rescue`."""
    return path.suffix == ".rescue" or (path.parent == location.local_folder() and path.name.startswith("rescue-"))


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
