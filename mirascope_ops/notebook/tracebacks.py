"""Header lines in tracebacks: what ran is a marker, what is shown is what the user wrote."""

from __future__ import annotations

import linecache
from typing import TYPE_CHECKING, Any, Self

from mirascope_ops.notebook.transform import is_marked

if TYPE_CHECKING:
    from collections.abc import Sequence


class _ShownLine(str):  # noqa: SLOT000 - a str with an attribute has no slots to declare
    """A line that is the marker to whoever parses it and the user's header to whoever shows it.

    Tracebacks strip the lines they show; `inspect` and `stack_data` join the lines they parse.
    """

    _shown: str

    def __new__(cls, source: str, shown: str) -> Self:
        made = super().__new__(cls, source)
        made._shown = shown
        return made

    def rstrip(self, chars: str | None = None, /) -> str:
        return self._shown.rstrip(chars)

    def strip(self, chars: str | None = None, /) -> str:
        return self._shown.strip(chars)


def show_header(filename: str, top: Sequence[str]) -> None:
    """Let tracebacks show the header lines as the user wrote them.

    Args:
        filename: The name under which the cell was compiled.
        top: The header lines, and blank ones between them.
    """
    lines = linecache.getlines(filename)
    if lines and is_marked(lines[0]):
        for index, header in enumerate(top):
            lines[index] = _ShownLine(lines[index], header + "\n")


def show_header_in_colour(filename: str) -> None:
    """Let a coloured traceback show them too: it cuts lines out of its own copy of the text.

    Args:
        filename: The name under which the cell was compiled.
    """
    lines = linecache.getlines(filename)
    if not lines or not isinstance(lines[0], _ShownLine):
        return
    try:
        import stack_data
    except ImportError:
        return
    source: Any = stack_data.Source.for_filename(filename)  # pyright: ignore[reportPrivateImportUsage] - it is public
    source.text = "\n".join([*source.lines, ""])
