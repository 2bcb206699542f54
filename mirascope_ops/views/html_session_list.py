"""Sessions as a table."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mirascope_ops.views.budget import Limits, fit
from mirascope_ops.views.escape import html_text, one_line
from mirascope_ops.views.format import count, date, duration, moment, plural, token_flow, usd
from mirascope_ops.views.html_parts import article, code, name_html, status_html
from mirascope_ops.views.html_table import foot_html, head_html, table_html
from mirascope_ops.views.html_trace import empty_html
from mirascope_ops.views.sparks import spark
from mirascope_ops.views.trace_list import sum_known
from mirascope_ops.views.verdicts import verdict_html
from mirascope_ops.views.words import NO_SESSIONS, session_word

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mirascope_ops.analysis.rows import SessionCard

_LAST_LIMIT = 120

_SESSION_COLUMNS = (
    ("Session", "id"),
    ("Status", ""),
    ("Verdict", ""),
    ("Last message", "gr q"),
    ("Latency by turn", "h7"),
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
    head = head_html("Sessions", f"{some}, newest first", "")
    missing = max(total, len(cards)) - len(shown)
    left = f"{count(missing)} more: {code('.to_pandas()')}" if missing else "All shown"
    foot = foot_html(left, f"{code('ops.get_session(id)')} {code('.to_pandas()')}")
    same_year = len({at.year if (at := moment(card.last_seen)) else 0 for card in shown}) == 1
    body = head + table_html(_SESSION_COLUMNS, [_session_row(card, same_year=same_year) for card in shown]) + foot
    return article(body, f"Sessions, {some}", ("list",))


def _session_row(card: SessionCard, *, same_year: bool) -> list[str]:
    own = [turn.totals for turn in card.turns]
    failed = sum(1 for turn in card.turns if turn.error)
    recovered = sum(1 for turn in card.turns if turn.recovered)
    status = status_html(card.status, plural(failed, "error") if failed else session_word(card, 0) or None)
    status += f' <span class="st wa h7">! {recovered} recovered</span>' if recovered else ""
    last = next((turn.user or turn.name for turn in reversed(card.turns)), "")
    busy = sum(one.duration or 0 for one in own)
    cost = sum_known([one.cost for one in own])
    seen = date(card.last_seen, seconds=False, year=not same_year)
    return [
        f'<span dir="auto">{name_html(card.session_id, 60)}</span>',
        status,
        verdict_html(card.verdict),
        html_text(one_line(last, _LAST_LIMIT)) if card.turns else "no spans yet",
        spark([one.duration for one in own], [turn.error is not None for turn in card.turns]),
        count(len(card.turns)) if card.turns else "",
        token_flow(sum_known([one.input_tokens for one in own]), sum_known([one.output_tokens for one in own])),
        html_text(usd(cost)) if cost is not None else "",
        duration(busy) if busy else "",
        f'<span title="{date(card.last_seen)}">{seen}</span>',
    ]
