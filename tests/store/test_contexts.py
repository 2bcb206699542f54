"""Spans that share most of their columns are read alike whatever their file says of that."""

from __future__ import annotations

import contextlib
import shutil
import sqlite3
from pathlib import Path

import pytest

from mirascope_ops.store import contexts, salvage
from mirascope_ops.store.records import SpanQuery
from mirascope_ops.store.sqlite import SqliteStore

OLD_FILE = Path(__file__).parent / "data" / "schema-1.db"
EVERYTHING = SpanQuery()


def by_columns(store, query=EVERYTHING):
    return [batch.record(place) for batch in store.batches(query) for place in range(len(batch))]


def numbers(path):
    with contextlib.closing(sqlite3.connect(path)) as connection:
        return [number for (number,) in connection.execute("SELECT context FROM spans ORDER BY id")]


def change(path, statement):
    with contextlib.closing(sqlite3.connect(path)) as connection, connection:
        connection.execute(statement)


@pytest.fixture
def some(make):
    """Spans of three sessions, and some of none."""
    return [
        make.span(
            name=("answer", "chat")[place % 2],
            session_id=(None, "a", "b", "ünï\0")[place % 4],
            execution_count=(None, 1)[place % 2],
            sampled=place % 3 == 0,
            resource={"n": place % 5} if place % 5 else {},
            attributes={"text": place},
        )
        for place in range(60)
    ]


@pytest.mark.parametrize("without", ["0", "id % 2", "1"])
def test_spans_read_alike_whether_or_not_they_have_a_number(sqlite, path, some, without):
    sqlite.write(some)
    change(path, f"UPDATE spans SET context = NULL WHERE {without}")

    assert by_columns(sqlite) == sqlite.spans(EVERYTHING) == some


def test_more_contexts_than_are_remembered_are_read_and_written_right(monkeypatch, sqlite, some):
    monkeypatch.setattr(contexts, "_MOST_KNOWN", 3)
    monkeypatch.setattr("mirascope_ops.store.sqlite.BATCH", 7)

    for first in range(0, len(some), 11):
        sqlite.write(some[first : first + 11])

    assert by_columns(sqlite) == some


def test_every_store_gives_a_context_the_same_number(path, make):
    values = {"session_id": "one", "resource": {"service.name": "app"}}
    for spans in ([make.span(**values), make.span(**values), make.span(session_id="other")], [make.span(**values)]):
        with contextlib.closing(SqliteStore(path)) as store:
            store.write(spans)

    first, second, other, elsewhere = numbers(path)
    assert first == second == elsewhere != other


@pytest.mark.parametrize("services", [(1, 1.0, True), (True, 1), ("1", 1, b"1")])
def test_values_that_are_equal_but_read_otherwise_share_no_number(sqlite, make, services):
    spans = [make.span(service=service) for service in services]

    sqlite.write(spans[:1])
    sqlite.write(spans[1:])

    assert by_columns(sqlite) == sqlite.spans(EVERYTHING)


def test_a_span_that_is_written_again_has_the_number_of_what_it_is_now(sqlite, make):
    span = make.span(status="open", end=None)
    sqlite.write([span, make.span(status="open", end=None)])

    sqlite.write([span._replace(status="ok", end=span.start + 1)])

    assert [found.status for found in by_columns(sqlite)] == ["ok", "open"]


def test_what_a_process_left_open_is_interrupted(path, make):
    with contextlib.closing(SqliteStore(path)) as store:
        store.write([make.span(end=None, status="open"), make.span()])
    change(path, "UPDATE processes SET started = '1'")

    with contextlib.closing(SqliteStore(path)) as store:
        store.write([make.span(end=None, status="open")])
        found = by_columns(store)
        assert found == store.spans(EVERYTHING)

    assert [span.status for span in found] == ["interrupted", "ok", "open"]


def test_a_file_of_the_first_version_reads_alike(tmp_path):
    path = tmp_path / "old.db"
    shutil.copy(OLD_FILE, path)

    with contextlib.closing(SqliteStore(path)) as store:
        found = by_columns(store)
        assert found
        assert found == store.spans(EVERYTHING)
    assert set(numbers(path)) == {None}


@pytest.mark.parametrize("version", ["first", "present"])
def test_a_damaged_files_numbers_are_not_trusted(tmp_path, some, version):
    path = tmp_path / "spans.db"
    if version == "first":
        shutil.copy(OLD_FILE, path)
        with contextlib.closing(sqlite3.connect(path)) as connection:
            count = connection.execute("SELECT count(*) FROM spans").fetchone()[0]
    else:
        with contextlib.closing(SqliteStore(path)) as store:
            store.write(some)
        count = len(some)

    done = salvage.repair(path)

    assert (done.spans, done.unreadable) == (count, 0)
    assert set(numbers(path)) == {None}
    with contextlib.closing(SqliteStore(path)) as store:
        assert by_columns(store) == store.spans(EVERYTHING)
        store.write(some)
        assert numbers(path).count(None) == (count if version == "first" else 0)
