"""Figures of a set of spans: totals in which each model call counts once, and a summary by group."""

from __future__ import annotations

from math import fsum
from typing import TYPE_CHECKING, Any, NamedTuple

from mirascope_ops._optional import require
from mirascope_ops.analysis.columns import array_of
from mirascope_ops.analysis.rows import SpanRow, Totals
from mirascope_ops.analysis.schema import SPANS_SCHEMA
from mirascope_ops.analysis.tree import Lineage, lineage, self_times
from mirascope_ops.analysis.twins import without_twins
from mirascope_ops.exceptions import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from pandas import DataFrame  # pyright: ignore[reportMissingTypeStubs] - pandas ships none

# What no summary can be grouped by: values that are lists or mappings.
_UNGROUPABLE = frozenset({"tags", "attributes", "events", "links", "annotations", "resource"})


class Calls(NamedTuple):
    """Which spans of a lineage count in a roll-up, as places in its order.

    Attributes:
        llm: The innermost model calls.
        usage: The innermost spans that report tokens.
        cost: The innermost spans that report a cost.
    """

    llm: list[int]
    usage: list[int]
    cost: list[int]


def counted(linked: Lineage) -> Calls:
    """Find the spans that a roll-up counts.

    Outer spans repeat the sum of what is below them, and one call may be recorded by two libraries, one
    inside the other. So of spans that report the same thing, those with none of them below count; and of those that
    two libraries recorded side by side, the first (`twins`).
    """
    spans = linked.spans

    def innermost(places: list[int]) -> list[int]:
        above = linked.above(places)
        return without_twins(spans, [place for place in places if place not in above])

    return Calls(
        innermost([place for place, span in enumerate(spans) if span.kind == "llm"]),
        innermost([place for place, span in enumerate(spans) if _reports_tokens(span)]),
        innermost([place for place, span in enumerate(spans) if span.cost is not None]),
    )


def innermost_calls(spans: Iterable[SpanRow]) -> list[SpanRow]:
    """Give the model calls of a set of spans, each once, by start."""
    linked = lineage(spans)
    return [linked.spans[place] for place in counted(linked).llm]


def totals(spans: Sequence[SpanRow]) -> Totals:
    """Sum up a set of spans; each model call counts once, however many spans tell of it.

    Args:
        spans: Spans of any traces, in any order.

    Returns:
        The figures; times in nanoseconds, cost in US dollars.

    Example:
        >>> totals([]).llm_calls
        0
    """
    linked = lineage(spans)
    return totals_of(linked, counted(linked))


def totals_of(linked: Lineage, calls: Calls) -> Totals:
    """Sum up a lineage of which is known what counts, as `totals` does spans."""
    found = linked.spans
    llm = [found[place] for place in calls.llm]
    usage = [found[place] for place in calls.usage]
    start = (found[0].start or None) if found else None
    end = max((span.end for span in found if span.end is not None), default=None)
    return Totals(
        spans=len(found),
        traces=len({span.trace_id for span in found}),
        errors=sum(span.status == "error" for span in found),
        llm_calls=len(llm),
        llm_errors=sum(span.status == "error" for span in llm),
        start=start,
        end=end,
        duration=None if start is None or end is None else max(end - start, 0),
        input_tokens=_sum(span.input_tokens for span in usage),
        output_tokens=_sum(span.output_tokens for span in usage),
        cache_read_tokens=_sum(span.cache_read_tokens for span in usage),
        cost=_sum(found[place].cost for place in calls.cost),
        ttft=next((span.ttft for span in llm if span.ttft is not None), None),
    )


def summary(spans: Sequence[SpanRow], by: str | Sequence[str] = "name") -> DataFrame:
    """Sum up spans in groups, the group with the longest total time first.

    Args:
        spans: Spans of any traces, in any order.
        by: The field or the fields to group by, such as "name", "kind" or ["model", "status"].

    Returns:
        A DataFrame indexed by the group, with the dtypes that the fields have in the spans frame. `count` and
        `errors` are Int64; `p50`, `p95`, `p99` and `total` of the durations, and `self_time` (without the time
        of children), are timedelta64[ns] and leave out open spans; `input_tokens`, `output_tokens` (Int64)
        and `cost` (Float64, US dollars) count each model call once, in the group of the innermost span that
        reported it.

    Raises:
        ConfigurationError: `by` names no field by which spans can be grouped.

    Example:
        >>> list(summary([]).columns)[:3]
        ['count', 'errors', 'p50']
    """
    pd = require("pandas", extra="notebook")
    fields = _grouping(by)
    linked = lineage(spans)
    calls = counted(linked)
    usage, cost = set(calls.usage), set(calls.cost)
    found = linked.spans
    schema = {column.name: column for column in SPANS_SCHEMA}
    table = pd.DataFrame({field: array_of([getattr(span, field) for span in found], schema[field]) for field in fields})
    table["#error"] = pd.array([int(span.status == "error") for span in found], dtype="Int64")
    table["#duration"] = pd.array([span.duration for span in found], dtype="Int64")
    table["#self"] = pd.array(self_times(linked), dtype="Int64")
    for name in ("input_tokens", "output_tokens"):
        values = [getattr(span, name) if place in usage else None for place, span in enumerate(found)]
        table[f"#{name}"] = pd.array(values, dtype="Int64")
    costs = [span.cost if place in cost else None for place, span in enumerate(found)]
    table["#cost"] = pd.array(costs, dtype="Float64")
    groups = table.groupby(fields if len(fields) > 1 else fields[0], dropna=False, observed=True, sort=False)
    durations = groups["#duration"]
    result = pd.DataFrame(
        {
            "count": groups.size().astype("Int64"),
            "errors": groups["#error"].sum(),
            "p50": _elapsed(pd, durations.quantile(0.50)),
            "p95": _elapsed(pd, durations.quantile(0.95)),
            "p99": _elapsed(pd, durations.quantile(0.99)),
            "total": _elapsed(pd, durations.sum(min_count=1)),
            "self_time": _elapsed(pd, groups["#self"].sum(min_count=1)),
            "input_tokens": groups["#input_tokens"].sum(min_count=1),
            "output_tokens": groups["#output_tokens"].sum(min_count=1),
            "cost": groups["#cost"].sum(min_count=1),
        }
    )
    return result.sort_values("total", ascending=False, kind="stable")


def _grouping(by: str | Sequence[str]) -> list[str]:
    fields = [by] if isinstance(by, str) else list(by)
    allowed = [field for field in SpanRow._fields if field not in _UNGROUPABLE]
    wrong = [field for field in fields if field not in allowed]
    if wrong or not fields:
        said = f"spans cannot be grouped by {wrong[0]!r}" if wrong else "no field to group by was given"
        message = f"{said}; expected one of {', '.join(allowed)}. For example: summary(by='kind')."
        raise ConfigurationError(message)
    return fields


def _reports_tokens(span: SpanRow) -> bool:
    return span.input_tokens is not None or span.output_tokens is not None


def _sum(values: Iterable[Any]) -> Any:
    present = [value for value in values if value is not None]
    if not present:
        return None
    total = sum(present)
    return fsum(present) if isinstance(total, float) else total  # `sum` of floats is another one since Python 3.12


def _elapsed(pd: Any, nanoseconds: Any) -> Any:
    # Quantiles of Int64 are Float64; NA becomes NaT.
    return pd.to_timedelta(nanoseconds.round().astype("Int64"), unit="ns").astype("timedelta64[ns]")
