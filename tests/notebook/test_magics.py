"""The line magics, in a real kernel."""

from __future__ import annotations

import pytest

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def prepared(kernel):
    kernel.run("""
from mirascope_ops import ops
@ops.trace
def work(x=1):
    return x + 1
def current():
    session = ops.current_session()
    return session and session.id
with ops.session("lookup-1", {"tier": "premium"}):
    work(); work()
with ops.session("lookup-2"):
    with ops.span("other"):
        work()
""")
    return kernel


@pytest.fixture
def run(prepared):
    return prepared.run


@pytest.fixture
def value(prepared):
    return prepared.value


def test_a_started_session_lasts_over_cells_that_await_and_cells_that_fail(run, value):
    started = run("%ops_session start long -a tier=premium\nwork(1)")
    run("await __import__('asyncio').sleep(0)\nwork(2)")
    run("work(3)\n1/0")
    run("import asyncio\nawait asyncio.gather(*[asyncio.to_thread(work, 4)])")
    seen = value("current()")

    stopped = run("%ops_session stop")

    assert "%ops_session stop" in started.stdout
    assert seen == "long"
    assert "this run 4 spans, session 4" in stopped.displayed[0]["text/plain"]
    assert value("current()") is None
    assert value("len({s.execution_count for s in ops.spans(session='long')}), len(ops.get_session('long').runs)") == (
        4,
        1,
    )
    assert value("dict(ops.get_session('long').attributes)") == {"tier": "premium"}


def test_a_session_stopped_by_a_cell_that_awaits_is_over_in_the_next(run, value):
    run("%ops_session start long2")
    run("work()")
    run("%ops_session stop\nawait __import__('asyncio').sleep(0)")

    run("work()")

    assert run("current()").result is None
    assert value("len(ops.get_session('long2'))") == 1


def test_a_cells_own_session_nests_in_the_started_one(run, value):
    run("%ops_session start around")

    reply = run("%%ops_session within -q\n%%capture\nwork()\ninside = ops.current_session().parent.id, current()")
    after = run("current()").result
    run("%ops_session stop")

    assert reply.status == "ok"
    assert value("inside") == ("around", "within")
    assert after == "'around'"


def test_starting_again_ends_the_session_before(run, value):
    run("%ops_session start one")
    run("%ops_session start two")

    assert run("current(), ops.current_session().parent").result == "('two', None)"
    run("%ops_session stop")


def test_a_start_that_is_refused_leaves_the_session_before(run):
    run("%ops_session start kept")

    refused = run("%ops_session start '\x01'")
    kept = run("current()").result
    run("%ops_session stop")

    assert refused.error.startswith("UsageError")
    assert kept == "'kept'"


def test_status_shows_the_session_that_was_started(run):
    run("%ops_session start shown")

    reply = run("%ops_session status")
    run("%ops_session stop")

    assert reply.displayed[0]["text/plain"].startswith("Session shown")


@pytest.mark.parametrize("action", ["stop", "status", ""])
def test_without_a_started_session_the_error_says_how_to_start_one(run, action):
    assert "%ops_session start ID" in run(f"%ops_session {action}").stderr


def test_an_unknown_action_is_answered_with_the_choices(run):
    assert "'start'" in run("%ops_session begin").stderr


def test_sessions_are_listed_and_filtered(run, value):
    shown = run("%ops_sessions --last 1")
    run("found = %ops_sessions -a tier=premium --since '1 h'")

    assert "text/plain" in shown.outputs[0]["data"]
    assert value("'lookup-1' in found.ids, 'lookup-2' in found.ids") == (True, False)


def test_spans_are_returned_displayed_and_bound_as_a_table(run, value):
    shown = run("%ops_spans --session lookup-1")
    run("x = %ops_spans --session lookup-2 --name work --df frame")

    assert "application/vnd.mirascope.ops.spans+json" in shown.outputs[0]["data"]
    assert value("[s.name for s in x], list(frame['name'])") == (["work"], ["work"])


def test_traces_are_returned(run, value):
    run("x = %ops_traces --session lookup-2 --df traces")
    run("y = %ops_traces --last 1")

    assert value("[t.name for t in x], len(traces), len(y)") == (["other"], 1, 1)


def test_the_timeline_is_a_widget_of_the_session_or_of_the_last_trace(run, value):
    shown = run("%ops_timeline --session lookup-1")
    run("two = %ops_timeline --last 2")
    run("last = %ops_timeline")

    assert "application/vnd.jupyter.widget-view+json" in shown.outputs[-1]["data"]
    assert value("type(two).__name__, len(two.spans.traces), len(last.spans.traces)") == ("Timeline", 2, 1)


def test_names_are_expanded_in_line_magics(run):
    run("which = 'lookup-1'")

    assert run("%ops_spans --session {which}").status == "ok"


@pytest.mark.parametrize("magic", ["ops_spans", "ops_traces", "ops_timeline"])
def test_a_session_that_is_not_there_is_answered_with_similar_ones(run, magic):
    reply = run(f"%{magic} --session lookup-11")

    assert reply.error.startswith("UsageError")
    assert "'lookup-1'" in reply.stderr
    assert reply.traceback == ""


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("%ops_spans --last 0", "at least 1"),
        ("%ops_spans --last x", "at least 1"),
        ("%ops_spans --nope", "Usage: %ops_spans"),
        ("%ops_sessions --since never", "no time"),
        ("%ops_spans --df 1x", "name of a variable"),
    ],
)
def test_bad_options_say_what_is_expected(run, line, says):
    reply = run(line)

    assert reply.error.startswith("UsageError")
    assert says in reply.stderr


@pytest.mark.parametrize(
    "magic", ["ops_session", "ops_sessions", "ops_traces", "ops_spans", "ops_timeline", "ops_listen"]
)
def test_every_line_magic_has_help(run, magic):
    reply = run(f"%{magic} -h")

    assert reply.status == "ok"
    assert f"%{magic} [" in reply.stdout


def test_a_semicolon_at_the_end_shows_nothing(run):
    assert run("%ops_spans --last 1;").outputs == []
