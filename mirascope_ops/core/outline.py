"""Values in words: a `repr` where that is cheap and works, else the type and length, which run none of their code."""

from __future__ import annotations

from typing import Any, Final, cast

from mirascope_ops.core import bounds, masking, patience

REPR_LIMIT: Final = 2048  # characters
_KEYS: Final[dict[Any, str]] = {None: "null", True: "true", False: "false"}


def describe(value: Any) -> str:
    """Return a value's repr, cut, or its type where that fails or takes long; never raises an Exception.

    Example:
        >>> describe(range(3))
        'range(0, 3)'
    """
    kind = cast("type[Any]", type(value))
    if bounds.items_of(value, 0) is not None or issubclass(kind, dict):
        return outline(value)
    try:
        text = patience.ask(kind, repr, value)
    except patience.ImpatientError:
        return f"<{type_name(kind)} object, whose repr takes long>"
    except Exception as error:  # noqa: BLE001 - a failing __repr__ is the user's business, not a failed call
        return f"<{type_name(kind)} object, whose repr raised {type(error).__name__}>"
    return masked(shorten(text, REPR_LIMIT))


def masked(text: str) -> str:
    """Return what an object says of itself, without the secrets in it, unless these are to be kept."""
    from mirascope_ops.core import capture  # it imports this module

    return masking.mask_repr(text) if capture.policy.mask_secrets else text


def outline(value: Any) -> str:
    """Return a value's type, and its length where it stores one; no code of its own is run.

    Example:
        >>> outline([1, 2]), outline(range(3))
        ('<list of 2 items>', '<range object>')
    """
    kind = cast("type[Any]", type(value))
    if bounds.items_of(value, 0) is not None or issubclass(kind, dict):
        kind = cast("type[Any]", kind)
        return f"<{type_name(kind)} of {bounds.length_of(value):,} items>"
    if issubclass(kind, str):
        return f"<{type_name(kind)} of {str.__len__(value):,} characters>"
    return f"<{type_name(kind)} object>"


def more(count: int, what: str) -> str:
    """Return the marker that says how much was left out.

    Example:
        >>> more(1234, "items")
        '… [1,234 more items]'
    """
    return f"… [{count:,} more {what}]"


def type_name(kind: type) -> str:
    """Return a type's qualified name, without `builtins`.

    Example:
        >>> from collections import deque
        >>> type_name(dict), type_name(deque)
        ('dict', 'collections.deque')
    """
    return kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"


def shorten(text: str, limit: int) -> str:
    """Return the beginning of a text, without lone surrogates, and the marker of what is missing."""
    found = str.__getitem__(text, slice(0, limit)).encode("utf-8", "backslashreplace").decode()
    left = str.__len__(text) - limit
    return found + more(left, "characters") if left > 0 else found


def key_of(key: Any) -> str:
    """Return a mapping's key as JSON has it.

    Example:
        >>> key_of(None), key_of(1)
        ('null', '1')
    """
    return _KEYS[key] if key is None or type(key) is bool else describe(key)
