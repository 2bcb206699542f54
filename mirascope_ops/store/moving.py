"""Moving what one file holds to another store, some at a time, so that nothing is lost if either fails midway.

Every function works inside the caller's transaction, in the file that gives.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from mirascope_ops.store import codec
from mirascope_ops.store.codec import ANNOTATION_COLUMNS, RUN_COLUMNS
from mirascope_ops.store.queries import SPAN_SELECTION

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Collection, Iterable, Sequence

    from mirascope_ops.store.records import AnnotationRecord, RunRecord, SpanRecord


class Load(NamedTuple):
    """Some of a file's records, and the rows that they stand in."""

    spans: Sequence[SpanRecord]
    runs: Sequence[RunRecord]
    annotations: Sequence[AnnotationRecord]
    rows: dict[str, list[int]]

    def __bool__(self) -> bool:
        return any(self.rows.values())


def load(connection: sqlite3.Connection, dead: Collection[int], most: int) -> Load:
    """Read the oldest records that are not going to change any more.

    Args:
        connection: The file that gives.
        dead: Its processes that are gone: the spans that they left open are interrupted.
        most: How many of each kind.
    """
    spans = connection.execute(
        f"""SELECT s.id, r.attributes, {SPAN_SELECTION} FROM spans s LEFT JOIN resources r ON r.id = s.resource
        WHERE s.status != 'open' OR s.process IN ({", ".join(map(str, dead))}) ORDER BY s.id LIMIT ?""",  # noqa: S608 - numbers and our own names
        (most,),
    ).fetchall()
    runs, annotations = (
        connection.execute(
            f"SELECT id, {_named(columns)} FROM {table} ORDER BY id LIMIT ?",  # noqa: S608 - our own names
            (most,),
        ).fetchall()
        for table, columns in (("runs", RUN_COLUMNS), ("annotations", ANNOTATION_COLUMNS))
    )
    return Load(
        [_span(row[2:], row[1]) for row in spans],
        [codec.run_of(row[1:]) for row in runs],
        [codec.annotation_of(row[1:]) for row in annotations],
        {
            table: [row[0] for row in rows]
            for table, rows in (("spans", spans), ("runs", runs), ("annotations", annotations))
        },
    )


def forget(connection: sqlite3.Connection, given: Load) -> None:
    """Delete what another store has now."""
    for table, rows in given.rows.items():
        connection.executemany(f"DELETE FROM {table} WHERE id = ?", _singles(rows))  # noqa: S608 - our own name


def is_empty(connection: sqlite3.Connection) -> bool:
    """Tell whether a file holds nothing that anybody recorded."""
    return not any(
        connection.execute(f"SELECT 1 FROM {table} LIMIT 1").fetchone()  # noqa: S608 - our own name
        for table in ("spans", "runs", "annotations")
    )


def _span(row: codec.Row, resource: str | None) -> SpanRecord:
    span = codec.span_of(row, codec.decode(resource) if resource else {})
    return span._replace(status="interrupted") if span.status == "open" else span


def _singles(rows: Iterable[int]) -> Iterable[tuple[int]]:
    return ((row,) for row in rows)


def _named(columns: Iterable[str]) -> str:
    return ", ".join(f'"{column}"' for column in columns)
