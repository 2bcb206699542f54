from __future__ import annotations

import json

import pytest

from mirascope_ops.views.values import arguments_line, json_html, structured, text_html, value_html


def test_json_is_pretty_on_one_line():
    shown = json_html({"city": "Paris", "temp": 18, "tags": ["a", None, True]}, 1000)

    assert shown == ('{<i>city:</i> "Paris", <i>temp:</i> <b>18</b>, <i>tags:</i> ["a", <b>null</b>, <b>true</b>]}')


def test_text_that_is_no_json_is_shown_as_it_is():
    assert value_html("line one\nline <two>", 100) == '<span class="bd" dir="auto">line one\nline &lt;two&gt;</span>'


@pytest.mark.parametrize("text", ["{broken", "[1, 2", "42", '"text"', "", "[" * 100_000])
def test_only_objects_and_lists_count_as_structured(text):
    assert structured(text) is None


def test_a_long_text_says_how_much_is_missing():
    assert text_html("x" * 12_445, 100).endswith('<span class="q">… 12,345 more characters</span>')


def test_a_text_that_is_hardly_too_long_is_not_cut():
    assert text_html("x" * 110, 100) == "x" * 110


def test_a_long_list_says_how_many_items_are_missing():
    shown = json_html(list(range(10_000)), 50)

    assert len(shown) < 2_000
    assert "more</span>]" in shown


def test_an_object_with_many_keys_says_how_many_are_missing():
    assert "90 more keys" in json_html({f"key{n:04}": "value" for n in range(100)}, 100) or "more keys" in json_html(
        {f"key{n:04}": "value" for n in range(100)}, 100
    )


def test_a_value_that_is_nested_too_deep_is_ended():
    deep: object = "end"
    for _ in range(30):
        deep = {"a": deep}

    assert "{…}" in json_html(deep, 10_000)


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ({"city": "Paris", "unit": "celsius"}, 'city="Paris", unit="celsius"'),
        ({"query": "What is it?"}, "“What is it?”"),
        ({"turn": 2, "history": [1, 2, 3], "options": {"a": 1}}, "turn=2, history=3 items, options=1 key"),
        ({"args": ["Paris", 3], "kwargs": {"unit": "c"}}, '"Paris", 3, unit="c"'),
        ([1, 2], "[1, 2]"),
        ({}, ""),
    ],
)
def test_arguments_are_told_in_a_few_words(value, shown):
    assert arguments_line(json.dumps(value), 80) == shown


def test_text_arguments_come_in_quotation_marks():
    assert arguments_line("weather in\nParis", 80) == "“weather in Paris”"
