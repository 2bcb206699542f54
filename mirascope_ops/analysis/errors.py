"""What went wrong in a span: its status, its exception events, and the attributes that name an error."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from mirascope_ops.analysis.values import identifier, text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mirascope_ops.store.records import EventRecord, SpanRecord

# What says that a span failed although its status does not, and the value that says it; None for any.
ERROR_KEYS: dict[str, str | None] = {"error.type": None, "langfuse.observation.level": "ERROR"}

_LOUD_EVENTS = frozenset({"error", "critical"})


class Failure(NamedTuple):
    """The type and the message of an error, each None where the library told none."""

    type: str | None
    message: str | None


def has_failed(record: SpanRecord) -> bool:
    """Whether a span failed.

    It did where its status says so, where an exception was recorded on it, or where an attribute names an error
    and the status says nothing: instrumentations leave the status unset, or say ok, when a call raises. The one
    exception that counts for nothing is a handled one: the status says ok, and `exception.escaped` says false.
    (Without the ok, `exception.escaped` tells nothing: OpenTelemetry's Python SDK writes false where nobody said.)
    """
    if record.status == "error":
        return True
    if raised := [event for event in record.events if event.name == "exception"]:
        return record.status != "ok" or not all(map(_is_handled, raised))
    return record.status == "unset" and any(
        value != "" and (told is None or value == told)
        for key, told in ERROR_KEYS.items()
        if (value := record.attributes.get(key)) is not None
    )


def _is_handled(exception: EventRecord) -> bool:
    return str(exception.attributes.get("exception.escaped")).lower() == "false"


def failure_of(record: SpanRecord) -> Failure:
    """Say what went wrong in a span that failed.

    The type is the one that was emitted, qualified or not. Of several exceptions it is the one that the
    status names, else the last: the one that left the span.
    """
    attributes = record.attributes
    exception = _exception(record)
    kind = identifier(exception.get("exception.type")) or identifier(attributes.get("error.type"))
    message = (
        text(exception.get("exception.message"))
        or record.status_message
        or text(attributes.get("langfuse.observation.status_message"))
        or text(attributes.get("error.message"))
        or _logged(record.events)
    )
    return Failure(kind, message or None)


def _exception(record: SpanRecord) -> dict[str, Any]:
    found = [dict(event.attributes) for event in record.events if event.name == "exception"]
    if not found:
        return {}
    if record.status_message:
        for exception in found:
            name = text(exception.get("exception.type"))
            if name and name.rpartition(".")[2] in record.status_message:
                return exception
    return found[-1]


def _logged(events: Sequence[EventRecord]) -> str | None:
    # `span.error("message")` marks the span as failed without any exception.
    said = [text(event.attributes.get("message")) for event in events if event.name in _LOUD_EVENTS]
    return next((message for message in reversed(said) if message), None)
