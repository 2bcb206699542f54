"""The recorder: between the traced program, which must not wait, and the store, which may.

Ended spans are appended to a queue; that is all that the program pays. With a file, one daemon thread writes them
out every 100 ms, and what is known of the spans that are still open; reading flushes first, so a program sees its own
writes. With memory there is no thread, and the queue is the ring. Where the file cannot be written, the recorder turns
to a rescue file (`rescue`) until it can.
"""

from __future__ import annotations

import atexit
import itertools
import sys
import threading
import time
from collections import deque
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Final, TypeVar

from mirascope_ops.core import backend, guard
from mirascope_ops.core.backend import Sink
from mirascope_ops.core.open_spans import forget_open_spans, open_spans
from mirascope_ops.exceptions import StoreError
from mirascope_ops.store import forking, location, masked, termination
from mirascope_ops.store.ended import run_record, span_record
from mirascope_ops.store.housekeeping import Housekeeping
from mirascope_ops.store.memory import MemoryStore
from mirascope_ops.store.open_spans import OpenSpans
from mirascope_ops.store.waiting import Waiting

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Sequence
    from pathlib import Path

    from mirascope_ops.core.ended import EndedSpan
    from mirascope_ops.core.session import SessionContext
    from mirascope_ops.store.joined import JoinedStore, Readable
    from mirascope_ops.store.protocol import Retention, Store, StoreStats
    from mirascope_ops.store.records import AnnotationRecord, RunRecord, SpanRecord
    from mirascope_ops.store.rescue import Rescue
    from mirascope_ops.store.salvage import Repair

_FLUSH_SECONDS: Final = 0.1
_FREE_SECONDS: Final = 0.5  # that a program which writes at once may spend on it, however short it runs
_FREE_SHARE: Final = 0.05
_SIGNAL_SECONDS: Final = 2.0  # how long a signal that ends the program waits for the writing thread
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
        rescue: Where they go while the store cannot be written; None lets them wait in memory.
        rescued: The store is the rescue already: the real one could not be opened.

    Attributes:
        store: Where spans go now.
        rescued: Whether that is the rescue.
    """

    def __init__(
        self,
        store: Store,
        *,
        recording: bool = True,
        threaded: bool = False,
        at_once: bool = False,
        rescue: Rescue | None = None,
        rescued: bool = False,
    ) -> None:
        self.store = store
        self.recording = recording
        self.rescue = rescue
        self.rescued = rescued
        self._set_aside: list[Store] = []  # the real store, and what was in its place before
        # Whether nobody need look any more for what waits in a rescue file; it is not for a copy of the store to take.
        self._gathered = rescue is None or getattr(store, "path", None) != rescue.path
        self._joined: tuple[Store, JoinedStore] | None = None  # the rescue in use, and what it is read with
        self._waiting = Waiting(ring=not threaded)
        self._in_hand = 0  # how many spans were taken out of it to be written
        self._runs: deque[SessionContext] = deque()
        self._annotations: list[AnnotationRecord] = []
        self._open = OpenSpans()
        self._lock = threading.RLock()
        self._holder: int | None = None  # the thread that writes now
        self._then: Callable[[], None] | None = None  # what a signal left to do after writing
        self._closed = False
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self._opened, self._spent = time.monotonic(), 0.0
        self.sink: Sink = self._waiting
        if not recording:
            self.sink = Sink(_drop)
        elif threaded:
            if at_once:
                self.sink = Sink(self._take_and_write)
            self._thread = threading.Thread(target=self._write, name="mirascope_ops writer", daemon=True)
            self._thread.start()

    @property
    def dropped(self) -> int:
        """How many spans were dropped because they came faster than they could be stored."""
        return self._waiting.dropped

    @property
    def waiting(self) -> int:
        """How many ended spans are not in the store yet, those that are being written included."""
        return len(self._waiting) + self._in_hand

    def readable(self) -> Readable:
        """Give the store to read from, with what a process before this one had to keep elsewhere.

        While the store cannot be written, that is the rescue together with what can still be read of the store.
        """
        if not (self._gathered or self.rescued):  # the writing thread is about to, but somebody reads already
            try:
                self.gather()
            except Exception as error:  # noqa: BLE001 - the thread will try again; what is there can be read
                guard.report("taking back what was kept elsewhere", error)
        if not self.rescued:
            return self.store
        with self._lock:  # the thread may just be returning
            if self.rescue is None or not self.rescued:
                return self.store
            if self._joined is None or self._joined[0] is not self.store:
                from mirascope_ops.store.joined import with_original

                self._joined = self.store, with_original(self.rescue, self.store)
            return self._joined[1]

    def stats(self) -> StoreStats:
        """Say what the store holds, and what did not get there."""
        found = self.store.stats()
        return replace(
            found,
            dropped=found.dropped + self.dropped,
            waiting=self.waiting,
            rescue_for=self.rescue.path if self.rescue is not None and self.rescued else None,
        )

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
                self._annotations.append(annotation._replace(metadata=masked.metadata(annotation.metadata)))
            self.flush()

    def flush(self, *, with_open: bool = True) -> None:
        """Give the store all that has come so far; never raises an Exception.

        Args:
            with_open: Also the spans that are open now, as open.
        """
        if not self.recording:
            return
        with self._writing():
            # Only what has come by now: another thread may record faster than we write.
            for _ in range(len(self._waiting) // _BATCH + 1):
                if not self._flush_batch():
                    break
            if with_open:
                self._flush_open(changes=True)

    def write_records(
        self,
        spans: Sequence[SpanRecord],
        runs: Sequence[RunRecord] = (),
        annotations: Sequence[AnnotationRecord] = (),
    ) -> None:
        """Write what another process recorded; it is in the store, or in the rescue, when this returns.

        Raises:
            StoreError: Neither can be written, or this recorder is closed.
        """
        with self._writing():
            if self._closed:
                raise StoreError("The store was closed, another one may be in use: try again.")
            self._store(spans, runs, annotations)

    @contextmanager
    def changing(self) -> Generator[Store]:
        """Give the store with everything written to it, and nobody else changing it (and no fork) meanwhile."""
        with self._writing():
            self.flush(with_open=False)
            self.gather()
            self._open.forget()
            yield self.store

    def gather(self) -> None:
        """Take back what went to a rescue file while the store could not be written."""
        if self.rescue is None:
            return
        with self._writing():
            try:
                if self.rescued:
                    self._return()
                if not self.rescued:
                    self.rescue.gather(self.store)
            except StoreError as error:
                if not self.rescued:  # of which a warning told already
                    guard.warn_once("gather", f"mirascope_ops could not take back what it had kept elsewhere: {error}")
            finally:
                self._gathered = True

    def repair(self) -> Repair:
        """Put a new file with all that can be read in the place of a damaged one, and go on with it.

        Raises:
            StoreError: There is no file, or it cannot be repaired.
        """
        from mirascope_ops.store import salvage

        if self.rescue is None:
            raise StoreError("Only a file can be repaired, and this process keeps its spans in memory.")
        with self._writing():
            self.flush(with_open=False)
            done = salvage.repair(self.rescue.path)
            self._open.forget()
            self.gather()
        return done

    def retain(self, kept: Retention) -> None:
        """Keep traces so long from now on, in this process."""
        if self.rescue is None:
            raise StoreError("Only a file has a retention, and this process keeps its spans in memory.")
        self.rescue.retention = kept
        for store in (self.store, *self._set_aside):
            if hasattr(store, "retention"):
                store.retention = kept  # type: ignore[attr-defined] # pyright: ignore[reportAttributeAccessIssue]

    def write_before(self, end: Callable[[], None]) -> None:
        """Write all that there is and then call `end`; for a signal that ends the process, in its handler."""
        if self._holder == threading.get_ident():
            self._then = end  # the signal came while this very thread writes: when it has done
            return
        try:
            if self._lock.acquire(timeout=_SIGNAL_SECONDS):
                try:
                    self.flush()
                finally:
                    self._lock.release()
        finally:
            end()

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
            self.sink = Sink(self._write_through)
        self.flush()

    def close(self) -> None:
        """Flush, stop the thread and close the store."""
        self.finish()
        with self._writing():  # so that nobody begins to write
            self._closed = True
            for store in (self.store, *self._set_aside):
                store.close()

    @contextmanager
    def _writing(self) -> Generator[None]:
        """Keep other threads, and forks, from writing; a signal that ends the process waits for the end of it."""
        then: Callable[[], None] | None = None
        try:
            with self._lock:
                outer, self._holder = self._holder, threading.get_ident()
                try:
                    yield
                finally:
                    self._holder = outer
                    if outer is None:  # here, while no other thread can take it: only this one may handle the signal
                        then, self._then = self._then, None
        finally:  # also where writing failed: who sent the signal waits for the end
            if then is not None:
                then()

    def _write_through(self, ended: EndedSpan) -> None:
        self._waiting.take(ended)
        self.flush(with_open=False)

    def _take_and_write(self, ended: EndedSpan) -> None:
        """Write when the outermost span has ended, as long as that takes little of the program's time."""
        self._waiting.take(ended)
        if not open_spans():
            begun = time.monotonic()
            if self._spent < _FREE_SECONDS + _FREE_SHARE * (begun - self._opened):
                self.flush(with_open=False)
                self._spent += time.monotonic() - begun

    def _write(self) -> None:
        """The thread: write what has come, ten times a second, and look after the store now and then."""
        housekeeping = Housekeeping(self, self._stop)
        for tick in itertools.count():
            if self._stop.wait(_FLUSH_SECONDS):
                break
            try:
                with self._writing():
                    self.flush(with_open=False)
                    self._flush_open(changes=tick % 10 == 0)
                housekeeping.look(tick * _FLUSH_SECONDS)
            except Exception as error:  # noqa: BLE001 - the thread goes on, whatever a store does
                guard.report("looking after the store", error)

    def _flush_batch(self) -> bool:
        """Write one batch; returns whether there may be more."""
        self._in_hand = _BATCH  # first: at no moment must they seem to be written
        rows, runs = self._waiting.some(_BATCH), _taken(self._runs, _MAX_RUNS + 1)
        self._in_hand = len(rows)
        annotations, self._annotations = self._annotations, []
        if not (rows or runs or annotations):
            self._in_hand = 0
            return False
        # A run is noted when it is entered and when it is left: the last note says most.
        latest = {run.run_id: run for run in runs}
        kept = False
        try:
            self._store_rows(rows, list(latest.values()), annotations)
            kept = True
        except StoreError as error:
            guard.warn_once("write", f"mirascope_ops cannot write its store; spans wait in memory: {error}")
            return False
        except Exception as error:  # noqa: BLE001 - one record that cannot be kept must not block all that follow
            kept = True
            guard.report("writing spans to the store", error)
        finally:
            if not kept:  # the store failed, or the user interrupted: nothing is lost
                self._waiting.put_back(rows)  # twice there for an instant, which is better than not at all
                self._runs.extendleft(reversed(runs))
                self._annotations = annotations + self._annotations
            self._in_hand = 0
        return len(rows) == _BATCH

    def _store_rows(
        self, rows: list[EndedSpan], runs: list[SessionContext], annotations: list[AnnotationRecord]
    ) -> None:
        newest = [run_record(run) for run in runs]
        if isinstance(self.store, MemoryStore):  # it makes records when somebody reads
            self.store.write(rows, newest, annotations)
            return
        self._store([span_record(row) for row in rows], newest, annotations)

    def _store(
        self, records: Sequence[SpanRecord], runs: Sequence[RunRecord], annotations: Sequence[AnnotationRecord]
    ) -> None:
        while True:
            try:
                self.store.write(records, runs, annotations)
            except StoreError as error:
                if not self._turn_to_rescue(error):
                    raise
            else:
                return

    def _flush_open(self, *, changes: bool) -> None:
        try:
            rows = [row for row in self._open.news(changes=changes) if row[6] is None]
            if rows:
                self._store_rows(rows, [], [])
                self._open.told(rows)
        except Exception as error:  # noqa: BLE001 - what is open will be written when it ends
            if not isinstance(error, StoreError):  # of which ended spans tell better
                guard.report("writing open spans to the store", error)

    def _turn_to_rescue(self, error: StoreError) -> bool:
        """Use another place from now on, because this one cannot be written; tells whether there is one."""
        if self.rescue is None or isinstance(self.store, MemoryStore):
            return False
        self._set_aside.append(self.store)
        self.store = self.rescue.open(error)
        self.rescued = True
        self._open.forget()
        return True

    def _return(self) -> None:
        """Use the store again, if it can be written, with all that went elsewhere."""
        if self._joined is not None:
            self._joined[1].release()
            self._joined = None
        store = None if self.rescue is None else self.rescue.original()
        if store is None or self.rescue is None:
            return
        self.rescue.take_back(self.store, store)
        left, self._set_aside = [self.store, *self._set_aside], []
        self.store, self.rescued = store, False
        self._open.forget()
        for each in left:
            each.close()


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

    Where the place cannot be used, spans are kept in a rescue file or in memory and a warning says why: a program must
    not fail because it cannot be traced.
    """
    global _recorder  # noqa: PLW0603 - one recorder a process
    recorder = _recorder
    if recorder is not None:
        return recorder
    with _opening:
        if _recorder is None:
            try:
                _recorder = _open(_setting, lenient=True)
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
    termination.unwatch()


def _open(setting: str | Path | None, *, lenient: bool = False) -> Recorder:
    place = location.resolve(setting)
    if place.note:
        guard.warn_once("place", f"mirascope_ops: {place.note}")
    if place.kind == "file" and place.path is not None:
        from mirascope_ops.store.rescue import Rescue

        rescue = Rescue(place.path, _retention())
        try:
            store, rescued = rescue.opened(), False
        except location.NoPlaceError:
            raise
        except StoreError as error:
            if not lenient:
                raise
            store, rescued = rescue.open(error), True
        _close_with_multiprocessing()
        at_once = not termination.watch(_end_by_signal) or _may_be_ended()
        return Recorder(store, threaded=True, at_once=at_once, rescue=rescue, rescued=rescued)
    return Recorder(MemoryStore(), recording=place.kind == "memory")


def _retention() -> Retention:
    from mirascope_ops.store import retention

    kept, faults = retention.judged()
    if faults:
        guard.warn_once("retention", f"mirascope_ops cannot tell how long to keep traces. {' '.join(faults)}")
    return kept


def _end_by_signal(end: Callable[[], None]) -> None:
    if _recorder is None:
        end()
    else:
        _recorder.write_before(end)


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
        termination.unwatch()
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
