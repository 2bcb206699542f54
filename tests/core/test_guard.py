"""The guard: a fault of this library is logged once and never the user's; tests see it at once."""

from __future__ import annotations

import asyncio
import json
import logging

import pytest
from opentelemetry import trace as otel_trace

from mirascope_ops import ops
from mirascope_ops.core import backend, capture, guard, summaries


class FaultError(Exception):
    """A fault of ours."""


def fault(*_: object, **__: object) -> None:
    raise FaultError


def reports(caplog):
    return [record for record in caplog.records if record.name == "mirascope_ops"]


# -- report and warn_once --------------------------------------------------------------------------


def test_a_fault_is_logged_once_per_place_with_its_traceback(lenient, caplog):
    error = FaultError("broken")
    for _ in range(3):
        guard.report("doing this", error)
    guard.report("doing that", error)

    first, second = reports(caplog)
    assert "doing this" in first.getMessage()
    assert "doing that" in second.getMessage()
    assert first.levelno == logging.WARNING
    assert first.exc_info[1] is error


def test_a_fault_is_raised_under_the_strict_flag():
    error = FaultError("broken")

    with pytest.raises(FaultError) as raised:
        guard.report("doing this", error)

    assert raised.value is error


def test_the_flag_is_explicit(lenient, monkeypatch):
    monkeypatch.setenv("PYTEST_CURRENT_TEST", "yes")

    guard.report("doing this", FaultError())


def test_a_warning_is_given_once_per_place(lenient, caplog):
    guard.warn_once("place", "first")
    guard.warn_once("place", "second")
    guard.warn_once("elsewhere", "third")

    assert [record.getMessage() for record in reports(caplog)] == ["first", "third"]


# -- faults inside calls ---------------------------------------------------------------------------


@ops.trace
def double(x: int) -> int:
    return 2 * x


@ops.trace
async def double_async(x: int) -> int:
    await asyncio.sleep(0)
    return 2 * x


@ops.trace
def numbers(stop: int):
    yield from range(stop)


@ops.trace
async def numbers_async(stop: int):
    for number in range(stop):
        yield number


@ops.trace
def fail(x: int) -> None:
    raise KeyError(x)


class Agent:
    @ops.trace
    def ask(self, x: int) -> int:
        return x


def use_everything():
    """Use every entry of the library; return what the program gets."""

    async def later():
        trace = await double_async.wrapped(2)
        return await double_async(1), trace.result, [number async for number in numbers_async(3)]

    results = [double(1), double.wrapped(2).result, list(numbers(3)), list(numbers.wrapped(2).result), Agent().ask(5)]
    results.append(asyncio.run(later()))
    with pytest.raises(KeyError) as raised:
        fail(3)
    results.append(raised.value.args)
    with ops.session(id="a", attributes={"n": 1}) as ctx, ops.span("work", n=1) as span:
        ctx.set(m=2)
        span.set(b={"c": 1})
        span.event("tick", n=1)
        span.info("told", n=1)
        span.error("bad")
        results.append((ctx.id, dict(ctx.attributes)))
    return results


EXPECTED = [2, 4, [0, 1, 2], [0, 1], 5, (2, 4, [0, 1, 2]), (3,), ("a", {"n": 1, "m": 2})]


def test_the_program_gets_what_it_should():
    assert use_everything() == EXPECTED


@pytest.mark.parametrize(
    ("place", "name"),
    [
        ("core.site.CallSite", "capture_arguments"),
        ("core.site.CallSite", "capture_result"),
        ("core.span.Span", "start"),
        ("core.span", "_attach"),
        ("core.span.Span", "record_exception"),
        ("core.pipeline", "current"),
        ("core.backend", "sink"),
        ("core.calls.Iteration", "_joined"),
    ],
)
def test_a_fault_of_ours_is_not_the_programs(lenient, monkeypatch, caplog, place, name):
    monkeypatch.setattr(f"mirascope_ops.{place}.{name}", fault)

    try:
        results = use_everything()
    finally:
        monkeypatch.undo()

    assert results == EXPECTED
    assert reports(caplog)
    assert ops.current_session() is None
    assert otel_trace.get_current_span() is otel_trace.INVALID_SPAN


@pytest.mark.parametrize("name", ["dump", "dump_arguments", "dump_fields", "dump_result", "attribute", "text"])
def test_a_fault_of_capture_is_not_the_programs(lenient, monkeypatch, name):
    monkeypatch.setattr(capture, name, fault)

    try:
        results = use_everything()
    finally:
        monkeypatch.undo()

    assert results == EXPECTED


@pytest.mark.parametrize("name", ["record_run", "open", "annotate"])
def test_a_fault_of_the_layers_above_is_not_the_programs(lenient, monkeypatch, name):
    monkeypatch.setattr(type(backend.get()), name, fault)
    if name == "open":
        backend.set_sink(None)

    try:
        results = use_everything()
    finally:
        monkeypatch.undo()

    assert results == EXPECTED


def test_a_fault_at_the_start_still_tells_the_program_its_own_exceptions(lenient, monkeypatch):
    monkeypatch.setattr("mirascope_ops.core.span._attach", fault)

    with pytest.raises(KeyError) as raised:
        fail(3)

    assert raised.value.args == (3,)
    assert raised.value.__context__ is None


def test_a_fault_in_one_call_leaves_the_next_call_whole(lenient, monkeypatch, recorded):
    with monkeypatch.context() as patched:
        patched.setattr("mirascope_ops.core.site.CallSite.capture_arguments", fault)
        double([1])
    double(2)

    last = recorded()[-1]
    assert (last.name, last.output) == ("double", "4")
    assert json.loads(last.attributes["mirascope.trace.arg_values"]) == {"x": 2}


def test_a_fault_in_capture_costs_the_value_and_not_the_span(lenient, monkeypatch, recorded):
    monkeypatch.setattr("mirascope_ops.core.site.CallSite.capture_arguments", fault)

    double([1])

    assert [span.name for span in recorded()] == ["double"]
    assert recorded()[0].output == "[1,1]"


def test_a_fault_is_raised_in_tests(monkeypatch):
    monkeypatch.setattr("mirascope_ops.core.capture.dump_result", fault)
    span = otel_trace.get_current_span()

    with pytest.raises(FaultError):
        double(1)

    monkeypatch.undo()
    # The strict flag gives up on the call, and with it on the span that was current; a test must not inherit it.
    assert otel_trace.get_current_span() is span


@pytest.mark.parametrize("interruption", [KeyboardInterrupt, SystemExit, asyncio.CancelledError])
def test_an_interruption_while_we_work_is_not_swallowed(lenient, monkeypatch, interruption):
    def interrupt(*_: object) -> None:
        raise interruption

    monkeypatch.setattr("mirascope_ops.core.site.CallSite.capture_arguments", interrupt)

    with pytest.raises(interruption):
        double([1])


def test_a_summary_that_fails_falls_back_to_the_type(monkeypatch):
    class Odd:
        def __repr__(self) -> str:
            raise FaultError

    assert "Odd" in summaries.describe(Odd())
    assert "FaultError" in summaries.describe(Odd())
