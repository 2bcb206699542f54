"""ASGI: every request and websocket of an application runs in a session of its own.

    from fastapi import FastAPI
    from mirascope_ops.integrations.asgi import SessionMiddleware

    app = FastAPI()
    app.add_middleware(SessionMiddleware)

It speaks plain ASGI: Starlette, FastAPI, Litestar, Django or a bare application, under any server.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, MutableMapping, Sequence
from typing import Any

from mirascope_ops.core import guard
from mirascope_ops.core.propagation import SESSION_HEADER_NAMES
from mirascope_ops.integrations.incoming import Incoming, Visit

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]

_STARTS = frozenset(("http.response.start", "websocket.accept", "websocket.http.response.start"))
_BODIES = frozenset(("http.response.body", "websocket.http.response.body"))


class SessionMiddleware:
    """Run each HTTP request and each websocket in a session, and continue the caller's trace.

    The session lasts until the response's body is sent and background tasks are done; a websocket's until it is
    closed. Lifespan events pass through. The session is also in `scope["mirascope_ops.session"]`; where an outer
    middleware has put one there, this one does nothing.

    Ids, attributes and traces that come from outside are claims: `header=None` and `trace=False` believe nothing,
    and `session_id=` can take the id from what you authenticated. What makes no sense is logged once and ignored,
    also what these functions raise.

    Args:
        app: The application.
        header: The request's header with the session id, or several, the first that has one counts; None to read none.
        session_id: Chooses the id from the scope, instead of the header; None from it makes a new session.
        attributes: Returns the session's attributes from the scope, JSON values, or None.
        baggage: Whether attributes that arrive as W3C baggage are taken too; those of `attributes` win.
        trace: Whether the caller's trace is continued (headers of `MIRASCOPE_PROPAGATOR`). A server span of another
            OpenTelemetry instrumentation around this middleware is kept.
        span: Whether each request gets a span, from its start to the end of its body, named by method and route.
        response_header: The response's header that tells the session id, such as "X-Mirascope-Session-Id".

    Raises:
        ConfigurationError: A value means nothing.

    Example:
        >>> import asyncio
        >>> from mirascope_ops import ops
        >>> async def app(scope, receive, send):
        ...     print(ops.current_session().id)
        >>> scope = {"type": "http", "path": "/", "headers": [(b"x-mirascope-session-id", b"user-1")]}
        >>> asyncio.run(SessionMiddleware(app)(scope, None, None))
        user-1
    """

    def __init__(
        self,
        app: Application,
        *,
        header: str | Sequence[str] | None = SESSION_HEADER_NAMES,
        session_id: Callable[[Scope], str | None] | None = None,
        attributes: Callable[[Scope], Mapping[str, Any] | None] | None = None,
        baggage: bool = False,
        trace: bool = True,
        span: bool = False,
        response_header: str | None = None,
    ) -> None:
        self.app = app
        self._incoming: Incoming[Scope] = Incoming(
            _headers,
            header=header,
            session_id=session_id,
            attributes=attributes,
            baggage=baggage,
            trace=trace,
            span=span,
            response_header=response_header,
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        visit = self._incoming.open(scope) if scope["type"] in ("http", "websocket") else None
        if visit is None:
            await self.app(scope, receive, send)
            return
        with visit:
            if self._incoming.watches:
                send = self._watch(visit, scope, send)
            await self.app(scope, receive, send)

    def _watch(self, visit: Visit, scope: Scope, send: Send) -> Send:
        """Start the span; return a `send` that follows the response and adds the header to it."""
        method = str(scope.get("method") or "websocket")
        root = str(scope.get("root_path") or "")
        if self._incoming.wants_span:
            visit.start_span(method, str(scope.get("path") or "/"), str(scope.get("scheme") or "http"))

        async def watching(message: Message) -> None:
            try:
                if message.get("type") in _STARTS:
                    message = self._with_header(visit, message)
                    _note_start(visit, message, method, _route(scope, root))
            except Exception as error:  # noqa: BLE001 - the response goes out, whatever we make of it
                guard.report("following a response", error)
            await send(message)
            if message.get("type") in _BODIES and not message.get("more_body", False):
                visit.body_finished()

        return watching

    def _with_header(self, visit: Visit, message: Message) -> Message:
        """Return the message with our header added, unless the application has written one of that name."""
        headers: list[tuple[bytes, bytes]] = list(message.get("headers") or ())
        added = self._incoming.header_to_add(visit, (name.decode("latin-1") for name, _ in headers))
        if added is None:
            return message
        name, value = added
        return {**message, "headers": [*headers, (name.lower().encode(), value.encode())]}  # ASGI: names in lower case


def _headers(scope: Scope) -> dict[Any, list[Any]]:
    found: dict[Any, list[Any]] = {}
    for name, value in scope.get("headers") or ():
        found.setdefault(name, []).append(value)
    return found


def _note_start(visit: Visit, message: Message, method: str, route: str | None) -> None:
    if route is not None:
        visit.route(method, route)
    if "status" in message:
        visit.answered(int(message["status"]))


def _route(scope: Scope, root: str) -> str | None:
    """Return the route's template, as Starlette and FastAPI leave it in the scope, mounts included."""
    path = getattr(scope.get("route"), "path", None)
    if not isinstance(path, str):
        return None
    return str(scope.get("root_path") or "").removeprefix(root) + path
