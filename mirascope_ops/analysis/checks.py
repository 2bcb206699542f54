"""Bounds on a run: what it may cost, how long it may take, what it must and must not contain."""

from __future__ import annotations

import math
from collections.abc import Iterable
from datetime import timedelta
from difflib import get_close_matches
from numbers import Real
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple, cast

from mirascope_ops.analysis.origins import error_words, origins
from mirascope_ops.analysis.stats import counted, totals_of
from mirascope_ops.analysis.tree import lineage
from mirascope_ops.analysis.turns import turns
from mirascope_ops.exceptions import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mirascope_ops.analysis.rows import SpanRow, Totals
    from mirascope_ops.analysis.stats import Calls
    from mirascope_ops.analysis.tree import Lineage

BOUNDS: Final = (
    "max_cost", "max_latency", "max_ttft", "no_errors", "max_errors", "max_tokens", "max_input_tokens",
    "max_output_tokens", "min_turns", "max_turns", "min_llm_calls", "max_llm_calls", "min_tool_calls", "max_tool_calls",
    "min_spans", "max_spans", "require", "forbid",
)  # fmt: skip
DEFAULTS: Final[dict[str, Any]] = {"no_errors": True, "min_spans": 1}
_SECOND: Final = 1_000_000_000
_TIMES: Final = frozenset({"max_latency", "max_ttft"})
_TOKENS: Final[dict[str, tuple[str, ...]]] = {
    "max_tokens": ("input_tokens", "output_tokens"),
    "max_input_tokens": ("input_tokens",),
    "max_output_tokens": ("output_tokens",),
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
        most: The span that has the largest part of what the whole run has.
    """

    check: str
    words: str = ""
    value: float | None = None
    bound: float | None = None
    unit: Literal["ns", "usd", ""] = ""
    span: SpanRow | None = None
    most: SpanRow | None = None


def breaches(spans: Sequence[SpanRow], bounds: Mapping[str, Any]) -> list[Breach]:
    """Find the bounds that do not hold for a set of spans.

    Args:
        spans: The spans.
        bounds: The bounds by name, as `Comparisons.check` takes them; None is no bound.

    Returns:
        Every breach.

    Raises:
        ConfigurationError: A bound is no number, or negative, or a name is no text.
    """
    run = _Run(spans, {name: bound for name, bound in bounds.items() if bound is not None})
    return [
        *run.counts(), *run.errors(), *run.tokens(), *run.cost(), *run.latency(), *run.first_tokens(), *run.names(),
    ]  # fmt: skip


def unknown_bound(name: str) -> TypeError:
    """Make the error for a bound that does not exist: it names the nearest.

    Example:
        >>> print(str(unknown_bound("max_costs"))[:59])
        check() has no bound 'max_costs': did you mean 'max_cost'?
    """
    nearest = get_close_matches(name, BOUNDS, 1, 0.5)
    meant = f": did you mean {nearest[0]!r}? There are" if nearest else "; there are"
    return TypeError(f"check() has no bound {name!r}{meant} {', '.join(BOUNDS)}.")


def number(bounds: Mapping[str, Any], name: str) -> float:
    """Read a bound: a number, or for a time seconds or a timedelta, in nanoseconds; 0 where there is none.

    Raises:
        ConfigurationError: It is no number, or negative.
    """
    value = bounds.get(name, 0)
    if name in _TIMES:
        value = value.total_seconds() if isinstance(value, timedelta) else value
    if isinstance(value, bool) or not isinstance(value, Real) or math.isnan(value) or value < 0:
        expected = "seconds or a timedelta" if name in _TIMES else "a number"
        message = f"{name}={bounds.get(name)!r} is no bound: give {expected}, 0 or more."
        raise ConfigurationError(message)
    return float(value) * _SECOND if name in _TIMES else float(value)


class _Run:
    """What a run comes to, held against bounds."""

    def __init__(self, spans: Sequence[SpanRow], bounds: Mapping[str, Any]) -> None:
        self.spans = spans
        self.bounds = bounds
        self.linked: Lineage = lineage(spans)
        self.calls: Calls = counted(self.linked)
        self.totals: Totals = totals_of(self.linked, self.calls)

    def counts(self) -> list[Breach]:
        """Check how many there are of what can be counted."""
        counts = {
            "turns": self.totals.traces,
            "llm_calls": self.totals.llm_calls,
            "tool_calls": self._tool_calls(),
            "spans": len(self.linked.spans),
        }
        found: list[Breach] = []
        for name, value in counts.items():
            least, most = (_whole(number(self.bounds, f"{end}_{name}")) for end in ("min", "max"))
            if value < least:
                found.append(Breach(f"min_{name}", value=value, bound=least))
            if f"max_{name}" in self.bounds and value > most:
                found.append(Breach(f"max_{name}", value=value, bound=most))
        return found

    def _tool_calls(self) -> int:
        """Count tools; one that two libraries recorded, one inside the other, counts once."""
        spans, parents = self.linked.spans, self.linked.parents
        above = [spans[parent] if parent >= 0 else None for parent in parents]
        return sum(
            span.kind == "tool" and not (outer and outer.kind == "tool" and outer.name == span.name)
            for span, outer in zip(spans, above, strict=True)
        )

    def errors(self) -> list[Breach]:
        """Check that nothing failed, or no more than is allowed."""
        name = "max_errors" if "max_errors" in self.bounds else "no_errors"
        allowed = _whole(number(self.bounds, "max_errors")) if name == "max_errors" else 0
        if name == "no_errors" and not self.bounds.get("no_errors"):
            return []
        failed = origins(self.spans)
        if len(failed) <= allowed:
            return []
        return [Breach(name, error_words(span), len(failed), allowed, span=span) for span in failed]

    def tokens(self) -> list[Breach]:
        """Check tokens; model calls that report none may have used any number."""
        found: list[Breach] = []
        for name, fields in _TOKENS.items():
            if name not in self.bounds:
                continue
            bound = _whole(number(self.bounds, name))
            used = [value for value in (getattr(self.totals, field) for field in fields) if value is not None]
            if sum(used) > bound:
                found.append(Breach(name, value=sum(used), bound=bound, most=self._largest(self.calls.usage, fields)))
            silent = len(self._silent(fields))
            if silent:
                calls = self.totals.llm_calls
                few = "none" if silent == calls else f"{calls - silent} only"
                verb = "reports" if silent == calls or calls - silent == 1 else "report"
                found.append(Breach(name, f"unknown: {few} of {calls} model calls {verb} tokens", bound=bound))
        return found

    def cost(self) -> list[Breach]:
        """Check the cost; a model call that reports none may have cost anything."""
        if "max_cost" not in self.bounds:
            return []
        bound, cost = number(self.bounds, "max_cost"), self.totals.cost
        found: list[Breach] = []
        if cost is not None and cost > bound:
            most = self._largest(self.calls.cost, ("cost",))
            found.append(Breach("max_cost", value=cost, bound=bound, unit="usd", most=most))
        silent = self._silent(("cost",))
        return [*found, *(Breach("max_cost", _unpriced(span), bound=bound, unit="usd", span=span) for span in silent)]

    def latency(self) -> list[Breach]:
        """Check how long each trace took; one that has not ended may take any time."""
        if "max_latency" not in self.bounds:
            return []
        bound = number(self.bounds, "max_latency")
        found: list[Breach] = []
        for turn in turns(self.spans):
            root = turn.roots[0].span
            if root.duration is None:
                found.append(Breach("max_latency", f"unknown: {root.status}", bound=bound, unit="ns", span=root))
            elif (turn.totals.duration or 0) > bound:
                found.append(Breach("max_latency", value=turn.totals.duration, bound=bound, unit="ns", span=root))
        return found

    def first_tokens(self) -> list[Breach]:
        """Check how long each model call that streamed took to its first token."""
        if "max_ttft" not in self.bounds:
            return []
        bound = number(self.bounds, "max_ttft")
        calls = [self.linked.spans[place] for place in self.calls.llm]
        if calls and all(span.ttft is None for span in calls):
            words = f"unknown: none of {len(calls)} model calls reports a time to its first token"
            return [Breach("max_ttft", words, bound=bound, unit="ns")]
        late = [span for span in calls if span.ttft is not None and span.ttft > bound]
        return [Breach("max_ttft", value=span.ttft, bound=bound, unit="ns", span=span) for span in late]

    def names(self) -> list[Breach]:
        """Check the spans that there must be, and those that there must not be."""
        spans = self.linked.spans
        names = {span.name for span in spans}
        forbidden = set(_names(self.bounds, "forbid"))
        required = _names(self.bounds, "require")
        return [
            *(Breach("require", _missing(name, names)) for name in required if name not in names),
            *(Breach("forbid", "this span must not be there", span=s) for s in spans if s.name in forbidden),
        ]

    def _silent(self, fields: Iterable[str]) -> list[SpanRow]:
        """Give the model calls of which nothing is known; a call that failed without an answer used nothing."""
        spans, parents = self.linked.spans, self.linked.parents
        telling = {place for place, span in enumerate(spans) if _reports(span, fields)}
        # What stands above or below a call is the call's too.
        told = telling | self.linked.above(telling)
        found: list[SpanRow] = []
        for place in self.calls.llm:
            above = place
            while above >= 0 and above not in telling:
                above = parents[above]
            span = spans[place]
            free = span.status == "error" and span.input_tokens is None and span.output_tokens is None
            if above < 0 and place not in told and not free:
                found.append(span)
        return found

    def _largest(self, places: list[int], fields: Iterable[str]) -> SpanRow | None:
        """Give the span that has the most of something, where there are others that have some."""
        if len(places) < 2:  # noqa: PLR2004 - nothing to compare
            return None
        spans = [self.linked.spans[place] for place in places]
        return max(spans, key=lambda span: sum(getattr(span, field) or 0 for field in fields))


def _reports(span: SpanRow, fields: Iterable[str]) -> bool:
    return any(getattr(span, field) is not None for field in fields)


def _unpriced(span: SpanRow) -> str:
    prices = f", and ops.configure(prices=...) tells none for {span.model!r}" if span.model else ""
    return f"unknown: this call reports no cost{prices}"


def _whole(value: float) -> float:
    return int(value) if value == value // 1 else value


def _missing(name: str, names: Iterable[str]) -> str:
    nearest = get_close_matches(name, sorted(names), 1)
    return f"no span is named {name!r}" + (f"; there is {nearest[0]!r}" if nearest else "")


def _names(bounds: Mapping[str, Any], name: str) -> list[str]:
    given = bounds.get(name, ())
    names = [given] if isinstance(given, str) else given
    if not isinstance(names, Iterable) or not all(isinstance(one, str) for one in cast("Iterable[Any]", names)):
        message = f"{name}={given!r} names no spans: give a name, or a list of names."
        raise ConfigurationError(message)
    return list(cast("Iterable[str]", names))
