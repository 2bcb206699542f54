"""A conversation as text: good in a terminal, and for a language model to read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from mirascope_ops.analysis.verdicts import verdict_of_trace
from mirascope_ops.views.conversation import (
    NOTHING_SAID,
    missing_words,
    role_word,
    shown_messages,
    turn_words,
    usage_words,
)
from mirascope_ops.views.escape import one_line, visible
from mirascope_ops.views.format import count, date, duration, plural, short_id, token_flow, usd
from mirascope_ops.views.outline import error_line
from mirascope_ops.views.text_trace import joined, name_text, status_text
from mirascope_ops.views.values import arguments_line
from mirascope_ops.views.verdicts import verdict_text
from mirascope_ops.views.words import NO_SPANS

if TYPE_CHECKING:
    from mirascope_ops.analysis.conversation import ConversationMessage, ConversationTurn
    from mirascope_ops.views.conversation import Talk

_MOST_BYTES: Final = 40_000
_LIMITS: Final = (4_000, 1_500, 500, 160, 60)
_MOST_LINE: Final = 200


def conversation_text(talk: Talk, most: int = _MOST_BYTES) -> str:
    """A conversation as text: the header, then every turn with what was said.

    Args:
        talk: The conversation.
        most: Bytes of the turns, about.

    Returns:
        Lines without a final newline; what was cut is said.
    """
    if not talk.places:
        return NO_SPANS
    shown, _ = talk.fit(lambda turn, limit: _turn(turn, talk, limit), most, _LIMITS)
    words, lookup = missing_words(talk, len(shown))
    more = [f"… {words}: {one_line(lookup, 200)}"] if words else []
    end = f"{one_line(talk.source, 160)}.to_pandas() has all messages, whole"
    return "\n\n".join(["\n".join(head_lines(talk)), *more, *shown, end])


def head_lines(talk: Talk) -> list[str]:
    """The title with the status, then what there is."""
    totals = talk.totals
    used = token_flow(totals.input_tokens, totals.output_tokens)
    return [
        f"{talk.title} {status_text(*talk.status)}",
        joined(
            *(visible(part) for part in talk.about(None)),
            f"first token {duration(talk.ttft)} median" if talk.ttft is not None else "",
            f"latency {duration(talk.latency)} median" if talk.latency is not None else "",
            f"{used} tokens" if used else "",
            usd(totals.cost) if totals.cost is not None else "",
            date(totals.start) if totals.start is not None else "",
        ),
    ]


def turn_line(turn: ConversationTurn, talk: Talk) -> str:
    """A turn's heading: its number, what it did, and where it is found."""
    trace = turn.turn
    session = trace.session_id if trace.session_id != talk.name else None
    return joined(
        f"Turn {turn.number}",
        *turn_words(turn),
        f"session {name_text(session, 60)}" if session is not None else "",
        verdict_text(verdict_of_trace([root.span for root in trace.roots])),
        f"trace {name_text(short_id(trace.trace_id))}",
    )


def measures_words(message: ConversationMessage, talk: Talk) -> str:
    """How long an answer took and what it used, on a line; "" for what was sent."""
    span = message.span
    if span is None:
        return ""
    return joined(
        f"first token {duration(span.ttft)}" if span.ttft is not None else "",
        duration(span.duration) if span.duration is not None else "",
        usage_words(span, talk),
    )


def without_text(message: ConversationMessage) -> str:
    """What stands in place of a text: the error, or why there is none."""
    span = message.span
    if span is None:
        return "(empty)"
    if span.status == "error":
        name = f"{one_line(span.name, 120)}: " if message.role == "error" else ""
        return f"✕ {name}{error_line(span)}"
    return {"open": "(running)", "interrupted": "(interrupted)"}.get(span.status, "(what it said was not recorded)")


def _turn(turn: ConversationTurn, talk: Talk, limit: int) -> str:
    first, missing, last = shown_messages(turn)
    lead = next((place for place, message in enumerate(first) if message.role != "system"), len(first))
    lines = [line for message in first[:lead] for line in _message(message, talk, limit)]
    lines += ["", turn_line(turn, talk)] if lines else [turn_line(turn, talk)]
    lines += [line for message in first[lead:] for line in _message(message, talk, limit)]
    if missing:
        lines.append(f"… {plural(missing, 'more message')}: {one_line(talk.source, 160)}[{turn.number - 1}].messages")
    lines += [line for message in last for line in _message(message, talk, limit)]
    return "\n".join(lines if turn.messages else [*lines, f"({NOTHING_SAID})"])


def _message(message: ConversationMessage, talk: Talk, limit: int) -> list[str]:
    took = measures_words(message, talk)
    lead = f"{role_word(message.role)}{f' ({took})' if took else ''}: "
    lines: list[str] = []
    if message.content:
        lines += cut(message.content, limit).splitlines()
    elif not message.tools:
        lines += cut(without_text(message), limit).splitlines()
    for use in message.tools:
        lines.append(f"→ {name_text(use.call.name)}({arguments_line(use.call.arguments, min(limit, _MOST_LINE))})")
        if use.span is not None and use.span.status == "error":
            lines.append(f"✕ {one_line(error_line(use.span), min(limit, _MOST_LINE))}")
        elif use.result is not None:
            lines.append(f"← {one_line(use.result, min(limit, _MOST_LINE)) or '(empty)'}")
    return [lead + (lines[0] if lines else ""), *(f"  {line}" for line in lines[1:])]


def cut(text: str, limit: int) -> str:
    """Text without what acts instead of being read, cut at so many characters, saying so."""
    if len(text) <= limit:
        return visible(text)
    return f"{visible(text[:limit])}… {count(len(text) - limit)} more characters"
