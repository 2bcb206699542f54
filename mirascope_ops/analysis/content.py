"""What went into a span and what came out of it, as parts that can be compared: messages, or arguments by name."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final, NamedTuple, cast

from mirascope_ops.analysis.messages import message_split
from mirascope_ops.analysis.values import decoded
from mirascope_ops.analysis.volatile import stable_json

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from mirascope_ops.analysis.rows import Message, SpanRow

# Longer values are compared as the texts they are: reading them as JSON would cost more than it tells.
_MOST_JSON: Final = 262_144


class Part(NamedTuple):
    """One message, one argument, or a value as a whole.

    Attributes:
        role: The message's role or the argument's name, "" for a value as a whole.
        text: Its text; structured values as indented JSON without what is volatile.
    """

    role: str
    text: str


def parts_of(span: SpanRow) -> tuple[list[Part], list[Part]]:
    """Give what went into a span and what came out: a model call's messages, else arguments and result."""
    if span.kind == "llm":
        sent, answered = message_split(span)
        return _messages(sent), _messages(answered)
    return values(span.input), whole(span.output)


def values(text: str | None) -> list[Part]:
    """Give the arguments in a text: one part each, where it is a JSON object.

    Example:
        >>> values('{"city": "Paris", "n": 1}')
        [Part(role='city', text='Paris'), Part(role='n', text='1')]
    """
    value = _structure(text)
    if not isinstance(value, dict):
        return whole(text)
    fields = cast("dict[str, Any]", stable_json(value))
    if fields.keys() == {"args", "kwargs"} and isinstance(fields["kwargs"], dict):
        named = cast("dict[str, Any]", fields.pop("kwargs"))
        fields |= named
        fields = fields if fields["args"] else named
    return [Part(name, _text(item)) for name, item in fields.items()]


def whole(text: str | None) -> list[Part]:
    """Give a value as one part; none where there is no value."""
    if text is None:
        return []
    value = _structure(text)
    return [Part("", text if value is None else _text(stable_json(value)))]


def as_parts(value: Any) -> list[Part]:
    """Give any value that a comparison holds as parts: messages and arguments as they are, mappings by their keys.

    Example:
        >>> as_parts({"b": 1, "a": "x"})
        [Part(role='a', text='x'), Part(role='b', text='1')]
    """
    if value is None:
        return []
    if isinstance(value, dict):
        fields = cast("dict[str, Any]", value)
        return [Part(key, "" if fields[key] is None else _text(fields[key])) for key in sorted(fields)]
    if isinstance(value, list):
        items = cast("list[Any]", value)
        if all(isinstance(item, Part) for item in items):
            return cast("list[Part]", items)
        return [Part("", "\n".join(map(str, items)))]
    return [Part("", str(value))]


def leaves(value: Any) -> Iterable[str]:
    """Give the texts in an attribute's value, JSON within it included, as a flat list."""
    stack = [value]
    found: list[str] = []
    while stack:
        item = stack.pop()
        if isinstance(item, str) and item[:1] in ("{", "[") and len(item) <= _MOST_JSON:
            inner = decoded(item)
            item = stable_json(inner) if isinstance(inner, dict | list) else item
        if isinstance(item, dict):
            stack += reversed(list(cast("dict[str, Any]", item).values()))
        elif isinstance(item, list | tuple):
            stack += reversed(cast("list[Any]", item))
        else:
            found.append(item if isinstance(item, str) else json.dumps(item, default=str))
    return found


def _messages(messages: Sequence[Message]) -> list[Part]:
    parts: list[Part] = []
    for message in messages:
        calls = [f"calls {call.name}({', '.join(_arguments(call.arguments))})" for call in message.tool_calls]
        parts.append(Part(message.role, "\n".join([message.content, *calls] if message.content else calls)))
    return parts


def _arguments(text: str) -> list[str]:
    value = _structure(text)
    if not isinstance(value, dict):
        return [text] if text else []
    fields = cast("dict[str, Any]", value)
    return [f"{name}={json.dumps(item, ensure_ascii=False)}" for name, item in fields.items()]


def _structure(text: str | None) -> Any:
    if text is None or len(text) > _MOST_JSON or text.lstrip()[:1] not in ("{", "["):
        return None
    value = decoded(text)
    return cast("Any", value) if isinstance(value, dict | list) else None


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value
    try:
        return json.dumps(value, ensure_ascii=False, indent=1 if value else None)
    except (TypeError, ValueError, RecursionError):
        return str(value)
