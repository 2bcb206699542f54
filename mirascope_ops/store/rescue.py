"""Where spans go while their store cannot be written, and how they come back.

A full disk, a folder that became read-only, a damaged file, one of a newer version, another program that holds the
file: the traced program goes on, and its spans are kept in a file of the same kind beside the store, or, where that is
impossible too, in this machine's folder for temporary files, or in memory. Every process of the same store uses the
same places; whoever can write the store again moves there what it finds in them.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
from typing import TYPE_CHECKING, Final

from mirascope_ops.core import guard
from mirascope_ops.exceptions import StoreError
from mirascope_ops.store import location
from mirascope_ops.store.memory import MemoryStore
from mirascope_ops.store.protocol import Retention
from mirascope_ops.store.records import SpanQuery
from mirascope_ops.store.sqlite import SqliteStore

if TYPE_CHECKING:
    from pathlib import Path

    from mirascope_ops.store.protocol import Store

_PATIENCE: Final = 5.0  # seconds to wait for another process that holds the file
_PROBING: Final = 0.2  # the same, to see whether it can be written again
_BATCH: Final = 2_000


class Rescue:
    """The places beside one store.

    Args:
        path: The store's file.
        retention: How long it keeps traces, and what is kept beside it.
    """

    def __init__(self, path: Path, retention: Retention = Retention()) -> None:  # noqa: B008 - immutable
        self.path = path
        self.retention = retention
        digest = hashlib.sha256(os.fsencode(path)).hexdigest()[:16]
        self._tried = 0  # how many of the places are in use or cannot be used
        self.places = (path.with_name(path.name + ".rescue"), location.local_folder() / f"rescue-{digest}.db")

    def opened(self, patience: float | None = None) -> SqliteStore:
        """Open the store itself.

        Args:
            patience: Seconds to wait for another process that holds the file; five where None.

        Raises:
            StoreError: It cannot be opened.
        """
        return SqliteStore(self.path, retention=self.retention, patience=_PATIENCE if patience is None else patience)

    def open(self, error: StoreError) -> Store:
        """Open the next place that can be written; memory is the last. Warns of it.

        Args:
            error: Why the store itself, or the place that was opened before, cannot be written.
        """
        for place in self.places[self._tried :]:
            self._tried += 1
            try:
                store = SqliteStore(place, retention=self.retention, patience=_PATIENCE)
            except StoreError:
                continue
            try:
                store.write([])
            except StoreError:
                store.close()
                continue
            _warn(error, f"in {place}; they are moved to the store once it can be written")
            return store
        _warn(error, "in memory only, and go when this process ends before the store can be written")
        return MemoryStore()

    def original(self) -> SqliteStore | None:
        """Open the store itself, if it can be written by now."""
        try:
            store = self.opened(_PROBING)
        except StoreError:
            return None
        try:
            store.write([])
        except StoreError:
            store.close()
            return None
        store.wait_for_others(_PATIENCE)
        self._tried = 0
        return store

    def take_back(self, rescued: Store, store: Store) -> None:
        """Move all that one store holds to another.

        Raises:
            StoreError: One of them fails; nothing is lost, what was moved may be in both.
        """
        if isinstance(rescued, SqliteStore):
            while rescued.hand_over(store, _BATCH):
                pass
            rescued.remove_empty()
            return
        spans = rescued.spans(SpanQuery())
        store.write(spans, rescued.runs(), rescued.annotations(sorted({span.trace_id for span in spans})))

    def gather(self, store: Store) -> None:
        """Move to the store what any process left in one of the places.

        Raises:
            StoreError: A store fails; nothing is lost, and what is in the other place was moved if it could be.
        """
        failure: StoreError | None = None
        for place in self.places:
            if place.exists():
                try:
                    with contextlib.closing(SqliteStore(place, patience=_PATIENCE)) as left:
                        self.take_back(left, store)
                except StoreError as error:
                    failure = failure or error
        if failure is not None:
            raise failure


def _warn(error: StoreError, where: str) -> None:
    guard.warn_once(
        f"rescue {where}", f"mirascope_ops cannot use its store. {error} Until then spans are kept {where}."
    )
