"""What only a file can do: outlive a process, be shared, grow old, be damaged."""

from __future__ import annotations

import contextlib
import os
import signal
import sqlite3
import stat
import subprocess
import sys
import threading
import time

import pytest

from mirascope_ops.exceptions import StoreError
from mirascope_ops.store import schema
from mirascope_ops.store import sqlite as sqlite_module
from mirascope_ops.store.protocol import Retention
from mirascope_ops.store.readers import ReadingEndedError
from mirascope_ops.store.records import SessionQuery, SpanQuery
from mirascope_ops.store.sqlite import SqliteStore

PREAMBLE = """
import os, sys, time
here = os.path.dirname(sys.argv[2])
sys.path[:0] = [here, os.path.dirname(here)]  # of conftest, and of the sample records that it imports
from conftest import Make
from mirascope_ops.store.records import SessionQuery, SpanQuery
from mirascope_ops.store.sqlite import SqliteStore
make = Make()
store = SqliteStore(sys.argv[1])
"""


def script(code, path, *arguments):
    """Start another Python process that has `store` and `make`."""
    command = [sys.executable, "-c", PREAMBLE + code, str(path), __file__, *map(str, arguments)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, stdin=subprocess.PIPE, text=True)


def result(process):
    out, err = process.communicate(timeout=300)
    assert process.returncode == 0, err
    return out.strip()


def names(store, **query):
    return [span.name for span in store.spans(SpanQuery(**query))]


def test_another_process_sees_what_this_one_wrote_and_the_reverse(sqlite, path, make):
    sqlite.write([make.span(name="first", session_id="s")], [make.run("s", attributes={"tier": "premium"})])

    seen = result(
        script(
            "print([session.attributes for session in store.sessions(SessionQuery())])\n"
            "print([span.name for span in store.spans(SpanQuery())])\n"
            "store.write([make.span(name='second', trace_id='e' * 32)])",
            path,
        )
    )

    assert seen == "[{'tier': 'premium'}]\n['first']"
    assert sorted(names(sqlite)) == ["first", "second"]


def test_four_processes_write_at_once_and_lose_nothing(path):
    code = """
number = sys.argv[3]
for batch in range(40):
    store.write([make.span(trace_id=f"{number}-{batch}", span_id=str(n), session_id=number) for n in range(50)],
                [make.run(number, run_id=f"{number}-{batch}")])
"""
    for process in [script(code, path, number) for number in range(4)]:
        result(process)

    store = SqliteStore(path)
    stats = store.stats()
    counts = [session.spans for session in store.sessions(SessionQuery())]
    store.close()
    assert (stats.spans, stats.runs, stats.sessions) == (8000, 160, 4)
    assert counts == [2000] * 4


def test_a_store_nobody_closed_leaves_one_whole_file(path):
    result(script("store.write([make.span(name='kept')])", path))

    assert not path.with_name("spans.db-wal").exists()
    store = SqliteStore(path)
    assert names(store) == ["kept"]
    store.close()


def test_open_spans_of_a_killed_process_read_as_interrupted(sqlite, path, make):
    sqlite.write([make.span(name="mine", end=None, status="open")])
    code = """
store.write([make.span(name="theirs", trace_id="e" * 32, end=None, status="open")])
store.write([make.span(name="ended", trace_id="d" * 32)])
print("written", flush=True)
time.sleep(60)
"""
    process = script(code, path)
    process.stdout.readline()
    alive = {span.name: span.status for span in sqlite.spans(SpanQuery())}

    process.send_signal(signal.SIGKILL)
    process.wait()

    dead = {span.name: (span.status, span.end is None) for span in sqlite.spans(SpanQuery())}
    process.communicate()
    assert alive == {"mine": "open", "theirs": "open", "ended": "ok"}
    assert dead == {"mine": ("open", True), "theirs": ("interrupted", True), "ended": ("ok", False)}
    assert names(sqlite, status="open") == ["mine"]
    assert names(sqlite, status="interrupted") == ["theirs"]


def test_open_spans_of_a_process_whose_number_was_given_to_another_read_as_interrupted(sqlite, path, make):
    sqlite.write([make.span(end=None, status="open")])
    sqlite.close()
    with contextlib.closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("UPDATE processes SET started = '1'")

    store = SqliteStore(path)

    assert [span.status for span in store.spans(SpanQuery())] == ["interrupted"]
    store.close()


def test_the_file_and_all_beside_it_are_private(path, make):
    before = os.umask(0)
    try:
        store = SqliteStore(path)
        store.write([make.span()])
    finally:
        os.umask(before)

    modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in path.parent.iterdir()}
    private = store.stats().private
    store.close()
    assert modes == dict.fromkeys(["spans.db", "spans.db-wal", "spans.db-shm", "spans.db.lock"], 0o600)
    assert private is True


def test_a_forked_child_writes_by_itself_and_leaves_the_parents_file_open(sqlite, path, make):
    sqlite.write([make.span(name="before", end=None, status="open")])
    sqlite.spans(SpanQuery())

    child = os.fork()
    if child == 0:
        code = 1
        with contextlib.suppress(BaseException):
            sqlite.write([make.span(name="child", trace_id="c" * 32)])
            assert sorted(names(sqlite)) == ["before", "child"]
            sqlite.close()
            code = 0
        os._exit(code)
    status = os.waitpid(child, 0)[1]
    sqlite.write([make.span(name="after")])

    assert status == 0
    assert sorted(names(sqlite)) == ["after", "before", "child"]
    assert names(sqlite, status="open") == ["before"]
    with contextlib.closing(sqlite3.connect(path)) as connection:
        assert connection.execute("SELECT count(*) FROM processes").fetchone() == (2,)
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)


def test_a_child_that_forgets_the_store_harms_nobody(sqlite, path, make):
    sqlite.write([make.span(name="before")])
    code = """
import gc
store.write([make.span(name="parent", trace_id="e" * 32)])
child = os.fork()
if child == 0:
    del store
    gc.collect()
    os._exit(0)
os.waitpid(child, 0)
store.write([make.span(name="parent again", trace_id="d" * 32)])
print(len(store.spans(SpanQuery())))
"""

    assert result(script(code, path)) == "3"
    assert len(names(sqlite)) == 3


def test_reading_goes_on_while_somebody_writes(sqlite, make):
    sqlite.write([make.span(name="old")])

    with sqlite._connections.writing() as connection:
        connection.execute("DELETE FROM spans")
        seen: list[list[str]] = []
        reader = threading.Thread(target=lambda: seen.append(names(sqlite)))
        reader.start()
        reader.join(timeout=120)

    assert seen == [["old"]]


def test_a_failed_write_leaves_nothing_and_the_store_usable(monkeypatch, sqlite, make):
    span = make.span(name="lost", resource={"service.name": "shop"})
    with monkeypatch.context() as patch:
        patch.setattr("mirascope_ops.store.sqlite._WRITE_ANNOTATION", "NO SQL")
        with pytest.raises(StoreError, match="Try again"):
            sqlite.write([span], [make.run("s")], [make.annotation(span)])

    sqlite.write([make.span(name="next")])

    assert names(sqlite) == ["next"]
    assert sqlite.runs() == []
    with sqlite._connections.reading() as connection:
        assert connection.execute("SELECT count(*) FROM resources").fetchone() == (0,)


@pytest.mark.parametrize("content", [b"this is no database" * 400, b"SQLite format 3\0" + b"\xff" * 8000])
def test_a_damaged_file_is_left_as_it_is_and_the_error_says_what_to_do(path, content):
    path.write_bytes(content)

    with pytest.raises(StoreError, match="Move it away") as caught:
        SqliteStore(path)

    assert str(path) in str(caught.value)
    assert path.read_bytes() == content


def test_damage_found_while_reading_is_reported_and_nothing_deleted(path, make):
    store = SqliteStore(path)
    store.write([make.span(attributes={"text": "x" * 2000}) for _ in range(500)])
    store.close()
    content = bytearray(path.read_bytes())
    content[8192:] = b"\xff" * (len(content) - 8192)
    path.write_bytes(content)

    with pytest.raises(StoreError, match="left as it is"), contextlib.closing(SqliteStore(path)) as damaged:
        damaged.spans(SpanQuery())

    assert path.read_bytes() == content


def test_a_database_of_something_else_is_refused_untouched(path):
    with contextlib.closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("CREATE TABLE recipes (name TEXT)")
    content = path.read_bytes()

    with pytest.raises(StoreError, match="something else"):
        SqliteStore(path)

    assert path.read_bytes() == content


def test_a_newer_schema_is_refused_and_the_error_says_to_upgrade(sqlite, path):
    sqlite.close()
    with contextlib.closing(sqlite3.connect(path)) as connection, connection:
        connection.execute(f"PRAGMA user_version = {schema.SCHEMA_VERSION + 1}")

    with pytest.raises(StoreError, match="pip install --upgrade"):
        SqliteStore(path)


def test_an_older_schema_is_brought_up_to_date_with_its_data(monkeypatch, path, make):
    store = SqliteStore(path)
    store.write([make.span(name="old")])
    store.close()
    monkeypatch.setattr(schema, "MIGRATIONS", (*schema.MIGRATIONS, ("CREATE TABLE later (x)",)))
    monkeypatch.setattr(schema, "SCHEMA_VERSION", schema.SCHEMA_VERSION + 1)

    store = SqliteStore(path)

    assert names(store) == ["old"]
    with store._connections.reading() as connection:
        assert connection.execute("SELECT count(*) FROM later").fetchone() == (0,)
    store.close()


def test_a_migration_that_fails_changes_nothing(monkeypatch, sqlite, path):
    sqlite.close()
    monkeypatch.setattr(schema, "MIGRATIONS", (*schema.MIGRATIONS, ("CREATE TABLE later (x)", "NO SQL")))
    monkeypatch.setattr(schema, "SCHEMA_VERSION", schema.SCHEMA_VERSION + 1)

    with pytest.raises(StoreError):
        SqliteStore(path)

    with contextlib.closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA user_version").fetchone() == (schema.SCHEMA_VERSION - 1,)
        assert connection.execute("SELECT name FROM sqlite_master WHERE name = 'later'").fetchall() == []


def test_a_file_that_somebody_removed_is_made_anew(sqlite, path, make):
    sqlite.write([make.span(name="gone")])
    sqlite.spans(SpanQuery())

    for file in path.parent.iterdir():
        file.unlink()
    sqlite.write([make.span(name="new")])

    assert names(sqlite) == ["new"]
    assert path.exists()


@pytest.mark.parametrize("how", ["removed", "replaced"])
def test_who_finds_the_file_gone_harms_nobody_who_has_the_new_one(path, make, how):
    late, early = SqliteStore(path), SqliteStore(path)
    late.write([make.span(name="gone")])
    early.spans(SpanQuery())
    for file in list(path.parent.iterdir()):
        if how == "removed":
            file.unlink()
        elif not file.name.endswith(".lock"):
            file.rename(file.with_name("old-" + file.name))
    early.write([make.span(name="new")])

    late.write([make.span(name="newer")])  # closes what it has open of the old file
    early.write([make.span(name="newest")])

    assert path.with_name("spans.db-wal").exists()
    third = SqliteStore(path)
    assert [sorted(names(each)) for each in (early, late, third)] == [["new", "newer", "newest"]] * 3
    for each in (early, late, third):
        each.close()
    with contextlib.closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)


def test_resources_are_kept_once_however_many_spans_share_them(sqlite, make):
    one, two = {"service.name": "a"}, {"service.name": "b"}
    sqlite.write([make.span(resource=dict(one)) for _ in range(10)])
    sqlite.write([make.span(resource=one), make.span(resource=two)])

    with sqlite._connections.reading() as connection:
        assert connection.execute("SELECT count(*) FROM resources").fetchone() == (2,)
    assert [span.resource for span in sqlite.spans(SpanQuery(limit=2))] == [one, two]


def test_purging_by_age_takes_whole_traces_and_what_belongs_to_them(sqlite, make):
    started_early = "a" * 32
    gone = make.span(name="gone", start=10, end=20, session_id="old", resource={"old": True})
    spans = [
        gone,
        make.span(name="root", trace_id=started_early, start=10, end=200),
        make.span(name="child", trace_id=started_early, start=20, end=30),
        make.span(name="open", start=10, end=None, status="open"),
        make.span(name="new", start=150, end=160, session_id="new"),
    ]
    runs = [make.run("old", start=5, end=25), make.run("new", start=5, end=25), make.run("empty and new", start=150)]
    sqlite.write(spans, runs, [make.annotation(span) for span in spans])

    deleted = sqlite.purge(max_age_ns=100, now=200)

    assert deleted == 1
    assert sorted(names(sqlite)) == ["child", "new", "open", "root"]
    assert {run.session_id for run in sqlite.runs()} == {"new", "empty and new"}
    assert sqlite.annotations([gone.trace_id]) == []
    with sqlite._connections.reading() as connection:
        assert connection.execute("SELECT count(*) FROM resources").fetchone() == (0,)


def test_purging_by_size_takes_the_oldest_and_gives_the_space_back(sqlite, make):
    for number in range(40):
        attributes = {"text": os.urandom(1000).hex()}
        batch = [make.span(attributes=attributes, session_id=f"s{number}") for _ in range(25)]
        sqlite.write(batch, [make.run(f"s{number}", start=batch[0].start)])

    before = sqlite.stats()
    deleted = sqlite.purge(max_bytes=1_000_000)
    after = sqlite.stats()

    assert after.path.stat().st_size <= 1_000_000
    assert 0 < after.spans == before.spans - deleted
    assert after.oldest > before.oldest
    assert after.newest == before.newest
    assert {run.session_id for run in sqlite.runs()} == {span.session_id for span in sqlite.spans(SpanQuery())}


def test_purging_ends_where_everything_left_is_open_or_nothing_is_too_much(sqlite, make):
    sqlite.write([make.span(end=None, status="open", attributes={"t": "x" * 5000}) for _ in range(100)])

    assert sqlite.purge(max_bytes=1) == 0
    assert sqlite.purge() == 0
    assert sqlite.purge(max_age_ns=2 * time.time_ns(), max_bytes=10**12) == 0


def test_deleted_text_is_nowhere_in_the_files(sqlite, path, make):
    sqlite.write([make.span(session_id="s", attributes={"prompt": f"secret words {number}"}) for number in range(200)])
    sqlite.write([make.span(session_id="t")])

    sqlite.delete(["s"])

    assert all(b"secret words" not in file.read_bytes() for file in path.parent.iterdir())
    assert len(names(sqlite)) == 1


def test_vacuum_makes_the_file_smaller_and_keeps_everything_else(sqlite, path, make):
    sqlite.write([make.span(attributes={"text": "x" * 3000}) for _ in range(300)])
    with sqlite._connections.writing() as connection:
        connection.execute("DELETE FROM spans WHERE start > 50000")
    before = names(sqlite)

    sqlite.vacuum()

    assert path.stat().st_size < 300_000
    assert names(sqlite) == before


def test_the_writing_processes_of_the_past_are_forgotten(sqlite, make):
    sqlite.write([make.span()])
    with sqlite._connections.writing() as connection:
        connection.execute("UPDATE processes SET heartbeat = 0")

    sqlite.purge(max_age_ns=2 * time.time_ns())

    with sqlite._connections.reading() as connection:
        assert connection.execute("SELECT count(*) FROM processes").fetchone() == (0,)
    sqlite.write([make.span(end=None, status="open")])
    assert len(names(sqlite, status="open")) == 1


def test_the_retention_is_told_and_can_be_given_to_purge(path):
    store = SqliteStore(path, retention=Retention(max_age_days=7, max_bytes=None))

    assert store.purge(store.retention.max_age_ns, store.retention.max_bytes) == 0
    assert "7 days, any size" in str(store.stats())
    store.close()


@pytest.mark.parametrize(
    "query",
    [
        SpanQuery(),
        SpanQuery(limit=5),
        SpanQuery(limit=3, whole_traces=True),
        SpanQuery(whole_traces=True, name="even"),
        SpanQuery(session_ids=["s-0", "s-2"]),
        SpanQuery(since=3000, until=9000),
        SpanQuery(trace_ids=[f"{number:032x}" for number in range(600)]),
    ],
    ids=str,
)
def test_batches_that_break_off_everywhere_give_the_same_spans(sqlite, make, monkeypatch, query):
    monkeypatch.setattr(sqlite_module, "BATCH", 2)
    sqlite.write(
        [
            make.span(
                trace_id=f"{number // 3:032x}", name=["even", "odd"][number % 2], start=number // 2 * 1000,
                session_id=f"s-{number % 3}",
            )
            for number in range(16)
        ]
    )  # fmt: skip
    expected = sqlite.spans(query)

    @contextlib.contextmanager
    def broken(_connection: sqlite3.Connection):
        yield
        sqlite.write([make.span(name="even", start=4000, session_id="s-0"), make.span(start=99_000, session_id="s-2")])
        raise ReadingEndedError

    monkeypatch.setattr(sqlite._connections, "pausing", broken)
    found = [batch.record(place) for batch in sqlite.batches(query) for place in range(len(batch))]

    assert found == expected
    assert len(found) > 2


@pytest.mark.parametrize("fails", [False, True])
def test_what_vacuum_writes_anew_is_in_a_file_meanwhile_and_not_in_memory(sqlite, fails):
    """It is as large as the store, which may be gigabytes."""
    said = []
    with sqlite._connections.maintaining() as connection:
        connection.set_trace_callback(said.append)
        connection.execute(f"PRAGMA query_only = {fails}")

    with pytest.raises(StoreError) if fails else contextlib.nullcontext():
        sqlite.vacuum()

    settings = [statement for statement in said if statement == "VACUUM" or "temp_store" in statement]
    assert settings[:2] == ["PRAGMA temp_store = FILE", "VACUUM"]
    with sqlite._connections.maintaining() as again:
        assert again is connection
        assert again.execute("PRAGMA temp_store").fetchone() == (2,)  # in memory


def test_a_path_that_is_no_utf8_is_as_good_as_any(run_python, tmp_path):
    folder = tmp_path / os.fsdecode(b"caf\xe9")
    try:
        folder.mkdir()
    except OSError:
        pytest.skip("this file system takes UTF-8 only")
    path = folder / "spans.db"
    program = """
        import mirascope_ops as ops

        with ops.span("work"):
            pass
        ops.store.flush()
        print(len(ops.spans()), ascii(ops.store.stats().path.name))
        """

    assert run_python(program, MIRASCOPE_OPS_STORE=str(path)) == "1 'spans.db'\n"
    with contextlib.closing(SqliteStore(path)) as store:
        assert names(store) == ["work"]
