"""The SDK's `ReadableSpan`, made of our span when an exporter reads it, within the provider's limits."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, TypeVar

from opentelemetry import trace as otel_trace
from opentelemetry.attributes import BoundedAttributes
from opentelemetry.sdk.trace import Event, ReadableSpan
from opentelemetry.trace import Link, Status, StatusCode

if TYPE_CHECKING:
    from collections.abc import Sequence

    from opentelemetry.trace import SpanContext, SpanKind
    from opentelemetry.util.types import Attributes

    from mirascope_ops.core.notes import Notes, Wire
    from mirascope_ops.core.pipeline import Pipeline

_CODES: Final = {code.value: code for code in StatusCode}
_T = TypeVar("_T")


class LazyReadable(otel_trace.Span, ReadableSpan):
    """What exporters and processors read of a `Span`; nothing is made before they do."""

    __slots__ = ()

    if TYPE_CHECKING:  # slots of `Span`
        _notes: Notes
        _wire: Wire
        _pipe: Pipeline
        _parent_span: Any
        _parent_id: int
        _trace: int

        def all_attributes(self) -> dict[str, Any]:
            """Return every attribute, whole."""
            ...

        def _own_notes(self) -> Notes:
            """Return the span's notes, to be written to."""
            ...

    @property
    def _context(self) -> SpanContext:  # pyright: ignore[reportIncompatibleVariableOverride] - read lazily
        return self.get_span_context()

    @property
    def context(self) -> SpanContext:
        """The span's context."""
        return self.get_span_context()

    @property
    def parent(self) -> SpanContext | None:
        """The parent's context, or None at a root."""
        found = self._parent_span
        if found is None and self._parent_id:  # it has ended, and looks from outside as this one does
            told = self._wire
            return otel_trace.SpanContext(self._trace, self._parent_id, False, told.flags, told.state)  # noqa: FBT003
        return found.get_span_context() if isinstance(found, otel_trace.Span) else found

    _parent = parent  # pyright: ignore[reportAssignmentType, reportIncompatibleVariableOverride] - read lazily

    @property
    def kind(self) -> SpanKind:
        """The span's kind, in OpenTelemetry's terms."""
        return self._wire.kind

    _kind = kind  # pyright: ignore[reportAssignmentType, reportIncompatibleVariableOverride] - read lazily

    @property
    def status(self) -> Status:
        """The span's status."""
        return Status(_CODES[self._notes.code], self._notes.message)

    _status = status  # pyright: ignore[reportAssignmentType, reportIncompatibleVariableOverride] - read lazily

    @property
    def attributes(self) -> Attributes:
        """All attributes, within the provider's limits."""
        return MappingProxyType(self._attributes)

    # Processors that keep something from exporters replace these two on a span that has ended: the SDK has no public
    # way. The store keeps what was recorded.
    @property
    def _attributes(self) -> BoundedAttributes:  # pyright: ignore[reportIncompatibleVariableOverride] - read lazily
        exported = self._notes.exported
        if exported is not None and "attributes" in exported:
            return exported["attributes"]
        limits = self._pipe.limits
        return BoundedAttributes(
            limits.max_span_attributes, self.all_attributes(), max_value_len=limits.max_span_attribute_length
        )

    @_attributes.setter
    def _attributes(self, attributes: Any) -> None:
        self._export("attributes", attributes)

    @property
    def events(self) -> Sequence[Event]:
        """The events, the newest ones where the provider's limit is reached."""
        return tuple(self._events)

    @property
    def _events(self) -> Sequence[Event]:  # pyright: ignore[reportIncompatibleVariableOverride] - read lazily
        exported = self._notes.exported
        if exported is not None and "events" in exported:
            return exported["events"]
        limits = self._pipe.limits
        longest = limits.max_attribute_length
        kept = _newest(self._notes.events, limits.max_events)
        return tuple(
            Event(name, BoundedAttributes(limits.max_event_attributes, found, max_value_len=longest), time)
            for name, time, found in kept
        )

    @_events.setter
    def _events(self, events: Any) -> None:
        self._export("events", events)

    def _export(self, what: str, value: Any) -> None:
        notes = self._own_notes()
        notes.exported = {**(notes.exported or {}), what: value}

    @property
    def links(self) -> Sequence[Link]:
        """The links, the newest ones where the provider's limit is reached."""
        limits = self._pipe.limits
        longest = limits.max_attribute_length
        kept = _newest(self._notes.links, limits.max_links)
        return tuple(
            Link(link.context, BoundedAttributes(limits.max_link_attributes, link.attributes, max_value_len=longest))
            for link in kept
        )

    _links = links  # pyright: ignore[reportAssignmentType, reportIncompatibleVariableOverride] - read lazily

    @property
    def dropped_attributes(self) -> int:
        """Attributes over the provider's limit."""
        return getattr(self._attributes, "dropped", 0)

    @property
    def dropped_events(self) -> int:
        """Events over the provider's limit."""
        return len(self._notes.events or ()) - len(_newest(self._notes.events, self._pipe.limits.max_events))

    @property
    def dropped_links(self) -> int:
        """Links over the provider's limit."""
        return len(self._notes.links or ()) - len(_newest(self._notes.links, self._pipe.limits.max_links))

    @property
    def resource(self) -> Any:
        """The provider's resource."""
        return self._pipe.origin.resource

    _resource = resource  # pyright: ignore[reportAssignmentType, reportIncompatibleVariableOverride] - read lazily

    @property
    def instrumentation_scope(self) -> Any:
        """This library's scope."""
        return self._pipe.origin.scope

    _instrumentation_scope = instrumentation_scope  # pyright: ignore[reportAssignmentType, reportIncompatibleVariableOverride] - read lazily
    _instrumentation_info = None  # pyright: ignore[reportAssignmentType, reportIncompatibleVariableOverride] - deprecated by the SDK


def _newest(items: list[_T] | None, limit: int | None) -> list[_T]:
    """Return the last items, at most so many; all where there is no limit."""
    found = items or []
    return found if limit is None else found[max(0, len(found) - limit) :]
