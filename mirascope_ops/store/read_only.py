"""A store's file as one reads it that cannot be written, or must not be."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import weakref
from typing import TYPE_CHECKING, Final, NoReturn

from mirascope_ops.exceptions import StoreError
from mirascope_ops.store import forking, schema
from mirascope_ops.store.connections import Connections
from mirascope_ops.store.contexts import Numbers
from mirascope_ops.store.lock import FileLock
from mirascope_ops.store.protocol import Retention
from mirascope_ops.store.sqlite import SqliteStore

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

_PATIENCE: Final = 0.2  # seconds; a file in this state may not be readable at all


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

    def release(self) -> None:
        """Let go of the file until it is read again: who cannot write beside it keeps others in the process from it."""
        self._connections.release()


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
        connection = self._opened(how)
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


def _has_content(file: Path) -> bool:
    with contextlib.suppress(OSError):
        return os.stat(file).st_size > 0  # noqa: PTH116
    return False
