"""A request's body to records: unpacked, read as OTLP, checked, put into sessions, masked.

It may be anything at all. What cannot be read raises `BadBodyError`, a span that is none is left out and counted, and
nothing is made of more bytes than `MAX_BODY`.
"""

from __future__ import annotations

import re
import zlib
from typing import TYPE_CHECKING, Any, Final, NamedTuple, cast

from mirascope_ops.receiver.answers import Encoding
from mirascope_ops.receiver.membership import accepted, in_session
from mirascope_ops.store import masked, otlp, otlp_json_reading, otlp_protobuf
from mirascope_ops.store.collection import uncollected
from mirascope_ops.store.records import AnnotationRecord, RunRecord, SpanRecord

if TYPE_CHECKING:
    from collections.abc import Mapping

# As much as Python's exporter sends at most. The specification recommends 20 MiB, which 500 model calls may exceed.
MAX_BODY: Final = 64 * 1024**2
_CODINGS: Final = {"": False, "identity": False, "gzip": True, "x-gzip": True, "deflate": True}
CODINGS: Final = frozenset(_CODINGS)
_EITHER: Final = zlib.MAX_WBITS | 32  # gzip or zlib, as the data says: both are called deflate
_PIECE: Final = 1024**2
_MOST_STREAMS: Final = 1024
_TRACE_ID: Final = re.compile(r"(?!0{32})[0-9a-f]{32}").fullmatch
_SPAN_ID: Final = re.compile(r"(?!0{16})[0-9a-f]{16}").fullmatch
_NO_PARENT: Final = "0" * 16
_MOST_SAID: Final = 500


class BadBodyError(ValueError):
    """A body of which nothing can be taken; sending it again is of no use.

    Attributes:
        status: HTTP's status for it.
    """

    def __init__(self, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.status = status


class Received(NamedTuple):
    """What a body held.

    Attributes:
        spans: Its spans.
        runs: Entries into sessions; another store of ours sends such.
        annotations: Judgements on spans; the same.
        size: The bytes of the body, unpacked.
        rejected: How many spans were left out.
        problem: Why; empty where none was.
    """

    spans: list[SpanRecord]
    runs: list[RunRecord]
    annotations: list[AnnotationRecord]
    size: int
    rejected: int = 0
    problem: str = ""


def received(body: bytes, encoding: Encoding, coding: str = "") -> Received:
    """Read a body.

    Args:
        body: As it came.
        encoding: How it is written.
        coding: How that is compressed; one of `CODINGS`.

    Raises:
        BadBodyError: It cannot be unpacked, is too large, or is no OTLP.
        ImportError: It is protobuf, and the package for it is not installed.
    """
    data = _unpacked(body) if _CODINGS[coding] else body
    problems: list[str] = []

    def problem(where: str, error: Exception) -> None:
        told = f"{error} is missing" if isinstance(error, KeyError) else str(error)
        problems.append(f"{where}: {told}"[:_MOST_SAID])

    try:
        with uncollected():
            return _read(data, encoding, problems, problem)
    except (ArithmeticError, LookupError, AttributeError, RecursionError, TypeError, ValueError) as error:
        raise BadBodyError(f"The body cannot be read as OTLP: {error}"[:_MOST_SAID]) from None


def _read(data: bytes, encoding: Encoding, problems: list[str], problem: Any) -> Received:
    known = otlp.Resources()
    document: Any
    if encoding is Encoding.PROTOBUF:
        document = otlp_protobuf.loads(data)
        total = sum(len(scope.spans) for resource in document.resource_spans for scope in resource.scope_spans)
        found = otlp_protobuf.spans_in(document, problem, known)
    else:
        document = otlp_json_reading.loads(data) if data.strip() else {}
        total = _count(document, "resourceSpans", "scopeSpans", "spans")
        found = otlp_json_reading.spans_in(document, problem, known)
    spans: list[SpanRecord] = []
    runs: list[RunRecord] = []
    annotations: list[AnnotationRecord] = []
    resources: dict[int, tuple[Any, Mapping[str, Any]]] = {}
    for one in found:
        if isinstance(one, RunRecord):
            if all(accepted(each) for each in (one.session_id, one.parent_session_id) if each is not None):
                runs.append(masked.run(one))
            else:
                problems.append(f"an entry into session {one.session_id!r:.100}: no session has such an id")
            continue
        span = one.record
        fault = _fault(span)
        if fault:
            problems.append(f"span {span.name!r:.100}: {fault}")
            continue
        if span.parent_id == _NO_PARENT:
            span = span._replace(parent_id=None)
        spans.append(masked.span(in_session(span), resources))
        annotations += map(masked.annotation, one.annotations)
    rejected = max(total - len(spans), 0)
    if not problems:
        return Received(spans, runs, annotations, len(data))
    return Received(spans, runs, annotations, len(data), rejected, _told(rejected, total, problems))


def _told(rejected: int, total: int, problems: list[str]) -> str:
    more = f" and {len(problems) - 1:,} more" if len(problems) > 1 else ""
    return f"{rejected:,} of {total:,} spans were left out, for they cannot be read: {problems[0]}{more}"


def _fault(span: SpanRecord) -> str | None:
    """Say what makes a span none; None where nothing does."""
    if not _TRACE_ID(span.trace_id):
        return f"its trace id is {span.trace_id!r:.80}, expected 32 hex digits that are not all zero"
    if not _SPAN_ID(span.span_id):
        return f"its span id is {span.span_id!r:.80}, expected 16 hex digits that are not all zero"
    if span.parent_id is not None and not _SPAN_ID(span.parent_id) and span.parent_id != _NO_PARENT:
        return f"its parent's id is {span.parent_id!r:.80}, expected 16 hex digits"
    return None


def _count(document: Any, *names: str) -> int:
    """Count what the lists of these names, one within the other, hold, whatever else may be there."""
    if not names:
        return 1
    held = cast("dict[str, Any]", document).get(names[0]) if isinstance(document, dict) else None
    listed = cast("list[Any]", held) if isinstance(held, list) else []
    return sum(_count(each, *names[1:]) for each in listed)


def _unpacked(body: bytes) -> bytes:
    """Decompress a body of one gzip or zlib stream, or several; no more of it than `MAX_BODY`."""
    pieces: list[bytes] = []
    size = 0
    for _ in range(_MOST_STREAMS):
        stream = zlib.decompressobj(_EITHER)
        while not stream.eof:
            try:
                piece = stream.decompress(body, _PIECE)
            except zlib.error as error:
                raise BadBodyError(f"The body cannot be decompressed: {error}") from None
            size += len(piece)
            if size > MAX_BODY:
                raise BadBodyError(f"The body has more than {MAX_BODY:,} bytes when it is decompressed", 413)
            pieces.append(piece)
            body = stream.unconsumed_tail
            if not piece and not body and not stream.eof:
                raise BadBodyError("The body cannot be decompressed: it ends too early")
        body = stream.unused_data
        if not body:
            return b"".join(pieces)
    raise BadBodyError("The body cannot be decompressed: it is in too many pieces")
