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
