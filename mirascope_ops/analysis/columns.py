"""One column's values as the array that its schema names."""

from __future__ import annotations

from array import array
from itertools import repeat
from operator import is_
from typing import TYPE_CHECKING, Any, Final

from mirascope_ops._optional import require
from mirascope_ops.analysis import schema
from mirascope_ops.analysis.texts import Texts
from mirascope_ops.store import codec
from mirascope_ops.store.same import Same

if TYPE_CHECKING:
    from collections.abc import Sequence

_LEAST, _MOST = -(2**63), 2**63 - 1
_EXACT = 2**53  # ints up to here are floats, too

ABSENT: Final = object()
"""Stands for the value of an attribute that a span does not have."""


def array_of(values: Sequence[Any], column: schema.Column) -> Any:
    """Make a pandas array of a column's values.

    Args:
        values: The values: ints of nanoseconds for times and durations, None for what is missing.
        column: The column.

    Returns:
        An array of the column's dtype. A value that the dtype cannot hold (a time after the year 2262, a
        count above 64 bits) is missing.
    """
    match column.dtype:
        case schema.TEXT:
            return _texts(values)
        case schema.COUNT:
            return _numbers(values, "int64")
        case schema.NUMBER:
            return _numbers(values, "float64")
        case schema.FLAG:
            return _flags(values)
        case schema.TIME | schema.DURATION:
            return _times(values, column.dtype)
        case _:
            return _categories(values, column.categories)


def inferred(values: Sequence[Any]) -> tuple[Any, bool]:
    """Make a pandas array of an attribute's values, of the narrowest dtype that holds them all.

    Args:
        values: The values; `ABSENT` for a span that has no such attribute.

    Returns:
        A boolean, Int64, Float64 or string array, and whether its strings are JSON text: all of them are where there
        are lists, values of several types, or ints that the narrower dtype would change.
    """
    pd = require("pandas", extra="notebook")
    present = [value for value in values if value is not ABSENT]
    types: set[type[Any]] = {type(value) for value in present}
    filled = [None if value is ABSENT else value for value in values]
    if types == {bool}:
        return pd.array(filled, dtype="boolean"), False
    if types == {int} and all(_LEAST <= value <= _MOST for value in present):
        return _numbers(filled, "int64"), False
    if types == {float} or (types == {int, float} and all(abs(v) <= _EXACT for v in present if type(v) is int)):
        return _numbers(filled, "float64"), False
    if types <= {str}:
        return _texts(filled), False
    return _texts([None if value is ABSENT else codec.encode(value) for value in values]), True


def _texts(values: Sequence[str | None]) -> Any:
    pd = require("pandas", extra="notebook")
    return pd.array(large_strings(values), dtype=schema.TEXT)


def large_strings(values: Sequence[str | None]) -> Any:
    """Make an Arrow array of text; lone surrogates in it are replaced."""
    pa = require("pyarrow", extra="notebook")
    if isinstance(values, Texts):
        return values.packed
    if isinstance(values, Same):
        return pa.repeat(pa.scalar(values.value and codec.text(values.value), pa.large_string()), len(values))
    try:
        return pa.array(values, pa.large_string())
    except UnicodeEncodeError:
        return pa.array(_encodable(values), pa.large_string())


def _encodable(values: Sequence[str | None]) -> Sequence[str | None]:
    """Replace lone surrogates, which are characters in Python and none in UTF-8, as the store does."""
    return [value and codec.text(value) for value in values]


def _flags(values: Sequence[bool | None]) -> Any:
    pd = require("pandas", extra="notebook")
    np = require("numpy", extra="notebook")
    if isinstance(values, Same) and isinstance(values.value, bool):
        number = len(values)
        return pd.arrays.BooleanArray(np.full(number, values.value), np.zeros(number, dtype="bool"))
    return pd.array(list(values), dtype="boolean")


def _numbers(values: Sequence[Any], dtype: str) -> Any:
    pd = require("pandas", extra="notebook")
    data, missing = _filled(values, dtype, 0)
    masked = pd.arrays.IntegerArray if dtype == "int64" else pd.arrays.FloatingArray
    return masked(data, missing)


def _filled(values: Sequence[Any], dtype: str, instead: int) -> tuple[Any, Any]:
    """Make a numpy array of numbers, with something else where there is none, and one that says where that is."""
    np = require("numpy", extra="notebook")
    if isinstance(values, Same):
        one, missing = _filled([values.value], dtype, instead)
        return np.repeat(one, len(values)), np.repeat(missing, len(values))
    if isinstance(values, array) or None not in values:
        filled: Any = values
        missing = np.zeros(len(values), dtype="bool")
    else:
        found = _of_ints(values, instead) if dtype == "int64" else None
        if found is not None:
            return found
        missing = np.frombuffer(bytearray(map(is_, values, repeat(None))), dtype="bool")
        filled = [instead if value is None else value for value in values]
    try:
        return np.array(filled, dtype=dtype), missing
    except OverflowError:
        within = [value if value is not None and _LEAST <= value <= _MOST else None for value in values]
        return _filled(within, dtype, instead)


def _of_ints(values: Sequence[Any], instead: int) -> tuple[Any, Any] | None:
    """Do as `_filled` for ints of 64 bits; None where something else is among them."""
    np, pa = require("numpy", extra="notebook"), require("pyarrow", extra="notebook")
    try:
        found = pa.array(values, pa.int64())
    except (OverflowError, TypeError, pa.ArrowInvalid):
        return None
    return np.array(found.fill_null(instead)), np.array(found.is_null())


def _times(values: Sequence[int | None], dtype: str) -> Any:
    pd = require("pandas", extra="notebook")
    # The smallest 64-bit number is how numpy writes "not a time".
    data, _ = _filled(values, "int64", _LEAST)
    if dtype == schema.DURATION:
        return pd.array(data.view("timedelta64[ns]"), dtype=dtype)
    # A time of 0 is one that was not told, as in OTLP: no span is from 1970.
    data[data == 0] = _LEAST
    return pd.DatetimeIndex(data.view("datetime64[ns]"), tz="UTC").array


def _categories(values: Sequence[str | None], categories: tuple[str, ...]) -> Any:
    pd = require("pandas", extra="notebook")
    np = require("numpy", extra="notebook")
    codes: dict[str | None, int] = {category: code for code, category in enumerate(categories)}
    if isinstance(values, Same):
        data = np.full(len(values), codes.get(values.value, -1), dtype="int8")
    else:
        # One byte each: 255 is -1, as pandas writes that there is none.
        data = np.frombuffer(bytearray(map(codes.get, values, repeat(255))), dtype="int8")
    return pd.Categorical.from_codes(data, categories=list(categories))
