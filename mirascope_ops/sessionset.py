"""Session: a session as it was recorded, with its spans, turns and card; and sets of sessions."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, Literal, Self, Unpack, overload

from mirascope_ops.analysis.sessions import session_card
from mirascope_ops.comparisons import Comparisons
from mirascope_ops.core import backend
from mirascope_ops.exports import Exports
from mirascope_ops.spanset import SpanSet, TraceSet

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pandas import DataFrame  # pyright: ignore[reportMissingTypeStubs] - pandas ships none
    from plotly.graph_objects import Figure  # pyright: ignore[reportMissingTypeStubs] - plotly ships none

    from mirascope_ops.analysis.rows import SessionCard, SpanRow, Totals
    from mirascope_ops.spanset import Tree
    from mirascope_ops.store.records import RunRecord, SessionRecord
    from mirascope_ops.views.figures import FigureKind
    from mirascope_ops.views.figures_theme import Theme
    from mirascope_ops.views.timeline_options import TimelineArguments

_SHOWN = 20  # sessions whose spans are read for the list view


class Session(SpanSet):
    """A session as it was recorded; its spans are those of its child sessions too.

    Args:
        record: What the store lists.
        runs: The entries into it, and those of its child sessions.
        spans: Its spans.
        run_id: The run that its card reports on, or None for the whole session.
    """

    def __init__(
        self, record: SessionRecord, runs: Sequence[RunRecord], spans: Iterable[SpanRow], run_id: str | None = None
    ) -> None:
        super().__init__(spans)
        self._record = record
        self._runs = tuple(runs)
        self._run_id = run_id

    @property
    def id(self) -> str:
        """The session's id."""
        return self._record.session_id

    @property
    def attributes(self) -> Mapping[str, Any]:
        """The session's attributes: those of all its entries, later ones winning key by key."""
        return self._record.attributes

    @property
    def parent_id(self) -> str | None:
        """The id of the session in which it was last entered, or None."""
        return self._record.parent_session_id

    @property
    def runs(self) -> tuple[RunRecord, ...]:
        """The entries into this session, oldest first."""
        return tuple(run for run in self._runs if run.session_id == self.id)

    @property
    def entries(self) -> tuple[RunRecord, ...]:
        """The entries into this session and into those inside of it, oldest first."""
        return self._runs

    def _entries(self) -> Sequence[RunRecord]:
        return self._runs

    @property
    def card(self) -> SessionCard:
        """All that the session's card shows, as data."""
        return session_card(self._record, self._runs, self._spans, run_id=self._run_id)

    def to_text(self) -> str:
        """Return the session's card in text."""
        from mirascope_ops.views import text

        return text.session_text(self.card)

    def _html(self) -> str:
        from mirascope_ops.views import html

        return html.session_html(self.card)

    def review(self, *, by: Literal["session", "trace", "span"] | None = None) -> Any:
        """Return a widget in which the session's turns are judged, and then the session itself.

        Args:
            by: "session" for the session as a whole alone, "trace" for its turns alone, "span" for its spans.

        Raises:
            OpsError: There is no notebook; the message says what to write instead.
        """
        return backend.get().review(self._spans, by, self.id if by in {None, "session"} else None)

    def _data(self) -> dict[str, Any]:
        return {**super()._data(), "session_id": self.id, "attributes": dict(self.attributes)}

    def __repr__(self) -> str:
        return f"Session({self.id!r}, {len(self):,} {'span' if len(self) == 1 else 'spans'})"


class SessionSet(Exports, Comparisons, Sequence[Session]):
    """An immutable sequence of sessions; a session's spans are read when they are asked for.

    Args:
        records: What the store lists.
        load: Reads sessions, given their records.
    """

    def __init__(
        self, records: Sequence[SessionRecord], load: Callable[[Sequence[SessionRecord]], list[Session]]
    ) -> None:
        self._records = tuple(records)
        self._load = load
        self._loaded: dict[int, Session] = {}

    def __len__(self) -> int:
        return len(self._records)

    @overload
    def __getitem__(self, index: int) -> Session: ...
    @overload
    def __getitem__(self, index: slice) -> Self: ...
    def __getitem__(self, index: int | slice) -> Session | SessionSet:
        if isinstance(index, slice):
            return type(self)(self._records[index], self._load)
        position = range(len(self._records))[index]
        return self._read([position])[0]

    @property
    def ids(self) -> list[str]:
        """The sessions' ids, in order."""
        return [record.session_id for record in self._records]

    @property
    def spans(self) -> SpanSet:
        """The spans of all sessions, each once, by start."""
        found = {(span.trace_id, span.span_id): span for session in self._read(range(len(self))) for span in session}
        return SpanSet(sorted(found.values(), key=lambda span: span.start))

    @property
    def traces(self) -> TraceSet:
        """The traces of all sessions."""
        return self.spans.traces

    def filter(self, predicate: Callable[[Session], object]) -> SessionSet:
        """Keep the sessions for which a function of a session is true.

        Args:
            predicate: A function of a session.
        """
        sessions = self._read(range(len(self)))
        kept = [record for record, session in zip(self._records, sessions, strict=True) if predicate(session)]
        return SessionSet(kept, self._load)

    def to_pandas(self) -> DataFrame:
        """Return the sessions as a DataFrame, one row each; tokens and cost include child sessions."""
        from mirascope_ops.analysis.frames import sessions_frame

        return sessions_frame([session.card for session in self._read(range(len(self)))])

    def summary(self, by: str | Sequence[str] = "session_id") -> DataFrame:
        """Return statistics of all spans; see `SpanSet.summary`."""
        return self.spans.summary(by)

    @property
    def totals(self) -> Totals:
        """Counts, duration, tokens and cost of all spans; each model call counts once."""
        return self.spans.totals

    def tree(self) -> Tree:
        """Return all spans as a forest."""
        return self.spans.tree()

    def critical_path(self) -> DataFrame:
        """Return what the traces waited for; see `SpanSet.critical_path`."""
        return self.spans.critical_path()

    def concurrency(self) -> DataFrame:
        """Return how many spans ran at once; see `SpanSet.concurrency`."""
        return self.spans.concurrency()

    def context_growth(self) -> DataFrame:
        """Return how many tokens each model call was given; see `SpanSet.context_growth`."""
        return self.spans.context_growth()

    def figure(self, kind: FigureKind = "timeline", *, limit: int | None = None, theme: Theme = "auto") -> Figure:
        """Return a plotly figure of all spans; see `SpanSet.figure`."""
        return self.spans.figure(kind, limit=limit, theme=theme)

    def figure_table(self, kind: FigureKind = "timeline") -> DataFrame:
        """Return what a figure of all spans draws, as a table; see `SpanSet.figure_table`."""
        return self.spans.figure_table(kind)

    def review(self, *, by: Literal["session", "trace", "span"] = "session") -> Any:
        """Return a widget in which these sessions are judged as wholes, one after the other; see `SpanSet.review`.

        Args:
            by: "session", or "trace" for the turns of all sessions, or "span" for their spans.
        """
        if by != "session":
            return self.spans.review(by=by)
        own = [span for session in self._read(range(len(self))) for span in session if span.session_id == session.id]
        return backend.get().review(own, by, None)

    def turns(self) -> DataFrame:
        """Return the turns of all sessions, one row each."""
        return self.spans.turns()

    def messages(self) -> DataFrame:
        """Return the messages of all sessions, one row each."""
        return self.spans.messages()

    def timeline(self, **options: Unpack[TimelineArguments]) -> Any:
        """Return the timeline of all sessions; options as for `SpanSet.timeline`."""
        return self.spans.timeline(**options)

    def to_text(self) -> str:
        """Return the sessions as a list in text."""
        from mirascope_ops.views import text

        return text.sessions_text(self._cards(), len(self))

    def _rows(self) -> Sequence[SpanRow]:
        return list(self.spans)

    def _entries(self) -> Sequence[RunRecord]:
        sessions = self._read(range(len(self)))
        return list({run.run_id: run for session in sessions for run in session.entries}.values())

    def _cards(self) -> list[SessionCard]:
        return [session.card for session in self._read(range(min(_SHOWN, len(self))))]

    def _read(self, positions: Iterable[int]) -> list[Session]:
        wanted = list(positions)
        missing = [position for position in wanted if position not in self._loaded]
        if missing:
            found = self._load([self._records[position] for position in missing])
            self._loaded.update(zip(missing, found, strict=True))
        return [self._loaded[position] for position in wanted]

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, Any]:
        from mirascope_ops.views import html
        from mirascope_ops.views.bundle import bundle, chosen

        data = {"type": "session-set", "count": len(self), "sessions": self.ids[:1000]}
        return chosen(bundle(self.to_text(), html.sessions_html(self._cards(), len(self)), data), include, exclude)

    def __repr__(self) -> str:
        return f"SessionSet of {len(self):,} {'session' if len(self) == 1 else 'sessions'}"
