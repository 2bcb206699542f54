"""Several stores that are read as one answer as the one does that holds everything."""

from __future__ import annotations

import contextlib
import sqlite3
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from store.test_equivalence import answers, questions, writes

from mirascope_ops import StoreError
from mirascope_ops.store import joined, schema
from mirascope_ops.store.joined import JoinedStore
from mirascope_ops.store.memory import MemoryStore
from mirascope_ops.store.read_only import ReadOnlyStore
from mirascope_ops.store.records import SessionQuery, SpanQuery
from mirascope_ops.store.sqlite import SqliteStore


def starting_when_it_did(batch):
    """The same spans and runs, each of which starts at one time only, wherever it is told of."""
    spans, runs, annotations = batch
    return (
        [span._replace(start=(ord(span.trace_id) + 2 * int(span.span_id)) % 5) for span in spans],
        [run._replace(start=int(run.run_id) % 3) for run in runs],
        annotations,
    )


batches = writes.map(starting_when_it_did)


@pytest.mark.parametrize("more", [16, 0])
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(first=st.lists(batches, max_size=2), second=st.lists(batches, max_size=2), asked=questions)
def test_two_stores_answer_every_question_as_one_that_holds_everything(more, first, second, asked):
    with pytest.MonkeyPatch.context() as patched, tempfile.TemporaryDirectory() as folder:
        patched.setattr(joined, "_MORE", more)
        whole, beside = MemoryStore(), MemoryStore()
        with contextlib.closing(SqliteStore(Path(folder) / "spans.db")) as file:
            for batch in first:
                whole.write(*batch)
                file.write(*batch)
            for batch in second:
                whole.write(*batch)
                beside.write(*batch)

            together = repr(answers(JoinedStore([file, beside]), asked))

    assert together == repr(answers(whole, asked))


def test_what_is_known_better_elsewhere_does_not_count_twice_nor_fill_a_limit(make):
    first, second = MemoryStore(), MemoryStore()
    is_open = [make.span(name=f"{number}", end=None, status="open", session_id="s") for number in range(100)]
    first.write(is_open)
    second.write([span._replace(end=span.start + 1, status="ok") for span in is_open[1:]])
    store = JoinedStore([first, second])

    assert [span.name for span in store.spans(SpanQuery(status="open", limit=1))] == ["0"]
    assert [span.name for span in store.spans(SpanQuery(status="ok", limit=2))] == ["98", "99"]
    (session,) = store.sessions(SessionQuery())
    assert (session.spans, session.traces) == (100, 100)


def test_a_trace_that_is_spread_over_both_is_whole_and_one(make):
    first, second = MemoryStore(), MemoryStore()
    root = make.span(name="root")
    first.write([root, make.span(name="other")])
    second.write([make.span(name="child", trace_id=root.trace_id, parent_id=root.span_id)])
    store = JoinedStore([first, second])

    found = store.spans(SpanQuery(whole_traces=True, limit=1))

    assert [span.name for span in found] == ["root", "child"]
    assert store.stats().traces == 2


def test_of_many_stores_the_last_knows_best(make):
    stores = [MemoryStore() for _ in range(3)]
    span = make.span()
    for number, store in enumerate(stores):
        store.write([span._replace(name=str(number))])

    assert [span.name for span in JoinedStore(stores).spans(SpanQuery())] == ["2"]


def test_one_that_cannot_be_read_counts_as_empty_unless_it_is_the_last(make):
    closed, sound = MemoryStore(), MemoryStore()
    closed.close()
    span, run = make.span(session_id="s"), make.run("s")
    sound.write([span], [run], [make.annotation(span)])
    store = JoinedStore([closed, sound])

    assert store.spans(SpanQuery()) == sound.spans(SpanQuery())
    assert store.sessions(SessionQuery()) == sound.sessions(SessionQuery())
    assert store.runs(["s"]) == sound.runs(["s"])
    assert store.annotations(None) == sound.annotations(None)
    with pytest.raises(StoreError, match="closed"):
        JoinedStore([sound, closed]).spans(SpanQuery())


def test_what_is_moved_meanwhile_to_an_earlier_store_is_not_missed(make):
    class MovesWhenRead(MemoryStore):
        def spans(self, query):
            found = super().spans(query)
            first.write([moved])
            self._spans.clear()
            return found

    first, last, moved = MemoryStore(), MovesWhenRead(), make.span(name="moved")
    last.write([moved])

    assert [span.name for span in JoinedStore([first, last]).spans(SpanQuery())] == ["moved"]


def test_a_file_is_read_while_others_write_and_hold_it(path, make):
    with contextlib.closing(SqliteStore(path)) as store, contextlib.closing(ReadOnlyStore(path)) as reader:
        store.write([make.span(name="first")])
        with store._connections.writing():
            assert [span.name for span in reader.spans(SpanQuery())] == ["first"]
        store.write([make.span(name="second")])

        assert [span.name for span in reader.spans(SpanQuery())] == ["first", "second"]
        with pytest.raises(StoreError, match="only read"):
            reader.write([make.span()])


def test_a_file_is_read_where_nothing_can_be_made_beside_it(path, make):
    with contextlib.closing(SqliteStore(path)) as store:
        store.write([make.span(name="first", session_id="s")])
    shared = path.with_name(path.name + "-shm")
    shared.symlink_to(path.parent / "missing" / "file")  # SQLite cannot have what it makes there

    with contextlib.closing(ReadOnlyStore(path)) as reader:
        assert [span.name for span in reader.spans(SpanQuery())] == ["first"]
        assert [session.session_id for session in reader.sessions(SessionQuery())] == ["s"]
        with pytest.raises(StoreError, match="only read"):
            reader.write([make.span()])
        shared.unlink()
        with contextlib.closing(SqliteStore(path)) as store:
            store.write([make.span(name="second")])
            assert [span.name for span in reader.spans(SpanQuery())] == ["first", "second"]


def test_a_file_that_is_only_read_is_never_made(path):
    with contextlib.closing(ReadOnlyStore(path)) as reader, pytest.raises(StoreError):
        reader.spans(SpanQuery())

    assert list(path.parent.iterdir()) == []


def test_a_file_that_is_put_in_its_place_is_read_instead(path, make, tmp_path):
    with contextlib.closing(SqliteStore(path)) as store:
        store.write([make.span(name="old")])
    with contextlib.closing(SqliteStore(tmp_path / "new.db")) as store:
        store.write([make.span(name="new")])

    with contextlib.closing(ReadOnlyStore(path)) as reader:
        assert [span.name for span in reader.spans(SpanQuery())] == ["old"]
        (tmp_path / "new.db").replace(path)
        assert [span.name for span in reader.spans(SpanQuery())] == ["new"]


@pytest.mark.parametrize("version", [schema.SCHEMA_VERSION - 1, schema.SCHEMA_VERSION + 1])
def test_a_file_of_another_version_is_not_read_and_left_as_it_is(path, version):
    SqliteStore(path).close()
    with contextlib.closing(sqlite3.connect(path)) as connection, connection:
        connection.execute(f"PRAGMA user_version = {version}")

    with contextlib.closing(ReadOnlyStore(path)) as reader, pytest.raises(StoreError, match="version"):
        reader.spans(SpanQuery())

    with contextlib.closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA user_version").fetchone() == (version,)
