"""requests: a session's requests carry our session and the trace.

    http = instrument(requests.Session(), hosts=["api.internal", "*.svc.cluster.local"])

One `requests.Session` at a time, on purpose: a switch for the whole process would reach requests that other
libraries make, and the hosts that they talk to are not ours to name.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import requests
from requests.adapters import BaseAdapter, HTTPAdapter

from mirascope_ops.exceptions import ConfigurationError
from mirascope_ops.integrations.outgoing import THIS_MACHINE, Outgoing

if TYPE_CHECKING:
    from collections.abc import Sequence


class SessionAdapter(BaseAdapter):
    """Sends requests through another adapter, with the current session and trace in their headers.

    The headers go to a copy of the request. So when requests follows a redirect, which starts from the request as
    it was, what was meant for one host is not carried to the next.

    Args:
        adapter: The adapter that sends; a new `HTTPAdapter` where None.
        hosts: The hosts that may learn the session id and the trace id; see `instrument`.
        baggage: Whether the session's attributes go along too, as W3C baggage.

    Raises:
        ConfigurationError: A host is none.

    Example:
        >>> http = requests.Session()
        >>> http.mount("https://api.internal/", SessionAdapter(hosts="api.internal"))
    """

    def __init__(
        self,
        adapter: BaseAdapter | None = None,
        *,
        hosts: str | Sequence[str] = THIS_MACHINE,
        baggage: bool = False,
    ) -> None:
        super().__init__()
        self.adapter = HTTPAdapter() if adapter is None else adapter
        self._outgoing = Outgoing(hosts, baggage=baggage)

    def send(self, request: requests.PreparedRequest, *args: Any, **kwargs: Any) -> requests.Response:
        """Send a copy of the request, with the headers."""
        try:
            url = urlsplit(request.url or "")
            added = self._outgoing.headers(url.scheme, url.hostname or "", url.port, request.headers)
        except ValueError:  # a URL that the adapter is about to refuse
            added = {}
        if added:
            request = request.copy()
            request.headers.update(added)
        return self.adapter.send(request, *args, **kwargs)

    def close(self) -> None:
        """Close the adapter that sends."""
        self.adapter.close()


def instrument(
    session: requests.Session, *, hosts: str | Sequence[str] = THIS_MACHINE, baggage: bool = False
) -> requests.Session:
    """Make a session send the current session and trace, to these hosts only.

    It wraps the adapters that are mounted now in a `SessionAdapter`; wrap one that you mount later yourself. At every
    step of a redirection the hosts count anew. Headers that you set yourself are not overwritten. Done again,
    the new options count.

    Args:
        session: A `requests.Session`.
        hosts: The hosts that may learn the session id and the trace id, a host or several: "api.example.com",
            "*.example.com" (its subdomains), "localhost:8000" (this port only), "*" for all. By default only this
            machine: a session id may name a user, and a third party, a model's provider for example, has no use for it.
        baggage: Whether the session's attributes go along too, as W3C baggage.

    Returns:
        The same session.

    Raises:
        ConfigurationError: It is no session of requests, or a host is none.

    Example:
        >>> http = instrument(requests.Session(), hosts=["api.internal", "*.svc.cluster.local"])
        >>> type(http.get_adapter("https://api.internal/")).__name__
        'SessionAdapter'
    """
    _check(session)
    Outgoing(hosts, baggage=baggage)  # refuses before anything is changed
    uninstrument(session)
    for prefix, adapter in session.adapters.items():
        session.adapters[prefix] = SessionAdapter(adapter, hosts=hosts, baggage=baggage)
    return session


def uninstrument(session: requests.Session) -> requests.Session:
    """Undo `instrument`; a session that was not instrumented stays as it is.

    Args:
        session: The session.

    Returns:
        The same session.

    Raises:
        ConfigurationError: It is no session of requests.
    """
    _check(session)
    for prefix, adapter in session.adapters.items():
        if isinstance(adapter, SessionAdapter):
            session.adapters[prefix] = adapter.adapter
    return session


def _check(session: object) -> None:
    if not isinstance(session, requests.Session):
        message = f"Expected a requests.Session, got {session!r:.80}."
        raise ConfigurationError(message)
