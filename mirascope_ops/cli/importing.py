"""`import`: spans from files or a pipe into the store."""

from __future__ import annotations

import os
import shutil
import tempfile
from contextlib import ExitStack
from itertools import chain
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Final

import click

from mirascope_ops.cli.opening import opened
from mirascope_ops.cli.options import json_option, store_option
from mirascope_ops.cli.output import binary_input, print_json, print_line, print_note
from mirascope_ops.exceptions import FormatError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from mirascope_ops.store.merge import Merge
    from mirascope_ops.store.otlp import Exported
    from mirascope_ops.store.records import RunRecord

_LOOK: Final = 256  # spans between two looks at how far it has come
_PARQUET: Final = b"PAR1"
_SQLITE: Final = b"SQLite format 3\0"


@click.command("import", short_help="Read spans from files or a pipe.")
@click.argument("files", metavar="FILE...", nargs=-1, required=True, type=click.Path(allow_dash=True))
@json_option
@store_option
def import_command(files: tuple[str, ...], *, as_json: bool) -> None:
    """Read spans from FILEs, or from standard input where one is -, into the store.

    OTLP, whichever library or collector wrote it (JSON or protobuf, with gzip or without), and Parquet files of
    `export`; they are told apart by what is in them. A span that is there already stays as it is, unless only the
    file knows its end. What cannot be read is left out, and counted as refused: then the exit code is 1.
    """
    from mirascope_ops.store.merge import Merge
    from mirascope_ops.views.escape import visible

    failed = 0
    with opened(create=True, copy=False) as active:
        merge = Merge(active.store)
        for file in files:
            try:
                failed += _take(file, merge)
            except (FormatError, OSError) as error:
                print_note(visible(f"Error: {_problem(file, error)}"))
                failed += 1
        merge.finish()
        late = merge.expired(active.rescue.retention.max_age_ns if active.rescue is not None else None)
    refused = merge.refused + failed
    if as_json:
        told = {name: getattr(merge, name) for name in ("new", "completed", "known", "entries", "annotations")}
        print_json({**told, "refused": refused, "expired": late})
    else:
        print_line(_told(merge, refused))
    if late:
        print_note(
            f"Note: {late:,} of these spans ended longer ago than the store keeps spans: they will be deleted within "
            "the hour, unless MIRASCOPE_OPS_KEEP_DAYS says otherwise (such as: forever)."
        )
    if refused:
        raise click.exceptions.Exit(1)


def _problem(file: str, error: FormatError | OSError) -> str:
    if isinstance(error, OSError):
        return f"{file}: {error.strerror or error}"
    return str(error) if file == "-" or Path(file).name in str(error) else f"{file}: {error}"


def _told(merge: Merge, refused: int) -> str:
    from mirascope_ops.views.format import plural

    parts = [f"{plural(merge.new, 'span')} new"]
    parts += [f"{merge.completed:,} completed"] if merge.completed else []
    parts += [f"{merge.known:,} already there", f"{refused:,} refused"]
    parts += [plural(merge.entries, "session entry", "session entries")] if merge.entries else []
    return ", ".join(parts)


def _take(file: str, merge: Merge) -> int:
    """Take in one file; returns in how many places something could not be read."""
    from mirascope_ops.store import otlp_file
    from mirascope_ops.views.escape import visible
    from mirascope_ops.views.format import plural

    with ExitStack() as stack:
        stream: Any = binary_input()
        if file != "-":
            stream = stack.enter_context(Path(file).expanduser().open("rb"))
        start: bytes = stream.peek(len(_SQLITE))[: len(_SQLITE)]
        if start.startswith(_PARQUET):
            path = stack.enter_context(_on_disk(stream)) if file == "-" else Path(file).expanduser()
            merge.add_all(_rows(path))
            return 0
        if start == _SQLITE:
            raise FormatError(
                f"{file} is a database. Is it another store? Then: mirascope-ops --store {file} export - | "
                "mirascope-ops import -"
            )
        source = "standard input" if file == "-" else file
        problems = otlp_file.Problems(source, skip=True)
        merge.add_all(_shown(otlp_file.read_stream(stream, problems), file, stream))
        if problems.count and not problems.readable:
            raise FormatError(f"{source} holds no spans that can be read as OTLP: {problems.first}")
        if problems.count:
            where = f"{source}: {plural(problems.count, 'place')} cannot be read as OTLP; the first: "
            print_note(visible(f"{where}{problems.first}"))
        return problems.count


def _shown(found: Iterable[Exported | RunRecord], file: str, stream: IO[bytes]) -> Iterator[Exported | RunRecord]:
    """Show how far reading a large file has come, where somebody sees it."""
    from mirascope_ops.store import files

    size = 0 if file == "-" else os.fstat(stream.fileno()).st_size
    with files.Progress(None, total=size, large=files.LARGE_BYTES, unit="B", title=Path(file).name) as bar:
        for number, one in enumerate(found):
            yield one
            if size and number % _LOOK == 0:
                bar.reach(stream.tell())


class _on_disk:  # noqa: N801 - a context manager, as contextlib's are
    """A stream as a file: Parquet is read from its end."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream
        self._file = tempfile.NamedTemporaryFile(prefix="mirascope_ops-", suffix=".parquet")  # noqa: SIM115 - closed by __exit__

    def __enter__(self) -> Path:
        shutil.copyfileobj(self._stream, self._file)
        self._file.flush()
        return Path(self._file.name)

    def __exit__(self, *raised: object) -> None:
        self._file.close()


def _rows(path: Path) -> Iterator[Exported | RunRecord]:
    from mirascope_ops.analysis import parquet
    from mirascope_ops.analysis.exported import exported

    return chain(exported(parquet.read_parquet(path)), parquet.runs_of(path))
