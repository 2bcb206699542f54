"""Which of the spans that are open now the store has yet to hear of.

A program may be killed at any moment, and then the file is all that is known of what it was doing. So a span that is
still open is written as it is, once when the writer first meets it and again where something was added to it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mirascope_ops.core.ended import NAME, NOTES, OUTPUT, SPAN
from mirascope_ops.core.open_spans import open_spans

if TYPE_CHECKING:
    from mirascope_ops.core.ended import EndedSpan


class OpenSpans:
    """What one store was told of the spans that are open."""

    def __init__(self) -> None:
        self._told: dict[int, tuple[Any, ...]] = {}

    def news(self, *, changes: bool) -> list[EndedSpan]:
        """Give the open spans that the store does not know.

        Args:
            changes: Also those to which something was added since it was told of them.

        Returns:
            What is known of them; `told` says that the store has it.
        """
        if not changes:
            return open_spans(known=self._told)
        everything = open_spans()
        # Those that ended in the meantime need not be remembered.
        self._told = {row[SPAN]: self._told[row[SPAN]] for row in everything if row[SPAN] in self._told}
        return [row for row in everything if self._told.get(row[SPAN]) != _state(row)]

    def told(self, rows: list[EndedSpan]) -> None:
        """Note that the store has these."""
        self._told.update((row[SPAN], _state(row)) for row in rows)

    def forget(self) -> None:
        """Begin anew: the store may have lost what it was told."""
        self._told.clear()


def _state(row: EndedSpan) -> tuple[Any, ...]:
    """Give all of an open span that can change. What is equal is mostly the same object, which is seen at once."""
    notes = row[NOTES]
    counts = len(notes.events or ()), len(notes.links or ())
    return row[NAME], notes.code, notes.message, row[OUTPUT], dict(notes.extra or {}), *counts
