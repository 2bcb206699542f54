"""Who reads from a store at present, and the reading connections that nobody uses.

A fork must find no reader of any kind (see `forking`). It waits for those who read; it ends what takes too long; and
whoever has yet to read waits for the fork. A reading that a fork has ended begins anew.
"""

from __future__ import annotations

import contextlib
import sqlite3
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Generator

POOLED = 4  # idle connections that are kept


class ReadingEndedError(Exception):
    """A fork has ended this reading, which has to begin anew."""


@dataclass(eq=False, slots=True)
class Reading:
    """One who reads.

    Attributes:
        thread: The thread that reads.
        place: The process and the generation of connections in which it began.
        connection: What it reads from; None until that is open.
        is_pausing: Whether it lets somebody else run between two rows: then the connection is at rest.
        is_ended: Whether a fork has ended it.
    """

    thread: int
    place: tuple[int, int]
    connection: sqlite3.Connection | None
    is_pausing: bool = False
    is_ended: bool = False


class Readers:
    """The readings of one process from one file; everything but `begin` and `pausing` with `lock` held."""

    def __init__(self) -> None:
        self.lock = threading.RLock()  # a reader never waits for a writer
        self.idle: list[sqlite3.Connection] = []
        self._readings: list[Reading] = []
        self._changed = threading.Condition(self.lock)
        self._is_forking = False  # somebody forks, or waits for it until nobody reads

    def begin(self, place: tuple[int, int], patience: float) -> Reading:
        """Note a reading, with an idle connection if there is one.

        Where threads read by turns without a pause, there would never be a moment for a fork at which nobody does: it
        goes first. Who reads already may read more: the fork waits for that.

        Args:
            place: See `Reading.place`.
            patience: How many seconds to wait for a fork.
        """
        thread = threading.get_ident()
        with self.lock:
            if self._is_forking and all(each.thread != thread for each in self._readings):
                self._changed.wait_for(lambda: not self._is_forking, patience)
            reading = Reading(thread, place, self.idle.pop() if self.idle else None)
            self._readings.append(reading)
        return reading

    @contextlib.contextmanager
    def pausing(self, connection: sqlite3.Connection) -> Generator[None]:
        """Let somebody else run while a reading's rows are not all read.

        Raises:
            ReadingEndedError: At the block's end: there was a fork meanwhile.
        """
        with self.lock:
            reading = next(each for each in self._readings if each.connection is connection)
            reading.is_pausing = True
            self._changed.notify_all()
        try:
            yield
        finally:
            with self.lock:
                reading.is_pausing = False
        if reading.is_ended:
            raise ReadingEndedError

    def keep(self, reading: Reading) -> bool:
        """Keep the connection of a reading for the next one, if it is sound and there are not enough."""
        kept = reading.connection is not None and not reading.is_ended and len(self.idle) < POOLED
        if kept and reading.connection is not None:
            self.idle.append(reading.connection)
        return kept

    def leave(self, reading: Reading) -> None:
        """Forget a reading, whose connection is kept or closed."""
        self._readings.remove(reading)
        self._changed.notify_all()

    def announce_fork(self) -> None:
        """Let nobody begin until `end_fork`."""
        self._is_forking = True

    def end_fork(self) -> None:
        """Let all go on."""
        self._is_forking = False
        self._changed.notify_all()

    def wait(self, seconds: float) -> None:
        """Wait until somebody has read enough, or so long."""
        self._changed.wait(seconds)

    def others(self, *, working: bool = False) -> list[Reading]:
        """Give the readings of other threads.

        Args:
            working: Leave out those that are pausing.
        """
        thread = threading.get_ident()
        return [each for each in self._readings if each.thread != thread and not (working and each.is_pausing)]

    def interrupt(self) -> None:
        """End what other threads read: a statement that runs fails at once, another one when it goes on."""
        for reading in self.others(working=True):
            reading.is_ended = True
            if reading.connection is not None:
                with contextlib.suppress(sqlite3.Error):  # it was closed just now
                    reading.connection.interrupt()

    def end_resting(self) -> list[sqlite3.Connection]:
        """End the readings whose connections are at rest, this thread's own too; gives these, to be closed.

        A thread that forks while it reads does so in a signal handler or a finalizer: its statement does not run.
        """
        working = self.others(working=True)
        resting = [each for each in self._readings if each not in working]
        for reading in resting:
            reading.is_ended = True
        return [each.connection for each in resting if each.connection is not None]
