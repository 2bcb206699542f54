"""Capture: a Python value as JSON text, at once, so that a later mutation changes no trace.

The rule is one call of orjson and no Python code for ordinary data; everything else is the exception:

* types that orjson does not know become a faithful value where that is cheap (pydantic, sets, exceptions)
  and a summary where it is not (arrays, frames, images, bytes: type, shape, dtype, head);
* what orjson refuses (cycles, huge ints, lone surrogates, odd keys) is walked in Python, to a depth (`excerpt`);
* values over the size limit are cut, with a marker that says how much;
* what is so big that writing it out would cost time and memory (`bounds`) is walked as far as there is room;
* values under secret keys are masked (`masking`).

Whatever happens, `dump` returns text: a value that cannot be captured is described instead.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, Final, cast

import orjson

from mirascope_ops.core import bounds, masking
from mirascope_ops.core.excerpt import digits, excerpt
from mirascope_ops.core.summaries import describe, summarise

if TYPE_CHECKING:
    from collections.abc import Callable

DEFAULT_LIMIT: Final = 64 * 1024  # bytes a value; a prompt of 16k tokens fits
_WHOLE: Final = 1 << 30  # bytes: room for all of a value that is not big
_OPTIONS: Final = orjson.OPT_NON_STR_KEYS
_PRIMITIVES: Final = frozenset((str, bool, int, float))
_ESCAPED: Final = 6  # characters that JSON may need for one
_MARKER: Final = 64  # bytes that the marker of a cut value may take
_FLAT: Final = frozenset((str, bool, int, float, type(None)))
_MAX_FIELDS: Final = 64
_MAX_KEYS: Final = 10_000  # a program that makes up keys without end must not grow us
_ORDINARY_KEYS: Final[set[str]] = set()
"""Keys seen in results that are not secret."""
_dumps: Final = orjson.dumps
_MASKED: Final = f'"{masking.MASK}"'


class Policy:
    """What is captured, how much of it, and what is masked; one for the process, made by `configure`.

    Attributes:
        enabled: Whether arguments and results are captured at all.
        limit: Bytes of JSON a value; longer ones are cut.
        redact: The user's own rule (`masking.mask`), or None.
        mask_secrets: Whether values under secret keys are masked.
        longest_as_is: Bytes of JSON that may be kept as they are: the limit; -1 where nothing is captured, or where a
            rule must see everything.
        longest_unwritten: Characters of ASCII that are within the limit, whatever of them JSON has to escape; -1 as
            above.
    """

    __slots__ = ("_enabled", "_limit", "_redact", "longest_as_is", "longest_unwritten", "mask_secrets")

    def __init__(
        self,
        *,
        enabled: bool = True,
        limit: int = DEFAULT_LIMIT,
        redact: Callable[[str, Any], Any] | None = None,
        mask_secrets: bool = True,
    ) -> None:
        self._enabled = enabled
        self._limit = limit
        self._redact = redact
        self.mask_secrets = mask_secrets
        self._settle()

    @property
    def enabled(self) -> bool:
        """Whether arguments and results are captured at all."""
        return self._enabled

    @enabled.setter
    def enabled(self, enabled: bool) -> None:
        self._enabled = enabled
        self._settle()

    @property
    def limit(self) -> int:
        """Bytes of JSON a value; longer ones are cut."""
        return self._limit

    @limit.setter
    def limit(self, limit: int) -> None:
        self._limit = limit
        self._settle()

    @property
    def redact(self) -> Callable[[str, Any], Any] | None:
        """The user's own rule, or None."""
        return self._redact

    @redact.setter
    def redact(self, redact: Callable[[str, Any], Any] | None) -> None:
        self._redact = redact
        self._settle()

    def _settle(self) -> None:
        self.longest_as_is = self._limit if self._enabled and self._redact is None else -1
        self.longest_unwritten = self.longest_as_is // _ESCAPED


def _wanted() -> bool:
    """Tell whether the environment lets us capture."""
    return os.environ.get("MIRASCOPE_OPS_CAPTURE", "").strip().lower() not in {"0", "off", "false", "no"}


policy = Policy(enabled=_wanted())


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
        return _MASKED
    kind = cast("type[Any]", type(value))
    if issubclass(kind, str):
        return _quoted(text(value if kind is str else str.__getitem__(value, slice(None)), key))
    return _dump_big(value, key) if bounds.is_big(value) else _dump_small(value, key)


def _dump_small(value: Any, key: str) -> str:
    """Dump a value that is not too big to be written out; see `dump`."""
    try:
        data = _dumps(value, summarise)
    except Exception:  # noqa: BLE001 - whatever a value's own code raises, the walk below describes it
        data = _dumps_odd(value)
    found = data.decode()
    if policy.redact is not None or (policy.mask_secrets and masking.may_hold_secret(found)):
        found = _masked(found, key)
        data = found.encode()
    return found if len(data) <= policy.limit else _quoted(cut(found))


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
    longest = policy.longest_as_is
    for value in values:
        kind = type(value)  # pyright: ignore[reportUnknownVariableType] - whatever the user's value is
        if kind is str:
            if len(value) > longest:
                return None
        elif kind is not int and kind not in _FLAT:  # to compare is cheaper than to look up, and ints are frequent
            return _dump_nested(values)
    try:
        data = _dumps(values)
    except Exception:  # noqa: BLE001 - dump_fields describes whatever failed
        return None
    return data.decode() if len(data) <= longest else None


def _dump_nested(values: tuple[Any, ...]) -> str | None:
    """Return positional arguments as `dump_arguments` does, where there is more among them than plain values."""
    longest = policy.longest_as_is
    for value in values:
        kind = type(value)  # pyright: ignore[reportUnknownVariableType] - as above
        if len(value) > longest if kind is str else kind not in _FLAT and bounds.is_big(value):
            return None
    try:
        data = _dumps(values, summarise)
    except Exception:  # noqa: BLE001 - as above
        return None
    if len(data) > longest:
        return None
    found = data.decode()
    return None if '":' in found and policy.mask_secrets and masking.may_hold_secret(found) else found


def dump_result(value: Any) -> Any:
    """Return a result as an attribute value: primitives as they are, None as None, all else as JSON text.

    This is Mirascope's form of `mirascope.trace.output`: a string stays a string and is not quoted.

    Args:
        value: What the traced function returned.
    """
    kind = type(value)  # pyright: ignore[reportUnknownVariableType] - whatever the user's value is
    if kind is dict:
        return dump_dict(value)
    if kind is str:
        return text(value)
    if kind in _PRIMITIVES:
        return _primitive(value, "")
    return None if value is None else dump(value)


def dump_dict(fields: dict[Any, Any]) -> str:
    """Return a dict as JSON text, as `dump` does: the most frequent kind of result, and the fast path of a traced call.

    Args:
        fields: What the traced function returned.
    """
    longest = policy.longest_as_is
    try:
        # A few plain values, mostly, under keys that are known not to be secret.
        if _ORDINARY_KEYS.issuperset(fields):
            for item in fields.values():
                kind = type(item)  # pyright: ignore[reportUnknownVariableType]
                if (len(item) > longest) if kind is str else (kind is not int and kind not in _FLAT):
                    break
            else:
                data = _dumps(fields)
                if len(data) <= longest:
                    return data.decode()
    except Exception:  # noqa: BLE001, S110 - a lone surrogate, an int over 64 bits, a change by another thread
        pass
    return _dump_learning(fields)


def _dump_learning(fields: dict[Any, Any]) -> str:
    """Dump a result, and remember which of its keys are not secret."""
    if len(fields) <= _MAX_FIELDS and len(_ORDINARY_KEYS) < _MAX_KEYS:
        _ORDINARY_KEYS.update(key for key in list(fields) if type(key) is str and not masking.is_secret(key))
    return dump(fields)


def text(value: str, key: str = "") -> str:
    """Return a string that any exporter and any store can keep: redacted, within the limit, no lone surrogates."""
    if policy.redact is not None:
        told = _redacted(key, value)
        value = told if type(told) is str else describe(told)
    if value.isascii():
        return cut(value)
    part = value[: policy.limit + 1]  # to look at all of a gigabyte takes seconds
    return cut(part.encode("utf-8", "backslashreplace").decode(), beyond=len(value) - len(part))


def attribute(value: Any, key: str = "") -> Any:
    """Return a value in a form that OpenTelemetry accepts as an attribute; never raises an Exception.

    Strings, bools, ints, floats and sequences of one of these stay; anything else becomes JSON text.

    Args:
        value: Anything but None.
        key: The attribute's key; a secret one masks the value.
    """
    if key and policy.mask_secrets and masking.is_secret(key):
        return masking.MASK
    kind = cast("type[Any]", type(value))  # not isinstance: a proxy's `__class__` is code of the user's
    if issubclass(kind, str):
        return text(value if kind is str else str.__getitem__(value, slice(None)), key)
    if issubclass(kind, bool | int | float):
        return _primitive(value, key)
    return _several(value, key) if issubclass(kind, list | tuple | set | frozenset) else dump(value, key)


def _several(value: Any, key: str) -> Any:
    """Return a list or a set as an attribute: as a tuple of one kind of primitives, else as JSON text."""
    if bounds.is_big(value):
        return _dump_big(value, key)
    items = bounds.items_of(value, bounds.length_of(value)) or []
    kinds: set[Any] = {type(item) for item in items}
    if not kinds or (len(kinds) == 1 and kinds <= _PRIMITIVES):
        return tuple(attribute(item, key) for item in items)
    return _dump_small(value, key)


def _dump_big(value: Any, key: str) -> str:
    """Dump a part of a value that is too big to be written out; see `dump`."""
    found = _dumps_big(value).decode()
    if policy.redact is not None or (policy.mask_secrets and masking.may_hold_secret(found)):
        found = _masked(found, key)
    return found if len(found.encode()) <= policy.limit else _quoted(cut(found))


def _primitive(value: Any, key: str) -> Any:
    """Return a bool, int or float as an attribute: ints within 64 bits, redacted where the user asks for it."""
    if issubclass(cast("type[Any]", type(value)), int) and not isinstance(value, bool):
        value = int.__int__(value)
        if not -(2**63) <= value < 2**63:
            return text(digits(value), key)
    if policy.redact is None:
        return value
    told = _redacted(key, value)
    return told if type(told) in _PRIMITIVES else dump(told)


def _redacted(key: str, value: Any) -> Any:
    """Apply the user's rule; one that fails must not let anything through."""
    try:
        return value if policy.redact is None else policy.redact(key, value)
    except Exception:  # noqa: BLE001 - the user's own code
        return masking.MASK


def cut(value: str, limit: int | None = None, *, beyond: int = 0) -> str:
    """Shorten text to so many bytes of UTF-8, with a marker that says how much is missing.

    Args:
        value: Text without lone surrogates.
        limit: Bytes; the policy's where None.
        beyond: Characters that were cut off before.

    Example:
        >>> cut("abcdef", 4)
        'abcd… [2 more characters]'
    """
    most = policy.limit if limit is None else limit
    if not beyond and (len(value) * 4 <= most or (len(value) <= most and value.isascii())):
        return value
    data = value[:most].encode()  # no more than so many characters can be kept
    if not beyond and len(data) <= most and len(value) <= most:
        return value
    kept = data[:most].decode("utf-8", "ignore")
    return f"{kept}… [{len(value) - len(kept) + beyond:,} more characters]"


def _dumps_odd(value: Any) -> bytes:
    """Write what orjson refuses as it is: keys that are no strings by its own option, which costs, else by a walk."""
    try:
        return orjson.dumps(value, default=summarise, option=_OPTIONS)
    except Exception:  # noqa: BLE001 - whatever a value's own code raises, the walk below describes it
        return orjson.dumps(excerpt(value, _WHOLE))


def _dumps_big(value: Any) -> bytes:
    """Write a part of what is too big to be written out before it is cut."""
    return orjson.dumps(excerpt(value, policy.limit * 7 // 8))  # some room for what JSON escapes


def _quoted(value: str) -> str:
    """Return text as a JSON string within the limit: what must be escaped there takes more room than in the text."""
    data = orjson.dumps(value)
    room = policy.limit
    while len(data) > policy.limit + _MARKER and room > _MARKER:
        room = room * policy.limit // len(data)
        data = orjson.dumps(cut(value, room))
    return data.decode()


def _masked(data: str, key: str) -> str:
    value = orjson.loads(data)
    try:
        return orjson.dumps(masking.mask(value, policy.redact, key), default=str).decode()
    except Exception:  # noqa: BLE001 - a redactor that fails must not let anything through
        return _MASKED
