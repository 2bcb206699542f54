"""Bounds on a run: what it may cost, how long it may take, what it must and must not contain."""

from __future__ import annotations

import math
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple

from mirascope_ops.analysis.origins import error_words, origins
from mirascope_ops.analysis.stats import counted, totals_of
from mirascope_ops.analysis.tree import lineage
from mirascope_ops.analysis.turns import turns
from mirascope_ops.exceptions import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mirascope_ops.analysis.rows import SpanRow
    from mirascope_ops.analysis.tree import Lineage

_SECOND: Final = 1_000_000_000
_COUNTS: Final = {
    "max_llm_calls": "llm_calls",
    "max_input_tokens": "input_tokens",
    "max_output_tokens": "output_tokens",
}


class Breach(NamedTuple):
    """One bound that does not hold.

    Attributes:
        check: The bound's name, such as "max_cost".
        words: What is wrong, where value and bound do not say it.
        value: What was measured, None where nothing was.
        bound: What was allowed, None where the check has no bound.
        unit: ns, usd, or "" for a count.
        span: The span that breaks it, None where the whole run does.
    """

    check: str
    words: str = ""
    value: float | None = None
    bound: float | None = None
    unit: Literal["ns", "usd", ""] = ""
    span: SpanRow | None = None


def breaches(spans: Sequence[SpanRow], bounds: Mapping[str, Any]) -> list[Breach]:
    """Find the bounds that do not hold for a set of spans.

    Args:
        spans: The spans.
        bounds: The bounds by name, as `SpanSet.check` takes them; None is no bound.

    Returns:
        Every breach.

    Raises:
        ConfigurationError: A bound is no number, or negative.
    """
    given = {name: bound for name, bound in bounds.items() if bound is not None}
    linked = lineage(spans)
    calls = counted(linked)
    total = totals_of(linked, calls)
    known = len(linked.spans)
    found: list[Breach] = []
    if known < (least := number(given, "min_spans")):
        found.append(Breach("min_spans", value=known, bound=least))
    allowed = number(given, "max_errors") if "max_errors" in given else 0
    failed = origins(spans)
    if ("max_errors" in given or given.get("no_errors")) and len(failed) > allowed:
        name = "max_errors" if "max_errors" in given else "no_errors"
        found += [Breach(name, error_words(span), len(failed), allowed, span=span) for span in failed]
    for name, field in _COUNTS.items():
        if name in given:
            found += _count(name, getattr(total, field), number(given, name), total.llm_calls)
    if "max_tokens" in given:
        used = [count for count in (total.input_tokens, total.output_tokens) if count is not None]
        found += _count("max_tokens", sum(used) if used else None, number(given, "max_tokens"), total.llm_calls)
    if "max_cost" in given:
        found += _cost(linked, calls.llm, calls.cost, total.cost, number(given, "max_cost"))
    if "max_latency" in given:
        found += _latency(spans, number(given, "max_latency"))
    names = {span.name for span in linked.spans}
    found += [Breach("require", f"no span is named {name!r}") for name in _names(given, "require") if name not in names]
    forbidden = set(_names(given, "forbid"))
    found += [Breach("forbid", "this span must not be there", span=s) for s in linked.spans if s.name in forbidden]
    return found


def number(bounds: Mapping[str, Any], name: str) -> float:
    """Read a bound: a number, or for `max_latency` seconds or a timedelta, in nanoseconds; 0 where there is none.

    Raises:
        ConfigurationError: It is no number, or negative.
    """
    value = bounds.get(name, 0)
    if name == "max_latency":
        value = value.total_seconds() if isinstance(value, timedelta) else value
    if isinstance(value, bool) or not isinstance(value, int | float) or math.isnan(value) or value < 0:
        expected = "seconds or a timedelta" if name == "max_latency" else "a number"
        message = f"{name}={bounds.get(name)!r} is no bound: give {expected}, 0 or more."
        raise ConfigurationError(message)
    return value * _SECOND if name == "max_latency" else value


def _count(name: str, value: int | None, bound: float, calls: int) -> list[Breach]:
    if value is None:
        return [Breach(name, f"unknown: none of {calls} model calls reports tokens", bound=bound)] if calls else []
    return [Breach(name, value=value, bound=bound)] if value > bound else []


def _cost(linked: Lineage, llm: list[int], priced: list[int], cost: float | None, bound: float) -> list[Breach]:
    found = [Breach("max_cost", value=cost, bound=bound, unit="usd")] if cost is not None and cost > bound else []
    # A cost that stands above or below a call is the call's too; a call that failed without using tokens is free.
    told = {*priced, *linked.above(priced)}
    for place in llm:
        above = place
        while above >= 0 and linked.spans[above].cost is None:
            above = linked.parents[above]
        span = linked.spans[place]
        free = span.status == "error" and span.input_tokens is None and span.output_tokens is None
        if above < 0 and place not in told and not free:
            found.append(Breach("max_cost", "unknown: this call reports no cost", bound=bound, unit="usd", span=span))
    return found


def _latency(spans: Sequence[SpanRow], bound: float) -> list[Breach]:
    found: list[Breach] = []
    for turn in turns(spans):
        root = turn.roots[0].span
        if root.duration is None:
            found.append(Breach("max_latency", f"unknown: {root.status}", bound=bound, unit="ns", span=root))
        elif (turn.totals.duration or 0) > bound:
            found.append(Breach("max_latency", value=turn.totals.duration, bound=bound, unit="ns", span=root))
    return found


def _names(bounds: Mapping[str, Any], name: str) -> list[str]:
    names = bounds.get(name, ())
    return [names] if isinstance(names, str) else list(names)
