"""Traces read as turns of a conversation: who asked what, what was answered, and what went wrong."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from mirascope_ops.analysis.messages import message_split
from mirascope_ops.analysis.rows import Turn
from mirascope_ops.analysis.stats import counted, totals_of
from mirascope_ops.analysis.tree import grown, lineage
from mirascope_ops.analysis.values import decoded, sequence

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mirascope_ops.analysis.rows import SpanRow

Key = tuple[str, str]

# The arguments that hold what the user said, in order.
_USER_ARGUMENTS = ("message", "user_message", "query", "question", "prompt", "text", "user_input", "input")


def turns(spans: Sequence[SpanRow]) -> list[Turn]:
    """Read spans as turns, one a trace, by start.

    Args:
        spans: Spans of any traces, in any order.

    Returns:
        For each trace: `user`, the last user message of its first model call, else the root's input;
        `assistant`, the last text that a model answered, else the root's output; and its figures. Of calls
        that ran at once each is told, unless the root's input or output is what one of them said.

    Example:
        >>> turns([])
        []
    """
    traces: dict[str, list[SpanRow]] = {}
    for span in spans:
        traces.setdefault(span.trace_id, []).append(span)
    found = [turn_of(trace) for trace in traces.values()]
    return sorted(found, key=lambda turn: turn.totals.start or 0)


def turn_of(trace: Sequence[SpanRow]) -> Turn:
    """Read the spans of one trace, at least one, as a turn."""
    linked = lineage(trace)
    counting = counted(linked)
    roots = grown(linked)
    # A trace of which only a part was read has orphans for roots; a true root tells more.
    true_roots = [root.span for root in roots if not root.orphan] or [roots[0].span]
    root = true_roots[0]
    calls = [linked.spans[place] for place in counting.llm]
    return Turn(
        trace_id=root.trace_id,
        session_id=root.session_id or next((span.session_id for span in trace if span.session_id), None),
        name=root.name,
        user=_user(calls, root),
        assistant=_assistant(calls, root),
        model=_model(calls),
        error=next((_problem(span) for span in true_roots if span.status == "error"), None),
        recovered=_recovered(true_roots, trace),
        totals=totals_of(linked, counting),
        roots=roots,
    )


def said_by_user(text: str | None) -> str | None:
    """Find what a user said in the input of a function.

    Args:
        text: The input: JSON of the arguments by name, or `{"args": [...], "kwargs": {...}}`, or plain text.

    Returns:
        The argument with a name such as "message" or "query", else the only text among the arguments, else
        the input as it is.

    Example:
        >>> said_by_user('{"turn": 1, "message": "Hello"}')
        'Hello'
    """
    value = decoded(text)
    if isinstance(value, str):
        return value or None
    if not isinstance(value, dict):
        return text
    arguments = cast("dict[str, Any]", value)
    positional: list[Any] = []
    if set(arguments) == {"args", "kwargs"} and isinstance(arguments["kwargs"], dict):
        positional = sequence(arguments["args"]) or []
        arguments = cast("dict[str, Any]", arguments["kwargs"])
    for name in _USER_ARGUMENTS:
        if isinstance(arguments.get(name), str):
            return arguments[name]
    if not positional and not arguments:
        return None  # a call without arguments says nothing
    texts = [item for item in (*positional, *arguments.values()) if isinstance(item, str)]
    return texts[0] if len(texts) == 1 else text


def _user(calls: Sequence[SpanRow], root: SpanRow) -> str | None:
    asked = said_by_user(root.input)
    told: list[str] = []
    for call in _beside(calls, calls[0]) if calls else ():
        sent, _ = message_split(call)
        told += [said] if (said := next((m.content for m in reversed(sent) if m.role == "user"), None)) else []
    return _settled(told, asked) or asked


def _assistant(calls: Sequence[SpanRow], root: SpanRow) -> str | None:
    answers: dict[Key, str] = {}
    last: SpanRow | None = None
    for call in sorted(calls, key=_finish, reverse=True):
        if last is not None and not _overlap(call, last):
            continue
        _, answered = message_split(call)
        said = next((message.content for message in reversed(answered) if message.content), None)
        if said:
            last = last or call
            answers[call.trace_id, call.span_id] = said
    told = [answers[key] for call in calls if (key := (call.trace_id, call.span_id)) in answers]
    return _settled(told, root.output) or root.output or None


def _settled(told: Sequence[str], root: str | None) -> str | None:
    """Choose among what was said in calls that ran at once.

    Beside the call that answers there may be one that judges, or draws a title: what the root says counts
    then. In a fan-out nothing of it does, and all is told.
    """
    different = list(dict.fromkeys(told))
    if len(different) > 1 and root is not None and root.strip() in (text.strip() for text in different):
        return root
    return "\n\n".join(different) or None


def _beside(calls: Sequence[SpanRow], one: SpanRow) -> list[SpanRow]:
    return [call for call in calls if call is one or _overlap(call, one)]


def _overlap(one: SpanRow, other: SpanRow) -> bool:
    return one.start < _finish(other) and other.start < _finish(one)


def _model(calls: Sequence[SpanRow]) -> str | None:
    latest = sorted(calls, key=_finish, reverse=True)
    answered = [call.model for call in latest if call.model and call.status != "error"]
    return next(iter(answered), None) or next((call.model for call in latest if call.model), None)


def _finish(span: SpanRow) -> int:
    return span.start if span.end is None else span.end


def _recovered(true_roots: Sequence[SpanRow], trace: Sequence[SpanRow]) -> str | None:
    if any(span.status == "error" for span in true_roots):
        return None
    failed = [span for span in trace if span.status == "error"]
    return _problem(min(failed, key=lambda span: span.start)) if failed else None


def _problem(span: SpanRow) -> str:
    return span.error_message or span.error_type or "error"
