"""The rows of a trace: name, bar on the trace's scale, tokens, cost, duration; each opens to its panel."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from mirascope_ops.views.escape import html_text, one_line
from mirascope_ops.views.format import axis_step, duration, mark, offset, plural, token_flow, usd
from mirascope_ops.views.hints import hint
from mirascope_ops.views.html_panel import panel_html, preview_html, says_more
from mirascope_ops.views.html_parts import COMMA, icon, name_html, status_class, unseen
from mirascope_ops.views.outline import hidden_below, most_telling
from mirascope_ops.views.styles import kind_class
from mirascope_ops.views.words import STATUS

if TYPE_CHECKING:
    from collections.abc import Iterable

    from mirascope_ops.views.budget import Limits
    from mirascope_ops.views.outline import Line, Outline

# Deeper spans stay on this level, with their own written before the name: a browser gives up at 512 elements.
MOST_DEPTH = 40
# From here on rows no longer move to the right: names need the room.
_FLAT_DEPTH = 6
_MARKS = 5
_PREVIEWED_ROWS = 40
# An axis mark from here on would run into the next column where the view is narrow.
_LATE = 0.7

# The style sheet's class: all columns, all but the costs, neither tokens nor costs.
Columns = Literal["", "nc", "nt"]


def usage_columns(views: Iterable[Outline]) -> Columns:
    """The columns that traces need: none for tokens and costs that no span reports."""
    columns: Columns = "nt"
    for view in views:
        for line in view.lines:
            if line.cost is not None:
                return ""
            if line.input_tokens is not None or line.output_tokens is not None:
                columns = "nc"
    return columns


def tree_html(
    view: Outline, limits: Limits, *, label: str, open_last: bool = True, columns: Columns | None = None
) -> tuple[str, int]:
    """The rows of one trace, with their axis.

    Args:
        view: The trace.
        limits: How many rows and panels, and how long a value.
        label: What screen readers call the tree.
        open_last: Open the last model call's panel, as the trace's answer, where nothing failed.
        columns: The columns of tokens and cost, without which the bars get their room; None takes those that
            the trace needs.

    Returns:
        The HTML, and the number of spans that are shown.
    """
    lines = view.lines
    sources = view.errors()
    shown = most_telling(lines, sources, limits.rows)
    hidden = hidden_below(lines, shown)
    panels = _with_panels(view, shown, sources, limits.panels)
    opened = _opened(view, sources) if open_last else set(sources)
    gap = axis_step(view.total, _MARKS)
    columns = usage_columns([view]) if columns is None else columns
    out = [
        f'<section class="tr{f" {columns}" if columns else ""}" aria-label="{html_text(one_line(label, 120))}"',
        f' style="--g:{_share(gap, view)}">',
    ]
    out += [_axis(view, gap, columns), "<ul>"]
    closing: list[tuple[int, int]] = []  # (depth as shown, place) of rows whose list of children is open

    def close(depth: int) -> None:
        while closing and closing[-1][0] >= depth:
            _, place = closing.pop()
            out.append(f"{_missing(hidden.get(place, 0))}</ul></details></li>")

    for place in sorted(shown):
        line = lines[place]
        depth = min(line.depth, MOST_DEPTH)
        close(depth)
        wanted = place in panels and (not line.node.children or says_more(line))
        panel = panel_html(line, view, limits.value) if wanted else ""
        # A container that is not deeper than the deepest level shown keeps its children in a list of its own.
        below = bool(line.node.children) and line.depth < MOST_DEPTH
        previewed = bool(panel) and bool(line.node.children)
        row = _row(line, view, columns, hinted=not (previewed and line.source < 0))
        if not panel and not below:
            out.append(f'<li><div class="r lf">{row}</div></li>')
            continue
        is_open = " open" if below or place in opened else ""
        out.append(f'<li><details{is_open}><summary class="r">{row}</summary>')
        out.append(preview_html(line, panel, is_open=place in opened) if below else panel)
        if below:
            out.append('<ul class="fl">' if depth >= _FLAT_DEPTH else "<ul>")
            closing.append((depth, place))
        else:
            out.append("</details></li>")
    close(0)
    out.append(f"{_missing(hidden.get(-1, 0))}</ul></section>")
    return "".join(out), len(shown)


def _missing(number: int) -> str:
    return f'<li class="more">{plural(number, "more span")}</li>' if number else ""


def _with_panels(view: Outline, shown: set[int], sources: list[int], most: int) -> set[int]:
    """The rows that get a panel: errors first, then model calls, then the others in order."""
    if len(shown) <= most:
        return shown
    calls = [place for place in sorted(shown) if view.lines[place].span.kind == "llm"]
    wanted = dict.fromkeys([*(place for place in sources if place in shown), *calls, *sorted(shown)])
    return set(list(wanted)[:most])


def _opened(view: Outline, sources: list[int]) -> set[int]:
    """The leaves whose panels are open: where errors were raised; else the last answer of a trace that is short."""
    if sources or len(view.lines) > _PREVIEWED_ROWS:
        return set(sources[:3])
    calls = [line.place for line in view.lines if line.span.kind == "llm" and not line.node.children]
    return set(calls[-1:]) if calls or len(view.lines) != 1 else {0}


def _row(line: Line, view: Outline, columns: Columns, *, hinted: bool) -> str:
    span = line.span
    parts: list[str] = []
    if line.depth > MOST_DEPTH:
        parts.append(f'<span class="ch">L{unseen("evel ")}{line.depth + 1}</span>{unseen(" ")}')
    parts.append(icon(span.kind))
    if span.status in {"error", "open", "interrupted"}:
        sign, word = STATUS[span.status]
        parts.append(
            f'<span class="st {status_class(span.status)}" aria-hidden="true">{sign}</span>{unseen(f" {word}: ")}'
        )
    parts.append(f'<b dir="auto">{name_html(span.name)}</b>')
    words = hint(line, view) if hinted else ""
    if words:
        failed = " e" if line.source >= 0 else ""
        parts.append(f'{unseen(" ")}<span class="h{failed}" dir="auto">{html_text(words)}</span>')
    name = f'<span class="n">{"".join(parts)}{COMMA}</span>{_bar(line, view)}'
    usage = usage_html(line.input_tokens, line.output_tokens, line.cost, columns)
    return f"{name}{usage}{_took(line, view)}"


def usage_html(given: int | None, answered: int | None, dollars: float | None, columns: Columns) -> str:
    """The cells of tokens and cost in a row."""
    if columns == "nt":
        return ""
    used = token_flow(given, answered)
    tokens = f"{used}{unseen(' tokens, ')}" if used else ""
    cells = f'<span class="x">{tokens}</span>'
    if not columns:
        cost = f"{html_text(usd(dollars))}{COMMA}" if dollars is not None else ""
        cells += f'<span class="x">{cost}</span>'
    return cells


def _took(line: Line, view: Outline) -> str:
    span = line.span
    at = offset(span.start - view.start)
    if span.duration is None:
        state = span.status if span.status in {"open", "interrupted"} else "interrupted"
        word = STATUS[state][1]
        return f'<span class="d {status_class(state)}">{unseen(f"at {at}, ")}{word}</span>'
    return f'<span class="d">{unseen(f"at {at}, took ")}{duration(span.duration)}</span>'


def _bar(line: Line, view: Outline) -> str:
    span = line.span
    begin = span.start - view.start
    length = span.duration if span.duration is not None else view.total - begin
    shape = f"--x:{_share(begin, view)};--w:{_share(length, view)}"
    if span.ttft is not None and 0 < span.ttft < length:
        shape += f";--t:{_share(span.ttft, view)}"
    names = f"b {kind_class(span.kind)}" + (" p" if line.node.children else "")
    names += " er" if span.status == "error" else " op" if span.duration is None else ""
    return f'<span class="{names}" style="{shape}"></span>'


def _share(ns: int, view: Outline) -> str:
    return f"{max(0.0, min(100.0, 100 * ns / view.total)):.1f}".removesuffix(".0") + "%"


def _axis(view: Outline, gap: int, columns: Columns) -> str:
    marks = ""
    at = 0
    while at < view.total * 0.9:
        late = ' class="z"' if at > view.total * _LATE else ""
        marks += f'<i{late} style="--x:{_share(at, view)}" data-t="{mark(at)}"></i>'
        at += gap
    shown = {"": ("Tokens", "Cost"), "nc": ("Tokens",), "nt": ()}[columns]
    ends = "".join(f'<span class="x" data-t="{title}"></span>' for title in shown) + '<span data-t="Duration"></span>'
    return f'<div class="ax" aria-hidden="true"><span data-t="Span"></span><span class="tk">{marks}</span>{ends}</div>'
