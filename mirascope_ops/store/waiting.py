"""Ended spans on their way to the store: a queue that the traced program never waits for, bounded by count and bytes.

To measure every span would cost the program more than to append it. So the size of what waits is estimated, once in
every 256 spans, from one in eight of them: the bound on bytes may be passed by what so many spans hold.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any, Final

from mirascope_ops.core import guard

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mirascope_ops.core.span import EndedSpan

MAX_SPANS = 100_000
MAX_BYTES = 256 * 1024**2
_LOOK: Final = 255  # a span that comes when so many wait, or 511, 767, ..., has those before it looked at
_STEP: Final = 8  # one in so many is measured
_BARE = 400  # bytes of a span with nothing in it
_EVENTS: Final = 14
_LARGE: Final = slice(11, _EVENTS + 1)  # where an EndedSpan has arguments, output, attributes and events


class Waiting:
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

    def __init__(self, *, ring: bool = False) -> None:
        self.dropped = 0
        self._ring = ring
        self._spans: deque[EndedSpan] = deque()
        self._mean = 0.0  # bytes of a span that waits
        self._looks = 0
        self._full = False  # by bytes

    def __len__(self) -> int:
        return len(self._spans)

    def take(self, ended: EndedSpan) -> None:
        """Take a span, or drop one; never waits."""
        spans = self._spans
        count = len(spans)
        if count < MAX_SPANS and count & _LOOK != _LOOK and not self._full:
            spans.append(ended)
        else:
            self._take_and_look(ended)

    def some(self, most: int) -> list[EndedSpan]:
        """Take out the oldest, no more than so many; others may put some in meanwhile."""
        spans = self._spans
        taken = [spans.popleft() for _ in range(min(most, len(spans)))]
        self._full = self._bytes > MAX_BYTES
        return taken

    def put_back(self, spans: Sequence[EndedSpan]) -> None:
        """Put spans in front again that could not be stored."""
        total = self._bytes + sum(map(size_of, spans))
        self._spans.extendleft(reversed(spans))
        self._mean = total / max(1, len(self._spans))

    @property
    def _bytes(self) -> float:
        return self._mean * len(self._spans)

    def _take_and_look(self, ended: EndedSpan) -> None:
        spans = self._spans
        if self._ring:
            spans.append(ended)
            if (len(spans) + self.dropped) & _LOOK == 0:
                self._look()
            while spans and (len(spans) > MAX_SPANS or self._bytes > MAX_BYTES):
                spans.popleft()
                self.dropped += 1
        elif len(spans) < MAX_SPANS and not self._full:
            spans.append(ended)
            self._look()
            self._full = self._bytes > MAX_BYTES
        else:
            self.dropped += 1
            guard.warn_once(
                "dropped",
                "mirascope_ops drops spans: this program makes them faster than its store can take them. "
                "`ops.store.stats()` counts them.",
            )

    def _look(self) -> None:
        """Take the newest spans into the mean."""
        self._looks += 1
        count = len(self._spans)
        newest = min(count, _LOOK + 1)
        try:  # not always the same ones, in case large spans come at equal distances
            sizes = [
                size_of(self._spans[-place]) for place in range(1 + self._looks % min(_STEP, newest), newest + 1, _STEP)
            ]
        except (IndexError, ZeroDivisionError):  # the writer took them meanwhile
            return
        self._mean += (sum(sizes) / len(sizes) - self._mean) * newest / count


def size_of(ended: EndedSpan) -> int:
    """Estimate the bytes that a span takes; most have arguments and a result that are text, and no more."""
    size = _BARE
    if len(ended) > _EVENTS:
        arguments, output, extra, events = ended[_LARGE]
        if arguments is not None:
            size += len(arguments)
        if output is not None:
            size += len(output) if type(output) is str else _size(output)
        if extra or events:
            size = size - _BARE + size_of_attributes(extra, *(event[2] for event in events or ()))
    return size


def size_of_attributes(*attributes: Mapping[str, Any] | None) -> int:
    """Estimate the bytes of a span with these attributes on it and its events."""
    return _BARE + sum(sum(map(_size, list(each.values()))) for each in attributes if each)


def _size(value: Any) -> int:
    return len(value) if isinstance(value, str | bytes) else 32
