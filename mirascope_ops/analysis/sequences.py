"""Two sequences compared, with an amount of work that is known beforehand.

`difflib` may take time that grows with the cube of the sequences. So equal ends go first, then what stands once in each
of both anchors the rest, and only the short stretches in between are given to `difflib`, within an effort.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from difflib import SequenceMatcher
from typing import TYPE_CHECKING, Final, NamedTuple, TypeVar

if TYPE_CHECKING:
    from collections.abc import Hashable, Sequence

_T = TypeVar("_T")

MOST_ITEMS: Final = 400  # of each of two stretches that difflib compares
_COMPARISONS: Final = 300_000  # some 0.2 s


class Effort:
    """How much comparing may still be done; all texts of one view share it.

    Args:
        comparisons: Pairs of equal items that may be looked at.
    """

    def __init__(self, comparisons: int = _COMPARISONS) -> None:
        self.left = comparisons

    def allows(self, comparisons: int) -> bool:
        """Take so many comparisons out of what is left, if they are there."""
        if comparisons > self.left:
            return False
        self.left -= comparisons
        return True


class Block(NamedTuple):
    """Neighbouring stretches of two sequences.

    Attributes:
        a0: Where the stretch of the first sequence begins.
        a1: Where it ends.
        b0: The same in the second one.
        b1: The same in the second one.
        equal: Whether they are equal.
    """

    a0: int
    a1: int
    b0: int
    b1: int
    equal: bool


def blocks(
    one: Sequence[Hashable],
    other: Sequence[Hashable],
    effort: Effort,
    *,
    width: int = 1,
) -> list[Block]:
    """Find what is equal in two sequences.

    Args:
        one: The first sequence.
        other: The second one.
        effort: What it may cost; a stretch that would cost more differs as a whole.
        width: Items in a row by which places of long sequences are found again.

    Returns:
        Stretches that follow each other and cover both sequences.

    Example:
        >>> [(block.equal, block.a1, block.b1) for block in blocks("abc", "aXc", Effort())]
        [(True, 1, 1), (False, 2, 2), (True, 3, 3)]
    """
    if max(len(one), len(other)) <= MOST_ITEMS:
        stretches = [Block(0, len(one), 0, len(other), equal=False)]
    else:
        stretches = _anchored(one, other, width)
    found: list[Block] = []
    for block in stretches:
        found += [block] if block.equal else _compared(one, other, block, effort)
    return _joined(found)


def equal_ends(one: Sequence[_T], other: Sequence[_T]) -> tuple[int, int]:
    """Count the equal items at the beginning and at the end of two sequences.

    Example:
        >>> equal_ends("abcd", "abXd")
        (2, 1)
    """
    most = min(len(one), len(other))
    head = 0
    while head < most and one[head] == other[head]:
        head += 1
    tail = 0
    while tail < most - head and one[-1 - tail] == other[-1 - tail]:
        tail += 1
    return head, tail


def increasing(numbers: Sequence[int]) -> list[int]:
    """Give the places of a longest increasing run of numbers, leaving out as few as possible.

    Example:
        >>> increasing([3, 1, 2])
        [1, 2]
    """
    ends: list[int] = []
    tails: list[int] = []
    before: list[int] = []
    for place, number in enumerate(numbers):
        at = bisect_left(tails, number)
        before.append(ends[at - 1] if at else -1)
        if at == len(tails):
            tails.append(number)
            ends.append(place)
        else:
            tails[at] = number
            ends[at] = place
    found: list[int] = []
    place = ends[-1] if ends else -1
    while place >= 0:
        found.append(place)
        place = before[place]
    return found[::-1]


def _anchored(one: Sequence[Hashable], other: Sequence[Hashable], width: int) -> list[Block]:
    """Divide long sequences at what stands once in each of them, in the same order in both."""
    head, tail = equal_ends(one, other)
    found = [Block(0, head, 0, head, equal=True)] if head else []
    a, b, end_a, end_b = head, head, len(one) - tail, len(other) - tail
    once = _once(one, a, end_a, width)
    again = _once(other, b, end_b, width)
    shared = [(place, again[key]) for key, place in once.items() if again.get(key, -1) >= 0 <= place]
    for at in increasing([place for _, place in shared]):
        i, j = shared[at]
        if i < a or j < b:
            continue  # within the stretch that the anchor before it began
        found.append(Block(a, i, b, j, equal=False))
        a, b = i, j
        while a < end_a and b < end_b and one[a] == other[b]:
            a += 1
            b += 1
        found.append(Block(i, a, j, b, equal=True))
    found.append(Block(a, end_a, b, end_b, equal=False))
    return [*found, Block(end_a, len(one), end_b, len(other), equal=True)]


def _once(items: Sequence[Hashable], start: int, stop: int, width: int) -> dict[Hashable, int]:
    """Give the place of every run of items that stands once, in order; -1 for those that stand more often."""
    found: dict[Hashable, int] = {}
    for place in range(start, stop - width + 1):
        key = items[place] if width == 1 else hash(tuple(items[place : place + width]))
        found[key] = -1 if key in found else place
    return found


def _compared(
    one: Sequence[Hashable],
    other: Sequence[Hashable],
    block: Block,
    effort: Effort,
) -> list[Block]:
    """Compare two stretches, if that is not too much."""
    mine, theirs = one[block.a0 : block.a1], other[block.b0 : block.b1]
    head, tail = equal_ends(mine, theirs)
    a0, b0, a1, b1 = block.a0 + head, block.b0 + head, block.a1 - tail, block.b1 - tail
    mine, theirs = one[a0:a1], other[b0:b1]
    middle = [Block(a0, a1, b0, b1, equal=False)]
    if mine and theirs and max(len(mine), len(theirs)) <= MOST_ITEMS and effort.allows(_cost(mine, theirs)):
        codes = SequenceMatcher(None, mine, theirs, autojunk=False).get_opcodes()
        middle = [Block(a0 + i, a0 + j, b0 + k, b0 + m, equal=name == "equal") for name, i, j, k, m in codes]
    return [Block(block.a0, a0, block.b0, b0, equal=True), *middle, Block(a1, block.a1, b1, block.b1, equal=True)]


def _cost(one: Sequence[Hashable], other: Sequence[Hashable]) -> int:
    """Estimate what difflib does: it looks at each pair of equal items, some times over."""
    counts = Counter(one), Counter(other)
    pairs = sum(number * counts[1][item] for item, number in counts[0].items())
    return pairs + len(one) + len(other)


def _joined(found: Sequence[Block]) -> list[Block]:
    """Leave out empty blocks and join neighbours of one sort."""
    joined: list[Block] = []
    for block in found:
        if block.a0 == block.a1 and block.b0 == block.b1:
            continue
        if joined and joined[-1].equal == block.equal:
            joined[-1] = joined[-1]._replace(a1=block.a1, b1=block.b1)
        else:
            joined.append(block)
    return joined
