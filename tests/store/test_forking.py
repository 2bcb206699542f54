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

from mirascope_ops.store import connections, recorder
from mirascope_ops.store.records import SpanQuery
from mirascope_ops.store.sqlite import SqliteStore

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

assert recorder  # its hooks bring the stores to rest
pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork")

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


def test_a_fork_inside_ones_own_reading_does_not_wait_for_itself(path, store, make):
    store.write([make.span(name="before")])

    with store._connections.reading() as connection:
        child = forked(lambda: store.write([make.span(name="child", trace_id="c" * 32)]))
        rows = connection.execute("SELECT name FROM spans").fetchall()
        assert ended_well(child)

    assert rows == [("before",)]
    assert names(store) == names_elsewhere(path) == ["before", "child"]
    assert is_whole(path)


def test_a_child_that_leaves_a_reading_of_the_parents_keeps_it_out_of_its_own(path, store, make):
    store.write([make.span(name="before")])

    def leave(reading) -> None:
        store.write([make.span(name="child", trace_id="c" * 32)])
        reading.__exit__(None, None, None)
        assert store._connections._pool == []
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
            while not store._connections._is_forking:
                time.sleep(0.001)
            found.extend(names(store))

    reader = threading.Thread(target=read)
    reader.start()
    waiting.wait(HANGS)

    child = forked(lambda: None)

    reader.join(HANGS)
    assert ended_well(child)
    assert found == ["before"]


def test_families_that_write_read_and_fork_at_once_lose_and_double_nothing(path, store, make):
    spans = [make.span(name=f"span-{number}") for number in range(120)]
    store.write(spans[:1])
    stop = threading.Event()

    def read() -> None:
        while not stop.is_set():
            assert names(store)

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
