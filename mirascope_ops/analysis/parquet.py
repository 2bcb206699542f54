"""Spans in Parquet files: the columns of the spans table, which any reader of Parquet understands."""

from __future__ import annotations

from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from mirascope_ops._optional import require
from mirascope_ops.analysis import schema
from mirascope_ops.analysis.arrow import SCHEMA_VERSION, VERSION_KEY, arrow_schema, spans_table
from mirascope_ops.analysis.restored import require_columns, rows_from
from mirascope_ops.analysis.schema import SPANS_SCHEMA
from mirascope_ops.exceptions import FormatError
from mirascope_ops.store import files, otlp_runs

if TYPE_CHECKING:
    import os
    from collections.abc import Generator, Iterable, Iterator, Sequence

    from mirascope_ops.analysis.rows import SpanRow
    from mirascope_ops.store.records import RunRecord

RUNS_KEY: Final = b"mirascope_ops.runs"
_ROWS_AT_ONCE: Final = 20_000
_INTEGERS: Final = {schema.TIME, schema.DURATION}


def write_parquet(
    path: str | os.PathLike[str],
    spans: Sequence[SpanRow],
    *,
    runs: Sequence[RunRecord] = (),
    progress: bool | None = None,
) -> Path:
    """Write spans to a Parquet file, some at a time; see `SpanSet.to_parquet`.

    Args:
        path: The file.
        spans: The spans.
        runs: Entries into sessions, which go to the file's metadata.
        progress: Whether to show a progress bar; None shows one where there are many spans.

    Returns:
        The path.

    Raises:
        ImportError: pyarrow is not installed; the message says how.
        OSError: The file cannot be written.
    """
    parts = (spans[start : start + _ROWS_AT_ONCE] for start in range(0, len(spans), _ROWS_AT_ONCE))
    return write_parts(path, parts, runs=runs, total=len(spans), progress=progress)


def write_parts(
    path: str | os.PathLike[str],
    parts: Iterable[Sequence[SpanRow]],
    *,
    runs: Sequence[RunRecord] = (),
    total: int = 0,
    progress: bool | None = None,
) -> Path:
    """Write spans to a Parquet file as they come; see `write_parquet`.

    Args:
        path: The file.
        parts: The spans, some thousands at a time.
        runs: Entries into sessions, which go to the file's metadata.
        total: How many spans there are, for the progress bar.
        progress: Whether to show one; None shows one where there are many spans.

    Returns:
        The path.

    Raises:
        ImportError: pyarrow is not installed; the message says how.
        OSError: The file cannot be written.
    """
    parquet = require("pyarrow.parquet", extra="files")
    place = Path(path).expanduser()
    schema = arrow_schema()
    if runs:
        (noted,) = otlp_runs.texts_of(runs, at_once=len(runs))
        schema = schema.with_metadata({**schema.metadata, RUNS_KEY: noted.encode()})
    count = 0
    with (
        files.Progress(progress, total=total, large=files.LARGE_SPANS, unit="spans", title=place.name) as bar,
        files.replacing(place) as beside,
        parquet.ParquetWriter(beside, schema, compression="zstd") as writer,
    ):
        for part in parts:
            writer.write_table(spans_table(part))
            count += len(part)
            bar.reach(count)
    return place


def read_parquet(path: str | os.PathLike[str], *, progress: bool | None = None) -> Iterator[SpanRow]:
    """Read the spans of a Parquet file, some at a time; see `mirascope_ops.read_parquet`.

    Args:
        path: The file.
        progress: Whether to show a progress bar; None shows one where the file is large.

    Yields:
        The spans, in the file's order.

    Raises:
        FormatError: It is no Parquet file, or not one of spans, or of a later version.
        ImportError: pyarrow is not installed; the message says how.
        OSError: There is no such file.
    """
    pa, parquet = require("pyarrow", extra="files"), require("pyarrow.parquet", extra="files")
    place = Path(path).expanduser()
    with place.open("rb") as source, _told(place, pa), parquet.ParquetFile(source) as file:
        _check_version(place, file.schema_arrow.metadata or {})
        require_columns(file.schema_arrow.names, str(place))
        total = file.metadata.num_rows
        title = place.name
        with files.Progress(progress, total=total, large=files.LARGE_SPANS, unit="spans", title=title) as bar:
            read = 0
            for batch in file.iter_batches(_ROWS_AT_ONCE, columns=[column.name for column in SPANS_SCHEMA]):
                yield from rows_from(_columns(batch, str(place)), str(place), read)
                read += batch.num_rows
                bar.reach(read)


def runs_of(path: str | os.PathLike[str]) -> list[RunRecord]:
    """Read the entries into sessions that a Parquet file holds.

    Args:
        path: The file.

    Raises:
        FormatError: It is no Parquet file, or what it holds are no entries.
        ImportError: pyarrow is not installed; the message says how.
        OSError: There is no such file.
    """
    pa, parquet = require("pyarrow", extra="files"), require("pyarrow.parquet", extra="files")
    place = Path(path).expanduser()
    with place.open("rb") as source, _told(place, pa), parquet.ParquetFile(source) as file:
        metadata: dict[bytes, bytes] = file.schema_arrow.metadata or {}
    try:
        return otlp_runs.runs_in(metadata.get(RUNS_KEY, b"[]").decode())
    except ValueError as error:
        raise FormatError(f"{place}: {error}.") from error


@contextmanager
def _told(place: Path, pa: Any) -> Generator[None]:
    try:
        yield
    except pa.ArrowException as error:
        raise FormatError(f"{place} cannot be read as Parquet: {error}") from error


def _check_version(place: Path, metadata: dict[bytes, bytes]) -> None:
    # A file that pandas or polars wrote of our columns has no version, and is read all the same.
    version = metadata.get(VERSION_KEY, b"1")
    if not version.isdigit() or int(version) > SCHEMA_VERSION:
        raise FormatError(
            f"{place} was written by a newer mirascope_ops (its schema is {version.decode(errors='replace')}, this one "
            f"knows {SCHEMA_VERSION}). Upgrade with: pip install --upgrade mirascope-ops"
        )


def _columns(batch: Any, source: str) -> dict[str, list[Any]]:
    pa = require("pyarrow", extra="files")
    found: dict[str, list[Any]] = {}
    for column in SPANS_SCHEMA:
        array = batch.column(column.name)
        try:
            if column.dtype in _INTEGERS:
                unit = pa.timestamp("ns", array.type.tz) if column.dtype == schema.TIME else pa.duration("ns")
                array = array.cast(unit).cast(pa.int64())
            elif column.dtype == schema.COUNT:
                array = array.cast(pa.int64())
            elif column.dtype in {schema.TEXT, schema.CATEGORY}:
                array = array.cast(pa.large_string())
        except (pa.ArrowException, AttributeError):
            raise FormatError(f"{source}: {column.name} is {array.type}, expected {column.dtype}.") from None
        found[column.name] = array.to_pylist()
    return found
