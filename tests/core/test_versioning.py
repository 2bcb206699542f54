"""`ops.version`: which version ran, on every span; counted across restarts; the function stays what it was."""

from __future__ import annotations

import asyncio
import copy
import dataclasses
import functools
import inspect
import itertools
import json
import linecache
import pickle
import subprocess
import sys
import threading
import types
from pathlib import Path

import pytest
from pydantic import BaseModel

from mirascope_ops import VersionInfo, ops
from mirascope_ops.core import backend, cell, sources, versioning
from mirascope_ops.core.cell import Cell
from mirascope_ops.exceptions import OpsError, TraceTargetError
from mirascope_ops.store import recorder
from mirascope_ops.store.memory import MemoryStore

PREFIX = "mirascope.version."
CELLS = itertools.count()
GREETING = "Hello"


@pytest.fixture(autouse=True)
def counted_from_one():
    versioning.history.forget()
    yield
    versioning.history.forget()
    cell.set_current_cell(None)


def run_cell(source, namespace=None):
    """Run source as a notebook does, as a cell of its own."""
    namespace = {"__name__": "__main__", "ops": ops} if namespace is None else namespace
    number = next(CELLS)
    name = f"<versioned cell {number}>"
    linecache.cache[name] = (len(source), None, source.splitlines(keepends=True), name)
    cell.set_current_cell(Cell(f"cell-{number}", number, "notebook.ipynb"))
    exec(compile(source, name, "exec"), namespace)
    return namespace


def version_attributes(span):
    return {key.removeprefix(PREFIX): value for key, value in span.attributes.items() if key.startswith(PREFIX)}


@ops.version
def greet(name: str = "Ada") -> str:
    """Greet somebody."""
    return f"{GREETING}, {name}!"


# -- what is recorded ---------------------------------------------------------------------------------------------


def test_every_span_tells_the_version(only):
    assert greet("Bob") == "Hello, Bob!"

    info = greet.version_info
    assert version_attributes(only()) == {
        "hash": info.hash,
        "signature_hash": info.signature_hash,
        "version": "1.0",
        "name": "greet",
        "description": "Greet somebody.",
    }
    assert len(info.hash) == len(info.signature_hash) == 64
    assert info == VersionInfo(
        hash=info.hash,
        signature_hash=info.signature_hash,
        name="greet",
        description="Greet somebody.",
        version="1.0",
        tags=(),
        metadata={},
    )


def test_name_tags_and_metadata_are_recorded(only):
    @ops.version(name="welcome", tags=["b", "a", "b"], metadata={"owner": "us", "n": 1, "none": None, "deep": {"a": 1}})
    def hello():
        return 1

    hello()

    found = version_attributes(only("welcome"))
    assert found["name"] == hello.version_info.name == "welcome"
    assert list(found["tags"]) == ["a", "b"]
    assert hello.version_info.tags == ("a", "b")
    assert (found["meta.owner"], found["meta.n"], found["meta.deep"]) == ("us", 1, '{"a":1}')
    assert "meta.none" not in found
    assert "description" not in found


def test_a_versions_tags_and_metadata_are_those_of_its_calls_too(only):
    @ops.trace(tags=["t"], metadata={"owner": "me", "call": 1})
    @ops.version(tags=["v", "t"], metadata={"owner": "us", "n": 1})
    def hello():
        return 1

    hello()

    assert list(only().attributes["mirascope.trace.tags"]) == list(only().tags) == ["t", "v"]
    assert json.loads(only().attributes["mirascope.trace.metadata"]) == {"owner": "me", "n": 1, "call": 1}
    assert version_attributes(only())["meta.owner"] == "us"
    assert hello.version_info.metadata == {"owner": "us", "n": 1}


def test_it_traces_like_trace(only):
    assert greet.wrapped(name="Bob").result == "Hello, Bob!"

    span = only()
    assert span.attributes["mirascope.type"] == "trace"
    assert span.attributes["mirascope.trace.output"] == "Hello, Bob!"
    assert span.attributes["mirascope.trace.arg_values"] == '{"name":"Bob"}'


def test_an_error_passes_and_is_recorded(only):
    @ops.version
    def fail():
        raise KeyError("x")

    with pytest.raises(KeyError):
        fail()

    assert only().status == "error"
    assert version_attributes(only())["version"] == "1.0"


def test_exporters_see_the_version(install_provider):
    provider = install_provider()

    greet()

    assert provider.one().attributes["mirascope.version.hash"] == greet.version_info.hash


# -- with ops.trace -----------------------------------------------------------------------------------------------


def test_above_and_below_trace_there_is_one_span(recorded):
    @ops.version(tags=["v"])
    @ops.trace(name="one", tags=["t"], capture_result=False)
    def above():
        return 1

    @ops.trace(name="two", metadata={"a": 1})
    @ops.version(name="second")
    def below():
        return 2

    assert (above(), above.wrapped().result, below(), below.wrapped().result) == (1, 1, 2, 2)

    spans = recorded()
    assert [span.name for span in spans] == ["one", "one", "two", "two"]
    assert all(version_attributes(span)["version"] == "1.0" for span in spans)
    assert list(spans[0].attributes["mirascope.trace.tags"]) == ["t", "v"]
    assert version_attributes(spans[0])["tags"] == ["v"]
    assert "mirascope.trace.output" not in spans[0].attributes
    assert spans[2].attributes["mirascope.trace.metadata"] == '{"a":1}'
    assert below.version_info.name == "second"
    assert above.version_info.hash != below.version_info.hash


def test_a_decorator_between_keeps_two_spans(recorded):
    @ops.version
    @functools.cache
    @ops.trace
    def cached():
        return 1

    cached()
    cached()

    assert [("hash" in version_attributes(span)) for span in recorded()] == [True, False, True]


def test_in_a_class_with_trace_there_is_one_span(recorded):
    class Agent:
        @ops.trace
        @ops.version
        def one(self, x):
            return x

        @ops.version
        @ops.trace
        def two(self, x):
            return x

        @ops.version
        @ops.trace
        @classmethod
        def three(cls, x):
            return x

        @ops.version
        @staticmethod
        @ops.trace
        def four(x):
            return x

    agent = Agent()

    assert [agent.one(1), agent.two(2), agent.three(3), agent.four(4), Agent.three(5), Agent.four(6)] == [
        1,
        2,
        3,
        4,
        5,
        6,
    ]
    assert [version_attributes(span)["version"] for span in recorded()] == ["1.0"] * 6


# -- kinds of callables -------------------------------------------------------------------------------------------


class Writer(BaseModel):
    style: str = "plain"

    @ops.version
    def write(self, text: str) -> str:
        """Write."""
        return text + self.style

    @ops.version
    @classmethod
    def make(cls):
        return cls()

    @classmethod
    @ops.version
    def build(cls):
        return cls()

    @ops.version
    @staticmethod
    def help(x):
        return x


def test_methods_keep_their_object_and_know_their_version(recorded):
    writer = Writer(style="!")

    assert writer.write("a") == Writer.write(writer, "a") == writer.write.wrapped("a").result == "a!"
    assert Writer.write.wrapped(writer, "a").result == "a!"
    assert Writer.make() == writer.make() == Writer.build() == Writer.make.wrapped().result == Writer()
    assert Writer.help(1) == writer.help(1) == Writer.help.wrapped(1).result == 1
    for method in (writer.write, Writer.write, Writer.make, writer.make, Writer.build, Writer.help, writer.help):
        assert method.version_info.version == "1.0"
    assert all("hash" in version_attributes(span) for span in recorded())
    assert set(Writer.model_fields) == {"style"}


async def test_coroutines_and_generators_stay_what_they_are(recorded):
    @ops.version
    async def fetch(x):
        return x

    @ops.version
    def count(n):
        yield from range(n)

    @ops.version
    async def stream(n):
        for item in range(n):
            yield item

    assert inspect.iscoroutinefunction(fetch)
    assert asyncio.iscoroutinefunction(fetch)
    assert inspect.isgeneratorfunction(count)
    assert inspect.isasyncgenfunction(stream)
    assert await fetch(1) == (await fetch.wrapped(1)).result == 1
    assert list(count(3)) == list(count.wrapped(3).result) == [0, 1, 2]
    assert [item async for item in stream(2)] == [item async for item in stream.wrapped(2).result] == [0, 1]
    assert [version_attributes(span)["version"] for span in recorded()] == ["1.0"] * 6


def test_partials_and_callable_objects_know_their_version(recorded):
    def add(a, b):
        return a + b

    class Adder:
        def __call__(self, a):
            return a + 1

    partial = ops.version(functools.partial(add, 1))
    adder = ops.version(Adder())

    assert (partial(2), partial.wrapped(2).result, adder(1), adder.wrapped(1).result) == (3, 3, 2, 2)
    assert isinstance(partial, functools.partial)
    assert partial.version_info.version == adder.version_info.version == "1.0"
    assert all("hash" in version_attributes(span) for span in recorded())


@pytest.mark.parametrize("order", ["above", "below"])
def test_mirascope_calls_know_their_version(recorded, llm_server, order):
    from mirascope import llm

    if order == "above":

        @ops.version
        @llm.call("openai/gpt-4o-mini")
        def chat(question: str) -> str:
            return f"Answer: {question}"

    else:

        @llm.call("openai/gpt-4o-mini")
        @ops.version
        def chat(question: str) -> str:
            return f"Answer: {question}"

    assert chat("Why?").text()
    spans = [span for span in recorded() if "hash" in version_attributes(span)]
    assert [span.name for span in spans] == [spans[0].name]
    if order == "above":
        assert chat.wrapped("Why?").result.text()
        assert "".join(chat.stream("Why?").text_stream())
        assert chat.version_info.version == "1.0"


def test_a_function_gets_its_span_and_keeps_its_signature(only):
    @ops.version
    def ask(trace_ctx, question: str = "Why?") -> str:
        trace_ctx.set(seen=True)
        return question

    assert ask() == "Why?"
    assert str(inspect.signature(ask)) == "(question: 'str' = 'Why?') -> 'str'"
    assert only().attributes["seen"] is True


def test_what_a_function_tells_about_itself_stays():
    assert (greet.__name__, greet.__qualname__, greet.__module__, greet.__doc__) == (
        "greet", "greet", __name__, "Greet somebody.",
    )  # fmt: skip
    assert inspect.signature(greet) == inspect.signature(inspect.unwrap(greet))
    assert "versioned" in repr(greet)
    assert copy.copy(greet) is copy.deepcopy(greet) is greet


def test_it_is_pickled_by_reference(monkeypatch):
    module = types.ModuleType("pickled_functions")
    monkeypatch.setitem(sys.modules, module.__name__, module)
    vars(module)["ops"] = ops
    run_cell("@ops.version\ndef f(): return 1\nclass A:\n    @ops.version\n    def g(self): return 2\n", vars(module))

    assert pickle.loads(pickle.dumps(module.f)) is module.f
    assert pickle.loads(pickle.dumps(module.A.g)) is module.A.g
    assert pickle.loads(pickle.dumps(module.A().g))() == 2


def test_completion_offers_what_it_has():
    for versioned in (greet, Writer.write, Writer().write, Writer.make, ops.version(functools.partial(greet, "a"))):
        assert {"wrapped", "version_info"} <= set(dir(versioned))
    assert not {"function", "version_site"} & set(dir(greet))
    assert {"__name__", "__wrapped__"} <= set(dir(greet))


def test_it_can_be_wrapped():
    @functools.wraps(greet)
    def around(*args):
        return greet(*args)

    assert around.__wrapped__ is greet
    assert around.__name__ == "greet"
    assert inspect.signature(around) == inspect.signature(greet)


@pytest.mark.parametrize("target", [int, property(lambda self: 1), 3])
def test_what_cannot_be_traced_cannot_be_versioned(target):
    with pytest.raises(TraceTargetError):
        ops.version(target)


def test_tags_that_are_one_string_are_refused():
    with pytest.raises(OpsError, match="tags="):
        ops.version(tags="abc")


@pytest.mark.usefixtures("lenient")
def test_what_is_not_python_is_traced_without_a_version(only, caplog):
    size = ops.version(len)

    assert size([1]) == 1
    assert size.version_info is None
    assert version_attributes(only()) == {}
    assert [r.message for r in caplog.records if "len is not written in Python" in r.message]
    size([1])
    assert len(caplog.records) == 1


# -- the value ----------------------------------------------------------------------------------------------------


def test_version_info_is_frozen_and_can_be_pickled():
    info = VersionInfo(hash="a", signature_hash="b", name="f", description=None, version="1.0", metadata={"k": 1})

    with pytest.raises(dataclasses.FrozenInstanceError):
        info.version = "2.0"
    with pytest.raises(TypeError):
        info.metadata["k"] = 2
    for change in (lambda m: m.update(k=2), lambda m: m.pop("k"), lambda m: m.clear(), lambda m: m.setdefault("l", 2)):
        with pytest.raises(TypeError, match="dict"):
            change(info.metadata)
    assert pickle.loads(pickle.dumps(info)) == copy.deepcopy(info) == info
    assert hash(info) == hash(copy.copy(info))
    assert dataclasses.replace(info, version="1.1").version == "1.1"


def test_version_info_can_be_written_as_json():
    info = VersionInfo(hash="a", signature_hash="b", name="f", description=None, version="1.0", metadata={"k": [1]})

    assert json.loads(json.dumps(dataclasses.asdict(info)))["metadata"] == json.loads(json.dumps(info.metadata))
    assert dataclasses.asdict(info)["metadata"] == {"k": [1]}


# -- counting -----------------------------------------------------------------------------------------------------


def test_an_edited_cell_counts_on_and_an_old_one_gets_its_number_back(recorded):
    source = "PROMPT = 'nice'\n@ops.version\ndef ask(q): return PROMPT + q\nask('x')\n"
    edits = [
        source,
        source.replace("nice", "brief"),
        "# a comment\n" + source,
        source.replace("(q)", "(q, n=1)", 1),
        source.replace("(q)", "(q, n=1)", 1).replace("nice", "kind"),
        source.replace("nice", "brief"),
        source.replace("nice", "cold"),
    ]

    namespace = None
    for edit in edits:
        namespace = run_cell(edit, namespace)

    numbers = [version_attributes(span)["version"] for span in recorded()]
    assert numbers == ["1.0", "1.1", "1.0", "2.0", "2.1", "1.1", "1.2"]


def test_a_constant_changed_in_another_cell_is_another_version(recorded):
    namespace = run_cell("@ops.version\ndef ask(q): return PROMPT + shorten(q)\n")
    run_cell("PROMPT = 'a'\ndef shorten(x): return x\n", namespace)
    run_cell("ask('x')\n", namespace)
    run_cell("PROMPT = 'b'\n", namespace)
    run_cell("ask('x')\n", namespace)
    run_cell("def shorten(x): return x[:1]\n", namespace)
    run_cell("ask('x')\n", namespace)
    run_cell("PROMPT = 'a'\ndef shorten(x):\n    return x\n", namespace)
    run_cell("ask('x')\n", namespace)

    assert [version_attributes(span)["version"] for span in recorded()] == ["1.0", "1.1", "1.2", "1.0"]
    assert namespace["ask"].version_info.version == "1.0"


def test_a_loop_over_prompts_is_a_version_each(recorded):
    run_cell(
        "@ops.version\ndef ask(q): return PROMPT + q\nfor PROMPT in ('a', 'b', 'a'):\n    ask('x')\n    ask('y')\n"
    )

    numbers = [version_attributes(span)["version"] for span in recorded()]
    assert numbers == ["1.0", "1.0", "1.1", "1.1", "1.0", "1.0"]


def test_a_list_changed_in_place_is_another_version_from_the_next_cell_on():
    namespace = run_cell("EXAMPLES = ['a']\n@ops.version\ndef ask(): return EXAMPLES\nask()\n")
    assert namespace["ask"].version_info.version == "1.0"

    run_cell("EXAMPLES.append('b')\nask()\n", namespace)

    assert namespace["ask"].version_info.version == "1.1"


def test_a_closure_variable_that_changes_is_another_version():
    def make():
        prompt = "a"

        def change(to):
            nonlocal prompt
            prompt = to

        @ops.version
        def ask():
            return prompt

        return ask, change

    ask, change = make()
    before = ask.version_info
    change("b")

    assert (before.version, ask.version_info.version) == ("1.0", "1.1")


def test_spans_recorded_before_a_change_keep_their_version(recorded):
    namespace = run_cell("P = 'a'\n@ops.version\ndef items():\n    yield P\n    yield P\n")
    items = namespace["items"]
    open_one = items()
    next(open_one)
    namespace["P"] = "b"
    list(items())
    list(open_one)

    assert [version_attributes(span)["version"] for span in recorded()] == ["1.0", "1.1"]


def test_nothing_is_read_before_the_first_call(monkeypatch):
    asked = []
    monkeypatch.setattr(type(backend.get()), "versions", lambda _, name: asked.append(name) or [])

    @ops.version
    def later():
        return NOT_YET  # noqa: F821 - that is the point

    assert asked == []
    with pytest.raises(NameError):
        later()
    later.version_info  # noqa: B018 - reading it is what is tested
    with pytest.raises(NameError):
        later()
    assert asked == ["later"]


def test_versions_are_found_again_in_the_store():
    source = "PROMPT = 'nice'\n@ops.version\ndef ask(q): return PROMPT + q\n"
    for text in ("nice", "brief", "cold"):
        run_cell(source.replace("nice", text))["ask"]("x")
    recorder.active().flush()
    versioning.history.forget()  # as a new kernel begins

    numbers = [
        run_cell(source.replace("nice", text))["ask"].version_info.version for text in ("brief", "new", "nice", "cold")
    ]

    assert numbers == ["1.1", "1.3", "1.0", "1.2"]


@pytest.mark.slow
def test_versions_survive_a_restart(tmp_path):
    script = tmp_path / "ask.py"
    printed = []

    for text in ("nice", "brief", "nice", "cold"):
        script.write_text(
            f"from mirascope_ops import ops\nPROMPT = {text!r}\n@ops.version\ndef ask(q): return PROMPT + q\n"
            "ask('x')\nprint(ask.version_info.version)\n",
            encoding="utf-8",
        )
        printed.append(
            subprocess.run(
                [sys.executable, str(script)],
                check=True,
                capture_output=True,
                text=True,
                env={"MIRASCOPE_OPS_STORE": str(tmp_path / "t.db"), "PYTHONPATH": str(Path(__file__).parents[2])},
            ).stdout.strip()
        )

    assert printed == ["1.0", "1.1", "1.0", "1.2"]


@pytest.mark.usefixtures("lenient")
def test_a_store_that_cannot_be_read_is_no_obstacle(monkeypatch, caplog):
    def unreadable(*_):
        raise OSError("disk")

    monkeypatch.setattr(MemoryStore, "spans", unreadable)
    source = "P = 1\n@ops.version\ndef ask(): return P\n"

    numbers = [run_cell(source.replace("1", str(n)))["ask"].version_info.version for n in range(3)]

    assert numbers == ["1.0", "1.1", "1.2"]
    assert len([r for r in caplog.records if "cannot be read" in r.message]) == 1


@pytest.mark.usefixtures("lenient")
def test_a_fault_of_ours_leaves_the_call_and_its_span(monkeypatch, only, caplog):
    def broken(*_):
        raise RuntimeError("ours")

    monkeypatch.setattr("mirascope_ops.core.closure.closure_of", broken)

    @ops.version
    def fine():
        return 1

    assert fine() == 1
    assert fine.version_info is None
    assert only().status != "error"
    assert "telling a function's version" in caplog.text


def test_numbers_in_the_store_that_are_none_are_ignored():
    count = versioning._History()

    number = count.number("f", "a", "s", [("x", "s", "first"), ("y", "s", "1.4"), ("z", "t", "7.0")])

    assert number == "1.5"
    assert count.number("f", "z", "t") == "7.0"
    assert count.number("f", "b", "u") == "8.0"
    assert count.number("g", "b", "u") == "1.0"


def test_a_source_is_found_also_where_another_thread_comes_between_as_room_is_made(monkeypatch):
    class Shared(dict):
        def __iter__(self):
            steps = super().__iter__()
            self["elsewhere"] = None  # by another thread, before the first step
            return steps

    monkeypatch.setattr(sources, "_MAX_FILES", 2)
    monkeypatch.setattr(sources, "_files", Shared({"one": None, "other": None}))

    assert sources.find(run_cell("def ask(n): return n\n")["ask"].__code__)


def test_threads_that_call_first_agree(recorded):
    versioned = [
        run_cell("P = 'a'\ndef help(x): return P\n@ops.version\ndef ask(n): return help(n)\n") for _ in range(20)
    ]
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)  # so that they meet in the parser, which Python 3.11 does not survive by itself

    try:
        for namespace in versioned:
            threads = [threading.Thread(target=namespace["ask"], args=(n,)) for n in range(8)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
    finally:
        sys.setswitchinterval(interval)

    assert {version_attributes(span)["version"] for span in recorded()} == {"1.0"}
    assert len(recorded()) == 160


def test_disabled_tracing_costs_no_version(monkeypatch):
    with recorder.replaced(recorder.Recorder(MemoryStore(), recording=False)):
        assert greet() == "Hello, Ada!"
        assert greet.version_info.version == "1.0"
