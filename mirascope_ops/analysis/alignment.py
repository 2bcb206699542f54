"""Two forests of spans, put side by side: which span of the one is which of the other.

Content decides first, position where content cannot: spans that are the same with all that is below them, then the
same calls, then similar ones, then those of one name at the same place, whatever their kind. So a turn that moved is
found where it went, and is not read as two turns that changed. Nothing here is quadratic in the number of spans:
similar spans are looked for within a budget, and beyond it places count.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING, Final, NamedTuple

from mirascope_ops.analysis.likeness import Side, likeness, texts_of
from mirascope_ops.analysis.sequences import increasing

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterable, Sequence

    from mirascope_ops.analysis.rows import SpanRow

_ROOT: Final = -1
_LOOKS: Final = 40_000  # pairs of spans whose words are compared, in one comparison
_LOOKS_AT_ONCE: Final = 10_000  # of these, among the children of one span
_SIMILAR: Final = 0.5  # share of words in common from which two spans of one name are the same
_RENAMED: Final = 0.4  # the same for spans of different names


@dataclass(slots=True, eq=False)
class Pair:
    """A span of the one run and the span of the other that it is; None where there is none.

    Attributes:
        a: The span in the first run.
        b: The span in the second run.
        depth: 0 at a root.
        turn: Number of the tree, from 1, in the order in which the pairs stand.
        moved: Whether it stands elsewhere among its neighbours, or below another span.
        children: The pairs below.
    """

    a: SpanRow | None
    b: SpanRow | None
    depth: int = 0
    turn: int = 0
    moved: bool = False
    children: list[Pair] = field(default_factory=list["Pair"], repr=False)

    @property
    def span(self) -> SpanRow:
        """The span, that of the second run where both have it."""
        found = self.b or self.a
        assert found is not None  # noqa: S101 - a pair has one of the two
        return found


class Alignment(NamedTuple):
    """Two forests as one.

    Attributes:
        roots: The trees of pairs; what only the first run has stands where it stood.
        moves: Pairs that moved, those that changed places with each other together.
    """

    roots: list[Pair]
    moves: list[tuple[Pair, ...]]

    def walk(self) -> list[Pair]:
        """All pairs, each before those below it."""
        found: list[Pair] = []
        stack = list(reversed(self.roots))
        while stack:
            pair = stack.pop()
            found.append(pair)
            stack.extend(reversed(pair.children))
        return found


def align(a: Iterable[SpanRow], b: Iterable[SpanRow]) -> Alignment:
    """Put two sets of spans side by side.

    Args:
        a: Spans of the first run, of any traces, in any order.
        b: Spans of the second run.

    Returns:
        The pairs as trees that hold every span of both sets exactly once.

    Example:
        >>> align([], []).roots
        []
    """
    ones, others = list(a), list(b)
    shared = texts_of(ones) & texts_of(others)
    return _Aligner(Side(ones, shared), Side(others, shared)).run()


class _Aligner:
    def __init__(self, a: Side, b: Side) -> None:
        self.a, self.b = a, b
        self.of_a: dict[int, int] = {}
        self.of_b: dict[int, int] = {}
        self.looks = _LOOKS
        self.moved: list[tuple[int, ...]] = []  # places in b

    def run(self) -> Alignment:
        if len(self.a.roots) == len(self.b.roots) == 1:
            self._pair(self.a.roots[0], self.b.roots[0])
            self._descend(self.a.roots[0], self.b.roots[0])
        else:
            self._match_all(self.a.roots, self.b.roots)
        self._find_strays()
        return self._built()

    def _pair(self, i: int, j: int) -> None:
        self.of_a[i] = j
        self.of_b[j] = i

    def _descend(self, i: int, j: int) -> None:
        """Match what is below a pair."""
        stack = [(i, j)]
        while stack:
            above_a, above_b = stack.pop()
            ones = [place for place in self.a.children[above_a] if place not in self.of_a]
            others = [place for place in self.b.children[above_b] if place not in self.of_b]
            stack += self._match(ones, others)

    def _match_all(self, ones: Sequence[int], others: Sequence[int]) -> None:
        for i, j in self._match(ones, others):
            self._descend(i, j)

    def _match(self, ones: Sequence[int], others: Sequence[int]) -> list[tuple[int, int]]:
        """Match neighbours: the children of a pair, or the roots."""
        found = _Neighbours(self, ones, others)
        found.by(_whole)
        found.by(_call)
        if found.left:
            found.by_words()
            found.by_place()
            found.by_words(renamed=True)
            found.by_place(any_kind=True)
        for i, j in found.pairs:
            self._pair(i, j)
        self.moved += found.moves()
        return found.pairs

    def _find_strays(self) -> None:
        """Match what is gone from below one span and new below another, within what else is the same tree."""
        for of in (_whole, _call):
            gone: dict[Hashable, list[int]] = defaultdict(list)
            for place in self.a.order:
                if place not in self.of_a and self.a.tells(place):
                    gone[of(self.a, place)].append(place)
            if not gone:
                return
            for j in self.b.order:
                candidates = gone.get(of(self.b, j)) if j not in self.of_b else None
                i = next((one for one in candidates or () if one not in self.of_a and self._may_stray(one, j)), None)
                if i is not None:
                    self._pair(i, j)
                    self.moved.append((j,))
                    self._descend(i, j)

    def _may_stray(self, i: int, j: int) -> bool:
        root_a, root_b = self.a.root[i], self.b.root[j]
        partner = self.of_a.get(root_a)
        return partner is None or partner == root_b or root_b not in self.of_b

    def _built(self) -> Alignment:  # noqa: C901 - one walk that places what is gone among what is there
        pairs = {j: Pair(self.a.spans[self.of_b[j]] if j in self.of_b else None, self.b.spans[j]) for j in self.b.order}
        gone = {i: Pair(self.a.spans[i], None) for i in self.a.order if i not in self.of_a}
        roots: list[Pair] = [pairs[j] for j in self.b.roots]
        for j in self.b.order:
            pairs[j].children = [pairs[child] for child in self.b.children[j]]
        # What is gone stands behind the neighbour that it stood behind, in the tree where its parent is now.
        behind: dict[int, list[Pair]] = defaultdict(list)
        first: dict[int, list[Pair]] = defaultdict(list)
        for above, children in [(_ROOT, self.a.roots), *((i, self.a.children[i]) for i in self.a.order)]:
            home = _ROOT if above == _ROOT else id(self._pair_of(above, pairs, gone))
            if all(child in self.of_a for child in children):
                continue
            here_now = roots if above == _ROOT else self._pair_of(above, pairs, gone).children
            neighbours = {id(pair) for pair in here_now}
            last: Pair | None = None
            for child in children:
                if child not in gone:
                    here = pairs[self.of_a[child]]
                    last = here if id(here) in neighbours else last
                elif last is None:
                    first[home].append(gone[child])
                else:
                    behind[id(last)].append(gone[child])
        roots = _woven(first[_ROOT], roots, behind)
        stack = list(roots)
        while stack:
            pair = stack.pop()
            pair.children = _woven(first[id(pair)], pair.children, behind)
            stack += pair.children
        for turn, root in enumerate(roots, 1):
            _number(root, turn)
        moves = [tuple(pairs[j] for j in places) for places in self.moved]
        for move in moves:
            for pair in move:
                pair.moved = True
        return Alignment(roots, moves)

    def _pair_of(self, i: int, pairs: dict[int, Pair], gone: dict[int, Pair]) -> Pair:
        return gone[i] if i in gone else pairs[self.of_a[i]]


def _whole(side: Side, place: int) -> Hashable:
    return side.whole[place]


def _call(side: Side, place: int) -> Hashable:
    return side.call[place]


def _woven(first: list[Pair], present: list[Pair], behind: dict[int, list[Pair]]) -> list[Pair]:
    found = list(first)
    for pair in present:
        found.append(pair)
        found += behind.get(id(pair), ())
    return found


def _number(root: Pair, turn: int) -> None:
    stack = [(root, 0)]
    while stack:
        pair, depth = stack.pop()
        pair.depth, pair.turn = depth, turn
        stack += [(child, depth + 1) for child in pair.children]


class _Neighbours:
    """Spans with one parent in each run, on their way to being matched."""

    def __init__(self, aligner: _Aligner, ones: Sequence[int], others: Sequence[int]) -> None:
        self.aligner = aligner
        self.ones, self.others = list(ones), list(others)
        self.pairs: list[tuple[int, int]] = []
        self._a_at = {place: at for at, place in enumerate(self.ones)}
        self._b_at = {place: at for at, place in enumerate(self.others)}
        self._free_a, self._free_b = set(self.ones), set(self.others)

    @property
    def left(self) -> bool:
        """Whether both runs have spans that are not matched."""
        return bool(self._free_a and self._free_b)

    def _add(self, i: int, j: int) -> None:
        self.pairs.append((i, j))
        self._free_a.discard(i)
        self._free_b.discard(j)

    def by(self, key: Callable[[Side, int], Hashable]) -> None:
        """Match spans of equal keys: those that stand alone, then those between the same neighbours, then in order."""
        ones = _grouped(self.aligner.a, self.ones, self._free_a, key)
        others = _grouped(self.aligner.b, self.others, self._free_b, key)
        shared = [name for name in ones if name in others]
        several = [name for name in shared if len(ones[name]) > 1 or len(others[name]) > 1]
        for name in shared:
            if len(ones[name]) == len(others[name]):
                for i, j in zip(ones[name], others[name], strict=True):
                    self._add(i, j)
        unequal = [name for name in several if len(ones[name]) != len(others[name])]
        if not unequal:
            return
        gap_a, gap_b = self._gaps()
        for name in unequal:
            between: dict[int, list[int]] = defaultdict(list)
            for j in others[name]:
                between[gap_b[j]].append(j)
            for i in ones[name]:
                waiting = between.get(gap_a[i])
                if waiting:
                    self._add(i, waiting.pop(0))
            rest = [i for i in ones[name] if i in self._free_a]
            for i, j in zip(rest, [j for j in others[name] if j in self._free_b], strict=False):
                self._add(i, j)

    def by_words(self, *, renamed: bool = False) -> None:
        """Match spans whose words are similar, the most similar first.

        Args:
            renamed: Spans of one kind between the same neighbours, whatever their names; else those of one name.
        """
        aligner = self.aligner
        gap_a, gap_b = self._gaps()
        ones = _grouped(aligner.a, self.ones, self._free_a, lambda side, place: side.label(place, named=not renamed))
        others = _grouped(
            aligner.b, self.others, self._free_b, lambda side, place: side.label(place, named=not renamed)
        )
        scored: list[tuple[float, int, int, int, int]] = []
        budget = _LOOKS_AT_ONCE
        for name, mine in ones.items():
            theirs = others.get(name, [])
            if len(mine) * len(theirs) > min(budget, aligner.looks):
                continue
            budget -= len(mine) * len(theirs)
            aligner.looks -= len(mine) * len(theirs)
            for i in mine:
                for j in theirs:
                    if renamed and gap_a[i] != gap_b[j]:
                        continue
                    score = likeness(aligner.a.words(i), aligner.b.words(j))
                    if score >= (_RENAMED if renamed else _SIMILAR):
                        far = abs(gap_a[i] - gap_b[j])
                        scored.append((-round(score, 3), far, abs(self._a_at[i] - self._b_at[j]), i, j))
        for _, _, _, i, j in sorted(scored):
            if i in self._free_a and j in self._free_b:
                self._add(i, j)

    def by_place(self, *, any_kind: bool = False) -> None:
        """Match spans of one name between the same neighbours, in order.

        Args:
            any_kind: Also those that another kind of span was made of, with what is below them.
        """

        def label(side: Side, place: int) -> Hashable:
            return side.name[place] if any_kind else side.label(place)

        gap_a, gap_b = self._gaps()
        waiting: dict[Hashable, list[int]] = defaultdict(list)
        for j in self.others:
            if j in self._free_b:
                waiting[gap_b[j], label(self.aligner.b, j)].append(j)
        for i in self.ones:
            if i in self._free_a:
                found = waiting.get((gap_a[i], label(self.aligner.a, i)))
                if found:
                    self._add(i, found.pop(0))

    def _gaps(self) -> tuple[dict[int, int], dict[int, int]]:
        """For every span how many matched ones, of those in the same order in both runs, stand before it."""
        ordered = sorted((self._a_at[i], self._b_at[j]) for i, j in self.pairs)
        kept = [ordered[place] for place in increasing([at for _, at in ordered])]
        gaps: list[dict[int, int]] = []
        for places, anchors in ((self.ones, {at for at, _ in kept}), (self.others, {at for _, at in kept})):
            before = 0
            gap: dict[int, int] = {}
            for at, place in enumerate(places):
                before += at in anchors
                gap[place] = before
            gaps.append(gap)
        return gaps[0], gaps[1]

    def moves(self) -> list[tuple[int, ...]]:
        """The matched spans that are not in the order in which they were, as places in the second run."""
        ordered = sorted((self._a_at[i], self._b_at[j], i, j) for i, j in self.pairs)
        targets = self._sorted_out(ordered)
        if all(one < other for one, other in pairwise(targets)):
            return []
        kept = set(increasing(targets))
        strayed = [place for place in range(len(targets)) if place not in kept]
        ranks = {at: rank for rank, at in enumerate(sorted(targets))}
        goes = [ranks[at] for at in targets]
        loose = [place for place in range(len(goes)) if goes[place] != place]
        swaps = [(place, goes[place]) for place in loose if goes[goes[place]] == place and place < goes[place]]
        if len(swaps) * 2 == len(loose) and len(swaps) <= len(strayed):
            return [(ordered[one][3], ordered[other][3]) for one, other in swaps]
        return [(ordered[place][3],) for place in strayed]

    def _sorted_out(self, ordered: list[tuple[int, int, int, int]]) -> list[int]:
        """Give the places in the second run; spans that ran at the same time in both runs have no order."""
        group_a = self.aligner.a.at_once(self.ones)
        group_b = self.aligner.b.at_once(self.others)
        targets = [at for _, at, _, _ in ordered]
        groups: dict[tuple[int, int], list[int]] = defaultdict(list)
        for place, (_, _, i, j) in enumerate(ordered):
            groups[group_a[i], group_b[j]].append(place)
        for places in groups.values():
            if len(places) > 1:
                for place, at in zip(places, sorted(targets[place] for place in places), strict=True):
                    targets[place] = at
        return targets


def _grouped(
    side: Side, places: Sequence[int], free: set[int], key: Callable[[Side, int], Hashable]
) -> dict[Hashable, list[int]]:
    groups: dict[Hashable, list[int]] = {}
    for place in places:
        if place in free:
            groups.setdefault(key(side, place), []).append(place)
    return groups
