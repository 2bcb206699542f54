"""A session's card: what it was, how it went turn by turn, and each turn's trace to open."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mirascope_ops.analysis.verdicts import verdict_of_trace
from mirascope_ops.views.budget import Limits, fit
from mirascope_ops.views.escape import html_text, one_line
from mirascope_ops.views.format import count, date, duration, plural, short_id, token_flow, usd
from mirascope_ops.views.html_parts import (
    COMMA,
    article,
    call,
    chip,
    chips,
    code,
    cost_figure,
    figures_html,
    footer,
    header,
    name_html,
    status_html,
    tokens_figure,
    unseen,
    was_cut,
)
from mirascope_ops.views.html_tree import Columns, tree_html, usage_columns, usage_html
from mirascope_ops.views.session_outline import SessionOutline, TurnLine, session_outline
from mirascope_ops.views.sparks import latency_figure, tokens_per_turn_figure
from mirascope_ops.views.verdicts import verdict_html
from mirascope_ops.views.words import STATUS, run_words, session_word

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mirascope_ops.analysis.rows import SessionCard

_MOST_CHIPS = 24
# Child sessions below children of children keep to this level; their line names the parent.
_MOST_NESTING = 3
_LARGE_NUMBER = 100
# So many turns have a line at least, and some of them nothing but that.
_LISTED = 32
_TEXT, _SHORT_TEXT = 160, 90  # characters of what was said, and in such a line
_CLOSED = Limits(value=0, rows=0, panels=0)


def session_html(card: SessionCard) -> str:
    """A session's card as static HTML.

    Args:
        card: The session with its turns and child sessions.

    Returns:
        One `<article>` with its style sheet, at most 100 KB; what was cut is said with the call that shows it.
        A session without spans gives a small card that says how to trace something.
    """
    view = session_outline(card)
    if not view.turns and not card.totals.spans:
        return _empty(card)
    return fit(lambda limits: _session(view, limits))


def _chips(card: SessionCard) -> str:
    items = [chip(value, key) for key, value in list(card.attributes.items())[:_MOST_CHIPS]]
    items += [chip(tag) for tag in card.tags[:_MOST_CHIPS]]
    rest = len(card.attributes) + len(card.tags) - len(items)
    items += [f'<span class="q">{count(rest)} more</span>'] if rest > 0 else []
    return chips(items)


def _title(card: SessionCard) -> str:
    return f'Session <span dir="auto">{name_html(card.session_id)}</span>'


def _empty(card: SessionCard) -> str:
    status = status_html(card.status) if card.status in {"open", "interrupted"} else ""
    started = f"In [{card.execution_count}]" if card.execution_count is not None else ""
    head = header(_title(card), status, ["no spans yet", started, date(card.first_seen)], "", _chips(card))
    ways = (
        f'<p class="me">Nothing was traced here. Put {code("@ops.trace")} on a function and call it in the session, '
        f"or wrap code in {code('with ops.span(name):')} blocks; instrumented libraries join by themselves.</p>"
    )
    return article(head + ways, f"Session {one_line(card.session_id, 80)}, no spans", ())


def _status(view: SessionOutline) -> str:
    status = view.card.status
    failed = sum(1 for line in view.turns if line.turn.error)
    recovered = sum(1 for line in view.turns if line.turn.recovered)
    shown = status_html(status, session_word(view.card, failed) or None)
    return f'{shown}{unseen(", ")} <span class="st wa">! {recovered} recovered</span>' if recovered else shown


def _meta(view: SessionOutline) -> list[str]:
    card = view.card
    turns = plural(len(view.turns), "turn")
    sessions = len(view.sections)
    took = f", {duration(view.busy)}" if view.busy else ""
    return [
        verdict_html(card.verdict),
        f"{turns} in {plural(sessions, 'session')}" if sessions > 1 else turns,
        plural(card.runs, "run") if card.runs > 1 else "",
        run_words(card),
        f"In [{card.execution_count}]" if card.execution_count is not None else "",
        f"{date(card.totals.start or card.first_seen)}{took}",
    ]


def _figures(view: SessionOutline) -> str:
    totals = view.card.totals
    turns = len(view.turns)
    good = sum(1 for line in view.turns if not line.turn.error)
    failed = f" <small>{count(totals.llm_errors)} failed</small>" if totals.llm_errors else ""
    return figures_html(
        [
            ("Turns", f"{count(good)} <small>of {count(turns)} ok</small>" if good < turns else count(turns)),
            ("LLM calls", f"{count(totals.llm_calls)}{failed}" if totals.llm_calls else ""),
            ("Tokens", tokens_figure(totals)),
            ("Cost", cost_figure(totals.cost)),
        ]
    )


def _session(view: SessionOutline, limits: Limits) -> str:
    card = view.card
    opened = view.most_telling(limits.items)
    # Turns have their line also where there is no room for their spans.
    shown = view.most_telling(max(limits.items, _LISTED if limits.panels else 0))
    each = max(1, len(opened))
    per_turn = Limits(
        value=limits.value, rows=max(3, limits.rows // each), panels=limits.panels // each, items=limits.items
    )
    body = header(_title(card), _status(view), _meta(view), _figures(view), _chips(card))
    body += sparks_html(view.turns)
    columns = usage_columns(line.view for line in view.turns)
    open_levels: list[int] = []
    for number, section in enumerate(view.sections[: limits.items]):
        depth = min(section.depth, _MOST_NESTING)
        while open_levels and open_levels[-1] >= depth:
            open_levels.pop()
            body += "</div></details>"
        if number:
            body += f'<details class="sub" open><summary>{_child(section.card)}</summary><div class="nx">'
            open_levels.append(depth)
        inside = [line for line in section.turns if line.place in shown]
        items = "".join(
            turn_html(line, view.longest, per_turn if line.place in opened else _CLOSED, columns) for line in inside
        )
        body += turns_html(_missing(section.turns, inside) + items, columns)
    body += "</div></details>" * len(open_levels)
    body += _footer(view, len(shown), limits, body)
    word = STATUS[card.status][1]
    label = f"Session {one_line(card.session_id, 80)}, {plural(len(view.turns), 'turn')}, {word}"
    return article(body, label, ("tree", "session"))


def _missing(turns: Sequence[TurnLine], shown: Sequence[TurnLine]) -> str:
    """How many turns of a session have no line; they stand before those that have, as most of them came before."""
    number = len(turns) - len(shown)
    if not number:
        return ""
    word = "earlier turn" if shown and turns[number].place == shown[0].place else "more turn"
    return f'<li class="more">{plural(number, word)}</li>'


def sparks_html(turns: Sequence[TurnLine]) -> str:
    """Latency and tokens turn by turn, as bars; "" for a single turn."""
    shown = [latency_figure(turns), tokens_per_turn_figure(turns)] if len(turns) > 1 else []
    return f'<div class="sp">{"".join(shown)}</div>' if any(shown) else ""


def _child(card: SessionCard) -> str:
    parent = f"child of {name_html(card.parent_session_id, 60)}" if card.parent_session_id is not None else ""
    used = token_flow(card.totals.input_tokens, card.totals.output_tokens)
    parts = [
        parent,
        plural(len(card.turns), "turn") if card.turns else "no spans yet",
        f"{used} tokens" if used else "",
        html_text(usd(card.totals.cost)) if card.totals.cost is not None else "",
    ]
    shown = f'<b>{_title(card)}</b>{COMMA}<span class="q">{" · ".join(part for part in parts if part)}</span>'
    failed = sum(1 for turn in card.turns if turn.error)
    recovered = sum(1 for turn in card.turns if turn.recovered)
    if failed:
        shown += f'{COMMA}<span class="st er">✕ {plural(failed, "error")}</span>'
    elif card.status in {"open", "interrupted"}:
        shown += COMMA + status_html(card.status)
    if card.verdict is not None:
        shown += COMMA + verdict_html(card.verdict)
    return shown + (f'{COMMA}<span class="st wa">! {recovered} recovered</span>' if recovered else "")


def turns_html(items: str, columns: Columns) -> str:
    """The list that rows of turns stand in; "" without any."""
    name = f"tu {columns}" if columns else "tu"
    return f'<ol class="{name}">{items}</ol>' if items else ""


def turn_html(line: TurnLine, longest: int, limits: Limits, columns: Columns, *, is_open: bool = False) -> str:
    """A turn's row, which opens to the tree of its spans.

    Args:
        line: The turn.
        longest: Nanoseconds that fill the bar.
        limits: How much of the tree is shown; without any rows it opens to the call that shows it.
        columns: Those that the session's turns need.
        is_open: Show the tree from the start.
    """
    turn = line.turn
    totals = turn.totals
    small = " lg" if line.number >= _LARGE_NUMBER else ""
    most = _TEXT if limits.rows else _SHORT_TEXT
    asked = html_text(one_line(turn.user or turn.name, most))
    usage = usage_html(totals.input_tokens, totals.output_tokens, totals.cost, columns)
    took = duration(totals.duration) if totals.duration is not None else ""
    share = f"{100 * (totals.duration or 0) / longest:.1f}%"
    bar = (
        f'<span class="b{" er" if turn.error else ""}" style="--w:{share}"></span>'
        if totals.duration
        else "<span></span>"
    )
    row = (
        f'<summary><span class="w"><span class="no{small}"></span>'
        f'<span class="us" dir="auto">{asked}</span>{_answer(line, most)}</span>'
        f'{bar}{usage}<span class="d">{took}</span></summary>'
    )
    inside = _spans_html(line, limits, columns) if limits.rows else _elsewhere(line) if not is_open else ""
    return f'<li value="{line.number}"><details{" open" if is_open else ""}>{row}{inside}</details></li>'


def _elsewhere(line: TurnLine) -> str:
    lookup = code(call("get_trace", short_id(line.turn.trace_id)))
    return f'<div class="in"><p class="me">{plural(len(line.view.lines), "span")}: {lookup}</p></div>'


def _spans_html(line: TurnLine, limits: Limits, columns: Columns) -> str:
    tree, shown = tree_html(line.view, limits, label=f"Spans of turn {line.number}", open_last=False, columns=columns)
    missing = len(line.view.lines) - shown
    lookup = code(call("get_trace", short_id(line.turn.trace_id)))
    more = f'<p class="me">{plural(missing, "more span")}: {lookup}</p>' if missing else ""
    return f'<div class="in">{tree}{more}</div>'


def _answer(line: TurnLine, most: int) -> str:
    """The answer's line; an error takes its place, a recovered one its colour."""
    turn = line.turn
    said = html_text(one_line(turn.assistant, most)) if turn.assistant else ""
    if turn.error:
        name, words = "as e", f"✕ {html_text(one_line(line.problem, most))}"
    elif turn.recovered:
        cause = html_text(one_line(line.problem.split(":", 1)[0], 60))
        name, words = "as wa", f"! recovered from {cause} → {said or 'no answer'}"
    elif said:
        name, words = "as", f"→ {said}"
    else:
        states = {root.span.status for root in turn.roots}
        state = next((word for word in ("open", "interrupted") if word in states), "")
        name, words = "as", STATUS[state][1] if state else "no answer recorded"
    verdict = verdict_html(verdict_of_trace([root.span for root in turn.roots]))
    words = f"{verdict} · {words}" if verdict else words
    return f'<span class="{name}" dir="auto">{unseen(" ")}{words}{unseen(" · ")}</span>'


def _footer(view: SessionOutline, shown: int, limits: Limits, body: str) -> str:
    lookup = call("get_session", view.card.session_id)
    missing = len(view.turns) - shown
    more = f"{plural(missing, 'more turn')}: {code(lookup + '.turns()')}" if missing else ""
    sessions = len(view.sections) - min(len(view.sections), limits.items)
    others = f"{plural(sessions, 'more session')}: {code('ops.sessions()')}" if sessions else ""
    cut = f"long values are cut, whole in {code('ops.get_trace(id).to_pandas()')}" if was_cut(body) else ""
    names = (".conversation()", ".timeline()", ".turns()", ".to_pandas()")
    calls = f"{code(lookup)} has {' '.join(map(code, names))}"
    return footer("Open a turn for its trace", more, others, cut, calls)
