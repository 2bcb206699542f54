"""Files that spans are exported to and read from: written whole or not at all, gzip by name, with a progress bar."""

from __future__ import annotations

import contextlib
import gzip
import os
import secrets
import shutil
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Self, cast

from mirascope_ops._optional import require
from mirascope_ops.exceptions import FormatError

if TYPE_CHECKING:
    from collections.abc import Generator

# From so many spans, or bytes, on a file counts as large: with less the bar would be gone before it is read.
LARGE_SPANS = 50_000
LARGE_BYTES = 32 * 1024**2

_GZIP_MAGIC = b"\x1f\x8b"
_ZSTD_MAGIC = b"\x28\xb5\x2f\xfd"
_COMPRESSION_LEVEL = 5  # of gzip: 6 takes half as long again for files that are 2 % smaller


@contextlib.contextmanager
def replacing(path: Path) -> Generator[Path]:
    """Write a file beside its place, and put it there when all went well.

    A failed export leaves the earlier file as it was, and no half one. What is no ordinary file (a pipe, a
    terminal) is written to directly; behind a symbolic link it is the file that is replaced, not the link.

    Args:
        path: The place.

    Yields:
        The path to write to.

    Raises:
        OSError: The folder is missing, or cannot be written.
    """
    place = Path(os.path.realpath(path))
    if place.exists() and not place.is_file():
        yield place
        return
    # Opened by name and not by `tempfile`, so that the file gets the mode that the user's umask asks for.
    beside = place.with_name(f".{place.name[:200]}.{secrets.token_hex(4)}.part")
    try:
        yield beside
        if place.exists():
            shutil.copymode(place, beside)
        beside.replace(place)
    except OSError as error:
        if error.filename == os.fspath(beside):  # a name that nobody gave
            error.filename = os.fspath(path)
        raise
    finally:
        beside.unlink(missing_ok=True)


@contextlib.contextmanager
def written(path: Path) -> Generator[IO[bytes]]:
    """Open a file to write, by `replacing`; one whose name ends with .gz is compressed by gzip.

    Args:
        path: The file.

    Yields:
        A binary file.
    """
    with replacing(path) as place, place.open("wb") as file:
        if path.suffix.lower() == ".gz":
            # No name and no time inside: the same spans give the same file.
            with gzip.GzipFile("", "wb", _COMPRESSION_LEVEL, file, mtime=0) as packed:
                yield cast("IO[bytes]", packed)
        else:
            yield file


@contextlib.contextmanager
def opened(path: Path) -> Generator[tuple[IO[bytes], IO[bytes]]]:
    """Open a file to read; gzip is told by its content, whatever the name.

    Args:
        path: The file.

    Yields:
        The file as it is read, and the one on disk, whose `tell()` says how far reading has come.

    Raises:
        FormatError: It is compressed by zstd.
        OSError: There is no such file, or it cannot be read.
    """
    with path.open("rb") as file, unpacked(file, str(path)) as plain:
        yield plain, file


@contextlib.contextmanager
def unpacked(stream: IO[bytes], source: str) -> Generator[IO[bytes]]:
    """Give a stream as it is read: unpacked where it is compressed by gzip.

    Args:
        stream: A buffered binary file; it need not be seekable.
        source: What it is, for messages.

    Yields:
        A binary file.

    Raises:
        FormatError: It is compressed by zstd.
    """
    peeking: Any = stream
    magic: bytes = peeking.peek(8)[:8]
    if magic.startswith(_ZSTD_MAGIC) or magic[4:].startswith(_ZSTD_MAGIC):
        raise FormatError(
            f"{source} is compressed by zstd, which is not read here. Decompress it first: zstd -d FILE, or have "
            "the collector write it without compression."
        )
    if magic.startswith(_GZIP_MAGIC):
        with gzip.GzipFile(fileobj=stream, mode="rb") as plain:
            yield cast("IO[bytes]", plain)
    else:
        yield stream


class Progress:
    """A bar that shows how far a long export or import has come.

    Without tqdm there is none, and nothing is missing. It appears after a second, on terminals and in notebooks.

    Args:
        wanted: True shows it, False does not, None shows it where there is much to do.
        total: How much there is to do.
        large: From what on that is much.
        unit: "spans" or "B".
        title: What is being done.

    Example:
        >>> with Progress(None, total=3, large=LARGE_SPANS, unit="spans", title="spans.jsonl") as bar:
        ...     bar.reach(3)
    """

    def __init__(self, wanted: bool | None, *, total: int, large: int, unit: str, title: str) -> None:  # noqa: FBT001
        self._bar: Any = None
        self._reached = 0
        if wanted is False or (wanted is None and total < large):
            return
        try:
            tqdm = require("tqdm.auto", extra="files").tqdm
        except ImportError:
            if wanted:
                raise
            return
        self._bar = tqdm(
            total=total,
            desc=title,
            unit=f" {unit}" if unit != "B" else unit,
            unit_scale=True,
            leave=False,
            disable=None if wanted is None else False,
            delay=0 if wanted else 1,
        )

    def reach(self, place: int) -> None:
        """Say that so much is done by now."""
        if self._bar is not None and place > self._reached:
            self._bar.update(place - self._reached)
            self._reached = place

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *raised: object) -> None:
        if self._bar is not None:
            self._bar.close()
