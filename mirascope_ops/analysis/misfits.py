"""Misfits: captured data of which a value cannot be made, and the words for it."""

from __future__ import annotations

from typing import Any, Final, cast

_KINDS: Final = {
    dict: "an object", list: "a list", str: "text", bool: "a bool", int: "a number", float: "a number",
}  # fmt: skip


class RebuildError(Exception):
    """A value that cannot be made again; the message says why, as the end of a sentence."""


def in_words(data: Any) -> str:
    """Say what kind of JSON data this is.

    Example:
        >>> in_words([1]), in_words(None)
        ('a list', 'null')
    """
    return _KINDS.get(cast("type[Any]", type(data)), "null")


def expected(data: Any, kind: type[Any], wanted: Any) -> Any:
    """Return data if they are of a kind.

    Args:
        data: JSON data.
        kind: dict, list, str, bool or float.
        wanted: The type that is to be made of them, for the message.

    Raises:
        RebuildError: They are not.
    """
    if type(data) is not kind:
        message = f"the trace holds {in_words(data)}, which is not {getattr(wanted, '__name__', wanted)}"
        raise RebuildError(message)
    return data
