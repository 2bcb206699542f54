"""Fixtures for the tests of the core: a store of their own, faults that raise, and nothing left current."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import pytest
from opentelemetry import trace as otel_trace
from opentelemetry.context import Context
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.util._once import Once

from mirascope_ops import ops
from mirascope_ops.core import capture, context, guard, pipeline
from mirascope_ops.core.open_spans import forget_open_spans
from mirascope_ops.core.session import CURRENT
from mirascope_ops.testing import captured

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from mirascope_ops import SpanSet
    from mirascope_ops.analysis.rows import SpanRow

_POLICY = ("enabled", "limit", "redact", "mask_secrets")


@pytest.fixture(autouse=True)
def recorded() -> Iterator[Callable[[], SpanSet]]:
    """Record into a store of the test's own; afterwards no session and no span may be left current."""
    with captured() as spans:
        yield spans
        left = (ops.current_session(), otel_trace.get_current_span())
    # What one test leaves behind must not fail the tests that follow.
    CURRENT.set(None)
    context.attach_context(Context())
    forget_open_spans()
    assert left == (None, otel_trace.INVALID_SPAN), "a session or a span was left current"


@pytest.fixture(autouse=True)
def _process_settings_restored() -> Iterator[None]:
    """Put back what `ops.configure` and OpenTelemetry keep for the whole process."""
    policy = {name: getattr(capture.policy, name) for name in _POLICY}
    provider, once = otel_trace._TRACER_PROVIDER, otel_trace._TRACER_PROVIDER_SET_ONCE
    otel_trace._TRACER_PROVIDER, otel_trace._TRACER_PROVIDER_SET_ONCE = None, Once()
    pipeline.pin(None)
    yield
    otel_trace._TRACER_PROVIDER, otel_trace._TRACER_PROVIDER_SET_ONCE = provider, once
    pipeline.pin(None)
    for name, value in policy.items():
        setattr(capture.policy, name, value)


@pytest.fixture
def only(recorded: Callable[[], SpanSet]) -> Callable[..., SpanRow]:
    """Return the only span recorded, or the only one of a name."""

    def find(name: str | None = None) -> SpanRow:
        (span,) = [span for span in recorded() if name is None or span.name == name]
        return span

    return find


class Provider:
    """A stock SDK provider that is installed globally, with an exporter in memory."""

    def __init__(self, *processors: SpanProcessor, **options: Any) -> None:
        self.sdk = TracerProvider(**options)
        self._exporter = InMemorySpanExporter()
        self.sdk.add_span_processor(SimpleSpanProcessor(self._exporter))
        for processor in processors:
            self.sdk.add_span_processor(processor)
        otel_trace.set_tracer_provider(self.sdk)
        self.tracer = self.sdk.get_tracer("a stock library")

    @property
    def exported(self) -> tuple[ReadableSpan, ...]:
        return self._exporter.get_finished_spans()

    def one(self, name: str | None = None) -> ReadableSpan:
        (span,) = [span for span in self.exported if name is None or span.name == name]
        return span


@pytest.fixture
def install_provider() -> Callable[..., Provider]:
    """Install a stock SDK provider for this test: processors, then options of TracerProvider."""
    return Provider


@pytest.fixture
def lenient() -> Iterator[None]:
    """Let faults of this library be logged, as they are in production."""
    guard.strict(on=False)
    reported = set(guard._reported)
    guard._reported.clear()
    yield
    guard._reported.clear()
    guard._reported.update(reported)
    guard.strict(on=True)


@pytest.fixture
def in_thread() -> Callable[[Callable[[], Any]], Any]:
    """Run a function in a new thread, return its result or raise its exception."""

    def run(function: Callable[[], Any]) -> Any:
        outcome: dict[str, Any] = {}

        def target() -> None:
            try:
                outcome["result"] = function()
            except BaseException as error:  # noqa: BLE001 - raised again below
                outcome["error"] = error

        thread = threading.Thread(target=target)
        thread.start()
        thread.join(timeout=120)
        if "error" in outcome:
            raise outcome["error"]
        return outcome["result"]

    return run
