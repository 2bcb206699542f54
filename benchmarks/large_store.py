"""A store of many spans: how large its file is, and how long look-ups, lists and retention take in it.

    python benchmarks/large_store.py [SPANS] [FOLDER]

Writes so many spans (1,000,000 by default; ten spans a trace, 200 a session) straight into a file of the store's own
format, then asks it as `ops` would. Each time is the least and the median of some repetitions, in milliseconds, of a
store that was just opened; beside it the least CPU time, which a busy machine blurs less. Numbers are printed, never
asserted.
"""

from __future__ import annotations

import argparse
import random
import shutil
import sqlite3
import statistics
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mirascope_ops.store.records import SessionQuery, SpanQuery, SpanRecord
from mirascope_ops.store.sqlite import SqliteStore

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

SPANS_A_TRACE, SPANS_A_SESSION = 10, 200
START = 1_767_225_600_000_000_000  # 2026-01-01 00:00 UTC
STEP = 1_000_000  # from the start of a span to that of the next (ns)
AT_ONCE = 100_000
TEXT = "The harbour opens at six, the ferry leaves at seven, and the last boat is back before the lamps are lit. "
REPETITIONS = 7


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("spans", nargs="?", type=int, default=1_000_000, help="how many")
    parser.add_argument("folder", nargs="?", help="where the file is written, a kilobyte a span; it is removed again")
    options = parser.parse_args()
    count: int = options.spans
    folder = Path(tempfile.mkdtemp(dir=options.folder))
    try:
        path = folder / "spans.db"
        began = time.monotonic()
        generate(path, count)
        print(f"{count:,} spans written in {time.monotonic() - began:,.0f} s, {path.stat().st_size / 2**20:,.0f} MiB")
        began = time.monotonic()
        store = SqliteStore(path)
        while store.settle(2_000):
            pass
        print(f"{count // SPANS_A_SESSION:,} sessions added up in {time.monotonic() - began:,.0f} s\n", flush=True)
        store.close()
        measure(path, count)
    finally:
        shutil.rmtree(folder)


def generate(path: Path, count: int) -> None:
    """Write spans as the store would, but with the indexes made at the end: that is ten times as fast."""
    SqliteStore(path).close()
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA synchronous = OFF")
    connection.execute("PRAGMA cache_size = -1000000")
    later = connection.execute(
        "SELECT type, name, sql FROM sqlite_master WHERE type IN ('index', 'trigger') AND sql IS NOT NULL"
    ).fetchall()
    for kind, name, _ in later:
        connection.execute(f"DROP {kind} {name}")
    connection.execute('INSERT INTO resources VALUES (1, \'{"service.name":"benchmark"}\')')
    width = len(connection.execute("PRAGMA table_info(spans)").fetchall())
    for first in range(0, count, AT_ONCE):
        last = min(first + AT_ONCE, count)
        connection.execute("BEGIN")
        connection.executemany(f"INSERT INTO spans VALUES ({', '.join('?' * width)})", rows(first, last))  # noqa: S608 - question marks
        connection.executemany(
            "INSERT INTO runs VALUES (?, ?, ?, NULL, NULL, ?, NULL, NULL, NULL, ?, ?)", runs(first, last)
        )
        connection.execute("COMMIT")
    connection.execute("INSERT INTO sessions (session_id) SELECT session_id FROM runs")
    for *_, statement in later:
        connection.execute(statement)
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()


def rows(first: int, last: int) -> Iterator[tuple[Any, ...]]:
    for number in range(first, last):
        trace, session = number // SPANS_A_TRACE, number // SPANS_A_SESSION
        place = number % SPANS_A_TRACE
        start = START + number * STEP
        attributes = (
            '{"mirascope.type":"trace","mirascope.fn.qualname":"answer","mirascope.fn.module":"benchmark",'
            f'"mirascope.fn.is_async":false,"mirascope.trace.arg_values":"{number}: {TEXT}",'
            f'"mirascope.trace.output":"{TEXT}"}}'
        )
        yield (
            number + 1, 1, trace_id(trace), f"{number:016x}", None if place == 0 else f"{number - place:016x}",
            ("answer", "retrieve", "rank", "chat")[number % 4], "internal", start, start + STEP // 2,
            "error" if number % 97 == 0 else "unset", "", f"session-{session}", f"run-{session}",
            '{"user_tier":"premium"}', None, None, None, 1, "benchmark", "mirascope_ops", 1, attributes, None, None,
            None,
        )  # fmt: skip


def runs(first: int, last: int) -> Iterator[tuple[Any, ...]]:
    for session in range(first // SPANS_A_SESSION, last // SPANS_A_SESSION):
        start = START + session * SPANS_A_SESSION * STEP
        attributes = '{"user_tier":"premium"}' if session % 10 == 0 else "{}"
        yield (
            session + 1, f"run-{session}", f"session-{session}", attributes, start, start + SPANS_A_SESSION * STEP,
        )  # fmt: skip


def trace_id(number: int) -> str:
    return f"{number:012x}{number * 0x9E3779B97F4A7C15 % 2**80:020x}"


def measure(path: Path, count: int) -> None:
    some = random.Random(1)  # noqa: S311 - which spans are asked for
    sessions, traces = count // SPANS_A_SESSION, count // SPANS_A_TRACE
    questions: dict[str, Callable[[SqliteStore], Any]] = {
        "a session": lambda store: store.spans(SpanQuery(session_ids=[f"session-{some.randrange(sessions)}"])),
        "a trace": lambda store: store.spans(SpanQuery(trace_ids=[trace_id(some.randrange(traces))])),
        "a trace by the beginning of its id": lambda store: store.spans(
            SpanQuery(trace_prefix=trace_id(some.randrange(traces))[:12])
        ),
        "the newest trace": lambda store: store.spans(SpanQuery(whole_traces=True, limit=1)),
        "the newest 100 traces of a name": lambda store: store.spans(
            SpanQuery(name="answer", whole_traces=True, limit=100)
        ),
        "the newest 100 sessions": lambda store: store.sessions(SessionQuery(limit=100)),
        "all sessions": lambda store: store.sessions(SessionQuery()),
        "sessions with an attribute": lambda store: store.sessions(SessionQuery(attributes={"user_tier": "premium"})),
        "one session's line": lambda store: store.sessions(
            SessionQuery(session_ids=[f"session-{some.randrange(sessions)}"])
        ),
        "stats()": lambda store: store.stats(),
        "write 1,000 spans": lambda store: store.write(fresh(some)),
        "delete a session": lambda store: store.delete([f"session-{some.randrange(sessions)}"]),
    }
    print(f"| {'what':<36} | {'least ms':>9} | {'median ms':>9} | {'CPU ms':>9} |")
    print(f"|{'-' * 38}|{'-' * 11}|{'-' * 11}|{'-' * 11}|")
    for what, ask in questions.items():
        times: list[float] = []
        spent: list[float] = []
        for _ in range(3 if what == "stats()" else REPETITIONS):
            store = SqliteStore(path)
            store.runs(["none"])  # opens the connection
            began, begun = time.perf_counter(), time.process_time()
            ask(store)
            spent.append(1000 * (time.process_time() - begun))
            times.append(1000 * (time.perf_counter() - began))
            store.close()
        print(
            f"| {what:<36} | {min(times):>9,.1f} | {statistics.median(times):>9,.1f} | {min(spent):>9,.1f} |",
            flush=True,
        )


def fresh(some: random.Random) -> list[SpanRecord]:
    now, attributes = time.time_ns(), {"text": TEXT * 4}
    span = SpanRecord(
        trace_id="", span_id="", parent_id=None, name="answer", span_kind="internal", start=now, end=now + 1,
        status="ok", status_message="", session_id="fresh", run_id=None, session_attributes=None, cell_id=None,
        execution_count=None, notebook=None, sampled=True, service=None, scope="", resource={}, attributes=attributes,
    )  # fmt: skip
    ids = [(f"{some.getrandbits(128):032x}", f"{some.getrandbits(64):016x}") for _ in range(1000)]
    return [span._replace(trace_id=trace, span_id=number) for trace, number in ids]


if __name__ == "__main__":
    main()
