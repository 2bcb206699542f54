"""A trace, and one span by itself, as HTML."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mirascope_ops.analysis.stats import totals
from mirascope_ops.analysis.tree import forest
from mirascope_ops.analysis.verdicts import verdict_of_trace
from mirascope_ops.views.budget import Limits, fit
from mirascope_ops.views.format import count, duration, plural
from mirascope_ops.views.html_panel import panel_html
from mirascope_ops.views.html_parts import (
    article,
    code,
    cost_figure,
    duration_figure,
    figures_html,
    footer,
    header,
    icon,
    name_html,
    status_html,
    tokens_figure,
    was_cut,
    where,
    with_unit,
)
from mirascope_ops.views.html_tree import tree_html
from mirascope_ops.views.outline import Outline, outline
from mirascope_ops.views.verdicts import verdict_html
from mirascope_ops.views.words import NO_SPANS, trace_status

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mirascope_ops.analysis.rows import Node, SpanRow, Totals


def trace_html(spans: Sequence[SpanRow]) -> str:
    """A trace as static HTML: header, then the tree of its spans on one time scale.

    Args:
        spans: The spans of one trace, in any order, complete or not.

    Returns:
        One `<article>` with its style sheet, at most 100 KB; what was cut is said with the call that shows it.

    Example:
        >>> "No spans" in trace_html([])
        True
    """
    roots = forest(spans)
    if not roots:
        return empty_html("Trace", NO_SPANS)
    view = outline(roots)
    figures = totals(spans)
    return fit(lambda limits: _trace(view, roots, figures, limits))


def empty_html(title: str, words: str) -> str:
    """A small card that says what is missing and what to do."""
    return article(
        f'<header class="hd"><div class="ti"><h4>{title}</h4><p class="me">{words}</p></div></header>', title, ()
    )


def _trace(view: Outline, roots: Sequence[Node], figures: Totals, limits: Limits) -> str:
    first = roots[0].span
    status, word = trace_status(roots, len(view.errors()))
    title = f'<span dir="auto">{name_html(first.name)}</span>'
    if len(roots) > 1:
        title += f" and {plural(len(roots) - 1, 'more root')}"
    tree, shown = tree_html(view, limits, label=f"Spans of trace {first.name}")
    judged = [verdict_html(verdict_of_trace([node.span for node in roots])), *where(first)]
    head = header(title, status_html(status, word or None), judged, trace_figures(figures))
    table = code("trace.to_pandas()")
    missing = len(view.lines) - shown
    notes = [f"{count(shown)} of {plural(len(view.lines), 'span')} shown"]
    notes += [f"{plural(missing, 'more span')}: {table}"] if missing else []
    if shown > limits.panels and any(line.span.input or line.span.output for line in view.lines):
        notes.append(f"inputs and outputs of {plural(limits.panels, 'span')} only")
    notes += [f"long values are cut, whole in {table}"] if was_cut(tree) else []
    notes += [] if missing or was_cut(tree) else [f"{table} for the table"]
    notes.append(f"{code('trace.timeline()')} for the timeline")
    notes += [f"{code('trace.conversation()')} for the chat"] if figures.llm_calls else []
    took = f", {duration(figures.duration)}" if figures.duration is not None else ""
    label = f"Trace {first.name}, {word or status}{took}"
    return article(head + tree + footer(*notes), label, ("tree",))


def trace_figures(figures: Totals) -> str:
    """A trace's figures, without those that nothing reported."""
    calls = f"{count(figures.llm_calls)} <small>of {plural(figures.spans, 'span')}</small>" if figures.llm_calls else ""
    return figures_html(
        [
            ("Duration", duration_figure(figures.duration)),
            ("First token", with_unit(duration(figures.ttft)) if figures.ttft is not None else ""),
            ("LLM calls", calls if figures.spans > 1 else ""),
            ("Spans", "" if calls or figures.spans == 1 else count(figures.spans)),
            ("Tokens", tokens_figure(figures)),
            ("Cost", cost_figure(figures.cost)),
        ]
    )


def span_html(span: SpanRow) -> str:
    """One span as static HTML: header and everything that was recorded of it.

    Args:
        span: The span.

    Returns:
        One `<article>` with its style sheet, at most 100 KB.
    """
    roots = forest([span])
    view = outline(roots)
    figures = totals([span])

    def render(limits: Limits) -> str:
        status, word = trace_status(roots, 0)
        title = f'{icon(span.kind)} <span dir="auto">{name_html(span.name)}</span>'
        shown = header(title, status_html(status, word or None), where(span), trace_figures(figures))
        panel = panel_html(view.lines[0], view, limits.value)
        cut = f"long values are cut, whole in {code('span.input')} and {code('span.output')}" if was_cut(panel) else ""
        body = f'<div class="tr">{panel}</div>{footer(cut) if cut else ""}'
        return article(shown + body, f"Span {span.name}, {status}", ("tree",))

    return fit(render)
