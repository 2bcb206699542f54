"""The outputs of a saved notebook stay small: each view with all its forms, and twenty outputs together."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import pytest

from mirascope_ops.views.budget import MAX_OUTPUT_BYTES

ROOT = Path(__file__).parents[2]
MEGABYTE = 1_000_000
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))


@pytest.fixture(scope="module")
def sizes():
    """The tool that prints the table of sizes."""
    spec = importlib.util.spec_from_file_location("output_sizes", ROOT / "tools" / "output_sizes.py")
    module = sys.modules["output_sizes"] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("number", [1, 20, 1_000, pytest.param(20_000, marks=pytest.mark.slow)])
@pytest.mark.timeout(600)
def test_every_output_of_every_view_stays_within_its_budget(number, sizes):
    found = list(sizes.outputs(number))

    assert {"trace", "session", "conversation", "diff", "figure timeline"} <= {output.what for output in found}
    assert [(output.what, output.forms) for output in found if output.total > MAX_OUTPUT_BYTES] == []


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_stays_small(path, sizes):
    outputs = sizes.of_notebook(path)

    assert outputs
    assert max(output.total for output in outputs) <= MAX_OUTPUT_BYTES
    assert sum(sorted((output.total for output in outputs), reverse=True)[:20]) < MEGABYTE
    assert path.stat().st_size < MEGABYTE


def test_twenty_outputs_of_usual_size_are_less_than_a_megabyte(sizes):
    usual = [output.total for output in sizes.outputs(20)]

    assert 20 * max(usual) < MEGABYTE
