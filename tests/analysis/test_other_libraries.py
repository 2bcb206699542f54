"""Spans of libraries of which there is no capture, with the attributes that their documents name."""

from __future__ import annotations

import json

import pytest
from analysis_build import MS, T0, record

from mirascope_ops.analysis.messages import messages_of
from mirascope_ops.analysis.normalise import normalise
from mirascope_ops.analysis.stats import totals
from mirascope_ops.store.records import EventRecord

ASKED = [{"role": "user", "content": "Hi"}]
ANSWER = [{"role": "assistant", "content": "Hello"}]
TEXTS = ["Hi", "Hello"]


def parts(role, text):
    return json.dumps([{"role": role, "parts": [{"type": "text", "content": text}]}])


LIBRARIES = {
    "pydantic_ai": (
        {
            "gen_ai.operation.name": "chat",
            "gen_ai.system": "openai",
            "gen_ai.request.model": "m",
            "events": json.dumps(
                [
                    {"event.name": "gen_ai.user.message", "content": "Hi", "role": "user"},
                    {"event.name": "gen_ai.choice", "index": 0, "message": ANSWER[0]},
                ]
            ),
            "gen_ai.usage.input_tokens": 9,
            "gen_ai.usage.output_tokens": 2,
            "operation.cost": 0.5,
        },
        ("llm", "m", 9, 2, 0.5),
    ),
    "langsmith": (
        {
            "langsmith.span.kind": "llm",
            "langsmith.metadata.thread_id": "s",
            "langsmith.trace.session_id": "the project",
            "gen_ai.request.model": "m",
            "gen_ai.prompt": json.dumps({"messages": ASKED}),
            "gen_ai.completion": json.dumps({"choices": [{"message": ANSWER[0]}]}),
            "gen_ai.usage.input_tokens": 9,
            "gen_ai.usage.output_tokens": 2,
        },
        ("llm", "m", 9, 2, None),
    ),
    "braintrust": (
        {
            "braintrust.span_attributes": '{"type": "llm"}',
            "braintrust.input_json": json.dumps(ASKED),
            "braintrust.output_json": json.dumps(ANSWER),
            "braintrust.metadata": '{"provider": "openai", "model": "m"}',
            "braintrust.metrics": '{"prompt_tokens": 9, "completion_tokens": 2, "time_to_first_token": 0.25}',
        },
        ("llm", "m", 9, 2, None),
    ),
    "laminar": (
        {
            "lmnr.span.type": "LLM",
            "lmnr.association.properties.session_id": "s",
            "lmnr.span.input": json.dumps(ASKED),
            "lmnr.span.output": json.dumps(ANSWER),
            "gen_ai.request.model": "m",
            "gen_ai.usage.input_tokens": 9,
            "gen_ai.usage.output_tokens": 2,
        },
        ("llm", "m", 9, 2, None),
    ),
    "genkit": (
        {
            "genkit:type": "action",
            "genkit:metadata:subtype": "model",
            "genkit:sessionId": "s",
            "genkit:input": json.dumps({"messages": [{"role": "user", "content": [{"text": "Hi"}]}]}),
            "genkit:output": json.dumps(
                {
                    "message": {"role": "model", "content": [{"text": "Hello"}]},
                    "usage": {"inputTokens": 9, "outputTokens": 2},
                }
            ),
        },
        ("llm", None, 9, 2, None),
    ),
    "litellm": (
        {
            "llm.request.type": "completion",
            "gen_ai.request.model": "m",
            "gen_ai.prompt.0.role": "user",
            "gen_ai.prompt.0.content": "Hi",
            "gen_ai.completion.0.role": "assistant",
            "gen_ai.completion.0.content": "Hello",
            "gen_ai.usage.prompt_tokens": 9,
            "gen_ai.usage.completion_tokens": 2,
            "gen_ai.cost.total_cost": 0.5,
            "gen_ai.cost.input_cost": 0.25,
        },
        ("llm", "m", 9, 2, 0.5),
    ),
    "adk": (
        {
            "gen_ai.system": "gcp.vertex.agent",
            "gen_ai.request.model": "m",
            "gcp.vertex.agent.session_id": "s",
            "gcp.vertex.agent.llm_request": json.dumps({"contents": [{"role": "user", "parts": [{"text": "Hi"}]}]}),
            "gcp.vertex.agent.llm_response": json.dumps(
                {
                    "content": {"role": "model", "parts": [{"text": "Hello"}]},
                    "usage_metadata": {"prompt_token_count": 9, "candidates_token_count": 2},
                }
            ),
        },
        ("llm", "m", 9, 2, None),
    ),
    "semantic_kernel": (
        {
            "gen_ai.operation.name": "chat.completions",
            "gen_ai.request.model": "m",
            "gen_ai.input.messages": parts("user", "Hi"),
            "gen_ai.output.messages": parts("assistant", "Hello"),
            "gen_ai.usage.input_tokens": 9,
            "gen_ai.usage.output_tokens": 2,
        },
        ("llm", "m", 9, 2, None),
    ),
    "logfire_openai": (
        {
            "request_data": json.dumps({"model": "m", "messages": ASKED}),
            "response_data": json.dumps({"message": ANSWER[0], "usage": {"prompt_tokens": 9, "completion_tokens": 2}}),
            "gen_ai.system": "openai",
            "gen_ai.request.model": "m",
        },
        ("llm", "m", 9, 2, None),
    ),
}


@pytest.mark.parametrize("library", LIBRARIES)
def test_a_model_call_is_read(library):
    attributes, expected = LIBRARIES[library]

    found = normalise([record(attributes=attributes)])[0]

    assert (found.kind, found.model, found.input_tokens, found.output_tokens, found.cost) == expected
    assert [message.content for message in messages_of(found)] == TEXTS
    assert found.attributes == attributes


@pytest.mark.parametrize("library", ["langsmith", "laminar", "genkit", "adk"])
def test_a_session_is_found(library):
    assert normalise([record(attributes=LIBRARIES[library][0])])[0].session_id == "s"


@pytest.mark.parametrize(
    ("sent", "answered"),
    [
        (
            EventRecord("gen_ai.content.prompt", T0, {"gen_ai.prompt": json.dumps(ASKED)}),
            EventRecord("gen_ai.content.completion", T0, {"gen_ai.completion": json.dumps(ANSWER)}),
        ),
        (
            EventRecord(
                "gen_ai.client.inference.operation.details",
                T0,
                {"gen_ai.input.messages": parts("user", "Hi"), "gen_ai.output.messages": parts("assistant", "Hello")},
            ),
            EventRecord("more", T0, {}),
        ),
        (
            EventRecord("gen_ai.user.message", T0, {"content": '[{"text": "Hi"}]'}),
            EventRecord("gen_ai.choice", T0, {"message": '[{"text": "Hello"}]', "finish_reason": "end_turn"}),
        ),
    ],
    ids=["openlit", "details", "strands"],
)
def test_messages_are_found_in_events(sent, answered):
    found = normalise([record(attributes={"gen_ai.operation.name": "chat"}, events=[sent, answered])])[0]

    assert [message.content for message in messages_of(found)] == TEXTS


@pytest.mark.parametrize(
    ("attributes", "kind", "output"),
    [
        ({"gen_ai.operation.name": "execute_tool", "gen_ai.tool.call.result": "18"}, "tool", "18"),
        ({"sentry.op": "gen_ai.execute_tool", "gen_ai.tool.output": "18"}, "tool", "18"),
        ({"genkit:metadata:subtype": "retriever", "genkit:output": "[]"}, "retriever", "[]"),
        ({"lmnr.span.type": "TOOL", "lmnr.span.output": '"18"'}, "tool", "18"),
        ({"gen_ai.operation.name": "invoke_agent", "final_result": "done"}, "agent", "done"),
        ({"haystack.component.name": "llm", "haystack.component.output": "{}"}, "other", "{}"),
    ],
)
def test_what_surrounds_model_calls_is_read(attributes, kind, output):
    found = normalise([record(attributes=attributes)])[0]

    assert (found.kind, found.output) == (kind, output)


def test_an_agent_that_repeats_its_calls_usage_adds_nothing():
    call = LIBRARIES["pydantic_ai"][0]
    agent = {"gen_ai.operation.name": "invoke_agent", "gen_ai.usage.input_tokens": 9, "gen_ai.usage.output_tokens": 2}

    found = totals(normalise([record("agent", attributes=agent), record("call", parent="agent", attributes=call)]))

    assert (found.input_tokens, found.output_tokens, found.llm_calls) == (9, 2, 1)


def test_a_time_to_first_token_among_metrics_is_seconds():
    assert normalise([record(attributes=LIBRARIES["braintrust"][0])])[0].ttft == 250 * MS


@pytest.mark.parametrize(
    ("use", "result"),
    [
        (
            {"toolUse": {"toolUseId": "1", "name": "weather", "input": {"city": "Paris"}}},
            {"toolResult": {"toolUseId": "1", "content": [{"text": "18"}]}},
        ),
        (
            {"toolRequest": {"ref": "1", "name": "weather", "input": {"city": "Paris"}}},
            {"toolResponse": {"ref": "1", "name": "weather", "output": "18"}},
        ),
    ],
    ids=["bedrock", "genkit"],
)
def test_tool_calls_and_their_results_are_read(use, result):
    attributes = {
        "gen_ai.operation.name": "chat",
        "gen_ai.input.messages": json.dumps([{"role": "user", "content": [result]}]),
        "gen_ai.output.messages": json.dumps([{"role": "assistant", "content": [use]}]),
    }

    told, asked = messages_of(normalise([record(attributes=attributes)])[0])

    assert (told.role, told.content, told.tool_call_id) == ("tool", "18", "1")
    assert [(call.name, call.arguments, call.id) for call in asked.tool_calls] == [("weather", '{"city":"Paris"}', "1")]
