"""What became of each span from one run to the other, with tokens and cost of both."""

from __future__ import annotations

from math import fsum
from typing import TYPE_CHECKING, Literal, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mirascope_ops.analysis.alignment import Pair
    from mirascope_ops.analysis.diff import Comparison
    from mirascope_ops.analysis.pairdiff import Found
    from mirascope_ops.analysis.rows import SpanRow

State = Literal["same", "changed", "moved", "added", "removed"]


class Usage(NamedTuple):
    """Tokens and cost of a span with all below it.

    Attributes:
        tokens: Of prompts and answers; None where none were reported.
        cost: US dollars; None where none was reported.
    """

    tokens: int | None = None
    cost: float | None = None


class Delta(NamedTuple):
    """A pair with all that there is to tell of it.

    Attributes:
        pair: The pair.
        state: What became of the span.
        found: What differs.
        a: Usage in the first run.
        b: Usage in the second run.
        differs: Whether anything differs in it or below it.
    """

    pair: Pair
    state: State
    found: Sequence[Found]
    a: Usage
    b: Usage
    differs: bool

    @property
    def words(self) -> list[str]:
        """What differs, without what the state says."""
        return list(dict.fromkeys(one.what for one in self.found if one.what != self.state))


def deltas(comparison: Comparison) -> list[Delta]:
    """Give the pairs of a comparison, each before those below it.

    Args:
        comparison: The comparison.

    Returns:
        One delta for each pair. Usage counts each model call once: of a span that repeats what is below it, its own
        is left out.

    Example:
        >>> from mirascope_ops.analysis.diff import compare
        >>> deltas(compare([], []))
        []
    """
    made: dict[int, Delta] = {}
    pairs = comparison.alignment.walk()
    for pair in reversed(pairs):
        found = comparison.found.get(id(pair), ())
        state = _state(pair, found)
        below = [made[id(child)] for child in pair.children]
        made[id(pair)] = Delta(
            pair,
            state,
            found,
            _usage(pair.a, [delta.a for delta in below]),
            _usage(pair.b, [delta.b for delta in below]),
            state != "same" or any(delta.differs for delta in below),
        )
    return [made[id(pair)] for pair in pairs]


def _state(pair: Pair, found: Sequence[Found]) -> State:
    if pair.a is None:
        return "added"
    if pair.b is None:
        return "removed"
    if any(one.what != "moved" for one in found):
        return "changed"
    return "moved" if pair.moved else "same"


def _usage(span: SpanRow | None, below: Sequence[Usage]) -> Usage:
    tokens = [usage.tokens for usage in below if usage.tokens is not None]
    costs = [usage.cost for usage in below if usage.cost is not None]
    own = [] if span is None else [n for n in (span.input_tokens, span.output_tokens) if n is not None]
    return Usage(
        sum(tokens) if tokens else sum(own) if own else None,
        fsum(costs) if costs else None if span is None else span.cost,
    )
