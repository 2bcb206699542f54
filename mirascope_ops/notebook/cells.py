"""Which notebook cell is running: what the kernel was told about it."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, Any, Final

from mirascope_ops.core.cell import Cell

if TYPE_CHECKING:
    from collections.abc import Callable

_LABEL: Final = re.compile(r"In ?\[(\d+)\]")


def cell_of(shell: Any, info: Any) -> Cell:
    """Describe the cell that is about to run.

    Args:
        shell: The InteractiveShell.
        info: The ExecutionInfo of `pre_run_cell`.
    """
    return Cell(_cell_id(shell, info), execution_count(shell, info), _notebook(shell))


def execution_count(shell: Any, info: Any) -> int:
    """Return the number that the cell gets as `In [n]`, asked before it runs.

    Newer versions of IPython have counted up by then, older ones do it after the cell, and both only for cells
    that go into the history. `In` does not hold the cell yet: it is as long as the number is high.
    """
    count: int = shell.execution_count
    counted = info.store_history and len(shell.history_manager.input_hist_parsed) != count
    return count - 1 if counted else count


def request_of(shell: Any) -> dict[str, Any]:
    """Return the kernel's message that asked for this execution; empty where there is no kernel."""
    kernel = getattr(shell, "kernel", None)
    get_parent = getattr(kernel, "get_parent", None)
    request: Any = get_parent() if callable(get_parent) else None
    return request or {}


def _cell_id(shell: Any, info: Any) -> str | None:
    # VS Code and JupyterLab send it in the request's metadata; ipykernel hands it on to IPython.
    metadata: dict[str, Any] = request_of(shell).get("metadata") or {}
    found: Any = getattr(info, "cell_id", None) or metadata.get("cellId")
    return str(found) if found else None


def _notebook(shell: Any) -> str | None:
    # Jupyter Server sets the variable when it starts a kernel for a notebook, VS Code sets the name.
    found = os.environ.get("JPY_SESSION_NAME") or shell.user_ns.get("__vsc_ipynb_file__")
    return str(found) if found else None


def count_by_file(shell: Any) -> Callable[[str], int | None]:
    """Return a function that tells the execution count of the cell compiled under a file's name, or None.

    Args:
        shell: The InteractiveShell.
    """

    def count(filename: str) -> int | None:
        named: Any = shell.compile.format_code_name(filename)  # ("Cell", "In[5]") for cells, None for files
        found = _LABEL.fullmatch(named[1]) if named else None
        return int(found[1]) if found else None

    return count
