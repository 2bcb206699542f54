"""SpanDiff: what differs between two runs, as a person holds it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, overload

from mirascope_ops.analysis.diff import Change, compare

if TYPE_CHECKING:
    from mirascope_ops.analysis.diff import Figure
    from mirascope_ops.analysis.rows import SpanRow


class SpanDiff(Sequence[Change]):
    """The differences between two runs, as a sequence of changes; `a.diff(b)` makes one.

    One cause is one change, with all the places where it shows. Ids, times, addresses and the like
    (`mirascope_ops.analysis.volatile.VOLATILE`) are no changes; durations, tokens and costs are compared as `figures`.

    Args:
        a: The spans of the first run.
        b: The spans of the second run.

    Example:
        >>> SpanDiff([], []).same
        True
    """

    def __init__(self, a: Sequence[SpanRow], b: Sequence[SpanRow]) -> None:
        self._comparison = compare(a, b)

    def __len__(self) -> int:
        return len(self._comparison.changes)

    @overload
    def __getitem__(self, index: int) -> Change: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[Change, ...]: ...
    def __getitem__(self, index: int | slice) -> Change | tuple[Change, ...]:
        return self._comparison.changes[index]

    @property
    def same(self) -> bool:
        """Whether nothing differs."""
        return not self._comparison.changes

    @property
    def figures(self) -> tuple[Figure, ...]:
        """Durations (ns), tokens, cost (US dollars) and counts of both runs."""
        return self._comparison.figures

    def to_text(self) -> str:
        """Return the changes with their texts, then the figures of both runs."""
        from mirascope_ops.views.text_diff import diff_text

        return diff_text(self._comparison)

    def __repr__(self) -> str:
        return self.to_text()
