"""What other libraries really emitted reads as one record, whichever library it was."""

from __future__ import annotations

import pytest

from mirascope_ops.analysis.messages import message_split
from mirascope_ops.analysis.turns import turns

LIBRARIES = ["mirascope", "otel_genai", "openinference", "traceloop", "langfuse", "mlflow", "vercel"]
pytestmark = pytest.mark.parametrize("library", LIBRARIES)


def test_kinds_sessions_and_errors_are_found(capture, library):
    captured = capture(library)

    for expected in captured.truth["spans"]:
        row = captured.row(expected["span_id"])

        assert row.kind in expected["kind_acceptable"], row.name
        assert row.session_id == expected["session_effective"], row.name
        assert (row.status == "error") == expected["is_error"], row.name
        assert bool(row.error_message) == expected["is_error"], row.name


def test_model_tokens_and_time_to_first_token_of_model_calls_are_found(capture, library):
    captured = capture(library)

    for call in captured.truth["llm_spans"]:
        row = captured.row(call["span_id"])
        emitted, served = call["emitted"], call["expected"]

        assert row.model == (emitted["response_model"] or emitted["request_model"])
        assert row.input_tokens == served["input_tokens"]
        assert row.output_tokens == served["output_tokens"]
        assert row.cache_read_tokens == served["cache_read_tokens"]
        assert (row.ttft and round(row.ttft / 1e6, 3)) == emitted["ttft_ms"]


def test_messages_of_model_calls_are_read(capture, library):
    captured = capture(library)

    for call in captured.truth["llm_spans"]:
        sent, answered = message_split(captured.row(call["span_id"]))
        served = call["expected"]

        assert sent[0].role == "system"
        assert [m.content for m in sent if m.role == "user"][-1] == served["last_user_prompt"]
        assert [m.content for m in answered if m.content] == [served["assistant_text"]] * bool(served["assistant_text"])
        assert [tool.name for m in answered for tool in m.tool_calls] == served["tool_calls"]


def test_tool_results_answer_the_request_that_they_name(capture, library):
    captured = capture(library)
    calls = [message_split(captured.row(call["span_id"])) for call in captured.truth["llm_spans"]]

    asked = {tool.id for _, answered in calls for m in answered for tool in m.tool_calls}
    told = {m.tool_call_id for sent, _ in calls for m in sent if m.role == "tool"}

    assert asked == told != set()


def test_turns_say_who_said_what_and_count_each_model_call_once(capture, library):
    captured = capture(library)
    read = {turn.trace_id: turn for turn in turns(captured.rows)}

    for expected in captured.truth["turns"]:
        turn = read[expected["trace_id"]]
        billed = expected["tokens_billed"]

        assert (turn.user, turn.assistant) == (expected["user_prompt"], expected["assistant_text"])
        assert turn.session_id == expected["session_found"]
        assert (turn.error is not None) == expected["root_status_is_error"]
        assert (turn.recovered is not None) == (
            expected["has_error_descendant"] and not expected["root_status_is_error"]
        )
        assert turn.totals.llm_calls == billed["calls"]
        assert (turn.totals.input_tokens or 0, turn.totals.output_tokens or 0) == (billed["input"], billed["output"])


def test_the_user_and_the_tags_are_found_where_the_library_writes_them(capture, library):
    rows = capture(library).rows

    users = {row.user_id for row in rows if row.user_id}
    tags = {frozenset(row.tags) for row in rows if row.tags}

    # MLflow keeps both outside the spans.
    assert users == (set() if library == "mlflow" else {"user-42"})
    assert tags == (set() if library == "mlflow" else {frozenset({"corpus", "beta"})})
