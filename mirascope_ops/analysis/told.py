"""What a trace tells of an argument's type where the annotation of its parameter leaves that open.

Annotations such as `Any`, `Sequence[int]` or `str | datetime` fit values of several types that JSON writes alike. Where
such a value is not plain JSON data, capture notes its type (`core.site`), and here it decides.
"""

from __future__ import annotations

import types
import typing
from collections import abc
from typing import Any, Final, NamedTuple, Union

from mirascope_ops.analysis.literals import READERS
from mirascope_ops.analysis.misfits import RebuildError
from mirascope_ops.analysis.rebuilding import OPEN
from mirascope_ops.core.kinds import KEYS, LONG, NOT_FINITE, PLAIN_NAMES, WITHIN, is_open, odd
from mirascope_ops.core.outline import type_name

_BUILT_IN: Final[dict[str, Any]] = {
    **{type_name(kind): kind for kind in (*READERS, tuple, set, frozenset, bytes, bytearray)},
    LONG: int,
}
_CONTAINERS: Final[dict[str, Any]] = {kind.__name__: kind for kind in (list, tuple, set, frozenset)}
_ABSTRACT: Final[tuple[Any, ...]] = (
    abc.Sequence, abc.MutableSequence, abc.Collection, abc.Iterable, abc.Container, abc.Reversible, abc.Set,
    abc.MutableSet,
)  # fmt: skip
_NOTED: Final = frozenset((*_BUILT_IN, NOT_FINITE, KEYS))  # what capture notes, and no annotation
_PLAIN: Final = (str, bool, int, float, list, dict, type(None), OPEN, object, abc.Mapping, abc.Sequence)


class Told(NamedTuple):
    """What a trace tells of an argument's type.

    Attributes:
        known: Whether it tells anything that the annotation does not.
        odd: The type of a value that is not plain JSON data (`kinds.odd`), None for one that is.
    """

    known: bool
    odd: str | None


def told(noted: str | None, written: str | None) -> Told:
    """Read what a trace tells of an argument's type.

    Args:
        noted: What `mirascope.trace.arg_types` says of the argument.
        written: The annotation as it is written now, None where there is none.

    Example:
        >>> told("tuple", None), told("int", None), told("Path", "Path")
        (Told(known=True, odd='tuple'), Told(known=True, odd=None), Told(known=False, odd=None))
    """
    # `tuple` under the annotation `tuple` may be either word.
    if noted is None or (noted == written and (noted in _NOTED or not is_open(written))):
        return Told(known=False, odd=None)
    kind, _, inside = noted.partition(WITHIN)
    annotation = is_open(noted) and not inside and kind not in _NOTED
    if noted == written or noted in PLAIN_NAMES or annotation:
        return Told(known=True, odd=None)
    return Told(known=is_open(written), odd=noted)


def narrowed(hint: Any, found: Told) -> Any:
    """Return an annotation that leaves nothing open which the trace tells.

    Args:
        hint: The annotation, as a type; `Any` where there is none.
        found: What the trace tells.

    Raises:
        RebuildError: The trace tells of a type that the annotation says nothing of.

    Example:
        >>> narrowed(Any, Told(known=True, odd="tuple"))
        <class 'tuple'>
    """
    if found.odd is None:
        return _plain(hint) if found.known else hint
    kind, _, inside = found.odd.partition(WITHIN)
    hint = _of_kind(hint, kind)
    if hint is None or ((inside or "(" in kind) and has_open_part(hint)):
        held = f" that held {inside}" if inside else ""
        message = f"it was of the type {kind}{held}, of which its annotation says nothing"
        raise RebuildError(message)
    return hint


def confirmed(value: Any, found: Told) -> Any:
    """Return a value that was made again, if it is of the type that the trace tells.

    Raises:
        RebuildError: It is not.
    """
    if found.known and odd(value) != found.odd:
        message = f"it was {found.odd or 'plain JSON data'}, which its annotation does not say"
        raise RebuildError(message)
    return value


def _members(hint: Any) -> tuple[Any, ...]:
    return typing.get_args(hint) if typing.get_origin(hint) in (Union, types.UnionType) else ()


def _plain(hint: Any) -> Any:
    """Take away what is not plain JSON data: the value was."""
    kept = [member for member in _members(hint) if _may_be_plain(member)]
    return Union[tuple(kept)] if kept else hint  # noqa: UP007 - of a list


def _may_be_plain(hint: Any) -> bool:
    kind: Any = typing.get_origin(hint) or hint
    return kind in _PLAIN or kind is typing.Literal or typing.is_typeddict(kind)


def _of_kind(hint: Any, kind: str) -> Any:
    """Return the part of an annotation that says what a value of this type is; None where none does."""
    if hint is OPEN or hint is object:
        return _BUILT_IN.get(kind)
    members = _members(hint)
    if members:
        named = [member for member in members if _names(member) == kind]
        wide = [member for member in members if member is OPEN or (typing.get_origin(member) or member) in _ABSTRACT]
        fitting = named or [part for part in (_of_kind(member, kind) for member in wide) if part is not None]
        return Union[tuple(fitting)] if fitting else hint  # noqa: UP007 - of a list
    origin: Any = typing.get_origin(hint) or hint
    if origin in _ABSTRACT and kind in _CONTAINERS:
        items = typing.get_args(hint) or (OPEN,)
        return tuple[items[0], ...] if kind == "tuple" else _CONTAINERS[kind][items[0]]
    return hint


def _names(hint: Any) -> str:
    kind: Any = typing.get_origin(hint) or hint
    return type_name(kind) if isinstance(kind, type) else ""


def has_open_part(hint: Any) -> bool:
    """Tell whether a value, or a part of it, may be of a type that the annotation does not say."""
    parts = typing.get_args(hint)
    if hint in (OPEN, object, list, dict, tuple, set, frozenset, float) or typing.get_origin(hint) in _ABSTRACT:
        return True
    return any(has_open_part(part) for part in parts if part is not ...)
