"""A prompt is edited in a cell, and the trace of before runs again."""

from __future__ import annotations

import pytest

pytestmark = pytest.mark.slow

PROMPT = """
from mirascope_ops import ops

@ops.trace
def prompt(question: str) -> str:
    return f"Answer briefly: {question}"
"""


@pytest.fixture
def trace_of_before(kernel):
    """The first run, in cells of their own."""
    assert kernel.run(PROMPT).status == "ok"
    assert kernel.run("before = prompt.wrapped('When does the ferry leave?'); before.result").status == "ok"
    return kernel


def test_an_edited_prompt_runs_on_the_question_of_before_and_shows_the_difference(trace_of_before):
    edited = trace_of_before.run(PROMPT.replace("Answer briefly", "Answer with a source"))

    reply = trace_of_before.run("before.replay()")

    assert (edited.status, reply.status) == ("ok", "ok"), reply.traceback
    assert "- Answer briefly: When does the ferry leave?" in reply.result
    assert "+ Answer with a source: When does the ferry leave?" in reply.result
    assert "text/html" in next(output["data"] for output in reply.outputs if output["kind"] == "execute_result")


def test_the_trace_that_a_session_holds_runs_again_in_the_cell_s_session(trace_of_before):
    first = trace_of_before.run("%%ops_session lesson --quiet\nprompt('Why?');")
    second = trace_of_before.run("%%ops_session lesson-2 --quiet\nagain = ops.get_session('lesson').traces[0].replay()")
    told = trace_of_before.run("again.trace.session_id, again.arguments, again.diff.same")

    assert (first.status, second.status) == ("ok", "ok"), second.traceback
    assert told.result == "('lesson-2', {'question': 'Why?'}, True)"


def test_what_is_awaited_is_awaited_at_the_top_of_a_cell(trace_of_before):
    defined = trace_of_before.run(
        "@ops.trace\nasync def fetch(url: str) -> str:\n    return url\n\nfetched = await fetch.wrapped('a')"
    )
    pending = trace_of_before.run("fetched.replay()")
    reply = trace_of_before.run("(await fetched.replay(url='b')).result")

    assert (defined.status, pending.status, reply.status) == ("ok", "ok", "ok"), reply.traceback
    assert "await it" in pending.result
    assert reply.result == "'b'"


def test_an_argument_that_is_missing_is_said_in_the_cell(trace_of_before):
    reply = trace_of_before.run("before.replay(quesiton='Why?')")

    assert reply.error == "ReplayError: prompt has no parameter 'quesiton'; its parameters are question."
