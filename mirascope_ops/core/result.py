"""`Trace`: what a traced call returns through `.wrapped()`: the result, with the span that it was."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Generic, Self, TypeVar, cast

from mirascope_ops.core import backend, capture, clock
from mirascope_ops.core.recorded import Recorded
from mirascope_ops.exceptions import ConfigurationError, OpsError

if TYPE_CHECKING:
    from collections.abc import Callable

    from mirascope_ops.core.span import Span
    from mirascope_ops.replaying import Replay
    from mirascope_ops.spandiff import SpanDiff

R_co = TypeVar("R_co", covariant=True)


class Trace(Recorded, Generic[R_co]):
    """The result of one traced call, and its span.

    Attributes:
        result: What the function returned.
        span: The span of the call.

    Example:
        >>> from mirascope_ops import ops
        >>> @ops.trace
        ... def double(x: int) -> int:
        ...     return 2 * x
        >>> double.wrapped(21).result
        42
    """

    __slots__ = ("__weakref__", "_waiting", "result", "span")

    result: R_co
    span: Span

    def __init__(self, result: R_co, span: Span, waiting: list[dict[str, Any]] | None = None) -> None:
        self.result = result
        self.span = span
        self._waiting = waiting  # a generator's span starts later: what is said of it by then

    @property
    def span_id(self) -> str | None:
        """The span's id, 16 hex digits; None where tracing is disabled."""
        return self.span.span_id

    @property
    def trace_id(self) -> str | None:
        """The trace's id, 32 hex digits; None where tracing is disabled."""
        return self.span.trace_id

    @property
    def spans(self) -> Any:
        """This call's span and all spans below it, as a SpanSet."""
        trace_id, span_id = self._ids()
        return backend.get().spans(trace_id, span_id)

    def annotate(
        self,
        *,
        label: str | None = None,
        reasoning: str | None = None,
        metadata: Mapping[str, Any] | None = None,
    ) -> None:
        """Say what you think of this call; works after it has ended, and more than once.

        Args:
            label: The judgement, such as "pass" or "fail".
            reasoning: Why.
            metadata: Anything more, as JSON values.

        Raises:
            ConfigurationError: The metadata are no mapping.

        While tracing is disabled there is nothing to annotate, and this does nothing.
        """
        if metadata is not None and not isinstance(cast("Any", metadata), Mapping):
            message = f"metadata must be a mapping, got {metadata!r:.80}: write metadata={{'score': 0.5}}."
            raise ConfigurationError(message)
        self._annotate(label=label, reasoning=reasoning, metadata=dict(metadata or {}))

    def tag(self, *tags: str) -> None:
        """Add tags to this call; works after it has ended.

        Args:
            *tags: The tags.

        Raises:
            ConfigurationError: A tag is no string.

        While tracing is disabled there is nothing to tag, and this does nothing.
        """
        for tag in tags:
            if not isinstance(cast("Any", tag), str):
                message = f"tag takes strings, got {tag!r:.80}: write trace.tag('first', 'second')."
                raise ConfigurationError(message)
        self._annotate(tags=list(tags))

    def replay(self, function: Any = None, /, **overrides: Any) -> Replay:
        """Run the call again, with the arguments that its span holds; see `SpanSet.replay`."""
        return self.spans.replay(function, **overrides)

    def diff(self, other: Any) -> SpanDiff:
        """Compare this call with another run, such as what `.wrapped()` returned earlier; see `SpanSet.diff`."""
        return self.spans.diff(other)

    def check(self, *checks: Callable[[Self], object], **bounds: Any) -> Self:
        """Raise one error that lists every bound that does not hold; the bounds are those of `SpanSet.check`.

        Args:
            *checks: Functions of this trace, such as `lambda trace: "Paris" in trace.result`.
            **bounds: `max_cost`, `max_latency`, `max_tokens`, ...

        Returns:
            The trace itself: `answer.wrapped("...").check(max_latency=2).result`.

        Raises:
            CheckError: A bound does not hold.
            TypeError: There is no such bound; the message names the nearest.
            OpsError: There is no span to check, because tracing is disabled.
        """
        __tracebackhide__ = True  # as in `SpanSet.check`
        self.spans._check(self, checks, bounds)  # noqa: SLF001 - the functions get this trace, not its spans
        return self

    def __repr__(self) -> str:
        return f"Trace(result={self.result!r}, span_id={self.span_id!r}, trace_id={self.trace_id!r})"

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> Any:
        if self.span.is_noop:
            return {"text/plain": repr(self)}
        return self.spans._repr_mimebundle_(include, exclude)

    def _recorded(self) -> Any:
        return self.spans

    def _ids(self) -> tuple[str, str]:
        trace_id, span_id = self.trace_id, self.span_id
        if trace_id is None or span_id is None:
            if self._waiting is not None:
                message = "This generator has no span before its first item: read some of trace.result first."
                raise OpsError(message)
            message = "This call has no span, because tracing was disabled (OTEL_SDK_DISABLED) when it ran."
            raise OpsError(message)
        return trace_id, span_id

    def _annotate(self, **fields: Any) -> None:
        empty: dict[str, Any] = {"label": None, "reasoning": None, "tags": [], "metadata": {}}
        given: dict[str, Any] = {key: value for key, value in fields.items() if value is not None}
        for key in ("label", "reasoning"):
            if key in given:
                given[key] = capture.text(str(given[key]))
        said = {**empty, **given, "time": clock.now()}
        if self.span_id is None and self._waiting is not None:
            self._waiting.append(said)
        else:
            keep_annotation(self.span, said)


def keep_annotation(span: Span, said: dict[str, Any]) -> None:
    """Keep what is said of a span; nothing where it has no ids: a program must not fail because it is not traced."""
    trace_id, span_id = span.trace_id, span.span_id
    if trace_id is not None and span_id is not None:
        backend.get().annotate({**said, "trace_id": trace_id, "span_id": span_id})
