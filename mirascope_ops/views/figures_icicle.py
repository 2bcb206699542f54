"""Icicle and flame: where the time went, spans added up by what called them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from mirascope_ops._optional import require
from mirascope_ops.analysis.paths import Path, paths
from mirascope_ops.views.figures_text import label_text, left_out
from mirascope_ops.views.figures_theme import Look, layout
from mirascope_ops.views.format import duration, plural

if TYPE_CHECKING:
    from collections.abc import Sequence

    from plotly.graph_objects import Figure  # pyright: ignore[reportMissingTypeStubs] - plotly ships none

    from mirascope_ops.analysis.rows import SpanRow

_MOST: Final = 500
_ROW: Final = 28
_FRAME: Final = 110
_HIGHEST: Final = 900


def icicle_figure(spans: Sequence[SpanRow], shown: Look, limit: int, *, flame: bool = False) -> Figure:
    """Names below those that called them, as wide as the time that they took; what ran at once is added up.

    Args:
        spans: The spans.
        shown: The colours: of errors where all spans failed, else of the kind, with the number of errors.
        limit: At most so many paths, the longest; no more than 500.
        flame: Whether callers stand below.
    """
    go = require("plotly.graph_objects", extra="notebook")
    every = paths(spans)
    kept = _longest(every, min(limit, _MOST))
    depth = 1 + max((one.depth for one in kept.values()), default=0)
    figure = go.Figure(
        go.Icicle(
            ids=list(map(str, kept)),
            parents=[str(one.parent) if one.depth else "" for one in kept.values()],
            labels=[_label(one) for one in kept.values()],
            # Of its own time, and those below add theirs: what ran at once would be wider than its caller.
            values=[one.self_time / 1e6 for one in kept.values()],
            branchvalues="remainder",
            sort=False,
            marker={
                "colors": [_colour(one, shown) for one in kept.values()],
                "line": {"width": 1, "color": shown.background},
            },
            customdata=[_hover(one, every) for one in kept.values()],
            hovertemplate="%{customdata}<extra></extra>",
            tiling={"orientation": "v", **({"flip": "y"} if flame else {})},
            pathbar={"visible": False},
            textfont={"color": "#ffffff"} if shown.ink != "#e3e5e8" else {"color": "#111315"},
            root={"color": "rgba(0,0,0,0)"},
            leaf={"opacity": 1},
        )
    )
    took = sum(one.total for one in every if not one.depth)
    title = f"Where the time went: {duration(took)} in {plural(sum(one.number for one in every), 'span')}"
    title += left_out(len(every) - len(kept), "path")
    # Above several roots plotly leaves a row for one that is not there: the title takes it.
    spare = _ROW if sum(not one.depth for one in kept.values()) > 1 else 0
    height = min(_HIGHEST, _FRAME + _ROW * depth + spare)
    figure.update_layout(
        **layout(
            shown,
            title,
            height=height,
            margin={"l": 4, "r": 4, "t": 48 - (0 if flame else spare), "b": 8},
            title_pad_t=14,
            title_y=1,
            title_yanchor="top",
            uniformtext={"minsize": 9, "mode": "hide"},
        )
    )
    return figure


def _longest(every: Sequence[Path], most: int) -> dict[int, Path]:
    """The longest paths, by their place; a path that is there has its callers there too."""
    if len(every) <= most:
        return dict(enumerate(every))
    order = sorted(range(len(every)), key=lambda place: (-every[place].total, every[place].depth))
    kept: set[int] = set()
    for place in sorted(order[:most]):  # callers come before what they call
        if not every[place].depth or every[place].parent in kept:
            kept.add(place)
    return {place: every[place] for place in sorted(kept)}


def _label(one: Path) -> str:
    return label_text(one.name, 60) + (f" ✕ {plural(one.errors, 'error')}" if one.errors else "")


def _colour(one: Path, shown: Look) -> str:
    return shown.error if one.errors == one.number else shown.kinds[one.kind]


def _hover(one: Path, every: Sequence[Path]) -> str:
    lines: list[Any] = [
        f"<b>{label_text(one.name, 80)}</b> {one.kind}",
        f"{plural(one.number, 'span')}, {duration(one.total)}, itself {duration(one.self_time)}",
        plural(one.errors, "error") if one.errors else "",
        f"below {label_text(every[one.parent].name, 80)}" if one.depth else "",
    ]
    return "<br>".join(line for line in lines if line)
