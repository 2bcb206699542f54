"""The pretend model speaks both of OpenAI's APIs well enough for the real client."""

from __future__ import annotations

import json
import socket
import struct
import threading

import openai
import pytest
from loopback_model import LoopbackModel

CHAT_TOOL = {
    "type": "function",
    "function": {"name": "get_weather", "parameters": {"type": "object", "properties": {"city": {"type": "string"}}}},
}
RESPONSES_TOOL = {"type": "function", "strict": False, **CHAT_TOOL["function"]}
QUESTION = [{"role": "user", "content": "How is the weather in Lisbon?"}]


@pytest.fixture
def client(llm_server):
    with openai.OpenAI() as client:
        yield client


def test_chat_answers_and_counts_tokens(client):
    completion = client.chat.completions.create(
        model="gpt-4o-mini",
        messages=[
            {"role": "user", "content": "Hello, my name is Ada"},
            {"role": "assistant", "content": "Hello!"},
            {"role": "user", "content": "What is my name?"},
        ],
    )

    assert completion.choices[0].message.content == "Your name is Ada."
    assert completion.choices[0].finish_reason == "stop"
    assert completion.usage.prompt_tokens == 22
    assert completion.usage.prompt_tokens_details.cached_tokens == 14
    assert completion.usage.completion_tokens == 4


def test_chat_asks_for_a_tool_and_repeats_what_it_said(client):
    first = client.chat.completions.create(model="gpt-4o-mini", messages=QUESTION, tools=[CHAT_TOOL])

    call = first.choices[0].message.tool_calls[0]
    result = {"role": "tool", "tool_call_id": call.id, "content": "Sunny in Lisbon, 21 degrees"}
    messages = [*QUESTION, first.choices[0].message, result]
    second = client.chat.completions.create(model="gpt-4o-mini", messages=messages, tools=[CHAT_TOOL])

    assert first.choices[0].finish_reason == "tool_calls"
    assert (call.function.name, json.loads(call.function.arguments)) == ("get_weather", {"city": "Lisbon"})
    assert second.choices[0].message.content == "Sunny in Lisbon, 21 degrees."


def test_chat_streams_words_then_usage(client):
    with client.chat.completions.create(
        model="gpt-4o-mini",
        messages=[{"role": "user", "content": "Thanks!"}],
        stream=True,
        stream_options={"include_usage": True},
    ) as stream:
        chunks = list(stream)

    assert [c.choices[0].delta.content for c in chunks if c.choices] == ["", "You ", "are ", "welcome.", None]
    assert chunks[-1].usage.completion_tokens == 3


def test_responses_stream_adds_up_to_the_answer(client):
    with client.responses.create(model="gpt-4o-mini", input="What is the capital of France?", stream=True) as stream:
        events = list(stream)

    deltas = [event.delta for event in events if event.type == "response.output_text.delta"]
    assert "".join(deltas) == "The capital of France is Paris."
    assert events[-1].response.output_text == "The capital of France is Paris."
    assert events[-1].response.usage.output_tokens == len(deltas)
    assert [event.sequence_number for event in events] == list(range(len(events)))


def test_responses_ask_for_a_tool_and_repeat_what_it_said(client):
    first = client.responses.create(model="gpt-4o-mini", input=QUESTION, tools=[RESPONSES_TOOL])

    call = first.output[0]
    output = {"type": "function_call_output", "call_id": call.call_id, "output": "Rain in Lisbon"}
    second = client.responses.create(model="gpt-4o-mini", input=[*QUESTION, call.model_dump(), output])

    assert (call.name, json.loads(call.arguments)) == ("get_weather", {"city": "Lisbon"})
    assert second.output_text == "Rain in Lisbon."


@pytest.mark.parametrize(
    ("model", "error"), [("boom-500", openai.InternalServerError), ("limit-429", openai.RateLimitError)]
)
def test_models_that_fail_fail_once(client, llm_server, model, error):
    with pytest.raises(error, match="as it was asked to"):
        client.chat.completions.create(model=model, messages=QUESTION)

    assert len(llm_server.requests) == 1


def test_a_client_that_hangs_up_in_the_middle_of_a_stream_is_no_error(capfd):
    body = json.dumps({"model": "gpt-4o-mini", "messages": QUESTION, "stream": True})
    others = set(threading.enumerate())  # of the model of other tests, whose clients keep their connections
    with LoopbackModel(token_delay=0.01) as model:
        port = int(model.base_url.rpartition(":")[2].partition("/")[0])
        with socket.create_connection(("127.0.0.1", port), timeout=120) as client:
            request = f"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-length: {len(body)}\r\n\r\n{body}"
            client.sendall(request.encode())
            assert client.recv(64).startswith(b"HTTP/1.1 200")
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # gone without a word
        for thread in set(threading.enumerate()) - others:
            if "process_request" in thread.name:
                thread.join(timeout=120)

        with openai.OpenAI(base_url=model.base_url, api_key="unused") as other:
            assert other.chat.completions.create(model="gpt-4o-mini", messages=QUESTION).choices

    assert capfd.readouterr().err == ""


def test_a_fault_of_the_model_itself_is_told(capfd):
    with (
        LoopbackModel() as model,
        openai.OpenAI(base_url=model.base_url, api_key="unused", max_retries=0) as client,
        pytest.raises(openai.APIConnectionError),
    ):
        client.post("/chat/completions", cast_to=object, body={"model": "gpt-4o-mini"})

    assert "KeyError: 'messages'" in capfd.readouterr().err
