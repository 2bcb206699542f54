"""The receiver: spans a second from OpenTelemetry's exporter, and whether any are lost when four times too many come.

    .venv/bin/python benchmarks/receiver.py [--quick]

The exporter of the Python SDK sends what was made before, first to a server that reads and says yes, then to
`ops.listen()` with a file. What counts is CPU time for a span, so that a busy machine blurs the numbers but hardly
their ratio; what two processors can take follows from it: the receiver is one process, which computes on one of them.

Then a listener is overloaded for a minute: its store is made to take no more than so many spans a second, and exporters
with queues of their own get four times as many. All must be in the file in the end. Numbers are printed, never
asserted.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
from pathlib import Path
from typing import Any

from tables import table

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests" / "receiver"))
import flood

LEAST = 8_000  # spans a second on two processors
TIMES = 4
MOST_SECONDS = 5.0
MB = 1024**2
PROCESSORS = 2


def report(*, quick: bool = False) -> str:
    """Measure both; returns tables."""
    with tempfile.TemporaryDirectory(prefix="mirascope-ops-benchmark-") as folder:
        return f"{_throughput(folder, quick=quick)}\n\n{_overload(folder, quick=quick)}"


def _throughput(folder: str, *, quick: bool) -> str:
    rounds = []
    for number in range(1 if quick else 5):
        place = Path(folder) / str(number)
        place.mkdir()
        rounds.append(flood.throughput(place, 10 if quick else 100, senders=2))
    rows = []
    for name, label in (("null", "a server that says yes"), ("ours", "**mirascope_ops**, store in a file")):
        found = [each[name] for each in rounds]
        sender, receiver = (statistics.median(each[key] for each in found) for key in ("sender_us", "receiver_us"))
        ratios = [each["receiver_us"] / each["sender_us"] for each in found]
        possible = min(1e6 / receiver, PROCESSORS * 1e6 / (sender + receiver))
        wall = max(each["spans"] / each["seconds"] for each in found)
        rows.append(
            [
                label,
                f"{receiver:.1f}",
                f"{sender:.1f}",
                f"{statistics.median(ratios):.2f}",
                f"{possible:,.0f}",
                f"{wall:,.0f}",
            ]
        )
        lost = sum(each["failed"] for each in found)
        if lost or (name == "ours" and any(each["received"] != each["spans"] for each in found)):
            rows.append(["", f"{lost} batches failed"])
    heads = ["what takes them", "us a span", "the exporter", "ratio", "spans/s by CPU", "spans/s, best seen"]
    title = f"Two exporters of Python's SDK, 512 spans a request; at least {LEAST:,} spans/s are wanted"
    return table(title, heads, rows)


def _overload(folder: str, *, quick: bool) -> str:
    pace, seconds, exporters = (300, 5, 16) if quick else (1_000, 60, 32)
    found = flood.flood(folder, pace, TIMES, seconds, exporters)
    rows: list[list[Any]] = [
        ["spans made", f"{found['made']:,}", ""],
        ["in the file", f"{found['found']:,}", "all"],
        ["lost", f"{found['lost']:,}", "0"],
        ["batches that an exporter gave up", len(found["failed"]), "0"],
        ["requests sent away, and sent again", f"{found['refused']:,}", ""],
        ["most that waited, seconds of work", f"{found['most_seconds']:.1f}", f"{MOST_SECONDS:g}"],
        ["most that waited, MB", f"{found['most_bytes'] / MB:.1f}", "64"],
        ["memory of the process before, MB", f"{found['rss_before'] / MB:.0f}", ""],
        ["at the end of the overload, MB", f"{found['rss_under_load'] / MB:.0f}", ""],
        ["at the end of all, MB", f"{found['rss'] / MB:.0f}", ""],
    ]
    title = f"{TIMES} times as many spans as the store takes ({pace:,}/s) for {seconds} s, {exporters} exporters"
    return table(title, ["what", "measured", "wanted"], rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="few spans: shows that it works, not what it costs")
    print(report(quick=parser.parse_args().quick))


if __name__ == "__main__":
    main()
