"""Plain, frozen records: what a store keeps and gives back.

Nothing here knows a vocabulary: a `SpanRecord` says what was emitted, a `RunRecord` that a session was
entered, an `AnnotationRecord` what a person said about a span later. Times are ints, nanoseconds since the
epoch (UTC); ids are lower-case hex, as W3C Trace Context writes them.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


class EventRecord(NamedTuple):
    """Something that happened at one instant of a span."""

    name: str
    time: int
    attributes: Mapping[str, Any]


class LinkRecord(NamedTuple):
    """A span's pointer to a span of another (or the same) trace."""

    trace_id: str
    span_id: str
    attributes: Mapping[str, Any]


class SpanRecord(NamedTuple):
    """One span as it was emitted.

    Attributes:
        trace_id: 32 hex digits.
        span_id: 16 hex digits.
        parent_id: 16 hex digits, or None at a root.
        name: The span's name.
        span_kind: OpenTelemetry's kind: internal, server, client, producer or consumer.
        start: Nanoseconds since the epoch.
        end: Nanoseconds since the epoch; None while the span is open or after it was interrupted.
        status: OpenTelemetry's status: unset, ok or error; open or interrupted where `end` is None.
        status_message: The status's description, or "".
        session_id: The session in which the span started, or None.
        run_id: The entry into that session (`RunRecord.run_id`), or None for a span from outside.
        session_attributes: JSON text of the session's attributes when the span started, or None.
        cell_id: Id of the notebook cell that made the span, or None.
        execution_count: That cell's execution count, or None.
        notebook: Path of the notebook as its server names it, or None.
        sampled: Whether the user's sampler would have exported the span.
        service: The resource's `service.name`, or None.
        scope: Name of the instrumentation scope.
        resource: The resource's attributes; of a span that came as OTLP also what that says beside, under `otel.`.
        attributes: The span's attributes: str, bool, int, float, or lists of these.
        events: The span's events, in the order in which they were added.
        links: The span's links.
    """

    trace_id: str
    span_id: str
    parent_id: str | None
    name: str
    span_kind: str
    start: int
    end: int | None
    status: str
    status_message: str
    session_id: str | None
    run_id: str | None
    session_attributes: str | None
    cell_id: str | None
    execution_count: int | None
    notebook: str | None
    sampled: bool
    service: str | None
    scope: str
    resource: Mapping[str, Any]
    attributes: Mapping[str, Any]
    events: Sequence[EventRecord] = ()
    links: Sequence[LinkRecord] = ()


class RunRecord(NamedTuple):
    """One entry into a session: from `with ops.session(...)` to the end of that block.

    Entering the same id again resumes the session and makes another run. `parent_run_id` names the run
    around this one, so nesting is a forest whatever ids were used: an id inside itself makes no cycle.
    """

    run_id: str
    session_id: str
    parent_run_id: str | None
    parent_session_id: str | None
    attributes: Mapping[str, Any]
    cell_id: str | None
    execution_count: int | None
    notebook: str | None
    start: int
    end: int | None


class AnnotationRecord(NamedTuple):
    """A judgement on a span, made after it ended; joined to the span on reading."""

    trace_id: str
    span_id: str
    time: int
    label: str | None
    reasoning: str | None
    tags: Sequence[str]
    metadata: Mapping[str, Any]


class SessionRecord(NamedTuple):
    """A session as a store lists it, its own spans only (without its children's).

    `attributes` merges those of all runs, oldest first, later values winning key by key; where there is no
    run (spans from outside), they are those of the newest span that carries any.
    """

    session_id: str
    parent_session_id: str | None
    attributes: Mapping[str, Any]
    first_seen: int
    last_seen: int
    runs: int
    spans: int
    traces: int
    errors: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SpanQuery:
    """Which spans to read; every condition that is given must hold, None gives no condition.

    Attributes:
        trace_ids: Spans of these traces.
        session_ids: Spans of these sessions.
        run_ids: Spans of these runs.
        sessions_or_runs: With both given, spans of any of `session_ids` or any of `run_ids`.
        name: Spans of exactly this name.
        status: Any of unset, ok, error, open, interrupted, as recorded.
        cell_id: Spans made by this cell.
        execution_count: Spans made by the cell with this count.
        notebook: Spans made in this notebook.
        since: Spans that started at or after this time (ns).
        until: Spans that started before this time (ns).
        whole_traces: Give also every other span of the traces to which the spans found belong.
        limit: The newest so many spans; with `whole_traces` the so many traces whose spans found are newest,
            whole. None gives all.
        trace_prefix: Spans of the traces whose id begins so.
        span_prefix: Spans whose id begins so; looked for among all ids, which in a large file takes seconds.
    """

    trace_ids: Sequence[str] | None = None
    session_ids: Sequence[str] | None = None
    run_ids: Sequence[str] | None = None
    sessions_or_runs: bool = False
    name: str | None = None
    status: str | None = None
    cell_id: str | None = None
    execution_count: int | None = None
    notebook: str | None = None
    since: int | None = None
    until: int | None = None
    whole_traces: bool = False
    limit: int | None = None
    trace_prefix: str | None = None
    span_prefix: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionQuery:
    """Which sessions to list, newest first.

    Attributes:
        session_ids: Only these.
        attributes: Sessions whose merged attributes hold each of these values (equal as JSON).
        since: Sessions last seen at or after this time (ns).
        until: Sessions first seen before this time (ns).
        limit: At most so many; None gives all.
    """

    session_ids: Sequence[str] | None = None
    attributes: Mapping[str, Any] = field(default_factory=dict[str, Any])
    since: int | None = None
    until: int | None = None
    limit: int | None = None
