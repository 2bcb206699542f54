"""A damaged file: what is whole is saved, what was found is kept, whoever has it open goes on."""

from __future__ import annotations

import contextlib
import random
import sqlite3
import stat

import pytest

from mirascope_ops import StoreError, ops
from mirascope_ops.cli import main
from mirascope_ops.store import location, rescue, salvage, schema
from mirascope_ops.store import recorder as recorders
from mirascope_ops.store.records import SessionQuery, SpanQuery
from mirascope_ops.store.sqlite import SqliteStore

PAGE = 4096


@pytest.fixture
def filled(path, make):
    """A file of some hundred pages."""
    with contextlib.closing(SqliteStore(path)) as store:
        for session in range(20):
            spans = [
                make.span(session_id=str(session), resource={"n": session % 3}, attributes={"text": "x" * 1500})
                for _ in range(25)
            ]
            store.write(spans, [make.run(str(session))], [make.annotation(spans[0])])
    return path


def damage(path, pages):
    content = bytearray(path.read_bytes())
    for page in pages:
        content[page * PAGE : (page + 1) * PAGE] = random.Random(page).randbytes(PAGE)
    path.write_bytes(content)


def leaves(path):
    """The pages that hold rows of spans."""
    with contextlib.closing(sqlite3.connect(path)) as connection:
        root = connection.execute("SELECT rootpage FROM sqlite_master WHERE name = 'spans'").fetchone()[0]
    content = path.read_bytes()
    assert content[(root - 1) * PAGE] == 5  # an inner page of a table: its cells name the pages below
    count = int.from_bytes(content[(root - 1) * PAGE + 3 : (root - 1) * PAGE + 5], "big")
    cells = [
        int.from_bytes(content[(root - 1) * PAGE + 12 + 2 * n : (root - 1) * PAGE + 14 + 2 * n], "big")
        for n in range(count)
    ]
    return [
        int.from_bytes(content[(root - 1) * PAGE + cell : (root - 1) * PAGE + cell + 4], "big") - 1 for cell in cells
    ]


def test_a_whole_file_is_saved_whole(filled):
    with contextlib.closing(SqliteStore(filled)) as store:
        before = store.spans(SpanQuery()), store.runs(), store.sessions(SessionQuery())

    done = salvage.repair(filled)

    with contextlib.closing(SqliteStore(filled)) as store:
        assert (store.spans(SpanQuery()), store.runs(), store.sessions(SessionQuery())) == before
    assert (done.spans, done.runs, done.annotations, done.unreadable) == (500, 20, 20, 0)
    assert stat.S_IMODE(filled.stat().st_mode) == 0o600
    assert done.aside.exists()


def test_what_is_whole_beside_damaged_pages_is_saved(filled):
    hurt = leaves(filled)[3:200:20]
    damage(filled, hurt)
    found = filled.read_bytes()

    done = salvage.repair(filled)

    assert done.unreadable > 0
    assert 500 - 10 * len(hurt) <= done.spans < 500
    assert (done.runs, done.annotations) == (20, 20)
    assert done.aside.read_bytes() == found
    assert f"{done.spans} spans" in str(done)
    with contextlib.closing(SqliteStore(filled)) as store:
        assert len(store.spans(SpanQuery())) == done.spans
        assert sum(session.spans for session in store.sessions(SessionQuery())) == done.spans
        store.write([store.spans(SpanQuery(limit=1))[0]._replace(name="written")])
    with contextlib.closing(sqlite3.connect(filled)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)


@pytest.mark.parametrize("seed", range(6))
def test_whatever_pages_are_damaged_a_sound_file_comes_of_it(filled, seed):
    some = random.Random(seed)
    size = filled.stat().st_size // PAGE
    damage(filled, [some.randrange(seed % 2, size) for _ in range(seed * 3 + 1)])

    done = salvage.repair(filled)

    with contextlib.closing(SqliteStore(filled)) as store:
        assert len(store.spans(SpanQuery())) == done.spans <= 500
    with contextlib.closing(sqlite3.connect(filled)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)


@pytest.mark.parametrize("also", ["nothing else", "in the log"])
def test_rows_are_saved_to_which_no_way_leads_any_more(tmp_path, filled, also, make):
    if also == "in the log":  # as after a kill: nobody wrote the log back
        with contextlib.closing(SqliteStore(filled)) as store:
            store.write([make.span(name="logged", attributes={"text": "x" * 9000})])
            copies = [(file, file.read_bytes()) for file in filled.parent.glob("spans.db-wal")]
            content = filled.read_bytes()
        filled.write_bytes(content)
        for file, log in copies:
            file.write_bytes(log)
    with contextlib.closing(sqlite3.connect(f"{filled.as_uri()}?mode=ro&immutable=1", uri=True)) as connection:
        root = connection.execute("SELECT rootpage FROM sqlite_master WHERE name = 'spans'").fetchone()[0]
    damage(filled, [0, root - 1])

    done = salvage.repair(filled)

    assert done.spans == 500 + (also == "in the log")
    assert (done.runs, done.annotations) == (20, 20)
    with contextlib.closing(SqliteStore(filled)) as store:
        spans = store.spans(SpanQuery())
        assert {span.attributes["text"] for span in spans} <= {"x" * 1500, "x" * 9000}
        assert {span.resource["n"] for span in spans if span.resource} == {0, 1, 2}
        assert len(store.sessions(SessionQuery())) == 20


def test_texts_that_are_damaged_cost_no_more_than_themselves(path, make):
    with contextlib.closing(SqliteStore(path)) as store:
        store.write([make.span(name="hurt", attributes={"text": "x" * 20_000}), make.span(name="whole")])
    content = path.read_bytes()
    at = content.index(b"x" * 3000) + 1000
    path.write_bytes(content[:at] + bytes(range(32)) + content[at + 32 :])
    with contextlib.closing(SqliteStore(path)) as store, pytest.raises(StoreError, match="repair"):
        store.spans(SpanQuery())

    done = salvage.repair(path)

    assert (done.spans, done.unreadable) == (2, 1)
    with contextlib.closing(SqliteStore(path)) as store:
        assert {span.name: dict(span.attributes) for span in store.spans(SpanQuery())} == {"hurt": {}, "whole": {}}


def test_a_program_goes_on_in_the_repaired_file_with_what_it_kept_elsewhere(monkeypatch, tmp_path, filled):
    monkeypatch.setattr(location, "local_folder", lambda: tmp_path / "local")
    places = rescue.Rescue(filled)
    with recorders.replaced(recorders.Recorder(places.opened(), rescue=places)) as active:
        with ops.span("before"):
            pass
        ops.store.flush()
        active.store._connections.release()
        damage(filled, range(1, filled.stat().st_size // PAGE, 2))
        with ops.span("after"):
            pass
        ops.store.flush()

        done = ops.store.repair()

        with ops.span("later"):
            pass
        names = {span.name for span in ops.spans()}
        assert {"after", "later"} <= names
        assert active.store.path == filled
        assert not active.rescued
        assert done.aside.exists()


def test_what_was_set_aside_stays_where_a_file_is_repaired_twice_within_a_second(monkeypatch, filled):
    monkeypatch.setattr(salvage.time, "strftime", lambda _: "20261201-000000")
    found = filled.read_bytes()

    first, second = salvage.repair(filled), salvage.repair(filled)

    assert first.aside.read_bytes() == found
    assert second.aside != first.aside
    assert second.spans == first.spans == 500


def test_what_cannot_be_repaired_is_left(monkeypatch, filled):
    found = filled.read_bytes()
    monkeypatch.setattr(salvage, "_copy", lambda damaged, new: (_ for _ in ()).throw(OSError("no room")))

    with pytest.raises(StoreError, match="no room"):
        salvage.repair(filled)

    assert filled.read_bytes() == found
    assert sorted(file.name for file in filled.parent.iterdir()) == ["spans.db", "spans.db.lock"]


def test_without_a_file_there_is_nothing_to_repair(path):
    with pytest.raises(StoreError, match="no file"):
        salvage.repair(path)


def test_a_file_of_a_newer_version_is_left_to_that_version(filled):
    """What is new in it has no place in the present schema."""
    newer = schema.SCHEMA_VERSION + 1
    with contextlib.closing(sqlite3.connect(filled)) as connection:
        connection.execute("CREATE TABLE novelties (id INTEGER PRIMARY KEY)")
        connection.execute(f"PRAGMA user_version = {newer}")
        found = filled.read_bytes()  # what is newer may be in the log only

        with pytest.raises(StoreError, match=f"schema is {newer}, .*pip install --upgrade"):
            salvage.repair(filled)

        assert filled.read_bytes() == found
        assert connection.execute("PRAGMA user_version").fetchone() == (newer,)
    assert not list(filled.parent.glob("*damaged*"))


def test_a_whole_database_of_something_else_is_left_to_whom_it_belongs(path):
    with contextlib.closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("CREATE TABLE customers (id INTEGER PRIMARY KEY)")
    found = path.read_bytes()

    with pytest.raises(StoreError, match="something else"):
        salvage.repair(path)

    assert path.read_bytes() == found
    assert not list(path.parent.glob("*damaged*"))


def test_a_store_that_lost_its_mark_is_repaired(filled):
    content = bytearray(filled.read_bytes())
    content[68:72] = b"\xde\xad\xbe\xef"  # the application, as SQLite keeps it
    filled.write_bytes(content)

    assert salvage.repair(filled).spans == 500


def test_a_version_that_damage_wrote_keeps_nobody_from_repairing(filled):
    content = bytearray(filled.read_bytes())
    content[60:64] = b"\xde\xad\xbe\xef"  # the version, as SQLite keeps it
    filled.write_bytes(content)

    assert salvage.repair(filled).spans == 500


def test_what_was_kept_elsewhere_and_is_damaged_is_told_how_to_repair_and_comes_back(
    monkeypatch, tmp_path, filled, logged, make
):
    monkeypatch.setattr(location, "local_folder", lambda: tmp_path / "local")
    store, places = filled.with_name("store.db"), rescue.Rescue(filled.with_name("store.db"))
    filled.rename(places.places[0])
    damage(places.places[0], [0])
    with contextlib.closing(SqliteStore(places.places[1])) as other:
        other.write([make.span(name="in the other place")])
    with recorders.replaced(recorders.Recorder(places.opened(), rescue=places)) as active:
        active.gather()

        (said,) = logged()
        command = f"mirascope-ops --store {places.places[0]} repair"
        assert f"`{command}`" in said
        assert "ops.store.repair" not in said
        assert "MIRASCOPE_OPS_STORE" not in said
        assert [span.name for span in active.store.spans(SpanQuery())] == ["in the other place"]

        assert main(command.split()[1:]) == 0
        active.gather()

        assert len(active.store.spans(SpanQuery())) == 501
        assert not places.places[0].exists()
    assert store.exists()
