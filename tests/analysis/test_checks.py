"""Bounds on a run: every breach is listed, and what is unknown does not pass."""

from __future__ import annotations

from datetime import timedelta
from fractions import Fraction

import numpy as np
import pytest
from analysis_build import exception, llm, record

from mirascope_ops import CheckError, ConfigurationError
from mirascope_ops.analysis.normalise import normalise
from mirascope_ops.spanset import SpanSet


def run(*records):
    return SpanSet(normalise(records))


def test_a_run_within_its_bounds_is_returned():
    spans = run(llm(input_tokens=10, output_tokens=5, attributes={"gen_ai.usage.cost": 0.001}))

    assert spans.check(max_cost=0.01, max_latency=1, max_tokens=15, max_llm_calls=1, require="llm") is spans
    assert spans.check(max_latency=timedelta(seconds=1)) is spans


def test_one_error_lists_every_breach_with_value_and_bound():
    spans = run(
        record("root", end=2000, status="error", events=(exception(message="no city"),)),
        llm(parent="root", input_tokens=10, output_tokens=5, attributes={"gen_ai.usage.cost": 0.5}),
    )

    with pytest.raises(CheckError) as raised:
        spans.check(max_cost=0.25, max_latency=1.5, max_tokens=14, require=["search"], forbid="llm")

    message = str(raised.value)
    assert isinstance(raised.value, AssertionError)
    assert message.startswith("6 checks failed:")
    assert "no_errors root (span root, trace t1): ValueError: no city" in message
    assert "max_cost $0.5000, allowed: $0.2500" in message
    assert "max_latency root (span root, trace t1): 2.00 s, allowed: 1.50 s" in message
    assert "max_tokens 15, allowed: 14" in message
    assert "require no span is named 'search'" in message
    assert "forbid llm (span llm, trace t1): this span must not be there" in message


def test_an_unknown_cost_does_not_pass():
    with pytest.raises(CheckError, match=r"max_cost llm .*: unknown: this call reports no cost"):
        run(llm()).check(max_cost=1)


def test_unknown_tokens_do_not_pass():
    with pytest.raises(CheckError, match="max_tokens unknown: none of 1 model calls reports tokens"):
        run(llm()).check(max_tokens=1)


def test_nothing_at_all_does_not_pass():
    with pytest.raises(CheckError, match="min_spans 0, allowed: 1"):
        run().check()


def test_an_exception_through_several_spans_is_one_error():
    failed = {"status": "error", "events": (exception(),)}
    spans = run(record("root", **failed), record("inner", parent="root", **failed))

    spans.check(max_errors=1)
    with pytest.raises(CheckError, match="1 check failed"):
        spans.check()


@pytest.mark.parametrize("bound", [np.int64(15), np.float32(15), Fraction(31, 2), float("inf")])
def test_any_number_is_a_bound(bound):
    run(llm(input_tokens=10, output_tokens=5)).check(max_tokens=bound, max_latency=bound)


@pytest.mark.parametrize("names", [3, [1]])
@pytest.mark.parametrize("bound", ["require", "forbid"])
def test_names_are_texts(bound, names):
    with pytest.raises(ConfigurationError, match=f"{bound}=.* names no spans: give a name, or a list of names"):
        run(record()).check(**{bound: names})


@pytest.mark.parametrize("bound", [-1, float("nan"), "10", True])
def test_a_bound_that_means_nothing_is_refused(bound):
    with pytest.raises(ConfigurationError, match="max_tokens"):
        run(llm()).check(max_tokens=bound)


def streamed(name, after, **fields):
    attributes = {"gen_ai.server.time_to_first_token": after} if after is not None else {}
    return llm(name, attributes=attributes, **fields)


def test_the_first_token_of_each_streamed_call_has_a_bound():
    spans = run(
        record("root"), streamed("fast", 0.2, parent="root"), streamed("slow", 1.5, parent="root"), llm(parent="root")
    )

    spans.check(max_ttft=2)
    with pytest.raises(CheckError) as raised:
        spans.check(max_ttft=timedelta(seconds=1))
    assert "max_ttft slow (span slow, trace t1): 1.50 s, allowed: 1.00 s" in str(raised.value)
    assert "1 check failed" in str(raised.value)


def test_an_unknown_time_to_the_first_token_does_not_pass():
    with pytest.raises(CheckError, match="max_ttft unknown: none of 1 model calls reports a time to its first token"):
        run(llm()).check(max_ttft=1)

    run(record()).check(max_ttft=1)  # no call of a model is waited for


@pytest.mark.parametrize(
    ("bound", "told"),
    [
        ({"min_turns": 3}, "min_turns 2, allowed: 3"),
        ({"max_turns": 1}, "max_turns 2, allowed: 1"),
        ({"min_llm_calls": 2}, "min_llm_calls 1, allowed: 2"),
        ({"max_llm_calls": 0}, "max_llm_calls 1, allowed: 0"),
        ({"min_tool_calls": 3}, "min_tool_calls 2, allowed: 3"),
        ({"max_tool_calls": 1}, "max_tool_calls 2, allowed: 1"),
        ({"min_spans": 9}, "min_spans 6, allowed: 9"),
        ({"max_spans": 5}, "max_spans 6, allowed: 5"),
    ],
)
def test_what_can_be_counted_has_a_least_and_a_most(bound, told):
    def tool(name, **fields):
        return record(name, attributes={"gen_ai.operation.name": "execute_tool"}, **fields)

    spans = run(
        record("root"),
        llm(parent="root", input_tokens=1, output_tokens=1),
        tool("search", span="s1", parent="root"),
        tool("search", span="s2", parent="s1"),  # the same call, recorded by another library
        tool("fetch", parent="s1"),
        record("root", span="other", trace="t2"),
    )

    spans.check(min_turns=2, max_turns=2, min_llm_calls=1, max_llm_calls=1, min_tool_calls=2, max_tool_calls=2)
    with pytest.raises(CheckError, match=told):
        spans.check(**bound)


def test_tokens_that_some_calls_do_not_report_do_not_pass():
    spans = run(
        record("root"),
        llm("told", parent="root", input_tokens=3, output_tokens=4),
        llm("silent", parent="root"),
        llm("failed", parent="root", status="error", events=(exception(),)),
    )

    with pytest.raises(CheckError) as raised:
        spans.check(max_tokens=5, no_errors=False)
    assert "max_tokens 7, allowed: 5" in str(raised.value)
    assert "max_tokens unknown: 2 only of 3 model calls report tokens" in str(raised.value)


def test_a_total_names_the_span_with_the_largest_part():
    def call(name, cost):
        return llm(name, parent="root", attributes={"gen_ai.usage.cost": cost}, input_tokens=1, output_tokens=1)

    with pytest.raises(CheckError, match=r"max_cost \$1.25, allowed: \$1.00, most of it in big \(span big, trace t1\)"):
        run(record("root"), call("small", 0.25), call("big", 1.0)).check(max_cost=1)


def test_a_required_span_that_is_misspelt_names_the_nearest():
    with pytest.raises(CheckError, match="no span is named 'serch'; there is 'search'"):
        run(record("search")).check(require="serch")


def test_the_error_has_the_breaches_as_data():
    with pytest.raises(CheckError) as raised:
        run(record(end=3_000)).check(max_latency=1, max_spans=0)

    assert [(breach.check, breach.value, breach.bound, breach.unit) for breach in raised.value.breaches] == [
        ("max_spans", 1, 0, ""),
        ("max_latency", 3_000_000_000, 1_000_000_000, "ns"),
    ]


def test_hostile_names_do_not_act_in_the_error():
    with pytest.raises(CheckError) as raised:
        run(record("a\x1b[31m\u202eb\nc", status="error", status_message="x\x00\x9by")).check(
            forbid="a\x1b[31m\u202eb\nc"
        )

    message = str(raised.value)
    assert len(message.split("\n")) == 3
    assert not any(sign in message for sign in "\x1b\u202e\x00\x9b")


def test_many_breaches_are_listed_up_to_a_number_and_counted():
    with pytest.raises(CheckError) as raised:
        run(*(record("work", span=f"s{n}", trace=f"t{n}") for n in range(80))).check(forbid="work")

    assert str(raised.value).startswith("80 checks failed: 80 traces, 80 spans")
    assert str(raised.value).endswith("… 30 more")
