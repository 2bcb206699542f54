"""Deleting from the file: whole traces, whole sessions, and what belongs to them.

Every function works inside the caller's transaction.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mirascope_ops.store.queries import Condition

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Collection, Sequence

_LAST = 'max(s.start, coalesce(s."end", s.start))'


def delete_sessions(connection: sqlite3.Connection, session_ids: Sequence[str]) -> int:
    """Delete sessions: their runs and spans, and what their traces hold that belongs to no session at all.

    Sessions that were nested in them stay, and do not tell any more in what: an id may name a person.

    Returns:
        How many spans were deleted.
    """
    condition = Condition(connection)
    condition.add_in("session_id", session_ids)
    parameters = condition.parameters
    connection.execute("DROP TABLE IF EXISTS temp.affected")
    connection.execute("CREATE TEMP TABLE affected (trace_id TEXT PRIMARY KEY) WITHOUT ROWID")
    connection.execute(f"INSERT INTO affected SELECT DISTINCT trace_id FROM spans WHERE {condition}", parameters)  # noqa: S608 - values are parameters
    deleted = connection.execute(f"DELETE FROM spans WHERE {condition}", parameters).rowcount  # noqa: S608 - values are parameters
    deleted += connection.execute(
        "DELETE FROM spans WHERE session_id IS NULL AND trace_id IN (SELECT trace_id FROM affected)"
    ).rowcount
    connection.execute(
        """DELETE FROM annotations WHERE trace_id IN (SELECT trace_id FROM affected) AND NOT EXISTS (
            SELECT 1 FROM spans s WHERE s.trace_id = annotations.trace_id AND s.span_id = annotations.span_id)"""
    )
    connection.execute(f"DELETE FROM runs WHERE {condition}", parameters)  # noqa: S608 - values are parameters
    connection.execute(f"DELETE FROM sessions WHERE {condition}", parameters)  # noqa: S608 - values are parameters
    nested = Condition(connection)
    nested.add_in("parent_session_id", session_ids)
    for table in ("runs", "sessions"):
        connection.execute(
            f"UPDATE {table} SET parent_session_id = NULL WHERE {nested}",  # noqa: S608 - our own names, values are parameters
            nested.parameters,
        )
    connection.execute("DROP TABLE temp.affected")
    _delete_unused_resources(connection)
    return deleted


def delete_traces(connection: sqlite3.Connection, trace_ids: Sequence[str]) -> int:
    """Delete traces with their annotations.

    Returns:
        How many spans were deleted.
    """
    condition = Condition(connection)
    condition.add_in("trace_id", trace_ids)
    deleted = connection.execute(f"DELETE FROM spans WHERE {condition}", condition.parameters).rowcount  # noqa: S608 - values are parameters
    connection.execute(f"DELETE FROM annotations WHERE {condition}", condition.parameters)  # noqa: S608 - values are parameters
    return deleted


def forget_empty_sessions(connection: sqlite3.Connection, before: int) -> None:
    """Delete the runs that began before a time (ns) and whose session has no spans, and unused resources."""
    connection.execute(
        """DELETE FROM runs WHERE start < ?
        AND NOT EXISTS (SELECT 1 FROM spans s WHERE s.session_id = runs.session_id)""",
        (before,),
    )
    connection.execute(
        """DELETE FROM sessions WHERE stale
        AND NOT EXISTS (SELECT 1 FROM runs r WHERE r.session_id = sessions.session_id)
        AND NOT EXISTS (SELECT 1 FROM spans s WHERE s.session_id = sessions.session_id)"""
    )
    _delete_unused_resources(connection)


def forget_processes(connection: sqlite3.Connection, before: int) -> None:
    """Delete the processes that last wrote before a time (ns) and left nothing open."""
    connection.execute(
        """DELETE FROM processes WHERE heartbeat < ?
        AND NOT EXISTS (SELECT 1 FROM spans s WHERE s.process = processes.id AND s.status = 'open')""",
        (before,),
    )


def expired_traces(connection: sqlite3.Connection, cutoff: int, dead: Collection[int]) -> list[str]:
    """Name the traces in which nothing started or ended at or after a time (ns), and nothing is still open."""
    rows = connection.execute(
        f"""SELECT DISTINCT o.trace_id FROM spans o WHERE o.start < ? AND NOT EXISTS (
            SELECT 1 FROM spans s WHERE s.trace_id = o.trace_id AND ({_LAST} >= ? OR {_is_open(dead)}))""",  # noqa: S608 - numbers and our own text
        (cutoff, cutoff),
    )
    return [row[0] for row in rows]


def oldest_traces(connection: sqlite3.Connection, max_bytes: int, dead: Collection[int]) -> tuple[list[str], int]:
    """Name the oldest traces that must go for the file to need no more than so many bytes.

    Returns:
        Traces by the start of their first span, as many as by the average size of a span are needed, and the
        time (ns) after which none of them goes on; no traces where the file is small enough or all are open.
    """
    pages, free, size = (
        connection.execute(f"PRAGMA {name}").fetchone()[0] for name in ("page_count", "freelist_count", "page_size")
    )
    used = (pages - free) * size
    if used <= max_bytes:
        return [], 0
    spans: int = connection.execute("SELECT count(*) FROM spans").fetchone()[0]
    excess = max(1, -(-spans * (used - max_bytes) // used))
    rows = connection.execute(
        f"""SELECT trace_id, max({_LAST}) FROM spans s WHERE trace_id IN (
            SELECT trace_id FROM spans o WHERE NOT EXISTS (
                SELECT 1 FROM spans s WHERE s.trace_id = o.trace_id AND {_is_open(dead)})
            ORDER BY start LIMIT ?)
        GROUP BY trace_id""",  # noqa: S608 - numbers and our own text
        (excess,),
    ).fetchall()
    return [row[0] for row in rows], max((row[1] for row in rows), default=0) + 1


def _is_open(dead: Collection[int]) -> str:
    return f"(s.status = 'open' AND s.process NOT IN ({', '.join(map(str, dead))}))"


def _delete_unused_resources(connection: sqlite3.Connection) -> None:
    # They are few, and the index tells of each whether it is in use.
    connection.execute("DELETE FROM resources WHERE NOT EXISTS (SELECT 1 FROM spans s WHERE s.resource = resources.id)")
