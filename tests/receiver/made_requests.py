"""Requests as exporters send them."""

from __future__ import annotations

from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

TRACE, PARENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"


def request(*spans: dict[str, Any], resource: dict[str, Any] | None = None) -> dict[str, Any]:
    """An OTLP/JSON request; spans are told what they do not say."""
    filled = [
        {
            "traceId": TRACE,
            "spanId": f"{number:016x}",
            "name": "answer",
            "startTimeUnixNano": "1796082484247000000",
            "endTimeUnixNano": "1796082484259764487",
            **span,
        }
        for number, span in enumerate(spans, 1)
    ]
    return {
        "resourceSpans": [
            {"resource": {"attributes": attributes(**(resource or {}))}, "scopeSpans": [{"spans": filled}]}
        ]
    }


def attributes(**values: Any) -> list[dict[str, Any]]:
    """Attributes of text, as OTLP/JSON has them; `__` in a key stands for a dot."""
    return [{"key": key.replace("__", "."), "value": {"stringValue": value}} for key, value in values.items()]


def protobuf(count: int = 3, *, first: int = 1, **values: str) -> bytes:
    """A request in protobuf with so many spans."""
    message = ExportTraceServiceRequest()
    scope = message.resource_spans.add().scope_spans.add()
    for number in range(first, first + count):
        span = scope.spans.add(
            trace_id=bytes.fromhex(TRACE),
            span_id=number.to_bytes(8, "big"),
            name=f"span {number}",
            start_time_unix_nano=1_796_082_484_247_000_000 + number,
            end_time_unix_nano=1_796_082_484_248_000_000 + number,
        )
        for key, value in values.items():
            span.attributes.add(key=key.replace("__", ".")).value.string_value = value
    return message.SerializeToString()
