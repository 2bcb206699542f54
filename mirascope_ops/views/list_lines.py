"""What a list tells of a session and of a trace, as data: a line of a table, of a terminal or of JSON."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from mirascope_ops.analysis.stats import totals
from mirascope_ops.analysis.tree import forest
from mirascope_ops.analysis.turns import turn_of
from mirascope_ops.analysis.verdicts import verdict_of_trace
from mirascope_ops.views.hints import hint
from mirascope_ops.views.outline import error_line, outline
from mirascope_ops.views.trace_list import sum_known
from mirascope_ops.views.words import trace_status

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mirascope_ops.analysis.rows import SessionCard, SpanRow, Totals
    from mirascope_ops.analysis.verdicts import Verdict


@dataclass(frozen=True, slots=True)
class SessionLine:
    """A session in a list; its own turns only, without those of its child sessions.

    Attributes:
        turns: How many turns.
        input_tokens: Tokens of prompts, None where none were reported.
        output_tokens: Tokens of answers, None where none were reported.
        cost: US dollars, None where none were reported.
        busy: How long its turns took together, in nanoseconds.
        last: What was said last, or the last turn's name; None before the first turn.
    """

    turns: int
    input_tokens: int | None
    output_tokens: int | None
    cost: float | None
    busy: int
    last: str | None


@dataclass(frozen=True, slots=True)
class TraceLine:
    """A trace in a list.

    Attributes:
        root: The root span.
        status: The worst status of its roots.
        word: The status' word where it is not the usual one, or "".
        verdict: What was judged of it.
        figures: Its totals.
        said: What it was asked, or why it failed; on a line of any length.
    """

    root: SpanRow
    status: str
    word: str
    verdict: Verdict | None
    figures: Totals
    said: str


def session_line(card: SessionCard) -> SessionLine:
    """Tell what a list says of a session.

    Args:
        card: The session.
    """
    own = [turn.totals for turn in card.turns]
    return SessionLine(
        turns=len(own),
        input_tokens=sum_known([one.input_tokens for one in own]),
        output_tokens=sum_known([one.output_tokens for one in own]),
        cost=sum_known([one.cost for one in own]),
        busy=sum(one.duration or 0 for one in own),
        last=next((turn.user or turn.name for turn in reversed(card.turns)), None),
    )


def trace_line(spans: Sequence[SpanRow]) -> TraceLine:
    """Tell what a list says of a trace.

    Args:
        spans: Its spans, at least one.
    """
    roots = forest(spans)
    view = outline(roots)
    root = view.lines[0]
    status, word = trace_status(roots, len(view.errors()))
    if status == "error":
        source = root.source if root.source >= 0 else view.errors()[0]
        said = error_line(view.lines[source].span)
    else:
        said = turn_of(spans).user or hint(root, view)
    verdict = verdict_of_trace([node.span for node in roots])
    return TraceLine(root.span, status, word, verdict, totals(spans), said)
