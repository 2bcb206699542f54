"""Bounds on a run: every breach is listed, and what is unknown does not pass."""

from __future__ import annotations

from datetime import timedelta

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


@pytest.mark.parametrize("bound", [-1, float("nan"), "10", True])
def test_a_bound_that_means_nothing_is_refused(bound):
    with pytest.raises(ConfigurationError, match="max_tokens"):
        run(llm()).check(max_tokens=bound)
