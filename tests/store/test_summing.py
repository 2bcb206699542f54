"""Sessions are listed the same whether they were added up beforehand or not, whatever was written, changed, deleted."""

from __future__ import annotations

import contextlib
import itertools
import shutil
import sqlite3
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mirascope_ops.store import schema, summing
from mirascope_ops.store.memory import MemoryStore
from mirascope_ops.store.records import SessionQuery, SpanQuery
from mirascope_ops.store.sqlite import SqliteStore

OLD_FILE = Path(__file__).parent / "data" / "schema-1.db"


def stale(store):
    with store._connections.reading() as connection:
        return sorted(row[0] for row in connection.execute("SELECT session_id FROM sessions WHERE stale"))


def settle(store):
    while store.settle():
        pass


QUERIES = [
    SessionQuery(),
    SessionQuery(limit=2),
    SessionQuery(limit=0),
    SessionQuery(session_ids=["a", "b", "none"]),
    SessionQuery(attributes={"tier": "premium"}),
    SessionQuery(attributes={'an "odd" key': 1}, limit=1),
    SessionQuery(since=5_000),
    SessionQuery(until=5_000),
    SessionQuery(since=3_000, until=9_000, limit=2),
]


def test_settled_sessions_are_listed_as_before(sqlite, make):
    sqlite.write(
        [make.span(session_id=each, session_attributes='{"tier":"premium"}') for each in "aabbbc"],
        [make.run("a", attributes={'an "odd" key': 1}), make.run("d", parent_session_id="a")],
    )
    before = [sqlite.sessions(query) for query in QUERIES]

    settle(sqlite)

    assert stale(sqlite) == []
    assert [sqlite.sessions(query) for query in QUERIES] == before


def test_whatever_changes_a_session_makes_it_stale(sqlite, make):
    spans = [make.span(session_id=each) for each in "abcd"]
    runs = [make.run(each) for each in "abcd"]
    changes = [
        (lambda: sqlite.write([make.span(session_id="a")]), ["a"]),
        (lambda: sqlite.write([spans[1]._replace(status="error")]), ["b"]),
        (lambda: sqlite.write([spans[2]._replace(session_id="d")]), ["c", "d"]),
        (lambda: sqlite.write([], [runs[0]._replace(end=99_000)]), ["a"]),
        (lambda: sqlite.write([], [make.run("e")]), ["e"]),
        (lambda: sqlite.write([spans[3]._replace(session_id=None)]), ["d"]),
    ]
    for change, expected in changes:
        sqlite.write(spans, runs)
        settle(sqlite)

        change()

        assert stale(sqlite) == sorted(expected)


def test_a_deleted_session_leaves_no_trace_of_its_id(sqlite, make):
    sqlite.write([make.span(session_id="a"), make.span(session_id="b")], [make.run("a")])
    settle(sqlite)

    sqlite.delete(["a"])

    with sqlite._connections.reading() as connection:
        assert connection.execute("SELECT session_id FROM sessions").fetchall() == [("b",)]


def test_purged_sessions_are_forgotten(sqlite, make):
    sqlite.write([make.span(session_id="old", start=10, end=20), make.span(session_id="new", start=150, end=160)])
    settle(sqlite)

    sqlite.purge(max_age_ns=100, now=200)

    with sqlite._connections.reading() as connection:
        assert connection.execute("SELECT session_id FROM sessions").fetchall() == [("new",)]


def test_a_session_that_goes_on_is_not_written_down_at_every_span(monkeypatch, sqlite, make):
    monkeypatch.setattr(summing, "QUIET_NS", 10**18)
    now = 1_767_225_600_000_000_000
    sqlite.write([make.span(session_id="busy", start=now, end=now), make.span(session_id="quiet")])

    with sqlite._connections.writing() as connection:
        assert summing.settle(connection, now + 1, 10) == 1

    assert stale(sqlite) == ["busy"]


def test_a_large_file_is_estimated_and_says_so(monkeypatch, sqlite, make):
    sqlite.write([make.span(trace_id=f"{number // 10:032x}", session_id="s") for number in range(1000)])
    exact = sqlite.stats()
    monkeypatch.setattr(summing, "COUNTED", 400)

    estimate = sqlite.stats()

    assert (exact.spans, exact.traces, exact.sessions, exact.estimated) == (1000, 100, 1, False)
    assert (estimate.spans, estimate.traces, estimate.sessions, estimate.estimated) == (1000, 100, 1, True)
    assert "about 1,000 spans" in str(estimate)


IDS = st.sampled_from(["a", "b", "c", None])
STEP = st.one_of(
    st.tuples(st.just("span"), st.integers(0, 5), IDS, st.sampled_from(["ok", "error", "open"]), st.integers(0, 9)),
    st.tuples(st.just("run"), st.integers(0, 3), st.sampled_from("abc"), st.sampled_from([{}, {"tier": "premium"}])),
    st.tuples(st.just("delete"), st.sampled_from("abc")),
    st.tuples(st.just("settle")),
)


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(st.lists(STEP, max_size=14))
def test_a_file_lists_what_memory_lists_however_often_it_was_settled(tmp_path, make, steps):
    path = tmp_path / f"{next(_numbers)}.db"
    with contextlib.closing(SqliteStore(path)) as file, contextlib.closing(MemoryStore()) as memory:
        for step in steps:
            kind, *rest = step
            if kind == "span":
                number, session_id, status, start = rest
                span = make.span(
                    trace_id=f"{number % 3:032x}", span_id=f"{number:016x}", session_id=session_id, status=status,
                    start=start * 1000, end=None if status == "open" else start * 1000 + 7,
                )  # fmt: skip
                for store in (file, memory):
                    store.write([span])
            elif kind == "run":
                number, session_id, attributes = rest
                run = make.run(session_id, run_id=f"{session_id}{number}", attributes=attributes)
                for store in (file, memory):
                    store.write([], [run])
            elif kind == "delete":
                assert file.delete(rest) == memory.delete(rest)
            else:
                settle(file)

            for query in QUERIES:
                assert file.sessions(query) == memory.sessions(query)


_numbers = itertools.count()


# -- a file of the first version, as that version wrote it ------------------------------------------------


@pytest.fixture
def old(tmp_path):
    path = tmp_path / "old.db"
    shutil.copy(OLD_FILE, path)
    with contextlib.closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA user_version").fetchone() == (1,)
    return path


def test_a_file_of_the_first_version_is_brought_up_to_date_with_all_that_it_holds(old):
    with contextlib.closing(SqliteStore(old)) as store:
        spans = {(span.name, span.session_id): span for span in store.spans(SpanQuery())}
        assert {key: span.status for key, span in spans.items()} == {
            ("answer", "harbour"): "unset",
            ("look up", "harbour"): "unset",
            ("answer", "ferry"): "unset",
            ("look up", "ferry"): "unset",
            ("failing", None): "error",
            ("interrupted", None): "interrupted",
        }
        assert spans["look up", "harbour"].events[0].name == "info"
        assert [
            (session.session_id, session.parent_session_id, dict(session.attributes), session.spans)
            for session in store.sessions(SessionQuery())
        ] == [
            ("nothing yet", None, {}, 0),
            ("harbour", None, {"user_tier": "premium"}, 2),
            ("ferry", "harbour", {}, 2),
        ]
        assert [found.label for found in store.annotations([spans["answer", "harbour"].trace_id])] == ["pass"]
        before = store.sessions(SessionQuery())
        settle(store)
        assert store.sessions(SessionQuery()) == before
    with contextlib.closing(sqlite3.connect(old)) as connection:
        assert connection.execute("PRAGMA user_version").fetchone() == (schema.SCHEMA_VERSION,)
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)


def test_a_file_that_was_brought_up_to_date_has_the_tables_of_a_new_one(old, path):
    def tables(file):
        SqliteStore(file).close()
        with contextlib.closing(sqlite3.connect(file)) as connection:
            return sorted(
                connection.execute("SELECT type, name, sql FROM sqlite_master WHERE name NOT LIKE 'sqlite_%'")
            )

    assert tables(old) == tables(path)


def test_an_old_file_goes_on_being_written(old, make):
    with contextlib.closing(SqliteStore(old)) as store:
        store.write([make.span(session_id="harbour")], [make.run("new")])
        assert {session.session_id: session.spans for session in store.sessions(SessionQuery())} == {
            "harbour": 3, "ferry": 2, "nothing yet": 0, "new": 0,
        }  # fmt: skip
        assert store.delete(["ferry"]) == 2
        store.vacuum()
