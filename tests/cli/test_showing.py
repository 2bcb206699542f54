"""`show`: a session, a trace or a span, by its id or the beginning of it."""

from __future__ import annotations

import json

import pytest
from cli_samples import trace
from sample_records import T0

from mirascope_ops.store.sqlite import SqliteStore


@pytest.mark.parametrize(
    ("given", "beginning"),
    [
        ("user-1", "Session user-1 ✓ ok"),
        ("inn", "Session inner ✓ ok"),
        ("b1" * 16, f"Trace {'b1' * 16}\n\nfails ✕ error"),
        ("B1B1", f"Trace {'b1' * 16}\n"),
        ("b1b1b1b1ffffffff", f"Span b1b1b1b1ffffffff of trace {'b1' * 16}\n\nllm chat ✓ ok"),
        ("b1b1b1b1f", "Span b1b1b1b1ffffffff"),
    ],
)
def test_an_id_or_its_beginning_tells_what_is_shown(cli, given, beginning):
    done = cli("show", given)

    assert (done.code, done.err) == (0, "")
    assert done.out.startswith(beginning)


def test_without_an_id_the_newest_trace_is_shown(cli):
    assert cli("show").out.startswith(f"Trace {'c1' * 16}\n")


def test_times_are_those_of_this_machine(cli):
    assert "21 Sep 2026, 16:13:21 +02" in cli("show", "user-2").out
    assert "21 Sep 2026, 16:13:21 +02" in cli("show", "b1b1").out
    assert "21 Sep 2026, 16:13:21 +02" in cli("show", "b1b1b1b1ffffffff").out


def test_several_that_begin_so_are_listed(cli):
    done = cli("show", "user")

    assert (done.code, done.out) == (1, "")
    assert done.err.splitlines()[0] == "Error: 2 sessions begin with 'user'; give more of one:"
    assert [line.split()[0] for line in done.err.splitlines()[1:]] == ["user-2", "user-1"]


def test_traces_that_begin_alike_are_listed_with_their_names(cli, store):
    kept = SqliteStore(store)
    kept.write([span._replace(trace_id="b1b1" + "2" * 28) for span in trace("b1", "other", T0)])
    kept.close()

    done = cli("show", "b1b1")

    assert done.code == 1
    assert "2 traces begin with 'b1b1'" in done.err
    assert "trace of fails" in done.err
    assert "trace of other" in done.err


@pytest.mark.parametrize(
    ("given", "hint"),
    [
        ("user-3", "Did you mean 'user-2' or 'user-1'?"),
        ("ffff", "`mirascope-ops sessions` and `mirascope-ops traces` list what there is."),
        ("a1", "at least 4 digits are needed"),
        ("\x1b[31m", r"has the id '\x1b[31m'"),
    ],
)
def test_what_is_not_there_is_a_failure_that_says_what_to_do(cli, given, hint):
    done = cli("show", given)

    assert (done.code, done.out) == (1, "")
    assert hint in done.err


def test_json_says_what_it_is_and_has_all_spans(cli):
    session, one, span = (json.loads(cli("show", given, "--json").out) for given in ("user-1", "b1b1", "b1b1b1b1f"))

    assert (session["type"], len(session["spans"]), len(session["entries"])) == ("session", 4, 2)
    assert (one["type"], one["trace"]["name"], len(one["spans"])) == ("trace", "fails", 2)
    assert span["type"] == "span"
    assert span["span"]["attributes"]["gen_ai.request.model"] == "gpt-4o-mini"
    assert span["span"]["start"] == "2026-09-21T14:13:21.002000000Z"


def test_markdown_is_for_a_language_model(cli):
    done = cli("show", "b1b1", "-f", "markdown")

    assert done.out.startswith("# Trace `fails`\n\n✕ error")


def test_html_is_a_page_that_stands_alone(cli):
    done = cli("show", "user-1", "--format", "html")

    assert done.out.startswith("<!doctype html>")
    assert done.out.rstrip().endswith("</html>") or "<script" in done.out


def test_a_session_whose_id_looks_like_a_trace_is_that_session(cli, store):
    kept = SqliteStore(store)
    kept.write([span._replace(session_id="b1b1") for span in trace("d1", "other", T0)])
    kept.close()

    assert cli("show", "b1b1").out.startswith("Session b1b1")
