"""Stand-ins: what capture wrote in place of a value, or of a part of it, that a trace does not hold.

They are known by their form. A text of the user's own that has such a form by chance counts as one: to take it for
what it says would be to guess.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final, cast

from mirascope_ops.core import capture
from mirascope_ops.core.masking import MASK

if TYPE_CHECKING:
    from collections.abc import Callable

_CUT: Final = re.compile(r"… \[[\d,]+ more (?:characters|items)\]$")
_OBJECT: Final = re.compile(
    r"<class .{1,2048}>|<.{1,2048}(?: object| at 0x[0-9a-fA-F]+| of [\d,]+ (?:items|characters))>", re.DOTALL
)
_SURROGATE: Final = re.compile(r"\\ud[89a-f][0-9a-f]{2}")
_SECRET: Final = "*" * 10  # as pydantic writes a SecretStr
_CYCLE: Final = "[cycle]"
_REPLACEMENT: Final = "\ufffd"  # as pydantic writes a lone surrogate; capture itself writes its escape
_LINE: Final = 80
_PROBES: Final = ("probe", 1)  # values that a rule leaves alone unless it is the key that it minds


def missing(data: Any) -> str | None:
    """Say in words what a captured value does not tell of the value that it was captured from.

    Args:
        data: JSON data, as it was captured.

    Returns:
        The words, about the first stand-in in it; None where there is none.

    Example:
        >>> missing({"city": "Paris", "api_key": "[masked]"})
        'it was masked where it was recorded'
        >>> missing({"city": "Paris"}) is None
        True
    """
    waiting = [data]
    while waiting:
        item = waiting.pop()
        if isinstance(item, str):
            words = _of_text(item)
            if words is not None:
                return words
        elif isinstance(item, list):
            waiting += cast("list[Any]", item)
        elif isinstance(item, dict):
            fields = cast("dict[str, Any]", item)
            waiting += [*fields, *fields.values()]
    return None


def redacted(data: Any, name: str) -> str | None:
    """Say in words that the user's rule, as it is now, changes what stands under a key.

    A rule that looks for something in values, and not for keys, leaves no trace by which that could be known.

    Args:
        data: JSON data, as it was captured.
        name: The parameter.
    """
    rule = capture.policy.redact
    if rule is None:
        return None
    waiting: list[tuple[str, Any]] = [(name, data)]
    while waiting:
        key, item = waiting.pop()
        if _is_changed(rule, key):
            return f"values under {key!r} are redacted (`ops.configure(redact=...)`)"
        if isinstance(item, list):
            waiting += [(key, one) for one in cast("list[Any]", item)]
        elif isinstance(item, dict):
            waiting += cast("dict[str, Any]", item).items()
    return None


def _is_changed(rule: Callable[[str, Any], Any], key: str) -> bool:
    try:
        return any(rule(key, probe) != probe for probe in _PROBES)
    except Exception:  # noqa: BLE001 - the user's own code; capture masks what it fails on
        return True


def _of_text(text: str) -> str | None:
    words: str | None = None
    if MASK in text:
        words = "it was masked where it was recorded"
    elif text == _SECRET:
        words = "it holds a secret, which is not recorded"
    elif text == _CYCLE:
        words = "it holds itself, which JSON cannot say"
    elif text.endswith("]") and _CUT.search(text):
        words = "it was cut where it was recorded, because it was long (`ops.configure(capture_limit=...)`)"
    elif text.endswith(">") and _OBJECT.fullmatch(text):
        words = f"the trace has only its description, {text if len(text) <= _LINE else text[:_LINE] + '…'}"
    elif _REPLACEMENT in text or ("\\ud" in text and _SURROGATE.search(text)):
        words = "it holds characters that could not be recorded"
    return words
