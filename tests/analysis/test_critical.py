from __future__ import annotations

from itertools import pairwise

import pandas as pd
from analysis_build import MS, T0, llm, record
from hypothesis import given
from hypothesis import strategies as st

from mirascope_ops.analysis.critical import concurrency, critical_path
from mirascope_ops.analysis.frames import concurrency_frame, context_frame, critical_path_frame
from mirascope_ops.analysis.normalise import normalise
from mirascope_ops.analysis.schema import CONTEXT_SCHEMA, CRITICAL_PATH_SCHEMA


def path(*records):
    return [(s.span.name, (s.start - T0) // MS, (s.end - T0) // MS) for s in critical_path(normalise(records))]


def test_the_path_goes_through_what_ended_last():
    found = path(
        record("root", start=0, end=100),
        record("quick", parent="root", start=10, end=40),
        record("slow", parent="root", start=10, end=80),
        record("inner", parent="slow", start=20, end=70),
    )

    assert found == [("root", 0, 10), ("slow", 10, 20), ("inner", 20, 70), ("slow", 70, 80), ("root", 80, 100)]


def test_steps_one_after_the_other_are_all_on_the_path():
    found = path(
        record("root", start=0, end=100),
        record("first", parent="root", start=0, end=40),
        record("second", parent="root", start=50, end=100),
    )

    assert found == [("first", 0, 40), ("root", 40, 50), ("second", 50, 100)]


def test_what_outlives_its_root_counts_within_it_only():
    assert path(record("root", end=10), record("late", parent="root", start=5, end=50)) == [
        ("root", 0, 5),
        ("late", 5, 10),
    ]


def test_open_spans_are_on_no_path():
    assert path(record("root", end=None), record("child", parent="root")) == []
    assert path(record("root", end=10), record("open", parent="root", end=None)) == [("root", 0, 10)]


def test_a_chain_of_a_thousand_is_followed():
    chain = [record(f"n{n}", parent=f"n{n - 1}" if n else None, start=n, end=3000 - n) for n in range(1_000)]

    found = critical_path_frame(normalise(chain))

    assert found["depth"].max() == 999
    assert list(found.columns) == [column.name for column in CRITICAL_PATH_SCHEMA]


times = st.tuples(st.integers(0, 30), st.integers(0, 30))


@given(st.lists(st.tuples(st.integers(0, 12), times), max_size=12))
def test_the_durations_of_a_path_add_up_to_its_roots(spans):
    records = [record("root", span="0", start=0, end=30)]
    for number, (parent, (start, end)) in enumerate(spans, 1):
        records.append(record(span=str(number), parent=str(parent % number), start=start, end=end))

    found = critical_path(normalise(records))

    assert sum(step.end - step.start for step in found) == 30 * MS
    assert all(one.end == other.start for one, other in pairwise(found))


def test_spans_that_run_at_once_are_counted():
    rows = normalise(
        [record("a", start=0, end=10), record("b", start=5, end=20), record("c", start=10, end=12), record("d", end=0)]
    )

    found = [((time - T0) // MS, running) for time, running in concurrency(rows)]

    assert found == [(0, 1), (5, 2), (12, 1), (20, 0)]
    assert concurrency_frame(rows)["running"].max() == 2


def test_the_context_grows_from_call_to_call_of_a_session():
    rows = normalise(
        [
            record("turn1", trace="t1", session_id="s"),
            llm("c1", 10, 2, trace="t1", parent="turn1", start=1),
            llm("c2", 25, 2, trace="t1", parent="turn1", start=2),
            llm("other", 7, 2, trace="t3", start=3),
            llm("c3", 40, 2, trace="t2", start=20, session_id="s"),
        ]
    )

    found = context_frame(rows)

    assert list(found.columns) == [column.name for column in CONTEXT_SCHEMA]
    assert list(found["span_id"]) == ["c1", "c2", "c3", "other"]
    assert list(found["turn"]) == [1, 1, 2, 1]
    assert list(found["call"]) == [1, 2, 1, 1]
    assert list(found["growth"]) == [pd.NA, 15, 15, pd.NA]
