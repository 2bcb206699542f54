"""What OTLP says of a span, and what it cannot say: between our records and OTLP's fields, whatever the encoding.

OTLP has a place for most of a `SpanRecord`. The rest travels as span attributes under `mirascope.ops.record.`, which
other readers keep as they keep any attribute, and which reading takes away again:

| attribute | holds |
| --- | --- |
| `session_id`, `session_attributes` | the session, where `mirascope.ops.session.*` of the span does not say the same |
| `run_id` | the entry into the session |
| `cell_id`, `execution_count`, `notebook` | the notebook cell |
| `annotations` | list of {time, label, reasoning, tags, metadata} |
| `status` | open or interrupted: a span without an end |
| `sampled` | false where the user's sampler dropped the span |
| `kind`, `user_id` | what reading had made of a span from the spans around it, see `Exported.derived` |
| `exact` | JSON of the attributes that OTLP cannot hold: ints beyond 64 bits signed, nesting beyond 24 levels |
| `trace_id`, `start`, `service`, ... | a field whose value does not fit OTLP's: an id that is not hex, ... |
| `runs` | of a resource without spans: the entries into the sessions, see `otlp_runs` |
| `attribute.KEY` | an attribute that was called `mirascope.ops.record.KEY` |

What OTLP has and a `SpanRecord` has not stands beside the attributes of the resource, under the names that
OpenTelemetry gives for formats without such fields (`otel.scope.version`, `otel.dropped_attributes_count`, ...; of
events and links it stands among their attributes), and goes back to its field when written:
https://opentelemetry.io/docs/specs/otel/common/mapping-to-non-otlp/
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mirascope_ops.store.records import AnnotationRecord, SpanRecord

PREFIX: Final = "mirascope.ops.record."
ESCAPED: Final = f"{PREFIX}attribute."
EXACT: Final = f"{PREFIX}exact"
# What reading makes of a span from the spans around it, and what is kept of that; see `Exported`.
DERIVED: Final = ("kind", "user_id")

SCOPE_VERSION: Final = "otel.scope.version"
SCOPE_ATTRIBUTES: Final = "otel.scope.attributes"
SCOPE_DROPPED: Final = "otel.scope.dropped_attributes_count"
SCOPE_SCHEMA: Final = "otel.scope.schema_url"
RESOURCE_DROPPED: Final = "otel.resource.dropped_attributes_count"
RESOURCE_SCHEMA: Final = "otel.resource.schema_url"
TRACE_STATE: Final = "otel.trace_state"
FLAGS: Final = "otel.flags"
DROPPED_ATTRIBUTES: Final = "otel.dropped_attributes_count"
DROPPED_EVENTS: Final = "otel.dropped_events_count"
DROPPED_LINKS: Final = "otel.dropped_links_count"

KINDS: Final = ("internal", "internal", "server", "client", "producer", "consumer")
STATUSES: Final = ("unset", "ok", "error")

# The flags that say nothing more: sampled, and "it is known whether the parent was remote" (it was not).
USUAL_FLAGS: Final = 0x101


class Exported(NamedTuple):
    """A span as it goes out and comes in.

    Attributes:
        record: The span.
        annotations: What was said about it later.
        derived: What reading had made of it from the spans around it: `kind`, `user_id`.
    """

    record: SpanRecord
    annotations: Sequence[AnnotationRecord] = ()
    derived: Mapping[str, Any] = {}


class Scope(NamedTuple):
    """What spans share: their resource and instrumentation scope, with what else OTLP says of these."""

    resource: Mapping[str, Any]
    name: str
    extras: Mapping[str, Any]


class WireEvent(NamedTuple):
    """An event as OTLP has it."""

    name: str
    time: int
    attributes: Mapping[str, Any]
    dropped: int


class WireLink(NamedTuple):
    """A link as OTLP has it; ids are hex."""

    trace_id: str
    span_id: str
    attributes: Mapping[str, Any]
    dropped: int
    trace_state: str
    flags: int


class WireSpan(NamedTuple):
    """A span as OTLP has it; ids are hex, times ns, values what OTLP can hold. Nothing is None."""

    trace_id: str
    span_id: str
    parent_id: str
    name: str
    kind: int
    start: int
    end: int
    code: int
    message: str
    attributes: Mapping[str, Any]
    events: Sequence[WireEvent]
    links: Sequence[WireLink]
    dropped: tuple[int, int, int]
    trace_state: str
    flags: int


class Resources:
    """Gives one and the same mapping for all that are equal, so that spans are grouped by it, and memory is spared."""

    _MOST = 1024  # a program has a few; one that makes new ones for each span must not fill the memory

    def __init__(self) -> None:
        self._by_id: dict[int, tuple[Mapping[str, Any], Mapping[str, Any]]] = {}
        self._by_text: dict[str, Mapping[str, Any]] = {}

    def one(self, resource: Mapping[str, Any]) -> Mapping[str, Any]:
        """Give the first mapping seen that is equal to this one, types of values included."""
        known = self._by_id.get(id(resource))
        if known is not None:
            return known[1]
        if len(self._by_id) >= self._MOST:
            self._by_id.clear()
            self._by_text.clear()
        found = self._by_text.setdefault(repr(dict(resource)), resource)
        # The mapping itself is kept beside, or another one could get its id.
        self._by_id[id(resource)] = (resource, found)
        return found


def status_of(code: int, end: int | None) -> str:
    """Give a record's status by OTLP's code and the span's end."""
    return "open" if end is None else STATUSES[code] if 0 <= code < len(STATUSES) else STATUSES[0]


def text_in(attributes: Mapping[str, Any], key: str) -> str | None:
    """Give a text among attributes; None where there is none, or a blank one, or something else."""
    value = attributes.get(key)
    return value if isinstance(value, str) and value.strip() else None
