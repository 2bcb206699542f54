"""What few spans have, apart from what all have: what was noted on them, and how they look from outside."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from opentelemetry.trace import SpanKind, StatusCode, TraceFlags, TraceState

if TYPE_CHECKING:
    from opentelemetry.trace import Link

# Our ids are random in all their bits, which W3C Trace Context level 2 lets a trace say.
SAMPLED: Final = TraceFlags(TraceFlags.SAMPLED | getattr(TraceFlags, "RANDOM_TRACE_ID", 0))
NOT_SAMPLED: Final = TraceFlags(TraceFlags.DEFAULT)
NO_STATE: Final = TraceState()
UNSET, OK = StatusCode.UNSET.value, StatusCode.OK.value


class Notes:
    """What was noted on a span while it was open: of most calls, nothing.

    Attributes:
        exported: What a span processor put in the place of a span's attributes or events, for exporters only.
    """

    __slots__ = ("code", "events", "exported", "extra", "links", "message")

    def __init__(self) -> None:
        self.code: int = UNSET
        self.message: str | None = None
        self.extra: dict[str, Any] | None = None
        self.events: list[tuple[str, int, dict[str, Any]]] | None = None
        self.links: list[Link] | None = None
        self.exported: dict[str, Any] | None = None

    def copy(self) -> Notes:
        """Return the same, to stay as it is while the span goes on."""
        if self is NOTHING:
            return self
        copied = Notes()
        copied.code, copied.message = self.code, self.message
        copied.extra = None if self.extra is None else dict(self.extra)
        copied.events = None if self.events is None else list(self.events)
        copied.links = None if self.links is None else list(self.links)
        return copied


class Wire:
    """How a span presents itself to other processes and to exporters; made once, never changed.

    Attributes:
        kind: Whether it is one end of a request.
        flags: Whether it is sampled, as its context says.
        state: What other tracing systems have put into its context.
        readable: Whether span processors see it.
    """

    __slots__ = ("flags", "kind", "readable", "state")

    def __init__(
        self,
        kind: SpanKind = SpanKind.INTERNAL,
        flags: TraceFlags = SAMPLED,
        state: TraceState = NO_STATE,
        *,
        readable: bool = True,
    ) -> None:
        self.kind = kind
        self.flags = flags
        self.state = state
        self.readable = readable

    def below(self, flags: TraceFlags, state: TraceState) -> Wire:
        """Return the same below a parent with these; without a sampler, what the parent did holds."""
        if flags is SAMPLED and state is NO_STATE:
            return self
        return Wire(self.kind, flags, state, readable=flags.sampled)


NOTHING: Final = Notes()  # shared, and written to by nobody
PLAIN: Final = Wire()
