"""Sessions: what is current where, what is refused, and what spans and the store keep of them."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import inspect
import json
import threading
import uuid
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime

import pytest
from opentelemetry import context as otel_context
from opentelemetry import trace as otel_trace

from mirascope_ops import SessionError, ops
from mirascope_ops.core.cell import Cell, set_current_cell


def current_id():
    session = ops.current_session()
    return None if session is None else session.id


# -- what is current -------------------------------------------------------------------------------


def test_a_session_is_current_inside_its_block_only():
    with ops.session(id="user-123") as ctx:
        inside = ops.current_session()

    assert inside is ctx
    assert ctx.id == "user-123"
    assert ops.current_session() is None


def test_a_session_without_an_id_gets_a_uuid_and_another_one_each_time():
    with ops.session() as first:
        pass
    with ops.session() as second:
        pass

    assert str(uuid.UUID(first.id)) == first.id
    assert first.id != second.id


def test_one_anonymous_session_object_entered_twice_makes_two_sessions():
    anonymous = ops.session()

    with anonymous as first:
        pass
    with anonymous as second:
        pass

    assert first.id != second.id


async def test_a_session_works_as_async_with():
    async with ops.session(id="a") as ctx:
        await asyncio.sleep(0)
        inside = current_id()

    assert (inside, ctx.id) == ("a", "a")
    assert ops.current_session() is None


def test_the_innermost_session_wins_and_knows_its_parent():
    with ops.session(id="outer") as outer:
        with ops.session(id="inner") as inner:
            innermost = current_id()
        again = current_id()

    assert (innermost, again) == ("inner", "outer")
    assert inner.parent is outer
    assert outer.parent is None


def test_a_session_is_left_when_its_block_raises_and_the_exception_passes():
    with pytest.raises(KeyError, match="lost"), ops.session(id="a"):
        raise KeyError("lost")

    assert ops.current_session() is None


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit, GeneratorExit, asyncio.CancelledError])
def test_a_session_is_left_by_exceptions_that_are_no_errors(error):
    with pytest.raises(error), ops.session(id="a"):
        raise error

    assert ops.current_session() is None


def test_one_session_object_may_be_nested_in_itself():
    same = ops.session(id="a")

    with same as outer:
        with same as inner:
            nested = ops.current_session()
        after_inner = ops.current_session()

    assert nested is inner
    assert after_inner is outer
    assert inner.parent is outer
    assert ops.current_session() is None


def test_an_id_nested_in_its_own_child_makes_no_cycle(recorded):
    with ops.session(id="a"), ops.span("one"), ops.session(id="b"), ops.span("two"), ops.session(id="a"):  # noqa: SIM117
        with ops.span("three"):
            pass

    assert [span.name for span in ops.get_session("a").spans] == ["one", "two", "three"]
    assert [span.name for span in ops.get_session("b").spans] == ["two", "three"]
    assert [span.session_id for span in recorded()] == ["a", "b", "a"]


def test_roll_ups_include_child_sessions():
    with ops.session(id="parent") as parent:
        with ops.span("in parent"):
            pass
        with ops.session(id="child") as child, ops.span("in child"):
            pass

    assert [span.name for span in parent.spans] == ["in parent", "in child"]
    assert [span.name for span in child.spans] == ["in child"]


# -- resuming --------------------------------------------------------------------------------------


def test_the_same_id_resumes_the_session_and_later_attributes_win_key_by_key():
    with ops.session(id="a", attributes={"tier": "free", "channel": "web"}) as first, ops.span("one"):
        pass
    with ops.session(id="a", attributes={"tier": "premium"}) as second, ops.span("two"):
        pass

    session = ops.get_session("a")
    assert [span.name for span in session.spans] == ["one", "two"]
    assert dict(session.attributes) == {"tier": "premium", "channel": "web"}
    assert [run.run_id for run in session.runs] == [first.run_id, second.run_id]
    assert first.run_id != second.run_id


def test_a_session_without_spans_is_listed():
    with ops.session(id="empty", attributes={"user_tier": "premium"}):
        pass

    assert [session.id for session in ops.sessions(attributes={"user_tier": "premium"})] == ["empty"]
    assert len(ops.get_session("empty").spans) == 0


def test_a_session_is_listed_while_it_is_open():
    with ops.session(id="open"):
        listed = [session.id for session in ops.sessions()]

    assert listed == ["open"]


@pytest.mark.parametrize("place", ["mirascope_ops.core.session._record", "mirascope_ops.core.context.attach"])
def test_an_interrupt_while_a_session_is_entered_leaves_none_current(monkeypatch, place):
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    with ops.session(id="around") as around, ops.span("around") as span:
        monkeypatch.setattr(place, interrupt)
        with pytest.raises(KeyboardInterrupt):
            ops.session(id="a").__enter__()
        monkeypatch.undo()

        assert ops.current_session() is around
        assert otel_trace.get_current_span() is span


@pytest.mark.parametrize("place", ["mirascope_ops.core.session._still_there", "mirascope_ops.core.context.reset"])
def test_an_interrupt_while_a_session_is_left_leaves_none_current(monkeypatch, place):
    def interrupt(*_: object) -> None:
        monkeypatch.undo()
        raise KeyboardInterrupt

    with ops.session(id="around") as around, ops.span("around") as span:
        session = ops.session(id="a")
        session.__enter__()
        monkeypatch.setattr(place, interrupt)
        with pytest.raises(KeyboardInterrupt):
            session.__exit__(None, None, None)

        assert ops.current_session() is around
        assert otel_trace.get_current_span() is span


# -- decorator -------------------------------------------------------------------------------------


def test_a_decorated_function_runs_in_the_session_and_keeps_its_kind():
    @ops.session(id="a")
    def where(x: int, *, y: int = 0) -> tuple[str | None, int]:
        """Say where."""
        return current_id(), x + y

    assert where(1, y=2) == ("a", 3)
    assert ops.current_session() is None
    assert (where.__name__, where.__doc__) == ("where", "Say where.")
    assert list(inspect.signature(where).parameters) == ["x", "y"]


class Visitor:
    @ops.session(id="a")
    @staticmethod
    def static(x):
        return current_id(), x

    @ops.session(id="a")
    @classmethod
    def of_class(cls, x):
        return current_id(), cls.__name__, x

    @ops.session(id="a")
    @staticmethod
    @ops.trace
    def traced_static(x):
        return current_id(), x

    @ops.session(id="a")
    @classmethod
    @ops.trace
    def traced_of_class(cls, x):
        return current_id(), cls.__name__, x

    @ops.session(id="a")
    @ops.trace
    @classmethod
    def of_traced_class(cls, x):
        return current_id(), cls.__name__, x


def test_static_and_class_methods_may_be_decorated_on_top():
    for visitor in (Visitor, Visitor()):
        assert visitor.static(1) == visitor.traced_static(1) == ("a", 1)
        assert visitor.of_class(1) == visitor.traced_of_class(1) == visitor.of_traced_class(1) == ("a", "Visitor", 1)
        assert visitor.traced_of_class.wrapped(1).result == ("a", "Visitor", 1)


@pytest.mark.parametrize(
    ("target", "expected"),
    [(Visitor, "Visitor is a class"), (property(current_id), "got property"), (None, "got NoneType"), ("a", "got str")],
    ids=repr,
)
def test_what_is_no_function_is_refused_as_decorated(target, expected):
    with pytest.raises(TypeError, match=expected):
        ops.session(id="a")(target)


def test_each_call_of_a_decorated_function_is_an_entry_of_its_own():
    @ops.session()
    def entry():
        return ops.current_session()

    first, second = entry(), entry()

    assert first.id != second.id
    assert first.run_id != second.run_id


def test_a_decorated_recursive_function_nests():
    @ops.session(id="a")
    def depth(n: int) -> int:
        session = ops.current_session()
        if n:
            return depth(n - 1)
        levels = 0
        while session is not None:
            levels, session = levels + 1, session.parent
        return levels

    assert depth(3) == 4


async def test_a_decorated_coroutine_function_stays_one():
    @ops.session(id="a")
    async def where():
        await asyncio.sleep(0)
        return current_id()

    assert inspect.iscoroutinefunction(where)
    assert await where() == "a"
    assert ops.current_session() is None


def test_a_decorated_generator_function_has_the_session_in_its_body_only():
    @ops.session(id="a")
    def items():
        yield current_id()
        yield current_id()

    assert inspect.isgeneratorfunction(items)
    seen = [(inside, current_id()) for inside in items()]
    assert seen == [("a", None), ("a", None)]
    assert ops.current_session() is None


async def test_a_decorated_async_generator_function_has_the_session_in_its_body_only():
    @ops.session(id="a")
    async def items():
        yield current_id()
        await asyncio.sleep(0)
        yield current_id()

    assert inspect.isasyncgenfunction(items)
    assert [(inside, current_id()) async for inside in items()] == [("a", None), ("a", None)]


def test_a_session_around_a_traced_function_holds_for_wrapped_too(recorded):
    @ops.session(id="a")
    @ops.trace
    def ask(question: str) -> str:
        return question.upper()

    plain = ask("one")
    trace = ask.wrapped("two")

    assert (plain, trace.result) == ("ONE", "TWO")
    assert [span.session_id for span in recorded()] == ["a", "a"]


def test_a_session_around_a_traced_method_works(recorded):
    class Agent:
        @ops.session(id="a")
        @ops.trace
        def ask(self, question: str) -> str:
            return question.upper()

        @ops.trace
        @ops.session(id="b")
        def tell(self, answer: str) -> str:
            return answer.lower() + (current_id() or "")

    assert Agent().ask("one") == "ONE"
    assert Agent().tell("Two") == "twob"
    assert [(span.name.rpartition(".")[2], span.session_id) for span in recorded()] == [("ask", "a"), ("tell", None)]


# -- tasks, threads, contexts ----------------------------------------------------------------------


async def test_tasks_inherit_the_session_in_which_they_were_made():
    async def where():
        await asyncio.sleep(0)
        return current_id()

    with ops.session(id="a"):
        first = asyncio.create_task(where())
    with ops.session(id="b"):
        second = asyncio.create_task(where())

    assert await asyncio.gather(first, second) == ["a", "b"]


async def test_a_task_keeps_its_session_after_the_block_was_left():
    inside = asyncio.Event()

    async def late():
        await inside.wait()
        return current_id()

    with ops.session(id="a"):
        task = asyncio.create_task(late())
    inside.set()

    assert await task == "a"


async def test_one_session_object_serves_tasks_that_overlap():
    shared = ops.session(id="shared")
    both_inside = asyncio.Barrier(2)
    first_left = asyncio.Event()

    async def worker(*, leaves_first: bool):
        async with shared as ctx:
            await both_inside.wait()
            if not leaves_first:
                await first_left.wait()
            seen = ops.current_session()
        if leaves_first:
            first_left.set()
        return ctx, seen, ops.current_session()

    results = await asyncio.gather(worker(leaves_first=True), worker(leaves_first=False))

    for ctx, seen, after in results:
        assert seen is ctx
        assert after is None
        assert ctx.ended is not None
    assert results[0][0].run_id != results[1][0].run_id


def test_one_session_object_serves_threads_that_overlap():
    shared = ops.session(id="shared")
    both_inside = threading.Barrier(2, timeout=120)

    def worker(_: int):
        with shared as ctx:
            both_inside.wait()
            seen = ops.current_session()
            both_inside.wait()
        return seen is ctx, ops.current_session(), ctx.ended is not None

    with ThreadPoolExecutor(2) as pool:
        assert list(pool.map(worker, range(2))) == [(True, None, True)] * 2


def test_a_thread_starts_without_a_session(in_thread):
    with ops.session(id="a"):
        assert in_thread(ops.current_session) is None


async def test_to_thread_carries_the_session():
    with ops.session(id="a"):
        assert await asyncio.to_thread(current_id) == "a"


def test_an_opentelemetry_context_carries_the_session_to_a_thread(in_thread, only):
    def work():
        token = otel_context.attach(carried)
        try:
            with ops.span("in thread"):
                return current_id()
        finally:
            otel_context.detach(token)

    with ops.session(id="a"):
        carried = otel_context.get_current()
        assert in_thread(work) == "a"

    assert only("in thread").session_id == "a"


def test_a_fresh_opentelemetry_context_does_not_drop_the_session(only):
    with ops.session(id="a"):
        token = otel_context.attach(otel_context.Context())
        with ops.span("below a server's instrumentation"):
            pass
        otel_context.detach(token)

    assert only().session_id == "a"


def test_what_is_in_the_opentelemetry_context_survives_a_session():
    token = otel_context.attach(otel_context.set_value("mine", 1))
    with ops.session(id="a"):
        inside = otel_context.get_value("mine")
    after = otel_context.get_value("mine")
    otel_context.detach(token)

    assert (inside, after) == (1, 1)


def test_leaving_in_another_context_never_raises():
    session = ops.session(id="a")
    ctx = contextvars.copy_context().run(session.__enter__)

    session.__exit__(None, None, None)

    assert ctx.ended is not None
    assert ops.current_session() is None


def test_leaving_in_a_copy_of_the_context_sets_the_previous_session_there():
    def leave():
        session.__exit__(None, None, None)
        return current_id()

    with ops.session(id="outer"):
        session = ops.session(id="inner")
        session.__enter__()
        in_copy = contextvars.copy_context().run(leave)

    assert in_copy == "outer"


def test_leaving_elsewhere_leaves_another_current_session_alone():
    session = ops.session(id="a")
    contextvars.copy_context().run(session.__enter__)

    with ops.session(id="b"):
        session.__exit__(None, None, None)
        current = current_id()

    assert current == "b"


def test_a_plain_generator_closed_in_another_thread_never_raises(in_thread):
    def items():
        with ops.session(id="a") as ctx:
            yield ctx
            yield ctx

    iterator = items()
    ctx = contextvars.copy_context().run(next, iterator)
    in_thread(iterator.close)

    assert ctx.ended is not None
    assert ops.current_session() is None


def test_an_exit_stack_may_close_a_session():
    with contextlib.ExitStack() as stack:
        stack.enter_context(ops.session(id="a"))
        inside = current_id()

    assert inside == "a"
    assert ops.current_session() is None


def test_twenty_threads_keep_their_sessions_apart(recorded):
    def work(number: int) -> None:
        for turn in range(20):
            with ops.session(id=f"s{number}"), ops.span(f"s{number}", turn=turn), ops.span(f"s{number}"):
                pass

    with ThreadPoolExecutor(20) as pool:
        list(pool.map(work, range(20)))

    spans = recorded()
    assert len(spans) == 20 * 20 * 2
    assert {(span.name, span.session_id) for span in spans} == {(f"s{n}", f"s{n}") for n in range(20)}


async def test_two_thousand_tasks_keep_their_sessions_apart(recorded):
    @ops.trace
    async def inner(name: str) -> str:
        await asyncio.sleep(0)
        return name

    async def task(number: int) -> None:
        async with ops.session(id=f"s{number}"):
            with ops.span(f"s{number}"):
                await asyncio.sleep(0)
                await inner(f"s{number}")

    await asyncio.gather(*(task(number) for number in range(2000)))

    spans = recorded()
    assert len(spans) == 4000
    named = [span for span in spans if span.name.startswith("s")]
    assert all(span.name == span.session_id for span in named)
    children = [span for span in spans if not span.name.startswith("s")]
    assert all(
        json.loads(span.attributes["mirascope.trace.arg_values"])["name"] == span.session_id for span in children
    )


# -- spans carry it --------------------------------------------------------------------------------


def test_spans_are_stamped_with_the_session_under_mirascopes_and_opentelemetrys_names(only):
    with ops.session(id="a", attributes={"user_tier": "premium"}), ops.span("work"):
        pass

    span = only()
    assert span.session_id == "a"
    assert span.attributes["mirascope.ops.session.id"] == "a"
    assert span.attributes["session.id"] == "a"
    assert json.loads(span.attributes["mirascope.ops.session.attributes"]) == {"user_tier": "premium"}


def test_a_span_belongs_to_the_session_in_which_it_started(recorded):
    with ops.span("outside") as outside, ops.session(id="a"):
        outside.set(late=True)
        with ops.span("inside"):
            pass

    assert [(span.name, span.attributes.get("session.id")) for span in recorded()] == [
        ("outside", None),
        ("inside", "a"),
    ]


def test_spans_of_other_libraries_are_stamped_and_recorded(install_provider, only):
    provider = install_provider()
    with ops.session(id="a", attributes={"n": 1}), ops.span("ours"):  # noqa: SIM117
        with provider.tracer.start_as_current_span("foreign"):
            pass

    exported = provider.one("foreign")
    assert exported.attributes["mirascope.ops.session.id"] == "a"
    assert exported.attributes["session.id"] == "a"
    assert json.loads(exported.attributes["mirascope.ops.session.attributes"]) == {"n": 1}
    assert (only("foreign").session_id, only("foreign").scope) == ("a", "a stock library")
    assert only("foreign").parent_id == only("ours").span_id


def test_a_foreign_span_keeps_a_session_id_of_its_own(install_provider):
    provider = install_provider()
    with ops.session(id="a"), ops.span("ours"):  # noqa: SIM117 - our processor joins with the first span
        with provider.tracer.start_as_current_span("foreign", attributes={"session.id": "theirs"}):
            pass

    assert provider.one("foreign").attributes["session.id"] == "theirs"
    assert provider.one("foreign").attributes["mirascope.ops.session.id"] == "a"


def test_a_foreign_span_takes_the_session_of_the_context_that_it_was_given(install_provider, in_thread):
    provider = install_provider()
    with ops.session(id="a"), ops.span("ours"):
        carried = otel_context.get_current()
        in_thread(lambda: provider.tracer.start_span("foreign", context=carried).end())

    assert provider.one("foreign").attributes["mirascope.ops.session.id"] == "a"


def test_a_session_keeps_the_cell_in_which_it_was_entered(recorded):
    set_current_cell(Cell("first", 1, "travel.ipynb"))
    try:
        with ops.session(id="a") as ctx:
            set_current_cell(Cell("second", 2, "travel.ipynb"))
            with ops.span("in session"):
                pass
        with ops.span("outside"):
            pass
    finally:
        set_current_cell(None)

    assert ctx.cell == Cell("first", 1, "travel.ipynb")
    assert [(span.name, span.cell_id, span.execution_count) for span in recorded()] == [
        ("in session", "first", 1),
        ("outside", "second", 2),
    ]


# -- ids -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("given", ["x", " ", "a b", "Zoë", "会話-1", "🙂", "x" * 256, "100%", "a/b?c=d&e", "<script>"])
def test_ids_that_can_be_kept_and_sent_are_kept_as_they_are(given):
    with ops.session(id=given) as ctx:
        pass

    assert ctx.id == given
    assert ops.get_session(given).id == given


@pytest.mark.parametrize(
    "given",
    [
        "",
        "x" * 257,
        "a\nb",
        "\t",
        "a\r\nX-Evil: 1",
        "nul\x00",
        "\x1f",
        "del\x7f",
        "c1\x85",
        "c1\x9f",
        "lone\ud800",
        "\udfff",
    ],
    ids=repr,
)
def test_ids_that_cannot_be_kept_or_sent_are_refused_at_once(given):
    with pytest.raises(SessionError) as raised:
        ops.session(id=given)

    assert isinstance(raised.value, ValueError)
    assert isinstance(raised.value, ops.OpsError)
    str(raised.value).encode()  # the message can be printed and logged


@pytest.mark.parametrize(
    "given", [1, 1.5, b"a", True, ["a"], object(), uuid.UUID(int=1)], ids=lambda v: type(v).__name__
)
def test_ids_that_are_no_strings_are_refused_and_the_message_names_the_type(given):
    with pytest.raises(SessionError, match=type(given).__name__):
        ops.session(id=given)


# -- attributes ------------------------------------------------------------------------------------


def test_attributes_are_a_read_only_mapping():
    with ops.session(id="a", attributes={"tier": "premium"}) as ctx, pytest.raises(TypeError):
        ctx.attributes["tier"] = "free"  # type: ignore[index]

    assert dict(ctx.attributes) == {"tier": "premium"}
    assert ctx.attributes.get("missing") is None


def test_attributes_are_empty_where_none_were_given():
    with ops.session(id="a") as ctx:
        pass

    assert dict(ctx.attributes) == {}
    assert ctx.attributes.get("user_tier") is None


def test_json_values_are_kept_as_they_are():
    given = {"s": "x", "i": 1, "f": 1.5, "t": True, "n": None, "l": [1, "a", None], "d": {"k": [{}]}, "ü": "é🙂"}

    with ops.session(id="a", attributes=given) as ctx:
        pass

    assert dict(ctx.attributes) == given
    assert dict(ops.get_session("a").attributes) == given


def test_changing_the_dict_that_was_given_changes_nothing(only):
    given = {"tier": "premium", "tags": ["a"]}
    with ops.session(id="a", attributes=given) as ctx:
        given["tier"] = "free"
        given["tags"].append("b")
        given["new"] = 1
        with ops.span("work"):
            pass

    assert dict(ctx.attributes) == {"tier": "premium", "tags": ["a"]}
    assert json.loads(only().attributes["mirascope.ops.session.attributes"]) == {"tier": "premium", "tags": ["a"]}


@dataclass
class Plan:
    name: str


@pytest.mark.parametrize(
    "value",
    [
        object(),
        b"bytes",
        {1, 2},
        datetime(2026, 1, 1, tzinfo=UTC),
        Plan("free"),
        uuid.UUID(int=1),
        float("nan"),
        float("inf"),
        {"nested": object()},
        [float("nan")],
        {1: "a key that is no string"},
        "lone\ud800",
        lambda: None,
        1j,
    ],
    ids=lambda value: f"{type(value).__name__} {value!r}"[:20],
)
def test_attributes_that_are_no_json_values_are_refused_and_the_key_is_named(value):
    with pytest.raises(SessionError, match="'offending'"):
        ops.session(id="a", attributes={"fine": 1, "offending": value})


@pytest.mark.parametrize("key", [1, None, ("a",), b"a", "lone\ud800"], ids=repr)
def test_attribute_keys_that_are_no_text_are_refused_and_named(key):
    with pytest.raises(SessionError) as raised:
        ops.session(id="a", attributes={"fine": 1, key: 1})

    assert repr(key) in str(raised.value)


@pytest.mark.parametrize("given", [["a"], "text", 1], ids=repr)
def test_attributes_that_are_no_mapping_are_refused(given):
    with pytest.raises(SessionError):
        ops.session(id="a", attributes=given)


def test_a_cycle_in_attributes_is_refused_and_the_key_is_named():
    cycle: list[object] = []
    cycle.append(cycle)

    with pytest.raises(SessionError, match="'loop'"):
        ops.session(attributes={"loop": cycle})


def test_nothing_is_entered_or_listed_where_a_session_is_refused():
    with pytest.raises(SessionError), ops.session(id="a", attributes={"x": object()}):
        pass

    assert ops.current_session() is None
    assert len(ops.sessions()) == 0


def test_secrets_among_attributes_do_not_reach_the_store(only):
    with ops.session(id="a", attributes={"api_key": "sk-1", "max_tokens": 3}) as ctx, ops.span("work"):
        mine = ctx.attributes["api_key"]

    assert mine == "sk-1"
    assert "sk-1" not in only().attributes["mirascope.ops.session.attributes"]
    assert dict(ops.get_session("a").attributes) == {"api_key": "[masked]", "max_tokens": 3}


# -- set -------------------------------------------------------------------------------------------


def test_set_adds_and_changes_attributes_for_spans_that_start_later(recorded):
    with ops.session(id="a", attributes={"tier": "free"}) as ctx:
        with ops.span("before"):
            pass
        ctx.set(tier="premium", turns=1)
        with ops.span("after"):
            pass

    before, after = (json.loads(span.attributes["mirascope.ops.session.attributes"]) for span in recorded())
    assert before == {"tier": "free"}
    assert after == {"tier": "premium", "turns": 1} == dict(ctx.attributes)
    assert dict(ops.get_session("a").attributes) == {"tier": "premium", "turns": 1}


def test_set_on_one_entry_does_not_reach_another_entry_of_the_same_object():
    shared = ops.session(id="a", attributes={"tier": "free"})
    with shared as first:
        first.set(tier="premium")
    with shared as second:
        pass

    assert dict(second.attributes) == {"tier": "free"}


def test_set_refuses_what_is_no_json_value_and_then_changes_nothing():
    with ops.session(id="a", attributes={"tier": "free"}) as ctx, pytest.raises(SessionError, match="'bad'"):
        ctx.set(tier="premium", bad=object())

    assert dict(ctx.attributes) == {"tier": "free"}


# -- reading ---------------------------------------------------------------------------------------


def test_a_context_reads_back_what_was_recorded():
    @ops.trace
    def answer(question: str) -> str:
        return question.upper()

    with ops.session(id="a") as ctx:
        answer("one")
        answer("two")
        while_open = len(ctx.spans)

    assert while_open == 2
    assert [span.output for span in ctx.spans] == ["ONE", "TWO"]
    assert len(ctx.traces) == 2
    assert list(ctx.to_pandas()["session_id"]) == ["a", "a"]
    assert len(ctx.turns()) == 2
    assert len(ctx.summary()) == 1
    assert len(ctx.messages()) == 0


def test_a_context_names_itself():
    with ops.session(id="a", attributes={"n": 1}) as ctx:
        pass

    assert repr(ctx) == "SessionContext(id='a', attributes={'n': 1})"


def test_nothing_of_a_session_stays_in_the_opentelemetry_context():
    before = otel_context.get_current()
    with ops.session(id="a"):
        pass

    assert otel_context.get_current() == before
    assert otel_trace.get_current_span() is otel_trace.INVALID_SPAN


def test_a_session_id_in_bytes_is_refused_with_how_to_decode_it():
    with pytest.raises(SessionError, match=r"got bytes: write id=value\.decode\(\)"):
        ops.session(id=b"user-1")
