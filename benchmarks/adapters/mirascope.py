from __future__ import annotations

import functools

from mirascope import ops
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor

from adapters.work import SESSION, Exporter, Work, answer, answer_async


def prepare(*, keep: bool) -> Work:
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(Exporter(keep=keep)))
    ops.configure(tracer_provider=provider)
    return Work(ops.trace(answer), ops.trace(answer_async), functools.partial(ops.session, id=SESSION))
