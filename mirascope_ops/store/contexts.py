"""What many spans of a file have in common: where they come from, told once for all of them.

Of a span's columns most repeat from span to span: names, sessions, cells, notebooks, services. Read row by row they
cost as much as everything else in a row. So each row also has a number that stands for the values of these columns;
they themselves stay in the row, where conditions and indexes find them, and are read for one span of each number. Rows
of files that were written before there were such numbers have none, and are read in full.
"""

from __future__ import annotations

import hashlib
from operator import itemgetter
from typing import TYPE_CHECKING, Any, Final

import orjson

from mirascope_ops.store import codec
from mirascope_ops.store.codec import REPEATED_COLUMNS
from mirascope_ops.store.same import Same, shared

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Iterable, Mapping, Sequence

_MOST_KNOWN: Final = 20_000  # contexts that are remembered
_NUMBER: Final = 2**63 - 1  # numbers are positive: the negative of its id stands for a span that has none
_KINDS: Final = tuple(
    int if column in {"execution_count", "sampled", "resource"} else str for column in REPEATED_COLUMNS
)
_SAMPLED, _RESOURCE = REPEATED_COLUMNS.index("sampled"), REPEATED_COLUMNS.index("resource")
_READ: Final = "SELECT id, {columns} FROM spans WHERE id IN ({marks})".format
_NAMES: Final = ", ".join(f'"{column}"' for column in REPEATED_COLUMNS)

Number = tuple[int | None]
"""A context's number as the one value that follows a row's others; None where the columns do not tell all."""


class Numbers:
    """The numbers of rows that are about to be written.

    Example:
        >>> row = codec.Row(("trace", "span", None, "name", *[None] * 18))
        >>> other = codec.Row(("other", "span", None, "name", *[None] * 18))
        >>> Numbers().of([row])[0] == Numbers().of([other])[0]
        True
    """

    def __init__(self) -> None:
        self._known: dict[tuple[Any, ...], Number] = {}

    def of(self, rows: Sequence[codec.Row]) -> list[Number]:
        """Give the number of each row: the same in every process where the columns are the same.

        Args:
            rows: Values in the order of `codec.SPAN_COLUMNS`.
        """
        known = self._known
        if len(known) > _MOST_KNOWN:
            known.clear()
        # The columns of a context, as they stand in a row: the name and the kind, then from the status to the resource.
        told = [row[3:5] + row[7:19] for row in rows]
        numbers = list(map(known.get, told))
        if None in numbers:
            for place, number in enumerate(numbers):
                if number is None:
                    numbers[place] = known[told[place]] = known.get(told[place]) or _number(told[place])
        return numbers  # pyright: ignore[reportReturnType] - those that were None were filled


def _number(values: tuple[Any, ...]) -> Number:
    # Values that are equal here may be others in the file: 1 and 1.0 as text.
    if any(map(_is_odd, values, _KINDS)):
        return (None,)
    try:
        digest = hashlib.sha256(orjson.dumps(values)).digest()
    except TypeError:  # nothing that a file can hold: the row is written otherwise
        return (None,)
    return (int.from_bytes(digest[:8], "big") & _NUMBER or 1,)


def _is_odd(value: Any, kind: type[Any]) -> bool:
    return value is not None and type(value) is not kind


def _chooser(different: Iterable[int], keys: Sequence[int]) -> Callable[[Sequence[Any]], Sequence[Any]]:
    """Make a function that gives each of at least two keys its value, of the values of the different ones."""
    order = {key: place for place, key in enumerate(different)}
    return itemgetter(*map(order.__getitem__, keys))


class Contexts:
    """The contexts of spans that are being read, in one transaction.

    Args:
        connection: The file.

    Example:
        >>> import contextlib, sqlite3
        >>> with contextlib.closing(sqlite3.connect(":memory:")) as connection:
        ...     Contexts(connection).columns([], [])["name"]
        []
    """

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._known: dict[int, tuple[Any, ...]] = {}
        self._values: dict[Any, Any] = {}  # what repeats is kept once, however many contexts have it
        self._resources: dict[int | None, Mapping[str, Any]] = {None: {}}

    def columns(self, ids: Sequence[int], numbers: Sequence[int | None]) -> dict[str, Sequence[Any]]:
        """Give the columns that are told by contexts, by name, as `SpanRecord` has them.

        Args:
            ids: Where the spans are in their table.
            numbers: The spans' contexts, None for those that have none.
        """
        keys: Sequence[int] = (
            [-place if number is None else number for place, number in zip(ids, numbers, strict=True)]
            if None in numbers
            else numbers  # type: ignore[assignment]
        )
        different = dict(zip(keys, ids, strict=True))
        known = self._known
        self._read({place: key for key, place in different.items() if key not in known})
        told = list(zip(*map(known.__getitem__, different), strict=True)) or [()] * len(REPEATED_COLUMNS)
        found: dict[str, Sequence[Any]] = {}
        choose: Callable[[Sequence[Any]], Sequence[Any]] | None = None
        for name, values in zip(REPEATED_COLUMNS, told, strict=True):
            one = shared(values)
            if one is not None:
                found[name] = Same(one.value, len(keys))
            elif len(values) == len(keys):
                found[name] = list(values)
            else:
                choose = choose or _chooser(different, keys)
                found[name] = choose(values)
        if len(known) > _MOST_KNOWN or None in numbers:
            known.clear()
        return found

    def _read(self, keys: Mapping[int, int]) -> None:
        """Read the contexts of spans, by their ids."""
        if not keys:
            return
        statement = _READ(columns=_NAMES, marks=", ".join("?" * len(keys)))
        rows = self._connection.execute(statement, list(keys)).fetchall()
        once = self._values
        if len(once) > _MOST_KNOWN:
            once.clear()
        for number in {row[1 + _RESOURCE] for row in rows}.difference(self._resources):
            found = self._connection.execute("SELECT attributes FROM resources WHERE id = ?", (number,)).fetchone()
            self._resources[number] = codec.decode(found[0]) if found else {}
        for place, *values in rows:
            values[_SAMPLED], values[_RESOURCE] = values[_SAMPLED] == 1, self._resources[values[_RESOURCE]]
            self._known[keys[place]] = tuple(
                [once.setdefault(each, each) if type(each) is str else each for each in values]
            )
