"""The notebook cell that is running, as far as the core needs to know it.

The notebook layer says which cell runs; spans and sessions remember it. It is the one thing here that is
"current" for the whole process and not for a context: a thread started by a cell has no context to find it
in, and its best answer is the cell that runs now. A session keeps the cell in which it was entered, so work
started inside one is never ascribed to a later cell.
"""

from __future__ import annotations

from typing import NamedTuple


class Cell(NamedTuple):
    """A notebook cell at one execution.

    Attributes:
        id: The cell's id in the notebook file, or None where the frontend tells none.
        execution_count: The number shown as `In [n]`, or None.
        notebook: The notebook's path as its server names it, or None.
    """

    id: str | None
    execution_count: int | None
    notebook: str | None


_current: Cell | None = None


def current_cell() -> Cell | None:
    """Return the cell that runs now, or None outside a notebook.

    Example:
        >>> set_current_cell(Cell("c1", 7, "travel.ipynb"))
        >>> current_cell().execution_count
        7
        >>> set_current_cell(None)
    """
    return _current


def set_current_cell(cell: Cell | None) -> None:
    """Say which cell runs now; None when no cell does."""
    global _current  # noqa: PLW0603 - process-wide on purpose, see the module's docstring
    _current = cell
