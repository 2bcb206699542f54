"""What the HTTP clients share: to which hosts the session and the trace go, and in which headers.

A session id may be a user's name, and a trace id lets two services compare notes. So nothing is sent to a host that
was not named: by default only this machine is.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from mirascope_ops.core import guard
from mirascope_ops.core.baggage import HEADER as BAGGAGE
from mirascope_ops.core.propagation import SESSION_HEADER_NAMES, get_propagator
from mirascope_ops.exceptions import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

THIS_MACHINE: Final = ("localhost", "127.0.0.1", "::1")
_NAME: Final = re.compile(r"\*|(?:\*\.)?[^\s/:*?#@\[\]%]+")
_SESSION_NAMES: Final = frozenset(name.lower() for name in SESSION_HEADER_NAMES)
_DEFAULT_PORTS: Final = {"http": 80, "https": 443, "ws": 80, "wss": 443}


class _Pattern(NamedTuple):
    host: str
    port: int | None

    def matches(self, host: str, port: int | None) -> bool:
        if self.port is not None and self.port != port:
            return False
        if self.host == "*":
            return True
        return host.endswith(self.host[1:]) if self.host.startswith("*.") else host == self.host


class Hosts:
    """The hosts that may learn the session and the trace.

    Args:
        hosts: A host or several: "api.example.com", "*.example.com" (its subdomains, not itself), "localhost:8000"
            (this port only), "[::1]:8000", or "*" for all.

    Raises:
        ConfigurationError: Something is no host, a URL for example.

    Example:
        >>> hosts = Hosts(["*.example.com", "localhost:8000"])
        >>> hosts.allow("https", "API.example.com", None), hosts.allow("http", "localhost", 9000)
        (True, False)
    """

    def __init__(self, hosts: str | Sequence[str]) -> None:
        given: Sequence[object] = (hosts,) if isinstance(hosts, str) or not _is_sequence(hosts) else hosts
        self._patterns = tuple(map(_pattern, given))

    def allow(self, scheme: str, host: str, port: int | None) -> bool:
        """Tell whether this host may learn of them.

        Args:
            scheme: The URL's scheme, which has a default port.
            host: The URL's host.
            port: The URL's port, or None.
        """
        name = _comparable(host.strip("[]"))
        reached = _DEFAULT_PORTS.get(scheme) if port is None else port
        return bool(name) and any(pattern.matches(name, reached) for pattern in self._patterns)


class Outgoing:
    """Which headers a client adds to a request.

    Args:
        hosts: The hosts that may learn the session and the trace; see `Hosts`.
        baggage: Whether the session's attributes go along, as W3C baggage.

    Raises:
        ConfigurationError: Something is no host, or `MIRASCOPE_PROPAGATOR` names no format.
    """

    def __init__(self, hosts: str | Sequence[str], *, baggage: bool) -> None:
        self._hosts = Hosts(hosts)
        self._baggage = baggage
        get_propagator()  # an unknown format is an error now, not at each request

    def headers(self, scheme: str, host: str, port: int | None, present: Mapping[str, Any]) -> dict[str, str]:
        """Return the headers to add; never raises.

        What the user set is not overwritten. One trace header of theirs keeps all of ours out, because the headers
        of a trace belong together; the same goes for the session. Baggage is a list: ours is appended.

        Args:
            scheme: The URL's scheme.
            host: The URL's host.
            port: The URL's port, or None.
            present: The request's headers so far.
        """
        try:
            if not self._hosts.allow(scheme, host, port):
                return {}
            given = {_text(name).lower(): _text(value) for name, value in present.items()}
            propagator = get_propagator()
            added: dict[str, str] = {BAGGAGE: given[BAGGAGE]} if BAGGAGE in given else {}
            # Attributes are of the current session; beside an id that the user chose they would be wrong.
            has_session = not _SESSION_NAMES.isdisjoint(given)
            propagator.inject_context(added, baggage=self._baggage and not has_session)
            kept_out = {name.lower() for name in propagator.fields}
            kept_out = set[str]() if kept_out.isdisjoint(given) else kept_out
            if has_session:
                kept_out |= _SESSION_NAMES
            added = {name: value for name, value in added.items() if name.lower() not in kept_out}
            return {name: value for name, value in added.items() if given.get(name.lower()) != value}
        except Exception as error:  # noqa: BLE001 - the request goes out, with our headers or without
            guard.report("adding headers to a request", error)
            return {}


def _pattern(given: object) -> _Pattern:
    """Read one of `hosts`."""
    if isinstance(given, str):
        host, _, port = _split_port(given)
        name = _comparable(host)
        if (_NAME.fullmatch(name) or _address(name)) and (not port or (port.isascii() and port.isdigit())):
            return _Pattern(name, int(port) if port else None)
    message = (
        f"hosts takes host names such as 'api.example.com', '*.example.com' or 'localhost:8000', got {given!r}"
        f"{': leave out the scheme and the path.' if isinstance(given, str) and '/' in given else '.'}"
    )
    raise ConfigurationError(message)


def _split_port(given: str) -> tuple[str, str, str]:
    if given.startswith("["):
        host, _, port = given[1:].partition("]")
        return host, "", port.removeprefix(":")
    return (given, "", "") if given.count(":") > 1 else given.partition(":")  # colons: an IPv6 address without port


def _comparable(host: str) -> str:
    """Return a host as it is compared: lower case, no dot at the end, one spelling of an address or a name."""
    host = host.lower().rstrip(".")
    if ":" in host:
        return _address(host) or host
    if host.isascii():
        return host
    try:
        return host.encode("idna").decode("ascii")
    except UnicodeError:
        return host


def _address(host: str) -> str | None:
    try:
        return str(ipaddress.ip_address(host))
    except ValueError:
        return None


def _is_sequence(hosts: object) -> bool:
    return isinstance(hosts, Iterable) and not isinstance(hosts, bytes)


def _text(value: Any) -> str:
    return value.decode("latin-1") if isinstance(value, bytes) else str(value)
