"""JSON text that holds whatever an attribute may be."""

from __future__ import annotations

import math
from types import MappingProxyType

from hypothesis import given
from hypothesis import strategies as st

from mirascope_ops.store.codec import clean, decode, encode

json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
anything = st.recursive(
    st.none() | st.integers() | st.floats() | st.binary() | st.complex_numbers() | st.text(st.characters()),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.tuples(inner, inner)
        | st.dictionaries(st.text(st.characters()) | st.integers() | st.none(), inner, max_size=3)
    ),
    max_leaves=8,
)


@given(json_values)
def test_what_json_can_say_comes_back_unchanged(value):
    back = decode(encode(value))

    assert back == value
    assert repr(back) == repr(value)


@given(anything)
def test_anything_can_be_written_and_what_came_back_stays_as_it_is(value):
    once = decode(encode(value))
    twice = decode(encode(once))

    assert repr(once) == repr(twice)


def test_special_floats_stay_floats_and_null_stays_none():
    back = decode(encode({"a": [math.nan, math.inf, -math.inf, None], "text": "null"}))

    assert math.isnan(back["a"][0])
    assert back["a"][1:] == [math.inf, -math.inf, None]
    assert back["text"] == "null"


def test_read_only_mappings_are_written_as_objects():
    assert encode(MappingProxyType({"a": MappingProxyType({"b": (1,)})})) == '{"a":{"b":[1]}}'


def test_deep_nesting_is_cut_not_refused():
    value: object = 10**30
    for _ in range(5000):
        value = [value]

    assert encode(value).count("[") < 100


def test_a_column_takes_text_numbers_and_nothing_else():
    class Text(str):
        __slots__ = ()

    assert type(clean(Text("a"))) is str
    assert clean(2**70) == 2**63 - 1
    assert clean(True) == 1
    assert clean(["x"]) == "['x']"
    assert clean("pair \ud83d\ude00 lone \udc00") == "pair 😀 lone \ufffd"
