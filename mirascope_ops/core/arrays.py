"""Arrays, frames, tensors and images: their shape and type, and the first of what they hold where that is at hand.

None of their libraries is imported: who has such a value has imported it.
"""

from __future__ import annotations

from typing import Any, Final, cast

from mirascope_ops.core import masking
from mirascope_ops.core.outline import REPR_LIMIT, describe, shorten, type_name

_HEAD: Final = 8  # items of an array or rows of a frame that a summary shows
_COLUMNS: Final = 100  # of a frame
_SMALL: Final = 64  # an array of at most so many items is kept whole


def array(value: Any) -> Any:
    """Return a small numpy array's items; of another the shape, the type and the first items."""
    if value.size <= _SMALL and value.dtype.kind in "biuf":
        return value.tolist()
    head = value.reshape(-1)[:_HEAD] if value.flags.c_contiguous else value.flat[:_HEAD]
    return {
        "type": "numpy.ndarray",
        "shape": list(value.shape),
        "dtype": str(value.dtype),
        "head": head.tolist() if value.dtype.kind in "biuf" else [describe(item) for item in head],
    }


def plain_array(value: Any) -> Any:
    """Return the repr of a small array of Python's own; of another the type and the first items."""
    length = len(value)
    if length <= _SMALL:
        return describe(value)
    return {"type": "array.array", "length": length, "typecode": value.typecode, "head": list(value[:_HEAD])}


def tensor(value: Any) -> dict[str, Any]:
    """Tell an array that may be on a device, or not computed yet: to read a number of it would wait for that."""
    kind = cast("type[Any]", type(value))
    return {"type": type_name(kind), "shape": [int(size) for size in value.shape], "dtype": str(value.dtype)}


def _is_pandas(value: Any) -> bool:
    kinds: tuple[type[Any], ...] = type(value).__mro__
    return any(kind.__module__.startswith("pandas.") for kind in kinds)


def _cell(value: Any) -> Any:
    return shorten(value, REPR_LIMIT) if type(value) is str else value


def _is_masked(name: Any) -> bool:
    from mirascope_ops.core import capture  # it imports this module

    return capture.policy.mask_secrets and masking.is_secret(str(name))


def frame(value: Any) -> dict[str, Any]:
    """Return a frame's shape, columns and first rows; of pandas or polars."""
    is_pandas = _is_pandas(value)
    columns = len(value.columns)
    head = value.head(_HEAD)
    if columns > _COLUMNS:
        head = head.iloc[:, :_COLUMNS] if is_pandas else head[:, :_COLUMNS]
    rows = head.itertuples(index=False, name=None) if is_pandas else head.iter_rows()
    masked = list(map(_is_masked, head.columns))
    return {
        "type": "pandas.DataFrame" if is_pandas else "polars.DataFrame",
        "shape": list(value.shape),
        # Lists, because two columns may have one name.
        "columns": [[str(name), str(kind)] for name, kind in zip(head.columns, head.dtypes, strict=True)],
        "head": [
            [masking.MASK if hide else _cell(item) for item, hide in zip(row, masked, strict=True)] for row in rows
        ],
    }


def series(value: Any) -> dict[str, Any]:
    """Return a series's name, length, type and first items; of pandas or polars."""
    kind = "pandas.Series" if _is_pandas(value) else "polars.Series"
    items = value.head(_HEAD)
    head = [masking.MASK] * len(items) if _is_masked(value.name) else list(map(_cell, items))
    return {"type": kind, "name": value.name, "length": len(value), "dtype": str(value.dtype), "head": head}


def image(value: Any) -> dict[str, Any]:
    """Return a picture's size and mode, without loading it."""
    return {"type": "PIL.Image", "mode": value.mode, "size": list(value.size), "format": value.format}
