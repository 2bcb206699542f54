"""The conversation of a model call: the messages that were sent and those that were answered."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mirascope_ops.analysis.rows import Message
from mirascope_ops.analysis.shapes import messages_in, said_in, tool_call_in
from mirascope_ops.analysis.values import indexed, mapping, sequence
from mirascope_ops.store.records import EventRecord

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from mirascope_ops.analysis.rows import SpanRow

_SENT_EVENTS = {
    "gen_ai.system.message": "system",
    "gen_ai.user.message": "user",
    "gen_ai.assistant.message": "assistant",
    "gen_ai.tool.message": "tool",
}
_ANSWER_EVENT = "gen_ai.choice"


def messages_of(span: SpanRow) -> list[Message]:
    """Give the messages of a model call in order: those sent, then those answered.

    Args:
        span: A span of any kind. One that carries no messages has none; of a model call whose library
            writes none as such, they are read from its input and output.

    Returns:
        The messages; their contents are text, what was thought and not said is left out.
    """
    sent, answered = message_split(span)
    return sent + answered


def message_split(span: SpanRow) -> tuple[list[Message], list[Message]]:
    """Give the messages that a model call sent, and those that it answered.

    The first way of writing messages that the span uses counts, for each side: Mirascope's, the GenAI
    conventions', OpenInference's and OpenLLMetry's indexed keys, the Vercel AI SDK's, and events.
    """
    sent = _first_found(_SENT, span)
    answered = _first_found(_ANSWERED, span)
    if span.kind == "llm":
        if not sent and span.input:
            sent = messages_in(span.input, "user")
        if not answered and span.output:
            answered = messages_in(span.output, "assistant")
    if answered and sent[-len(answered) :] == answered:
        # Some list the answer among the messages, too.
        sent = sent[: -len(answered)]
    return sent, answered


def _first_found(readers: tuple[Callable[[SpanRow], list[Message]], ...], span: SpanRow) -> list[Message]:
    for read in readers:
        found = read(span)
        if found:
            return found
    return []


def _attribute(key: str, role: str) -> Callable[[SpanRow], list[Message]]:
    return lambda span: messages_in(span.attributes.get(key), role)


def _indexed(prefix: str, role: str) -> Callable[[SpanRow], list[Message]]:
    return lambda span: messages_in(indexed(span.attributes, prefix), role)


def _genai_sent(span: SpanRow) -> list[Message]:
    sent = messages_in(span.attributes.get("gen_ai.input.messages"), "user")
    said = said_in(span.attributes.get("gen_ai.system_instructions"))
    return [Message("system", said), *sent] if said else sent


def _vercel_sent(span: SpanRow) -> list[Message]:
    inner = messages_in(span.attributes.get("ai.prompt.messages"), "user")
    return inner or messages_in(mapping(span.attributes.get("ai.prompt")), "user")


def _vercel_answered(span: SpanRow) -> list[Message]:
    attributes = span.attributes
    said = attributes.get("ai.response.text")
    listed = sequence(attributes.get("ai.response.toolCalls")) or []
    calls = tuple(call for item in listed if (call := tool_call_in(item)) is not None)
    return [Message("assistant", said if isinstance(said, str) else "", calls)] if said or calls else []


def _events_sent(span: SpanRow) -> list[Message]:
    return _sent_in(span.events)


def _sent_in(events: Iterable[EventRecord]) -> list[Message]:
    return [
        message
        for event in events
        if (role := _SENT_EVENTS.get(event.name)) is not None
        for message in messages_in(_body(event, role), role)
    ]


def _events_answered(span: SpanRow) -> list[Message]:
    return _answered_in(span.events)


def _answered_in(events: Iterable[EventRecord]) -> list[Message]:
    return [
        message
        for event in events
        if event.name == _ANSWER_EVENT
        for message in messages_in(_body(event, "assistant"), "assistant")
    ]


def _body(event: EventRecord, role: str) -> Mapping[str, Any]:
    attributes = event.attributes
    if "message" in attributes:
        message = attributes["message"]
        # Strands gives the message's content alone.
        return {"message": message} if mapping(message) is not None else {"role": role, "content": message}
    # Azure's instrumentation keeps the whole body as one JSON text.
    body = mapping(attributes.get("gen_ai.event.content"))
    return {"role": role, **(attributes if body is None else body)}


def _listed_events(span: SpanRow) -> list[EventRecord]:
    # Pydantic AI's first version wrote the conventions' events as one JSON attribute.
    listed = sequence(span.attributes.get("events")) or []
    return [
        EventRecord(str(told["event.name"]), 0, told)
        for item in listed
        if "event.name" in (told := mapping(item) or {})
    ]


def _listed_sent(span: SpanRow) -> list[Message]:
    return _sent_in(_listed_events(span))


def _listed_answered(span: SpanRow) -> list[Message]:
    return _answered_in(_listed_events(span))


def _whole_event(names: tuple[str, ...], key: str, role: str) -> Callable[[SpanRow], list[Message]]:
    # All messages of one side in one attribute of an event, as the conventions' detail event and OpenLIT have them.
    def read(span: SpanRow) -> list[Message]:
        return [
            message
            for event in span.events
            if event.name in names
            for message in messages_in(event.attributes.get(key), role)
        ]

    return read


_DETAILS = ("gen_ai.client.inference.operation.details",)
_SENT = (
    _attribute("mirascope.response.messages", "user"),
    _genai_sent,
    _indexed("llm.input_messages.", "user"),
    _indexed("gen_ai.prompt.", "user"),
    _vercel_sent,
    _events_sent,
    _listed_sent,
    _whole_event(_DETAILS, "gen_ai.input.messages", "user"),
    _whole_event(("gen_ai.content.prompt",), "gen_ai.prompt", "user"),
    _attribute("gen_ai.request.messages", "user"),
)
_ANSWERED = (
    _attribute("mirascope.response.content", "assistant"),
    _attribute("gen_ai.output.messages", "assistant"),
    _indexed("llm.output_messages.", "assistant"),
    _indexed("gen_ai.completion.", "assistant"),
    _vercel_answered,
    _events_answered,
    _listed_answered,
    _whole_event(_DETAILS, "gen_ai.output.messages", "assistant"),
    _whole_event(("gen_ai.content.completion",), "gen_ai.completion", "assistant"),
)
