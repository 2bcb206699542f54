"""Sessions as the file tells of them: added up beforehand where nothing changed since, from their spans where it did.

`sessions` has a row for every session. Triggers mark those that changed as stale; what a stale one consists of is added
up when somebody lists it, and written down once it has been left alone for a while (`settle`).
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Final

from mirascope_ops.store import codec
from mirascope_ops.store.codec import RUN_COLUMNS
from mirascope_ops.store.collection import uncollected
from mirascope_ops.store.listing import SpanTotals, select, session_record
from mirascope_ops.store.queries import Condition
from mirascope_ops.store.records import SessionRecord

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Sequence

    from mirascope_ops.store.records import RunRecord, SessionQuery

QUIET_NS: Final = 60 * 10**9
"""How long nothing must have started in a session for its sums to be written down."""

COUNTED = 200_000
"""How many spans are counted one by one."""

_COLUMNS: Final = ", ".join(SessionRecord._fields)
_record: Final = partial(tuple[Any, ...].__new__, SessionRecord)  # `_make` without its frame
_RUNS: Final = "SELECT " + ", ".join(f'r."{column}"' for column in RUN_COLUMNS) + " FROM runs r"  # noqa: S608 - our own names


def sessions(connection: sqlite3.Connection, query: SessionQuery) -> list[SessionRecord]:
    """List the sessions that fit; see `Store.sessions`."""
    stale = Condition(connection)
    stale.add("stale")
    stale.add_in("session_id", query.session_ids)
    changed = [row[0] for row in connection.execute(_all("session_id", stale), stale.parameters)]
    return select([*_settled(connection, query), *added_up(connection, changed)], query)


def counts(connection: sqlite3.Connection) -> tuple[int, int, bool]:
    """Say how many spans and traces there are, and whether that is an estimate.

    To count tens of millions means to read an index of a gigabyte. Where there are that many, the ids tell how many
    spans there are, but for holes that deleted sessions left, and the newest and the oldest how many share a trace.
    """
    first: int
    last: int
    first, last = connection.execute(
        "SELECT coalesce((SELECT min(id) FROM spans), 1), coalesce((SELECT max(id) FROM spans), 0)"
    ).fetchone()
    spans = last - first + 1
    if spans <= COUNTED:
        exact = connection.execute("SELECT count(*), count(DISTINCT trace_id) FROM spans").fetchone()
        return exact[0], exact[1], False
    looked_at, traces = connection.execute(
        "SELECT count(*), count(DISTINCT trace_id) FROM spans WHERE id < ? OR id > ?",
        (first + COUNTED // 20, last - COUNTED // 20),
    ).fetchone()
    return spans, spans * traces // max(1, looked_at), True


def settle(connection: sqlite3.Connection, now: int, most: int) -> int:
    """Write down what stale sessions add up to, if nothing started in them lately.

    Args:
        connection: In a transaction that writes.
        now: The present time (ns).
        most: How many sessions.

    Returns:
        How many were written down.
    """
    stale = quiet(connection, now, most)
    found = added_up(connection, stale)
    gone = set(stale) - {record.session_id for record in found}
    connection.executemany("DELETE FROM sessions WHERE session_id = ?", [(each,) for each in gone])
    values = ", ".join("?" * len(SessionRecord._fields))
    connection.executemany(
        f"INSERT OR REPLACE INTO sessions (stale, {_COLUMNS}) VALUES (0, {values})",  # noqa: S608 - our own names
        [(*record[:2], codec.encode(record.attributes), *record[3:]) for record in found],
    )
    return len(stale)


def quiet(connection: sqlite3.Connection, now: int, most: int) -> list[str]:
    """Name stale sessions in which nothing started lately."""
    # What started last is the last one in the index: one step each.
    rows = connection.execute(
        """SELECT session_id FROM sessions s WHERE stale
        AND coalesce((SELECT max(start) FROM spans WHERE session_id = s.session_id), 0) NOT BETWEEN ? AND ?
        AND coalesce((SELECT max(start) FROM runs WHERE session_id = s.session_id), 0) NOT BETWEEN ? AND ? LIMIT ?""",
        (now - QUIET_NS, now, now - QUIET_NS, now, most),
    )
    return [row[0] for row in rows]


def added_up(connection: sqlite3.Connection, session_ids: Sequence[str]) -> list[SessionRecord]:
    """Add up sessions from their spans and runs; those that have neither are left out."""
    if not session_ids:
        return []
    condition = Condition(connection)
    condition.add_in("session_id", session_ids)
    totals = {
        row[0]: SpanTotals(*row[1:])
        for row in connection.execute(
            f"""SELECT session_id, min(start), max(max(start, coalesce("end", start))), count(*),
                count(DISTINCT trace_id), sum(status = 'error')
                FROM spans WHERE session_id IS NOT NULL AND {condition} GROUP BY session_id""",  # noqa: S608 - values are parameters
            condition.parameters,
        )
    }
    runs: dict[str, list[RunRecord]] = {session_id: [] for session_id in totals}
    for row in connection.execute(f"{_RUNS} WHERE {condition} ORDER BY r.start, r.id", condition.parameters):
        runs.setdefault(row[1], []).append(codec.run_of(row))
    attributes = {session_id: _newest_attributes(connection, session_id) for session_id, own in runs.items() if not own}
    return [session_record(key, own, totals.get(key), attributes.get(key)) for key, own in runs.items()]


def _settled(connection: sqlite3.Connection, query: SessionQuery) -> list[SessionRecord]:
    """Give those that are added up already, a superset of what fits."""
    condition = Condition(connection)
    condition.add("NOT stale")
    condition.add_in("session_id", query.session_ids)
    for sql, value in (("last_seen >= ?", query.since), ("first_seen < ?", query.until)):
        if value is not None:
            condition.add(sql, value)
    for key in query.attributes:
        # Equal as JSON is for `select` to say; but where the key is not in the text, it is not in the object.
        condition.add("instr(attributes, ?)", codec.encode(key))
    statement, parameters = _all(_COLUMNS, condition), condition.parameters
    if query.limit is not None and not query.attributes:
        statement += " ORDER BY last_seen DESC, session_id LIMIT ?"
        parameters = [*parameters, max(query.limit, 0)]
    with uncollected():
        rows = connection.execute(statement, parameters).fetchall()
        if not rows:
            return []
        ids, parents, texts, *rest = zip(*rows, strict=True)  # column by column: there may be tens of thousands
        attributes: list[Any] = [{} if text == "{}" else codec.decode(text) for text in texts]
        return list(map(_record, zip(ids, parents, attributes, *rest, strict=True)))


def _all(columns: str, condition: Condition) -> str:
    return f"SELECT {columns} FROM sessions WHERE {condition}"  # noqa: S608 - values are parameters


def _newest_attributes(connection: sqlite3.Connection, session_id: str) -> str | None:
    row = connection.execute(
        """SELECT session_attributes FROM spans
        WHERE session_id = ? AND session_attributes IS NOT NULL AND session_attributes != '{}'
        ORDER BY start DESC, id DESC LIMIT 1""",
        (session_id,),
    ).fetchone()
    return row[0] if row else None
