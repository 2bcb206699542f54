"""Traces, and spans without their traces, as tables."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from mirascope_ops.analysis.stats import totals
from mirascope_ops.analysis.tree import forest
from mirascope_ops.analysis.turns import turns
from mirascope_ops.analysis.verdicts import verdict_of, verdict_of_trace
from mirascope_ops.views.budget import Limits, fit
from mirascope_ops.views.escape import html_text, one_line
from mirascope_ops.views.format import axis_step, count, duration, mark, plural, short_id, token_flow, usd
from mirascope_ops.views.hints import hint, list_hint
from mirascope_ops.views.html_parts import article, code, icon, name_html, status_html
from mirascope_ops.views.html_table import foot_html, head_html, table_html
from mirascope_ops.views.html_trace import empty_html, trace_html
from mirascope_ops.views.outline import Outline, error_line, outline
from mirascope_ops.views.styles import kind_class
from mirascope_ops.views.trace_list import Order, as_traces, by_trace, order_word, percentile
from mirascope_ops.views.verdicts import verdict_html
from mirascope_ops.views.words import NO_SPANS, trace_status

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mirascope_ops.analysis.rows import Node, SpanRow, Totals

_INPUT_LIMIT = 120


def spans_html(spans: Sequence[SpanRow], *, by: Literal["trace", "span"] | None = None) -> str:
    """A set of spans as static HTML: one trace as a tree, several as a table of traces or of spans.

    Args:
        spans: The spans, of any traces.
        by: What a row of the table is; None takes traces where the spans come with their trees, spans where
            they were picked out of them.

    Returns:
        One `<article>` with its style sheet, at most 100 KB.
    """
    if not spans:
        return empty_html("Spans", NO_SPANS)
    if by == "trace" or (by is None and as_traces(spans)):
        groups = by_trace(spans)
        if by is None and len(groups) == 1:
            return trace_html(spans)
        order = order_word([group[0].start for group in groups])
        traces = [_Trace(group) for group in groups]
        return fit(lambda limits: _traces(traces, order, limits))
    return fit(lambda limits: _spans(spans, limits))


class _Trace:
    """One row of the table of traces."""

    def __init__(self, spans: Sequence[SpanRow]) -> None:
        roots: list[Node] = forest(spans)
        self.spans = spans
        self.roots = roots
        self.view: Outline = outline(roots)
        self.root: SpanRow = roots[0].span
        self.totals: Totals = totals(spans)
        self.errors = len(self.view.errors())
        self.status, _ = trace_status(roots, 0)


def _columns(first: str, last: str, scale: str) -> tuple[tuple[str, str], ...]:
    return (
        (first, "nm"),
        ("Status", ""),
        ("Verdict", ""),
        ("Input", "gr"),
        (scale, "h7"),
        ("Duration", "nu"),
        ("Tokens", "nu h6"),
        ("Cost", "nu h6"),
        ("Spans", "nu h7"),
        (last, "id q h6"),
    )


def _scale(longest: int) -> tuple[int, str]:
    """The common scale of the bars: a round number of the longest, and the column's title."""
    step = axis_step(longest, 10)
    end = -(-longest // step) * step
    return max(1, end), f"0 to {mark(end) if end else '0 ms'}"


def _traces(traces: Sequence[_Trace], order: Order, limits: Limits) -> str:
    shown = traces[: limits.items]
    lengths = [one.totals.duration for one in traces if one.totals.duration is not None]
    end, scale = _scale(max(lengths, default=0))
    columns = _columns("Trace", "Id", scale)
    some = count(len(shown)) + (f" of {count(len(traces))}" if len(traces) > len(shown) else "")
    failed = sum(1 for one in traces if one.status == "error")
    head = head_html("Traces", f"{some}{order}", _summary(lengths, failed))
    missing = len(traces) - len(shown)
    left = f"{count(missing)} more: {code('.to_pandas()')}" if missing else "All shown"
    foot = foot_html(
        left, f"{code('ops.get_trace(id)')} · {code('.timeline()')} {code('.to_pandas()')} {code('.review()')}"
    )
    rows = [_trace_row(one, end) for one in shown]
    added = ["e" if one.status == "error" else "q" for one in shown]
    return article(head + table_html(columns, rows, added) + foot, f"Traces, {some}", ("list",))


def _summary(lengths: Sequence[int], failed: int) -> str:
    parts = (
        [f"p50 {duration(percentile(lengths, 0.5))}", f"p95 {duration(percentile(lengths, 0.95))}"] if lengths else []
    )
    parts += [plural(failed, "error")] if failed else []
    return " · ".join(parts)


def _trace_row(one: _Trace, end: int) -> list[str]:
    status = status_html(one.status)
    if one.status == "ok" and one.errors:
        status = '<span class="st wa">! recovered</span>'
    failed = one.status == "error"
    if failed:
        source = next(line.source for line in one.view.lines if line.depth == 0 and line.source >= 0)
        said = one_line(error_line(one.view.lines[source].span), _INPUT_LIMIT)
    else:
        asked = turns(one.spans)[0].user
        said = one_line(asked, _INPUT_LIMIT) if asked else hint(one.view.lines[0], one.view, _INPUT_LIMIT)
    return _cells(
        one.root,
        status,
        said,
        failed=failed,
        took=one.totals.duration,
        end=end,
        used=one.totals,
        verdict=verdict_html(verdict_of_trace([node.span for node in one.roots])),
        spans=count(one.totals.spans),
        identifier=one.root.trace_id,
    )


def _cells(
    span: SpanRow,
    status: str,
    said: str,
    *,
    failed: bool,
    took: int | None,
    end: int,
    used: Totals | SpanRow,
    verdict: str,
    spans: str,
    identifier: str,
) -> list[str]:
    width = f"{min(100.0, 100 * (took or 0) / end):.0f}%"
    bar = f'<span class="dur {kind_class(span.kind)}{" er" if failed else ""}"><i style="--w:{width}"></i></span>'
    return [
        f'{icon(span.kind)} <span dir="auto">{name_html(span.name, 60)}</span>',
        status,
        verdict,
        html_text(said),
        bar if took is not None else "",
        duration(took) if took is not None else "",
        token_flow(used.input_tokens, used.output_tokens),
        html_text(usd(used.cost)) if used.cost is not None else "",
        spans,
        f'<span title="{html_text(identifier[:64])}">{html_text(short_id(identifier))}</span>',
    ]


def _spans(spans: Sequence[SpanRow], limits: Limits) -> str:
    shown = spans[: limits.items]
    lengths = [span.duration for span in spans if span.duration is not None]
    end, scale = _scale(max(lengths, default=0))
    columns = _columns("Span", "Trace", scale)
    columns = tuple(("In", name) if title == "Spans" else (title, name) for title, name in columns)
    some = count(len(shown)) + (f" of {count(len(spans))}" if len(spans) > len(shown) else "")
    failed = sum(1 for span in spans if span.status == "error")
    head = head_html("Spans", f"{some}{order_word([span.start for span in spans])}", _summary(lengths, failed))
    missing = len(spans) - len(shown)
    left = f"{plural(missing, 'more span')}: {code('.to_pandas()')}" if missing else "All shown"
    foot = foot_html(left, f"{code('.filter(...)')} {code('.summary()')} {code('.to_pandas()')}")
    rows: list[list[str]] = []
    for span in shown:
        view = outline(forest([span]))
        cell = f"[{span.execution_count}]" if span.execution_count is not None else ""
        rows.append(
            _cells(
                span,
                status_html(span.status),
                list_hint(view.lines[0], view, _INPUT_LIMIT),
                failed=span.status == "error",
                took=span.duration,
                end=end,
                used=span,
                verdict=verdict_html(verdict_of(span.annotations)),
                spans=cell,
                identifier=span.trace_id,
            )
        )
    added = ["e" if span.status == "error" else "q" for span in shown]
    return article(head + table_html(columns, rows, added) + foot, f"Spans, {some}", ("list",))
