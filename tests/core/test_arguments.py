"""Arguments are told alike however the caller gave them: by position, by keyword, in any order, some left out."""

from __future__ import annotations

import inspect
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mirascope_ops import ops
from mirascope_ops.core import capture
from mirascope_ops.core.site import CallSite
from mirascope_ops.core.span import Span


def plain(first, second=2, third="three"):
    return first, second, third


def mixed(first, second=2, /, third=3, *, fourth=4, **more):
    return first, second, third, fourth, more


def same_name(first, /, **first_too):
    return first, first_too


def told(fn, args, kwargs):
    site = CallSite(fn)
    return [json.loads(text) for text in site.describe(site.capture_arguments(args, kwargs))]


values = st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=3) | st.lists(st.integers(0, 9), max_size=2)


@given(st.data(), st.sampled_from([plain, mixed]))
def test_what_is_told_is_what_the_function_was_given(data, fn):
    kinds = inspect.Parameter
    parameters = list(inspect.signature(fn).parameters.values())
    by_position = data.draw(
        st.integers(0, sum(p.kind is not kinds.KEYWORD_ONLY for p in parameters if p.name != "more"))
    )
    args = tuple(data.draw(values) for _ in range(by_position))
    left = [p.name for p in parameters[by_position:] if p.kind in (kinds.POSITIONAL_OR_KEYWORD, kinds.KEYWORD_ONLY)]
    names = data.draw(st.lists(st.sampled_from([*left, "odd"] if fn is mixed else left or ["first"]), unique=True))
    kwargs = {name: data.draw(values) for name in names}
    try:
        given_to_fn = inspect.signature(fn).bind(*args, **kwargs)
    except TypeError:  # no call of this function
        return
    given_to_fn.apply_defaults()
    expected = {name: value for name, value in given_to_fn.arguments.items() if name != "more" or value}

    types, found = told(fn, args, kwargs)

    assert found == expected
    assert types.keys() == expected.keys()


def test_a_keyword_with_the_name_of_a_positional_only_parameter_is_another_argument(only):
    assert ops.trace(same_name)(1, first=2) == (1, {"first": 2})

    assert json.loads(only().input) == {"first": 1, "first_too": {"first": 2}}


@pytest.mark.parametrize("kwargs", [{"api_key": "sk-1", "question": "why"}, {"question": "why", "api_key": "sk-1"}])
def test_a_secret_given_by_keyword_is_masked(kwargs):
    def ask(question, api_key):
        return question

    assert told(ask, (), kwargs)[1] == {"question": "why", "api_key": "[masked]"}


def test_an_argument_that_the_function_does_not_know_is_told_and_fails_in_the_function(only):
    with pytest.raises(TypeError, match="unexpected keyword"):
        ops.trace(plain)(1, unknown=2)

    assert json.loads(only().input) == {"first": 1, "kwargs": {"unknown": 2}, "second": 2, "third": "three"}


plain_values = (
    st.none()
    | st.booleans()
    | st.integers(-(2**65), 2**65)
    | st.sampled_from([2**63 - 1, 2**63, -(2**63), 2**64 - 1, 2**64])
    | st.floats()
    | st.text(st.characters(), max_size=3)  # lone surrogates too
    | st.sampled_from(["", '"', "\0" * 40, "x" * 200, "ü" * 60, "\ud800"])
)


class Methods:
    def method(self, first, second: str = "2"): ...


@given(
    st.lists(plain_values, max_size=4),
    st.sampled_from([plain, mixed, Methods.method]),
    st.sampled_from([100, 65536]),
)
def test_plain_values_are_described_as_if_they_had_been_written_out(args, fn, limit):
    site = CallSite(fn)
    args = (*((object(),) if fn is Methods.method else ()), *args)
    before, capture.policy.limit = capture.policy.limit, limit
    try:
        span = Span.begin(site, args, {})
        span.finish()
        expected = site.describe(site.capture_arguments(args, {}))
        found = span.all_attributes()
    finally:
        capture.policy.limit = before

    assert (found["mirascope.trace.arg_types"], found["mirascope.trace.arg_values"]) == expected


@given(st.lists(st.lists(plain_values, min_size=1, max_size=3), min_size=1, max_size=6))
def test_many_calls_with_plain_values_are_described_as_each_is(calls):
    site = CallSite(plain)
    kept = [Span.begin(site, tuple(args), {}) for args in calls]
    for span in reversed(kept):
        span.finish()
    arguments = [found for span in kept if type(found := span._arguments) is tuple]

    if arguments:
        assert list(zip(*site.describe_all(arguments), strict=True)) == list(map(site.describe, arguments))


@pytest.mark.parametrize("changed", [{"enabled": False}, {"redact": lambda _key, _value: "other"}, {"limit": 3}])
def test_plain_values_follow_the_policy(monkeypatch, only, changed):
    for name, value in changed.items():
        monkeypatch.setattr(capture.policy, name, value)

    ops.trace(plain)("secret", 1)

    assert "secret" not in str(only().attributes)
