from __future__ import annotations

import pytest
from analysis_build import exception, llm, record

from mirascope_ops.analysis.normalise import normalise
from mirascope_ops.analysis.turns import said_by_user, turns


def chat(user, answer=None, **fields):
    attributes = {"gen_ai.prompt.0.role": "user", "gen_ai.prompt.0.content": user, **fields.pop("more", {})}
    if answer is not None:
        attributes["gen_ai.completion.0.content"] = answer
    return llm(attributes=attributes, **fields)


def test_turns_come_one_a_trace_in_the_order_of_their_starts():
    rows = normalise([record("b", trace="t2", start=5), record("a", trace="t1"), record("c", trace="t1", parent="a")])

    assert [(turn.trace_id, turn.totals.spans) for turn in turns(rows)] == [("t1", 2), ("t2", 1)]


def test_the_user_is_the_last_one_of_the_first_call_and_the_assistant_the_last_answer():
    rows = normalise(
        [
            record("root", attributes={"mirascope.trace.output": "wrapped", "mirascope.trace.arg_values": '{"n":1}'}),
            chat("What is it?", name="one", parent="root", start=1, end=2),
            chat("What is it?", "It is it.", name="two", parent="root", start=3, end=4),
            chat("rate it", "", name="three", parent="root", start=5, end=6),
        ]
    )

    (turn,) = turns(rows)

    assert (turn.user, turn.assistant, turn.name) == ("What is it?", "It is it.", "root")


def test_without_model_calls_the_roots_input_and_output_tell():
    rows = normalise(
        [record(attributes={"mirascope.trace.arg_values": '{"n": 1, "query": "why?"}', "mirascope.trace.output": "so"})]
    )

    (turn,) = turns(rows)

    assert (turn.user, turn.assistant, turn.model) == ("why?", "so", None)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ('{"turn": 1, "message": "Hello", "tone": "warm"}', "Hello"),
        ('{"city": "Paris", "days": 3}', "Paris"),
        ('{"city": "Paris", "unit": "celsius"}', '{"city": "Paris", "unit": "celsius"}'),
        ('{"args": [1, "Hello", []], "kwargs": {}}', "Hello"),
        ('{"args": [], "kwargs": {"question": "Why?", "tone": "warm"}}', "Why?"),
        ("plain text", "plain text"),
        ("3", "3"),
        ("", None),
        (None, None),
        ("{}", None),
        ('{"args": [], "kwargs": {}}', None),
    ],
)
def test_what_a_user_said_is_found_among_arguments(given, said):
    assert said_by_user(given) == said


def test_a_failed_root_is_the_turns_error():
    rows = normalise([record("root", events=[exception(message="out")]), llm(parent="root", events=[exception()])])

    (turn,) = turns(rows)

    assert (turn.error, turn.recovered) == ("out", None)


def test_an_error_inside_a_turn_that_went_well_is_recovered():
    rows = normalise([record("root"), llm("try", parent="root", events=[exception(message="slow down")])])

    (turn,) = turns(rows)

    assert (turn.error, turn.recovered) == (None, "slow down")


def test_the_model_is_the_one_that_answered():
    rows = normalise(
        [
            record("root"),
            chat("q", "a", name="good", parent="root", start=0, end=1, more={"gen_ai.request.model": "small"}),
            chat("q", name="bad", parent="root", start=2, end=3, status="error", more={"gen_ai.request.model": "big"}),
        ]
    )

    assert turns(rows)[0].model == "small"
    assert turns(rows[2:])[0].model == "big"
