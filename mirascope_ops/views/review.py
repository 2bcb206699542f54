"""What a reviewer reads: items in a list, and one of them in full, as plain data; the browser makes text of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, TypedDict

from mirascope_ops.analysis.conversation import ConversationReader
from mirascope_ops.analysis.messages import messages_of
from mirascope_ops.analysis.rows import Message
from mirascope_ops.analysis.stats import totals
from mirascope_ops.analysis.tree import forest
from mirascope_ops.analysis.turns import turn_of
from mirascope_ops.analysis.verdicts import Verdict, verdict_of, verdict_of_session
from mirascope_ops.views.escape import one_line, visible
from mirascope_ops.views.format import date, duration, plural, short_id, token_flow, usd
from mirascope_ops.views.html_parts import call
from mirascope_ops.views.trace_list import as_traces, by_trace

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mirascope_ops.analysis.rows import SpanRow

_LIMIT: Final = 20_000  # characters of one value
_SHORT: Final = 160
_MOST_MESSAGES: Final = 40
_FEW: Final = 2  # messages before the question that are not worth folding


@dataclass(frozen=True, slots=True)
class ReviewItem:
    """One thing to judge.

    Attributes:
        span: The span that the judgement is kept on: a trace's root, the span itself, the last root of a session.
        spans: What is read: the spans of the trace or of the session, or the span alone.
        session_id: The session that is judged as a whole; None where it is a trace or a span.
    """

    span: SpanRow
    spans: Sequence[SpanRow]
    session_id: str | None = None

    @property
    def verdict(self) -> Verdict | None:
        """The judgement that holds."""
        if self.session_id is not None:
            return verdict_of_session(self.session_id, self.spans)
        return verdict_of(self.span.annotations)


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
    """An item in full; `cut` counts values that were cut, `earlier` the messages before the question that is judged."""

    facts: list[str]
    error: str
    earlier: int
    messages: list[SaidData]
    values: list[tuple[str, str]]
    code: str
    cut: int


def review_items(spans: Sequence[SpanRow], *, by: str | None = None, session_id: str | None = None) -> list[ReviewItem]:
    """Give what there is to judge.

    Args:
        spans: The spans.
        by: "session", "trace" or "span"; None takes traces where the spans come with their trees, spans where they
            were picked out of them.
        session_id: The session that the spans are: without `by`, its turns are judged and then the session itself.
    """
    if by == "session":
        return _sessions(spans) if session_id is None else _session(session_id, spans)
    if by == "span" or (by is None and session_id is None and not as_traces(spans)):
        return [ReviewItem(span, [span]) for span in spans]
    items = [ReviewItem(forest(group)[0].span, group) for group in by_trace(spans)]
    return items if by is not None or session_id is None else [*items, *_session(session_id, spans)]


def _sessions(spans: Sequence[SpanRow]) -> list[ReviewItem]:
    groups: dict[str, list[SpanRow]] = {}
    for span in spans:
        if span.session_id is not None:
            groups.setdefault(span.session_id, []).append(span)
    return [item for session_id, group in groups.items() for item in _session(session_id, group)]


def _session(session_id: str, spans: Sequence[SpanRow]) -> list[ReviewItem]:
    """A session as a whole; one without spans is not there to be judged."""
    own = [span for span in spans if span.session_id == session_id] or spans
    roots = [span for span in own if span.parent_id is None] or own
    return [ReviewItem(max(roots, key=lambda span: span.start), spans, session_id)] if roots else []


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
    if item.session_id is not None:
        return {
            "name": f"Session {one_line(item.session_id, 60)}",
            "about": f"Session {one_line(item.session_id, 60)} as a whole",
            "status": "error" if any(root.status == "error" for root in _roots(item)) else "ok",
            "verdict": verdict_data(item.verdict),
        }
    turn = turn_of(item.spans)
    return {
        "name": one_line(item.span.name, 60),
        "about": one_line(turn.user or item.span.input or "", _SHORT),
        "status": item.span.status,
        "verdict": verdict_data(item.verdict),
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
    whole = item.session_id is not None
    said = told.messages(_held(item.spans) if whole else _conversation(item.spans))
    figures = totals(item.spans)
    used = token_flow(figures.input_tokens, figures.output_tokens)
    facts = [
        plural(figures.traces, "turn") if whole else "",
        plural(len(item.spans), "span") if len(item.spans) > 1 else span.kind,
        "" if whole else duration(span.duration) if span.duration is not None else span.status,
        f"{used} tokens" if used else "",
        usd(figures.cost) if figures.cost is not None else "",
        f"session {one_line(span.session_id, 60)}" if span.session_id is not None else "",
        f"In [{span.execution_count}]" if span.execution_count is not None else "",
        date(span.start),
    ]
    failed = next((root for root in _roots(item) if root.status == "error"), None) if whole else span
    problem = ": ".join(part for part in (failed.error_type, failed.error_message) if part) if failed else ""
    values = [("Input", span.input), ("Output", span.output)]
    code = f"ops.get_trace({short_id(span.trace_id)!r})"
    return {
        "facts": [fact for fact in facts if fact],
        "error": told.text(problem or "error") if failed is not None and failed.status == "error" else "",
        "earlier": 0 if whole else _earlier(said),
        "messages": said,
        "values": [] if said else [(label, told.text(value)) for label, value in values if value],
        "code": code if item.session_id is None else call("get_session", one_line(item.session_id, 200)),
        "cut": told.cut,
    }


def _earlier(said: Sequence[SaidData]) -> int:
    """How many messages stand before the question that is judged: context, which the reviewer has seen."""
    before = max((place for place, message in enumerate(said) if message["role"] == "user"), default=0)
    return before if before > _FEW else 0


def _roots(item: ReviewItem) -> list[SpanRow]:
    return [node.span for node in forest(item.spans)]


def _held(spans: Sequence[SpanRow]) -> list[Message]:
    """The conversation of all turns, each message once; of a long one the end."""
    reader = ConversationReader(spans)
    said: list[Message] = []
    for place in reversed(range(len(reader))):
        turn = reader.turn(place, is_first=place == 0)
        told = [Message(one.role, one.content, tuple(use.call for use in one.tools)) for one in turn.messages]
        said[:0] = [message for message in told if message.content or message.tool_calls]
        if len(said) > _MOST_MESSAGES:
            break
    return said


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
