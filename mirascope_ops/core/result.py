"""`Trace`: what a traced call returns through `.wrapped()`: the result, with the span that it was."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Generic, Self, TypeVar

from mirascope_ops.core import backend
from mirascope_ops.core.annotated import Annotated, keep_annotation
from mirascope_ops.core.recorded import Recorded
from mirascope_ops.exceptions import OpsError

if TYPE_CHECKING:
    from collections.abc import Callable

    from mirascope_ops.core.span import Span
    from mirascope_ops.replaying import Replay
    from mirascope_ops.spandiff import SpanDiff

R_co = TypeVar("R_co", covariant=True)


class Trace(Recorded, Annotated, Generic[R_co]):
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

    def _keep_annotation(self, said: dict[str, Any]) -> None:
        if self.span_id is None and self._waiting is not None:
            self._waiting.append(said)
        else:
            keep_annotation(self.trace_id, self.span_id, said)
