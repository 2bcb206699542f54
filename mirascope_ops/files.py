"""Spans from files and tables: what `to_otlp`, `to_parquet` and `to_pandas` gave, and what other programs wrote."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from mirascope_ops.recording import Recording
from mirascope_ops.spanset import SpanSet

if TYPE_CHECKING:
    import os

    from pandas import DataFrame  # pyright: ignore[reportMissingTypeStubs] - pandas ships none


def read_otlp(
    path: str | os.PathLike[str], *, errors: Literal["raise", "skip"] = "raise", progress: bool | None = None
) -> Recording:
    """Read the spans of a file of OTLP, whichever library or collector wrote it.

    JSON (a document a line, or one document) and protobuf (messages after their lengths, or one message) are told
    apart by the content, as is gzip. Lines of metrics and logs are passed over.

    Args:
        path: The file.
        errors: "raise" stops at what cannot be read, and says where it is; "skip" reads on behind it, and warns of
            how much was left out.
        progress: Whether to show a progress bar; None shows one, where tqdm is installed, for a large file.

    Returns:
        The spans, by start, and `sessions`. Of several spans with the same ids the last that has ended counts.

    Raises:
        ConfigurationError: `errors` is neither of the two.
        FormatError: Something cannot be read; the message names the line, or the byte.
        ImportError: opentelemetry-proto, which protobuf needs, is not installed; the message says how.
        OSError: There is no such file, or it cannot be read.

    Example:
        >>> import tempfile
        >>> line = '{"resourceSpans": [{"scopeSpans": [{"spans": [{"name": "checkout"}]}]}]}'
        >>> with tempfile.NamedTemporaryFile("w", suffix=".jsonl") as file:
        ...     _ = file.write(line)
        ...     file.flush()
        ...     read_otlp(file.name)[0].name
        'checkout'
    """
    from mirascope_ops.analysis.exported import read_back
    from mirascope_ops.store import otlp_file

    return Recording(*read_back(otlp_file.read(path, errors=errors, progress=progress)))


def read_parquet(path: str | os.PathLike[str], *, progress: bool | None = None) -> Recording:
    """Read the spans of a Parquet file that `to_parquet` wrote, or that has its columns.

    Args:
        path: The file.
        progress: Whether to show a progress bar; None shows one, where tqdm is installed, for a large file.

    Returns:
        The spans, in the file's order, and `sessions`.

    Raises:
        FormatError: It is no Parquet file, columns are missing, or a later version of this library wrote it.
        ImportError: pyarrow is not installed; the message says how.
        OSError: There is no such file, or it cannot be read.

    Example:
        >>> import tempfile
        >>> from mirascope_ops import ops
        >>> with ops.span("retrieve"):
        ...     pass
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     read_parquet(ops.last_trace().to_parquet(f"{folder}/trace.parquet"))[0].name
        'retrieve'
    """
    from mirascope_ops.analysis import parquet

    return Recording(parquet.read_parquet(path, progress=progress), parquet.runs_of(path))


def from_pandas(frame: DataFrame) -> SpanSet:
    """Make a set of spans of a DataFrame that `to_pandas()` gave, with some rows or all of them.

    Args:
        frame: The DataFrame, with all columns of the spans table; attributes as JSON, or in columns of their own
            (those that hold JSON text are known by the frame's `attrs`). Other columns are left aside.

    Returns:
        The spans, in the frame's order.

    Raises:
        FormatError: Columns are missing, or a value cannot be what its column holds; the message says which.

    Example:
        >>> from mirascope_ops import ops
        >>> with ops.span("retrieve"):
        ...     pass
        >>> frame = ops.last_trace().to_pandas()
        >>> from_pandas(frame[frame["name"] == "retrieve"])
        SpanSet of 1 span
    """
    return SpanSet.from_pandas(frame)
