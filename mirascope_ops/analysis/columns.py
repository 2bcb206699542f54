"""One column's values as the array that its schema names."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from mirascope_ops._optional import require
from mirascope_ops.analysis import schema
from mirascope_ops.store import codec

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
            pd = require("pandas", extra="notebook")
            return pd.array(list(values), dtype="boolean")
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


def _libraries() -> tuple[Any, Any]:
    return require("pandas", extra="notebook"), require("pyarrow", extra="notebook")


def _texts(values: Sequence[str | None]) -> Any:
    pd, pa = _libraries()
    try:
        found = pa.array(values, pa.large_string())
    except UnicodeEncodeError:
        found = pa.array(_encodable(values), pa.large_string())
    return pd.array(found, dtype=schema.TEXT)


def _encodable(values: Sequence[str | None]) -> Sequence[str | None]:
    """Replace lone surrogates, which are characters in Python and none in UTF-8, as the store does."""
    return [value and codec.text(value) for value in values]


def _numbers(values: Sequence[Any], dtype: str) -> Any:
    pd = require("pandas", extra="notebook")
    np = require("numpy", extra="notebook")
    none = values.count(None)
    if none in {0, len(values)}:
        missing = np.full(len(values), fill_value=none > 0)
        filled: Any = values if not none else np.zeros(len(values))
    else:
        missing = np.array([value is None for value in values])
        filled = [0 if value is None else value for value in values]
    try:
        data = np.array(filled, dtype=dtype)
    except OverflowError:
        return _numbers([value if value is not None and _LEAST <= value <= _MOST else None for value in values], dtype)
    masked = pd.arrays.IntegerArray if dtype == "int64" else pd.arrays.FloatingArray
    return masked(data, missing)


def _times(values: Sequence[int | None], dtype: str) -> Any:
    pd = require("pandas", extra="notebook")
    np = require("numpy", extra="notebook")
    # The smallest 64-bit number is how numpy writes "not a time".
    missing = values.count(None) > 0
    try:
        data = np.array([_LEAST if value is None else value for value in values] if missing else values, dtype="int64")
    except OverflowError:
        within = [_LEAST if value is None or not _LEAST <= value <= _MOST else value for value in values]
        data = np.array(within, dtype="int64")
    if dtype == schema.DURATION:
        return pd.array(data.view("timedelta64[ns]"), dtype=dtype)
    # A time of 0 is one that was not told, as in OTLP: no span is from 1970.
    data[data == 0] = _LEAST
    return pd.DatetimeIndex(data.view("datetime64[ns]"), tz="UTC").array


def _categories(values: Sequence[str], categories: tuple[str, ...]) -> Any:
    pd = require("pandas", extra="notebook")
    np = require("numpy", extra="notebook")
    codes = {category: code for code, category in enumerate(categories)}
    data = np.fromiter((codes.get(value, -1) for value in values), dtype="int8", count=len(values))
    return pd.Categorical.from_codes(data, categories=list(categories))
