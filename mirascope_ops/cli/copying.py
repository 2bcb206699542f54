"""A copy of a store, for reading one that cannot be written: SQLite has to write even where somebody only reads."""

from __future__ import annotations

import os
import shutil
import tempfile
from contextlib import closing, contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Final

from mirascope_ops.cli.output import print_note
from mirascope_ops.exceptions import StoreError

if TYPE_CHECKING:
    from collections.abc import Generator

    from mirascope_ops.store.rescue import Rescue
    from mirascope_ops.store.sqlite import SqliteStore

_PATIENCE: Final = 5.0  # seconds for which another process may write what is to be copied
_PARTS: Final = ("", "-wal")  # of a database; what else lies beside it is made anew


def reason_for_copy(rescue: Rescue) -> str:
    """Say why a store can be read from a copy only; empty where it can be read itself, or not at all."""
    from mirascope_ops.store.location import network_of

    path = rescue.path
    kept = [place for place in rescue.places if os.access(place, os.R_OK)]
    if not path.exists():
        return f"{path} cannot be made" if kept and not _can_be_made(path.parent) else ""
    if not (path.is_file() and os.access(path, os.R_OK)):
        return ""
    if filesystem := network_of(path):
        return f"{path} is on a network file system ({filesystem})"
    if not (os.access(path, os.W_OK) and os.access(path.parent, os.W_OK)):
        return f"{path} cannot be written"
    if kept and shutil.disk_usage(path.parent).free < sum(_size(place) for place in kept):
        return f"There is no room in {path} for what was kept elsewhere meanwhile"
    return ""


@contextmanager
def copied(rescue: Rescue) -> Generator[SqliteStore]:
    """Copy a store, with what was kept elsewhere while it could not be written, for as long as this block lasts.

    Args:
        rescue: The store, and the places beside it. Nothing there is changed.

    Yields:
        The copy.

    Raises:
        OSError: There is no room for a copy.
        StoreError: The store is damaged, or somebody writes it for too long.
    """
    from mirascope_ops.store.sqlite import SqliteStore
    from mirascope_ops.views.escape import visible

    with tempfile.TemporaryDirectory(prefix="mirascope_ops-") as folder:  # its owner's alone
        path = Path(folder) / "spans.db"
        if rescue.path.exists():
            _copy(rescue.path, path)
        with closing(SqliteStore(path, retention=rescue.retention)) as store:
            for number, place in enumerate(rescue.places):
                try:
                    if place.exists():
                        _add(place, Path(folder) / f"rescue-{number}.db", store)
                except StoreError as error:
                    print_note(visible(f"Note: what was kept in {place} is left out: {error}"))
            yield store


def _add(place: Path, path: Path, store: SqliteStore) -> None:
    from mirascope_ops.store.records import SpanQuery
    from mirascope_ops.store.sqlite import SqliteStore

    _copy(place, path)
    with closing(SqliteStore(path)) as kept:
        spans = kept.spans(SpanQuery())
        store.write(spans, kept.runs(), kept.annotations(None))


def _copy(source: Path, target: Path) -> None:
    from mirascope_ops.store.location import network_of
    from mirascope_ops.store.lock import FileLock

    lock = source.with_name(f"{source.name}.lock")
    # Where it cannot be locked, those who write it are not kept from that; there is rarely anybody.
    can_be_locked = os.access(lock, os.W_OK) and not network_of(lock)
    with FileLock(lock, _PATIENCE).held() if can_be_locked else nullcontext():
        for part in _PARTS:
            beside = source.with_name(source.name + part)
            if beside.exists():
                shutil.copyfile(beside, target.with_name(target.name + part))


def _can_be_made(folder: Path) -> bool:
    while not folder.exists():
        folder = folder.parent
    return os.access(folder, os.W_OK)


def _size(place: Path) -> int:
    return sum(beside.stat().st_size for part in _PARTS if (beside := place.with_name(place.name + part)).exists())
