"""Queries as SQL: conditions with their parameters, never a value inside the text."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from mirascope_ops.store.codec import OWN_COLUMNS, SPAN_COLUMNS, clean

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Collection, Sequence

    from mirascope_ops.store.records import SpanQuery

# Lists longer than this go through a temporary table: SQLite bounds the number of parameters.
_MAX_LISTED = 500

_EVERYTHING: Final = "1"  # the condition that demands nothing
_NOTHING: Final = "0"  # the condition that nothing meets

SPAN_SELECTION: Final = ", ".join(f's."{column}"' for column in SPAN_COLUMNS)
# What a span has for itself; the id and the context lead to what it shares with others.
OWN_SELECTION: Final = ", ".join(f's."{column}"' for column in (*OWN_COLUMNS, "id", "context"))


class Rest(NamedTuple):
    """What was not yet given of an answer that broke off.

    Attributes:
        start: When the last span that was given began.
        id: That span's place in the table.
        newest: The last place that was taken when the answer began: what was written later is no part of it.
    """

    start: int
    id: int
    newest: int


class Condition:
    """A WHERE clause that grows, for one connection inside one transaction.

    Args:
        connection: Where long lists of values are put, in temporary tables that end with the transaction.
    """

    _numbers = itertools.count()  # names of temporary tables differ between the conditions of one transaction

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._parts: list[str] = []
        self.parameters: list[Any] = []

    def add(self, sql: str, *values: Any) -> None:
        """Demand a condition with `?` for each of the values."""
        self._parts.append(sql)
        self.parameters.extend(clean(value) for value in values)

    def add_any(self, alternatives: Sequence[tuple[str, Sequence[Any]]]) -> None:
        """Demand that in one of the alternatives the column has one of the values."""
        parts: list[str] = []
        for column, values in alternatives:
            if values:  # a list of nothing, which no value is in, would keep SQLite from its indexes
                part, parameters = self._membership(column, values)
                parts.append(part)
                self.parameters.extend(parameters)
        self._parts.append("(" + (" OR ".join(parts) or _NOTHING) + ")")

    def add_in(self, column: str, values: Sequence[Any] | None) -> None:
        """Demand that a column has one of the values; None demands nothing, no values can never be met."""
        if values is not None:
            self.add_any([(column, values)])

    def __str__(self) -> str:
        return " AND ".join(self._parts) or _EVERYTHING

    def _membership(self, column: str, values: Sequence[Any]) -> tuple[str, list[Any]]:
        wanted = [clean(value) for value in dict.fromkeys(values)]
        if len(wanted) <= _MAX_LISTED:
            return f"{column} IN ({', '.join('?' * len(wanted))})", wanted
        table = f"wanted_{next(self._numbers)}"
        self._connection.execute(f"CREATE TEMP TABLE {table} (value TEXT PRIMARY KEY) WITHOUT ROWID")
        self._connection.executemany(f"INSERT OR IGNORE INTO {table} VALUES (?)", ((value,) for value in wanted))  # noqa: S608 - our own name
        return f"{column} IN (SELECT value FROM {table})", []  # noqa: S608 - our own name


def spans_statement(
    connection: sqlite3.Connection,
    query: SpanQuery,
    dead: Collection[int],
    selection: str = SPAN_SELECTION,
    rest: Rest | None = None,
) -> tuple[str, Sequence[Any]]:
    """Write a query for spans as SQL.

    Args:
        connection: The connection that will run it, in its present transaction.
        query: What to look for.
        dead: The processes (`processes.id`) that are gone: their open spans are interrupted.
        selection: What to tell of each span.
        rest: Give only the rest of an answer; None gives the whole.

    Returns:
        A SELECT of these, ordered, and its parameters; last come the status and the process, where any is gone.
    """
    condition = _condition(connection, query, dead)
    if rest is not None:
        condition.add("+id <= ?", rest.newest)  # the sign keeps SQLite with the indexes that it uses without this
    where = str(condition)
    parameters = condition.parameters
    newest = query.whole_traces and query.limit is not None
    if newest:
        chosen = Condition(connection)
        chosen.add_in("trace_id", _newest_traces(connection, condition, max(query.limit or 0, 0)))
        where, parameters = str(chosen), chosen.parameters
    elif query.whole_traces and where != _EVERYTHING:
        where = f"trace_id IN (SELECT trace_id FROM spans WHERE {where})"  # noqa: S608 - values are parameters
    if query.limit is not None and not newest:
        some = f"SELECT id FROM spans s WHERE {where} ORDER BY start DESC, id DESC LIMIT ?"  # noqa: S608 - values are parameters
        where = f"id IN ({some})"
        parameters = [*parameters, max(query.limit, 0)]
    if rest is not None:
        where, parameters = f"({where}) AND (start, id) > (?, ?)", [*parameters, rest.start, rest.id]
    selection = f"{selection}, s.status, s.process" if dead else selection
    return f"SELECT {selection} FROM spans s WHERE {where} ORDER BY start, id", parameters  # noqa: S608 - values are parameters


def _newest_traces(connection: sqlite3.Connection, condition: Condition, most: int) -> list[str]:
    """Name the traces to which the newest spans that fit belong: going back from the last one, not through all."""
    found: dict[str, None] = {}
    if most:
        statement = f"SELECT trace_id FROM spans s WHERE {condition} ORDER BY start DESC, id DESC"  # noqa: S608 - values are parameters
        for (trace_id,) in connection.execute(statement, condition.parameters):
            found[trace_id] = None
            if len(found) == most:
                break
    return list(found)


def _condition(connection: sqlite3.Connection, query: SpanQuery, dead: Collection[int]) -> Condition:
    condition = Condition(connection)
    condition.add_in("trace_id", query.trace_ids)
    if query.sessions_or_runs and query.session_ids is not None and query.run_ids is not None:
        condition.add_any([("session_id", query.session_ids), ("run_id", query.run_ids)])
    else:
        condition.add_in("session_id", query.session_ids)
        condition.add_in("run_id", query.run_ids)
    if query.trace_prefix is not None:
        condition.add("substr(trace_id, 1, ?) = ?", len(query.trace_prefix), query.trace_prefix)
        condition.add("trace_id >= ?", query.trace_prefix)  # the index leads to the first one
        condition.add("trace_id < ?", query.trace_prefix + "\U0010ffff")
    if query.span_prefix is not None:
        # By themselves: ids are all in an index, and the spans are not walked through.
        within = "span_id >= ? AND span_id < ?"
        condition.add(
            f"id IN (SELECT id FROM spans WHERE {within})",  # noqa: S608 - values are parameters
            query.span_prefix,
            query.span_prefix + "\U0010ffff",
        )
    for sql, value in (
        ("name = ?", query.name),
        ("cell_id = ?", query.cell_id),
        ("execution_count = ?", query.execution_count),
        ("notebook = ?", query.notebook),
        ("start >= ?", query.since),
        ("start < ?", query.until),
    ):
        if value is not None:
            condition.add(sql, value)
    gone = f"process IN ({', '.join(map(str, dead))})"
    if query.status == "open":
        condition.add(f"status = 'open' AND NOT {gone}")
    elif query.status == "interrupted":
        condition.add(f"(status = 'interrupted' OR (status = 'open' AND {gone}))")
    elif query.status is not None:
        condition.add("status = ?", query.status)
    return condition
