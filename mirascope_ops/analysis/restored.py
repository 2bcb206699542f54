"""Rows out of the columns of a table that was made of rows: the way back of `frames` and `arrow`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from mirascope_ops.analysis.rows import SpanRow
from mirascope_ops.analysis.schema import KINDS, SPAN_KINDS, STATUSES
from mirascope_ops.core import prices
from mirascope_ops.exceptions import FormatError
from mirascope_ops.store import codec
from mirascope_ops.store.records import AnnotationRecord, EventRecord, LinkRecord

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    Column = Sequence[Any]

_IDS = ("trace_id", "span_id")
_PRICED = frozenset({"llm", "embedding"})  # what calls a model; spans around them may tell their tokens again
_CHOICES = {"kind": KINDS, "status": STATUSES}
_CHOICES_OR_NONE = {"span_kind": SPAN_KINDS, "status_code": STATUSES}
# What stands for a missing value in columns of which no value is ever None.
_INSTEAD = {"name": "", "scope": "", "status_message": "", "start": 0, "sampled": True, "span_kind": "internal"}


def require_columns(names: Sequence[str], source: str) -> None:
    """Check that a table has all columns that rows are made of.

    Args:
        names: The names of its columns.
        source: What the table is, for the message.

    Raises:
        FormatError: Some are missing; the message names them.
    """
    have = set(names)
    missing = [name for name in SpanRow._fields if name not in have]
    if missing:
        raise FormatError(
            f"{source} lacks {'the column' if len(missing) == 1 else 'the columns'} {', '.join(missing)}. Spans are "
            "made of tables that to_pandas(), to_parquet() or to_arrow() gave, with all their columns."
        )


def rows_from(columns: Mapping[str, Column], source: str, first: int = 0) -> list[SpanRow]:
    """Make rows of columns.

    Args:
        columns: For every field of `SpanRow` its values: text, ints (times in nanoseconds), floats, bools, None
            where there is none; JSON text for tags, attributes, events, links, annotations and resource.
        source: What the columns come from, for messages.
        first: The number of the first row, for messages.

    Returns:
        The rows, in order.

    Raises:
        FormatError: A value cannot be what its column holds; the message says which, and where.
    """
    for name in _IDS:
        _check(columns[name], name, source, first, lambda value: isinstance(value, str), "an id")
    for name, choices in _CHOICES.items():
        told = f"one of {', '.join(choices)}"
        _check(columns[name], name, source, first, lambda value, choices=choices: value in choices, told)
    for name, choices in _CHOICES_OR_NONE.items():
        told = f"one of {', '.join(choices)}"
        _check(columns[name], name, source, first, lambda value, choices=choices: value in (None, *choices), told)
    found: list[Column] = []
    shared: dict[str, Any] = {}
    for name in SpanRow._fields:
        values = columns[name]
        if name in _INSTEAD:
            values = [_INSTEAD[name] if value is None else value for value in values]
        elif name in _READERS:
            values = _read(values, name, source, first, _READERS[name], shared)
        found.append(values)
    rows = list(map(SpanRow._make, zip(*found, strict=True)))
    rows = [_annotated(row) if row.annotations else row for row in rows]
    return [_priced(row) for row in rows] if prices.prices else rows


def _check(  # noqa: PLR0917 - one call, all of it needed
    values: Column, name: str, source: str, first: int, fits: Callable[[Any], bool], expected: str
) -> None:
    for place, value in enumerate(values):
        if not fits(value):
            raise FormatError(f"{source}, row {first + place}: {name} is {value!r}, expected {expected}.")


def _read(  # noqa: PLR0917 - one call, all of it needed
    values: Column, name: str, source: str, first: int, read: Callable[[Any], Any], shared: dict[str, Any]
) -> list[Any]:
    found: list[Any] = []
    for place, value in enumerate(values):
        if name == "resource" and value in shared:
            found.append(shared[value])
            continue
        try:
            read_value = read(codec.decode(value)) if value is not None else read(None)
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise FormatError(
                f"{source}, row {first + place}: {name} cannot be read as JSON that mirascope_ops wrote ({error}); "
                f"it begins {str(value)[:60]!r}."
            ) from None
        if name == "resource" and value is not None:
            shared[value] = read_value
        found.append(read_value)
    return found


def _mapping(value: Any) -> dict[str, Any]:
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise TypeError("it is no object")
    return cast("dict[str, Any]", value)


def _texts(value: Any) -> tuple[str, ...]:
    return tuple(str(tag) for tag in value) if value else ()


def _events(value: Any) -> Sequence[EventRecord]:
    return [EventRecord(one["name"], int(one["time"]), _mapping(one["attributes"])) for one in value] if value else ()


def _links(value: Any) -> Sequence[LinkRecord]:
    return [LinkRecord(one["trace_id"], one["span_id"], _mapping(one["attributes"])) for one in value] if value else ()


def _annotations(value: Any) -> Sequence[AnnotationRecord]:
    if not value:
        return ()
    return tuple(
        AnnotationRecord(
            "", "", int(one["time"]), one["label"], one["reasoning"], list(one["tags"]), _mapping(one["metadata"])
        )
        for one in value
    )


def _priced(row: SpanRow) -> SpanRow:
    """Give a model call that tells tokens and no cost its cost by the user's prices, as reading the store does."""
    if row.cost is not None or row.model is None or row.kind not in _PRICED:
        return row
    price = prices.price_of(row.model)
    if price is None or (row.input_tokens is None and row.output_tokens is None):
        return row
    return row._replace(cost=price.cost(row.input_tokens, row.output_tokens, row.cache_read_tokens))


def _annotated(row: SpanRow) -> SpanRow:
    ids = {"trace_id": row.trace_id, "span_id": row.span_id}
    return row._replace(annotations=tuple(annotation._replace(**ids) for annotation in row.annotations))


_READERS: dict[str, Callable[[Any], Any]] = {
    "tags": _texts,
    "attributes": _mapping,
    "events": _events,
    "links": _links,
    "annotations": _annotations,
    "resource": _mapping,
}
