"""A traced call runs again with the arguments of its trace, or says which argument it needs."""

from __future__ import annotations

import asyncio
import dataclasses
import datetime as dt
import decimal
import enum
import functools
import importlib
import pathlib
import sys
import types
import uuid
from collections.abc import Sequence
from typing import Any, Literal, TypedDict

import pydantic
import pytest
from opentelemetry import trace as otel_trace

from mirascope_ops import llm, ops
from mirascope_ops.core import capture
from mirascope_ops.testing import captured

CALLS: list[Any] = []
MODEL = "openai/gpt-4o-mini:completions"


@pytest.fixture(autouse=True)
def recorded():
    CALLS.clear()
    with captured() as spans:
        yield spans
    assert (ops.current_session(), otel_trace.get_current_span()) == (None, otel_trace.INVALID_SPAN)


class Tone(enum.Enum):
    FORMAL = "formal"
    WARM = "warm"


@dataclasses.dataclass
class Source:
    title: str
    year: int = 2000


class Options(pydantic.BaseModel):
    tone: Tone = Tone.WARM
    sources: list[Source] = []
    limit: int | None = None


class Row(TypedDict):
    day: dt.date
    n: int


@ops.trace
def answer(question: str, options: Options, *rest: Source, budget: float | None = None, **notes: str) -> str:
    CALLS.append((question, options, rest, budget, notes))
    return f"{question} {budget}"


@ops.trace
def echo(value: Any) -> str:
    CALLS.append(value)
    return repr(value)


@ops.trace
def plain(value, second=None):
    CALLS.append((value, second))
    return "done"


def typed(hint: Any, value: Any) -> Any:
    """Record a call of a function whose parameter has this annotation; give its trace."""

    def call(value):
        CALLS.append(value)

    call.__annotations__ = {"value": hint}
    call = ops.trace(call)
    trace = call.wrapped(value)
    CALLS.clear()
    return lambda **given: trace.replay(call, **given)


# -- what is run, and with what ------------------------------------------------------------------------------


def test_a_call_runs_again_with_its_arguments():
    options = Options(tone=Tone.FORMAL, sources=[Source("Odyssey", -700)])
    trace = answer.wrapped("Why?", options, Source("a"), Source("b"), budget=0.5, note="x")

    replay = trace.replay()

    assert CALLS[0] == CALLS[1]
    assert CALLS[1][1] is not options
    assert replay.result == "Why? 0.5"
    assert replay.arguments["options"] == options
    assert replay.diff.same


def test_arguments_given_take_the_place_of_recorded_ones():
    trace = answer.wrapped("Why?", Options(), budget=0.5, note="x")

    trace.replay(question="How?", options=Options(limit=3), note="y", more="z")

    assert CALLS[-1] == ("How?", Options(limit=3), (), 0.5, {"note": "y", "more": "z"})


def test_the_trace_that_is_read_back_runs_again_too(tmp_path):
    answer("Why?", Options(), budget=0.5)

    ops.last_trace().replay()
    ops.last_trace().to_otlp(tmp_path / "trace.jsonl")
    ops.read_otlp(tmp_path / "trace.jsonl").traces[0].replay()
    ops.traces()[0].replay()

    assert len(CALLS) == 4
    assert all(call == CALLS[0] for call in CALLS)


def test_the_replay_is_a_trace_of_its_own_that_links_to_the_original():
    with ops.span("outside"):
        trace = echo.wrapped(1)
        replay = trace.replay()

    root = replay.trace.root
    assert (root.name, root.parent_id) == ("replay echo", None)
    assert [(link.trace_id, link.span_id) for link in root.links] == [(trace.trace_id, trace.span_id)]
    assert root.attributes["mirascope.ops.replay.trace_id"] == trace.trace_id
    assert root.attributes["mirascope.ops.replay.span_id"] == trace.span_id
    assert [span.name for span in replay.spans] == ["echo"]
    assert replay.trace.trace_id != trace.trace_id


def test_the_replay_joins_the_session_that_is_current():
    with ops.session(id="first"):
        trace = echo.wrapped(1)

    with ops.session(id="second"):
        inside = trace.replay()
    outside = trace.replay()

    assert {span.session_id for span in inside.trace} == {"second"}
    assert {span.session_id for span in outside.trace} == {None}


def test_what_is_current_is_as_before_after_a_replay():
    trace = echo.wrapped(1)

    with ops.session(id="one"), ops.span("around") as span:
        trace.replay()
        assert otel_trace.get_current_span() is span
        assert ops.current_session().id == "one"


def test_a_replay_shows_what_differs():
    trace = echo.wrapped("old")

    replay = trace.replay(value="new")

    assert replay.diff[0].what == "input"
    assert "new" in replay.to_text()
    assert repr(replay) == replay.to_text()
    assert replay._repr_mimebundle_()["text/plain"] == replay.to_text()


def test_an_edited_function_runs_in_place_of_the_old_one(monkeypatch):
    trace = echo.wrapped(1)

    @ops.trace
    def edited(value: int) -> str:
        return f"edited {value}"

    monkeypatch.setattr(sys.modules[__name__], "echo", edited)

    assert trace.replay().result == "edited 1"


def test_another_function_may_be_given_traced_or_not():
    trace = echo.wrapped(1)

    assert trace.replay(ops.trace(lambda value: value + 1)).result == 2
    replay = trace.replay(lambda value: value + 2)

    assert replay.result == 3
    assert len(replay.spans) == 1


def test_a_local_function_has_to_be_given():
    @ops.trace
    def local(value: int) -> int:
        return value

    trace = local.wrapped(1)

    with pytest.raises(ops.ReplayError, match=r"no traced function local .*trace\.replay\(function\)"):
        trace.replay()
    assert trace.replay(local).result == 1


def test_a_call_inside_of_a_trace_runs_again_by_itself():
    @ops.trace
    def outer() -> None:
        echo(1)
        echo(2)

    trace = outer.wrapped()
    second = trace.spans[2]

    replay = trace.spans.below(second.span_id).replay()

    assert replay.arguments == {"value": 2}
    assert [span.span_id for span in replay.original] == [second.span_id]


def test_the_call_below_other_spans_is_found_and_several_are_named():
    with ops.span("request"):
        echo(1)
    one = ops.last_trace()
    with ops.span("request"):
        echo(1)
        echo(2)
    two = ops.last_trace()
    with ops.span("request"):
        pass
    none = ops.last_trace()

    assert one.replay().arguments == {"value": 1}
    with pytest.raises(ops.ReplayError, match=rf"2 calls .*trace\.spans\.below\('{two[1].span_id}'\)\.replay\(\)"):
        two.replay()
    with pytest.raises(ops.ReplayError, match="no call of a traced function"):
        none.replay()


def test_a_replay_can_be_replayed():
    replay = echo.wrapped(1).replay(value=2)

    again = replay.trace.replay()

    assert again.arguments == {"value": 2}
    assert again.diff.same


# -- methods, kinds of callables -----------------------------------------------------------------------------


class Agent:
    def __init__(self, name: str) -> None:
        self.name = name

    @ops.trace
    def ask(self, question: str) -> str:
        return f"{self.name}: {question}"

    @ops.trace
    @classmethod
    def make(cls, name: str) -> Agent:
        return cls(name)

    @staticmethod
    @ops.trace
    def shout(text: str) -> str:
        return text.upper()

    @property
    @ops.trace
    def title(self) -> str:
        return self.name.title()


def test_a_method_needs_its_object():
    agent = Agent("ada")
    trace = agent.ask.wrapped("Why?")

    assert trace.replay(self=agent).result == "ada: Why?"
    assert trace.replay(Agent("bob").ask, question="How?").result == "bob: How?"
    with pytest.raises(ops.ReplayError, match=r"Agent\.ask is a method.*trace\.replay\(self=\.\.\.\)"):
        trace.replay()
    with pytest.raises(ops.ReplayError, match="is a method of Agent, and self is a str"):
        trace.replay(self="ada")


def test_class_and_static_methods_and_properties():
    agent = Agent("ada")
    _ = agent.title
    title = ops.last_trace()

    assert Agent.make.wrapped("bob").replay().result.name == "bob"
    assert Agent.shout.wrapped("a").replay().result == "A"
    assert title.replay(self=agent).result == "Ada"


def test_a_partial_keeps_what_it_holds():
    half = ops.trace(functools.partial(plain, second=2))
    trace = half.wrapped(1)

    trace.replay(half)
    trace.replay(ops.trace(functools.partial(plain, second=3)))
    trace.replay(ops.trace(functools.partial(plain, 5)))

    assert CALLS == [(1, 2), (1, 2), (1, 3), (5, 2)]


def test_generators_are_read_to_the_end():
    @ops.trace
    def count(limit: int):
        yield from range(limit)

    trace = count.wrapped(3)
    list(trace.result)

    replay = trace.replay(count, limit=2)

    assert replay.result == [0, 1]
    assert replay.spans[0].status == "unset"


async def test_what_is_awaited_is_awaited_again():
    @ops.trace
    async def fetch(url: str) -> str:
        await asyncio.sleep(0)
        return url

    trace = await fetch.wrapped("a")
    pending = trace.replay(fetch)

    assert "await it" in repr(pending)
    assert pending._repr_mimebundle_() == {"text/plain": repr(pending)}
    with pytest.raises(ops.ReplayError, match=r"await trace\.replay\(\)"):
        _ = pending.result
    replay = await pending
    assert (replay.result, replay is pending, len(replay.spans)) == ("a", True, 1)
    assert await replay is replay
    assert len(ops.traces(name="replay fetch")) <= 1


async def test_async_generators_are_read_to_the_end():
    @ops.trace
    async def count(limit: int):
        for number in range(limit):
            yield number

    trace = count.wrapped(3)
    assert [number async for number in trace.result] == [0, 1, 2]

    assert (await trace.replay(count)).result == [0, 1, 2]


async def test_await_does_no_harm_where_nothing_is_awaited():
    assert (await echo.wrapped(1).replay()).result == "1"


def test_the_span_parameter_is_given_by_tracing():
    @ops.trace
    def noted(trace_ctx, value: int) -> int:
        trace_ctx.set(seen=value)
        return value

    replay = noted.wrapped(1).replay(noted)

    assert replay.spans[0].attributes["seen"] == 1


# -- models --------------------------------------------------------------------------------------------------


@ops.trace
@llm.call(MODEL)
def chat(question: str) -> str:
    return question


@ops.trace
@llm.call(MODEL)
async def chat_later(question: str) -> str:
    return question


def test_a_model_call_runs_again(llm_server):
    trace = chat.wrapped("Thanks!")

    replay = trace.replay()

    assert replay.result.text() == trace.result.text()
    assert len(llm_server.requests) == 2
    assert replay.diff.same


def test_a_streamed_model_call_is_streamed_again(llm_server):
    trace = chat.wrapped_stream("Thanks!")
    trace.result.finish()

    replay = trace.replay()

    assert llm_server.requests[-1]["stream"] is True
    assert replay.result.text() == trace.result.text()
    assert replay.spans[0].ttft is not None
    assert replay.diff.same


async def test_an_async_model_call_runs_again(llm_server):
    trace = await chat_later.wrapped("Thanks!")
    streamed = await chat_later.wrapped_stream("Thanks!")
    await streamed.result.finish()

    assert (await trace.replay()).result.text() == trace.result.text()
    assert (await streamed.replay()).result.text() == trace.result.text()


# -- failures ------------------------------------------------------------------------------------------------


def test_an_exception_passes_with_a_note_and_the_replay_can_be_read():
    @ops.trace
    def fail(value: int) -> int:
        return 1 // value

    trace = fail.wrapped(1)

    with pytest.raises(ZeroDivisionError) as caught:
        trace.replay(fail, value=0)

    (note,) = caught.value.__notes__
    failed = ops.last_trace()
    assert trace.trace_id in note
    assert failed.trace_id in note
    assert (failed.name, failed.status) == ("replay fail", "error")


def test_a_parameter_that_is_unknown_is_an_error_that_names_all():
    with pytest.raises(ops.ReplayError, match=r"echo has no parameter 'valeu'; its parameters are value\."):
        echo.wrapped(1).replay(valeu=2)
    with pytest.raises(ops.ReplayError, match=r"given first, without a name: \.replay\(function\)"):
        echo.wrapped(1).replay(function=echo)


def test_a_function_that_changed_says_what_is_missing():
    trace = echo.wrapped(1)

    with pytest.raises(ops.ReplayError, match="has an argument 'value', for which the function has no parameter now"):
        trace.replay(lambda: 1)
    with pytest.raises(ops.ReplayError, match=r"extra: the trace has no such argument.*\n.*\.replay\(extra=\.\.\.\)"):
        trace.replay(lambda value, extra: 1)
    assert trace.replay(lambda value, extra=3: extra).result == 3


def test_arguments_that_were_not_captured_have_to_be_given():
    quiet = ops.trace(capture_args=False)(lambda value, second=2: (value, second))
    trace = quiet.wrapped(1)

    with pytest.raises(ops.ReplayError, match=r"not captured.*\n.*\n.*value=\.\.\., second=\.\.\."):
        trace.replay(quiet)
    assert trace.replay(quiet, value=3, second=4).result == (3, 4)


def test_nothing_runs_while_nothing_is_recorded():
    trace = echo.wrapped(1).spans

    ops.configure(store="off")
    CALLS.clear()
    with pytest.raises(ops.ReplayError, match="Nothing is recorded"):
        trace.replay()
    assert CALLS == []


class Client:
    def __repr__(self) -> str:
        return "Client(1)"


class Secretive(pydantic.BaseModel):
    key: pydantic.SecretStr


class Private(pydantic.BaseModel):
    name: str
    _seen: int = pydantic.PrivateAttr(default=0)


class Partial(pydantic.BaseModel):
    name: str
    hidden: int = pydantic.Field(default=1, exclude=True)


class Rounded(pydantic.BaseModel):
    number: float

    @pydantic.field_serializer("number")
    def round(self, number: float) -> float:
        return round(number)


@dataclasses.dataclass
class Base:
    name: str


@dataclasses.dataclass
class Child(Base):
    pass


@dataclasses.dataclass
class Grown(Base):
    age: int


@dataclasses.dataclass
class Hiding:
    name: str
    _secret: int = 1


@dataclasses.dataclass
class Shifting:
    number: int

    def __post_init__(self) -> None:
        self.number += 1


cycle: list[Any] = []
cycle.append(cycle)


@pytest.mark.parametrize(
    ("hint", "value", "words"),
    [
        (Any, Client(), "of the type .*Client, of which its annotation says nothing"),
        (Client, Client(), "an object of the class .*Client cannot be made"),
        (dict[str, Any], {"a": Client()}, "held .*Client"),
        (dict, {"api_key": "sk-1"}, "masked"),
        (list, cycle, "holds itself"),
        (str, "x" * 100_000, "was cut"),
        (list[int], list(range(100_000)), "was cut"),
        (bytes, b"123456789", "only the first 8"),
        (float, float("nan"), "float"),
        (float | None, float("inf"), "float"),
        (list[float], [float("nan")], "float .not finite"),
        (str, "\ud800", "could not be recorded"),
        (Options, Options.model_construct(sources=[Source("\ud800")]), "could not be recorded"),
        (Secretive, Secretive(key="sk-1"), "secret"),
        (Private, Private(name="a"), "private attribute `_seen`"),
        (Partial, Partial(name="a", hidden=2), "field `hidden`"),
        (Rounded, Rounded(number=1.4), "way of its own"),
        (list[Rounded], [Rounded(number=1.4)], "way of its own"),
        (Hiding, Hiding("a", 2), "field `_secret`"),
        (Shifting, Shifting(1), "other fields"),
        (Base, Child("a"), "it may have been .*Base or .*Child"),
        (dict, {1: "a"}, "keys that are no text"),
        (object, print, "builtin_function_or_method"),
        (type, dict, "only its description"),
        (int, Source("a"), "an object, which is not int"),
        ("Elsewhere", Source("a"), "Elsewhere cannot be resolved"),
        (Literal["a"], "b", "is not Literal"),
    ],
)
def test_an_argument_that_cannot_be_made_again_is_an_error_that_says_why(hint, value, words):
    replay = typed(hint, value)

    with pytest.raises(ops.ReplayError, match=rf"(?s)value: .*{words}.*\.replay\(value=\.\.\.\)"):
        replay()

    assert CALLS == []
    replay(value=3)
    assert CALLS == [3]


@pytest.mark.parametrize(
    ("hint", "value"),
    [
        (int, 10**30),
        (float, 1),
        (int, None),
        (bytes, b"1234"),
        (bool, True),
        (dt.datetime, dt.datetime(2026, 11, 25, 14, 0, 0, 123456, dt.UTC)),
        (dt.date, dt.date(2026, 11, 25)),
        (dt.date, dt.datetime(2026, 11, 25, 14, tzinfo=dt.UTC)),
        (dt.time, dt.time(14, 30)),
        (dt.timedelta, dt.timedelta(days=-3, seconds=5, microseconds=7)),
        (uuid.UUID, uuid.UUID(int=7)),
        (decimal.Decimal, decimal.Decimal("1.20")),
        (pathlib.Path, pathlib.Path("/tmp/it's.txt")),
        (complex, 3 + 4j),
        (range, range(2, 9, 3)),
        (Tone, Tone.WARM),
        (Literal["a", 1], 1),
        (Source, Source("a")),
        (Base, Grown("a", 3)),
        (Options, Options(tone=Tone.FORMAL, sources=[Source("a")])),
        (Options | None, None),
        (dict[str, list[Source]], {"a": [Source("b")]}),
        (dict[int, Tone], {1: Tone.WARM, 20: Tone.FORMAL}),
        (dict[Tone, uuid.UUID], {Tone.WARM: uuid.UUID(int=1)}),
        (tuple[Source, ...], (Source("a"), Source("b"))),
        (tuple[int, str], (1, "a")),
        (set[tuple[int, int]], {(1, 2), (3, 4)}),
        (frozenset[str], frozenset(("a", "b"))),
        (Row, {"day": dt.date(2026, 11, 25), "n": 1}),
        (list[Row | Source], [{"day": dt.date(2026, 11, 25), "n": 1}, Source("a")]),
        (Sequence[int], (1, 2)),
        (Sequence[int], [1, 2]),
        (str | dt.datetime, "2026-11-25T14:00:00"),
        (str | dt.datetime, dt.datetime(2026, 11, 25, 14, tzinfo=dt.UTC)),
        (str | Tone, Tone.WARM),
        (str | Tone, "warm"),
        (Source | dict[str, Any], Source("a")),
        (Source | dict[str, Any], {"title": "a", "year": 2000}),
        (Any, (1, 2)),
        (Any, uuid.UUID(int=3)),
        (Any, {"a": [1, None, "x", 2.5, True]}),
        ("Sequence[Mapping[str, int]]", [{"a": 1}]),
        (str, "<b>not an object</b>"),
    ],
)
def test_an_argument_is_made_again_by_its_annotation(hint, value):
    typed(hint, value)()

    (found,) = CALLS
    assert found == value
    assert type(found) is type(value)


FOR_CHECKERS = """
from __future__ import annotations

import typing
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mirascope_ops import ops

if TYPE_CHECKING:
    import decimal as numbers
    from collections.abc import Sequence
    from pathlib import Path

    from nowhere import Nothing

class Text(str):
    pass

@dataclass
class Note:
    path: Path
    text: Text

if typing.TYPE_CHECKING:
    from . import absent

@ops.trace
def read(note: Note, at: Path, costs: Sequence[numbers.Decimal]) -> None:
    CALLS.append((note, at, costs))

@ops.trace
def lost(nothing: Nothing) -> None: ...
"""


def test_names_that_are_imported_for_type_checkers_only_are_known(tmp_path, monkeypatch):
    (tmp_path / "for_checkers.py").write_text(FOR_CHECKERS)
    monkeypatch.syspath_prepend(tmp_path)
    module = importlib.import_module("for_checkers")
    module.CALLS = CALLS
    note = module.Note(pathlib.Path("/a"), module.Text("b"))

    module.read.wrapped(note, pathlib.Path("/c"), [decimal.Decimal("1.0")]).replay()
    with pytest.raises(ops.ReplayError, match="nothing: its annotation Nothing cannot be resolved"):
        module.lost.wrapped("x").replay()

    assert CALLS[0] == CALLS[1]
    assert type(CALLS[1][0].text) is module.Text
    assert "nowhere" not in sys.modules
    monkeypatch.delitem(sys.modules, "for_checkers")


@ops.trace
@llm.call(MODEL)
def chat_on(history: list[llm.Message], question: str) -> list[llm.Message]:
    return [*history, llm.messages.user(question)]


def test_a_conversation_of_mirascopes_messages_goes_on_again(llm_server):
    first = chat.wrapped("Hello!")
    trace = chat_on.wrapped(first.result.messages, "Thanks!")

    replay = trace.replay()

    assert replay.arguments["history"] == first.result.messages
    assert len(llm_server.requests[-1]["messages"]) == len(llm_server.requests[-2]["messages"]) == 3


def test_without_annotations_json_data_is_given_and_other_values_are_refused():
    trace = plain.wrapped({"a": [1, 2]}, second=(1, 2))
    trace.replay()
    assert CALLS[-1] == ({"a": [1, 2]}, (1, 2))

    with pytest.raises(ops.ReplayError, match=r"value: it was of the type .*Source"):
        plain.wrapped(Source("a")).replay()
    with pytest.raises(ops.ReplayError, match=r"value: it was of the type list that held .*Source"):
        plain.wrapped([Source("a")]).replay()


def test_a_default_that_a_trace_cannot_hold_is_used_again():
    client = Client.__new__(Client)
    other = object()

    @ops.trace
    def ask(question: str, client=other, kind=dict) -> Any:
        CALLS.append((client, kind))

    trace = ask.wrapped("Why?")

    trace.replay(ask)
    assert CALLS[0] == CALLS[1] == (other, dict)
    with pytest.raises(ops.ReplayError, match="client: "):
        ask.wrapped("Why?", client).replay(ask)


@pytest.mark.parametrize(
    ("rule", "refused"),
    [
        (lambda key, value: "***" if key == "email" else value, True),
        (lambda key, value: 1 / 0, True),
        (lambda key, value: "***" if key == "phone" else value, False),
    ],
)
def test_what_the_users_rule_changes_is_not_taken_for_what_it_was(rule, refused, monkeypatch):
    monkeypatch.setattr(capture.policy, "redact", rule)
    trace = plain.wrapped({"people": [{"email": "ada@example.com"}]}, second="x")

    if refused:
        with pytest.raises(ops.ReplayError, match=r"value: (values under 'email' are redacted|it was masked)"):
            trace.replay()
    else:
        trace.replay()
        assert CALLS[0] == CALLS[1]


def test_a_smaller_limit_now_is_no_hindrance(monkeypatch):
    trace = echo.wrapped("x" * 1000)

    monkeypatch.setattr(capture.policy, "limit", 100)

    assert trace.replay().arguments == {"value": "x" * 1000}


# -- traces from elsewhere -----------------------------------------------------------------------------------


def forged(recorded, module: str, qualname: str) -> Any:
    with ops.span("forged") as span:
        span.set_attribute("mirascope.fn.module", module)
        span.set_attribute("mirascope.fn.qualname", qualname)
        span.set_attribute("mirascope.trace.arg_values", '{"command":"touch /tmp/forged"}')
    return ops.last_trace()


@pytest.mark.parametrize(
    ("module", "qualname"),
    [
        ("os", "system"),
        ("this", "s"),
        ("antigravity", "fly"),
        (__name__, "__builtins__"),
        (__name__, "sys.exit"),
        (__name__, "Agent.__init__"),
        (__name__, "Agent.__class__.mro"),
        ("mirascope_ops", "llm.call"),
        ("", ""),
    ],
)
def test_what_a_trace_names_is_neither_imported_nor_run_unless_it_is_traced(recorded, module, qualname, capsys):
    loaded = set(sys.modules)

    with pytest.raises(ops.ReplayError, match="There is no traced function"):
        forged(recorded, module, qualname).replay()

    assert "this" not in set(sys.modules) - loaded
    assert capsys.readouterr() == ("", "")


def test_looking_for_a_function_runs_no_code_of_a_module(recorded, monkeypatch):
    module = types.ModuleType("trap")
    module.__getattr__ = lambda name: pytest.fail(f"asked for {name}")

    class Meta(type):
        def __getattribute__(cls, name):
            if name == "run":
                pytest.fail("asked for run")
            return super().__getattribute__(name)

    module.Trap = Meta("Trap", (), {})
    monkeypatch.setitem(sys.modules, "trap", module)

    for name in ("missing", "Trap.run"):
        with pytest.raises(ops.ReplayError):
            forged(recorded, "trap", name).replay()


def test_arguments_that_are_no_json_have_to_be_given(recorded):
    with ops.span("cut") as span:
        span.set_attribute("mirascope.fn.module", __name__)
        span.set_attribute("mirascope.fn.qualname", "echo")
        span.set_attribute("mirascope.trace.arg_values", '{"value": [1, 2')

    with pytest.raises(ops.ReplayError, match="value: arguments were not captured"):
        ops.last_trace().replay()
    assert ops.last_trace().replay(value=1).arguments == {"value": 1}


@dataclasses.dataclass
class Tree:
    below: list[Tree]


@pytest.mark.parametrize("hint", [Any, list, Tree])
@pytest.mark.parametrize("depth", [300, 900, 100_000])
def test_arguments_nested_without_end_are_an_error_and_no_crash(hint, depth, recorded):
    def call(value):
        CALLS.append(value)

    call.__annotations__ = {"value": hint}
    text = '{"below":[' * depth + "]}" * depth if hint is Tree else "[" * depth + "]" * depth
    with ops.span("deep") as span:
        span.set_attribute("mirascope.fn.module", __name__)
        span.set_attribute("mirascope.fn.qualname", "call")
        span.set_attribute("mirascope.trace.arg_values", f'{{"value":{text}}}')

    with pytest.raises(ops.ReplayError, match="value: "):
        ops.last_trace().replay(ops.trace(call))
    assert CALLS == []
