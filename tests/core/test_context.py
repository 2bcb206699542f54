"""OpenTelemetry's Context within our spans, and where the application has a runtime of its own for it."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from opentelemetry import baggage
from opentelemetry import context as otel_context
from opentelemetry import trace as otel_trace
from opentelemetry.context import Context

from mirascope_ops import ops
from mirascope_ops.core.context import SPAN_KEY

FOLDER = Path(__file__).parent
PROGRAM = """
import sys
from contextvars import ContextVar

import opentelemetry.context as otel_context
import pytest


class Runtime:  # as an entry point of the group "opentelemetry_context" gives it
    def __init__(self):
        self.variable = ContextVar("of the application", default=otel_context.Context())

    def attach(self, value):
        return "a token", self.variable.set(value)

    def get_current(self):
        return self.variable.get()

    def detach(self, token):
        self.variable.reset(token[1])


otel_context._RUNTIME_CONTEXT = Runtime()
from mirascope_ops.core import context

assert type(context.CONTEXT).__name__ == "_PublicContext"
sys.exit(pytest.main(["-q", "-p", "no:cacheprovider", "-m", "not slow", *sys.argv[1:]]))
"""


@pytest.mark.slow
def test_spans_and_sessions_work_in_another_runtime_context_too():
    tests = [str(FOLDER / f"test_{name}.py") for name in ("span", "session", "left_out_of_order", "methods", "result")]

    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, *tests],
        cwd=FOLDER.parent.parent,
        env={**os.environ},
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stdout[-5_000:] + done.stderr


@ops.trace
def current():
    return otel_context.get_current(), otel_trace.get_current_span()


@pytest.fixture
def around():
    """A Context with something of the application's."""
    token = otel_context.attach(otel_context.set_value("theirs", 1))
    yield otel_context.get_current()
    otel_context.detach(token)


@pytest.mark.parametrize(
    "look",
    [
        dict,
        Context,
        lambda found: found.copy(),
        lambda found: {**found},
        lambda found: {} | found,
        lambda found: found | {},
        lambda found: dict(found.items()),
        lambda found: {key: found[key] for key in found},
        lambda found: dict(zip(found.keys(), found.values(), strict=True)),
        lambda found: {key: found[key] for key in reversed(found)},
        lambda found: otel_context.set_value("theirs", 1, found),
        lambda found: {key: found.get(key) for key in ("theirs", SPAN_KEY)},
    ],
)
def test_the_context_within_a_span_has_what_is_around_it_and_the_span(around, look):
    found, span = current()

    assert look(found) == {**around, SPAN_KEY: span}


@pytest.mark.parametrize(
    ("look", "expected"),
    [
        (len, 2),
        (bool, True),
        (lambda found: SPAN_KEY in found and "theirs" in found and "other" not in found, True),
        (lambda found: found == Context(dict(found)) and Context(dict(found)) == found, True),
        (lambda found: found != Context() and Context() != found, True),
        (lambda found: found.get("other", 5), 5),
        (lambda found: "'theirs': 1" in repr(found), True),
        (lambda found: isinstance(found, Context), True),
    ],
)
def test_the_context_within_a_span_is_one_like_any_other(around, look, expected):
    found, _ = current()

    assert look(found) == expected


def test_the_context_within_a_span_cannot_be_written_to():
    found, _ = current()

    with pytest.raises(ValueError):  # noqa: PT011 - OpenTelemetry's, without a message
        found["more"] = 1


def test_a_context_that_was_kept_stays_as_it_was(around):
    with ops.span("outer") as outer:
        kept = otel_context.get_current()
        with ops.span("inner"):
            pass
        with_more = otel_context.set_value("more", 2)

    assert otel_trace.get_current_span(kept) is outer
    assert dict(kept) == {**around, SPAN_KEY: outer}
    assert dict(with_more) == {**around, SPAN_KEY: outer, "more": 2}


def test_a_context_that_was_kept_is_taken_up_by_another_thread(around):
    seen = []

    def work(kept):
        token = otel_context.attach(kept)
        with ops.span("inner") as inner:
            seen.append((inner.parent.span_id, otel_context.get_value("theirs"), baggage.get_all()))
        otel_context.detach(token)

    with ops.span("outer") as outer:
        thread = threading.Thread(target=work, args=(otel_context.get_current(),))
        thread.start()
        thread.join()

    assert seen == [(int(outer.span_id, 16), 1, {})]


def test_what_is_set_within_a_span_is_found_in_the_spans_below(around):
    @ops.trace
    def deep(levels):
        return deep(levels - 1) if levels else dict(otel_context.get_current())

    with ops.span("outer"):
        token = otel_context.attach(baggage.set_baggage("key", "value"))
        found = deep(100)
        otel_context.detach(token)

    assert found["theirs"] == 1
    assert baggage.get_all(Context(found)) == {"key": "value"}
