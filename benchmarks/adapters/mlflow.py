"""MLflow's exporter hands what it has made of a trace to its client; here it goes no further."""

from __future__ import annotations

import functools
from typing import Any

import mlflow
import mlflow.entities.trace_location
from mlflow.tracing.export.mlflow_v3 import MlflowV3SpanExporter

from adapters.work import SESSION, Work, answer, answer_async


def prepare(*, keep: bool) -> Work:
    kept: list[Any] = []

    def log_trace(_: Any, trace: Any, *args: Any, **options: Any) -> None:  # noqa: ARG001 - as it is called
        if keep:
            kept.append(trace)

    MlflowV3SpanExporter._log_trace = log_trace  # noqa: SLF001 - there is no public place for an exporter
    MlflowV3SpanExporter._log_spans = lambda *_, **__: None  # noqa: SLF001 - as above
    mlflow.set_tracking_uri("http://127.0.0.1:9")
    mlflow.tracing.set_destination(mlflow.entities.trace_location.MlflowExperimentLocation(experiment_id="0"))
    with mlflow.start_span("check") as span:
        # MLflow hides its own errors, and then traces nothing at no cost.
        assert span.span_id, "MLflow makes no spans with this set-up"
    session = functools.partial(mlflow.tracing.context, session_id=SESSION)
    return Work(mlflow.trace(answer), mlflow.trace(answer_async), session, mlflow.flush_trace_async_logging)
