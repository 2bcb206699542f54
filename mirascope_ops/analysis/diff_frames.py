"""The comparison of two runs as DataFrames: one row for each span of either run, and one row for all of it."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any, Final

from mirascope_ops._optional import require
from mirascope_ops.analysis.columns import array_of
from mirascope_ops.analysis.deltas import deltas
from mirascope_ops.analysis.origins import error_words
from mirascope_ops.analysis.partdiff import told
from mirascope_ops.analysis.schema import DIFF_SCHEMA, DIFF_SUMMARY_SCHEMA, DIFFERENCES
from mirascope_ops.analysis.sequences import Effort

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pandas import DataFrame  # pyright: ignore[reportMissingTypeStubs] - pandas ships none

    from mirascope_ops.analysis.deltas import Delta
    from mirascope_ops.analysis.diff import Comparison
    from mirascope_ops.analysis.rows import SpanRow
    from mirascope_ops.analysis.schema import Column

# What a span's own fields tell of both runs, with the difference where it is a number.
_FIELDS: Final = ("status", "duration", "ttft", "input_tokens", "output_tokens", "cost", "model", "input", "output")
_IDS: Final = ("start", "trace_id", "span_id")
_NUMBERS: Final = frozenset({"duration", "ttft", "input_tokens", "output_tokens", "cost"})
_MOST_CHARACTERS: Final = 4_000  # of one cell of the column `diff`
_FIGURES: Final = {"slowest turn": "slowest_turn", "first token": "ttft"}


def diff_frame(comparison: Comparison) -> DataFrame:
    """Give a comparison as a DataFrame, one row a span, each before those below it.

    Args:
        comparison: The comparison.

    Returns:
        A DataFrame with the columns and dtypes of `schema.DIFF_SCHEMA`.
    """
    effort = Effort()
    return _frame(DIFF_SCHEMA, [_row(delta, effort) for delta in deltas(comparison)])


def summary_frame(comparison: Comparison) -> DataFrame:
    """Give what a comparison comes to as a DataFrame of one row.

    Args:
        comparison: The comparison.

    Returns:
        A DataFrame with the columns and dtypes of `schema.DIFF_SUMMARY_SCHEMA`.
    """
    states = Counter[str](delta.state for delta in deltas(comparison))
    what = Counter(change.what for change in comparison.changes if change.what != "error" or change.before is None)
    row: dict[str, Any] = {column.name: None for column in DIFF_SUMMARY_SCHEMA}
    row |= {state: states[state] for state in DIFFERENCES}
    row |= {"changes": len(comparison.changes), "new_errors": what["error"], "fixed_errors": what["fixed"]}
    for figure in comparison.figures:
        name = _FIGURES.get(figure.name, figure.name.lower().replace(" ", "_"))
        row |= {f"{name}_a": figure.a, f"{name}_b": figure.b, f"{name}_delta": figure.delta}
    if not any(figure.name == "slowest turn" for figure in comparison.figures):  # there is one turn only
        row |= {f"slowest_turn_{end}": row[f"duration_{end}"] for end in ("a", "b", "delta")}
    return _frame(DIFF_SUMMARY_SCHEMA, [row])


def _row(delta: Delta, effort: Effort) -> dict[str, Any]:
    pair = delta.pair
    row: dict[str, Any] = {
        "turn": pair.turn,
        "depth": pair.depth,
        "change": delta.state,
        "differs": ", ".join(delta.words) or None,
        "name": pair.span.name,
        "kind": pair.span.kind,
        "error_a": _error(pair.a),
        "error_b": _error(pair.b),
        "diff": _lines(delta, effort),
    }
    for name in (*_FIELDS, *_IDS):
        before = None if pair.a is None else getattr(pair.a, name)
        after = None if pair.b is None else getattr(pair.b, name)
        row[f"{name}_a"], row[f"{name}_b"] = before, after
        if name in _NUMBERS:
            row[f"{name}_delta"] = None if before is None or after is None else after - before
    return row


def _error(span: SpanRow | None) -> str | None:
    return error_words(span) if span is not None and span.status == "error" else None


def _lines(delta: Delta, effort: Effort) -> str | None:
    lines: list[str] = []
    room = _MOST_CHARACTERS
    for sign, text in (line for found in delta.found for line in told(found, effort)):
        line = f"{' ' if sign == '=' else sign} {text}"
        if len(line) > room:
            return "\n".join([*lines, line[:room] + "…"])
        lines.append(line)
        room -= len(line) + 1
    return "\n".join(lines) or None


def _frame(schema: Sequence[Column], rows: Sequence[dict[str, Any]]) -> DataFrame:
    pd = require("pandas", extra="notebook")
    data = {column.name: array_of([row[column.name] for row in rows], column) for column in schema}
    return pd.DataFrame(data, index=pd.RangeIndex(len(rows)), copy=False)
