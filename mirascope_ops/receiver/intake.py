"""The intake: bodies wait in it as they came, and one thread reads them and writes what they hold to the store.

An answer that all is well is given when the spans are in the store, not before. Several bodies are written in one
transaction; where that fails because of one of them, each is written alone.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from mirascope_ops.core import guard
from mirascope_ops.exceptions import StoreError
from mirascope_ops.receiver.answers import BUSY, OK, Answer, Encoding, later
from mirascope_ops.receiver.bodies import BadBodyError, Received, received

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_SPANS_AT_ONCE: Final = 4_000
_SECONDS_AT_ONCE: Final = 0.3  # that one transaction takes, more or less: what waits gets less little by little
_BYTES_AT_ONCE: Final = 8 * 1024**2
# A small body takes as long as one of so many bytes: by what it takes a byte, large ones would seem to take minutes.
_LEAST_SIZE: Final = 8 * 1024
_STORE_SECONDS: Final = 5  # until an exporter tries again that found the store out of order


@dataclass(slots=True, eq=False)
class Arrival:
    """A request's body, on its way to the store.

    Attributes:
        body: As it came; empty once it was read.
        encoding: How it is written.
        coding: How that is compressed.
        told: What the request's connection keeps with it.
        given_up: Whether its sender was answered meanwhile, so that it need not be read.
        size: The bytes that came.
    """

    body: bytes
    encoding: Encoding
    coding: str
    told: Any = None
    given_up: bool = False
    size: int = field(init=False)

    def __post_init__(self) -> None:
        self.size = len(self.body)

    def give_up(self) -> None:
        """Forget the body: its sender was told to send it again."""
        self.given_up = True
        self.body = b""


class Done(NamedTuple):
    """An arrival that was dealt with.

    Attributes:
        arrival: The arrival.
        answer: What to tell its sender.
        spans: How many of its spans are in the store.
    """

    arrival: Arrival
    answer: Answer
    spans: int = 0


class Intake:
    """Writes what arrives, by a thread of its own.

    Args:
        write: Writes what bodies held to the store; may raise StoreError.
        tell: Is told, by the intake's thread, of arrivals that were dealt with.
        measured: Is told, by the intake's thread, how many seconds so many bytes took.
    """

    def __init__(
        self,
        write: Callable[[Sequence[Received]], None],
        tell: Callable[[Sequence[Done]], None],
        measured: Callable[[int, float], None],
    ) -> None:
        self._write = write
        self._tell = tell
        self._measured = measured
        self._waiting: deque[Arrival] = deque()
        self._condition = threading.Condition()
        self._closing = False
        self._at_once: float = _BYTES_AT_ONCE  # bytes, as they came
        self._thread = threading.Thread(target=self._run, name="mirascope_ops receiver's intake", daemon=True)
        self._thread.start()

    def put(self, arrival: Arrival) -> None:
        """Take an arrival; how many there may be is not decided here."""
        with self._condition:
            self._waiting.append(arrival)
            self._condition.notify()

    def __len__(self) -> int:
        return len(self._waiting)

    def close(self, patience: float) -> None:
        """Deal with all that waits, for no longer than so many seconds, and end."""
        with self._condition:
            self._closing = True
            self._condition.notify()
        self._thread.join(patience)

    def _run(self) -> None:
        while True:
            with self._condition:
                while not self._waiting:
                    if self._closing:
                        return
                    self._condition.wait()
            begun = time.perf_counter()
            taken: list[Arrival] = []
            try:
                done = self._take_some(taken)
            except BaseException:  # of a guard that is strict: their senders are not left waiting
                self._tell([Done(arrival, _again("It failed")) for arrival in taken])
                raise
            if size := sum(each.size for each in taken):
                seconds = time.perf_counter() - begun
                self._at_once = max(1.0, min(_BYTES_AT_ONCE, _SECONDS_AT_ONCE * size / seconds))
                self._measured(max(size, len(taken) * _LEAST_SIZE), seconds)
            self._tell(done)

    def _take_some(self, taken: list[Arrival]) -> list[Done]:
        """Deal with the oldest arrivals; those that are read are added to `taken`."""
        done: list[Done] = []
        read: list[tuple[Arrival, Received]] = []
        came = spans = size = 0
        while self._waiting and came < self._at_once and spans < _SPANS_AT_ONCE and size < _BYTES_AT_ONCE:
            arrival = self._waiting.popleft()
            if arrival.given_up:
                done.append(Done(arrival, _GIVEN_UP))
                continue
            taken.append(arrival)
            came += arrival.size
            found = _read(arrival)
            arrival.body = b""
            if isinstance(found, Answer):
                done.append(Done(arrival, found))
                continue
            read.append((arrival, found))
            spans += len(found.spans)
            size += found.size
        return done + self._stored(read)

    def _stored(self, read: list[tuple[Arrival, Received]]) -> list[Done]:
        if not read:
            return []
        try:
            self._write([found for _, found in read])
        except StoreError as error:
            guard.warn_once("receiver", f"mirascope_ops cannot store spans from outside, which are sent again: {error}")
            return [Done(arrival, _again(str(error))) for arrival, _ in read]
        except Exception as error:  # noqa: BLE001 - whatever one of them holds, the others are stored
            if len(read) > 1:
                return [done for one in read for done in self._stored([one])]
            guard.report("storing spans from outside", error)
            return [Done(read[0][0], Answer(400, f"The spans cannot be stored: {error!r:.500}", "Cannot be stored"))]
        return [
            Done(arrival, Answer(OK, found.problem, rejected=found.rejected), len(found.spans))
            for arrival, found in read
        ]


_GIVEN_UP: Final = Answer(BUSY)  # which nobody is told


def _again(problem: str) -> Answer:
    return later(f"The spans could not be stored: {problem}", "The store cannot be written", _STORE_SECONDS)


def _read(arrival: Arrival) -> Received | Answer:
    try:
        return received(arrival.body, arrival.encoding, arrival.coding)
    except BadBodyError as error:
        return Answer(error.status, str(error), "Too large" if error.status == 413 else "No OTLP")  # noqa: PLR2004
    except Exception as error:  # noqa: BLE001 - a body is the work of others
        guard.report("reading spans from outside", error)
        return Answer(400, f"The body cannot be read: {error!r:.500}", "Cannot be read")
