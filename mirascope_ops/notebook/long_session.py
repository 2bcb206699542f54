"""A session over several cells: `%ops_session start` to `%ops_session stop`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mirascope_ops.core.session import clear, current_session, reapply, session

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mirascope_ops.core.cell import Cell
    from mirascope_ops.core.session import SessionContext


class LongSession:
    """The session that every cell of a shell starts in, while there is one.

    Cells that await run in contexts of their own, so nothing can be entered in one cell and left in another:
    the session is applied anew when a cell starts.
    """

    def __init__(self) -> None:
        self._context: SessionContext | None = None
        self._ended: set[str] = set()

    @property
    def context(self) -> SessionContext | None:
        """The session, or None."""
        return self._context

    def start(self, session_id: str | None, attributes: Mapping[str, Any]) -> SessionContext:
        """Enter a session from here on; one that was started before ends.

        Args:
            session_id: Its id, or None for a new one.
            attributes: JSON values.

        Raises:
            SessionError: The id or an attribute cannot be kept; what was started before goes on.
        """
        entering = session(session_id, attributes)
        self.end()
        self._context = entering.__enter__()
        return self._context

    def end(self) -> SessionContext | None:
        """End the session and return it; None where there is none."""
        ended, self._context = self._context, None
        if ended is not None:
            self._ended.add(ended.run_id)
            clear(ended)
        return ended

    def resume(self, cell: Cell) -> None:
        """Apply the session to the cell that starts, or clear away one that a cell could end for itself only."""
        current = current_session()
        if self._context is not None:
            self._context = reapply(self._context, cell)
        elif current is not None and current.run_id in self._ended:
            clear(current)
