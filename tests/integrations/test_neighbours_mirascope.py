"""Beside Mirascope's own `ops`: its instrumentation of model calls, its traces, spans and sessions; one run for all."""

from __future__ import annotations

import pytest

pytestmark = pytest.mark.slow

MODEL = "openai/gpt-4o-mini:completions"
PROGRAM = """
import asyncio

import pydantic
from mirascope import llm
from mirascope import ops as theirs

MODEL = "openai/gpt-4o-mini:completions"
ops.instrument_llm()
ops.instrument_llm()

class Book(pydantic.BaseModel):
    title: str

@ops.trace
@llm.call(MODEL)
def chat(question: str):
    return question

@ops.trace
@llm.call(MODEL)
async def chat_async(question: str):
    return question

@ops.trace
@llm.call(MODEL, format=Book)
def book(question: str):
    return question

@ops.trace
@llm.call("openai/boom-500:completions")
def boom(question: str):
    return question

with ops.session(id="call"):
    response = chat("Thanks!")
    told["call"] = response.text()
with ops.session(id="resume"):
    told["resume"] = response.resume("Hello!").text()
with ops.session(id="wrapped"):
    told["wrapped"] = chat.wrapped("Thanks!").result.text()
with ops.session(id="stream"):
    told["stream"] = "".join(chat.stream("Thanks!").text_stream()).strip()

async def in_a_loop():
    with ops.session(id="async"):
        told["async"] = (await chat_async("Thanks!")).text()
    with ops.session(id="stream-async"):
        stream = await chat_async.stream("Thanks!")
        told["stream-async"] = "".join([piece async for piece in stream.text_stream()]).strip()

asyncio.run(in_a_loop())
with ops.session(id="structured"):
    told["structured"] = book('Say: {"title": "Dune"}').parse().title
with ops.session(id="failed"):
    try:
        boom("Thanks!")
    except llm.ServerError as error:
        told["failed"] = str(error)
with ops.session(id="failed-stream"):
    try:
        list(boom.stream("Thanks!").text_stream())
    except llm.ServerError as error:
        told["failed-stream"] = str(error)

@theirs.trace
def inner(x):
    with theirs.span("deep") as span:
        span.set(depth=2)
        with ops.span("deepest"):
            return x + 1

@ops.trace
def outer(x):
    return inner(x)

with ops.session(id="theirs"):
    told["theirs"] = outer(1)
with ops.session(id="ours"), theirs.session(id="their own"):
    inner(1)
inner(1)

ops.uninstrument_llm()
ops.uninstrument_llm()
with ops.session(id="off"):
    chat("Thanks!")
"""


@pytest.fixture(scope="module")
def ran(run_beside):
    return run_beside(PROGRAM)


@pytest.mark.parametrize(
    ("session", "name"),
    [
        ("call", "chat"),
        ("wrapped", "chat"),
        ("stream", "chat"),
        ("async", "chat_async"),
        ("stream-async", "chat_async"),
    ],
)
def test_a_traced_call_has_the_models_span_below_it_and_counts_once(ran, session, name):
    outer, inner = ran.of(session)

    assert ran.told[session] == outer.output == "You are welcome."
    assert (outer.name, outer.parent, outer.kind, outer.scope) == (name, None, "chain", "mirascope_ops")
    assert (inner.parent, inner.kind, inner.scope) == (name, "llm", "mirascope.llm")
    assert (inner.model, inner.provider, inner.tokens) == (MODEL, "openai", [5, 3])
    assert "You are welcome." in inner.output
    assert (ran.totals[session].calls, ran.totals[session].tokens) == (1, [5, 3])


def test_a_streams_outer_span_knows_when_the_first_chunk_came(ran):
    assert all(ran.of(session)[0].ttft > 0 for session in ("stream", "stream-async"))


def test_a_resumed_answer_counts_once(ran):
    outer, inner = ran.of("resume")

    assert ran.told["resume"] == "Hello! How can I help you?"
    assert (outer.kind, inner.kind, inner.parent) == ("chain", "llm", outer.name)
    assert (ran.totals["resume"].calls, ran.totals["resume"].tokens) == (1, [17, 6])


def test_a_structured_answer_is_parsed_and_counts_once(ran):
    outer, inner = ran.of("structured")

    assert ran.told["structured"] == "Dune"
    assert (outer.name, outer.kind, inner.kind, inner.parent) == ("book", "chain", "llm", "book")
    assert ran.totals["structured"].calls == 1


@pytest.mark.parametrize("session", ["failed", "failed-stream"])
def test_a_failed_call_is_an_error_on_both_spans(ran, session):
    outer, inner = ran.of(session)

    assert "as it was asked to" in ran.told[session]
    assert (outer.name, outer.status) == ("boom", "error")
    assert (inner.parent, inner.kind, inner.status) == ("boom", "llm", "error")
    assert inner.error.rpartition(".")[2] == "ServerError"


def test_mirascopes_own_traces_and_spans_are_in_the_session_and_nest_both_ways(ran):
    assert ran.told["theirs"] == 2
    assert ran.tree("theirs") == [("outer", None), ("inner", "outer"), ("deep", "inner"), ("deepest", "deep")]
    assert [span.scope for span in ran.of("theirs")] == [
        "mirascope_ops", "mirascope.ops", "mirascope.ops", "mirascope_ops",
    ]  # fmt: skip
    assert (ran.of("theirs")[1].input, ran.of("theirs")[1].output) == ('{"x":1}', "2")


def test_outside_of_sessions_they_are_in_none(ran):
    assert ran.tree(None) == [("inner", None), ("deep", "inner"), ("deepest", "deep")]


def test_a_session_of_theirs_inside_one_of_ours_takes_no_span_out_of_it(ran):
    assert ran.tree("ours") == [("inner", None), ("deep", "inner"), ("deepest", "deep")]


def test_switched_off_it_is_off(ran):
    (call,) = ran.of("off")

    assert (call.name, call.kind) == ("chat", "llm")
