"""Small bar charts of a session's turns, as inline SVG."""

from __future__ import annotations

from statistics import median
from typing import TYPE_CHECKING

from mirascope_ops.views.escape import html_text, one_line
from mirascope_ops.views.format import duration, token_flow, tokens
from mirascope_ops.views.html_parts import unseen

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mirascope_ops.views.session_outline import TurnLine

# More turns than this are not told apart in so little room; the newest are shown.
_MOST_BARS = 60
_MOST_LABELS = 12
_WIDTH = 600
_HEIGHT = 56
_BAR = 0.56


def latency_figure(turns: Sequence[TurnLine]) -> str:
    """The turns' durations; failed ones in red. "" where none has ended."""
    shown = turns[-_MOST_BARS:]
    values = [line.turn.totals.duration for line in shown]
    known = [value for value in values if value is not None]
    if not known:
        return ""
    top = max([1, *known])
    titles = [
        f"{_name(line)} {duration(value)}" if value is not None else ""
        for line, value in zip(shown, values, strict=True)
    ]
    bars = ""
    for at, (line, value, title) in enumerate(zip(shown, values, titles, strict=True)):
        if value is not None:
            fill = "var(--err)" if line.turn.error else "var(--a)"
            bars += f"<g><title>{title}</title>{_rect(at, len(shown), 0, value / top, fill)}</g>"
    figures = f"median <b>{duration(int(median(known)))}</b>, max <b>{duration(top)}</b>"
    return _figure(f"Latency per turn{_part(turns)}{unseen(': ')}", figures, bars, titles, shown)


def tokens_per_turn_figure(turns: Sequence[TurnLine]) -> str:
    """The turns' tokens, input below output. "" where none were reported."""
    shown = turns[-_MOST_BARS:]
    totals = [line.turn.totals for line in shown]
    sums = [(one.input_tokens or 0) + (one.output_tokens or 0) for one in totals]
    if not any(sums):
        return ""
    top = max(sums)
    titles = [
        f"{_name(line)} {token_flow(one.input_tokens, one.output_tokens)}" if both else ""
        for line, one, both in zip(shown, totals, sums, strict=True)
    ]
    bars = ""
    for at, (one, both, title) in enumerate(zip(totals, sums, titles, strict=True)):
        if both:
            given = (one.input_tokens or 0) / top
            bars += f"<g><title>{title}</title>{_rect(at, len(shown), 0, given, 'var(--a)')}"
            answered = (one.output_tokens or 0) / top
            bars += f"{_rect(at, len(shown), given, answered, 'var(--b2)') if answered else ''}</g>"
    inputs = sum(one.input_tokens or 0 for one in totals)
    outputs = sum(one.output_tokens or 0 for one in totals)
    key = '<span style="color:var(--a)">■</span> input <span style="color:var(--b2)">■</span> output'
    figures = f"total <b>{tokens(inputs)} → {tokens(outputs)}</b>"
    return _figure(f"Tokens per turn{_part(turns)}, {key}{unseen(': ')}", figures, bars, titles, shown)


def _part(turns: Sequence[TurnLine]) -> str:
    """Of which turns the figures are, where these are not all."""
    return f", last {_MOST_BARS}" if len(turns) > _MOST_BARS else ""


def _name(line: TurnLine) -> str:
    name = f"turn {line.number}"
    if line.is_first_of_child:
        name = f"{one_line(line.session_id, 40)} {name}"
    return html_text(name)


def _rect(at: int, total: int, base: float, share: float, fill: str) -> str:
    room = _WIDTH / total
    height = max(1.5, (_HEIGHT - 4) * share)
    gap = 1 if base else 0
    top = _HEIGHT - (_HEIGHT - 4) * base - height - gap
    left = at * room + room * (1 - _BAR) / 2
    return f'<rect x="{left:.0f}" y="{top:.1f}" width="{room * _BAR:.0f}" height="{height:.1f}" fill="{fill}"/>'


def _figure(caption: str, figures: str, bars: str, titles: Sequence[str], shown: Sequence[TurnLine]) -> str:
    told = ", ".join(title for title in titles if title)
    line = f'<path d="M0 {_HEIGHT}H{_WIDTH}" stroke="var(--line2)" vector-effect="non-scaling-stroke"/>'
    shape = f'viewBox="0 0 {_WIDTH} {_HEIGHT}" preserveAspectRatio="none"'
    chart = f'<svg {shape} role="img" aria-label="{told}">{bars}{line}</svg>'
    head = f"<figcaption><span>{caption}</span><span>{figures}</span></figcaption>"
    return f"<figure>{head}{chart}{_labels(shown)}</figure>"


def _labels(shown: Sequence[TurnLine]) -> str:
    words: list[str] = []
    for line in shown:
        word = f"{one_line(line.session_id, 10)}: {line.number}" if line.is_first_of_child else str(line.number)
        words.append(word + (" ✕" if line.turn.error else ""))
    if len(words) > _MOST_LABELS:
        words = [words[0], words[-1]]
        ends = (' style="justify-content:start"', ' style="justify-content:end"')
    else:
        ends = ("",) * len(words)
    spans = "".join(f'<span{end} data-t="{html_text(word)}"></span>' for end, word in zip(ends, words, strict=True))
    return f'<div class="lb" aria-hidden="true">{spans}</div>'


def spark(lengths: Sequence[int | None], failed: Sequence[bool]) -> str:
    """A row of bars for a table's cell: the newest dozen of turns."""
    most = 12
    values = [value or 0 for value in lengths][-most:]
    marks = list(failed)[-most:]
    if not any(values):
        return ""
    top = max(values)
    bars = ""
    for at, (value, mark) in enumerate(zip(values, marks, strict=True)):
        height = max(1.5, 14 * value / top)
        fill = "var(--err)" if mark else "var(--a)"
        bars += f'<rect x="{at * 5}" y="{15 - height:.1f}" width="4" height="{height:.1f}" fill="{fill}"/>'
    return f'<svg width="60" height="16" viewBox="0 0 60 16" aria-hidden="true">{bars}</svg>'
