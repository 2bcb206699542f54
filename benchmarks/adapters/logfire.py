"""Logfire has no session of its own; its arguments and results are captured."""

from __future__ import annotations

import logfire
from opentelemetry.sdk.trace.export import SimpleSpanProcessor

from adapters.work import Exporter, Work, answer, answer_async


def prepare(*, keep: bool) -> Work:
    logfire.configure(
        send_to_logfire=False,
        console=False,
        metrics=False,
        additional_span_processors=[SimpleSpanProcessor(Exporter(keep=keep))],
    )
    traced = logfire.instrument("answer", extract_args=True, record_return=True)
    return Work(traced(answer), traced(answer_async), settle=logfire.force_flush)
