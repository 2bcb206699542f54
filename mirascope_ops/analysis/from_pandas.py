"""Rows out of a pandas DataFrame that `to_pandas` gave, changed since or not."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mirascope_ops._optional import require
from mirascope_ops.analysis import schema
from mirascope_ops.analysis.frames import JSON_COLUMNS, PREFIX
from mirascope_ops.analysis.restored import require_columns, rows_from
from mirascope_ops.analysis.schema import SPANS_SCHEMA
from mirascope_ops.exceptions import FormatError
from mirascope_ops.store import codec

if TYPE_CHECKING:
    from pandas import DataFrame  # pyright: ignore[reportMissingTypeStubs] - pandas ships none

    from mirascope_ops.analysis.rows import SpanRow
    from mirascope_ops.analysis.schema import Column

_SOURCE = "The DataFrame"


def rows_of_frame(frame: DataFrame) -> list[SpanRow]:
    """Make rows of a DataFrame; see `mirascope_ops.from_pandas`.

    Args:
        frame: The DataFrame. Columns that are none of the spans table are left aside.

    Raises:
        FormatError: Columns are missing, or a value cannot be what its column holds.
    """
    given: Any = frame
    names = [str(name) for name in given.columns]
    spread = [name for name in names if name.startswith(PREFIX)]
    together = "attributes" in names
    # Spans without any attribute have no column of one: then the frame itself knows that they were spread.
    require_columns([*names, "attributes"] if spread or JSON_COLUMNS in given.attrs else names, _SOURCE)
    columns = {
        column.name: _values(given[column.name], column)
        for column in SPANS_SCHEMA
        if column.name != "attributes" or together
    }
    if not together:
        columns["attributes"] = _gathered(given, spread)
    return rows_from(columns, _SOURCE)


def _gathered(frame: Any, names: list[str]) -> list[str]:
    """Put attributes that have a column each together again, as JSON text."""
    attributes: list[dict[str, Any]] = [{} for _ in range(len(frame))]
    told = set(frame.attrs.get(JSON_COLUMNS, ()))
    for name in names:
        key = name.removeprefix(PREFIX)
        for found, value in zip(attributes, _plain(frame[name]), strict=True):
            if value is not None:
                found[key] = codec.decode(value) if name in told and isinstance(value, str) else value
    return [codec.encode(found) for found in attributes]


def _plain(series: Any) -> list[Any]:
    """Give a column's values as Python's own, None for what is missing."""
    pd = require("pandas", extra="notebook")
    values = series.astype(object).tolist()
    if pd.api.types.is_extension_array_dtype(series.dtype):
        # In these columns NaN is a number, and missing is something else.
        return [None if value is pd.NA or value is None or value is pd.NaT else value for value in values]
    return [None if missing else value for value, missing in zip(values, series.isna().tolist(), strict=True)]


def _values(series: Any, column: Column) -> list[Any]:
    try:
        match column.dtype:
            case schema.TIME | schema.DURATION:
                return _nanoseconds(series, column.dtype)
            case schema.COUNT:
                return [None if _is_missing(value) else _whole(value) for value in _plain(series)]
            case schema.NUMBER:
                return [None if _is_missing(value) else float(value) for value in _plain(series)]
            case schema.FLAG:
                return [None if value is None else bool(value) for value in _plain(series)]
            case _:
                return [None if _is_missing(value) else _text(value) for value in _plain(series)]
    except (TypeError, ValueError) as error:
        raise FormatError(f"{_SOURCE}: {column.name} cannot be read as {column.dtype} ({error}).") from None


def _is_missing(value: Any) -> bool:
    return value is None or value != value  # noqa: PLR0124 - NaN is what differs from itself


def _whole(value: Any) -> int:
    if int(value) != value:
        raise ValueError(f"{value!r} is no whole number")
    return int(value)


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value
    raise TypeError(f"{value!r} is no text")


def _nanoseconds(series: Any, dtype: str) -> list[int | None]:
    pd = require("pandas", extra="notebook")
    if dtype == schema.DURATION:
        moments = pd.to_timedelta(series).dt.as_unit("ns")
    else:
        texts = pd.api.types.is_object_dtype(series.dtype) or pd.api.types.is_string_dtype(series.dtype)
        moments = pd.to_datetime(series, utc=True, **({"format": "ISO8601"} if texts else {})).dt.as_unit("ns")
    whole = moments.astype("int64").tolist()
    return [None if missing else value for value, missing in zip(whole, moments.isna().tolist(), strict=True)]
