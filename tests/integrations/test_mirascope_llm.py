"""`mirascope_ops.llm`: Mirascope's, with chat dictionaries, traced; the real OpenAI client, a model on loopback."""

from __future__ import annotations

import inspect
import json
import re

import pytest
from mirascope import llm as theirs
from mirascope.llm.providers.openai.completions.provider import OpenAICompletionsProvider

from mirascope_ops import OpsError, llm, ops
from mirascope_ops.integrations.mirascope_llm import ChatMessageError, chat_messages

MODEL = "openai/gpt-4o-mini:completions"
CALL = {"id": "call_1", "type": "function", "function": {"name": "get_weather", "arguments": '{"city": "Rome"}'}}


def texts(message):
    """A Mirascope message's parts, as text."""
    content = message.content if isinstance(message.content, list | tuple) else [message.content]
    return [getattr(part, "text", part) for part in content]


@pytest.fixture
async def async_model(llm_server):
    """A model of this event loop's own: Mirascope keeps its clients for good, and loops end with their tests."""
    provider = OpenAICompletionsProvider()
    theirs.register_provider(provider, scope="openai/async-")
    yield "openai/async-mini:completions"
    await provider.async_client.close()
    provider.client.close()


# -- chat dictionaries ------------------------------------------------------------------------------------


def test_every_role_becomes_a_message_of_mirascope():
    messages = chat_messages(
        [
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": "Hello!"},
            {"role": "assistant", "content": "Hi."},
        ]
    )

    assert [message.role for message in messages] == ["system", "user", "assistant"]
    assert [texts(message) for message in messages] == [["Be brief."], ["Hello!"], ["Hi."]]


def test_a_developer_speaks_for_the_system():
    (message,) = chat_messages([{"role": "developer", "content": "Be brief."}])

    assert message.role == "system"


@pytest.mark.parametrize(
    "content",
    [
        [{"type": "text", "text": "one"}, {"type": "text", "text": "two"}],
        [{"type": "input_text", "text": "one"}, {"type": "output_text", "text": "two"}],
        ("one", "two"),
    ],
)
def test_parts_of_text_stay_parts(content):
    (message,) = chat_messages([{"role": "user", "content": content}])

    assert texts(message) == ["one", "two"]


def test_parts_of_text_in_a_system_message_are_joined():
    content = [{"type": "text", "text": "Be "}, {"type": "text", "text": "brief."}]

    (message,) = chat_messages([{"role": "system", "content": content}])

    assert texts(message) == ["Be brief."]


def test_an_image_is_an_image():
    part = {"type": "image_url", "image_url": {"url": "https://example.com/cat.png"}}

    (message,) = chat_messages([{"role": "user", "content": [{"type": "text", "text": "What is it?"}, part]}])

    assert isinstance(message.content[1], theirs.Image)
    assert message.content[1].source.url == "https://example.com/cat.png"


def test_an_image_may_stand_in_the_url_itself():
    url = "data:image/png;base64,iVBORw0KGgo="

    (message,) = chat_messages([{"role": "user", "content": [{"type": "image_url", "image_url": {"url": url}}]}])

    assert isinstance(message.content[0], theirs.Image)


def test_calls_of_tools_and_their_results():
    messages = chat_messages(
        [
            {"role": "user", "content": "Weather?"},
            {"role": "assistant", "content": None, "tool_calls": [CALL, {**CALL, "id": "call_2"}]},
            {"role": "tool", "tool_call_id": "call_1", "content": "Sunny"},
            {"role": "tool", "tool_call_id": "call_2", "content": [{"type": "text", "text": "Rain"}]},
            {"role": "user", "content": "Thanks!"},
        ]
    )

    assert [message.role for message in messages] == ["user", "assistant", "user", "user"]
    assert [(call.id, call.name, json.loads(call.args)) for call in messages[1].content] == [
        ("call_1", "get_weather", {"city": "Rome"}),
        ("call_2", "get_weather", {"city": "Rome"}),
    ]
    assert [(output.id, output.name, output.result) for output in messages[2].content] == [
        ("call_1", "get_weather", "Sunny"),
        ("call_2", "get_weather", "Rain"),
    ]
    assert texts(messages[3]) == ["Thanks!"]


def test_arguments_of_a_tool_may_be_an_object():
    call = {**CALL, "function": {"name": "get_weather", "arguments": {"city": "Rome"}}}

    (message,) = chat_messages([{"role": "assistant", "tool_calls": [call]}])

    assert json.loads(message.content[0].args) == {"city": "Rome"}


def test_messages_of_mirascope_stay_as_they_are():
    message = theirs.messages.user("Hello!")

    assert chat_messages([message, {"role": "user", "content": "And?"}])[0] is message


def test_what_is_given_is_not_changed():
    given = [
        {"role": "assistant", "content": None, "tool_calls": [CALL]},
        {"role": "tool", "tool_call_id": "call_1", "content": "Sunny"},
        {"role": "tool", "tool_call_id": "call_1", "content": "Sunny"},
    ]
    before = json.dumps(given)

    chat_messages(given)

    assert json.dumps(given) == before


@pytest.mark.parametrize(
    ("message", "problem"),
    [
        ({"role": "wizard", "content": "Abracadabra"}, "wizard"),
        ({"content": "no role"}, "role"),
        ({"role": None, "content": "x"}, "None"),
        ({"role": "user"}, "content"),
        ({"role": "user", "content": None}, "content"),
        ({"role": "user", "content": 5}, "int"),
        ({"role": "user", "content": {"text": "x"}}, "dict"),
        ({"role": "user", "content": [{"type": "video", "url": "x"}]}, "video"),
        ({"role": "user", "content": [{"type": "text"}]}, "text"),
        ({"role": "user", "content": [{"type": "image_url", "image_url": "not an object"}]}, "image_url"),
        ({"role": "tool", "content": "no call"}, "tool_call_id"),
        ({"role": "assistant", "tool_calls": [{"id": "x"}]}, "function"),
        ({"role": "assistant", "tool_calls": [{"id": "x", "function": {"name": "f"}}]}, "arguments"),
        ({"role": "assistant", "tool_calls": 5}, "tool_calls"),
        ({"role": "assistant", "tool_calls": ["x"]}, "tool_calls"),
    ],
)
def test_a_dictionary_that_is_no_message_is_refused_and_the_place_is_named(message, problem):
    with pytest.raises(ChatMessageError) as refused:
        chat_messages([{"role": "user", "content": "fine"}, message])

    assert "Message 1" in str(refused.value)
    assert problem in str(refused.value)
    assert isinstance(refused.value, OpsError | ValueError)


# -- calls ------------------------------------------------------------------------------------------------


def sent(llm_server):
    """The messages of the last request: role and text."""
    body = llm_server.requests[-1]
    return [(message["role"], message["content"]) for message in body.get("input") or body["messages"]]


def test_everything_else_is_mirascopes_own():
    assert llm.Model is theirs.Model
    assert llm.messages is theirs.messages
    assert llm.tool is theirs.tool
    assert {"call", "prompt", "Model", "tool"} <= set(dir(llm))
    with pytest.raises(AttributeError):
        _ = llm.no_such_name


@pytest.mark.parametrize("model", ["openai/gpt-4o-mini", MODEL])
def test_a_call_takes_chat_dictionaries_with_their_history(llm_server, model):
    @llm.call(model)
    def chat(question: str):
        return [
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": "My name: my name is Ada"},
            {"role": "assistant", "content": "Hello, Ada!"},
            {"role": "user", "content": question},
        ]

    response = chat("What is my name?")

    assert response.text() == "Your name is Ada."
    said = sent(llm_server)
    assert [role.replace("developer", "system") for role, _ in said] == ["system", "user", "assistant", "user"]
    assert said[-1] == ("user", "What is my name?")
    assert "Hello, Ada!" in json.dumps(said[2])


@pytest.mark.parametrize(
    "prompt",
    [
        "Hello!",
        ["Hello!"],
        [theirs.messages.user("Hello!")],
        [{"role": "user", "content": "Hello!"}],
        ({"role": "user", "content": "Hello!"},),
    ],
    ids=lambda prompt: type(prompt).__name__,
)
def test_a_call_takes_all_that_mirascopes_takes_too(llm_server, prompt):
    @llm.call(MODEL)
    def chat():
        return prompt

    assert chat().text() == "Hello! How can I help you?"
    assert sent(llm_server) == [("user", "Hello!")]


async def test_a_coroutine_function_takes_chat_dictionaries(async_model):
    @llm.call(async_model)
    async def chat(question: str):
        return [{"role": "user", "content": question}]

    assert (await chat("Hello!")).text() == "Hello! How can I help you?"


def test_a_call_streams(llm_server):
    @llm.call(MODEL)
    def chat(question: str):
        return [{"role": "user", "content": question}]

    stream = chat.stream("Thanks!")

    assert "".join(stream.text_stream()).strip() == "You are welcome."


def test_a_prompt_takes_chat_dictionaries(llm_server):
    @llm.prompt
    def bare(question: str):
        return [{"role": "user", "content": question}]

    @llm.prompt()
    def with_brackets(question: str):
        return [{"role": "user", "content": question}]

    assert bare("openai/gpt-4o-mini", "Hello!").text() == "Hello! How can I help you?"
    assert with_brackets("openai/gpt-4o-mini", "Thanks!").text() == "You are welcome."


def test_a_call_uses_tools(llm_server, recorded):
    @llm.tool
    def get_weather(city: str) -> str:
        """The weather."""
        return f"Sunny in {city}"

    @ops.trace
    @llm.call(MODEL, tools=[get_weather])
    def ask(question: str):
        return [{"role": "user", "content": question}]

    with ops.session(id="weather"):
        response = ask("How is the weather in Lisbon?")
        outputs = response.execute_tools()
        answer = response.resume(outputs)

    assert [call.name for call in response.tool_calls] == ["get_weather"]
    assert answer.text() == "Sunny in Lisbon."


def test_a_call_that_is_refused_says_which_message(llm_server):
    @llm.call(MODEL)
    def chat():
        return [{"role": "wizard", "content": "Abracadabra"}]

    with pytest.raises(ChatMessageError, match=r"Message 0 .*wizard"):
        chat()

    assert llm_server.requests == []


def test_the_function_keeps_its_name_and_signature():
    @llm.call(MODEL)
    def chat(question: str, *, loud: bool = False) -> list:
        """Ask."""
        return [{"role": "user", "content": question}]

    assert chat.prompt.fn.__name__ == "chat"
    assert chat.prompt.fn.__doc__ == "Ask."
    assert list(inspect.signature(chat.prompt.fn).parameters) == ["question", "loud"]


# -- traced -------------------------------------------------------------------------------------------------


@pytest.fixture
def chat():
    @ops.trace(tags=["demo"])
    @llm.call(MODEL)
    def chat(question: str):
        return [{"role": "system", "content": "Be brief."}, {"role": "user", "content": question}]

    return chat


def test_a_traced_call_is_a_call_of_a_model(llm_server, chat, recorded):
    trace = chat.wrapped("Hello!")

    (span,) = recorded()
    assert trace.result.text() == "Hello! How can I help you?"
    assert (span.name, span.kind, span.provider) == ("chat", "llm", "openai")
    assert (span.input_tokens, span.output_tokens) == (11, 6)
    assert "gpt-4o-mini" in span.model
    assert span.output == "Hello! How can I help you?"
    assert span.tags == ("demo",)


def test_a_traced_call_reads_back_as_messages(llm_server, chat, recorded):
    chat("Hello!")

    messages = recorded().messages()
    assert list(messages["role"]) == ["system", "user", "assistant"]
    assert list(messages["content"]) == ["Be brief.", "Hello!", "Hello! How can I help you?"]


def test_a_traced_stream_reads_back_as_messages(llm_server, chat, recorded):
    stream = chat.stream("Thanks!")
    text = "".join(stream.text_stream()).strip()

    (span,) = recorded()
    assert text == "You are welcome."
    assert (span.kind, span.output, span.output_tokens) == ("llm", "You are welcome.", 3)
    assert span.ttft is not None
    assert span.ttft <= span.duration


async def test_a_traced_coroutine_is_a_call_of_a_model(async_model, recorded):
    @ops.trace
    @llm.call(async_model)
    async def chat(question: str):
        return [{"role": "user", "content": question}]

    trace = await chat.wrapped("Thanks!")

    (span,) = recorded()
    assert trace.result.text() == "You are welcome."
    assert (span.kind, span.output) == ("llm", "You are welcome.")


@pytest.mark.parametrize("name", ["boom-500", "limit-429"])
def test_a_model_that_fails_makes_a_failed_span_and_the_exception_passes(llm_server, recorded, name):
    @ops.trace
    @llm.call(f"openai/{name}:completions")
    def chat(question: str):
        return [{"role": "user", "content": question}]

    with pytest.raises(theirs.Error):
        chat("Hello!")

    (span,) = recorded()
    assert span.status == "error"
    assert "as it was asked to" in span.error_message


def test_calls_in_a_session_are_its_turns(llm_server, chat):
    with ops.session(id="talk"):
        for question in ("Hello!", "Thanks!"):
            chat(question)

    turns = ops.get_session("talk").turns()
    assert list(turns["user"]) == ["Hello!", "Thanks!"]
    assert list(turns["assistant"]) == ["Hello! How can I help you?", "You are welcome."]
    assert list(turns["output_tokens"]) == [6, 3]


def test_a_traced_function_around_a_traced_call_counts_its_tokens_once(llm_server, chat):
    @ops.trace
    def answer(question: str) -> str:
        return chat(question).text()

    with ops.session(id="talk"):
        answer("Hello!")

    session = ops.get_session("talk")
    assert [(span.name, span.kind) for span in session] == [("answer", "other"), ("chat", "llm")]
    assert (session.totals.llm_calls, session.totals.output_tokens) == (1, 6)
    assert list(session.turns()["assistant"]) == ["Hello! How can I help you?"]


def test_without_the_extra_the_message_says_what_to_install(run_python):
    printed = run_python(
        """
        import sys
        sys.modules["mirascope"] = None
        import mirascope_ops
        try:
            mirascope_ops.llm
        except ImportError as error:
            print(error)
        """
    )

    assert re.search(r"pip install .*mirascope[-_]ops\[llm\]", printed)
