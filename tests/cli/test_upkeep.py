"""`stats`, `delete`, `purge`, `vacuum`, `repair`, and what a store that is not there is answered with."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace

import pytest
from cli_samples import trace
from sample_records import T0

from mirascope_ops.store import location
from mirascope_ops.store.records import SpanQuery
from mirascope_ops.store.rescue import Rescue
from mirascope_ops.store.sqlite import SqliteStore


@pytest.fixture(autouse=True)
def kept_for_ever(monkeypatch):
    monkeypatch.setenv("MIRASCOPE_OPS_KEEP_DAYS", "forever")


READING = [
    ["sessions"],
    ["traces"],
    ["show"],
    ["show", "user-1"],
    ["stats"],
    ["export", "-"],
    ["delete", "user-1", "--yes"],
    ["purge", "--yes"],
    ["vacuum"],
    ["repair"],
]


@pytest.mark.parametrize("command", READING, ids=" ".join)
def test_a_store_that_is_not_there_is_an_error_and_is_not_made(cli, tmp_path, command):
    missing = tmp_path / "folder" / "missing.db"

    done = cli("--store", missing, *command)

    assert (done.code, done.out) == (1, "")
    assert f"There is no store {missing}" in done.err
    assert not missing.parent.exists()


@pytest.mark.parametrize("setting", [":memory:", "off"])
def test_where_nothing_is_kept_in_a_file_there_is_nothing_to_read(cli, monkeypatch, setting):
    monkeypatch.setenv("MIRASCOPE_OPS_STORE", setting)

    done = cli("sessions")

    assert done.code == 1
    assert "Nothing is kept in a file" in done.err
    assert "--store" in done.err


def test_what_was_recorded_is_read_also_where_recording_is_off(cli, monkeypatch):
    monkeypatch.setenv("OTEL_SDK_DISABLED", "true")

    assert len(cli("traces").lines) == 5


def test_the_store_is_named_before_or_after_the_command(cli, store, monkeypatch):
    monkeypatch.setenv("MIRASCOPE_OPS_STORE", "off")

    assert cli("--store", store, "sessions").out == cli("sessions", "--store", store).out != ""


def test_stats_say_what_is_there_and_where(cli, store):
    text, [data] = cli("stats").out, cli("stats", "--json").records

    assert f"kept in      {store} (readable by you only)" in text
    assert "3 sessions, 3 runs, 4 traces, 8 spans" in text
    assert (data["path"], data["sessions"], data["spans"], data["max_age_days"]) == (str(store), 3, 8, None)
    assert data["oldest"] == "2026-09-21T14:13:20.001000000Z"


def test_a_session_is_deleted_for_good(cli, store):
    done = cli("delete", "user-2", "--yes")

    assert (done.code, done.out) == (0, "Deleted 2 spans of session user-2.\n")
    assert b"no such ferry" not in store.read_bytes()
    assert "user-2" not in cli("sessions").out


def test_without_a_terminal_to_ask_in_nothing_is_deleted(cli):
    done = cli("delete", "user-2", stdin=b"y\n")

    assert done.code == 2
    assert "say --yes" in done.err
    assert "user-2" in cli("sessions").out


def test_all_sessions_must_be_there_before_one_is_deleted(cli):
    done = cli("delete", "user-2", "user", "--yes")  # only whole ids

    assert (done.code, done.out) == (1, "")
    assert "There is no session 'user'" in done.err
    assert "user-2" in cli("sessions").out


def test_purging_takes_what_is_too_old(cli, store, tmp_path):
    done = cli("purge", "--days", "0.001", "--archive", tmp_path / "archive", "--yes")

    assert (done.code, done.out) == (0, "Deleted 8 spans.\n")
    assert len(list((tmp_path / "archive").iterdir())) > 0
    assert cli("traces").err == "There are no traces in the store yet.\n"


def test_a_retention_that_means_nothing_is_a_mistake_in_the_call(cli):
    assert cli("purge", "--days", "soon", "--yes").code == 2


def test_reading_deletes_nothing_that_is_too_old(cli, monkeypatch):
    monkeypatch.setenv("MIRASCOPE_OPS_KEEP_DAYS", "0.001")

    assert len(cli("traces").lines) == 5
    assert len(cli("traces").lines) == 5


def test_vacuum_says_what_it_gained(cli, store):
    cli("delete", "user-1", "--yes")

    done = cli("vacuum")

    assert done.code == 0
    assert done.out.startswith(f"{store}: ")
    assert ", was " in done.out


def test_a_damaged_store_is_told_and_repaired(cli, store):
    data = bytearray(store.read_bytes())
    data[4096 * 3 : 4096 * 4] = b"\xff" * 4096
    store.write_bytes(data)
    broken = cli("traces")

    done = cli("repair")

    assert broken.code in {0, 1}  # SQLite notices damage where it reads it
    assert done.code == 0, done.err
    assert "were saved" in done.out
    assert list(store.parent.glob("spans.db.damaged*"))
    assert cli("traces").code == 0


def test_a_file_that_is_no_store_is_left_as_it_is(cli, tmp_path):
    text = tmp_path / "notes.txt"
    text.write_text("not a database, but long enough to look like one " * 40)

    done = cli("--store", text, "stats")

    assert (done.code, done.out) == (1, "")
    assert str(text) in done.err
    assert text.read_text().startswith("not a database")


def test_what_waits_in_a_rescue_file_is_found(cli, store, tmp_path):
    store.rename(tmp_path / "spans.db.rescue")

    assert len(cli("traces").lines) == 5
    kept = SqliteStore(store)
    assert len(kept.spans(SpanQuery())) == 8
    kept.close()


# -- a store that can be read only: of another user, in a backup, on a full disk -----------------------------------


@pytest.fixture
def unwritable(monkeypatch):
    """Make a folder, and what is in it, one that cannot be written, also for who may write everything."""

    def make(folder):
        access = os.access

        def told(path, mode, **options):
            return not (mode & os.W_OK and folder in (Path(path), Path(path).parent)) and access(path, mode, **options)

        monkeypatch.setattr(os, "access", told)

    return make


@pytest.fixture
def elsewhere(monkeypatch, tmp_path):
    """A folder on this machine's disk for what cannot be kept in its place."""
    folder = tmp_path / "var" / "local"
    monkeypatch.setattr(location, "local_folder", lambda: folder)
    return folder


def content_of(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.mark.parametrize(
    "command", [["sessions"], ["traces"], ["show", "user-1"], ["export", "-"], ["export", "-", "user-2"]], ids=" ".join
)
def test_a_store_that_cannot_be_written_is_read_and_left_as_it_is(cli, store, unwritable, command):
    store.with_name("spans.db.lock").unlink()
    expected = cli(*command)
    before = content_of(store.parent)
    unwritable(store.parent)

    done = cli(*command)

    assert (done.code, done.out) == (0, expected.out)
    assert f"{store} cannot be written: a copy is read." in done.err
    assert content_of(store.parent) == before


def test_a_store_on_a_network_is_read_and_left_as_it_is(cli, store, monkeypatch):
    expected, before = cli("traces"), content_of(store.parent)
    really = location.filesystem_of
    monkeypatch.setattr(location, "filesystem_of", lambda path: "nfs4" if path == store else really(path))

    done = cli("traces")

    assert (done.code, done.out) == (0, expected.out)
    assert "is on a network file system (nfs4): a copy is read." in done.err
    assert content_of(store.parent) == before


def test_stats_name_the_store_of_which_a_copy_is_read(cli, store, unwritable):
    unwritable(store.parent)

    done = cli("stats", "--json")

    assert done.records[0]["path"] == str(store)
    assert done.records[0]["spans"] == 8


@pytest.mark.parametrize(
    "command", [["delete", "user-1", "--yes"], ["purge", "--yes"], ["vacuum"], ["import", "-"]], ids=" ".join
)
def test_what_would_change_a_store_that_cannot_be_written_fails(cli, store, unwritable, command):
    before = content_of(store.parent)
    unwritable(store.parent)

    done = cli(*command, stdin=b"{}")

    assert done.code == 1
    assert "must be writable" in done.err
    assert content_of(store.parent) == before


@pytest.mark.parametrize("exists", [True, False])
def test_what_was_kept_elsewhere_is_read_with_a_store_that_cannot_be_written(cli, store, unwritable, elsewhere, exists):
    assert Rescue(store).places[1].parent == elsewhere
    place = Rescue(store).places[1]
    with closing(SqliteStore(place)) as kept:
        kept.write([*trace("e1", "kept elsewhere", T0), *trace("e2", "open", T0, status="open")])
    if not exists:
        store.unlink()
    unwritable(store.parent)

    done = cli("traces", "--json")

    assert done.code == 0
    assert len(done.records) == (6 if exists else 2)
    assert "kept elsewhere" in [record["name"] for record in done.records]
    with closing(SqliteStore(place)) as kept:
        assert len(kept.spans(SpanQuery())) == 4


def test_where_there_is_no_room_to_take_back_what_was_kept_elsewhere_it_is_read_all_the_same(cli, store, monkeypatch):
    with closing(SqliteStore(Rescue(store).places[0])) as kept:
        kept.write(trace("e1", "kept elsewhere", T0))
    monkeypatch.setattr(shutil, "disk_usage", lambda path: SimpleNamespace(free=0))

    done = cli("traces", "--json")

    assert len(done.records) == 5
    assert "There is no room" in done.err
    assert Rescue(store).places[0].exists()


def test_a_damaged_place_beside_a_store_that_cannot_be_written_costs_no_more_than_itself(cli, store, unwritable):
    Rescue(store).places[0].write_bytes(b"damaged " * 1000)
    unwritable(store.parent)

    done = cli("traces", "--json")

    assert (done.code, len(done.records)) == (0, 4)
    assert f"what was kept in {Rescue(store).places[0]} is left out" in done.err


def test_an_export_that_fails_leaves_nothing_that_reads_the_copy(store):
    (store.parent / "spans.db.rescue").touch()
    code = (
        "import os, shutil, sys, types\n"
        "shutil.disk_usage = lambda path: types.SimpleNamespace(free=-1)\n"
        "from mirascope_ops.cli import main\n"
        "sys.exit(main(sys.argv[1:]))"
    )

    done = subprocess.run(
        [sys.executable, "-c", code, "--store", str(store), "export", "/dev/full", "--format", "otlp"],
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == "Error: No space left on device"
    assert "Traceback" not in done.stderr
