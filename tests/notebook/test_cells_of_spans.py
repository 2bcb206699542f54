"""Every span knows its cell, and its session, whoever made it: threads, tasks, other libraries, earlier kernels."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.notebook.conftest import start_kernel

if TYPE_CHECKING:
    from pathlib import Path

    from tests.notebook.conftest import Kernel

pytestmark = pytest.mark.slow

SETUP = """
import asyncio, json, threading, time
from concurrent.futures import ThreadPoolExecutor
from opentelemetry import trace as otel
from mirascope_ops import ops
foreign = otel.get_tracer("a stock library")
def cells_of(session):
    return [(s.name, s.cell_id, s.execution_count) for s in ops.get_session(session).spans]
def wait_for(event):
    assert event.wait(100)
"""


@pytest.fixture(scope="module", autouse=True)
def _functions(kernel: Kernel) -> None:
    reply = kernel.run(SETUP)
    assert reply.status == "ok", reply.traceback


def number(reply) -> int:
    assert reply.status == "ok", reply.traceback
    return reply.content["execution_count"]


def test_rerunning_a_cell_keeps_its_id_and_counts_up(kernel):
    code = "%%ops_session reruns -q\nwith ops.span('again'): pass"

    counts = [number(kernel.run(code, "cell-r")) for _ in range(2)]

    assert kernel.value("cells_of('reruns')") == [("again", "cell-r", count) for count in counts]


def test_a_task_started_in_a_sessions_cell_keeps_that_cell_and_session(kernel):
    first = number(
        kernel.run(
            """%%ops_session tasks -q
async def later():
    await asyncio.sleep(0.05)
    with ops.span('in a task'): pass
    def work():
        with ops.span('to_thread'): pass
    await asyncio.to_thread(work)
task = asyncio.ensure_future(later())""",
            "cell-first",
        )
    )
    kernel.run("%%ops_session another -q\nawait task", "cell-later")

    assert kernel.value("cells_of('tasks')") == [("in a task", "cell-first", first), ("to_thread", "cell-first", first)]


def test_twenty_threads_each_in_a_session_of_their_own(kernel):
    count = number(
        kernel.run(
            """%%ops_session around -q
def work(n):
    with ops.session(f'thread-{n}'):
        for _ in range(5):
            with ops.span(f'span-{n}'): time.sleep(0.001)
with ThreadPoolExecutor(20) as pool:
    list(pool.map(work, range(20)))""",
            "cell-many",
        )
    )

    assert kernel.value("[cells_of(f'thread-{n}') for n in range(20)]") == [
        [(f"span-{n}", "cell-many", count)] * 5 for n in range(20)
    ]


def test_spans_of_other_libraries_are_in_the_session_and_know_the_cell(kernel):
    count = number(
        kernel.run(
            """%%ops_session foreign -q -a tier=gold
with foreign.start_as_current_span('stock'):
    with ops.span('ours'):
        with foreign.start_as_current_span('stock inside'): pass""",
            "cell-f",
        )
    )

    assert kernel.value("cells_of('foreign')") == [
        (name, "cell-f", count) for name in ("stock", "ours", "stock inside")
    ]
    assert kernel.value("[s.scope for s in ops.get_session('foreign').spans]") == [
        "a stock library",
        "mirascope_ops",
        "a stock library",
    ]
    assert kernel.value("len({s.trace_id for s in ops.get_session('foreign').spans})") == 1


def test_spans_of_other_libraries_in_cells_that_await(kernel):
    count = number(
        kernel.run(
            """%%ops_session foreign-async -q
async def call():
    with foreign.start_as_current_span('stock'):
        await asyncio.sleep(0)
await call()
await asyncio.gather(call(), call())""",
            "cell-fa",
        )
    )

    assert kernel.value("cells_of('foreign-async')") == [("stock", "cell-fa", count)] * 3


def test_a_session_over_several_cells_gives_each_span_its_own_cell(kernel):
    kernel.run("%ops_session start several -a k=1", "c0")
    counts = [
        number(kernel.run(code, f"c{index}"))
        for index, code in enumerate(
            [
                "with ops.span('sync'): pass",
                "with ops.span('before'): pass\nawait asyncio.sleep(0)\nwith ops.span('after'): pass",
                "with foreign.start_as_current_span('stock'): pass",
                "%%capture\nwith ops.span('captured'): pass",
                "%%ops_session inner -q\nwith ops.span('inner'): pass",
                "with ops.span('last'): pass",
            ],
            1,
        )
    ]
    kernel.run("try: 1/0\nfinally: pass", "failing")
    stopped = kernel.run("%ops_session stop", "c9")
    kernel.run("with ops.span('outside') as outside: pass", "c10")

    sync, around, stock, captured, inner, last = counts
    assert kernel.value("cells_of('several')") == [
        ("sync", "c1", sync),
        ("before", "c2", around),
        ("after", "c2", around),
        ("stock", "c3", stock),
        ("captured", "c4", captured),
        ("inner", "c5", inner),
        ("last", "c6", last),
    ]
    assert kernel.value("ops.get_session('inner').runs[0].parent_run_id == ops.get_session('several').runs[0].run_id")
    assert kernel.value("ops.get_trace(outside.trace_id).spans[0].session_id") is None
    assert "7 spans" in stopped.displayed[0]["text/plain"]


# -- tracebacks -------------------------------------------------------------------------------------------


def test_the_traceback_of_a_recorded_error_names_cells_by_their_numbers(kernel):
    defined = number(kernel.run("def deep(x):\n    return 1 / x"))
    called = kernel.run("%%ops_session errors -q\n@ops.trace\ndef call(x):\n    return deep(x)\n\ncall(0)")
    assert called.error == "ZeroDivisionError: division by zero"

    kernel.run("event = ops.get_session('errors').spans[0].events[0]")
    cells = kernel.value("event.attributes['mirascope.ops.exception.cells']")
    shown = kernel.run("ops.get_session('errors').traces[0]").outputs[0]["data"]["text/html"]

    assert sorted(json.loads(cells).values()) == [defined, called.content["execution_count"]]
    assert f"In [{defined}]" in shown
    assert f"In [{called.content['execution_count']}]" in shown
    assert "ipykernel_" not in shown


# -- the file ---------------------------------------------------------------------------------------------


def test_a_kernel_restarted_on_the_same_file_sees_the_earlier_sessions(tmp_path: Path):
    store = str(tmp_path / "ops.db")
    for first in start_kernel(tmp_path, MIRASCOPE_OPS_STORE=store):
        first.run("%load_ext mirascope_ops\nfrom mirascope_ops import ops")
        assert first.run("%%ops_session kept -a tier=gold\nwith ops.span('before'): pass", "cell-1").status == "ok"

    for second in start_kernel(tmp_path, MIRASCOPE_OPS_STORE=store):
        second.run("%load_ext mirascope_ops\nfrom mirascope_ops import ops")
        card = second.run("%%ops_session kept\nwith ops.span('after'): pass", "cell-2").displayed[0]["text/plain"]

        assert second.value("[(s.name, s.cell_id) for s in ops.get_session('kept').spans]") == [
            ("before", "cell-1"),
            ("after", "cell-2"),
        ]
        assert second.value("ops.sessions(attributes={'tier': 'gold'}).ids") == ["kept"]
        assert "this run 1 span, session 2" in card


def test_with_the_store_switched_off_cells_run_and_show_no_card(tmp_path: Path):
    for kernel in start_kernel(tmp_path, MIRASCOPE_OPS_STORE="off"):
        kernel.run("%load_ext mirascope_ops\nfrom mirascope_ops import ops")

        reply = kernel.run("%%ops_session nowhere\nwith ops.span('lost'): pass\nops.current_session().id")

        assert (reply.status, reply.result, reply.displayed, reply.stderr) == ("ok", "'nowhere'", [], "")
