"""What tracing costs: this library, the bare OpenTelemetry SDK and its peers, side by side.

    python benchmarks/run.py [--quick] [TOPIC ...]

Every library makes the same calls (two arguments, a small dict returned; captured, and in a session, where the
library does that; exported to nothing), in a process and an environment of its own, in rounds that take turns.
What counts is CPU time, so that a busy machine blurs the numbers but hardly the ratios: those are medians over
the rounds of this library's time divided by the other's in the same round. Numbers are printed, never asserted.
"""

from __future__ import annotations

import argparse
import datetime as dt
import os
import platform
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from environments import Peer, Unavailable, Worker, install, peers
from tables import LABELS, ratio, table

if TYPE_CHECKING:
    from collections.abc import Iterable

IMPORTS = {
    "sdk": "import opentelemetry.sdk.trace",
    "ours": "import mirascope_ops",
    "mirascope": "import mirascope.ops",
    "langfuse": "import langfuse",
    "logfire": "import logfire",
    "traceloop": "import traceloop.sdk",
    "mlflow": "import mlflow",
    "phoenix": "import phoenix.otel, openinference.instrumentation",
}
ADAPTERS = {
    "untraced": "sdk",
    "sdk_batch": "sdk",
    "ours_idle": "ours",
    "ours_batch": "ours",
    "ours_file": "ours",
    "ours_shared": "ours",
}
EVERYBODY = ("untraced", *IMPORTS)
READING = {"ours_idle": "before anybody reads", "ours": "with all kept"}
WRITERS = 8
WRITTEN_A_SECOND = 500  # by each of them
ROUND_NS = 50_000_000  # CPU time that one library's round may take, more or less


class Size(NamedTuple):
    """How much of everything: the whole benchmark, or a look whether it works."""

    rounds: int = 15
    calls: int = 5_000
    gathers: int = 7
    paced_rounds: int = 5
    paced_seconds: float = 2.0
    kept: int = 10_000
    retained: int = 100_000
    timed: int = 100_000
    imports: int = 7
    read: tuple[int, ...] = (100_000, 1_000_000)


QUICK = Size(
    rounds=3,
    calls=500,
    gathers=2,
    paced_rounds=1,
    paced_seconds=1.0,
    kept=1_000,
    retained=5_000,
    timed=5_000,
    imports=1,
    read=(5_000,),
)


class Benchmark:
    """Measures one topic after the other; what cannot be measured is kept with the reason.

    Attributes:
        targets: What this library is to reach, with what was measured: (what, measured, at most).
    """

    def __init__(self, size: Size, found: Iterable[Peer], faults: dict[str, str]) -> None:
        self.size = size
        self.peers = {peer.name: peer for peer in found}
        self.faults = faults
        self.targets: list[tuple[str, float | None, float]] = []

    def calls(self) -> str:
        """One traced call, sync and async."""
        with ExitStack() as stack:
            workers = self._start(stack, EVERYBODY)
            sync = self._rounds(workers, self.size.rounds, "sync")
            coroutines = self._rounds(workers, self.size.rounds, "asynchronous")
        for kind, spent in (("sync", sync), ("async", coroutines)):
            self._target(f"{kind} call, of the SDK's span", spent, "sdk", 0.20)
            self._target(f"{kind} call, of Mirascope's", spent, "mirascope", 0.05)
        return self._compared("A traced call", {"sync": sync, "async": coroutines}, EVERYBODY)

    def batch(self) -> str:
        """Into the SDK's own BatchSpanProcessor."""
        names = ("sdk_batch", "ours_batch")
        with ExitStack() as stack:
            # No more than its queue holds: what is dropped costs less.
            spent = self._rounds(self._start(stack, names), self.size.rounds, "sync", calls=1_000)
        self._target("into a BatchSpanProcessor, of the SDK's span", spent, "sdk_batch", 0.35, own="ours_batch")
        return self._compared("Into a stock BatchSpanProcessor", {"sync": spent}, names)

    def concurrent(self) -> str:
        """From threads, and from many tasks at once."""
        with ExitStack() as stack:
            workers = self._start(stack, EVERYBODY)
            shown = {
                f"{count} threads": self._rounds(workers, self.size.gathers, "threads", threads=count)
                for count in (2, 8)
            }
            shown["gather of 1,000"] = self._rounds(workers, self.size.gathers, "gather", calls=1_000)
        return self._compared("Concurrent calls", shown, EVERYBODY)

    def file(self) -> str:
        """The calling thread, with a file, 2,000 spans a second."""
        names = ("sdk", "ours_file")
        options = {"seconds": self.size.paced_seconds, "rate": 2_000, "calls": None}
        with ExitStack() as stack:
            spent = self._rounds(self._start(stack, names), self.size.paced_rounds, "paced", **options)
        self._target("file, 2,000 spans/s, calling thread, of the SDK's", spent, "sdk", 0.25, own="ours_file")
        return self._compared("2,000 spans a second, the calling thread alone", {"paced": spent}, names)

    def writers(self) -> str:
        """The calling thread, while eight processes write one file; beside eight that keep their spans in memory."""
        spent: dict[str, list[float]] = {"ours": [], "ours_shared": []}
        options = {"seconds": self.size.paced_seconds, "rate": WRITTEN_A_SECOND}
        folder = Path(tempfile.gettempdir()) / f"mirascope-ops-benchmark-{os.getpid()}"
        with ExitStack() as stack:
            stack.callback(shutil.rmtree, folder, ignore_errors=True)
            started = {name: self._start_some(stack, name, WRITERS) for name in spent}
            pool = stack.enter_context(ThreadPoolExecutor(WRITERS))
            for _ in range(self.size.paced_rounds):
                for name, workers in started.items():
                    found = list(pool.map(lambda worker: worker.ask("paced", **options), workers))
                    if found:
                        spent[name].append(statistics.mean(found) / 1000)
        quotients = [file / memory for file, memory in zip(spent["ours_shared"], spent["ours"], strict=True)]
        measured = statistics.median(quotients) if quotients else None
        self.targets.append((f"file with {WRITERS} writers, calling thread, of memory's", measured, 1.2))
        title = f"{WRITERS} processes, {WRITTEN_A_SECOND} spans a second each, the calling thread alone"
        return self._compared(title, {"paced": spent}, tuple(spent))

    def memory(self) -> str:
        """Bytes a span that is kept."""
        rows: list[list[Any]] = []
        for name in ("sdk", "ours_idle", "ours", *list(IMPORTS)[2:]):
            found = self._alone(name, "memory", calls=self.size.kept)
            rows.append([LABELS[name], found if isinstance(found, str) else f"{found:,.0f}"])
            if name in READING and not isinstance(found, str):
                self.targets.append((f"bytes a retained span, {READING[name]}", found, 800))
        return table("Memory of a span that is kept", ["what", "bytes"], rows)

    def tail(self) -> str:
        """The slowest calls, with many spans kept."""
        rows: list[list[Any]] = []
        for name in ("sdk", "ours_idle", "ours", "mirascope", "logfire"):
            found = self._alone(name, "tail", retained=self.size.retained, calls=self.size.timed)
            if isinstance(found, str):
                rows.append([LABELS[name], found])
                continue
            rows.append([LABELS[name], *(f"{found[key] / 1000:,.1f}" for key in ("median", "p99.9", "worst"))])
            if name in READING:
                self.targets.append((f"us, p99.9 of a call, {READING[name]}", found["p99.9"] / 1000, 100))
        title = f"Single calls with {self.size.retained:,} spans kept, us of the calling thread"
        return table(title, ["what", "median", "p99.9", "worst"], rows)

    def imports(self) -> str:
        """Importing it, in a fresh process; less what the interpreter takes."""
        spent: dict[str, list[float]] = {}
        # The SDK beside us too: how long its import takes depends on what else is installed.
        statements = [(name, name, code) for name, code in IMPORTS.items() if not self.faults.get(name)]
        statements.insert(1, ("sdk_here", "ours", IMPORTS["sdk"]))
        for _, peer, code in statements:
            _cpu_ms(self.peers[peer].python, code)  # writes what is not compiled yet
        for _ in range(self.size.imports):
            for name, peer, code in statements:
                python = self.peers[peer].python
                spent.setdefault(name, []).append(_cpu_ms(python, code) - _cpu_ms(python, "pass"))
        rows = [
            [LABELS[name], f"{min(times):,.0f}", f"{statistics.median(times):,.0f}", ratio(times, spent["sdk_here"])]
            for name, times in spent.items()
        ]
        rows += [[LABELS[name], self.faults[name]] for name in IMPORTS if self.faults.get(name)]
        quotients = [own / other for own, other in zip(spent["ours"], spent["sdk_here"], strict=True)]
        self.targets.append(("import, of the SDK's", statistics.median(quotients), 1.25))
        return table("Import, CPU ms", ["what", "least", "median", "/ SDK"], rows)

    def reading(self) -> str:
        """Spans to DataFrames, from memory and from a file; a session among many; a tree."""
        import reading  # loads pandas, which the other topics do without

        tables: list[str] = []
        for number in self.size.read:
            found = reading.answers(number)
            self.targets += reading.targets(found)
            tables.append(reading.report(found))
        return "\n\n".join(tables)

    def _start(self, stack: ExitStack, names: Iterable[str]) -> dict[str, Worker]:
        workers: dict[str, Worker] = {}
        for name in names:
            peer = ADAPTERS.get(name, name)
            if fault := self.faults.get(peer):
                self.faults[name] = fault
                continue
            try:
                workers[name] = stack.enter_context(Worker(self.peers[peer], name))
            except Unavailable as error:
                self.faults[name] = str(error)
        return workers

    def _start_some(self, stack: ExitStack, name: str, count: int) -> list[Worker]:
        return [worker for _ in range(count) for worker in self._start(stack, [name]).values()]

    def _rounds(self, workers: dict[str, Worker], rounds: int, what: str, **options: Any) -> dict[str, list[float]]:
        """Ask all in turns; a library that needs long for a call makes fewer of them in a round."""
        spent: dict[str, list[float]] = {name: [] for name in workers}
        sizes: dict[str, dict[str, int]] = {}
        for name, worker in workers.items():
            if "calls" in options:
                sizes[name] = {"calls": options["calls"]} if options["calls"] else {}
            else:
                once = worker.ask("sync", calls=80)
                sizes[name] = {"calls": max(80, min(self.size.calls, int(ROUND_NS / once) // 8 * 8))}
        chosen = {key: value for key, value in options.items() if key != "calls"}
        for _ in range(rounds):
            for name, worker in workers.items():
                spent[name].append(worker.ask(what, **chosen, **sizes[name]) / 1000)
        return spent

    def _alone(self, name: str, what: str, **options: Any) -> Any:
        """Ask a fresh process that keeps its spans; returns the answer, or why there is none."""
        peer = ADAPTERS.get(name, name)
        if fault := self.faults.get(peer):
            return fault
        try:
            with Worker(self.peers[peer], name, keep=True) as worker:
                return worker.ask(what, **options)
        except Unavailable as error:
            return str(error)

    def _target(self, what: str, spent: dict[str, list[float]], base: str, most: float, own: str = "ours") -> None:
        pairs = list(zip(spent.get(own, ()), spent.get(base, ()), strict=False))
        measured = statistics.median(mine / other for mine, other in pairs) if pairs else None
        self.targets.append((what, measured, most))

    def _compared(self, title: str, topics: dict[str, dict[str, list[float]]], names: Iterable[str]) -> str:
        """One row a library, and for every topic least, median and the ratios to the SDK and to us."""
        heads = ["what"]
        rows: list[list[Any]] = [[LABELS[name]] for name in names]
        for topic, spent in topics.items():
            heads += [f"{topic} least", "median", "/ SDK", "/ ours"]
            base = next((times for name, times in spent.items() if name.startswith("sdk")), [])
            own = next((times for name, times in spent.items() if name.startswith("ours")), [])
            for row, name in zip(rows, names, strict=True):
                times = spent.get(name)
                if times:
                    row += [
                        f"{min(times):.2f}",
                        f"{statistics.median(times):.2f}",
                        ratio(times, base),
                        ratio(times, own),
                    ]
                elif len(row) == 1:
                    row.append(self.faults.get(name, "not measured"))
        return table(f"{title}, us of CPU a call", heads, rows)


# Installed packages are compiled; ours, read from its source tree, must be so too, or its compilation is what is timed.
_COMPILED = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}


def _cpu_ms(python: Path, code: str) -> float:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([python, "-c", code], check=True, capture_output=True, env=_COMPILED)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return 1000 * (after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime)


def _processor() -> str:
    told = Path("/proc/cpuinfo")
    lines = told.read_text().splitlines() if told.is_file() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def main() -> None:
    topics = ("calls", "batch", "concurrent", "file", "writers", "memory", "tail", "imports", "reading")
    if sys.argv[1:] == ["timeline"]:  # beside nobody: it runs in a browser, and needs no other library
        import timeline

        print(timeline.report())
        return
    if sys.argv[1:] == ["live"]:  # in a kernel, beside nobody too
        import live

        print(live.report())
        return
    if "receiver" in sys.argv and {*sys.argv[1:]} <= {"receiver", "--quick"}:  # beside a server that only says yes
        import receiver

        print(receiver.report(quick="--quick" in sys.argv))
        return
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "topics", nargs="*", metavar="TOPIC", help=f"which; all where none is named: {', '.join(topics)}"
    )
    parser.add_argument("--quick", action="store_true", help="few calls: shows that it works, not what it costs")
    options = parser.parse_args()
    if unknown := set(options.topics) - set(topics):
        parser.error(f"no such topic: {', '.join(sorted(unknown))}")
    # Reading is measured by pandas, beside no other library.
    found = peers() if set(options.topics or topics) != {"reading"} else []
    faults = install(found)
    size = QUICK if options.quick else Size()
    benchmark = Benchmark(size, found, faults)
    print(
        f"{dt.datetime.now().astimezone():%Y-%m-%d %H:%M %Z}, Python {platform.python_version()}, "
        f"{platform.system()}, {os.cpu_count()} x {_processor()}, load {os.getloadavg()[0]:.1f}"
        + (", quick: too few calls to tell much" if options.quick else "")
    )
    print("\n" + "; ".join(f"{peer.name}: {faults[peer.name] or peer.version()}" for peer in found), flush=True)
    for topic in options.topics or topics:
        print(f"({topic})", file=sys.stderr, flush=True)
        print("\n" + getattr(benchmark, topic)(), flush=True)
    rows = [
        [what, "not measured" if measured is None else f"{measured:,.2f}", f"{most:g}", _verdict(measured, most)]
        for what, measured, most in benchmark.targets
    ]
    print("\n" + table("What this library is to reach", ["what", "measured", "at most", ""], rows))


def _verdict(measured: float | None, most: float) -> str:
    return "" if measured is None else "met" if measured <= most else "missed"


if __name__ == "__main__":
    main()
