"""The tables of a store's file, and how older files become newer ones."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mirascope_ops.exceptions import StoreError
from mirascope_ops.store.location import NoPlaceError

if TYPE_CHECKING:
    import sqlite3
    from pathlib import Path

# Written into the file's header: says that a file is ours before we touch any table. "Mops" in ASCII.
APPLICATION_ID = 0x4D6F7073

# One entry for every version of the schema, never changed once released: a file of version n needs the
# entries from n on. In `spans`, what is filtered by comes first and the long texts last, so that a scan
# does not walk through their overflow pages. Traces and spans are known by their hex ids, as people
# meet them. `resources` is keyed by a hash of its text, so that processes agree on it without asking.
MIGRATIONS: tuple[tuple[str, ...], ...] = (
    (
        """CREATE TABLE processes (
            id INTEGER PRIMARY KEY,
            token TEXT NOT NULL UNIQUE,
            system TEXT NOT NULL,
            pid INTEGER NOT NULL,
            started TEXT NOT NULL,
            heartbeat INTEGER NOT NULL
        )""",
        "CREATE TABLE resources (id INTEGER PRIMARY KEY, attributes TEXT NOT NULL)",
        """CREATE TABLE spans (
            id INTEGER PRIMARY KEY,
            process INTEGER NOT NULL,
            trace_id TEXT NOT NULL,
            span_id TEXT NOT NULL,
            parent_id TEXT,
            name TEXT NOT NULL,
            span_kind TEXT NOT NULL,
            start INTEGER NOT NULL,
            "end" INTEGER,
            status TEXT NOT NULL,
            status_message TEXT NOT NULL,
            session_id TEXT,
            run_id TEXT,
            session_attributes TEXT,
            cell_id TEXT,
            execution_count INTEGER,
            notebook TEXT,
            sampled INTEGER NOT NULL,
            service TEXT,
            scope TEXT NOT NULL,
            resource INTEGER,
            attributes TEXT,
            events TEXT,
            links TEXT,
            UNIQUE (trace_id, span_id)
        )""",
        # Holds all that a list of sessions needs, so that it never reads the spans themselves.
        """CREATE INDEX spans_by_session ON spans (session_id, start, "end", status, trace_id)
            WHERE session_id IS NOT NULL""",
        "CREATE INDEX spans_by_run ON spans (run_id) WHERE run_id IS NOT NULL",
        "CREATE INDEX spans_by_start ON spans (start)",
        "CREATE INDEX spans_open ON spans (process) WHERE status = 'open'",
        """CREATE TABLE runs (
            id INTEGER PRIMARY KEY,
            run_id TEXT NOT NULL UNIQUE,
            session_id TEXT NOT NULL,
            parent_run_id TEXT,
            parent_session_id TEXT,
            attributes TEXT NOT NULL,
            cell_id TEXT,
            execution_count INTEGER,
            notebook TEXT,
            start INTEGER NOT NULL,
            "end" INTEGER
        )""",
        "CREATE INDEX runs_by_session ON runs (session_id, start)",
        "CREATE INDEX runs_by_parent ON runs (parent_run_id) WHERE parent_run_id IS NOT NULL",
        """CREATE TABLE annotations (
            id INTEGER PRIMARY KEY,
            trace_id TEXT NOT NULL,
            span_id TEXT NOT NULL,
            time INTEGER NOT NULL,
            label TEXT,
            reasoning TEXT,
            tags TEXT NOT NULL,
            metadata TEXT NOT NULL
        )""",
        "CREATE INDEX annotations_by_trace ON annotations (trace_id)",
    ),
    (
        # A resource that nothing uses is found without looking at every span.
        "CREATE INDEX spans_by_resource ON spans (resource) WHERE resource IS NOT NULL",
        # What `Store.sessions` tells of each session, added up beforehand (`summing`): a list of sessions must not
        # look at millions of spans. Triggers, so that no way of writing can forget it: whatever changes what a session
        # consists of makes its sums stale, and stale ones are added up anew.
        """CREATE TABLE sessions (
            session_id TEXT PRIMARY KEY,
            stale INTEGER NOT NULL DEFAULT 1,
            parent_session_id TEXT,
            attributes TEXT,
            first_seen INTEGER,
            last_seen INTEGER,
            runs INTEGER,
            spans INTEGER,
            traces INTEGER,
            errors INTEGER
        ) WITHOUT ROWID""",
        "CREATE INDEX sessions_stale ON sessions (session_id) WHERE stale",
        "CREATE INDEX sessions_by_last_seen ON sessions (last_seen) WHERE NOT stale",
        *(
            f"""CREATE TRIGGER {table}_{event} AFTER {event} ON {table} WHEN {row}.session_id IS NOT NULL BEGIN
                INSERT INTO sessions (session_id) VALUES ({row}.session_id)
                ON CONFLICT (session_id) DO UPDATE SET stale = 1 WHERE NOT stale;
            END"""  # noqa: S608 - our own names
            for table in ("spans", "runs")
            for event, row in (("INSERT", "NEW"), ("UPDATE", "NEW"), ("DELETE", "OLD"))
        ),
        # A span that is written again may have another session than before.
        """CREATE TRIGGER spans_moved AFTER UPDATE OF session_id ON spans
            WHEN OLD.session_id IS NOT NULL AND OLD.session_id IS NOT NEW.session_id BEGIN
                INSERT INTO sessions (session_id) VALUES (OLD.session_id)
                ON CONFLICT (session_id) DO UPDATE SET stale = 1 WHERE NOT stale;
            END""",
        """INSERT INTO sessions (session_id)
            SELECT session_id FROM spans WHERE session_id IS NOT NULL UNION SELECT session_id FROM runs""",
    ),
    (
        # Stands for what a span has in common with many (`contexts`); spans written before have none.
        "ALTER TABLE spans ADD COLUMN context INTEGER",
    ),
)

SCHEMA_VERSION = len(MIGRATIONS)


def migrate(connection: sqlite3.Connection, path: Path) -> None:
    """Bring a file to the present schema; an empty file gets all of it.

    Args:
        connection: In autocommit mode, alone in writing.
        path: The file, for messages.

    Raises:
        StoreError: The file belongs to something else, or to a newer version of this library.
    """
    version = _version_of(connection, path)  # first of all, and only reading: the file may be somebody else's
    if version == 0:
        # Takes effect before the first table only: deleted pages can then be given back.
        connection.execute("PRAGMA auto_vacuum = INCREMENTAL")
    mode = connection.execute("PRAGMA journal_mode = WAL").fetchone()[0]
    if mode != "wal":
        raise StoreError(
            f"{path} is in a place where SQLite's write-ahead log does not work (journal mode {mode!r}). "
            "Set MIRASCOPE_OPS_STORE to a file on a local disk."
        )
    if version == SCHEMA_VERSION:
        return
    connection.execute("BEGIN IMMEDIATE")
    try:
        for step in MIGRATIONS[version:]:
            for statement in step:
                connection.execute(statement)
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
        connection.execute("COMMIT")
    except BaseException:
        connection.execute("ROLLBACK")
        raise


def _version_of(connection: sqlite3.Connection, path: Path) -> int:
    version: int = connection.execute("PRAGMA user_version").fetchone()[0]
    application: int = connection.execute("PRAGMA application_id").fetchone()[0]
    if application != APPLICATION_ID:
        tables: int = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
        if tables or version or application:
            raise NoPlaceError(
                f"{path} is a database of something else; it was left as it is. "
                "Set MIRASCOPE_OPS_STORE to another file, or to one that does not exist yet."
            )
    if version > SCHEMA_VERSION:
        raise StoreError(
            f"{path} was written by a newer mirascope_ops (its schema is {version}, this one knows {SCHEMA_VERSION}); "
            "it was left as it is. Upgrade with: pip install --upgrade mirascope-ops, "
            "or set MIRASCOPE_OPS_STORE to another file."
        )
    return version
