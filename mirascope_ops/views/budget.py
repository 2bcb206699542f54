"""How an output stays within its size: try what shows most, then cut values, then rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

# One output of a notebook, all its forms together; a saved notebook holds all of them.
MAX_OUTPUT_BYTES = 100_000
# Its HTML; text and data have the rest (`bundle`).
MAX_BYTES = 77_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How much one attempt may show.

    Attributes:
        value: Characters of one value.
        rows: Rows of one trace.
        panels: Spans with their inputs and outputs; errors come first.
        items: Turns of a session, or rows of a list.
    """

    value: int
    rows: int
    panels: int
    items: int = 200


LADDER: Sequence[Limits] = (
    Limits(value=6_000, rows=300, panels=300),
    Limits(value=1_500, rows=300, panels=300),
    Limits(value=500, rows=300, panels=300),
    Limits(value=160, rows=300, panels=300, items=120),
    Limits(value=160, rows=200, panels=60, items=100),
    Limits(value=120, rows=150, panels=20, items=60),
    Limits(value=80, rows=100, panels=8, items=40),
    Limits(value=60, rows=50, panels=3, items=20),
    Limits(value=40, rows=20, panels=1, items=8),
    Limits(value=24, rows=5, panels=0, items=2),
)


def fit(render: Callable[[Limits], str], *, most: int = MAX_BYTES) -> str:
    """The fullest rendering of at most `most` bytes.

    Args:
        render: Renders within the given limits.
        most: Bytes of UTF-8.

    Returns:
        The first rendering that fits; the last and smallest one where none does.
    """
    shown = ""
    for limits in LADDER:
        shown = render(limits)
        if len(shown.encode()) <= most:
            break
    return shown
