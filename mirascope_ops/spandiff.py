"""SpanDiff: what differs between two runs, as a person holds it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, overload

from mirascope_ops._optional import require
from mirascope_ops.analysis.diff import Change, compare

if TYPE_CHECKING:
    import os
    from pathlib import Path

    from pandas import DataFrame  # pyright: ignore[reportMissingTypeStubs] - pandas ships none

    from mirascope_ops.analysis.diff import Figure
    from mirascope_ops.analysis.rows import SpanRow


MIME_DATA_CHANGES = 100


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

    def to_pandas(self) -> DataFrame:
        """Return the spans of both runs side by side as a DataFrame, one row each, before those below it.

        The columns and their types are `mirascope_ops.analysis.schema.DIFF_SCHEMA`: what became of the span (`change`,
        `differs`, `diff`), then each figure and text of the first run (`_a`), of the second (`_b`), and by how much it
        differs (`_delta`).

        Raises:
            ImportError: pandas is not installed; the message says how.
        """
        from mirascope_ops.analysis.diff_frames import diff_frame

        require("pandas", extra="notebook")
        return diff_frame(self._comparison)

    def summary(self) -> DataFrame:
        """Return what the comparison comes to as a DataFrame of one row; several can be put together.

        The columns and their types are `mirascope_ops.analysis.schema.DIFF_SUMMARY_SCHEMA`: how many spans are the
        same, changed, moved, added and removed, then the figures of both runs and the differences.

        Raises:
            ImportError: pandas is not installed; the message says how.
        """
        from mirascope_ops.analysis.diff_frames import summary_frame

        require("pandas", extra="notebook")
        return summary_frame(self._comparison)

    def to_html(self, path: str | os.PathLike[str], *, title: str | None = None) -> Path:
        """Write the comparison to a file, as a page that stands alone and requests nothing.

        Args:
            path: The file, such as diff.html.
            title: The page's title; else what is compared.

        Returns:
            The path.

        Raises:
            OSError: The file cannot be written.
        """
        from pathlib import Path

        from mirascope_ops.store import files
        from mirascope_ops.views.html_diff import diff_title
        from mirascope_ops.views.html_page import page_html

        place = Path(path).expanduser()
        with files.written(place) as file:
            file.write(page_html(title or diff_title(self._comparison), self._html()).encode())
        return place

    def _html(self) -> str:
        from mirascope_ops.views.html_diff import diff_html

        return diff_html(self._comparison)

    def _data(self) -> dict[str, Any]:
        changes = [
            {
                "what": change.what,
                "turn": change.turn,
                "name": change.span.name,
                "trace_id": change.span.trace_id,
                "span_id": change.span.span_id,
                "spans": 1 + change.elsewhere,
            }
            for change in self[:MIME_DATA_CHANGES]
        ]
        figures = [figure._asdict() for figure in self.figures]
        return {"type": "diff", "count": len(self), "changes": changes, "figures": figures}

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, Any]:
        from mirascope_ops.views.bundle import bundle, chosen

        return chosen(bundle(self.to_text(), self._html(), self._data()), include, exclude)

    def __repr__(self) -> str:
        return self.to_text()
