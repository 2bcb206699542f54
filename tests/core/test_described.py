"""Arguments of many calls, described at once, are what they are one by one."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mirascope_ops.core.site import CallSite

odd_text = st.text(max_size=4) | st.sampled_from(["lone \ud800", "ünï", "null", '"', "\0", "a\nb", '",', "%s"])
odd_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | odd_text | st.binary(max_size=2),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(odd_text | st.integers(), inner, max_size=2)
    | st.tuples(inner),
    max_leaves=4,
)  # fmt: skip

by_keyword = st.dictionaries(st.sampled_from(["first", "key", "more"]), odd_values)
calls = st.tuples(st.lists(odd_values, max_size=5), by_keyword)


def annotated(first: str, second: int, third: float | None = None, **rest: object) -> None: ...
def bare(first, second, third=(1, 2), fourth="ünï%", *rest, key=None): ...
def single(value: Any) -> None: ...
def none() -> None: ...
def secret(name: str, api_key: str, options: list[Any] = []) -> None: ...  # noqa: B006 - what may change is captured


@pytest.mark.parametrize("function", [annotated, bare, single, none, secret])
@settings(max_examples=60, deadline=None)
@given(calls=st.lists(calls, min_size=1, max_size=6))
def test_many_calls_are_described_as_each_is(function, calls):
    site = CallSite(function)
    arguments = [site.capture_arguments(tuple(args), kwargs) for args, kwargs in calls]

    types, values = site.describe_all(arguments)

    assert list(zip(types, values, strict=True)) == list(map(site.describe, arguments))


def test_a_call_whose_arguments_are_no_json_is_told():
    with pytest.raises(ValueError, match="JSON"):
        CallSite(single).describe_all(["[1]", "[2],[3]"])
