from __future__ import annotations

import pytest
from analysis_build import MS, T0, exception, llm, record, row

from mirascope_ops.analysis.normalise import normalise
from mirascope_ops.store.records import AnnotationRecord, EventRecord


def test_a_traced_function_gives_its_arguments_output_and_tags():
    found = row(
        attributes={
            "mirascope.type": "trace",
            "mirascope.trace.arg_values": '{"a":1}',
            "mirascope.trace.output": "done",
            "mirascope.trace.tags": ["x", "y"],
        }
    )

    assert (found.input, found.output, found.tags, found.kind) == ('{"a":1}', "done", ("x", "y"), "other")
    assert found.duration == 10 * MS


def test_an_unknown_vocabulary_loses_nothing():
    attributes = {"acme.prompt": "hello", "acme.depth": 3}

    found = row(attributes=attributes)

    assert found.attributes == attributes
    assert (found.kind, found.input, found.model) == ("other", None, None)


def test_the_first_key_with_a_value_wins():
    found = row(attributes={"session.id": "second", "langfuse.session.id": "first", "mirascope.ops.session.id": " "})

    assert found.session_id == "first"


def test_an_unknown_word_for_a_kind_leaves_it_to_the_next_key():
    found = row(attributes={"langfuse.observation.type": "span", "gen_ai.operation.name": "execute_tool"})

    assert found.kind == "tool"


@pytest.mark.parametrize(
    ("attributes", "kind"),
    [
        ({"openinference.span.kind": "RERANKER"}, "retriever"),
        ({"openinference.span.kind": "EMBEDDING"}, "embedding"),
        ({"mlflow.spanType": '"CHAT_MODEL"'}, "llm"),
        ({"traceloop.span.kind": "task"}, "chain"),
        ({"gen_ai.operation.name": "invoke_agent"}, "agent"),
        ({"ai.operationId": "ai.streamText.doStream"}, "llm"),
        ({"ai.operationId": "ai.streamText"}, "chain"),
        ({"gen_ai.prompt.0.content": "hello"}, "llm"),
    ],
)
def test_kinds_are_one_set_of_words(attributes, kind):
    assert row(attributes=attributes).kind == kind


@pytest.mark.parametrize(
    ("value", "expected"),
    [(12, 12), ("12", 12), (7.0, 7), (-1, None), ("many", None), (None, None), (True, None), (2**62, None)],
)
def test_token_counts_are_read_from_any_type_and_nonsense_is_none(value, expected):
    assert row(attributes={"gen_ai.usage.input_tokens": value}).input_tokens == expected


@pytest.mark.parametrize(
    ("attributes", "tokens"),
    [
        ({"gen_ai.usage.prompt_tokens": 3, "gen_ai.usage.completion_tokens": 4}, (3, 4, None)),
        (
            {"mlflow.chat.tokenUsage": '{"input_tokens": 5, "output_tokens": 1, "cache_read_input_tokens": 2}'},
            (5, 1, 2),
        ),
        ({"langfuse.observation.usage_details": '{"input": 5, "input_cached_tokens": 2, "output": 1}'}, (7, 1, 2)),
        (
            {
                "langfuse.observation.usage_details": (
                    '{"prompt_tokens": 9, "completion_tokens": 1, "prompt_tokens_details": {"cached_tokens": 4}}'
                )
            },
            (9, 1, 4),
        ),
        ({"ai.usage.inputTokens": 8, "ai.usage.outputTokens": 2, "ai.usage.cachedInputTokens": 1}, (8, 2, 1)),
        ({"mirascope.response.usage": '{"input_tokens":2,"output_tokens":3,"cache_read_tokens":0}'}, (2, 3, 0)),
        ({"langfuse.observation.usage_details": "not json"}, (None, None, None)),
    ],
)
def test_usage_is_read_under_every_providers_names(attributes, tokens):
    found = row(attributes=attributes)

    assert (found.input_tokens, found.output_tokens, found.cache_read_tokens) == tokens


@pytest.mark.parametrize(
    ("attributes", "dollars"),
    [
        ({"mirascope.response.cost": '{"input_cost": 10, "output_cost": 40, "total_cost": 50}'}, 0.005),
        ({"mirascope.response.cost": 25}, 0.0025),
        ({"llm.cost.prompt": 0.25, "llm.cost.completion": "0.5"}, 0.75),
        ({"llm.cost.prompt": 0.25, "llm.cost.total": 0.8}, 0.8),
        ({"gen_ai.usage.cost": "0.5"}, 0.5),
        ({"langfuse.observation.cost_details": '{"input": 0, "output": 0, "total": 0}'}, None),
        ({"gen_ai.usage.cost": 0, "gen_ai.usage.input_tokens": 5}, 0),
        ({}, None),
    ],
)
def test_costs_are_dollars_and_missing_where_nothing_was_reported(attributes, dollars):
    assert row(attributes=attributes).cost == dollars


def test_time_to_first_token_is_nanoseconds_whatever_the_unit():
    moment = '"\\"2026-09-21T14:13:20.250Z\\""'

    assert row(attributes={"gen_ai.response.time_to_first_chunk": 0.25}).ttft == 250 * MS
    assert row(attributes={"ai.response.msToFirstChunk": 250}).ttft == 250 * MS
    assert row(attributes={"langfuse.observation.completion_start_time": moment}).ttft == 250 * MS
    assert row(events=[EventRecord("First Token Stream Event", T0 + 4 * MS, {})]).ttft == 4 * MS


def test_mlflow_strings_lose_their_quotes_and_structures_stay_json():
    found = row(
        attributes={"mlflow.spanOutputs": '"Paris"', "mlflow.spanInputs": '{"n": 3}', "mlflow.trace.session": '"c"'}
    )

    assert (found.input, found.output, found.session_id) == ('{"n": 3}', "Paris", "c")


def test_indexed_keys_are_gathered_in_order_of_their_numbers():
    attributes = {f"llm.input_messages.{n}.message.content": str(n) for n in (10, 2, 0)}

    found = row(attributes=attributes)

    assert found.input == ('[{"message":{"content":"0"}},{"message":{"content":"2"}},{"message":{"content":"10"}}]')


def test_an_exception_event_makes_an_error_even_where_the_status_says_ok():
    found = row(status="ok", events=[exception("openai.RateLimitError", "slow down")])

    assert (found.status, found.error_type, found.error_message) == ("error", "openai.RateLimitError", "slow down")


def test_of_several_exceptions_the_one_named_by_the_status_is_told():
    events = [exception("app.ValueError", "bad"), exception("RuntimeError", "while handling")]

    named = row(status="error", status_message="ValueError: bad", events=events)
    unnamed = row(status="error", events=events)

    assert (named.error_type, unnamed.error_type) == ("app.ValueError", "RuntimeError")


def test_an_error_without_exception_is_told_by_attributes_and_by_what_was_logged():
    typed = row(status="error", status_message="boom", attributes={"error.type": "Timeout"})
    logged = row(status="error", events=[EventRecord("error", T0, {"message": "soft failure"})])

    assert (typed.error_type, typed.error_message) == ("Timeout", "boom")
    assert (logged.error_type, logged.error_message) == (None, "soft failure")


def test_a_clock_that_went_backwards_gives_no_negative_duration():
    assert row(start=10, end=7).duration == 0
    assert row(end=None).duration is None


def test_a_span_without_a_session_takes_its_nearest_ancestors_else_its_traces():
    records = [
        record("grandchild", parent="child"),
        record("child", parent="middle"),
        record("middle", parent="root", session_id="inner", session_attributes='{"a":1}', run_id="r"),
        record("root", session_id="outer"),
        record("stray", parent="unread"),
        record("elsewhere", trace="t2"),
    ]

    found = {r.name: r for r in normalise(records)}

    assert {name: r.session_id for name, r in found.items()} == {
        "grandchild": "inner",
        "child": "inner",
        "middle": "inner",
        "root": "outer",
        "stray": "outer",
        "elsewhere": None,
    }
    assert (found["grandchild"].session_attributes, found["grandchild"].run_id) == ('{"a":1}', "r")


def test_a_conversation_is_the_session_only_where_the_trace_has_none():
    conversation = {"gen_ai.conversation.id": "conv"}

    with_session = normalise([record("a", session_id="s"), record("b", parent="a", attributes=conversation)])
    without = normalise([record("a", attributes=conversation), record("b", parent="a")])

    assert [(r.session_id, r.conversation_id) for r in with_session] == [("s", None), ("s", "conv")]
    assert [r.session_id for r in without] == ["conv", "conv"]


def test_inheritance_survives_cycles_and_a_chain_of_a_thousand():
    loop = [record("a", parent="b"), record("b", parent="a"), record("self", parent="self")]
    chain = [record(f"n{n}", parent=f"n{n - 1}" if n else None, trace="t2") for n in range(1_000)]
    chain[0] = chain[0]._replace(session_id="deep")

    found = normalise([*loop, *reversed(chain)])

    assert [r.session_id for r in found[:3]] == [None, None, None]
    assert {r.session_id for r in found[3:]} == {"deep"}


def test_the_user_is_read_from_session_attributes():
    assert row(session_id="s", session_attributes='{"user.id": "ada"}').user_id == "ada"


RESPONSE = {"mirascope.type": "trace", "mirascope.response.content": '[{"type":"text","text":"Hi"}]'}


def test_a_traced_mirascope_call_is_a_model_call_where_none_is_below_it():
    found = normalise([record("outer", attributes=RESPONSE), record("inner", parent="outer", attributes=RESPONSE)])

    assert [r.kind for r in found] == ["chain", "llm"]


def test_a_traced_mirascope_call_is_a_chain_around_an_instrumented_call():
    found = normalise([record("outer", attributes=RESPONSE), record("step", parent="outer"), llm(parent="step")])

    assert [r.kind for r in found] == ["chain", "other", "llm"]


def test_annotations_made_later_are_joined_with_their_tags():
    later = AnnotationRecord("t1", "work", T0, "pass", "good", ("reviewed",), {})

    found = normalise([record(attributes={"mirascope.trace.tags": ["x"]}), record("other")], [later])

    assert found[0].annotations == (later,)
    assert found[0].tags == ("x", "reviewed")
    assert found[1].annotations == ()


def test_annotations_among_the_attributes_are_read_once():
    kept = AnnotationRecord("t1", "work", T0, "pass", None, (), {})
    own = row(attributes={"mirascope.annotation.label": "fail", "mirascope.annotation.reasoning": "wrong"})
    both = normalise([record(attributes={"mirascope.annotation.label": "pass"})], [kept])[0]
    phoenix = row(
        attributes={"annotations.0.annotation.label": "good", "annotations.0.annotation.score": 0.9, "annotations.x": 1}
    )

    assert [(a.label, a.reasoning) for a in own.annotations] == [("fail", "wrong")]
    assert both.annotations == (kept,)
    assert phoenix.annotations == ()


def test_annotations_in_indexed_keys_are_read():
    found = row(
        attributes={"annotations.0.annotation.label": "good", "annotations.0.annotation.explanation": "because"}
    )

    assert [(a.label, a.reasoning) for a in found.annotations] == [("good", "because")]


@pytest.mark.parametrize(
    "attributes",
    [
        {"mirascope.response.cost": "[1, 2]", "langfuse.observation.usage_details": "[]"},
        {"mlflow.spanType": "7", "mlflow.spanInputs": "{cut off", "tags": 5},
        {"llm.cost.": 1, "llm.cost": 2, "llm.input_messages.": "x", "llm.input_messages.0": "y"},
        {"session.id": [], "user.id": {}, "gen_ai.operation.name": ["chat"]},
        {"langfuse.observation.completion_start_time": "yesterday"},
        {"gen_ai.prompt." + "." * 500: "deep", "annotations.0": None},
        {"output.value": "\ud83d", "input.value": float("nan")},
    ],
)
def test_hostile_values_never_raise(attributes):
    found = row(attributes=attributes)

    assert found.attributes == attributes
