"""A session's card while the session goes on: small, and quick to make, as it is made ten times a second."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mirascope_ops.views.budget import Limits
from mirascope_ops.views.escape import html_text, one_line
from mirascope_ops.views.format import count, date, duration, plural, token_flow, usd
from mirascope_ops.views.html_parts import (
    article,
    chip,
    chips,
    cost_figure,
    figures_html,
    header,
    name_html,
    status_html,
)
from mirascope_ops.views.html_session import sparks_html, turn_html, turns_html
from mirascope_ops.views.html_tree import usage_columns
from mirascope_ops.views.live import LiveSession, running_names

if TYPE_CHECKING:
    from mirascope_ops.views.html_tree import Columns
    from mirascope_ops.views.session_outline import TurnLine

_MOST_BYTES = 30_000
_ROWS = (40, 16, 5)  # spans of a turn that runs, in the first of these that fits
_CLOSED = Limits(value=0, rows=0, panels=0)
_MOST_CHIPS = 12


def live_html(live: LiveSession) -> str:
    """A running session's card as static HTML; the card of the finished session takes its place in the end.

    Args:
        live: The session.

    Returns:
        One `<article>` with its style sheet, of some 10 to 30 KB however long the session is.
    """
    shown = ""
    for rows in _ROWS:
        shown = _card(live, Limits(value=160, rows=rows, panels=0))
        if len(shown) <= _MOST_BYTES:
            break
    return shown


def _card(live: LiveSession, limits: Limits) -> str:
    started = f"In [{live.execution_count}]" if live.execution_count is not None else ""
    about = [plural(live.turns, "turn"), started, date(live.started)]
    title = f'Session <span dir="auto">{name_html(live.session_id)}</span>'
    pairs = [chip(value, key) for key, value in list(live.attributes.items())[:_MOST_CHIPS]]
    body = header(title, status_html("open"), about, _figures(live), chips(pairs))
    body += f'<p class="go" role="status">{_progress(live)}</p>'
    body += sparks_html(live.past)
    longest = max([1, *(line.turn.totals.duration or 0 for line in (*live.past, *live.shown))])
    columns = usage_columns(line.view for line in live.shown)
    rows = "".join(_row(line, live, longest, limits, columns) for line in live.shown)
    hidden = live.turns - len(live.shown)
    more = f'<li class="more">{plural(hidden, "earlier turn")}</li>' if hidden > 0 else ""
    body += turns_html(more + rows, columns) if rows else ""
    return article(body, f"Session {one_line(live.session_id, 80)}, running", ("tree", "session", "live"))


def _figures(live: LiveSession) -> str:
    ended = live.turns - len(live.open_turns)
    failed = f" <small>{count(live.failed)} failed</small>" if live.failed else ""
    return figures_html(
        [
            ("Turns", f"{count(ended)} <small>of {count(live.turns)}</small>{failed}" if live.turns else ""),
            ("LLM calls", count(live.llm_calls) if live.llm_calls else ""),
            ("Tokens", token_flow(live.input_tokens, live.output_tokens)),
            ("Cost", cost_figure(live.cost)),
        ]
    )


def _progress(live: LiveSession) -> str:
    used = token_flow(live.input_tokens, live.output_tokens)
    parts = [
        f"<b>{duration(live.elapsed)}</b>",
        plural(live.spans, "span"),
        f"{used} tokens" if used else "",
        html_text(usd(live.cost)) if live.cost is not None else "",
    ]
    so_far = " · ".join(part for part in parts if part)
    running = html_text(running_names(live))
    return f'<span class="ru">●</span> {so_far} so far{f" · {running}" if running else ""}'


def _row(line: TurnLine, live: LiveSession, longest: int, limits: Limits, columns: Columns) -> str:
    if line.turn.trace_id in live.open_turns:
        line.view.total = max(line.view.total, live.now - line.view.start)
        return turn_html(line, longest, limits, columns, is_open=True)
    return turn_html(line, longest, _CLOSED, columns)
