"""Figures over the course of a session: tokens and cost by turn, and how the context grew."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from mirascope_ops._optional import require
from mirascope_ops.analysis.stats import innermost_calls
from mirascope_ops.analysis.turns import turns
from mirascope_ops.views.escape import one_line
from mirascope_ops.views.figures_text import label_text, left_out
from mirascope_ops.views.figures_theme import Look, layout
from mirascope_ops.views.format import plural, token_flow, tokens, usd

if TYPE_CHECKING:
    from collections.abc import Sequence

    from plotly.graph_objects import Figure  # pyright: ignore[reportMissingTypeStubs] - plotly ships none

    from mirascope_ops.analysis.rows import SpanRow, Turn

_MOST_TURNS: Final = 200
_MOST_SESSIONS: Final = 8


def turns_figure(spans: Sequence[SpanRow], shown: Look, limit: int) -> Figure:
    """Tokens of each turn, prompts below answers, and what the turn cost.

    Args:
        spans: The spans.
        shown: The colours.
        limit: At most so many turns, the newest; no more than 200.
    """
    go = require("plotly.graph_objects", extra="notebook")
    every = turns(spans)
    kept = every[max(0, len(every) - min(limit, _MOST_TURNS)) :]
    numbers = list(range(len(every) - len(kept) + 1, len(every) + 1))
    hover = [_turn_hover(turn, number) for turn, number in zip(kept, numbers, strict=True)]
    places: dict[str, Any] = {"x": numbers, "customdata": hover}
    has_cost = any(turn.totals.cost is not None for turn in kept)
    figure = go.Figure()
    for name, field, colour in (("input", "input_tokens", shown.quiet), ("output", "output_tokens", shown.accent)):
        values = [getattr(turn.totals, field) for turn in kept]
        figure.add_trace(go.Bar(**_bars(name, values, colour), **places))
    if has_cost:
        costs = [turn.totals.cost for turn in kept]
        figure.add_trace(go.Bar(**_bars("cost", costs, shown.kinds["tool"]), **places, yaxis="y2"))
    title = f"Tokens{' and cost' if has_cost else ''} of {plural(len(kept), 'turn')}"
    title += left_out(len(every) - len(kept), "turn")
    more: dict[str, Any] = {"yaxis": {"title": {"text": "Tokens"}, "domain": [0.42 if has_cost else 0, 1]}}
    if has_cost:
        more["yaxis2"] = {
            "title": {"text": "Cost"},
            "tickprefix": "$",
            "tickformat": ",.6~f",
            "domain": [0, 0.3],
            "anchor": "x",
            "gridcolor": shown.line,
            "automargin": True,
        }
    axis = {"title": {"text": "Turn"}, "anchor": "free", "position": 0, "dtick": max(1, len(kept) // 15)}
    figure.update_layout(**layout(shown, title, height=400 if has_cost else 300, barmode="stack", xaxis=axis, **more))
    return figure


def _bars(name: str, values: Sequence[Any], colour: str) -> dict[str, Any]:
    return {
        "name": name,
        "y": list(values),
        "marker": {"color": colour, "line": {"width": 0}},
        "hovertemplate": "%{customdata}<extra></extra>",
    }


def _turn_hover(turn: Turn, number: int) -> str:
    totals = turn.totals
    used = token_flow(totals.input_tokens, totals.output_tokens)
    lines = [
        f"<b>Turn {number}</b> {label_text(turn.user or turn.name, 80)}",
        f"{used} tokens" if used else "",
        label_text(usd(totals.cost), 20) if totals.cost is not None else "",
        "failed" if turn.error else "",
    ]
    return "<br>".join(line for line in lines if line)


def context_figure(spans: Sequence[SpanRow], shown: Look, limit: int) -> Figure:
    """How many tokens each model call was given, call by call, a line for each session.

    Args:
        spans: The spans.
        shown: The colours.
        limit: At most so many calls of each of 8 sessions, the newest.
    """
    go = require("plotly.graph_objects", extra="notebook")
    sessions: dict[str | None, list[SpanRow]] = {}
    for call in innermost_calls(spans):
        if call.input_tokens is not None:
            sessions.setdefault(call.session_id, []).append(call)
    ordered = sorted(sessions.items(), key=lambda pair: -len(pair[1]))
    colours = [shown.accent, shown.kinds["tool"], shown.kinds["agent"], shown.kinds["retriever"], shown.quiet]
    dashes = ("solid", "dash", "dot", "dashdot")
    figure = go.Figure()
    for place, (session, calls) in enumerate(ordered[:_MOST_SESSIONS]):
        kept = calls[max(0, len(calls) - limit) :]
        first = len(calls) - len(kept) + 1
        figure.add_trace(
            go.Scatter(
                name=label_text(one_line(session, 30) if session is not None else "no session", 30),
                mode="lines+markers" if len(kept) <= _MOST_TURNS else "lines",
                x=list(range(first, len(calls) + 1)),
                y=[call.input_tokens for call in kept],
                line={"color": colours[place % len(colours)], "dash": dashes[place % len(dashes)], "width": 2},
                customdata=[_call_hover(call) for call in kept],
                hovertemplate="%{customdata}<extra></extra>",
            )
        )
    title = f"Context of {plural(sum(map(len, sessions.values())), 'model call')} in {plural(len(sessions), 'session')}"
    title += left_out(len(ordered) - _MOST_SESSIONS, "session")
    figure.update_layout(
        **layout(
            shown,
            title,
            showlegend=len(ordered) > 1,
            xaxis={"title": {"text": "Model call"}},
            yaxis={"title": {"text": "Tokens of the prompt"}, "rangemode": "tozero"},
        )
    )
    return figure


def _call_hover(call: SpanRow) -> str:
    cached = f", {tokens(call.cache_read_tokens)} cached" if call.cache_read_tokens else ""
    model = label_text(call.model, 60) if call.model else ""
    return f"<b>{label_text(call.name, 80)}</b> {model}<br>{tokens(call.input_tokens or 0)} tokens{cached}"
