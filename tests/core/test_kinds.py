"""The type of an argument is noted where JSON does not tell it and its annotation leaves it open."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence  # noqa: TC003 - its text is what is looked at
from pathlib import PurePosixPath
from typing import Any

import pytest

from mirascope_ops import ops
from mirascope_ops.core import capture, kinds


class Client:
    def __repr__(self) -> str:
        pytest.fail("its repr is not needed for its type")


class Sub(str):
    __slots__ = ()


@ops.trace
def call(open_one, words: list[str], wide: Sequence[int] = (), *rest, anything: Any = None, **named) -> None: ...


def noted(only, *args, **kwargs):
    call(*args, **kwargs)
    span = only()
    values = json.loads(span.attributes["mirascope.trace.arg_values"])
    types = json.loads(span.attributes["mirascope.trace.arg_types"])
    assert values.keys() == types.keys()
    return types


def test_plain_json_data_has_the_types_that_annotations_say(only):
    assert noted(only, {"a": [1, 2.5, None]}, ["a"], [1], anything="x") == {
        "open_one": "dict", "words": "list[str]", "wide": "Sequence[int]", "anything": "Any",
    }  # fmt: skip


def test_what_json_does_not_tell_is_noted(only):
    types = noted(only, (1, 2), ("a",), (3,), anything=PurePosixPath("/x"), more={1})

    path = f"{PurePosixPath.__module__}.PurePosixPath"
    assert types == {
        "open_one": "tuple", "words": "list[str]", "wide": "tuple", "anything": path, "named": "dict of set",
    }  # fmt: skip


def test_of_further_arguments_those_are_noted_that_need_it(only):
    assert noted(only, 1, [], [], "a", b"b")["rest"] == "list of bytes"


def test_defaults_are_noted_too(only):
    @ops.trace
    def call(number=3 + 4j, infinite: Any = math.inf, name="a") -> None: ...

    call()
    assert json.loads(only().attributes["mirascope.trace.arg_types"]) == {
        "number": "complex", "infinite": kinds.NOT_FINITE, "name": "str",
    }  # fmt: skip
    call(1, 2)
    given = json.loads(ops.last_trace()[0].attributes["mirascope.trace.arg_types"])
    assert (given["number"], given["infinite"]) == ("int", "Any")


def test_the_users_rule_sees_values_and_no_types(only, monkeypatch):
    seen = []
    monkeypatch.setattr(capture.policy, "redact", lambda key, value: seen.append(key) or value)

    noted(only, (1, 2), [])

    assert set(seen) - {"service.name"} <= {"open_one", "words", "wide", "anything"}  # that is of the resource


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (None, None),
        (2**64 - 1, None),
        (2**64, kinds.LONG),
        (0.0, None),
        (math.nan, kinds.NOT_FINITE),
        ([{"a": [math.inf]}], f"list of {kinds.NOT_FINITE}"),
        ({1: 2}, kinds.KEYS),
        ({1: (2,)}, f"{kinds.KEYS} of tuple"),
        (((),), "tuple of tuple"),
        (Sub("a"), f"{__name__}.Sub"),
        ([[]], None),
    ],
)
def test_the_words_for_values(value, words):
    assert kinds.odd(value) == words


def test_no_code_of_a_value_is_run_and_cycles_end():
    cycle: list[Any] = []
    cycle.append(cycle)

    assert kinds.odd(Client()) == f"{__name__}.Client"
    assert kinds.odd([Client()]) == f"list of {__name__}.Client"
    assert kinds.odd(cycle) is None


@pytest.mark.parametrize(
    ("annotation", "expected"),
    [
        (None, True),
        ("str", False),
        ("str | None", False),
        ("int | str", True),
        ("list[str]", False),
        ("list", True),
        ("dict[str, Any]", True),
        ("Path", False),
        ("Mapping[str, int]", True),
        ("float | None", True),
        ("T", True),
        ("Optional", True),
    ],
)
def test_which_annotations_leave_the_type_open(annotation, expected):
    assert kinds.is_open(annotation) is expected


@pytest.mark.parametrize("attempt", range(5))
def test_of_several_types_the_first_is_told(attempt):
    values = [type(f"Kind{number}", (), {})() for number in range(20)]

    assert kinds.odd(values).endswith(".Kind0")
    assert kinds.odd([1, "a", *reversed(values)]).endswith(".Kind19")
