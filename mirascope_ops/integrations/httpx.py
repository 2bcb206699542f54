"""httpx: a client's requests carry the session and the trace.

    client = instrument(httpx.Client(), hosts=["api.internal", "*.svc.cluster.local"])

One client at a time, on purpose: a switch for the whole process would reach clients that other libraries make, and
the hosts that they talk to are not ours to name.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, TypeVar

import httpx

from mirascope_ops.exceptions import ConfigurationError
from mirascope_ops.integrations.outgoing import THIS_MACHINE, Outgoing

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

C = TypeVar("C", bound=httpx.Client | httpx.AsyncClient)

# Where a request remembers what was added to it: httpx copies a request's headers and extensions when it follows a
# redirect, and what was meant for one host must not go to the next.
_EXTENSION: Final = "mirascope_ops.added"


class _Hook:
    """Adds the headers to one request, or to one step of a redirection."""

    def __init__(self, outgoing: Outgoing) -> None:
        self._outgoing = outgoing

    def __call__(self, request: httpx.Request) -> None:
        headers = request.headers
        before: dict[str, tuple[str, str | None]] = request.extensions.pop(_EXTENSION, {})
        for name, (value, previous) in before.items():
            if headers.get(name) == value:
                del headers[name]
                if previous is not None:
                    headers[name] = previous
        added = self._outgoing.headers(request.url.scheme, request.url.host, request.url.port, headers)
        if added:
            request.extensions[_EXTENSION] = {name: (value, headers.get(name)) for name, value in added.items()}
            headers.update(added)


class _AsyncHook(_Hook):
    async def __call__(self, request: httpx.Request) -> None:  # pyright: ignore[reportIncompatibleMethodOverride] - what an async client awaits
        super().__call__(request)


def instrument(client: C, *, hosts: str | Sequence[str] = THIS_MACHINE, baggage: bool = False) -> C:
    """Make a client send the current session and trace, to these hosts only.

    It is done with an event hook, which runs at every step of a redirection: a step that leads to another host
    carries nothing there. Headers that you set yourself are not overwritten. Done again, the new options count.

    Args:
        client: A `httpx.Client` or `httpx.AsyncClient`; clients of other libraries that are one of these too.
        hosts: The hosts that may learn the session id and the trace id, a host or several: "api.example.com",
            "*.example.com" (its subdomains), "localhost:8000" (this port only), "*" for all. By default only this
            machine: a session id may name a user, and a third party, a model's provider for example, has no use for it.
        baggage: Whether the session's attributes go along too, as W3C baggage.

    Returns:
        The same client.

    Raises:
        ConfigurationError: It is no client of httpx, or a host is none.

    Example:
        >>> from mirascope_ops import ops
        >>> answer = httpx.MockTransport(
        ...     lambda request: httpx.Response(200, text=str("traceparent" in request.headers))
        ... )
        >>> client = instrument(httpx.Client(transport=answer), hosts="api.example.com")
        >>> with ops.span("ask"):
        ...     client.get("https://api.example.com/").text, client.get("https://other.example/").text
        ('True', 'False')
    """
    outgoing = Outgoing(hosts, baggage=baggage)
    uninstrument(client)
    hook = _AsyncHook(outgoing) if isinstance(client, httpx.AsyncClient) else _Hook(outgoing)
    _hooks(client).append(hook)
    return client


def uninstrument(client: C) -> C:
    """Undo `instrument`; a client that was not instrumented stays as it is.

    Args:
        client: The client.

    Returns:
        The same client.

    Raises:
        ConfigurationError: It is no client of httpx.
    """
    hooks = _hooks(client)
    hooks[:] = [hook for hook in hooks if not isinstance(hook, _Hook)]
    return client


def _hooks(client: object) -> list[Callable[..., Any]]:
    """Return a client's request hooks, the list itself."""
    if not isinstance(client, httpx.Client | httpx.AsyncClient):
        message = f"Expected an httpx.Client or httpx.AsyncClient, got {client!r:.80}."
        raise ConfigurationError(message)
    return client.event_hooks["request"]
