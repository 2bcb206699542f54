"""Files of OTLP: as the OpenTelemetry collector's file exporter writes them, and as others do.

JSON is one document a line; protobuf is messages, each after its length in four bytes, the most significant one
first: https://github.com/open-telemetry/opentelemetry-collector-contrib/tree/main/exporter/fileexporter
"""

from __future__ import annotations

import re
import struct
import warnings
import zlib
from itertools import islice
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Final, Literal, cast

from mirascope_ops.exceptions import ConfigurationError, FormatError
from mirascope_ops.store import files, otlp, otlp_json, otlp_json_reading, otlp_protobuf, otlp_runs, otlp_writing
from mirascope_ops.store.collection import uncollected
from mirascope_ops.store.records import RunRecord

if TYPE_CHECKING:
    import os
    from collections.abc import Iterable, Iterator

    from mirascope_ops.store.otlp import Exported, Scope, WireSpan

_PROTOBUF_NAMES: Final = frozenset({".pb", ".binpb", ".protobuf"})
_SPANS_A_DOCUMENT: Final = 256
_LENGTH: Final = struct.Struct(">I")
# How a message that stands alone begins: field 1, of known length. It is a line feed, too.
_ALONE: Final = b"\x0a"
_JSON_AFTER_BLANK_LINES: Final = re.compile(rb'\s*[\[{\s]*"\w|\s*$').match
_JSON_STARTS: Final = b"{[ \t\r\xef"  # the last one begins a byte order mark
_BROKEN: Final = (EOFError, zlib.error, OSError)

Format = Literal["json", "protobuf"]


def write(
    path: str | os.PathLike[str],
    spans: Iterable[Exported],
    *,
    runs: Iterable[RunRecord] = (),
    format: Format | None = None,  # noqa: A002 - the word for it
    total: int = 0,
    progress: bool | None = None,
) -> Path:
    """Write spans to a file, some at a time; see `SpanSet.to_otlp`.

    Args:
        path: The file.
        spans: The spans.
        runs: Entries into sessions, which are written behind the spans.
        format: "json" or "protobuf"; by the file's name where None.
        total: How many spans there are, for the progress bar.
        progress: Whether to show one.

    Returns:
        The path.

    Raises:
        ConfigurationError: There is no such format.
        ImportError: The protobuf format's package is not installed.
        OSError: The file cannot be written.
    """
    place = Path(path).expanduser()
    parts = encoded(spans, runs=runs, format=_format_of(place, format))
    with (
        files.Progress(progress, total=total, large=files.LARGE_SPANS, unit="spans", title=place.name) as bar,
        files.written(place) as file,
    ):
        for count, data in parts:
            file.write(data)
            bar.reach(count)
    return place


def encoded(
    spans: Iterable[Exported],
    *,
    runs: Iterable[RunRecord] = (),
    format: Format,  # noqa: A002 - the word for it
) -> Iterator[tuple[int, bytes]]:
    """Give what a file of OTLP holds, some at a time, for wherever it goes.

    Args:
        spans: The spans.
        runs: Entries into sessions, which come behind the spans.
        format: "json" or "protobuf".

    Returns:
        Parts of the file, each with how many spans are in it and those before it.

    Raises:
        ImportError: The protobuf format's package is not installed.

    Example:
        >>> list(encoded([], format="json"))
        []
    """
    protobuf = format == "protobuf"
    if protobuf:
        otlp_protobuf.traces_data()  # now, before a file is opened
    return _parts(iter(spans), runs, protobuf=protobuf)


def _parts(source: Iterator[Exported], runs: Iterable[RunRecord], *, protobuf: bool) -> Iterator[tuple[int, bytes]]:
    known = otlp.Resources()
    count = 0
    more = True
    while more:
        with uncollected():
            chunk = list(islice(source, _SPANS_A_DOCUMENT))
            more = bool(chunk)
            data = _encoded(_grouped(chunk, known), protobuf=protobuf) if chunk else b""
        count += len(chunk)
        if data:
            yield count, data
    for text in otlp_runs.texts_of(runs):
        yield count, _runs_encoded(text, protobuf=protobuf)


def _runs_encoded(text: str, *, protobuf: bool) -> bytes:
    if not protobuf:
        return otlp_json.runs_document(text) + b"\n"
    data = otlp_protobuf.runs_message(text)
    return _LENGTH.pack(len(data)) + data


def _encoded(groups: list[tuple[Scope, list[WireSpan]]], *, protobuf: bool) -> bytes:
    if not protobuf:
        return otlp_json.document(groups) + b"\n"
    data = otlp_protobuf.message(groups)
    return _LENGTH.pack(len(data)) + data


def _format_of(path: Path, wanted: Format | None) -> Format:
    if wanted is None:
        named = path.with_suffix("") if path.suffix.lower() == ".gz" else path
        return "protobuf" if named.suffix.lower() in _PROTOBUF_NAMES else "json"
    if wanted not in {"json", "protobuf"}:
        raise ConfigurationError(f"format={wanted!r} means nothing here; expected 'json' or 'protobuf'.")
    return wanted


def _grouped(chunk: Iterable[Exported], known: otlp.Resources) -> list[tuple[Scope, list[WireSpan]]]:
    """Group neighbours that share resource and scope; the order of spans stays."""
    groups: list[tuple[Scope, list[WireSpan]]] = []
    for exported in chunk:
        scope, span = otlp_writing.wire_of(exported)
        resource = known.one(scope.resource)
        if groups:
            last = groups[-1][0]
            # The texts of both: 1, 1.0 and True are equal in Python, and not here.
            same = last.name == scope.name and (not (last.extras or scope.extras) or repr(last) == repr(scope))
            if last.resource is resource and same:
                groups[-1][1].append(span)
                continue
        groups.append((scope._replace(resource=resource), [span]))
    return groups


def read(
    path: str | os.PathLike[str], *, errors: Literal["raise", "skip"] = "raise", progress: bool | None = None
) -> Iterator[Exported | RunRecord]:
    """Read the spans of a file, some at a time, in its order; see `mirascope_ops.read_otlp`.

    Args:
        path: The file.
        errors: Whether what cannot be read raises, or is left out with a warning that counts it.
        progress: Whether to show a progress bar.

    Yields:
        The spans, and the entries into sessions.

    Raises:
        ConfigurationError: `errors` is neither of the two.
        FormatError: Something cannot be read.
        ImportError: The file is protobuf, and the package for it is not installed.
        OSError: There is no such file.
    """
    if errors not in {"raise", "skip"}:
        raise ConfigurationError(f"errors={errors!r} means nothing here; expected 'raise' or 'skip'.")
    place = Path(path).expanduser()
    problems = Problems(str(place), skip=errors == "skip")
    with files.opened(place) as (file, on_disk):
        size = place.stat().st_size
        with files.Progress(progress, total=size, large=files.LARGE_BYTES, unit="B", title=place.name) as bar:
            for exported in _read(file, problems):
                yield exported
                bar.reach(on_disk.tell())
    problems.tell()


def read_stream(stream: IO[bytes], problems: Problems) -> Iterator[Exported | RunRecord]:
    """Read the spans of a stream, as `read` does those of a file.

    Args:
        stream: A buffered binary file, which need not be seekable: a pipe.
        problems: Takes note of what cannot be read.

    Yields:
        The spans, and the entries into sessions.

    Raises:
        FormatError: Something cannot be read, and the problems are to raise.
        ImportError: It is protobuf, and the package for it is not installed.
    """
    with files.unpacked(stream, problems.source) as file:
        yield from _read(file, problems)


def _read(file: IO[bytes], problems: Problems) -> Iterator[Exported | RunRecord]:
    start = _peeked(file, problems)
    parts = _json(file, problems) if _is_json(start) else _protobuf(file, problems, alone=start[:1] == _ALONE)
    for exported in parts:
        problems.readable += not isinstance(exported, RunRecord)
        yield exported


class Problems:
    """What could not be read of a file: raised, or counted.

    Args:
        source: The file, for messages.
        skip: Whether to count.

    Attributes:
        source: The file.
        count: In how many places something could not be read.
        first: Where the first of them is, and what is wrong there; or "".
        readable: How many spans could be read.
    """

    def __init__(self, source: str, *, skip: bool) -> None:
        self.source = source
        self._skip = skip
        self.first = ""
        self.count = 0
        self.readable = 0

    def found(self, where: str, error: Exception) -> None:
        """Take note of something that cannot be read.

        Raises:
            FormatError: Such things are to raise.
        """
        if isinstance(error, KeyError):
            error = ValueError(f"{error} is missing")
        what = f"{where}: {error}"
        if not self._skip:
            before = f" {self.readable:,} spans before it can be read:" if self.readable else ""
            raise FormatError(
                f"{self.source} cannot be read as OTLP at {what}.{before} errors='skip' gives all that can be read."
            ) from None
        self.count += 1
        self.first = self.first or what

    def tell(self) -> None:
        """Warn of what was left out."""
        if self.count:
            places = "1 place was" if self.count == 1 else f"{self.count:,} places were"
            message = (
                f"{self.source}: {places} left out, for they cannot be read as OTLP; {self.readable:,} spans could. "
                f"The first: {self.first}"
            )
            warnings.warn(message, stacklevel=2)


def _is_json(start: bytes) -> bool:
    if start.startswith(_ALONE):
        return _JSON_AFTER_BLANK_LINES(start) is not None
    # Plain text is broken JSON rather than protobuf, whose first byte is 0 in all messages below 16 MB.
    return not start or start[0] in _JSON_STARTS or _is_text(start)


def _is_text(start: bytes) -> bool:
    text = start.partition(b"\n")[0].rstrip(b"\r")
    return text.isascii() and text.decode("ascii").isprintable()


def _peeked(file: IO[bytes], problems: Problems) -> bytes:
    """Give the first bytes of a file, or nothing of an empty one."""
    peek: Any = file
    try:
        return bytes(peek.peek(64)[:64])
    except _BROKEN as error:
        problems.found("its start", error)
        return b""


# -- JSON ---------------------------------------------------------------------------------------------------------


def _json(file: IO[bytes], problems: Problems) -> Iterator[Exported | RunRecord]:
    known = otlp.Resources()
    for number, line in enumerate(_lines(file, problems), 1):
        text = line.removeprefix(b"\xef\xbb\xbf") if number == 1 else line
        if not text.strip():
            continue
        where = f"line {number}"
        try:
            with uncollected():
                found = list(_documents(otlp_json_reading.loads(text), where, problems, known))
        except FormatError:
            raise
        except ValueError as error:
            if number == 1:
                # One document over several lines? Then the first alone is none.
                yield from _whole(text, file, problems, error)
                return
            problems.found(where, error)
            continue
        yield from found


def _whole(text: bytes, file: IO[bytes], problems: Problems, error: Exception) -> Iterator[Exported | RunRecord]:
    known = otlp.Resources()
    rest = list(_lines(file, problems))
    try:
        found = otlp_json_reading.loads(text + b"".join(rest))
    except ValueError:
        problems.found("line 1", error)
    else:
        yield from _documents(found, "the document", problems, known)
        return
    for number, line in enumerate(rest, 2):
        if not line.strip():
            continue
        try:
            found = otlp_json_reading.loads(line)
        except ValueError as problem:
            problems.found(f"line {number}", problem)
            continue
        yield from _documents(found, f"line {number}", problems, known)


def _documents(found: Any, where: str, problems: Problems, known: otlp.Resources) -> Iterator[Exported | RunRecord]:
    """Give the spans of one document, or of a list of them."""
    several = cast("list[Any]", found) if isinstance(found, list) else None
    for place, document in enumerate([found] if several is None else several):
        at = where if several is None else f"{where}, [{place}]"

        def problem(inner: str, error: Exception, at: str = at) -> None:
            problems.found(f"{at}, {inner}", error)

        try:
            yield from otlp_json_reading.spans_in(document, problem, known)
        except FormatError:
            raise
        except (TypeError, ValueError) as error:
            problems.found(at, error)


def _lines(file: IO[bytes], problems: Problems) -> Iterator[bytes]:
    number = 0
    while True:
        try:
            line = file.readline()
        except _BROKEN as error:
            problems.found(f"line {number + 1}", error)
            return
        if not line:
            return
        number += 1
        yield line


# -- protobuf -----------------------------------------------------------------------------------------------------


def _protobuf(file: IO[bytes], problems: Problems, *, alone: bool) -> Iterator[Exported | RunRecord]:
    otlp_protobuf.traces_data()
    known = otlp.Resources()
    offset = 0
    while True:
        where = f"byte {offset:,}"
        try:
            # A message without its length fills the file: a length that began so would be of 160 MB.
            data = file.read() if alone else _message(file)
        except _BROKEN as error:
            hint = "" if offset else "it is neither JSON nor OTLP in protobuf, or cut off: "
            problems.found(where, ValueError(f"{hint}{error}"))
            return
        if data is None or (alone and not data):
            return
        try:
            with uncollected():
                found = list(_spans_of(otlp_protobuf.loads(data), where, problems, known))
        except FormatError:
            raise
        except ValueError as error:
            problems.found(where, error)
        else:
            yield from found
        offset += len(data) + (0 if alone else _LENGTH.size)


def _spans_of(found: Any, where: str, problems: Problems, known: otlp.Resources) -> Iterator[Exported | RunRecord]:
    def problem(inner: str, error: Exception) -> None:
        problems.found(f"{where}, {inner}", error)

    return otlp_protobuf.spans_in(found, problem, known)


def _message(file: IO[bytes]) -> bytes | None:
    """Read the next message after its length; None at the end of the file."""
    head = file.read(_LENGTH.size)
    if not head:
        return None
    if len(head) < _LENGTH.size:
        raise EOFError(f"the file ends within a length, after {len(head)} of {_LENGTH.size} bytes")
    (length,) = _LENGTH.unpack(head)
    data = file.read(length)
    if len(data) < length:
        raise EOFError(f"the file ends within a message, after {len(data):,} of {length:,} bytes")
    return data
