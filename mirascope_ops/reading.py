"""Reading back: the look-ups of the public API, over whatever store is in use.

Every look-up flushes first, so that a program sees what it has just done; spans that are still open come as
open.
"""

from __future__ import annotations

from bisect import bisect_left
from datetime import UTC, datetime, timedelta
from difflib import get_close_matches
from itertools import chain, islice
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeVar

from mirascope_ops.analysis.normalise import table_of
from mirascope_ops.analysis.table import SpanTable, chosen_spans
from mirascope_ops.exceptions import ConfigurationError, NotFoundError, StoreError
from mirascope_ops.sessionset import Session, SessionSet
from mirascope_ops.spanset import SpanSet, StoredTrace, TraceSet
from mirascope_ops.store import recorder
from mirascope_ops.store.records import SessionQuery, SessionRecord, SpanQuery

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from mirascope_ops.analysis.rows import SpanRow
    from mirascope_ops.core.session import SessionContext
    from mirascope_ops.store.joined import Readable
    from mirascope_ops.store.records import RunRecord

_UNITS: Final = {"s": "seconds", "min": "minutes", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_TRACE_ID_LENGTH: Final = 32
_SHORT_ID: Final = 8  # digits that a shortened trace id needs, as the views show it

_T = TypeVar("_T")

Time = "int | str | datetime | timedelta | None"


def spans(
    *,
    session: str | None = None,
    trace: str | None = None,
    name: str | None = None,
    kind: str | None = None,
    status: str | None = None,
    since: Any = None,
    until: Any = None,
    cell: int | str | None = None,
    notebook: str | None = None,
    limit: int | None = None,
) -> SpanSet:
    """Look up spans; every condition that is given must hold.

    Args:
        session: Spans of this session and its child sessions.
        trace: Spans of this trace.
        name: Spans of exactly this name.
        kind: llm, embedding, retriever, tool, agent, chain or other.
        status: unset, ok, error, open or interrupted.
        since: Spans that started at or after this time: a datetime, ISO text, ns since the epoch; a timedelta or
            text such as "30 min", "2 h", "1 d" is that long ago.
        until: Spans that started before this time.
        cell: Spans of a notebook cell, by execution count (int) or cell id (str).
        notebook: Spans made in this notebook.
        limit: The newest so many.

    Returns:
        The spans, by start.

    Raises:
        ConfigurationError: A time makes no sense.
        NotFoundError: There is no such session or trace; the message names similar ones.

    Example:
        >>> from mirascope_ops import ops
        >>> with ops.span("retrieve"):
        ...     pass
        >>> ops.spans(name="retrieve")[-1].name
        'retrieve'
    """
    if session is not None:
        found = get_session(session).spans
    elif trace is not None:
        found = get_trace(trace).spans
    else:
        # A span without a session inherits its trace's, and kinds look at a span's children: whole traces are read.
        query = SpanQuery(
            name=name,
            cell_id=cell if isinstance(cell, str) else None,
            execution_count=cell if isinstance(cell, int) else None,
            notebook=notebook,
            since=time_of(since),
            until=time_of(until),
            whole_traces=True,
            limit=limit if kind is None and status is None else None,
        )
        found = SpanSet(_table(query))
    place = "cell_id" if isinstance(cell, str) else "execution_count"
    wanted = {"name": name, "kind": kind, "status": status, place: cell, "notebook": notebook}
    kept = found.filter(**{column: value for column, value in wanted.items() if value is not None})
    kept = _between(kept, time_of(since), time_of(until))
    return kept if limit is None else kept[max(0, len(kept) - limit) :]


def traces(
    *,
    session: str | None = None,
    name: str | None = None,
    status: str | None = None,
    since: Any = None,
    until: Any = None,
    cell: int | str | None = None,
    notebook: str | None = None,
    limit: int | None = None,
) -> TraceSet:
    """Look up traces by their root span; conditions as for `spans`.

    Args:
        session: Traces of this session and its child sessions.
        name: Traces whose root has this name.
        status: Traces whose root has this status.
        since: Traces that started at or after this time; as for `spans`.
        until: Traces that started before this time.
        cell: Traces of a notebook cell, by execution count (int) or cell id (str).
        notebook: Traces made in this notebook.
        limit: The newest so many.

    Returns:
        The traces, oldest first, each whole.

    Raises:
        ConfigurationError: A time makes no sense.
        NotFoundError: There is no such session.
    """
    first, last = time_of(since), time_of(until)
    if session is not None:
        found = get_session(session).traces
    else:
        # Conditions on the root are checked below, where it is known; without any, the store need not give more.
        unconditional = name is None and status is None and cell is None and notebook is None
        query = SpanQuery(since=first, until=last, whole_traces=True, limit=limit if unconditional else None)
        found = SpanSet(_table(query)).traces
    conditions = _Conditions(name, status, cell, notebook, first, last)
    kept = found.filter(lambda trace: conditions.fit(trace.root))
    return kept if limit is None else kept[max(0, len(kept) - limit) :]


def page_of_traces(
    *, since: int | None, until: int | None, name: str | None, limit: int, seen: set[str]
) -> tuple[list[StoredTrace], int | None]:
    """Return the newest traces, and where those before them end: so all are gone through with few in memory.

    Args:
        since: Traces with a span that started at or after this time (ns).
        until: Traces with a span that started before this time (ns): what the page before returned.
        name: Traces with a span of this name.
        limit: How many, at least one.
        seen: The ids of the traces that pages before had; those of this page are added.

    Returns:
        Traces, newest first, each whole, none of which was seen; and the time for the next page, None after the last.
    """
    while True:
        query = SpanQuery(since=since, until=until, name=name, whole_traces=True, limit=limit)
        found = SpanSet(_table(query)).traces
        fresh = sorted((trace for trace in found if trace.trace_id not in seen), key=_trace_start, reverse=True)
        seen.update(trace.trace_id for trace in fresh)
        if len(found) < limit:
            return fresh, None
        newest = (
            max(span.start for span in trace if (name in {None, span.name}) and (until is None or span.start < until))
            for trace in found
        )
        following = min(newest) + 1  # others may have begun in that very nanosecond
        if fresh or following != until:
            return fresh, following
        limit *= 2


def get_trace(trace_id: str) -> StoredTrace:
    """Return one trace.

    Args:
        trace_id: Its 32 hex digits, or the first 8 or more of them, as the views show them.

    Raises:
        NotFoundError: No trace, or more than one, begins so.
    """
    wanted = trace_id.strip().lower()
    if len(wanted) < _TRACE_ID_LENGTH:
        if len(wanted) < _SHORT_ID:
            message = f"{trace_id!r} is too short for a trace id: give all 32 hex digits, or the first {_SHORT_ID}."
            raise NotFoundError(message)
        known = {span.trace_id for span in _asked(lambda store: store.spans(SpanQuery(trace_prefix=wanted)))}
        if len(known) > 1:
            message = f"{len(known)} traces begin with {trace_id!r}: give more digits."
            raise NotFoundError(message)
        wanted = known.pop() if known else wanted
    rows = _table(SpanQuery(trace_ids=[wanted]))
    if not rows:
        message = f"There is no trace {trace_id!r} in the store. {_where_to_look('ops.traces() lists them.')}"
        raise NotFoundError(message)
    return StoredTrace(rows)


def last_trace() -> StoredTrace:
    """Return the trace of the span that started last.

    Raises:
        NotFoundError: Nothing has been traced.
    """
    newest = _asked(lambda store: store.spans(SpanQuery(limit=1)))
    if not newest:
        message = f"There is no trace yet. {_where_to_look('Decorate a function with @ops.trace and call it.')}"
        raise NotFoundError(message)
    return get_trace(newest[0].trace_id)


def sessions(
    attributes: Mapping[str, Any] | None = None, *, since: Any = None, until: Any = None, limit: int | None = None
) -> SessionSet:
    """List sessions, the one last seen first; those without spans too.

    Args:
        attributes: Only sessions with these attributes (equal as JSON).
        since: Sessions last seen at or after this time; as for `spans`.
        until: Sessions first seen before this time.
        limit: At most so many.

    Raises:
        ConfigurationError: A time makes no sense.

    Example:
        >>> from mirascope_ops import ops
        >>> with ops.session(id="docs-1", attributes={"user_tier": "premium"}):
        ...     pass
        >>> ops.sessions(attributes={"user_tier": "premium"})[0].id
        'docs-1'
    """
    query = SessionQuery(attributes=dict(attributes or {}), since=time_of(since), until=time_of(until), limit=limit)
    return SessionSet(_asked(lambda store: store.sessions(query)), _load_sessions)


def get_session(session: str | SessionContext) -> Session:
    """Return one session, with the spans of its child sessions.

    Args:
        session: Its id, or the SessionContext that `ops.session` gave.

    Raises:
        NotFoundError: There is no such session; the message names similar ones.
    """
    return _session(session if isinstance(session, str) else session.id)


def session_card_of(session: str | SessionContext, run_id: str | None = None) -> Session:
    """Return a session whose card reports on one run: "this run 3 spans, session 12".

    Args:
        session: The session's id, or its context.
        run_id: The run; the context's own where a context is given.
    """
    if isinstance(session, str):
        return _session(session, run_id)
    return _session(session.id, run_id or session.run_id)


def time_of(value: Any) -> int | None:
    """Return a time in nanoseconds since the epoch.

    Args:
        value: As `spans` takes it for `since`.

    Raises:
        ConfigurationError: It makes no sense as a time.

    Example:
        >>> time_of("2026-01-01T00:00:00+00:00")
        1767225600000000000
    """
    if value is None or (isinstance(value, int) and not isinstance(value, bool)):
        return value
    try:
        told = _parsed(value) if isinstance(value, str) else value
        if isinstance(told, timedelta):
            told = datetime.now(UTC) - told
        if isinstance(told, datetime):
            return _nanoseconds(told)
    except (ValueError, OverflowError):  # a number of digits, or a year, outside the calendar
        pass
    message = (
        f"{value!r} is no time: give a datetime, ISO text, a timedelta, text such as '2 h', or ns since the epoch."
    )
    raise ConfigurationError(message)


def _parsed(text: str) -> datetime | timedelta | str:
    for unit, name in _UNITS.items():
        number = text.strip().removesuffix(unit).strip()
        if text.strip().endswith(unit) and number.replace(".", "", 1).isdigit():
            return timedelta(**{name: float(number)})
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        return text


def _nanoseconds(moment: datetime) -> int:
    aware = moment if moment.tzinfo is not None else moment.astimezone()
    since_epoch = aware - datetime(1970, 1, 1, tzinfo=UTC)
    return (since_epoch.days * 86_400 + since_epoch.seconds) * 10**9 + since_epoch.microseconds * 1000


class _Conditions(NamedTuple):
    """What a trace's root must be; as `traces` takes it, None demands nothing."""

    name: str | None
    status: str | None
    cell: int | str | None
    notebook: str | None
    first: int | None
    last: int | None

    def fit(self, span: SpanRow) -> bool:
        return (
            (self.name is None or span.name == self.name)
            and (self.status is None or span.status == self.status)
            and (self.cell is None or self.cell in (span.cell_id, span.execution_count))
            and (self.notebook is None or span.notebook == self.notebook)
            and (self.first is None or span.start >= self.first)
            and (self.last is None or span.start < self.last)
        )


def _between(spans: SpanSet, first: int | None, last: int | None) -> SpanSet:
    """Give the spans that start in this time; they are in the order of their starts."""
    begin = 0 if first is None else bisect_left(spans, first, key=_start)
    end = len(spans) if last is None else bisect_left(spans, last, key=_start)
    return spans if (begin, end) == (0, len(spans)) else spans[begin : max(begin, end)]


def _start(span: SpanRow) -> int:
    return span.start


def _trace_start(trace: StoredTrace) -> int:
    return trace.start


def _where_to_look(hint: str) -> str:
    """Return the hint, or that nothing is recorded at all."""
    if recorder.active().recording:
        return hint
    return "Nothing is recorded: MIRASCOPE_OPS_STORE=off, OTEL_SDK_DISABLED or ops.configure(store='off') says so."


def _asked(look: Callable[[Readable], _T]) -> _T:
    """Look something up, after everything recorded so far has reached the store.

    Args:
        look: Reads from the store that it is given. Where the recorder turns to another one meanwhile, because the file
            can be written again, it is called once more: the rescue that it read is gone.

    Returns:
        What `look` gave.
    """
    while True:
        active = recorder.active()
        active.flush()
        store = active.store
        try:
            return look(active.readable())
        except StoreError:
            active.readable()  # waits for the writing thread, if that is just turning
            if recorder.active().store is store:
                raise


def _table(query: SpanQuery) -> SpanTable:
    return _asked(lambda store: _read(store, query))


def _read(store: Readable, query: SpanQuery) -> SpanTable:
    """Read spans with what was said about them: few are asked for by their traces, many get all annotations."""
    batches = store.batches(query)
    few = list(islice(batches, 2))
    if len(few) > 1:
        return table_of(chain(few, batches), store.annotations(None))
    return table_of(few, store.annotations(sorted({trace for batch in few for trace in batch.columns[0]})))


def _session(session_id: str, run_id: str | None = None) -> Session:
    return _asked(lambda store: _session_in(store, session_id, run_id))


def _session_in(store: Readable, session_id: str, run_id: str | None) -> Session:
    records = store.sessions(SessionQuery(session_ids=[session_id]))
    if not records:
        known = [record.session_id for record in store.sessions(SessionQuery(limit=1000))]
        close = get_close_matches(session_id, known, 3)
        hint = (
            f"Did you mean {' or '.join(map(repr, close))}?" if close else _where_to_look("ops.sessions() lists them.")
        )
        message = f"There is no session {session_id!r} in the store. {hint}"
        raise NotFoundError(message)
    return _load_session(store, records[0], run_id)


def _load_sessions(records: Sequence[SessionRecord]) -> list[Session]:
    return _asked(lambda store: [_load_session(store, record) for record in records])


def _load_session(store: Readable, record: SessionRecord, run_id: str | None = None) -> Session:
    runs = store.runs([record.session_id], descendants=True)
    return Session(record, runs, _session_spans(store, record.session_id, runs), run_id)


def _session_spans(store: Readable, session_id: str, runs: Sequence[RunRecord]) -> Sequence[SpanRow]:
    """Read a session's spans: those of its runs and the runs below, and those that inherit the session."""
    run_ids = [run.run_id for run in runs]
    query = SpanQuery(session_ids=[session_id], run_ids=run_ids, sessions_or_runs=True, whole_traces=True)
    within = frozenset(run_ids)
    names = {session_id, *(run.session_id for run in runs)}

    def belongs(session: str | None, run: str | None) -> bool:
        return session == session_id or run in within or (run is None and session in names)  # from outside: no run

    return chosen_spans(_read(store, query), belongs, "session_id", "run_id")
