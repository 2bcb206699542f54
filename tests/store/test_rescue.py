"""A store that cannot be written: the program goes on, its spans are kept beside, and come back by themselves."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import stat
import subprocess
import sys

import pytest

from mirascope_ops import StoreError, ops
from mirascope_ops.store import location, rescue, schema
from mirascope_ops.store import recorder as recorders
from mirascope_ops.store.memory import MemoryStore
from mirascope_ops.store.records import SpanQuery
from mirascope_ops.store.sqlite import SqliteStore


@pytest.fixture(autouse=True)
def local(monkeypatch, tmp_path):
    """The folder for what cannot be kept in its own place."""
    folder = tmp_path / "local" / "mirascope_ops-0"
    monkeypatch.setattr(location, "local_folder", lambda: folder)
    monkeypatch.setattr(rescue, "_PATIENCE", 0.3)
    return folder


@pytest.fixture
def recorder(path, logged):
    """A recorder as a program has it, without its thread."""
    places = rescue.Rescue(path)
    with recorders.replaced(recorders.Recorder(places.opened(), rescue=places)) as active:
        yield active


def beside(path):
    return path.with_name(path.name + ".rescue")


def names(store):
    return sorted(span.name for span in store.spans(SpanQuery()))


def work(*some):
    for name in some:
        with ops.session(id="s"), ops.span(name):
            pass


def limit_pages(store, most):
    with store._connections.maintaining() as connection:
        connection.execute(f"PRAGMA max_page_count = {most}")


@contextlib.contextmanager
def held(path):
    """Another program that holds the file for writing."""
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        yield
        connection.execute("ROLLBACK")


def test_a_full_disk_loses_nothing_and_all_is_back_when_there_is_room(recorder, path, logged):
    work("before")
    recorder.flush()
    limit_pages(recorder.store, 1)
    with ops.span("large", text="x" * 60_000):
        pass
    work("after")
    recorder.flush()

    with contextlib.closing(SqliteStore(beside(path))) as kept:
        assert names(kept) == ["after", "large"]
    assert [span.name for span in ops.spans()] == ["before", "large", "after"]
    recorder.gather()
    assert not recorder.rescued
    assert recorder.store.path == path
    assert names(recorder.store) == ["after", "before", "large"]
    assert [run.session_id for run in recorder.store.runs()] == ["s", "s"]
    assert sorted(file.name for file in path.parent.iterdir() if file.is_file()) == [
        "spans.db", "spans.db-shm", "spans.db-wal", "spans.db.lock",
    ]  # fmt: skip
    (said,) = logged()
    assert "no space left" in said
    assert str(beside(path)) in said


def test_records_of_other_processes_are_kept_beside_a_full_disk_and_come_back(recorder, path, make):
    first, *others = [make.span() for _ in range(3_000)]
    recorder.write_records([first])
    limit_pages(recorder.store, 30)

    recorder.write_records(others)

    assert recorder.rescued
    assert len(recorder.store.spans(SpanQuery())) == 2_999
    limit_pages(recorder._set_aside[0], 1_000_000)
    recorder.gather()
    assert not recorder.rescued
    assert len(recorder.store.spans(SpanQuery())) == 3_000


def test_a_closed_recorder_takes_no_records_and_makes_no_rescue(path, make):
    places = rescue.Rescue(path)
    closed = recorders.Recorder(places.opened(), rescue=places)
    closed.close()

    with pytest.raises(StoreError, match="try again"):
        closed.write_records([make.span()])

    assert not beside(path).exists()


def test_a_file_that_another_program_holds_is_not_waited_for_long(recorder, path, logged):
    work("before")
    recorder.flush()
    with held(path):
        work("meanwhile")
        recorder.flush()
        assert names(recorder.store) == ["meanwhile"]
        assert ops.store.stats().rescue_for == path
        assert str(path) in str(ops.store.stats())
        recorder.gather()
        assert recorder.rescued
        work("still")
        recorder.flush()

    recorder.gather()

    assert names(recorder.store) == ["before", "meanwhile", "still"]
    assert len(logged()) == 1


def test_a_program_killed_meanwhile_loses_nothing(recorder, path):
    with held(path):
        work("meanwhile")
        recorder.flush()
        # Nothing more happens here, as if this process had been killed.
    store = rescue.Rescue(path).opened()

    rescue.Rescue(path).gather(store)

    assert names(store) == ["meanwhile"]
    assert [run.session_id for run in store.runs()] == ["s"]
    assert not beside(path).exists()
    store.close()


def test_annotations_come_back_too(recorder, path):
    with held(path):
        work("meanwhile")
        ops.last_trace().root  # noqa: B018 - read from the rescue
        trace = ops.last_trace()
        recorder.annotate(
            recorders_annotation(trace.trace_id, trace.root.span_id),
        )

    recorder.gather()

    assert [found.label for found in recorder.store.annotations([trace.trace_id])] == ["pass"]


def recorders_annotation(trace_id, span_id):
    from mirascope_ops.store.records import AnnotationRecord

    return AnnotationRecord(trace_id, span_id, 1, "pass", None, [], {})


def test_a_span_that_is_open_all_the_while_ends_once(recorder, path):
    with ops.span("long"):
        recorder.flush()
        with held(path):
            work("meanwhile")
            recorder.flush()
            assert {span.name: span.status for span in ops.spans()} == {"long": "open", "meanwhile": "unset"}
        recorder.gather()
        assert {span.name: span.status for span in ops.spans()} == {"long": "open", "meanwhile": "unset"}
    recorder.flush()

    assert {span.name: span.status for span in recorder.store.spans(SpanQuery())} == {
        "long": "unset",
        "meanwhile": "unset",
    }


def test_what_was_interrupted_here_does_not_replace_what_ended_there(path, make):
    left, store = SqliteStore(beside(path)), SqliteStore(path)
    still_open = make.span(name="ended", end=None, status="open")
    left.write([still_open, make.span(name="interrupted", end=None, status="open")])
    left.close()
    with contextlib.closing(sqlite3.connect(beside(path))) as connection, connection:
        connection.execute("UPDATE processes SET started = '1'")  # that process is gone
    store.write([still_open._replace(end=still_open.start + 1, status="ok")])

    rescue.Rescue(path).gather(store)

    assert {span.name: span.status for span in store.spans(SpanQuery())} == {
        "ended": "ok",
        "interrupted": "interrupted",
    }
    store.close()


def test_spans_open_in_a_living_process_are_left_to_it(path, make):
    store = SqliteStore(path)
    with contextlib.closing(SqliteStore(beside(path))) as left:
        left.write([make.span(name="open", end=None, status="open"), make.span(name="ended")])

        rescue.Rescue(path).gather(store)

        assert names(left) == ["open"]
        assert names(store) == ["ended"]
    store.close()


def test_many_spans_are_moved_in_parts(monkeypatch, path, make):
    monkeypatch.setattr(rescue, "_BATCH", 7)
    store = SqliteStore(path)
    with contextlib.closing(SqliteStore(beside(path))) as left:
        left.write([make.span(resource={"n": number % 3}) for number in range(50)], [make.run("s") for _ in range(20)])
        expected = left.spans(SpanQuery())

    rescue.Rescue(path).gather(store)

    assert store.spans(SpanQuery()) == expected
    assert len(store.runs()) == 20
    assert not beside(path).exists()
    store.close()


def test_a_move_that_fails_midway_loses_nothing(path, make):
    with contextlib.closing(SqliteStore(beside(path))) as left:
        left.write([make.span(name="kept")])
        with contextlib.closing(MemoryStore()) as closed:
            pass

        with pytest.raises(StoreError):
            left.hand_over(closed, 10)

        assert names(left) == ["kept"]


def test_who_had_the_rescue_open_when_it_was_removed_writes_a_new_one(path, make):
    store, first, second = SqliteStore(path), SqliteStore(beside(path)), SqliteStore(beside(path))
    first.write([make.span(name="first")])
    second.write([make.span(name="second")])

    rescue.Rescue(path).gather(store)
    first.write([make.span(name="later")])

    assert names(store) == ["first", "second"]
    assert names(second) == ["later"]
    for each in (store, first, second):
        each.close()


def test_where_the_folder_cannot_be_written_the_local_folder_is_used(monkeypatch, recorder, path, local, logged):
    work("before")
    recorder.flush()
    limit_pages(recorder.store, 1)
    really = os.access
    monkeypatch.setattr(location.os, "access", lambda place, how: path.parent != place.parent and really(place, how))

    with ops.span("meanwhile", text="x" * 60_000):
        pass
    recorder.flush()

    assert recorder.store.path.parent == local
    assert stat.S_IMODE(local.stat().st_mode) == 0o700
    assert stat.S_IMODE(recorder.store.path.stat().st_mode) == 0o600
    assert str(local) in logged()[0]
    monkeypatch.undo()


def test_where_the_rescue_cannot_be_written_any_more_the_next_place_is_used(monkeypatch, recorder, path, local, logged):
    monkeypatch.setattr(rescue, "_BATCH", 1)
    with held(path):
        work("first")
        recorder.flush()
        with held(beside(path)):
            work("second")
            recorder.flush()
            assert recorder.store.path.parent == local
            with held(recorder.store.path):
                work("third")
                recorder.flush()
                assert isinstance(recorder.store, MemoryStore)
                assert [span.name for span in ops.spans()] == ["first", "second", "third"]

    recorder.gather()
    recorder.gather()

    assert names(recorder.store) == ["first", "second", "third"]
    assert recorder.store.path == path
    assert [file.name for file in local.iterdir()] == []
    assert ["in memory only" in said for said in logged()] == [False, False, True]


def test_where_nothing_can_be_written_memory_keeps_it_and_says_so(monkeypatch, recorder, path, logged):
    work("before")
    recorder.flush()
    limit_pages(recorder.store, 1)
    monkeypatch.setattr(location.os, "access", lambda place, how: False)
    with ops.span("meanwhile", text="x" * 60_000):
        pass

    recorder.flush()

    assert [span.name for span in ops.spans()] == ["before", "meanwhile"]
    assert "in memory only" in logged()[0]
    monkeypatch.undo()
    recorder.gather()
    assert names(recorder.store) == ["before", "meanwhile"]
    assert recorder.store.path == path


def test_deleting_a_session_reaches_what_was_kept_elsewhere(recorder, path):
    with contextlib.closing(SqliteStore(beside(path))) as left, recorders.replaced(recorders.Recorder(left)):
        work("secret")
        ops.store.flush()

    assert ops.store.delete(session="s") == 1

    assert names(recorder.store) == []
    assert not beside(path).exists()


def test_while_the_store_cannot_be_written_what_it_holds_is_found_all_the_same(recorder, path):
    with ops.session(id="before", attributes={"tier": "free"}), ops.span("root"):
        work("before")
    with ops.session(id="both"), ops.span("earlier"):
        pass
    recorder.flush()
    with held(path):
        with ops.session(id="both"), ops.span("later"):
            pass

        assert [session.id for session in ops.sessions()] == ["both", "before", "s"]
        assert [session.id for session in ops.sessions({"tier": "free"})] == ["before"]
        assert [span.name for span in ops.get_session("before").spans] == ["root", "before"]
        assert [span.name for span in ops.get_session("both").spans] == ["earlier", "later"]
        assert len(ops.get_session("both").runs) == 2
        assert ops.last_trace().root.name == "later"
        trace = ops.get_trace(ops.traces(name="earlier")[0].trace_id[:8])
        assert trace.root.name == "earlier"
        assert recorder.rescued

    recorder.gather()

    assert recorder.readable() is recorder.store
    assert [session.id for session in ops.sessions()] == ["both", "before", "s"]


@pytest.mark.parametrize("look", ["spans", "sessions", "get_session", "last_trace", "get_trace"])
def test_a_look_up_during_which_the_store_can_be_written_again_is_made_once_more(monkeypatch, recorder, path, look):
    with held(path):
        work("meanwhile")
        recorder.flush()
    prefix = recorder.store.spans(SpanQuery())[0].trace_id[:8]

    def returning(really):
        return lambda *some: recorder.gather() or really(*some)

    for method in ("spans", "batches"):
        monkeypatch.setattr(recorder.store, method, returning(getattr(recorder.store, method)))

    found = getattr(ops, look)(*{"get_session": ["s"], "get_trace": [prefix]}.get(look, []))

    assert len(found) == 1
    assert not recorder.rescued


def test_a_look_up_that_fails_twice_says_why(recorder, path):
    with held(path):
        work("meanwhile")
        recorder.flush()
        recorder.store.close()

        with pytest.raises(StoreError, match="closed"):
            ops.spans()


def test_reading_the_store_does_not_keep_it_from_being_written_again(path, logged):
    places = rescue.Rescue(path)
    with recorders.replaced(recorders.Recorder(places.opened(), rescue=places)):
        work("before")
    shared = path.with_name(path.name + "-shm")
    shared.mkdir()  # SQLite can read so, and whoever opens the file beside such a reader cannot write either
    rescued = recorders.Recorder(places.open(StoreError("It cannot be written.")), rescue=places, rescued=True)
    with recorders.replaced(rescued):
        work("meanwhile")
        assert [span.name for span in ops.spans()] == ["before", "meanwhile"]
        shared.rmdir()

        rescued.gather()

        assert not rescued.rescued
        assert names(rescued.store) == ["before", "meanwhile"]


def test_a_judgement_made_meanwhile_on_an_earlier_span_is_read_with_it(recorder, path):
    work("before")
    root = ops.last_trace().root
    with held(path):
        recorder.annotate(recorders_annotation(root.trace_id, root.span_id))

        assert [each.label for each in ops.last_trace().root.annotations] == ["pass"]
        assert recorder.rescued


def test_while_the_store_can_be_written_it_is_itself_what_is_read(recorder):
    assert recorder.readable() is recorder.store


@pytest.mark.parametrize("fault", ["damaged", "newer", "missing", "a folder"])
def test_where_the_store_cannot_be_read_either_the_rescue_is_read_alone(recorder, path, fault):
    work("before")
    recorder.flush()
    with held(path):
        work("meanwhile")
        recorder.flush()
    for store in recorder._set_aside:
        store.close()
    if fault == "newer":
        with contextlib.closing(sqlite3.connect(path)) as connection, connection:
            connection.execute(f"PRAGMA user_version = {schema.SCHEMA_VERSION + 1}")
    else:
        path.unlink()
    if fault == "damaged":
        path.write_bytes(b"SQLite format 3\0" + b"\xff" * 8000)
    if fault == "a folder":
        path.mkdir()

    assert [span.name for span in ops.spans()] == ["meanwhile"]
    assert [session.id for session in ops.sessions()] == ["s"]
    assert len(ops.get_session("s").runs) == 1
    assert recorder.rescued
    assert path.exists() == (fault != "missing")


ONE_SPAN = """
import logging, sys
import mirascope_ops as ops

logging.basicConfig(stream=sys.stdout)
with ops.span({name!r}):
    pass
print([span.name for span in ops.spans()])
"""


def test_a_process_that_cannot_open_the_store_finds_what_it_holds_and_the_next_what_was_kept_elsewhere(run_python):
    path = run_python.store
    lock = path.with_name(path.name + ".lock")
    assert run_python(ONE_SPAN.format(name="before")).splitlines()[-1] == "['before']"
    lock.unlink()
    lock.mkdir()

    assert run_python(ONE_SPAN.format(name="meanwhile")).splitlines()[-1] == "['before', 'meanwhile']"

    lock.rmdir()
    assert run_python("import mirascope_ops as ops\nprint([span.name for span in ops.spans()])").splitlines() == [
        "['before', 'meanwhile']"
    ]
    assert not beside(path).exists()


def test_what_waits_in_a_rescue_is_taken_back_before_the_first_look_up_and_looked_for_once(monkeypatch, recorder, path):
    with contextlib.closing(SqliteStore(beside(path))) as left, recorders.replaced(recorders.Recorder(left)):
        work("left behind")
    looked: list[rescue.Rescue] = []
    really = rescue.Rescue.gather
    monkeypatch.setattr(rescue.Rescue, "gather", lambda self, store: looked.append(self) or really(self, store))

    assert [span.name for span in ops.spans()] == ["left behind"]
    assert [session.id for session in ops.sessions()] == ["s"]
    assert len(looked) == 1
    assert not beside(path).exists()


def test_a_look_up_in_a_copy_of_the_store_takes_nothing_out_of_the_rescue(path, tmp_path):
    with contextlib.closing(SqliteStore(beside(path))) as left, recorders.replaced(recorders.Recorder(left)):
        work("left behind")
    copy = SqliteStore(tmp_path / "copy.db")

    with recorders.replaced(recorders.Recorder(copy, rescue=rescue.Rescue(path))):
        assert list(ops.spans()) == []

    with contextlib.closing(SqliteStore(beside(path))) as left:
        assert names(left) == ["left behind"]


def test_a_rescue_that_cannot_be_taken_back_does_not_keep_a_look_up_from_the_rest(recorder, path, logged):
    beside(path).mkdir()
    work("here")

    assert [span.name for span in ops.spans()] == ["here"]
    assert [span.name for span in ops.spans()] == ["here"]
    (said,) = logged()
    assert "could not take back" in said


PROGRAM = """
import logging, sys
import mirascope_ops as ops

logging.basicConfig(stream=sys.stdout, format="%(levelname)s %(message)s")
for _ in range(3):
    with ops.session(id="a"), ops.span("work"):
        pass
    ops.store.flush()
print(len(ops.spans()))
"""


@pytest.mark.parametrize("fault", ["damaged", "newer"])
def test_a_file_that_cannot_be_used_is_left_and_what_comes_is_kept_beside_it(run_python, fault):
    path = run_python.store
    if fault == "damaged":
        path.write_bytes(b"SQLite format 3\0" + b"\xff" * 8000)
    else:
        SqliteStore(path).close()
        with contextlib.closing(sqlite3.connect(path)) as connection, connection:
            connection.execute(f"PRAGMA user_version = {schema.SCHEMA_VERSION + 1}")
    content = path.read_bytes()

    lines = run_python(PROGRAM).splitlines()

    assert lines[-1] == "3"
    (said,) = [line for line in lines if line.startswith("WARNING")]
    assert {"damaged": "Move it away", "newer": "pip install --upgrade"}[fault] in said
    assert str(beside(path)) in said
    assert path.read_bytes() == content

    path.unlink()
    lines = run_python(PROGRAM + "ops.store.delete(session='none')\nprint(len(ops.get_session('a')))").splitlines()
    assert lines in (["3", "6"], ["6", "6"])  # the writing thread may have been first
    assert not beside(path).exists()


def test_another_process_takes_back_what_was_left_without_being_asked(run_python, path):
    with recorders.replaced(recorders.Recorder(SqliteStore(beside(run_python.store)))):
        work("left behind")
    program = """
        import time
        import mirascope_ops as ops

        with ops.span("work"):
            pass
        deadline = time.monotonic() + 120
        while len(ops.spans()) < 2:
            assert time.monotonic() < deadline
            time.sleep(0.05)
        """

    run_python(program)

    with contextlib.closing(SqliteStore(run_python.store)) as store:
        assert names(store) == ["left behind", "work"]


def test_a_stopped_process_that_holds_the_lock_holds_up_nobody_for_long(tmp_path, path, logged):
    holder = """
import sys
from pathlib import Path
from mirascope_ops.store.lock import FileLock

with FileLock(Path(sys.argv[1])).held():
    print("held", flush=True)
    sys.stdin.read()
"""
    places = rescue.Rescue(path)
    with recorders.replaced(recorders.Recorder(places.opened(), rescue=places)) as recorder:
        with subprocess.Popen(
            [sys.executable, "-c", holder, str(path) + ".lock"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        ) as process:
            assert process.stdout.readline() == "held\n"
            recorder.store.wait_for_others(0.3)
            work("meanwhile")
            assert [span.name for span in ops.spans()] == ["meanwhile"]
            assert process.poll() is None  # it holds the lock to this moment
            process.kill()
        recorder.gather()
        assert names(recorder.store) == ["meanwhile"]
        assert recorder.store.path == path
    assert len(logged()) == 1
