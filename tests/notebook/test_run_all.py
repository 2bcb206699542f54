"""Whole notebooks, as Run All and nbclient execute them."""

from __future__ import annotations

import nbformat
import pytest
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError

from tests.notebook.conftest import PATIENCE, ROOT

pytestmark = pytest.mark.slow


@pytest.fixture
def run_all(tmp_path, monkeypatch):
    """Execute the cells as a notebook; gives the notebook, and the error that stopped it."""
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path))

    def run_all(*sources):
        notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source) for source in sources])
        client = NotebookClient(
            notebook, timeout=PATIENCE, kernel_name="python3", resources={"metadata": {"path": str(tmp_path)}}
        )
        try:
            client.execute()
        except CellExecutionError as error:
            return notebook, error
        return notebook, None

    return run_all


def kinds(cell):
    return [output["output_type"] for output in cell.outputs]


def test_run_all_stops_at_a_header_that_means_nothing(run_all):
    notebook, error = run_all("%load_ext mirascope_ops", "%%ops_session --nothing\nx = 1", "print('not reached')")

    assert error is not None
    assert error.ename == "UsageError"
    assert notebook.cells[2].outputs == []


def test_run_all_goes_through_a_notebook_of_sessions(run_all):
    notebook, error = run_all(
        "%load_ext mirascope_ops\nfrom mirascope_ops import ops\nimport asyncio",
        "%%ops_session chat -a turn=1\nwith ops.span('a'): pass\n'first'",
        "%%ops_session chat -a turn=2\nwith ops.span('b'): await asyncio.sleep(0)\n'second'",
        "[(s.name, s.execution_count, s.cell_id) for s in ops.get_session('chat').spans]",
    )

    assert error is None
    assert [kinds(cell) for cell in notebook.cells] == [
        [],
        ["execute_result", "display_data"],
        ["execute_result", "display_data"],
        ["execute_result"],
    ]
    # nbclient sends no cell ids.
    assert notebook.cells[3].outputs[0]["data"]["text/plain"] == "[('a', 2, None), ('b', 3, None)]"
    card = notebook.cells[2].outputs[1]["data"]
    assert "this run 1 span, session 2" in card["text/plain"]
    assert len(card["text/html"]) < 100_000


def test_an_edited_prompt_is_told_from_the_one_before_by_its_version(run_all):
    define = """
from mirascope_ops import ops

PROMPT = {prompt!r}

@ops.version
def ask(question):
    return PROMPT + question
"""
    notebook, error = run_all(
        define.format(prompt="Answer: "),
        "_ = ask('why?')",
        define.format(prompt="Answer in one word: "),
        "_ = ask('why?')",
        define.format(prompt="Answer: "),
        "_ = ask('why?')",
        """
told = [(span.output, span.attributes["mirascope.version.hash"]) for span in ops.spans(name="ask")]
first, edited, back = [version for _, version in told]
([output for output, _ in told], first == back, first == edited)
""",
    )

    assert error is None
    assert notebook.cells[-1].outputs[0]["data"]["text/plain"] == (
        "(['Answer: why?', 'Answer in one word: why?', 'Answer: why?'], True, False)"
    )


def test_a_check_that_fails_stops_run_all_with_every_bound_that_was_broken(run_all):
    notebook, error = run_all(
        "%load_ext mirascope_ops\nfrom mirascope_ops import ops",
        "%%ops_session checked\nwith ops.span('step') as span:\n    span.error('no luck')",
        "ops.get_session('checked').check(max_tokens=10, min_spans=5)",
        "print('not reached')",
    )

    assert error is not None
    assert error.ename == "CheckError"
    assert "min_spans" in error.evalue
    assert "step" in error.evalue
    assert notebook.cells[3].outputs == []
