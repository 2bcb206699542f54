"""Runs one library's work in the environment of that library; `run.py` starts it and asks, one JSON line at a time.

    worker.py ADAPTER [--keep]

Every question names what to do (a method of `Worker`) and its options; the answer is a number or an object of
numbers. Times are CPU time, in nanoseconds a call, so that other programs on the machine count little.
"""

from __future__ import annotations

import asyncio
import contextvars
import gc
import importlib
import json
import os
import sys
import threading
import time
import tracemalloc
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from adapters.work import Work

QUESTION = "What is the capital of France?"
_CHUNK = 500
_ABOVE = 0.001  # the share of calls that are slower than p99.9


class Worker:
    def __init__(self, work: Work) -> None:
        self.work = work
        self.number = 0  # arguments differ, so that nothing of two spans is shared by chance

    def sync(self, calls: int) -> float:
        """CPU time of the process, all its threads, until the last call has returned."""
        with self.work.session():
            return self._timed(lambda: self._loop(calls), calls)

    def asynchronous(self, calls: int) -> float:
        """The same, awaited one after the other in one task."""

        async def loop() -> None:
            call = self.work.coroutine
            for number in range(self.number, self.number + calls):
                await call(QUESTION, number)

        with self.work.session(), asyncio.Runner() as runner:
            runner.get_loop()
            return self._timed(lambda: runner.run(loop()), calls)

    def gather(self, calls: int) -> float:
        """The same, all at once, each in a task of its own."""

        async def gathered() -> None:
            call = self.work.coroutine
            await asyncio.gather(*(call(QUESTION, number) for number in range(self.number, self.number + calls)))

        with self.work.session(), asyncio.Runner() as runner:
            runner.get_loop()
            return self._timed(lambda: runner.run(gathered()), calls)

    def threads(self, calls: int, threads: int) -> float:
        """The same, from several threads, each in the session."""
        with self.work.session():
            started = [
                threading.Thread(target=contextvars.copy_context().run, args=(self._loop, calls // threads))
                for _ in range(threads)
            ]

            def run() -> None:
                for thread in started:
                    thread.start()
                for thread in started:
                    thread.join()

            return self._timed(run, calls)

    def paced(self, seconds: float, rate: int) -> float:
        """CPU time of the calling thread alone, while it makes so many calls a second."""
        burst = rate // 100
        spent = calls = 0
        with self.work.session():
            began = time.monotonic()
            for tick in range(int(seconds * 100)):
                time.sleep(max(0.0, began + tick / 100 - time.monotonic()))
                start = time.thread_time_ns()
                self._loop(burst)
                spent += time.thread_time_ns() - start
                calls += burst
        self.work.settle()
        return spent / calls

    def memory(self, calls: int) -> float:
        """Bytes that stay for every span that is kept."""
        with self.work.session():
            self._keep(_CHUNK)
            gc.collect()
            tracemalloc.start()
            before = tracemalloc.get_traced_memory()[0]
            self._keep(calls)
            gc.collect()
            kept = tracemalloc.get_traced_memory()[0] - before
            tracemalloc.stop()
        return kept / calls

    def tail(self, retained: int, calls: int) -> dict[str, float]:
        """CPU time of single calls, the calling thread's, with so many spans kept already."""
        with self.work.session():
            self._keep(retained)
            gc.collect()
            call, clock = self.work.call, time.thread_time_ns
            times = [0] * calls
            collections = gc.get_stats()[2]["collections"]
            for number in range(calls):
                start = clock()
                call(QUESTION, number)
                times[number] = clock() - start
            collections = gc.get_stats()[2]["collections"] - collections
            if not collections:  # one is sure to come sooner or later: this is how long it holds up a call
                start = clock()
                gc.collect()
                times.append(clock() - start)
        times.sort()
        return {"median": times[calls // 2], "p99.9": times[int(calls * (1 - _ABOVE))], "worst": times[-1]}

    def _keep(self, calls: int) -> None:
        """Make so many calls, as fast as whatever has a queue can take their spans."""
        for _ in range(calls // _CHUNK):
            self._loop(_CHUNK)
            self.work.settle()

    def _loop(self, calls: int) -> None:
        call = self.work.call
        for number in range(self.number, self.number + calls):
            call(QUESTION, number)
        self.number += calls

    def _timed(self, run: Callable[[], object], calls: int) -> float:
        gc.collect()
        start = time.process_time_ns()
        run()
        spent = time.process_time_ns() - start
        self.number += calls
        self.work.settle()
        return spent / calls


def main() -> None:
    # What a library prints must not come between the answers.
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    adapter, *options = sys.argv[1:]
    work = importlib.import_module(f"adapters.{adapter}").prepare(keep="--keep" in options)
    worker = Worker(work)
    worker.sync(20)
    worker.asynchronous(20)
    print(json.dumps("ready"), file=answers, flush=True)
    for line in sys.stdin:
        question: dict[str, Any] = json.loads(line)
        answer = getattr(worker, question.pop("what"))(**question)
        print(json.dumps(answer), file=answers, flush=True)
    os._exit(0)  # some libraries wait for their server at the end, which there is none of


if __name__ == "__main__":
    main()
