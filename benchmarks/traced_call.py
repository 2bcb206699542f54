"""What a traced call costs, against the span of the bare OpenTelemetry SDK.

A two-argument call with its arguments and result captured, in a session, the store in memory; against a stock
SDK span with six attributes, a SimpleSpanProcessor and an exporter that does nothing. Both in this process, in
alternating rounds, in CPU time of the whole process. "Until it is stored" adds what the writer thread does with
the spans afterwards, which the SDK's row has no counterpart of. The last rows write to a file and count the calling
thread alone, which is what a user's call waits for. Numbers are printed, never asserted: machines differ.
"""

from __future__ import annotations

import asyncio
import gc
import os
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor, SpanExporter, SpanExportResult

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

os.environ["MIRASCOPE_OPS_STORE"] = ":memory:"

import mirascope_ops as ops

ROUNDS = 30
CALLS = 2_000


class NoExporter(SpanExporter):
    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:  # noqa: ARG002 - the base class's name
        return SpanExportResult.SUCCESS


PROVIDER = TracerProvider()
PROVIDER.add_span_processor(SimpleSpanProcessor(NoExporter()))
TRACER = PROVIDER.get_tracer("benchmark")


def sdk_span():  # noqa: ANN201 - the SDK's own context manager
    return TRACER.start_as_current_span(
        "answer",
        attributes={
            "mirascope.type": "trace",
            "mirascope.fn.qualname": "answer",
            "mirascope.fn.module": "benchmark",
            "mirascope.fn.is_async": False,
            "mirascope.ops.session.id": "benchmark",
            "session.id": "benchmark",
        },
    )


def sdk_answer(question: str, limit: int) -> dict[str, object]:
    with sdk_span():
        return {"question": question, "limit": limit}


async def sdk_answer_async(question: str, limit: int) -> dict[str, object]:
    with sdk_span():
        return {"question": question, "limit": limit}


@ops.trace
def answer(question: str, limit: int) -> dict[str, object]:
    return {"question": question, "limit": limit}


@ops.trace
async def answer_async(question: str, limit: int) -> dict[str, object]:
    return {"question": question, "limit": limit}


def loop(function: Callable[[str, int], object]) -> None:
    for number in range(CALLS):
        function("What is the capital of France?", number)


async def loop_async(function: Callable[[str, int], object]) -> None:
    for number in range(CALLS):
        await function("What is the capital of France?", number)


class Cost(NamedTuple):
    """Microseconds a call, and how many times the SDK's span that is."""

    what: str
    least: float
    median: float
    ratio: float

    def __str__(self) -> str:
        return f"| {self.what:<42} | {self.least:7.2f} | {self.median:7.2f} | {self.ratio:5.2f} |"


def measure(variants: dict[str, Callable[[], object]], clock: Callable[[], int]) -> list[Cost]:
    """Alternate the variants round by round; the first one is what the others are compared with."""
    spent: dict[str, list[float]] = {name: [] for name in variants}
    for _ in range(ROUNDS):
        for name, run in variants.items():
            gc.collect()
            start = clock()
            run()
            spent[name].append((clock() - start) / CALLS / 1000)
            ops.store.flush()
    base = statistics.median(next(iter(spent.values())))
    return [
        Cost(name, min(times), statistics.median(times), statistics.median(times) / base)
        for name, times in spent.items()
    ]


def flushed(run: Callable[[], object]) -> Callable[[], object]:
    def both() -> None:
        run()
        ops.store.flush()

    return both


def main() -> None:
    rows: list[Cost] = []
    with ops.session("benchmark"), asyncio.Runner() as runner:
        sync = {
            "SDK span, sync": lambda: loop(sdk_answer),
            "traced call, sync": lambda: loop(answer),
            "traced call, sync, until it is stored": flushed(lambda: loop(answer)),
        }
        rows += measure(sync, time.process_time_ns)
        # One task for all: a task takes a copy of the session that is current here.
        coroutines = {
            "SDK span, async": lambda: runner.run(loop_async(sdk_answer_async)),
            "traced call, async": lambda: runner.run(loop_async(answer_async)),
            "traced call, async, until it is stored": flushed(lambda: runner.run(loop_async(answer_async))),
        }
        rows += measure(coroutines, time.process_time_ns)
    with tempfile.TemporaryDirectory() as folder:
        ops.configure(store=Path(folder) / "store.sqlite")
        with ops.session("benchmark"):
            threads = {
                "SDK span, calling thread": lambda: loop(sdk_answer),
                "traced call into a file, calling thread": lambda: loop(answer),
            }
            rows += measure(threads, time.thread_time_ns)
        ops.configure(store=":memory:")
    print(f"Python {sys.version.split()[0]}, {ROUNDS} rounds of {CALLS} calls; microseconds of CPU a call.\n")
    print(f"| {'what':<42} | {'least':>7} | {'median':>7} | ratio |")
    print(f"|{'-' * 44}|{'-' * 9}|{'-' * 9}|{'-' * 7}|")
    print(*rows, sep="\n")


if __name__ == "__main__":
    main()
