"""A session's card that is kept up to date while its cell runs, also while that blocks: `--live`, `session.live()`.

A thread of ours makes the card and sends it as an update of an output that is there already; what a thread displays
anew would land in whatever cell runs by then. In the end the card of the finished session takes the same place,
so that this is what a saved notebook holds. A browser that shows widgets gets the card in one, with the timeline.
"""

from __future__ import annotations

import sys
import threading
import time
import uuid
from contextlib import suppress
from contextvars import copy_context
from typing import TYPE_CHECKING, Any, Final, Self

from mirascope_ops import reading
from mirascope_ops.core import guard
from mirascope_ops.exceptions import NotFoundError
from mirascope_ops.notebook.live_feed import LiveFeed
from mirascope_ops.views.html_live import live_html
from mirascope_ops.views.live import live_text

if TYPE_CHECKING:
    from types import TracebackType

    from mirascope_ops.core.session import SessionContext
    from mirascope_ops.notebook.live_timeline import LiveTimeline
    from mirascope_ops.views.live import LiveSession

_SHORTEST_PAUSE: Final = 0.1  # seconds: at most ten updates in each
# What the thread computes, the traced program waits for. So it rests for so many times as long as an update took: by
# the clock, which counts what both waited for each other, yet no longer than by the time that it computed.
_REST: Final = 30
_REST_COMPUTED: Final = 100
_SENDING: Final = 0.001  # seconds that a message costs in the kernel's own thread
_READING: Final = 0.004  # seconds for the spans that have ended since the last update
_SHORT: Final = 0.5  # seconds: a cell that is over sooner needs no timeline, and shall not wait for its widget
_CLOCK_PAUSE: Final = 1.0  # seconds after which only the time is brought up to date
_JOIN_SECONDS: Final = 5.0


def is_possible(shell: Any) -> bool:
    """Whether a shell has a front end that takes updates of an output: a terminal has none, `%%capture` hides it."""
    if getattr(shell, "kernel", None) is None:
        return False
    from IPython.core.displaypub import CapturingDisplayPublisher

    return not isinstance(shell.display_pub, CapturingDisplayPublisher)


class LiveCard:
    """One session's card in the output of the running cell.

    Args:
        context: The session.
        shell: The InteractiveShell; its display publisher is kept, whatever takes its place in the meantime.
    """

    def __init__(self, context: SessionContext, shell: Any) -> None:
        self._context = context
        self._publish: Any = shell.display_pub.publish
        self._id = uuid.uuid4().hex
        self._feed = LiveFeed(context)
        self._stopping = threading.Event()
        self._thread = threading.Thread(
            # The copied context holds the request that outputs belong to.
            target=copy_context().run,
            args=(self._run,),
            name="mirascope_ops live card",
            daemon=True,
        )
        self._opening = threading.Thread(
            target=copy_context().run, args=(self._open_timeline,), name="mirascope_ops live timeline", daemon=True
        )
        self._timeline: LiveTimeline | None = None
        self._shows_timeline = False
        self._finishing = threading.Lock()
        self._finished = False

    def start(self) -> None:
        """Show the card, and keep it up to date from now on."""
        self._feed.open()
        try:
            self._feed.again()
            first = self._feed.read(time.time_ns())
            self._send(_bundle(first) if first else {}, update=False)
            self._thread.start()
            self._opening.start()
        except BaseException:
            self._feed.close()
            raise

    def finish(self) -> None:
        """Stop, and put the card of the session as it is now in the place; does nothing the second time."""
        self._stopping.set()
        self._feed.close()
        for thread in (self._thread, self._opening):
            if thread is not threading.current_thread() and thread.is_alive():
                thread.join(_JOIN_SECONDS)
        with self._finishing:
            if self._finished:
                return
            self._finished = True
            with suppress(NotFoundError):  # the store is switched off
                card: Any = reading.session_card_of(self._context)
                self._send(card._repr_mimebundle_(), update=True)
            if self._timeline is not None:
                self._timeline.end()

    def _run(self) -> None:
        """The thread: an update now and then, until it is over or the session is left."""
        pause = _SHORTEST_PAUSE
        told = time.monotonic()
        try:
            while not self._stopping.wait(pause):
                if self._context.ended is not None:
                    return self.finish()
                before, now = time.thread_time(), time.monotonic()
                if now - told >= _CLOCK_PAUSE:
                    self._feed.again()
                live = self._feed.read(time.time_ns(), _READING)
                if live is not None:
                    told = now
                    self._update(live)
                took, computed = time.monotonic() - now + _SENDING, time.thread_time() - before + _SENDING
                pause = max(_SHORTEST_PAUSE, min(_REST * took, _REST_COMPUTED * computed))
        except Exception as error:  # noqa: BLE001 - the cell goes on, and its card comes in the end
            guard.report("updating a live card", error)
        return None

    def _open_timeline(self) -> None:
        """The other thread: open the timeline's widget, where there is one to be had; else the card is all."""
        if self._stopping.wait(_SHORT):
            return
        try:
            from mirascope_ops.notebook.live_timeline import live_timeline

            opened = live_timeline(self._feed.owns)
            with self._finishing:
                if opened is not None and not self._finished:
                    opened.feed.open()
                    self._timeline = opened
        except ImportError:
            return
        except Exception as error:  # noqa: BLE001 - the card is told all the same
            guard.report("opening a live timeline", error)

    def _update(self, live: LiveSession) -> None:
        """Show a newer card; in the widget where a browser has one, and there the timeline too."""
        shown, timeline = _bundle(live), self._timeline
        if self._stopping.is_set():
            return
        if timeline is None or not timeline.is_ready:
            self._send(shown, update=True)
            return
        timeline.show(shown["text/html"], live.now, _READING)
        if not self._shows_timeline:
            self._shows_timeline = True
            self._send({**shown, **timeline.view()}, update=True)

    def _send(self, bundle: dict[str, Any], *, update: bool) -> None:
        self._publish(bundle, {}, transient={"display_id": self._id}, update=update)


def _bundle(live: LiveSession) -> dict[str, Any]:
    return {"text/html": live_html(live), "text/plain": live_text(live)}


class Live:
    """A card in the output of the running cell, as `session.live()` gives it; it may be used as `with`.

    It is over when the session is left, when the cell is over, or when the block ends, whichever comes first.
    Where there is no notebook this does nothing.

    Args:
        context: The session.
    """

    def __init__(self, context: SessionContext) -> None:
        ipython: Any = sys.modules.get("IPython")  # a program without it has no notebook
        self._shell: Any = None if ipython is None else ipython.get_ipython()
        self._card = LiveCard(context, self._shell) if is_possible(self._shell) else None
        if self._card is not None:
            self._card.start()
            self._shell.events.register("post_run_cell", self._cell_over)

    def stop(self) -> None:
        """Show the session's card as it is now, and follow it no more."""
        if self._card is not None:
            self._card.finish()
            if self._cell_over in self._shell.events.callbacks["post_run_cell"]:
                self._shell.events.unregister("post_run_cell", self._cell_over)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()

    def _cell_over(self, result: Any) -> None:
        del result
        self.stop()
