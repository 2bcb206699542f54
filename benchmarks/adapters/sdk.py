"""A span of the OpenTelemetry SDK with six attributes, nothing captured: what every other library builds on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor

from adapters.work import SESSION, Exporter, Work

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import SpanProcessor


def prepare(*, keep: bool) -> Work:
    return with_processor(SimpleSpanProcessor(Exporter(keep=keep)))


def with_processor(processor: SpanProcessor) -> Work:
    provider = TracerProvider()
    provider.add_span_processor(processor)
    tracer = provider.get_tracer("benchmark")

    def span() -> Any:
        return tracer.start_as_current_span(
            "answer",
            attributes={
                "mirascope.type": "trace",
                "mirascope.fn.qualname": "answer",
                "mirascope.fn.module": "benchmark",
                "mirascope.fn.is_async": False,
                "mirascope.ops.session.id": SESSION,
                "session.id": SESSION,
            },
        )

    def answer(question: str, limit: int) -> dict[str, Any]:
        with span():
            return {"question": question, "limit": limit}

    async def answer_async(question: str, limit: int) -> dict[str, Any]:
        with span():
            return {"question": question, "limit": limit}

    return Work(answer, answer_async, settle=provider.force_flush)
