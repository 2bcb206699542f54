"""What every store can do: keep spans, runs and annotations, and give them back."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from mirascope_ops.store.batch import SpanBatch
    from mirascope_ops.store.records import (
        AnnotationRecord,
        RunRecord,
        SessionQuery,
        SessionRecord,
        SpanQuery,
        SpanRecord,
    )

NANOSECONDS_A_DAY = 86_400 * 10**9


class Retention(NamedTuple):
    """How long a durable store keeps traces, and how large its file may grow.

    Attributes:
        max_age_days: Traces whose last span ended longer ago are deleted; None keeps them for ever.
        max_bytes: The oldest traces are deleted until no more than this is used; None sets no bound.
        archive: A folder to which traces are written before they are deleted; None deletes them for good.

    Example:
        >>> Retention(max_age_days=1).max_age_ns
        86400000000000
    """

    max_age_days: float | None = 90.0
    max_bytes: int | None = 2 * 1024**3
    archive: Path | None = None

    @property
    def max_age_ns(self) -> int | None:
        """The age in nanoseconds, as `SqliteStore.purge` takes it."""
        return None if self.max_age_days is None else int(self.max_age_days * NANOSECONDS_A_DAY)

    def __str__(self) -> str:
        age = "for ever" if self.max_age_days is None else f"{self.max_age_days:g} days"
        size = "any size" if self.max_bytes is None else f"at most {size_text(self.max_bytes)}, oldest traces go first"
        archive = "" if self.archive is None else f", into {self.archive}"
        return f"{age}, {size}{archive}"


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class StoreStats:
    """What a store holds, where, for how long, and how to stop it.

    Attributes:
        path: The file in which prompts and answers are kept, or None where they are in memory only.
        spans: How many spans.
        traces: How many traces.
        runs: How many entries into sessions.
        sessions: How many sessions, those without spans included.
        annotations: How many annotations.
        bytes: Size of the file and of what belongs to it; 0 in memory.
        oldest: Start of the oldest span in nanoseconds since the epoch, or None.
        newest: Start of the newest span in nanoseconds since the epoch, or None.
        retention: How long a file keeps traces, or None in memory.
        max_spans: How many spans memory holds before the oldest are dropped, or None in a file.
        private: Whether the file can be read by its owner only; None where that is unknown.
        recording: False where recording is switched off.
        dropped: How many spans of this process were dropped: there was no room, or they came faster than they could
            be stored.
        waiting: How many ended spans of this process are not stored yet.
        estimated: Whether `spans` and `traces` are estimates: to count what a large file holds would take a minute.
        rescue_for: The file that cannot be written, where what is kept is kept in its place for now.

    Example:
        >>> print(StoreStats(recording=False))
        mirascope_ops store: recording is switched off, nothing is kept.
          switch on    unset MIRASCOPE_OPS_STORE and OTEL_SDK_DISABLED, or ops.configure(store="FILE")
    """

    path: Path | None = None
    spans: int = 0
    traces: int = 0
    runs: int = 0
    sessions: int = 0
    annotations: int = 0
    bytes: int = 0
    oldest: int | None = None
    newest: int | None = None
    retention: Retention | None = None
    max_spans: int | None = None
    private: bool | None = None
    recording: bool = True
    dropped: int = 0
    waiting: int = 0
    estimated: bool = False
    rescue_for: Path | None = None

    def __str__(self) -> str:
        if not self.recording:
            return (
                "mirascope_ops store: recording is switched off, nothing is kept.\n"
                "  switch on    unset MIRASCOPE_OPS_STORE and OTEL_SDK_DISABLED, "
                'or ops.configure(store="FILE")'
            )
        lines = ["mirascope_ops store: prompts, answers, arguments and results of traced calls"]
        if self.path is None:
            lines.append("  kept in      this process's memory only; they go when it ends")
        else:
            reader = {True: " (readable by you only)", False: " (OTHERS ON THIS MACHINE CAN READ IT)", None: ""}
            lines.append(f"  kept in      {self.path}{reader[self.private]}")
        if self.rescue_for is not None:
            lines.append(f"  in place of  {self.rescue_for}, which cannot be written; they are moved there once it can")
        size = f", {size_text(self.bytes)}" if self.path is not None else ""
        about = "about " if self.estimated else ""
        lines.append(
            f"  holds        {_count(self.sessions, 'session')}, {_count(self.runs, 'run')}, "
            f"{about}{_count(self.traces, 'trace')}, {about}{_count(self.spans, 'span')}, "
            f"{_count(self.annotations, 'annotation')}{size}"
        )
        if self.oldest is not None and self.newest is not None:
            lines.append(f"  from         {time_text(self.oldest)} to {time_text(self.newest)}")
        if self.retention is not None:
            lines.append(f"  retention    {self.retention}")
        if self.max_spans is not None:
            lines.append(f"  retention    the newest {self.max_spans:,} spans")
        if self.waiting:
            lines.append(f"  waiting      {_count(self.waiting, 'span')} to be stored")
        if self.dropped:
            lines.append(f"  dropped      {_count(self.dropped, 'span')}: there was no room for more")
        lines.append('  switch off   MIRASCOPE_OPS_STORE=off in the environment, or ops.configure(store="off")')
        if self.path is not None:
            lines.append('  no file      MIRASCOPE_OPS_STORE=:memory:, or ops.configure(store=":memory:")')
        return "\n".join(lines)

    # A notebook's last expression is shown by its repr: that is where a person meets these lines.
    __repr__ = __str__


class Store(Protocol):
    """The one protocol of every backend; all methods may be called from any thread.

    Every method raises `StoreError` where the backend fails.
    """

    def write(
        self,
        spans: Sequence[SpanRecord],
        runs: Sequence[RunRecord] = (),
        annotations: Sequence[AnnotationRecord] = (),
    ) -> None:
        """Keep all of these or none.

        A span is known by its trace_id and span_id, a run by its run_id: a later record of the same
        one replaces the earlier. Annotations are added; the same one again adds nothing.
        """
        ...

    def spans(self, query: SpanQuery) -> list[SpanRecord]:
        """Give the spans that fit, by start, then in the order in which they were first written."""
        ...

    def batches(self, query: SpanQuery) -> Iterator[SpanBatch]:
        """Give the same spans column by column, some thousands at a time: what tables are made of.

        All batches come of one state of the store, so take them without delay; until the last one was taken or the
        iterator was closed, a connection may be held.
        """
        ...

    def runs(self, session_ids: Sequence[str] | None = None, *, descendants: bool = False) -> list[RunRecord]:
        """Give the runs of these sessions (None: of all), by start, then in the order of first writing.

        Args:
            session_ids: The sessions.
            descendants: Give also every run below one of these, by parent_run_id, transitively.
        """
        ...

    def sessions(self, query: SessionQuery) -> list[SessionRecord]:
        """List the sessions that fit, the one last seen first; those without spans too."""
        ...

    def annotations(self, trace_ids: Sequence[str] | None) -> list[AnnotationRecord]:
        """Give the annotations of these traces (None: of all), by time, then in the order of writing."""
        ...

    def delete(self, session_ids: Sequence[str]) -> int:
        """Delete these sessions: runs, spans, spans of their traces that have no session, annotations.

        Returns:
            How many spans were deleted.
        """
        ...

    def stats(self) -> StoreStats:
        """Say what is kept, where, and for how long."""
        ...

    def close(self) -> None:
        """Release what the store holds; calling it again does nothing, using the store raises StoreError."""
        ...


def size_text(size: int) -> str:
    """Write a number of bytes for people.

    Example:
        >>> size_text(1_536)
        '1.5 kB'
    """
    value = float(size)
    for unit in ("bytes", "kB", "MB", "GB"):
        if value < 1024:  # noqa: PLR2004 - the step between units
            return f"{value:.0f} {unit}" if unit == "bytes" else f"{value:.1f} {unit}"
        value /= 1024
    return f"{value:.1f} TB"


def time_text(time: int) -> str:
    """Write nanoseconds since the epoch for people, in UTC.

    Example:
        >>> time_text(0)
        '1970-01-01 00:00 UTC'
    """
    try:
        return datetime.fromtimestamp(time // 10**9, UTC).strftime("%Y-%m-%d %H:%M UTC")
    except (OverflowError, OSError, ValueError):
        return f"{time} ns"  # a made-up clock outside the calendar


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
