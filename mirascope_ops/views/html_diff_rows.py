"""The spans of two runs side by side: turn by turn, on one time scale, with what became of each."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, NamedTuple

from mirascope_ops.analysis.origins import error_words
from mirascope_ops.analysis.tree import forest
from mirascope_ops.views.escape import html_text, one_line
from mirascope_ops.views.format import axis_step, duration, mark, plural
from mirascope_ops.views.hints import hint
from mirascope_ops.views.html_delta import Unit, change_mark, delta_html
from mirascope_ops.views.html_parts import icon, name_html, unseen
from mirascope_ops.views.outline import outline
from mirascope_ops.views.styles import kind_class

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mirascope_ops.analysis.deltas import Delta
    from mirascope_ops.analysis.rows import SpanRow
    from mirascope_ops.views.budget import Limits

_HINT: Final = 60
_MOST_DEPTH: Final = 6
_OPEN: Final = 5  # turns that are open
_LEGEND: Final = 'aligned by content <span class="lk"></span>A <span class="lk bb"></span>B'
_LEAST_ROWS: Final = 4  # of a turn


@dataclass(slots=True)
class _Turn:
    """The pairs of one tree, with the time scale of both runs."""

    number: int
    rows: list[Delta] = field(default_factory=list["Delta"])
    starts: tuple[int, int] = (0, 0)
    longest: int = 1

    @property
    def differs(self) -> bool:
        """Whether anything in it differs."""
        return self.rows[0].differs

    def measure(self) -> None:
        """Find where each run's time begins, and how long the longer one is."""
        root = self.rows[0].pair
        runs = [row.pair.a for row in self.rows], [row.pair.b for row in self.rows]
        began = [min((span.start for span in run if span is not None), default=0) for run in runs]
        # A span that came from another tree does not say when this one began.
        self.starts = (root.a.start if root.a else began[0], root.b.start if root.b else began[1])
        longest = max([1, *(span.duration or 0 for span in (root.a, root.b) if span is not None)])
        step = axis_step(longest, 10)
        self.longest = -(-longest // step) * step


class _Used(NamedTuple):
    """Which of the columns have anything to tell."""

    tokens: bool
    cost: bool


def turns_html(rows: Sequence[Delta], limits: Limits) -> tuple[str, int]:
    """The aligned trees.

    Args:
        rows: All pairs, each before those below it.
        limits: How many of them.

    Returns:
        The HTML, and how many spans it leaves out.
    """
    turns: list[_Turn] = []
    for row in rows:
        if not row.pair.depth:
            turns.append(_Turn(row.pair.turn))
        turns[-1].rows.append(row)
    for turn in turns:
        turn.measure()
    used = _Used(
        any(usage.tokens is not None for row in rows for usage in (row.a, row.b)),
        any(usage.cost is not None for row in rows for usage in (row.a, row.b)),
    )
    changed = [turn for turn in turns if turn.differs]
    equal = [turn for turn in turns if not turn.differs]
    if len(turns) == 1:
        changed, equal = turns, []
    shown = changed[: limits.items]
    most = max(_LEAST_ROWS, limits.rows // max(1, len(shown)))
    body = "".join(
        _turn_html(turn, most, alone=len(turns) == 1, is_open=place < _OPEN, legend=not place, used=used)
        for place, turn in enumerate(shown)
    )
    listed = equal[: limits.items]
    body += _equal_html(listed, len(equal), used=used)
    visible = sum(min(most, len(turn.rows)) for turn in shown) + sum(len(turn.rows) for turn in listed)
    return body, len(rows) - visible


def _turn_html(turn: _Turn, most: int, *, alone: bool, is_open: bool, legend: bool, used: _Used) -> str:
    kept = _kept(turn.rows, most)
    rest = len(turn.rows) - len(kept)
    title = "Spans" if alone else f"Spans of turn {turn.number}"
    heading = f'{title} <span class="q">{_LEGEND if legend else ""}</span>'
    more = f'<p class="more">{plural(rest, "more span")}</p>' if rest else ""
    table = (
        _table(title, "Span", f"0 to {mark(turn.longest)}", [_row(row, turn, used=used) for row in kept], used=used)
        + more
    )
    if alone:
        return f"<h5>{heading}</h5>{table}"
    state = " open" if is_open else ""
    return f'<details class="sc"{state}><summary><b>{heading}</b></summary>{table}</details>'


def _equal_html(turns: Sequence[_Turn], number: int, *, used: _Used) -> str:
    """The turns in which nothing differs: their roots, on one scale."""
    if not turns:
        return ""
    longest = max(turn.longest for turn in turns)
    for turn in turns:
        turn.longest = longest
    rows = [_row(turn.rows[0], turn, used=used, number=turn.number) for turn in turns]
    more = f'<p class="more">{plural(number - len(turns), "more turn")}</p>' if number > len(turns) else ""
    heading = f"<b>{plural(number, 'turn')} without changes</b>"
    table = _table("Turns without changes", "Turn", f"0 to {mark(longest)}", rows, used=used)
    return f'<details class="sc"><summary>{heading}</summary>{table}{more}</details>'


def _kept(rows: Sequence[Delta], most: int) -> list[Delta]:
    """The rows to show where not all fit: those that differ, with those above them, then from the top on."""
    if len(rows) <= most:
        return list(rows)
    chosen: set[int] = {0}
    path: list[int] = []
    for place, row in enumerate(rows):
        del path[row.pair.depth :]
        path.append(place)
        if row.state == "same" or len(chosen) >= most:
            continue
        missing: list[int] = []
        for above in reversed(path):
            if above in chosen:
                break
            missing.append(above)
        if len(chosen) + len(missing) <= most:
            chosen.update(missing)
    # Then the top of the tree, and what is left of the room from the first row on: parents come before children.
    top = [place for place, row in enumerate(rows) if row.pair.depth <= 1]
    for place in (*top, *range(len(rows))):
        if len(chosen) >= most:
            break
        chosen.add(place)
    return [rows[place] for place in sorted(chosen)]


def _table(label: str, first: str, scale: str, rows: Sequence[str], *, used: _Used) -> str:
    usage = '<th scope="col" class="c3">Tokens</th>' if used.tokens else ""
    usage += '<th scope="col" class="c4">Cost</th>' if used.cost else ""
    head = (
        f'<tr><th scope="col">{first}</th><th scope="col" class="c1">{scale}</th>'
        f'<th scope="col" class="c2">Duration</th>{usage}</tr>'
    )
    return f'<table aria-label="{label}"><thead>{head}</thead><tbody>{"".join(rows)}</tbody></table>'


def _row(row: Delta, turn: _Turn, *, used: _Used, number: int = 0) -> str:
    pair = row.pair
    # What only one run has is all gained, or all lost.
    none = 0 if pair.a is None or pair.b is None else None
    durations = [none if span is None else span.duration for span in (pair.a, pair.b)]
    took = delta_html(durations[0], durations[1], "ns")
    cells = f'<td class="c1">{_bars(row, turn)}</td><td class="c2">{took}</td>'
    if used.tokens:
        cells += f'<td class="c3">{_change(row.a.tokens, row.b.tokens, none, "tokens")}</td>'
    if used.cost:
        cells += f'<td class="c4">{_change(row.a.cost, row.b.cost, none, "usd")}</td>'
    name = ' class="rm"' if row.state == "removed" else ""
    return f"<tr{name}><td>{_name(row, number)}</td>{cells}</tr>"


def _change(before: float | None, after: float | None, none: int | None, unit: Unit) -> str:
    if before is None and after is None:
        return ""
    return delta_html(none if before is None else before, none if after is None else after, unit)


def _name(row: Delta, number: int) -> str:
    span, depth = row.pair.span, row.pair.depth
    failed = any(one.what == "error" for one in row.found)
    indent = f" d{min(depth, _MOST_DEPTH)}" if depth else ""
    level = unseen(f"level {depth + 1}: ") if depth else ""
    if depth > _MOST_DEPTH:
        level = f'<span class="ch">L{depth + 1}</span>{unseen(" ")}'
    marked = change_mark("error" if failed else row.state)
    words = f"turn {number}" if number else _hint(row, span)
    sort = "e" if failed else "q ww" if row.state == "changed" else "q"
    about = f'<span class="{sort}" dir="auto">{unseen(" ")}{html_text(words)}</span>' if words else ""
    name = f'<b dir="auto">{name_html(span.name)}</b>'
    return f'<span class="sn{indent}">{level}{icon(span.kind)}{marked}{name}{about}</span>'


def _hint(row: Delta, span: SpanRow) -> str:
    if any(one.what == "error" for one in row.found):
        return one_line(error_words(span), _HINT)
    if row.state == "changed" and row.words:
        return ", ".join(row.words)
    view = outline(forest([span]))
    words = hint(view.lines[0], view, _HINT)
    return "" if words in span.name else words  # many libraries name the model twice


def _bars(row: Delta, turn: _Turn) -> str:
    bars = ""
    told: list[str] = []
    for span, start, name, letter in (
        (row.pair.a, turn.starts[0], "", "A"),
        (row.pair.b, turn.starts[1], ' class="bb"', "B"),
    ):
        told.append(f"{letter} {_took(span)}")
        if span is not None:
            begin = min(max(0, span.start - start), turn.longest)
            length = min(span.duration or 0, turn.longest - begin)
            bars += f'<i{name} style="--x:{_share(begin, turn)};--w:{_share(length, turn)}"></i>'
    return f'<span class="ab {kind_class(row.pair.span.kind)}">{bars}</span>{unseen(", ".join(told))}'


def _took(span: SpanRow | None) -> str:
    if span is None:
        return "none"
    return span.status if span.duration is None else duration(span.duration)


def _share(ns: int, turn: _Turn) -> str:
    return f"{100 * ns / turn.longest:.1f}".removesuffix(".0") + "%"
