"""`ops.listen()`: spans of other processes come into this process's store, and into its sessions."""

from __future__ import annotations

import atexit
import re
import secrets
from typing import TYPE_CHECKING, Final

from mirascope_ops._optional import require
from mirascope_ops.core import backend
from mirascope_ops.core.pipeline import SCOPE_NAME
from mirascope_ops.exceptions import ConfigurationError, StoreError
from mirascope_ops.receiver.listener import Listener
from mirascope_ops.store import recorder
from mirascope_ops.store.records import SpanQuery

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mirascope_ops.receiver.bodies import Received
    from mirascope_ops.store.protocol import Store
    from mirascope_ops.store.records import SpanRecord

_TOKEN: Final = re.compile(r"[\x21-\x7e]{16,512}")


def listen(*, port: int = 0, host: str = "127.0.0.1", token: str | None = None) -> Listener:
    """Take the spans of other processes, in any language, into this process's store.

    They come as OTLP over HTTP, in protobuf or JSON, and stand in the same traces, sessions and trees as those of this
    process. The exporters of OpenTelemetry and its collector send them. A span belongs to the session that its sender
    wrote on it (our middlewares do, from the header `X-Mirascope-Session-Id`), else to the session of its trace.

    What was acknowledged is in the store. Where more comes than can be stored, exporters are told to come again.

    Args:
        port: The port; 0 takes a free one.
        host: The address to listen on. The default is for this machine only; any other one lets others send too, who
            know the token, and is not encrypted.
        token: What senders must know, 16 or more visible ASCII characters; a new random one where None.

    Returns:
        The listener. There is one in a process: called again, it is the same.

    Raises:
        ConfigurationError: The address cannot be used; or a listener with another one runs already.
        StoreError: Recording is switched off: there is no store.
        ImportError: A package is missing; the message says which, and how to install it.

    Example:
        >>> with listen() as listener:
        ...     print(listener.endpoint.replace(str(listener.port), "PORT"))
        http://127.0.0.1:PORT/v1/traces
    """
    global _listener  # noqa: PLW0603 - one listener a process
    with backend.loading:
        there = running()
        if there is not None:
            if _is_meant(there, port, host, token):
                return there
            raise ConfigurationError(
                f"A listener runs at {there.url} already: ops.listen() gives it. To have it elsewhere, or with "
                "another token, close it first: ops.listen().close()"
            )
        _check(port, token)
        for package in ("tornado", "opentelemetry.proto"):
            require(package, extra="receiver")
        if not recorder.active().recording:
            raise StoreError(
                "Recording is switched off, so spans from outside cannot be kept: unset MIRASCOPE_OPS_STORE and "
                'OTEL_SDK_DISABLED, or ops.configure(store="FILE").'
            )
        try:
            _listener = Listener(host, port, token or secrets.token_urlsafe(32), _write)
        except OSError as error:
            raise ConfigurationError(
                f"ops.listen() cannot use port {port} of {host!r} ({error}): take another one; port=0 takes a free one."
            ) from error
        return _listener


def running() -> Listener | None:
    """Give the listener that runs in this process; None where there is none."""
    return None if _listener is None or _listener.closed else _listener


_listener: Listener | None = None


def _is_meant(there: Listener, port: int, host: str, token: str | None) -> bool:
    """Tell whether the listener that runs is the one that is asked for; defaults ask for any."""
    return (
        port in {0, there.port}
        and host in {"127.0.0.1", there.host}
        and (token is None or secrets.compare_digest(token.encode(), there.token.encode()))
    )


def _check(port: int, token: str | None) -> None:
    if isinstance(port, bool) or not isinstance(port, int) or not 0 <= port < 65536:  # pyright: ignore[reportUnnecessaryIsInstance]  # noqa: PLR2004
        raise ConfigurationError(f"port={port!r} is no port: give a number from 0 to 65535; 0 takes a free one.")
    if token is not None and not _TOKEN.fullmatch(token):
        raise ConfigurationError("token= takes 16 to 512 visible ASCII characters; left out, a random one is made.")


def _write(found: Sequence[Received]) -> None:
    """Write what bodies held to the store that is in use now."""
    active = recorder.active()
    if not active.recording:
        raise StoreError("recording is switched off")
    active.write_records(
        _without_copies([span for one in found for span in one.spans], active.store),
        [run for one in found for run in one.runs],
        [annotation for one in found for annotation in one.annotations],
    )


def _without_copies(spans: list[SpanRecord], store: Store) -> list[SpanRecord]:
    """Leave out spans of this library that the store has from the process which recorded them.

    A service on the same machine writes the same file by default, and may send its spans as well: what comes by OTLP
    does not tell the entry into the session, nor the notebook's cell.
    """
    traces = {span.trace_id for span in spans if span.scope == SCOPE_NAME and span.run_id is None}
    if not traces:
        return spans
    known = store.spans(SpanQuery(trace_ids=sorted(traces)))
    there = {span[:2] for span in known if span.run_id is not None and span.end is not None}
    return [span for span in spans if span[:2] not in there]


class _Forks:
    """Leaves the listener to the parent of a fork: its threads are not in the child, but its sockets are."""

    def before_fork(self) -> None:
        """Nothing has to rest: what the child inherits, it does not use."""

    def after_fork_in_parent(self) -> None:
        """Go on."""

    def after_fork_in_child(self) -> None:
        """Start afresh."""
        global _listener
        left, _listener = _listener, None
        if left is not None:
            left.leave_to_parent()


def _close_at_exit() -> None:
    if _listener is not None:
        _listener.close()


atexit.register(_close_at_exit)
backend.watch_forks(_Forks())
