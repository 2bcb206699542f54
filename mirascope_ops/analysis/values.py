"""Reading attribute values, which other libraries write in many forms.

A number may arrive as a string, a string as a JSON document, a list as indexed keys. Every function here
takes whatever came and gives the plain value, or None where there is none: content is never trusted, so
none of them raises.
"""

from __future__ import annotations

import json
import math
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, cast

import orjson

from mirascope_ops.store import codec

if TYPE_CHECKING:
    from collections.abc import Mapping

_NANOS = 1_000_000_000
# More than any model takes; larger numbers are mistakes (sentinels, other units) that would drown every sum.
MOST_TOKENS = 10**12
# Keys are hostile too: this bounds the depth of what they are nested into.
_MOST_PARTS = 24
_MOST_DIGITS = 9


def decoded(value: object) -> Any:
    """Give the value that a JSON text stands for, or the value itself where it is no JSON.

    Example:
        >>> decoded('{"a": 1}'), decoded("plain text")
        ({'a': 1}, 'plain text')
    """
    if not isinstance(value, (str, bytes)):
        return value
    try:
        return orjson.loads(value)
    except orjson.JSONDecodeError:
        pass
    try:
        # Python's own encoder writes NaN and lone surrogates, which orjson rightly refuses.
        return json.loads(value)
    except (ValueError, RecursionError):
        return value


def mapping(value: object) -> dict[str, Any] | None:
    """Give a JSON object as a dict, or None."""
    found = decoded(value)
    return cast("dict[str, Any]", found) if isinstance(found, dict) else None


def sequence(value: object) -> list[Any] | None:
    """Give a JSON array as a list, or None."""
    found = decoded(value)
    return list(cast("list[Any]", found)) if isinstance(found, (list, tuple)) else None


def text(value: object) -> str | None:
    """Give a value as text: strings as they are, everything else as JSON."""
    if value is None or isinstance(value, str):
        return value
    try:
        return orjson.dumps(value, default=str).decode()
    except (TypeError, ValueError, RecursionError):
        return codec.encode(value)


def unquoted(value: object) -> str | None:
    """Give text that was encoded as a JSON string, once or twice, as the text itself.

    Example:
        >>> unquoted('"CHAT_MODEL"'), unquoted('{"a": 1}')
        ('CHAT_MODEL', '{"a": 1}')
    """
    found = text(value)
    for _ in range(2):
        if found is None or len(found) < 2 or found[0] != '"' or found[-1] != '"':  # noqa: PLR2004 - two quotes
            break
        inner = decoded(found)
        if not isinstance(inner, str):
            break
        found = inner
    return found


def identifier(value: object) -> str | None:
    """Give an id or a name as text; blank ones are none."""
    found = unquoted(value)
    return found if found is not None and found.strip() else None


def number(value: object) -> float | None:
    """Give a finite number, also from its text; booleans are none."""
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        return None
    try:
        found = float(value)
    except (ValueError, OverflowError):
        return None
    return found if math.isfinite(found) else None


def tokens(value: object) -> int | None:
    """Give a count of tokens, also from its text or a float; negative and absurd ones are none."""
    found = number(value)
    return int(found) if found is not None and 0 <= found <= MOST_TOKENS else None


def seconds(value: object) -> int | None:
    """Give seconds as nanoseconds."""
    found = number(value)
    return round(found * _NANOS) if found is not None and found >= 0 else None


def milliseconds(value: object) -> int | None:
    """Give milliseconds as nanoseconds."""
    found = number(value)
    return round(found * 1_000_000) if found is not None and found >= 0 else None


def instant(value: object) -> int | None:
    """Give an ISO 8601 time, quoted or not, as nanoseconds since the epoch; without a zone it is UTC."""
    found = unquoted(value)
    if not found:
        return None
    try:
        parsed = datetime.fromisoformat(found.strip())
    except ValueError:
        return None
    moment = parsed if parsed.tzinfo is not None else parsed.replace(tzinfo=UTC)
    whole = moment.replace(microsecond=0)
    return int(whole.timestamp()) * _NANOS + moment.microsecond * 1_000


def words(value: object) -> tuple[str, ...] | None:
    """Give tags as a tuple: from a list, a JSON list, or text with commas."""
    found = sequence(value)
    if found is None:
        plain = identifier(value)
        found = plain.split(",") if plain else []
    return tuple(dict.fromkeys(tag for tag in (str(item).strip() for item in found) if tag)) or None


def nested(attributes: Mapping[str, Any], prefix: str) -> dict[str, Any]:
    """Collect the attributes below a prefix into the structure that their dotted keys spell.

    Args:
        attributes: A span's attributes.
        prefix: The beginning of the keys, with its last dot.

    Returns:
        Nested dicts; a level whose keys are all numbers is a list in the numbers' order, gaps closed.

    Example:
        >>> nested({"m.0.role": "user", "m.2.role": "tool"}, "m.")
        {'0': {'role': 'user'}, '2': {'role': 'tool'}}
    """
    tree: dict[str, Any] = {}
    for key, value in attributes.items():
        if not key.startswith(prefix):
            continue
        *parents, last = key[len(prefix) :].split(".", _MOST_PARTS)
        level = tree
        for part in parents:
            below = level.get(part)
            if not isinstance(below, dict):
                # A key that is the beginning of another keeps its value under "".
                below = {} if below is None else {"": below}
                level[part] = below
            level = cast("dict[str, Any]", below)
        if isinstance(level.get(last), dict):
            level[last][""] = value
        else:
            level[last] = value
    return {key: _listed(value) for key, value in tree.items()}


def indexed(attributes: Mapping[str, Any], prefix: str) -> list[Any]:
    """Collect a list that was flattened into indexed keys, as OpenInference and Traceloop do.

    Example:
        >>> indexed({"m.0.role": "user", "m.2.role": "tool"}, "m.")
        [{'role': 'user'}, {'role': 'tool'}]
    """
    found = _listed(nested(attributes, prefix))
    return cast("list[Any]", found) if isinstance(found, list) else []


def _listed(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    level = cast("dict[str, Any]", value)
    below = {key: _listed(item) for key, item in level.items()}
    if below and all(key.isascii() and key.isdigit() and len(key) <= _MOST_DIGITS for key in below):
        return [below[key] for key in sorted(below, key=int)]
    return below
