"""Text in figures: escaped for plotly, which reads a few tags; units; what was left out."""

from __future__ import annotations

import html
from typing import Final

from mirascope_ops.views.escape import one_line
from mirascope_ops.views.format import plural

_UNITS: Final = ((3_600_000_000_000, "h"), (60_000_000_000, "min"), (1_000_000_000, "s"))


def label_text(text: str, limit: int) -> str:
    """A name on one line, safe in labels and hover texts.

    Example:
        >>> label_text("<b>chat</b>", 40)
        '&lt;b&gt;chat&lt;/b&gt;'
    """
    # Dollar signs would make MathJax read it, where a host has that.
    return html.escape(one_line(text, limit) or "(no name)", quote=False).replace("$", "&#36;")


def unit_of(longest: int) -> tuple[int, str]:
    """The unit of an axis that reaches so many nanoseconds: its size, and its name."""
    return next(((size, name) for size, name in _UNITS if longest >= size), (1_000_000, "ms"))


def left_out(number: int, noun: str) -> str:
    """What a title says of what the figure does not show; "" where that is nothing."""
    return f"; {plural(number, f'more {noun}')} left out" if number > 0 else ""
