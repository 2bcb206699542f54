"""The tree of a set of spans, whatever their order: orphans, duplicates, cycles and deep chains included."""

from __future__ import annotations

from bisect import bisect_right
from typing import TYPE_CHECKING, NamedTuple

from mirascope_ops.analysis.rows import Node, SpanRow

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

_ROOT = -1


class Lineage(NamedTuple):
    """Spans with their parents, without a cycle.

    Attributes:
        spans: Each span once, by start (in the given order where starts are equal); those without one come last.
        parents: For each span its parent's place in `spans`, or -1 at a root.
        orphans: For each span whether its parent is named but was not read.
    """

    spans: list[SpanRow]
    parents: list[int]
    orphans: list[bool]

    def above(self, marked: Iterable[int]) -> set[int]:
        """Give the places of all spans that are above any of the given ones."""
        found: set[int] = set()
        for place in marked:
            parent = self.parents[place]
            while parent != _ROOT and parent not in found:
                found.add(parent)
                parent = self.parents[parent]
        return found


def lineage(spans: Iterable[SpanRow]) -> Lineage:
    """Link spans to their parents.

    A span is identified by its trace id and span id. Of several with the same ids the ended one counts,
    and of several of these the last. A cycle is cut above the span of it that started first.
    """
    unique: dict[tuple[str, str], SpanRow] = {}
    for span in spans:
        key = (span.trace_id, span.span_id)
        other = unique.get(key)
        if other is None or span.end is not None or other.end is None:
            unique[key] = span
    ordered = sorted(unique.values(), key=lambda span: span.start)
    untimed = bisect_right(ordered, 0, key=lambda span: span.start)
    # A start of 0 is one that was not told: it comes first nowhere.
    ordered = ordered[untimed:] + ordered[:untimed]
    places = {(span.trace_id, span.span_id): place for place, span in enumerate(ordered)}
    parents = [places.get((span.trace_id, span.parent_id), _ROOT) if span.parent_id else _ROOT for span in ordered]
    orphans = [parent == _ROOT and bool(span.parent_id) for span, parent in zip(ordered, parents, strict=True)]
    _cut_cycles(parents)
    return Lineage(ordered, parents, orphans)


def forest(spans: Iterable[SpanRow]) -> list[Node]:
    """Arrange spans as trees that hold every span exactly once.

    Args:
        spans: Spans of any traces, in any order, complete or not.

    Returns:
        The roots, and below each its children, by start. A span whose parent was not read is a root with
        `orphan` set; so is, without it, the first span of a cycle.

    Example:
        >>> forest([])
        []
    """
    return grown(lineage(spans))


def grown(linked: Lineage) -> list[Node]:
    """Make the trees of a lineage, as `forest` does of spans."""
    nodes = [Node(span, [], orphan) for span, orphan in zip(linked.spans, linked.orphans, strict=True)]
    roots: list[Node] = []
    for node, parent in zip(nodes, linked.parents, strict=True):
        (roots if parent == _ROOT else nodes[parent].children).append(node)
    return roots


def walk(nodes: Iterable[Node]) -> Iterator[tuple[int, Node]]:
    """Go through trees from the top: a node, then what is below it.

    Yields:
        The depth, 0 at a root, and the node.

    Example:
        >>> list(walk([]))
        []
    """
    stack = [(0, node) for node in reversed(list(nodes))]
    while stack:
        depth, node = stack.pop()
        yield depth, node
        stack.extend((depth + 1, child) for child in reversed(node.children))


def self_time(node: Node) -> int | None:
    """Give the nanoseconds of a span in which none of its children ran, or None while it is open.

    Children that overlap count once, and only within their parent's time; one that is still open covers
    all the time from its start.
    """
    return _uncovered(node.span, [child.span for child in node.children])


def self_times(linked: Lineage) -> list[int | None]:
    """Give `self_time` of every span of a lineage, in its order."""
    children: list[list[SpanRow]] = [[] for _ in linked.spans]
    for span, parent in zip(linked.spans, linked.parents, strict=True):
        if parent != _ROOT:
            children[parent].append(span)
    return [_uncovered(span, below) for span, below in zip(linked.spans, children, strict=True)]


def _uncovered(span: SpanRow, children: Sequence[SpanRow]) -> int | None:
    if span.end is None or span.duration is None:
        return None
    left = span.duration
    reached = span.start
    for child in children:
        begin = max(child.start, reached)
        end = span.end if child.end is None else min(child.end, span.end)
        if end > begin:
            left -= end - begin
            reached = end
    return left


def _cut_cycles(parents: list[int]) -> None:
    # Every span lies on at most one path of parents; colours tell a path that is being followed from done ones.
    done = [False] * len(parents)
    for begin in range(len(parents)):
        path: list[int] = []
        on_path: set[int] = set()
        place = begin
        while place != _ROOT and not done[place] and place not in on_path:
            path.append(place)
            on_path.add(place)
            place = parents[place]
        if place != _ROOT and place in on_path:
            # Places are in the order of starts, so the smallest one started first.
            parents[min(path[path.index(place) :])] = _ROOT
        for passed in path:
            done[passed] = True
