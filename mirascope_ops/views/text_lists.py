"""Lists of sessions, traces and spans as text, in columns."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from mirascope_ops.analysis.tree import forest
from mirascope_ops.analysis.verdicts import verdict_of
from mirascope_ops.views.escape import one_line
from mirascope_ops.views.format import count, date, duration, plural, short_id, token_flow, usd
from mirascope_ops.views.hints import list_hint
from mirascope_ops.views.list_lines import session_line, trace_line
from mirascope_ops.views.outline import outline
from mirascope_ops.views.text_trace import name_text, status_text, title_text, trace_text
from mirascope_ops.views.trace_list import as_traces, by_trace
from mirascope_ops.views.verdicts import verdict_text
from mirascope_ops.views.words import NO_SESSIONS, NO_SPANS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mirascope_ops.analysis.rows import SessionCard, SpanRow

_MOST_ROWS = 100
_LIMIT = 60


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """Columns padded to their widest cell; those in which nothing is known are left out."""
    used = [at for at in range(len(heads)) if any(row[at] for row in rows)]
    widths = {at: max(len(heads[at]), *(len(row[at]) for row in rows)) for at in used}
    return ["  ".join(row[at].ljust(widths[at]) for at in used).rstrip() for row in (heads, *rows)]


def sessions_text(cards: Sequence[SessionCard], total: int) -> str:
    """Sessions as text, one line each.

    Args:
        cards: The sessions, newest first.
        total: How many there are in the store that fit the question.
    """
    if not cards:
        return NO_SESSIONS
    shown = cards[:_MOST_ROWS]
    rows: list[list[str]] = []
    for card in shown:
        line = session_line(card)
        rows.append(
            [
                name_text(card.session_id, 60),
                status_text(card.status),
                verdict_text(card.verdict),
                count(line.turns) if line.turns else "",
                token_flow(line.input_tokens, line.output_tokens),
                usd(line.cost) if line.cost is not None else "",
                duration(line.busy) if line.busy else "",
                date(card.last_seen),
                one_line("no spans yet" if line.last is None else line.last, _LIMIT),
            ]
        )
    missing = max(total, len(cards)) - len(shown)
    some = count(len(shown)) + (f" of {count(max(total, len(cards)))}" if missing else "")
    heads = ("session", "status", "verdict", "turns", "tokens", "cost", "time", "last seen", "last message")
    more = [f"{count(missing)} more: .to_pandas() has all"] if missing else []
    return "\n".join([f"Sessions, {some}", *_table(heads, rows), *more])


def spans_text(spans: Sequence[SpanRow], *, by: Literal["trace", "span"] | None = None) -> str:
    """A set of spans as text: one trace as a tree, several as a list of traces or of spans.

    Args:
        spans: The spans, of any traces.
        by: What a line is; None takes traces where the spans come with their trees, spans where they were
            picked out of them.
    """
    if not spans:
        return NO_SPANS
    if by == "trace" or (by is None and as_traces(spans)):
        groups = by_trace(spans)
        if by is None and len(groups) == 1:
            return trace_text(spans)
        rows = [_trace_row(group) for group in groups[:_MOST_ROWS]]
        heads = ("trace", "status", "verdict", "duration", "tokens", "cost", "spans", "id", "input")
        return _list("Traces", heads, rows, len(groups), "more trace")
    rows = [_span_row(span) for span in spans[:_MOST_ROWS]]
    heads = ("span", "status", "verdict", "duration", "tokens", "cost", "trace", "about")
    return _list("Spans", heads, rows, len(spans), "more span")


def _list(title: str, heads: Sequence[str], rows: Sequence[Sequence[str]], total: int, noun: str) -> str:
    missing = total - len(rows)
    some = count(len(rows)) + (f" of {count(total)}" if missing else "")
    more = [f"{plural(missing, noun)}: .to_pandas() has all"] if missing else []
    return "\n".join([f"{title}, {some}", *_table(heads, rows), *more])


def _trace_row(spans: Sequence[SpanRow]) -> list[str]:
    line = trace_line(spans)
    figures = line.figures
    return [
        title_text(line.root, 40),
        status_text(line.status, "ok, recovered" if line.word else ""),
        verdict_text(line.verdict),
        duration(figures.duration) if figures.duration is not None else "",
        token_flow(figures.input_tokens, figures.output_tokens),
        usd(figures.cost) if figures.cost is not None else "",
        count(figures.spans),
        name_text(short_id(line.root.trace_id)),
        one_line(line.said, _LIMIT),
    ]


def _span_row(span: SpanRow) -> list[str]:
    view = outline(forest([span]))
    return [
        title_text(span, 40),
        status_text(span.status),
        verdict_text(verdict_of(span.annotations)),
        duration(span.duration) if span.duration is not None else "",
        token_flow(span.input_tokens, span.output_tokens),
        usd(span.cost) if span.cost is not None else "",
        name_text(short_id(span.trace_id)),
        list_hint(view.lines[0], view, _LIMIT),
    ]
