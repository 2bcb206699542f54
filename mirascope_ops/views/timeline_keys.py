"""What tells spans apart, as integers: ids with those of their traces, so that few are found among many at once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from mirascope_ops._optional import require
from mirascope_ops.store.digits import SPAN_DIGITS, TRACE_DIGITS
from mirascope_ops.views.timeline_columns import (
    MIX,
    Fields,
    identified,
    identified_or_zero,
    numbers_of,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mirascope_ops.analysis.rows import SpanRow

FIELDS: Final = ("trace_id", "span_id", "parent_id")
_SLOTS: Final = 2**20


class SpanKeys:
    """The keys of spans.

    Args:
        np: numpy.
        given: At least `FIELDS` of the spans.

    Attributes:
        traces: A number for each trace.
    """

    def __init__(self, np: Any, given: Fields) -> None:
        self._np = np
        traces = identified(np, given["trace_id"], TRACE_DIGITS) if given.number else None
        self._are_ids = traces is not None
        self.traces = numbers_of(np, given["trace_id"])[1].astype(np.uint64) if traces is None else traces
        mixed = self.traces * np.uint64(MIX)
        ids = identified(np, given["span_id"], SPAN_DIGITS) if given.number else None
        named, told = identified_or_zero(np, given["parent_id"]) if given.number else (None, None)
        self._are_told: Any = told
        self._is_whole = ids is not None and named is not None
        if self._is_whole:
            self.own, self.callers = mixed + ids, mixed + named
            self._slots = _slots_of(np, self.own)

    def sample(self, part: float) -> Any:
        """Give about such a part of the spans, in whole traces, as a mask; None where traces have no ids."""
        np = self._np
        if not self._are_ids:
            return None
        # What is left of a product is spread evenly, also of numbers that were counted.
        return (self.traces * np.uint64(MIX)) >> np.uint64(32) < np.uint64(int(min(1.0, max(0.0, part)) * 2**32))

    def add_callers(self, chosen: Any, most: int, levels: int) -> None:
        """Choose what called the chosen spans.

        Args:
            chosen: Which spans are chosen (a bool array, which is changed).
            most: How many more may be chosen, about.
            levels: How far up.
        """
        if not self._is_whole:
            return
        newest = chosen.nonzero()[0]
        for _ in range(levels):
            newest = self._places_of(self.callers[newest[self._are_told[newest]]])
            newest = newest[~chosen[newest]]
            most -= len(newest)
            if not len(newest) or most < 0:
                return
            chosen[newest] = True

    def calling(self, places: Any) -> Any:
        """Tell which of the spans at few places called another one."""
        np = self._np
        if not self._is_whole:
            return np.zeros(len(places), dtype=bool)
        named = _among(np, self.callers, self.own[places], _slots_of(np, self.callers))
        return np.isin(self.own[places], self.callers[named[self._are_told[named]]])

    def places_of(self, others: SpanKeys) -> Any:
        """Give for each of few other spans its place among these, or -1: an int32 array."""
        np = self._np
        found = np.full(len(others.traces), -1, dtype=np.int32)
        if self._is_whole and others._is_whole:
            order = np.argsort(others.own, kind="stable")
            places = self._places_of(others.own)
            found[order[np.searchsorted(others.own[order], self.own[places])]] = places
        return found

    def _places_of(self, wanted: Any) -> Any:
        return _among(self._np, self.own, wanted, self._slots)


def places_among(few: Sequence[SpanRow], spans: Sequence[SpanRow]) -> Any:
    """Give for each of few spans its place among many, or -1: an int32 array.

    Args:
        few: The few spans.
        spans: All of them.

    Raises:
        ImportError: numpy is not installed; the message says how.

    Example:
        >>> places_among([], []).tolist()
        []
    """
    np = require("numpy", extra="notebook")
    own, among = (SpanKeys(np, Fields(some, *FIELDS)) for some in (few, spans))
    return among.places_of(own)


def _slots_of(np: Any, keys: Any) -> Any:
    return (keys & np.uint64(_SLOTS - 1)).astype(np.int32)


def _among(np: Any, keys: Any, wanted: Any, slots: Any) -> Any:
    """The places at which one of a few wanted keys stands."""
    # A table in the processor's cache says of most that they are not among the wanted ones.
    marks = np.zeros(_SLOTS, dtype=bool)
    marks[_slots_of(np, wanted)] = True
    maybe = marks[slots].nonzero()[0]
    return maybe[np.isin(keys[maybe], wanted)]
