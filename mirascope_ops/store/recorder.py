"""The recorder: between the traced program, which must not wait, and the store, which may.

Ended spans are appended to a deque; that is all that the program pays. With a file, one daemon thread writes
them out every 100 ms; reading flushes first, so a program sees its own writes. With memory there is no thread,
and the deque is the ring.
"""

from __future__ import annotations

import atexit
import sys
import threading
import time
from collections import deque
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final, TypeVar

from mirascope_ops.core import backend, guard
from mirascope_ops.core.span import forget_open_spans, open_spans
from mirascope_ops.exceptions import StoreError
from mirascope_ops.store import forking, location
from mirascope_ops.store.ended import run_record, span_record
from mirascope_ops.store.memory import MemoryStore

if TYPE_CHECKING:
    from collections.abc import Callable, Generator
    from pathlib import Path

    from mirascope_ops.core.session import SessionContext
    from mirascope_ops.core.span import EndedSpan
    from mirascope_ops.store.protocol import Store
    from mirascope_ops.store.records import AnnotationRecord

_FLUSH_SECONDS: Final = 0.1
_FREE_SECONDS: Final = 0.5  # that a program which writes at once may spend on it, however short it runs
_FREE_SHARE: Final = 0.05
_PURGE_SECONDS: Final = 3600.0
_MAX_PENDING: Final = 100_000
_MAX_RUNS: Final = 10_000
_BATCH: Final = 2_000
_T = TypeVar("_T")


class Recorder:
    """Takes ended spans from the program and gives them to a store.

    Args:
        store: Where they go.
        recording: False to drop everything.
        threaded: Whether a thread writes; else they are written when somebody reads.
        at_once: Whether the program itself writes too, when no span of its is open, in half a second and a twentieth
            of its time.

    Attributes:
        dropped: How many spans were dropped because the store could not keep up.
    """

    def __init__(self, store: Store, *, recording: bool = True, threaded: bool = False, at_once: bool = False) -> None:
        self.store = store
        self.recording = recording
        self.dropped = 0
        self._pending: deque[EndedSpan] = deque(maxlen=None if threaded else _MAX_PENDING)
        self._runs: deque[SessionContext] = deque()
        self._annotations: list[AnnotationRecord] = []
        self._lock = threading.RLock()
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self._opened, self._spent = time.monotonic(), 0.0
        self.sink: Callable[[EndedSpan], None] = self._pending.append
        if not recording:
            self.sink = _drop
        elif threaded:
            self.sink = self._take_and_write if at_once else self._take
            self._thread = threading.Thread(target=self._write, name="mirascope_ops writer", daemon=True)
            self._thread.start()

    def record_run(self, context: SessionContext) -> None:
        """Take note of a session that was entered, changed or left."""
        if self.recording:
            self._runs.append(context)
            if len(self._runs) > _MAX_RUNS:  # nobody reads, and no thread writes
                self.flush(with_open=False)

    def annotate(self, annotation: AnnotationRecord) -> None:
        """Keep a judgement on a span; it is in the store when this returns."""
        if self.recording:
            with self._lock:
                self._annotations.append(annotation)
            self.flush()

    def flush(self, *, with_open: bool = True) -> None:
        """Give the store all that has come so far; never raises an Exception.

        Args:
            with_open: Also the spans that are open now, as open.
        """
        if not self.recording:
            return
        with self._lock:
            # Only what has come by now: another thread may record faster than we write.
            for _ in range(len(self._pending) // _BATCH + 1):
                if not self._flush_batch():
                    break
            if with_open:
                self._flush_open()

    @contextmanager
    def changing(self) -> Generator[Store]:
        """Give the store with everything written to it, and nobody else changing it (and no fork) meanwhile."""
        with self._lock:
            self.flush(with_open=False)
            yield self.store

    def hold(self) -> None:
        """Let nothing be written until `release`, for a fork."""
        self._lock.acquire()

    def release(self) -> None:
        """Go on after `hold`."""
        self._lock.release()

    def finish(self) -> None:
        """Flush and stop the thread, at the program's end; what still comes is written as it comes."""
        self._stop.set()
        thread = self._thread
        if thread is not None and thread.is_alive() and thread is not threading.current_thread():
            thread.join(timeout=5.0)
        if self.recording:
            self.sink = self._write_through
        self.flush(with_open=False)

    def close(self) -> None:
        """Flush, stop the thread and close the store."""
        self.finish()
        self.store.close()

    def _write_through(self, ended: EndedSpan) -> None:
        self._pending.append(ended)
        self.flush(with_open=False)

    def _take(self, ended: EndedSpan) -> None:
        pending = self._pending
        if len(pending) < _MAX_PENDING:
            pending.append(ended)
        else:
            self.dropped += 1
            guard.warn_once("dropped", "mirascope_ops drops spans: the store cannot keep up with this program.")

    def _take_and_write(self, ended: EndedSpan) -> None:
        """Write when the outermost span has ended, as long as that takes little of the program's time."""
        self._take(ended)
        if not open_spans():
            begun = time.monotonic()
            if self._spent < _FREE_SECONDS + _FREE_SHARE * (begun - self._opened):
                self.flush(with_open=False)
                self._spent += time.monotonic() - begun

    def _write(self) -> None:
        """The thread: write what has come, ten times a second, and enforce the retention now and then."""
        until_purge = 0.0
        while not self._stop.wait(_FLUSH_SECONDS):
            self.flush(with_open=False)
            until_purge -= _FLUSH_SECONDS
            if until_purge <= 0:
                until_purge = _PURGE_SECONDS
                self._purge()

    def _purge(self) -> None:
        retention = getattr(self.store, "retention", None)
        if retention is not None:
            try:
                with self._lock:
                    self.store.purge(retention.max_age_ns, retention.max_bytes)  # type: ignore[attr-defined] # pyright: ignore[reportAttributeAccessIssue, reportUnknownMemberType] - stores with a retention have it
            except StoreError as error:
                guard.warn_once("purge", f"mirascope_ops could not enforce the store's retention: {error}")

    def _flush_batch(self) -> bool:
        """Write one batch; returns whether there may be more."""
        rows, runs = _taken(self._pending, _BATCH), _taken(self._runs, _MAX_RUNS + 1)
        annotations, self._annotations = self._annotations, []
        if not (rows or runs or annotations):
            return False
        # A run is noted when it is entered and when it is left: the last note says most.
        latest = {run.run_id: run for run in runs}
        kept = False
        try:
            newest = [run_record(run) for run in latest.values()]
            if isinstance(self.store, MemoryStore):  # it makes records when somebody reads
                self.store.write(rows, newest, annotations)
            else:
                self.store.write([span_record(row) for row in rows], newest, annotations)
            kept = True
        except StoreError as error:
            guard.warn_once("write", f"mirascope_ops cannot write its store; spans wait in memory: {error}")
            return False
        except Exception as error:  # noqa: BLE001 - one record that cannot be kept must not block all that follow
            kept = True
            guard.report("writing spans to the store", error)
        finally:
            if not kept:  # the store failed, or the user interrupted: nothing is lost
                self._pending.extendleft(reversed(rows))
                self._runs.extendleft(reversed(runs))
                self._annotations = annotations + self._annotations
        return len(rows) == _BATCH

    def _flush_open(self) -> None:
        rows = [row for row in open_spans() if row[6] is None]
        if rows:
            try:
                self.store.write([span_record(row) for row in rows])
            except Exception as error:  # noqa: BLE001 - what is open will be written when it ends
                guard.report("writing open spans to the store", error)


def _taken(waiting: deque[_T], most: int) -> list[_T]:
    """Take what waits, oldest first; others may append meanwhile."""
    return [waiting.popleft() for _ in range(min(most, len(waiting)))]


def _drop(ended: EndedSpan) -> None:
    del ended


_setting: str | Path | None = None
_recorder: Recorder | None = None
_opening = backend.loading


def active() -> Recorder:
    """Return the process's recorder, opened on first use.

    Where the place cannot be used, spans are kept in memory and a warning says why: a program must not fail
    because it cannot be traced.
    """
    global _recorder  # noqa: PLW0603 - one recorder a process
    recorder = _recorder
    if recorder is not None:
        return recorder
    with _opening:
        if _recorder is None:
            try:
                _recorder = _open(_setting)
            except Exception as error:  # noqa: BLE001 - an unusable place, whatever the reason
                guard.warn_once("open", f"mirascope_ops keeps spans in memory only: {error}")
                _recorder = Recorder(MemoryStore())
            backend.set_sink(_recorder.sink)
        return _recorder


def reopen(setting: str | Path | None) -> None:
    """Use another store from now on.

    Args:
        setting: A file, ":memory:", "off", or None for the default place.

    Raises:
        ConfigurationError: The setting is no place.
        StoreError: The place cannot be used; the store stays as it was.
    """
    global _recorder, _setting
    with _opening:
        new = _open(setting)
        old, _recorder, _setting = _recorder, new, setting
        backend.set_sink(new.sink)
    if old is not None:
        old.close()


@contextmanager
def replaced(recorder: Recorder) -> Generator[Recorder]:
    """Record elsewhere inside this block; what was in use is in use again afterwards.

    Args:
        recorder: The recorder to use; it is closed at the end.
    """
    global _recorder  # noqa: PLW0603 - one recorder a process
    with _opening:
        old, _recorder = _recorder, recorder
        backend.set_sink(recorder.sink)
    try:
        yield recorder
    finally:
        with _opening:
            _recorder = old
            backend.set_sink(None if old is None else old.sink)
        recorder.close()


def close() -> None:
    """Flush and close the store; the next span opens it again."""
    global _recorder
    with _opening:
        old, _recorder = _recorder, None
        backend.set_sink(None)
    if old is not None:
        old.close()


def _open(setting: str | Path | None) -> Recorder:
    place = location.resolve(setting)
    if place.note:
        guard.warn_once("place", f"mirascope_ops: {place.note}")
    if place.kind == "file" and place.path is not None:
        from mirascope_ops.store.sqlite import SqliteStore

        _close_with_multiprocessing()
        return Recorder(SqliteStore(place.path), threaded=True, at_once=_may_be_ended())
    return Recorder(MemoryStore(), recording=place.kind == "memory")


def _may_be_ended() -> bool:
    """Tell whether this is a worker of `multiprocessing.Pool` or another daemon process.

    The parent ends these with a signal, `with Pool() as pool` as soon as it has the results: what waits for the thread
    then would be lost.
    """
    process = sys.modules.get("multiprocessing.process")
    return process is not None and process.current_process().daemon


def _close_with_multiprocessing() -> None:
    """Flush at the end of a forked multiprocessing worker too: it leaves without running atexit handlers."""
    util = sys.modules.get("multiprocessing.util")
    if util is not None:
        util.Finalize(None, _at_exit, exitpriority=0)


class _Forks:
    """Holds the recorder still during a fork, so that the child finds nothing half done."""

    _held: Recorder | None = None

    def before_fork(self) -> None:
        self._held = _recorder
        if self._held is not None:
            self._held.hold()
        forking.before_fork()

    def after_fork_in_parent(self) -> None:
        forking.after_fork_in_parent()
        held, self._held = self._held, None
        if held is not None:
            held.release()

    def after_fork_in_child(self) -> None:
        """Start afresh: the parent writes what it recorded, and its thread is not in the child."""
        global _recorder  # noqa: PLW0603 - one recorder a process
        self._held = None
        forking.after_fork_in_child()
        forget_open_spans()
        if _recorder is not None:
            _recorder = None
            backend.set_sink(None)


def _at_exit() -> None:
    """Write what is left. Handlers that were registered earlier run after this one, and may still record."""
    if _recorder is not None:
        _recorder.finish()
        backend.set_sink(_recorder.sink)


atexit.register(_at_exit)
backend.watch_forks(_Forks())
