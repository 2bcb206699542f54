"""The figures, by kind; and what each draws, as a table."""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, Final, Literal

from mirascope_ops._optional import require
from mirascope_ops.exceptions import OpsError
from mirascope_ops.views import figure, figures_icicle, figures_names, figures_static, figures_turns
from mirascope_ops.views.budget import MAX_OUTPUT_BYTES
from mirascope_ops.views.figures_theme import Theme, look

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from pandas import DataFrame  # pyright: ignore[reportMissingTypeStubs] - pandas ships none
    from plotly.graph_objects import Figure  # pyright: ignore[reportMissingTypeStubs] - plotly ships none

    from mirascope_ops.analysis.rows import SpanRow
    from mirascope_ops.views.figures_theme import Look

FigureKind = Literal["timeline", "latency", "errors", "turns", "context", "icicle", "flame"]

_DRAW: Final[Mapping[str, Callable[[Sequence[SpanRow], Look, int], Any]]] = {
    "timeline": lambda spans, _, limit: figure.timeline_figure(spans, limit=limit),
    "latency": figures_names.latency_figure,
    "errors": figures_names.errors_figure,
    "turns": figures_turns.turns_figure,
    "context": figures_turns.context_figure,
    "icicle": figures_icicle.icicle_figure,
    "flame": lambda spans, shown, limit: figures_icicle.icicle_figure(spans, shown, limit, flame=True),
}
_MOST: Final = 2000
_FEWEST: Final = 20
# Bytes of a figure's data: the table beside it takes its part of an output.
_ROOM: Final = MAX_OUTPUT_BYTES - figures_static.MOST_BYTES


def draw(kind: str, spans: Sequence[SpanRow], *, limit: int | None = None, theme: Theme = "auto") -> Figure:
    """Draw a figure.

    Args:
        kind: Which: a key of `FigureKind`.
        spans: The spans.
        limit: At most so many of what it shows; each figure has a bound of its own, too. What is left out is said.
            None takes as many as keep the figure below 100 KB in a saved notebook.
        theme: "light" or "dark" for a page that is so; "auto" shows on both.

    Raises:
        OpsError: There is no figure of that kind, or no such theme, or the limit is negative.
        ImportError: plotly is not installed; the message says how.
    """
    _check(kind)
    try:
        shown = look(theme)
        if limit is not None:
            made: Any = _DRAW[kind](spans, shown, _checked(limit))
        else:
            made = _fitting(lambda most: _DRAW[kind](spans, shown, most))
    except ValueError as error:
        raise OpsError(str(error)) from None

    def static() -> str:
        # Of many spans only those are read that the table has room for, and the number of the others is known.
        part = spans[: figures_static.MOST_ROWS] if kind == "timeline" else spans
        rows = table(kind, part)
        more = len(spans) - len(part)
        return figures_static.table_of(kind, made.layout.title.text or "", rows, len(rows) + more)

    return figures_static.with_table(made, static)


def _fitting(made: Callable[[int], Figure]) -> Figure:
    """The figure with the most that fits into an output."""
    most = _MOST
    while True:
        figure: Any = made(most)
        size = len(figure.to_json().encode())
        if size <= _ROOM or most <= _FEWEST:
            return figure
        most = max(_FEWEST, min(most * 9 // 10, most * _ROOM * 19 // (20 * size)))


def table(kind: str, spans: Sequence[SpanRow]) -> DataFrame:
    """Give what a figure draws, as a table.

    Args:
        kind: Which figure.
        spans: The spans.

    Raises:
        OpsError: There is no figure of that kind.
        ImportError: pandas is not installed; the message says how.
    """
    from mirascope_ops.analysis import frames, stats, turns

    _check(kind)
    require("pandas", extra="notebook")
    match kind:
        case "latency":
            return _chosen(stats.summary(spans), ["count", "p50", "p95", "p99", "total"])
        case "errors":
            return _error_rates(stats.summary(spans))
        case "turns":
            return frames.turns_frame(turns.turns(spans))
        case "context":
            return frames.context_frame(spans)
        case "timeline":
            return frames.spans_frame(spans, columns=["trace_id", "name", "kind", "status", "start", "end", "duration"])
        case _:
            return frames.paths_frame(spans)


def _chosen(summary: Any, columns: list[str]) -> DataFrame:
    return summary[columns].copy()


def _error_rates(summary: Any) -> DataFrame:
    rates: Any = _chosen(summary, ["count", "errors"])
    rates["rate"] = (rates["errors"] / rates["count"]).astype("Float64")
    return rates.sort_values(["rate", "errors"], ascending=False)


def _check(kind: str) -> None:
    if kind in _DRAW:
        return
    close = get_close_matches(str(kind), _DRAW, 1)
    meant = f" Did you mean {close[0]!r}?" if close else ""
    raise OpsError(f"There is no figure of kind {kind!r}; use {', '.join(map(repr, _DRAW))}.{meant}")


def _checked(limit: int) -> int:
    if limit < 0:
        raise ValueError(f"limit must be 0 or more, not {limit}: it is the number of what is shown, as in limit=500.")
    return limit
