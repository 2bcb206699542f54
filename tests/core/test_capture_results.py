"""The quick way through which most results go must give what the general way gives."""

from __future__ import annotations

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mirascope_ops import ops
from mirascope_ops.core import capture
from mirascope_ops.core.capture import dump, dump_result

KEYS = st.sampled_from(["question", "limit", "api_key", "password", "n", "", "ünï", "Token"]) | st.text(max_size=8)
FLAT = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20)
NESTED = st.lists(FLAT, max_size=3) | st.dictionaries(KEYS, FLAT, max_size=3)


@given(st.lists(st.dictionaries(KEYS | st.integers(), FLAT | NESTED, max_size=5), max_size=4))
def test_a_dict_is_captured_alike_the_first_time_and_when_its_keys_are_known(results):
    first = [dump_result(result) for result in results]

    assert [dump_result(result) for result in results] == first == [dump(result) for result in results]


def test_a_known_key_does_not_hide_a_secret_beside_it_or_below_it():
    dump_result({"question": "known"})

    assert orjson.loads(dump_result({"question": "q", "api_key": "sk-1"})) == {"question": "q", "api_key": "[masked]"}
    assert orjson.loads(dump_result({"question": {"api_key": "sk-1"}})) == {"question": {"api_key": "[masked]"}}


def test_results_with_known_keys_are_redacted_and_cut_as_configured():
    dump_result({"question": "known"})

    ops.configure(redact=lambda _key, value: value.upper() if isinstance(value, str) else value)
    assert dump_result({"question": "quiet"}) == '{"question":"QUIET"}'
    ops.configure(redact=None, capture_limit=100)
    assert "more characters" in dump_result({"question": "x" * 1000})


@pytest.mark.usefixtures("recorded")
def test_endless_new_keys_are_not_remembered_without_end():
    for number in range(10_050):
        dump_result({f"key of call {number}": 1})

    dump_result(dict.fromkeys((f"one of many keys {number}" for number in range(20_000)), 1))

    assert len(capture._ORDINARY_KEYS) <= 10_064


def test_a_result_too_big_to_be_written_out_is_never_written_out():
    looked_at = []

    class Item(dict):
        def values(self):
            looked_at.append(self)
            return super().values()

    part = [{"n": number} for number in range(1_000)]
    big = [part] * 1_000  # a million fields, for the memory of a thousand

    found = dump_result({"items": big, "more": Item(n=1)})

    assert len(found) <= capture.policy.limit + 100
    assert not looked_at


def test_a_long_string_among_the_arguments_is_left_to_the_way_that_cuts_first():
    assert capture.dump_arguments(("x" * (capture.policy.limit + 1), 1)) is None
    assert capture.dump_arguments((1, [["x"] * 1_000] * 1_000)) is None
    assert capture.dump_arguments(("x" * 100, 1)) is not None


def test_a_key_whose_hash_fails_costs_nothing_but_itself():
    class Key(str):
        __slots__ = ()
        fails = False

        def __hash__(self):
            if Key.fails:
                raise ValueError("no hash today")
            return super().__hash__()

    result = {Key("odd"): 1}
    Key.fails = True

    assert "1" in dump_result(result)
