"""Which session a span from elsewhere belongs to, by what its sender wrote on it.

Our middlewares and other libraries write the session as an attribute. A service that knows nothing of sessions may
still tell of them: OpenTelemetry's instrumentations of servers can keep a request's header
(`OTEL_INSTRUMENTATION_HTTP_CAPTURE_HEADERS_SERVER_REQUEST=X-Mirascope-Session-Id`), and its `BaggageSpanProcessor`
copies baggage, in which `ops.inject_context(headers, baggage=True)` sends the session's attributes. A span without any
of these has the session of its trace; that is found out when it is read.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final, cast

import orjson

from mirascope_ops.analysis.vocabulary import SESSION
from mirascope_ops.core import baggage
from mirascope_ops.core.propagation import SESSION_HEADER_NAMES, accepted_attributes, decode_id
from mirascope_ops.core.session import check_id
from mirascope_ops.exceptions import OpsError
from mirascope_ops.store import codec

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mirascope_ops.store.records import SpanRecord

_HEADERS: Final = frozenset(
    f"http.request.header.{written}"
    for name in SESSION_HEADER_NAMES
    for written in (
        name.lower(),
        name.lower().replace("-", "_"),
    )  # OpenTelemetry's names for it, the present and the old
)
_IDS: Final = (str, int)
_SOURCES: Final = {source.key: source for source in SESSION}
_TOLD: Final = frozenset(_SOURCES) | _HEADERS


def in_session(span: SpanRecord) -> SpanRecord:
    """Put a span into the session that its attributes, or those of its resource, tell of.

    An id that `ops.session` would not accept makes no session.
    """
    session = _session_of(span)
    told = None if session is None else span.session_attributes or _attributes_of(span.attributes)
    if session == span.session_id and told == span.session_attributes:
        return span
    return span._replace(session_id=session, session_attributes=told)


def _session_of(span: SpanRecord) -> str | None:
    if span.session_id is not None and (found := accepted(span.session_id)):
        return found
    for attributes in (span.attributes, span.resource):
        if not _TOLD.isdisjoint(attributes) and (found := _id_in(attributes)):
            return found
    return None


def _id_in(attributes: Mapping[str, Any]) -> str | None:
    for key, source in _SOURCES.items():
        told = type(attributes.get(key)) in _IDS
        if told and (value := source.gather(attributes)) and (found := accepted(str(value))):
            return found
    for name in _HEADERS:
        value = attributes.get(name)
        sent = cast("list[Any]", value)[:1] if isinstance(value, list) else [value]
        for each in sent:
            if isinstance(each, str) and (found := accepted(decode_id(each))):
                return found
    return None


@lru_cache(maxsize=1024)
def accepted(session_id: str) -> str | None:
    """Give a session's id if `ops.session` would accept it; else None."""
    try:
        return check_id(session_id)
    except OpsError:
        return None


def _attributes_of(attributes: Mapping[str, Any]) -> str | None:
    """Give the session's attributes that came as baggage, as JSON text."""
    sent = [key for key in attributes if key.startswith(baggage.PREFIX)]
    if not sent:
        return None
    found = accepted_attributes({key[len(baggage.PREFIX) :]: _from_json(attributes[key]) for key in sent})
    return codec.encode(found) if found else None


def _from_json(value: Any) -> Any:
    """Read what `ops.inject_context` writes as JSON; what others write may be anything."""
    try:
        return orjson.loads(value)
    except ValueError:
        return value
