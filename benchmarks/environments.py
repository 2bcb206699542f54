"""A virtual environment for every peer in `peers.txt`, and processes in them that answer questions (`worker.py`)."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple, Self

HERE = Path(__file__).parent
ROOT = HERE.parent
BUILD = ROOT / "build" / "bench"
_PATIENCE = 900.0  # seconds for one answer
_INSTALLATION = 600.0  # seconds for one peer


class Unavailable(Exception):  # noqa: N818 - a state, told in the tables
    """A peer could not be installed, started or asked; says why."""


class Peer(NamedTuple):
    """One library.

    Attributes:
        name: Its name in the tables and of its environment.
        steps: What pip is asked for, a list of arguments a step.
    """

    name: str
    steps: tuple[tuple[str, ...], ...]

    @property
    def python(self) -> Path:
        return BUILD / self.name / ("Scripts" if sys.platform == "win32" else "bin") / "python"

    def install(self) -> str:
        """Make the environment where it is not there as asked for; returns what went wrong, or nothing.

        A failure is remembered: finding out again may take minutes.
        """
        wanted, stamp = "; ".join(map(" ".join, self.steps)), BUILD / self.name / "installed.txt"
        if stamp.is_file():
            asked, _, fault = stamp.read_text().partition("\n")
            if asked == wanted:
                return fault
        print(f"Installing {self.name}: {wanted}", file=sys.stderr, flush=True)
        fault = self._install()
        if fault:
            fault = f"{fault} (to try again, remove build/bench/{self.name})"
        stamp.parent.mkdir(parents=True, exist_ok=True)
        stamp.write_text(f"{wanted}\n{fault}" if fault else wanted)
        return fault

    def _install(self) -> str:
        pip = [str(self.python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-input"]
        for command in (
            [sys.executable, "-m", "venv", str(BUILD / self.name)],
            *([*pip, *requirements] for requirements in self.steps),
        ):
            try:
                done = subprocess.run(
                    command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=_INSTALLATION
                )
            except subprocess.TimeoutExpired:
                return f"cannot be installed: pip has not ended after {_INSTALLATION:.0f} seconds"
            if done.returncode:
                errors = [line for line in done.stderr.splitlines() if line.startswith("ERROR")]
                return f"cannot be installed: {errors[0] if errors else done.stderr.strip()[-200:]}"
        return ""

    def version(self) -> str:
        """Name what was installed, as it says itself."""
        names = [
            requirement.partition("==")[0].partition("[")[0] for requirement in self.steps[0] if "==" in requirement
        ] or ["mirascope-ops", "opentelemetry-sdk"]
        code = f"import importlib.metadata as m; print(', '.join(n + ' ' + m.version(n) for n in {names!r}))"
        return subprocess.run([self.python, "-c", code], capture_output=True, text=True, check=True).stdout.strip()


def peers() -> list[Peer]:
    """Read `peers.txt`."""
    steps: dict[str, list[tuple[str, ...]]] = {}
    for line in (HERE / "peers.txt").read_text().splitlines():
        name, *requirements = line.split() or [""]
        if name and not name.startswith("#"):
            steps.setdefault(name, []).append(tuple(requirements))
    return [Peer(name, tuple(each)) for name, each in steps.items()]


def install(wanted: list[Peer]) -> dict[str, str]:
    """Install all; returns what is wrong with each, or nothing."""
    BUILD.mkdir(parents=True, exist_ok=True)
    with ThreadPoolExecutor(2) as pool:
        return dict(zip([peer.name for peer in wanted], pool.map(Peer.install, wanted), strict=True))


class Worker:
    """A process with one library at work."""

    def __init__(self, peer: Peer, adapter: str, *, keep: bool = False) -> None:
        self.name = adapter
        self._errors = BUILD / f"{adapter}.log"
        command = [str(peer.python), str(HERE / "worker.py"), adapter, *(["--keep"] if keep else [])]
        with self._errors.open("w") as errors:
            self._process = subprocess.Popen(
                command, cwd=BUILD, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors, text=True
            )
        self._read()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def ask(self, what: str, **options: Any) -> Any:
        """Put a question; raises Unavailable where there is no answer."""
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(json.dumps({"what": what, **options}) + "\n")
            self._process.stdin.flush()
        except OSError:
            pass  # it has ended: reading tells
        return self._read()

    def close(self) -> None:
        self._process.kill()
        self._process.communicate()

    def _read(self) -> Any:
        assert self._process.stdout is not None
        alarm = threading.Timer(_PATIENCE, self._process.kill)
        alarm.daemon = True
        alarm.start()
        try:
            line = self._process.stdout.readline()
        finally:
            alarm.cancel()
        if not line:
            self.close()
            said = self._errors.read_text().strip().splitlines()
            raise Unavailable(f"failed: {said[-1] if said else 'it ended without a word'}")
        return json.loads(line)
