"""Stores with something in them, and the command line on them: in this process, and as a process of its own."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import pytest

from mirascope_ops.cli import main

sys.path.insert(0, str(Path(__file__).parent))

from cli_samples import fill


@dataclass
class Done:
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def lines(self):
        return self.out.splitlines()

    @property
    def records(self):
        return [json.loads(line) for line in self.lines]


@pytest.fixture
def store(tmp_path):
    """The path of a store with samples."""
    path = tmp_path / "spans.db"
    fill(path)
    return path


@pytest.fixture
def two_hours_east(monkeypatch):
    """Be where clocks show two hours more than UTC."""
    with monkeypatch.context() as patch:
        patch.setenv("TZ", "Etc/GMT-2")
        time.tzset()
        yield
    time.tzset()


@pytest.fixture
def cli(store, monkeypatch, two_hours_east):
    """Run a command in this process, on the store."""
    monkeypatch.setenv("MIRASCOPE_OPS_STORE", str(store))

    def run(*arguments, stdin=b""):
        out, err = Stream(), Stream()
        with monkeypatch.context() as patch:
            patch.setattr(sys, "stdout", out)
            patch.setattr(sys, "stderr", err)
            patch.setattr(sys, "stdin", io.TextIOWrapper(io.BufferedReader(io.BytesIO(stdin))))
            code = main([str(argument) for argument in arguments])
        return Done(code, out.text, err.text)

    return run


class Stream(io.TextIOWrapper):
    """A stream that remembers."""

    def __init__(self):
        super().__init__(io.BytesIO(), encoding="utf-8", write_through=True)

    @property
    def text(self):
        return self.buffer.getvalue().decode()


@pytest.fixture
def environment(store):
    """What a process of the command line finds."""
    kept = {name: value for name, value in os.environ.items() if name not in {"COLUMNS", "FORCE_COLOR", "NO_COLOR"}}
    return {**kept, "MIRASCOPE_OPS_STORE": str(store), "TZ": "Etc/GMT-2"}


@pytest.fixture
def process(environment, tmp_path):
    """Run a command as a process."""

    def run(*arguments, stdin=b"", **variables):
        done = subprocess.run(
            [sys.executable, "-m", "mirascope_ops", *map(str, arguments)],
            env={**environment, **variables},
            input=stdin,
            capture_output=True,
            cwd=tmp_path,
            timeout=170,
            check=False,
        )
        return Done(done.returncode, done.stdout.decode(), done.stderr.decode())

    return run
