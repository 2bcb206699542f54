"""What the documents show, works: the README's Python blocks, and the examples in docstrings."""

from __future__ import annotations

import contextlib
import doctest
import importlib
import io
import pkgutil
import re
import sys
from pathlib import Path
from types import ModuleType

import pytest
from pytest_examples import find_examples

import mirascope_ops
from mirascope_ops import testing
from mirascope_ops.core import capture, prices

README = Path(__file__).parent.parent / "README.md"
MODULES = sorted(module.name for module in pkgutil.walk_packages(mirascope_ops.__path__, "mirascope_ops."))
FLAGS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE


@pytest.fixture(autouse=True)
def store_and_settings_of_its_own(monkeypatch, llm_server):
    monkeypatch.setattr(capture, "policy", capture.Policy())
    monkeypatch.setattr(prices, "prices", {})
    with testing.captured():
        yield


def test_the_readme_runs_from_top_to_bottom(capsys, monkeypatch):
    blocks = [example for example in find_examples(README) if example.prefix.startswith("python")]

    module = ModuleType("readme")
    monkeypatch.setitem(sys.modules, "readme", module)
    for block in blocks:
        code = compile("\n" * block.start_line + block.source, README, "exec")
        exec(code, vars(module))

    printed = capsys.readouterr().out
    assert len(blocks) > 3
    assert "The harbour opens at six." in printed
    assert "Hello! How can I help you?" in printed
    assert "In a formal tone: When does the harbour open?" in printed
    assert "user-123" in printed


def test_the_pictures_that_the_readme_shows_are_there_and_all_are_shown():
    text = README.read_text(encoding="utf-8")
    shown = set(re.findall(r"docs/images/([\w-]+\.png)", text))
    there = {path.name for path in (README.parent / "docs" / "images").glob("*.png")}

    assert shown <= there
    assert {name.replace("-light", "-dark") for name in shown} <= there
    assert {path for path in there if not path.startswith(("live", "timeline"))} <= shown


@pytest.mark.parametrize("name", MODULES)
def test_examples_in_docstrings_run(name):
    module = importlib.import_module(name)
    report = io.StringIO()

    with contextlib.redirect_stdout(report):
        failed, _ = doctest.testmod(module, optionflags=FLAGS)

    assert not failed, report.getvalue()
