"""What the writing thread does beside writing: retention, spans that were kept elsewhere, signs of life."""

from __future__ import annotations

import contextlib
import threading
import time
from typing import TYPE_CHECKING, Final, Protocol

from mirascope_ops.core import guard
from mirascope_ops.exceptions import StoreError

if TYPE_CHECKING:
    from collections.abc import Callable

    from mirascope_ops.store.protocol import Store

_GATHER_SECONDS: Final = 30.0
_RETURN_SECONDS: Final = 2.0
_SETTLE_SECONDS: Final = 10.0
_SETTLED_AT_ONCE: Final = 200  # sessions in one transaction
_PURGE_SECONDS: Final = 3600.0
_BACKWARDS_SECONDS: Final = 1.0  # clocks that are kept right by the network go back by less


class Kept(Protocol):
    """The recorder, as this module needs it."""

    store: Store
    rescued: bool

    def gather(self) -> None:
        """Take back what went elsewhere."""
        ...


class Housekeeping:
    """Looks after the store of one recorder.

    Args:
        kept: The recorder.
        stop: Set when the program ends.
    """

    def __init__(self, kept: Kept, stop: threading.Event) -> None:
        self._kept = kept
        self._stop = stop
        self._gather_at = self._purge_at = 0.0
        self._settle_at = _SETTLE_SECONDS
        self._purging: threading.Thread | None = None
        self._ahead = _ahead()

    def look(self, now: float) -> None:
        """Do what is due.

        Args:
            now: Seconds since the thread began, as it counts them.
        """
        if now >= self._gather_at:
            self._kept.gather()
            self._gather_at = now + (_RETURN_SECONDS if self._kept.rescued else _GATHER_SECONDS)
        elif self._kept.rescued:
            self._gather_at = min(self._gather_at, now + _RETURN_SECONDS)
        if now >= self._purge_at:
            self._purge_at = now + _PURGE_SECONDS
            self._start_purge()
        if now >= self._settle_at and not self._kept.rescued:
            more = self._settle()
            self._settle_at = now if more else now + _SETTLE_SECONDS
        self._look_at_the_clock()

    def _settle(self) -> bool:
        """Have some sessions added up that were left alone; returns whether there may be more."""
        settle: Callable[[int], int] | None = getattr(self._kept.store, "settle", None)
        try:
            return settle is not None and settle(_SETTLED_AT_ONCE) == _SETTLED_AT_ONCE
        except StoreError:  # of which the next write tells
            return False

    def _start_purge(self) -> None:
        """Enforce the retention in a thread of its own: it may take long, and spans must be written meanwhile."""
        if self._purging is None or not self._purging.is_alive():
            self._purging = threading.Thread(target=self._purge, name="mirascope_ops retention", daemon=True)
            with contextlib.suppress(RuntimeError):  # the interpreter is ending
                self._purging.start()

    def _purge(self) -> None:
        from mirascope_ops.store.archive import ArchiveError

        store = self._kept.store
        retention = getattr(store, "retention", None)
        if retention is None:
            return
        try:
            store.purge(retention.max_age_ns, retention.max_bytes, stopped=self._stop.is_set)  # type: ignore[attr-defined] # pyright: ignore[reportAttributeAccessIssue, reportUnknownMemberType] - stores with a retention have it
        except ArchiveError as error:
            guard.warn_once("purge", f"mirascope_ops could not enforce the store's retention: {error}")
        except StoreError:  # of which the next write tells; what is too old goes an hour later
            pass
        except Exception as error:  # noqa: BLE001 - the program goes on
            guard.report("enforcing the store's retention", error)

    def _look_at_the_clock(self) -> None:
        ahead = _ahead()
        if ahead < self._ahead - _BACKWARDS_SECONDS:
            guard.warn_once(
                "clock",
                f"The clock was set back by {self._ahead - ahead:.0f} s: spans that mirascope_ops records from now on "
                "may stand before earlier ones, and a span that was open meanwhile may end before it began. "
                "Nothing is lost; look-ups by session and trace are not affected.",
            )
        self._ahead = ahead


def _ahead() -> float:
    return time.time() - time.monotonic()
