"""A pretend model on this machine: answers OpenAI's chat completions and responses APIs, deterministically.

The notebooks and the tests talk to it with the real OpenAI client, so they need no account, no network and
no money, and give the same answers on every run:

    with LoopbackModel() as model:
        client = openai.OpenAI(base_url=model.base_url, api_key="unused")

It knows a few sentences (`answer`), asks for a tool about the weather when one is offered, repeats what the
tool said, counts words as tokens, and reports the prompt's older messages as read from a cache. The model
names "boom-500" and "limit-429" fail with those HTTP statuses.
"""

from __future__ import annotations

import json
import re
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, NamedTuple, Self

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

JSON = dict[str, Any]

FAILURES = {
    "boom-500": (500, "server_error", "The model failed, as it was asked to."),
    "limit-429": (429, "rate_limit_exceeded", "Too many requests, as it was asked to say."),
}
CREATED = 1_767_225_600  # the first second of 2026: answers carry no real time, so that runs can be compared
TOOL_CALL_TOKENS = 12
ARGUMENT_CHUNK = 8  # characters of a streamed tool call's arguments


class Turn(NamedTuple):
    """What a request asks, whichever of the two APIs it came through."""

    history: list[str]  # the text of every message, oldest first
    user: str  # the last thing that the user said
    tool_output: str | None  # what a tool answered to it, if one was called already
    tools: list[JSON]


class Reply(NamedTuple):
    """What the model says: a text or a call of a tool."""

    text: str = ""
    tool: str | None = None
    arguments: str = "{}"

    @property
    def pieces(self) -> list[str]:
        """The reply as it is streamed: words, or slices of a tool call's arguments."""
        if self.tool is None:
            return re.findall(r"\S+\s*", self.text)
        return [self.arguments[i : i + ARGUMENT_CHUNK] for i in range(0, len(self.arguments), ARGUMENT_CHUNK)]


class Usage(NamedTuple):
    prompt: int
    cached: int
    completion: int


def answer(turn: Turn) -> Reply:
    """The model's mind: a handful of rules, the first one that fits."""
    said = turn.user.lower()
    if turn.tool_output is not None:
        return Reply(f"{turn.tool_output}.")
    if "weather" in said and (tool := next((tool for tool in turn.tools if "weather" in tool["name"]), None)):
        city = re.search(r"\bin ([A-Z]\w+)", turn.user)
        parameter = next(iter(tool["parameters"]["properties"]))
        return Reply(tool=tool["name"], arguments=json.dumps({parameter: city[1] if city else "Paris"}))
    if "my name" in said and "?" in said:
        name = next((found[1] for text in turn.history if (found := re.search(r"my name is (\w+)", text))), None)
        return Reply(f"Your name is {name}." if name else "You have not told me your name.")
    known = {
        "hello": "Hello! How can I help you?",
        "capital of france": "The capital of France is Paris.",
        "tell me more": "There is always more to tell, and this model knows only a little of it.",
        "thanks": "You are welcome.",
    }
    return Reply(next((text for words, text in known.items() if words in said), f"You said: {turn.user}"))


def usage_of(turn: Turn, reply: Reply) -> Usage:
    """Words as tokens, four more for each message; all but the newest message count as cached."""
    sizes = [len(text.split()) + 4 for text in turn.history]
    return Usage(sum(sizes), sum(sizes[:-1]), TOOL_CALL_TOKENS if reply.tool else len(reply.pieces))


def text_of(content: Any) -> str:
    """The text of a message's content, which is a string or a list of parts."""
    if isinstance(content, str):
        return content
    return "".join(part.get("text", "") for part in content or ())


# --- chat completions -------------------------------------------------------------------------------------


def chat_turn(body: JSON) -> Turn:
    messages = body["messages"]
    last = max((i for i, message in enumerate(messages) if message["role"] == "user"), default=0)
    outputs = [text_of(message["content"]) for message in messages[last:] if message["role"] == "tool"]
    return Turn(
        history=[text_of(message.get("content")) for message in messages],
        user=text_of(messages[last].get("content")),
        tool_output=" and ".join(outputs) if outputs else None,
        tools=[tool["function"] for tool in body.get("tools") or () if tool["type"] == "function"],
    )


def chat_usage(usage: Usage) -> JSON:
    return {
        "prompt_tokens": usage.prompt,
        "completion_tokens": usage.completion,
        "total_tokens": usage.prompt + usage.completion,
        "prompt_tokens_details": {"cached_tokens": usage.cached},
        "completion_tokens_details": {"reasoning_tokens": 0},
    }


def chat_tool_call(reply: Reply, number: int) -> JSON:
    return {
        "id": f"call_{number:06}",
        "type": "function",
        "function": {"name": reply.tool, "arguments": reply.arguments},
    }


def chat_answer(body: JSON, number: int) -> JSON:
    turn = chat_turn(body)
    reply = answer(turn)
    message: JSON = {"role": "assistant", "content": reply.text, "refusal": None}
    if reply.tool:
        message |= {"content": None, "tool_calls": [chat_tool_call(reply, number)]}
    return {
        "id": f"chatcmpl-{number:06}",
        "object": "chat.completion",
        "created": CREATED,
        "model": body["model"],
        "choices": [{"index": 0, "message": message, "finish_reason": "tool_calls" if reply.tool else "stop"}],
        "usage": chat_usage(usage_of(turn, reply)),
    }


def chat_stream(body: JSON, number: int) -> Iterator[JSON]:
    turn = chat_turn(body)
    reply = answer(turn)
    base = {
        "id": f"chatcmpl-{number:06}",
        "object": "chat.completion.chunk",
        "created": CREATED,
        "model": body["model"],
    }

    def chunk(delta: JSON, finish: str | None = None) -> JSON:
        return {**base, "choices": [{"index": 0, "delta": delta, "finish_reason": finish}]}

    yield chunk({"role": "assistant", "content": None if reply.tool else ""})
    if reply.tool:
        call = chat_tool_call(reply, number)
        yield chunk({"tool_calls": [{"index": 0, **call, "function": {"name": reply.tool, "arguments": ""}}]})
    for piece in reply.pieces:
        delta = {"tool_calls": [{"index": 0, "function": {"arguments": piece}}]} if reply.tool else {"content": piece}
        yield chunk(delta)
    yield chunk({}, "tool_calls" if reply.tool else "stop")
    if (body.get("stream_options") or {}).get("include_usage"):
        yield {**base, "choices": [], "usage": chat_usage(usage_of(turn, reply))}


# --- responses --------------------------------------------------------------------------------------------


def responses_turn(body: JSON) -> Turn:
    items = body["input"]
    if isinstance(items, str):
        items = [{"role": "user", "content": items}]
    last = max((i for i, item in enumerate(items) if item.get("role") == "user"), default=0)
    outputs = [text_of(item["output"]) for item in items[last:] if item.get("type") == "function_call_output"]
    history = [text_of(item.get("content") or item.get("output")) for item in items]
    if body.get("instructions"):
        history.insert(0, body["instructions"])
    return Turn(
        history=history,
        user=text_of(items[last].get("content")),
        tool_output=" and ".join(outputs) if outputs else None,
        tools=[tool for tool in body.get("tools") or () if tool["type"] == "function"],
    )


def responses_answer(body: JSON, number: int) -> JSON:
    turn = responses_turn(body)
    reply = answer(turn)
    usage = usage_of(turn, reply)
    item: JSON
    if reply.tool:
        item = {
            "type": "function_call",
            "id": f"fc_{number:06}",
            "call_id": f"call_{number:06}",
            "name": reply.tool,
            "arguments": reply.arguments,
            "status": "completed",
        }
    else:
        item = {
            "type": "message",
            "id": f"msg_{number:06}",
            "role": "assistant",
            "status": "completed",
            "content": [{"type": "output_text", "text": reply.text, "annotations": []}],
        }
    return {
        "id": f"resp_{number:06}",
        "object": "response",
        "created_at": CREATED,
        "status": "completed",
        "error": None,
        "incomplete_details": None,
        "instructions": body.get("instructions"),
        "metadata": {},
        "model": body["model"],
        "output": [item],
        "parallel_tool_calls": True,
        "temperature": 1.0,
        "tool_choice": "auto",
        "tools": body.get("tools") or [],
        "top_p": 1.0,
        "usage": {
            "input_tokens": usage.prompt,
            "input_tokens_details": {"cached_tokens": usage.cached},
            "output_tokens": usage.completion,
            "output_tokens_details": {"reasoning_tokens": 0},
            "total_tokens": usage.prompt + usage.completion,
        },
    }


def responses_stream(body: JSON, number: int) -> Iterator[JSON]:
    for sequence, event in enumerate(_responses_events(responses_answer(body, number))):
        yield {**event, "sequence_number": sequence}


def _responses_events(response: JSON) -> Iterator[JSON]:
    item = response["output"][0]
    where: JSON = {"item_id": item["id"], "output_index": 0}
    started = {**response, "status": "in_progress", "output": [], "usage": None}
    yield {"type": "response.created", "response": started}
    yield {"type": "response.in_progress", "response": started}
    if item["type"] == "function_call":
        reply = Reply(tool=item["name"], arguments=item["arguments"])
        event = "response.function_call_arguments"
        opened = {**item, "arguments": "", "status": "in_progress"}
        yield {"type": "response.output_item.added", "output_index": 0, "item": opened}
        for piece in reply.pieces:
            yield {"type": f"{event}.delta", **where, "delta": piece}
        yield {"type": f"{event}.done", **where, "arguments": reply.arguments, "name": reply.tool}
    else:
        part = item["content"][0]
        where["content_index"] = 0
        opened = {**item, "content": [], "status": "in_progress"}
        yield {"type": "response.output_item.added", "output_index": 0, "item": opened}
        yield {"type": "response.content_part.added", **where, "part": {**part, "text": ""}}
        for piece in Reply(part["text"]).pieces:
            yield {"type": "response.output_text.delta", **where, "delta": piece, "logprobs": []}
        yield {"type": "response.output_text.done", **where, "text": part["text"], "logprobs": []}
        yield {"type": "response.content_part.done", **where, "part": part}
    yield {"type": "response.output_item.done", "output_index": 0, "item": item}
    yield {"type": "response.completed", "response": response}


# --- HTTP -------------------------------------------------------------------------------------------------


class Route(NamedTuple):
    answer: Callable[[JSON, int], JSON]
    stream: Callable[[JSON, int], Iterator[JSON]]


ROUTES = {
    "/v1/chat/completions": Route(chat_answer, chat_stream),
    "/v1/responses": Route(responses_answer, responses_stream),
}


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    model: LoopbackModel

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing of clients that hang up, as those do that leave a stream early; print other faults."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # or every answer waits 40 ms for an acknowledgement
    wbufsize = -1
    server: _Server

    def do_POST(self) -> None:
        body: JSON = json.loads(self.rfile.read(int(self.headers["content-length"])))
        number = self.server.model.record(body)
        route = ROUTES.get(self.path)
        if route is None:
            return self._fail(404, "not_found", f"No such route: {self.path}. There are: {', '.join(ROUTES)}")
        if body["model"] in FAILURES:
            return self._fail(*FAILURES[body["model"]])
        if body.get("stream"):
            return self._stream(route.stream(body, number), finish=route is ROUTES["/v1/chat/completions"])
        return self._send(200, route.answer(body, number))

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the standard library's name
        """Say nothing: the standard library would write to stderr, which a notebook shows."""

    def _fail(self, status: int, code: str, message: str) -> None:
        self._send(status, {"error": {"message": message, "type": code, "code": code, "param": None}})

    def _send(self, status: int, payload: JSON) -> None:
        encoded = json.dumps(payload).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(encoded)))
        self.send_header("x-should-retry", "false")  # the client would try a failure again, and wait in between
        self.end_headers()
        self.wfile.write(encoded)

    def _stream(self, events: Iterator[JSON], *, finish: bool) -> None:
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.send_header("transfer-encoding", "chunked")
        self.end_headers()
        for event in events:
            time.sleep(self.server.model.token_delay)
            name = f"event: {event['type']}\n" if "type" in event else ""
            self._chunk(f"{name}data: {json.dumps(event)}\n\n")
        if finish:
            self._chunk("data: [DONE]\n\n")
        self._chunk("")

    def _chunk(self, text: str) -> None:
        encoded = text.encode()
        self.wfile.write(b"%x\r\n%b\r\n" % (len(encoded), encoded))
        self.wfile.flush()


class LoopbackModel:
    """The server, in a thread of this process, on a free port of the loopback interface.

    Args:
        token_delay: Seconds to wait before each streamed event.

    Attributes:
        requests: The body of every request so far, oldest first.
    """

    def __init__(self, *, token_delay: float = 0.0) -> None:
        self.token_delay = token_delay
        self.requests: list[JSON] = []
        self._lock = threading.Lock()
        self._server = _Server(("127.0.0.1", 0), _Handler)
        self._server.model = self
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)

    @property
    def base_url(self) -> str:
        """What to give the OpenAI client, or to set as OPENAI_BASE_URL."""
        return f"http://127.0.0.1:{self._server.server_port}/v1"

    def record(self, body: JSON) -> int:
        """Keep a request; its number becomes part of the answer's ids."""
        with self._lock:
            self.requests.append(body)
            return len(self.requests)

    def start(self) -> Self:
        """Begin to answer."""
        self._thread.start()
        return self

    def stop(self) -> None:
        """Answer no more, and give the port back."""
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()
