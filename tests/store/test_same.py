"""One value many times reads as a list of it does."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mirascope_ops.store.same import Same, shared

values = st.none() | st.booleans() | st.integers(0, 1) | st.sampled_from(["", "a", 0.0, 1.0, ()])
bounds = st.none() | st.integers(-5, 5)


@given(value=values, other=values, number=st.integers(0, 4), part=st.slices(4))
def test_it_is_read_as_a_list(value, other, number, part):
    same, plain = Same(value, number), [value] * number

    assert list(same) == plain
    assert len(same) == len(plain)
    assert list(same[part]) == plain[part]
    assert (other in same) == (other in plain)
    assert same.count(other) == plain.count(other)


def test_a_place_outside_of_it_is_an_error():
    same = Same("a", 2)

    assert same[-2] == "a"
    with pytest.raises(IndexError):
        same[2]


@given(st.lists(values, max_size=4))
def test_what_is_shared_says_what_stood_there(found):
    same = shared(found)

    assert same is None or repr(list(same)) == repr(found)
    assert (shared(["ab"[:1], "a" + "b"[:0]]) or found) != found
