"""Ended spans on their way to the store: a queue that the traced program never waits for, bounded by count and bytes.

To measure every span would cost the program more than to append it. So the size of what waits is estimated, once in
every 256 spans, from one in eight of them: the bound on bytes may be passed by what so many spans hold.
"""

from __future__ import annotations

import threading
from collections import deque
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

from mirascope_ops.core import guard
from mirascope_ops.core.backend import Sink
from mirascope_ops.core.ended import ARGUMENTS, NOTES
from mirascope_ops.core.notes import NOTHING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mirascope_ops.core.ended import EndedSpan

MAX_SPANS = 100_000
MAX_BYTES = 256 * 1024**2
_LOOK: Final = 256  # when so many have come, their size is looked at
_STEP: Final = 8  # one in so many is measured
_BARE = 400  # bytes of a span with nothing in it


class Waiting(Sink):
    """The queue between the program, which puts spans in, and one thread at a time that takes them out.

    Args:
        ring: Drop the oldest where there is no room, and not those that come: for a store that nobody reads.

    Attributes:
        dropped: How many spans were dropped.

    Example:
        >>> waiting = Waiting()
        >>> waiting.take((None, "answer"))
        >>> len(waiting), waiting.some(10)
        (1, [(None, 'answer')])
    """

    __slots__ = ("_known", "_looking", "_looks", "_mean", "_new", "_ring", "_spans", "dropped")

    def __init__(self, *, ring: bool = False) -> None:
        self._spans: deque[EndedSpan] = deque()
        super().__init__(self._spans.append, self._spans)
        self.dropped = 0
        self._ring = ring
        self._mean = 0.0  # bytes of a span that waits
        self._looks = 0
        self._looking = threading.Lock()
        self._known = 0  # how many waited after the last look
        self._new = 0  # how many have come since their size was looked at
        self._set_mark()

    def __len__(self) -> int:
        return len(self._spans)

    def look(self) -> None:
        """Measure what came, and drop what there is no room for; never waits."""
        if not self._looking.acquire(blocking=False):
            return  # another thread does it now, or this very thread before a signal or a finalizer came in between
        try:
            came = max(0, len(self._spans) - self._known)
            self._new += came
            if self._new >= _LOOK:
                self._measure()
            many = len(self._spans) - self._room()
            if many > 0:
                self._drop(many if self._ring else min(many, came))
            self._set_mark()
        finally:
            self._looking.release()

    def some(self, most: int) -> list[EndedSpan]:
        """Take out the oldest, no more than so many; others may put some in meanwhile."""
        spans = self._spans
        taken: list[EndedSpan] = []
        with suppress(IndexError):  # a look may drop some meanwhile
            taken.extend(spans.popleft() for _ in range(min(most, len(spans))))
        self._set_mark()
        return taken

    def put_back(self, spans: Sequence[EndedSpan]) -> None:
        """Put spans in front again that could not be stored."""
        total = self._mean * len(self._spans) + size_of(*spans)
        self._spans.extendleft(reversed(spans))
        self._mean = total / max(1, len(self._spans))
        self._set_mark()

    def _room(self) -> int:
        """Tell how many spans of this size there is room for."""
        return MAX_SPANS if self._mean * MAX_SPANS <= MAX_BYTES else int(MAX_BYTES / self._mean)

    def _set_mark(self) -> None:
        self._known = len(self._spans)
        self.mark = min(self._known + max(1, _LOOK - self._new), self._room() + 1)

    def _drop(self, many: int) -> None:
        drop = self._spans.popleft if self._ring else self._spans.pop
        with suppress(IndexError):  # they were taken out meanwhile
            for _ in range(many):
                drop()
                self.dropped += 1
        if not self._ring:
            guard.warn_once(
                "dropped",
                "mirascope_ops drops spans: this program makes them faster than its store can take them. "
                "`ops.store.stats()` counts them.",
            )

    def _measure(self) -> None:
        """Take the newest spans into the mean."""
        self._looks += 1
        newest, self._new = self._new, 0
        count = len(self._spans)
        newest = min(count, newest)
        try:  # not always the same ones, in case large spans come at equal distances
            some = [self._spans[-place] for place in range(1 + self._looks % min(_STEP, newest), newest + 1, _STEP)]
        except (IndexError, ZeroDivisionError):  # the writer took them meanwhile
            return
        self._mean += (size_of(*some) / len(some) - self._mean) * newest / count


def size_of(*spans: EndedSpan) -> int:
    """Estimate the bytes that spans take; most have arguments and a result that are text, and no more."""
    total = _BARE * len(spans)
    for ended in spans:
        if len(ended) <= NOTES:
            continue
        arguments, output, notes = ended[ARGUMENTS : NOTES + 1]
        if type(arguments) is str:
            total += len(arguments)
        elif arguments is not None:
            total += sum(map(_size, arguments))
        if type(output) is str:
            total += len(output)
        elif output is not None:
            total += _size(output)
        if notes is not NOTHING:
            total += size_of_attributes(notes.extra, *(event[2] for event in notes.events or ())) - _BARE
    return total


def size_of_attributes(*attributes: Mapping[str, Any] | None) -> int:
    """Estimate the bytes of a span with these attributes on it and its events."""
    return _BARE + sum(sum(map(_size, list(each.values()))) for each in attributes if each)


def _size(value: Any) -> int:
    return len(value) if isinstance(value, str | bytes) else 32
