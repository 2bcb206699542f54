"""The collector of cycles, told to wait while thousands of objects are made that are gone a moment later."""

from __future__ import annotations

import gc
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from mirascope_ops.core import backend

if TYPE_CHECKING:
    from collections.abc import Generator


class _Pause:
    """How many blocks of all threads want the collector to wait, and whether it ran before the first of them."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._blocks = 0
        self._was_enabled = False

    def begin(self) -> None:
        with self._lock:
            if not self._blocks:
                self._was_enabled = gc.isenabled()
                gc.disable()
            self._blocks += 1

    def end(self) -> None:
        with self._lock:
            self._blocks -= 1
            if not self._blocks and self._was_enabled:
                gc.enable()

    def before_fork(self) -> None:
        self._lock.acquire()

    def after_fork_in_parent(self) -> None:
        self._lock.release()

    def after_fork_in_child(self) -> None:
        """Go on: of the threads whose blocks have not ended, none but the forking one is in the child."""
        if self._blocks and self._was_enabled:
            gc.enable()
        self._blocks = 0
        self._lock.release()


_pause: Final = _Pause()
backend.watch_forks(_pause)


@contextmanager
def uncollected() -> Generator[None]:
    """Pause the collection of cycles, in the whole process, for some milliseconds of work that does not fork.

    It would walk through every row that is on its way to a column, and find nothing. Blocks of several threads may
    overlap: the last one that ends puts things back as the first one found them.

    Example:
        >>> with uncollected():
        ...     gc.isenabled()
        False
    """
    _pause.begin()
    try:
        yield
    finally:
        _pause.end()
