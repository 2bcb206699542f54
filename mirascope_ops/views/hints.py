"""The few words beside a span's name: why it failed, which model, what it was called with."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from mirascope_ops.views.escape import one_line
from mirascope_ops.views.format import duration
from mirascope_ops.views.outline import error_line
from mirascope_ops.views.values import arguments_line

if TYPE_CHECKING:
    from mirascope_ops.analysis.rows import SpanRow
    from mirascope_ops.views.outline import Line, Outline

_LIMIT = 90
# The date at the end of a model's name, and the API that Mirascope writes there.
_RELEASE = re.compile(r"-20\d\d-?\d\d-?\d\d$|:(completions|responses)$")


def hint(line: Line, view: Outline, limit: int = _LIMIT) -> str:
    """Give the words as plain text on one line; "" where there is nothing to say.

    Args:
        line: The span.
        view: Its trace.
        limit: Characters at most.
    """
    span = line.span
    if line.source == line.place:
        return one_line(error_line(span), limit)
    if line.source >= 0:
        below = view.lines[line.source].span
        later = ""
        if span.end is not None and below.end is not None and span.end > below.end:
            later = f", {duration(span.end - below.end)} later"
        return f"raised from {one_line(below.name, 40)}{later}"
    if span.kind == "llm":
        return one_line(_call(line, view), limit)
    return arguments_line(span.input, limit) if span.input else ""


def model_word(span: SpanRow) -> str:
    """A model's name in short: without provider, API and date of release, which the panel tells.

    Args:
        span: The model call.
    """
    name = span.model or ""
    if span.provider:
        name = name.removeprefix(f"{span.provider}/")
    return _RELEASE.sub("", name)


def list_hint(line: Line, view: Outline, limit: int = _LIMIT) -> str:
    """The words of a span in a list, where other model calls stand beside it: of each what was asked.

    Args:
        line: The span.
        view: Its trace.
        limit: Characters at most.
    """
    span = line.span
    if span.kind != "llm" or line.source >= 0:
        return hint(line, view, limit)
    return one_line(" · ".join(part for part in (_call_words(line, view), _asked(line, view)) if part), limit)


def _call(line: Line, view: Outline) -> str:
    words = _call_words(line, view)
    if line.span.ttft is not None:
        words = f"{words}, first token after {duration(line.span.ttft)}".removeprefix(", ")
    asked = "" if words else _asked(line, view)
    return f"“{asked}”" if asked else words


def _call_words(line: Line, view: Outline) -> str:
    """The model, where the span's name does not hold it, and the tools that it asked for."""
    model = model_word(line.span)
    if model in line.span.name:  # once is enough
        model = ""
    _, answered = view.messages(line.span)
    tools = list(dict.fromkeys(call.name for message in answered for call in message.tool_calls))
    if not tools:
        return model
    return f"{model} → calls {', '.join(tools[:3])}{' and more' if len(tools) > 3 else ''}".strip()  # noqa: PLR2004


def _asked(line: Line, view: Outline) -> str:
    """What the user said last."""
    sent, _ = view.messages(line.span)
    return next((message.content for message in reversed(sent) if message.role == "user" and message.content), "")
