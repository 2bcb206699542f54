"""Spans and sessions that an undecorated generator holds open, left in another order than they were entered.

Nothing knows of such a generator: its body leaves `with ops.span(...)` when it is closed or read to its end, wherever
that is. OpenTelemetry's `start_as_current_span` then makes current again what was so before, also where that has ended.
"""

from __future__ import annotations

import asyncio
import threading

import pytest
from opentelemetry import trace as otel_trace

from mirascope_ops import ops

NOTHING = (None, None)


def current():
    """The names of what is current: session, span."""
    session, span = ops.current_session(), otel_trace.get_current_span()
    return session and session.id, getattr(span, "name", None)


def items(name="generator"):
    with ops.span(name):
        yield 1
        yield 2


def items_in_session(name="generator"):
    with ops.session(id=name):
        yield 1
        yield 2


def started(generator):
    next(generator)
    return generator


@ops.trace
def consume(generator):
    before = current()
    return before, list(generator), current()


@ops.trace
async def consume_async(generator):
    before = current()
    await asyncio.sleep(0)
    return before, list(generator), current()


async def start_and_consume():
    consumed = await consume_async(started(items()))
    return *consumed, current()


def test_a_generator_that_outlives_its_consumers_span_leaves_nothing_current():
    with ops.span("consumer"):
        generator = started(items())
    assert current() == NOTHING

    generator.close()

    assert current() == NOTHING


def test_closing_one_elsewhere_leaves_what_is_current_there():
    with ops.span("consumer"):
        generator = started(items())

    with ops.span("elsewhere"):
        generator.close()
        assert current() == (None, "elsewhere")
    assert current() == NOTHING


def test_generators_closed_in_the_order_in_which_they_began_leave_nothing_current(recorded):
    first, second, third = (started(items(name)) for name in ("first", "second", "third"))

    for generator in (first, second, third):
        generator.close()

    assert current() == NOTHING
    assert len(recorded()) == 3


def test_a_span_around_the_end_of_a_generator_that_began_before_it_leaves_nothing_current():
    generator = started(items())

    with ops.span("consumer"):
        list(generator)

    assert current() == NOTHING


def test_a_traced_call_that_ends_a_generator_stays_current_and_leaves_nothing_current(recorded):
    assert consume(started(items())) == ((None, "consume"), [2], (None, "consume"))
    assert current() == NOTHING

    inside = (None, "consume_async")
    assert asyncio.run(start_and_consume()) == (inside, [2], inside, NOTHING)
    assert {span.name: span.status for span in recorded()} == dict.fromkeys(
        ("generator", "consume", "consume_async"), "unset"
    )


def test_what_was_current_before_all_of_them_is_current_again():
    with ops.session(id="s"), ops.span("outermost"):
        consume(started(items()))
        assert current() == ("s", "outermost")

        with ops.span("consumer"):
            generator = started(items())
        generator.close()
        assert current() == ("s", "outermost")
    assert current() == NOTHING


def test_a_span_that_is_left_while_a_generators_is_current_takes_it_away():
    with ops.span("consumer"):
        generator = started(items())
        assert current() == (None, "generator")
    assert current() == NOTHING

    with ops.span("next") as span:
        pass

    assert span.parent is None
    generator.close()


def test_a_generator_closed_by_another_thread_changes_nothing_there_or_here():
    seen = []

    def close():
        with ops.span("there"):
            generator.close()
            seen.append(current())
        seen.append(current())

    with ops.span("here"):
        generator = started(items())
        thread = threading.Thread(target=close)
        thread.start()
        thread.join()

    assert seen == [(None, "there"), NOTHING]
    assert current() == NOTHING


def test_a_span_that_was_ended_early_is_current_until_it_is_left():
    with ops.span("outer") as outer:
        outer.end()
        with ops.span("inner"):
            pass
        assert current() == (None, "outer")
    assert current() == NOTHING


def test_a_session_that_a_generator_holds_open_leaves_none_that_was_left():
    with ops.session(id="consumer"):
        generator = started(items_in_session())
    assert current() == NOTHING
    generator.close()
    assert current() == NOTHING

    with ops.session(id="consumer"):
        generator = started(items_in_session())
    with ops.session(id="elsewhere"):
        generator.close()
        assert current() == ("elsewhere", None)
        assert ops.current_session().id == "elsewhere"
    assert current() == NOTHING


@pytest.mark.parametrize("order", [(0, 1, 2), (0, 2, 1), (1, 0, 2), (1, 2, 0), (2, 0, 1), (2, 1, 0)])
@pytest.mark.parametrize("make", [items, items_in_session])
def test_in_whatever_order_generators_are_closed_nothing_is_left_current(make, order):
    generators = [started(make(f"generator {number}")) for number in range(3)]

    for number in order:
        generators[number].close()

    assert current() == NOTHING
