"""Spans that other libraries make current, as odd as they come: what starts below them, and what is sent along."""

from __future__ import annotations

import sys
from concurrent.futures import ThreadPoolExecutor

import pytest
from mirascope import ops as theirs
from opentelemetry import trace as otel_trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.trace import NonRecordingSpan

from mirascope_ops import ops

# Mirascope's own ops work where the extra `instrument` is installed: not in the environments of the fast tests.
needs_instrument = pytest.mark.slow

NOWHERE = NonRecordingSpan(None)  # pyright: ignore[reportArgumentType] - MLflow makes such spans where it records nothing


@ops.trace
def work():
    return ops.current_session().id


def test_below_a_span_without_a_context_spans_start_a_trace(only):
    with ops.session(id="a"), otel_trace.use_span(NOWHERE), ops.span("around"):
        assert work() == "a"

    assert only("around").parent_id is None
    assert only("work").parent_id == only("around").span_id
    assert {only("around").session_id, only("work").session_id} == {"a"}


def test_a_span_without_a_context_sends_the_session_alone():
    headers: dict[str, str] = {}

    with ops.session(id="a"), otel_trace.use_span(NOWHERE):
        ops.inject_context(headers)

    assert ops.extract_session_id(headers) == "a"
    assert "traceparent" not in headers


def test_a_function_is_bound_below_a_span_without_a_context(only):
    with ops.session(id="a"), otel_trace.use_span(NOWHERE):
        bound = ops.bind_context(work)

    assert ThreadPoolExecutor(1).submit(bound).result() == "a"
    assert only("work").parent_id is None


@pytest.mark.parametrize("key", ["mirascope.ops.session.id", "session.id"])
@pytest.mark.parametrize("store", [":memory:", "a file"])
def test_a_session_that_a_span_names_itself_is_listed(key, store, tmp_path):
    ops.configure(tracer_provider=TracerProvider(), store=tmp_path / "spans.db" if store == "a file" else store)
    attributes = {key: "theirs", "mirascope.ops.session.attributes": '{"plan":"pro"}'}
    tracer = otel_trace.get_tracer("another library")

    with tracer.start_as_current_span("asked", attributes=attributes), ops.span("inside"):
        pass

    (session,) = ops.sessions()
    assert (session.id, session.attributes, session.runs) == ("theirs", {"plan": "pro"}, ())
    assert [span.name for span in ops.get_session("theirs")] == ["asked", "inside"]
    assert ops.sessions(attributes={"plan": "pro"}).ids == ["theirs"]


@needs_instrument
def test_a_session_of_mirascopes_own_ops_is_listed():
    ops.configure(tracer_provider=TracerProvider())

    with theirs.session(id="theirs", attributes={"plan": "pro"}), theirs.span("asked"):
        pass

    assert [(session.id, session.attributes) for session in ops.sessions()] == [("theirs", {"plan": "pro"})]


@needs_instrument
def test_a_session_that_a_span_names_itself_gives_way_to_ours():
    ops.configure(tracer_provider=TracerProvider())

    with ops.session(id="ours"), theirs.session(id="theirs"), theirs.span("asked"):
        pass

    assert ops.sessions().ids == ["ours"]
    assert [span.name for span in ops.get_session("ours")] == ["asked"]


@pytest.mark.parametrize("value", ["", "  ", 3, ("a",)])
def test_what_is_no_session_s_id_lists_none(value):
    ops.configure(tracer_provider=TracerProvider())

    with otel_trace.get_tracer("x").start_as_current_span("asked", attributes={"session.id": value}):
        pass

    assert ops.sessions().ids == []


def join(words: list[str], glue: str = " ") -> str:
    return glue.join(words)


@needs_instrument
def test_what_mirascopes_own_ops_traced_runs_again(monkeypatch):
    monkeypatch.setattr(sys.modules[__name__], "join", theirs.trace(join))
    ops.configure(tracer_provider=TracerProvider())
    join(["a", "b"])

    replay = ops.last_trace().replay(glue="-")

    assert replay.result == "a-b"
    assert [(span.name, span.scope) for span in replay.spans] == [("join", "mirascope.ops")]
