"""What a session's views share: its turns and those of its descendants in reading order."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mirascope_ops.analysis.rows import SessionCard, Turn


@dataclass(slots=True)
class TurnLine:
    """One turn: its place among all turns, its number within its own session."""

    turn: Turn
    place: int
    number: int
    session_id: str
    is_first_of_child: bool


@dataclass(slots=True)
class Section:
    """One session of the card; `depth` is 0 for the card's own."""

    card: SessionCard
    depth: int
    turns: list[TurnLine]


@dataclass(slots=True)
class SessionOutline:
    """A session and its descendants, parents first.

    Attributes:
        card: The card.
        sections: The sessions, the card's own first.
        turns: All turns, in the sections' order.
        busy: Nanoseconds of all turns together.
        longest: Nanoseconds of the longest turn, at least 1.
    """

    card: SessionCard
    sections: list[Section]
    turns: list[TurnLine]
    busy: int
    longest: int

    def most_telling(self, most: int) -> set[int]:
        """The places of the turns to show where not all fit: failed ones for at most half, then the newest."""
        if len(self.turns) <= most:
            return set(range(len(self.turns)))
        failed = [line.place for line in self.turns if line.turn.error][-(most // 2) :] if most > 1 else []
        shown = set(failed)
        for line in reversed(self.turns):
            if len(shown) >= most:
                break
            shown.add(line.place)
        return shown


def session_outline(card: SessionCard) -> SessionOutline:
    """Bring a card and all cards below it into reading order, without recursion."""
    sections: list[Section] = []
    turns: list[TurnLine] = []
    stack = [(0, card)]
    while stack:
        depth, current = stack.pop()
        own = [
            TurnLine(turn, len(turns) + at, at + 1, current.session_id, depth > 0 and at == 0)
            for at, turn in enumerate(current.turns)
        ]
        turns += own
        sections.append(Section(current, depth, own))
        stack += [(depth + 1, child) for child in reversed(current.children)]
    lengths = [line.turn.totals.duration or 0 for line in turns]
    return SessionOutline(card, sections, turns, sum(lengths), max([1, *lengths]))
