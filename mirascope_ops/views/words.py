"""Words that the views in text and in HTML share."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mirascope_ops.views.format import plural

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mirascope_ops.analysis.rows import Node, SessionCard

# Sign and word of a status: never colour alone.
STATUS = {
    "ok": ("✓", "ok"),
    "unset": ("✓", "ok"),
    "error": ("✕", "error"),
    "open": ("●", "running"),
    "interrupted": ("◐", "interrupted"),
}

# The sign, not the hyphen: as wide as a plus.
MINUS = "\N{MINUS SIGN}"

# How a difference between two runs is marked: the style sheet's class, the sign, the word.
CHANGE_MARKS = {
    "added": ("ad", "+", "only in B"),
    "removed": ("rm", MINUS, "only in A"),
    "moved": ("", "↕", "moved"),
    "changed": ("", "±", "changed"),
    "error": ("er", "✕", "new error"),
    "fixed": ("", "✓", "fixed"),
}

NO_SPANS = "No spans here yet. Decorate a function with @ops.trace and call it, or wrap code in ops.span(name)."
NO_SESSIONS = "No sessions here. A session starts with ops.session(id), or with %%ops_session in a cell."


def trace_status(roots: Sequence[Node], failed: int) -> tuple[str, str]:
    """A trace's status and its word: the worst of its roots; errors that all roots survived are recovered.

    Args:
        roots: The trace's roots.
        failed: How many spans of the trace raised an error.
    """
    found = {root.span.status for root in roots}
    for status in ("error", "open", "interrupted"):
        if status in found:
            return status, ""
    return "ok", f"ok, recovered from {plural(failed, 'error')}" if failed else ""


def run_words(card: SessionCard) -> str:
    """How much of the session the reported run made; "" where the card is about the whole session."""
    if card.run_spans is None:
        return ""
    made = plural(card.run_spans, "span") if card.run_spans else "no spans"
    return f"this run {made}, session {card.totals.spans:,}"


def session_word(card: SessionCard, failed: int) -> str:
    """The word of a session's status where it says more than the usual one."""
    if card.status != "error":
        return ""
    if failed:
        return plural(failed, "failed turn")
    return "error in a child" if card.children else ""
