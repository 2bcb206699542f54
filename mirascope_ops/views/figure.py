"""Figures in plotly: bounded, so that a notebook stays small and a browser quick."""

from __future__ import annotations

import html
from typing import TYPE_CHECKING, Any, NamedTuple

from mirascope_ops._optional import require
from mirascope_ops.analysis.tree import forest
from mirascope_ops.views.escape import one_line
from mirascope_ops.views.format import date, duration, offset, plural, token_flow, usd
from mirascope_ops.views.hints import hint
from mirascope_ops.views.outline import Line, Outline, outline
from mirascope_ops.views.trace_list import by_trace

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from plotly.graph_objects import Figure  # pyright: ignore[reportMissingTypeStubs] - plotly ships none

    from mirascope_ops.analysis.rows import SpanRow

# A figure cannot follow its host's theme, so these are the tokens' hues at a lightness that shows on white and
# on JupyterLab's black alike (3:1 and more on both).
COLOURS = {
    "llm": "#8a4bf0",
    "embedding": "#0b857c",
    "retriever": "#4a9a1f",
    "tool": "#b07a14",
    "agent": "#d62ba6",
    "chain": "#3f86f5",
    "other": "#82878f",
}
ERROR_COLOUR = "#e0463d"
INK = "#7a7f87"
_GRID = "rgba(128,132,140,.25)"

_UNITS = ((86_400_000_000_000, "d"), (3_600_000_000_000, "h"), (60_000_000_000, "min"), (1_000_000_000, "s"))
_LANE_HEIGHT = 22
_MARGIN = 130
_PLOT_WIDTH = 820
_CHARACTER_WIDTH = 6.5
_SHORTEST_LABEL = 3
_MOST_HEIGHT = 900
# Lanes of spans that overlap in depth and time; more would be thinner than a pixel.
_MOST_LANES = 400


class Bar(NamedTuple):
    """One span of the figure."""

    line: Line
    view: Outline
    lane: int


def timeline_figure(spans: Sequence[SpanRow], *, limit: int = 2000) -> Figure:
    """Spans as bars over time: below each span what it called, coloured by kind, errors in red and hatched.

    Args:
        spans: The spans, of any traces. Traces that do not overlap in time share their lanes.
        limit: At most so many bars: errors first, then the longest. What was left out is said in the title.

    Returns:
        A figure that reads on light and on dark pages; show it, or change it as any plotly figure.

    Raises:
        ImportError: plotly is not installed; the message says how.
        ValueError: The limit is negative.
    """
    if limit < 0:
        raise ValueError(f"limit must be 0 or more, not {limit}: it is the number of bars, as in limit=500.")
    go = require("plotly.graph_objects", extra="notebook")
    bars, missing = _bars(spans, limit)
    begin = min((bar.line.span.start for bar in bars), default=0)
    end = max((_end(bar) for bar in bars), default=begin)
    unit, unit_name = next(((size, name) for size, name in _UNITS if end - begin >= size), (1_000_000, "ms"))
    lanes = max((bar.lane for bar in bars), default=0) + 1
    figure = go.Figure()
    for name, group in _groups(bars):
        figure.add_trace(_trace(go, name, group, begin=begin, unit=unit, total=max(1, end - begin), lanes=lanes))
    figure.update_layout(**_layout(bars, missing, begin, unit_name, lanes))
    return figure


def _bars(spans: Sequence[SpanRow], limit: int) -> tuple[list[Bar], int]:
    views = sorted((outline(forest(group)) for group in by_trace(spans)), key=lambda view: view.start)
    total = sum(len(view.lines) for view in views)
    kept = {(id(view), line.place) for view, line in _most_telling(views, limit)} if total > limit else None
    bars: list[Bar] = []
    busy_until: list[int] = []  # for every lane of the figure, when it is free again
    for view in views:
        wanted = [line for line in view.lines if kept is None or (id(view), line.place) in kept]
        own = _lanes(view, wanted)
        height = max(own.values(), default=-1) + 1
        # Traces one after the other share lanes, so that a session reads from left to right.
        base = next(
            (
                at
                for at in range(len(busy_until) + 1)
                if all(until <= view.start for until in busy_until[at : at + height])
            ),
            len(busy_until),
        )
        busy_until += [0] * (base + height - len(busy_until))
        for lane in range(base, base + height):
            busy_until[lane] = view.start + view.total
        bars += [Bar(line, view, min(base + own[line.place], _MOST_LANES)) for line in wanted]
    return bars, total - len(bars)


def _most_telling(views: Iterable[Outline], limit: int) -> list[tuple[Outline, Line]]:
    every = [(view, line) for view in views for line in view.lines]
    every.sort(key=lambda pair: (pair[1].span.status != "error", -_length(*pair)))
    return every[:limit]


def _length(view: Outline, line: Line) -> int:
    span = line.span
    return span.duration if span.duration is not None else view.start + view.total - span.start


def _end(bar: Bar) -> int:
    return bar.line.span.start + max(0, _length(bar.view, bar.line))


def _lanes(view: Outline, lines: Sequence[Line]) -> dict[int, int]:
    """A lane for each line: below its parent's, and below what runs at the same time."""
    lanes: dict[int, int] = {}
    free: list[int] = []  # for every lane of the trace, when it is free again
    for line in sorted(lines, key=lambda line: (line.span.start, line.place)):
        above = line.parent
        while above >= 0 and above not in lanes:
            above = view.lines[above].parent
        lane = lanes[above] + 1 if above >= 0 else 0
        while lane < len(free) and free[lane] > line.span.start and lane < _MOST_LANES:
            lane += 1
        free += [0] * (lane + 1 - len(free))
        free[lane] = max(free[lane], line.span.start + max(1, _length(view, line)))
        lanes[line.place] = lane
    return lanes


def _groups(bars: Sequence[Bar]) -> list[tuple[str, list[Bar]]]:
    """The bars by what the legend calls them: errors apart, then kinds."""
    groups: dict[str, list[Bar]] = {name: [] for name in (*COLOURS, "error")}
    for bar in bars:
        groups["error" if bar.line.span.status == "error" else bar.line.span.kind].append(bar)
    return [(name, group) for name, group in groups.items() if group]


def _trace(go: Any, name: str, group: Sequence[Bar], *, begin: int, unit: int, total: int, lanes: int) -> Any:
    failed = name == "error"
    digits = max(0, 7 - len(str(total // unit)))  # a millionth of the axis
    pattern = {"shape": "/", "fgcolor": "rgba(255,255,255,.5)", "size": 6} if failed else None
    return go.Bar(
        orientation="h",
        name=name,
        base=[round((bar.line.span.start - begin) / unit, digits) for bar in group],
        x=[round(max(0, _length(bar.view, bar.line)) / unit, digits) for bar in group],
        y=[bar.lane for bar in group],
        # Containers are thin, work is thick.
        width=[0.4 if bar.line.node.children else 0.8 for bar in group],
        marker={"color": ERROR_COLOUR if failed else COLOURS[name], "line": {"width": 0}, "pattern": pattern},
        customdata=[_hover(bar) for bar in group],
        hovertemplate="%{customdata}<extra></extra>",
        text=[_label(bar, total, lanes) for bar in group],
        textposition="inside",
        insidetextanchor="start",
        constraintext="none",
        textangle=0,
        cliponaxis=True,
    )


def _text(text: str) -> str:
    """Text for plotly, whose labels know a few tags and the entities of these three characters only."""
    return html.escape(text, quote=False)


def _label(bar: Bar, total: int, lanes: int) -> str:
    """The name, as much of it as fits into the bar at a usual width; nothing on bars too thin to read."""
    room = int(_PLOT_WIDTH * _length(bar.view, bar.line) / total / _CHARACTER_WIDTH) - 1
    if bar.line.node.children or room < _SHORTEST_LABEL or lanes * _LANE_HEIGHT + _MARGIN > _MOST_HEIGHT:
        return ""
    return _text(one_line(bar.line.span.name, min(room, 40)))


def _hover(bar: Bar) -> str:
    """What a bar tells: plotly reads it as HTML of its own, so all of it is escaped."""
    span = bar.line.span
    used = token_flow(bar.line.input_tokens, bar.line.output_tokens)
    state = span.status if span.status in {"error", "open", "interrupted"} else ""
    took = f"took {duration(span.duration)}" if span.duration is not None else state
    figures = [
        f"at {offset(span.start - bar.view.start)}, {took}",
        f"{used} tokens" if used else "",
        usd(bar.line.cost) if bar.line.cost is not None else "",
    ]
    about = hint(bar.line, bar.view)
    session = f"session {one_line(span.session_id, 60)}" if span.session_id is not None else ""
    lines = [
        f"<b>{_text(one_line(span.name, 80))}</b> {span.kind}",
        _text(about),
        _text(" · ".join(part for part in figures if part)),
        _text(" · ".join(part for part in (session, f"trace {one_line(span.trace_id, 8)}") if part)),
    ]
    return "<br>".join(line for line in lines if line)


def _layout(bars: Sequence[Bar], missing: int, begin: int, unit: str, lanes: int) -> dict[str, Any]:
    failed = sum(1 for bar in bars if bar.line.span.status == "error")
    title = plural(len(bars), "span") if bars else "No spans"
    title += f", {plural(failed, 'error')}" if failed else ""
    title += f"; {plural(missing, 'shorter one')} left out: figure(limit=...)" if missing else ""
    axis = {"gridcolor": _GRID, "zeroline": False, "linecolor": _GRID}
    since = f" since {date(begin)}" if bars else ""
    return {
        "title": {"text": title, "font": {"size": 13}, "x": 0, "xref": "paper", "xanchor": "left"},
        "barmode": "overlay",
        "bargap": 0,
        "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "rgba(0,0,0,0)",
        "font": {"color": INK, "size": 12},
        "uniformtext": {"minsize": 9, "mode": "hide"},
        "hoverlabel": {"align": "left"},
        "height": max(200, min(_MOST_HEIGHT, lanes * _LANE_HEIGHT + _MARGIN)),
        "margin": {"l": 12, "r": 12, "t": 56, "b": 48},
        "legend": {"orientation": "h", "x": 1, "xanchor": "right", "y": 1, "yanchor": "bottom"},
        "xaxis": {**axis, "title": {"text": f"Time{since} ({unit})"}, "rangemode": "tozero"},
        "yaxis": {
            "visible": False,
            "range": [lanes - 0.4, -0.6],
            "fixedrange": lanes * _LANE_HEIGHT + _MARGIN <= _MOST_HEIGHT,
        },
        "dragmode": "zoom",
    }
