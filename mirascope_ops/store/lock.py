"""A lock between processes, on a file beside the store.

SQLite before 3.51.3 can lose a transaction when several processes write a WAL file at once, so every write,
checkpoint and close happens under this lock. The system drops it when its holder dies.

Why it is our own and not `filelock` or `portalocker`: it is taken for every batch that is written, not now and then,
and what is rare (creation, migration, VACUUM) must exclude just that. Taking and leaving it costs 9 us here, 301 with
filelock 4.3 and 81 with portalocker 4.4, which open the file each time; and it has to be given up in a forked child
without being released in the parent, and to notice that its file was removed, which they do not do.
"""

from __future__ import annotations

import contextlib
import os
import sys
import time
from typing import TYPE_CHECKING

from mirascope_ops.exceptions import StoreError

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

if sys.platform == "win32":
    import msvcrt

    def _try_lock(descriptor: int) -> None:
        os.lseek(descriptor, 0, os.SEEK_SET)
        msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)

    def _unlock(descriptor: int) -> None:
        os.lseek(descriptor, 0, os.SEEK_SET)
        msvcrt.locking(descriptor, msvcrt.LK_UNLCK, 1)

else:
    import fcntl

    def _try_lock(descriptor: int) -> None:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)

    def _unlock(descriptor: int) -> None:
        fcntl.flock(descriptor, fcntl.LOCK_UN)


class FileLock:
    """An exclusive lock between processes; threads of one process need a lock of their own around it.

    Args:
        path: The lock's file, made with mode 0600 where it is missing. It stays: removing it would let two
            processes hold "the" lock on two files.
        timeout: How many seconds to wait for another process.

    Attributes:
        timeout: The same, for the next time.
    """

    def __init__(self, path: Path, timeout: float = 30.0) -> None:
        self._path = path
        self.timeout = timeout
        self._descriptor: int | None = None

    @contextlib.contextmanager
    def held(self) -> Generator[None]:
        """Hold the lock during the block.

        Raises:
            StoreError: Another process holds it for longer than the timeout, or the file cannot be locked.
        """
        try:
            self._acquire()  # inside: an interrupt just after it must not leave the lock held
            yield
        finally:
            if self._descriptor is not None:
                with contextlib.suppress(OSError):  # on Windows, where it was not held
                    _unlock(self._descriptor)

    def close(self) -> None:
        """Close the file, if it is open; the lock can be taken again.

        In a forked child this is what leaves the parent's lock alone: the two share it, and to unlock it
        here would unlock it there, while to close it does not.
        """
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def _acquire(self) -> None:
        deadline = time.monotonic() + self.timeout
        pause = 0.0005
        while True:
            descriptor = self._open()
            try:
                _try_lock(descriptor)
            except (BlockingIOError, PermissionError):  # what flock and msvcrt raise where somebody holds it
                if time.monotonic() >= deadline:
                    raise StoreError(
                        f"Another process has held {self._path} for {self.timeout:g} s. Look for a stopped or "
                        "hanging Python process that uses this store, and end it; or set MIRASCOPE_OPS_STORE to "
                        "another file."
                    ) from None
                time.sleep(pause)
                pause = min(pause * 1.5, 0.01)
                continue
            except OSError as error:
                raise StoreError(
                    f"{self._path} cannot be locked ({error.strerror}): choose a file on a local disk "
                    "by MIRASCOPE_OPS_STORE."
                ) from error
            if self._is_current(descriptor):
                return
            # Somebody removed or replaced the file: a lock on the old one excludes nobody.
            _unlock(descriptor)
            self.close()

    def _open(self) -> int:
        if self._descriptor is None:
            try:
                self._descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600)
            except OSError as error:
                raise StoreError(
                    f"The lock file {self._path} cannot be opened: {error.strerror}. "
                    "Choose a file in a folder of yours by MIRASCOPE_OPS_STORE."
                ) from error
        return self._descriptor

    def _is_current(self, descriptor: int) -> bool:
        if sys.platform == "win32":  # an open file cannot be removed there
            return True
        try:
            return os.path.samestat(os.fstat(descriptor), self._path.stat())
        except OSError:
            return False
