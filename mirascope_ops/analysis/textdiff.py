"""Two texts compared: by lines, and within changed lines by words; bounded, whatever their size.

`difflib` takes time that grows with the square of the texts. So equal beginnings and ends go first, what is left
is cut to a bound, and what was cut is said.
"""

from __future__ import annotations

import re
from collections import Counter
from difflib import SequenceMatcher
from typing import TYPE_CHECKING, Final, Literal, NamedTuple, TypeVar

from mirascope_ops.analysis.volatile import PATTERN, stable

if TYPE_CHECKING:
    from collections.abc import Sequence

_T = TypeVar("_T")

MOST_LINES: Final = 200  # lines of each text, beside the equal beginning and end
MOST_TOKENS: Final = 400  # words and signs of each of two lines
_MOST_CHARACTERS: Final = 20_000  # of one line
_MOST_LOOKED_AT: Final = 50_000  # characters of each text, beside equal ends, in which an edit's words are looked for
_CLOSE: Final = 80  # characters of the equal ends that are looked at too
_CONTEXT: Final = 2  # equal lines shown around changed ones
_LONG: Final = 240  # characters of an equal stretch within a changed line that are shown whole
_ENDS: Final = 90
_ALIKE: Final = 0.3  # share of equal words from which two lines are one line that was changed
# Signs and words; scripts that are written without spaces count each character as a word.
_TOKEN: Final = re.compile(
    rf"{PATTERN.pattern}|[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af\u0e00-\u0e7f]|[^\W\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af\u0e00-\u0e7f]+|\s+|[^\w\s]"
)
_WORD: Final = re.compile(r"\w+|[^\w\s]")
_BLANK: Final = re.compile(r"\s")

Sign = Literal["=", "-", "+", "…"]


class Piece(NamedTuple):
    """A stretch of a line: `changed` where it is only in this one of the two texts."""

    text: str
    changed: bool


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
    texts = [stable(text[:_MOST_LOOKED_AT]) for text in (one, other)]
    if texts[0] == texts[1] and one[_MOST_LOOKED_AT:] == other[_MOST_LOOKED_AT:]:
        return None
    words = [Counter(_WORD.findall(text)) for text in texts]
    if words[0] == words[1]:
        # Nothing but the order, white space, or what comes after all that was looked at.
        return Edit(frozenset({f"\n{hash(one)}"}), frozenset({f"\n{hash(other)}"}))
    return Edit(frozenset(words[0] - words[1]), frozenset(words[1] - words[0]))


def equal_ends(before: str, after: str) -> tuple[int, int]:
    """Count the characters of the equal beginnings and ends of two texts, less some words next to what differs.

    Ids and words are whole in what is left, with what stands before them, which may say what they are.

    Example:
        >>> equal_ends("Answer briefly.", "Answer well.")
        (0, 0)
    """
    head = _shared(before, after, from_end=False)
    tail = min(_shared(before, after, from_end=True), min(len(before), len(after)) - head)
    start = max(0, head - _CLOSE)
    blank = _BLANK.search(before, start, head)
    head = blank.end() if start and blank else start
    stop = len(before) - max(0, tail - _CLOSE)
    blanks = [found.start() for found in _BLANK.finditer(before, len(before) - tail, stop)]
    tail = len(before) - (blanks[-1] if blanks and stop < len(before) else stop)
    return head, tail


def _shared(one: str, other: str, *, from_end: bool) -> int:
    """Count the equal characters at the beginning or the end of two texts, halving: slices compare fast."""
    low, high = 0, min(len(one), len(other))
    while low < high:
        middle = (low + high + 1) // 2
        same = one[-middle:] == other[-middle:] if from_end else one[:middle] == other[:middle]
        low, high = (middle, high) if same else (low, middle - 1)
    return low


def text_diff(before: str, after: str, *, context: int = _CONTEXT) -> list[Line]:
    r"""Compare two texts.

    Args:
        before: The first text.
        after: The second one.
        context: Equal lines to show around changed ones.

    Returns:
        Lines of both texts; what is volatile (`volatile.VOLATILE`) is no difference. Where texts are too long, or
        equal, lines are left out, and a line with the sign "…" says how many.

    Example:
        >>> [line.sign + line.text for line in text_diff("Hello\nAda", "Hello\nBob")]
        ['=Hello', '-Ada', '+Bob']
    """
    one, other = before.split("\n"), after.split("\n")
    head, tail = _ends(one, other)
    found: list[Line] = [_equal(line) for line in other[:head]]
    lines_a, lines_b = one[head : len(one) - tail], other[head : len(other) - tail]
    cut_a, cut_b = lines_a[:MOST_LINES], lines_b[:MOST_LINES]
    keys = [[stable(line[:_MOST_LOOKED_AT]) + line[_MOST_LOOKED_AT:] for line in lines] for lines in (cut_a, cut_b)]
    for name, a0, a1, b0, b1 in SequenceMatcher(None, keys[0], keys[1], autojunk=False).get_opcodes():
        if name == "equal":
            found += [_equal(line) for line in cut_b[b0:b1]]
        else:
            found += _changed(cut_a[a0:a1], cut_b[b0:b1])
    beyond = max(len(lines_a) - len(cut_a), len(lines_b) - len(cut_b))
    if beyond > 0:
        found.append(_note(f"{beyond:,} more lines are not compared"))
    found += [_equal(line) for line in other[len(other) - tail :]] if tail else []
    return _folded(found, context)


def _equal(text: str) -> Line:
    return Line("=", (Piece(text, changed=False),))


def _note(text: str) -> Line:
    return Line("…", (Piece(text, changed=False),))


def _ends(one: Sequence[_T], other: Sequence[_T]) -> tuple[int, int]:
    """Count the equal items at the beginning and at the end of two lists."""
    most = min(len(one), len(other))
    head = 0
    while head < most and one[head] == other[head]:
        head += 1
    tail = 0
    while tail < most - head and one[-1 - tail] == other[-1 - tail]:
        tail += 1
    return head, tail


def _changed(before: Sequence[str], after: Sequence[str]) -> list[Line]:
    removed: list[Line] = []
    added: list[Line] = []
    for one, other in zip(before, after, strict=False):
        pieces = _words(one, other)
        removed.append(Line("-", pieces[0]))
        added.append(Line("+", pieces[1]))
    most = min(len(before), len(after))
    removed += [Line("-", _whole(line)) for line in before[most:]]
    added += [Line("+", _whole(line)) for line in after[most:]]
    return removed + added


def _whole(line: str) -> tuple[Piece, ...]:
    return (Piece(_bounded(line), changed=True),)


def _bounded(text: str) -> str:
    if len(text) <= _MOST_CHARACTERS:
        return text
    return f"{text[:_MOST_CHARACTERS]}… {len(text) - _MOST_CHARACTERS:,} more characters"


def _words(before: str, after: str) -> tuple[tuple[Piece, ...], tuple[Piece, ...]]:
    """Compare two lines by words; lines that have hardly a word in common have changed as a whole."""
    start, end = equal_ends(before, after)
    one, other = (text[start : len(text) - end] for text in (before, after))
    if max(len(one), len(other)) > _MOST_CHARACTERS:
        return _whole(before), _whole(after)
    one, other = _TOKEN.findall(one), _TOKEN.findall(other)
    keys_one, keys_other = [stable(token) for token in one], [stable(token) for token in other]
    head, tail = _ends(keys_one, keys_other)
    middle_one, middle_other = keys_one[head : len(one) - tail], keys_other[head : len(other) - tail]
    if max(len(middle_one), len(middle_other)) > MOST_TOKENS:
        opcodes = [("replace", 0, len(middle_one), 0, len(middle_other))]
        shared = head + tail
    else:
        matcher = SequenceMatcher(None, middle_one, middle_other, autojunk=False)
        opcodes = matcher.get_opcodes()
        shared = head + tail + sum(size for _, _, size in matcher.get_matching_blocks())
    if shared * 2 < _ALIKE * (len(one) + len(other)) and not start and not end:
        return _whole(before), _whole(after)
    ends = ("".join(one[len(one) - tail :]), "".join(other[len(other) - tail :])) if tail else ("", "")
    left: list[Piece] = [Piece(before[:start] + "".join(one[:head]), changed=False)]
    right: list[Piece] = [Piece(after[:start] + "".join(other[:head]), changed=False)]
    for name, a0, a1, b0, b1 in opcodes:
        changed = name != "equal"
        left.append(Piece("".join(one[head + a0 : head + a1]), changed))
        right.append(Piece("".join(other[head + b0 : head + b1]), changed))
    left.append(Piece(ends[0] + before[len(before) - end :], changed=False))
    right.append(Piece(ends[1] + after[len(after) - end :], changed=False))
    return _joined(left), _joined(right)


def _joined(pieces: Sequence[Piece]) -> tuple[Piece, ...]:
    """Join pieces: a blank between two changed words is changed with them; long equal stretches are folded."""
    found: list[Piece] = []
    kept = [piece for piece in pieces if piece.text]
    for place, piece in enumerate(kept):
        between = not piece.changed and piece.text.isspace() and 0 < place < len(kept) - 1
        changed = piece.changed or (between and kept[place - 1].changed and kept[place + 1].changed)
        if found and found[-1].changed == changed:
            found[-1] = Piece(found[-1].text + piece.text, changed)
        else:
            found.append(Piece(piece.text, changed))
    return tuple(
        Piece(_bounded(piece.text) if piece.changed else _shortened(piece.text), piece.changed) for piece in found
    )


def _shortened(text: str) -> str:
    if len(text) <= _LONG:
        return text
    return f"{text[:_ENDS]}… {len(text) - 2 * _ENDS:,} equal characters …{text[-_ENDS:]}"


def _folded(lines: Sequence[Line], context: int) -> list[Line]:
    """Leave out equal lines that are far from changed ones."""
    near = [False] * len(lines)
    for place, line in enumerate(lines):
        if line.sign != "=":
            for at in range(max(0, place - context), min(len(lines), place + context + 1)):
                near[at] = True
    found: list[Line] = []
    hidden = 0
    for line, shown in zip(lines, near, strict=True):
        if not shown:
            hidden += 1
            continue
        if hidden:
            found.append(_note(_equal_lines(hidden)))
            hidden = 0
        found.append(line if line.sign != "=" else _equal(_shortened(line.text)))
    return [*found, _note(_equal_lines(hidden))] if hidden else found


def _equal_lines(number: int) -> str:
    return f"{number:,} equal line{'' if number == 1 else 's'}"
