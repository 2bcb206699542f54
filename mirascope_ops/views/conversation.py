"""What the views of a conversation share: its title and figures, the words beside a turn, and which turns fit."""

from __future__ import annotations

from collections import Counter
from statistics import median_low
from typing import TYPE_CHECKING, Final

from mirascope_ops.analysis.stats import counted, totals_of
from mirascope_ops.analysis.tree import lineage
from mirascope_ops.views.escape import one_line
from mirascope_ops.views.format import count, duration, plural, token_flow, tokens
from mirascope_ops.views.hints import model_word
from mirascope_ops.views.values import structured

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from mirascope_ops.analysis.conversation import ConversationMessage, ConversationReader, ConversationTurn
    from mirascope_ops.analysis.rows import SpanRow

FEW: Final = 20  # turns that are shown whole rather than more of them cut short
MOST_MESSAGES: Final = 40  # of one turn

NOTHING_SAID: Final = "no messages, inputs or outputs were recorded"
ROLES: Final = {"system": "System", "user": "User", "assistant": "Assistant", "tool": "Tool", "error": "Error"}


class Talk:
    """A conversation, or some turns of it, as its views tell it.

    Args:
        reader: Reads the turns.
        places: Which turns.
        name: What it is called; None takes the session's id, else the first trace's name.
        source: The call that gives the whole conversation.
    """

    def __init__(
        self, reader: ConversationReader, places: range, *, name: str | None = None, source: str = ".conversation()"
    ) -> None:
        self._reader = reader
        self._name = name
        self.places = places
        self.source = source
        spans = [span for place in places for span in reader.groups[place]]
        linked = lineage(spans)
        counting = counted(linked)
        self.totals = totals_of(linked, counting)
        self.calls = [linked.spans[place] for place in counting.llm]
        self.failed = len(
            {
                span.trace_id
                for span, parent, orphan in zip(linked.spans, linked.parents, linked.orphans, strict=True)
                if parent < 0 and not orphan and span.status == "error"
            }
        )
        self.open = len({span.trace_id for span in spans if span.status == "open"})
        self.sessions = list(dict.fromkeys(span.session_id for span in linked.spans if span.session_id is not None))
        self._first = linked.spans[0] if linked.spans else None
        took = [span.duration for span in self.calls if span.duration is not None]
        self.longest = max([1, *took])
        answered = [span.duration for span in self.calls if span.duration is not None and span.status != "error"]
        self.latency = median_low(answered) if answered else None
        first = [span.ttft for span in self.calls if span.ttft is not None]
        self.ttft = median_low(first) if first else None

    @property
    def name(self) -> str:
        """What the conversation is called."""
        if self._name is not None:
            return self._name
        if self.sessions:
            return self.sessions[0] if len(self.sessions) == 1 else f"in {plural(len(self.sessions), 'session')}"
        return self._first.name if self._first is not None else ""

    @property
    def title(self) -> str:
        """The title as plain text."""
        return f"Conversation {one_line(self.name, 120)}".strip()

    @property
    def status(self) -> tuple[str, str]:
        """Status, and its word where it says more than the usual one."""
        if self.open:
            return "open", ""
        return ("error", plural(self.failed, "failed turn")) if self.failed else ("ok", "")

    def about(self, said: int | None) -> list[str]:
        """The facts of the second line as plain text.

        Args:
            said: How many messages there are; None where they were not all read.
        """
        size = plural(len(self.places), "turn") + (f", {plural(said, 'message')}" if said is not None else "")
        models = Counter(span.model for span in self.calls if span.model)
        model = one_line(models.most_common(1)[0][0], 80) if models else ""
        if len(models) > 1:
            model += f" and {plural(len(models) - 1, 'other model')}"
        more = plural(len(self.sessions), "session") if self._name is not None and len(self.sessions) > 1 else ""
        return [part for part in (size, more, model) if part]

    @property
    def model(self) -> str:
        """The model that most calls went to."""
        models = Counter(span.model for span in self.calls if span.model)
        return models.most_common(1)[0][0] if models else ""

    def turn(self, place: int, *, is_first: bool) -> ConversationTurn:
        """Read a turn; the first one that is shown tells what the model was instructed."""
        return self._reader.turn(place, is_first=is_first)

    def fit(
        self, render: Callable[[ConversationTurn, int], str], most: int, limits: Sequence[int]
    ) -> tuple[list[str], int]:
        """The newest turns that fit, as whole as can be.

        Args:
            render: Renders a turn, its values cut at so many characters.
            most: Bytes of UTF-8 for all turns.
            limits: Characters of a value, most first; a smaller one is tried where only a few turns fit.

        Returns:
            The rendered turns, oldest first, and the limit of values that was taken.
        """
        shown: list[str] = []
        limit = limits[0]
        for limit in limits:
            shown, left = [], most
            for place in reversed(self.places):
                text = render(self.turn(place, is_first=False), limit)
                left -= len(text.encode())
                if left < 0:
                    break
                shown.append(text)
            if len(shown) >= min(FEW, len(self.places)):
                break
        if shown:
            oldest = self.places[len(self.places) - len(shown)]
            shown[-1] = render(self.turn(oldest, is_first=True), limit)
        return shown[::-1], limit


def turn_words(turn: ConversationTurn) -> list[str]:
    """What a turn did, in a few words: how long it took, and with how many calls."""
    totals = turn.turn.totals
    spans = _spans(turn)
    tools = sum(1 for span in spans if span.kind == "tool")
    calls = len(turn.calls)
    counts = ", ".join(
        part
        for part in (
            plural(calls, "model call") if calls > 1 or tools else "",
            plural(tools, "tool") if tools else "",
        )
        if part
    )
    retrieved = [_documents(span) for span in spans if span.kind == "retriever"]
    found = sum(number for number in retrieved if number is not None)
    retrieval = f"retrieved {plural(found, 'document')}" if any(number is not None for number in retrieved) else ""
    states = {node.span.status for node in turn.turn.roots}
    return [
        part
        for part in (
            duration(totals.duration) if totals.duration is not None else "",
            retrieval or (plural(len(retrieved), "retrieval") if retrieved else ""),
            counts,
            "streamed" if any(call.ttft is not None for call in turn.calls) else "",
            "failed" if turn.turn.error else "",
            "recovered from an error" if turn.turn.recovered else "",
            next((word for word, status in (("running", "open"), ("interrupted",) * 2) if status in states), ""),
        )
        if part
    ]


def usage_words(span: SpanRow, talk: Talk) -> str:
    """What a call took of tokens, and its model where it is not the conversation's."""
    used = token_flow(span.input_tokens, span.output_tokens)
    cached = f", {tokens(span.cache_read_tokens)} cached" if span.cache_read_tokens and used else ""
    model = one_line(model_word(span), 60) if span.model != talk.model else ""
    parts = [model, f"{used} tokens{cached}" if used else "no tokens" if model else ""]
    return ", ".join(part for part in parts if part)


def shown_messages(turn: ConversationTurn) -> tuple[Sequence[ConversationMessage], int, Sequence[ConversationMessage]]:
    """The messages of a turn to show: the first ones, how many are left out, the last ones."""
    said = turn.messages
    if len(said) <= MOST_MESSAGES:
        return said, 0, []
    first = MOST_MESSAGES // 4
    last = MOST_MESSAGES - first
    return said[:first], len(said) - MOST_MESSAGES, said[-last:]


def role_word(role: str) -> str:
    """A role as a word at the beginning of a line."""
    return ROLES.get(role) or one_line(role.capitalize(), 24) or "(no role)"


def missing_words(talk: Talk, shown: int) -> tuple[str, str]:
    """How many turns are left out, and the call that shows them; both "" where none are."""
    missing = len(talk.places) - shown
    if not missing:
        return "", ""
    first, last = talk.places[0], talk.places[missing - 1]
    part = f"[{first or ''}:{last + 1}]" if talk.places.step == 1 else f"[:{count(missing)}]"
    return plural(missing, "earlier turn"), talk.source + part


def _spans(turn: ConversationTurn) -> list[SpanRow]:
    found: list[SpanRow] = []
    waiting = list(turn.turn.roots)
    while waiting:
        node = waiting.pop()
        found.append(node.span)
        waiting += node.children
    return found


def _documents(span: SpanRow) -> int | None:
    value = structured(span.output) if span.output else None
    return len(value) if isinstance(value, list) else None
