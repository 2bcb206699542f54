"""The store: where spans, sessions and annotations are kept, and what can be done to it.

Example:
    >>> from mirascope_ops import ops
    >>> ops.store.flush()
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import os

    from mirascope_ops.store.protocol import Retention, StoreStats
    from mirascope_ops.store.salvage import Repair

__all__ = ["delete", "flush", "purge", "repair", "retain", "stats", "vacuum"]


def stats() -> StoreStats:
    """Say what is kept, where, for how long, and how to switch it off.

    Raises:
        StoreError: The store cannot be read.

    Example:
        >>> stats().recording
        True
    """
    from mirascope_ops.store import recorder
    from mirascope_ops.store.protocol import StoreStats

    active = recorder.active()
    active.flush()
    return active.stats() if active.recording else StoreStats(recording=False)


def flush() -> None:
    """Write all that was recorded so far; look-ups do it by themselves."""
    from mirascope_ops.store import recorder

    recorder.active().flush()


def delete(session: str) -> int:
    """Delete a session for good: its runs, spans and annotations.

    Args:
        session: The session's id.

    Returns:
        How many spans were deleted.

    Raises:
        StoreError: The store cannot be written.
    """
    from mirascope_ops.store import recorder

    with recorder.active().changing() as store:
        return store.delete([session])


def retain(
    *, days: float | str | None = None, size: int | str | None = None, archive: str | os.PathLike[str] | None = None
) -> Retention:
    """Set how long this process has its file keep traces; what is left out stays as it is.

    Every process that writes a file enforces its own retention, once an hour. For all of yours, set
    MIRASCOPE_OPS_KEEP_DAYS, MIRASCOPE_OPS_KEEP_SIZE and MIRASCOPE_OPS_ARCHIVE in the environment.

    Args:
        days: Traces whose last span ended longer ago are deleted; "forever" keeps them.
        size: The oldest traces are deleted until the file needs no more than this: bytes, or text such as "500 MB";
            "forever" sets no bound.
        archive: A folder to which traces are written before they are deleted, as files for `ops.read_otlp`.

    Returns:
        What holds now.

    Raises:
        ConfigurationError: A value means nothing.
        StoreError: Nothing is kept in a file.
    """
    from pathlib import Path

    from mirascope_ops.store import recorder, retention
    from mirascope_ops.store.protocol import Retention

    active = recorder.active()
    kept = active.rescue.retention if active.rescue is not None else Retention()
    if days is not None:
        kept = kept._replace(max_age_days=retention.days_of(days))
    if size is not None:
        kept = kept._replace(max_bytes=retention.bytes_of(size))
    if archive is not None:
        kept = kept._replace(archive=Path(archive).expanduser().absolute())
    active.retain(kept)
    return kept


def purge() -> int:
    """Enforce the retention now; it is enforced once an hour anyway.

    Returns:
        How many spans were deleted.

    Raises:
        StoreError: The store, or the archive, cannot be written.
    """
    from mirascope_ops.store import recorder

    with recorder.active().changing() as store:
        kept: Retention | None = getattr(store, "retention", None)
        if kept is None:
            return 0
        return store.purge(kept.max_age_ns, kept.max_bytes)  # type: ignore[attr-defined] # pyright: ignore[reportAttributeAccessIssue, reportUnknownMemberType, reportUnknownVariableType] - stores with a retention have it


def repair() -> Repair:
    """Save what can be read of a damaged file.

    A new file takes its place, with everything that is whole; the old one is kept beside it, and named in the answer.

    Returns:
        What was saved.

    Raises:
        StoreError: There is no file, or no room for a second one.

    Example:
        >>> from mirascope_ops import ops
        >>> try:
        ...     ops.store.repair()
        ... except ops.StoreError as error:
        ...     print(error)
        Only a file can be repaired, and this process keeps its spans in memory.
    """
    from mirascope_ops.store import recorder

    return recorder.active().repair()


def vacuum() -> None:
    """Give the space of deleted spans back to the file system.

    Raises:
        StoreError: The store cannot be written.
    """
    from mirascope_ops.store import recorder

    with recorder.active().changing() as store:
        compact = getattr(store, "vacuum", None)
        if compact is not None:
            compact()
