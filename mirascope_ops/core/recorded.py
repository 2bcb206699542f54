"""Recorded: what a call or a session left behind, read back as tables, views and files.

The methods are those of `SpanSet`, which stands above the core: a look-up gives one, and does the work.
"""

from __future__ import annotations

from typing import Any


class Recorded:
    """The spans of a subclass, which says how they are read."""

    __slots__ = ()

    def _recorded(self) -> Any:
        """Read the spans."""
        raise NotImplementedError

    @property
    def totals(self) -> Any:
        """Counts, duration, tokens and cost of the spans; each model call counts once."""
        return self._recorded().totals

    def to_pandas(self, **options: Any) -> Any:
        """Return the spans as a DataFrame; options as for `SpanSet.to_pandas`."""
        return self._recorded().to_pandas(**options)

    def to_polars(self) -> Any:
        """Return the spans as a polars DataFrame."""
        return self._recorded().to_polars()

    def to_arrow(self) -> Any:
        """Return the spans as a pyarrow Table."""
        return self._recorded().to_arrow()

    @property
    def roots(self) -> Any:
        """The spans whose parent is not among them."""
        return self._recorded().spans.roots

    def filter(self, *predicate: Any, **columns: Any) -> Any:
        """Keep the spans that fit every condition; arguments as for `SpanSet.filter`."""
        return self._recorded().spans.filter(*predicate, **columns)

    def below(self, span_id: str) -> Any:
        """Keep a span and all spans below it."""
        return self._recorded().spans.below(span_id)

    def conversation(self) -> Any:
        """Return the conversation as it was held; see `SpanSet.conversation`."""
        return self._recorded().conversation()

    def show(self) -> None:
        """Show this here: as an output of the notebook's cell, or as text in a terminal."""
        self._recorded().show()

    def tree(self) -> Any:
        """Return the spans as a tree."""
        return self._recorded().tree()

    def messages(self) -> Any:
        """Return the messages that model calls sent and received, one row each."""
        return self._recorded().messages()

    def turns(self) -> Any:
        """Return the turns, one row per trace."""
        return self._recorded().turns()

    def summary(self, by: Any = "name") -> Any:
        """Return counts, latencies, tokens and cost of the spans by name, kind or model."""
        return self._recorded().summary(by)

    def critical_path(self) -> Any:
        """Return what the traces waited for, one row a stretch of time; see `SpanSet.critical_path`."""
        return self._recorded().critical_path()

    def concurrency(self) -> Any:
        """Return how many of the spans ran at once; see `SpanSet.concurrency`."""
        return self._recorded().concurrency()

    def context_growth(self) -> Any:
        """Return how many tokens each model call was given, one row a call; see `SpanSet.context_growth`."""
        return self._recorded().context_growth()

    def timeline(self, **options: Any) -> Any:
        """Return the timeline; options as for `SpanSet.timeline`."""
        return self._recorded().timeline(**options)

    def figure(self, *arguments: Any, **options: Any) -> Any:
        """Return a plotly figure; arguments as for `SpanSet.figure`."""
        return self._recorded().figure(*arguments, **options)

    def figure_table(self, *arguments: Any) -> Any:
        """Return what a figure draws, as a table; arguments as for `SpanSet.figure_table`."""
        return self._recorded().figure_table(*arguments)

    def review(self, **options: Any) -> Any:
        """Return a widget in which the traces are judged one after the other; options as for `SpanSet.review`."""
        return self._recorded().review(**options)

    def to_text(self) -> str:
        """Return what a terminal shows."""
        return self._recorded().to_text()

    def to_markdown(self, path: Any = None, **options: Any) -> str:
        """Return the spans as Markdown for a language model; as `SpanSet.to_markdown`."""
        return self._recorded().to_markdown(path, **options)

    def to_html(self, path: Any, **options: Any) -> Any:
        """Write the spans to a page with the timeline inside; options as for `SpanSet.to_html`."""
        return self._recorded().to_html(path, **options)

    def to_otlp(self, path: Any, **options: Any) -> Any:
        """Write the spans to a file of OTLP; options as for `SpanSet.to_otlp`."""
        return self._recorded().to_otlp(path, **options)

    def to_parquet(self, path: Any, **options: Any) -> Any:
        """Write the spans to a Parquet file; options as for `SpanSet.to_parquet`."""
        return self._recorded().to_parquet(path, **options)

    def to_chrome_trace(self, path: Any, **options: Any) -> Any:
        """Write the spans to a file for Perfetto; options as for `SpanSet.to_chrome_trace`."""
        return self._recorded().to_chrome_trace(path, **options)
