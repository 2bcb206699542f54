"""Whose turn it is: how much may wait, and when those that are sent away are to come back.

What waits is bounded by bytes, and by the time that it takes to store it, which is measured all along. Exporters give
up after some tries (Python's after six, or ten seconds), so it is not enough to turn them away until there happens to
be room, for others that come anew would take it. Who is sent away gets a place in line, and is told the second in which
its turn comes; the place is kept for its connection, and who comes anew stands behind it.
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

MAX_BYTES: Final = 64 * 1024**2
MAX_SECONDS: Final = 4.5  # and half a second more, because what was measured may be too little
_NEW_SECONDS: Final = 3.5  # of waiting work until those who come anew are sent away; the rest is for those in line
_SLACK: Final = 1.1  # rather a little late than sent away again
_EARLY: Final = 1.0  # who comes so many seconds too early has come in time
_GRACE: Final = 5.0  # how long a place is kept for who does not come
_FIRST_GUESS: Final = 3e-6  # seconds that a byte takes: rather too many, until the first were stored
_FIRST_WEIGHT: Final = 100_000  # bytes for which that guess stands
_GUESSED: Final = 1024**2  # until so many bytes were stored, the pace is hardly more than a guess
_GUESSED_SECONDS: Final = 3  # and nobody is sent away for longer by that: exporters give up where they are told ten
_KEPT: Final = 0.9  # how much of what was measured before counts beside a new measurement
_MAX_PLACES: Final = 4096


@dataclass(slots=True)
class _Place:
    due: float
    size: int
    first_due: float  # what was told first; the store may have taken longer than was thought
    again: int = 0  # how often there was no room in time


class Turns:
    """Lets requests in, or tells when to come back; not to be used by two threads at once.

    Args:
        clock: Tells the time in seconds.

    Attributes:
        waiting: The bytes that were let in and are not stored yet.

    Example:
        >>> turns = Turns()
        >>> turns.come("a connection", 1_000) is None  # it may
        True
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.waiting = 0
        self._clock = clock
        self._seconds = _FIRST_GUESS * _FIRST_WEIGHT
        self._bytes: float = _FIRST_WEIGHT
        self._measured = 0
        self._places: dict[Hashable, _Place] = {}

    @property
    def _pace(self) -> float:
        """Seconds that a byte takes."""
        return self._seconds / self._bytes

    @property
    def seconds(self) -> float:
        """How long it will take, by measurements so far, to store what waits."""
        return self.waiting * self._pace

    def come(self, who: Hashable, size: int) -> int | None:
        """Let a request in, or tell its sender after how many seconds to come back.

        Args:
            who: Its connection.
            size: Its bytes, which count as waiting until `done`.

        Returns:
            None where it is let in.
        """
        now = self._clock()
        self._forget_absent(now)
        place = self._places.pop(who, None)
        if place is None:
            promised = sum(each.size for each in self._places.values())
            if self._fits(size, _NEW_SECONDS, promised):
                self.waiting += size
                return None
            before = (self.waiting + promised) * self._pace * _SLACK
            due = now + max(1.0, before - max(0.0, _NEW_SECONDS - size * self._pace))
        elif now < place.due - _EARLY:
            if self._fits(size, _NEW_SECONDS, sum(each.size for each in self._places.values())):
                self.waiting += size  # what was before it took less long than was thought
                return None
            due = place.due  # too early: the same place, for what it sends now
        else:
            late = sum(each.size for each in self._places.values() if each.first_due < min(each.due, place.first_due))
            if self._fits(size, MAX_SECONDS, late):
                self.waiting += size
                return None
            place.again += 1  # each time it waits for longer, for it comes a few times only
            due = now + max(float(place.again), (self.waiting + late + size) * self._pace * _SLACK - MAX_SECONDS)
        if place is None:
            place = _Place(due, size, due)
        place.due, place.size = due, size
        if len(self._places) < _MAX_PLACES:
            self._places[who] = place
        seconds = max(1, math.ceil(due - now))
        return min(seconds, _GUESSED_SECONDS) if self._measured < _GUESSED else seconds

    def grow(self, size: int) -> bool:
        """Let in more of a request whose size was not known when it came; tells whether there is room."""
        if self.waiting + size > MAX_BYTES:
            return False
        self.waiting += size
        return True

    def done(self, size: int) -> None:
        """Say that so many bytes do not wait any more."""
        self.waiting -= size

    def measured(self, size: int, seconds: float) -> None:
        """Say how long it took to store so many bytes."""
        self._measured += size
        self._seconds = _KEPT * self._seconds + seconds
        self._bytes = _KEPT * self._bytes + size

    def leave(self, who: Hashable) -> None:
        """Give a place in line up: its connection was closed."""
        self._places.pop(who, None)

    def _fits(self, size: int, seconds: float, promised: int) -> bool:
        before = self.waiting + promised
        if not before:
            return True  # as large as it may be
        return self.waiting + size <= MAX_BYTES and (before + size) * self._pace <= seconds

    def _forget_absent(self, now: float) -> None:
        absent = [who for who, place in self._places.items() if place.due + _GRACE < now]
        for who in absent:
            del self._places[who]
