"""What can be done with any set of spans to take it elsewhere: files, tables of other libraries, text for a model."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, Unpack, cast

from mirascope_ops._optional import require
from mirascope_ops.core import backend

if TYPE_CHECKING:
    import os
    from collections.abc import Sequence
    from pathlib import Path

    from mirascope_ops.analysis.rows import SpanRow
    from mirascope_ops.conversations import Conversation
    from mirascope_ops.store.records import RunRecord
    from mirascope_ops.views.timeline_options import TimelineArguments


class Exports:
    """The exports of a set of spans; a subclass says which spans these are.

    A file is written beside its place and put there when it is whole: a failed export leaves what was there.
    """

    __slots__ = ()

    def _rows(self) -> Sequence[SpanRow]:
        """Give the spans."""
        raise NotImplementedError

    def _entries(self) -> Sequence[RunRecord]:
        """Give the entries into the sessions, where the set is one of sessions."""
        return ()

    def to_otlp(
        self,
        path: str | os.PathLike[str],
        *,
        format: Literal["json", "protobuf"] | None = None,  # noqa: A002 - the word for it
        progress: bool | None = None,
    ) -> Path:
        """Write the spans to a file of OTLP, as the OpenTelemetry collector's file exporter does.

        `mirascope_ops.read_otlp` gives them back; any reader of OTLP understands them. Sessions, runs, notebook
        cells and annotations travel as attributes under `mirascope.ops.record.`. Of sessions all is written, also
        those that have no spans: `read_otlp(path).sessions`.

        Args:
            path: The file. With .pb or .binpb in its name it is protobuf: messages, each after its length in four
                bytes; else JSON: a document a line. With .gz at the end it is compressed.
            format: "json" or "protobuf", whatever the name.
            progress: Whether to show a progress bar; None shows one, where tqdm is installed, for many spans.

        Returns:
            The path.

        Raises:
            ConfigurationError: There is no such format.
            ImportError: opentelemetry-proto, which protobuf needs, is not installed; the message says how.
            OSError: The file cannot be written.

        Example:
            >>> from mirascope_ops import ops
            >>> import tempfile
            >>> with ops.span("retrieve"):
            ...     pass
            >>> with tempfile.TemporaryDirectory() as folder:
            ...     path = ops.last_trace().to_otlp(f"{folder}/trace.jsonl.gz")
            ...     ops.read_otlp(path)[0].name
            'retrieve'
        """
        from mirascope_ops.analysis.exported import exported
        from mirascope_ops.store import otlp_file

        rows = self._rows()
        runs = self._entries()
        return otlp_file.write(path, exported(rows), runs=runs, format=format, total=len(rows), progress=progress)

    def to_parquet(self, path: str | os.PathLike[str], *, progress: bool | None = None) -> Path:
        """Write the spans to a Parquet file, with the columns of `to_pandas()`.

        `mirascope_ops.read_parquet` gives the spans back, `pandas.read_parquet` the very frame; polars, DuckDB and
        others read it as well. Attributes, events, links, annotations and resource are JSON text. Two things a table
        cannot hold, and OTLP can: bytes among these become text, and a time after the year 2262 is missing.

        Args:
            path: The file.
            progress: Whether to show a progress bar; None shows one, where tqdm is installed, for many spans.

        Returns:
            The path.

        Raises:
            ImportError: pyarrow is not installed; the message says how.
            OSError: The file cannot be written.
        """
        from mirascope_ops.analysis.parquet import write_parquet

        return write_parquet(path, self._rows(), runs=self._entries(), progress=progress)

    def to_arrow(self) -> Any:
        """Return the spans as a pyarrow Table, one row each, with the columns of `to_pandas()`.

        Raises:
            ImportError: pyarrow is not installed; the message says how.
        """
        from mirascope_ops.analysis.arrow import spans_table

        return spans_table(self._rows())

    def to_polars(self) -> Any:
        """Return the spans as a polars DataFrame, one row each, with the columns of `to_pandas()`.

        Raises:
            ImportError: polars is not installed; the message says how.
        """
        return require("polars", extra="polars").from_arrow(self.to_arrow())

    def to_chrome_trace(self, path: str | os.PathLike[str], *, progress: bool | None = None) -> Path:
        """Write the spans to a file that https://ui.perfetto.dev and chrome://tracing open.

        A service is a process there; spans that overlap without being inside each other stand on lanes of their own;
        links are arrows, events are marks. Values are cut at 4,000 characters, saying so.

        Args:
            path: The file, such as trace.json; with .gz at the end it is compressed, which both open too.
            progress: Whether to show a progress bar; None shows one, where tqdm is installed, for many spans.

        Returns:
            The path.

        Raises:
            OSError: The file cannot be written.
        """
        from pathlib import Path

        from mirascope_ops.store import files
        from mirascope_ops.views.chrome_trace import chrome_trace

        place, rows = Path(path).expanduser(), self._rows()
        with (
            files.Progress(progress, total=len(rows), large=files.LARGE_SPANS, unit="spans", title=place.name) as bar,
            files.written(place) as file,
        ):
            for count, part in enumerate(chrome_trace(rows)):
                file.write(part)
                bar.reach(min(count, len(rows)))
        return place

    def to_html(
        self, path: str | os.PathLike[str], *, title: str | None = None, **options: Unpack[TimelineArguments]
    ) -> Path:
        """Write a page that stands alone: the interactive timeline, and below it what a notebook shows.

        It is one file and requests nothing. Values are cut where there are many spans, and of more than 50,000 spans
        those that failed and the model calls keep their details.

        Args:
            path: The file, such as trace.html.
            title: The page's title; else the trace's name or the session's id, with what there is.
            **options: How the timeline begins; as for `SpanSet.timeline`.

        Returns:
            The path.

        Raises:
            TypeError: There is no such option; the message names those that there are.
            ConfigurationError: An option has a value that means nothing.
            ImportError: numpy is not installed; the message says how.
            OSError: The file cannot be written.
        """
        from pathlib import Path

        from mirascope_ops.store import files
        from mirascope_ops.views.timeline_options import timeline_options
        from mirascope_ops.views.timeline_page import page_title, timeline_page

        checked = timeline_options(options)
        rows, shown = self._rows(), cast("Any", self)
        name = next((told for key in ("name", "id") if (told := getattr(shown, key, None))), "Spans")
        static: str = shown._repr_mimebundle_(include={"text/html"})["text/html"]
        with files.written(Path(path).expanduser()) as file:
            for part in timeline_page(rows, static, title=title or page_title(rows, name), options=checked):
                file.write(part.encode())
        return Path(path).expanduser()

    def conversation(self) -> Conversation:
        """Return the conversation as it was held: who said what, turn by turn, each message once.

        It shows itself as a chat, also in a saved notebook; `to_text()`, `to_markdown()`, `to_html(path)` and
        `to_pandas()` give it elsewhere. A turn is a trace.

        Example:
            >>> from mirascope_ops import ops
            >>> with ops.span("answer", **{"input.value": "Why?", "output.value": "Because."}):
            ...     pass
            >>> [(said.role, said.content) for said in ops.last_trace().conversation()[0].messages]
            [('user', 'Why?'), ('assistant', 'Because.')]
        """
        from mirascope_ops.conversations import Conversation
        from mirascope_ops.views.html_parts import call

        shown = cast("Any", self)
        session, trace = getattr(shown, "id", None), getattr(shown, "trace_id", None)
        if session is not None:
            return Conversation(self._rows(), name=session, source=call("get_session", session))
        return Conversation(self._rows(), source="" if trace is None else call("get_trace", trace))

    def show(self) -> None:
        """Show this here: as an output of the notebook's cell, or as text in a terminal."""
        backend.get().show(self)

    def to_markdown(self, path: str | os.PathLike[str] | None = None, *, limit: int = 40_000) -> str:
        """Return the spans as Markdown for a language model: the tree, then messages, inputs, outputs, errors.

        What was recorded stands in fences that it cannot end. What does not fit is left out, and that is said: long
        values are cut first, then spans without an error.

        Args:
            path: Also write the text to this file.
            limit: Characters at most; at least 2,000.

        Returns:
            The text.

        Raises:
            ConfigurationError: The limit is too small.
            OSError: The file cannot be written.

        Example:
            >>> from mirascope_ops import ops
            >>> with ops.span("retrieve"):
            ...     pass
            >>> print(ops.last_trace().to_markdown().splitlines()[0])
            # Trace `retrieve`
        """
        from pathlib import Path

        from mirascope_ops.store import files
        from mirascope_ops.views.markdown import spans_markdown

        text = spans_markdown(self._rows(), limit=limit)
        if path is not None:
            with files.written(Path(path).expanduser()) as file:
                file.write(text.encode())
        return text
