"""What an exporter is answered: the messages of OTLP/HTTP, in the encoding of its request.

https://opentelemetry.io/docs/specs/otlp/#otlphttp-response: `ExportTraceServiceResponse` where spans were taken,
`google.rpc.Status` where they were not. Both are a few fields, so they are written here, and JSON needs no package.
"""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import orjson

if TYPE_CHECKING:
    from collections.abc import Mapping

OK: Final = 200
BUSY: Final = 503  # and not 429, at which Python's older exporters (1.38) drop what they sent
_PARTIAL_SUCCESS, _REJECTED_SPANS, _ERROR_MESSAGE = 1, 1, 2  # numbers of ExportTraceServiceResponse's fields
_STATUS_MESSAGE: Final = 2


class Encoding(Enum):
    """How a body is written; the value is its content type."""

    PROTOBUF = "application/x-protobuf"
    JSON = "application/json"


class Answer(NamedTuple):
    """The answer to one request.

    Attributes:
        status: HTTP's status.
        message: For people: what is wrong and what to do; empty where nothing is.
        reason: The same in few words, for the first line of the answer: all that Python's exporter logs of it.
        rejected: How many spans of a request that was taken were left out.
        headers: Headers that this status needs.
    """

    status: int
    message: str = ""
    reason: str = "OK"
    rejected: int = 0
    headers: Mapping[str, str] = {}

    def body(self, encoding: Encoding) -> bytes:
        """Write the message.

        Example:
            >>> Answer(200).body(Encoding.JSON), Answer(200).body(Encoding.PROTOBUF)
            (b'{}', b'')
            >>> Answer(400, "it is no OTLP").body(Encoding.JSON)
            b'{"message":"it is no OTLP"}'
        """
        told = self._told()
        if encoding is Encoding.JSON:
            return orjson.dumps(told)
        if self.status != OK:
            return _field(_STATUS_MESSAGE, self.message.encode())
        if not told:
            return b""
        rejected = _key(_REJECTED_SPANS, 0) + _varint(self.rejected) if self.rejected else b""
        return _field(_PARTIAL_SUCCESS, rejected + _field(_ERROR_MESSAGE, self.message.encode()))

    def _told(self) -> dict[str, Any]:
        if self.status != OK:
            return {"message": self.message}
        if not (self.rejected or self.message):
            return {}  # where all went well, partialSuccess must not be set
        rejected = {"rejectedSpans": str(self.rejected)} if self.rejected else {}  # as protobuf's JSON writes int64
        return {"partialSuccess": {**rejected, "errorMessage": self.message}}


def later(message: str, reason: str, seconds: int) -> Answer:
    """Tell an exporter to send the same again after so many seconds."""
    return Answer(BUSY, message, reason, headers={"Retry-After": str(seconds)})


def _field(number: int, content: bytes) -> bytes:
    return _key(number, 2) + _varint(len(content)) + content if content else b""


def _key(number: int, kind: int) -> bytes:
    return _varint(number << 3 | kind)


def _varint(value: int) -> bytes:
    found = bytearray()
    while value > 0x7F:  # noqa: PLR2004 - seven bits a byte
        found.append(value & 0x7F | 0x80)
        value >>= 7
    found.append(value)
    return bytes(found)
