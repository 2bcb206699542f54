"""A store that is open when its process forks: SQLite's locks are the process's, and what it counts is copied."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import subprocess
import sys
import threading
import time
from typing import TYPE_CHECKING

import pytest

from mirascope_ops.store import connections, recorder, sqlite
from mirascope_ops.store.codec import SPAN_COLUMNS
from mirascope_ops.store.collection import uncollected
from mirascope_ops.store.records import SpanQuery
from mirascope_ops.store.sqlite import SqliteStore

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

assert recorder  # its hooks bring the stores to rest
pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork")

NAME = SPAN_COLUMNS.index("name")
HANGS = 150  # seconds after which a child that hangs is ended by an alarm


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "spans.db"


@pytest.fixture
def store(path: Path) -> Iterator[SqliteStore]:
    with contextlib.closing(SqliteStore(path)) as opened:
        yield opened


def names(store: SqliteStore) -> list[str]:
    return sorted(span.name for span in store.spans(SpanQuery()))


def names_elsewhere(path: Path) -> list[str]:
    """Read the names of all spans in a process that has nothing to do with this one."""
    code = (
        "import sys; from mirascope_ops.store.sqlite import SqliteStore\n"
        "from mirascope_ops.store.records import SpanQuery\n"
        "print(*sorted(span.name for span in SqliteStore(sys.argv[1]).spans(SpanQuery())))"
    )
    return subprocess.run(
        [sys.executable, "-c", code, path], capture_output=True, text=True, check=True, timeout=170
    ).stdout.split()


def is_whole(path: Path) -> bool:
    with contextlib.closing(sqlite3.connect(path)) as connection:
        return connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)


def forked(work: Callable[[], None]) -> int:
    """Do something in a child; gives its number."""
    import signal

    child = os.fork()
    if child == 0:
        signal.alarm(HANGS)
        code = 1
        try:
            work()
            code = 0
        except BaseException as error:  # noqa: BLE001 - the child must never return into pytest
            os.write(2, f"{error!r}\n".encode())
        finally:
            os._exit(code)
    return child


def ended_well(child: int) -> bool:
    return os.waitpid(child, 0)[1] == 0


class Signal:
    """Lets one process wait for another."""

    def __init__(self) -> None:
        self._reader, self._writer = os.pipe()

    def give(self) -> None:
        os.write(self._writer, b"x")

    def wait(self) -> None:
        os.read(self._reader, 1)


def test_a_child_goes_on_writing_after_the_parent_has_closed_the_store(path, store, make):
    spans = [make.span(name=name) for name in ("before", "first", "second", "after")]
    store.write(spans[:1])
    names(store)
    wrote, closed = Signal(), Signal()

    def work() -> None:
        store.write(spans[1:2])
        wrote.give()
        closed.wait()
        store.write(spans[2:3])

    child = forked(work)
    wrote.wait()
    store.close()  # the last connection of the parent: it would take the log away, did it not see the child's
    with contextlib.closing(SqliteStore(path)) as again:
        again.write(spans[3:])
    closed.give()

    assert ended_well(child)
    assert names_elsewhere(path) == ["after", "before", "first", "second"]
    assert is_whole(path)


def test_a_child_holds_locks_of_its_own(path, store, make):
    store.write([make.span(name="before")])
    names(store)
    ready, done = Signal(), Signal()

    def work() -> None:
        store.write([make.span(name="child", trace_id="c" * 32)])
        names(store)
        ready.give()
        done.wait()

    child = forked(work)
    ready.wait()
    store.close()
    log = path.with_name(path.name + "-wal")

    assert names_elsewhere(path) == ["before", "child"]
    assert log.exists()  # the child has the file open: nobody may remove its log
    done.give()
    assert ended_well(child)


def test_a_fork_waits_for_those_who_read(path, store, make):
    store.write([make.span(name="before")])
    reading, go_on = threading.Event(), threading.Event()
    seen: list[str] = []

    def read() -> None:
        with store._connections.reading() as connection:
            reading.set()
            go_on.wait(HANGS)
            seen.extend(row[0] for row in connection.execute("SELECT name FROM spans"))

    reader = threading.Thread(target=read)
    reader.start()
    reading.wait(HANGS)
    forker: list[int] = []
    thread = threading.Thread(target=lambda: forker.append(forked(lambda: store.write([make.span(name="child")]))))
    thread.start()
    time.sleep(0.05)
    before = list(forker)
    go_on.set()
    reader.join(HANGS)
    thread.join(HANGS)

    assert before == []
    assert seen == ["before"]
    assert ended_well(forker[0])
    assert names_elsewhere(path) == ["before", "child"]


def test_a_child_that_leaves_a_reading_of_the_parents_keeps_it_out_of_its_own(path, store, make):
    store.write([make.span(name="before")])

    def leave(reading) -> None:
        store.write([make.span(name="child", trace_id="c" * 32)])
        reading.__exit__(None, None, None)
        assert store._connections._readers.idle == []
        assert names(store) == ["before", "child"]

    reading = store._connections.reading()
    reading.__enter__()
    child = forked(lambda: leave(reading))
    assert ended_well(child)
    reading.__exit__(None, None, None)

    assert names(store) == names_elsewhere(path) == ["before", "child"]


def test_a_fork_goes_before_those_who_have_yet_to_read(store, make, monkeypatch):
    monkeypatch.setattr(connections, "_FORK_SECONDS", 60.0)
    store.write([make.span(name="before")])
    stop, began = threading.Event(), []

    def read() -> None:
        while not stop.is_set():
            with store._connections.reading():
                began.append(None)
                time.sleep(0.05)

    readers = [threading.Thread(target=read) for _ in range(8)]  # at every moment somebody reads
    for reader in readers:
        reader.start()
    while len(began) < 2 * len(readers):
        time.sleep(0.01)
    before = len(began)

    child = forked(lambda: None)

    meanwhile = len(began) - before
    stop.set()
    for reader in readers:
        reader.join(HANGS)
    assert ended_well(child)
    assert meanwhile <= 2 * len(readers)


def test_those_who_read_within_a_reading_are_not_held_back_by_a_fork(store, make):
    store.write([make.span(name="before")])
    waiting, found = threading.Event(), []

    def read() -> None:
        with store._connections.reading():
            waiting.set()
            while not store._connections._readers._is_forking:
                time.sleep(0.001)
            found.extend(names(store))

    reader = threading.Thread(target=read)
    reader.start()
    waiting.wait(HANGS)

    child = forked(lambda: None)

    reader.join(HANGS)
    assert ended_well(child)
    assert found == ["before"]


SLOW = "WITH RECURSIVE c (x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c WHERE x < ?) SELECT max(x) FROM c"


def writes_after_the_parents_close(path: Path, store: SqliteStore, make) -> Callable[[], int]:
    """Fork a child that writes once the parent has closed the store; gives what waits for the child."""
    closed = Signal()

    def work() -> None:
        store.write([make.span(name="early", trace_id="c" * 32)])
        closed.wait()
        store.write([make.span(name="late", trace_id="d" * 32)])

    child = forked(work)

    def close() -> int:
        store.close()
        with contextlib.closing(SqliteStore(path)) as again:
            again.write([make.span(name="parent", trace_id="e" * 32)])
        closed.give()
        return child

    return close


def test_a_fork_ends_a_reading_that_takes_too_long_and_it_begins_anew(path, store, make, monkeypatch):
    monkeypatch.setattr(connections, "_FORK_SECONDS", 0.2)
    store.write([make.span(name="before")])
    lengths, seen = [10**10, 10], []  # hours, then nothing
    reading = threading.Event()

    def look(connection: sqlite3.Connection) -> tuple[int, str]:
        reading.set()
        (most,) = connection.execute(SLOW, (lengths.pop(0),)).fetchone()
        return most, connection.execute("SELECT name FROM spans").fetchone()[0]

    reader = threading.Thread(target=lambda: seen.append(store._connections.read(look)))
    reader.start()
    reading.wait(HANGS)

    close = writes_after_the_parents_close(path, store, make)

    reader.join(HANGS)
    assert seen == [(10, "before")]
    assert ended_well(close())
    assert names_elsewhere(path) == ["before", "early", "late", "parent"]
    assert is_whole(path)


@pytest.mark.parametrize("in_the_reading_thread", [False, True])
def test_a_fork_between_two_batches_costs_neither_side_a_span(path, store, make, monkeypatch, *, in_the_reading_thread):
    monkeypatch.setattr(connections, "_FORK_SECONDS", 0.2)
    monkeypatch.setattr(sqlite, "BATCH", 2)
    store.write([make.span(name=f"before-{number}") for number in range(7)])
    batches = store.batches(SpanQuery())
    read = [next(batches)]
    if not in_the_reading_thread:
        store.write([make.span(name="meanwhile")])

    closes = []
    forker = threading.Thread(target=lambda: closes.append(writes_after_the_parents_close(path, store, make)))
    if in_the_reading_thread:
        forker.run()
    else:
        forker.start()
        forker.join(HANGS)
    read.extend(batches)

    found = [batch.record(place).name for batch in read for place in range(len(batch))]
    assert found == [f"before-{number}" for number in range(7)]
    assert ended_well(closes[0]())
    assert {"early", "late", "parent"} < set(names_elsewhere(path))
    assert is_whole(path)


def test_batches_may_be_left_after_a_fork_that_ended_their_reading(path, store, make, monkeypatch):
    monkeypatch.setattr(sqlite, "BATCH", 2)
    store.write([make.span(name=f"before-{number}") for number in range(7)])
    batches = store.batches(SpanQuery())
    next(batches)

    close = writes_after_the_parents_close(path, store, make)
    batches.close()

    assert list(batches) == []
    assert ended_well(close())
    assert {"early", "late", "parent"} < set(names_elsewhere(path))


def test_both_sides_of_a_fork_read_the_batches_that_are_left(store, make, monkeypatch):
    monkeypatch.setattr(sqlite, "BATCH", 2)
    store.write([make.span(name=f"before-{number}") for number in range(7)])
    batches = store.batches(SpanQuery())
    next(batches)

    def take_the_rest() -> None:
        found = [name for batch in batches for name in batch.columns[NAME]]
        assert found == [f"before-{number}" for number in range(2, 7)]

    child = forked(take_the_rest)
    take_the_rest()

    assert ended_well(child)


def test_a_fork_by_one_who_reads_ends_that_reading_and_it_begins_anew_on_both_sides(path, store, make):
    store.write([make.span(name="before")])
    forks, closes = [None], []

    def look(connection: sqlite3.Connection) -> list[str]:
        if forks:
            forks.pop()
            closes.append(writes_after_the_parents_close(path, store, make))
        return [row[0] for row in connection.execute("SELECT name FROM spans WHERE name = 'before'")]

    assert store._connections.read(look) == ["before"]
    assert ended_well(closes[0]())
    assert names_elsewhere(path) == ["before", "early", "late", "parent"]
    assert is_whole(path)


def test_a_reading_that_does_not_end_holds_a_fork_up_but_not_for_ever(store, make, monkeypatch, caplog):
    monkeypatch.setattr(connections, "_FORK_SECONDS", 0.1)
    store.wait_for_others(0.2)
    store.write([make.span(name="before")])
    reading, go_on = threading.Event(), threading.Event()

    def read() -> None:
        with store._connections.reading():
            reading.set()
            go_on.wait(HANGS)

    reader = threading.Thread(target=read)
    reader.start()
    reading.wait(HANGS)

    child = forked(lambda: None)

    go_on.set()
    reader.join(HANGS)
    assert ended_well(child)
    assert "fork" in caplog.text


def test_a_fork_that_waits_for_a_reader_holds_nothing_that_the_reader_needs(store, make, monkeypatch):
    monkeypatch.setattr(connections, "_FORK_SECONDS", 0.2)
    store.wait_for_others(0.2)
    store.write([make.span(name="before")])
    reading, held_up = threading.Event(), []

    def read() -> None:
        with store._connections.reading():
            reading.set()
            while not store._connections._readers._is_forking:
                time.sleep(0.001)
            with uncollected():
                held_up.append(not store._connections._readers._is_forking)

    reader = threading.Thread(target=read)
    reader.start()
    reading.wait(HANGS)

    child = forked(lambda: None)

    reader.join(HANGS)
    assert ended_well(child)
    assert held_up == [False]


@pytest.mark.parametrize("patience", [5.0, 0.0])  # with none, every fork ends what others read
def test_families_that_write_read_and_fork_at_once_lose_and_double_nothing(path, store, make, monkeypatch, patience):
    monkeypatch.setattr(connections, "_FORK_SECONDS", patience)
    monkeypatch.setattr(sqlite, "BATCH", 3)
    spans = [make.span(name=f"span-{number}") for number in range(120)]
    store.write(spans[:1])
    stop = threading.Event()

    def read() -> None:
        while not stop.is_set():
            found = names(store)
            by_column = [name for batch in store.batches(SpanQuery()) for name in batch.columns[NAME]]
            assert set(found) <= set(by_column)
            assert len(by_column) == len(set(by_column))

    def write() -> None:
        for span in spans[1:40]:
            store.write([span])

    def work(part) -> None:
        for span in part:
            store.write([span])
            assert span.name in names(store)

    others = [threading.Thread(target=read) for _ in range(2)] + [threading.Thread(target=write)]
    for thread in others:
        thread.start()
    children = [forked(lambda part=spans[40 + 10 * number : 50 + 10 * number]: work(part)) for number in range(8)]
    endings = [ended_well(child) for child in children]
    stop.set()
    for thread in others:
        thread.join(HANGS)

    assert all(endings)
    assert names(store) == names_elsewhere(path) == sorted(span.name for span in spans)
    assert is_whole(path)
