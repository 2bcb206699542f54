"""How long traces are kept: set in the environment or by hand, and where they go before they are deleted."""

from __future__ import annotations

import contextlib
import stat
import threading
import time
from pathlib import Path

import pytest

from mirascope_ops import ConfigurationError, StoreError, ops
from mirascope_ops.core import guard
from mirascope_ops.store import housekeeping, location, rescue, retention
from mirascope_ops.store import recorder as recorders
from mirascope_ops.store.memory import MemoryStore
from mirascope_ops.store.protocol import Retention
from mirascope_ops.store.records import SpanQuery
from mirascope_ops.store.sqlite import SqliteStore

DAY = 86_400 * 10**9


@pytest.fixture
def recorder(monkeypatch, tmp_path, path):
    monkeypatch.setattr(location, "local_folder", lambda: tmp_path / "local")
    places = rescue.Rescue(path)
    with recorders.replaced(recorders.Recorder(places.opened(), rescue=places)) as active:
        yield active


def test_the_environment_says_how_long_traces_are_kept(monkeypatch, tmp_path):
    assert retention.from_environment() == Retention()
    monkeypatch.setenv("MIRASCOPE_OPS_KEEP_DAYS", "7.5")
    monkeypatch.setenv("MIRASCOPE_OPS_KEEP_SIZE", "500 MB")
    monkeypatch.setenv("MIRASCOPE_OPS_ARCHIVE", str(tmp_path))

    found = retention.from_environment()

    assert found == Retention(7.5, 500 * 2**20, tmp_path)
    assert str(found) == f"7.5 days, at most 500.0 MB, oldest traces go first, into {tmp_path}"


@pytest.mark.parametrize("value", ["forever", "Forever", " FOREVER "])
def test_for_ever_is_for_ever_however_it_is_written(value):
    assert retention.days_of(value) is None
    assert retention.bytes_of(value) is None


@pytest.mark.parametrize("value", ["", "soon", "-1", "0", 0, -3, True, "inf", "nan", None])
def test_days_that_mean_nothing_are_refused(value):
    with pytest.raises(ConfigurationError, match="number of days"):
        retention.days_of(value)


@pytest.mark.parametrize("value", ["", "much", "-1 GB", "5 parsecs", 0, 1000, True, "1 kB", "9" * 400 + " GB", None])
def test_sizes_that_mean_nothing_are_refused(value):
    with pytest.raises(ConfigurationError, match="size"):
        retention.bytes_of(value)


@pytest.mark.parametrize(
    ("value", "expected"),
    [(2**20, 2**20), ("2097152", 2**21), ("2 MB", 2**21), ("2MiB", 2**21), ("2m", 2**21), ("1.5 g", 3 * 2**29)],
)
def test_sizes_are_read_as_people_write_them(value, expected):
    assert retention.bytes_of(value) == expected


def test_a_process_keeps_to_the_environment_and_goes_on_where_that_means_nothing(run_python, tmp_path):
    program = """
        import logging, sys
        import mirascope_ops as ops

        logging.basicConfig(stream=sys.stdout, format="%(levelname)s %(message)s")
        with ops.span("work"):
            pass
        print(ops.store.stats().retention)
        """

    assert (
        run_python(program, MIRASCOPE_OPS_KEEP_DAYS="forever") == "for ever, at most 2.0 GB, oldest traces go first\n"
    )
    warned, kept = run_python(program, MIRASCOPE_OPS_KEEP_SIZE="much").splitlines()
    assert "MIRASCOPE_OPS_KEEP_SIZE: 'much' is no size" in warned
    assert kept == "90 days, any size"


def test_one_variable_that_means_nothing_takes_nothing_from_the_others(run_python, tmp_path):
    program = """
        import logging, sys
        import mirascope_ops as ops
        from mirascope_ops.store import recorder

        logging.basicConfig(stream=sys.stdout, format="%(levelname)s %(message)s")
        print(repr(recorder.active().rescue.retention))
        """
    folder = str(tmp_path / "archive")

    warned, kept = run_python(
        program,
        MIRASCOPE_OPS_KEEP_DAYS="forever",
        MIRASCOPE_OPS_KEEP_SIZE="20 GBytes",
        MIRASCOPE_OPS_ARCHIVE=folder,
    ).splitlines()

    assert warned.startswith("WARNING ")
    assert "MIRASCOPE_OPS_KEEP_SIZE: '20 GBytes' is no size" in warned
    assert kept == repr(Retention(None, None, Path(folder)))


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (("soon", "500 MB", ""), Retention(None, 500 * 2**20)),
        (("7", "much", ""), Retention(7.0, None)),
        (("soon", "much", ""), Retention(None, None)),
        (("soon", "", ""), Retention(None)),
        (("7", "500 MB", "~no such person/archive"), Retention(None, None)),
    ],
)
def test_a_variable_that_means_nothing_deletes_nothing(monkeypatch, values, expected):
    names = "MIRASCOPE_OPS_KEEP_DAYS", "MIRASCOPE_OPS_KEEP_SIZE", "MIRASCOPE_OPS_ARCHIVE"
    for name, value in zip(names, values, strict=True):
        monkeypatch.setenv(name, value)
    wrong = [name for name, value in zip(names, values, strict=True) if value in ("soon", "much") or "~" in value]

    kept, faults = retention.judged()

    assert kept == expected
    assert [fault.partition(":")[0] for fault in faults] == wrong
    with pytest.raises(ConfigurationError, match="MIRASCOPE_OPS_"):
        retention.from_environment()


def test_what_is_kept_beside_a_store_that_cannot_be_written_is_kept_as_long(monkeypatch, tmp_path, path, make):
    monkeypatch.setattr(location, "local_folder", lambda: tmp_path / "local")
    monkeypatch.setattr(guard, "warn_once", lambda place, message: None)
    kept = Retention(None, None, tmp_path / "archive")

    with contextlib.closing(rescue.Rescue(path, kept).open(StoreError("full"))) as store:
        assert store.stats().retention == kept


@pytest.mark.parametrize("days", ["999999", 1e300])
def test_more_days_than_there_are_are_for_ever(path, make, days):
    kept = Retention(max_age_days=retention.days_of(days))
    with contextlib.closing(SqliteStore(path)) as store:
        store.write([make.span(name="old")])

        assert store.purge(kept.max_age_ns) == 0

        assert len(store.spans(SpanQuery())) == 1


def test_what_is_purged_is_in_the_archive_first_with_all_that_belongs_to_it(recorder, tmp_path, path, make):
    now = time.time_ns()
    old = [
        make.span(name="old", session_id="s", start=now - 10 * DAY, end=now - 10 * DAY, attributes={"text": "x" * 100}),
        make.span(name="older", start=now - 20 * DAY, end=now - 20 * DAY),
    ]
    run = make.run("s", start=now - 10 * DAY)
    recorder.store.write([*old, make.span(name="new", start=now, end=now)], [run], [make.annotation(old[0])])
    folder = tmp_path / "archive"

    kept = ops.store.retain(days=5, archive=folder)
    deleted = ops.store.purge()

    assert kept == Retention(5.0, 2 * 2**30, folder)
    assert deleted == 2
    assert [span.name for span in recorder.store.spans(SpanQuery())] == ["new"]
    (file,) = folder.iterdir()
    back = ops.read_otlp(file)
    assert sorted(span.name for span in back) == ["old", "older"]
    (found,) = [span for span in back if span.name == "old"]
    assert (found.session_id, found.annotations[0].label) == ("s", "pass")
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert ops.store.purge() == 0
    assert len(list(folder.iterdir())) == 1


def test_what_cannot_be_archived_is_not_deleted(recorder, tmp_path, make):
    recorder.store.write([make.span(name="old")])
    folder = tmp_path / "archive"
    folder.write_text("in the way")
    ops.store.retain(archive=folder)

    with pytest.raises(StoreError, match="not deleted"):
        ops.store.purge()

    assert [span.name for span in recorder.store.spans(SpanQuery())] == ["old"]


def test_the_thread_enforces_the_retention_without_being_asked(monkeypatch, tmp_path, path, make):
    monkeypatch.setattr(location, "local_folder", lambda: tmp_path / "local")
    with contextlib.closing(SqliteStore(path)) as store:
        store.write([make.span(name="old")])
    places = rescue.Rescue(path, Retention(max_age_days=1.0))

    with recorders.replaced(recorders.Recorder(places.opened(), threaded=True, rescue=places)) as active:
        deadline = time.monotonic() + 120
        while active.store.spans(SpanQuery()):
            assert time.monotonic() < deadline
            time.sleep(0.05)


def test_an_archive_that_cannot_be_written_is_told_and_a_store_that_cannot_is_told_by_writing(
    monkeypatch, tmp_path, path, make, caplog
):
    reported = set(guard._reported)
    guard._reported.clear()
    folder = tmp_path / "archive"
    folder.write_text("in the way")
    store = SqliteStore(path, retention=Retention(max_age_days=1.0, archive=folder))
    store.write([make.span(name="old")])
    active = recorders.Recorder(store)
    keeping = housekeeping.Housekeeping(active, threading.Event())

    keeping._purge()
    told = [record.getMessage() for record in caplog.records]
    store.close()
    keeping._purge()

    assert [record.getMessage() for record in caplog.records] == told
    assert len(told) == 1
    assert str(folder) in told[0]
    guard._reported.clear()
    guard._reported.update(reported)


def test_memory_has_no_retention_to_set():
    with recorders.replaced(recorders.Recorder(MemoryStore())):
        assert ops.store.purge() == 0
        with pytest.raises(StoreError, match="Only a file"):
            ops.store.retain(days=1)
