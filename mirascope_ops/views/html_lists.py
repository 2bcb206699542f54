"""Lists as tables: sessions, traces, and spans without their traces."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from mirascope_ops.analysis.stats import totals
from mirascope_ops.analysis.tree import forest
from mirascope_ops.analysis.turns import turns
from mirascope_ops.views.budget import Limits, fit
from mirascope_ops.views.escape import html_text, one_line
from mirascope_ops.views.format import axis_step, count, date, duration, mark, moment, plural, short_id, token_flow, usd
from mirascope_ops.views.hints import hint
from mirascope_ops.views.html_parts import article, code, icon, name_html, status_html
from mirascope_ops.views.html_trace import empty_html, trace_html
from mirascope_ops.views.outline import Outline, error_line, outline
from mirascope_ops.views.sparks import spark
from mirascope_ops.views.styles import kind_class
from mirascope_ops.views.trace_list import Order, as_traces, by_trace, order_word, percentile, sum_known
from mirascope_ops.views.words import NO_SESSIONS, NO_SPANS, session_word, trace_status

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mirascope_ops.analysis.rows import Node, SessionCard, SpanRow, Totals

_INPUT_LIMIT = 120


def _table(columns: Sequence[tuple[str, str]], rows: Sequence[str]) -> str:
    heads = "".join(f'<th scope="col"{_class(name)}>{title}</th>' for title, name in columns)
    return f"<table><thead><tr>{heads}</tr></thead><tbody>{''.join(rows)}</tbody></table>"


def _class(name: str) -> str:
    return f' class="{name}"' if name else ""


def _row(columns: Sequence[tuple[str, str]], cells: Sequence[str], names: Sequence[str] = ()) -> str:
    """A row; a cell has its column's class and what `names` adds."""
    extra = [*names, *([""] * (len(cells) - len(names)))]
    shown = ""
    for (_, name), cell, added in zip(columns, cells, extra, strict=True):
        own = f"{name} {added}".strip()
        auto = ' dir="auto"' if "gr" in own.split() else ""
        shown += f"<td{_class(own)}{auto}>{cell}</td>"
    return f"<tr>{shown}</tr>"


def _head(title: str, about: str, right: str) -> str:
    aside = f'<span class="me">{right}</span>' if right else ""
    return f'<div class="tp"><h4>{title}</h4> <span class="q">{about}</span> {aside}</div>'


def _foot(left: str, right: str) -> str:
    return f'<p class="kb"><span>{left}</span> <span>{right}</span></p>'


# --- sessions ---------------------------------------------------------------------------------------------

_SESSION_COLUMNS = (
    ("Session", "id"),
    ("Status", ""),
    ("Last message", "gr q"),
    ("Latency by turn", "h6"),
    ("Turns", "nu"),
    ("Tokens", "nu h6"),
    ("Cost", "nu h6"),
    ("Time", "nu"),
    ("Last seen, UTC", "nu q h6"),
)


def sessions_html(cards: Sequence[SessionCard], total: int) -> str:
    """Sessions as a table.

    Args:
        cards: The sessions, newest first.
        total: How many there are in the store that fit the question.

    Returns:
        One `<article>` with its style sheet, at most 100 KB.
    """
    if not cards:
        return empty_html("Sessions", NO_SESSIONS)
    return fit(lambda limits: _sessions(cards, total, limits))


def _sessions(cards: Sequence[SessionCard], total: int, limits: Limits) -> str:
    shown = cards[: limits.items]
    some = count(len(shown)) + (f" of {count(total)}" if total > len(shown) else "")
    head = _head("Sessions", f"{some}, newest first", "")
    missing = max(total, len(cards)) - len(shown)
    left = f"{count(missing)} more: {code(f'ops.sessions(limit={max(total, len(cards))})')}" if missing else "All shown"
    foot = _foot(left, f"{code('ops.get_session(id)')} · {code('.to_pandas()')}")
    same_year = len({at.year if (at := moment(card.last_seen)) else 0 for card in shown}) == 1
    body = head + _table(_SESSION_COLUMNS, [_session_row(card, same_year=same_year) for card in shown]) + foot
    return article(body, f"Sessions, {some}", ("list",))


def _session_row(card: SessionCard, *, same_year: bool) -> str:
    own = [turn.totals for turn in card.turns]
    failed = sum(1 for turn in card.turns if turn.error)
    recovered = sum(1 for turn in card.turns if turn.recovered)
    status = status_html(card.status, plural(failed, "error") if failed else session_word(card, 0) or None)
    status += f' <span class="st wa h6">! {recovered} recovered</span>' if recovered else ""
    last = next((turn.user or turn.name for turn in reversed(card.turns)), "")
    busy = sum(one.duration or 0 for one in own)
    cost = sum_known([one.cost for one in own])
    seen = date(card.last_seen, seconds=False, year=not same_year)
    cells = [
        f'<span dir="auto">{name_html(card.session_id, 60)}</span>',
        status,
        html_text(one_line(last, _INPUT_LIMIT)) if card.turns else "no spans yet",
        spark([one.duration for one in own], [turn.error is not None for turn in card.turns]),
        count(len(card.turns)) if card.turns else "",
        token_flow(sum_known([one.input_tokens for one in own]), sum_known([one.output_tokens for one in own])),
        html_text(usd(cost)) if cost is not None else "",
        duration(busy) if busy else "",
        f'<span title="{date(card.last_seen)}">{seen}</span>',
    ]
    return _row(_SESSION_COLUMNS, cells)


# --- traces and spans -------------------------------------------------------------------------------------


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
        self.view: Outline = outline(roots)
        self.root: SpanRow = roots[0].span
        self.totals: Totals = totals(spans)
        self.errors = len(self.view.errors())
        self.status, _ = trace_status(roots, 0)


def _columns(first: str, last: str, scale: str) -> tuple[tuple[str, str], ...]:
    return (
        (first, "nm"),
        ("Status", ""),
        ("Input", "gr"),
        (scale, "h6"),
        ("Duration", "nu"),
        ("Tokens", "nu h6"),
        ("Cost", "nu h6"),
        ("Spans", "nu"),
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
    head = _head("Traces", f"{some}{order}", _summary(lengths, failed))
    missing = len(traces) - len(shown)
    left = f"{count(missing)} more: {code('.to_pandas()')}" if missing else "All shown"
    foot = _foot(left, f"{code('ops.get_trace(id)')} · {code('.figure()')} {code('.to_pandas()')}")
    rows = [_trace_row(columns, one, end) for one in shown]
    kinds = {one.root.kind for one in shown}
    return article(head + _table(columns, rows) + foot, f"Traces, {some}", ("list",), kinds)


def _summary(lengths: Sequence[int], failed: int) -> str:
    parts = (
        [f"p50 {duration(percentile(lengths, 0.5))}", f"p95 {duration(percentile(lengths, 0.95))}"] if lengths else []
    )
    parts += [plural(failed, "error")] if failed else []
    return " · ".join(parts)


def _trace_row(columns: Sequence[tuple[str, str]], one: _Trace, end: int) -> str:
    status = status_html(one.status)
    if one.status == "ok" and one.errors:
        status = '<span class="st wa">! recovered</span>'
    failed = one.status == "error"
    if failed:
        source = one.view.lines[one.view.lines[0].source].span if one.view.lines[0].source >= 0 else one.root
        said = one_line(error_line(source), _INPUT_LIMIT)
    else:
        asked = turns(one.spans)[0].user
        said = one_line(asked, _INPUT_LIMIT) if asked else hint(one.view.lines[0], one.view, _INPUT_LIMIT)
    return _cells(
        columns,
        one.root,
        status,
        said,
        failed=failed,
        took=one.totals.duration,
        end=end,
        used=one.totals,
        spans=count(one.totals.spans),
        identifier=one.root.trace_id,
    )


def _cells(
    columns: Sequence[tuple[str, str]],
    span: SpanRow,
    status: str,
    said: str,
    *,
    failed: bool,
    took: int | None,
    end: int,
    used: Totals | SpanRow,
    spans: str,
    identifier: str,
) -> str:
    width = f"{min(100.0, 100 * (took or 0) / end):.0f}%"
    bar = f'<span class="dur {kind_class(span.kind)}{" er" if failed else ""}"><i style="--w:{width}"></i></span>'
    cells = [
        f'{icon(span.kind)} <span dir="auto">{name_html(span.name, 60)}</span>',
        status,
        html_text(said),
        bar if took is not None else "",
        duration(took) if took is not None else "",
        token_flow(used.input_tokens, used.output_tokens),
        html_text(usd(used.cost)) if used.cost is not None else "",
        spans,
        f'<span title="{html_text(identifier[:64])}">{html_text(short_id(identifier))}</span>',
    ]
    return _row(columns, cells, ("", "", "e" if failed else "q"))


def _spans(spans: Sequence[SpanRow], limits: Limits) -> str:
    shown = spans[: limits.items]
    lengths = [span.duration for span in spans if span.duration is not None]
    end, scale = _scale(max(lengths, default=0))
    columns = _columns("Span", "Trace", scale)
    columns = tuple(("In", name) if title == "Spans" else (title, name) for title, name in columns)
    some = count(len(shown)) + (f" of {count(len(spans))}" if len(spans) > len(shown) else "")
    failed = sum(1 for span in spans if span.status == "error")
    head = _head("Spans", f"{some}{order_word([span.start for span in spans])}", _summary(lengths, failed))
    missing = len(spans) - len(shown)
    left = f"{plural(missing, 'more span')}: {code('.to_pandas()')}" if missing else "All shown"
    foot = _foot(left, f"{code('.filter(...)')} {code('.summary()')} {code('.to_pandas()')}")
    rows: list[str] = []
    for span in shown:
        view = outline(forest([span]))
        cell = f"[{span.execution_count}]" if span.execution_count is not None else ""
        rows.append(
            _cells(
                columns,
                span,
                status_html(span.status),
                hint(view.lines[0], view, _INPUT_LIMIT),
                failed=span.status == "error",
                took=span.duration,
                end=end,
                used=span,
                spans=cell,
                identifier=span.trace_id,
            )
        )
    kinds = {span.kind for span in shown}
    return article(head + _table(columns, rows) + foot, f"Spans, {some}", ("list",), kinds)
