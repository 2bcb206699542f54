"""Values of spans on a line: JSON pretty, long ones cut with a word on how much is missing."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, cast

from mirascope_ops.views.escape import html_text, one_line
from mirascope_ops.views.format import count, plural

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

# Above this a value is shown as the text it is: reading it as JSON would cost more than it tells.
_MOST_JSON = 262_144
# Deeper values become an ellipsis, which bounds the recursion below.
_MOST_DEPTH = 8
_KEY_LIMIT = 80


def structured(text: str) -> Mapping[str, Any] | list[Any] | None:
    """The object or list that a text holds as JSON; None where it is plain text."""
    if len(text) > _MOST_JSON or text.lstrip()[:1] not in ("{", "["):
        return None
    try:
        value: Any = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return cast("Mapping[str, Any] | list[Any]", value)


def more(missing: int) -> str:
    """The words after a text that was cut."""
    return f'<span class="q">… {count(missing)} more characters</span>'


def text_html(text: str, limit: int) -> str:
    """Text, escaped, cut at `limit` characters."""
    if len(text) <= limit + limit // 8:  # a marker in place of a few characters would be no gain
        return html_text(text)
    return f"{html_text(text[:limit])}{more(len(text) - limit)}"


class _Room:
    """Characters that may still be written; shared by all parts of one value."""

    def __init__(self, limit: int) -> None:
        self.left = limit

    def take(self, text: str) -> str:
        self.left -= len(text)
        return text


def json_html(value: Any, limit: int) -> str:
    """A JSON value on one line: keys quiet, numbers coloured; strings, then items, cut to `limit` characters."""
    return _part(value, _Room(limit), 0)


def _part(value: Any, room: _Room, depth: int) -> str:
    if isinstance(value, str):
        return _string(value, room)
    if isinstance(value, dict | list) and depth >= _MOST_DEPTH:
        return "{…}" if isinstance(value, dict) else "[…]"
    if isinstance(value, dict):
        pairs = cast("dict[str, Any]", value)
        shown: list[str] = []
        for key, item in pairs.items():
            if room.left <= 0:
                shown.append(f'<span class="q">… {count(len(pairs) - len(shown))} more keys</span>')
                break
            name = html_text(room.take(one_line(str(key), _KEY_LIMIT)))
            shown.append(f"<i>{name}:</i> {_part(item, room, depth + 1)}")
        return "{" + ", ".join(shown) + "}"
    if isinstance(value, list | tuple):
        items = cast("Sequence[Any]", value)
        shown = []
        for item in items:
            if room.left <= 0:
                shown.append(f'<span class="q">… {count(len(items) - len(shown))} more</span>')
                break
            shown.append(_part(item, room, depth + 1))
        return "[" + ", ".join(shown) + "]"
    return f"<b>{html_text(room.take(_scalar(value)))}</b>"


def _string(text: str, room: _Room) -> str:
    allowed = max(24, room.left)
    room.take(text)
    if len(text) <= allowed + allowed // 8:
        return f'"{html_text(text)}"'
    return f'"{html_text(text[:allowed])}"{more(len(text) - allowed)}'


def _scalar(value: Any) -> str:
    try:
        return json.dumps(value)
    except (TypeError, ValueError):
        return one_line(str(value), 200)


def value_html(text: str, limit: int) -> str:
    """What went into or came out of a span: JSON pretty on one line, or the text as it is."""
    value = structured(text)
    if value is None:
        return f'<span class="bd" dir="auto">{text_html(text, limit)}</span>'
    return f'<code class="j" dir="auto">{json_html(value, limit)}</code>'


def arguments_line(text: str, limit: int) -> str:
    """What a span was called with, in a few words of plain text: `city="Paris", unit="celsius"`.

    A lone string argument is enough by itself and comes in quotation marks, as other text does.
    """
    value = structured(text)
    if not isinstance(value, dict):
        return one_line(f"“{text}”", limit) if value is None and text.strip() else one_line(text, limit)
    pairs = value
    # Functions recorded by others come as {"args": [...], "kwargs": {...}}.
    if pairs.keys() == {"args", "kwargs"} and isinstance(pairs["args"], list) and isinstance(pairs["kwargs"], dict):
        unnamed = cast("list[Any]", pairs["args"])
        named = cast("dict[str, Any]", pairs["kwargs"])
    else:
        unnamed, named = [], pairs
    if len(unnamed) + len(named) == 1:
        only: Any = [*unnamed, *named.values()][0]
        if isinstance(only, str):
            return one_line(f"“{only}”", limit)
    words = [_brief(item, limit) for item in unnamed] + [f"{key}={_brief(item, limit)}" for key, item in named.items()]
    return one_line(", ".join(words), limit)


def _brief(value: Any, limit: int) -> str:
    if isinstance(value, str):
        return f'"{value[:limit]}"'
    if isinstance(value, dict):
        return plural(len(cast("dict[str, Any]", value)), "key")
    if isinstance(value, list):
        return plural(len(cast("list[Any]", value)), "item")
    return _scalar(value)
