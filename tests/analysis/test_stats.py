from __future__ import annotations

import pytest
from analysis_build import MS, T0, exception, llm, record

from mirascope_ops.analysis.normalise import normalise
from mirascope_ops.analysis.stats import summary, totals
from mirascope_ops.exceptions import ConfigurationError

USAGE = {"gen_ai.usage.input_tokens": 30, "gen_ai.usage.output_tokens": 5}


def test_nothing_gives_no_figures():
    found = totals([])

    assert (found.spans, found.llm_calls, found.input_tokens, found.cost, found.duration) == (0, 0, None, None, None)


def test_outer_spans_that_repeat_their_steps_usage_are_not_added():
    rows = normalise(
        [
            record("agent", attributes={"gen_ai.operation.name": "invoke_agent", **USAGE}, end=90),
            llm("step1", 10, 2, parent="agent"),
            llm("step2", 20, 3, parent="agent", start=20, end=95),
        ]
    )

    found = totals(rows)

    assert (found.input_tokens, found.output_tokens, found.llm_calls) == (30, 5, 2)
    assert (found.start, found.end, found.duration) == (T0, T0 + 95 * MS, 95 * MS)


def test_one_call_recorded_by_two_libraries_counts_once():
    rows = normalise([llm("outer", 10, 2), llm("inner", 10, 2, parent="outer")])

    assert (totals(rows).llm_calls, totals(rows).input_tokens) == (1, 10)


def test_an_outer_call_counts_where_the_inner_one_reports_nothing():
    rows = normalise([llm("outer", 10, 2, attributes={"gen_ai.usage.cost": 0.5}), llm("inner", parent="outer")])

    assert (totals(rows).input_tokens, totals(rows).cost, totals(rows).llm_calls) == (10, 0.5, 1)


def test_usage_that_arrives_on_a_span_of_its_own_is_counted():
    rows = normalise([llm("stream"), record("stream end", parent="stream", start=9, end=9, attributes=USAGE)])

    assert (totals(rows).input_tokens, totals(rows).llm_calls) == (30, 1)


def test_failed_calls_are_counted_and_errors_of_all_spans():
    rows = normalise([record("root", status="error"), llm("call", parent="root", events=[exception()])])

    assert (totals(rows).llm_calls, totals(rows).llm_errors, totals(rows).errors) == (1, 1, 2)


def test_time_to_first_token_is_that_of_the_first_call_that_streamed():
    rows = normalise(
        [
            llm("plain", start=0),
            llm("second", start=20, attributes={"gen_ai.response.time_to_first_chunk": 0.2}),
            llm("first", start=10, attributes={"gen_ai.response.time_to_first_chunk": 0.1}),
        ]
    )

    assert totals(rows).ttft == 100 * MS


def test_a_summary_groups_by_name_with_the_longest_first():
    rows = normalise(
        [
            record("root", end=100),
            record("a", span="a1", parent="root", start=0, end=10),
            record("a", span="a2", parent="root", start=10, end=30, status="error"),
            record("a", span="a3", parent="root", start=40, end=None),
            llm("call", 10, 2, parent="a1"),
        ]
    )

    found = summary(rows)

    assert list(found.index) == ["root", "a", "call"]
    assert found.index.name == "name"
    assert list(found.loc["a", ["count", "errors"]]) == [3, 1]
    assert found.loc["a", "p50"].value == 15 * MS
    assert found.loc["a", "total"].value == 30 * MS
    assert found.loc["root", "self_time"].value == 10 * MS
    assert found.loc["call", "input_tokens"] == 10
    assert found["input_tokens"].sum() == totals(rows).input_tokens


def test_a_summary_by_several_fields_keeps_spans_where_a_field_is_missing():
    rows = normalise([record("a"), llm("b", attributes={"gen_ai.request.model": "m"})])

    found = summary(rows, by=["kind", "model"])

    assert found.index.names == ["kind", "model"]
    assert found["count"].sum() == 2


def test_a_summary_of_nothing_has_the_same_dtypes():
    assert summary([]).dtypes.to_dict() == summary(normalise([record()])).dtypes.to_dict()
    assert str(summary([])["p50"].dtype) == "timedelta64[ns]"


@pytest.mark.parametrize("by", ["colour", "attributes", []])
def test_a_summary_by_something_else_says_what_is_possible(by):
    with pytest.raises(ConfigurationError, match=r"expected one of .*kind"):
        summary([], by=by)
