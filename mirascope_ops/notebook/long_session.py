"""A session over several cells: `%ops_session start`, `stop` and `status`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mirascope_ops.core.cell import Cell, current_cell
from mirascope_ops.core.session import clear, current_session, enter, reapply, session
from mirascope_ops.exceptions import SessionError

if TYPE_CHECKING:
    from mirascope_ops.core.session import SessionContext


class LongSession:
    """The session in which every cell of a shell starts, if there is one.

    No token is kept from cell to cell: cells that await run in contexts of their own, so the session is applied
    anew at the start of each, as the same run in another cell.
    """

    def __init__(self) -> None:
        self._current: SessionContext | None = None

    @property
    def current(self) -> SessionContext | None:
        """The session as it was last applied, or None."""
        return self._current

    def start(self, session_id: str | None, attributes: dict[str, Any]) -> SessionContext:
        """Enter a session now and in every cell that follows, until `stop`.

        Args:
            session_id: The session's id, or None for a new one.
            attributes: Its attributes.

        Raises:
            SessionError: One is running already, or the id or an attribute cannot be kept.
        """
        if self._current is not None:
            message = f"The session {self._current.id!r} is running already: stop it with %ops_session stop."
            raise SessionError(message)
        checked = session(session_id, attributes)
        self._current = enter(checked.id, checked.attributes, current_session(), current_cell()).context
        return self._current

    def resume(self, cell: Cell) -> None:
        """Make the session current in the cell that starts."""
        if self._current is not None:
            self._current = reapply(self._current, cell)

    def stop(self) -> SessionContext | None:
        """End the session; returns it, or None where none was running."""
        stopped, self._current = self._current, None
        if stopped is not None:
            clear(stopped)
        return stopped
