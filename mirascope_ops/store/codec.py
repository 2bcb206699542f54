"""Records to rows of a table and back.

What goes in comes back equal, as far as JSON and 64-bit columns can say it; the rest comes back as its
nearest kin, never as an exception: tuples as lists, bytes as text, ints beyond 64 bits as decimal text (as
OTLP's JSON writes ints), a lone surrogate as U+FFFD, an object as its `str()`.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from operator import itemgetter
from typing import Any, cast

import orjson

from mirascope_ops.store.records import AnnotationRecord, EventRecord, LinkRecord, RunRecord, SpanRecord
from mirascope_ops.store.same import Same

SPAN_COLUMNS = (
    "trace_id", "span_id", "parent_id", "name", "span_kind", "start", "end", "status", "status_message",
    "session_id", "run_id", "session_attributes", "cell_id", "execution_count", "notebook", "sampled", "service",
    "scope", "resource", "attributes", "events", "links",
)  # fmt: skip
# Those of which many spans have the same values, in the same order; `contexts` tells them once for all.
REPEATED_COLUMNS = (*SPAN_COLUMNS[3:5], *SPAN_COLUMNS[7:19])
OWN_COLUMNS = tuple(column for column in SPAN_COLUMNS if column not in REPEATED_COLUMNS)
RUN_COLUMNS = RunRecord._fields
ANNOTATION_COLUMNS = AnnotationRecord._fields

MAX_INT, MIN_INT = 2**63 - 1, -(2**63)
_MAX_UNSIGNED = 2**64 - 1  # what orjson writes and reads as an int
_MAX_DEPTH = 60
_AT_ONCE = 2048
_AS_IT_IS: frozenset[type] = frozenset((float, bool))  # values that JSON gives back as they are
_PLAIN: frozenset[type] = frozenset((str, int, float, bool))  # values of which JSON gives back most as they are
_NEVER_SPECIAL: frozenset[type] = frozenset((str, int, bool))  # what is no float, and holds none
_MAX_DECIMAL_BITS = 4096  # Python refuses to write very long ints in decimal, and takes quadratic time

Row = tuple[Any, ...]

_REQUIRED = {
    SPAN_COLUMNS.index(column): instead
    for column, instead in {
        "trace_id": "", "span_id": "", "name": "", "span_kind": "internal", "start": 0, "status": "unset",
        "status_message": "", "scope": "",
    }.items()
}  # fmt: skip
_required = itemgetter(*_REQUIRED)


def encode(value: Any) -> str:
    """Write any value as JSON text; floats that JSON lacks as NaN, Infinity, -Infinity.

    Example:
        >>> encode({"n": 10**30})
        '{"n":"1000000000000000000000000000000"}'
    """
    return encode_bytes(value).decode()


def encode_bytes(value: Any) -> bytes:
    """Write any value as `encode` does, in UTF-8."""
    try:
        data = orjson.dumps(value, default=_container)
    except TypeError:  # a surrogate, a large int, a key that is no text, an object, a cycle
        value = _plain(value, 0)
        data = orjson.dumps(value)
    # orjson writes NaN and the infinities as null: only where there is one is it worth looking.
    if b"null" in data and _has_special_float(value, 0):
        return json.dumps(_plain(value, 0), separators=(",", ":"), ensure_ascii=False).encode()
    return data


def encode_all(values: Sequence[Any], *, special: bool = True) -> list[str]:
    """Write many values as `encode` does each, in less time.

    Args:
        values: The values.
        special: Whether there may be a float among them that JSON has no word for.
    """
    found: list[str] = []
    for first in range(0, len(values), _AT_ONCE):
        some = values[first : first + _AT_ONCE]
        try:
            data = [orjson.dumps(value, default=_container) for value in some]
        except TypeError:  # one of them needs more care: each gets it
            data = [encode_bytes(value) for value in some]
        if special and b"null" in b"".join(data):
            data = [encode_bytes(some[place]) if b"null" in each else each for place, each in enumerate(data)]
        found += map(bytes.decode, data)
    return found


def decode(text: str) -> Any:
    """Read what `encode` wrote."""
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        return json.loads(text)  # NaN and the infinities


def decode_all(texts: Sequence[str | None]) -> list[Any]:
    """Read many mappings that `encode` wrote; None reads as an empty one.

    Example:
        >>> decode_all(['{"a":1}', None, '{"a":NaN}'])
        [{'a': 1}, {}, {'a': nan}]
    """
    try:
        # As one list: half of reading short texts one by one is beginning and ending.
        found: list[Any] = orjson.loads(f"[{','.join([each or '{}' for each in texts])}]")
    except orjson.JSONDecodeError:  # NaN and the infinities, or damage
        found = []
    # A damaged text may be read as two: then each is read by itself, and the damage told.
    return found if len(found) == len(texts) else [decode(each) if each else {} for each in texts]


def text(value: str) -> str:
    """Replace lone surrogates, which no file can hold; a pair of them is the character that it stands for."""
    if _is_encodable(value):
        return value
    return value.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def span_row(span: SpanRecord, resource: int | None) -> Row:
    """Give a span's values in the order of `SPAN_COLUMNS`.

    Args:
        span: The span.
        resource: What stands for its resource in the row.
    """
    return (
        *span[:15],
        1 if span.sampled else 0,
        span.service,
        span.scope,
        resource,
        encode(span.attributes) if span.attributes else None,
        encode(span.events) if span.events else None,
        encode(span.links) if span.links else None,
    )


def span_rows(spans: Sequence[SpanRecord], resources: Iterable[int | None]) -> list[Row]:
    """Give many spans' values as `span_row` does each, in less time."""
    texts = encode_all([span.attributes for span in spans])
    return [
        (
            *span[:15],
            1 if span[15] else 0,
            *span[16:18],
            resource,
            text if span[19] else None,
            encode(span[20]) if span[20] else None,
            encode(span[21]) if span[21] else None,
        )
        for span, resource, text in zip(spans, resources, texts, strict=True)
    ]


def span_of(row: Row, resource: Mapping[str, Any]) -> SpanRecord:
    """Make a span of a row as `span_row` gives it, but with its resource read already."""
    attributes = row[19]
    return SpanRecord._make(
        (
            *row[:15],
            row[15] == 1,
            row[16],
            row[17],
            resource,
            decode(attributes) if attributes else {},
            events_of(row[20]),
            links_of(row[21]),
        )
    )


def events_of(text: str | None) -> Sequence[EventRecord]:
    """Read a row's events."""
    return [EventRecord(name, int(time), inner) for name, time, inner in decode(text)] if text else ()


def links_of(text: str | None) -> Sequence[LinkRecord]:
    """Read a row's links."""
    return [LinkRecord._make(link) for link in decode(text)] if text else ()


def plain(value: Mapping[str, Any]) -> Mapping[str, Any]:
    """Give attributes as a file would give them back; a mapping that would not change comes back itself."""
    for key, each in value.items():
        kind = type(each)  # pyright: ignore[reportUnknownVariableType] - a cast would cost each value more
        if kind is str:
            same = each.isascii() or _is_encodable(each)
        elif kind is int:
            same = MIN_INT <= each <= MAX_INT
        else:
            same = kind in _AS_IT_IS
        if not (same and type(key) is str and key.isascii()):
            return decode(encode(value))
    return value


def are_plain(values: Sequence[Any]) -> bool:
    """Tell whether a file would give back values of attributes as they are.

    Example:
        >>> are_plain(["a", 1, 0.5, True]), are_plain([2**63]), are_plain([["a"]])
        (True, False, False)
    """
    kinds = kinds_of(values)
    texts = [value for value in values if type(value) is str] if len(kinds) > 1 else values
    numbers = [value for value in values if type(value) is int] if len(kinds) > 1 else values
    return (
        kinds <= _PLAIN
        and (str not in kinds or all(map(str.isascii, texts)) or all(map(_is_encodable, texts)))
        and (int not in kinds or (min(numbers) >= MIN_INT and max(numbers) <= MAX_INT))
    )


def kinds_of(values: Sequence[Any]) -> set[type[Any]]:
    """Give the types of values, which are mostly one.

    Example:
        >>> kinds_of([1, 2]), kinds_of([])
        ({<class 'int'>}, set())
    """
    if isinstance(values, Same):
        return {type(values.value)} if len(values) else set()
    kinds = list(map(type, values))
    return {kinds[0]} if kinds and kinds.count(kinds[0]) == len(kinds) else set(kinds)


def may_be_special(values: Sequence[Any]) -> bool:
    """Tell whether there may be a float among values that JSON has no word for.

    Example:
        >>> may_be_special(["a", 1]), may_be_special([0.5]), may_be_special([[1]])
        (False, True, True)
    """
    return not kinds_of(values) <= _NEVER_SPECIAL


def plain_values(values: Sequence[Any]) -> Sequence[Any]:
    """Give values of attributes as a file would give them back.

    Example:
        >>> plain_values([2**64, ("a",)])
        ['18446744073709551616', ['a']]
    """
    return values if are_plain(values) else [decode(encode(value)) for value in values]


def as_read(span: SpanRecord, resources: Resources) -> SpanRecord:
    """Give a record as a file would give it back.

    Args:
        span: The record, its columns such as a file keeps them.
        resources: Resources that were read before.
    """
    resource = resources.read(span.resource)
    if span.events or span.links:
        return span_of(span_row(span, None), resource)
    # Nobody changes what is kept: attributes that need no decoding are copied.
    attributes = plain(span.attributes)
    copied = dict(attributes) if attributes is span.attributes else attributes
    return SpanRecord._make((*span[:18], resource, copied, (), ()))


class Resources:
    """Resources as a file would give them back: of many spans that share one, read once.

    Example:
        >>> Resources().read({"service.name": "app"})
        {'service.name': 'app'}
    """

    def __init__(self) -> None:
        # By identity; what was read is kept, so that nothing else takes its place in memory meanwhile.
        self._read: dict[int, tuple[Any, Mapping[str, Any]]] = {}

    def read(self, resource: Mapping[str, Any]) -> Mapping[str, Any]:
        """Give a resource's attributes; the same object for the same resource."""
        found = self._read.get(id(resource))
        if found is None:
            found = self._read[id(resource)] = resource, decode(encode(resource))
        return found[1]


def run_row(run: RunRecord) -> Row:
    """Give a run's values in the order of `RUN_COLUMNS`."""
    return (*run[:4], encode(run.attributes), *run[5:])


def run_of(row: Row) -> RunRecord:
    """Make a run of a row as `run_row` gives it."""
    return RunRecord._make((*row[:4], decode(row[4]), *row[5:]))


def annotation_row(annotation: AnnotationRecord) -> Row:
    """Give an annotation's values in the order of `ANNOTATION_COLUMNS`."""
    return (*annotation[:5], encode(list(annotation.tags)), encode(annotation.metadata))


def annotation_of(row: Row) -> AnnotationRecord:
    """Make an annotation of a row as `annotation_row` gives it."""
    return AnnotationRecord._make((*row[:5], decode(row[5]), decode(row[6])))


def clean_row(row: Row) -> Row:
    """Make a row that a table takes: no lone surrogates, no ints beyond 64 bits, nothing but text and numbers."""
    return tuple([clean(value) for value in row])


def is_clean_span_row(row: Row) -> bool:
    """Tell, faster than cleaning it, that a span's row is surely one that the table takes."""
    for value in row:
        if type(value) is str:
            if not value.isascii():
                return False
        elif value is not None and not (isinstance(value, int) and MIN_INT <= value <= MAX_INT):
            return False
    return None not in _required(row)


def clean_span_row(row: Row) -> Row:
    """Make a span's row that the table takes, with something in the columns that must have a value."""
    cleaned = list(clean_row(row))
    for index, instead in _REQUIRED.items():
        if cleaned[index] is None:
            cleaned[index] = instead
    return tuple(cleaned)


def clean(value: Any) -> Any:
    """Make one column's value that a table takes; what it takes already comes back as it is."""
    if value is None:
        return None
    if isinstance(value, int):
        return min(max(int(value), MIN_INT), MAX_INT)
    return text(value if type(value) is str else _safe_str(value))  # a subclass of str is refused by SQLite


def _is_encodable(value: str) -> bool:
    try:
        value.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def _container(value: Any) -> Any:
    """Convert what orjson does not know but the SDK uses: read-only mappings and named tuples."""
    if isinstance(value, Mapping):
        return dict(cast("Mapping[Any, Any]", value))
    if isinstance(value, tuple):
        return list(cast("tuple[Any, ...]", value))
    raise TypeError


def _has_special_float(value: Any, depth: int) -> bool:
    if isinstance(value, float):
        return not math.isfinite(value)
    if depth > _MAX_DEPTH:
        return False
    if isinstance(value, Mapping):
        return any(_has_special_float(each, depth + 1) for each in cast("Mapping[Any, Any]", value).values())
    if isinstance(value, (list, tuple)):
        return any(_has_special_float(each, depth + 1) for each in cast("Sequence[Any]", value))
    return False


def _plain(value: Any, depth: int) -> Any:
    """Make a value of nothing but dict, list, str, bool, int, float and None."""
    plain: Any
    if value is None or isinstance(value, bool):
        plain = value
    elif isinstance(value, str):
        plain = text(str(value))
    elif isinstance(value, int):
        plain = _plain_int(int(value))
    elif isinstance(value, float):
        plain = float(value)
    elif isinstance(value, (bytes, bytearray)):
        plain = value.decode("utf-8", "backslashreplace")
    elif depth > _MAX_DEPTH:
        plain = "..."
    elif isinstance(value, Mapping):
        items = cast("Mapping[Any, Any]", value).items()
        plain = {
            key if isinstance(key, str) and _is_encodable(key) else _key(key): _plain(each, depth + 1)
            for key, each in items
        }
    elif isinstance(value, (Sequence, AbstractSet)):
        plain = [_plain(each, depth + 1) for each in cast("Sequence[Any]", value)]
    else:
        plain = text(_safe_str(value))
    return plain


def _plain_int(value: int) -> int | str:
    if MIN_INT <= value <= _MAX_UNSIGNED:
        return value
    return str(value) if value.bit_length() <= _MAX_DECIMAL_BITS else hex(value)


def _key(key: Any) -> str:
    plain = _plain(key, _MAX_DEPTH + 1)
    return plain if isinstance(plain, str) else _safe_str(plain)


def _safe_str(value: Any) -> str:
    try:
        return str(value)
    except Exception:  # noqa: BLE001 - a user's class may do anything in __str__
        return f"<{type(value).__name__} that cannot be written as text>"
