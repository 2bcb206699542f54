"""WSGI: every request of an application runs in a session of its own.

from flask import Flask
from mirascope_ops.integrations.wsgi import SessionMiddleware

app = Flask(__name__)
app.wsgi_app = SessionMiddleware(app.wsgi_app)
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mirascope_ops.core import guard
from mirascope_ops.core.callables import Carried
from mirascope_ops.core.propagation import SESSION_HEADER_NAMES
from mirascope_ops.core.session import CURRENT
from mirascope_ops.integrations.incoming import Incoming, Visit

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment


class SessionMiddleware:
    """Run each request in a session, and continue the caller's trace.

    The session lasts until the server has closed the response's body, and is current only while the application
    runs: between the pieces of a stream the server's thread is as it was. A body that is a list, or the server's own
    file wrapper, is returned as it is, so that servers treat it as before. The session is also in
    `environ["mirascope_ops.session"]`; where an outer middleware has put one there, this one does nothing.

    Ids, attributes and traces that come from outside are claims: `header=None` and `trace=False` believe nothing,
    and `session_id=` can take the id from what you authenticated. What makes no sense is logged once and ignored,
    also what these functions raise.

    Args:
        app: The application.
        header: The request's header with the session id, or several, the first that has one counts; None to read none.
        session_id: Chooses the id from the environ, instead of the header; None from it makes a new session.
        attributes: Returns the session's attributes from the environ, JSON values, or None.
        baggage: Whether attributes that arrive as W3C baggage are taken too; those of `attributes` win.
        trace: Whether the caller's trace is continued (headers of `MIRASCOPE_PROPAGATOR`). A server span of another
            OpenTelemetry instrumentation around this middleware is kept.
        span: Whether each request gets a span, from its start to the end of its body, named by method and path.
        response_header: The response's header that tells the session id, such as "X-Mirascope-Session-Id".

    Raises:
        ConfigurationError: A value means nothing.

    Example:
        >>> from mirascope_ops import ops
        >>> def app(environ, start_response):
        ...     start_response("200 OK", [])
        ...     return [ops.current_session().id.encode()]
        >>> SessionMiddleware(app)({"HTTP_X_MIRASCOPE_SESSION_ID": "user-1"}, lambda status, headers: None)
        [b'user-1']
    """

    def __init__(
        self,
        app: WSGIApplication,
        *,
        header: str | Sequence[str] | None = SESSION_HEADER_NAMES,
        session_id: Callable[[WSGIEnvironment], str | None] | None = None,
        attributes: Callable[[WSGIEnvironment], Mapping[str, Any] | None] | None = None,
        baggage: bool = False,
        trace: bool = True,
        span: bool = False,
        response_header: str | None = None,
    ) -> None:
        self.app = app
        self._incoming: Incoming[WSGIEnvironment] = Incoming(
            _headers,
            header=header,
            session_id=session_id,
            attributes=attributes,
            baggage=baggage,
            trace=trace,
            span=span,
            response_header=response_header,
        )

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Serve one request."""
        carried = Carried(CURRENT)
        with carried:
            visit = self._incoming.open(environ)
        if visit is None:
            return self.app(environ, start_response)
        with carried:
            if self._incoming.watches:
                start_response = self._watch(visit, environ, start_response)
            try:
                body = self.app(environ, start_response)
            except BaseException as error:
                visit.close(error)
                raise
            if type(body) in (list, tuple) or _is_file(body, environ):
                visit.close()
                return body
        return _Body(body, visit, carried)

    def _watch(self, visit: Visit, environ: WSGIEnvironment, start_response: StartResponse) -> StartResponse:
        """Start the span; return a `start_response` that notes the status and adds the header."""
        if self._incoming.wants_span:
            path = str(environ.get("SCRIPT_NAME", "")) + str(environ.get("PATH_INFO", ""))
            readable = path.encode("latin-1", "replace").decode(errors="replace")  # PEP 3333: bytes as latin-1
            visit.start_span(
                str(environ.get("REQUEST_METHOD", "GET")), readable or "/", str(environ.get("wsgi.url_scheme", "http"))
            )

        def started(status: str, headers: list[tuple[str, str]], *exc_info: Any) -> Callable[[bytes], object]:
            try:
                visit.answered(int(status[:3]))
            except ValueError as error:
                guard.warn_once("WSGI status", f"mirascope_ops could not read the status {status!r:.80}: {error}")
            if added := self._incoming.header_to_add(visit, (name for name, _ in headers)):
                headers = [*headers, added]
            return start_response(status, headers, *exc_info)

        return started


class _Body:
    """The response's body: each piece is made inside the session, and between pieces nothing is current."""

    def __init__(self, body: Iterable[bytes], visit: Visit, carried: Carried) -> None:
        self._body = body
        self._visit = visit
        self._carried = carried
        self._pieces: Iterator[bytes] | None = None

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        with self._carried:
            try:
                if self._pieces is None:
                    self._pieces = iter(self._body)
                return next(self._pieces)
            except StopIteration:
                self._visit.body_finished()
                raise
            except BaseException as error:
                if self._visit.span is not None:
                    self._visit.span.fail(error)
                raise

    def close(self) -> None:
        """Close the application's body, in the session, and leave it."""
        with self._carried:
            try:
                close = getattr(self._body, "close", None)
                if close is not None:
                    close()
            except BaseException as error:
                self._visit.close(error)
                raise
            self._visit.close()

    def __del__(self) -> None:
        # PEP 3333 has servers call close(); one that was stopped half-way may not. A generator that is then closed
        # by Python, outside the session, would make its own context current in a thread that has none.
        if not self._visit.closed:
            self.close()


def _headers(environ: WSGIEnvironment) -> dict[str, Any]:
    return {key[5:].replace("_", "-"): value for key, value in environ.items() if key.startswith("HTTP_")}


def _is_file(body: Any, environ: WSGIEnvironment) -> bool:
    """Tell whether a body is the server's file wrapper, which it sends in a way of its own (sendfile)."""
    wrapper = environ.get("wsgi.file_wrapper")
    return isinstance(wrapper, type) and isinstance(body, wrapper)
