from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mirascope_ops.views.format import (
    axis_step,
    count,
    date,
    duration,
    mark,
    offset,
    plural,
    short_id,
    token_flow,
    tokens,
    usd,
)

MS = 1_000_000
S = 1_000_000_000


@pytest.mark.parametrize(
    ("ns", "shown"),
    [
        (0, "0 ms"),
        (1, "1 ns"),
        (999, "999 ns"),
        (1_000, "1 µs"),
        (999_499, "999 µs"),
        (999_500, "1.0 ms"),
        (164_700_000, "164.7 ms"),
        (999_949_999, "999.9 ms"),
        (999_950_000, "1.00 s"),
        (2_740 * MS, "2.74 s"),
        (9_994 * MS, "9.99 s"),
        (9_995 * MS, "10.0 s"),
        (18_400 * MS, "18.4 s"),
        (59_949 * MS, "59.9 s"),
        (59_950 * MS, "1 min 0 s"),
        (200 * S, "3 min 20 s"),
        (3_599_600 * MS, "1 h 0 min"),
        (3_600 * S, "1 h 0 min"),
        (86_399 * S, "1 d 0 h"),
        (100 * 3600 * S, "4 d 4 h"),
        (-5 * MS, "-5.0 ms"),
    ],
)
def test_a_duration_has_the_unit_that_keeps_it_short(ns, shown):
    assert duration(ns) == shown


@given(st.integers(min_value=0, max_value=10**18))
def test_every_duration_is_a_number_and_a_unit_without_four_digits(ns):
    number = duration(ns).split(" ")[0]

    assert len(number.split(".")[0]) <= 3 or duration(ns).endswith("h")


def test_an_offset_has_a_sign():
    assert [offset(8_100_000), offset(0), offset(-MS)] == ["+8.1 ms", "+0 ms", "-1.0 ms"]


@pytest.mark.parametrize(
    ("number", "shown"),
    [
        (0, "0"),
        (986, "986"),
        (1_000, "1.0k"),
        (41_200, "41.2k"),
        (99_949, "99.9k"),
        (99_950, "100k"),
        (999_500, "1.0M"),
    ],
)
def test_tokens_take_five_characters_at_most(number, shown):
    assert tokens(number) == shown


def test_tokens_that_were_not_reported_are_not_shown_as_zero():
    assert token_flow(None, None) == ""
    assert token_flow(47, None) == "47 in"
    assert token_flow(None, 12) == "12 out"
    assert token_flow(47, 0) == "47 → 0"


@pytest.mark.parametrize(
    ("dollars", "shown"),
    [
        (0, "$0"),
        (1e-9, "<$0.000001"),
        (0.000026025, "$0.000026"),
        (0.0094, "$0.0094"),
        (0.0142, "$0.0142"),
        (0.99949, "$0.9995"),
        (1.87, "$1.87"),
        (1234.5, "$1,234.50"),
        (-0.5, "-$0.5000"),
    ],
)
def test_dollars_have_the_digits_they_need(dollars, shown):
    assert usd(dollars) == shown


def test_dates_are_utc_and_english():
    assert date(1_795_548_239_000_000_000) == "24 Nov 2026, 19:23:59 UTC"
    assert date(1_795_548_239_000_000_000, seconds=False, year=False) == "24 Nov, 19:23"


def test_a_time_outside_of_every_calendar_is_shown_as_the_number_it_is():
    assert date(10**30) == f"{10**30} ns after 1970"


def test_counts_and_nouns():
    assert [count(12345), plural(1, "span"), plural(1234, "span"), plural(2, "child", "children")] == [
        "12,345",
        "1 span",
        "1,234 spans",
        "2 children",
    ]
    assert short_id("f9d136bb00") == "f9d136bb"


@pytest.mark.parametrize(
    ("total", "step", "shown"),
    [
        (164_700_000, 50_000_000, "50 ms"),
        (22_800_000, 5_000_000, "5 ms"),
        (4 * S, S, "1 s"),
        (200 * S, 60 * S, "1 min"),
        (40_000 * S, 10_800 * S, "3 h"),
        (1, 1, "1 ns"),
    ],
)
def test_axis_marks_are_round(total, step, shown):
    assert axis_step(total, 5) == step
    assert mark(step) == shown


@given(st.integers(min_value=1, max_value=10**19))
def test_an_axis_never_has_more_marks_than_fit(total):
    assert total / axis_step(total, 5) <= 5 or total < 5 or total > 4 * 10**17


def test_the_first_mark_has_no_unit():
    assert mark(0) == "0"
