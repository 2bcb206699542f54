"""What the timeline's panel shows of one span, as plain data: the browser makes text of it, never markup."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Any, Final, TypedDict

from mirascope_ops.analysis.messages import messages_of
from mirascope_ops.analysis.values import text
from mirascope_ops.views.escape import one_line, visible
from mirascope_ops.views.format import date, offset, short_id

if TYPE_CHECKING:
    from mirascope_ops.analysis.rows import Message, SpanRow
    from mirascope_ops.store.records import AnnotationRecord

# Characters of one value, and how many of each are told: a panel is read, and an answer travels with each click.
_LIMIT: Final = 20_000
_MOST_MESSAGES: Final = 60
_MOST_EVENTS: Final = 200
_MOST_ATTRIBUTES: Final = 200
_MOST_ANNOTATIONS: Final = 50
_SHORT: Final = 400
_WORDS: Final = {"tool": ("Arguments", "Result"), "retriever": ("Query", "Documents")}


class SaidDetail(TypedDict):
    """One message: who, what, and the tool calls that it asks for."""

    role: str
    text: str
    calls: list[str]


class ErrorDetail(TypedDict):
    """An error with its traceback, "" where there is none."""

    title: str
    traceback: str


class Detail(TypedDict):
    """A span's panel; `cut` counts the values that were cut or left out."""

    facts: list[tuple[str, str]]
    error: ErrorDetail | None
    messages: list[SaidDetail]
    values: list[tuple[str, str]]
    events: list[tuple[str, str, str]]
    annotations: list[str]
    attributes: list[tuple[str, str]]
    cut: int


def timeline_detail(span: SpanRow, *, limit: int = _LIMIT) -> Detail:
    """Give what a panel shows of a span, beside what the timeline's columns say.

    Args:
        span: The span.
        limit: Characters of one value at most.

    Returns:
        Strings only, cut, and without characters that act instead of being read.
    """
    told = _Teller(limit)
    messages = messages_of(span) if span.kind == "llm" else []
    said = [told.message(message) for message in told.few(messages, _MOST_MESSAGES)]
    events = [event for event in span.events if event.name != "exception"]
    attributes = sorted(span.attributes.items(), key=lambda pair: str(pair[0]))
    return {
        "facts": _facts(span),
        "error": told.error(span),
        "messages": said,
        "values": [] if said else told.values(span),
        "events": [
            (offset(event.time - span.start), one_line(event.name, _SHORT), told.short(dict(event.attributes)))
            for event in told.few(events, _MOST_EVENTS)
        ],
        "annotations": [told.annotation(one) for one in told.few(list(span.annotations), _MOST_ANNOTATIONS)],
        "attributes": [
            (one_line(str(key), _SHORT), told.short(value)) for key, value in told.few(attributes, _MOST_ATTRIBUTES)
        ],
        "cut": told.cut,
    }


def _facts(span: SpanRow) -> list[tuple[str, str]]:
    pairs = [
        ("At", date(span.start)),
        ("Cell", f"In [{span.execution_count}]" if span.execution_count is not None else ""),
        ("Service", span.service or ""),
        ("User", span.user_id or ""),
        ("Tags", ", ".join(islice(span.tags, 20))),
        ("Trace", short_id(span.trace_id)),
        ("Span", short_id(span.span_id)),
    ]
    return [(label, one_line(value, _SHORT)) for label, value in pairs if value]


class _Teller:
    """Makes text of values, and counts what it cuts."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.cut = 0

    def few(self, items: list[Any], most: int) -> list[Any]:
        self.cut += max(0, len(items) - most)
        # Of a long conversation the end is what is new.
        return items[-most:] if items and hasattr(items[0], "role") else items[:most]

    def text(self, value: str) -> str:
        if len(value) <= self.limit:
            return visible(value)
        self.cut += 1
        return f"{visible(value[: self.limit])}… {len(value) - self.limit:,} more characters"

    def short(self, value: Any) -> str:
        if value in ({}, "", None):
            return ""
        told = value if isinstance(value, str) else (text(value) or "")
        if len(told) > _SHORT * 4:
            self.cut += 1
        return one_line(told, _SHORT)

    def message(self, message: Message) -> SaidDetail:
        calls = [f"{call.name}({call.arguments})" for call in message.tool_calls]
        return {
            "role": one_line(message.role, 40),
            "text": self.text(message.content),
            "calls": [self.text(call) for call in calls],
        }

    def values(self, span: SpanRow) -> list[tuple[str, str]]:
        given, came = _WORDS.get(span.kind, ("Input", "Output"))
        pairs = ((given, span.input), (came, span.output))
        return [(label, self.text(value)) for label, value in pairs if value]

    def error(self, span: SpanRow) -> ErrorDetail | None:
        if span.status != "error":
            return None
        title = ": ".join(part for part in (span.error_type, span.error_message) if part) or "error"
        traces = [event.attributes.get("exception.stacktrace") for event in span.events if event.name == "exception"]
        trace = next((trace for trace in reversed(traces) if isinstance(trace, str)), "")
        return {"title": self.text(title), "traceback": self.text(trace)}

    def annotation(self, annotation: AnnotationRecord) -> str:
        parts = [annotation.label or "", annotation.reasoning or "", ", ".join(annotation.tags)]
        return self.text(" · ".join(part for part in parts if part))
