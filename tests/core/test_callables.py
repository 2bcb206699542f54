"""Every kind of callable under `@ops.trace`, beside the same one without it: what else a program can see of them."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import typing
import weakref

import pytest

from mirascope_ops import ops

# -- what a call keeps alive -----------------------------------------------------------------------


class Document:
    """An argument."""


def function(x: Document) -> int:
    return 1


def failing(x: Document) -> int:
    raise KeyError


def generator(x: Document):
    yield 1
    yield 2


async def coroutine(x: Document) -> int:
    await asyncio.sleep(0)
    return 1


async def failing_coroutine(x: Document) -> int:
    await asyncio.sleep(0)
    raise KeyError


async def async_generator(x: Document):
    yield 1
    yield 2


def call(fn, argument):
    fn(argument)


def exhaust(fn, argument):
    list(fn(argument))


def leave_early(fn, argument):
    for _ in fn(argument):
        break


def close(fn, argument):
    iterator = fn(argument)
    next(iterator)
    iterator.close()


def throw(fn, argument):
    iterator = fn(argument)
    next(iterator)
    iterator.throw(KeyError())


async def await_it(fn, argument):
    with contextlib.suppress(KeyError):  # here, because `asyncio.run` would keep it
        await fn(argument)


async def exhaust_async(fn, argument):
    async for _ in fn(argument):
        pass


async def leave_early_async(fn, argument):
    async for _ in fn(argument):
        break
    for _ in range(5):  # the event loop closes it
        await asyncio.sleep(0)


async def close_async(fn, argument):
    async with contextlib.aclosing(fn(argument)) as iterator:
        await anext(iterator)


async def throw_async(fn, argument):
    iterator = fn(argument)
    await anext(iterator)
    with contextlib.suppress(KeyError):
        await iterator.athrow(KeyError())


USES = [
    (function, call),
    (failing, call),
    (generator, exhaust),
    (generator, leave_early),
    (generator, close),
    (generator, throw),
    (coroutine, await_it),
    (failing_coroutine, await_it),
    (async_generator, exhaust_async),
    (async_generator, leave_early_async),
    (async_generator, close_async),
    (async_generator, throw_async),
]


@pytest.fixture
def no_collections():
    """Only reference counts free objects in the test."""
    gc.collect()
    gc.disable()
    yield
    gc.enable()


@pytest.mark.parametrize(("fn", "use"), USES, ids=lambda found: found.__name__)
@pytest.mark.parametrize(
    "decorator",
    [lambda fn: fn, ops.trace, ops.version, ops.session(id="a")],
    ids=["none", "trace", "version", "session"],
)
def test_an_argument_is_freed_when_the_call_is_over(no_collections, fn, use, decorator):
    argument = Document()
    alive = weakref.ref(argument)

    with contextlib.suppress(KeyError):
        if asyncio.iscoroutinefunction(use):
            asyncio.run(use(decorator(fn), argument))
        else:
            use(decorator(fn), argument)
    del argument

    assert alive() is None


@typing.overload
def either(value: int) -> int: ...


@typing.overload
def either(value: str) -> str: ...


@ops.trace
def either(value):
    return value


def test_overloads_of_a_traced_function_are_still_found(recorded):
    assert len(typing.get_overloads(either)) == 2
    assert (either(1), either("a"), either.wrapped(2).result) == (1, "a", 2)
    assert [span.name for span in recorded()] == ["either"] * 3


def test_a_traced_context_manager_function_covers_its_call_or_its_block(recorded):
    @ops.trace
    @contextlib.contextmanager
    def outside(name):
        yield name

    @contextlib.contextmanager
    @ops.trace
    def inside(name):
        with ops.span("block"):
            yield name

    with outside("a") as first, ops.span("after the call"):
        pass
    with inside("b") as second, ops.span("in the block"):
        pass

    assert (first, second) == ("a", "b")
    tree = {span.name: span for span in recorded()}
    assert tree["after the call"].parent_id is None
    assert tree["block"].parent_id == tree[next(name for name in tree if name.endswith("inside"))].span_id
    with pytest.raises(ValueError, match="boom"), inside("c"):
        raise ValueError("boom")
