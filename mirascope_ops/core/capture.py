"""Capture: a Python value as JSON text, at once, so that a later mutation changes no trace.

The rule is one call of orjson and no Python code for ordinary data; everything else is the exception:

* types that orjson does not know become a faithful value where that is cheap (pydantic, sets, exceptions)
  and a summary where it is not (arrays, frames, images, bytes: type, shape, dtype, head);
* what orjson refuses (cycles, huge ints, lone surrogates, odd keys) is walked in Python, with a depth limit;
* values over the size limit are cut, with a marker that says how much;
* values under secret keys are masked (`masking`).

Whatever happens, `dump` returns text: a value that cannot be captured is described instead.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, cast

import orjson

from mirascope_ops.core import masking
from mirascope_ops.core.summaries import describe, summarise

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

DEFAULT_LIMIT: Final = 64 * 1024  # bytes a value; a prompt of 16k tokens fits
_DEPTH: Final = 64
_OPTIONS: Final = orjson.OPT_NON_STR_KEYS
_PRIMITIVES: Final = frozenset((str, bool, int, float))


class Policy:
    """What is captured, how much of it, and what is masked; one for the process, made by `configure`.

    Attributes:
        enabled: Whether arguments and results are captured at all.
        limit: Bytes of JSON a value; longer ones are cut.
        redact: The user's own rule (`masking.mask`), or None.
        mask_secrets: Whether values under secret keys are masked.
    """

    __slots__ = ("enabled", "limit", "mask_secrets", "redact")

    def __init__(
        self,
        *,
        enabled: bool = True,
        limit: int = DEFAULT_LIMIT,
        redact: Callable[[str, Any], Any] | None = None,
        mask_secrets: bool = True,
    ) -> None:
        self.enabled = enabled
        self.limit = limit
        self.redact = redact
        self.mask_secrets = mask_secrets


policy = Policy()


def dump(value: Any, key: str = "") -> str:
    """Return a value as JSON text, masked and within the limit; never raises an Exception.

    Args:
        value: Anything.
        key: The name under which it is kept; a secret one masks the whole value.

    Returns:
        JSON text. Where it was cut it is a JSON string that ends in a marker.

    Example:
        >>> dump({"city": "Paris", "api_key": "sk-1"})
        '{"city":"Paris","api_key":"[masked]"}'
    """
    if key and policy.mask_secrets and masking.is_secret(key):
        return f'"{masking.MASK}"'
    if isinstance(value, str) and len(value) > policy.limit:
        value = cut(value)
    try:
        data = orjson.dumps(value, default=summarise, option=_OPTIONS).decode()
    except Exception:  # noqa: BLE001 - whatever a value's own code raises, the walk below describes it
        data = orjson.dumps(_walk(value, 0, set())).decode()
    if policy.redact is not None or (policy.mask_secrets and masking.may_hold_secret(data)):
        data = _masked(data, key)
    return data if len(data) <= policy.limit else orjson.dumps(cut(data)).decode()


def dump_fields(names: tuple[str, ...], values: tuple[Any, ...], more: dict[str, Any] | None = None) -> str:
    """Return named values as the text of one JSON object, each within the limit.

    Args:
        names: The first fields' names.
        values: Their values, in the same order; may be fewer.
        more: Further fields.
    """
    fields = dict(zip(names, values, strict=False))
    if more:
        fields.update(more)
    return "{" + ",".join(f"{orjson.dumps(name).decode()}:{dump(item, name)}" for name, item in fields.items()) + "}"


def dump_arguments(values: tuple[Any, ...]) -> str | None:
    """Return positional arguments as the text of one JSON array; the fast path of a traced call.

    Args:
        values: The arguments, in order.

    Returns:
        The text, or None where the values need the care of `dump_fields`: something to mask, something over
        the limit, something that orjson refuses.
    """
    try:
        data = orjson.dumps(values, default=summarise, option=_OPTIONS).decode()
    except Exception:  # noqa: BLE001 - dump_fields describes whatever failed
        return None
    if len(data) > policy.limit or policy.redact is not None:
        return None
    if '":' in data and policy.mask_secrets and masking.may_hold_secret(data):
        return None
    return data


def dump_result(value: Any) -> Any:
    """Return a result as an attribute value: primitives as they are, None as None, all else as JSON text.

    This is Mirascope's form of `mirascope.trace.output`: a string stays a string and is not quoted.

    Args:
        value: What the traced function returned.
    """
    kind = type(value)  # pyright: ignore[reportUnknownVariableType] - whatever the user's value is
    if kind in _PRIMITIVES:
        return (
            text(value) if kind is str else (value if kind is not int or -(2**63) <= value < 2**63 else digits(value))
        )
    return None if value is None else dump(value)


def text(value: str) -> str:
    """Return a string that any exporter and any store can keep: within the limit, no lone surrogates."""
    if len(value) > policy.limit:
        value = cut(value)
    if policy.redact is not None:
        value = str(policy.redact("", value))
    if value.isascii():
        return value
    return value.encode("utf-8", "backslashreplace").decode()


def cut(value: str) -> str:
    """Shorten text to the limit, with a marker that says how much is missing.

    Example:
        >>> len(cut("x" * 100_000)) < 70_000
        True
    """
    kept = policy.limit
    if len(value) <= kept:
        return value
    return f"{value[:kept]}… [{len(value) - kept:,} more characters]"


def digits(value: int) -> str:
    """Return an int of any size as text; in hex where Python refuses to write that many decimal digits."""
    try:
        return cut(str(value))
    except ValueError:
        return cut(hex(value))


def attribute(value: Any, key: str = "") -> Any:
    """Return a value in a form that OpenTelemetry accepts as an attribute.

    Strings, bools, ints, floats and sequences of one of these stay; anything else becomes JSON text.

    Args:
        value: Anything but None.
        key: The attribute's key; a secret one masks the value.
    """
    if key and policy.mask_secrets and masking.is_secret(key):
        return masking.MASK
    if isinstance(value, str):
        return text(str(value))
    if isinstance(value, bool | float):
        return value
    if isinstance(value, int):
        return int(value) if -(2**63) <= value < 2**63 else digits(value)
    if isinstance(value, list | tuple | set | frozenset):
        items: list[Any] = list(cast("Collection[Any]", value))
        kinds: set[Any] = {type(item) for item in items}
        if not kinds or (len(kinds) == 1 and kinds <= _PRIMITIVES):
            return tuple(attribute(item) for item in items)
    return dump(value)


def _masked(data: str, key: str) -> str:
    value = orjson.loads(data)
    try:
        return orjson.dumps(masking.mask(value, policy.redact, key), default=str).decode()
    except Exception:  # noqa: BLE001 - a redactor that fails must not let anything through
        return f'"{masking.MASK}"'


def _walk(value: Any, depth: int, seen: set[int]) -> Any:
    """Make JSON data of what orjson refuses: describe what cannot be kept, stop at cycles and at the depth limit."""
    if value is None or isinstance(value, bool | float | int | str):
        return _scalar(value)
    if id(value) in seen:
        return "[cycle]"
    if depth > _DEPTH:
        return describe(value)
    seen.add(id(value))
    try:
        return _walk_container(value, depth + 1, seen)
    except Exception:  # noqa: BLE001 - the value's own code failed
        return describe(value)
    finally:
        seen.discard(id(value))


def _scalar(value: Any) -> Any:
    if isinstance(value, str):
        return str(value).encode("utf-8", "backslashreplace").decode()
    if isinstance(value, int) and not isinstance(value, bool):
        return int(value) if -(2**63) <= value < 2**64 else digits(value)
    return value


def _walk_container(value: Any, depth: int, seen: set[int]) -> Any:
    if isinstance(value, dict):
        items = cast("dict[Any, Any]", value)
        return {
            key if isinstance(key, str) and key.isascii() else str(_walk(key, depth, seen)): _walk(item, depth, seen)
            for key, item in items.items()
        }
    if isinstance(value, list | tuple | set | frozenset):
        members: list[Any] = list(cast("Collection[Any]", value))
        return [_walk(item, depth, seen) for item in members]
    simple = summarise(value)
    if isinstance(simple, orjson.Fragment):
        return orjson.loads(orjson.dumps(simple))
    return _walk(simple, depth, seen)
