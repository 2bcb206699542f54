"""The comparison of two runs as text: what differs, then the figures of both."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mirascope_ops.analysis.partdiff import told
from mirascope_ops.analysis.sequences import Effort
from mirascope_ops.views.escape import one_line
from mirascope_ops.views.format import count, duration, plural, tokens, usd
from mirascope_ops.views.text_trace import title_text

if TYPE_CHECKING:
    from mirascope_ops.analysis.diff import Change, Comparison, Figure

_MOST_CHANGES = 60
_MOST_LINES = 12
_WIDTH = 160
_SIGNS = {"=": " "}


def diff_text(comparison: Comparison) -> str:
    """A comparison as text, for terminals.

    Args:
        comparison: The comparison.

    Returns:
        Lines without a final newline; what was cut is said, with the call that has it.
    """
    changes = comparison.changes
    shown = [plural(len(changes), "change") if changes else "No changes"]
    effort = Effort()
    for change in changes[:_MOST_CHANGES]:
        shown += ["", change_line(change), *_texts(change, effort)]
    if len(changes) > _MOST_CHANGES:
        shown += ["", f"{plural(len(changes) - _MOST_CHANGES, 'more change')}: iterate over the diff for all of them"]
    figures = [figure_line(figure) for figure in comparison.figures if figure.a is not None or figure.b is not None]
    return "\n".join([*shown, "", *figures])


def change_line(change: Change) -> str:
    """One change on a line: what, where, and in how many spans."""
    where = f"turn {change.turn}, {title_text(change.span, 80)}"
    if change.what == "moved" and len(change.places) > 1:
        others = ", ".join(f"turn {place.pair.turn}" for place in change.places[1:] if not place.pair.depth)
        where += f", changed places with {others or one_line(change.places[1].pair.span.name, 80)}"
    elif change.elsewhere:
        where += f" and {plural(change.elsewhere, 'more span')}"
    return f"{change.what}  {where}"


def _texts(change: Change, effort: Effort) -> list[str]:
    lines = told(change.places[0], effort)
    found = [f"  {_SIGNS.get(sign, sign)} {one_line(text, _WIDTH)}" for sign, text in lines]
    found = [line for line in found if line.strip(" -+")]
    more = [f"  … {plural(len(found) - _MOST_LINES, 'more line')}"] if len(found) > _MOST_LINES else []
    return found[:_MOST_LINES] + more


def figure_line(figure: Figure) -> str:
    """A figure of both runs on a line: "duration: 348.8 ms -> 301.2 ms (-14%)"."""
    share = round(100 * figure.delta / figure.a) if figure.a and figure.delta is not None else 0
    told = f" ({share:+,}%)" if share else ""
    return f"{figure.name}: {_figure(figure, figure.a)} -> {_figure(figure, figure.b)}{told}"


def _figure(figure: Figure, value: float | None) -> str:
    if value is None:
        return "unknown"
    if figure.unit == "usd":
        return usd(value)
    number = round(value)
    return {"ns": duration, "tokens": tokens}.get(figure.unit, count)(number)
