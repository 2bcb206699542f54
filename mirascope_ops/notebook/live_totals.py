"""What a trace comes to while it goes on: each span is added once, when it ends, however many there are.

A roll-up counts the innermost spans that report something. Spans end from the inside out, so it is enough to remember
below which ids something was counted; what ends after its parent takes the parent's place.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from mirascope_ops.analysis.twins import response_id

if TYPE_CHECKING:
    from collections.abc import Iterable

    from mirascope_ops.analysis.rows import SpanRow

_CALLS, _USAGE, _COST = range(3)
_MOST_REMEMBERED: Final = 2_000  # counted spans that a child which ends after them may still replace

Figures = tuple[int, int | None, int | None, int | None, float | None]
"""Model calls, input, output and cached tokens, and US dollars; None where none were reported."""

NOTHING: Final[Figures] = (0, None, None, None, None)


class RunningTotals:
    """The figures of one trace, of the spans that have ended."""

    __slots__ = ("_below", "_counted", "_first", "_sum")

    def __init__(self) -> None:
        self._sum: Figures = NOTHING
        self._below: set[tuple[int, str]] = set()  # what was counted below a span that is still open, or missing
        self._counted: dict[tuple[int, str], Figures] = {}
        self._first: dict[tuple[str, str | None], str] = {}  # the library that told of a response first

    def add(self, row: SpanRow) -> None:
        """Add a span that has ended."""
        twin = self._is_twin(row)
        for what, figures in enumerate(_figures(row)):
            key = (what, row.span_id)
            below = key in self._below
            self._below.discard(key)
            if figures is None and not below:
                continue
            if row.parent_id:
                above = (what, row.parent_id)
                self._below.add(above)
                if above in self._counted:
                    self._sum = plus(self._sum, self._counted.pop(above), -1)
            if figures is not None and not below and not twin:
                self._sum = plus(self._sum, figures)
                self._counted[key] = figures
        while len(self._counted) > _MOST_REMEMBERED:
            del self._counted[next(iter(self._counted))]

    def with_open(self, rows: Iterable[SpanRow]) -> Figures:
        """Give the figures, with those that open spans report already.

        Args:
            rows: The trace's open spans.
        """
        found = self._sum
        below: set[tuple[int, str]] = set()
        for row in sorted(rows, key=lambda row: row.start, reverse=True):
            for what, figures in enumerate(_figures(row)):
                key = (what, row.span_id)
                is_counted = key in below or key in self._below
                if figures is not None and not is_counted:
                    found = plus(found, figures)
                if (figures is not None or is_counted) and row.parent_id:
                    below.add((what, row.parent_id))
        return found

    def _is_twin(self, row: SpanRow) -> bool:
        """Whether another library told of this very call before."""
        if row.kind != "llm" and row.input_tokens is None and row.output_tokens is None:
            return False
        found = response_id(row.attributes)
        if found is None:
            return False
        if len(self._first) > _MOST_REMEMBERED:
            del self._first[next(iter(self._first))]
        return self._first.setdefault((found, row.parent_id), row.scope) != row.scope


def plus(one: Figures, other: Figures, sign: int = 1) -> Figures:
    """Add figures up, or take some away."""
    pairs: list[Any] = [
        first if second is None else sign * second + (first or 0) for first, second in zip(one, other, strict=True)
    ]
    return tuple(pairs)  # pyright: ignore[reportReturnType] - five of them, as in both


def _figures(row: SpanRow) -> tuple[Figures | None, Figures | None, Figures | None]:
    """What a span reports: a model call, tokens, a cost."""
    calls = (1, None, None, None, None) if row.kind == "llm" else None
    used: Figures | None = None
    if row.input_tokens is not None or row.output_tokens is not None:
        used = (0, row.input_tokens, row.output_tokens, row.cache_read_tokens, None)
    return calls, used, None if row.cost is None else (0, None, None, None, row.cost)
