"""Which cell made a span: what frontends and kernels tell, and who asks it."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from mirascope_ops.notebook import cells

NOTEBOOK = "notes/travel.ipynb"


@pytest.fixture(scope="module")
def prepared(kernel):
    kernel.run("from mirascope_ops import ops\nimport asyncio, threading")
    return kernel


def made_by(kernel, name):
    return kernel.value(f"[(s.cell_id, s.execution_count, s.notebook) for s in ops.spans(name={name!r})]")


@pytest.mark.slow
def test_captured_and_awaiting_cells_are_the_cell_that_the_frontend_ran(prepared):
    captured = prepared.run("%%capture\nwith ops.span('captured'): pass", "cell-a")
    prepared.run("await asyncio.sleep(0)\nwith ops.span('awaited'): pass", "cell-b")

    count = captured.content["execution_count"]
    assert made_by(prepared, "captured") == [("cell-a", count, NOTEBOOK)]
    assert made_by(prepared, "awaited") == [("cell-b", count + 1, NOTEBOOK)]


@pytest.mark.slow
def test_work_outside_a_session_is_ascribed_to_the_cell_that_runs(prepared):
    prepared.run(
        "go = threading.Event()\ndef later():\n    go.wait(10)\n    with ops.span('stray'): pass\n"
        "thread = threading.Thread(target=later); thread.start()",
        "cell-c",
    )

    prepared.run("go.set(); thread.join()", "cell-d")

    assert [found[0] for found in made_by(prepared, "stray")] == ["cell-d"]


STAND_IN = """
import sys, types
module = types.ModuleType("mirascope.ops._internal.traced_functions")
class Trace:
    __module__ = module.__name__
    trace_id = None
    def __repr__(self):
        return "their own"
sys.modules[module.__name__] = module
"""


@pytest.mark.slow
def test_a_trace_of_pypi_mirascope_is_shown_as_ours(prepared):
    # That package needs an extra of its own for this; the name of its class is all that counts.
    prepared.run(STAND_IN)

    shown = prepared.run(
        "with ops.span('theirs'): pass\ntrace = Trace(); trace.trace_id = ops.last_trace().trace_id\ntrace"
    )
    unknown = prepared.run("trace.trace_id = 'f' * 32\ntrace")
    without = prepared.run("trace.trace_id = None\ntrace")

    assert "application/vnd.mirascope.ops.spans+json" in shown.outputs[-1]["data"]
    assert unknown.result == without.result == "their own"


def shell(**fields):
    history = SimpleNamespace(input_hist_parsed=["", "a", "b", "c"])  # the fourth cell is about to run
    return SimpleNamespace(**{"user_ns": {}, "execution_count": 5, "history_manager": history, **fields})


def info(**fields):
    return SimpleNamespace(**{"store_history": True, "cell_id": None, **fields})


def test_the_number_is_the_one_shown_whether_or_not_the_cell_is_kept_in_the_history(monkeypatch):
    monkeypatch.delenv("JPY_SESSION_NAME", raising=False)

    assert cells.cell_of(shell(), info()) == (None, 4, None)
    assert cells.cell_of(shell(execution_count=4), info()) == (None, 4, None)  # an IPython that counts up later
    assert cells.cell_of(shell(), info(store_history=False)) == (None, 5, None)


def test_the_id_is_read_from_the_request_where_ipython_does_not_hand_it_on():
    kernel = SimpleNamespace(get_parent=lambda: {"metadata": {"cellId": "from-request"}})

    assert cells.cell_of(shell(kernel=kernel), info()).id == "from-request"
    assert cells.cell_of(shell(kernel=kernel), info(cell_id="handed-on")).id == "handed-on"


def test_vs_code_tells_the_notebook_by_a_variable(monkeypatch):
    monkeypatch.delenv("JPY_SESSION_NAME", raising=False)

    assert cells.cell_of(shell(user_ns={"__vsc_ipynb_file__": "/home/a/n.ipynb"}), info()).notebook == "/home/a/n.ipynb"
