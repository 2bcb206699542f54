"""Spans added up by their path: the names from the root down to each, as flame graphs show them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, NamedTuple

from mirascope_ops.analysis.tree import lineage, self_times

if TYPE_CHECKING:
    from collections.abc import Iterable

    from mirascope_ops.analysis.rows import Kind, SpanRow

_ROOT: Final = -1


class Path(NamedTuple):
    """All spans that are reached by the same names.

    Attributes:
        name: Their name.
        parent: The place of the path to what called them, in the list that `paths` gives; -1 at a root.
        depth: How many names are above it.
        kind: What the first of the spans is for.
        number: How many spans.
        errors: How many of them failed.
        total: Nanoseconds of all of them together.
        self_time: Nanoseconds in which no child of theirs ran.
    """

    name: str
    parent: int
    depth: int
    kind: Kind
    number: int
    errors: int
    total: int
    self_time: int


@dataclass(slots=True)
class _Sum:
    """A path while spans are added to it."""

    name: str
    kind: Kind
    number: int = 0
    errors: int = 0
    total: int = 0
    self_time: int = 0
    below: dict[str, _Sum] = field(default_factory=dict[str, "_Sum"])


def paths(spans: Iterable[SpanRow]) -> list[Path]:
    """Add up spans by their path, each below what called it, the longest siblings first.

    Args:
        spans: Spans of any traces, in any order. One that has not ended counts without any time.

    Example:
        >>> paths([])
        []
    """
    linked = lineage(spans)
    top: dict[str, _Sum] = {}
    sums: list[_Sum | None] = [None] * len(linked.spans)
    for start in range(len(linked.spans)):
        waiting: list[int] = []
        at = start
        while at != _ROOT and sums[at] is None:
            waiting.append(at)
            at = linked.parents[at]
        for place in reversed(waiting):
            above = sums[linked.parents[place]] if linked.parents[place] != _ROOT else None
            span = linked.spans[place]
            among = top if above is None else above.below
            sums[place] = among.setdefault(span.name, _Sum(span.name, span.kind))
    for span, alone, found in zip(linked.spans, self_times(linked), sums, strict=True):
        if found is not None:
            found.number += 1
            found.errors += span.status == "error"
            found.total += span.duration or 0
            found.self_time += alone or 0
    return _in_order(top)


def _in_order(top: dict[str, _Sum]) -> list[Path]:
    ordered: list[Path] = []
    stack = [(_ROOT, 0, one) for one in _shortest_first(top)]
    while stack:
        parent, depth, one = stack.pop()
        stack += [(len(ordered), depth + 1, below) for below in _shortest_first(one.below)]
        ordered.append(Path(one.name, parent, depth, one.kind, one.number, one.errors, one.total, one.self_time))
    return ordered


def _shortest_first(among: dict[str, _Sum]) -> list[_Sum]:
    return sorted(among.values(), key=lambda one: (one.total, one.name))
