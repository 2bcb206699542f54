"""The spans that are open now, ours and those of other libraries."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Protocol

from mirascope_ops.core.ended import NOTES, START

if TYPE_CHECKING:
    from collections.abc import Container

    from mirascope_ops.core.ended import EndedSpan


class Recordable(Protocol):
    """A span, ours or another library's, that tells what is known of it."""

    def record(self) -> EndedSpan:
        """Return what is known of the span."""
        ...


OPEN: Final[dict[int, Recordable]] = {}
"""By their ids; a `Span` puts itself in and takes itself out."""
MAX_OPEN: Final = 100_000


def open_spans(known: Container[int] = ()) -> list[EndedSpan]:
    """Return what is known of the spans that have started and not ended, oldest first.

    Args:
        known: Ids of spans to leave out.
    """
    found: list[EndedSpan] = []
    for number, span in list(OPEN.items()):
        if number not in known:
            try:
                row = span.record()
            except AttributeError:  # another thread is starting it: not all of it is set
                continue
            if row[START]:
                found.append((*row[:NOTES], row[NOTES].copy(), *row[NOTES + 1 :]))
    return found


def note_open(number: int, span: Recordable) -> None:
    """Remember another library's span as open, under its id, until `note_ended`."""
    if len(OPEN) < MAX_OPEN:
        OPEN[number] = span


def note_ended(number: int) -> None:
    """Forget another library's span, which has ended."""
    OPEN.pop(number, None)


def forget_open_spans() -> None:
    """Forget which spans are open: after a fork they are the parent's."""
    OPEN.clear()
