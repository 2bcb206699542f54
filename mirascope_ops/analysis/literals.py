"""Values of the standard library that a trace holds as text: dates, ids, numbers, paths.

orjson writes some in the forms of RFC 3339 and RFC 4122; of the others a trace has the `repr`. Each is read here by its
own form, never evaluated.
"""

from __future__ import annotations

import ast
import datetime as dt
import decimal
import fractions
import pathlib
import re
import uuid
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable

_CALL: Final = re.compile(r"(?:\w+\.)?(\w+)\((.*)\)", re.DOTALL)
_TIMEDELTA: Final = re.compile(r"(days|seconds|microseconds)=(-?\d+)")
_PATHS: Final = ("PurePosixPath", "PureWindowsPath", "PosixPath", "WindowsPath")
_DIGITS: Final = re.compile(r"-?\d{19,}")


def _written(text: str, *names: str) -> tuple[str, str]:
    """Take a repr apart: `Decimal('1.20')` is a name and what stands in the parentheses."""
    found = _CALL.fullmatch(text)
    if found is None or found[1] not in names:
        raise ValueError(text)
    return found[1], found[2]


def _string(text: str) -> str:
    value = ast.literal_eval(text)
    if not isinstance(value, str):
        raise ValueError(text)  # noqa: TRY004 - it is the text that is not of the form
    return value


def _decimal(text: str) -> decimal.Decimal:
    return decimal.Decimal(_string(_written(text, "Decimal")[1]))


def _fraction(text: str) -> fractions.Fraction:
    above, _, below = _written(text, "Fraction")[1].partition(",")
    return fractions.Fraction(int(above), int(below))


def _timedelta(text: str) -> dt.timedelta:
    inside = _written(text, "timedelta")[1]
    return dt.timedelta() if inside == "0" else dt.timedelta(**{unit: int(n) for unit, n in _TIMEDELTA.findall(inside)})


def _range(text: str) -> range:
    return range(*(int(part) for part in _written(text, "range")[1].split(",")))


def _path(text: str) -> pathlib.PurePath:
    name, inside = _written(text, *_PATHS)
    kind: type[pathlib.PurePath] = getattr(pathlib, name)
    return kind(_string(inside))


def _date(text: str) -> dt.date:
    return dt.datetime.fromisoformat(text) if "T" in text else dt.date.fromisoformat(text)


def _int(text: str) -> int:
    if _DIGITS.fullmatch(text) is None:  # a number of at most 64 bits is a number in a trace too
        raise ValueError(text)
    return int(text)


READERS: Final[dict[type[Any], Callable[[str], Any]]] = {
    int: _int,
    complex: complex,
    dt.datetime: dt.datetime.fromisoformat,
    dt.date: _date,
    dt.time: dt.time.fromisoformat,
    dt.timedelta: _timedelta,
    uuid.UUID: uuid.UUID,
    decimal.Decimal: _decimal,
    fractions.Fraction: _fraction,
    range: _range,
    **dict.fromkeys(
        (pathlib.PurePath, pathlib.Path, *(getattr(pathlib, name) for name in _PATHS)),
        _path,
    ),
}
"""How to read a value of a type from the text that a trace has of it; ValueError where it has another form."""
