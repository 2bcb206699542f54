"""`--live` and `session.live()`: what reaches the frontend while a cell runs, and what stays after it."""

from __future__ import annotations

import io
import time
from contextlib import redirect_stdout

import nbformat
import pytest
from nbclient import NotebookClient

from tests.notebook.conftest import PATIENCE, ROOT

pytestmark = pytest.mark.slow

CARD = "application/vnd.mirascope.ops.spans+json"
SETUP = """
import asyncio, threading, time
from pathlib import Path
from mirascope_ops import ops
from mirascope_ops.core import backend
def waits(holds):  # whether to wait on, as it does not hold yet
    global began
    if holds():
        began = None
        return False
    began = began or time.monotonic()
    assert time.monotonic() - began < 100, "it never came to hold"
    return True
began = None
def left():
    live = [t.name for t in threading.enumerate() if "live" in t.name]
    callbacks = [c for c in get_ipython().events.callbacks["post_run_cell"] if "Live" in repr(c)]
    return live, list(backend._watching), callbacks
"""
NOTHING = ([], [], [])


@pytest.fixture(scope="module")
def prepared(kernel):
    assert kernel.run(SETUP).status == "ok"
    return kernel


@pytest.fixture
def run(prepared):
    yield prepared.run
    assert prepared.value("left()") == NOTHING


@pytest.fixture
def steps(run, tmp_path):
    """Run a cell whose steps end when its card has shown what they wait for, however slow the machine is.

    Each is named: `while waits(<name>): ...` in the cell, and what must hold of the texts that were shown.
    """

    def steps(code, **awaited):
        texts = []

        def watch(output):
            texts.extend(text for _, _, text, _ in cards_of([output]))
            for name, holds in awaited.items():
                if holds(texts):
                    (tmp_path / name).touch()

        named = "\n".join(f"{name} = Path({str(tmp_path / name)!r}).exists" for name in awaited)
        assert run(named, history=False).status == "ok"
        return run(code, watch=watch)

    return steps


def shows(*parts):
    """Whether one of the texts has all these parts."""
    return lambda texts: any(all(part in text for part in parts) for text in texts)


def cards(reply):
    """The outputs that are cards: kind, display id, text, and whether it is the finished one."""
    return cards_of(reply.outputs)


def cards_of(outputs):
    return [
        (output["kind"], output["transient"].get("display_id"), output["data"]["text/plain"], CARD in output["data"])
        for output in outputs
        # A widget has HTML too, for where the saved notebook is read without a kernel.
        if "text/html" in output.get("data", {}) and "application/vnd.jupyter.widget-view+json" not in output["data"]
    ]


def check(reply, name):
    """What holds of every live cell: one output, then updates of it, the last of which is the finished card."""
    first, *updates = cards(reply)
    kinds = [kind for kind, *_ in updates]
    assert first[0] == "display_data"
    assert set(kinds) == {"update_display_data"}
    assert {display_id for _, display_id, _, _ in updates} == {first[1]}
    assert [finished for *_, finished in updates] == [False] * (len(updates) - 1) + [True]
    assert all(f"Session {name}" in text for _, _, text, _ in updates)
    return [text for _, _, text, finished in updates if not finished], updates[-1][2]


BODIES = {
    "blocks": "time.sleep(.02)",
    "computes": "sum(range(1000))",
    "awaits": "await asyncio.sleep(.02)",
}


@pytest.mark.parametrize("name", BODIES)
def test_the_card_is_updated_while_the_cell_runs_and_shows_what_is_open(steps, name):
    code = f"""%%ops_session {name} --live
print("before")
for question in (first, second):
    with ops.span("turn", message=str(question)):
        with ops.span("step"):
            while waits(question): {BODIES[name]}
print("after")
"the value"
"""
    shown = shows("2 spans · 1 turn", "in step, turn", "● running")
    reply = steps(code, first=shown, second=shows("4 spans · 2 turns"))

    under_way, finished = check(reply, name)
    assert reply.status == "ok", reply.traceback
    assert reply.result == "'the value'"
    assert any("in step, turn" in text and "● running" in text for text in under_way)
    assert any("2 spans · 1 turn" in text for text in under_way)
    assert any("4 spans · 2 turns" in text for text in under_way)
    assert "✓ ok" in finished
    # The updates came in between, not in the end.
    kinds = [output["kind"] for output in reply.outputs]
    after = next(i for i, output in enumerate(reply.outputs) if "after" in output.get("text", ""))
    assert kinds[:after].count("update_display_data") >= 2
    assert kinds[0] == "display_data"


def test_there_are_at_most_ten_updates_a_second(steps):
    began = time.monotonic()
    reply = steps(
        """%%ops_session many --live
end = time.monotonic() + 2
while time.monotonic() < end or waits(three):
    with ops.span('s'): time.sleep(.005)""",
        three=lambda texts: len(texts) > 3,
    )
    seconds = time.monotonic() - began

    under_way, _ = check(reply, "many")
    assert 3 <= len(under_way) <= 10 * seconds


def test_where_nothing_happens_only_the_time_is_updated(run):
    began = time.monotonic()
    reply = run("%%ops_session waiting --live\nwith ops.span('long'): time.sleep(2.4)")
    seconds = time.monotonic() - began

    under_way, _ = check(reply, "waiting")
    assert len(under_way) <= 2 + seconds  # of the span's start and end, and of the time


def test_a_failing_cell_leaves_the_finished_card(run):
    reply = run("%%ops_session failing --live\nwith ops.span('turn'):\n    time.sleep(.3)\n    1/0")

    _, finished = check(reply, "failing")
    assert reply.error == "ZeroDivisionError: division by zero"
    assert "✕" in finished
    assert "division by zero" in finished


# An interrupt does not wake a kernel's event loop: it is seen when the loop runs next.
@pytest.mark.parametrize("wait", ["time.sleep(60)", "while True: await asyncio.sleep(0.05)"])
def test_an_interrupted_cell_leaves_the_finished_card(run, prepared, wait):
    code = f"%%ops_session interrupted --live\nwith ops.span('turn'):\n    print('now', flush=True)\n    {wait}"

    reply = run(code, meanwhile=prepared.manager.interrupt_kernel)

    _, finished = check(reply, "interrupted")
    assert reply.status == "error"
    assert "✕" in finished


def test_a_cell_without_any_span_has_the_card_that_says_so(run):
    reply = run("%%ops_session silent --live\n1 + 1")

    _, finished = check(reply, "silent")
    assert "No spans here yet" in finished


def test_the_cell_after_has_an_output_of_its_own(run):
    first, second = (cards(run(f"%%ops_session s{i} --live\nwith ops.span('x'): time.sleep(.2)")) for i in (1, 2))

    assert {display_id for _, display_id, _, _ in first}.isdisjoint({display_id for _, display_id, _, _ in second})


def test_the_outermost_card_tells_of_the_sessions_inside(steps):
    reply = steps(
        "%%ops_session outer --live\n%%ops_session inner\nwith ops.span('x'):\n    while waits(shown): time.sleep(.02)",
        shown=shows("1 span"),
    )

    under_way, finished = check(reply, "outer")
    assert any("1 span" in text for text in under_way)
    assert "Session inner" in finished


def test_a_live_card_inside_another_session_is_finished_too(run):
    reply = run("%%ops_session outer2\n%%ops_session inner2 --live\nwith ops.span('x'): time.sleep(.3)")

    live = [card for card in cards(reply) if card[1] is not None]
    (after,) = [card for card in cards(reply) if card[1] is None]
    assert live[0][0] == "display_data"
    assert live[-1][3]
    assert live[-1][2].startswith("Session inner2 ✓ ok")
    assert after[2].startswith("Session outer2")


def test_two_live_cards_in_one_cell_are_two_outputs(run):
    reply = run("%%ops_session outer3 --live\n%%ops_session inner3 --live\nwith ops.span('x'): time.sleep(.3)")

    by_id = {}
    for kind, display_id, text, finished in cards(reply):
        by_id.setdefault(display_id, []).append((kind, text.split()[1], finished))
    assert sorted(shown[0][1] for shown in by_id.values()) == ["inner3", "outer3"]
    assert all(shown[0][0] == "display_data" and shown[-1][2] for shown in by_id.values())


def test_output_that_the_body_captures_is_not_ours(run, prepared):
    reply = run("%%ops_session captured --live\n%%capture caught\nwith ops.span('x'): time.sleep(.4)")

    check(reply, "captured")
    assert prepared.value("len(caught.outputs)") == 0


def test_where_the_whole_cell_is_captured_the_card_comes_once(run, prepared):
    reply = run("%%capture caught\n%%ops_session captured2 --live\nwith ops.span('x'): time.sleep(.3)")

    assert cards(reply) == []
    assert prepared.value("[list(o.data)[-1] for o in caught.outputs]") == ["text/plain"]


def test_live_and_quiet_exclude_each_other(run):
    reply = run("%%ops_session both --live --quiet\nran = True")

    assert reply.error.startswith("UsageError")
    assert "leave one of them out" in reply.error


def test_a_live_timeline_comes_below_the_finished_card(run):
    reply = run("%%ops_session drawn --live --timeline\nwith ops.span('x'): time.sleep(.2)")

    check(reply, "drawn")
    card, timeline = reply.displayed
    assert "text/html" in card
    assert "application/vnd.jupyter.widget-view+json" in timeline


# -- session.live() ---------------------------------------------------------------------------------------


def test_a_block_shows_its_session_below_the_cell_until_it_ends(steps):
    reply = steps(
        """
with ops.session("block") as session:
    with session.live():
        with ops.span("turn"):
            while waits(shown): time.sleep(.02)
    print("between")
    with ops.span("later"): pass
""",
        shown=shows("in turn"),
    )

    under_way, finished = check(reply, "block")
    assert any("in turn" in text for text in under_way)
    assert "this run 1 span, session 1" in finished
    assert reply.outputs[-1]["text"] == "between\n"


def test_without_a_block_it_ends_with_the_session(run):
    reply = run("""
with ops.session("left") as session:
    live = session.live()
    with ops.span("turn"): time.sleep(.3)
while waits(lambda: not left()[0]): time.sleep(.02)
print("after")
""")

    _, finished = check(reply, "left")
    assert "✓ ok" in finished
    assert reply.outputs[-1]["text"] == "after\n"


def test_it_ends_with_the_cell_where_work_goes_on(run, prepared):
    reply = run("""
async def work():
    with ops.session("background") as session:
        session.live()
        with ops.span("turn"): await over.wait()
over = asyncio.Event()
task = asyncio.ensure_future(work())
await asyncio.sleep(.3)
""")

    _, finished = check(reply, "background")
    assert "● running" in finished
    assert prepared.value("left()") == NOTHING
    assert cards(run("over.set()\nawait task")) == []


def test_it_follows_the_session_of_several_cells(run, steps):
    run("%ops_session start several\nwith ops.span('one'): pass")

    reply = steps(
        "ops.current_session().live()\nwith ops.span('two'):\n    while waits(shown): time.sleep(.02)",
        shown=shows("2 spans · 2 turns"),
    )
    run("%ops_session stop")

    under_way, finished = check(reply, "several")
    assert any("2 spans · 2 turns" in text for text in under_way)
    assert "2 turns" in finished


def test_it_needs_no_extension(bare_kernel):
    bare_kernel.run(SETUP)

    reply = bare_kernel.run("with ops.session('bare') as s, s.live():\n    with ops.span('x'): time.sleep(.3)")

    check(reply, "bare")
    assert bare_kernel.value("left()") == NOTHING


# -- what is saved, and where there is no notebook ----------------------------------------------------------


def test_a_saved_notebook_holds_the_finished_card_only(tmp_path, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path))
    sources = [
        "%load_ext mirascope_ops\nfrom mirascope_ops import ops\nimport time, asyncio",
        "%%ops_session saved --live\nfor i in range(3):\n    with ops.span('x'): time.sleep(.2)\nprint('done')",
        "%%ops_session saved2 --live\nwith ops.span('x'): await asyncio.sleep(.4)\n1/0",
        "with ops.session('saved3') as s:\n    s.live()\n    with ops.span('x'): time.sleep(.3)",
    ]
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source) for source in sources])
    client = NotebookClient(notebook, timeout=PATIENCE, kernel_name="python3", allow_errors=True)

    client.execute()

    kinds = [[output["output_type"] for output in cell.outputs] for cell in notebook.cells]
    assert kinds == [[], ["display_data", "stream"], ["display_data", "error"], ["display_data"]]
    for cell, name in zip(notebook.cells[1:], ("saved", "saved2", "saved3"), strict=True):
        data = cell.outputs[0]["data"]
        assert CARD in data
        assert f"Session {name} ✓ ok" in data["text/plain"]
        assert "running" not in data["text/html"]


def test_after_a_restart_a_cell_is_live_again(run, prepared):
    code = "%%ops_session again --live\nwith ops.span('x'): time.sleep(.3)"
    check(run(code), "again")

    prepared.manager.restart_kernel(now=True)
    prepared.client.wait_for_ready(timeout=PATIENCE)
    assert prepared.run(f"%load_ext mirascope_ops\n{SETUP}").status == "ok"

    check(run(code), "again")


def test_a_terminal_shows_the_card_once_in_the_end(shell):
    shell.run_cell("%load_ext mirascope_ops\nfrom mirascope_ops import ops\nimport time")
    printed = io.StringIO()

    with redirect_stdout(printed):
        shell.run_cell("%%ops_session plain --live\nwith ops.span('x'): time.sleep(.3)")
        shell.run_cell("with ops.session('plain2') as s, s.live():\n    with ops.span('x'): time.sleep(.2)")

    assert printed.getvalue().count("Session plain") == 1
    assert "running" not in printed.getvalue()
    assert "plain2" not in printed.getvalue()


def test_a_program_without_a_notebook_goes_on(run_python):
    printed = run_python("""
        import sys
        from mirascope_ops import ops
        with ops.session("script") as session, session.live() as live:
            with ops.span("x"):
                pass
            live.stop()
        print("IPython" in sys.modules)
    """)

    assert printed == "False\n"
