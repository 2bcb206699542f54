"""Session attributes in W3C baggage: one member an attribute, its value as JSON, percent-encoded.

    baggage: mirascope.session.user_tier=%22premium%22,mirascope.session.turn=3

The specification (https://www.w3.org/TR/baggage/) promises that 64 members and 8,192 bytes are passed on; servers
commonly refuse a longer header field with the whole request. So attributes take at most half of that, what
does not fit is left out, and members that others wrote stay as they are.
"""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote, unquote_to_bytes

import orjson

from mirascope_ops.core import guard

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

HEADER: Final = "baggage"
PREFIX: Final = "mirascope.session."
MAX_BYTES: Final = 8192
MAX_OWN_BYTES: Final = 4096
MAX_MEMBERS: Final = 64
# What a key (an HTTP token) and a value may hold unencoded. `+` could, and is encoded all the same: OpenTelemetry's
# own propagator reads it as a space.
_IN_KEY: Final = "!#$&'*^`|"
_IN_VALUE: Final = "!#$&'()*/:<=>?@[]^`{|}"


def encode(attributes: Mapping[str, Any], existing: str = "") -> str:
    """Return the value of a baggage header.

    Args:
        attributes: JSON values.
        existing: The header's value so far; it comes first, unchanged.

    Returns:
        The value, empty where there is nothing to say.

    Example:
        >>> encode({"user_tier": "premium", "turn": 3}, "tenant=7")
        'tenant=7,mirascope.session.user_tier=%22premium%22,mirascope.session.turn=3'
    """
    existing = existing.strip(" \t,")
    members = [existing] if existing else []
    count = existing.count(",") + len(members)
    room = min(MAX_OWN_BYTES, MAX_BYTES - len(existing) - 1)
    for key, value in attributes.items():
        text = orjson.dumps(value).decode()
        member = f"{PREFIX}{quote(key, safe=_IN_KEY)}={quote(text, safe=_IN_VALUE)}"
        if count >= MAX_MEMBERS or len(member) > room:
            guard.warn_once(
                f"baggage {key}",
                f"mirascope_ops sent a session's attributes without {key[:80]!r}: baggage holds {MAX_OWN_BYTES} "
                f"bytes of them and {MAX_MEMBERS} members in all.",
            )
            continue
        members.append(member)
        room -= len(member) + 1
        count += 1
    return ",".join(members)


def decode(values: Iterable[str]) -> dict[str, Any]:
    """Return the session attributes in baggage headers; members of others, and those that make no sense, are left out.

    Args:
        values: The values of the headers of that name.

    Returns:
        The attributes as they were sent. A value that is no JSON is taken as text; of a repeated key, the first counts.

    Example:
        >>> decode(["tenant=7,mirascope.session.turn=3;p=1", "mirascope.session.user_tier=premium"])
        {'turn': 3, 'user_tier': 'premium'}
    """
    found: dict[str, Any] = {}
    members = (member for value in values for member in value.split(","))
    for member in islice(members, MAX_MEMBERS):
        name, equals, value = (part.strip(" \t") for part in member.partition(";")[0].partition("="))
        if not equals or not name.startswith(PREFIX):
            continue
        try:
            key = unquote_to_bytes(name.removeprefix(PREFIX)).decode()
            text = unquote_to_bytes(value).decode()
        except UnicodeError:
            guard.warn_once("baggage", f"mirascope_ops ignored invalid baggage: {member[:80]!r}")
            continue
        found.setdefault(key, _from_json(text))
    return found


def _from_json(text: str) -> Any:
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        return text
