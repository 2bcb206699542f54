"""The call that everybody traces, and the exporter that everybody exports to."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Any, NamedTuple

from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Sequence

    from opentelemetry.sdk.trace import ReadableSpan

SESSION = "benchmark"


def answer(question: str, limit: int) -> dict[str, Any]:
    return {"question": question, "limit": limit}


async def answer_async(question: str, limit: int) -> dict[str, Any]:
    return {"question": question, "limit": limit}


class Work(NamedTuple):
    """A traced call, sync and async, the session that it is made in, and what waits until all of it is done."""

    call: Callable[[str, int], Any]
    coroutine: Callable[[str, int], Coroutine[Any, Any, Any]]
    session: Callable[[], AbstractContextManager[Any]] = nullcontext
    settle: Callable[[], Any] = lambda: None


class Exporter(SpanExporter):
    """Does nothing, or keeps the spans."""

    def __init__(self, *, keep: bool) -> None:
        self.kept: list[ReadableSpan] | None = [] if keep else None

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        if self.kept is not None:
            self.kept.extend(spans)
        return SpanExportResult.SUCCESS
