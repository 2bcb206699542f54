"""What a session's views share: its turns and those of its descendants in reading order."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from mirascope_ops.views.outline import Outline, error_line, outline

if TYPE_CHECKING:
    from mirascope_ops.analysis.rows import SessionCard, SpanRow, Turn


@dataclass(slots=True)
class TurnLine:
    """One turn: its place among all turns, its number within its own session, and its trace."""

    turn: Turn
    view: Outline
    place: int
    number: int
    session_id: str
    is_first_of_child: bool

    @property
    def problem(self) -> str:
        """What failed in the turn, or what it recovered from, with the error's type; "" where nothing did."""
        turn = self.turn
        failed = [line.source for line in self.view.lines if line.depth == 0 and line.source >= 0]
        sources = failed if turn.error else self.view.errors()
        if not turn.error and not turn.recovered:
            return ""
        return error_line(self.view.lines[sources[0]].span) if sources else turn.error or turn.recovered or ""


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
    before: SpanRow | None = None
    while stack:
        depth, current = stack.pop()
        own: list[TurnLine] = []
        for number, turn in enumerate(current.turns, 1):
            view = outline(turn.roots, before=before)
            before = view.last_call
            own.append(TurnLine(turn, view, len(turns), number, current.session_id, depth > 0 and number == 1))
            turns.append(own[-1])
        sections.append(Section(current, depth, own))
        stack += [(depth + 1, child) for child in reversed(current.children)]
    lengths = [line.turn.totals.duration or 0 for line in turns]
    return SessionOutline(card, sections, turns, sum(lengths), max([1, *lengths]))
