"""The comparison of two runs as tables: one schema, whatever the runs; every span once."""

from __future__ import annotations

import pandas as pd
import pytest
from analysis_build import MS, exception, llm, record
from hypothesis import given
from hypothesis import strategies as st

from mirascope_ops.analysis.normalise import normalise
from mirascope_ops.analysis.schema import DIFF_SCHEMA, DIFF_SUMMARY_SCHEMA
from mirascope_ops.spandiff import SpanDiff


def diff(before, after):
    return SpanDiff(normalise(before), normalise(after))


def asked(prompt, tokens, cost, **fields):
    attributes = {"gen_ai.usage.cost": cost, "input.value": prompt}
    return llm("ask", parent="work", input_tokens=tokens, output_tokens=5, attributes=attributes, **fields)


@pytest.fixture
def edited():
    """A prompt edited, a tool call added, another one gone, one that fails."""
    before = [
        record("work", end=100),
        asked("Be brief.", 10, 0.25, start=1, end=20),
        record("search", parent="work", start=30, end=40),
        record("rank", parent="work", start=50, end=60),
    ]
    after = [
        record("work", end=80, trace="t2"),
        asked("Be thorough.", 12, 0.5, start=1, end=30, trace="t2"),
        record("rank", parent="work", start=50, end=60, trace="t2", status="error", events=(exception(),)),
        record("notify", parent="work", start=70, end=75, trace="t2"),
    ]
    return diff(before, after)


@pytest.mark.parametrize("runs", [([], []), ([record()], []), ([], [record(end=None)])])
def test_every_comparison_has_the_columns_and_dtypes_of_the_schema(runs, edited):
    for one in (diff(*runs), edited):
        for table, schema in ((one.to_pandas(), DIFF_SCHEMA), (one.summary(), DIFF_SUMMARY_SCHEMA)):
            assert [(name, str(dtype)) for name, dtype in table.dtypes.items()] == [
                (column.name, "string" if column.dtype.startswith("string") else column.dtype) for column in schema
            ]


def test_a_row_says_what_became_of_a_span(edited):
    table = edited.to_pandas().set_index("name")

    assert table["change"].astype(str).to_dict() == {
        "work": "same",
        "ask": "changed",
        "search": "removed",
        "rank": "changed",
        "notify": "added",
    }
    assert table.loc["ask", "differs"] == "prompt"
    assert table.loc["ask", "diff"] == "- user: Be brief.\n+ user: Be thorough."
    assert table.loc["ask", "duration_delta"] == pd.Timedelta(milliseconds=10)
    assert table.loc["ask", "input_tokens_delta"] == 2
    assert table.loc["ask", "cost_delta"] == 0.25
    assert table.loc["rank", "error_b"] == "ValueError: bad"
    assert pd.isna(table.loc["notify", "duration_a"])
    assert pd.isna(table.loc["notify", "duration_delta"])
    assert table.loc["notify", "trace_id_b"] == "t2"


def test_the_summary_counts_spans_and_sums_up_figures(edited):
    (row,) = edited.summary().to_dict("records")

    counts = ("changes", "same", "changed", "moved", "added", "removed", "new_errors", "fixed_errors")
    assert [row[name] for name in counts] == [4, 1, 2, 0, 1, 1, 1, 0]
    assert row["duration_delta"] == pd.Timedelta(milliseconds=-20)
    assert row["slowest_turn_b"] == pd.Timedelta(milliseconds=80)
    assert (row["input_tokens_a"], row["input_tokens_b"], row["input_tokens_delta"]) == (10, 12, 2)
    assert (row["cost_a"], row["cost_delta"]) == (0.25, 0.25)
    assert row["errors_delta"] == 1
    assert pd.isna(row["ttft_a"])


def test_summaries_of_several_comparisons_can_be_put_together(edited):
    table = pd.concat([edited.summary(), diff([], []).summary()], ignore_index=True)

    assert list(table["changes"]) == [4, 0]
    assert str(table["cost_delta"].dtype) == "Float64"


def test_a_span_that_moved_is_told_apart_from_one_that_changed():
    def run(first, second, trace):
        steps = [
            record(name, parent="work", start=10 * at, end=10 * at + 5, trace=trace)
            for at, name in enumerate((first, second))
        ]
        return [record("work", end=100, trace=trace), *steps]

    table = diff(run("a", "b", "t1"), run("b", "a", "t2")).to_pandas()

    assert sorted(table["change"].astype(str)) == ["moved", "moved", "same"]


@given(st.lists(st.integers(0, 3), max_size=8), st.lists(st.integers(0, 3), max_size=8))
def test_every_span_of_both_runs_stands_in_one_row_and_is_counted_once(one, other):
    def run(names, trace):
        return [
            record(f"n{name}", span=f"{trace}{at}", trace=f"{trace}{at}", start=at) for at, name in enumerate(names)
        ]

    made = diff(run(one, "a"), run(other, "b"))
    table, (row,) = made.to_pandas(), made.summary().to_dict("records")

    assert sorted(table["span_id_a"].dropna()) == sorted(f"a{at}" for at in range(len(one)))
    assert sorted(table["span_id_b"].dropna()) == sorted(f"b{at}" for at in range(len(other)))
    assert sum(row[name] for name in ("same", "changed", "moved", "added", "removed")) == len(table)


def test_a_long_diff_is_cut_and_says_so():
    before, after = (
        [record(attributes={"input.value": "\n".join(f"{n} {word} " * 9 for n in range(5_000))})] for word in "ab"
    )

    (text,) = diff(before, after).to_pandas()["diff"]

    assert len(text) <= 4_001
    assert text.endswith("…")


def test_an_open_span_has_no_duration_to_compare():
    (row,) = diff([record(end=None)], [record(end=5)]).to_pandas().to_dict("records")

    assert row["differs"] == "status"
    assert row["duration_b"] == pd.Timedelta(5 * MS)
    assert pd.isna(row["duration_delta"])
