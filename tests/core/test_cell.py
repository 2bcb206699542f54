"""Which notebook cell runs, and through which cells a recorded exception went."""

from __future__ import annotations

import json

import pytest

from mirascope_ops import ops
from mirascope_ops.core.cell import Cell, cells_in, current_cell, set_cell_files, set_current_cell

KEY = "mirascope.ops.exception.cells"


@pytest.fixture(autouse=True)
def _no_notebook_afterwards():
    yield
    set_cell_files(None)
    set_current_cell(None)


def define(filename, source):
    names = {"ops": ops}
    exec(compile(source, filename, "exec"), names)
    return names


def event_of(span):
    (event,) = [event for event in span.events if event.name == "exception"]
    return event.attributes


def test_spans_know_the_cell_that_runs_and_those_of_a_session_the_cell_that_entered_it(only):
    set_current_cell(Cell("c1", 1, "n.ipynb"))
    with ops.session("s"):
        set_current_cell(Cell("c2", 2, "n.ipynb"))
        with ops.span("inside"):
            pass
    with ops.span("outside"):
        pass

    assert current_cell() == ("c2", 2, "n.ipynb")
    assert [(only(name).cell_id, only(name).execution_count) for name in ("inside", "outside")] == [
        ("c1", 1),
        ("c2", 2),
    ]


def test_an_exception_names_the_cells_that_it_went_through(only):
    set_cell_files({"/tmp/k/1.py": 4, "/tmp/k/2.py": 7, "/tmp/k/3.py": 9}.get)
    inner = define("/tmp/k/1.py", "def fails():\n    1/0")
    outer = define("/tmp/k/2.py", "@ops.trace\ndef calls(f):\n    f()")

    with pytest.raises(ZeroDivisionError):
        outer["calls"](inner["fails"])

    assert json.loads(event_of(only("calls"))[KEY]) == {"/tmp/k/1.py": 4, "/tmp/k/2.py": 7}


def test_so_do_its_causes_and_the_members_of_a_group(only):
    set_cell_files({f"/tmp/k/{number}.py": number for number in range(5)}.get)
    first = define("/tmp/k/1.py", "def fails():\n    1/0")["fails"]
    second = define(
        "/tmp/k/2.py", "def fails(f):\n    try:\n        f()\n    except Exception as e:\n        raise KeyError from e"
    )

    @ops.trace(name="group")
    def group():
        try:
            second["fails"](first)
        except KeyError as error:
            raise ExceptionGroup("many", [error]) from None

    with pytest.raises(ExceptionGroup):
        group()

    assert json.loads(event_of(only("group"))[KEY]) == {"/tmp/k/1.py": 1, "/tmp/k/2.py": 2}


def test_without_a_notebook_or_without_cells_in_the_traceback_nothing_is_added(only):
    with pytest.raises(ValueError, match="no"), ops.span("plain"):
        raise ValueError("no")
    set_cell_files({"/tmp/k/1.py": 4}.get)
    with pytest.raises(ValueError, match="no"), ops.span("no cell"):
        raise ValueError("no")

    assert KEY not in event_of(only("plain"))
    assert KEY not in event_of(only("no cell"))


def test_a_lookup_that_fails_leaves_the_exception_recorded(only, lenient):
    def fails(filename):
        raise RuntimeError(filename)

    set_cell_files(fails)

    with pytest.raises(ValueError, match="no"), ops.span("s"):
        raise ValueError("no")

    assert event_of(only("s"))["exception.message"] == "no"
    assert KEY not in event_of(only("s"))


def test_text_that_only_looks_like_a_frame_names_no_cell():
    set_cell_files({"/tmp/k/1.py": 4}.get)

    assert cells_in('ValueError: File "/tmp/k/1.py", line 1') == {}
    assert cells_in('  File "/tmp/k/1.py", line 1, in f') == {"/tmp/k/1.py": 4}
