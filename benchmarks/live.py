"""The live output: what it costs the traced program in a real kernel, with it and without it in turns.

    python benchmarks/live.py [ROUNDS]

The program computes for so long between two spans, in traces of six spans, in turns with model calls or in one trace.
The output is the card, and the timeline below it as well: for that the client answers as a browser does that shows
widgets. What counts is CPU time: of the whole process with the output divided by that without it, as a median over the
rounds; and of the threads that make and send it, divided by that of the program's own, which is steady on a busy
machine too.
"""

from __future__ import annotations

import ast
import os
import statistics
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from jupyter_client.manager import KernelManager
from tables import table

if TYPE_CHECKING:
    from jupyter_client.blocking.client import BlockingKernelClient

ROOT = Path(__file__).resolve().parent.parent
SECONDS = 2.0  # that the program computes in one round
MOST = 1.05
SPACINGS = (0.005, 0.001, 0.0001)
SHAPES = {"traces of six spans": (5, False), "turns with model calls": (5, True), "one trace": (1_000_000, False)}
SHOWN = {"card": False, "card and timeline": True}

PREPARE = """
import threading, time
from mirascope_ops import ops


def compute(times):
    for _ in range(times):
        pass


def calibrated(seconds):
    best = float("inf")
    for _ in range(30):
        begun = time.thread_time()
        compute(2_000)
        best = min(best, time.thread_time() - begun)
    return int(2_000 * seconds / best)


SAID = "What is the weather like there right now, and do I need an umbrella? " * 5


def call(done):
    told = {
        "gen_ai.operation.name": "chat", "gen_ai.request.model": "gpt-4o-mini", "gen_ai.usage.input_tokens": 400 + done,
        "gen_ai.usage.output_tokens": 90, "gen_ai.usage.cost": 0.001,
        "gen_ai.input.messages": f'[{{"role":"user","parts":[{{"type":"text","content":"{done} {SAID}"}}]}}]',
        "gen_ai.output.messages": f'[{{"role":"assistant","parts":[{{"type":"text","content":"{done}: no"}}]}}]',
    }
    return ops.span("chat gpt-4o-mini", **told)


def program(number, times, steps, calls):
    done = 0
    while done < number:
        with ops.span("turn", question="What is the weather?"):
            for _ in range(min(steps, number - done)):
                with call(done) if calls and done % 2 else ops.span("step", place=done):
                    compute(times)
                done += 1


def card_seconds():
    threads = [t for t in threading.enumerate() if "mirascope_ops live" in t.name or t.name == "IOPub"]
    return sum(time.clock_gettime(time.pthread_getcpuclockid(thread.ident)) for thread in threads)


def round_of(number, times, steps, calls, live):
    with ops.session() as session:
        card = session.live() if live else None
        before = time.process_time(), time.thread_time(), card_seconds(), time.monotonic()
        program(number, times, steps, calls)
        after = time.process_time(), time.thread_time(), card_seconds(), time.monotonic()
        if card is not None:
            card.stop()
    return [end - begin for begin, end in zip(before, after)]
"""


class Kernel:
    """A kernel that is asked for values, by a client that shows widgets if it is to."""

    def __init__(self, client: BlockingKernelClient) -> None:
        self.client = client
        self.shows_widgets = False
        asked = client.session.msg("create_subshell_request", {})
        client.control_channel.send(asked)
        while (answer := client.get_control_msg(timeout=60))["parent_header"].get("msg_id") != asked["header"][
            "msg_id"
        ]:
            pass
        self._subshell = answer["content"]["subshell_id"]

    def run(self, code: str, answer: str = "None") -> tuple[Any, int, int]:
        """Run code; gives the value of the expression after it, and how often card and timeline were updated."""
        updates = {"update_display_data": 0, "comm_msg": 0}

        def count(message: Any) -> None:
            kind = message["msg_type"]
            if kind in updates:
                updates[kind] += bool(kind != "comm_msg" or message["buffers"])
            if kind == "comm_open" and self.shows_widgets:
                self._answer(message["content"]["comm_id"])

        reply = self.client.execute_interactive(
            code, user_expressions={"answer": answer}, output_hook=count, timeout=600
        )["content"]
        if reply["status"] != "ok":
            raise RuntimeError("\n".join(reply["traceback"]))
        told = ast.literal_eval(reply["user_expressions"]["answer"]["data"]["text/plain"])
        return told, updates["update_display_data"], updates["comm_msg"]

    def _answer(self, comm: str) -> None:
        """Say that the model of a widget is there, around the cell that runs, as JupyterLab does."""
        ready = {"method": "custom", "content": {"type": "ready", "version": 1}}
        message = self.client.session.msg("comm_msg", {"comm_id": comm, "data": ready})
        message["header"]["subshell_id"] = self._subshell
        self.client.shell_channel.send(message)


class Measured(NamedTuple):
    """Medians over the rounds.

    Attributes:
        ratio: CPU time of the process with the output by that without.
        share: CPU time of the output's threads by that of the program's own.
        by_clock: The same by the time that passed. The output rests by the clock: where other programs take the
            processor, it rests for too short a time, and this is what `share` is on a machine without them.
        cards: Updates of the card in a round.
        timelines: Updates of the timeline.
    """

    ratio: float
    share: float
    by_clock: float
    cards: float
    timelines: float


def measured(kernel: Kernel, spacing: float, shape: tuple[int, bool], rounds: int) -> Measured:
    """Run the program with the output and without it."""
    steps, calls = shape
    times, *_ = kernel.run("", f"calibrated({spacing})")
    number = max(10, int(SECONDS / spacing))
    found: list[Measured] = []
    for place in range(rounds):
        spent: dict[bool, list[float]] = {}
        cards = timelines = 0
        for live in (False, True) if place % 2 else (True, False):
            told = kernel.run(f"found = round_of({number}, {times}, {steps}, {calls}, {live})", "found")
            spent[live] = told[0]
            if live:
                _, cards, timelines = told
        process, program, output, passed = spent[True]
        found.append(Measured(process / spent[False][0], output / program, output / passed, cards, timelines))
    return Measured(*map(statistics.median, zip(*found, strict=True)))


def report(rounds: int = 5) -> str:
    """The table."""
    with tempfile.TemporaryDirectory() as folder:
        manager = KernelManager(kernel_name="python3")
        manager.kernel_spec.argv[0] = sys.executable
        environment = {"PYTHONPATH": str(ROOT), "MIRASCOPE_OPS_STORE": ":memory:", "IPYTHONDIR": folder}
        # Or the kernel remarks on its own transport.
        manager.start_kernel(extra_arguments=["--log-level=ERROR"], cwd=folder, env={**os.environ, **environment})
        client = manager.blocking_client()
        client.start_channels()
        try:
            client.wait_for_ready(timeout=60)
            kernel = Kernel(client)
            kernel.run(PREPARE)
            rows: list[list[Any]] = []
            for shown, kernel.shows_widgets in SHOWN.items():
                for spacing in SPACINGS:
                    for shape, told in SHAPES.items():
                        found = measured(kernel, spacing, told, rounds)
                        verdict = "met" if found.share <= MOST - 1 else "missed"
                        words = f"{shown}, {1 / spacing:,.0f} spans/s, {shape}"
                        updates = f"{found.cards / SECONDS:.1f}, {found.timelines / SECONDS:.1f}"
                        rows.append(
                            [
                                words,
                                f"{found.ratio:.3f}",
                                f"{found.share:.1%}",
                                f"{found.by_clock:.1%}",
                                updates,
                                verdict,
                            ]
                        )
        finally:
            client.stop_channels()
            manager.shutdown_kernel(now=True)
            manager.cleanup_resources()
    title = f"The live output, at most {MOST - 1:.0%} of the program's CPU time, load {os.getloadavg()[0]:.1f}"
    heads = ["what", "process, with / without", "output / program", "output / clock", "cards, timelines by s", ""]
    return table(title, heads, rows)


if __name__ == "__main__":
    print(report(*map(int, sys.argv[1:2])))
