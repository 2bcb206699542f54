"""Markdown tables of what was measured."""

from __future__ import annotations

import statistics
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

LABELS = {
    "untraced": "not traced",
    "sdk": "OpenTelemetry SDK, 6 attributes",
    "sdk_batch": "OpenTelemetry SDK, 6 attributes",
    "sdk_here": "OpenTelemetry SDK, in our environment",
    "ours": "**mirascope_ops**",
    "ours_idle": "**mirascope_ops**, before anybody reads",
    "ours_batch": "**mirascope_ops**",
    "ours_file": "**mirascope_ops**, store in a file",
    "ours_shared": "**mirascope_ops**, store in a file that eight write",
    "mirascope": "mirascope.ops",
    "langfuse": "langfuse",
    "logfire": "logfire",
    "traceloop": "traceloop",
    "mlflow": "mlflow-tracing",
    "phoenix": "phoenix-otel, openinference",
}


def ratio(times: Sequence[float], base: Sequence[float]) -> str:
    """The median over the rounds of one time divided by the other."""
    quotients = [own / other for own, other in zip(times, base, strict=False) if other > 0]
    return f"{statistics.median(quotients):.2f}" if quotients else ""


def table(title: str, heads: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    """A table under a heading; the first column to the left, numbers to the right."""
    cells = [list(map(str, heads)), *([*map(str, row), *[""] * (len(heads) - len(row))] for row in rows)]
    widths = [max(3, *(len(row[column]) for row in cells if _counts(row, column))) for column in range(len(heads))]

    def line(row: Sequence[str]) -> str:
        return "| " + " | ".join([row[0].ljust(widths[0]), *map(str.rjust, row[1:], widths[1:])]) + " |"

    rule = "|" + "|".join(["-" * (widths[0] + 2), *("-" * (width + 1) + ":" for width in widths[1:])]) + "|"
    return "\n".join([f"### {title}", "", line(cells[0]), rule, *map(line, cells[1:])])


def _counts(row: Sequence[str], column: int) -> bool:
    """Whether a cell's width matters: a reason in place of numbers may be as long as it likes."""
    return not (column == 1 and len(row) > 2 and not any(row[2:]))  # noqa: PLR2004 - a label, a reason and no numbers
