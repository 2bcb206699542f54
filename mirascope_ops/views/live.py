"""A session while it goes on: what its live card shows, as data and as text."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mirascope_ops.views.escape import one_line
from mirascope_ops.views.format import duration, plural, token_flow, usd

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mirascope_ops.views.session_outline import TurnLine

_MOST_NAMES = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveSession:
    """A session at one moment. Times in nanoseconds since the epoch; figures are of the session and its children.

    Attributes:
        session_id: The session's id.
        attributes: The session's attributes.
        execution_count: The cell's number, or None.
        started: When the session was entered.
        now: The moment.
        spans: How many spans have ended or are open.
        running: The open spans' names, innermost last.
        turns: How many traces.
        failed: How many of them failed.
        llm_calls: Model calls that have ended or are open.
        input_tokens: Tokens of all prompts so far; None where none were reported.
        output_tokens: In the same way.
        cost: In the same way, US dollars.
        past: The newest turns that are over, oldest first, for the bars; without their spans but for the last few.
        shown: The turns that have a row of their own.
        open_turns: The trace ids of those that still run.
    """

    session_id: str
    attributes: Mapping[str, Any]
    execution_count: int | None
    started: int
    now: int
    spans: int
    running: Sequence[str]
    turns: int
    failed: int
    llm_calls: int
    input_tokens: int | None
    output_tokens: int | None
    cost: float | None
    past: Sequence[TurnLine]
    shown: Sequence[TurnLine]
    open_turns: frozenset[str]

    @property
    def elapsed(self) -> int:
        """Nanoseconds since the session was entered."""
        return max(0, self.now - self.started)


def live_text(live: LiveSession) -> str:
    """The progress of a session on one line.

    Args:
        live: The session.
    """
    used = token_flow(live.input_tokens, live.output_tokens)
    parts = [
        f"Session {one_line(live.session_id, 80)} ● running for {duration(live.elapsed)}",
        plural(live.spans, "span"),
        plural(live.turns, "turn") if live.turns else "",
        f"{live.failed} failed" if live.failed else "",
        f"{used} tokens" if used else "",
        usd(live.cost) if live.cost is not None else "",
        running_names(live),
    ]
    return " · ".join(part for part in parts if part)


def running_names(live: LiveSession) -> str:
    """What runs now: "in chat, embed and 3 more"; "" where nothing does."""
    names = list(dict.fromkeys(one_line(name, 40) for name in reversed(live.running)))
    if not names:
        return ""
    rest = len(names) - _MOST_NAMES
    return f"in {', '.join(names[:_MOST_NAMES])}" + (f" and {rest} more" if rest > 0 else "")
