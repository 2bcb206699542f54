"""`stats`, `delete`, `purge`, `vacuum`, `repair`, and what a store that is not there is answered with."""

from __future__ import annotations

import pytest

from mirascope_ops.store.records import SpanQuery
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
