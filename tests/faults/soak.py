"""All faults again and again, with other seeds, for some minutes; then what was acknowledged, found and lost.

python tests/faults/soak.py [--minutes 10]
"""

from __future__ import annotations

import argparse
import collections
import functools
import json
import subprocess
import sys
import time
from pathlib import Path

SCENARIOS = Path(__file__).parent / "scenarios.py"
ROUNDS = {"killed": 10, "stopped": 5, "full": 2, "damaged": 2, "kernels": 3}  # of one run of each
KILLED_ROUNDS = 50  # with eight writers each, however few minutes there are
say = functools.partial(print, flush=True)
COLUMNS = ("runs", "rounds", "acknowledged", "found", "lost", "doubled", "interrupted", "intervals", "late", "faults")


def faults(found):
    """How much of what is meant to be harmful was done."""
    return sum(found.get(key, 0) for key in ("kills", "stops", "restarts", "damaged_files", "turned_to_rescue"))


def is_right(found):
    return (
        found["lost"] == found["doubled"] == found["wrongly_open"] == found["wrongly_told"] == 0
        and found["sound"] == "ok"
        and not found["reader_errors"]
        and not found["left_beside"]
        and not found.get("ended_otherwise")
    )


def run(name, seed):
    done = subprocess.run(
        [sys.executable, str(SCENARIOS), name, "--rounds", str(ROUNDS[name]), "--seed", str(seed)],
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    if done.returncode:
        return None, done.stderr
    return json.loads(done.stdout.splitlines()[-1]), done.stderr


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=10.0)
    options = parser.parse_args()
    until = time.monotonic() + 60 * options.minutes
    sums = {name: collections.Counter() for name in ROUNDS}
    failures = 0
    seed = 0
    while time.monotonic() < until or sums["killed"]["rounds"] < KILLED_ROUNDS:
        seed += 1
        for name, total in sums.items():
            late = time.monotonic() >= until
            if late and (name != "killed" or total["rounds"] >= KILLED_ROUNDS):
                continue
            found, said = run(name, seed)
            if found is None:
                failures += 1
                say(f"{name}, seed {seed}: ended with an error\n{said}")
                continue
            total.update({key: found[key] for key in COLUMNS if key in found})
            total.update(runs=1, late=found["late_intervals"], faults=faults(found))
            if not is_right(found):
                failures += 1
                say(f"WRONG: {json.dumps(found)}\n{said}")
            say(f"{name}, seed {seed}: {found['acknowledged']:,} acknowledged, {found['lost']} lost")
    say(f"\n| {'':<10} |" + "".join(f" {column:>12} |" for column in COLUMNS))
    say(f"|{'-' * 12}|" + f"{'-' * 14}|" * len(COLUMNS))
    for name, total in [*sums.items(), ("all", sum(sums.values(), collections.Counter()))]:
        say(f"| {name:<10} |" + "".join(f" {total[column]:>12,} |" for column in COLUMNS))
    sys.exit(1 if failures else 0)


if __name__ == "__main__":
    main()
