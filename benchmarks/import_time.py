"""What `import mirascope_ops` costs, against `import opentelemetry.sdk.trace`: CPU of fresh processes, in turns."""

from __future__ import annotations

import os
import resource
import statistics
import subprocess
import sys

ROUNDS = 15
STATEMENTS = ("import opentelemetry.sdk.trace", "import mirascope_ops")
# Installed packages are compiled; ours, read from its source tree, must be so too, or its compilation is what is timed.
_ENVIRONMENT = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}


def cpu_milliseconds(statement: str) -> float:
    """User and system time of a new interpreter that runs this statement."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, "-c", statement], check=True, env=_ENVIRONMENT)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return 1000 * (after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime)


def main() -> None:
    spent: dict[str, list[float]] = {statement: [] for statement in STATEMENTS}
    empty: list[float] = []
    for statement in STATEMENTS:
        cpu_milliseconds(statement)  # writes what is not compiled yet
    for _ in range(ROUNDS):
        empty.append(cpu_milliseconds("pass"))
        for statement in STATEMENTS:
            spent[statement].append(cpu_milliseconds(statement))
    base = statistics.median(spent[STATEMENTS[0]])
    print(
        f"\nImports, {ROUNDS} fresh processes each, {statistics.median(empty):.0f} ms of which the interpreter takes.\n"
    )
    print(f"| {'what':<42} | least ms | median ms | ratio |")
    print(f"|{'-' * 44}|{'-' * 10}|{'-' * 11}|{'-' * 7}|")
    for statement, times in spent.items():
        median = statistics.median(times)
        print(f"| {statement:<42} | {min(times):8.0f} | {median:9.0f} | {median / base:5.2f} |")


if __name__ == "__main__":
    main()
