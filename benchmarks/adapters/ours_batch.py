"""This library, its spans exported by a stock BatchSpanProcessor and kept in memory too."""

from __future__ import annotations

from typing import TYPE_CHECKING

from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

import mirascope_ops as ops
from adapters import ours
from adapters.work import Exporter

if TYPE_CHECKING:
    from adapters.work import Work


def prepare(*, keep: bool) -> Work:
    provider = TracerProvider()
    provider.add_span_processor(BatchSpanProcessor(Exporter(keep=keep)))
    ops.configure(tracer_provider=provider)
    return ours.prepare(keep=keep)
