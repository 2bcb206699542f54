"""A conversation as static HTML: who said what, which answer was slow, what failed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from mirascope_ops.analysis.tree import forest
from mirascope_ops.analysis.verdicts import verdict_of_trace
from mirascope_ops.views.budget import MAX_BYTES
from mirascope_ops.views.conversation import (
    NOTHING_SAID,
    missing_words,
    role_word,
    shown_messages,
    turn_words,
    usage_words,
)
from mirascope_ops.views.escape import html_text
from mirascope_ops.views.format import count, date, duration, plural, short_id
from mirascope_ops.views.html_error import error_html
from mirascope_ops.views.html_parts import (
    COMMA,
    article,
    code,
    cost_figure,
    figures_html,
    footer,
    header,
    icon,
    name_html,
    status_html,
    tokens_figure,
    unseen,
    was_cut,
    with_unit,
)
from mirascope_ops.views.html_trace import empty_html
from mirascope_ops.views.outline import error_line, outline
from mirascope_ops.views.values import structured, text_html, value_html
from mirascope_ops.views.verdicts import verdict_html
from mirascope_ops.views.words import NO_SPANS

if TYPE_CHECKING:
    from mirascope_ops.analysis.conversation import ConversationMessage, ConversationTurn, ToolUse
    from mirascope_ops.analysis.rows import SpanRow
    from mirascope_ops.views.conversation import Talk
    from mirascope_ops.views.outline import Outline

_LIMITS: Final = (20_000, 6_000, 1_500, 500, 160, 60, 24)
_SPARE: Final = 4_000  # bytes for the icons and styles of errors, and for what the header and footer may add
_CLASSES: Final = {"user": "u", "system": "s"}
_MOST_TOOLS: Final = 20
# A message of more characters is folded after so many.
_FOLDED_FROM: Final = 2_400
_KEPT: Final = 1_200
_LEAST_TRACEBACK: Final = 160  # characters of a value below which an error has no traceback


def conversation_html(talk: Talk) -> str:
    """A conversation as static HTML.

    Args:
        talk: The conversation.

    Returns:
        One `<article>` with its style sheet, at most 100 KB; what was cut is said with the call that shows it.
    """
    if not talk.places:
        return empty_html("Conversation", NO_SPANS)
    room = MAX_BYTES - _SPARE - len(_article(talk, [], 0).encode())
    shown, _ = talk.fit(lambda turn, limit: _turn(turn, talk, limit), room, _LIMITS)
    said = None
    if len(shown) == len(talk.places):
        first = talk.places[0]
        said = sum(len(talk.turn(place, is_first=place == first).messages) for place in talk.places)
    return _article(talk, shown, said)


def _article(talk: Talk, shown: list[str], said: int | None) -> str:
    status, word = talk.status
    title = f'Conversation <span dir="auto">{name_html(talk.name)}</span>'
    started = date(talk.totals.start) if talk.totals.start is not None else ""
    about = [*map(html_text, talk.about(said)), started]
    figures = figures_html(
        [
            ("First token", _median(talk.ttft)),
            ("Latency", _median(talk.latency)),
            ("Tokens", tokens_figure(talk.totals)),
            ("Cost", cost_figure(talk.totals.cost)),
        ]
    )
    words, lookup = missing_words(talk, len(shown))
    more = f'<p class="more">{words}: {code(lookup)}</p>' if words and shown else ""
    body = f'{more}<ol class="cv">{"".join(shown)}</ol>'
    table = code(f"{talk.source}.to_pandas()")
    notes = [
        f"{count(len(shown))} of {plural(len(talk.places), 'turn')} shown" if words else "",
        f"{words}: {code(lookup)}" if words else "",
        f"long messages are cut, whole in {table}" if was_cut(body) else f"{table} for the table",
        "" if was_cut(body) else "a turn is a trace, times are of the model calls",
    ]
    label = f"{talk.title}, {plural(len(talk.places), 'turn')}, {word or status}"
    head = header(title, status_html(status, word or None), about, figures)
    return article(head + body + footer(*notes), label, ("conversation",))


def _median(ns: int | None) -> str:
    return "" if ns is None else with_unit(duration(ns)).replace("</small>", " median</small>")


def _turn(turn: ConversationTurn, talk: Talk, limit: int) -> str:
    trace = turn.turn
    judged = verdict_html(verdict_of_trace([root.span for root in trace.roots]))
    session = ""
    if trace.session_id is not None and trace.session_id != talk.name:
        session = f'session <span dir="auto">{name_html(trace.session_id, 60)}</span>'
    identifier = f'<span class="m">{html_text(short_id(trace.trace_id))}</span>'
    words = " · ".join(part for part in (*map(html_text, turn_words(turn)), session, judged, identifier) if part)
    view = outline(trace.roots)
    first, missing, last = shown_messages(turn)
    # What the model was instructed stands before the first turn, not in it.
    lead = next((place for place, message in enumerate(first) if message.role != "system"), len(first))
    before = "".join(_message(message, talk, view, limit) for message in first[:lead])
    inside = "".join(_message(message, talk, view, limit) for message in first[lead:])
    if missing:
        table = code(f"{talk.source}[{turn.number - 1}].messages")
        inside += f'<p class="more">{plural(missing, "more message")} in between: {table}</p>'
    inside += "".join(_message(message, talk, view, limit) for message in last)
    if not inside and not before:
        words += f" · {NOTHING_SAID}"
    return f"<li>{before}<h5>Turn {turn.number} <span>{words}</span></h5>{inside}</li>"


def _message(message: ConversationMessage, talk: Talk, view: Outline, limit: int) -> str:
    kind = _CLASSES.get(message.role, "a")
    by = message.span
    sign = icon(by.kind) if by is not None else icon("tool") if message.role == "tool" else ""
    role = f'<b class="ro">{sign}{name_html(role_word(message.role), 24)}{unseen(": ")}</b>'
    parts: list[str] = []
    if message.content:
        is_data = message.role in {"tool", "assistant"} and structured(message.content) is not None
        parts.append(value_html(message.content, limit) if is_data else _text(message.content, limit))
    parts += [_tool(use, limit) for use in message.tools[:_MOST_TOOLS]]
    if len(message.tools) > _MOST_TOOLS:
        parts.append(f'<span class="q">{plural(len(message.tools) - _MOST_TOOLS, "more tool call")}</span>')
    if by is not None and not message.content and not message.tools:
        parts.append(_without_text(message, by, view, limit))
    identifier = f'<span class="q m">{name_html(message.tool_call_id, 40)}</span>' if message.tool_call_id else ""
    inner = "".join(parts) or '<span class="q">(empty)</span>'
    return f'<div class="mg {kind}">{role}<div>{inner}{identifier}</div>{_measures(by, talk)}</div>'


def _text(text: str, limit: int) -> str:
    """What was said; of a long text the beginning, the rest to open: a chat is read for its turns."""
    if min(len(text), limit) <= _FOLDED_FROM:
        return _body(text, limit)
    kept = 1 + max(text.rfind(space, _KEPT // 2, _KEPT) for space in " \n")
    kept = kept or _KEPT
    rest = f"{count(len(text) - kept)} more characters"
    folded = f'<details><summary class="tx">{rest}</summary>{_body(text[kept:], limit - kept)}</details>'
    return _body(text[:kept].rstrip(), limit) + folded


def _body(text: str, limit: int) -> str:
    return f'<span class="bd" dir="auto">{text_html(text, limit)}</span>'


def _without_text(message: ConversationMessage, span: SpanRow, view: Outline, limit: int) -> str:
    if span.status == "error":
        name = f'<b class="q">{name_html(span.name)}</b>' if message.role == "error" else ""
        return f'<div class="eb">{name}{_error(span, view, limit)}</div>'
    words = {"open": "running", "interrupted": "interrupted"}.get(span.status, "what it said was not recorded")
    return f'<span class="q">({words})</span>'


def _error(span: SpanRow, view: Outline, limit: int) -> str:
    line = next((line for line in view.lines if line.span.span_id == span.span_id), None)
    if line is None or limit < _LEAST_TRACEBACK:
        return f'<p class="xm" dir="auto">✕ {text_html(error_line(span), limit)}</p>'
    if line.source not in {line.place, -1}:
        line = view.lines[line.source]
    told = error_html(line, view, min(limit, 2_000))
    title, end, frames = told.partition("</p>")
    title = title.replace(">", ">✕ ", 1)
    return f'{title}{end}<details><summary class="tx">Traceback</summary>{frames}</details>' if frames else title + end


def _tool(use: ToolUse, limit: int) -> str:
    span = use.span
    took = duration(span.duration) if span is not None and span.duration is not None else ""
    identifier = f'<span class="m">{name_html(use.call.id, 40)}</span>' if use.call.id else ""
    about = " · ".join(part for part in (identifier, took) if part)
    rows = [("Arguments", value_html(use.call.arguments, limit))] if use.call.arguments else []
    if span is not None and span.status == "error":
        view = outline(forest([span]))
        rows.append(("Failed", f'<div class="eb">{_error(span, view, limit)}</div>'))
    elif use.result is not None:
        rows.append(("Result", value_html(use.result, limit) if use.result else '<span class="q">(empty)</span>'))
    told = f'{unseen(" · ")}<span class="q">{about}</span>' if about else ""
    head = f'<div class="tl">{icon("tool")}<b>{name_html(use.call.name)}</b>{told}</div>'
    inside = "".join(f'<div><span class="l">{word}{unseen(": ")}</span>{value}</div>' for word, value in rows)
    return f'<div class="tc">{head}{inside}</div>'


def _measures(span: SpanRow | None, talk: Talk) -> str:
    """How long an answer took, as a number and as a bar on the scale of all answers, and what it used."""
    if span is None:
        return "<span></span>"
    parts: list[str] = []
    used = usage_words(span, talk)
    if span.duration is not None:
        first = f"first token {duration(span.ttft)} · " if span.ttft is not None else ""
        parts.append(f"<span>{first}<b>{duration(span.duration)}</b></span>{COMMA if used else ''}")
        if span.kind == "llm" and span.status != "error":
            width = 100 * span.duration / talk.longest
            waited = 100 * min(span.ttft or 0, span.duration) / talk.longest
            parts.append(f'<i class="lat" style="--w:{width:.1f}%;--t:{waited:.1f}%"></i>')
    parts.append(f"<span>{html_text(used)}</span>" if used else "")
    return f'<div class="mt">{"".join(parts)}</div>'
