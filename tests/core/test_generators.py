"""`@ops.trace` on generators and async generators: laziness, what is current where, and when the span ends."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import gc
import inspect
import itertools
import json
import logging
import pickle
import weakref
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry import context as otel_context
from opentelemetry import trace as otel_trace

import mirascope_ops
from mirascope_ops import Span, ops
from mirascope_ops.testing import captured

OURS = str(Path(mirascope_ops.__file__).parent)


@ops.trace
def count(stop: int):
    """Count."""
    yield from range(stop)
    return "done"


@ops.trace
async def count_async(stop: int):
    """Count, slowly."""
    for number in range(stop):
        await asyncio.sleep(0)
        yield number


def current():
    """The names of what is current: session, span."""
    session, span = ops.current_session(), otel_trace.get_current_span()
    return session and session.id, getattr(span, "name", None)


NOTHING = (None, None)


# -- laziness and values ---------------------------------------------------------------------------


def test_the_body_does_not_run_before_the_first_item(recorded):
    seen = []

    @ops.trace
    def items():
        seen.append("started")
        yield 1

    iterator = items()
    before = list(seen), len(recorded())
    first = next(iterator)

    assert before == ([], 0)
    assert (first, seen) == (1, ["started"])
    iterator.close()


async def test_the_body_of_an_async_generator_does_not_run_before_the_first_item(recorded):
    seen = []

    @ops.trace
    async def items():
        seen.append("started")
        yield 1

    iterator = items()
    await asyncio.sleep(0)
    before = list(seen), len(recorded())
    first = await anext(iterator)

    assert before == ([], 0)
    assert (first, seen) == (1, ["started"])
    await iterator.aclose()


def test_an_endless_generator_is_not_read_ahead():
    made = []

    @ops.trace
    def endless():
        for number in itertools.count():
            made.append(number)
            yield number

    iterator = endless()

    assert list(itertools.islice(iterator, 3)) == [0, 1, 2]
    assert made == [0, 1, 2]
    iterator.close()


def test_items_are_the_very_objects():
    marker = object()

    @ops.trace
    def items():
        yield marker

    assert next(items()) is marker


def test_the_return_value_is_kept():
    def outer():
        return (yield from count(2))

    iterator = outer()

    assert [next(iterator), next(iterator)] == [0, 1]
    with pytest.raises(StopIteration) as stop:
        next(iterator)
    assert stop.value.value == "done"


def test_what_is_sent_reaches_the_body():
    @ops.trace
    def echo():
        received = yield "ready"
        while True:
            received = yield received

    iterator = echo()

    assert [next(iterator), iterator.send("a"), next(iterator), iterator.send(2)] == ["ready", "a", None, 2]
    iterator.close()


async def test_what_is_sent_reaches_an_async_body():
    @ops.trace
    async def echo():
        received = yield "ready"
        while True:
            received = yield received

    iterator = echo()

    assert [await anext(iterator), await iterator.asend("a"), await anext(iterator)] == ["ready", "a", None]
    await iterator.aclose()


def test_what_is_thrown_reaches_the_body_and_may_be_handled(only):
    @ops.trace
    def stubborn():
        try:
            yield 1
        except KeyError as error:
            yield error
        yield 3

    iterator = stubborn()
    next(iterator)
    error = KeyError("x")

    assert iterator.throw(error) is error
    assert list(iterator) == [3]
    assert only().status == "unset"


async def test_what_is_thrown_reaches_an_async_body_and_may_be_handled(only):
    @ops.trace
    async def stubborn():
        try:
            yield 1
        except KeyError as error:
            yield error

    iterator = stubborn()
    await anext(iterator)
    error = KeyError("x")

    assert await iterator.athrow(error) is error
    assert [item async for item in iterator] == []
    assert only().status == "unset"


def test_close_runs_what_the_body_has_to_clean_up(only):
    seen = []

    @ops.trace
    def items():
        try:
            yield 1
            yield 2
        finally:
            seen.append(current())

    iterator = items()
    next(iterator)
    iterator.close()

    assert seen == [(None, "items")]
    assert (only().status, list(only().events)) == ("unset", [])


async def test_aclose_runs_what_the_body_has_to_clean_up(only):
    seen = []

    @ops.trace
    async def items():
        try:
            yield 1
            yield 2
        finally:
            await asyncio.sleep(0)
            seen.append(current())

    iterator = items()
    await anext(iterator)
    await iterator.aclose()

    assert seen == [(None, "items")]
    assert (only().status, list(only().events)) == ("unset", [])


async def test_a_body_that_yields_inside_async_with_is_closed_early(only):
    seen = []

    @contextlib.asynccontextmanager
    async def connection():
        seen.append("open")
        try:
            yield
        finally:
            await asyncio.sleep(0)
            seen.append("closed")

    @ops.trace
    async def rows():
        async with connection():
            yield 1
            yield 2

    async with contextlib.aclosing(rows()) as iterator:
        async for _ in iterator:
            break

    assert seen == ["open", "closed"]
    assert (only().status, only().end is not None) == ("unset", True)


def test_a_body_that_ignores_its_closing_fails_as_it_would():
    @ops.trace
    def stubborn():
        while True:
            with contextlib.suppress(GeneratorExit):
                yield 1

    iterator = stubborn()
    next(iterator)

    with pytest.raises(RuntimeError, match="ignored GeneratorExit"):
        iterator.close()
    # It goes on as any such generator would; end it for good.
    with pytest.raises(ZeroDivisionError):
        iterator.throw(ZeroDivisionError())


# -- kind ------------------------------------------------------------------------------------------


def test_a_traced_generator_function_is_one():
    assert inspect.isgeneratorfunction(count)
    assert not inspect.iscoroutinefunction(count)
    assert inspect.isgenerator(count(1))
    assert (count.__name__, count.__doc__) == ("count", "Count.")
    assert list(inspect.signature(count).parameters) == ["stop"]
    assert pickle.loads(pickle.dumps(count)) is count


def test_a_traced_async_generator_function_is_one():
    assert inspect.isasyncgenfunction(count_async)
    assert not inspect.iscoroutinefunction(count_async)
    assert inspect.isasyncgen(count_async(1))
    assert pickle.loads(pickle.dumps(count_async)) is count_async


# -- the span --------------------------------------------------------------------------------------


def test_the_span_covers_the_iteration(recorded, only):
    iterator = count(2)
    next(iterator)
    while_running = only().status
    list(iterator)

    assert while_running == "open"
    assert len(recorded()) == 1
    assert only().status == "unset"
    assert json.loads(only().attributes["mirascope.trace.arg_values"]) == {"stop": 2}
    assert only().attributes["mirascope.fn.is_async"] is False


async def test_the_span_of_an_async_generator_covers_the_iteration(recorded, only):
    iterator = count_async(2)
    await anext(iterator)
    while_running = only().status
    rest = [item async for item in iterator]

    assert (while_running, rest) == ("open", [1])
    assert len(recorded()) == 1
    assert only().status == "unset"
    assert only().attributes["mirascope.fn.is_async"] is True


def test_the_span_is_current_in_the_body_and_not_between(recorded):
    @ops.trace
    def items():
        yield current()
        with ops.span("in body"):
            yield current()
        yield current()

    seen = []
    with ops.span("consumer"):
        for inside in items():
            seen.append((inside, current()))
            with ops.span("between"):
                pass

    consumer = (None, "consumer")
    assert seen == [((None, "items"), consumer), ((None, "in body"), consumer), ((None, "items"), consumer)]
    names = {span.span_id: span.name for span in recorded()}
    assert [(span.name, names.get(span.parent_id)) for span in recorded()] == [
        ("consumer", None),
        ("items", "consumer"),
        ("between", "consumer"),
        ("in body", "items"),
        ("between", "consumer"),
        ("between", "consumer"),
    ]


async def test_the_span_of_an_async_generator_is_current_in_the_body_and_not_between():
    @ops.trace
    async def items():
        yield current()
        await asyncio.sleep(0)
        with ops.span("in body"):
            await asyncio.sleep(0)
            yield current()

    with ops.span("consumer"):
        seen = [(inside, current()) async for inside in items()]

    consumer = (None, "consumer")
    assert seen == [((None, "items"), consumer), ((None, "in body"), consumer)]


def test_the_span_belongs_where_the_first_item_was_asked_for(only):
    iterator = count(2)
    with ops.session(id="a"), ops.span("consumer") as consumer:
        next(iterator)
    with ops.session(id="b"):
        list(iterator)

    assert only("count").parent_id == consumer.span_id
    assert only("count").session_id == "a"


def test_the_span_ends_with_an_error_of_the_body(only):
    @ops.trace
    def items():
        yield 1
        raise KeyError("lost")

    with pytest.raises(KeyError, match="lost"):
        list(items())

    assert (only().status, only().error_type) == ("error", "KeyError")
    assert only().output is not None  # what was yielded before is kept


def test_the_span_ends_with_an_exception_that_was_thrown_in(only):
    iterator = count(3)
    next(iterator)
    error = KeyError("thrown")
    with pytest.raises(KeyError) as raised:
        iterator.throw(error)

    assert raised.value is error
    assert (only().status, only().end is not None) == ("error", True)


async def test_the_span_ends_when_the_consumer_is_cancelled_inside_the_body(only):
    waiting = asyncio.Event()

    @ops.trace
    async def items():
        yield 1
        waiting.set()
        await asyncio.Event().wait()
        yield 2

    async def consume():
        async for _ in items():
            pass

    task = asyncio.create_task(consume())
    await waiting.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    assert (only().status, only().end is not None) == ("error", True)


def test_the_span_ends_when_the_generator_is_collected(only):
    iterator = count(3)
    next(iterator)
    del iterator
    gc.collect()

    assert (only().status, only().end is not None) == ("unset", True)


async def test_the_span_ends_when_an_async_generator_is_collected(only):
    iterator = count_async(3)
    await anext(iterator)
    del iterator
    gc.collect()
    for _ in range(5):  # the event loop closes it
        await asyncio.sleep(0)

    assert (only().status, only().end is not None) == ("unset", True)


def test_an_async_generator_left_open_at_the_loops_end_is_closed_quietly(only, caplog):
    kept = []

    async def main():
        iterator = count_async(3)
        kept.append(iterator)
        await anext(iterator)

    with caplog.at_level(logging.ERROR, logger="asyncio"):
        asyncio.run(main())

    assert not caplog.records
    assert (only().status, only().end is not None) == ("unset", True)


async def keep_open(items, kept):
    """Leave an async generator open, and alive, at the end of its event loop."""
    iterator = items()
    kept.append(iterator)
    await anext(iterator)


async def drop(items, _):
    async for _ in items():
        break
    await several_steps()


async def drop_a_cycle(items, _):
    iterator = items()
    await anext(iterator)
    cycle = [iterator]
    cycle.append(cycle)
    del cycle, iterator
    gc.collect()
    await several_steps()


async def several_steps():
    for _ in range(9):
        await asyncio.sleep(0)


@pytest.mark.parametrize("leave", [keep_open, drop, drop_a_cycle])
@pytest.mark.parametrize("decorator", [ops.trace, ops.session(id="a")], ids=["trace", "session"])
def test_an_async_generator_that_awaits_as_it_is_closed_is_closed_once_and_quietly(leave, decorator):
    def seen(decorate):
        found, kept = [], []

        @decorate
        async def items():
            try:
                yield 1
                yield 2
            finally:
                found.append("closing")
                await asyncio.sleep(0)
                found.append("closed")

        async def main():
            asyncio.get_running_loop().set_exception_handler(lambda _, reported: found.append(reported))
            await leave(items, kept)

        asyncio.run(main())
        return found

    assert seen(decorator) == seen(lambda function: function) == ["closing", "closed"]


async def test_an_async_generator_whose_body_is_closed_first_is_closed_quietly(only):
    iterator = count_async(3)
    await anext(iterator)
    await iterator.ag_frame.f_locals["body"].aclose()  # as the garbage collector may do, in no order

    await iterator.aclose()

    assert (only().status, only().end is not None) == ("unset", True)


def test_a_generator_that_never_started_makes_no_span(recorded):
    count(3).close()
    del [count(3)][0]
    gc.collect()

    assert len(recorded()) == 0


def test_an_exhausted_generator_records_nothing_more(recorded):
    iterator = count(1)
    list(iterator)

    assert list(iterator) == []
    iterator.close()
    assert len(recorded()) == 1


def test_a_generator_driven_in_several_contexts_and_closed_elsewhere(only, in_thread):
    @ops.trace
    def items():
        with ops.span("in body"):
            yield current()
            yield current()
            yield current()

    iterator = items()
    seen = [contextvars.copy_context().run(next, iterator), in_thread(lambda: next(iterator)), next(iterator)]
    in_thread(iterator.close)

    assert seen == [(None, "in body")] * 3
    assert only("in body").parent_id == only("items").span_id
    assert (only("in body").status, only("items").status) == ("unset", "unset")


async def test_an_async_generator_iterated_by_several_tasks(recorded):
    @ops.trace
    async def items():
        with ops.session(id="body"), ops.span("in body"):
            for _ in range(4):
                await asyncio.sleep(0)
                yield current()

    iterator = items()

    async def step():
        return await anext(iterator), current()

    seen = [await asyncio.create_task(step()) for _ in range(4)]
    await asyncio.create_task(iterator.aclose())

    assert seen == [(("body", "in body"), NOTHING)] * 4
    assert current() == NOTHING
    assert {span.name: span.status for span in recorded()} == {"items": "unset", "in body": "unset"}


def test_a_recursive_generator_nests(recorded):
    @ops.trace
    def walk(depth: int):
        yield depth
        if depth:
            yield from walk(depth - 1)

    assert list(walk(3)) == [3, 2, 1, 0]
    parents = [span.parent_id for span in recorded()]
    assert parents == [None, *(span.span_id for span in recorded()[:-1])]


# -- sessions --------------------------------------------------------------------------------------


def test_a_session_opened_in_the_body_never_leaks_into_the_consumer(recorded):
    @ops.trace
    def items():
        with ops.session(id="body"):
            yield current()[0]
            with ops.span("in body"):
                yield current()[0]

    seen = []
    for inside in items():
        with ops.span("between"):
            seen.append((inside, current()[0]))

    assert seen == [("body", None), ("body", None)]
    assert {(span.name, span.attributes.get("session.id")) for span in recorded()} == {
        ("items", None),
        ("in body", "body"),
        ("between", None),
    }


def test_sessions_of_two_interleaved_generators_stay_apart():
    @ops.trace
    def items(name: str):
        yield current()[0]
        with ops.session(id=name):
            for _ in range(3):
                yield current()[0]
        yield current()[0]

    with ops.session(id="consumer"):
        seen = [(*pair, current()[0]) for pair in zip(items("a"), items("b"), strict=True)]

    assert seen == [
        ("consumer", "consumer", "consumer"),
        ("a", "b", "consumer"),
        ("a", "b", "consumer"),
        ("a", "b", "consumer"),
        ("consumer", "consumer", "consumer"),
    ]


def test_a_generator_left_open_inside_its_session_leaks_nothing():
    @ops.trace
    def items():
        with ops.session(id="body"), ops.span("in body"):
            yield 1

    iterator = items()
    next(iterator)
    between = current()
    iterator.close()

    assert between == NOTHING
    assert current() == NOTHING


async def test_a_session_opened_in_an_async_body_never_leaks_into_the_consumer():
    @ops.trace
    async def items(name: str):
        async with ops.session(id=name):
            for _ in range(3):
                await asyncio.sleep(0)
                yield current()[0]

    first, second = items("a"), items("b")
    seen = [(await anext(first), await anext(second), current()[0]) for _ in range(3)]
    await first.aclose()
    await second.aclose()

    assert seen == [("a", "b", None)] * 3


def test_the_body_keeps_the_session_in_which_it_started():
    @ops.trace
    def items():
        yield current()[0]
        yield current()[0]

    iterator = items()
    with ops.session(id="first"):
        one = next(iterator)
    with ops.session(id="second"):
        two = next(iterator)
        outside = current()[0]
    iterator.close()

    assert (one, two, outside) == ("first", "first", "second")


def test_other_context_variables_are_the_consumers():
    variable = contextvars.ContextVar("variable", default=0)

    @ops.trace
    def items():
        yield variable.get()
        variable.set(7)
        yield variable.get()

    iterator = items()
    variable.set(1)
    one = next(iterator)
    two = next(iterator)
    iterator.close()

    assert (one, two, variable.get()) == (1, 7, 7)


def test_an_opentelemetry_value_attached_in_the_body_does_not_leak():
    @ops.trace
    def items():
        token = otel_context.attach(otel_context.set_value("mine", 1))
        yield otel_context.get_value("mine")
        yield otel_context.get_value("mine")
        otel_context.detach(token)

    assert [(inside, otel_context.get_value("mine")) for inside in items()] == [(1, None), (1, None)]


@given(st.lists(st.integers(0, 3), max_size=40))
def test_any_interleaving_of_generators_keeps_what_is_current_apart(order):
    @ops.trace
    def items(name: str):
        with ops.span(name), ops.session(id=name):
            yield current()
            with ops.session(id=f"{name} inner"):
                yield current()
            yield current()

    expected = {
        name: [(name, name), (f"{name} inner", name), (name, name)] for name in (str(number) for number in range(4))
    }
    with captured():
        iterators = [items(str(number)) for number in range(4)]
        seen = {str(number): [] for number in range(4)}
        for number in order:
            for item in itertools.islice(iterators[number], 1):
                seen[str(number)].append(item)
            assert current() == NOTHING
        for iterator in reversed(iterators):
            iterator.close()
            assert current() == NOTHING

    assert all(found == expected[name][: len(found)] for name, found in seen.items())


# -- what is recorded ------------------------------------------------------------------------------


def test_streamed_strings_are_joined_as_the_output(only):
    @ops.trace
    def stream():
        yield from ("Par", "is", " ", "é🙂")

    assert list(stream()) == ["Par", "is", " ", "é🙂"]
    assert only().output == "Paris é🙂"


async def test_strings_streamed_by_an_async_generator_are_joined_as_the_output(only):
    @ops.trace
    async def stream():
        for chunk in ("Par", "is"):
            yield chunk

    assert [chunk async for chunk in stream()] == ["Par", "is"]
    assert only().output == "Paris"


@pytest.mark.parametrize(
    "items", [[1, 2], [{"a": 1}, {"b": 2}], ["text", 1], [None, 1], [True], [["nested"]]], ids=repr
)
def test_other_items_are_kept_as_a_list(only, items):
    @ops.trace
    def stream():
        yield from items

    list(stream())

    assert json.loads(only().output) == items


def test_items_are_captured_when_they_are_yielded(only):
    @ops.trace
    def stream():
        yield {"n": 1}

    for item in stream():
        item["n"] = 2

    assert json.loads(only().output) == [{"n": 1}]


def test_secrets_among_items_are_masked(only):
    @ops.trace
    def stream():
        yield {"api_key": "sk-1", "n": 1}

    list(stream())

    assert json.loads(only().output) == [{"api_key": "[masked]", "n": 1}]


@pytest.mark.parametrize("item", ["x" * 1000, {"text": "x" * 1000}], ids=["text", "mapping"])
def test_a_long_stream_is_kept_within_the_limit_and_says_what_is_missing(only, item):
    @ops.trace
    def stream():
        for _ in range(1000):
            yield item

    assert sum(1 for _ in stream()) == 1000
    assert len(only().output) < 80_000
    assert "more" in only().output


def test_capture_can_be_left_out(recorded):
    @ops.trace(capture_result=False, capture_args=False)
    def stream(secret: str):
        yield secret

    list(stream("hidden"))

    assert "hidden" not in str(recorded()[0]._asdict())


def test_wrapped_gives_the_iterator_as_the_result(only):
    trace = count.wrapped(3)
    before = trace.span_id
    items = list(trace.result)

    assert before is None  # the span starts with the first item
    assert items == [0, 1, 2]
    assert trace.span_id == only().span_id
    assert json.loads(only().output) == [0, 1, 2]


async def test_wrapped_of_an_async_generator_gives_the_iterator_as_the_result(only):
    trace = count_async.wrapped(3)
    items = [item async for item in trace.result]

    assert items == [0, 1, 2]
    assert trace.span_id == only().span_id


def test_a_generator_is_given_the_span(only):
    @ops.trace
    def stream(trace_ctx: Span, word: str):
        trace_ctx.set(word=word)
        yield trace_ctx

    (span,) = stream("hello")

    assert isinstance(span, Span)
    assert (only().attributes["word"], span.span_id) == ("hello", only().span_id)
    assert list(inspect.signature(stream).parameters) == ["word"]


async def test_an_async_generator_is_given_the_span(only):
    @ops.trace
    async def stream(trace_ctx: Span, word: str):
        yield trace_ctx

    trace = stream.wrapped("hello")
    (span,) = [item async for item in trace.result]

    assert span is trace.span
    assert span.span_id == only().span_id


# -- tracebacks ------------------------------------------------------------------------------------


def broken(message: str):
    yield 1
    raise KeyError(message)


async def broken_async(message: str):
    yield 1
    raise KeyError(message)


def frames(error):
    """The functions of an exception's traceback, outermost first, without this test's; and how many are ours."""
    found, ours, traceback = [], 0, error.__traceback__
    while traceback is not None:
        code = traceback.tb_frame.f_code
        if code.co_filename.startswith(OURS):
            ours += 1
        else:
            found.append((code.co_name, traceback.tb_lineno))
        traceback = traceback.tb_next
    return found[1:], ours


@pytest.mark.parametrize("decorator", [ops.trace, ops.session(id="a")], ids=["trace", "session"])
def test_an_exception_of_a_generator_has_one_frame_more(decorator):
    def caught(function):
        with pytest.raises(KeyError) as raised:
            list(function("x"))
        return raised.value

    decorated = caught(decorator(broken))

    assert frames(decorated) == (frames(caught(broken))[0], 1)
    assert decorated.__context__ is None


async def test_an_exception_of_an_async_generator_has_one_frame_more():
    async def caught(function):
        with pytest.raises(KeyError) as raised:
            _ = [item async for item in function("x")]
        return raised.value

    decorated = await caught(ops.trace(broken_async))

    assert frames(decorated) == (frames(await caught(broken_async))[0], 1)
    assert decorated.__context__ is None


def test_a_stop_iteration_in_the_body_fails_as_it_would():
    @ops.trace
    def items():
        yield next(iter([]))

    with pytest.raises(RuntimeError, match="generator raised StopIteration") as raised:
        list(items())

    assert isinstance(raised.value.__cause__, StopIteration)


async def test_a_stop_async_iteration_in_the_body_fails_as_it_would():
    @ops.trace
    async def items():
        yield 1
        raise StopAsyncIteration

    with pytest.raises(RuntimeError, match="async generator raised StopAsyncIteration"):
        _ = [item async for item in items()]


# -- what passes through is not kept ----------------------------------------------------------------


class Big:
    """Something whose end can be watched."""


def test_what_the_body_drops_is_freed_while_the_generator_waits():
    @ops.trace
    def numbers(given):
        alive = weakref.ref(given)
        del given
        yield alive() is None

    iterator = numbers(Big())

    assert list(iterator) == [True]


def test_an_item_is_freed_when_the_consumer_drops_it():
    @ops.trace
    def items():
        yield Big()
        yield None

    iterator = items()
    alive = weakref.ref(next(iterator))

    assert alive() is None
    iterator.close()


async def test_what_async_bodies_drop_is_freed_while_they_wait():
    @ops.trace
    async def items(given):
        alive = weakref.ref(given)
        del given
        yield alive() is None
        yield Big()
        yield None

    @ops.trace
    async def wait(given):
        alive = weakref.ref(given)
        del given
        await asyncio.sleep(0)
        return alive() is None

    iterator = items(Big())
    assert await anext(iterator)
    alive = weakref.ref(await anext(iterator))
    assert alive() is None
    await iterator.aclose()
    assert await wait(Big())
