"""Where errors began: an exception on its way up fails every span that it leaves, and is one error."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mirascope_ops.analysis.tree import lineage

if TYPE_CHECKING:
    from collections.abc import Iterable

    from mirascope_ops.analysis.rows import SpanRow


def origins(spans: Iterable[SpanRow]) -> list[SpanRow]:
    """Give the spans in which an error began, by start.

    Args:
        spans: Spans of any traces, in any order.

    Returns:
        The failed spans, without those that only pass on the error of a span below them.

    Example:
        >>> origins([])
        []
    """
    linked = lineage(spans)
    passing: set[int] = set()
    for place, span in enumerate(linked.spans):
        above = linked.parents[place]
        # An exception that is caught on its way leaves the spans above it alone.
        while span.status == "error" and above >= 0 and same_error(linked.spans[above], span):
            passing.add(above)
            above = linked.parents[above]
    return [span for place, span in enumerate(linked.spans) if span.status == "error" and place not in passing]


def same_error(above: SpanRow, below: SpanRow) -> bool:
    """Whether a span failed with the error of a span below it; libraries differ in what they write of it."""
    if above.status != "error":
        return False
    if above.error_type and below.error_type and _last_name(above.error_type) != _last_name(below.error_type):
        return False
    return not above.error_message or not below.error_message or above.error_message == below.error_message


def error_words(span: SpanRow) -> str:
    """The error of a span in one text: "ValueError: no city", as far as it is known."""
    return ": ".join(part for part in (_last_name(span.error_type or ""), span.error_message) if part) or "error"


def _last_name(dotted: str) -> str:
    return dotted.rpartition(".")[2]
