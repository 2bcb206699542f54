"""The public API as a type checker sees it: never run, checked by pyright in strict mode (`make lint`)."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any, assert_type

import mirascope_ops
from mirascope_ops import ops


@ops.trace
def double(number: int) -> int:
    return 2 * number


@ops.trace(name="halve", tags=["math"], capture_args=False)
def halve(number: int, *, exactly: bool = True) -> float:
    return number / 2 if exactly else number // 2


@ops.trace
async def fetch(url: str) -> bytes:
    return url.encode()


@ops.trace
def count(limit: int) -> Iterator[int]:
    yield from range(limit)


@ops.trace
async def count_slowly(limit: int) -> AsyncIterator[int]:
    for number in range(limit):
        yield number


class Agent:
    @ops.trace
    def answer(self, question: str) -> str:
        return question

    @ops.trace
    async def search(self, question: str) -> list[str]:
        return [question]


@ops.version
def translate(text: str) -> str:
    return text


@ops.version(name="asked", tags=["a"], metadata={"owner": "us"})
async def ask(question: str) -> bytes:
    return question.encode()


class Librarian:
    @ops.version
    def find(self, title: str) -> int:
        return len(title)


class Cache:
    @staticmethod
    @ops.trace
    def key(name: str) -> bytes:
        return name.encode()


@ops.trace(name="fetch", capture_result=False)
async def fetch_all(*urls: str) -> list[bytes]:
    return [url.encode() for url in urls]


def functions_keep_their_types() -> None:
    assert_type(double(1), int)
    assert_type(double.wrapped(1), ops.Trace[int])
    assert_type(double.wrapped(1).result, int)
    assert_type(halve(1, exactly=False), float)
    assert_type(count(3), Iterator[int])
    assert_type(count_slowly(3), AsyncIterator[int])
    assert_type(translate("a"), str)
    assert_type(translate.wrapped("a"), ops.Trace[str])
    assert_type(translate.version_info, ops.VersionInfo | None)
    assert_type(Librarian().find("a"), int)
    assert_type(Librarian().find.version_info, ops.VersionInfo | None)
    double("1")  # pyright: ignore[reportArgumentType]
    halve(1, precisely=True)  # pyright: ignore[reportCallIssue]


async def coroutine_functions_keep_their_types() -> None:
    assert_type(await fetch("a"), bytes)
    assert_type(await ask("a"), bytes)
    assert_type(ask.version_info, ops.VersionInfo | None)
    assert_type(await fetch.wrapped("a"), ops.Trace[bytes])


async def methods_keep_their_types(agent: Agent) -> None:
    assert_type(agent.answer("why?"), str)
    assert_type(agent.answer.wrapped("why?"), ops.Trace[str])
    assert_type(await agent.search("why?"), list[str])
    assert_type(await agent.search.wrapped("why?"), ops.Trace[list[str]])
    agent.answer(1)  # pyright: ignore[reportArgumentType]


async def options_change_no_types() -> None:
    assert_type(await fetch_all("a", "b"), list[bytes])
    assert_type((await fetch_all.wrapped("a")).result, list[bytes])
    assert_type(Cache.key("a"), bytes)
    assert_type(Cache.key.wrapped("a").result, bytes)
    await fetch_all(1)  # pyright: ignore[reportArgumentType]


def a_trace_can_be_judged_and_looked_into(trace: ops.Trace[int]) -> None:
    assert_type(trace.result, int)
    assert_type(trace.span, ops.Span)
    assert_type(trace.span_id, str | None)
    assert_type(trace.trace_id, str | None)
    trace.annotate(label="pass", reasoning="exact", metadata={"by": "Ada"})
    trace.tag("golden", "v2")
    trace.annotate("pass")  # pyright: ignore[reportCallIssue]


async def a_trace_can_run_again(trace: ops.Trace[int], function: Callable[[str], str]) -> None:
    assert_type(trace.replay(), ops.Replay)
    assert_type(ops.last_trace().replay(function, question="why?"), ops.Replay)
    assert_type(await ops.last_trace().replay(), ops.Replay)
    replay = ops.spans().below("00f067aa0ba902b7").replay()
    assert_type(replay.trace, ops.StoredTrace)
    assert_type(replay.original, ops.SpanSet)
    assert_type(replay.arguments, dict[str, Any])
    assert_type(replay.to_text(), str)


def bound_functions_keep_their_types() -> None:
    assert_type(ops.bind_context(halve)(1, exactly=False), float)


async def sessions_are_context_managers() -> None:
    with ops.session(id="a", attributes={"user_tier": "premium"}) as context:
        assert_type(context, ops.SessionContext)
        assert_type(context.id, str)
        assert_type(context.attributes, Mapping[str, Any])
        assert_type(context.parent, ops.SessionContext | None)
    async with ops.session() as context:
        assert_type(context, ops.SessionContext)
    assert_type(ops.current_session(), ops.SessionContext | None)
    ops.session(id=1)  # pyright: ignore[reportArgumentType]


@ops.session(id="nightly")
def job(size: int) -> str:
    return str(size)


def decorated_functions_keep_their_types() -> None:
    assert_type(job(1), str)


def spans_are_context_managers() -> None:
    with ops.span("choose", candidates=3) as span:
        assert_type(span, ops.Span)
        assert_type(span.span_id, str | None)


def propagation_takes_any_mapping(headers: dict[str, str]) -> None:
    ops.inject_context(headers)
    assert_type(ops.extract_session_id(headers), str | None)
    assert_type(ops.extract_session_attributes(headers), dict[str, Any])
    with ops.propagated_context(extract_from=headers):
        pass


def reading_gives_sets() -> None:
    assert_type(ops.spans(name="a"), ops.SpanSet)
    assert_type(ops.traces(), ops.TraceSet)
    assert_type(ops.sessions(attributes={"a": 1}), ops.SessionSet)
    assert_type(ops.get_session("a"), ops.Session)
    assert_type(ops.get_trace("a"), ops.StoredTrace)
    assert_type(ops.last_trace().spans, ops.SpanSet)
    assert_type(ops.spans()[0].name, str)
    assert_type(ops.spans()[0].input_tokens, int | None)
    assert_type(ops.spans()[:2].filter(kind="llm"), ops.SpanSet)


def runs_are_compared_and_checked(trace: ops.Trace[int], context: ops.SessionContext) -> None:
    assert_type(trace.diff(context), ops.SpanDiff)
    assert_type(context.diff(trace), ops.SpanDiff)
    assert_type(ops.get_session("a").diff(ops.get_trace("b")), ops.SpanDiff)
    assert_type(ops.traces().diff(ops.sessions()), ops.SpanDiff)
    assert_type(ops.spans().diff(trace).to_text(), str)
    assert_type(ops.spans().diff(trace).to_html("diff.html"), Path)
    assert_type(trace.check(lambda run: run.result > 3, max_cost=0.1).result, int)
    assert_type(ops.get_session("a").check(max_latency=timedelta(seconds=3)), ops.Session)
    assert_type(ops.traces().check(lambda traces: len(traces) > 3, min_turns=2), ops.TraceSet)
    ops.spans().check(max_costs=3)  # pyright: ignore[reportArgumentType]


def files_give_spans() -> None:
    assert_type(ops.read_otlp("spans.jsonl", errors="skip"), ops.Recording)
    assert_type(ops.read_otlp("spans.jsonl").sessions, ops.SessionSet)
    assert_type(ops.read_parquet(Path("spans.parquet")), ops.Recording)
    assert_type(ops.from_pandas(ops.spans().to_pandas()), ops.SpanSet)
    assert_type(ops.spans().to_otlp("spans.pb", format="protobuf"), Path)
    assert_type(ops.get_session("a").to_chrome_trace("trace.json"), Path)
    assert_type(ops.traces().to_markdown(limit=4_000), str)
    ops.spans().to_otlp("spans", format="xml")  # pyright: ignore[reportArgumentType]


def conversations_are_read() -> None:
    conversation = ops.get_session("a").conversation()
    assert_type(conversation, ops.Conversation)
    assert_type(conversation[:3], ops.Conversation)
    assert_type(ops.traces().conversation()[0].messages[0].content, str)
    assert_type(conversation.to_html("talk.html"), Path)
    assert_type(conversation.to_text(), str)
    ops.sessions().review(by="turn")  # pyright: ignore[reportArgumentType]


def a_listener_tells_where_to_send() -> None:
    with ops.listen(port=4318) as listener:
        assert_type(listener, ops.Listener)
        assert_type(listener.environment, dict[str, str])
        assert_type(listener.stats().received, int)
    ops.listen(port="4318")  # pyright: ignore[reportArgumentType]


def both_names_are_the_package() -> None:
    assert_type(mirascope_ops.last_trace(), ops.StoredTrace)
