"""Whatever an argument was: it is made again as it was, or the replay says that it cannot be; never another value."""

from __future__ import annotations

import dataclasses
import datetime as dt
import decimal
import enum
import pathlib
import uuid
from collections.abc import Sequence
from typing import Any, Literal, NamedTuple, Optional, TypedDict, Union

import pydantic
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mirascope_ops import ops
from mirascope_ops.testing import captured


class Level(enum.Enum):
    LOW = "low"
    HIGH = 2


@dataclasses.dataclass(frozen=True)
class Point:
    x: int
    label: str | None = None


@dataclasses.dataclass(frozen=True)
class Far(Point):
    unit: str = "km"


@dataclasses.dataclass(frozen=True)
class Same(Point):
    pass


class Settings(pydantic.BaseModel):
    level: Level = Level.LOW
    at: dt.datetime | None = None
    points: list[Point] = []
    weights: dict[str, float] = {}


class Entry(TypedDict, total=False):
    name: str
    when: dt.date


class Pair(NamedTuple):
    left: int
    right: str


TEXT = st.text(max_size=12) | st.sampled_from(["[masked]", "[cycle]", "low", "2026-11-25", "1", "<x object>", "\ud800"])
INTS = st.integers(-(2**70), 2**70)
FLOATS = st.floats(allow_nan=False)
SECONDS = st.datetimes(dt.datetime(1900, 1, 1), dt.datetime(2100, 1, 1))  # noqa: DTZ001 - without a zone, on purpose
POINTS = st.builds(Point, INTS, st.none() | TEXT)
LEAVES = {
    str: TEXT,
    int: INTS,
    float: FLOATS,
    bool: st.booleans(),
    type(None): st.none(),
    bytes: st.binary(max_size=12),
    dt.datetime: SECONDS,
    dt.date: st.dates(),
    dt.timedelta: st.timedeltas(),
    uuid.UUID: st.uuids(),
    decimal.Decimal: st.decimals(allow_nan=False),
    pathlib.Path: TEXT.filter(lambda text: "\0" not in text and text.isascii()).map(pathlib.Path),
    Level: st.sampled_from(Level),
    Literal["low", 1, True]: st.sampled_from(["low", 1, True]),
    Point: POINTS | st.builds(Far, INTS, st.none() | TEXT, TEXT) | st.builds(Same, INTS),
    Settings: st.builds(
        Settings,
        level=st.sampled_from(Level),
        at=st.none() | SECONDS,
        points=st.lists(POINTS, max_size=2),
        weights=st.dictionaries(TEXT, FLOATS, max_size=2),
    ),
    Entry: st.fixed_dictionaries({}, optional={"name": TEXT, "when": st.dates()}),
    Pair: st.builds(Pair, INTS, TEXT),
}
HASHABLE = [str, int, bool, dt.date, uuid.UUID, Level, Point, Pair]
KEYS = [str, int, bool, dt.date, uuid.UUID, Level, str | int]
PLAIN = st.recursive(
    st.none() | st.booleans() | INTS | FLOATS | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=6,
)


def sets(draw: Any) -> tuple[Any, Any]:
    hint = draw(st.sampled_from(HASHABLE))
    return set[hint], st.sets(LEAVES[hint], max_size=3)


def dicts(draw: Any, hint: Any, values: Any) -> tuple[Any, Any]:
    key = draw(st.sampled_from(KEYS))
    keys = LEAVES[str] | LEAVES[int] if key == str | int else LEAVES[key]
    return dict[key, hint], st.dictionaries(keys, values, max_size=3)


def pairs(draw: Any, hint: Any, values: Any) -> tuple[Any, Any]:
    other, others = draw(typed(0))
    return tuple[hint, other], st.tuples(values, others)


def unions(draw: Any, hint: Any, values: Any) -> tuple[Any, Any]:
    other, others = draw(typed(1))
    return Union[hint, other], values | others  # noqa: UP007 - of variables


SHAPES = [
    pairs,
    dicts,
    unions,
    lambda _, hint, values: (list[hint], st.lists(values, max_size=3)),
    lambda _, hint, values: (Optional[hint], values | st.none()),  # noqa: UP045 - of a variable
    lambda _, hint, values: (Sequence[hint], st.lists(values, max_size=3) | st.lists(values, max_size=3).map(tuple)),
    lambda draw, _, values: (draw(st.sampled_from([Any, object, dict[str, Any] | list[Any]])), PLAIN | values),
]


@st.composite
def typed(draw: Any, depth: int = 2) -> tuple[Any, Any]:
    """An annotation, and a strategy of values that it is true of."""
    shape = draw(st.sampled_from(["leaf", sets, *SHAPES])) if depth else "leaf"
    if shape == "leaf":
        hint = draw(st.sampled_from(list(LEAVES)))
        return hint, LEAVES[hint]
    return sets(draw) if shape is sets else shape(draw, *draw(typed(depth - 1)))


def is_same(one: Any, other: Any) -> bool:
    """Equal, and of the same types throughout."""
    if type(one) is not type(other) or one != other:
        return False
    if isinstance(one, dict):
        return all(is_same(a, b) for a, b in zip(one.items(), other.items(), strict=True))
    if isinstance(one, list | tuple):
        return all(is_same(a, b) for a, b in zip(one, other, strict=True))
    return True


@settings(max_examples=400, deadline=None)
@given(st.data())
def test_an_argument_is_made_again_as_it_was_or_not_at_all(data):
    hint, values = data.draw(typed())
    value = data.draw(values)
    calls = []

    def call(value):
        calls.append(value)

    call.__annotations__ = {"value": hint}
    traced = ops.trace(call)
    with captured():
        trace = traced.wrapped(value)
        try:
            trace.replay(traced)
        except ops.ReplayError:
            assert len(calls) == 1
        else:
            assert is_same(calls[0], calls[1]), f"{hint}: {calls}"


@settings(max_examples=200, deadline=None)
@given(st.lists(PLAIN, max_size=3), st.dictionaries(st.sampled_from("abcd"), PLAIN, max_size=3))
def test_json_data_is_given_again_under_the_same_parameters(values, named):
    calls = []

    @ops.trace
    def call(first=0, *rest, a=None, **more):
        calls.append((first, rest, a, more))

    with captured():
        trace = call.wrapped(*values, **named)
        try:
            trace.replay(call)
        except ops.ReplayError:
            assert len(calls) == 1
        else:
            assert is_same(calls[0], calls[1])


@pytest.mark.parametrize("hint", list(LEAVES))
def test_most_arguments_are_made_again(hint):
    """What refuses everything would be right always."""
    made = 0

    @settings(max_examples=60, deadline=None, database=None)
    @given(LEAVES[hint])
    def count(value):
        nonlocal made

        def call(value):
            pass

        call.__annotations__ = {"value": hint}
        traced = ops.trace(call)
        with captured():
            try:
                traced.wrapped(value).replay(traced)
                made += 1
            except ops.ReplayError:
                pass

    count()

    assert made > 0
