"""OpenTelemetry's Context, where the application has a runtime of its own for it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

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
