"""Spans that other libraries make current, as odd as they come: what starts below them, and what is sent along."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from opentelemetry import trace as otel_trace
from opentelemetry.trace import NonRecordingSpan

from mirascope_ops import ops

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
