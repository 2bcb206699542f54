"""For tests: a clock that steps, ids that repeat, a store of your own, and faults that raise.

Example:
    >>> from mirascope_ops import ops
    >>> with captured() as spans:
    ...     with ops.span("retrieve"):
    ...         pass
    ...     [span.name for span in spans()]
    ['retrieve']
"""

from __future__ import annotations

import itertools
import random
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from mirascope_ops.core import clock, guard
from mirascope_ops.store import recorder
from mirascope_ops.store.memory import MemoryStore

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from mirascope_ops.spanset import SpanSet

START: Final = 1_767_225_600_000_000_000  # 2026-01-01 00:00 UTC
STEP: Final = 1_000_000  # one millisecond


class SteppingClock:
    """A clock that moves by one step each time it is read.

    Args:
        start: The first time, nanoseconds since the epoch.
        step: Nanoseconds from one reading to the next.

    Example:
        >>> now = SteppingClock(start=100, step=5)
        >>> now(), now()
        (100, 105)
    """

    def __init__(self, start: int = START, step: int = STEP) -> None:
        self._times = itertools.count(start, step)
        self._lock = threading.Lock()

    def __call__(self) -> int:
        """Return the time and step on."""
        with self._lock:
            return next(self._times)


def deterministic(*, start: int = START, step: int = STEP, seed: int = 1) -> None:
    """Make times and ids the same in every run, for the rest of this process.

    Args:
        start: The first time, nanoseconds since the epoch.
        step: Nanoseconds between two readings of the clock.
        seed: Another seed makes other ids.
    """
    clock.replace(SteppingClock(start, step), random.Random(seed).getrandbits)  # noqa: S311 - ids that must repeat


def real() -> None:
    """Take times and ids from the real clock and generator again."""
    clock.replace()


@contextmanager
def captured(*, max_spans: int = 100_000) -> Generator[Callable[[], SpanSet]]:
    """Record into a store of this block's own, in memory; faults of this library raise inside.

    Args:
        max_spans: How many spans the store holds.

    Yields:
        A function that returns the spans recorded so far.
    """
    from mirascope_ops.reading import spans

    with recorder.replaced(recorder.Recorder(MemoryStore(max_spans))):
        guard.strict(on=True)
        try:
            yield lambda: spans()  # noqa: PLW0108 - the look-up's options are not this function's
        finally:
            guard.strict(on=False)
