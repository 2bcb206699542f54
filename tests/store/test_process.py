"""Telling a process that ended from one that lives, also where its number is used again."""

from __future__ import annotations

import os
import subprocess
import sys
import time

import pytest

from mirascope_ops.exceptions import StoreError
from mirascope_ops.store import process
from mirascope_ops.store.lock import FileLock
from mirascope_ops.store.process import SILENCE_NS, Process, is_alive, start_of, this_process


@pytest.fixture
def child():
    running = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    yield running
    running.kill()
    running.communicate()


def test_this_process_is_alive():
    assert is_alive(this_process(), heartbeat=0, now=10 * SILENCE_NS)


def test_a_killed_process_is_gone_before_its_parent_collects_it(child):
    known = this_process()._replace(pid=child.pid, started=start_of(child.pid))
    alive = is_alive(known, heartbeat=0, now=0)

    child.kill()
    deadline = time.monotonic() + 120
    while is_alive(known, heartbeat=0, now=0) and time.monotonic() < deadline:
        time.sleep(0.01)

    assert alive
    assert not is_alive(known, heartbeat=0, now=0)
    assert child.returncode is None


def test_a_number_used_again_is_another_process():
    impostor = this_process()._replace(started="1")

    assert not is_alive(impostor, heartbeat=0, now=0)


def test_a_process_elsewhere_is_believed_alive_while_it_writes():
    elsewhere = Process("token", "another machine", os.getpid(), "1")

    assert is_alive(elsewhere, heartbeat=0, now=SILENCE_NS - 1)
    assert not is_alive(elsewhere, heartbeat=0, now=SILENCE_NS)


def test_where_the_system_does_not_tell_the_heartbeat_decides(monkeypatch):
    monkeypatch.setattr(process, "start_of", lambda pid: "unknown")
    known = this_process()

    assert is_alive(known, heartbeat=0, now=1)
    assert not is_alive(known, heartbeat=0, now=SILENCE_NS)


def test_without_proc_the_process_list_tells(monkeypatch, tmp_path, child):
    ps = tmp_path / "ps"
    ps.write_text(
        f"#!/bin/sh\n[ $4 = {child.pid} ] && echo 'S+   Mon Nov 24 10:00:00 2025'\n[ $4 = 1 ] && echo 'Z Mon'\n"
    )
    ps.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.setattr(process.sys, "platform", "darwin")

    assert start_of(child.pid) == "Mon Nov 24 10:00:00 2025"
    assert start_of(1) is None
    assert start_of(2) is None


def test_a_lock_held_elsewhere_is_waited_for_and_then_reported(tmp_path):
    path = tmp_path / "spans.db.lock"
    code = (
        "import sys, pathlib; from mirascope_ops.store.lock import FileLock\n"
        "with FileLock(pathlib.Path(sys.argv[1])).held(): print('held', flush=True); input()"
    )
    holder = subprocess.Popen([sys.executable, "-c", code, path], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    holder.stdout.readline()

    with pytest.raises(StoreError, match="another file"), FileLock(path, timeout=0.05).held():
        pass
    holder.kill()
    holder.communicate()

    with FileLock(path, timeout=60).held():
        assert path.stat().st_mode & 0o777 == 0o600


def test_a_lock_file_that_was_removed_is_made_anew(tmp_path):
    path = tmp_path / "spans.db.lock"
    lock = FileLock(path)
    with lock.held():
        pass

    path.unlink()
    with lock.held():
        exists = path.exists()
    lock.close()
    lock.close()

    assert exists


def test_a_lock_in_an_impossible_place_says_what_to_do(tmp_path):
    with pytest.raises(StoreError, match="MIRASCOPE_OPS_STORE"), FileLock(tmp_path / "none" / "lock").held():
        pass
