"""Who is let in, and with what: all that is decided by a request's first line and its headers."""

from __future__ import annotations

import hmac
import ipaddress
from typing import TYPE_CHECKING, Final, NamedTuple

from mirascope_ops.receiver.answers import Answer, Encoding
from mirascope_ops.receiver.bodies import CODINGS

if TYPE_CHECKING:
    from collections.abc import Mapping

PATH: Final = "/v1/traces"
_OTHERS: Final = {"/v1/metrics": "metrics", "/v1/logs": "logs", "/v1development/profiles": "profiles"}
_ENCODINGS: Final = {
    "application/x-protobuf": Encoding.PROTOBUF,
    "application/protobuf": Encoding.PROTOBUF,
    "application/json": Encoding.JSON,
}


class Door(NamedTuple):
    """Lets requests in, or says why not.

    Attributes:
        token: What a sender must know.
        local: Whether requests must name this machine: what a browser sends names the site that it believes to talk
            to, whatever address that has.
    """

    token: str
    local: bool

    def refuses(self, method: str, path: str, headers: Mapping[str, str]) -> Answer | None:
        """Say why a request is not let in; None where it is."""
        return self._sender(headers) or _place(method, path.partition("?")[0]) or _content(headers)

    def _sender(self, headers: Mapping[str, str]) -> Answer | None:
        if self.local and not _is_local(headers.get("Host", "")):
            return Answer(403, "The header Host must name this machine, as the listener's url does.", "Unknown host")
        kind, _, given = headers.get("Authorization", "").partition(" ")
        # Bytes: of texts, compare_digest takes ASCII only.
        known = hmac.compare_digest(given.strip().encode("utf-8", "replace"), self.token.encode())
        if kind.lower() == "bearer" and known:
            return None
        message = "The token is missing or wrong: send the header of listener.headers, Authorization: Bearer TOKEN."
        return Answer(401, message, "Token missing or wrong", headers={"WWW-Authenticate": "Bearer"})


def encoding_of(headers: Mapping[str, str]) -> Encoding | None:
    """Give the encoding that the content type names; None where it names none of OTLP's."""
    return _ENCODINGS.get(headers.get("Content-Type", "").partition(";")[0].strip().lower())


def coding_of(headers: Mapping[str, str]) -> str:
    """Give the name of the compression; empty where there is none."""
    return headers.get("Content-Encoding", "").strip().lower()


def _place(method: str, path: str) -> Answer | None:
    if signal := _OTHERS.get(path):
        message = f"Only traces are taken here, no {signal}: set OTEL_{signal.upper()}_EXPORTER=none."
        return Answer(404, message, f"Only traces are taken here, no {signal}")
    if path != PATH:
        return Answer(404, f"There is nothing at {path!r:.200}: spans are sent to {PATH}.", f"Send spans to {PATH}")
    if method != "POST":
        return Answer(405, f"Spans are sent to {PATH} by POST.", "POST only", headers={"Allow": "POST"})
    return None


def _content(headers: Mapping[str, str]) -> Answer | None:
    if encoding_of(headers) is None:
        kind = headers.get("Content-Type", "")
        message = f"The content type must be application/x-protobuf or application/json, got {kind!r:.80}."
        return Answer(415, message, "Protobuf or JSON only")
    if (coding := coding_of(headers)) not in CODINGS:
        message = f"The content may be encoded by gzip or deflate, got {coding!r:.80}."
        return Answer(415, message, "Gzip or deflate only")
    return None


def _is_local(host: str) -> bool:
    name, _, port = host.rpartition(":")
    name = (name if port.isdigit() else host).strip("[]").rstrip(".").lower()
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False
