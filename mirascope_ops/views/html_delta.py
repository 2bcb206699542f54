"""What became of a span or a figure from one run to the other: a mark, by how much, and whether that is better."""

from __future__ import annotations

from typing import Literal

from mirascope_ops.views.escape import html_text
from mirascope_ops.views.format import count, duration, tokens, usd
from mirascope_ops.views.html_parts import unseen
from mirascope_ops.views.words import CHANGE_MARKS, MINUS

Unit = Literal["ns", "tokens", "usd", ""]

_MS = 1_000_000
_LEAST_USD = 5e-7  # less is written as nothing
_TIMES = 10  # from here on a factor says more than a percentage


def measure(value: float | None, unit: Unit) -> str:
    """A figure with its unit.

    Example:
        >>> measure(0.5, "usd"), measure(None, "ns")
        ('$0.5000', 'unknown')
    """
    if value is None:
        return "unknown"
    if unit == "usd":
        return html_text(usd(value))
    number = round(value)
    return {"ns": duration, "tokens": tokens}.get(unit, count)(number)


def delta_html(
    before: float | None, after: float | None, unit: Unit, *, share: bool = False, neutral: bool = False
) -> str:
    """A change: sign, amount, and for screen readers whether it is better.

    Args:
        before: The figure of the first run.
        after: That of the second run.
        unit: What is measured; less of it is better.
        share: Tell the percentage too.
        neutral: Less of it is neither better nor worse.

    Returns:
        The HTML; "" where either figure is unknown.
    """
    if before is None or after is None:
        return ""
    change = after - before
    if abs(change) < (_LEAST_USD if unit == "usd" else 0.5):  # half of the smallest step
        return '<span class="dl eq">=</span>'
    amount = measure(abs(change), unit)
    if unit == "ns" and abs(change) < _MS:
        return f'<span class="dl eq">{_sign(change)}{amount}</span>'
    told = _share(before, after) if share and before > 0 else ""
    part = f" ({told})" if told else ""
    arrow = f"{'▼' if change < 0 else '▲'} {_sign(change)}{amount}{part}"
    if neutral:
        return f'<span class="dl eq">{arrow}</span>'
    name, word = ("be", " better") if change < 0 else ("wo", " worse")
    return f'<span class="dl {name}">{arrow}{unseen(word)}</span>'


def change_mark(what: str) -> str:
    """The mark of what became of a span, with its word for screen readers; "" where nothing did."""
    if what not in CHANGE_MARKS:
        return ""
    name, sign, word = CHANGE_MARKS[what]
    return f'<span class="mk{f" {name}" if name else ""}" aria-hidden="true">{sign}</span>{unseen(f" {word}: ")}'


def _sign(change: float) -> str:
    return MINUS if change < 0 else "+"


def _share(before: float, after: float) -> str:
    if after >= _TIMES * before:
        return f"{after / before:,.0f} times"
    change = round(100 * (after - before) / before)
    return f"{_sign(change)}{abs(change)}%" if change else ""
