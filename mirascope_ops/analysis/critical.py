"""What a trace waited for: its critical path; and how many spans ran at once."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from mirascope_ops.analysis.tree import forest

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from mirascope_ops.analysis.rows import Node, SpanRow


class Step(NamedTuple):
    """A stretch of a critical path.

    Attributes:
        span: The span that the trace waited for.
        depth: How deep it is below the root, 0 at the root.
        start: Nanoseconds since the epoch.
        end: Nanoseconds since the epoch.
    """

    span: SpanRow
    depth: int
    start: int
    end: int


def critical_path(spans: Iterable[SpanRow]) -> list[Step]:
    """Find what each trace waited for, from its roots' starts to their ends.

    Going back from a root's end, at each moment the span counts that ended last before it, and within that
    span its children in the same way; the time between is the span's own. Spans that ran beside these, and
    ended earlier, could be faster without the trace being so.

    Args:
        spans: Spans of any traces, in any order; open ones, and what is below them, are on no path.

    Returns:
        The stretches, root by root, in the order of time; of one root they cover its duration without a gap.

    Example:
        >>> critical_path([])
        []
    """
    return [step for root in forest(spans) for step in _path(root)]


def _path(root: Node) -> list[Step]:
    if root.span.end is None:
        return []
    steps: list[Step] = []
    # From the end to the start: each span with the window in which it counts.
    waiting = [(root, 0, root.span.start, root.span.end)]
    while waiting:
        node, depth, begin, cursor = waiting.pop()
        ended = [child for child in node.children if child.span.end is not None]
        for child in sorted(ended, key=_end, reverse=True):
            first, last = max(child.span.start, begin), min(_end(child), cursor)
            if last <= first or (last < _end(child) and cursor < min(_end(child), node.span.end or 0)):
                continue  # it took no time in the window, or something that ended later covers its end
            if last < cursor:
                steps.append(Step(node.span, depth, last, cursor))
            waiting.append((child, depth + 1, first, last))
            cursor = first
        if begin < cursor:
            steps.append(Step(node.span, depth, begin, cursor))
    return sorted(steps, key=lambda step: step.start)


def concurrency(spans: Sequence[SpanRow]) -> list[tuple[int, int]]:
    """Count how many spans ran at once.

    Args:
        spans: Spans, in any order; those that are open, or took no time, count for nothing. Give those that are
            of interest, such as the model calls: a parent runs all the time that its children do.

    Returns:
        Each moment (nanoseconds since the epoch) at which the number changed, with the number from then on.

    Example:
        >>> concurrency([])
        []
    """
    changes: dict[int, int] = {}
    for span in spans:
        if span.end is not None and span.end > span.start:
            changes[span.start] = changes.get(span.start, 0) + 1
            changes[span.end] = changes.get(span.end, 0) - 1
    running = 0
    found: list[tuple[int, int]] = []
    for moment in sorted(changes):
        if changes[moment]:
            running += changes[moment]
            found.append((moment, running))
    return found


def _end(node: Node) -> int:
    return node.span.end or 0
