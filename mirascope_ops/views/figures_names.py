"""Figures by name: how long the spans of each name took, and how often they failed."""

from __future__ import annotations

from statistics import quantiles
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from mirascope_ops._optional import require
from mirascope_ops.views.escape import one_line
from mirascope_ops.views.figures_text import label_text, left_out, unit_of
from mirascope_ops.views.figures_theme import Look, layout
from mirascope_ops.views.format import duration, plural

if TYPE_CHECKING:
    from collections.abc import Sequence

    from plotly.graph_objects import Figure  # pyright: ignore[reportMissingTypeStubs] - plotly ships none

    from mirascope_ops.analysis.rows import SpanRow

_MOST: Final = 30
_ROW: Final = 26
_NAMES: Final = {"ticksuffix": "  "}  # room between a name and its bar
_FRAME: Final = 120
_LOGARITHMIC: Final = 200  # times that the longest median is longer than the shortest


class _Named(NamedTuple):
    """The spans of one name."""

    name: str
    kind: str
    lengths: list[int]
    number: int
    errors: int


def _by_name(spans: Sequence[SpanRow]) -> list[_Named]:
    groups: dict[str, list[SpanRow]] = {}
    for span in spans:
        groups.setdefault(span.name, []).append(span)
    return [
        _Named(
            name,
            group[0].kind,
            sorted(span.duration for span in group if span.duration is not None),
            len(group),
            sum(span.status == "error" for span in group),
        )
        for name, group in groups.items()
    ]


def latency_figure(spans: Sequence[SpanRow], shown: Look, limit: int) -> Figure:
    """How long the spans of each name took: a box from the first to the third quartile, whiskers to p5 and p95.

    Args:
        spans: The spans.
        shown: The colours.
        limit: At most so many names, those that took longest in all; no more than 30.
    """
    go = require("plotly.graph_objects", extra="notebook")
    every = sorted((one for one in _by_name(spans) if one.lengths), key=lambda one: -sum(one.lengths))
    names = every[: min(limit, _MOST)]
    unit, unit_name = unit_of(max((one.lengths[-1] for one in names), default=0))
    figure = go.Figure()
    for one in reversed(names):  # plotly counts rows from below
        figure.add_trace(_box(go, one, shown, unit))
    medians = [one.lengths[len(one.lengths) // 2] for one in names]
    wide = bool(medians) and max(medians) > _LOGARITHMIC * max(1, min(medians))
    title = f"Latency of {plural(len(names), 'name')}{left_out(len(every) - len(names), 'name')}"
    axis = {"title": {"text": f"Duration ({unit_name}){', logarithmic' if wide else ''}"}}
    axis |= {"type": "log"} if wide else {"rangemode": "tozero"}
    figure.update_layout(
        **layout(shown, title, height=_FRAME + _ROW * max(2, len(names)), showlegend=False, xaxis=axis, yaxis=_NAMES)
    )
    return figure


def _box(go: Any, one: _Named, shown: Look, unit: int) -> Any:
    cuts = quantiles(one.lengths, n=20, method="inclusive") if len(one.lengths) > 1 else one.lengths * 19
    low, first, middle, third, high = (cuts[at] / unit for at in (0, 4, 9, 14, 18))
    about = (
        f"<b>{label_text(one.name, 80)}</b> {one.kind}<br>{plural(one.number, 'span')}<br>"
        f"p50 {duration(round(middle * unit))} · p95 {duration(round(high * unit))} · max {duration(one.lengths[-1])}"
    )
    return go.Box(
        orientation="h",
        name=label_text(one_line(one.name, 40), 40),
        y=[label_text(one.name, 40)],
        q1=[first],
        median=[middle],
        q3=[third],
        lowerfence=[low],
        upperfence=[high],
        line={"color": shown.kinds[one.kind], "width": 1.5},
        fillcolor=shown.background,
        hoverinfo="text",
        hovertext=about,
        width=0.6,
    )


def errors_figure(spans: Sequence[SpanRow], shown: Look, limit: int) -> Figure:
    """What part of the spans of each name failed, with the numbers.

    Args:
        spans: The spans.
        shown: The colours.
        limit: At most so many names, those that failed most often; no more than 30.
    """
    go = require("plotly.graph_objects", extra="notebook")
    every = sorted(_by_name(spans), key=lambda one: (-one.errors / one.number, -one.errors, -one.number))
    names = list(reversed(every[: min(limit, _MOST)]))
    rates = [100 * one.errors / one.number for one in names]
    figure = go.Figure(
        go.Bar(
            orientation="h",
            x=rates,
            y=[label_text(one.name, 40) for one in names],
            marker={"color": shown.error, "pattern": {"shape": "/", "fgcolor": shown.background, "size": 6}},
            text=[f"{one.errors:,} of {one.number:,}" for one in names],
            textposition="outside",
            cliponaxis=False,
            customdata=[
                f"<b>{label_text(one.name, 80)}</b> {one.kind}<br>{one.errors:,} of {one.number:,} failed, {rate:.1f} %"
                for one, rate in zip(names, rates, strict=True)
            ],
            hovertemplate="%{customdata}<extra></extra>",
        )
    )
    failed = sum(one.errors for one in every)
    title = f"{plural(failed, 'error')} in {plural(sum(one.number for one in every), 'span')}"
    title += left_out(len(every) - len(names), "name")
    axis = {"title": {"text": "Failed (%)"}, "range": [0, max([10.0, *rates]) * 1.18]}
    figure.update_layout(**layout(shown, title, height=_FRAME + _ROW * max(2, len(names)), xaxis=axis, yaxis=_NAMES))
    return figure
