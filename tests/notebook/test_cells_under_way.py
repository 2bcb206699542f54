"""Cells of sessions while they run: awaiting, interrupted, nested, by the hundred, and run by code."""

from __future__ import annotations

import pytest

pytestmark = pytest.mark.slow

CARD = "application/vnd.mirascope.ops.spans+json"
SETUP = """
from mirascope_ops import ops
@ops.trace
def work(x=1):
    return x + 1
def current():
    session = ops.current_session()
    return session and session.id
"""


@pytest.fixture(scope="module")
def prepared(kernel):
    assert kernel.run(SETUP).status == "ok"
    return kernel


@pytest.fixture
def run(prepared):
    return prepared.run


@pytest.fixture
def value(prepared):
    return prepared.value


def cards(reply):
    return [shown["text/plain"] for shown in reply.displayed if CARD in shown]


def test_awaiting_cells_are_in_their_session_to_the_end(run, value):
    reply = run("%%ops_session awaited\nimport asyncio\nwork()\nawait asyncio.sleep(0)\nwork()\ncurrent()")

    assert reply.result == "'awaited'"
    assert value("[s.name for s in ops.spans(session='awaited')]") == ["work", "work"]
    assert value("current()") is None


def test_tasks_started_in_the_cell_stay_in_its_session(run, value):
    run("""%%ops_session tasks -q
import asyncio
async def later():
    await asyncio.sleep(0.05)
    work(7)
task = asyncio.ensure_future(later())
""")

    run("await task")

    assert value("len(ops.get_session('tasks'))") == 1


def test_time_around_a_failing_cell_fails_as_without_the_header(run, value):
    reply = run("%%time\n%%ops_session tf\n1/0")

    assert reply.status == run("%%time\n1/0").status  # some versions of %%time hide it
    assert len(cards(reply)) == 1
    assert value("current()") is None


def test_capture_around_catches_the_card_too(run, value):
    reply = run("%%capture caught\n%%ops_session around\nprint('x')\nwork()")

    assert reply.outputs == []
    assert value("caught.stdout, [list(o.data)[0] for o in caught.outputs]") == ("x\n", ["text/plain", CARD])
    assert value("len(ops.get_session('around'))") == 1


def test_profiling_inside_works(run, value):
    assert run("%%ops_session profiled -q\n%%prun -q\nwork()").status == "ok"
    assert value("len(ops.get_session('profiled'))") == 1


@pytest.mark.parametrize(
    ("code", "status"),
    [
        ("%%ops_session --nope 'x\nwork()\n\n", "complete"),
        ("%%ops_session a\nwork()", "incomplete"),
        ("%%ops_session {", "incomplete"),
        ("%%ops_session a\n%%ops_session b\n1\n\n", "complete"),
        ("1 + 1", "complete"),
        ("def f():", "incomplete"),
    ],
)
def test_completeness_checks_are_answered_as_for_any_cell_magic(prepared, code, status):
    assert prepared.is_complete(code) == status


def test_rerunning_from_history_works(run):
    count = run("%%ops_session rerun -q\nwork(), 'once'").content["execution_count"]

    assert run(f"%rerun {count}", history=False).result == "(2, 'once')"


def test_an_interrupt_ends_the_session_and_fails_the_cell(prepared, run, value):
    code = "%%ops_session interrupted\nimport time\nwork()\nprint('waiting', flush=True)\ntime.sleep(20)"

    reply = prepared.run(code, meanwhile=prepared.manager.interrupt_kernel)

    assert reply.content["ename"] == "KeyboardInterrupt"
    assert len(cards(reply)) == 1
    assert value("current()") is None


def test_an_interrupt_of_an_awaiting_cell_ends_it_too(prepared, run, value):
    code = """%%ops_session interrupted2
import asyncio
work()
print('waiting', flush=True)
for _ in range(2000):
    await asyncio.sleep(0.01)
"""

    reply = prepared.run(code, meanwhile=prepared.manager.interrupt_kernel)

    assert reply.status == "error"
    assert len(cards(reply)) == 1
    assert value("current()") is None


def test_a_hundred_cells_in_a_row_leave_nothing_behind(run, value):
    names = "set(globals()) - {n for n in globals() if n.startswith('_')}"
    before = value(names)

    for number in range(100):
        body = ("work()", "await __import__('asyncio').sleep(0)", "1/0", "return 1")[number % 4]
        run(f"%%ops_session many -q\n{body}", history=False)

    runner = "get_ipython()._mirascope_ops_cell"
    assert value(names) == before
    assert value(f"len({runner}._open), len({runner}._kept), current()") == (0, 0, None)
    assert value("len(ops.get_session('many').runs)") == 100


def test_a_silent_request_runs_in_its_session(run, value):
    run("%%ops_session silent -q\nwork()", silent=True)

    assert value("len(ops.get_session('silent')), current()") == (1, None)


def test_run_cell_from_code_and_from_threads(run, value):
    run("""
import threading
ip = get_ipython()
first = ip.run_cell("%%ops_session coded -q\\nwork()\\ncurrent()")
def in_thread():
    global second
    second = ip.run_cell("%%ops_session threaded -q\\nwork()\\ncurrent()")
thread = threading.Thread(target=in_thread); thread.start(); thread.join()
""")

    assert value("first.success, first.result, second.success, second.result") == (True, "coded", True, "threaded")
    assert value("len(ops.get_session('coded')), len(ops.get_session('threaded'))") == (1, 1)


def test_the_magic_called_as_a_function_does_the_same(run, value):
    reply = run("x = get_ipython().run_cell_magic('ops_session', 'direct --as c', 'work()\\n(5, current())')\nx")

    assert reply.result == "(5, 'direct')"
    assert len(cards(reply)) == 1
    assert value("len(c.spans)") == 1


def test_the_magic_called_as_a_function_raises_what_the_body_raises(run):
    reply = run("get_ipython().run_cell_magic('ops_session', 'direct2', 'y = 1\\n1/0')")

    assert reply.error == "ZeroDivisionError: division by zero"
