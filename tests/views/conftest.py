"""Spans, turns and session cards to show: the conversation of the design's pictures, and what is hostile."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from syrupy.extensions.single_file import SingleFileSnapshotExtension, WriteMode

from mirascope_ops.analysis.rows import SessionCard, SpanRow, Turn
from mirascope_ops.analysis.stats import totals
from mirascope_ops.analysis.tree import forest
from mirascope_ops.store.records import AnnotationRecord, EventRecord

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

# 24 Nov 2026, 19:23:59 UTC
T0 = 1_795_548_239_000_000_000
MS = 1_000_000

SYSTEM = {"role": "system", "content": "You are a helpful travel assistant. Answer briefly."}
DOCUMENTS = [
    {"id": "doc-1", "score": 0.91, "text": "Paris is the capital of France."},
    {"id": "doc-2", "score": 0.42, "text": "The Eiffel Tower 🗼 is in Paris."},
]
WEATHER = {"city": "Paris", "temp": 18, "unit": "celsius", "sky": "sunny ☀️"}
STORY = (
    "Once upon a time in Paris, a small café ☕ opened its doors at dawn. The baker hummed, the river shone, and "
    "every guest left with a warm croissant 🥐 and a story to tell."
)
MIXED = 'Summarise café ☕ 日本語 👩‍👩‍👧‍👦 <script>alert(1)</script> & "quotes" \\ part 0'
TRACEBACK = """Traceback (most recent call last):
  File "/tmp/ipykernel_77/8.py", line 3, in chat_error
    return complete([{"role": "system", "content": SYSTEM}, {"role": "user", "content": message}],
           ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
                    model="boom-500").choices[0].message.content
  File "/tmp/ipykernel_77/5.py", line 9, in complete
    return client.chat.completions.create(model=model, messages=history, temperature=0.2, max_tokens=200)
  File "/usr/lib/python3.11/site-packages/openai/_utils/_utils.py", line 298, in wrapper
    return func(*args, **kwargs)
           ^^^^^^^^^^^^^^^^^^^^^
  File "/usr/lib/python3.11/site-packages/openai/resources/chat/completions/completions.py", line 1611, in create
    return self._post(
  File "/usr/lib/python3.11/site-packages/openinference/instrumentation/openai/_request.py", line 383, in __call__
    response = wrapped(*args, **kwargs)
  File "/usr/lib/python3.11/site-packages/openai/_base_client.py", line 1248, in request
    raise self._make_status_error_from_response(err.response) from None
openai.InternalServerError: Error code: 500 - fake upstream failure
"""


def make_span(
    span_id: str, parent_id: str | None, name: str, begin: float, took: float | None, **fields: Any
) -> SpanRow:
    """A span `begin` milliseconds after the trace's start, which took so many milliseconds (None: not over)."""
    start = T0 + round(begin * MS)
    values: dict[str, Any] = {
        "trace_id": "f9d136bb" + "0" * 24,
        "session_id": "conv-1",
        "conversation_id": None,
        "kind": "other",
        "status": "open" if took is None else "ok",
        "end": None if took is None else start + round(took * MS),
        "duration": None if took is None else round(took * MS),
        "tags": (),
        "execution_count": 7,
        "scope": "mirascope.ops",
        "attributes": {},
    }
    values |= dict.fromkeys(set(SpanRow._fields) - values.keys() - SpanRow._field_defaults.keys())
    values |= {"span_id": span_id, "parent_id": parent_id, "name": name, "start": start}
    for key in ("input", "output"):
        if key in fields and not isinstance(fields[key], str | None):
            fields[key] = json.dumps(fields[key], ensure_ascii=False)
    return SpanRow(**(values | fields))


def call(  # noqa: PLR0917 - read as a row of a table
    span_id: str, parent_id: str, begin: float, took: float, sent: Sequence[Any], answer: Any = None, **fields: Any
) -> SpanRow:
    """A model call that sent these messages."""
    out = [] if answer is None else [answer if isinstance(answer, dict) else {"role": "assistant", "content": answer}]
    attributes: dict[str, Any] = {
        "gen_ai.operation.name": "chat",
        "gen_ai.request.temperature": 0.2,
        "gen_ai.request.max_tokens": 200,
        "gen_ai.input.messages": json.dumps([_gen_ai(message) for message in sent]),
    }
    if out:
        attributes["gen_ai.output.messages"] = json.dumps([_gen_ai(message) for message in out])
    values: dict[str, Any] = {"kind": "llm", "model": "gpt-4o-mini-2026-01-01", "provider": "openai"}
    values |= {"input": list(sent), "output": out or None, "attributes": attributes}
    return make_span(span_id, parent_id, "ChatCompletion", begin, took, **(values | fields))


def _gen_ai(message: dict[str, Any]) -> dict[str, Any]:
    """A message as the GenAI conventions write it."""
    if message["role"] == "tool":
        part = {"type": "tool_call_response", "id": message["tool_call_id"], "response": message["content"]}
        return {"role": "tool", "parts": [part]}
    parts = [{"type": "text", "content": message["content"]}] if message.get("content") else []
    parts += [{"type": "tool_call", **asked} for asked in message.get("tool_calls", ())]
    return {"role": message["role"], "parts": parts}


def user(text: str) -> dict[str, Any]:
    return {"role": "user", "content": text}


QUESTIONS = (
    "What is the capital of France? 🗼",
    "What is the weather there right now?",
    "Tell me a short story about it.",
)
HISTORY = [SYSTEM, user(QUESTIONS[0]), {"role": "assistant", "content": "The capital of France is Paris."}]


def weather_trace(at: float = 0, trace_id: str = "f9d136bb" + "0" * 24) -> list[SpanRow]:
    """The second turn of the conversation: a retrieval, a tool call between two model calls."""
    tool_call = {"id": "call_00667", "name": "get_weather", "arguments": {"city": "Paris", "unit": "celsius"}}
    calling = {"role": "assistant", "content": "", "tool_calls": [tool_call]}
    answer = "It is 18°C and sunny in Paris."
    asked = [*HISTORY, user(QUESTIONS[1])]
    result = {"role": "tool", "tool_call_id": "call_00667", "content": json.dumps(WEATHER, ensure_ascii=False)}
    arguments = {"turn": 2, "message": QUESTIONS[1], "history": "3 messages"}
    spans = [
        make_span("a1", None, "chat", at, 164.7, kind="chain", input=arguments, output=answer, tags=("beta", "corpus")),
        make_span(
            "a2", "a1", "retrieve", at + 0.1, 6.3, kind="retriever", input={"query": QUESTIONS[1]}, output=DOCUMENTS
        ),
        call(
            "a3",
            "a1",
            at + 8.1,
            80.8,
            asked,
            calling,
            input_tokens=47,
            output_tokens=12,
            cost=13.425e-6,
            cache_read_tokens=11,
        ),
        make_span("a4", "a1", "get_weather", at + 89.7, 4.3, kind="tool", input=tool_call["arguments"], output=WEATHER),
        call(
            "a5",
            "a1",
            at + 96,
            68.5,
            [*asked, calling, result],
            answer,
            input_tokens=64,
            output_tokens=7,
            cost=12.6e-6,
            cache_read_tokens=16,
        ),
    ]
    return [span._replace(trace_id=trace_id) for span in spans]


def failed_trace(at: float = 0, session: str = "conv-2") -> list[SpanRow]:
    """A turn whose model call failed."""
    message = "This one will fail: what is the capital of Nowhere?"
    error = {"error_type": "openai.InternalServerError", "error_message": "Error code: 500 - fake upstream failure"}
    stack = {"exception.type": error["error_type"], "exception.message": error["error_message"]}
    cells = json.dumps({"/tmp/ipykernel_77/8.py": 8, "/tmp/ipykernel_77/5.py": 5})
    wide = EventRecord(
        "exception", T0 + 21 * MS, stack | {"exception.stacktrace": TRACEBACK, "mirascope.ops.exception.cells": cells}
    )
    narrow = EventRecord(
        "exception",
        T0 + 20 * MS,
        stack
        | {
            "exception.stacktrace": TRACEBACK[:35]
            + TRACEBACK[TRACEBACK.index('  File "/usr/lib/python3.11/site-packages/openai/_base') :]
        },
    )
    common: dict[str, Any] = {"session_id": session, "execution_count": 8, "trace_id": "fb59eae2" + "0" * 24}
    return [
        make_span(
            "b1",
            None,
            "chat_error",
            at,
            22.8,
            kind="chain",
            status="error",
            input={"message": message},
            events=(wide,),
            **error,
            **common,
        ),
        make_span(
            "b2",
            "b1",
            "retrieve",
            at + 0.2,
            6.2,
            kind="retriever",
            input={"query": message},
            output=DOCUMENTS,
            **common,
        ),
        call(
            "b3",
            "b1",
            at + 7.3,
            13.8,
            [SYSTEM, user(message)],
            None,
            status="error",
            model="boom-500",
            events=(narrow,),
            **error,
            **common,
        ),
    ]


def streamed_trace(at: float = 0) -> list[SpanRow]:
    """A turn whose answer was streamed."""
    asked = [*HISTORY, user(QUESTIONS[1]), {"role": "assistant", "content": "Sunny."}, user(QUESTIONS[2])]
    common: dict[str, Any] = {"trace_id": "bff807ca" + "0" * 24}
    return [
        make_span(
            "c1",
            None,
            "chat",
            at,
            98.5,
            kind="chain",
            input={"turn": 3, "message": QUESTIONS[2]},
            output=STORY,
            **common,
        ),
        make_span("c2", "c1", "retrieve", at + 0.1, 6.3, kind="retriever", input={"query": QUESTIONS[2]}, **common),
        call(
            "c3",
            "c1",
            at + 8.9,
            89.3,
            asked,
            STORY,
            input_tokens=86,
            output_tokens=35,
            cost=32.325e-6,
            ttft=56_100_000,
            cache_read_tokens=21,
            **common,
        ),
    ]


def first_trace(at: float = 0) -> list[SpanRow]:
    """A plain turn."""
    common: dict[str, Any] = {"trace_id": "96fcc519" + "0" * 24}
    return [
        make_span(
            "d1",
            None,
            "chat",
            at,
            85.6,
            kind="chain",
            input={"turn": 1, "message": QUESTIONS[0]},
            output=HISTORY[2]["content"],
            **common,
        ),
        make_span("d2", "d1", "retrieve", at + 0.3, 6.2, kind="retriever", input={"query": QUESTIONS[0]}, **common),
        call(
            "d3",
            "d1",
            at + 51.5,
            34,
            HISTORY[:2],
            HISTORY[2]["content"],
            input_tokens=26,
            output_tokens=6,
            cost=7.05e-6,
            **common,
        ),
    ]


def recovered_trace(at: float = 0) -> list[SpanRow]:
    """A turn that went well after a failed first model."""
    asked = [SYSTEM, user("Summarise the outage in one line (first model is rate limited).")]
    common: dict[str, Any] = {"session_id": "conv-2", "trace_id": "b89df7f1" + "0" * 24}
    return [
        make_span(
            "e1",
            None,
            "chat_with_fallback",
            at,
            125.1,
            kind="chain",
            input={"message": asked[1]["content"]},
            output="A short summary: all is well.",
            **common,
        ),
        call(
            "e2",
            "e1",
            at + 0.8,
            56.2,
            asked,
            None,
            status="error",
            error_type="openai.RateLimitError",
            error_message="429, fake rate limit",
            **common,
        ),
        call(
            "e3",
            "e1",
            at + 58,
            66.9,
            asked,
            "A short summary: all is well.",
            input_tokens=30,
            output_tokens=6,
            cost=7.575e-6,
            **common,
        ),
    ]


def fan_out_trace(at: float = 0) -> list[SpanRow]:
    """Three model calls at once."""
    common: dict[str, Any] = {"session_id": "conv-2", "trace_id": "4bf010d3" + "0" * 24, "execution_count": 10}
    spans = [make_span("f0", None, "fan_out", at, 80.2, kind="agent", input={"n": 3}, **common)]
    for i, (begin, took, begin2, took2) in enumerate(
        [(0.2, 77.9, 1.1, 76.9), (1.9, 77.2, 2.4, 76.7), (2.6, 77.5, 3, 77)]
    ):
        spans.append(make_span(f"f{i}1", "f0", "worker", at + begin, took, kind="chain", input={"i": i}, **common))
        asked = [SYSTEM, user(MIXED.replace("part 0", f"part {i}"))]
        spans.append(
            call(
                f"f{i}2",
                f"f{i}1",
                at + begin2,
                took2,
                asked,
                f"Summary of part {i}: café ☕ ok.",
                input_tokens=18,
                output_tokens=7,
                cost=6.6e-6,
                cache_read_tokens=4,
                **common,
            )
        )
    return spans


def make_turn(spans: Sequence[SpanRow], asked: str | None, answered: str | None, recovered: str | None = None) -> Turn:
    """A turn out of a trace's spans."""
    root = spans[0]
    error = f"{root.error_type}: {root.error_message}" if root.status == "error" else None
    return Turn(
        root.trace_id,
        root.session_id,
        root.name,
        asked,
        answered,
        "gpt-4o-mini",
        error,
        recovered,
        totals(spans),
        forest(spans),
    )


def make_card(
    session_id: str, turns: Sequence[Turn], children: Sequence[SessionCard] = (), **fields: Any
) -> SessionCard:
    """A session's card, its totals over its own and its children's spans."""
    spans: list[SpanRow] = []
    pending = list(turns)
    waiting = list(children)
    while waiting:
        child = waiting.pop()
        pending += child.turns
        waiting += child.children
    for turn in pending:
        nodes = list(turn.roots)
        while nodes:
            node = nodes.pop()
            spans.append(node.span)
            nodes += node.children
    failed = any(turn.error for turn in pending)
    values: dict[str, Any] = {
        "parent_session_id": None,
        "attributes": {},
        "tags": (),
        "status": "error" if failed else "ok",
        "first_seen": T0,
        "last_seen": T0 + 5_000 * MS,
        "runs": 1,
        "run_spans": None,
        "execution_count": 9,
        "totals": totals(spans),
    }
    return SessionCard(session_id=session_id, turns=turns, children=children, **(values | fields))


def conversation_card(**fields: Any) -> SessionCard:
    """The session of the design's pictures: three turns, and three more in a child session."""
    child = make_card(
        "conv-2",
        [
            make_turn(failed_trace(400), "This one will fail: what is the capital of Nowhere?", None),
            make_turn(
                recovered_trace(450),
                "Summarise the outage in one line (first model is rate limited).",
                "A short summary: all is well.",
                "RateLimitError: 429, fake rate limit",
            ),
            make_turn(fan_out_trace(600), MIXED + " and 2 more", "Summary of part 0: café ☕ ok."),
        ],
        parent_session_id="conv-1",
    )
    turns = [
        make_turn(first_trace(), QUESTIONS[0], HISTORY[2]["content"]),
        make_turn(weather_trace(100), QUESTIONS[1], "It is 18°C and sunny in Paris."),
        make_turn(streamed_trace(290), QUESTIONS[2], STORY),
    ]
    attributes = {"user.id": "user-42", "env": "test", "plan": "pro", "attempt": 3}
    return make_card("conv-1", turns, [child], **({"attributes": attributes, "tags": ("beta", "corpus")} | fields))


HOSTILE = (
    "\"><script>alert('x')</script></details></style><img src=x onerror=alert(1)>"
    '<a href="javascript:alert(1)">\' & \x00\x1b[31m\u202e\u2066\ud800 ]]>--></article>'
)


def hostile_spans() -> list[SpanRow]:
    """Spans with hostile text wherever text can be."""
    file = HOSTILE.replace('"', "")
    stack = f'Traceback (most recent call last):\n  File "{file}", line 3, in {HOSTILE}\n    {HOSTILE}\n{HOSTILE}: x\n'
    events = (
        EventRecord(HOSTILE, T0, {HOSTILE: HOSTILE}),
        EventRecord("exception", T0, {"exception.stacktrace": stack, "mirascope.ops.exception.cells": HOSTILE}),
    )
    annotation = AnnotationRecord("0" * 32, "a1", T0, HOSTILE, HOSTILE, (HOSTILE,), {HOSTILE: HOSTILE})
    values: dict[str, Any] = {
        "input": json.dumps({HOSTILE: [HOSTILE, {HOSTILE: HOSTILE}]}),
        "output": HOSTILE,
        "trace_id": HOSTILE,
        "session_id": HOSTILE,
        "error_type": HOSTILE,
        "error_message": HOSTILE,
        "model": HOSTILE,
        "provider": HOSTILE,
        "tags": (HOSTILE,),
        "events": events,
        "annotations": (annotation,),
        "attributes": {HOSTILE: HOSTILE, "list": [HOSTILE]},
    }
    root = make_span(HOSTILE + "1", None, HOSTILE, 0, 10, status="error", kind="chain", **values)
    child = call(HOSTILE + "2", HOSTILE + "1", 1, 2, [user(HOSTILE)], HOSTILE, trace_id=HOSTILE, tags=(HOSTILE,))
    called = {"id": HOSTILE, "name": HOSTILE, "arguments": {HOSTILE: HOSTILE}}
    calling = {"role": "assistant", "content": HOSTILE, "tool_calls": [called]}
    other = call(HOSTILE + "3", HOSTILE + "1", 4, 2, [user(HOSTILE), user(HOSTILE)], calling, trace_id=HOSTILE)
    tool = make_span(HOSTILE + "4", HOSTILE + "1", HOSTILE, 5, None, kind="tool", status="interrupted", **values)
    return [root, child, other, tool]


class HtmlFile(SingleFileSnapshotExtension):
    """Snapshots that open in a browser."""

    _write_mode = WriteMode.TEXT
    file_extension = "html"


@pytest.fixture
def html(snapshot):
    return snapshot.use_extension(HtmlFile)


@pytest.fixture
def span() -> Callable[..., SpanRow]:
    return make_span


@pytest.fixture
def weather() -> list[SpanRow]:
    return weather_trace()


@pytest.fixture
def failed() -> list[SpanRow]:
    return failed_trace()


@pytest.fixture
def streamed() -> list[SpanRow]:
    return streamed_trace()


@pytest.fixture
def recovered() -> list[SpanRow]:
    return recovered_trace()


@pytest.fixture
def all_traces() -> list[SpanRow]:
    makers = (first_trace, weather_trace, streamed_trace, failed_trace, recovered_trace, fan_out_trace)
    return [span for n, maker in enumerate(makers) for span in maker(at=200 * n)]


@pytest.fixture
def card() -> SessionCard:
    return conversation_card()


@pytest.fixture
def build_card() -> Callable[..., SessionCard]:
    return make_card


@pytest.fixture
def build_turn() -> Callable[..., Turn]:
    return make_turn


@pytest.fixture
def hostile() -> list[SpanRow]:
    return hostile_spans()


@pytest.fixture
def hostile_text() -> str:
    return HOSTILE


@pytest.fixture
def hostile_card() -> SessionCard:
    spans = hostile_spans()
    turn = make_turn(spans, HOSTILE, HOSTILE, HOSTILE)
    child = make_card(HOSTILE + "2", [turn], parent_session_id=HOSTILE)
    return make_card(
        HOSTILE, [turn, turn], [child], attributes={HOSTILE: HOSTILE, "n": [HOSTILE]}, tags=(HOSTILE,), run_spans=2
    )
