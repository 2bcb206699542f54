"""Spans as an Arrow table, with the columns of `SPANS_SCHEMA`; needs pyarrow, and no pandas.

The table carries what pandas notes in files, so that `pandas.read_parquet` gives the dtypes of the schema.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from mirascope_ops._optional import require
from mirascope_ops.analysis import schema
from mirascope_ops.analysis.columns import large_strings
from mirascope_ops.analysis.frames import values_of
from mirascope_ops.analysis.schema import SPANS_SCHEMA
from mirascope_ops.analysis.table import told_by

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mirascope_ops.analysis.rows import SpanRow
    from mirascope_ops.analysis.schema import Column

SCHEMA_VERSION: Final = 1
VERSION_KEY: Final = b"mirascope_ops.schema_version"

_LEAST, _MOST = -(2**63), 2**63 - 1
# For each dtype of the schema, the types that pandas notes.
_PANDAS: Final[dict[str, tuple[str, str, Any]]] = {
    schema.TEXT: ("object", "string", None),
    schema.TIME: ("datetimetz", "datetime64[ns]", {"timezone": "UTC"}),
    schema.DURATION: ("object", "timedelta64[ns]", None),
    schema.COUNT: ("int64", "Int64", None),
    schema.NUMBER: ("float64", "Float64", None),
    schema.FLAG: ("bool", "boolean", None),
}


def arrow_schema() -> Any:
    """Give the Arrow schema of the spans table; its metadata hold the schema's version.

    Raises:
        ImportError: pyarrow is not installed; the message says how.

    Example:
        >>> arrow_schema().field("start").type
        TimestampType(timestamp[ns, tz=UTC])
    """
    pa = require("pyarrow", extra="files")
    fields = [pa.field(column.name, _type(column)) for column in SPANS_SCHEMA]
    noted = {
        "index_columns": [],
        "column_indexes": [],
        "columns": [_noted(column) for column in SPANS_SCHEMA],
        "creator": {"library": "mirascope_ops", "version": str(SCHEMA_VERSION)},
        "pandas_version": "2.2.0",
    }
    metadata = {VERSION_KEY: str(SCHEMA_VERSION).encode(), b"pandas": json.dumps(noted).encode()}
    return pa.schema(fields, metadata=metadata)


def spans_table(spans: Sequence[SpanRow]) -> Any:
    """Give spans as an Arrow table, one row a span.

    Args:
        spans: The spans.

    Returns:
        A table of `arrow_schema()`. A value that its type cannot hold (a time after the year 2262) is null.

    Raises:
        ImportError: pyarrow is not installed; the message says how.

    Example:
        >>> spans_table([]).num_rows
        0
    """
    pa = require("pyarrow", extra="files")
    found = arrow_schema()
    told = told_by(spans)
    arrays = [
        _array(values_of(told, column.name), column, found.field(place).type)
        for place, column in enumerate(SPANS_SCHEMA)
    ]
    return pa.Table.from_arrays(arrays, schema=found)


def _type(column: Column) -> Any:
    pa = require("pyarrow", extra="files")
    types: dict[str, Any] = {
        schema.TEXT: pa.large_string(),
        schema.TIME: pa.timestamp("ns", "UTC"),
        schema.DURATION: pa.duration("ns"),
        schema.COUNT: pa.int64(),
        schema.NUMBER: pa.float64(),
        schema.FLAG: pa.bool_(),
        schema.CATEGORY: pa.dictionary(pa.int8(), pa.large_string()),
    }
    return types[column.dtype]


def _noted(column: Column) -> dict[str, Any]:
    categories = {"num_categories": len(column.categories), "ordered": False}
    kind, dtype, more = _PANDAS.get(column.dtype, ("categorical", "int8", categories))
    names = {"name": column.name, "field_name": column.name}
    return {**names, "pandas_type": kind, "numpy_type": dtype, "metadata": more}


def _array(values: Sequence[Any], column: Column, kind: Any) -> Any:
    pa = require("pyarrow", extra="files")
    if column.dtype == schema.TEXT:
        return large_strings(values)
    if column.dtype == schema.CATEGORY:
        codes = {category: code for code, category in enumerate(column.categories)}
        places = pa.array(list(map(codes.get, values)), pa.int8())
        return pa.DictionaryArray.from_arrays(places, pa.array(column.categories, pa.large_string()))
    if column.dtype == schema.TIME:
        values = [value or None for value in values]  # a time of 0 is one that was not told
    elif not isinstance(values, list):
        values = list(values)
    try:
        return pa.array(values, kind)
    except (OverflowError, pa.ArrowInvalid):
        return pa.array([value if value is None or _LEAST <= value <= _MOST else None for value in values], kind)
