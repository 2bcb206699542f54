"""What is committed beside the code: notebooks whose outputs are worth reading, pins that say no address."""

from __future__ import annotations

import json
import re
from pathlib import Path

import nbformat
import pytest

ROOT = Path(__file__).parent.parent
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
MAX_OUTPUT = 100 * 1024


def outputs(path):
    notebook = nbformat.read(path, as_version=4)
    return [output for cell in notebook.cells for output in cell.get("outputs", ())]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_is_committed_with_outputs_that_are_bounded_and_no_errors(path):
    found = outputs(path)

    assert len(found) > 5
    assert not [output for output in found if output.output_type == "error"]
    assert max(len(json.dumps(output)) for output in found) < MAX_OUTPUT


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_says_nothing_of_the_machine_that_ran_it(path):
    text = path.read_text(encoding="utf-8")

    assert not re.search(r"/(home|root|tmp|Users|usr)/", text)
    assert set(nbformat.read(path, as_version=4).metadata) == {"kernelspec", "language_info"}


def test_constraints_are_names_and_versions_only():
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pins = [line for line in lines if not line.startswith("#")]

    assert len(pins) > 100
    assert not [line for line in pins if not re.fullmatch(r"[\w.-]+==[\w.+!-]+", line)]
