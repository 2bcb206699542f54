"""The live card: what it costs the traced program in a real kernel, with it and without it in turns.

    python benchmarks/live.py [ROUNDS]

The program computes for so long between two spans, in traces of six spans or in one trace. What counts is CPU time: of
the whole process with the card divided by that without it, as a median over the rounds; and of the two threads that
make and send the card, divided by that of the program's own, which is steady on a busy machine too.
"""

from __future__ import annotations

import ast
import os
import statistics
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jupyter_client.manager import KernelManager
from tables import table

if TYPE_CHECKING:
    from jupyter_client.blocking.client import BlockingKernelClient

ROOT = Path(__file__).resolve().parent.parent
SECONDS = 2.0  # that the program computes in one round
MOST = 1.05
SPACINGS = (0.01, 0.001, 0.0001)
SHAPES = {"traces of six spans": 5, "one trace": 1_000_000}

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


def program(number, times, steps):
    done = 0
    while done < number:
        with ops.span("turn", question="What is the weather?"):
            for _ in range(min(steps, number - done)):
                with ops.span("step", place=done):
                    compute(times)
                done += 1


def card_seconds():
    threads = [t for t in threading.enumerate() if "live card" in t.name or t.name == "IOPub"]
    return sum(time.clock_gettime(time.pthread_getcpuclockid(thread.ident)) for thread in threads)


def round_of(number, times, steps, live):
    with ops.session() as session:
        card = session.live() if live else None
        before = time.process_time(), time.thread_time(), card_seconds()
        program(number, times, steps)
        after = time.process_time(), time.thread_time(), card_seconds()
        if card is not None:
            card.stop()
    return [end - begin for begin, end in zip(before, after)]
"""


class Kernel:
    """A kernel that is asked for values."""

    def __init__(self, client: BlockingKernelClient) -> None:
        self.client = client

    def run(self, code: str, answer: str = "None") -> tuple[Any, int]:
        """Run code; gives the value of the expression after it, and how many outputs were updated."""
        updates = 0

        def count(message: Any) -> None:
            nonlocal updates
            updates += message["msg_type"] == "update_display_data"

        reply = self.client.execute_interactive(
            code, user_expressions={"answer": answer}, output_hook=count, timeout=600
        )["content"]
        if reply["status"] != "ok":
            raise RuntimeError("\n".join(reply["traceback"]))
        return ast.literal_eval(reply["user_expressions"]["answer"]["data"]["text/plain"]), updates


def measured(kernel: Kernel, spacing: float, steps: int, rounds: int) -> tuple[float, float, float]:
    """The process' time with the card by that without, the card's threads by the program's, and updates a round."""
    times, _ = kernel.run("", f"calibrated({spacing})")
    number = max(10, int(SECONDS / spacing))
    ratios: list[float] = []
    shares: list[float] = []
    updates: list[int] = []
    for place in range(rounds):
        spent: dict[bool, list[float]] = {}
        for live in (False, True) if place % 2 else (True, False):
            found, told = kernel.run(f"found = round_of({number}, {times}, {steps}, {live})", "found")
            spent[live] = found
            if live:
                updates.append(told)
        ratios.append(spent[True][0] / spent[False][0])
        shares.append(spent[True][2] / spent[True][1])
    return statistics.median(ratios), statistics.median(shares), statistics.median(updates)


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
            for spacing in SPACINGS:
                for shape, steps in SHAPES.items():
                    ratio, share, updates = measured(kernel, spacing, steps, rounds)
                    verdict = "met" if share <= MOST - 1 else "missed"
                    words = f"{1000 * spacing:g} ms between spans, {shape}"
                    rows.append([words, f"{ratio:.3f}", f"{share:.1%}", f"{updates / SECONDS:.1f}", verdict])
        finally:
            client.stop_channels()
            manager.shutdown_kernel(now=True)
            manager.cleanup_resources()
    title = f"The live card, at most {MOST - 1:.0%} of the program's CPU time, load {os.getloadavg()[0]:.1f}"
    heads = ["what", "process, with / without", "card / program", "updates by s of CPU", ""]
    return table(title, heads, rows)


if __name__ == "__main__":
    print(report(*map(int, sys.argv[1:2])))
