"""`@ops.trace` on functions and coroutine functions: invisible to the program, and what it records."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import gc
import inspect
import json
import operator
import pickle
import sys
import typing
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry import trace as otel_trace

import mirascope_ops
from mirascope_ops import Span, Trace, TraceTargetError, ops
from mirascope_ops.testing import captured

OURS = str(Path(mirascope_ops.__file__).parent)


@ops.trace
def greet(name: str, *, polite: bool = True) -> str:
    """Greet somebody."""
    return f"{'Good day' if polite else 'Hi'}, {name}!"


@ops.trace
async def fetch(city: str, days: int = 1) -> dict[str, int]:
    """Fetch a forecast."""
    await asyncio.sleep(0)
    return {city: days}


def arguments(span):
    return json.loads(span.attributes["mirascope.trace.arg_values"])


def types(span):
    return json.loads(span.attributes["mirascope.trace.arg_types"])


# -- results ---------------------------------------------------------------------------------------


def test_a_traced_function_returns_its_plain_result():
    assert greet("Ada") == "Good day, Ada!"
    assert greet(name="Ada", polite=False) == "Hi, Ada!"


async def test_a_traced_coroutine_function_returns_its_plain_result():
    assert await fetch("Paris", days=2) == {"Paris": 2}


def test_wrapped_returns_a_trace(only):
    trace = greet.wrapped("Ada")

    assert isinstance(trace, Trace)
    assert isinstance(trace.span, Span)
    assert trace.result == "Good day, Ada!"
    assert (trace.span_id, trace.trace_id) == (only().span_id, only().trace_id)
    assert (trace.span.span_id, trace.span.trace_id) == (trace.span_id, trace.trace_id)


async def test_wrapped_of_a_coroutine_function_is_awaited(only):
    awaitable = fetch.wrapped("Paris")
    assert inspect.isawaitable(awaitable)
    trace = await awaitable

    assert trace.result == {"Paris": 1}
    assert trace.span_id == only().span_id


def test_the_result_is_the_very_object(only):
    marker = object()

    @ops.trace
    def identity(value: object) -> object:
        return value

    assert identity(marker) is marker
    assert identity.wrapped(marker).result is marker
    assert identity.wrapped(None).result is None


def test_a_trace_says_what_it_holds():
    trace = greet.wrapped("Ada")

    assert "Good day, Ada!" in repr(trace)
    assert trace.span_id in repr(trace)
    assert trace.trace_id in repr(trace)


def test_a_trace_reads_its_own_spans_and_not_its_siblings():
    @ops.trace
    def outer() -> Trace[str]:
        greet("first")
        return greet.wrapped("second")

    inner = outer()

    assert [span.name for span in inner.spans] == ["greet"]
    assert list(inner.to_pandas()["output"]) == ["Good day, second!"]
    assert len(inner.tree()) == 1
    assert set(inner._repr_mimebundle_()) >= {"text/plain", "text/html"}


def test_a_trace_of_a_call_with_children_reads_them_too():
    @ops.trace
    def outer() -> str:
        return greet("Ada")

    trace = outer.wrapped()

    assert [span.name for span in trace.spans] == ["outer", "greet"]


# -- what is recorded ------------------------------------------------------------------------------


def test_a_call_is_recorded_under_mirascopes_keys(only):
    greet("Ada", polite=False)

    attributes = only().attributes
    assert attributes["mirascope.type"] == "trace"
    assert attributes["mirascope.fn.qualname"] == "greet"
    assert attributes["mirascope.fn.module"] == __name__
    assert attributes["mirascope.fn.is_async"] is False
    assert arguments(only()) == {"name": "Ada", "polite": False}
    assert types(only()) == {"name": "str", "polite": "bool"}
    assert attributes["mirascope.trace.output"] == "Hi, Ada!"
    assert (only().name, only().status) == ("greet", "unset")
    assert only().start <= only().end


async def test_a_coroutine_call_is_recorded_under_mirascopes_keys(only):
    await fetch("Paris")

    assert only().attributes["mirascope.fn.is_async"] is True
    assert arguments(only()) == {"city": "Paris", "days": 1}
    assert json.loads(only().output) == {"Paris": 1}


def test_the_span_is_current_in_the_body_only():
    @ops.trace
    def body() -> object:
        return otel_trace.get_current_span()

    trace = body.wrapped()

    assert trace.result is trace.span
    assert otel_trace.get_current_span() is otel_trace.INVALID_SPAN


async def test_the_span_of_a_coroutine_is_current_in_its_body_only():
    @ops.trace
    async def body() -> object:
        await asyncio.sleep(0)
        return otel_trace.get_current_span()

    trace = await body.wrapped()

    assert trace.result is trace.span
    assert otel_trace.get_current_span() is otel_trace.INVALID_SPAN


def test_nested_calls_form_a_tree(recorded):
    @ops.trace
    def inner(n: int) -> int:
        return n

    @ops.trace
    def outer() -> int:
        return inner(1) + inner(2)

    trace = outer.wrapped()

    assert [(span.name, span.parent_id) for span in recorded()] == [
        ("outer", None),
        ("inner", trace.span_id),
        ("inner", trace.span_id),
    ]


def test_recursion_nests(recorded):
    @ops.trace
    def factorial(n: int) -> int:
        return 1 if n <= 1 else n * factorial(n - 1)

    assert factorial(5) == 120
    spans = recorded()
    assert [span.output for span in spans] == ["120", "24", "6", "2", "1"]
    assert [span.parent_id for span in spans[1:]] == [span.span_id for span in spans[:-1]]


async def test_concurrent_calls_keep_their_children_apart(recorded):
    @ops.trace
    async def child(n: int) -> int:
        await asyncio.sleep(0)
        return n

    @ops.trace
    async def parent(n: int) -> int:
        await asyncio.sleep(0)
        return await child(n)

    await asyncio.gather(*(parent(n) for n in range(50)))

    spans = recorded()
    output = {span.span_id: span.output for span in spans}
    children = [span for span in spans if span.name == "child"]
    assert len(children) == 50
    assert all(output[span.parent_id] == span.output for span in children)


def test_arguments_are_captured_before_the_call_changes_them(only):
    @ops.trace
    def consume(items: list[int], seen: dict[str, list[int]]) -> list[int]:
        items.clear()
        seen["late"] = [1]
        return items

    given = [1, 2]
    consume(given, {})

    assert arguments(only()) == {"items": [1, 2], "seen": {}}


def test_a_result_is_captured_before_the_caller_changes_it(only):
    @ops.trace
    def make() -> list[int]:
        return [1]

    make().append(2)

    assert json.loads(only().output) == [1]


def test_defaults_are_filled_in(only):
    @ops.trace
    def search(query, limit=10, *, language="en", filters=None, weight=0.5, deep=False):
        return query

    search("cities")

    assert arguments(only()) == {
        "query": "cities",
        "limit": 10,
        "language": "en",
        "filters": None,
        "weight": 0.5,
        "deep": False,
    }
    assert types(only()) == {
        "query": "str",
        "limit": "int",
        "language": "str",
        "filters": "NoneType",
        "weight": "float",
        "deep": "bool",
    }


def test_a_mutable_default_is_captured_as_it_was_at_the_call(recorded):
    @ops.trace
    def collect(item: int, into: list[int] = []) -> int:  # noqa: B006
        into.append(item)
        return len(into)

    collect(1)
    collect(2)

    assert [arguments(span)["into"] for span in recorded()] == [[], [1]]


@pytest.mark.parametrize(
    ("call", "expected"),
    [
        (lambda f: f(1), {"a": 1, "b": 2, "c": 3}),
        (lambda f: f(1, 5, 6, 7, c=8, z=9), {"a": 1, "b": 5, "rest": [6, 7], "c": 8, "more": {"z": 9}}),
        (lambda f: f(1, c=0, a=7), {"a": 1, "b": 2, "c": 0, "more": {"a": 7}}),
        (lambda f: f(1, b=4, rest=1), {"a": 1, "b": 4, "c": 3, "more": {"rest": 1}}),
    ],
    ids=["defaults", "everything", "a name given twice", "a name like *rest"],
)
def test_every_kind_of_parameter_is_captured_under_its_name(only, call, expected):
    @ops.trace
    def everything(a, /, b=2, *rest, c=3, **more):
        return (a, b, rest, c, more)

    call(everything)

    assert arguments(only()) == expected


def test_annotations_name_the_types(only):
    @ops.trace
    def typed(a: list[int], b: dict[str, int] | None, c: Path, d, /) -> None:
        pass

    typed([1], None, Path("x"), 4)

    assert types(only())["b"] == "dict[str, int] | None"
    assert types(only())["d"] == "int"
    assert set(types(only())) == {"a", "b", "c", "d"}


def test_results_keep_their_kind(recorded):
    @ops.trace
    def identity(value):
        return value

    values = ["text", 3, 0.5, True, None, [1], {"a": 1}, (1, 2), "", 0, False]
    for value in values:
        identity(value)

    outputs = [span.attributes.get("mirascope.trace.output") for span in recorded()]
    assert outputs == ["text", 3, 0.5, True, None, "[1]", '{"a":1}', "[1,2]", "", 0, False]


# -- options ---------------------------------------------------------------------------------------


def test_options_are_recorded(only):
    @ops.trace(name="Answer", tags=["b", "a", "a"], metadata={"version": 2, "nested": {"x": [1]}})
    def answer(x: int) -> int:
        return x

    assert answer(1) == 1
    assert only().name == "Answer"
    assert set(only().tags) == {"a", "b"}
    assert len(only().tags) == 2
    assert json.loads(only().attributes["mirascope.trace.metadata"]) == {"version": 2, "nested": {"x": [1]}}
    assert only().attributes["mirascope.fn.qualname"] == "answer"


def test_arguments_and_results_can_be_left_out(recorded):
    @ops.trace(capture_args=False)
    def no_arguments(x):
        return x

    @ops.trace(capture_result=False)
    def no_result(x):
        return x

    @ops.trace(capture_args=False, capture_result=False)
    def nothing(x):
        return x

    no_arguments("secret 1")
    no_result("secret 2")
    nothing("secret 3")

    first, second, third = recorded()
    assert "mirascope.trace.arg_values" not in first.attributes
    assert first.output == "secret 1"
    assert arguments(second) == {"x": "secret 2"}
    assert second.output is None
    assert "secret 3" not in str(third._asdict())


def test_the_decorator_with_no_options_in_parentheses_works(only):
    @ops.trace()
    def answer() -> int:
        return 42

    assert answer() == 42
    assert only().name == "answer"


def test_tracing_twice_makes_two_spans(recorded):
    @ops.trace(name="outer")
    @ops.trace(name="inner")
    def answer() -> int:
        return 42

    trace = answer.wrapped()

    assert trace.result == 42
    assert [(span.name, span.parent_id) for span in recorded()] == [("outer", None), ("inner", trace.span_id)]


# -- the function stays what it was ----------------------------------------------------------------


def plain(name: str, /, *rest: int, polite: bool = True, **more: str) -> str:
    """Say something."""
    return name


async def plain_async(name: str) -> str:
    """Say something later."""
    return name


@pytest.mark.parametrize("function", [plain, plain_async])
def test_the_traced_function_looks_like_the_function(function):
    traced = ops.trace(function)

    assert traced.__wrapped__ is function
    assert inspect.unwrap(traced) is function
    for name in ("__name__", "__qualname__", "__module__", "__doc__", "__annotations__"):
        assert getattr(traced, name) == getattr(function, name)
    assert inspect.signature(traced) == inspect.signature(function)
    assert typing.get_type_hints(traced) == typing.get_type_hints(function)
    assert inspect.isfunction(traced)
    for question in (inspect.iscoroutinefunction, inspect.isgeneratorfunction, inspect.isasyncgenfunction):
        assert question(traced) == question(function)
    assert asyncio.iscoroutinefunction(traced) == asyncio.iscoroutinefunction(function)


def test_attributes_of_the_function_stay():
    def function() -> None:
        pass

    function.route = "/ask"

    assert ops.trace(function).route == "/ask"


@pytest.mark.parametrize("function", [greet, fetch], ids=["function", "coroutine function"])
def test_a_traced_function_is_pickled_by_reference(function):
    assert pickle.loads(pickle.dumps(function)) is function


def test_functools_work_around_and_inside(recorded):
    calls = []

    @functools.cache
    @ops.trace
    def outside(x: int) -> int:
        calls.append(x)
        return x

    @ops.trace
    @functools.cache
    def inside(x: int) -> int:
        calls.append(x)
        return x

    assert [outside(1), outside(1), inside(2), inside(2)] == [1, 1, 2, 2]
    assert calls == [1, 2]
    assert len(recorded()) == 1 + 2


def test_a_context_manager_function_may_be_traced_on_either_side(recorded):
    @contextlib.contextmanager
    @ops.trace(name="inside")
    def inside():
        yield 1

    @ops.trace(name="outside")
    @contextlib.contextmanager
    def outside():
        yield 2

    with inside() as one, outside() as two:
        pass

    assert (one, two) == (1, 2)
    assert {span.name for span in recorded()} == {"inside", "outside"}


async def test_an_async_context_manager_function_may_be_traced(recorded):
    @contextlib.asynccontextmanager
    @ops.trace(name="inside")
    async def inside():
        yield 1

    async with inside() as one:
        pass

    assert one == 1
    assert [span.name for span in recorded()] == ["inside"]


# -- exceptions ------------------------------------------------------------------------------------


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


class Lost(Exception):  # noqa: N818
    """With arguments and attributes of its own."""

    def __init__(self, code: int, **more: object) -> None:
        super().__init__(code)
        self.more = more


def fail(error: BaseException) -> None:
    raise error


async def fail_async(error: BaseException) -> None:
    await asyncio.sleep(0)
    raise error


def run(function, *args):
    return asyncio.run(function(*args)) if inspect.iscoroutinefunction(function) else function(*args)


@pytest.mark.parametrize("entry", ["call", "wrapped"])
def test_an_exception_passes_as_it_is_with_one_frame_more(entry):
    def caught(function):
        error = Lost(7, why="x")
        with pytest.raises(Lost) as raised:
            function(error)
        assert raised.value is error
        return error

    traced = ops.trace(fail)
    undecorated = caught(fail)
    decorated = caught(traced if entry == "call" else traced.wrapped)

    assert frames(undecorated)[1] == 0
    assert frames(decorated) == (frames(undecorated)[0], 1)
    assert (decorated.args, decorated.more) == ((7,), {"why": "x"})
    assert decorated.__context__ is None
    assert decorated.__cause__ is None


@pytest.mark.parametrize("entry", ["call", "wrapped"])
async def test_an_exception_of_a_coroutine_passes_as_it_is_with_one_frame_more(entry):
    async def caught(function):
        error = Lost(7)
        with pytest.raises(Lost) as raised:
            await function(error)
        assert raised.value is error
        return error

    traced = ops.trace(fail_async)
    undecorated = await caught(fail_async)
    decorated = await caught(traced if entry == "call" else traced.wrapped)

    assert frames(decorated) == (frames(undecorated)[0], 1)
    assert decorated.__context__ is None


def test_context_and_cause_stay_what_they_were():
    @ops.trace
    def inner() -> None:
        raise KeyError("first")

    @ops.trace
    def outer() -> None:
        try:
            inner()
        except KeyError as error:
            raise Lost(1) from error

    def around() -> None:
        try:
            raise ZeroDivisionError
        except ZeroDivisionError:
            outer()

    with pytest.raises(Lost) as raised:
        around()

    error = raised.value
    assert isinstance(error.__cause__, KeyError)
    assert error.__context__ is error.__cause__
    assert isinstance(error.__context__.__context__, ZeroDivisionError)
    assert error.__context__.__context__.__context__ is None


def test_an_exception_is_recorded(only):
    with pytest.raises(Lost):
        ops.trace(fail)(Lost(7))

    assert only().status == "error"
    assert only().error_type.endswith("Lost")
    assert only().error_message == "7"
    assert only().output is None
    (event,) = only().events
    assert "in fail" in event.attributes["exception.stacktrace"]


def test_an_exception_that_is_handled_inside_is_no_error(recorded):
    @ops.trace
    def outer() -> str:
        try:
            ops.trace(fail)(Lost(7))
        except Lost:
            return "recovered"
        return "never"

    assert outer() == "recovered"
    assert {span.name: span.status for span in recorded()} == {"outer": "unset", "fail": "error"}


@pytest.mark.parametrize("error", [KeyboardInterrupt(), SystemExit(3), asyncio.CancelledError()], ids=repr)
def test_interruptions_pass_and_are_errors(only, error):
    with pytest.raises(type(error)) as raised:
        ops.trace(fail)(error)

    assert raised.value is error
    assert only().status == "error"


async def test_a_cancelled_call_ends_its_span(only):
    started = asyncio.Event()

    @ops.trace
    async def wait() -> None:
        started.set()
        await asyncio.Event().wait()

    task = asyncio.create_task(wait())
    await started.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    assert (only().status, only().end is not None) == ("error", True)


def test_a_call_that_does_not_fit_raises_as_the_function_would(only):
    def two(a: int, b: int) -> int:
        return a + b

    with pytest.raises(TypeError) as undecorated:
        two(1)
    with pytest.raises(TypeError) as decorated:
        ops.trace(two)(1)

    assert str(decorated.value) == str(undecorated.value)
    assert only().status == "error"


async def test_a_coroutine_that_is_never_awaited_makes_no_span(recorded):
    fetch("Paris").close()

    assert len(recorded()) == 0


def test_an_exception_that_passes_many_traced_calls_is_not_written_down_whole_by_each():
    @ops.trace
    def down(n: int) -> int:
        return down(n - 1) if n else 1 // n

    def size(depth: int) -> int:
        with captured() as spans:
            with pytest.raises(ZeroDivisionError):
                down(depth)
            return sum(len(event.attributes["exception.stacktrace"]) for span in spans() for event in span.events)

    assert size(160) < 3 * size(80)  # the number of calls doubles; so may the text, but it must not quadruple


def test_a_deep_recursion_fails_as_it_would():
    @ops.trace
    def endless(n: int) -> int:
        return endless(n + 1)

    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(len(inspect.stack(0)) + 150)
    try:
        with pytest.raises(RecursionError):
            endless(0)
    finally:
        sys.setrecursionlimit(limit)

    assert otel_trace.get_current_span() is otel_trace.INVALID_SPAN


# -- trace_ctx -------------------------------------------------------------------------------------


def test_a_first_parameter_named_trace_ctx_is_given_the_span(only):
    @ops.trace
    def answer(trace_ctx: Span, question: str, *, loud: bool = False) -> str:
        trace_ctx.set(asked=question)
        return question.upper() if loud else question

    assert answer("why", loud=True) == "WHY"
    assert only().attributes["asked"] == "why"
    assert arguments(only()) == {"question": "why", "loud": True}
    assert list(inspect.signature(answer).parameters) == ["question", "loud"]


def test_wrapped_gives_the_span_too(only):
    @ops.trace
    def answer(trace_ctx: Span, question: str) -> Span:
        return trace_ctx

    trace = answer.wrapped("why")

    assert trace.result is trace.span
    assert list(inspect.signature(answer.wrapped).parameters) == ["question"]


async def test_a_coroutine_is_given_the_span(only):
    @ops.trace
    async def answer(trace_ctx: Span, question: str = "why") -> Span:
        return trace_ctx

    trace = await answer.wrapped()

    assert trace.result is trace.span
    assert arguments(only()) == {"question": "why"}


def test_trace_ctx_elsewhere_is_an_ordinary_parameter():
    @ops.trace
    def answer(question: str, trace_ctx: str) -> str:
        return question + trace_ctx

    assert answer("a", "b") == "ab"


# -- other callables -------------------------------------------------------------------------------


def add(a: int, b: int) -> int:
    return a + b


async def add_async(a: int, b: int) -> int:
    return a + b


def count(start: int, stop: int):
    yield from range(start, stop)


async def count_async(start: int, stop: int):
    for number in range(start, stop):
        yield number


@dataclass
class Adder:
    """A callable object."""

    n: int

    def __call__(self, x: int) -> int:
        return self.n + x


class AsyncAdder:
    async def __call__(self, x: int) -> int:
        await asyncio.sleep(0)
        return x + 1


def test_a_partial_may_be_traced(only):
    traced = ops.trace(functools.partial(add, 1))

    trace = traced.wrapped(b=2)

    assert trace.result == 3
    assert arguments(only()) == {"a": 1, "b": 2}
    assert inspect.signature(traced) == inspect.signature(functools.partial(add, 1))
    assert (traced.args, traced.keywords) == ((1,), {})


@pytest.mark.parametrize("function", [add, add_async, count, count_async])
@pytest.mark.parametrize(
    "question", [inspect.iscoroutinefunction, inspect.isgeneratorfunction, inspect.isasyncgenfunction]
)
def test_a_traced_partial_is_of_the_partials_kind(function, question):
    partial = functools.partial(function, 1)

    assert question(ops.trace(partial)) == question(partial)


async def test_a_partial_of_a_coroutine_function_may_be_traced(only):
    traced = ops.trace(functools.partial(add_async, 1))

    assert (await traced.wrapped(2)).result == 3
    assert only().output == "3"


def test_a_partial_of_a_class_may_be_traced():
    parse = ops.trace(functools.partial(int, base=2))

    assert parse("11") == 3
    assert parse.wrapped("101").result == 5


def test_a_partial_of_a_traced_function_works(only):
    assert functools.partial(greet, polite=False)("Ada") == "Hi, Ada!"
    assert arguments(only()) == {"name": "Ada", "polite": False}


def test_a_callable_object_may_be_traced(only):
    adder = Adder(1)
    traced = ops.trace(adder)

    trace = traced.wrapped(2)

    assert trace.result == 3
    assert (traced.n, traced.__wrapped__) == (1, adder)
    assert arguments(only()) == {"x": 2}
    assert only().name == "Adder"


async def test_a_callable_object_with_an_async_call_may_be_traced(only):
    traced = ops.trace(AsyncAdder())

    assert await traced(1) == 2
    assert (await traced.wrapped(2)).result == 3


@pytest.mark.parametrize(
    ("function", "args"),
    [
        (len, ([1, 2],)),
        (max, (1, 5)),
        (operator.add, (1, 2)),
        (str.upper, ("a",)),
        ("a-b".split, ("-",)),
        (sum, ([1],)),
    ],
    ids=["len", "max", "operator.add", "str.upper", "bound", "sum"],
)
def test_a_builtin_may_be_traced(only, function, args):
    traced = ops.trace(function)

    trace = traced.wrapped(*args)

    assert trace.result == function(*args)
    assert only().output is not None
    assert traced.__doc__ == function.__doc__


def test_a_lambda_may_be_traced(only):
    assert ops.trace(lambda x: x + 1)(1) == 2
    assert only().name == "<lambda>"


def test_a_bound_method_may_be_traced(only):
    adder = Adder(1)

    trace = ops.trace(adder.__call__).wrapped(2)

    assert trace.result == 3
    assert arguments(only()) == {"x": 2}


@pytest.mark.parametrize(
    "target",
    [int, Adder, property(lambda self: 1), 3, "name", [], functools.cached_property(lambda self: 1), sys],
    ids=["builtin class", "class", "property", "int", "str", "list", "cached_property", "module"],
)
def test_what_cannot_be_traced_is_refused_with_a_message(target):
    with pytest.raises(TraceTargetError) as raised:
        ops.trace(target)

    assert isinstance(raised.value, TypeError)
    assert "@ops.trace" in str(raised.value)


def test_tags_given_as_one_string_are_refused():
    with pytest.raises(TraceTargetError, match=r"tags=\['urgent'\]"):
        ops.trace(tags="urgent")


# -- annotations -----------------------------------------------------------------------------------


def test_annotations_and_tags_after_the_end_are_visible_on_reading(only):
    @ops.trace(tags=["declared"])
    def answer() -> int:
        return 42

    trace = answer.wrapped()
    trace.annotate(label="fail", reasoning="too short", metadata={"by": "Ada"})
    trace.tag("reviewed", "late")
    trace.annotate(label="pass")

    span = only()
    assert set(span.tags) == {"declared", "reviewed", "late"}
    assert [(a.label, a.reasoning) for a in span.annotations if a.label] == [("fail", "too short"), ("pass", None)]
    assert dict(span.annotations[0].metadata) == {"by": "Ada"}


def test_any_metadata_may_be_annotated(only):
    trace = greet.wrapped("Ada")
    trace.annotate(label="lone \ud800", reasoning="x" * 100_000, metadata={"object": object(), "cycle": trace})

    json.dumps([dict(a.metadata) for a in only().annotations])
    only().annotations[0].label.encode()


# -- the family of programs ------------------------------------------------------------------------
# Programs are generated as source text and run twice, once with ops.trace and once with nothing as `trace`. What
# they log, return and raise, the lines in their tracebacks, and what Python and the event loop report of generators
# that are dropped before their end, must be the same.

KINDS = ("def", "gen", "coro", "agen")
ERRORS = ("ValueError", "KeyError", "LookupError")


@st.composite
def bodies(draw, kind, callees, depth=0):
    """Statements of a function of a kind, as lines."""
    lines = []
    for _ in range(draw(st.integers(1, 3))):
        lines += draw(statements(kind, callees, depth))
    return lines


@st.composite
def statements(draw, kind, callees, depth):
    choices = ["log", "log", "argument", "state", "raise"]
    if kind in ("gen", "agen"):
        choices += ["yield", "yield", "yield"]
    if kind in ("coro", "agen"):
        choices += ["sleep"]
    choices += ["return"] if kind != "agen" else ["return nothing"]
    usable = [index for index, callee in callees if kind in ("coro", "agen") or callee in ("def", "gen")]
    if usable:
        choices += ["call", "call", "call"]
    if depth < 2:
        choices += ["try", "try"]
    choice = draw(st.sampled_from(choices))
    number = draw(st.integers(0, 9))
    if choice == "try":
        return draw(trials(kind, callees, depth))
    if choice == "call":
        index = draw(st.sampled_from(usable))
        return call_of(index, dict(callees)[index], kind, number, breaks=draw(st.booleans()))
    return {
        "log": [f"log({number})"],
        "argument": ["log(x)", "x = x + 1"],
        "state": ["log(state())"],
        "sleep": ["await sleep(0)"],
        "raise": [f"raise {draw(st.sampled_from(ERRORS))}({number})"],
        "yield": [f"log((yield {number}))"],
        "return": [f"return {number}"],
        "return nothing": ["return"],
    }[choice]


@st.composite
def trials(draw, kind, callees, depth):
    lines = ["try:", *indented(draw(bodies(kind, callees, depth + 1)))]
    handler = draw(st.sampled_from(["except", "finally", "both"]))
    if handler != "finally":
        name = draw(st.sampled_from([*ERRORS, "Exception", "GeneratorExit"]))
        lines += [f"except {name}:", "    log(state())", *indented(draw(bodies(kind, callees, depth + 1)))]
    if handler != "except":
        lines += ["finally:", "    log('finally')"]
    return lines


def call_of(index, callee, kind, number, *, breaks):
    stop = ["    break"] if breaks else []
    if callee == "def":
        return [f"log(f{index}({number}))"]
    if callee == "coro":
        return [f"log(await f{index}({number}))"]
    if callee == "agen" and number % 2:
        return [f"async for item in f{index}({number}):", "    log(item)", *stop]
    if callee == "agen":
        loop = ["async for item in items:", "    log(item)", *stop]
        return [f"async with aclosing(f{index}({number})) as items:", *indented(loop)]
    if kind == "gen" and not breaks:
        return [f"log((yield from f{index}({number})))"]
    return [f"for item in f{index}({number}):", "    log(item)", *stop]


def indented(lines):
    return [f"    {line}" for line in lines]


@st.composite
def programs(draw):
    """A program's source, the kind of its last function, and what is done with it where it is a generator."""
    source, callees = [], []
    for index in range(draw(st.integers(1, 3))):
        kind = draw(st.sampled_from(KINDS))
        opening = "async def" if kind in ("coro", "agen") else "def"
        body = draw(bodies(kind, tuple(callees)))
        # A generator function is one by its `yield`, also where that is never reached.
        never = ["if False:", "    yield"] if kind in ("gen", "agen") else []
        source += ["@trace", f"{opening} f{index}(x):", *indented([*body, *never]), ""]
        callees.append((index, kind))
    # What is thrown into a generator that has not started never reaches it, and its traceback names the outermost one.
    first = draw(st.sampled_from([[], ["next"], ["send"], ["close"]]))
    more = draw(st.lists(st.sampled_from(["next", "next", "send", "throw", "close"]), max_size=4))
    return "\n".join(source), index, kind, first + more if first == ["next"] else first


def outcome_of(program, decorator):
    """Run a program; return all that its user could see of it."""
    source, index, kind, actions = program
    seen = []

    def state():
        return type(sys.exc_info()[1]).__name__

    names = {
        "trace": decorator,
        "log": seen.append,
        "state": state,
        "aclosing": contextlib.aclosing,
        "sleep": asyncio.sleep,
    }
    exec(compile(source, "<program>", "exec"), names)
    main = names[f"f{index}"]
    run_one = {"def": call, "coro": call_async, "gen": iterate, "agen": iterate_async}[kind]
    with reports_into(seen):
        run_one(main, actions, seen)
    return seen


@contextlib.contextmanager
def reports_into(seen):
    """Note which errors Python reports because nobody can catch them: those of generators that it finalises.

    Garbage is collected at the end and not in between, where it would depend on what ran before.
    """
    hook, sys.unraisablehook = sys.unraisablehook, lambda found: seen.append(("reported", seen_of(found.exc_value)))
    gc.disable()
    gc.freeze()
    try:
        yield
    finally:
        gc.collect()
        gc.unfreeze()
        gc.enable()
        sys.unraisablehook = hook


def run_in_loop(main, seen):
    """Run a coroutine function to its end, and note what its event loop reports."""

    async def inside():
        handler = lambda _, found: seen.append(("reported", seen_of(found.get("exception"))))  # noqa: E731
        asyncio.get_running_loop().set_exception_handler(handler)
        return await main()

    return asyncio.run(inside())


def seen_of(error):
    """What a program can see of an exception: itself, the lines that it passed, and what is behind it."""
    if error is None:
        return None
    lines, traceback = [], error.__traceback__
    while traceback is not None:
        if traceback.tb_frame.f_code.co_filename == "<program>":
            lines.append((traceback.tb_frame.f_code.co_name, traceback.tb_lineno))
        traceback = traceback.tb_next
    return type(error).__name__, error.args, lines, seen_of(error.__context__), seen_of(error.__cause__)


def call(main, _, seen):
    try:
        seen.append(("result", main(1)))
    except Exception as error:  # noqa: BLE001 - whatever the program raises
        seen.append(seen_of(error))


def call_async(main, _, seen):
    call(lambda _: run_in_loop(lambda: main(1), seen), _, seen)


def iterate(main, actions, seen):
    items = main(1)
    steps = {
        "next": lambda: next(items),
        "send": lambda: items.send("sent"),
        "throw": lambda: items.throw(KeyError("thrown")),
        "close": items.close,
    }
    for action in [*actions, "close"]:
        try:
            seen.append((action, steps[action]()))
        except BaseException as error:  # noqa: BLE001 - StopIteration, and whatever the program raises
            seen.append((action, seen_of(error)))


def iterate_async(main, actions, seen):
    async def inside():
        items = main(1)
        steps = {
            "next": lambda: anext(items),
            "send": lambda: items.asend("sent"),
            "throw": lambda: items.athrow(KeyError("thrown")),
            "close": items.aclose,
        }
        for action in [*actions, "close"]:
            try:
                seen.append((action, await steps[action]()))
            except BaseException as error:  # noqa: BLE001 - as above
                seen.append((action, seen_of(error)))

    run_in_loop(inside, seen)


def undecorated(function):
    return function


def observed(program, decorator):
    """Run a program; return what its user could see, up to where a generator yields while it is closed.

    Python reports that as the program's mistake, and what such a generator does as it is dropped is not promised.
    """
    seen = outcome_of(program, decorator)
    ignored = [index for index, found in enumerate(seen) if "ignored GeneratorExit" in str(found)]
    return seen[: ignored[0] + 1] if ignored else seen


@settings(max_examples=200, deadline=None)
@given(programs())
def test_a_decorated_program_does_what_the_undecorated_one_does(program):
    assert observed(program, ops.trace) == observed(program, undecorated)
    assert otel_trace.get_current_span() is otel_trace.INVALID_SPAN


@settings(max_examples=50, deadline=None)
@given(programs())
def test_a_program_in_sessions_does_what_the_plain_one_does(program):
    assert observed(program, ops.session(id="a")) == observed(program, undecorated)
    assert ops.current_session() is None


# -- what lasts, and what an interrupt leaves ---------------------------------------------------------


def test_spans_that_each_begin_below_the_last_are_freed():
    # As those of a timer that sets itself again: the context in which it is set is that of the call before.
    counts = []

    def spans():
        gc.collect()
        return sum(type(thing) is Span for thing in gc.get_objects())

    async def run():
        loop, done = asyncio.get_running_loop(), asyncio.Event()

        @ops.trace
        def tick(left):
            if left in (0, 200):
                counts.append(spans())
            if left:
                loop.call_soon(tick, left - 1)
            else:
                done.set()

        tick(200)
        await done.wait()

    asyncio.run(run())

    assert counts[1] - counts[0] < 5


@ops.trace
def interrupted_function(x):
    return x


@ops.trace
def interrupted_generator():
    yield 1


@ops.trace
def interrupted_failure():
    raise ValueError


# Where Python looks for interrupts while a traced call works: as each of these is called, and after it has returned.
PLACES = [
    ("context", "attach_context"),
    ("clock", "now"),
    ("capture", "dump_result"),
    ("stacks", "text_of"),
    ("site.CallSite", "capture_result"),
]


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize(("module", "name"), PLACES, ids=str)
@pytest.mark.parametrize("function", [interrupted_function, interrupted_generator, interrupted_failure])
def test_an_interrupt_leaves_no_span_current(monkeypatch, function, module, name, after):
    place = f"mirascope_ops.core.{module}.{name}"
    original = functools.reduce(getattr, [*module.split("."), name], mirascope_ops.core)

    def interrupt(*args, **kwargs):
        monkeypatch.undo()
        if after:
            original(*args, **kwargs)
        raise KeyboardInterrupt

    monkeypatch.setattr("mirascope_ops.core.span._attach" if name == "attach_context" else place, interrupt)
    with contextlib.suppress(KeyboardInterrupt, ValueError):
        list(function()) if function is interrupted_generator else function(*[1] * (function is interrupted_function))

    assert otel_trace.get_current_span() is otel_trace.INVALID_SPAN
