"""The thread on which a span starts, in the words of OpenTelemetry's conventions.

Spans of the main thread say nothing of it: they are most of all spans, and would say the same. So a span of ours
without a thread ran on the main thread of its process.
"""

from __future__ import annotations

import os
import threading
from threading import get_ident
from typing import TYPE_CHECKING, Any, Final

from mirascope_ops.core import attributes as keys

if TYPE_CHECKING:
    from collections.abc import Mapping

main: int = threading.main_thread().ident or 0
"""The identifier of the process's main thread."""


class _Here(threading.local):
    """What spans say of the thread that asks: made once in each thread."""

    def __init__(self) -> None:
        self.attributes: Mapping[str, Any] = {
            keys.THREAD_ID: get_ident(),
            keys.THREAD_NAME: threading.current_thread().name,
        }


_here: Final = _Here()


def attributes_here() -> Mapping[str, Any]:
    """Return `thread.id` and `thread.name` of the calling thread.

    Example:
        >>> attributes_here()["thread.name"]
        'MainThread'
    """
    return _here.attributes


def _after_fork() -> None:
    """The thread that forked is the child's main thread."""
    global main  # noqa: PLW0603 - one for the process
    main = get_ident()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
