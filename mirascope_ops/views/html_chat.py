"""A model call's panel: the model, its settings, and the messages as a conversation."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from mirascope_ops.views.escape import html_text, one_line
from mirascope_ops.views.format import duration, plural, tokens
from mirascope_ops.views.html_parts import icon, name_html, unseen
from mirascope_ops.views.values import json_html, structured, text_html, value_html

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mirascope_ops.analysis.rows import Message, SpanRow, ToolCall
    from mirascope_ops.views.outline import Line, Outline

# More messages than this are folded in the middle.
_MOST_MESSAGES = 12
# Below this many characters a value, messages that stand elsewhere are only counted.
_FOLDED_LIMIT = 500

_SETTINGS = (
    ("temperature", "temperature", ("gen_ai.request.temperature",)),
    ("top p", "top_p", ("gen_ai.request.top_p",)),
    ("max", "max_tokens", ("gen_ai.request.max_tokens",)),
)


def model_line(span: SpanRow) -> str:
    """The model, its settings and its usage, as far as they were reported."""
    parts = [name_html(span.model) if span.model else "", name_html(span.provider) if span.provider else ""]
    asked = _asked(span.attributes)
    for word, key, names in _SETTINGS:
        value = next((span.attributes[name] for name in names if name in span.attributes), asked.get(key))
        if isinstance(value, int | float) and not isinstance(value, bool):
            parts.append(f"{word} {value:g}" if word != "max" else f"max {plural(int(value), 'token')}")
    if span.input_tokens is not None:
        cached = f" ({tokens(span.cache_read_tokens)} cached)" if span.cache_read_tokens else ""
        answered = f" → {tokens(span.output_tokens)} out" if span.output_tokens is not None else ""
        parts.append(f"{tokens(span.input_tokens)} in{cached}{answered}")
    elif span.output_tokens is not None:
        parts.append(f"{tokens(span.output_tokens)} out")
    if span.ttft is not None:
        parts.append(f"first token after {duration(span.ttft)}")
    elif span.status == "error" and span.output is None and not span.output_tokens:
        parts.append("failed before the first token")
    shown = " · ".join(part for part in parts if part)
    return f'<p class="me">{shown}</p>' if shown else ""


def _asked(attributes: Mapping[str, Any]) -> Mapping[str, Any]:
    text = attributes.get("llm.invocation_parameters")
    value = structured(text) if isinstance(text, str) else None
    return value if isinstance(value, dict) else {}


def chat_html(line: Line, view: Outline, limit: int) -> str:
    """The messages of a model call; those that the call before had as well are one line."""
    sent, answered = view.messages(line.span)
    if not sent and not answered:
        return ""
    same = 0
    if line.earlier is not None:
        before, replied = view.messages(line.earlier)
        same = _repeated(sent, [*before, *replied])
    if line.span.status == "error" and not answered:
        return _fold(f"{plural(len(sent), 'message')} sent", sent, limit)
    shown = ""
    if same:
        words = f"{plural(same, 'earlier message')}, the same as in the call before"
        shown = _fold(words, sent[:same], limit)
    rest = sent[same:]
    if len(rest) > _MOST_MESSAGES:
        head, middle, rest = rest[:2], rest[2:-6], rest[-6:]
        shown += _list(head, 0, limit) + _fold(f"{plural(len(middle), 'message')} in between", middle, limit)
    return shown + _list([*rest, *answered], len(answered), limit)


def _repeated(sent: Sequence[Message], before: Sequence[Message]) -> int:
    """How many of the first messages stood in the call before; the last question stays in sight."""
    same = 0
    for one, other in zip(sent, before, strict=False):
        if one != other:
            break
        same += 1
    asked = [place for place in range(same) if sent[place].role == "user"]
    return asked[-1] if asked else same


def _fold(words: str, messages: Sequence[Message], limit: int) -> str:
    if limit < _FOLDED_LIMIT:
        return f'<p class="me">{words}</p>'
    inside = messages[:_MOST_MESSAGES]
    rest = len(messages) - len(inside)
    more = f'<p class="me">{plural(rest, "more message")}: <span class="m">.messages()</span></p>' if rest else ""
    return f'<details><summary class="tx">{words}</summary>{_list(inside, 0, limit)}{more}</details>'


def _list(messages: Sequence[Message], new: int, limit: int) -> str:
    first_new = len(messages) - new
    shown = ""
    for place, message in enumerate(messages):
        mark = " new" if place >= first_new else ""
        role = name_html(message.role.capitalize(), 24)
        shown += f'<li><b class="ro{mark}">{role}{unseen(": ")}</b><span>{_message(message, limit)}</span></li>'
    return f'<ol class="chat">{shown}</ol>' if shown else ""


def _message(message: Message, limit: int) -> str:
    parts: list[str] = []
    if message.content:
        readable = message.role in {"tool", "assistant"}
        text = value_html(message.content, limit) if readable else _text(message.content, limit)
        parts.append(text)
    parts += [_tool_call(call, limit) for call in message.tool_calls[:_MOST_MESSAGES]]
    if len(message.tool_calls) > _MOST_MESSAGES:
        parts.append(f'<span class="q">{plural(len(message.tool_calls) - _MOST_MESSAGES, "more tool call")}</span>')
    return "<br>".join(parts) or '<span class="q">(empty)</span>'


def _text(text: str, limit: int) -> str:
    return f'<span class="bd" dir="auto">{text_html(text, limit)}</span>'


def _tool_call(call: ToolCall, limit: int) -> str:
    value = structured(call.arguments)
    if isinstance(value, dict):
        pairs = cast("Mapping[str, Any]", value)
        each = max(24, limit // max(1, len(pairs)))
        inside = ", ".join(
            f"<i>{html_text(one_line(str(key), 60))}=</i>{json_html(item, each)}"
            for key, item in list(pairs.items())[:20]
        )
        inside += ", …" if len(pairs) > 20 else ""  # noqa: PLR2004
    else:
        inside = text_html(call.arguments, limit)
    identifier = f' <span class="q m">{name_html(call.id, 40)}</span>' if call.id else ""
    return f'<code class="j" dir="auto">{icon("tool")}{name_html(call.name)}({inside})</code>{identifier}'
