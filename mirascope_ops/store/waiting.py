"""Ended spans on their way to the store: a queue that the traced program never waits for, bounded by count and bytes.

To measure every span would cost the program more than to append it. So the size of what waits is looked at once in
every 256 spans, and of every seventh of these: the bound on bytes may be passed by what so many spans hold.
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
_LOOK: Final = 255  # a span that comes when so many wait, or 511, 767, ..., has all before it measured
_SAMPLED: Final = 7  # every so many are measured: a prime, which is in step with nothing
_BARE = 400  # bytes of a span with nothing in it
_ARGUMENTS, _OUTPUT, _EXTRA, _EVENTS = 11, 12, 13, 14  # where an EndedSpan has what may be large


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
        self._bytes = 0  # of those that were measured
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
        count = len(spans)
        taken = [spans.popleft() for _ in range(min(most, count))]
        self._bytes = self._bytes * (count - len(taken)) // count if count else 0
        self._full = self._bytes > MAX_BYTES
        return taken

    def put_back(self, spans: Sequence[EndedSpan]) -> None:
        """Put spans in front again that could not be stored."""
        self._bytes += sum(map(size_of, spans))
        self._spans.extendleft(reversed(spans))

    def _take_and_look(self, ended: EndedSpan) -> None:
        spans = self._spans
        if self._ring:
            spans.append(ended)
            if len(spans) > MAX_SPANS:
                spans.popleft()
                self.dropped += 1
                self._bytes -= self._bytes // MAX_SPANS
                if self.dropped & _LOOK:  # where nobody ever reads, every call comes here
                    return
            self._measure(_LOOK + 1)
            while spans and self._bytes > MAX_BYTES:
                self._bytes -= size_of(spans.popleft())
                self.dropped += 1
        elif len(spans) < MAX_SPANS and not self._full:
            spans.append(ended)
            self._measure(_LOOK + 1)
            self._full = self._bytes > MAX_BYTES
        else:
            self.dropped += 1
            guard.warn_once(
                "dropped",
                "mirascope_ops drops spans: this program makes them faster than its store can take them. "
                "`ops.store.stats()` counts them.",
            )

    def _measure(self, newest: int) -> None:
        """Add what the newest so many take, by a sample: to look at each would cost every call as much as appending."""
        step = min(_SAMPLED, newest)
        try:
            self._bytes += sum(size_of(self._spans[-index]) for index in range(1, newest + 1, step)) * step
        except IndexError:  # the writer took them meanwhile
            self._bytes = 0


def size_of(ended: EndedSpan) -> int:
    """Estimate the bytes that a span takes."""
    if len(ended) <= _EVENTS:
        return _BARE
    attributes = size_of_attributes(ended[_EXTRA], *(event[2] for event in ended[_EVENTS] or ()))
    return attributes + _size(ended[_ARGUMENTS]) + _size(ended[_OUTPUT])


def size_of_attributes(*attributes: Mapping[str, Any] | None) -> int:
    """Estimate the bytes of a span with these attributes on it and its events."""
    return _BARE + sum(sum(map(_size, list(each.values()))) for each in attributes if each)


def _size(value: Any) -> int:
    return len(value) if isinstance(value, str | bytes) else 32
