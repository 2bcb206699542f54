"""Masking of values whose key says that they are secret.

A key is matched as a whole name, whatever its case and separators, so `api_key`, `X-API-Key` and
`apiKey` are masked and `max_tokens` is not. JSON text is searched for such keys first, with plain substring
searches, because nearly all of it holds none and then nothing need be parsed.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final, cast

if TYPE_CHECKING:
    from collections.abc import Callable

MASK: Final = "[masked]"

_NAMES: Final = frozenset(
    [
        "authorization",
        "proxyauthorization",
        "auth",
        "apikey",
        "xapikey",
        "apitoken",
        "apisecret",
        "token",
        "accesstoken",
        "refreshtoken",
        "idtoken",
        "authtoken",
        "bearertoken",
        "bearer",
        "sessiontoken",
        "securitytoken",
        "secret",
        "clientsecret",
        "secretkey",
        "accesskey",
        "accesskeyid",
        "secretaccesskey",
        "privatekey",
        "signingkey",
        "encryptionkey",
        "password",
        "passwd",
        "passphrase",
        "pwd",
        "cookie",
        "cookies",
        "setcookie",
        "credential",
        "credentials",
        "xauthtoken",
        "xcsrftoken",
        "csrftoken",
        "connectionstring",
    ]
)
# A longer name that ends so is secret too: OPENAI_API_KEY, db_password, AWS_SECRET_ACCESS_KEY.
_ENDINGS: Final = (
    "apikey", "accesskey", "accesskeyid", "authtoken", "accesstoken", "passwd", "password", "privatekey", "secret",
    "secretkey",
)  # fmt: skip
_TOKEN_OWNERS: Final = frozenset(
    ["github", "gitlab", "slack", "hf", "huggingface", "bot", "jwt", "oauth", "user", "session", "csrf", "aws", "azure"]
)
_SEPARATORS: Final = re.compile(r"[^a-z0-9]+")
_KEY: Final = re.compile(r'"((?:[^"\\]|\\.)*)":')  # a key of JSON without spaces: only keys are followed by a colon

# What stands before a value in a repr (`name=`, `'name': `), and the value. It may be cut off; and where one ends that
# is a call (`Token('a', 'b')`) nobody knows, so all that follows counts as a part of it.
_ASSIGNMENT: Final = r"""([A-Za-z_][\w.-]*)['"]?(?:=|: )"""
_VALUE: Final = r"""b?'(?:[^'\\]|\\.)*(?:'|$)|b?"(?:[^"\\]|\\.)*(?:"|$)|[^\s,()\[\]{}'"]*[(\[{].*|[^\s,)\]}>]+"""


@lru_cache(maxsize=4096)
def is_secret(key: str) -> bool:
    """Tell whether values under this key are masked.

    Args:
        key: A parameter's, mapping key's, header's or attribute's name.

    Returns:
        Whether the name, as a whole, is one for secrets.

    Example:
        >>> is_secret("OPENAI_API_KEY"), is_secret("max_tokens")
        (True, False)
    """
    lower = key.lower()
    if not _mentions_secret(lower):
        return False
    words = [word for word in _SEPARATORS.split(lower.rsplit(".", 1)[-1]) if word]
    name = "".join(words)
    if name in _NAMES or name.endswith(_ENDINGS):
        return True
    return len(words) > 1 and words[-1] == "token" and words[0] in _TOKEN_OWNERS


def may_hold_secret(text: str) -> bool:
    """Tell whether JSON text has a secret key, cheaply for the texts that mention nothing secret at all.

    Args:
        text: JSON without spaces, as orjson writes it.
    """
    return _mentions_secret(text.lower()) and any("\\" in key or is_secret(key) for key in set(_KEY.findall(text)))


def _mentions_secret(lower: str) -> bool:
    """Tell whether lower-case text holds a piece that every secret name has.

    Written out, because a loop over the pieces would take ten times as long as the searches.
    """
    return (
        "key" in lower
        or "token" in lower
        or "pass" in lower
        or "secret" in lower
        or "auth" in lower
        or "cookie" in lower
        or "credential" in lower
        or "bearer" in lower
        or "pwd" in lower
        or "connection" in lower
    )


def mask(value: Any, redact: Callable[[str, Any], Any] | None = None, key: str = "") -> Any:
    """Copy JSON data with secrets masked.

    Args:
        value: JSON data: dict, list, str, int, float, bool or None.
        redact: The user's own rule, called with each key and value that is not masked already; what it
            returns is kept instead. List items are given under the list's key.
        key: The key under which `value` stands.

    Returns:
        The copy.

    Example:
        >>> mask({"api_key": "sk-1", "n": [{"token": "t"}]})
        {'api_key': '[masked]', 'n': [{'token': '[masked]'}]}
    """
    if key and value is not None and is_secret(key):
        return MASK
    if redact is not None:
        value = redact(key, value)
    if isinstance(value, dict):
        fields = cast("dict[str, Any]", value)
        return {name: mask(item, redact, name) for name, item in fields.items()}
    if isinstance(value, list):
        items = cast("list[Any]", value)
        return [mask(item, redact, "" if redact is None else key) for item in items]
    return value


def mask_repr(text: str) -> str:
    """Mask the values that stand under secret names in a repr.

    Args:
        text: What an object says of itself.

    Example:
        >>> mask_repr("Client(host='db', api_key='sk-1', retries=3)")
        "Client(host='db', api_key=[masked], retries=3)"
    """
    if not _mentions_secret(text.lower()):
        return text
    # Compiled here, once by `re` itself: a program's start does not wait for it.
    assignments, values = re.compile(_ASSIGNMENT), re.compile(_VALUE, re.DOTALL)
    found: list[str] = []
    at = 0
    while assignment := assignments.search(text, at):
        found.append(text[at : assignment.end()])
        at = assignment.end()
        if not is_secret(assignment[1]):
            continue
        if text.startswith(MASK, at):  # what is masked already ends there, which the pattern of values cannot know
            at += len(MASK)
            found.append(MASK)
        elif value := values.match(text, at):
            at = value.end()
            found.append(MASK)
    return "".join(found) + text[at:]
