from __future__ import annotations

from contextlib import nullcontext

from traceloop.sdk import Traceloop
from traceloop.sdk.decorators import task

from adapters.work import SESSION, Exporter, Work, answer, answer_async


def prepare(*, keep: bool) -> Work:
    Traceloop.init(
        app_name="benchmark",
        exporter=Exporter(keep=keep),
        disable_batch=True,
        telemetry_enabled=False,
        instruments=set(),
    )
    Traceloop.set_association_properties({"session_id": SESSION})  # for this context, with no end to it
    return Work(task()(answer), task()(answer_async), nullcontext)
