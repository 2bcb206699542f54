"""Nothing that was acknowledged is lost, whatever befalls those who write; `make soak` does it for ten minutes."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

SCENARIOS = Path(__file__).parent / "scenarios.py"

pytestmark = pytest.mark.slow


def figures(name, rounds, seed=1):
    """Run a scenario in a process of its own, which forks as it likes."""
    done = subprocess.run(
        [sys.executable, str(SCENARIOS), name, "--rounds", str(rounds), "--seed", str(seed)],
        capture_output=True,
        text=True,
        timeout=550,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def check(found):
    assert found["acknowledged"] > 0
    assert (found["lost"], found["lost_names"]) == (0, [])
    assert found["doubled"] == 0
    assert found["wrongly_open"] == 0
    assert found["wrongly_told"] == 0
    assert found["reader_errors"] == []
    assert found["sound"] == "ok"
    assert found["modes"] == ["0o600"]
    assert found["left_beside"] == []


def test_eight_writers_killed_at_random_moments_lose_nothing():
    found = figures("killed", rounds=3)

    check(found)
    assert found["kills"] == 24
    assert found["interrupted"] > 0


def test_a_stopped_writer_holds_up_and_costs_nobody_anything():
    found = figures("stopped", rounds=2)

    check(found)
    assert found["ended_otherwise"] == []


def test_full_disks_lose_nothing():
    found = figures("full", rounds=1)

    check(found)
    assert found["disks_full"]["pages"] == found["disks_full"]["file size"] == 1
    assert found["turned_to_rescue"] == sum(found["disks_full"].values())


def test_a_damaged_file_costs_what_was_on_the_damaged_pages_only():
    found = figures("damaged", rounds=1)

    check(found)
    assert found["of_these_saved"] > found["spans_before_damage"] / 2


def test_two_kernels_that_are_restarted_lose_nothing():
    found = figures("kernels", rounds=1)

    check(found)
    assert found["restarts"] == 2
