"""All that a store holds, or what was in a stretch of time, some at a time: it may be more than the memory."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from mirascope_ops.store.records import SessionQuery, SpanQuery

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

    from mirascope_ops.analysis.table import SpanTable
    from mirascope_ops.recording import Recording
    from mirascope_ops.store.otlp import Exported
    from mirascope_ops.store.protocol import Store
    from mirascope_ops.store.records import AnnotationRecord, RunRecord

_TRACES_AT_ONCE: Final = 500
_SPANS_AT_ONCE: Final = 16_000


class Everything:
    """The traces of a store, each whole, and the entries into sessions.

    Args:
        store: The store.
        since: Only traces with a span that started at or after this time (ns).
        until: Only traces with a span that started before this time (ns).

    Attributes:
        count: How many spans were given so far.
    """

    def __init__(self, store: Store, since: int | None, until: int | None) -> None:
        self._store = store
        self._since = since
        self._until = until
        self.count = 0

    @property
    def runs(self) -> list[RunRecord]:
        """The entries into sessions that were seen then."""
        if self._since is None and self._until is None:
            return self._store.runs()
        found = self._store.sessions(SessionQuery(since=self._since, until=self._until))
        return self._store.runs([session.session_id for session in found])

    def records(self) -> Generator[Exported]:
        """Give the spans as they were recorded, by start, with what was said about them."""
        from mirascope_ops.store.otlp import Exported

        about: dict[tuple[str, str], list[AnnotationRecord]] = {}
        for annotation in self._store.annotations(None):
            about.setdefault((annotation.trace_id, annotation.span_id), []).append(annotation)
        for batch in self._store.batches(SpanQuery(since=self._since, until=self._until, whole_traces=True)):
            for place in range(len(batch)):
                record = batch.record(place)
                self.count += 1
                yield Exported(record, about.get((record.trace_id, record.span_id), ()))

    def parts(self) -> Generator[SpanTable]:
        """Give the spans as they read within their traces, traces in the order of their beginnings.

        All spans are gone through to learn of their traces, which are read when some have been found.
        """
        seen: set[str] = set()
        waiting: list[str] = []
        passed = 0
        for batch in self._store.batches(SpanQuery(since=self._since, until=self._until)):
            for trace_id in batch.columns[0]:
                if trace_id not in seen:
                    seen.add(trace_id)
                    waiting.append(trace_id)
            passed += len(batch)
            if len(waiting) >= _TRACES_AT_ONCE or passed >= _SPANS_AT_ONCE:
                yield from self._read(waiting)
                waiting, passed = [], 0
        yield from self._read(waiting)

    def recording(self) -> Recording:
        """Give all of it at once."""
        from mirascope_ops.analysis.normalise import table_of
        from mirascope_ops.recording import Recording

        query = SpanQuery(since=self._since, until=self._until, whole_traces=True)
        rows = table_of(self._store.batches(query), self._store.annotations(None))
        self.count = len(rows)
        return Recording(rows, self.runs)

    def _read(self, traces: list[str]) -> Iterator[SpanTable]:
        from mirascope_ops.analysis.normalise import table_of

        if traces:
            table = table_of(self._store.batches(SpanQuery(trace_ids=traces)), self._store.annotations(traces))
            self.count += len(table)
            yield table
