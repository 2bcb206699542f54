"""SpanSet: spans as a person holds them, one method away from a table, a tree or a figure.

It composes the layers below and adds nothing of its own: analysis computes, views render. Items are plain
`SpanRow` records; everything that returns a set returns a new one.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, Literal, Self, Unpack, cast, overload

from mirascope_ops._optional import require
from mirascope_ops.analysis import accessor, stats, tree
from mirascope_ops.analysis.rows import Node, SpanRow, Totals
from mirascope_ops.analysis.table import SpanTable, chosen_spans, spans_at
from mirascope_ops.comparisons import Comparisons
from mirascope_ops.core import backend
from mirascope_ops.core.annotated import Annotated, keep_annotation
from mirascope_ops.exceptions import OpsError
from mirascope_ops.exports import Exports

if TYPE_CHECKING:
    from pandas import DataFrame  # pyright: ignore[reportMissingTypeStubs] - pandas ships none
    from plotly.graph_objects import Figure  # pyright: ignore[reportMissingTypeStubs] - plotly ships none

    from mirascope_ops.replaying import Replay
    from mirascope_ops.views.figures import FigureKind
    from mirascope_ops.views.figures_theme import Theme
    from mirascope_ops.views.timeline_options import TimelineArguments

MIME_DATA_ROWS = 100


class Tree(list[Node]):
    """The roots of a forest of spans; shows itself as a tree."""

    def __repr__(self) -> str:
        from mirascope_ops.views.text import trace_text

        return trace_text([node.span for _, node in tree.walk(self)])

    __str__ = __repr__

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, Any]:
        shown: Any = SpanSet([node.span for _, node in tree.walk(self)])
        return shown._repr_mimebundle_(include, exclude)


class SpanSet(Exports, Comparisons, Sequence[SpanRow]):
    """An immutable sequence of spans, ordered by start.

    Args:
        spans: The spans.

    Example:
        >>> len(SpanSet([]))
        0
    """

    def __init__(self, spans: Iterable[SpanRow]) -> None:
        # What a store gave stays in columns until somebody asks for the rows.
        self._spans: Sequence[SpanRow] = spans if isinstance(spans, SpanTable) else tuple(spans)

    def __len__(self) -> int:
        return len(self._spans)

    @overload
    def __getitem__(self, index: int) -> SpanRow: ...
    @overload
    def __getitem__(self, index: slice) -> SpanSet: ...
    def __getitem__(self, index: int | slice) -> SpanRow | SpanSet:
        return SpanSet(self._spans[index]) if isinstance(index, slice) else self._spans[index]

    def __iter__(self) -> Iterator[SpanRow]:
        return iter(self._spans)

    @property
    def spans(self) -> SpanSet:
        """All spans of the set, as a SpanSet."""
        return SpanSet(self._spans)

    @property
    def traces(self) -> TraceSet:
        """The spans by trace, in the order of the traces' first spans."""
        groups: dict[str, list[SpanRow]] = {}
        for span in self._spans:
            groups.setdefault(span.trace_id, []).append(span)
        return TraceSet(StoredTrace(group) for group in groups.values())

    @property
    def roots(self) -> SpanSet:
        """The spans whose parent is not in the set."""
        return SpanSet(node.span for node in tree.forest(self._spans))

    @property
    def totals(self) -> Totals:
        """Counts, duration, tokens and cost; each model call counts once."""
        return stats.totals(self._spans)

    def filter(self, predicate: Callable[[SpanRow], object] | str | None = None, /, **columns: Any) -> SpanSet:
        """Keep the spans that fit every condition.

        Args:
            predicate: A function of a span, or a query as `DataFrame.query` takes it, over the columns of
                `to_pandas()`: "kind == 'llm' and input_tokens > 1000".
            **columns: Columns of the spans frame; a value, or a list, tuple or set of values to choose from.

        Returns:
            The spans that fit, as a SpanSet.

        Raises:
            OpsError: There is no such column, or the query makes no sense.
            ImportError: pandas, which a query needs, is not installed; the message says how.

        Example:
            >>> SpanSet([]).filter(kind="llm", status=["error", "interrupted"])
            SpanSet of 0 spans
        """
        unknown = [name for name in columns if name not in SpanRow._fields]
        if unknown:
            message = f"There is no column {unknown[0]!r}; the columns are {', '.join(SpanRow._fields)}."
            raise OpsError(message)
        if isinstance(predicate, str):
            kept = self._queried(predicate)
        else:
            kept = self._spans if predicate is None else tuple(span for span in self._spans if predicate(span))
        for name, wanted in columns.items():
            several = isinstance(wanted, list | tuple | set | frozenset) and name != "tags"
            choice = cast("Collection[Any]", wanted if several else (wanted,))
            kept = chosen_spans(kept, choice.__contains__, name)
        return SpanSet(kept)

    def _queried(self, query: str) -> Sequence[SpanRow]:
        table: Any = SpanSet.to_pandas(self)
        try:
            places: list[int] = list(table.query(query).index)
        except Exception as error:
            message = (
                f"The query {query!r} makes no sense ({type(error).__name__}: {error}). Write it as for "
                f"DataFrame.query, over the columns {', '.join(SpanRow._fields)}."
            )
            raise OpsError(message) from error
        return spans_at(self._spans, places)

    def tree(self) -> Tree:
        """Return the spans as a forest, parents above children, siblings by start."""
        return Tree(tree.forest(self._spans))

    def below(self, span_id: str) -> SpanSet:
        """Keep a span and all spans below it.

        Args:
            span_id: 16 hex digits.
        """
        for _, node in tree.walk(tree.forest(self._spans)):
            if node.span.span_id == span_id:
                return SpanSet(sorted((found.span for _, found in tree.walk([node])), key=_start))
        return SpanSet([])

    def to_pandas(
        self, columns: Sequence[str] | None = None, *, attributes: Literal["json", "columns"] = "json"
    ) -> DataFrame:
        """Return the spans as a DataFrame, one row each.

        The columns and their types are `mirascope_ops.analysis.frames.SPANS_SCHEMA`, always all of them.

        Args:
            columns: Only these, in this order.
            attributes: "json" keeps the emitted attributes as JSON text in one column; "columns" gives each a
                column of its own, `attributes.<key>`.

        Raises:
            ImportError: pandas is not installed; the message says how.
            OpsError: There is no such column.
        """
        from mirascope_ops.analysis.frames import spans_frame

        require("pandas", extra="notebook")
        register_accessor()
        return spans_frame(self._spans, columns=columns, attributes=attributes)

    @staticmethod
    def from_pandas(frame: DataFrame) -> SpanSet:
        """Make a set of spans of a DataFrame that `to_pandas()` gave; see `mirascope_ops.from_pandas`."""
        from mirascope_ops.analysis.from_pandas import rows_of_frame

        return SpanSet(rows_of_frame(frame))

    def summary(self, by: str | Sequence[str] = "name") -> DataFrame:
        """Return counts, errors, latency percentiles, self time, tokens and cost by group.

        Args:
            by: A column, or several: name, kind, model, status, session_id, ...
        """
        return stats.summary(self._spans, by)

    def critical_path(self) -> DataFrame:
        """Return what the traces waited for, one row a stretch of time, by trace and time.

        Of one root the durations add up to its own: making one of these spans faster makes the trace faster.
        The columns are `mirascope_ops.analysis.schema.CRITICAL_PATH_SCHEMA`.
        """
        from mirascope_ops.analysis import frames

        return frames.critical_path_frame(self._spans)

    def concurrency(self) -> DataFrame:
        """Return how many of the spans ran at once, one row each time that the number changes.

        A parent runs all the time that its children do: choose the spans first, such as `filter(kind="llm")`.
        The columns are `mirascope_ops.analysis.schema.CONCURRENCY_SCHEMA`.
        """
        from mirascope_ops.analysis import frames

        return frames.concurrency_frame(self._spans)

    def context_growth(self) -> DataFrame:
        """Return how many tokens each model call was given, one row a call, by session and time.

        The columns are `mirascope_ops.analysis.schema.CONTEXT_SCHEMA`.
        """
        from mirascope_ops.analysis import frames

        return frames.context_frame(self._spans)

    def turns(self) -> DataFrame:
        """Return the traces as turns of a conversation, one row each."""
        from mirascope_ops.analysis import frames, turns

        return frames.turns_frame(turns.turns(self._spans))

    def messages(self) -> DataFrame:
        """Return the messages that model calls sent and received, one row each."""
        from mirascope_ops.analysis import frames

        return frames.messages_frame(self._spans)

    def figure(self, kind: FigureKind = "timeline", *, limit: int | None = None, theme: Theme = "auto") -> Figure:
        """Return a plotly figure.

        Args:
            kind: "timeline": the spans as bars over time; "latency" and "errors": by name; "turns": tokens and cost,
                turn by turn; "context": tokens of the prompt, call by call; "icicle" and "flame": where time went.
            limit: At most so many of what it shows; what is left out is said.
            theme: "light" or "dark" for a page that is so; "auto" shows on both.

        Raises:
            ImportError: plotly is not installed; the message says how.
            OpsError: There is no figure of that kind; the message names those that there are.
        """
        from mirascope_ops.views import figures

        return figures.draw(kind, self._spans, limit=limit, theme=theme)

    def figure_table(self, kind: FigureKind = "timeline") -> DataFrame:
        """Return what a figure draws, as a table: all of it, whatever the figure leaves out.

        Args:
            kind: As for `figure`.

        Raises:
            ImportError: pandas is not installed; the message says how.
            OpsError: There is no figure of that kind; the message names those that there are.
        """
        from mirascope_ops.views import figures

        return figures.table(kind, self._spans)

    def timeline(self, **options: Unpack[TimelineArguments]) -> Any:
        """Return the timeline: in a notebook a widget to look around in, elsewhere `figure("timeline")`.

        Args:
            **options: How it begins: `lanes` ("session", "depth", "thread", "name"), `color` ("kind", "status",
                "cost", "name"), `view` ("time", "flame"), `critical_path`, `query`, `height` (pixels); all of them
                can be changed in it.

        Returns:
            A widget whose `selection` is the spans of the stretch of time that is chosen in it, and whose
            `selected` is the span; or a plotly figure where there is no kernel that could show one.

        Raises:
            TypeError: There is no such option; the message names those that there are.
            ConfigurationError: An option has a value that means nothing.
            ImportError: A package is not installed; the message says how.
        """
        return backend.get().timeline(self._spans, options)

    def replay(self, function: Callable[..., Any] | None = None, /, **overrides: Any) -> Replay:
        """Run the traced function at the top of these spans again, in a trace of its own, and compare.

        Arguments come from the trace, by the annotations of the function's parameters: JSON data, pydantic models,
        dataclasses, enums, dates, paths and the like; never one that may differ from what was recorded. A method needs
        its object: `trace.replay(self=agent)`. A function that is awaited is awaited here too: `await trace.replay()`.
        For a call inside of a trace: `trace.below(span_id).replay()`.

        Args:
            function: What runs in place of the function that the trace names, which has to be loaded.
            **overrides: Arguments in place of the recorded ones, by parameter.

        Returns:
            The result, the new trace and the differences.

        Raises:
            ReplayError: An argument cannot be made again, or the function is not found; the message says what to give.
        """
        return backend.get().replay(self, function, overrides)

    def review(self, *, by: Literal["session", "trace", "span"] | None = None) -> Any:
        """Return a widget in which these traces are judged one after the other: pass, fail, score, note.

        Each judgement is an annotation, in the store at once: `review()` of the same traces, in a later kernel too,
        goes on where none has been made. Tables and views show the newest.

        Args:
            by: What is judged: each "session" as a whole, each "trace" (a session's turns), or each "span"; None takes
                traces where the spans come with their trees, spans where they were picked out of them.

        Raises:
            OpsError: There is no notebook; the message says what to write instead.
        """
        return backend.get().review(self._spans, by, None)

    def to_text(self) -> str:
        """Return what a terminal shows: the tree of one trace, or a list of traces or spans."""
        from mirascope_ops.views import text

        return text.spans_text(self._spans)

    def _rows(self) -> Sequence[SpanRow]:
        return self._spans

    def _html(self) -> str:
        from mirascope_ops.views import html

        return html.spans_html(self._spans)

    def _data(self) -> dict[str, Any]:
        rows = [{**span.shown(), "annotations": len(span.annotations)} for span in self._spans[:MIME_DATA_ROWS]]
        return {"type": _kebab(type(self)), "count": len(self._spans), "spans": rows}

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, Any]:
        from mirascope_ops.views.bundle import bundle, chosen

        return chosen(bundle(self.to_text(), self._html(), self._data()), include, exclude)

    def __repr__(self) -> str:
        return f"{type(self).__name__} of {len(self):,} {'span' if len(self) == 1 else 'spans'}"


class StoredTrace(Annotated, SpanSet):
    """One trace as it was recorded: its spans, and what they come to.

    What `annotate` and `tag` say is kept in the store, on the root span, and shown when the trace is read again; where
    the store has no such trace, they raise `OpsError`.

    Args:
        spans: The spans of one trace; at least one.
    """

    def __init__(self, spans: Iterable[SpanRow]) -> None:
        super().__init__(spans)
        self.root: SpanRow = tree.forest(self._spans)[0].span

    @property
    def trace_id(self) -> str:
        """The trace's id, 32 hex digits."""
        return self.root.trace_id

    @property
    def name(self) -> str:
        """The root span's name."""
        return self.root.name

    @property
    def session_id(self) -> str | None:
        """The root span's session."""
        return self.root.session_id

    @property
    def status(self) -> str:
        """The root span's status."""
        return self.root.status

    @property
    def start(self) -> int:
        """Start of the root span, nanoseconds since the epoch."""
        return self.root.start

    @property
    def duration(self) -> int | None:
        """Duration of the root span in nanoseconds, or None while it is open."""
        return self.root.duration

    def to_text(self) -> str:
        """Return the trace as a tree in text."""
        from mirascope_ops.views import text

        return text.trace_text(self._spans)

    def _keep_annotation(self, said: dict[str, Any]) -> None:
        trace_id, span_id = self.root.trace_id, self.root.span_id
        backend.get().spans(trace_id, span_id)  # fails where the store has no such span: one of a file, for example
        keep_annotation(trace_id, span_id, said)

    def _html(self) -> str:
        from mirascope_ops.views import html

        return html.trace_html(self._spans)

    def __repr__(self) -> str:
        return f"StoredTrace({self.name!r}, {self.status}, {len(self)} spans, trace_id={self.trace_id!r})"


class TraceSet(Exports, Comparisons, Sequence[StoredTrace]):
    """An immutable sequence of traces.

    Args:
        traces: The traces.
    """

    def __init__(self, traces: Iterable[StoredTrace]) -> None:
        self._traces = tuple(traces)

    def __len__(self) -> int:
        return len(self._traces)

    @overload
    def __getitem__(self, index: int) -> StoredTrace: ...
    @overload
    def __getitem__(self, index: slice) -> Self: ...
    def __getitem__(self, index: int | slice) -> StoredTrace | TraceSet:
        return type(self)(self._traces[index]) if isinstance(index, slice) else self._traces[index]

    @property
    def spans(self) -> SpanSet:
        """All spans of all traces, by start."""
        return SpanSet(sorted((span for trace in self._traces for span in trace), key=_start))

    @property
    def traces(self) -> TraceSet:
        """The set itself."""
        return self

    def filter(self, predicate: Callable[[StoredTrace], object] | None = None, /, **columns: Any) -> TraceSet:
        """Keep the traces whose root span fits every condition; as `SpanSet.filter`.

        Args:
            predicate: A function of a trace.
            **columns: Columns of the root span.
        """
        kept = [trace for trace in self._traces if predicate is None or predicate(trace)]
        if columns:
            roots = {span.trace_id for span in SpanSet(trace.root for trace in kept).filter(**columns)}
            kept = [trace for trace in kept if trace.trace_id in roots]
        return TraceSet(kept)

    def to_pandas(self) -> DataFrame:
        """Return the traces as a DataFrame, one row each."""
        from mirascope_ops.analysis.frames import traces_frame
        from mirascope_ops.analysis.turns import turns

        return traces_frame(turns(self._all()))

    def tree(self) -> Tree:
        """Return all spans as a forest."""
        return self.spans.tree()

    def summary(self, by: str | Sequence[str] = "name") -> DataFrame:
        """Return statistics of all spans; see `SpanSet.summary`."""
        return self.spans.summary(by)

    @property
    def totals(self) -> Totals:
        """Counts, duration, tokens and cost of all spans; each model call counts once."""
        return stats.totals(self._all())

    def critical_path(self) -> DataFrame:
        """Return what the traces waited for; see `SpanSet.critical_path`."""
        return self.spans.critical_path()

    def concurrency(self) -> DataFrame:
        """Return how many spans ran at once; see `SpanSet.concurrency`."""
        return self.spans.concurrency()

    def context_growth(self) -> DataFrame:
        """Return how many tokens each model call was given; see `SpanSet.context_growth`."""
        return self.spans.context_growth()

    def turns(self) -> DataFrame:
        """Return the traces as turns of a conversation, one row each."""
        return self.spans.turns()

    def messages(self) -> DataFrame:
        """Return the messages of all model calls, one row each."""
        return self.spans.messages()

    def figure(self, kind: FigureKind = "timeline", *, limit: int | None = None, theme: Theme = "auto") -> Figure:
        """Return a plotly figure of all spans; see `SpanSet.figure`."""
        return self.spans.figure(kind, limit=limit, theme=theme)

    def figure_table(self, kind: FigureKind = "timeline") -> DataFrame:
        """Return what a figure of all spans draws, as a table; see `SpanSet.figure_table`."""
        return self.spans.figure_table(kind)

    def timeline(self, **options: Unpack[TimelineArguments]) -> Any:
        """Return the timeline of all spans; options as for `SpanSet.timeline`."""
        return self.spans.timeline(**options)

    def review(self, *, by: Literal["session", "trace", "span"] = "trace") -> Any:
        """Return a widget in which these traces are judged one after the other; see `SpanSet.review`."""
        return backend.get().review(self._all(), by, None)

    def to_text(self) -> str:
        """Return the traces as a list in text."""
        from mirascope_ops.views import text

        return text.spans_text(self._all(), by="trace")

    def _rows(self) -> Sequence[SpanRow]:
        return list(self.spans)

    def _all(self) -> list[SpanRow]:
        return [span for trace in self._traces for span in trace]

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, Any]:
        from mirascope_ops.views import html
        from mirascope_ops.views.bundle import bundle, chosen

        data = {"type": "trace-set", "count": len(self), "traces": [trace.trace_id for trace in self._traces[:1000]]}
        return chosen(bundle(self.to_text(), html.spans_html(self._all(), by="trace"), data), include, exclude)

    def __repr__(self) -> str:
        return f"TraceSet of {len(self):,} {'trace' if len(self) == 1 else 'traces'}"


def register_accessor() -> None:
    """Give DataFrames `frame.ops` (see `analysis.accessor`); does nothing where pandas is not in use."""
    accessor.register(SpanSet.from_pandas)


def _start(span: SpanRow) -> int:
    return span.start


def _kebab(kind: type) -> str:
    return "".join(f"-{letter.lower()}" if letter.isupper() else letter for letter in kind.__name__).lstrip("-")


# Here already where the program uses pandas: frames that were read from a file know `frame.ops` too.
register_accessor()
