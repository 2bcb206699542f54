"""Which process wrote a span, and whether it still lives.

A span that is open in the file belongs to a process that may have been killed since. Its number alone does
not tell: numbers are used again. So a process is known by its number, the time at which it started, and the
running system (boot and process namespace) in which that number means something.
"""

from __future__ import annotations

import functools
import os
import platform
import shutil
import subprocess
import sys
import uuid
from pathlib import Path
from typing import NamedTuple

# How long a process that we cannot look at (another machine or container, or a system that does not tell) may
# be silent before its open spans read as interrupted.
SILENCE_NS = 3600 * 10**9

_UNKNOWN = "unknown"


class Process(NamedTuple):
    """One process that writes to a store.

    Attributes:
        token: A random name: a process that opens the store again is another writer.
        system: The running system, as `this_system` names it.
        pid: The process's number there.
        started: When it started, in whatever unit the system has; "unknown" where it does not tell.
    """

    token: str
    system: str
    pid: int
    started: str


def this_process() -> Process:
    """Describe the calling process, under a new token."""
    pid = os.getpid()
    return Process(uuid.uuid4().hex, this_system(), pid, start_of(pid) or _UNKNOWN)


@functools.cache
def this_system() -> str:
    """Name the running system: machine, boot, and the namespace of process numbers."""
    parts = [platform.node()]
    for read in (
        lambda: Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip(),
        lambda: str(Path("/proc/self/ns/pid").readlink()),
    ):
        try:
            parts.append(read())
        except OSError:
            parts.append("")
    return "|".join(parts)


def is_alive(process: Process, *, heartbeat: int, now: int) -> bool:
    """Tell whether a process still runs.

    Args:
        process: The process.
        heartbeat: When it last wrote, in nanoseconds since the epoch.
        now: The present time, in the same unit.

    Returns:
        What the system says where it can be asked; else whether the process wrote within the last hour.
    """
    if process.system == this_system() and process.started != _UNKNOWN:
        started = start_of(process.pid)
        if started != _UNKNOWN:
            return started == process.started
    return now - heartbeat < SILENCE_NS


def start_of(pid: int) -> str | None:
    """Say when the process of this number started; None where there is none, "unknown" where nobody tells."""
    if sys.platform == "linux":
        return _start_in_proc(pid)
    if sys.platform == "win32":
        return _UNKNOWN
    return _start_by_ps(pid)


def _start_in_proc(pid: int) -> str | None:
    try:
        status = Path(f"/proc/{pid}/stat").read_bytes()
    except FileNotFoundError:
        return None if Path("/proc/self").exists() else _UNKNOWN
    except OSError:
        return None  # it ended between opening and reading
    # The name, in parentheses, may hold spaces and parentheses: count from the last one.
    fields = status.rpartition(b")")[2].split()
    state, started = fields[0], fields[19]
    return None if state in (b"Z", b"X") else started.decode("ascii")  # a zombie has ended


def _start_by_ps(pid: int) -> str | None:
    program = shutil.which("ps")
    if program is None:
        return _UNKNOWN
    try:
        answer = subprocess.run(  # noqa: S603 - fixed arguments, and a number
            [program, "-o", "stat=,lstart=", "-p", str(pid)],
            capture_output=True,
            text=True,
            timeout=5,
            check=False,
            env={"LC_ALL": "C"},
        )
    except (OSError, subprocess.SubprocessError):
        return _UNKNOWN
    state, _, started = answer.stdout.strip().partition(" ")
    return None if not state or state.startswith("Z") else started.strip()
