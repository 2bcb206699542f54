"""What a reviewer reads: items in a list, and one of them in full, as plain data; the browser makes text of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, TypedDict

from mirascope_ops.analysis.messages import messages_of
from mirascope_ops.analysis.stats import totals
from mirascope_ops.analysis.tree import forest
from mirascope_ops.analysis.turns import turn_of
from mirascope_ops.analysis.verdicts import Verdict, verdict_of
from mirascope_ops.views.escape import one_line, visible
from mirascope_ops.views.format import date, duration, plural, short_id, token_flow, usd
from mirascope_ops.views.trace_list import as_traces, by_trace

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mirascope_ops.analysis.rows import Message, SpanRow

_LIMIT: Final = 20_000  # characters of one value
_SHORT: Final = 160
_MOST_MESSAGES: Final = 40


@dataclass(frozen=True, slots=True)
class ReviewItem:
    """One thing to judge.

    Attributes:
        span: The span that the judgement is kept on: a trace's root, or the span itself.
        spans: What is read: the trace's spans, or the span alone.
    """

    span: SpanRow
    spans: Sequence[SpanRow]


class VerdictData(TypedDict):
    """A judgement as the browser knows it."""

    label: str | None
    score: float | None
    note: str


class ItemData(TypedDict):
    """A row of the list."""

    name: str
    about: str
    status: str
    verdict: VerdictData | None


class SaidData(TypedDict):
    """One message, with the tool calls that it asks for."""

    role: str
    text: str
    calls: list[str]


class PageData(TypedDict):
    """An item in full; `cut` counts values that were cut or left out."""

    facts: list[str]
    error: str
    messages: list[SaidData]
    values: list[tuple[str, str]]
    code: str
    cut: int


def review_items(spans: Sequence[SpanRow], *, by: str | None = None) -> list[ReviewItem]:
    """Give what there is to judge.

    Args:
        spans: The spans.
        by: "trace" or "span"; None takes traces where the spans come with their trees, spans where they were picked
            out of them.
    """
    if by == "span" or (by is None and not as_traces(spans)):
        return [ReviewItem(span, [span]) for span in spans]
    return [ReviewItem(forest(group)[0].span, group) for group in by_trace(spans)]


def verdict_data(verdict: Verdict | None) -> VerdictData | None:
    """A judgement for the browser."""
    if verdict is None:
        return None
    label = None if verdict.label is None else one_line(verdict.label, 40)
    return {"label": label, "score": verdict.score, "note": visible((verdict.note or "")[:_LIMIT])}


def item_data(item: ReviewItem) -> ItemData:
    """A row of the list.

    Args:
        item: The item.
    """
    turn = turn_of(item.spans)
    return {
        "name": one_line(item.span.name, 60),
        "about": one_line(turn.user or item.span.input or "", _SHORT),
        "status": item.span.status,
        "verdict": verdict_data(verdict_of(item.span.annotations)),
    }


def page_data(item: ReviewItem) -> PageData:
    """An item in full.

    Args:
        item: The item.

    Returns:
        Strings only, cut, and without characters that act instead of being read.
    """
    told = _Teller()
    span = item.span
    said = told.messages(_conversation(item.spans))
    figures = totals(item.spans)
    used = token_flow(figures.input_tokens, figures.output_tokens)
    facts = [
        plural(len(item.spans), "span") if len(item.spans) > 1 else span.kind,
        duration(span.duration) if span.duration is not None else span.status,
        f"{used} tokens" if used else "",
        usd(figures.cost) if figures.cost is not None else "",
        f"session {one_line(span.session_id, 60)}" if span.session_id is not None else "",
        f"In [{span.execution_count}]" if span.execution_count is not None else "",
        date(span.start),
    ]
    problem = ": ".join(part for part in (span.error_type, span.error_message) if part)
    values = [("Input", span.input), ("Output", span.output)]
    return {
        "facts": [fact for fact in facts if fact],
        "error": told.text(problem or "error") if span.status == "error" else "",
        "messages": said,
        "values": [] if said else [(label, told.text(value)) for label, value in values if value],
        "code": f"ops.get_trace({short_id(span.trace_id)!r})",
        "cut": told.cut,
    }


def _conversation(spans: Sequence[SpanRow]) -> list[Message]:
    """The messages of the last model call that has an answer, which holds those before it."""
    calls = [span for span in spans if span.kind == "llm"]
    read = [messages_of(span) for span in calls]
    answered = [messages for messages in read if messages and messages[-1].role == "assistant"]
    return (answered or [messages for messages in read if messages] or [[]])[-1]


class _Teller:
    """Makes text of values, and counts what it cuts."""

    def __init__(self) -> None:
        self.cut = 0

    def text(self, value: str) -> str:
        if len(value) <= _LIMIT:
            return visible(value)
        self.cut += 1
        return f"{visible(value[:_LIMIT])}… {len(value) - _LIMIT:,} more characters"

    def messages(self, messages: Sequence[Message]) -> list[SaidData]:
        self.cut += max(0, len(messages) - _MOST_MESSAGES)
        return [self._message(message) for message in messages[-_MOST_MESSAGES:]]

    def _message(self, message: Any) -> SaidData:
        calls = [self.text(f"{call.name}({call.arguments})") for call in message.tool_calls]
        return {"role": one_line(message.role, 40), "text": self.text(message.content), "calls": calls}
