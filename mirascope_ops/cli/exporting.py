"""`export`: a session, a trace, or everything, to a file or a pipe."""

from __future__ import annotations

import shutil
import sys
import tempfile
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from mirascope_ops.cli.completion import complete_id
from mirascope_ops.cli.opening import opened
from mirascope_ops.cli.options import since_option, store_option, until_option
from mirascope_ops.cli.output import binary_output, print_note

if TYPE_CHECKING:
    from collections.abc import Generator

    from mirascope_ops.cli.everything import Everything
    from mirascope_ops.exports import Exports

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
    """Write spans to FILE, or to standard output where it is -; without ID everything.

    ID is that of a session, a trace or a span, or its beginning where only one begins so.

    \b
    .jsonl .json     OTLP, as the OpenTelemetry collector writes it: a document a line; - is this, too
    .pb              OTLP in protobuf
    .parquet         the spans table
    .trace.json      for Perfetto and chrome://tracing
    .md              Markdown for a language model
    .html            a page with the interactive timeline

    With .gz behind it a file is compressed. `import` reads the first three back. OTLP and Parquet are written as the
    store is read, however large it is; the others hold in memory what they write.
    """  # noqa: D301 - \b is for click: lines to be left as they are
    from mirascope_ops.cli.everything import Everything
    from mirascope_ops.cli.finding import FoundSpan, find

    chosen = _format_of(file, format_)
    if id_ is not None and not (since is None and until is None):
        raise click.UsageError("--since and --until are for exports without ID.")
    if file == "-" and chosen in _BINARY and sys.stdout.isatty():
        raise click.UsageError(f"{chosen} is nothing for a terminal: give a file, or a pipe.")
    with opened() as active:
        if id_ is not None:
            found = find(id_)
            held = found.spans if isinstance(found, FoundSpan) else found
            _write(held, file, chosen)
            count = len(held)
        else:
            everything = Everything(active.store, since, until)
            _write_everything(everything, file, chosen, active.store.stats().spans)
            count = everything.count
    if file != "-":
        from mirascope_ops.store.protocol import size_text
        from mirascope_ops.views.escape import visible
        from mirascope_ops.views.format import plural

        print_note(f"{visible(file)}: {plural(count, 'span')}, {size_text(Path(file).expanduser().stat().st_size)}")


def write_page(held: Exports) -> None:
    """Write sessions, traces or spans as a page to standard output.

    Raises:
        ImportError: A package is missing; the message says how to install it.
    """
    _write(held, "-", "html")


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


def _write(held: Exports, file: str, chosen: str) -> None:
    with _file_for(file, chosen) as path:
        _write_file(held, path, chosen)


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


def _write_everything(everything: Everything, file: str, chosen: str, total: int) -> None:
    """Write a store; OTLP and Parquet some at a time."""
    from mirascope_ops.analysis import parquet
    from mirascope_ops.store import otlp_file

    # Closed here, whatever happens: who still reads when the store is closed is a matter of when it is collected.
    if chosen in _STREAMED:
        format_: Any = _STREAMED[chosen]
        with closing(everything.records()) as records:
            if file == "-":
                stream = binary_output()
                for _, data in otlp_file.encoded(records, runs=everything.runs, format=format_):
                    stream.write(data)
                stream.flush()
            else:
                otlp_file.write(file, records, runs=everything.runs, format=format_, total=total)
    elif chosen == "parquet":
        with _file_for(file, chosen) as path, closing(everything.parts()) as parts:
            parquet.write_parts(path, parts, runs=everything.runs, total=total)
    else:
        _write(everything.recording(), file, chosen)


@contextmanager
def _file_for(file: str, chosen: str) -> Generator[Path]:
    """Give the file to write; what is written for standard output goes there in the end."""
    if file != "-":
        yield Path(file)
        return
    with tempfile.TemporaryDirectory(prefix="mirascope_ops-") as folder:
        path = Path(folder) / f"spans{FORMATS[chosen][0]}"
        yield path
        stream = binary_output()
        with path.open("rb") as written:
            shutil.copyfileobj(written, stream)
        stream.flush()
