"""How long spans took, of many at once."""

from __future__ import annotations

from array import array
from importlib.util import find_spec
from operator import sub
from typing import TYPE_CHECKING, Any, cast

from mirascope_ops._optional import require

if TYPE_CHECKING:
    from mirascope_ops.analysis.texts import Column

_MANY = 16_384  # from then on numpy is worth loading


def durations(starts: Column, ends: Column) -> Column:
    """Give the durations of spans: None without an end, or without a start, which a time of 0 stands for.

    Clocks may go backwards: no duration is negative.

    Args:
        starts: When they started.
        ends: When they ended, None while open.

    Example:
        >>> durations([5, 5, 5, 0], [8, None, 4, 2])
        [3, None, 0, None]
    """
    if isinstance(ends, array) and len(ends) >= _MANY and find_spec("numpy") is not None:
        found = _of_arrays(starts, cast("array[int]", ends))
        if found is not None:
            return found
    elif (isinstance(ends, array) or None not in ends) and all(starts):
        told = list(map(sub, ends, starts))
        if not told or min(told) >= 0:
            return told
    return [
        None if end is None or not start else end - start if end > start else 0
        for start, end in zip(starts, ends, strict=True)
    ]


def _of_arrays(starts: Column, ends: array[int]) -> array[int] | None:
    """Give the durations of spans that began and ended after 1970; None where one did not."""
    if not isinstance(starts, array):
        return None
    np: Any = require("numpy", extra="notebook")
    first, last = np.frombuffer(starts, dtype="int64"), np.frombuffer(ends, dtype="int64")
    if first.min() <= 0 or last.min() < 0:
        return None
    return array("q", np.maximum(last - first, 0).tobytes())
