"""What lists of spans share: whether they are whole traces, their groups, their order, their percentiles."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Literal, TypeVar

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mirascope_ops.analysis.rows import SpanRow

_Number = TypeVar("_Number", int, float)
Order = Literal["", ", oldest first", ", newest first"]


def by_trace(spans: Sequence[SpanRow]) -> list[list[SpanRow]]:
    """The spans of each trace, traces in the order of their first spans."""
    groups: dict[str, list[SpanRow]] = {}
    for span in spans:
        groups.setdefault(span.trace_id, []).append(span)
    return list(groups.values())


def as_traces(spans: Sequence[SpanRow]) -> bool:
    """Whether the spans come as traces, and not picked out of them.

    In every trace some span has no parent, or is the parent of another.
    """
    named = {(span.trace_id, span.parent_id) for span in spans}
    whole = {span.trace_id for span in spans if span.parent_id is None or (span.trace_id, span.span_id) in named}
    return whole == {span.trace_id for span in spans}


def order_word(starts: Sequence[int]) -> Order:
    """The order in which things are listed, where they are in one."""
    if len(starts) < 2:  # noqa: PLR2004 - one is in any order
        return ""
    if all(one <= other for one, other in pairwise(starts)):
        return ", oldest first"
    if all(one >= other for one, other in pairwise(starts)):
        return ", newest first"
    return ""


def percentile(values: Sequence[int], share: float) -> int:
    """A percentile, between neighbours in proportion, as pandas has it.

    Example:
        >>> percentile([10, 20, 30], 0.75)
        25
    """
    ordered = sorted(values)
    at = (len(ordered) - 1) * share
    low = int(at)
    high = min(low + 1, len(ordered) - 1)
    return round(ordered[low] + (ordered[high] - ordered[low]) * (at - low))


def sum_known(values: Sequence[_Number | None]) -> _Number | None:
    """The sum of what was reported, or None where nothing was."""
    total: _Number | None = None
    for value in values:
        if value is not None:
            total = value if total is None else total + value
    return total
