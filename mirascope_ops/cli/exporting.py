"""`export`: a session, a trace, or everything, to a file or a pipe."""

from __future__ import annotations

import shutil
import sys
import tempfile
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Final

import click

from mirascope_ops.cli.completion import complete_id
from mirascope_ops.cli.opening import opened
from mirascope_ops.cli.options import since_option, store_option, until_option
from mirascope_ops.cli.output import binary_output, print_note

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mirascope_ops.exports import Exports
    from mirascope_ops.recording import Recording
    from mirascope_ops.spanset import SpanSet
    from mirascope_ops.store.otlp import Exported
    from mirascope_ops.store.protocol import Store
    from mirascope_ops.store.records import AnnotationRecord, RunRecord, SpanQuery

# The ends of files' names for each format, the usual one first.
FORMATS: Final = {
    "otlp": (".jsonl", ".json", ".ndjson", ".otlp"),
    "protobuf": (".pb", ".binpb", ".protobuf"),
    "parquet": (".parquet", ".pq"),
    "chrome": (".trace.json", ".chrome.json"),
    "markdown": (".md", ".markdown"),
    "html": (".html", ".htm"),
}
_STREAMED: Final = {"otlp": "json", "protobuf": "protobuf"}
_BINARY: Final = frozenset({"protobuf", "parquet"})
_NEVER_PACKED: Final = "parquet"


@click.command("export", short_help="Write spans to a file or a pipe.")
@click.argument("file", metavar="FILE", type=click.Path(dir_okay=False, allow_dash=True))
@click.argument("id_", metavar="[ID]", required=False, shell_complete=complete_id)
@click.option(
    "-f", "--format", "format_", type=click.Choice(tuple(FORMATS)), help="The format, whatever the file's name."
)
@since_option
@until_option
@store_option
def export_command(file: str, id_: str | None, format_: str | None, since: int | None, until: int | None) -> None:
    r"""Write spans to FILE, or to standard output where it is -; without ID everything.

    ID is that of a session, a trace or a span, or its beginning where only one begins so.

    \b
    .jsonl .json     OTLP, as the OpenTelemetry collector writes it: a document a line; - is this, too
    .pb              OTLP in protobuf
    .parquet         the spans table
    .trace.json      for Perfetto and chrome://tracing
    .md              Markdown for a language model
    .html            a page with the interactive timeline

    With .gz behind it a file is compressed. `import` reads the first three back. OTLP is written as it is read, however
    large the store is; the others hold in memory what they write.
    """
    from mirascope_ops.cli.finding import FoundSpan, find

    chosen = _format_of(file, format_)
    if id_ is not None and not (since is None and until is None):
        raise click.UsageError("--since and --until are for exports without ID.")
    if file == "-" and chosen in _BINARY and sys.stdout.isatty():
        raise click.UsageError(f"{chosen} is nothing for a terminal: give a file, or a pipe.")
    with opened() as active:
        if id_ is not None:
            found = find(id_)
            spans = _write(found.spans if isinstance(found, FoundSpan) else found, file, chosen)
        elif chosen in _STREAMED:
            spans = _write_everything(active.store, file, chosen, since, until)
        else:
            spans = _write(_everything(active.store, since, until), file, chosen)
    if file != "-":
        from mirascope_ops.store.protocol import size_text
        from mirascope_ops.views.escape import visible
        from mirascope_ops.views.format import plural

        print_note(f"{visible(file)}: {plural(spans, 'span')}, {size_text(Path(file).expanduser().stat().st_size)}")


def write_page(held: Exports, stream: IO[bytes]) -> None:
    """Write sessions, traces or spans as a page to a stream.

    Raises:
        ImportError: A package is missing; the message says how to install it.
    """
    _through_a_file(held, stream, "html")


def _format_of(file: str, wanted: str | None) -> str:
    if wanted is not None:
        return wanted
    if file == "-":
        return "otlp"
    name = Path(file).name.lower()
    packed = name.endswith(".gz")
    name = name.removesuffix(".gz")
    for chosen, ends in reversed(FORMATS.items()):  # .trace.json before .json
        if name.endswith(ends) and not (packed and chosen == _NEVER_PACKED):
            return chosen
    known = ", ".join(ends[0] for ends in FORMATS.values())
    raise click.BadParameter(
        f"The name {Path(file).name!r} tells no format: end it with one of {known}, or give --format.",
        param_hint="FILE",
    )


def _write(held: SpanSet, file: str, chosen: str) -> int:
    if file == "-":
        _through_a_file(held, binary_output(), chosen)
    else:
        _write_file(held, Path(file), chosen)
    return len(held)


def _through_a_file(held: Exports, stream: IO[bytes], chosen: str) -> None:
    with tempfile.TemporaryDirectory(prefix="mirascope_ops-") as folder:
        path = Path(folder) / f"spans{FORMATS[chosen][0]}"
        _write_file(held, path, chosen)
        with path.open("rb") as written:
            shutil.copyfileobj(written, stream)
        stream.flush()


def _write_file(held: Exports, path: Path, chosen: str) -> None:
    if chosen == "otlp":
        held.to_otlp(path, format="json")
    elif chosen == "protobuf":
        held.to_otlp(path, format="protobuf")
    elif chosen == "parquet":
        held.to_parquet(path)
    elif chosen == "chrome":
        held.to_chrome_trace(path)
    elif chosen == "markdown":
        held.to_markdown(path)
    else:
        held.to_html(path)


def _write_everything(store: Store, file: str, chosen: str, since: int | None, until: int | None) -> int:
    """Write all spans as OTLP, some at a time."""
    from mirascope_ops.store import otlp_file

    counted = _Counted(store, _query(since, until))
    runs = _runs(store, since, until)
    format_: Any = _STREAMED[chosen]
    if file == "-":
        stream = binary_output()
        for _, data in otlp_file.encoded(counted, runs=runs, format=format_):
            stream.write(data)
        stream.flush()
    else:
        total = store.stats().spans
        otlp_file.write(file, counted, runs=runs, format=format_, total=total)
    return counted.count


class _Counted:
    """The spans of a store, as they are written, and how many there were."""

    def __init__(self, store: Store, query: SpanQuery) -> None:
        self._store = store
        self._query = query
        self.count = 0

    def __iter__(self) -> Iterator[Exported]:
        from mirascope_ops.store.otlp import Exported

        about: dict[tuple[str, str], list[AnnotationRecord]] = {}
        for annotation in self._store.annotations(None):
            about.setdefault((annotation.trace_id, annotation.span_id), []).append(annotation)
        for batch in self._store.batches(self._query):
            for place in range(len(batch)):
                record = batch.record(place)
                self.count += 1
                yield Exported(record, about.get((record.trace_id, record.span_id), ()))


def _everything(store: Store, since: int | None, until: int | None) -> Recording:
    from mirascope_ops.analysis.normalise import table_of
    from mirascope_ops.recording import Recording

    rows = table_of(store.batches(_query(since, until)), store.annotations(None))
    return Recording(rows, _runs(store, since, until))


def _query(since: int | None, until: int | None) -> SpanQuery:
    from mirascope_ops.store.records import SpanQuery

    return SpanQuery(since=since, until=until, whole_traces=True)


def _runs(store: Store, since: int | None, until: int | None) -> list[RunRecord]:
    from mirascope_ops.store.records import SessionQuery

    if since is None and until is None:
        return store.runs()
    return store.runs([session.session_id for session in store.sessions(SessionQuery(since=since, until=until))])
