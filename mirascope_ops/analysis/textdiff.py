"""Two texts compared: by lines, and within changed lines by words; bounded, whatever their size.

Equal beginnings and ends go first, letter by letter; what is left is cut to a bound, and what was cut is said. How much
comparing all texts of one view may cost is an `Effort`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal, NamedTuple

from mirascope_ops.analysis.edits import MOST_LOOKED_AT, shared
from mirascope_ops.analysis.sequences import Effort, blocks
from mirascope_ops.analysis.volatile import stable
from mirascope_ops.analysis.worddiff import Piece, shortened, whole, words_diff

if TYPE_CHECKING:
    from collections.abc import Hashable, Sequence

MOST_LINES: Final = 200  # changed lines of each text
_MOST_COMPARED: Final = 400_000  # characters of each text, beside the equal beginning and end
_CONTEXT: Final = 2  # equal lines shown around changed ones

Sign = Literal["=", "-", "+", "…"]


class Line(NamedTuple):
    """A line of the comparison.

    Attributes:
        sign: "=" in both texts, "-" in the first only, "+" in the second only, "…" a word on what is left out.
        pieces: The line's text.
    """

    sign: Sign
    pieces: tuple[Piece, ...]

    @property
    def text(self) -> str:
        """The line's text as a whole."""
        return "".join(piece.text for piece in self.pieces)


def text_diff(before: str, after: str, *, context: int = _CONTEXT, effort: Effort | None = None) -> list[Line]:
    r"""Compare two texts.

    Args:
        before: The first text.
        after: The second one.
        context: Equal lines to show around changed ones.
        effort: What it may cost, where several texts share it. Beyond it, changed lines are not compared by words.

    Returns:
        Lines of both texts; what is volatile (`volatile.VOLATILE`) is no difference. Where texts are too long, or
        equal, lines are left out, and a line with the sign "…" says how many.

    Example:
        >>> [line.sign + line.text for line in text_diff("Hello\nAda", "Hello\nBob")]
        ['=Hello', '-Ada', '+Bob']
    """
    effort = effort or Effort()
    start, ends = _equal_lines(before, after)
    one, left = _lines(before[start : ends[0]])
    other, left_other = _lines(after[start : ends[1]])
    keys: list[list[Hashable]] = [[_key(line) for line in lines] for lines in (one, other)]
    shown = _Shown(context)
    if start:
        shown.equal([], after[:start].rsplit("\n", context + 1)[-1 - context : -1], after.count("\n", 0, start))
    for block in blocks(keys[0], keys[1], effort):
        if block.equal:
            lines = other[block.b0 : block.b1]
            shown.equal(lines[:context], lines[max(0, len(lines) - context) :], len(lines))
        elif not shown.change(one[block.a0 : block.a1], other[block.b0 : block.b1], effort):
            left, left_other = left + len(one) - block.a1, left_other + len(other) - block.b1
            break
    shown.beyond(left, left_other)
    if ends[1] < len(after):
        rest = after[ends[1] + 1 :]
        shown.equal(rest.split("\n", context)[:context], [], rest.count("\n") + 1)
    return shown.lines()


class _Shown:
    """The lines of a comparison on their way: equal ones wait until it is known what stands behind them."""

    def __init__(self, context: int) -> None:
        self._context = context
        self._found: list[Line] = []
        # Equal lines since the last change: how many, and the first and the last of them.
        self._equal = 0
        self._first: list[str] = []
        self._last: list[str] = []
        self._room = [MOST_LINES, MOST_LINES]
        self._missing = [0, 0]

    def equal(self, first: Sequence[str], last: Sequence[str], number: int) -> None:
        """Take equal lines: the first of them, the last of them, and their number."""
        self._first += first[: self._context - len(self._first)]
        self._last = [*self._last, *last][max(0, len(self._last) + len(last) - self._context) :]
        self._equal += number

    def change(self, before: Sequence[str], after: Sequence[str], effort: Effort) -> bool:
        """Take lines that changed; False says that not all of them fit."""
        self._settle(self._context)
        cut = before[: self._room[0]], after[: self._room[1]]
        self._found += _changed(*cut, effort)
        for side, (lines, fitting) in enumerate(zip((before, after), cut, strict=True)):
            self._room[side] -= len(fitting)
            self._missing[side] = len(lines) - len(fitting)
        return not any(self._missing)

    def beyond(self, left: int, left_other: int) -> None:
        """Take note of lines of both texts that come after all that was compared."""
        missing = max(left + self._missing[0], left_other + self._missing[1])
        if missing:
            self._settle(self._context)
            self._found.append(note(f"{missing:,} more line{'' if missing == 1 else 's'} are not compared"))

    def lines(self) -> list[Line]:
        """Give all lines."""
        self._settle(0)
        return self._found

    def _settle(self, tail: int) -> None:
        """Add the equal lines: those near a change, and for the others a word on how many they are."""
        first = self._first[: self._context if self._found else 0]
        tail = min(tail, self._equal - len(first))
        last = self._last[len(self._last) - tail :]
        hidden = self._equal - len(first) - tail
        self._found += [_equal(shortened(line)) for line in first]
        self._found += [note(_equal_words(hidden))] if hidden else []
        self._found += [_equal(shortened(line)) for line in last]
        self._equal, self._first, self._last = 0, [], []


def one_sided(text: str, sign: Sign) -> list[Line]:
    """Give a text that only one of the two runs has.

    Args:
        text: The text.
        sign: "-" or "+".
    """
    lines, left = _lines(text)
    found = [Line(sign, whole(line)) for line in lines[:MOST_LINES]]
    missing = left + len(lines) - len(found)
    return [*found, note(f"{missing:,} more lines")] if missing else found


def unchanged(text: str, most: int = _CONTEXT) -> list[Line]:
    """Give the beginning of a text that both runs have.

    Args:
        text: The text.
        most: So many lines at most; a line with the sign "…" says how many others there are.
    """
    lines = text.split("\n", most)
    hidden = lines[most].count("\n") + 1 if len(lines) > most else 0
    found = [_equal(shortened(line)) for line in lines[:most]]
    return [*found, note(_equal_words(hidden))] if hidden else found


def note(text: str) -> Line:
    """Give a line that says what is left out."""
    return Line("…", (Piece(text, changed=False),))


def _equal_lines(before: str, after: str) -> tuple[int, tuple[int, int]]:
    """Find where the first line begins that differs, and where, in each text, the last one ends."""
    head = shared(before, after, from_end=False)
    tail = min(shared(before, after, from_end=True), min(len(before), len(after)) - head)
    start = before.rfind("\n", 0, head) + 1
    end = before.find("\n", len(before) - tail)
    if end < 0:
        return start, (len(before), len(after))
    return start, (end, len(after) - (len(before) - end))


def _lines(text: str) -> tuple[list[str], int]:
    """Divide a text into lines; give those that are compared, and the number of the others."""
    if len(text) <= _MOST_COMPARED:
        return text.split("\n"), 0
    end = text.rfind("\n", 0, _MOST_COMPARED)
    # A line that is longer than all that is compared is kept: of it less is shown.
    end = end if end >= 0 else text.find("\n")
    return (text.split("\n"), 0) if end < 0 else (text[:end].split("\n"), text.count("\n", end))


def _key(line: str) -> str:
    return stable(line[:MOST_LOOKED_AT]) + line[MOST_LOOKED_AT:]


def _equal(text: str) -> Line:
    return Line("=", (Piece(text, changed=False),))


def _changed(before: Sequence[str], after: Sequence[str], effort: Effort) -> list[Line]:
    removed: list[Line] = []
    added: list[Line] = []
    for one, other in zip(before, after, strict=False):
        pieces = words_diff(one, other, effort)
        removed.append(Line("-", pieces[0]))
        added.append(Line("+", pieces[1]))
    most = min(len(before), len(after))
    removed += [Line("-", whole(line)) for line in before[most:]]
    added += [Line("+", whole(line)) for line in after[most:]]
    return removed + added


def _equal_words(number: int) -> str:
    return f"{number:,} equal line{'' if number == 1 else 's'}"
