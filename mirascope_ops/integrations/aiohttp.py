"""aiohttp's client: requests carry the session and the trace.

    async with aiohttp.ClientSession(trace_configs=[trace_config(hosts=["api.internal"])]) as client: ...

One client at a time, on purpose: a switch for the whole process would reach clients that other libraries make, and
the hosts that they talk to are not ours to name.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from aiohttp import ClientSession, TraceConfig
from yarl import URL

from mirascope_ops.exceptions import ConfigurationError
from mirascope_ops.integrations.outgoing import THIS_MACHINE, Outgoing

if TYPE_CHECKING:
    from collections.abc import MutableMapping, Sequence

    from aiohttp import TraceRequestRedirectParams, TraceRequestStartParams


class _SessionTraceConfig(TraceConfig):
    """A TraceConfig of ours, to be told from others."""


def trace_config(*, hosts: str | Sequence[str] = THIS_MACHINE, baggage: bool = False) -> TraceConfig:
    """Return a TraceConfig for `aiohttp.ClientSession`, which makes it send the current session and trace.

    At every step of a redirection the hosts count anew. Headers that you set yourself are not overwritten.

    Args:
        hosts: The hosts that may learn the session id and the trace id, a host or several: "api.example.com",
            "*.example.com" (its subdomains), "localhost:8000" (this port only), "*" for all. By default only this
            machine: a session id may name a user, and a third party, a model's provider for example, has no use for it.
        baggage: Whether the session's attributes go along too, as W3C baggage.

    Raises:
        ConfigurationError: A host is none.

    Example:
        >>> async def ask():
        ...     async with ClientSession(trace_configs=[trace_config(hosts="api.internal")]) as client:
        ...         return await client.get("http://api.internal/")
    """
    outgoing = Outgoing(hosts, baggage=baggage)
    config = _SessionTraceConfig()

    async def started(_: ClientSession, trace: Any, request: TraceRequestStartParams) -> None:
        trace.added = _add(outgoing, request.url, request.headers)

    async def redirected(_: ClientSession, trace: Any, request: TraceRequestRedirectParams) -> None:
        # aiohttp goes on with the same headers: what was meant for one host is taken away before the next.
        for name, (value, previous) in trace.added.items():
            if request.headers.get(name) == value:
                del request.headers[name]
                if previous is not None:
                    request.headers[name] = previous
        target = request.response.headers.get("Location") or request.response.headers.get("URI") or ""
        try:
            trace.added = _add(outgoing, request.url.join(URL(target)), request.headers)
        except ValueError:  # a URL that aiohttp is about to refuse
            trace.added = {}

    config.on_request_start.append(started)
    config.on_request_redirect.append(redirected)
    return config


def instrument(
    client: ClientSession, *, hosts: str | Sequence[str] = THIS_MACHINE, baggage: bool = False
) -> ClientSession:
    """Make a client that exists already send the current session and trace, to these hosts only.

    Done again, the new options count.

    Args:
        client: An `aiohttp.ClientSession`.
        hosts: The hosts that may learn them; as for `trace_config`.
        baggage: Whether the session's attributes go along too, as W3C baggage.

    Returns:
        The same client.

    Raises:
        ConfigurationError: It is no client of aiohttp, or a host is none.
    """
    config = trace_config(hosts=hosts, baggage=baggage)
    uninstrument(client)
    config.freeze()
    client.trace_configs.append(config)
    return client


def uninstrument(client: ClientSession) -> ClientSession:
    """Take our TraceConfig from a client; one that has none stays as it is.

    Args:
        client: The client.

    Returns:
        The same client.

    Raises:
        ConfigurationError: It is no client of aiohttp.
    """
    if not isinstance(client, ClientSession):  # pyright: ignore[reportUnnecessaryIsInstance] - callers may be untyped
        message = f"Expected an aiohttp.ClientSession, got {client!r:.80}."
        raise ConfigurationError(message)
    configs = client.trace_configs
    configs[:] = [config for config in configs if not isinstance(config, _SessionTraceConfig)]
    return client


def _add(outgoing: Outgoing, url: URL, headers: MutableMapping[str, str]) -> dict[str, tuple[str, str | None]]:
    """Add the headers for a URL; return what was added, and what was there before."""
    added = outgoing.headers(url.scheme, url.host or "", url.port, headers)
    before = {name: (value, headers.get(name)) for name, value in added.items()}
    headers.update(added)
    return before
