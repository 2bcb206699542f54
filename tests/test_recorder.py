"""The recorder: what a program traced is in the store, whatever becomes of the program."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from contextlib import contextmanager

import pytest

from mirascope_ops import StoreError, ops
from mirascope_ops.core.open_spans import open_spans
from mirascope_ops.store import housekeeping, waiting
from mirascope_ops.store import recorder as recorders
from mirascope_ops.store.memory import MemoryStore
from mirascope_ops.store.records import SpanQuery
from mirascope_ops.store.sqlite import SqliteStore


@pytest.fixture
def recorder():
    """A recorder without a thread, in use for this test."""
    with recorders.replaced(recorders.Recorder(MemoryStore())) as active:
        yield active


@pytest.fixture(params=["memory", "file"])
def any_store(request, tmp_path):
    """A recorder as programs have it: with memory, or with a file and a thread."""
    if request.param == "memory":
        made = recorders.Recorder(MemoryStore())
    else:
        made = recorders.Recorder(SqliteStore(tmp_path / "spans.db"), threaded=True)
    with recorders.replaced(made) as active:
        yield active


def names(store):
    return [span.name for span in store.spans(SpanQuery())]


@contextmanager
def opened_store(path):
    """A store that another process may have made only just now."""
    store = SqliteStore(path)
    try:
        yield store
    finally:
        store.close()


class Failing(MemoryStore):
    """A store that fails for a while."""

    def __init__(self, error):
        super().__init__()
        self.error = error

    def write(self, *args):
        if self.error is not None:
            raise self.error
        super().write(*args)


# -- read your writes ------------------------------------------------------------------------------------


def test_a_program_reads_what_it_has_just_done(any_store):
    for number in range(20):
        with ops.session(id="a"), ops.span(f"span {number}"):
            pass

        assert ops.last_trace().name == f"span {number}"
        assert len(ops.get_session("a")) == number + 1


def test_open_spans_are_visible_as_open_and_then_as_ended_once(any_store):
    with ops.session(id="a"), ops.span("outer"):
        with ops.span("inner"):
            during = {span.name: span.status for span in ops.spans()}
        between = {span.name: span.status for span in ops.spans()}
    after = {span.name: span.status for span in ops.spans()}

    assert during == {"outer": "open", "inner": "open"}
    assert between == {"outer": "open", "inner": "unset"}
    assert after == {"outer": "unset", "inner": "unset"}
    assert len(ops.spans()) == 2
    assert all(span.end is not None for span in ops.spans())


def test_an_open_span_shows_what_is_known_of_it(any_store):
    with ops.span("work", step=1) as span:
        span.set(step=2)
        found = ops.spans()[0]

        assert (found.status, found.end, found.duration) == ("open", None, None)
        assert found.attributes["step"] == 2


def test_annotations_are_there_at_once_and_after_the_span_ended(any_store):
    @ops.trace
    def answer():
        return 42

    trace = answer.wrapped()
    trace.annotate(label="pass", reasoning="exact", metadata={"by": "Ada"})
    trace.tag("golden", "v2")

    (span,) = trace.spans
    first, second = span.annotations
    assert (first.label, first.reasoning, dict(first.metadata)) == ("pass", "exact", {"by": "Ada"})
    assert list(second.tags) == ["golden", "v2"]
    assert set(span.tags) >= {"golden", "v2"}


def test_the_thread_writes_without_being_asked(tmp_path, until):
    store = SqliteStore(tmp_path / "spans.db")
    with recorders.replaced(recorders.Recorder(store, threaded=True)):
        with ops.session(id="a"), ops.span("work"):
            pass
        until(lambda: names(store))

        assert names(store) == ["work"]
        assert [run.session_id for run in store.runs()] == ["a"]


def test_memory_needs_no_thread(recorder):
    before = set(threading.enumerate())

    with ops.span("work"):
        pass

    assert set(threading.enumerate()) <= before
    assert names(recorder.store) == []  # until somebody reads
    recorder.flush()
    assert names(recorder.store) == ["work"]


def test_many_spans_between_two_reads_all_arrive(any_store):
    for _ in range(5000):
        with ops.span("work"):
            pass

    assert len(ops.spans()) == 5000
    assert any_store.dropped == 0


def test_memory_keeps_the_newest_where_nobody_reads(monkeypatch):
    monkeypatch.setattr(waiting, "MAX_SPANS", 10)
    with recorders.replaced(recorders.Recorder(MemoryStore())):
        for number in range(25):
            with ops.span(str(number)):
                pass

        assert [span.name for span in ops.spans()] == [str(number) for number in range(15, 25)]


def test_reading_ends_though_another_thread_traces_on(run_python):
    printed = run_python(
        """
        import signal, sys, threading
        import mirascope_ops as ops

        signal.alarm(150)  # one that hangs is ended
        stop = threading.Event()

        def trace():
            while not stop.is_set():
                with ops.span("work"):
                    pass

        thread = threading.Thread(target=trace)
        thread.start()
        ops.store.flush()
        stop.set()
        thread.join()
        print("read")
        import os
        os._exit(0)
        """,
        silent=False,
    )

    assert printed == "read\n"


# -- stores that fail ---------------------------------------------------------------------------------------


def test_a_store_that_fails_loses_nothing_and_says_so_once(logged):
    store = Failing(StoreError("disk full"))
    with recorders.replaced(recorders.Recorder(store)) as active:
        with ops.session(id="a"):
            for number in range(3):
                with ops.span(str(number)):
                    pass
                active.flush()
        store.error = None
        active.flush()

        assert names(store) == ["0", "1", "2"]
        assert [run.session_id for run in store.runs()] == ["a"]
    assert len(logged()) == 1
    assert "disk full" in logged()[0]


def test_an_interruption_while_the_store_writes_loses_nothing():
    store = Failing(KeyboardInterrupt())
    with recorders.replaced(recorders.Recorder(store)) as active:
        with ops.span("work"):
            pass
        with pytest.raises(KeyboardInterrupt):
            active.flush()
        store.error = None
        active.flush()

        assert names(store) == ["work"]


def test_a_record_that_cannot_be_kept_does_not_block_those_that_follow(logged):
    store = Failing(TypeError("a bug of ours"))
    with recorders.replaced(recorders.Recorder(store)) as active:
        with ops.span("lost"):
            pass
        active.flush()
        store.error = None
        with ops.span("kept"):
            pass
        active.flush()

        assert names(store) == ["kept"]
    assert len(logged()) == 1


def test_a_store_that_cannot_keep_up_drops_and_says_so_once(monkeypatch, logged, tmp_path):
    monkeypatch.setattr(waiting, "MAX_SPANS", 10)
    monkeypatch.setattr(recorders, "_FLUSH_SECONDS", 60.0)
    with recorders.replaced(recorders.Recorder(SqliteStore(tmp_path / "spans.db"), threaded=True)) as active:
        for _ in range(25):
            with ops.span("work"):
                pass

        assert active.dropped == 15
        assert len(ops.spans()) == 10
        assert ops.store.stats().dropped == 15
        assert "15 spans" in str(ops.store.stats())
    assert len(logged()) == 1
    assert "drops spans" in logged()[0]


def test_an_annotation_waits_where_the_store_fails(logged):
    store = Failing(None)
    with recorders.replaced(recorders.Recorder(store)):

        @ops.trace
        def answer():
            return 42

        trace = answer.wrapped()
        _ = trace.spans
        store.error = StoreError("disk full")
        trace.annotate(label="pass")
        store.error = None

        assert [found.label for found in trace.spans[0].annotations] == ["pass"]


# -- closing ------------------------------------------------------------------------------------------------


def test_closing_writes_what_is_left(tmp_path):
    recorder = recorders.Recorder(SqliteStore(tmp_path / "spans.db"), threaded=True)
    with recorders.replaced(recorder), ops.span("work"):
        pass

    store = SqliteStore(tmp_path / "spans.db")
    assert names(store) == ["work"]
    store.close()


def test_closing_ends_the_thread(tmp_path):
    with recorders.replaced(recorders.Recorder(SqliteStore(tmp_path / "spans.db"), threaded=True)) as active:
        thread = active._thread

    assert not thread.is_alive()


def test_nothing_is_open_after_all_that():
    assert open_spans() == []


# -- settings, in programs of their own -----------------------------------------------------------------------


def test_off_records_nothing_and_calls_work(run_python, tmp_path):
    printed = run_python(
        """
        import threading
        import mirascope_ops as ops

        @ops.trace
        def double(x):
            return 2 * x

        with ops.session(id="a", attributes={"n": 1}) as ctx, ops.span("outer"):
            trace = double.wrapped(21)
            trace.annotate(label="pass")
        print(trace.result, len(trace.span_id), len(ops.spans()), len(ops.sessions()), threading.active_count())
        """,
        MIRASCOPE_OPS_STORE="off",
    )

    assert printed.split() == ["42", "16", "0", "0", "1"]
    assert [path.name for path in tmp_path.iterdir()] == ["program.py"]


def test_where_nothing_is_recorded_a_look_up_says_why(run_python):
    printed = run_python(
        """
        import mirascope_ops as ops

        with ops.session(id="a"), ops.span("work"):
            pass
        for look_up in (lambda: ops.get_session("a"), ops.last_trace):
            try:
                look_up()
            except ops.NotFoundError as error:
                print(error)
        """,
        MIRASCOPE_OPS_STORE="off",
    )

    first, second = printed.splitlines()
    assert "MIRASCOPE_OPS_STORE" in first
    assert "MIRASCOPE_OPS_STORE" in second


@pytest.mark.parametrize("place", ["a folder", "no database", "of another program"])
def test_an_unusable_place_gives_one_warning_and_memory(run_python, tmp_path, place):
    path = tmp_path / "place"
    if place == "a folder":
        path.mkdir()
    elif place == "no database":
        path.write_bytes(b"dear to somebody" * 1000)
    else:
        import sqlite3

        connection = sqlite3.connect(path)
        connection.execute("CREATE TABLE customers (name TEXT)")
        connection.commit()
        connection.close()
    printed = run_python(
        """
        import logging
        import mirascope_ops as ops

        logging.basicConfig(format="LOGGED %(message)s")

        @ops.trace
        def double(x):
            return 2 * x

        for x in range(3):
            with ops.session(id="a"):
                double(x)
        print(len(ops.spans()), ops.sessions().ids)
        """,
        MIRASCOPE_OPS_STORE=str(path),
        silent=False,
    )

    assert printed.split(maxsplit=1) == ["3", "['a']\n"]


def test_an_unusable_place_is_named_once_with_what_to_do(run_python, tmp_path):
    printed = run_python(
        """
        import logging, sys
        import mirascope_ops as ops

        logging.basicConfig(stream=sys.stdout, format="%(levelname)s %(message)s")
        for _ in range(3):
            with ops.session(id="a"), ops.span("work"):
                pass
            ops.store.flush()
        """,
        MIRASCOPE_OPS_STORE=str(tmp_path),
    )

    (line,) = [line for line in printed.splitlines() if line.startswith("WARNING")]
    assert "memory" in line
    assert str(tmp_path) in line
    assert "MIRASCOPE_OPS_STORE" in line


# -- the end of a program -----------------------------------------------------------------------------------

WORK = """
import os, signal, sys, threading
import mirascope_ops as ops

with ops.session(id="a"):
    for _ in range(500):
        with ops.span("work"):
            pass
"""


def stored(path):
    store = SqliteStore(path)
    try:
        return store.spans(SpanQuery()), store.runs()
    finally:
        store.close()


@pytest.mark.parametrize(
    ("end", "code"),
    [
        ("", 0),
        ("sys.exit(3)", 3),
        ("raise RuntimeError('the user is sad')", 1),
        ("os.kill(os.getpid(), signal.SIGINT)\nsignal.pause()", -signal.SIGINT),
    ],
)
def test_a_program_that_ends_at_once_loses_nothing(run_python, end, code):
    run_python(WORK + end, ends_with=code, silent=not code)

    spans, runs = stored(run_python.store)
    assert len(spans) == 500
    assert [(run.session_id, run.end is not None) for run in runs] == [("a", True)]


def test_a_program_that_ends_inside_of_a_span_leaves_a_span_that_has_ended(run_python):
    run_python(
        WORK + "with ops.session(id='b'), ops.span('last'):\n    sys.exit()\n",
    )

    spans, runs = stored(run_python.store)
    assert [(span.status, span.end is not None) for span in spans if span.name == "last"] == [("unset", True)]
    assert all(run.end is not None for run in runs)


def test_spans_that_end_in_atexit_handlers_are_not_lost(run_python):
    run_python(
        """
        import atexit

        def last():
            with ops.span("registered first"):
                pass

        atexit.register(last)
        import mirascope_ops as ops
        with ops.span("work"):
            pass
        """
    )

    spans, _ = stored(run_python.store)
    assert [span.name for span in spans] == ["work", "registered first"]


def test_a_daemon_thread_that_traces_on_does_not_keep_a_program_from_ending(run_python):
    run_python(
        WORK
        + """
from mirascope_ops.store import waiting

waiting.MAX_SPANS = 6_000  # enough to show it, few enough to be written soon
signal.alarm(150)  # one that hangs is ended

def forever():
    while True:
        with ops.span("daemon"):
            pass

threading.Thread(target=forever, daemon=True).start()
import time
time.sleep(0.15)
""",
        silent=False,  # so many spans may be more than the store can keep up with
    )

    spans, _ = stored(run_python.store)
    assert sum(span.name == "work" for span in spans) == 500


def test_a_second_process_sees_earlier_sessions(run_python):
    first = """
        import mirascope_ops as ops

        @ops.trace
        def greet(name):
            return f"Hello, {name}!"

        with ops.session(id="earlier", attributes={"user_tier": "premium"}):
            trace = greet.wrapped("Ada")
            trace.annotate(label="pass")
        print(trace.trace_id)
    """
    second = """
        import mirascope_ops as ops

        session = ops.get_session("earlier")
        (span,) = session
        print(ops.sessions(attributes={"user_tier": "premium"}).ids, dict(session.attributes))
        print(span.name, span.output, span.annotations[0].label)
        with ops.session(id="earlier", attributes={"user_tier": "free"}), ops.span("later"):
            pass
        session = ops.get_session("earlier")
        print(len(session), len(session.runs), dict(session.attributes), session.traces[0].trace_id)
    """

    trace_id = run_python(first).strip()
    printed = run_python(second).splitlines()

    assert printed == [
        "['earlier'] {'user_tier': 'premium'}",
        "greet Hello, Ada! pass",
        f"2 2 {{'user_tier': 'free'}} {trace_id}",
    ]


def test_a_running_process_is_read_by_another_and_read_as_interrupted_once_killed(run_python, tmp_path):
    program = tmp_path / "running.py"
    program.write_text(
        textwrap.dedent(
            """
            import signal
            import mirascope_ops as ops

            with ops.session(id="a"), ops.span("outer"):
                with ops.span("done"):
                    pass
                ops.store.flush()
                print("ready", flush=True)
                signal.pause()
            """
        ),
        encoding="utf-8",
    )
    look = """
        import mirascope_ops as ops

        session = ops.get_session("a")
        print({span.name: span.status for span in session}, session.card.status)
    """
    environment = {**os.environ, "MIRASCOPE_OPS_STORE": str(run_python.store)}

    with subprocess.Popen(
        [sys.executable, str(program)], env=environment, stdout=subprocess.PIPE, text=True
    ) as running:
        assert running.stdout.readline() == "ready\n"
        alive = run_python(look).strip()
        running.kill()
    dead = run_python(look).strip()

    assert alive == "{'outer': 'open', 'done': 'unset'} open"
    assert dead == "{'outer': 'interrupted', 'done': 'unset'} interrupted"


OPEN = """
import signal
import mirascope_ops as ops
from opentelemetry import trace

ops.configure()

@ops.trace
def answer(question):
    with ops.span("inner", step=1) as span, trace.get_tracer("theirs").start_as_current_span("foreign"):
        span.set(step=2)
        print("open", flush=True)
        signal.pause()

with ops.session(id="a", attributes={"tier": "premium"}):
    with ops.span("done"):
        pass
    answer("How deep is the harbour?")
"""


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGHUP])
def test_spans_that_were_open_when_a_program_was_killed_tell_what_was_known_of_them(
    run_python, tmp_path, number, until
):
    program = tmp_path / "open.py"
    program.write_text(OPEN, encoding="utf-8")
    environment = {**os.environ, "MIRASCOPE_OPS_STORE": str(run_python.store)}
    with subprocess.Popen(
        [sys.executable, str(program)], env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as running:
        assert running.stdout.readline() == "open\n"
        if number == signal.SIGKILL:  # what has been open for less than the time between two flushes is unknown
            with opened_store(run_python.store) as store:
                until(lambda: {"answer", "inner", "foreign"} <= set(names(store)))
        running.send_signal(number)
        assert running.wait(timeout=120) == -number
        said = running.stderr.read()

    spans, runs = stored(run_python.store)
    found = {span.name: span for span in spans}
    assert {name: span.status for name, span in found.items()} == {
        "done": "unset",
        "answer": "interrupted",
        "inner": "interrupted",
        "foreign": "interrupted",
    }
    assert {span.session_id for span in spans} == {"a"}
    assert "How deep is the harbour?" in found["answer"].attributes["mirascope.trace.arg_values"]
    assert found["foreign"].parent_id == found["inner"].span_id
    assert found["inner"].attributes["step"] in ((1, 2) if number == signal.SIGKILL else (2,))
    assert all(span.start > 0 and span.end is None for span in spans if span.name != "done")
    assert [run.attributes for run in runs] == [{"tier": "premium"}]
    assert said == ""


FIRST = """
import signal
import mirascope_ops as ops
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider

{setup}

@ops.trace
def wait():
    print("open", flush=True)
    signal.pause()

{call}
"""


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
@pytest.mark.parametrize(
    "first",
    [
        {"setup": "", "call": "wait()"},
        {"setup": "", "call": "ops.span('wait').__enter__(); wait.__wrapped__()"},
        {
            "setup": "trace.set_tracer_provider(TracerProvider()); ops.configure()",
            "call": "trace.get_tracer('theirs').start_span('wait'); wait.__wrapped__()",
        },
    ],
    ids=["function", "span", "foreign"],
)
def test_a_program_that_is_killed_in_its_first_span_leaves_it_behind(run_python, tmp_path, until, number, first):
    program = tmp_path / "first.py"
    program.write_text(FIRST.format(**first), encoding="utf-8")
    environment = {**os.environ, "MIRASCOPE_OPS_STORE": str(run_python.store)}
    with subprocess.Popen(
        [sys.executable, str(program)], env=environment, stdout=subprocess.PIPE, text=True
    ) as running:
        assert running.stdout.readline() == "open\n"
        if number == signal.SIGKILL:  # as above
            with opened_store(run_python.store) as store:
                until(lambda: names(store))
        running.send_signal(number)
        assert running.wait(timeout=120) == -number

    (span,) = stored(run_python.store)[0]
    assert (span.name, span.status) == ("wait", "interrupted")


def test_where_no_signal_can_be_handled_what_has_ended_is_written_at_once(run_python):
    run_python(
        """
        import os, signal, threading
        import mirascope_ops as ops

        def work():  # not the main thread, which alone could handle signals
            for _ in range(3):
                with ops.span("work"):
                    pass

        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
        os.kill(os.getpid(), signal.SIGTERM)
        signal.pause()
        """,
        ends_with=-signal.SIGTERM,
    )

    assert len(stored(run_python.store)[0]) == 3


def test_an_open_span_is_written_again_only_where_something_was_added(tmp_path):
    class Counting(SqliteStore):
        written = 0

        def write(self, spans, *others):
            self.written += len(spans)
            super().write(spans, *others)

    store = Counting(tmp_path / "spans.db")
    with recorders.replaced(recorders.Recorder(store)) as active, ops.span("work") as span:
        for _ in range(5):
            active.flush()
        once = store.written
        span.set(step=1)
        for _ in range(5):
            active.flush()

        assert (once, store.written) == (1, 2)
        assert store.spans(SpanQuery())[0].attributes["step"] == 1


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_that_ends_a_program_ends_it_as_without_us_and_loses_nothing(run_python, number):
    run_python(WORK + f"os.kill(os.getpid(), {int(number)})\nsignal.pause()", ends_with=-number)

    spans, runs = stored(run_python.store)
    assert len(spans) == 500
    assert [(run.session_id, run.end is not None) for run in runs] == [("a", True)]


def test_a_signal_in_the_midst_of_writing_ends_the_program_when_that_is_done(run_python):
    run_python(
        WORK
        + """
import time
from mirascope_ops.store import recorder

for number in range(200):
    with ops.span("more"):
        pass
active = recorder.active()
with active.changing():
    with ops.span("last"):
        pass
    os.kill(os.getpid(), signal.SIGTERM)
    active.flush()
raise AssertionError("the signal was lost")
""",
        ends_with=-signal.SIGTERM,
    )

    spans, _ = stored(run_python.store)
    assert len(spans) == 701


def test_a_signal_that_came_while_a_thread_wrote_is_left_to_that_thread(recorder):
    class Slow:
        """A lock that another thread takes as soon as it is free."""

        def __init__(self, lock):
            self.lock, self.depth = lock, 0

        def __enter__(self):
            self.lock.acquire()
            self.depth += 1

        def __exit__(self, *error):
            self.depth -= 1
            last = self.depth == 0
            self.lock.release()
            if last and threading.current_thread() is threading.main_thread():
                other = threading.Thread(target=recorder.flush)
                other.start()
                other.join()

    ended = []
    recorder._lock = Slow(recorder._lock)
    with recorder._writing():
        recorder.write_before(lambda: ended.append(threading.current_thread()))
        assert ended == []

    assert ended == [threading.main_thread()]


def test_a_signal_that_came_while_writing_failed_ends_the_program(recorder, monkeypatch):
    ended = []

    def fails(**_):
        raise RuntimeError("no disk")

    def write():
        with recorder._writing():
            recorder.write_before(lambda: ended.append("in the midst"))
            raise RuntimeError("no disk")

    with pytest.raises(RuntimeError):
        write()
    monkeypatch.setattr(recorder, "flush", fails)
    with pytest.raises(RuntimeError):
        recorder.write_before(lambda: ended.append("before"))

    assert ended == ["in the midst", "before"]


def test_handlers_that_a_program_has_are_left_alone(run_python):
    printed = run_python(
        """
        import signal
        import mirascope_ops as ops
        from mirascope_ops.store import recorder

        mine = lambda *args: None
        signal.signal(signal.SIGHUP, mine)
        before = signal.getsignal(signal.SIGTERM)
        with ops.span("work"):
            pass
        print(signal.getsignal(signal.SIGHUP) is mine, before is signal.SIG_DFL)
        recorder.close()
        print(signal.getsignal(signal.SIGTERM) is signal.SIG_DFL)
        """
    )

    assert printed.split() == ["True", "True", "True"]


def test_a_forked_child_is_ended_by_a_signal_as_without_us(run_python):
    run_python(
        WORK
        + """
child = os.fork()
if child == 0:
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
    os._exit(0)
assert os.waitpid(child, 0)[1] == 0
assert signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL
"""
    )


def test_a_clock_that_is_set_back_is_told_once_and_loses_nothing(monkeypatch, logged, tmp_path, until):
    ahead = [time.time() - time.monotonic()]  # as it is: other recorders of this process may look too
    monkeypatch.setattr(housekeeping, "_ahead", lambda: ahead[0])
    with recorders.replaced(recorders.Recorder(SqliteStore(tmp_path / "spans.db"), threaded=True)) as active:
        with ops.span("before"):
            pass
        ahead[0] -= 3600
        until(logged)
        ahead[0] -= 5400
        with ops.span("after"):
            pass
        active.flush()

        assert sorted(names(active.store)) == ["after", "before"]
    (told,) = logged()
    assert "set back by 3600 s" in told


def test_a_program_that_never_traces_makes_no_file(run_python):
    run_python("import mirascope_ops as ops\nprint(ops.current_session())\n")

    assert not run_python.store.exists()
