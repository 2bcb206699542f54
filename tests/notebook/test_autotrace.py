"""`%ops_autotrace`: every cell is a span at the root of a trace, and behaves as it does without it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.notebook.conftest import _directory, start_kernel
from tests.notebook.test_same_as_plain_cell import BODIES, RAISING, SETUP, TOPS, names, seen

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.notebook.conftest import Kernel

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def traced(tmp_path_factory) -> Iterator[Kernel]:
    for kernel in start_kernel(_directory(tmp_path_factory), JPY_SESSION_NAME="notes/travel.ipynb"):
        assert kernel.run("%load_ext mirascope_ops\n%ops_autotrace on\nfrom mirascope_ops import ops").status == "ok"
        assert kernel.run(SETUP).status == "ok"
        yield kernel


@pytest.fixture(scope="module")
def kernels(bare_kernel: Kernel, traced: Kernel) -> tuple[Kernel, Kernel]:
    bare_kernel.run("ops = None  # so that cells are numbered alike")
    assert bare_kernel.run(SETUP).status == "ok"
    return bare_kernel, traced


@pytest.mark.parametrize("body", [*BODIES.values(), *TOPS.values(), *RAISING])
def test_a_cell_behaves_as_without_it(kernels, body):
    bare, loaded = kernels
    before = names(bare), names(loaded)

    expected = bare.run(body)
    actual = loaded.run(body)

    assert seen(actual, "") == seen(expected, "")
    assert names(loaded) ^ before[1] == names(bare) ^ before[0]


def spans_of(kernel: Kernel, code: str) -> list[tuple[str, str | None, str, str | None]]:
    """Run a cell; give the spans that it made: name, the parent's name, status, session."""
    number = kernel.run(code).content["execution_count"]
    told = f"""(lambda spans: [
        (s.name, {{p.span_id: p.name for p in spans}}.get(s.parent_id), s.status, s.session_id) for s in spans
    ])(ops.spans(cell={number}))"""
    found = kernel.value(told.replace("\n", " "))
    return [tuple(part if part != f"In [{number}]" else "cell" for part in span) for span in found]


INNER = "with ops.span('inner'): pass"


@pytest.mark.parametrize(
    ("code", "spans"),
    [
        ("1 + 1", [("cell", None, "unset", None)]),
        (INNER, [("cell", None, "unset", None), ("inner", "cell", "unset", None)]),
        (f"{INNER}\n1/0", [("cell", None, "error", None), ("inner", "cell", "unset", None)]),
        (f"await asyncio.sleep(0)\n{INNER}", [("cell", None, "unset", None), ("inner", "cell", "unset", None)]),
        (
            f"await asyncio.sleep(0)\n{INNER}\n1/0",
            [("cell", None, "error", None), ("inner", "cell", "unset", None)],
        ),
        (f"%%time\n{INNER}", [("cell", None, "unset", None), ("inner", "cell", "unset", None)]),
        (f"%%capture\n{INNER}", [("cell", None, "unset", None), ("inner", "cell", "unset", None)]),
        (
            f"_ = get_ipython().run_cell({INNER!r})\n{INNER}",
            [("cell", None, "unset", None), ("inner", "cell", "unset", None), ("inner", "cell", "unset", None)],
        ),
        ("a = = 1", [("cell", None, "error", None)]),
        ("raise KeyboardInterrupt", [("cell", None, "error", None)]),
        ("raise SystemExit(0)", [("cell", None, "unset", None)]),
        (f"%%ops_session s -q\n{INNER}", [("cell", None, "unset", "s"), ("inner", "cell", "unset", "s")]),
        (f"%%ops_session s -q\n%%time\n{INNER}", [("cell", None, "unset", "s"), ("inner", "cell", "unset", "s")]),
        (f"%%ops_session s -q\n{INNER}\n1/0", [("cell", None, "error", "s"), ("inner", "cell", "unset", "s")]),
        (
            f"%%ops_session s -q\nawait asyncio.sleep(0)\n{INNER}",
            [("cell", None, "unset", "s"), ("inner", "cell", "unset", "s")],
        ),
        (f"%%ops_trace mine -q\n{INNER}", [("mine", None, "unset", None), ("inner", "mine", "unset", None)]),
        (
            f"%%ops_session s -q\n%%ops_trace mine -q\n{INNER}",
            [("mine", None, "unset", "s"), ("inner", "mine", "unset", "s")],
        ),
        (
            f"with ops.session('inside'):\n    {INNER}",
            [("cell", None, "unset", "inside"), ("inner", "cell", "unset", "inside")],
        ),
    ],
)
def test_every_cell_is_one_root_with_its_spans_below(traced, code, spans):
    assert spans_of(traced, code) == spans


def test_an_interrupted_cell_that_awaits_is_an_error(traced):
    # Again and again: an interrupt does not wake a kernel's event loop, it is seen when the loop runs next.
    code = "print('started', flush=True)\nwhile True:\n    await asyncio.sleep(0.05)"

    reply = traced.run(code, meanwhile=traced.manager.interrupt_kernel)

    number = reply.content["execution_count"]
    assert reply.status == "error"
    assert traced.value(f"[(s.name, s.status) for s in ops.spans(cell={number})]") == [(f"In [{number}]", "error")]


def test_nothing_stays_current_after_a_cell(traced):
    look = "__import__('opentelemetry.trace', fromlist=['x']).get_current_span().get_span_context().is_valid"
    for code in (INNER, "await asyncio.sleep(0)", "1/0", "%%ops_session s -q\n1", "%%ops_session s -q\n1/0"):
        traced.run(code)

        assert traced.value(look) is False


def test_a_span_left_open_by_an_earlier_cell_is_no_parent_of_a_cell(traced):
    traced.run("left = ops.span('left').__enter__()")

    assert spans_of(traced, INNER) == [("cell", None, "unset", None), ("inner", "cell", "unset", None)]
    traced.run("left.finish()")


def test_cells_of_a_session_over_several_cells_belong_to_it(traced):
    traced.run("%ops_session start long")
    found = spans_of(traced, INNER)
    traced.run("%ops_session stop")

    assert found == [("cell", None, "unset", "long"), ("inner", "cell", "unset", "long")]


def test_what_runs_outside_the_history_is_no_cell(traced):
    before = traced.value("len(ops.traces())")

    traced.run("1 + 1", history=False)
    traced.run("1 + 1", silent=True)

    assert traced.value("len(ops.traces())") == before


def test_it_tells_what_it_is_and_is_switched_off_and_on(traced):
    on = traced.run("%ops_autotrace")
    off = traced.run("%ops_autotrace off")
    nothing = spans_of(traced, "1 + 1")
    told = traced.run("%ops_autotrace")
    traced.run("%ops_autotrace on")

    assert "until %ops_autotrace off" in on.stdout
    assert "%ops_autotrace on" in off.stdout
    assert off.stdout == told.stdout
    assert nothing == []


def test_another_word_is_answered_with_the_choices(traced):
    reply = traced.run("%ops_autotrace maybe")

    assert reply.error.startswith("UsageError")
    assert "'on', 'off'" in reply.stderr


def test_a_cell_that_unloads_the_extension_ends_its_span(tmp_path):
    for kernel in start_kernel(tmp_path):
        kernel.run("%load_ext mirascope_ops\n%ops_autotrace on\nfrom mirascope_ops import ops")

        kernel.run("%unload_ext mirascope_ops")
        kernel.run("after = 1")

        assert kernel.value("[(s.name, s.status) for s in ops.spans()]") == [("In [2]", "unset")]
