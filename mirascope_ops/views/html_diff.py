"""Two runs compared, as HTML: is the second one better, in what, by how much; then what changed, and where."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from mirascope_ops.analysis.deltas import Delta, deltas
from mirascope_ops.views.budget import Limits, fit
from mirascope_ops.views.escape import html_text, one_line
from mirascope_ops.views.format import date, plural, short_id
from mirascope_ops.views.html_delta import delta_html, measure
from mirascope_ops.views.html_diff_changes import Sections
from mirascope_ops.views.html_diff_rows import turns_html
from mirascope_ops.views.html_parts import article, code, footer, header, name_html, unseen, was_cut
from mirascope_ops.views.words import MINUS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mirascope_ops.analysis.diff import Change, Comparison, Figure
    from mirascope_ops.analysis.rows import SpanRow

_NAME = 60
_ACROSS = 6  # figures beside each other, at most
_MOST_COUNTED = 8
_NEUTRAL = frozenset({"LLM calls", "spans"})  # more of them is neither better nor worse; told where they differ


def diff_html(comparison: Comparison) -> str:
    """A comparison as static HTML.

    Args:
        comparison: The comparison.

    Returns:
        One `<article>` with its style sheet, at most 100 KB; what was cut is said, with the call that has it.

    Example:
        >>> from mirascope_ops.analysis.diff import compare
        >>> "no changes" in diff_html(compare([], []))
        True
    """
    rows = deltas(comparison)
    sides = _sides(rows)
    sections = Sections(comparison.changes)
    return fit(lambda limits: _diff(comparison, rows, sides, sections, limits))


def diff_title(comparison: Comparison) -> str:
    """What is compared, as plain text: "Comparison of monday and tuesday"."""
    return _plain_title(_sides(deltas(comparison)))


def _plain_title(sides: tuple[_Side, _Side]) -> str:
    names = list(dict.fromkeys(side.title for side in sides))
    shown = " and ".join(one_line(name, _NAME) for name in names)
    return f"Comparison of {shown if all(names) else 'two runs'}"


def _sides(rows: Sequence[Delta]) -> tuple[_Side, _Side]:
    return _Side([row.pair.a for row in rows]), _Side([row.pair.b for row in rows])


class _Side:
    """One run, as the header tells of it."""

    def __init__(self, spans: Sequence[SpanRow | None]) -> None:
        self.spans = sorted((span for span in spans if span is not None), key=lambda span: span.start)
        self.sessions = {span.session_id for span in self.spans}
        self.traces = {span.trace_id for span in self.spans}
        self.session = next(iter(self.sessions)) if len(self.sessions) == 1 else None
        self.roots = [span.name for span in self.spans if span.parent_id is None] if len(self.traces) == 1 else []

    @property
    def title(self) -> str:
        """What was run: the trace's name or the session's id; "" where it is several things."""
        return (self.roots[0] if self.roots else "") or self.session or ""

    def about(self, letter: str) -> str:
        """Where and when it ran."""
        if not self.spans:
            return f"{letter} no spans"
        first = self.spans[0]
        turns = [plural(len(self.traces), "turn")] if len(self.traces) > 1 else []
        trace = "" if turns else f'trace <span class="m">{html_text(short_id(first.trace_id))}</span>'
        session = f'session <span dir="auto">{name_html(self.session, _NAME)}</span>' if self.session else ""
        cell = f"In [{first.execution_count}]" if first.execution_count is not None else ""
        return f"{letter} {', '.join(part for part in (session, trace, *turns, cell, date(first.start)) if part)}"


def _diff(
    comparison: Comparison, rows: Sequence[Delta], sides: tuple[_Side, _Side], sections: Sections, limits: Limits
) -> str:
    title = _title(sides)
    number = len(comparison.changes)
    status = f'<span class="st ok">{plural(number, "change") if number else "no changes"}</span>'
    counts = _counts(comparison.changes)
    head = header(title, status, ["<br>".join([*counts, sides[0].about("A"), sides[1].about("B")])], "")
    changes, untold = sections.html(limits)
    trees, hidden = turns_html(rows, limits)
    body = head + _figures(comparison.figures) + changes + trees
    notes = [
        f"▲ + more, ▼ {MINUS} less; blue: B is better, orange: B is worse, grey: under 1 ms or equal",
        f"{plural(untold, 'more change')}: iterate over the diff" if untold else "",
        f"{plural(hidden, 'more span')}: {code('.to_pandas()')}" if hidden else "",
        f"long values are cut, whole in {code('.to_pandas()')}" if was_cut(body) else "",
        f"{code('.to_pandas()')} has every span of both runs, {code('.summary()')} the figures",
    ]
    label = f"{_plain_title(sides)}, {plural(number, 'change') if number else 'no changes'}"
    return article(f'<div class="df">{body}{footer(*notes)}</div>', label, ("diff",))


def _title(sides: tuple[_Side, _Side]) -> str:
    names = list(dict.fromkeys(side.title for side in sides))
    shown = " and ".join(f'<span dir="auto">{name_html(name, _NAME)}</span>' for name in names)
    return f"Comparison of {shown if all(names) else 'two runs'}"


def _counts(changes: Sequence[Change]) -> list[str]:
    """How many changes of which sort, the most important first."""
    words = {
        "error": "new error",
        "fixed": "fixed error",
        "attributes": "change of attributes",
        "tags": "change of tags",
    }
    plain = {"added", "removed", "moved"}
    found = Counter(change.what for change in changes)
    told = [
        f"{number:,} {what}" if what in plain else plural(number, words.get(what, f"changed {what}"), _many(what))
        for what, number in found.most_common(_MOST_COUNTED)
    ]
    told.sort(key=lambda word: "error" not in word)
    return [", ".join(told)] if told else ["Nothing differs but ids, times and the like"]


def _many(what: str) -> str | None:
    return {"attributes": "changes of attributes", "tags": "changes of tags", "status": "changed statuses"}.get(what)


def _figures(figures: Sequence[Figure]) -> str:
    items = ""
    for figure in figures:
        if (figure.a is None and figure.b is None) or (figure.name in _NEUTRAL and figure.a == figure.b):
            continue
        name = figure.name[:1].upper() + figure.name[1:]
        change = delta_html(figure.a, figure.b, figure.unit, share=True, neutral=figure.name in _NEUTRAL)
        items += (
            f"<li><i>{name}{unseen(': ')}</i><b>{unseen('B ')}{measure(figure.b, figure.unit)}</b>"
            f'<span class="q">{unseen(", ")}A {measure(figure.a, figure.unit)}</span>'
            f"{unseen(', ') + change if change else ''}</li>"
        )
    number = items.count("<li>")
    across = -(-number // 2) if number > _ACROSS else _ACROSS  # two rows of like length
    shown = f'<ul class="ks k{across}" aria-label="Figures of both runs">{items}</ul>'
    return shown if items else ""
