"""Every example of the user's document works as written: `spec/sessions.md`, block by block, word for word.

What the document leaves to its reader (`do_work`, `user_id`, `app`, ...) stands around the block, and what its
comments and its prose promise is what is asserted.
"""

from __future__ import annotations

import contextlib
import re
import threading
import uuid
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import fastapi
import httpx
import pytest
import uvicorn
from fastapi.responses import StreamingResponse

from mirascope_ops import ops
from mirascope_ops.testing import captured

SPEC = Path(__file__).parent / "spec" / "sessions.md"
BLOCK = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)
# What the document's first line asks for; nothing else is touched.
OURS, THEIRS = "from mirascope_ops import", "from mirascope import"


def blocks():
    """The heading above each Python block, and the block with line numbers as in the document."""
    text = SPEC.read_text(encoding="utf-8")
    for found in BLOCK.finditer(text):
        heading = re.findall(r"^#+ (.+)$", text[: found.start()], re.MULTILINE)[-1]
        padding = "\n" * text[: found.start(1)].count("\n")
        yield heading, padding + found[1].replace(THEIRS, OURS)


BLOCKS = dict(blocks())


@pytest.fixture(autouse=True)
def recorded():
    with captured() as spans:
        yield spans
        assert ops.current_session() is None


@pytest.fixture
def run(capsys):
    """Run the block under a heading; gives its names and the lines that it printed."""

    def run(heading, **around):
        namespace = {"__name__": "spec", **around}
        exec(compile(BLOCKS[heading], SPEC, "exec", dont_inherit=True), namespace)
        return namespace, capsys.readouterr().out.splitlines()

    return run


@pytest.fixture
def serve():
    """Serve an ASGI application on a port of the loopback interface, in a thread; gives its address."""
    with contextlib.ExitStack() as running:

        def serve(app):
            config = uvicorn.Config(app, port=0, log_level="warning", lifespan="off", ws="none")
            server = uvicorn.Server(config)
            thread = threading.Thread(target=server.run)

            def stop():
                server.should_exit = True
                thread.join(timeout=120)

            running.callback(stop)
            thread.start()
            while not server.started:
                assert thread.is_alive()
                thread.join(timeout=0.01)
            (socket,) = server.servers[0].sockets
            return f"http://127.0.0.1:{socket.getsockname()[1]}"

        yield serve


# -- the document ----------------------------------------------------------------------------------


def test_every_block_of_the_document_is_run_here():
    assert list(BLOCKS) == [
        "Basic Sessions",
        "Custom Session IDs",
        "Session Attributes",
        "Accessing the Current Session",
        "Nested Sessions",
        "Session Propagation",
        "Multi-turn Conversations",
        "Request Tracing",
    ]
    assert len(BLOCKS) == SPEC.read_text(encoding="utf-8").count("```python")
    assert all(source.strip().startswith(OURS) for source in BLOCKS.values())


def test_basic_sessions(run, recorded):
    names, printed = run("Basic Sessions")

    trace1, trace2 = names["trace1"], names["trace2"]
    assert printed == [trace1.span_id, trace2.span_id]
    assert all(re.fullmatch("[0-9a-f]{16}", line) for line in printed)
    assert (trace1.result, trace2.result) == ("Processed: first request", "Processed: second request")
    assert [span.session_id for span in recorded()] == ["user-123", "user-123"]
    assert [trace.trace_id for trace in ops.get_session("user-123").traces] == [trace1.trace_id, trace2.trace_id]


def test_custom_session_ids(run, recorded):
    @ops.trace
    def do_work():
        return "worked"

    _, printed = run("Custom Session IDs", do_work=do_work)

    (generated,) = printed
    assert str(uuid.UUID(generated)) == generated
    assert {(span.name, span.session_id) for span in recorded()} == {("do_work", "user-123-conversation-1")}
    assert set(ops.sessions().ids) == {generated, "user-123-conversation-1"}


def test_session_attributes(run, recorded):
    names, printed = run("Session Attributes")

    assert printed == [
        "Session ID: conversation-456",
        "Attributes: {'user_tier': 'premium', 'channel': 'web'}",
        "Response to: What's the weather?",
    ]
    assert ops.sessions(attributes={"user_tier": "premium", "channel": "web"}).ids == ["conversation-456"]
    assert ops.sessions(attributes={"user_tier": "free"}).ids == []
    (span,) = recorded()
    assert span.span_id == names["trace"].span_id
    assert span.attributes["mirascope.ops.session.attributes"] == '{"user_tier":"premium","channel":"web"}'


def test_accessing_the_current_session(run, recorded):
    names, printed = run("Accessing the Current Session")

    (span,) = recorded()
    assert printed == [f"Processing in session: {span.session_id}", "User tier: premium"]
    assert str(uuid.UUID(span.session_id)) == span.session_id
    assert ops.current_session() is None
    assert names["process_request"]() == "done"  # and outside of a session


def test_nested_sessions(run):
    _, printed = run("Nested Sessions")

    assert printed == ["inner", "outer"]


def test_session_propagation(run):
    names, _ = run("Session Propagation")

    headers = names["headers"]
    assert headers["X-Mirascope-Session-Id"] == "user-session-123"
    with ops.propagated_context(extract_from=headers):
        assert ops.current_session().id == "user-session-123"


def test_multi_turn_conversations(run, llm_server):
    names, _ = run("Multi-turn Conversations", user_id=7)

    responses = [names[f"response{number}"].text() for number in (1, 2, 3)]
    sent = [
        [(message["role"], message["content"]) for message in request.get("input") or request["messages"]]
        for request in llm_server.requests
    ]
    said = [("user", "Hello!"), ("user", "Tell me more"), ("user", "Thanks!")]
    assert sent == [said[:1], said[:2], said]
    assert {request["model"] for request in llm_server.requests} == {"gpt-4o-mini"}
    assert responses == [
        "Hello! How can I help you?",
        "There is always more to tell, and this model knows only a little of it.",
        "You are welcome.",
    ]


def test_multi_turn_conversations_read_back_as_turns(run, llm_server):
    run("Multi-turn Conversations", user_id=7)

    session = ops.get_session("conversation-7")
    turns, messages = session.turns(), session.messages()
    assert list(turns["user"]) == ["Hello!", "Tell me more", "Thanks!"]
    assert list(turns["assistant"]) == [trace.root.output for trace in session.traces]
    assert list(turns["model"]) == ["openai/gpt-4o-mini"] * 3
    assert list(turns["input_tokens"]) == [5, 12, 17]  # words, and four for each message: see the loopback model
    assert list(turns["output_tokens"]) == [6, 15, 3]
    assert list(turns["llm_calls"]) == [1, 1, 1]
    assert (session.totals.input_tokens, session.totals.output_tokens, session.totals.llm_calls) == (34, 24, 3)
    assert [(span.name, span.kind, span.provider) for span in session] == [("chat", "llm", "openai")] * 3
    last = messages[messages["trace_id"] == turns["trace_id"].iloc[-1]]
    assert list(last["role"]) == ["user", "user", "user", "assistant"]
    assert list(last["content"]) == ["Hello!", "Tell me more", "Thanks!", "You are welcome."]


# -- request tracing: a real server, a real client -----------------------------------------------------


def ours(spans):
    """The spans of this test's own functions: FastAPI makes spans too where a tracer provider is installed."""
    return [span for span in spans if span.scope == "mirascope_ops"]


def application():
    """What the document's middleware is added to."""
    app = fastapi.FastAPI()

    @ops.trace
    def look_up(item):
        return f"found {item}"

    @app.get("/items/{item}")
    async def coroutine_handler(item: str):
        session = ops.current_session()
        return {"result": look_up(item), "session": session.id, "attributes": dict(session.attributes)}

    @app.get("/threads/{item}")
    def function_handler(item: str):  # FastAPI runs it in a worker thread
        return {"result": look_up(item), "session": ops.current_session().id}

    @app.get("/streams/{item}")
    async def streaming_handler(item: str):
        async def body():
            yield look_up(item)  # after the middleware has returned the response

        return StreamingResponse(body())

    return app


@pytest.fixture
def client(run, serve):
    app = application()
    run("Request Tracing", app=app, uuid=uuid)
    with httpx.Client(base_url=serve(app)) as client:
        yield client


def test_request_tracing_takes_the_session_of_the_header(client, recorded):
    answer = client.get("/items/shoe", headers={"X-Session-Id": "visitor-1"}).json()

    assert answer == {"result": "found shoe", "session": "visitor-1", "attributes": {"path": "/items/shoe"}}
    assert [(span.name, span.session_id) for span in ours(recorded())] == [("look_up", "visitor-1")]
    assert ops.sessions(attributes={"path": "/items/shoe"}).ids == ["visitor-1"]


def test_request_tracing_makes_a_session_where_the_header_is_missing(client, recorded):
    first, second = (client.get("/items/shoe").json()["session"] for _ in range(2))

    assert first != second
    assert str(uuid.UUID(first)) == first
    assert [span.session_id for span in ours(recorded())] == [first, second]


@pytest.mark.parametrize("place", ["threads", "streams"])
def test_request_tracing_reaches_handlers_in_threads_and_bodies_that_stream(client, recorded, place):
    answer = client.get(f"/{place}/shoe", headers={"X-Session-Id": "visitor-1"})

    assert answer.status_code == 200
    assert "found shoe" in answer.text
    assert [(span.name, span.session_id) for span in ours(recorded())] == [("look_up", "visitor-1")]


def test_twenty_concurrent_requests_are_each_in_their_own_session(client, recorded):
    def get(number):
        place = ("items", "threads")[number % 2]
        return client.get(f"/{place}/{number}", headers={"X-Session-Id": f"visitor-{number}"}).json()

    with ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(get, range(20)))

    assert [answer["session"] for answer in answers] == [f"visitor-{number}" for number in range(20)]
    assert {(span.session_id, span.output) for span in ours(recorded())} == {
        (f"visitor-{number}", f"found {number}") for number in range(20)
    }
    assert len(ours(recorded())) == 20


def test_the_server_keeps_no_session_after_a_request(client, recorded, until):
    client.get("/items/shoe", headers={"X-Session-Id": "visitor-1"})

    # The client has the response before the middleware, and FastAPI's own span, have ended.
    until(lambda: ops.get_session("visitor-1").card.status != "open" and ops.get_session("visitor-1").runs[0].end)
    session = ops.get_session("visitor-1")
    assert len(session.runs) == 1
    assert session.runs[0].end is not None
    assert session.card.status == "ok"
