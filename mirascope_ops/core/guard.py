"""One guard around everything that this library does inside a user's call.

A fault of ours must not become the user's exception: it is logged, once per place, and the call goes on as
if it were not traced. Tests set `strict(True)` and see every fault at once.
"""

from __future__ import annotations

import logging
from typing import Final

logger: Final = logging.getLogger("mirascope_ops")

_strict = False
_reported: set[str] = set()


def strict(*, on: bool) -> None:
    """Raise faults of ours instead of logging them; for tests.

    Args:
        on: Whether `report` raises.
    """
    global _strict  # noqa: PLW0603 - one switch for the process, as for `logging.raiseExceptions`
    _strict = on


def report(doing: str, error: Exception) -> None:
    """Log a fault of ours, the first time it happens at this place.

    Args:
        doing: What was being done, such as "recording a span".
        error: What went wrong.

    Raises:
        Exception: The error itself, under `strict(True)`.
    """
    if _strict:
        raise error
    if doing not in _reported:
        _reported.add(doing)
        logger.warning(
            "mirascope_ops failed while %s; your program goes on. This is reported once.", doing, exc_info=error
        )


def warn_once(place: str, message: str) -> None:
    """Log a warning to the user, once per place and process.

    Args:
        place: What the warning is about; a second warning about it is dropped.
        message: What happened, and what to do about it.
    """
    if place not in _reported:
        _reported.add(place)
        logger.warning(message)
