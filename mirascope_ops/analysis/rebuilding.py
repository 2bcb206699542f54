"""Rebuilding: a captured argument as the Python value that it was, by the annotation of its parameter.

Capture writes many different values in the same way (a tuple as a list, a date as text), so nothing is guessed: what is
made is captured once more and has to come out as it was recorded, and where several different values would, none is
taken. An annotation is believed: what it says a value is, the value was.
"""

from __future__ import annotations

import collections
import enum
import types
import typing
from collections import abc
from typing import TYPE_CHECKING, Any, Final, Literal, TypeVar, Union, cast

import orjson

from mirascope_ops.analysis import faithful
from mirascope_ops.analysis.instances import field_hints, instance, made
from mirascope_ops.analysis.literals import READERS
from mirascope_ops.analysis.misfits import RebuildError, expected, in_words
from mirascope_ops.analysis.standins import missing, redacted
from mirascope_ops.core.excerpt import excerpt
from mirascope_ops.core.outline import type_name
from mirascope_ops.core.summaries import summarise

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

_ROOM: Final = 1 << 30  # bytes: nothing is cut
_HEAD: Final = 8  # bytes that a trace has of bytes
_NUMBERS: Final = (bool, int, float)
_LISTS: Final = frozenset((
    list, abc.Sequence, abc.MutableSequence, abc.Collection, abc.Iterable, abc.Container, abc.Reversible,
))  # fmt: skip
_SETS: Final[dict[Any, type[Any]]] = {
    set: set, frozenset: frozenset, abc.Set: set, abc.MutableSet: set, collections.deque: collections.deque,
}  # fmt: skip
_DICTS: Final[dict[Any, Callable[[Any], Any]]] = {
    dict: dict, abc.Mapping: dict, abc.MutableMapping: dict,
    collections.OrderedDict: collections.OrderedDict, collections.Counter: collections.Counter,
}  # fmt: skip
_SORTED: Final = orjson.OPT_SORT_KEYS
OPEN: Final[Any] = Any
"""The annotation of what has none."""


def capture_again(value: Any) -> Any:
    """Return a value as capture writes it, as JSON data: whole, and with nothing masked."""
    try:
        written = orjson.dumps(value, default=summarise, option=orjson.OPT_NON_STR_KEYS)
    except Exception:  # noqa: BLE001 - as in capture: whatever a value's own code raises
        written = orjson.dumps(excerpt(value, _ROOM))
    return orjson.loads(written)


def whole(data: Any, name: str) -> Any:
    """Return captured data as it is.

    Args:
        data: JSON data, as it was captured.
        name: The parameter.

    Raises:
        RebuildError: A part of it stands for something that the trace does not hold.
    """
    words = missing(data) or redacted(data, name)
    if words is not None:
        raise RebuildError(words)
    return data


def rebuild(data: Any, hint: Any) -> Any:
    """Return the value of which this was captured.

    Args:
        data: JSON data, as it was captured; without stand-ins (`standins.missing`).
        hint: The annotation: a type as `typing.get_type_hints` gives it, `Any` where there is none.

    Raises:
        RebuildError: There is none, or there are several.

    Example:
        >>> import datetime
        >>> rebuild({"a": ["2026-11-25"]}, dict[str, tuple[datetime.date, ...]])
        {'a': (datetime.date(2026, 11, 25),)}
    """
    value = _build(data, hint)
    for inside in faithful.instances(value):
        lost = faithful.losses(cast("type[Any]", type(inside)))
        if lost is not None:
            raise RebuildError(lost)
    if not _is_same(capture_again(value), data, ordered=not _holds_set(value)):
        shown = getattr(hint, "__name__", str(hint))
        message = f"made again from the trace as {shown} it would not be what was recorded"
        raise RebuildError(message)
    return value


def _is_same(one: Any, other: Any, *, ordered: bool = True) -> bool:
    if not ordered:  # what is in no order is written in any
        one, other = _sorted(one), _sorted(other)
    return orjson.dumps(one, option=_SORTED) == orjson.dumps(other, option=_SORTED)


def _sorted(data: Any) -> Any:
    if isinstance(data, dict):
        return {key: _sorted(item) for key, item in cast("dict[str, Any]", data).items()}
    if isinstance(data, list):
        return sorted(map(_sorted, cast("list[Any]", data)), key=lambda item: orjson.dumps(item, option=_SORTED))
    return data


def _holds_set(value: Any) -> bool:
    if isinstance(value, set | frozenset):
        return True
    if isinstance(value, dict):
        return any(map(_holds_set, cast("dict[Any, Any]", value).values()))
    if isinstance(value, list | tuple):
        return any(map(_holds_set, cast("list[Any]", value)))
    if not faithful.is_structured(cast("type[Any]", type(value))):
        return False
    return any(map(_holds_set, getattr(value, "__dict__", {}).values()))


def _build(data: Any, hint: Any) -> Any:
    """Make a value by its annotation."""
    while hasattr(hint, "__supertype__") or type(hint).__name__ == "TypeAliasType":
        hint = hint.__supertype__ if hasattr(hint, "__supertype__") else hint.__value__
    if isinstance(hint, TypeVar):
        hint = hint.__bound__ or (Union[hint.__constraints__] if hint.__constraints__ else OPEN)  # noqa: UP007 - of a tuple
    if hint is OPEN or hint is object or hint is abc.Hashable or isinstance(hint, typing.ForwardRef):
        return data
    origin = typing.get_origin(hint)
    if origin is typing.Annotated or origin in (typing.Final, typing.ClassVar):
        return _build(data, typing.get_args(hint)[0])
    if origin is Literal:
        return _one([value for value in typing.get_args(hint) if _is_same(capture_again(value), data)], data, hint)
    if origin is Union or origin is types.UnionType:
        return _of_union(data, typing.get_args(hint), hint)
    if hint is typing.LiteralString:
        hint = str
    kind = hint if origin is None else origin
    if not isinstance(kind, type):
        message = f"the annotation {hint!r} does not tell how to make it"
        raise RebuildError(message)
    return _of_class(data, cast("type[Any]", kind), typing.get_args(hint))


def _one(found: list[Any], data: Any, hint: Any) -> Any:
    """Return the one value that fits."""
    different: list[Any] = []
    for value in found:
        if not any(_are_equal(value, other) for other in different):
            different.append(value)
    if len(different) == 1:
        return different[0]
    shown = str(hint).replace("typing.", "")
    if different:
        kinds = " or ".join(sorted({type_name(cast("type[Any]", type(value))) for value in different}))
        message = f"it may have been {kinds}: by {shown} both are possible"
    else:
        message = f"the trace holds {in_words(data)}, which is not {shown}"
    raise RebuildError(message)


def _are_equal(one: Any, other: Any) -> bool:
    try:
        return type(one) is type(other) and bool(one == other)
    except Exception:  # noqa: BLE001 - code of the value's
        return False


def _of_union(data: Any, members: Iterable[Any], hint: Any) -> Any:
    if data is None and type(None) in members:
        return None
    found: list[Any] = []
    for member in members:
        try:
            found.append(rebuild(data, member))
        except RebuildError:
            continue
    return _one(found, data, hint)


def _of_class(data: Any, kind: type[Any], arguments: tuple[Any, ...]) -> Any:
    if data is None:
        if kind is float:
            message = "the trace holds null, which a float becomes that is no number or infinite"
            raise RebuildError(message)
        return None
    for make in (_plain, _container, _mapping, _standard):
        found = make(data, kind, arguments)
        if found is not None:
            return found[0]
    if typing.is_typeddict(kind):
        fields, hints = expected(data, dict, kind), field_hints(kind)
        wrong = (fields.keys() - hints.keys()) | (cast("Any", kind).__required_keys__ - fields.keys())
        if wrong:
            message = f"the field `{min(wrong)}` does not fit {kind.__name__}"
            raise RebuildError(message)
        return {name: _build(item, hints[name]) for name, item in fields.items()}
    if issubclass(kind, enum.Enum):
        members = list(kind) if not issubclass(kind, enum.Flag) else [kind(data)] if type(data) is int else []
        return _one([member for member in members if _is_same(capture_again(member), data)], data, kind)
    return _structured(data, kind, arguments)


def _plain(data: Any, kind: type[Any], _: tuple[Any, ...]) -> tuple[Any] | None:
    if kind in _NUMBERS and type(data) in _NUMBERS:
        return (data,)  # as it was: an int may be given for a float
    if kind in (bool, float):
        return (expected(data, kind, kind),)
    if kind is str:
        return (expected(data, str, kind),)
    if issubclass(kind, str) and not issubclass(kind, enum.Enum):
        return (made(kind, {}, expected(data, str, kind)),)
    if issubclass(kind, bytes | bytearray):
        return (_bytes(data, kind),)
    return None


def _bytes(data: Any, kind: type[Any]) -> Any:
    fields = expected(data, dict, kind)
    if fields.get("size", _HEAD + 1) > _HEAD:
        message = f"of bytes a trace holds only the first {_HEAD}"
        raise RebuildError(message)
    return kind(bytes.fromhex(fields["head"]))


def _container(data: Any, kind: type[Any], arguments: tuple[Any, ...]) -> tuple[Any] | None:
    """Make a list, a tuple, a set or a deque."""
    if kind is abc.Sequence and type(data) is str and arguments in ((), (str,)):
        return (data,)
    if kind in _LISTS or kind in _SETS:
        item_hint = arguments[0] if arguments else OPEN
        items = [_build(item, item_hint) for item in expected(data, list, kind)]
        try:
            return (_SETS.get(kind, list)(items),)
        except TypeError as error:
            message = f"{error}"
            raise RebuildError(message) from error
    if issubclass(kind, tuple) and hasattr(cast("Any", kind), "_fields"):
        fields = expected(data, dict, kind)
        hints = field_hints(kind)
        return (made(kind, {name: _build(item, hints.get(name, OPEN)) for name, item in fields.items()}),)
    if kind is tuple:
        items = expected(data, list, kind)
        if not arguments or (len(arguments) == 2 and arguments[1] is ...):  # noqa: PLR2004 - tuple[T, ...]
            hints = [arguments[0] if arguments else OPEN] * len(items)
        elif len(arguments) == len(items):
            hints = list(arguments)
        else:
            message = f"the trace holds {len(items)} items, and the annotation says {len(arguments)}"
            raise RebuildError(message)
        return (tuple(_build(item, hint) for item, hint in zip(items, hints, strict=True)),)
    return None


def _mapping(data: Any, kind: type[Any], arguments: tuple[Any, ...]) -> tuple[Any] | None:
    if kind not in _DICTS:
        return None
    keys = arguments[0] if arguments else OPEN
    values = int if kind is collections.Counter else arguments[1] if len(arguments) > 1 else OPEN
    fields = expected(data, dict, kind)
    return (_DICTS[kind]({_key(name, keys): _build(item, values) for name, item in fields.items()}),)


def _key(name: str, hint: Any) -> Any:
    """Make a mapping's key, of which JSON has the text."""
    if hint is OPEN or hint is str:
        return name
    if hint is float:
        return float(name)
    if typing.get_origin(hint) in (Union, types.UnionType):
        found: list[Any] = []
        for member in typing.get_args(hint):
            try:
                key = _key(name, member)
            except (RebuildError, ValueError):
                continue
            if [*capture_again({key: 0})] == [name]:
                found.append(key)
        return _one(found, name, hint)
    try:
        plain = orjson.loads(name)
    except ValueError:
        plain = name
    return _build(plain if type(plain) in (bool, int, type(None)) else name, hint)


def _standard(data: Any, kind: type[Any], _: tuple[Any, ...]) -> tuple[Any] | None:
    if kind not in READERS:
        return None
    try:
        return (READERS[kind](expected(data, str, kind)),)
    except (ValueError, ArithmeticError, SyntaxError, TypeError, NotImplementedError) as error:
        message = f"the trace holds {in_words(data)}, which is not {kind.__name__}"
        raise RebuildError(message) from error


def _structured(data: Any, kind: type[Any], arguments: tuple[Any, ...]) -> Any:
    """Make an instance of a class, or of one of its subclasses, that the trace holds as fields."""
    kinds = faithful.variants(kind)
    if not kinds:
        message = f"an object of the class {type_name(kind)} cannot be made from what a trace holds of it"
        raise RebuildError(message)
    found: list[Any] = []
    reasons: list[RebuildError] = []
    for one in kinds:
        try:
            value = instance(data, one, arguments, _build)
            if _is_same(capture_again(value), data, ordered=not _holds_set(value)):
                found.append(value)
            else:
                reasons.append(RebuildError(f"made again from the trace, {one.__name__} would have other fields"))
        except RebuildError as error:
            reasons.append(error)
    if not found:
        raise reasons[0]
    return _one(found, data, kind)
