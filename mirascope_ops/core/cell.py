"""The notebook cell that is running, as far as the core needs to know it.

The notebook layer says which cell runs; spans and sessions remember it. It is the one thing here that is
"current" for the whole process and not for a context: a thread started by a cell has no context to find it
in, and its best answer is the cell that runs now. A session keeps the cell in which it was entered, so work
started inside one is never ascribed to a later cell.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, NamedTuple

from mirascope_ops.core import guard

if TYPE_CHECKING:
    from collections.abc import Callable

# A frame in the text of a traceback; in an exception group it stands behind a margin.
_FRAME: Final = r'^[ |]*File "(.+)", line \d+'


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


_lookup: Callable[[str], int | None] | None = None


def set_cell_files(lookup: Callable[[str], int | None] | None) -> None:
    """Say how the file of a frame tells the notebook cell that its code comes from.

    Args:
        lookup: Returns the cell's execution count, None for files that are no cells; or None where there is no
            notebook.
    """
    global _lookup  # noqa: PLW0603 - process-wide, as the current cell is
    _lookup = lookup


def cells_in(stacktrace: str) -> dict[str, int]:
    """Return the cells that a traceback runs through, by the names of their files; empty outside a notebook.

    Args:
        stacktrace: The traceback as text.

    Example:
        >>> set_cell_files({"/tmp/ipykernel_1/2.py": 7}.get)
        >>> cells_in('  File "/tmp/ipykernel_1/2.py", line 1, in <module>')
        {'/tmp/ipykernel_1/2.py': 7}
        >>> set_cell_files(None)
    """
    if _lookup is None:
        return {}
    try:
        numbers = {name: _lookup(name) for name in dict.fromkeys(re.findall(_FRAME, stacktrace, re.MULTILINE))}
    except Exception as error:  # noqa: BLE001 - the exception is recorded all the same
        guard.report("finding the cells of a traceback", error)
        return {}
    return {name: number for name, number in numbers.items() if number is not None}
