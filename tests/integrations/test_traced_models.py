"""`@ops.trace` on, above and below what Mirascope's decorators make; a model on loopback."""

from __future__ import annotations

import gc
import inspect

import pydantic
import pytest
from mirascope import llm

from mirascope_ops import ops

MODEL = "openai/gpt-4o-mini:completions"


def test_a_tool_on_top_of_a_traced_function_is_traced_when_the_model_calls_it(llm_server, recorded):
    @llm.tool
    @ops.trace
    def get_weather(city: str) -> str:
        """The weather."""
        return f"Sunny in {city}"

    @ops.trace
    @llm.call(MODEL, tools=[get_weather])
    def ask(question: str):
        return question

    with ops.session(id="weather"):
        response = ask("How is the weather in Lisbon?")
        answer = response.resume(response.execute_tools())

    tool = next(span for span in recorded() if "get_weather" in span.name)
    assert answer.text() == "Sunny in Lisbon."
    assert (tool.session_id, tool.output) == ("weather", "Sunny in Lisbon")
    assert (get_weather.name, get_weather.description) == ("get_weather", "The weather.")


def test_a_traced_prompt_is_called_and_makes_messages(llm_server, recorded):
    @ops.trace
    @llm.prompt
    def ask(question: str):
        return question

    response = ask(MODEL, "Thanks!")

    (span,) = recorded()
    assert response.text() == "You are welcome."
    assert (span.kind, span.output) == ("llm", "You are welcome.")
    assert ask.messages("Thanks!")[0].role == "user"


def test_a_traced_prompt_streams_and_calls_with_a_span(llm_server, recorded):
    @ops.trace
    @llm.prompt
    def ask(question: str):
        return question

    assert ask.call(MODEL, "Thanks!").text() == "You are welcome."
    assert "".join(ask.stream(MODEL, "Thanks!").text_stream()).strip() == "You are welcome."
    assert "".join(ask.wrapped_stream(MODEL, "Thanks!").result.text_stream()).strip() == "You are welcome."
    assert [(span.kind, span.output.strip(), span.status) for span in recorded()] == [
        ("llm", "You are welcome.", "unset")
    ] * 3
    assert [span.ttft is not None for span in recorded()] == [False, True, True]


async def test_an_async_traced_prompt_streams_with_a_span(llm_server, recorded):
    @ops.version
    @llm.prompt
    async def ask(question: str):
        return question

    stream = await ask.stream(MODEL, "Thanks!")

    assert "".join([piece async for piece in stream.text_stream()]).strip() == "You are welcome."
    assert [(span.kind, span.output.strip()) for span in recorded()] == [("llm", "You are welcome.")]
    assert ask.version_info.version == "1.0"


def test_a_context_call_takes_its_context(llm_server, recorded):
    @ops.trace
    @llm.call(MODEL)
    def ask(ctx: llm.Context[str], question: str):
        return f"{question} {ctx.deps}"

    trace = ask.wrapped(llm.Context(deps="Thanks!"), "Ada:")

    (span,) = recorded()
    assert trace.result.text() == "You are welcome."
    assert (span.kind, span.output) == ("llm", "You are welcome.")


def test_a_stream_that_is_left_early_ends_its_span_with_what_was_read(llm_server, recorded):
    @ops.trace
    @llm.call(MODEL)
    def ask(question: str):
        return question

    trace = ask.wrapped_stream("Thanks!")
    first = next(iter(trace.result.text_stream()))
    open_before = [span.status for span in recorded()]
    gc.disable()  # the end must not wait for a collection
    try:
        del trace
        (span,) = recorded()
    finally:
        gc.enable()

    assert first.strip() == "You"
    assert open_before == ["open"]
    assert span.status != "open"
    assert span.output.startswith("You")


def test_the_traced_call_keeps_what_mirascopes_has(llm_server):
    @llm.call(MODEL)
    def ask(question: str):
        """Ask."""
        return question

    traced = ops.trace(ask)

    assert traced.default_model is ask.default_model
    assert traced.prompt is ask.prompt
    assert not inspect.iscoroutinefunction(traced)


def test_a_structured_answer_that_cannot_be_parsed_leaves_the_call_as_it_is(llm_server, recorded):
    class Book(pydantic.BaseModel):
        title: str

    @ops.trace
    @llm.call(MODEL, format=Book)
    def ask(question: str):
        return question

    response = ask("Thanks!")

    (span,) = recorded()
    assert span.kind == "llm"
    with pytest.raises(llm.ParseError):
        response.parse()
