"""Two lists of messages or arguments compared: which are there in both, and within those that changed, the texts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from mirascope_ops.analysis.content import as_parts
from mirascope_ops.analysis.sequences import Effort, blocks
from mirascope_ops.analysis.textdiff import Line, Sign, note, one_sided, text_diff, unchanged
from mirascope_ops.analysis.volatile import stable

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from mirascope_ops.analysis.content import Part
    from mirascope_ops.analysis.pairdiff import Found

MOST_PARTS: Final = 40  # changed messages or arguments
_LONG: Final = 120  # characters of a changed line that are told whole
_NEAR: Final = 30  # characters around a change in a longer one


class Passage(NamedTuple):
    """One message or argument of a comparison.

    Attributes:
        role: The message's role or the argument's name; "" for a value as a whole.
        sign: "=" the same in both, "±" changed, "-" in the first run only, "+" in the second only, "…" a word on what
            is left out.
        lines: Its text.
    """

    role: str
    sign: Sign | str
    lines: list[Line]


def part_diff(
    before: Sequence[Part], after: Sequence[Part], *, noun: str = "message", effort: Effort | None = None
) -> list[Passage]:
    """Compare two lists of parts.

    Args:
        before: The messages or arguments of the first run.
        after: Those of the second one.
        noun: What one of them is.
        effort: What it may cost, where several comparisons share it.

    Returns:
        What changed, with one equal part around it; where parts are left out, a passage says how many.

    Example:
        >>> from mirascope_ops.analysis.content import Part
        >>> [found.sign for found in part_diff([Part("user", "Hi")], [Part("user", "Ho"), Part("assistant", "?")])]
        ['±', '+']
    """
    effort = effort or Effort()
    keys = [[(part.role, stable(part.text)) for part in parts] for parts in (before, after)]
    found: list[Passage] = []
    stretches = blocks(keys[0], keys[1], effort)
    changed = 0
    for place, block in enumerate(stretches):
        if block.equal:
            first, last = 1 if place else 0, 1 if place + 1 < len(stretches) else 0
            found += _equal(after[block.b0 : block.b1], first, last, noun)
            continue
        for passage in _changed(before[block.a0 : block.a1], after[block.b0 : block.b1], effort, MOST_PARTS - changed):
            found.append(passage)
            changed += 1
        if changed >= MOST_PARTS and place + 1 < len(stretches):
            rest = max(len(before) - block.a1, len(after) - block.b1)
            return [*found, _left_out(f"{rest:,} more {noun}{'' if rest == 1 else 's'} are not compared")]
    return found


def passages(found: Found, effort: Effort | None = None) -> list[Passage]:
    """Compare the two values of a difference.

    Args:
        found: The difference.
        effort: What it may cost, where several comparisons share it.

    Returns:
        The passages; none where the difference is no value, such as a span that was added.
    """
    if found.before is None and found.after is None:
        return []
    calls = found.pair.span.kind == "llm" and found.what in {"prompt", "output"}
    noun = "message" if calls else "attribute" if found.what == "attributes" else "argument"
    return part_diff(as_parts(found.before), as_parts(found.after), noun=noun, effort=effort)


def told(found: Found, effort: Effort | None = None) -> list[tuple[Sign, str]]:
    """Compare the two values of a difference, as plain lines.

    Args:
        found: The difference.
        effort: What it may cost, where several comparisons share it.

    Returns:
        Signs and lines; a part's role stands where its text begins, in each of the two versions.
    """
    lines: list[tuple[Sign, str]] = []
    for passage in passages(found, effort):
        begun: set[str] = set()
        for line in passage.lines:
            begins = line.sign != "…" and not begun & {line.sign, "="}
            role = f"{passage.role}: " if passage.role and begins else ""
            begun.add(line.sign)
            lines.append((line.sign, role + _brief(line)))
    return lines


def _brief(line: Line) -> str:
    """Give a line's text, of a long one what is near its changes."""
    if line.sign not in {"-", "+"} or len(line.text) <= _LONG:
        return line.text
    last = len(line.pieces) - 1
    found: list[str] = []
    for place, (text, changed) in enumerate(line.pieces):
        if changed or len(text) <= 2 * _NEAR:
            found.append(text)
        else:
            found.append(f"{text[:_NEAR] if place else ''}…{text[-_NEAR:] if place < last else ''}")
    return "".join(found)


def _equal(parts: Sequence[Part], first: int, last: int, noun: str) -> list[Passage]:
    """Give the equal parts next to changed ones, and a word on the others."""
    hidden = len(parts) - first - last
    if hidden <= 0:
        return [_same(part) for part in parts]
    words = f"{hidden:,} equal {noun}{'' if hidden == 1 else 's'}"
    ends = [[_same(part) for part in parts[:first]], [_same(part) for part in parts[len(parts) - last :]]]
    return [*ends[0], _left_out(words), *ends[1]]


def _same(part: Part) -> Passage:
    return Passage(part.role, "=", unchanged(part.text))


def _left_out(words: str) -> Passage:
    return Passage("", "…", [note(words)])


def _changed(before: Sequence[Part], after: Sequence[Part], effort: Effort, most: int) -> Iterator[Passage]:
    """Compare parts of one role with each other, in order; the others are there in one run only."""
    roles = [[part.role for part in parts] for parts in (before, after)]
    done = 0
    for block in blocks(roles[0], roles[1], effort):
        ones, others = before[block.a0 : block.a1], after[block.b0 : block.b1]
        if block.equal:
            made = (
                Passage(other.role, "±", text_diff(one.text, other.text, effort=effort))
                for one, other in zip(ones, others, strict=True)
            )
        else:
            sides: tuple[tuple[Sign, Sequence[Part]], ...] = (("-", ones), ("+", others))
            made = (Passage(part.role, sign, one_sided(part.text, sign)) for sign, parts in sides for part in parts)
        for passage in made:
            if done == most:
                rest = len(before) + len(after) - done
                yield _left_out(f"{rest:,} more changes are not shown")
                return
            yield passage
            done += 1
