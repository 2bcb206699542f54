"""The server: a thread with an event loop of its own, so that it answers while a cell blocks the kernel's.

The loop reads and answers; the intake's thread does what takes long.
"""

from __future__ import annotations

import asyncio
import socket
import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

from tornado.httpserver import HTTPServer

from mirascope_ops.core import guard
from mirascope_ops.receiver.answers import BUSY, OK, Answer
from mirascope_ops.receiver.exchange import Exchange
from mirascope_ops.receiver.intake import Intake
from mirascope_ops.receiver.turns import Turns

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from mirascope_ops.receiver.bodies import Received
    from mirascope_ops.receiver.door import Door
    from mirascope_ops.receiver.intake import Done

_MOST_CONNECTIONS: Final = 512
_IDLE_SECONDS: Final = 600.0
_BODY_SECONDS: Final = 30.0
_PATIENCE: Final = 8.0  # seconds until a sender is answered, whatever becomes of its spans
_DRAIN_SECONDS: Final = 5.0


class Counts:
    """How often what happened."""

    def __init__(self) -> None:
        self.requests = 0
        self.refused = 0
        self.bad = 0
        self.received = 0
        self.rejected = 0

    def answered(self, answer: Answer) -> None:
        """Count a request by its answer."""
        self.requests += 1
        self.refused += answer.status == BUSY
        self.bad += answer.status not in (OK, BUSY)


class _Connections(HTTPServer):
    """tornado's server, which tells ours of requests and of connections that were closed."""

    taker: Server

    def start_request(self, server_conn: object, request_conn: Any) -> Any:
        return self.taker.begin(server_conn, request_conn)

    def on_close(self, server_conn: object) -> None:
        super().on_close(server_conn)
        self.taker.forget(server_conn)


class Server:
    """Takes spans at one address until it is closed.

    Args:
        host: The address to listen on.
        port: The port; 0 takes a free one.
        door: Who is let in.
        write: Writes what bodies held; called by another thread, may raise StoreError.

    Raises:
        OSError: The address cannot be used.
    """

    def __init__(self, host: str, port: int, door: Door, write: Callable[[Sequence[Received]], None]) -> None:
        self.door = door
        self.counts = Counts()
        self.turns = Turns()
        self.closing = False
        self._socket = socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET)
        self._socket.setblocking(False)  # noqa: FBT003 - as it is called
        self.port: int = self._socket.getsockname()[1]
        self.intake = Intake(write, self._tell, self._measured)
        self._open: dict[object, Any] = {}
        self._loop = asyncio.SelectorEventLoop()
        self._http: Any = None
        self._thread = threading.Thread(target=self._run, name="mirascope_ops receiver", daemon=True)
        self._thread.start()

    def after(self, seconds: float, then: Callable[..., None], *arguments: Any) -> asyncio.TimerHandle:
        """Call this after so many seconds; in the loop's thread."""
        return self._loop.call_later(seconds, then, *arguments)

    def after_patience(self, then: Callable[[], None]) -> asyncio.TimerHandle:
        """Call this when a sender has waited long enough; in the loop's thread."""
        return self.after(_PATIENCE, then)

    def close(self) -> None:
        """Take nothing more, store what waits, answer, and end the threads; a second call does nothing."""
        if self.closing:
            return
        self._loop.call_soon_threadsafe(self._stop_taking)
        self.intake.close(_DRAIN_SECONDS)
        asyncio.run_coroutine_threadsafe(self._end(), self._loop)
        self._thread.join(_DRAIN_SECONDS)

    def leave_to_parent(self) -> None:
        """Close what the child of a fork has inherited, without a word to those at the other end."""
        self.closing = True
        self._socket.close()
        for connection in self._open.values():
            if connection.stream is not None and connection.stream.socket is not None:
                connection.stream.socket.close()

    # -- in the loop's thread ----------------------------------------------------------------------------------

    def begin(self, who: object, connection: Any) -> Exchange:
        """Begin with a request.

        Args:
            who: The connection, which stays for those that follow.
            connection: The same for this request alone.
        """
        self._open[who] = connection
        return Exchange(self, who, connection, crowded=len(self._open) > _MOST_CONNECTIONS)

    def forget(self, who: object) -> None:
        """Forget a connection that was closed."""
        self._open.pop(who, None)
        self.turns.leave(who)

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        try:
            self._loop.run_until_complete(self._serve())
            self._loop.run_forever()
        finally:
            self._loop.close()

    async def _serve(self) -> None:
        self._http = _Connections(
            _unused, idle_connection_timeout=_IDLE_SECONDS, body_timeout=_BODY_SECONDS, max_header_size=16 * 1024
        )
        self._http.taker = self
        self._http.add_socket(self._socket)

    def _stop_taking(self) -> None:
        self.closing = True
        self._http.stop()

    async def _end(self) -> None:
        try:
            await asyncio.wait_for(self._http.close_all_connections(), _DRAIN_SECONDS)
        except TimeoutError:
            pass
        finally:
            self._loop.stop()

    def _answer(self, done: Sequence[Done]) -> None:
        for arrival, answer, spans in done:
            self.counts.received += spans
            self.counts.rejected += answer.rejected
            try:
                arrival.told.done(answer)
            except Exception as error:  # noqa: BLE001 - the others are answered
                guard.report("answering an exporter", error)

    # -- in the intake's thread --------------------------------------------------------------------------------

    def _tell(self, done: Sequence[Done]) -> None:
        self._in_loop(self._answer, done)

    def _measured(self, size: int, seconds: float) -> None:
        self._in_loop(self.turns.measured, size, seconds)

    def _in_loop(self, function: Callable[..., None], *arguments: Any) -> None:
        with suppress(RuntimeError):  # closed: the store took longer than closing waits, and nobody is there any more
            self._loop.call_soon_threadsafe(function, *arguments)


def _unused(request: object) -> None:
    """Stand for what tornado would call where requests were not begun by ourselves."""
