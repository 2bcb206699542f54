"""`sessions` and `traces`: what there is, newest first."""

from __future__ import annotations

import json
import re

import pytest
from cli_samples import trace
from sample_records import MS, T0

from mirascope_ops.reading import page_of_traces
from mirascope_ops.store.memory import MemoryStore
from mirascope_ops.store.recorder import Recorder, replaced
from mirascope_ops.store.sqlite import SqliteStore
from mirascope_ops.views.escape import visible


def first_words(done):
    return [line.split()[0] for line in done.lines[1:]]


def test_sessions_are_listed_the_last_seen_first(cli):
    done = cli("sessions")

    assert (done.code, done.err) == (0, "")
    assert re.match(r"session +status +turns +tokens +time +last seen +last message$", done.lines[0])
    assert first_words(done) == ["user-2", "user-1", "inner"]
    assert re.search(r"✕ error +1 +1.2k → 42 +8.0 ms +21 Sep.*, 16:13:21 \+02", done.lines[1])


def test_traces_are_listed_newest_first_with_whole_ids_in_a_pipe(cli):
    done = cli("traces")

    assert done.code == 0
    assert first_words(done) == ["c1" * 16, "b1" * 16, "a2" * 16, "a1" * 16]
    assert "no such ferry" in done.lines[2]


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (["--limit", "1"], ["c1"]),
        (["-n", "0"], ["c1", "b1", "a2", "a1"]),
        (["--status", "error"], ["b1"]),
        (["--status", "ok"], ["c1", "a2", "a1"]),
        (["--status", "open"], []),
        (["--name", "answer"], ["a1"]),
        (["--name", "chat"], []),  # no root
        (["--session", "user-1"], ["a2", "a1"]),
        (["--session", "user-1", "--name", "inside"], ["a2"]),
        (["--session", "inn"], ["a2"]),
        (["--since", "2026-09-21T14:13:21Z"], ["c1", "b1"]),
        (["--until", "2026-09-21T14:13:21Z"], ["a2", "a1"]),
        (["--since", "2026-09-21T14:13:21Z", "--status", "error"], ["b1"]),
        (["--since", "1h"], []),
    ],
)
def test_traces_can_be_chosen(cli, options, expected):
    done = cli("traces", "--json", *options)

    assert done.code == 0
    assert [found["trace_id"][:2] for found in done.records] == expected


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (["--limit", "2"], ["user-2", "user-1"]),
        (["--status", "error"], ["user-2"]),
        (["--name", "inside"], ["inner"]),
        (["--session", "user-1"], ["user-1", "inner"]),
        (["--session", "inn"], ["inner"]),
        (["--since", "2026-09-21T14:13:21Z"], ["user-2"]),
        (["--until", "2026-09-21T14:13:21Z"], ["user-1", "inner"]),
        (["-a", "user_tier=premium"], ["user-1"]),
        (["-a", "user_tier=free"], []),
    ],
)
def test_sessions_can_be_chosen(cli, options, expected):
    assert [found["session_id"] for found in cli("sessions", "--json", *options).records] == expected


def test_what_is_left_out_is_said_beside_the_list(cli):
    done = cli("traces", "-n", "3")

    assert len(done.lines) == 4
    assert done.err == "The newest 3 traces; there are more: --limit N, or --limit 0 for all.\n"
    assert cli("traces", "-n", "4").err == ""


def test_an_empty_answer_is_said_and_is_no_failure(cli):
    done = cli("traces", "--name", "nothing")

    assert (done.code, done.out, done.err) == (0, "", "No traces fit.\n")
    assert cli("sessions", "--json", "--status", "open").out == ""


def test_json_has_the_names_of_the_tables_iso_times_and_seconds(cli):
    session, trace = cli("sessions", "--json").records[1], cli("traces", "--json").records[3]

    assert session["attributes"] == {"user_tier": "premium"}
    assert session["first_seen"] == "2026-09-21T14:13:20.000000000Z"
    assert (session["spans"], session["traces"], session["input_tokens"]) == (4, 2, 2400)  # with the session inside
    assert trace["start"] == "2026-09-21T14:13:20.001000000Z"
    assert (trace["duration"], trace["llm_calls"], trace["model"]) == (0.008, 1, "gpt-4o-mini")
    assert (trace["session_id"], trace["user"]) == ("user-1", "What is answer?")


@pytest.mark.parametrize("command", [["traces"], ["traces", "--json"], ["sessions"], ["show"], ["show", "--json"]])
def test_nothing_that_a_span_holds_acts_on_a_terminal(cli, command):
    done = cli(*command)

    assert visible(done.out) == done.out
    if command != ["sessions"]:
        assert "[red]x[/red]" in done.out


def test_json_holds_what_was_recorded(cli):
    [newest] = cli("traces", "--json", "-n", "1").records

    assert newest["name"] == "\x1b]0;pwned\x07evil\u202e \x9b31m [red]x[/red]"


def test_values_that_json_lacks_are_written_as_text(cli, store):
    with_odd = [span._replace(attributes={"odd": float("nan"), "n": [float("inf")]}) for span in trace("d1", "odd", T0)]
    kept = SqliteStore(store)
    kept.write(with_odd[:1])
    kept.close()

    found = json.loads(cli("show", "d1d1", "--json").out, parse_constant=pytest.fail)

    assert found["spans"][0]["attributes"] == {"odd": "NaN", "n": ["Infinity"]}


@pytest.mark.parametrize("page", [1, 2, 3, 50])
def test_pages_give_every_trace_once_also_where_many_begin_at_once(page):
    memory = MemoryStore()
    memory.write([span for byte in range(9) for span in trace(f"{byte + 16:x}", "answer", T0 + byte // 4 * MS)])
    seen, until, found = set(), None, []

    with replaced(Recorder(memory)):
        while True:
            more, until = page_of_traces(since=None, until=until, name="answer", limit=page, seen=seen)
            found += [one.trace_id for one in more]
            if until is None:
                break

    assert sorted(found) == sorted({f"{byte + 16:x}" * 16 for byte in range(9)})
