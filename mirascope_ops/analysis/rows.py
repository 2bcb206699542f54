"""The record types of the analysis layer: what every table and every view is made from.

A `SpanRow` is one span in one vocabulary, ours, whatever library emitted it; its fields are the columns of
the spans frame. Times are ints of nanoseconds here and become pandas' own types in `frames`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple

from mirascope_ops.core import backend

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mirascope_ops.analysis.verdicts import Verdict
    from mirascope_ops.store.records import AnnotationRecord, EventRecord, LinkRecord

Kind = Literal["llm", "embedding", "retriever", "tool", "agent", "chain", "other"]
Status = Literal["unset", "ok", "error", "open", "interrupted"]

# Fields that exports need and views do not show: how the span was emitted, beside what reading made of it.
EMITTED = ("span_kind", "status_code", "status_message", "sampled", "resource")


class SpanRow(NamedTuple):
    """One span, normalised; the fields are the columns of `SpanSet.to_pandas()`, in their order.

    Attributes:
        trace_id: 32 hex digits.
        span_id: 16 hex digits.
        parent_id: 16 hex digits, or None at a root.
        session_id: The span's own session, else its nearest ancestor's, else its trace's.
        conversation_id: The conversation that the emitting library named.
        name: The span's name.
        kind: llm, embedding, retriever, tool, agent, chain or other.
        status: unset, ok, error, open or interrupted; an exception event makes an error.
        start: Nanoseconds since the epoch.
        end: Nanoseconds since the epoch, None while open or when interrupted.
        duration: Nanoseconds, None while open or when interrupted.
        input: What went in, as text: JSON for structured values, else the text itself.
        output: What came out, in the same way.
        model: The model that answered, else the one that was asked.
        provider: The model's provider.
        input_tokens: Tokens of the prompt, cached ones included.
        output_tokens: Tokens of the answer.
        cache_read_tokens: Tokens of the prompt that came from the provider's cache.
        cost: US dollars, as reported; None where nothing was reported.
        ttft: Time to the first token, nanoseconds after `start`.
        error_type: Name of the exception's type.
        error_message: The exception's message, else the status's.
        user_id: The application's user.
        tags: The span's tags.
        session_attributes: JSON text of the session's attributes when the span started.
        cell_id: Id of the notebook cell that made the span.
        execution_count: That cell's execution count.
        notebook: The notebook's path.
        service: The resource's `service.name`.
        scope: Name of the instrumentation scope.
        attributes: Everything that was emitted, under the names that were emitted.
        events: The span's events.
        links: The span's links.
        run_id: The entry into the session in which the span started.
        annotations: What was said about the span later, oldest first.
        span_kind: OpenTelemetry's kind: internal, server, client, producer or consumer.
        status_code: The status as it was emitted, whatever the events say; None stands for `status`.
        status_message: The emitted status' description, or "".
        sampled: Whether the user's sampler would have exported the span.
        resource: The resource's attributes.
    """

    trace_id: str
    span_id: str
    parent_id: str | None
    session_id: str | None
    conversation_id: str | None
    name: str
    kind: Kind
    status: Status
    start: int
    end: int | None
    duration: int | None
    input: str | None
    output: str | None
    model: str | None
    provider: str | None
    input_tokens: int | None
    output_tokens: int | None
    cache_read_tokens: int | None
    cost: float | None
    ttft: int | None
    error_type: str | None
    error_message: str | None
    user_id: str | None
    tags: tuple[str, ...]
    session_attributes: str | None
    cell_id: str | None
    execution_count: int | None
    notebook: str | None
    service: str | None
    scope: str
    attributes: Mapping[str, Any]
    events: Sequence[EventRecord] = ()
    links: Sequence[LinkRecord] = ()
    run_id: str | None = None
    annotations: Sequence[AnnotationRecord] = ()
    span_kind: str = "internal"
    status_code: str | None = None
    status_message: str = ""
    sampled: bool = True
    resource: Mapping[str, Any] = {}

    def __repr__(self) -> str:
        told = ("name", "kind", "status", "duration", "session_id", "trace_id", "span_id")
        return f"SpanRow({', '.join(f'{name}={getattr(self, name)!r}' for name in told)}, ...)"

    def shown(self) -> dict[str, Any]:
        """Give the fields that views show, by name; those of `EMITTED` are left out."""
        return {name: value for name, value in self._asdict().items() if name not in EMITTED}

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> Any:
        return backend.get().view(self, include, exclude)


SLOT: Final[dict[str, int]] = {name: place for place, name in enumerate(SpanRow._fields)}
"""The place of each field in a row, and of its column among the columns of rows."""


@dataclass(slots=True)
class Node:
    """A span with the spans below it; `orphan` where its parent is named but was not read."""

    span: SpanRow
    children: list[Node] = field(default_factory=list["Node"])
    orphan: bool = False


class ToolCall(NamedTuple):
    """A model's request to run a tool; `arguments` is JSON text."""

    name: str
    arguments: str
    id: str | None


class Message(NamedTuple):
    """One message of a conversation: role is system, user, assistant or tool."""

    role: str
    content: str
    tool_calls: tuple[ToolCall, ...] = ()
    tool_call_id: str | None = None


class Totals(NamedTuple):
    """A roll-up over spans in which each model call counts once.

    Times in nanoseconds; `duration` is from the first start to the last end; tokens and cost are None
    where no span reported any.
    """

    spans: int
    traces: int
    errors: int
    llm_calls: int
    llm_errors: int
    start: int | None
    end: int | None
    duration: int | None
    input_tokens: int | None
    output_tokens: int | None
    cache_read_tokens: int | None
    cost: float | None
    ttft: int | None


@dataclass(frozen=True, slots=True)
class Turn:
    """One trace of a session, read as one turn of a conversation.

    `error` is the message of a failed turn; `recovered` that of an error inside a turn that went well.
    `roots` is the trace's tree (usually one root).
    """

    trace_id: str
    session_id: str | None
    name: str
    user: str | None
    assistant: str | None
    model: str | None
    error: str | None
    recovered: str | None
    totals: Totals
    roots: Sequence[Node]


@dataclass(frozen=True, slots=True)
class SessionCard:
    """A session with its turns and its child sessions: all that its card shows.

    `totals` covers the session and its descendants; `run_spans` is the number of spans of the run that the
    card reports on (a `%%ops_session` cell), or None where it reports on the whole session. `status` is
    ok, error, open (spans are still running) or interrupted. `verdict` is what was said of the session as a whole.
    """

    session_id: str
    parent_session_id: str | None
    attributes: Mapping[str, Any]
    tags: tuple[str, ...]
    status: Literal["ok", "error", "open", "interrupted"]
    first_seen: int
    last_seen: int
    runs: int
    run_spans: int | None
    execution_count: int | None
    totals: Totals
    turns: Sequence[Turn]
    children: Sequence[SessionCard]
    verdict: Verdict | None = None
