"""Faults that a store must survive, each as a program of its own.

    python tests/faults/scenarios.py NAME [--rounds N] [--seed N]

One process imports the library, opens nothing, and forks those that trace, read and are killed. Each of them writes
into a ledger of its own what was acknowledged: `ops.store.flush()` returned while the store had a file, or a quarter of
a second passed and the writing thread had its turn meanwhile (how often it had not is counted: "late"). At the end
everything acknowledged is looked for in the store. The last line printed is JSON: how much was acknowledged, found,
lost, found twice, and what else the scenario counts.
"""

from __future__ import annotations

import argparse
import collections
import contextlib
import json
import os
import random
import resource
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import mirascope_ops as ops
import mirascope_ops.reading  # as all that is loaded lazily: those that are forked need not load it each
from mirascope_ops.store import connections, location, recorder, rescue
from mirascope_ops.store.memory import MemoryStore
from mirascope_ops.store.records import SpanQuery

WRITERS = 8
READERS = 2
PAGE = 4096
INTERVAL = 0.25  # seconds after which an ended span is in the file, whoever asks for it or not


class Ledger:
    """What a process was promised; survives its being killed, as a line is written by one call."""

    def __init__(self, path):
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)

    def note(self, what, names):
        if names:
            os.write(self._file, f"{what} {' '.join(names)}\n".encode())


def ledgers(folder):
    """All that was noted, by kind."""
    noted = collections.defaultdict(set)
    for path in folder.glob("*.ledger"):
        for line in path.read_text().split("\n")[:-1]:  # the last one may have been cut short
            what, *names = line.split()
            noted[what].update(names)
    return noted


def acknowledge(ledger, names):
    """Flush, and note it if there is a file."""
    ops.store.flush()
    if not isinstance(recorder.active().store, MemoryStore):
        ledger.note("flushed", names)
        return True
    return False


def trace(ledger, prefix, seed, *, pause=0.0, most=sys.maxsize):
    """Trace until killed, or until there are so many spans."""
    some = random.Random(seed)
    count = 0
    waiting = []
    while count < most:
        with ops.session(id=f"session-{prefix}", attributes={"seed": seed}), ops.span(f"{prefix}.{count}.open"):
            count += 1
            for _ in range(some.randrange(1, 6)):
                name = f"{prefix}.{count}"
                with ops.span(name, text="x" * some.choice([10, 300, 5000])), ops.span(f"{name}.inner"):
                    pass
                waiting += [name, f"{name}.inner"]
                count += 1
            how = some.random()
            if how < 0.6 and acknowledge(ledger, waiting):
                waiting = []
            elif how > 0.9:
                time.sleep(INTERVAL)
                late = recorder.active().waiting > 0  # on a busy machine the writing thread may have had no turn yet
                while recorder.active().waiting:
                    time.sleep(0.01)
                if not isinstance(recorder.active().store, MemoryStore):
                    ledger.note("waited", waiting)
                    ledger.note("late" if late else "timely", [f"{prefix}.{count}"])
        time.sleep(pause)
    return acknowledge(ledger, waiting)


def hold_open(ledger, prefix):
    """Open a span in a span in a session, wait until it must be known, and wait to be killed."""
    outer, held = (ops.span(f"{prefix}.{name}", question="How deep?") for name in ("outer", "held"))
    with ops.session(id=f"session-{prefix}"), outer, held:
        ops.store.flush()
        ledger.note("held", [f"{prefix}.outer", f"{prefix}.held"])
        signal.pause()


def read(ledger):
    """Look things up until killed; whatever is raised is an error."""
    while True:
        try:
            for session in ops.sessions(limit=3):
                ops.get_session(session.id).spans  # noqa: B018 - looked up
            ops.spans(limit=20)
            ledger.note("read", ["once"])
        except Exception as error:
            ledger.note("error", [type(error).__name__, str(error).replace("\n", " ")[:200]])
            raise


def forked(work, *args):
    """Start a process that does this and ends without the parent's own end."""
    child = os.fork()
    if child == 0:
        code = 1
        try:
            work(*args)
            code = 0
        except BaseException:  # noqa: BLE001 - told by the code, and on stderr
            sys.excepthook(*sys.exc_info())
        finally:
            recorder.close()
            os._exit(code)
    return child


def ended(child, seconds=180.0):
    """Wait for a process; one that does not end is a hang, and killed."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        found, status = os.waitpid(child, os.WNOHANG)
        if found:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.01)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return "hung"


def kill(child):
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)


def compared(folder, answer):
    """Open the store, take back what is elsewhere, and compare with the ledgers; in a process of its own."""

    def compare():
        places = rescue.Rescue(store_of(folder))
        store = places.opened()
        places.gather(store)
        spans = store.spans(SpanQuery())
        names = collections.Counter(span.name for span in spans)
        statuses = collections.Counter(span.status for span in spans)
        by_name = {span.name: span for span in spans}
        noted = ledgers(folder)
        lost = (noted["flushed"] | noted["waited"] | noted["held"]) - set(names)
        wrong = [
            name
            for name in noted["held"] & set(names)
            if by_name[name].status != "interrupted"
            or by_name[name].session_id is None
            or by_name[name].attributes.get("question") != "How deep?"
        ]
        store.close()
        with contextlib.closing(sqlite3.connect(store_of(folder))) as connection:
            sound = connection.execute("PRAGMA integrity_check").fetchone()[0]
        figures = {
            "acknowledged": len(noted["flushed"] | noted["waited"] | noted["held"]),
            "by_flush": len(noted["flushed"]),
            "by_interval": len(noted["waited"] - noted["flushed"]),
            "intervals": len(noted["timely"]) + len(noted["late"]),
            "late_intervals": len(noted["late"]),
            "found": len(names),
            "lost": len(lost),
            "lost_names": sorted(lost)[:10],
            "lost_by_flush": len(noted["flushed"] - set(names)),
            "doubled": sum(count > 1 for count in names.values()),
            "interrupted": statuses["interrupted"],
            "wrongly_open": statuses["open"],
            "wrongly_told": len(wrong),
            "reader_errors": sorted(noted["error"])[:10],
            "sound": sound,
            "modes": sorted({oct(file.stat().st_mode & 0o777) for file in folder.glob("spans.db*")}),
            "left_beside": sorted(file.name for file in folder.glob("spans.db.rescue*")),
        }
        (folder / "answer.json").write_text(json.dumps(figures))

    code = ended(forked(compare), 300)
    assert code == 0, code
    return {**json.loads((folder / "answer.json").read_text()), **answer}


def store_of(folder):
    return Path(os.environ["MIRASCOPE_OPS_STORE"])


# -- scenarios ------------------------------------------------------------------------------------------------


def killed(folder, rounds, seed):
    """Eight writers, two readers beside them; each writer is killed at a random moment, in every round.

    The one that holds a span open is killed after that is known.
    """
    some = random.Random(seed)
    readers = [forked(lambda n=n: read(Ledger(folder / f"reader-{n}.ledger"))) for n in range(READERS)]
    kills = 0
    for number in range(rounds):
        writers = {}
        for writer in range(WRITERS):
            prefix = f"{number}.{writer}"
            ledger = folder / f"{prefix}.ledger"
            awaited = ledger if writer == 0 else None
            if writer == 0:
                child = forked(lambda path=ledger, p=prefix: hold_open(Ledger(path), p))
            else:
                each = some.random()
                child = forked(lambda path=ledger, p=prefix, s=each: trace(Ledger(path), p, s))
            writers[child] = time.monotonic() + some.uniform(0.1, 2.0), awaited
        while writers:
            due = [child for child, (at, path) in writers.items() if at <= time.monotonic() and _is_noted(path)]
            for child in due:
                kill(child)
                del writers[child]
                kills += 1
            time.sleep(0.005)
    for reader in readers:
        kill(reader)
    return {"kills": kills}


def _is_noted(path):
    """Whether something was noted in a ledger; also where nobody waits for that."""
    return path is None or (path.exists() and path.stat().st_size > 0)


def stopped(folder, rounds, seed):
    """Eight writers, of which one after the other is stopped for longer than others wait, and goes on."""
    rescue._PATIENCE = 0.4
    some = random.Random(seed)
    writers = [
        forked(lambda n=n: trace(Ledger(folder / f"{n}.ledger"), str(n), seed + n, pause=0.002)) for n in range(WRITERS)
    ]
    time.sleep(1.0)
    for _ in range(rounds):
        child = some.choice(writers)
        os.kill(child, signal.SIGSTOP)
        time.sleep(some.uniform(0.5, 1.5))
        os.kill(child, signal.SIGCONT)
        time.sleep(some.uniform(0.0, 0.3))
    time.sleep(0.5)
    for child in writers:
        os.kill(child, signal.SIGTERM)
    codes = [ended(child) for child in writers]
    return {"stops": rounds, "ended_otherwise": [code for code in codes if code != -signal.SIGTERM]}


def _pages_are_limited(path):
    """Let connections to this file alone make no more pages than it has by now, and some."""
    connect = connections.Connections._connect

    def limited(self):
        connection = connect(self)
        if self._path == path and not (path.parent / "room").exists():
            connection.execute(f"PRAGMA max_page_count = {path.stat().st_size // PAGE + 30}")
        return connection

    connections.Connections._connect = limited


def _until_full(folder, prefix, seed, kind, then):
    ledger = Ledger(folder / f"{prefix}.ledger")
    path = store_of(folder)
    trace(ledger, f"{prefix}.before", seed, most=40)
    recorder.close()
    if kind == "pages":
        _pages_are_limited(path)
    elif kind == "file size":
        hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
        resource.setrlimit(resource.RLIMIT_FSIZE, (path.stat().st_size + 200_000, hard))
    trace(ledger, f"{prefix}.full", seed, most=400)
    if recorder.active().rescued:
        ledger.note("turned", [prefix])
    if then == "killed":
        os.kill(os.getpid(), signal.SIGKILL)
    (path.parent / "room").touch()
    if kind == "file size":
        resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    elif kind == "tmpfs":
        _mount(path.parent, "remount,size=64m")
    recorder.active().gather()
    trace(ledger, f"{prefix}.after", seed, most=40)


def _mount(place, options):
    subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", place], check=True, capture_output=True)


def full(folder, rounds, seed):
    """The disk is full: by SQLite's own bound, by the process's bound on files, and really, where we may mount."""
    turned = 0
    did = collections.Counter()
    for number in range(rounds):
        for kind in ("pages", "file size", "tmpfs"):
            place = folder
            if kind == "tmpfs":
                place = folder / f"small-{number}"
                place.mkdir(mode=0o700)
                try:
                    _mount(place, "size=1m")
                except (OSError, subprocess.CalledProcessError):
                    continue
            before = os.environ["MIRASCOPE_OPS_STORE"]
            os.environ["MIRASCOPE_OPS_STORE"] = str(place / "spans.db")
            then = "killed" if (number + seed) % 2 else "goes on"
            prefix = f"{number}.{kind.replace(' ', '-')}"
            code = ended(forked(_until_full, folder, prefix, seed + number, kind, then))
            assert code == (-signal.SIGKILL if then == "killed" else 0), (kind, then, code)
            did[kind] += 1
            (place / "room").unlink(missing_ok=True)
            if kind == "tmpfs":
                _mount(place, "remount,size=64m")
                code = ended(forked(_move_all, place / "spans.db", Path(before)))
                assert code == 0, code
                subprocess.run(["umount", place], check=True)
            os.environ["MIRASCOPE_OPS_STORE"] = before
    turned = len(ledgers(folder)["turned"])
    return {"disks_full": dict(did), "turned_to_rescue": turned}


def _move_all(path, to):
    places = rescue.Rescue(path)
    store = places.opened()
    places.gather(store)
    target = rescue.Rescue(to).opened()
    while store.hand_over(target, 1000):
        pass


def damaged(folder, rounds, seed):
    """Pages of the file are overwritten while a program has it open; another one repairs it.

    What was written before the damage may be gone, and is counted; what is acknowledged after it must not be.
    """
    some = random.Random(seed)
    home = os.environ["MIRASCOPE_OPS_STORE"]
    there = saved = 0
    for number in range(rounds):
        place = folder / f"place-{number}"
        place.mkdir(mode=0o700)
        path = place / "spans.db"
        os.environ["MIRASCOPE_OPS_STORE"] = str(path)
        old = place / "old.unchecked"
        code = ended(forked(lambda p=f"{number}.old", o=old: trace(Ledger(o), p, seed, most=300)))
        assert code == 0, code
        child = forked(_trace_when_told, folder, place, f"{number}.new", seed)
        while not (place / "ready").exists():
            time.sleep(0.01)
        _damage(path, some)
        (place / "go").touch()
        code = ended(child)
        assert code == 0, code
        code = ended(forked(_repair, place))
        assert code == 0, code
        old_names = set(old.read_text().split()) - {"flushed", "waited"}
        there += len(old_names)
        saved += len(old_names & set((place / "names").read_text().split()))
        code = ended(forked(_move_all, path, Path(home)))
        assert code == 0, code
    os.environ["MIRASCOPE_OPS_STORE"] = home
    return {"damaged_files": rounds, "spans_before_damage": there, "of_these_saved": saved}


def _damage(path, some):
    """Overwrite a tenth of the pages, the first one and the inner ones of tables left alone."""
    content = path.read_bytes()
    leaves = [page for page in range(1, len(content) // PAGE) if content[page * PAGE] not in (2, 5)]
    with path.open("r+b") as file:
        for page in some.sample(leaves, max(1, len(leaves) // 10)):
            file.seek(page * PAGE)
            file.write(some.randbytes(PAGE))


def _trace_when_told(folder, place, prefix, seed):
    ledger = Ledger(folder / f"{prefix}.ledger")
    ops.spans(limit=1)
    (place / "ready").touch()
    while not (place / "go").exists():
        time.sleep(0.01)
    trace(ledger, prefix, seed, most=200)


def _repair(place):
    done = ops.store.repair()
    (place / "names").write_text("\n".join(span.name for span in ops.spans()))
    done.aside.unlink()


KERNEL = """
import sys, threading
sys.path.insert(0, {here!r})
import scenarios
from pathlib import Path
scenarios.trace(scenarios.Ledger(Path({ledger!r})), {prefix!r}, {seed}, pause=0.01, most={most})
"""


def kernels(folder, rounds, seed):
    """Two notebook kernels write one store and are restarted in the midst of a cell, killed or asked to end."""
    from jupyter_client.manager import start_new_kernel

    some = random.Random(seed)
    os.environ["IPYTHONDIR"] = str(folder / "ipython")
    running = [start_new_kernel(kernel_name="python3") for _ in range(2)]
    restarts = 0
    for number in range(rounds + 1):
        for index, (manager, client) in enumerate(running):
            prefix = f"{number}.{index}"
            most = sys.maxsize if number < rounds else 60
            ledger = folder / f"{prefix}.ledger"
            code = KERNEL.format(
                here=str(Path(__file__).parent), ledger=str(ledger), prefix=prefix, seed=some.randrange(1000), most=most
            )
            client.execute(code)
            while not ledger.exists() or not ledger.stat().st_size:
                assert manager.is_alive()
                time.sleep(0.02)
        time.sleep(some.uniform(0.1, 0.8))
        if number < rounds:
            for manager, client in running:
                manager.restart_kernel(now=some.random() < 0.6)
                client.wait_for_ready(timeout=120)
                restarts += 1
    for manager, client in running:
        client.stop_channels()
        manager.shutdown_kernel(now=False)
    return {"restarts": restarts}


SCENARIOS = {each.__name__: each for each in (killed, stopped, full, damaged, kernels)}


def run(name, rounds, seed):
    """Run one scenario in a folder of its own; returns its figures."""
    folder = Path(tempfile.mkdtemp(prefix="mirascope-ops-faults-"))
    os.environ["MIRASCOPE_OPS_STORE"] = str(folder / "spans.db")
    location.local_folder = lambda: folder / "local"
    began = time.monotonic()
    try:
        answer = SCENARIOS[name](folder, rounds, seed)
        figures = compared(folder, answer)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return {"scenario": name, "rounds": rounds, "seed": seed, "seconds": round(time.monotonic() - began, 1), **figures}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("name", choices=SCENARIOS)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    sys.stdout.write(json.dumps(run(options.name, options.rounds, options.seed)) + "\n")


if __name__ == "__main__":
    main()
