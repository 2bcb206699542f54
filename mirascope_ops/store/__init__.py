"""The store: where spans, sessions and annotations are kept, and what can be done to it.

Example:
    >>> from mirascope_ops import ops
    >>> ops.store.flush()
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mirascope_ops.store.protocol import StoreStats
    from mirascope_ops.store.salvage import Repair

__all__ = ["delete", "flush", "repair", "stats", "vacuum"]


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
