"""Two lines compared by words; bounded, whatever their length."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, NamedTuple

from mirascope_ops.analysis import sequences
from mirascope_ops.analysis.edits import equal_ends
from mirascope_ops.analysis.volatile import PATTERN, stable

if TYPE_CHECKING:
    from collections.abc import Hashable, Sequence

    from mirascope_ops.analysis.sequences import Effort

_MOST_IN_LINE: Final = 50_000  # characters of a line, beside its equal ends, that are compared by words
_MOST_CHARACTERS: Final = 20_000  # of one changed stretch that are given
_ANCHOR: Final = 4  # words in a row by which places of long lines are found again
_LONG: Final = 240  # characters of an equal stretch within a changed line that are shown whole
_ENDS: Final = 90
_ALIKE: Final = 0.3  # share of equal words from which two lines are one line that was changed
# Signs and words; scripts that are written without spaces count each character as a word.
_TOKEN: Final = re.compile(
    rf"{PATTERN.pattern}|[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af\u0e00-\u0e7f]|[^\W\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af\u0e00-\u0e7f]+|\s+|[^\w\s]"
)


class Piece(NamedTuple):
    """A stretch of a line: `changed` where it is only in this one of the two texts."""

    text: str
    changed: bool


def whole(line: str) -> tuple[Piece, ...]:
    """Give a line that changed as a whole."""
    return (Piece(_bounded(line), changed=True),)


def _bounded(text: str) -> str:
    if len(text) <= _MOST_CHARACTERS:
        return text
    return f"{text[:_MOST_CHARACTERS]}… {len(text) - _MOST_CHARACTERS:,} more characters"


def words_diff(before: str, after: str, effort: Effort) -> tuple[tuple[Piece, ...], tuple[Piece, ...]]:
    """Compare two lines by words; lines that have hardly a word in common have changed as a whole.

    Args:
        before: The first line.
        after: The second one.
        effort: What it may cost.

    Returns:
        The pieces of both lines.

    Example:
        >>> words_diff("in Paris.", "in Rome.", sequences.Effort())[1]
        (Piece(text='in ', changed=False), Piece(text='Rome', changed=True), Piece(text='.', changed=False))
    """
    start, end = equal_ends(before, after)
    texts = [text[start : len(text) - end] for text in (before, after)]
    most = max(map(len, texts))
    by_words = most <= _MOST_IN_LINE and effort.allows(most // 4)
    one, other = (_tokens(text) if by_words else [text] for text in texts)
    keys: list[list[Hashable]] = [[stable(token) for token in tokens] for tokens in (one, other)]
    found = sequences.blocks(keys[0], keys[1], effort, width=_ANCHOR)
    shared = sum(2 * (block.a1 - block.a0) for block in found if block.equal)
    if shared < _ALIKE * (len(one) + len(other)) and not start and not end:
        return whole(before), whole(after)
    left: list[Piece] = [Piece(before[:start], changed=False)]
    right: list[Piece] = [Piece(after[:start], changed=False)]
    for block in found:
        stretches = "".join(one[block.a0 : block.a1]), "".join(other[block.b0 : block.b1])
        if by_words and not block.equal and all(stretches):
            trimmed = _trimmed(*stretches)
            left += trimmed[0]
            right += trimmed[1]
        else:
            left.append(Piece(stretches[0], not block.equal))
            right.append(Piece(stretches[1], not block.equal))
    left.append(Piece(before[len(before) - end :], changed=False))
    right.append(Piece(after[len(after) - end :], changed=False))
    return _joined(left), _joined(right)


def _tokens(line: str) -> list[str]:
    """Divide a line into words and signs, each with the blanks behind it: blanks alone would match everywhere."""
    found: list[str] = []
    for token in _TOKEN.findall(line):
        if found and token.isspace():
            found[-1] += token
        else:
            found.append(token)
    return found


def _trimmed(one: str, other: str) -> tuple[list[Piece], list[Piece]]:
    """Give two stretches that differ as pieces: words at their ends may differ in the blank behind them only."""
    tokens = _TOKEN.findall(one), _TOKEN.findall(other)
    head, tail = sequences.equal_ends(*tokens)
    found: list[list[Piece]] = []
    for parts in tokens:
        cut = parts[:head], parts[head : len(parts) - tail], parts[len(parts) - tail :]
        found.append([Piece("".join(part), changed=place == 1) for place, part in enumerate(cut)])
    return found[0], found[1]


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
        Piece(_bounded(piece.text) if piece.changed else shortened(piece.text), piece.changed) for piece in found
    )


def shortened(text: str) -> str:
    """Give a stretch that is equal in both lines; of a long one, its ends."""
    if len(text) <= _LONG:
        return text
    return f"{text[:_ENDS]}… {len(text) - 2 * _ENDS:,} equal characters …{text[-_ENDS:]}"
