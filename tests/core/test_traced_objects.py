"""Callables that are no functions: they stay what they are, with all that can be done to them."""

from __future__ import annotations

import asyncio
import copy
import functools
import inspect
import operator
import pickle
import sys
import types

import pytest

from mirascope_ops import ops
from mirascope_ops.exceptions import TraceTargetError

CALLED = []


class Adder:
    """Adds."""

    def __init__(self, number):
        self.number = number
        self.entered = False

    def __call__(self, x):
        self.last = x
        return self.number + x

    def __len__(self):
        return self.number

    def __iter__(self):
        return iter([self.number])

    def __bool__(self):
        return False

    def __enter__(self):
        self.entered = True
        return self

    def __exit__(self, *_):
        self.entered = False

    def __eq__(self, other):
        return isinstance(other, Adder) and self.number == other.number

    __hash__ = None

    def __or__(self, other):
        return ("or", self.number, other)

    def __ror__(self, other):
        return ("ror", other, self.number)


class Counter:
    def __call__(self, stop):
        yield from range(stop)


class AsyncCounter:
    async def __call__(self, stop):
        for number in range(stop):
            await asyncio.sleep(0)
            yield number


def add(a, b):
    return a + b


@pytest.fixture(params=[ops.trace, ops.version], ids=["trace", "version"])
def decorate(request):
    return request.param


def test_an_object_takes_part_in_everything_that_it_took_part_in(decorate, recorded):
    adder = decorate(Adder(3))

    assert (len(adder), list(adder), bool(adder), adder == Adder(3), Adder(3) == adder) == (3, [3], False, True, True)
    assert (adder | 1, 1 | adder, adder.__doc__, adder.__module__) == (("or", 3, 1), ("ror", 1, 3), "Adds.", __name__)
    assert isinstance(adder, Adder)
    with adder as inside:
        assert adder.entered
        assert inside(1) == 4
    with pytest.raises(TypeError, match="unhashable"):
        hash(adder)
    assert len(recorded()) == 0
    assert (adder(1), adder.wrapped(2).result, len(recorded())) == (4, 5, 2)


def test_what_is_set_on_it_is_set_on_the_object(decorate):
    target = Adder(3)
    adder = decorate(target)

    adder.number, adder.new = 4, 1
    assert (adder(1), adder.last, target.number, target.new) == (5, 1, 4, 1)

    del adder.new
    assert not hasattr(target, "new")


def test_it_may_be_copied_and_pickled_and_each_copy_is_traced(decorate, recorded):
    adder = decorate(Adder(3))

    for make in (copy.copy, copy.deepcopy, lambda value: pickle.loads(pickle.dumps(value))):
        made = make(adder)
        made.number = 5
        assert (made(1), made.wrapped(1).result, adder(1)) == (6, 6, 4)
    assert len(recorded()) == 9


def test_a_partial_may_be_copied_and_pickled_and_each_copy_is_traced(decorate, recorded):
    partial = decorate(functools.partial(add, 1))

    for make in (copy.copy, copy.deepcopy, lambda value: pickle.loads(pickle.dumps(value))):
        made = make(partial)
        assert (made(2), made.wrapped(3).result, made.args) == (3, 4, (1,))
        assert isinstance(made, functools.partial)
    assert len(recorded()) == 6


async def test_an_object_whose_call_is_a_generator_has_a_span_around_the_iteration(decorate, recorded):
    counter, async_counter = decorate(Counter()), decorate(AsyncCounter())

    items = counter(3)
    assert len(recorded()) == 0
    assert list(items) == list(counter.wrapped(3).result) == [0, 1, 2]
    assert [item async for item in async_counter(2)] == [0, 1]
    assert [item async for item in async_counter.wrapped(2).result] == [0, 1]
    assert [(span.name, span.output) for span in recorded()] == [
        ("Counter", "[0,1,2]"), ("Counter", "[0,1,2]"), ("AsyncCounter", "[0,1]"), ("AsyncCounter", "[0,1]"),
    ]  # fmt: skip


def test_a_cache_below_keeps_its_methods(decorate, recorded):
    @decorate
    @functools.lru_cache(maxsize=3)
    def square(x):
        CALLED.append(x)
        return x * x

    CALLED.clear()

    assert (square(2), square(2), square.wrapped(2).result, CALLED) == (4, 4, 4, [2])
    assert square.cache_info().hits == 2
    assert square.cache_parameters()["maxsize"] == 3
    square.cache_clear()
    assert (square(2), CALLED) == (4, [2, 2])
    assert len(recorded()) == 4


@pytest.mark.parametrize(
    ("function", "arguments"),
    [(len, ([1],)), (sorted, ([2, 1],)), (operator.itemgetter(0), ([7],)), (str.upper, ("a",)), ("-".join, ("ab",))],
)
def test_what_is_written_in_c_may_be_traced(function, arguments, only):
    assert ops.trace(function)(*arguments) == function(*arguments)
    assert only().output


def test_an_object_may_be_pickled_from_a_module(monkeypatch):
    module = types.ModuleType("with_a_traced_object")
    monkeypatch.setitem(sys.modules, module.__name__, module)
    module.adder = ops.trace(Adder(1))

    assert pickle.loads(pickle.dumps(module.adder))(1) == 2


@pytest.mark.parametrize(
    ("target", "message"),
    [
        (Adder, "Adder is a class: decorate its methods"),
        (property(len), "put @ops.trace under @property"),
        (functools.cached_property(len), "A cached_property cannot be traced: put @ops.trace under its decorator"),
        (functools.singledispatchmethod(len), "A singledispatchmethod cannot be traced"),
        ("search", r"write @ops\.trace\(name='search'\)"),
        (3, "needs a callable, got int"),
    ],
)
def test_what_cannot_be_traced_is_refused_with_what_to_write(target, message):
    with pytest.raises(TraceTargetError, match=message):
        ops.trace(target)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"name": 3}, "name must be a string, got int: write name='3'"),
        ({"tags": "a"}, r"write tags=\['a'\]"),
        ({"tags": 3}, "tags must be a sequence of strings, got 3"),
        ({"tags": [1]}, r"tags must be a sequence of strings, got \[1\]"),
        ({"tags": iter("ab")}, "tags must be a sequence of strings"),
        ({"metadata": ["owner"]}, r"metadata must be a mapping, got \['owner'\]: write metadata={'owner': 'me'}"),
    ],
)
def test_options_of_another_type_are_refused_with_what_to_write(decorate, options, message):
    with pytest.raises(TraceTargetError, match=message):
        decorate(**options)


class AsyncAdder(Adder):
    async def __call__(self, x):
        return self.number + x


class Counting(Adder):
    def __call__(self, x):
        yield from range(x)


class AsyncCounting(Adder):
    async def __call__(self, x):
        for number in range(x):
            yield number


@pytest.mark.parametrize("kind", [Adder, AsyncAdder, Counting, AsyncCounting])
def test_its_call_is_of_the_kind_of_the_objects_own(decorate, kind):
    # Frameworks look at it, to know whether to await: Starlette, FastAPI.
    plain, traced = kind(1), decorate(kind(1))

    for tells in (inspect.iscoroutinefunction, inspect.isgeneratorfunction, inspect.isasyncgenfunction):
        assert tells(traced.__call__) == tells(plain.__call__)
        assert tells(type(traced).__call__) == tells(kind.__call__)
    assert inspect.signature(traced.__call__) == inspect.signature(plain.__call__)


async def test_an_object_with_an_async_call_may_be_traced_twice(decorate, recorded):
    traced = ops.trace(name="outer")(decorate(AsyncAdder(1)))

    assert await traced(2) == 3
    assert {span.output for span in recorded()} == {"3"}
