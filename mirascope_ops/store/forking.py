"""A fork while stores are open: none may be in use at that instant, and the child opens them anew.

SQLite's locks belong to a process and are not inherited, but what SQLite counts of them in memory is copied. A child
that opens the file once more then believes that it holds what the parent holds: it takes no lock, the parent closes
the file as the last one that has it open and removes the log, and what the child writes is lost. So connections are
closed before a fork. Readings in other threads are waited for; one that takes long is ended and begins anew.
"""

from __future__ import annotations

import weakref
from typing import Protocol

from mirascope_ops.core import guard


class Forked(Protocol):
    """What has to be told of a fork."""

    def before_fork(self) -> None:
        """Come to rest, and begin nothing until `after_fork_in_parent`."""
        ...

    def after_fork_in_parent(self) -> None:
        """Go on."""
        ...

    def after_fork_in_child(self) -> None:
        """Start afresh."""
        ...


_open: weakref.WeakSet[Forked] = weakref.WeakSet()
_held: list[Forked] = []


def watch(opened: Forked) -> None:
    """Tell this object of forks, as long as it exists."""
    _open.add(opened)


def before_fork() -> None:
    """Bring all stores to rest; whoever writes to them must be held already."""
    for opened in list(_open):
        try:
            opened.before_fork()
        except Exception as error:  # noqa: BLE001 - the fork takes place, whatever becomes of a store
            guard.report("closing a store before a fork", error)
        else:
            _held.append(opened)


def after_fork_in_parent() -> None:
    """Let all go on, in the parent."""
    while _held:
        _held.pop().after_fork_in_parent()


def after_fork_in_child() -> None:
    """Let all start afresh, in the child."""
    _held.clear()
    for opened in list(_open):
        opened.after_fork_in_child()
