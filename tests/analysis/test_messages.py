from __future__ import annotations

import json

import pytest
from analysis_build import T0, llm, record

from mirascope_ops.analysis.messages import message_split, messages_of
from mirascope_ops.analysis.normalise import normalise
from mirascope_ops.analysis.rows import Message, ToolCall
from mirascope_ops.store.records import EventRecord


def split(attributes, **fields):
    return message_split(normalise([llm(attributes=attributes, **fields)])[0])


def of(attributes, **fields):
    return messages_of(normalise([llm(attributes=attributes, **fields)])[0])


WEATHER = ToolCall("weather", '{"city":"Paris"}', "c1")


def test_a_span_without_messages_has_none():
    assert messages_of(normalise([record(attributes={"input.value": "[]"})])[0]) == []


def test_a_request_and_a_response_of_a_chat_api_are_read():
    request = {
        "model": "m",
        "messages": [
            {"role": "developer", "content": "Be brief."},
            {"role": "user", "content": [{"type": "text", "text": "Look"}, {"type": "image_url", "image_url": {}}]},
            {"role": "assistant", "content": None, "tool_calls": [_openai_call()]},
            {"role": "tool", "tool_call_id": "c1", "content": '{"temp": 18}'},
        ],
    }
    response = {"choices": [{"index": 0, "message": {"role": "assistant", "content": "18 degrees"}}]}

    sent, answered = split({"input.value": json.dumps(request), "output.value": json.dumps(response)})

    assert sent == [
        Message("system", "Be brief."),
        Message("user", "Look\n[image_url]"),
        Message("assistant", "", (WEATHER,)),
        Message("tool", '{"temp": 18}', (), "c1"),
    ]
    assert answered == [Message("assistant", "18 degrees")]


def _openai_call():
    return {"id": "c1", "type": "function", "function": {"name": "weather", "arguments": '{"city":"Paris"}'}}


def test_a_responses_api_call_is_read():
    request = {"instructions": "Be brief.", "input": "Weather?"}
    response = {
        "output": [
            {"type": "reasoning", "summary": []},
            {"type": "function_call", "call_id": "c1", "name": "weather", "arguments": '{"city":"Paris"}'},
            {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "Soon."}]},
        ]
    }

    sent, answered = split({"mlflow.spanInputs": json.dumps(request), "mlflow.spanOutputs": json.dumps(response)})

    assert sent == [Message("system", "Be brief."), Message("user", "Weather?")]
    assert [message.tool_calls for message in answered] == [(WEATHER,), ()]
    assert answered[-1].content == "Soon."


@pytest.mark.parametrize(
    "message",
    [
        {
            "role": "assistant",
            "content": [{"type": "tool_use", "id": "c1", "name": "weather", "input": {"city": "Paris"}}],
        },
        {
            "role": "assistant",
            "parts": [{"type": "tool_call", "id": "c1", "name": "weather", "arguments": {"city": "Paris"}}],
        },
        {
            "role": "assistant",
            "content": [{"type": "tool_call", "id": "c1", "name": "weather", "args": '{"city":"Paris"}'}],
        },
        {
            "role": "assistant",
            "content": [{"type": "tool-call", "toolCallId": "c1", "toolName": "weather", "input": {"city": "Paris"}}],
        },
        {"role": "assistant", "content": None, "tool_calls": [_openai_call()]},
    ],
)
def test_tool_calls_are_read_in_every_shape(message):
    assert of({"gen_ai.output.messages": json.dumps([message])}) == [Message("assistant", "", (WEATHER,))]


@pytest.mark.parametrize(
    "message",
    [
        {
            "role": "user",
            "content": [{"type": "tool_result", "tool_use_id": "c1", "content": [{"type": "text", "text": "18"}]}],
        },
        {"role": "tool", "parts": [{"type": "tool_call_response", "id": "c1", "response": "18"}]},
        {
            "role": "user",
            "content": [{"type": "tool_output", "id": "c1", "name": "weather", "result": "18", "error": None}],
        },
        {
            "role": "tool",
            "content": [{"type": "tool-result", "toolCallId": "c1", "output": {"type": "text", "value": "18"}}],
        },
        {"role": "tool", "tool_call_id": "c1", "content": "18"},
    ],
)
def test_tool_results_are_messages_of_their_own_in_every_shape(message):
    assert of({"gen_ai.input.messages": json.dumps([message])}) == [Message("tool", "18", (), "c1")]


def test_gemini_contents_are_read():
    request = {"config": {"system_instruction": "Be brief."}, "contents": [{"role": "user", "parts": [{"text": "Hi"}]}]}
    response = {"content": {"role": "model", "parts": [{"text": "Hello"}]}}

    found = of(
        {"gcp.vertex.agent.llm_request": json.dumps(request), "gcp.vertex.agent.llm_response": json.dumps(response)}
    )

    assert [(m.role, m.content) for m in found] == [("system", "Be brief."), ("user", "Hi"), ("assistant", "Hello")]


def test_indexed_keys_with_gaps_and_parts_are_read():
    found = of(
        {
            "llm.input_messages.0.message.role": "user",
            "llm.input_messages.0.message.contents.0.message_content.type": "text",
            "llm.input_messages.0.message.contents.0.message_content.text": "Look",
            "llm.input_messages.4.message.content": "index gap",
            "gen_ai.completion.0.role": "assistant",
            "gen_ai.completion.0.content": "Seen",
        }
    )

    assert [(m.role, m.content) for m in found] == [("user", "Look"), ("user", "index gap"), ("assistant", "Seen")]


def test_messages_in_events_are_read():
    events = [
        EventRecord("gen_ai.system.message", T0, {"content": "Be brief."}),
        EventRecord("gen_ai.user.message", T0, {"content": "from event"}),
        EventRecord("gen_ai.choice", T0, {"message": '{"role": "assistant", "content": "event answer"}'}),
    ]

    found = of({}, events=events)

    assert [(m.role, m.content) for m in found] == [
        ("system", "Be brief."),
        ("user", "from event"),
        ("assistant", "event answer"),
    ]


def test_mirascope_messages_with_the_answer_among_them_are_not_told_twice():
    said = {"role": "user", "content": [{"type": "text", "text": "Hi"}]}
    answer = {"role": "assistant", "content": [{"type": "thought", "thought": "hm"}, {"type": "text", "text": "Hello"}]}

    sent, answered = split(
        {
            "mirascope.response.messages": json.dumps([said, answer]),
            "mirascope.response.content": json.dumps(answer["content"]),
        }
    )

    assert sent == [Message("user", "Hi")]
    assert answered == [Message("assistant", "Hello")]


@pytest.mark.parametrize(
    "said",
    ['{"answer": 42}', "[1, 2]", '[{"role": "user", "parts": [{"type": "te', "not json at all", "true", '"quoted"'],
)
def test_text_that_is_no_message_stays_as_it_was_written(said):
    assert of({"gen_ai.output.messages": said}) == [Message("assistant", said)]
    assert of({"gen_ai.input.messages": json.dumps([{"role": "user", "content": said}])}) == [Message("user", said)]


def test_odd_shapes_give_what_text_they_have():
    odd = [None, 1, "s", {"role": None, "parts": None}, {"parts": [{"type": "image", "content": None}, "bare"]}]

    assert [m.content for m in of({"gen_ai.output.messages": json.dumps(odd)})] == ["1", "s", "[image]\nbare"]


def test_nesting_without_end_does_not_exhaust_the_stack():
    deep = "[" * 900 + "]" * 900
    wrapped = {"message": None}
    for _ in range(300):
        wrapped = {"message": wrapped}

    assert isinstance(of({"gen_ai.output.messages": deep}), list)
    assert of({"gen_ai.output.messages": json.dumps(wrapped)}) == []
