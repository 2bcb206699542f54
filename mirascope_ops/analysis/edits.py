"""What an edit of a text took away and put in, whatever stands around it."""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING, Final, NamedTuple

from mirascope_ops.analysis.volatile import stable

if TYPE_CHECKING:
    from collections.abc import Sequence

MOST_LOOKED_AT: Final = 50_000  # characters of each text, beside equal ends, in which an edit's words are looked for
_CLOSE: Final = 80  # characters of the equal ends that are looked at too
_WORD: Final = re.compile(r"\w+|[^\w\s]")
_BLANK: Final = re.compile(r"\s")


class Edit(NamedTuple):
    """The words that one text has and the other has not, whatever stands around them."""

    removed: frozenset[str]
    added: frozenset[str]

    @property
    def substantial(self) -> bool:
        """Whether the same edit elsewhere is hardly a chance."""
        return sum(map(len, self.removed | self.added)) >= 8 or len(self.removed) + len(self.added) > 3  # noqa: PLR2004

    def within(self, others: Sequence[Edit]) -> bool:
        """Whether other edits together say all that this one says."""
        return all(
            words <= frozenset[str]().union(*said)
            for words, said in (
                (self.removed, [other.removed for other in others]),
                (self.added, [other.added for other in others]),
            )
        )


def edit_of(before: str, after: str) -> Edit | None:
    """Find the words that an edit took away and those that it put in.

    Args:
        before: The first text.
        after: The second one.

    Returns:
        The edit; None where the texts differ in what is volatile only.

    Example:
        >>> edit_of("Answer briefly.", "Answer well.")
        Edit(removed=frozenset({'briefly'}), added=frozenset({'well'}))
    """
    if before == after:
        return None
    head, tail = equal_ends(before, after)
    one, other = before[head : len(before) - tail], after[head : len(after) - tail]
    texts = [stable(text[:MOST_LOOKED_AT]) for text in (one, other)]
    if texts[0] == texts[1] and one[MOST_LOOKED_AT:] == other[MOST_LOOKED_AT:]:
        return None
    words = [Counter(_WORD.findall(text)) for text in texts]
    if words[0] == words[1]:
        # Nothing but the order, white space, or what comes after all that was looked at.
        return Edit(frozenset({f"\n{hash(one)}"}), frozenset({f"\n{hash(other)}"}))
    return Edit(_more(words[0], words[1]), _more(words[1], words[0]))


def _more(words: Counter[str], others: Counter[str]) -> frozenset[str]:
    """Give the words that are there more often than in the other text; faster than `words - others`."""
    return frozenset(word for word, number in words.items() if number > others.get(word, 0))


def equal_ends(before: str, after: str) -> tuple[int, int]:
    """Count the characters of the equal beginnings and ends of two texts, less some words next to what differs.

    Ids and words are whole in what is left, with what stands before them, which may say what they are.

    Example:
        >>> equal_ends("Answer briefly.", "Answer well.")
        (0, 0)
    """
    head = shared(before, after, from_end=False)
    tail = min(shared(before, after, from_end=True), min(len(before), len(after)) - head)
    start = max(0, head - _CLOSE)
    blank = _BLANK.search(before, start, head)
    head = blank.end() if start and blank else start
    stop = len(before) - max(0, tail - _CLOSE)
    blanks = [found.start() for found in _BLANK.finditer(before, len(before) - tail, stop)]
    tail = len(before) - (blanks[-1] if blanks and stop < len(before) else stop)
    return head, tail


def shared(one: str, other: str, *, from_end: bool) -> int:
    """Count the equal characters at the beginning or the end of two texts, halving: slices compare fast.

    Example:
        >>> shared("abcd", "abXd", from_end=False)
        2
    """
    low, high = 0, min(len(one), len(other))
    while low < high:
        middle = (low + high + 1) // 2
        same = one[-middle:] == other[-middle:] if from_end else one[:middle] == other[:middle]
        low, high = (middle, high) if same else (low, middle - 1)
    return low
