"""`ops.configure`: every option, what it refuses, and that refusing changes nothing."""

from __future__ import annotations

import sqlite3
import stat
from pathlib import Path

import pytest
from opentelemetry import trace as otel_trace

from mirascope_ops import ConfigurationError, StoreError, ops
from mirascope_ops.core import capture
from mirascope_ops.store import recorder


@pytest.fixture(autouse=True)
def _store_restored(monkeypatch, recorded):
    """Close the stores that a test opens, and forget its setting."""
    monkeypatch.setattr(recorder, "_setting", recorder._setting)
    monkeypatch.delenv("OTEL_SDK_DISABLED", raising=False)
    yield
    recorder.close()


@ops.trace
def greet(name: str) -> str:
    return f"Hello, {name}!"


def settings():
    policy = capture.policy
    return (
        policy.enabled,
        policy.limit,
        policy.redact,
        policy.mask_secrets,
        recorder.active(),
        otel_trace._TRACER_PROVIDER,
    )


def names(path):
    """The names of the spans in a store's file, read by another than us."""
    with sqlite3.connect(f"file:{path}?mode=ro", uri=True) as connection:
        tables = {row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    connection.close()
    assert tables
    from mirascope_ops.store.records import SpanQuery
    from mirascope_ops.store.sqlite import SqliteStore

    store = SqliteStore(path)
    try:
        return [span.name for span in store.spans(SpanQuery())]
    finally:
        store.close()


# -- the store ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [str, Path])
def test_spans_go_to_the_file_that_is_given(tmp_path, kind):
    path = tmp_path / "new folder" / "traces.db"

    ops.configure(store=kind(path))
    greet("Ada")

    assert [span.name for span in ops.spans()] == ["greet"]
    assert ops.store.stats().path == path
    assert names(path) == ["greet"]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_a_home_directory_is_understood(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))

    ops.configure(store="~/traces.db")

    assert ops.store.stats().path == tmp_path / "traces.db"


def test_what_was_recorded_before_goes_to_the_store_of_before(tmp_path):
    ops.configure(store=tmp_path / "one.db")
    with ops.span("one"):
        pass
    ops.configure(store=tmp_path / "two.db")
    with ops.span("two"):
        pass

    assert [span.name for span in ops.spans()] == ["two"]
    assert names(tmp_path / "one.db") == ["one"]
    assert names(tmp_path / "two.db") == ["two"]


def test_a_session_that_is_open_while_the_store_changes_is_in_both(tmp_path):
    ops.configure(store=tmp_path / "one.db")
    with ops.session(id="a", attributes={"n": 1}):
        with ops.span("one"):
            pass
        ops.configure(store=tmp_path / "two.db")
        with ops.span("two"):
            pass
        assert [span.name for span in ops.get_session("a")] == ["two"]

    assert ops.get_session("a").attributes == {"n": 1}
    ops.configure(store=tmp_path / "one.db")
    assert [span.name for span in ops.get_session("a")] == ["one"]


def test_a_span_that_is_open_while_the_store_changes_is_not_lost(tmp_path):
    ops.configure(store=tmp_path / "one.db")
    with ops.span("work"):
        ops.configure(store=tmp_path / "two.db")

    assert [(span.name, span.status) for span in ops.spans()] == [("work", "unset")]


def test_memory_keeps_nothing_on_disk(tmp_path, monkeypatch):
    monkeypatch.setenv("MIRASCOPE_OPS_STORE", str(tmp_path / "spans.db"))

    ops.configure(store=":memory:")
    greet("Ada")

    assert len(ops.spans()) == 1
    assert ops.store.stats().path is None
    assert list(tmp_path.iterdir()) == []


def test_off_records_nothing_and_calls_work():
    ops.configure(store="off")

    with ops.session(id="a"):
        trace = greet.wrapped("Ada")

    assert trace.result == "Hello, Ada!"
    assert not ops.store.stats().recording
    assert len(ops.spans()) == len(ops.sessions()) == 0


def test_off_and_on_again(tmp_path):
    ops.configure(store="off")
    greet("Ada")
    ops.configure(store=tmp_path / "spans.db")
    greet("Bob")

    assert [span.output for span in ops.spans()] == ["Hello, Bob!"]


def test_none_is_the_place_that_the_environment_says(tmp_path, monkeypatch):
    monkeypatch.setenv("MIRASCOPE_OPS_STORE", str(tmp_path / "environment.db"))
    ops.configure(store=":memory:")

    ops.configure(store=None)

    assert ops.store.stats().path == tmp_path / "environment.db"


def test_configuring_something_else_leaves_the_store_alone(tmp_path):
    ops.configure(store=tmp_path / "spans.db")
    before = recorder.active()

    ops.configure(capture_limit=100)

    assert recorder.active() is before


def test_the_same_file_again_keeps_what_is_in_it(tmp_path):
    ops.configure(store=tmp_path / "spans.db")
    greet("Ada")
    ops.configure(store=tmp_path / "spans.db")
    greet("Bob")

    assert [span.output for span in ops.spans()] == ["Hello, Ada!", "Hello, Bob!"]


# -- what is refused --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("capture_limit", 0),
        ("capture_limit", -1),
        ("capture_limit", 1.5),
        ("capture_limit", "64"),
        ("capture_content", "off"),
        ("mask_secrets", "no"),
        ("redact", "no function"),
        ("tracer_provider", "no provider"),
        ("tracer_provider", otel_trace.ProxyTracerProvider()),
        ("store", ""),
        ("store", "https://example.com/spans"),
        ("store", "null\0byte"),
        ("store", 5),
        ("store", b"bytes"),
    ],
    ids=lambda value: repr(value).partition(" object at ")[0],  # an address differs between the tests' processes
)
def test_a_value_that_means_nothing_is_refused_and_nothing_changes(option, value):
    good = {
        "capture_content": False,
        "capture_limit": 10,
        "redact": lambda key, value: None,
        "mask_secrets": False,
        "store": ":memory:",
    }
    before = settings()

    with pytest.raises(ConfigurationError) as refused:
        ops.configure(**{**good, option: value})

    assert option in str(refused.value)
    assert settings() == before


def test_a_place_that_cannot_be_used_is_refused_and_nothing_changes(tmp_path):
    ops.configure(store=tmp_path / "good.db")
    before = settings()

    with pytest.raises(StoreError, match="MIRASCOPE_OPS_STORE"):
        ops.configure(store=tmp_path, capture_content=False, capture_limit=10)

    assert settings() == before
    greet("Ada")
    assert [span.output for span in ops.spans()] == ["Hello, Ada!"]


def test_a_file_that_is_no_store_is_refused_and_left_as_it_is(tmp_path):
    path = tmp_path / "notes.txt"
    path.write_text("not a database, but dear to somebody " * 100, encoding="utf-8")

    with pytest.raises(StoreError):
        ops.configure(store=path)

    assert path.read_text(encoding="utf-8") == "not a database, but dear to somebody " * 100


def test_a_database_of_another_program_is_refused_and_left_as_it_is(tmp_path):
    path = tmp_path / "theirs.db"
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE customers (name TEXT)")
    connection.close()
    before = path.read_bytes()

    with pytest.raises(StoreError):
        ops.configure(store=path)

    assert path.read_bytes() == before


def test_options_are_named():
    with pytest.raises(TypeError):
        ops.configure(":memory:")
    with pytest.raises(TypeError, match="sotre"):
        ops.configure(sotre=":memory:")


# -- what is captured ---------------------------------------------------------------------------------------


def test_options_that_are_left_out_stay_as_they_are():
    def redact(key, value):
        return value

    ops.configure(capture_content=False, capture_limit=1000, redact=redact, mask_secrets=False)
    ops.configure()
    ops.configure(capture_content=True)

    policy = capture.policy
    assert (policy.enabled, policy.limit, policy.redact, policy.mask_secrets) == (True, 1000, redact, False)


def test_options_hold_for_functions_that_were_decorated_before(only):
    ops.configure(capture_content=False)
    greet("Ada")

    assert (only().input, only().output) == (None, None)


# -- the environment, in programs of their own ---------------------------------------------------------------


def test_the_environment_chooses_the_store(run_python):
    run_python("import mirascope_ops as ops\nwith ops.span('work'): pass\n")

    assert names(run_python.store) == ["work"]


def test_the_default_place_is_the_users_state_directory(run_python, tmp_path):
    printed = run_python(
        "import mirascope_ops as ops\nwith ops.span('work'): pass\nprint(ops.store.stats().path)\n",
        MIRASCOPE_OPS_STORE="",
        XDG_STATE_HOME=str(tmp_path / "state"),
        HOME=str(tmp_path),
    )

    path = Path(printed.strip())
    assert path.is_relative_to(tmp_path)
    assert path.parent.name == "mirascope_ops"
    assert names(path) == ["work"]
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_stats_say_where_prompts_are_kept_and_how_to_stop_it(run_python):
    printed = run_python("import mirascope_ops as ops\nprint(ops.store.stats())\n")

    assert str(run_python.store) in printed
    assert "MIRASCOPE_OPS_STORE=off" in printed
    assert "90 days" in printed
