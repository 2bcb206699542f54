"""Run the fast tests on every supported Python found, and with the oldest OpenTelemetry: `make test-pythons`.

Each environment is a venv of its own, build/pythons/<name>, made once and again when the pins or the Python change.
`python3 tools/test_pythons.py 3.12` runs one of them. The end is 1 where tests fail or nothing could be run; a Python
that is not installed is said, and is no failure.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
import time
import tomllib
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parent.parent
FOLDER = ROOT / "build" / "pythons"
PINS = ROOT / "constraints.txt"
PROJECT = ROOT / "pyproject.toml"
TESTS = ("-m", "pytest", "-q", "-m", "not slow")
# The pins that the oldest OpenTelemetry goes without: its own, FastAPI's, whose newest releases need a newer one, and
# that of protobuf, of which it needs an older one.
NOT_OLDEST = ("opentelemetry-", "fastapi==", "protobuf==")
# Says the whole version where a venv can be made, and fails where not: Debian splits ensurepip off.
PROBE = "import ensurepip, sys, venv; print('.'.join(map(str, sys.version_info[:3])))"


class Environment(NamedTuple):
    """One run of the tests; `oldest` is the OpenTelemetry of pyproject.toml's lower bounds, not that of the pins."""

    name: str
    python: str
    oldest: bool = False


ENVIRONMENTS = (
    Environment("3.11", "3.11"),
    Environment("3.11-oldest-opentelemetry", "3.11", oldest=True),
    Environment("3.12", "3.12"),
    Environment("3.13", "3.13"),
)


class Outcome(NamedTuple):
    """What became of one environment; `passed` is None where its Python was not found."""

    name: str
    passed: bool | None
    note: str


def version_of(python: str | Path) -> str | None:
    """The version of an interpreter that runs and can make a venv, or None: pyenv's shims stand for Pythons that are
    not switched on, and end with an error."""
    try:
        done = subprocess.run([python, "-c", PROBE], capture_output=True, text=True, timeout=60, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None


def of_pyenv(minor: str) -> list[Path]:
    """The Pythons of this version that pyenv has installed, switched on or not, newest first."""
    pyenv = shutil.which("pyenv")
    if pyenv is None:
        return []
    done = subprocess.run([pyenv, "root"], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        return []
    found = [
        path for path in Path(done.stdout.strip(), "versions").iterdir() if re.fullmatch(rf"{minor}\.\d+", path.name)
    ]
    return [path / "bin" / "python" for path in sorted(found, key=lambda path: -int(path.name.rpartition(".")[2]))]


def find(minor: str) -> tuple[str, str] | None:
    """An interpreter of this version and its whole version: `python3.12` on PATH, else one of pyenv's."""
    for python in (shutil.which(f"python{minor}"), *of_pyenv(minor)):
        version = version_of(python) if python else None
        if version is not None and version.startswith(f"{minor}."):
            return str(python), version
    return None


def pins(environment: Environment) -> str:
    """The constraints of an environment: the project's, with the lowest OpenTelemetry that pyproject.toml allows."""
    text = PINS.read_text(encoding="utf-8")
    if not environment.oldest:
        return text
    kept = [line for line in text.splitlines() if not line.startswith(NOT_OLDEST)]
    needed = tomllib.loads(PROJECT.read_text(encoding="utf-8"))["project"]["dependencies"]
    lowest = [need.replace(">=", "==") for need in needed if need.startswith("opentelemetry-")]
    return "\n".join([*kept, *lowest, ""])


def prepare(environment: Environment, python: str, version: str) -> Path:
    """Make the environment's venv where it is not there or not up to date, and give its interpreter."""
    venv = FOLDER / environment.name
    inside, ready, constraints = venv / "bin" / "python", venv / ".ready", venv / "constraints.txt"
    text = pins(environment)
    made_of = hashlib.sha256(f"{version}\n{text}\n{PROJECT.read_text(encoding='utf-8')}".encode()).hexdigest()
    if ready.exists() and ready.read_text(encoding="utf-8") == made_of:
        return inside
    if version_of(inside) != version:
        subprocess.run([python, "-m", "venv", "--clear", venv], check=True)
    ready.unlink(missing_ok=True)
    constraints.write_text(text, encoding="utf-8")
    print(f"Installing into {venv.relative_to(ROOT)}: some minutes, once.", flush=True)
    install = ("-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-input")
    subprocess.run([inside, *install, "-c", constraints, "-e", f"{ROOT}[notebook,llm,dev]"], check=True)
    ready.write_text(made_of, encoding="utf-8")
    return inside


def run(environment: Environment) -> Outcome:
    found = find(environment.python)
    if found is None:
        return Outcome(
            environment.name, None, f"python{environment.python} is neither on PATH nor among pyenv's versions"
        )
    python, version = found
    print(f"\n=== {environment.name}: Python {version}", flush=True)
    try:
        inside = prepare(environment, python, version)
    except subprocess.CalledProcessError as error:
        return Outcome(environment.name, passed=False, note=f"could not be installed: ended with {error.returncode}")
    started = time.monotonic()
    # Bytecode of other versions beside the sources is harmless, a cache of "last failed" shared by four runs is not.
    done = subprocess.run([inside, *TESTS, "-p", "no:cacheprovider"], cwd=ROOT, env=surroundings(), check=False)
    seconds = f"{time.monotonic() - started:.0f} s"
    if done.returncode == 0:
        return Outcome(environment.name, passed=True, note=f"Python {version}, {seconds}")
    again = f"again: {inside.relative_to(ROOT)} -m pytest -m 'not slow'"
    return Outcome(
        environment.name,
        passed=False,
        note=f"Python {version}, {seconds}, pytest ended with {done.returncode}; {again}",
    )


def surroundings() -> dict[str, str]:
    """This environment without what points an interpreter at other packages than its own."""
    return {
        name: value for name, value in os.environ.items() if name not in {"PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV"}
    }


def main(names: list[str]) -> int:
    known = [environment.name for environment in ENVIRONMENTS]
    if unknown := [name for name in names if name not in known]:
        print(f"No such environment: {', '.join(unknown)}. There are: {', '.join(known)}.", file=sys.stderr)
        return 2
    outcomes = [run(environment) for environment in ENVIRONMENTS if not names or environment.name in names]
    words = {True: "passed", False: "FAILED", None: "not found"}
    print("\n" + "\n".join(f"{words[outcome.passed]:<10} {outcome.name:<26} {outcome.note}" for outcome in outcomes))
    ran = [outcome.passed for outcome in outcomes if outcome.passed is not None]
    if not ran:
        print("Nothing was run. Install one of these Pythons, for example: pyenv install 3.12")
    return 0 if ran and all(ran) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
