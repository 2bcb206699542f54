"""A damaged file: what can still be read of it goes to a new one, and the old one is kept aside."""

from __future__ import annotations

import contextlib
import itertools
import sqlite3
import time
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from mirascope_ops.exceptions import StoreError
from mirascope_ops.store import codec, pages, schema
from mirascope_ops.store.lock import FileLock

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

_TABLES: Final = ("processes", "resources", "spans", "runs", "annotations")
# What makes a row sensible: ids that are text, times that are numbers, texts that are JSON.
_IDS: Final = {
    "processes": ("token", "system", "started"),
    "resources": (),
    "spans": ("trace_id", "span_id"),
    "runs": ("run_id",),
    "annotations": ("trace_id", "span_id"),
}
_NUMBERS: Final = {
    "processes": ("id", "pid", "heartbeat"),
    "resources": ("id",),
    "spans": ("id", "process", "start"),
    "runs": ("id", "start"),
    "annotations": ("id", "time"),
}
_JSON: Final = {
    "resources": ("attributes",),
    "spans": ("attributes", "events", "links"),
    "runs": ("attributes",),
    "annotations": ("tags", "metadata"),
}
# Stands for other columns of the row, which may be damaged; files of older schemas have none.
_CONTEXT: Final = "context"
_EMPTY: Final = {"attributes": "{}", "tags": "[]", "metadata": "{}"}
_AT_ONCE: Final = 1_000  # ids in one question
_MAX_FAILURES: Final = 20_000  # questions that meet damage, of one table
_ROWS_A_PAGE: Final = 100  # more do not fit
_NO_VERSION: Final = 10_000  # schemas will not become so many: such a number is damage
_SUFFIXES: Final = ("", "-wal", "-shm")


@dataclass(frozen=True, slots=True)
class Repair:
    """What became of a damaged store.

    Attributes:
        path: The store, as it is now.
        aside: The file as it was found.
        spans: How many spans were saved.
        runs: How many entries into sessions.
        annotations: How many annotations.
        unreadable: In how many places, at least, something could not be read; each may have held several records, or
            none.

    Example:
        >>> from pathlib import Path
        >>> print(Repair(Path("spans.db"), Path("spans.db.damaged"), 120, 3, 1, unreadable=2))
        spans.db: 120 spans, 3 runs and 1 annotations were saved; 2 places could not be read.
        The file as it was found is spans.db.damaged: delete it when you need it no more.
    """

    path: Path
    aside: Path
    spans: int
    runs: int
    annotations: int
    unreadable: int

    def __str__(self) -> str:
        return (
            f"{self.path}: {self.spans:,} spans, {self.runs:,} runs and {self.annotations:,} annotations "
            f"were saved; {self.unreadable:,} places could not be read.\n"
            f"The file as it was found is {self.aside}: delete it when you need it no more."
        )

    __repr__ = __str__


def repair(path: Path, patience: float = 30.0) -> Repair:
    """Put a new file with all that can be read in the place of a damaged one.

    Args:
        path: The file; those who have it open go on with the new one.
        patience: Seconds to wait for whoever writes at the moment.

    Raises:
        StoreError: There is no file, no room beside it, or it is a newer version's; it is left as it is.
    """
    if not path.is_file():
        raise StoreError(f"There is no file {path} to repair; the next span makes a new one.")
    lock = FileLock(path.with_name(path.name + ".lock"), patience)
    try:
        with lock.held():
            _leave_what_is_not_ours(path)
            aside, new = _names_beside(path)
            _rename(path, aside)
            try:
                saved = _copy(aside, new)
            except BaseException as error:
                _rename(aside, path)
                _remove(new)
                if isinstance(error, (OSError, sqlite3.Error)):
                    raise StoreError(f"{path} cannot be repaired ({error}); it was left as it is.") from error
                raise
            _rename(new, path)
    finally:
        lock.close()
    return Repair(path, aside, *saved)


def _leave_what_is_not_ours(path: Path) -> None:
    """Refuse a database of something else, and one of a newer version, for which the present schema has no place.

    The version may be in the log only. A connection that cannot write leaves both as they are.
    """
    alone = "" if path.with_name(path.name + "-wal").exists() else "&immutable=1"  # else an empty log would be made
    try:
        with contextlib.closing(sqlite3.connect(f"{path.as_uri()}?mode=ro{alone}", uri=True)) as connection:
            application, version = (
                connection.execute(f"PRAGMA {name}").fetchone()[0] for name in ("application_id", "user_version")
            )
            is_ours = application == schema.APPLICATION_ID
            told = () if is_ours else connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
            tables = {row[0] for row in told}
    except sqlite3.Error:
        return  # that is what repairing is for
    if tables and not tables & set(_TABLES):
        raise StoreError(f"{path} is a database of something else; it was left as it is.")
    if is_ours and schema.SCHEMA_VERSION < version < _NO_VERSION:
        raise StoreError(
            f"{path} was written by a newer mirascope_ops (its schema is {version}, this one knows "
            f"{schema.SCHEMA_VERSION}), which alone can repair it; it was left as it is. "
            "Upgrade with: pip install --upgrade mirascope-ops"
        )


def _names_beside(path: Path) -> tuple[Path, Path]:
    """Name the place for the damaged file, which takes that of no other one, and for the new one."""
    stamp = time.strftime("%Y%m%d-%H%M%S")
    for number in itertools.count(1):
        suffix = stamp if number == 1 else f"{stamp}-{number}"
        aside, new = (path.with_name(f"{path.name}.{kind}-{suffix}") for kind in ("damaged", "repaired"))
        if not aside.exists():
            return aside, new
    raise AssertionError


def _copy(damaged: Path, new: Path) -> tuple[int, int, int, int]:
    from mirascope_ops.store.sqlite import SqliteStore

    SqliteStore(new).close()  # the present schema, private to its owner
    _remove(new.with_name(new.name + ".lock"))
    counts: dict[str, int] = {}
    unreadable = 0
    with (
        contextlib.closing(sqlite3.connect(f"{new.as_uri()}?mode=rw", uri=True, isolation_level=None)) as target,
        contextlib.closing(sqlite3.connect(f"{damaged.as_uri()}?mode=rw", uri=True, isolation_level=None)) as source,
    ):
        source.text_factory = _text
        for table in _TABLES:
            columns = _columns(target, table)
            write = _insert(table, columns)
            reading = _Reading(source, table, _names(columns))
            target.execute("BEGIN")
            for rows in reading.all():
                mended = [_mended(table, columns, row) for row in rows]
                reading.unreadable += sum(row != was for row, was in zip(mended, rows, strict=True))
                target.executemany(write, [row for row in mended if row is not None])
            target.execute("COMMIT")
            unreadable += reading.unreadable
        if unreadable:
            unreadable = max(1, unreadable - _copy_from_pages(damaged, target))
        for table in _TABLES:
            counts[table] = target.execute(f"SELECT count(*) FROM {table}").fetchone()[0]  # noqa: S608 - our own name
    return counts["spans"], counts["runs"], counts["annotations"], unreadable


def _copy_from_pages(damaged: Path, target: sqlite3.Connection) -> int:
    """Copy the rows to which SQLite finds no way; returns how many there were."""
    tables: dict[int, tuple[str, list[str]]] = {}
    for table in _TABLES:  # no two of them have as many columns
        columns = _columns(target, table)
        tables[len(columns)] = table, columns
        if table == "spans":
            tables[len(columns) + 1] = table, columns  # with the context
    saved = 0
    target.execute("BEGIN")
    for row_id, values in pages.rows(damaged):
        table, columns = tables.get(len(values), ("", []))
        row = _mended(table, columns, (row_id, *values[1 : len(columns)])) if table else None
        if row is not None:
            with contextlib.suppress(sqlite3.Error, OverflowError):  # no values of these columns
                saved += target.execute(_insert(table, columns), row).rowcount
    target.execute("COMMIT")
    return saved


def _columns(target: sqlite3.Connection, table: str) -> list[str]:
    """Name the columns that are saved."""
    found = [row[1] for row in target.execute(f"PRAGMA table_info({table})")]
    return [column for column in found if column != _CONTEXT]


def _names(columns: Sequence[str]) -> str:
    return ", ".join(f'"{column}"' for column in columns)


def _insert(table: str, columns: Sequence[str]) -> str:
    return f"INSERT OR IGNORE INTO {table} ({_names(columns)}) VALUES ({', '.join('?' * len(columns))})"  # noqa: S608 - our own names


def _mended(table: str, columns: Sequence[str], row: tuple[Any, ...]) -> tuple[Any, ...] | None:
    """Take out of a row what is no value of its column; None where nothing sensible is left.

    A page that holds the end of a long text may be damaged although the row can be read.
    """
    values = dict(zip(columns, row, strict=True))
    for column in _JSON.get(table, ()):
        if values[column] is not None and not _is_json(values[column]):
            values[column] = _EMPTY.get(column)
    texts = [values[column] for column in _IDS[table]]
    if not all(isinstance(text, str) and text.isascii() and text.isprintable() for text in texts):
        return None
    if any(not isinstance(values[column], int) for column in _NUMBERS[table]):
        return None
    return tuple(values.values())


def _is_json(text: Any) -> bool:
    try:
        codec.decode(text)
    except (ValueError, TypeError):
        return False
    return True


def _text(data: bytes) -> str:
    return data.decode("utf-8", "replace")


class _Reading:
    """All rows of a table that can be read, around the pages that cannot."""

    def __init__(self, connection: sqlite3.Connection, table: str, names: str) -> None:
        self._connection = connection
        self._table = table
        self._names = names
        self.unreadable = 0

    def all(self) -> Iterator[Sequence[tuple[Any, ...]]]:
        """Ask for ranges of ids; where one meets damage, for each of its halves."""
        last = self._last()
        waiting = deque((first, min(first + _AT_ONCE, last + 1)) for first in range(0, last + 1, _AT_ONCE))
        failures = 0
        while waiting and failures < _MAX_FAILURES:
            first, end = waiting.popleft()
            try:
                yield self._rows(first, end)
            except sqlite3.Error:
                failures += 1
                if end - first == 1:
                    self.unreadable += 1
                else:
                    middle = (first + end) // 2
                    waiting.extend(((first, middle), (middle, end)))
        self.unreadable += len(waiting)

    def _rows(self, first: int, end: int) -> list[tuple[Any, ...]]:
        if self._table == "resources":  # known by a hash, anywhere between the least and the greatest id
            return self._connection.execute(f"SELECT {self._names} FROM resources").fetchall()  # noqa: S608 - our own names
        return self._connection.execute(
            f"SELECT {self._names} FROM {self._table} WHERE id >= ? AND id < ?",  # noqa: S608 - our own names
            (first, end),
        ).fetchall()

    def _last(self) -> int:
        if self._table == "resources":
            return 0
        try:
            return self._connection.execute(f"SELECT max(id) FROM {self._table}").fetchone()[0] or 0  # noqa: S608 - our own name
        except sqlite3.Error:
            with contextlib.suppress(sqlite3.Error):
                return self._connection.execute("PRAGMA page_count").fetchone()[0] * _ROWS_A_PAGE
            return 0


def _rename(path: Path, to: Path) -> None:
    for suffix in _SUFFIXES:
        with contextlib.suppress(FileNotFoundError):
            path.with_name(path.name + suffix).rename(to.with_name(to.name + suffix))


def _remove(path: Path) -> None:
    for suffix in _SUFFIXES:
        path.with_name(path.name + suffix).unlink(missing_ok=True)
