from __future__ import annotations

from typing import TYPE_CHECKING

from opentelemetry.sdk.trace.export import BatchSpanProcessor

from adapters import sdk
from adapters.work import Exporter

if TYPE_CHECKING:
    from adapters.work import Work


def prepare(*, keep: bool) -> Work:
    return sdk.with_processor(BatchSpanProcessor(Exporter(keep=keep)))
