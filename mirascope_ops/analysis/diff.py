"""What differs between two runs: the spans side by side, and the differences as a short list.

One cause is told once. An edit of a prompt shows in every span that the prompt passes through, an exception in every
span that it leaves, two turns that changed places in each of them: each of these is one difference, with all the spans
where it shows.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple

from mirascope_ops.analysis.alignment import Alignment, Pair, align
from mirascope_ops.analysis.origins import origins, same_error
from mirascope_ops.analysis.pairdiff import Found, differences
from mirascope_ops.analysis.stats import totals
from mirascope_ops.analysis.tree import lineage

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mirascope_ops.analysis.pairdiff import What
    from mirascope_ops.analysis.rows import SpanRow

# Which of several places an edit shows in is told: where it went in before where it came out.
_SIDES: Final = {"prompt": 0, "input": 1, "output": 2, "attributes": 3}


@dataclass(frozen=True, slots=True, eq=False)
class Change:
    """One difference between two runs.

    Attributes:
        what: added, removed or moved (a span, with all below it), prompt (what a model was asked), input, output,
            error (new), fixed (gone), status, model, name, kind, tags or attributes.
        places: Where it shows, the most telling place first.
    """

    what: What
    places: tuple[Found, ...]

    def __repr__(self) -> str:
        more = f", and {self.elsewhere} more" if self.elsewhere else ""
        return f"Change({self.what}, turn {self.turn}, {self.span.name!r}{more})"

    @property
    def pair(self) -> Pair:
        """The spans in which it shows best."""
        return self.places[0].pair

    @property
    def span(self) -> SpanRow:
        """The span in which it shows best, that of the second run where both have it."""
        return self.pair.span

    @property
    def elsewhere(self) -> int:
        """In how many other spans it shows."""
        return len({id(place.pair) for place in self.places}) - 1

    @property
    def turn(self) -> int:
        """The number of the turn, from 1, in the order of the comparison."""
        return self.pair.turn

    @property
    def before(self) -> Any:
        """The value in the first run, None where there is none."""
        return self.places[0].before

    @property
    def after(self) -> Any:
        """The value in the second run, None where there is none."""
        return self.places[0].after


class Figure(NamedTuple):
    """One figure of both runs.

    Attributes:
        name: What is measured.
        unit: ns, tokens, usd, or "" for a count.
        a: The first run's, None where nothing was reported.
        b: The second run's.
    """

    name: str
    unit: Literal["ns", "tokens", "usd", ""]
    a: float | None
    b: float | None

    @property
    def delta(self) -> float | None:
        """The second one less the first one, None where either is not known."""
        return None if self.a is None or self.b is None else self.b - self.a


class Comparison(NamedTuple):
    """Two runs compared.

    Attributes:
        alignment: The spans side by side.
        changes: What differs, in the order of the second run.
        figures: What both runs come to.
        found: For each pair, by identity, all that differs in it, repetitions included.
    """

    alignment: Alignment
    changes: tuple[Change, ...]
    figures: tuple[Figure, ...]
    found: dict[int, list[Found]]


def compare(a: Sequence[SpanRow], b: Sequence[SpanRow]) -> Comparison:
    """Compare two runs.

    Args:
        a: Spans of the first run, of any traces, in any order.
        b: Spans of the second run.

    Returns:
        The comparison. What is volatile (`volatile.VOLATILE`) and the figures (times, tokens, costs) are no changes;
        the figures stand beside each other.

    Example:
        >>> compare([], []).changes
        ()
    """
    alignment = align(a, b)
    pairs = alignment.walk()
    rank = {id(pair): place for place, pair in enumerate(pairs)}
    found = {id(pair): differences(pair) for pair in pairs if pair.a and pair.b}
    changes = [Change("moved", tuple(Found(pair, "moved") for pair in move)) for move in alignment.moves]
    changes += _one_sided(pairs)
    changes += _errors(found, pairs)
    changes += _merged([one for pair in pairs for one in found.get(id(pair), ()) if one.what not in {"error", "fixed"}])
    changes.sort(key=lambda change: (change.turn, _ORDER[change.what], rank[id(change.pair)]))
    for change in changes:
        if change.what in {"added", "removed", "moved"}:
            for place in change.places:
                found.setdefault(id(place.pair), []).insert(0, place)
    return Comparison(alignment, tuple(changes), _figures(a, b), found)


_ORDER: Final = {
    what: place
    for place, what in enumerate(
        ["error", "fixed", "status", "moved", "name", "kind", "model", "prompt", "input", "output", "added", "removed",
         "tags", "attributes"]
    )
}  # fmt: skip


def _one_sided(pairs: Sequence[Pair]) -> list[Change]:
    """Spans that only one of the runs has, each with all such spans below it."""
    changes: list[Change] = []
    inside: set[int] = set()
    for pair in pairs:
        if pair.a is not None and pair.b is not None:
            continue
        what: What = "added" if pair.a is None else "removed"
        if id(pair) not in inside:
            changes.append(Change(what, tuple(Found(one, what) for one in _below(pair))))
        inside.update(id(child) for child in pair.children if (child.a is None) == (pair.a is None))
    return changes


def _below(pair: Pair) -> list[Pair]:
    """A one-sided pair and those below it that have the same side only."""
    found: list[Pair] = []
    stack = [pair]
    while stack:
        one = stack.pop()
        if (one.a is None, one.b is None) == (pair.a is None, pair.b is None):
            found.append(one)
            stack.extend(reversed(one.children))
    return found


def _errors(found: dict[int, list[Found]], pairs: Sequence[Pair]) -> list[Change]:
    """New errors and fixed ones, each told where it began."""
    changes: list[Change] = []
    for what in ("error", "fixed"):
        told = [one for pair in pairs for one in found.get(id(pair), ()) if one.what == what]
        spans = {id(one.pair): one.pair.b if what == "error" else one.pair.a for one in told}
        # In reading order what is below comes later: from the end, an error is met where it began.
        groups: list[list[Found]] = []
        reached: dict[int, list[Found]] = {}  # by the pair that the error came to
        for one in reversed(told):
            group = _from_below(one, reached, spans)
            if group is None:
                groups.append(group := [])
            group.append(one)
            reached[id(one.pair)] = group
        changes += [Change(group[0].what, tuple(group)) for group in reversed(groups)]
    return changes


def _from_below(one: Found, reached: dict[int, list[Found]], spans: dict[int, SpanRow | None]) -> list[Found] | None:
    """Find the error that came to a span from one right below it."""
    span = spans[id(one.pair)]
    for child in reversed(one.pair.children):
        below = spans.get(id(child))
        if below is not None and span is not None and same_error(span, below):
            return reached[id(child)]
    return None


def _merged(found: Sequence[Found]) -> list[Change]:
    """The same edit in several places is one change: where it began, with all the places where it shows."""
    groups: dict[Any, list[Found]] = {}
    changes: list[Change] = []
    for one in found:
        if one.edit is None or one.what not in _SIDES:
            changes.append(Change(one.what, (one,)))
        else:
            # "1" may become "2" in many places for many reasons; a sentence does not.
            groups.setdefault((one.edit, None if one.edit.substantial else one.pair.turn), []).append(one)
    for group in groups.values():
        first = min(one.pair.turn for one in group)
        group.sort(key=lambda one: (one.pair.turn != first, _SIDES[one.what], one.pair.span.kind != "llm"))
        changes.append(Change(group[0].what, tuple(group)))
    return changes


def _figures(a: Sequence[SpanRow], b: Sequence[SpanRow]) -> tuple[Figure, ...]:
    one, other = totals(a), totals(b)
    times, times_b = _durations(a), _durations(b)
    several = max(one.traces, other.traces) > 1
    return (
        Figure("duration", "ns", sum(times) if times else None, sum(times_b) if times_b else None),
        *((Figure("slowest turn", "ns", max(times, default=None), max(times_b, default=None)),) if several else ()),
        Figure("first token", "ns", one.ttft, other.ttft),
        Figure("input tokens", "tokens", one.input_tokens, other.input_tokens),
        Figure("output tokens", "tokens", one.output_tokens, other.output_tokens),
        Figure("cost", "usd", one.cost, other.cost),
        Figure("LLM calls", "", one.llm_calls, other.llm_calls),
        Figure("spans", "", one.spans, other.spans),
        Figure("errors", "", len(origins(a)), len(origins(b))),
    )


def _durations(spans: Sequence[SpanRow]) -> list[int]:
    linked = lineage(spans)
    roots = [span for span, parent in zip(linked.spans, linked.parents, strict=True) if parent < 0]
    return [span.duration for span in roots if span.duration is not None]
