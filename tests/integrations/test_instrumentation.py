"""`ops.instrument` and `ops.instrument_llm`: what is switched on, what is said, what is refused."""

from __future__ import annotations

import re
from importlib.metadata import EntryPoint

import pytest

from mirascope_ops import ConfigurationError
from mirascope_ops.integrations import instrumentation
from mirascope_ops.integrations.instrumentation import Instrumented, instrument

# -- which ------------------------------------------------------------------------------------------------


class _Fake:
    is_instrumented_by_opentelemetry = False
    given: list = []  # noqa: RUF012 - reset by the fixture

    def instrument(self, **options):
        type(self).given.append(options)
        type(self).is_instrumented_by_opentelemetry = True


class Good(_Fake):
    pass


class Bad(_Fake):
    def instrument(self, **options):
        raise RuntimeError("its library is too old")


@pytest.fixture
def installed(monkeypatch):
    """Two instrumentations and one that cannot be imported, in place of the installed ones."""
    monkeypatch.setattr(Good, "is_instrumented_by_opentelemetry", False)
    monkeypatch.setattr(Good, "given", [])
    monkeypatch.setattr(
        instrumentation,
        "entry_points",
        lambda group: [
            EntryPoint("good", f"{__name__}:Good", group),
            EntryPoint("bad", f"{__name__}:Bad", group),
            EntryPoint("gone", "no_such_package.at_all:Instrumentor", group),
        ],
    )
    monkeypatch.setattr(EntryPoint, "load", load)


def load(entry):
    if entry.name == "gone":
        raise ModuleNotFoundError("No module named 'no_such_package'")
    return {"good": Good, "bad": Bad}[entry.name]


def test_all_that_are_installed_are_switched_on_and_one_that_fails_keeps_none_off(installed):
    done = instrument()

    assert [one.name for one in done.on] == ["good"]
    assert [(one.name, one.problem) for one in done.failed] == [
        ("bad", "RuntimeError: its library is too old"),
        ("gone", "ModuleNotFoundError: No module named 'no_such_package'"),
    ]


def test_what_is_on_is_left_on(installed):
    instrument("good")

    done = instrument("good")

    assert (done.on, [one.name for one in done.already]) == ((), ["good"])
    assert len(Good.given) == 1


def test_an_unknown_name_is_refused_with_those_there_are_and_nothing_is_switched_on(installed):
    with pytest.raises(ConfigurationError, match=r"'opnai'.*Installed: bad .*good .*pip install"):
        instrument("good", "opnai")

    assert Good.given == []


def test_what_was_done_can_be_read(installed):
    shown = repr(instrument())

    assert re.search(r"^Switched on: good \(", shown)
    assert re.search(r"^Failed: bad .*its library is too old$", shown, re.MULTILINE)
    assert "On already: good" in repr(instrument("good"))


def test_where_nothing_is_installed_it_says_what_to_install(monkeypatch):
    monkeypatch.setattr(instrumentation, "entry_points", lambda group: [])

    done = instrument()

    assert done == Instrumented()
    assert "pip install" in repr(done)


# -- the OpenAI client, in an interpreter for each instrumentation ----------------------------------------------------

ASK = """
import asyncio

import openai

told["first"] = repr(ops.instrument(*NAMES))
told["again"] = repr(ops.instrument(*NAMES))
client, client_async = openai.OpenAI(), openai.AsyncOpenAI()
STREAMED = {"stream": True, "stream_options": {"include_usage": True}}

def asked(model="gpt-4o-mini", **options):
    return {"model": model, "messages": [{"role": "user", "content": "Thanks!"}], **options}

def piece(chunk):
    return chunk.choices[0].delta.content or "" if chunk.choices else ""

@ops.trace
def answer(**options):
    return client.chat.completions.create(**asked(**options)).choices[0].message.content

@ops.trace
async def answer_async():
    return (await client_async.chat.completions.create(**asked())).choices[0].message.content

@ops.trace
def stream():
    return "".join(map(piece, client.chat.completions.create(**asked(**STREAMED))))

@ops.trace
async def stream_async():
    return "".join([piece(chunk) async for chunk in await client_async.chat.completions.create(**asked(**STREAMED))])

async def both():
    with ops.session(id="async"):
        told["async"] = await answer_async()
    with ops.session(id="stream-async"):
        told["stream-async"] = await stream_async()

with ops.session(id="sync"):
    told["sync"] = answer()
with ops.session(id="stream"):
    told["stream"] = stream()
asyncio.run(both())
with ops.session(id="failed"):
    try:
        answer(model="boom-500")
    except openai.InternalServerError:
        told["failed"] = True
answer()
"""
PACKAGES = {
    "opentelemetry-instrumentation-openai-v2": "chat gpt-4o-mini",
    "openinference-instrumentation-openai": "ChatCompletion",
    "opentelemetry-instrumentation-openai": "openai.chat",
}


@pytest.fixture(scope="module", params=PACKAGES)
def package(request):
    return request.param


@pytest.fixture(scope="module")
def asked(run_beside, package):
    return run_beside(f"NAMES = {[package]}\n{ASK}")


@pytest.mark.slow
def test_it_says_what_it_switched_on_and_what_was_on_already(asked, package):
    assert asked.told["first"] == f"Switched on: openai ({package})"
    assert asked.told["again"] == f"On already: openai ({package})"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("session", "function"),
    [("sync", "answer"), ("async", "answer_async"), ("stream", "stream"), ("stream-async", "stream_async")],
)
def test_a_call_of_the_openai_client_appears_under_the_traced_function_in_its_session(
    asked, package, session, function
):
    root, call = asked.of(session)

    assert asked.told[session] == root.output == "You are welcome."
    assert (root.name, root.parent, root.kind, root.scope) == (function, None, "other", "mirascope_ops")
    assert (call.name, call.parent, call.kind) == (PACKAGES[package], function, "llm")
    assert (call.model, call.provider, call.tokens) == ("gpt-4o-mini", "openai", [5, 3])
    assert call.status in {"unset", "ok"}
    assert (asked.totals[session].calls, asked.totals[session].tokens) == (1, [5, 3])


@pytest.mark.slow
def test_a_failed_call_is_an_error_on_both_spans(asked):
    root, call = asked.of("failed")

    assert asked.told["failed"]
    assert (root.status, call.status, call.kind, call.model) == ("error", "error", "llm", "boom-500")
    assert call.error.rpartition(".")[2] == "InternalServerError"
    assert "as it was asked to" in call.message


@pytest.mark.slow
def test_a_call_outside_of_sessions_is_in_none(asked, package):
    assert asked.tree(None) == [("answer", None), (PACKAGES[package], "answer")]


@pytest.mark.slow
def test_all_instrumentations_of_a_library_together_count_a_call_once(run_beside):
    found = run_beside(f"NAMES = []\n{ASK}")

    assert [f"openai ({package})" in found.told["first"] for package in PACKAGES] == [True] * 3
    assert "Failed" not in found.told["first"]
    assert found.told["again"].startswith("On already: ")
    for session in ("sync", "async", "stream", "stream-async"):
        assert [span.kind for span in found.of(session)] == ["other", "llm", "llm", "llm"]
        assert (found.totals[session].calls, found.totals[session].tokens) == (1, [5, 3])


# -- mirascope.llm --------------------------------------------------------------------------------


@pytest.mark.parametrize("missing", ["mirascope", "libcst", "opentelemetry.instrumentation.anthropic"])
def test_without_the_packages_the_message_says_what_to_install(run_beside, missing):
    run_beside(
        f"""
    import sys

    sys.modules[{missing!r}] = None
    for switch in (ops.instrument_llm, ops.uninstrument_llm):
        try:
            switch()
        except ImportError as error:
            assert 'pip install "mirascope_ops[instrument]"' in str(error), error
        else:
            raise AssertionError("no ImportError")
    """
    )
