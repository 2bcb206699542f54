"""Header lines in tracebacks: what ran is a marker, what is shown is what the user wrote."""

from __future__ import annotations

import linecache
import sys
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from mirascope_ops.notebook.transform import is_header, is_marked

if TYPE_CHECKING:
    from collections.abc import Sequence


def show_header(filename: str, top: Sequence[str]) -> None:
    """Put the header lines as the user wrote them into the text from which tracebacks and debuggers show lines.

    Args:
        filename: The name under which the cell was compiled.
        top: The header lines, and blank ones between them.
    """
    lines = linecache.getlines(filename)
    if not lines or not is_marked(lines[0]):
        return
    lines[: len(top)] = [f"{line}\n" for line in top]
    if "stack_data" in sys.modules:
        keep_colours(filename)


def keep_colours(filename: str) -> None:
    """Let IPython mark the failing expression and colour the lines, for which it parses the whole text.

    A header line is no Python, so a copy without it is parsed; the lines that are shown stay as they are.

    Args:
        filename: The name under which the cell was compiled.
    """
    with suppress(Exception):  # without it the traceback is right, only plainer
        import stack_data

        source: Any = stack_data.Source.for_filename(filename)  # pyright: ignore[reportPrivateImportUsage] - it is public
        lines: list[str] = source.lines
        if source.tree is None and lines and is_header(lines[0]):
            body = next(index for index, line in enumerate([*lines, "end"]) if line.strip() and not is_header(line))
            source.__init__(filename, ["\n"] * body + [f"{line}\n" for line in lines[body:]])
            source.lines, source.text = lines, "\n".join([*lines, ""])
