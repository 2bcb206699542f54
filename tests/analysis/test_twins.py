"""A call that two libraries recorded side by side counts once; two calls count twice."""

from __future__ import annotations

import json

import pytest
from analysis_build import llm, record

from mirascope_ops.analysis.normalise import normalise
from mirascope_ops.analysis.stats import totals
from mirascope_ops.core import prices


def told(response_id, **fields):
    """As OpenLLMetry records a response."""
    attributes = {} if response_id is None else {"gen_ai.response.id": response_id}
    return llm("openai.response", 5, 3, attributes, scope="opentelemetry.instrumentation.openai.v1", **fields)


def whole(response_id, text=None, **fields):
    """As OpenInference records a response."""
    output = json.dumps({"id": response_id, "model": "small"}) if text is None else text
    attributes = {
        "openinference.span.kind": "LLM",
        "llm.token_count.prompt": 5,
        "llm.token_count.completion": 3,
        "output.value": output,
    }
    return record("Response", attributes=attributes, scope="openinference.instrumentation.openai", **fields)


def figures(*spans):
    found = totals(normalise([record("root"), *spans]))
    return found.llm_calls, found.input_tokens, found.output_tokens


def test_one_response_seen_by_two_libraries_counts_once():
    assert figures(told("resp_1", parent="root"), whole("resp_1", parent="root")) == (1, 5, 3)
    assert figures(whole("resp_1", parent="root"), told("resp_1", parent="root", start=1)) == (1, 5, 3)


def test_the_tokens_count_whichever_of_the_two_reports_them():
    silent = llm("openai.response", attributes={"gen_ai.response.id": "resp_1"}, scope="a", parent="root")

    assert figures(silent, whole("resp_1", parent="root")) == (1, 5, 3)


def test_costs_count_once():
    prices.prices = prices.read({"small": {"input_per_million": 1, "output_per_million": 1}})
    try:
        one = llm("a", 5, 3, {"gen_ai.response.id": "x", "gen_ai.request.model": "small"}, scope="a", parent="root")
        other = llm("b", 5, 3, {"gen_ai.response.id": "x", "gen_ai.request.model": "small"}, scope="b", parent="root")
        found = totals(normalise([record("root"), one, other]))
    finally:
        prices.prices = {}

    assert found.cost == pytest.approx(8e-6)


@pytest.mark.parametrize(
    "spans",
    [
        [told("resp_1", parent="root"), whole("resp_2", parent="root")],
        [told(None, parent="root"), whole("resp_1", parent="root")],
        [told("", parent="root"), whole("", parent="root")],
        [told("resp_1", parent="root"), whole(None, text="[1]", parent="root")],
        [told("resp_1", parent="root"), whole(None, text='{"id":"resp_1', parent="root")],
        [told("resp_1", parent="root"), whole(None, text='{"id":7}', parent="root")],
        [told("resp_1", parent="root"), told("resp_1", parent="root", span="again")],
        [record("other"), told("resp_1", parent="root"), whole("resp_1", parent="other")],
        [told("resp_1", parent="root"), whole("resp_1", parent="root", trace="t2")],
    ],
)
def test_what_may_be_two_calls_counts_twice(spans):
    assert figures(*spans) == (2, 10, 6)


def test_two_calls_seen_by_two_libraries_are_two():
    spans = [
        span
        for number in (1, 2)
        for span in (
            told(f"resp_{number}", parent="root", span=f"a{number}", start=number),
            whole(f"resp_{number}", parent="root", span=f"b{number}", start=number),
        )
    ]

    assert figures(*spans) == (2, 10, 6)
