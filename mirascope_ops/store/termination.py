"""Signals that end a program at once: what it traced is written first.

SIGTERM and SIGHUP end a process without running a line of Python more, atexit's handlers included; what was traced in
the last tenth of a second would be lost. So they get a handler, where the program has none: it writes, and then lets
the signal do what it does without us, so that whoever sent it sees the same end. A program that sets a handler of its
own takes the place of ours.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType

# On Windows a process is ended by other means, which nobody can handle.
_SIGNALS = () if sys.platform == "win32" else (signal.SIGTERM, signal.SIGHUP)

_write_first: Callable[[Callable[[], None]], None] | None = None


def watch(write_first: Callable[[Callable[[], None]], None]) -> bool:
    """Handle the signals that nobody handles; only the main thread can, another one changes nothing.

    Args:
        write_first: Writes what waits and then calls what it is given, which ends the process.

    Returns:
        Whether somebody handles the first of them, by which servers are ended; what a program's own handler does is
        its own affair.
    """
    global _write_first  # noqa: PLW0603 - a process has one handler of a signal
    _write_first = write_first
    if threading.current_thread() is threading.main_thread():
        for number in _SIGNALS:
            if signal.getsignal(number) is signal.SIG_DFL:
                signal.signal(number, _handle)
    return all(signal.getsignal(number) is not signal.SIG_DFL for number in _SIGNALS[:1])


def unwatch() -> None:
    """Give the signals back, where they are still ours."""
    if threading.current_thread() is threading.main_thread():
        for number in _SIGNALS:
            if signal.getsignal(number) is _handle:
                signal.signal(number, signal.SIG_DFL)


def _handle(number: int, frame: FrameType | None) -> None:
    del frame

    def end() -> None:
        signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)

    if _write_first is None:
        end()
    else:
        _write_first(end)
