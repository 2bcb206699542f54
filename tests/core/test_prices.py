from __future__ import annotations

import json

import pytest

from mirascope_ops import ops
from mirascope_ops.core import prices
from mirascope_ops.exceptions import ConfigurationError

USAGE = {"gen_ai.operation.name": "chat", "gen_ai.usage.input_tokens": 1_000, "gen_ai.usage.output_tokens": 100}
TOLD = {"small": {"input_per_million": 2, "output_per_million": 8, "cache_read_per_million": 1}}


@pytest.fixture(autouse=True)
def no_prices():
    yield
    prices.prices = {}


def cost_of(**attributes):
    with ops.span("call") as span:
        span.set(**{**USAGE, **attributes})
    return ops.spans(name="call")[-1].cost


def test_no_price_is_invented():
    assert cost_of(**{"gen_ai.request.model": "gpt-4o-mini"}) is None


@pytest.mark.parametrize("model", ["small", "openai/small:completions", "small-2026-01-01", "small-latest"])
def test_tokens_cost_what_the_user_said_whatever_form_the_models_name_has(model):
    ops.configure(prices=TOLD)

    assert cost_of(**{"gen_ai.request.model": model}) == pytest.approx(0.0028)


def test_cached_tokens_cost_what_was_said_of_them():
    ops.configure(prices=TOLD)

    cost = cost_of(**{"gen_ai.request.model": "small", "gen_ai.usage.cache_read.input_tokens": 500})

    assert cost == pytest.approx(0.0023)


def test_a_cost_that_was_reported_wins():
    ops.configure(prices=TOLD)

    assert cost_of(**{"gen_ai.request.model": "small", "gen_ai.usage.cost": 0.5}) == 0.5


def test_spans_around_a_model_call_cost_nothing_again():
    ops.configure(prices=TOLD)

    with ops.span("agent") as agent:
        agent.set(**{**USAGE, "gen_ai.operation.name": "invoke_agent", "gen_ai.request.model": "small"})
        with ops.span("call") as call:
            call.set(**USAGE, **{"gen_ai.request.model": "small"})

    assert ops.last_trace().totals.cost == pytest.approx(0.0028)


def test_an_unknown_model_has_no_cost_and_none_takes_prices_away():
    ops.configure(prices=TOLD)

    assert cost_of(**{"gen_ai.request.model": "large"}) is None
    ops.configure(prices=None)
    assert cost_of(**{"gen_ai.request.model": "small"}) is None


def test_prices_are_read_from_files(tmp_path):
    table = "model,input_per_million,output_per_million,cache_read_per_million\nsmall,2,8,1\nbig,10,40,\n"
    (tmp_path / "prices.json").write_text(json.dumps(TOLD))
    (tmp_path / "prices.csv").write_text(table)

    assert prices.read(tmp_path / "prices.json") == prices.read(TOLD)
    assert prices.read(str(tmp_path / "prices.csv"))["small"] == prices.read(TOLD)["small"]
    assert prices.read(tmp_path / "prices.csv")["big"] == prices.Price(1e-5, 4e-5, 1e-5)


@pytest.mark.parametrize(
    "told",
    [
        7,
        {"m": 3},
        {"m": {"input": 1, "output": 2}},
        {"m": {"input_per_million": 1}},
        {"m": {"input_per_million": "much", "output_per_million": 1}},
        {"m": {"input_per_million": -1, "output_per_million": 1}},
        {"m": {"input_per_million": 1, "input_per_token": 1, "output_per_million": 1}},
        "nowhere.json",
    ],
)
def test_what_is_no_price_is_refused_and_changes_nothing(told):
    ops.configure(prices=TOLD)

    with pytest.raises(ConfigurationError, match="price"):
        ops.configure(prices=told)

    assert list(prices.prices) == ["small"]


def read_back(spans, way, folder):
    if way == "pandas":
        return ops.from_pandas(spans.to_pandas())
    if way == "parquet":
        return ops.read_parquet(spans.to_parquet(folder / "spans.parquet"))
    return ops.read_otlp(spans.to_otlp(folder / "spans.jsonl"))


@pytest.mark.parametrize("way", ["pandas", "parquet", "otlp"])
def test_prices_hold_for_spans_of_tables_and_files_too(way, tmp_path):
    for attributes in ({}, {"gen_ai.usage.cost": 0.5}):
        with ops.span("call") as span:
            span.set(**USAGE, **{"gen_ai.request.model": "small"}, **attributes)
    spans = ops.spans(name="call")
    ops.configure(prices=TOLD)

    assert [span.cost for span in read_back(spans, way, tmp_path)] == [pytest.approx(0.0028), 0.5]
