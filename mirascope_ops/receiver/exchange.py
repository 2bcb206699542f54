"""One request and its answer, as tornado's connections drive it: headers, pieces of the body, the end.

A request that is refused is read to its end all the same, and forgotten while it comes, so that the connection can be
used again: that costs no memory, and exporters keep their connections.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from tornado.httputil import HTTPHeaders, ResponseStartLine

from mirascope_ops.receiver.answers import OK, Answer, Encoding, later
from mirascope_ops.receiver.bodies import MAX_BODY
from mirascope_ops.receiver.door import coding_of, encoding_of
from mirascope_ops.receiver.intake import Arrival

if TYPE_CHECKING:
    from collections.abc import Hashable

    from tornado.http1connection import HTTP1Connection
    from tornado.httputil import RequestStartLine

    from mirascope_ops.receiver.server import Server

_MOST_READ: Final = 4 * MAX_BODY  # of a body that is too large: to be told so, its sender must have sent it
_LOOK_SECONDS: Final = 2.0
_LEAST: Final = 64 * 1024  # bytes that have come from one look to the next, or the rest keeps no room that others need
_CLOSED: Final = later("The listener is being closed.", "Closing", 5)
_CROWDED: Final = later("There are too many connections.", "Too many connections", 2)
_AT_ONCE: Final = (_CLOSED, _CROWDED)  # without reading the body, which ends the connection
_NO_ROOM: Final = "More comes than can be stored: send the same again when the header Retry-After says."


class Exchange:
    """One request; tornado calls its methods.

    Args:
        server: Whose it is.
        who: The connection that stays when this request is over.
        connection: What the answer is written to.
        crowded: Whether there are too many connections.
    """

    def __init__(self, server: Server, who: Hashable, connection: HTTP1Connection, *, crowded: bool) -> None:
        self._server = server
        self._who = who
        self._connection = connection
        self._crowded = crowded
        self._bodiless = False
        self._encoding = Encoding.JSON
        self._coding = ""
        self._refused: Answer | None = None
        self._pieces: list[bytes] = []
        self._size = 0  # of the body, as far as it has come
        self._held = 0  # bytes that count as waiting
        self._over = False
        self._arrival: Arrival | None = None
        self._timer: Any = None

    # -- called by tornado -------------------------------------------------------------------------------------

    def headers_received(self, start_line: RequestStartLine, headers: HTTPHeaders) -> None:
        """Decide by the headers, if that can be done."""
        self._bodiless = start_line.method == "HEAD"
        self._encoding = encoding_of(headers) or Encoding.JSON
        self._coding = coding_of(headers)
        self._connection.set_max_body_size(_MOST_READ + 1)  # what is more ends the connection
        length = _length(headers)
        self._refused = self._refusal(start_line, headers) or self._no_room(length)
        if self._refused is not None and (length > _MOST_READ or self._refused in _AT_ONCE):
            self._answer(self._refused)
        if self._held:
            self._timer = self._server.after(_LOOK_SECONDS, self._look, 0)

    def data_received(self, chunk: bytes) -> None:
        """Keep a piece of the body, or forget it."""
        self._size += len(chunk)
        if self._refused is None and self._size > MAX_BODY:
            self._refuse(_too_large())
        elif self._refused is None and self._size > self._held:  # the length was not told, or its room was given up
            if self._server.turns.grow(self._size - self._held):
                self._held = self._size
            else:
                self._refuse(later(_NO_ROOM, "Too many spans", 1))
        if self._refused is None:
            self._pieces.append(chunk)
        elif self._size > _MOST_READ:
            self._answer(self._refused)

    def finish(self) -> None:
        """Answer what was refused; put the rest into the queue."""
        if self._refused is not None:
            self._answer(self._refused)
            return
        self._stop_timer()
        body = b"".join(self._pieces)
        self._pieces.clear()
        self._arrival = Arrival(body, self._encoding, self._coding, self)
        self._connection.set_close_callback(self.on_connection_close)
        self._timer = self._server.after_patience(self._give_up)
        self._server.intake.put(self._arrival)

    def on_connection_close(self) -> None:
        """Forget a sender that has gone; what it has sent whole is stored all the same."""
        self._over = True
        self._pieces.clear()
        self._stop_timer()
        if self._arrival is None:
            self._let_go()

    # -- called by the server ----------------------------------------------------------------------------------

    def done(self, answer: Answer) -> None:
        """Answer when the intake has dealt with the body."""
        self._let_go()
        self._answer(answer)

    def _give_up(self) -> None:
        """Answer before exporters stop to wait, usually after ten seconds; the same spans may come twice."""
        if self._arrival is not None:
            self._arrival.give_up()
        self._let_go()
        self._answer(later("The store takes long: send the same again.", "The store takes long", 2))

    def _refusal(self, start_line: RequestStartLine, headers: HTTPHeaders) -> Answer | None:
        if self._server.closing:
            return _CLOSED
        if self._crowded:
            return _CROWDED
        return self._server.door.refuses(start_line.method, start_line.path, headers)

    def _no_room(self, length: int) -> Answer | None:
        if length > MAX_BODY:
            return _too_large()
        seconds = self._server.turns.come(self._who, length)
        if seconds is not None:
            return later(_NO_ROOM, "Too many spans", seconds)
        self._held = length
        return None

    def _refuse(self, answer: Answer) -> None:
        self._refused = answer
        self._pieces.clear()
        self._let_go()

    def _let_go(self) -> None:
        self._server.turns.done(self._held)
        self._held = 0

    def _look(self, size: int) -> None:
        """Give up the room that is kept for the rest of a body which does not come: of a sender that was stopped."""
        self._timer = None
        if self._size - size >= _LEAST:
            self._timer = self._server.after(_LOOK_SECONDS, self._look, self._size)
        elif self._held > self._size:
            self._server.turns.done(self._held - self._size)
            self._held = self._size

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _answer(self, answer: Answer) -> None:
        self._stop_timer()
        if self._over:
            return
        self._over = True
        self._server.counts.answered(answer)
        body = b"" if self._bodiless else answer.body(self._encoding)
        headers = HTTPHeaders(
            {**answer.headers, "Content-Type": self._encoding.value, "Content-Length": str(len(body))}
        )
        reason = answer.reason if answer.status != OK else "OK"
        self._connection.write_headers(ResponseStartLine("HTTP/1.1", answer.status, reason), headers, body)
        self._connection.finish()


def _too_large() -> Answer:
    message = f"The body has more than {MAX_BODY:,} bytes: let your exporter send fewer spans at a time."
    return Answer(413, message, "Too large")


def _length(headers: HTTPHeaders) -> int:
    """Give the length of the body, as far as it is told; what makes no sense is refused by tornado."""
    told = headers.get("Content-Length", "0")
    return int(told) if told.isascii() and told.isdigit() and len(told) < 20 else 0  # noqa: PLR2004 - digits of 64 bits
