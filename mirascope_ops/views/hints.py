"""The few words beside a span's name: why it failed, which model, what it was called with."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from mirascope_ops.views.escape import one_line
from mirascope_ops.views.format import duration
from mirascope_ops.views.outline import error_line
from mirascope_ops.views.values import arguments_line

if TYPE_CHECKING:
    from mirascope_ops.views.outline import Line, Outline

_LIMIT = 90
# The date at the end of a model's name; the panel has the whole name.
_RELEASE = re.compile(r"-20\d\d-?\d\d-?\d\d$")


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


def _call(line: Line, view: Outline) -> str:
    span = line.span
    model = _RELEASE.sub("", span.model or "")
    _, answered = view.messages(span)
    tools = list(dict.fromkeys(call.name for message in answered for call in message.tool_calls))
    if tools:
        model = f"{model} → calls {', '.join(tools[:3])}{' and more' if len(tools) > 3 else ''}"  # noqa: PLR2004
    if span.ttft is not None:
        model = f"{model}, first token after {duration(span.ttft)}"
    return model.removeprefix(", ").strip()
