"""What the server middlewares share: the session and the trace of one request, for as long as it lasts.

A request is a world of its own. Its session has no parent in this process, and a request without an id gets a new
session, never the one that the process happens to be in (a notebook's, say, which also runs the server).
"""

from __future__ import annotations

import inspect
import re
from typing import TYPE_CHECKING, Any, Final, Generic, Self, TypeVar

from opentelemetry import trace as otel_trace
from opentelemetry.context import Context
from opentelemetry.trace import NonRecordingSpan, SpanKind, StatusCode

from mirascope_ops.core import context, guard
from mirascope_ops.core.propagation import (
    accepted_attributes,
    encode_id,
    extract_context,
    extract_session_attributes,
    extract_session_id,
    get_propagator,
)
from mirascope_ops.core.session import KEY, SessionContext, check_id, enter, leave
from mirascope_ops.core.span import Span
from mirascope_ops.exceptions import ConfigurationError, OpsError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, MutableMapping, Sequence
    from contextvars import Token
    from types import TracebackType

    from mirascope_ops.core.session import Entry

R = TypeVar("R", bound="MutableMapping[str, Any]")

# Where a request keeps its session, in ASGI's scope and WSGI's environ: a second middleware then leaves it alone.
REQUEST_KEY: Final = "mirascope_ops.session"
_TOKEN: Final = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")  # https://www.rfc-editor.org/rfc/rfc9110#name-tokens
_MAX_NAME: Final = 200
_FIRST_SERVER_ERROR: Final = 500


class Incoming(Generic[R]):
    """How requests become sessions; a middleware makes one and opens a `Visit` for each request.

    Args:
        read_headers: Returns a request's headers.
        header: The name of the header with the session id, or several; None to read none.
        session_id: Chooses the id instead of the header; None from it makes a new session.
        attributes: Returns the session's attributes, JSON values, or None.
        baggage: Whether attributes that arrive as W3C baggage are taken.
        trace: Whether the caller's trace is continued.
        span: Whether each request gets a span.
        response_header: The response's header that tells the session id, or None.

    Raises:
        ConfigurationError: A value means nothing, or `MIRASCOPE_PROPAGATOR` names no format.
    """

    def __init__(
        self,
        read_headers: Callable[[R], Mapping[Any, Any]],
        *,
        header: str | Sequence[str] | None,
        session_id: Callable[[R], str | None] | None,
        attributes: Callable[[R], Mapping[str, Any] | None] | None,
        baggage: bool,
        trace: bool,
        span: bool,
        response_header: str | None,
    ) -> None:
        self._read_headers = read_headers
        self._names = _header_names(header)
        self._session_id = _checked_function("session_id", session_id)
        self._attributes = _checked_function("attributes", attributes)
        self._baggage = baggage
        self._trace = trace
        self.wants_span = span
        self._response_header = None if response_header is None else _header_names(response_header)[0]
        get_propagator()  # an unknown format is an error now, not at each request

    def open(self, request: R) -> Visit | None:
        """Enter a request's session; nothing in the request makes this raise.

        Args:
            request: ASGI's scope or WSGI's environ; its session is noted there.

        Returns:
            The visit, to be closed; None where the request has its session from a middleware further out.
        """
        around = request.get(REQUEST_KEY)
        if isinstance(around, SessionContext) and around.ended is None:
            return None
        try:
            headers = self._read_headers(request)
            chosen = self._choose_id(request, headers)
            attributes = self._choose_attributes(request, headers)
            visit = Visit(chosen, attributes, _context_of_request(extract_context(headers) if self._trace else None))
        except Exception as error:  # noqa: BLE001 - a request is answered, whatever becomes of its session
            guard.report("opening the session of a request", error)
            return None
        request[REQUEST_KEY] = visit.session
        return visit

    @property
    def watches(self) -> bool:
        """Whether responses are followed: for a span, or to tell the session's id."""
        return self.wants_span or self._response_header is not None

    def header_to_add(self, visit: Visit, names: Iterable[str]) -> tuple[str, str] | None:
        """Return the response's header that tells the session's id; None where none is to be added.

        Args:
            visit: The request's.
            names: The headers that the application wrote; one of ours among them stays alone.
        """
        name = self._response_header
        if name is None or any(other.lower() == name.lower() for other in names):
            return None
        return name, encode_id(visit.session.id)

    def _choose_id(self, request: R, headers: Mapping[Any, Any]) -> str | None:
        if self._session_id is None:
            return extract_session_id(headers, self._names)
        try:
            chosen = self._session_id(request)
            return None if chosen is None else check_id(chosen)
        except OpsError as error:
            guard.warn_once("session_id=", f"mirascope_ops made a new session: session_id= gave no id. {error}")
        except Exception as error:  # noqa: BLE001 - a hostile request must not become an error of the server
            guard.warn_once("session_id= raised", f"mirascope_ops made a new session: session_id= raised {error!r}")
        return None

    def _choose_attributes(self, request: R, headers: Mapping[Any, Any]) -> dict[str, Any]:
        found = extract_session_attributes(headers) if self._baggage else {}
        if self._attributes is None:
            return found
        try:
            given = self._attributes(request)
            return found if given is None else {**found, **accepted_attributes(given)}
        except Exception as error:  # noqa: BLE001 - as above
            guard.warn_once("attributes= raised", f"mirascope_ops left attributes out: attributes= raised {error!r}")
            return found


class Visit:
    """One request's session while it is open; a context manager, or closed by hand.

    Attributes:
        session: The session.
        span: The request's span, once `start_span` was called.
        closed: Whether the session was left.
    """

    __slots__ = ("_context", "_entry", "_token", "closed", "session", "span")

    def __init__(self, session_id: str | None, attributes: dict[str, Any], carried: Context) -> None:
        self.span: Span | None = None
        self.closed = False
        self._context = carried
        self._token: Token[Context] = context.attach_context(carried)
        self._entry: Entry = enter(session_id, attributes, parent=None)
        self.session = self._entry.context

    def start_span(self, method: str, path: str, scheme: str) -> None:
        """Start the request's span, named by method and path; query strings stay out, they may hold secrets."""
        attributes = {"http.request.method": method, "url.path": path, "url.scheme": scheme}
        self.span = Span.of_kind(SpanKind.SERVER, f"{method} {path}"[:_MAX_NAME], attributes)
        self.span.__enter__()  # ended in `close`

    def route(self, method: str, route: str) -> None:
        """Name the span by its route, which is known only after routing and the same for many paths."""
        if self.span is not None:
            self.span.update_name(f"{method} {route}"[:_MAX_NAME])
            self.span.set_attribute("http.route", route)

    def answered(self, status: int) -> None:
        """Note the response's status; 500 and above is an error of this service."""
        if self.span is not None:
            self.span.set_attribute("http.response.status_code", status)
            if status >= _FIRST_SERVER_ERROR:
                self.span.set_status(StatusCode.ERROR, f"HTTP {status}")

    def body_finished(self) -> None:
        """End the span: what runs later (background tasks) is in the session, but is not waited for by the caller."""
        if self.span is not None:
            self.span.end()

    def close(self, error: BaseException | None = None) -> None:
        """Leave the session; a second call changes nothing."""
        if self.closed:
            return
        self.closed = True
        if self.span is not None:
            if error is not None:
                self.span.fail(error)
            self.span.finish()
        leave(self._entry)
        context.detach_context(self._token, self._context)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.close(error)


def _context_of_request(extracted: Context | None) -> Context:
    """Return the OpenTelemetry Context of a request.

    It is what is current, because middlewares further out may have put something there, but without what belongs to
    this process: its session, and its span unless that is the request's own.

    Args:
        extracted: What the request's headers say, or None where they are not to be believed.
    """
    kept: dict[str, Any] = {key: value for key, value in context.get().items() if key not in (KEY, context.SPAN_KEY)}
    if extracted is not None:
        kept.update(extracted)
    around = otel_trace.get_current_span()
    if _serves_request(around):
        kept[context.SPAN_KEY] = around
    return Context(kept)


def _serves_request(span: otel_trace.Span) -> bool:
    """Tell whether the current span was made for this request, by an instrumentation around this middleware.

    It is a server span; or one that was sampled away, of which OpenTelemetry leaves no more than its ids.
    """
    if span.is_recording():
        return getattr(span, "kind", None) is SpanKind.SERVER
    found = context.place_of(span)
    return (
        found.is_valid and isinstance(span, NonRecordingSpan) and not found.is_remote and not found.trace_flags.sampled
    )


def _header_names(given: object) -> tuple[str, ...]:
    """Return header names, checked."""
    if given is None:
        return ()
    names: tuple[Any, ...] = (given,) if isinstance(given, str | bytes) else tuple(given)  # pyright: ignore[reportUnknownVariableType, reportArgumentType, reportUnknownArgumentType]
    for name in names:
        if not isinstance(name, str) or not _TOKEN.fullmatch(name):
            message = f"A header's name must be a token such as 'X-Session-Id', got {name!r}."
            raise ConfigurationError(message)
    return names


def _checked_function(name: str, function: Any) -> Any:
    if function is not None and (not callable(function) or inspect.iscoroutinefunction(function)):
        message = (
            f"{name} must be a plain function of the request (ASGI: the scope, WSGI: the environ), got {function!r}."
        )
        raise ConfigurationError(message)
    return function
