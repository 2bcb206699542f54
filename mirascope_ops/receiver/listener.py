"""The listener: what `ops.listen()` gives to hold, to look at and to close."""

from __future__ import annotations

import ipaddress
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Self
from urllib.parse import quote

from mirascope_ops.views.bundle import bundle, chosen
from mirascope_ops.views.escape import html_text

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence
    from types import TracebackType

    from mirascope_ops.receiver.bodies import Received
    from mirascope_ops.receiver.server import Server

_PROXIES: Final = ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY")
_SOON: Final = "500"  # ms; exporters wait five seconds by default, and whoever looks would not find the spans


@dataclass(frozen=True, slots=True, kw_only=True)
class ListenerStats:
    """What came in so far.

    Attributes:
        received: Spans that are in the store.
        rejected: Spans that were left out, for they cannot be read.
        refused: Requests that were told to come again later, because more came than could be stored.
        bad: Requests that were refused for good: wrong token, wrong path, no OTLP, too large.
        requests: Requests in all.
        waiting: Requests that wait to be stored.
        waiting_bytes: The bytes of these.
    """

    received: int = 0
    rejected: int = 0
    refused: int = 0
    bad: int = 0
    requests: int = 0
    waiting: int = 0
    waiting_bytes: int = 0


class Listener:
    """A server on this machine that takes the spans of other processes; made by `ops.listen()`.

    Usable as a context manager, which closes it at the end.

    Args:
        host: The address to listen on.
        port: The port; 0 takes a free one.
        token: What senders must know.
        write: Writes to the store what came.

    Raises:
        OSError: The address cannot be used.

    Attributes:
        host: The address that it listens on.
        port: The port.
        token: What senders must know. It is in no output: notebooks are saved, and sent to others.
    """

    def __init__(self, host: str, port: int, token: str, write: Callable[[Sequence[Received]], None]) -> None:
        from mirascope_ops.receiver.door import PATH, Door
        from mirascope_ops.receiver.server import Server

        self.host: Final = host
        self.token: Final = token
        self._local = _is_loopback(host)
        self._path = PATH
        self._server: Server = Server(host, port, Door(token, self._local), write)
        self.port: Final[int] = self._server.port

    @property
    def url(self) -> str:
        """The address, as `OTEL_EXPORTER_OTLP_ENDPOINT` and the collector's `endpoint` take it."""
        shown = f"[{self.host}]" if ":" in self.host else self.host
        return f"http://{shown}:{self.port}"

    @property
    def endpoint(self) -> str:
        """The address for spans, as the exporters in most languages take it."""
        return f"{self.url}{self._path}"

    @property
    def headers(self) -> dict[str, str]:
        """The headers that a sender needs."""
        return {"Authorization": f"Bearer {self.token}"}

    @property
    def environment(self) -> dict[str, str]:
        """The variables with which a process of any language that OpenTelemetry supports sends its spans here.

        Metrics and logs of the process go where they went before. Spans are sent every half second, so that they are
        soon there.
        """
        return {
            **_past_proxies(self.host),
            "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": self.endpoint,
            "OTEL_EXPORTER_OTLP_TRACES_HEADERS": f"Authorization=Bearer%20{quote(self.token, safe='')}",
            "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL": "http/protobuf",
            "OTEL_BSP_SCHEDULE_DELAY": _SOON,
        }

    @property
    def closed(self) -> bool:
        """Whether it takes nothing more."""
        return self._server.closing

    def stats(self) -> ListenerStats:
        """Say what came in so far."""
        counts, turns = self._server.counts, self._server.turns
        return ListenerStats(
            received=counts.received,
            rejected=counts.rejected,
            refused=counts.refused,
            bad=counts.bad,
            requests=counts.requests,
            waiting=len(self._server.intake),
            waiting_bytes=turns.waiting,
        )

    def close(self) -> None:
        """Store what has come, and take nothing more; a second call does nothing."""
        self._server.close()

    def leave_to_parent(self) -> None:
        """Be closed in the child of a fork; the parent goes on."""
        self._server.leave_to_parent()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.close()

    def __repr__(self) -> str:
        return "\n".join([self._title(), *(f"  {name:<12} {text}" for name, text in self._lines())])

    def _repr_mimebundle_(self, include: Collection[str] | None = None, exclude: Collection[str] | None = None) -> Any:
        rows = "".join(
            f'<tr><td style="text-align:left">{name}</td><td style="text-align:left">{html_text(text)}</td></tr>'
            for name, text in self._lines()
        )
        html = f"<div><p>{html_text(self._title())}</p><table><tbody>{rows}</tbody></table></div>"
        stats = self.stats()
        data = {"type": "listener", "url": self.url, "closed": self.closed, "received": stats.received}
        return chosen(bundle(repr(self), html, data), include, exclude)

    def _title(self) -> str:
        if self.closed:
            return f"mirascope_ops listener at {self.url}: closed"
        return f"mirascope_ops listener at {self.url}: takes spans of other processes (OTLP over HTTP)"

    def _lines(self) -> list[tuple[str, str]]:
        stats = self.stats()
        told = [f"{stats.received:,} received"]
        told += [f"{stats.rejected:,} left out, for they cannot be read"] if stats.rejected else []
        requests = [f"{stats.requests:,}"]
        requests += [f"{stats.refused:,} sent away for a while, because too much came"] if stats.refused else []
        requests += [f"{stats.bad:,} refused"] if stats.bad else []
        requests += [f"{stats.waiting:,} waiting"] if stats.waiting else []
        lines = [("spans", ", ".join(told)), ("requests", ", ".join(requests))]
        if self.closed:
            return lines
        if not self._local:
            lines.append(("open to", "OTHER MACHINES, unencrypted; host='127.0.0.1' is for this one only"))
        return [
            *lines,
            ("a program", "subprocess.Popen([...], env=os.environ | listener.environment)"),
            ("an exporter", "OTLPSpanExporter(listener.endpoint, headers=listener.headers)"),
            ("stop", "listener.close()"),
        ]


def _past_proxies(host: str) -> dict[str, str]:
    """Give the variables that lead past a proxy, where the environment names one."""
    if not any(os.environ.get(name) for name in _PROXIES):
        return {}
    known = os.environ.get("no_proxy") or os.environ.get("NO_PROXY")
    value = f"{known},{host}" if known else host
    return {"NO_PROXY": value, "no_proxy": value}


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
