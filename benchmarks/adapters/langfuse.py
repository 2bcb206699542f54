from __future__ import annotations

import functools

from langfuse import Langfuse, observe, propagate_attributes

from adapters.work import SESSION, Exporter, Work, answer, answer_async


def prepare(*, keep: bool) -> Work:
    client = Langfuse(
        public_key="pk-none",
        secret_key="sk-none",  # noqa: S106 - no server is asked
        base_url="http://127.0.0.1:9",
        span_exporter=Exporter(keep=keep),
        should_export_span=lambda span: True,  # noqa: ARG005 - its name for it
    )
    session = functools.partial(propagate_attributes, session_id=SESSION)
    return Work(observe()(answer), observe()(answer_async), session, client.flush)
