"""The one way up: what the core asks of the layers above it.

Layers point down, yet a `Trace` can show itself and a span must reach a store. Both go through the `Backend`
that the package root installs; the core knows only this protocol. `sink` is apart because every span goes there: it
starts as one that opens the store on the first span and is replaced by the store's own queue, so that a span costs
an append and no look-up.
"""

from __future__ import annotations

import os
import threading
from typing import TYPE_CHECKING, Any, Final, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sized

    from mirascope_ops.core.ended import EndedSpan
    from mirascope_ops.core.session import SessionContext


class Backend(Protocol):
    """What is above the core, as the core sees it."""

    def open(self) -> Sink:
        """Open the store; return what takes each ended span."""
        ...

    def reopen(self, setting: Any) -> None:
        """Use another store from now on; what was recorded before is flushed to the old one."""
        ...

    def flush(self) -> None:
        """Write all that was recorded so far."""
        ...

    def record_run(self, context: SessionContext) -> None:
        """Take note that a session was entered, changed or left."""
        ...

    def annotate(self, annotation: Mapping[str, Any]) -> None:
        """Keep a judgement on a span: `AnnotationRecord`'s fields."""
        ...

    def session(self, context: SessionContext) -> Any:
        """Return the stored session of this context: spans, turns, tables, views."""
        ...

    def review(self, spans: Any, by: str | None, session_id: str | None) -> Any:
        """Return a widget in which spans, their traces or sessions are judged; of a session its turns and itself."""
        ...

    def live(self, context: SessionContext) -> Any:
        """Show the session's card where this is called, and keep it up to date."""
        ...

    def spans(self, trace_id: str, span_id: str) -> Any:
        """Return a span with all spans below it."""
        ...

    def versions(self, name: str) -> list[tuple[str, str, str]]:
        """Return the versions that the newest spans of this name tell: hash, signature hash, number; oldest first."""
        ...

    def replay(self, spans: Any, function: Any, given: Mapping[str, Any]) -> Any:
        """Run the traced function at the top of these spans again."""
        ...

    def timeline(self, spans: Any, options: Mapping[str, Any]) -> Any:
        """Return the timeline of these spans: a widget where one can show, else a figure."""
        ...

    def show(self, shown: Any) -> None:
        """Show something that has a MIME bundle, where this is called."""
        ...

    def view(self, shown: Any, include: Any, exclude: Any) -> Any:
        """Return the MIME bundle of a plain record, which cannot know the views."""
        ...


_backend: Backend | None = None

# Held while what is above us is imported and opened, and while this process forks: a module that another thread is
# importing at that moment could never be imported in the child.
loading: Final = threading.RLock()


class Forking(Protocol):
    """What is told of every fork of this process, by the thread that forks."""

    def before_fork(self) -> None:
        """Come to rest."""
        ...

    def after_fork_in_parent(self) -> None:
        """Go on."""
        ...

    def after_fork_in_child(self) -> None:
        """Start afresh."""
        ...


_forking: list[Forking] = []
_told: list[Forking] = []  # of the fork that takes place


def watch_forks(told: Forking) -> None:
    """Tell this of every fork, with `loading` held: before it the last that came here first, after it the first.

    So what uses something else comes to rest before that, and while it waits nothing that it uses is held.

    Not `os.register_at_fork`: what another thread registers while a fork waits for `loading` would be told of the
    fork's end and not of its beginning.
    """
    _forking.append(told)


def _before_fork() -> None:
    loading.acquire()
    _told[:] = reversed(_forking)
    for told in _told:
        told.before_fork()


def _after_fork_in_parent() -> None:
    while _told:
        _told.pop().after_fork_in_parent()
    loading.release()


def _after_fork_in_child() -> None:
    while _told:
        _told.pop().after_fork_in_child()
    loading.release()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_before_fork, after_in_parent=_after_fork_in_parent, after_in_child=_after_fork_in_child)


def install(backend: Backend) -> None:
    """Install what is above the core; called once, by the package root."""
    global _backend  # noqa: PLW0603 - set once, at import
    _backend = backend


def get() -> Backend:
    """Return the installed backend.

    Raises:
        RuntimeError: The core was imported without the package root; import mirascope_ops.
    """
    if _backend is None:
        message = "mirascope_ops.core is in use without its package: import mirascope_ops first."
        raise RuntimeError(message)
    return _backend


class Sink:
    """Where ended spans go: a function that takes each, or the end of a queue.

    What has a span appends it and, where `mark` of them wait, has the sink `look` after them: a queue costs most spans
    no function of ours.

    Args:
        append: Takes a span.
        waiting: The queue to which it appends; of a function none.
        mark: How many have to wait for a look.
    """

    __slots__ = ("append", "mark", "waiting")

    def __init__(self, append: Callable[[EndedSpan], object], waiting: Sized = (), mark: int = 1) -> None:
        self.append = append
        self.waiting = waiting
        self.mark = mark

    def look(self) -> None:
        """Look after the spans that wait."""

    def take(self, ended: EndedSpan) -> None:
        """Take a span; `Span.finish_at` does the same by itself."""
        self.append(ended)
        if len(self.waiting) >= self.mark:
            self.look()


def _open(ended: EndedSpan) -> None:
    """Open the store for the first span, then stand aside."""
    open_store()
    _recording.take(ended)


_opening: Final = Sink(_open)
_recording: Sink = _opening
_watching: tuple[Callable[[EndedSpan], object], ...] = ()
sink: Sink = _opening
is_open = False  # whether the store is


def set_sink(recording: Sink | None) -> None:
    """Send ended spans there; None opens the store again on the next span."""
    global _recording, is_open  # noqa: PLW0603 - replaced when a store opens or closes
    _recording = _opening if recording is None else recording
    is_open = recording is not None
    _connect()


def open_store() -> None:
    """Open the store: where a program is killed in its first span, the file is to tell what it was doing."""
    set_sink(get().open())


def watch(function: Callable[[EndedSpan], object]) -> None:
    """Tell a function of every span that ends from now on, until `unwatch`; it is called where the span ends."""
    global _watching  # noqa: PLW0603 - who watches is told of every span of the process
    _watching = (*_watching, function)
    _connect()


def unwatch(function: Callable[[EndedSpan], object]) -> None:
    """Undo `watch`; does nothing where it is undone already."""
    global _watching  # noqa: PLW0603 - see `watch`
    _watching = tuple(told for told in _watching if told != function)
    _connect()


def _connect() -> None:
    """Put together where every span goes: without anybody who watches, to the store's own."""
    global sink  # noqa: PLW0603 - replaced when a store opens or closes, and when somebody watches
    recording, watching = _recording, _watching

    def tell(ended: EndedSpan) -> None:
        recording.take(ended)
        for told in watching:
            told(ended)

    sink = Sink(tell) if watching else recording
