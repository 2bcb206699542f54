"""Many threads, tasks and processes at once: every span in its session, below its parent, once."""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import random
import sys
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest

from mirascope_ops import ops

needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")


@ops.trace
def leaf(who: str) -> str:
    time.sleep(random.random() / 5000)
    return who


@ops.trace
def branch(who: str) -> str:
    return leaf(who) + leaf(who)


@ops.trace
def root(who: str) -> str:
    with ops.span("between", who=who):
        return branch(who)


@ops.trace
async def async_leaf(who: str) -> str:
    await asyncio.sleep(random.random() / 200)
    return who


@ops.trace
async def async_root(who: str) -> str:
    with ops.span("between", who=who):
        first, second = await asyncio.gather(async_leaf(who), async_leaf(who))
    return first + second


def check_trees(spans, children):
    """Every session has whole trees of the same shape, and nothing of another's.

    `children` names, for each span, the spans below it.
    """
    by_id = {span.span_id: span for span in spans}
    assert len(by_id) == len(spans)
    below = {}
    for span in spans:
        if span.parent_id is None:
            assert span.name in children[None]
            continue
        parent = by_id[span.parent_id]
        assert (span.session_id, span.run_id, span.trace_id) == (parent.session_id, parent.run_id, parent.trace_id)
        assert span.start >= parent.start
        assert span.end <= parent.end
        below.setdefault(parent.span_id, []).append(span.name)
    for span in spans:
        assert sorted(below.get(span.span_id, [])) == children[span.name]
        assert span.status != "error"


THREAD_TREE = {
    None: ["root"],
    "root": ["between"],
    "between": ["branch"],
    "branch": ["leaf", "leaf"],
    "leaf": [],
}
TASK_TREE = {
    None: ["async_root"],
    "async_root": ["between"],
    "between": ["async_leaf", "async_leaf"],
    "async_leaf": [],
}


# -- threads and tasks --------------------------------------------------------------------------------


def test_twenty_threads_with_nested_calls_keep_their_trees_apart(recorded):
    barrier = threading.Barrier(20)

    def work(number):
        barrier.wait()
        for _ in range(10):
            with ops.session(id=f"s{number}"):
                assert root(f"s{number}") == f"s{number}" * 2

    with ThreadPoolExecutor(20) as pool:
        list(pool.map(work, range(20)))

    spans = recorded()
    check_trees(spans, THREAD_TREE)
    assert Counter(span.session_id for span in spans) == {f"s{number}": 50 for number in range(20)}
    assert all(span.output == span.session_id for span in spans.filter(name="leaf"))
    assert len({span.run_id for span in spans}) == 200


async def test_two_thousand_tasks_with_nested_calls_keep_their_trees_apart(recorded):
    async def task(number):
        async with ops.session(id=f"s{number}", attributes={"number": number}) as ctx:
            await async_root(f"s{number}")
            assert ops.current_session() is ctx

    await asyncio.gather(*(task(number) for number in range(2000)))

    spans = recorded()
    check_trees(spans, TASK_TREE)
    assert Counter(span.session_id for span in spans) == {f"s{number}": 4 for number in range(2000)}
    assert all(span.output == span.session_id for span in spans.filter(name="async_leaf"))
    assert all(span.session_attributes == f'{{"number":{span.session_id[1:]}}}' for span in spans)


def test_event_loops_in_threads_keep_their_trees_apart(recorded):
    async def task(name):
        async with ops.session(id=name):
            await async_root(name)

    async def tasks(number):
        await asyncio.gather(*(task(f"s{number}-{turn}") for turn in range(20)))

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda number: asyncio.run(tasks(number)), range(8)))

    spans = recorded()
    check_trees(spans, TASK_TREE)
    assert Counter(span.session_id for span in spans) == {f"s{n}-{turn}": 4 for n in range(8) for turn in range(20)}


async def test_children_in_worker_threads_are_below_the_task_that_sent_them(recorded):
    async def task(number):
        async with ops.session(id=f"s{number}"):
            with ops.span("between", who=number):
                await asyncio.gather(*(asyncio.to_thread(leaf, f"s{number}") for _ in range(2)))

    await asyncio.gather(*(task(number) for number in range(50)))

    check_trees(recorded(), {None: ["between"], "between": ["leaf", "leaf"], "leaf": []})
    assert all(span.output == span.session_id for span in recorded().filter(name="leaf"))


async def test_a_cancelled_task_leaves_its_session_and_ends_its_spans(recorded):
    started = asyncio.Event()

    @ops.trace
    async def wait():
        started.set()
        await asyncio.sleep(60)

    async def task():
        async with ops.session(id="cancelled"):
            await wait()

    running = asyncio.create_task(task())
    await started.wait()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running

    (span,) = recorded()
    assert (span.session_id, span.status, span.error_type) == (
        "cancelled",
        "error",
        "asyncio.exceptions.CancelledError",
    )
    (run,) = ops.get_session("cancelled").runs
    assert run.end is not None


def test_reading_while_others_write_sees_whole_spans_only(recorded):
    stop = threading.Event()

    def write(number):
        for _ in range(2_000):  # all of them are fewer spans than the store holds
            if stop.is_set():
                break
            with ops.session(id=f"s{number}"):
                root(f"s{number}")

    writers = [threading.Thread(target=write, args=(number,)) for number in range(4)]
    for writer in writers:
        writer.start()
    seen = [len(recorded()) for _ in range(15)]
    stop.set()
    for writer in writers:
        writer.join()

    assert seen == sorted(seen)
    spans = recorded()
    check_trees(spans, THREAD_TREE)
    assert len({span.span_id for span in spans}) == len(spans)


# -- processes, on one file ---------------------------------------------------------------------------------


def stored(path):
    """What is in a store's file."""
    from mirascope_ops.store.records import SpanQuery
    from mirascope_ops.store.sqlite import SqliteStore

    store = SqliteStore(path)
    try:
        return store.spans(SpanQuery()), store.runs()
    finally:
        store.close()


def check_family(run_python, printed, *, parents, children):
    """Every span that a process printed is in the file once, and no other is."""
    spans, _ = stored(run_python.store)
    ids = [tuple(line.split()) for line in printed.splitlines()]
    assert len(ids) == len(set(ids)), "two processes made the same span id"
    assert sorted((span.name, span.span_id) for span in spans) == sorted(ids)
    assert Counter(span.name for span in spans) == {**parents, **children}
    assert {span.status for span in spans} == {"unset"}
    return spans


PROGRAM = """
import multiprocessing, os, sys, warnings
import mirascope_ops as ops

warnings.simplefilter("ignore", DeprecationWarning)  # newer Pythons warn of forks beside threads

def record(name, times=3):
    for _ in range(times):
        with ops.span(name) as span:
            pass
        os.write(1, f"{name} {span.span_id}\\n".encode())
"""


@needs_fork
def test_forked_children_have_ids_of_their_own_and_their_spans_are_stored_once(run_python):
    printed = run_python(
        PROGRAM
        + """
record("parent")  # not yet written when the children are made
children = []
for number in range(4):
    child = os.fork()
    if not child:
        record("child")
        sys.exit()
    children.append(child)
record("parent")
for child in children:
    assert os.waitpid(child, 0)[1] == 0
"""
    )

    spans = check_family(run_python, printed, parents={"parent": 6}, children={"child": 12})
    assert len({span.trace_id for span in spans}) == 18


@needs_fork
def test_a_child_forked_inside_a_span_continues_the_session_and_the_trace(run_python):
    printed = run_python(
        PROGRAM
        + """
with ops.session(id="a"), ops.span("outer") as outer:
    child = os.fork()
    if not child:
        with ops.span("child") as span:
            pass
        os.write(1, f"child {span.span_id}\\n".encode())
        ops.store.flush()
        os._exit(0)
    os.waitpid(child, 0)
os.write(1, f"outer {outer.span_id}\\n".encode())
"""
    )

    spans = check_family(run_python, printed, parents={"outer": 1}, children={"child": 1})
    outer, child = sorted(spans, key=lambda span: span.name, reverse=True)
    assert (child.parent_id, child.trace_id) == (outer.span_id, outer.trace_id)
    assert (child.session_id, child.run_id) == ("a", outer.run_id) != (None, None)


@needs_fork
def test_a_child_that_leaves_the_forked_blocks_spoils_nothing_of_the_parents(run_python):
    run_python(
        PROGRAM
        + """
with ops.session(id="a"), ops.span("outer") as outer:
    child = os.fork()
    if child:
        os.waitpid(child, 0)
        outer.set(who="parent")
    # both leave the blocks and exit
"""
    )

    spans, runs = stored(run_python.store)
    (outer,) = spans
    assert outer.status == "unset"
    assert outer.attributes["who"] == "parent"
    assert [run.session_id for run in runs] == ["a"]


@needs_fork
@pytest.mark.parametrize("kind", ["Process", "Pool", "ProcessPoolExecutor"])
@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_workers_spans_are_stored_once(run_python, method, kind):
    if method not in multiprocessing.get_all_start_methods():
        pytest.skip("this system has no such start method")
    run = {
        "Process": """
    workers = [context.Process(target=record, args=("child",)) for _ in range(2)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
        assert worker.exitcode == 0""",
        "Pool": """
    with context.Pool(2) as pool:
        pool.map(record, ["child"] * 2, chunksize=1)
        pool.close()
        pool.join()""",
        "ProcessPoolExecutor": """
    from concurrent.futures import ProcessPoolExecutor
    with ProcessPoolExecutor(2, mp_context=context) as pool:
        list(pool.map(record, ["child"] * 2))""",
    }[kind]
    printed = run_python(
        f"""{PROGRAM}
if __name__ == "__main__":
    context = multiprocessing.get_context("{method}")
    record("parent"){run}
    record("parent")
"""
    )

    check_family(run_python, printed, parents={"parent": 6}, children={"child": 6})


HANGS = "signal.alarm(120)  # a child that hangs is ended\n"


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_a_pool_that_ends_its_workers_with_a_signal_loses_no_span(run_python, method):
    printed = run_python(
        f"""
        import multiprocessing
        from mirascope_ops import ops

        @ops.trace
        def work(n):
            with ops.span("inner"):
                return n

        if __name__ == "__main__":
            with multiprocessing.get_context("{method}").Pool(2) as pool:
                assert pool.map(work, range(20)) == list(range(20))
            print(len(ops.spans(name="work")), len(ops.spans(name="inner")), len(ops.spans().filter(status="open")))
        """
    )

    assert printed.split() == ["20", "20", "0"]


@needs_fork
@pytest.mark.parametrize("when", ["while the first spans open the store", "later"])
def test_forking_while_threads_trace_never_hangs_and_loses_nothing(run_python, when):
    warm_up = "record('parent', 1)" if when == "later" else ""
    printed = run_python(
        f"""{PROGRAM}
import signal, threading

{warm_up}
stop = threading.Event()

def trace():
    while not stop.is_set():
        with ops.session(id="threads"):
            record("parent", 1)
        if stop.wait(0.0005):
            break

threads = [threading.Thread(target=trace) for _ in range(3)]
for thread in threads:
    thread.start()
children = []
for _ in range(12):
    child = os.fork()
    if not child:
        {HANGS}
        record("child", 2)
        ops.store.flush()
        os._exit(0)
    children.append(child)
ended = [os.waitpid(child, 0)[1] for child in children]
stop.set()
for thread in threads:
    thread.join()
assert ended == [0] * 12, ended
"""
    )

    written = Counter(line.split()[0] for line in printed.splitlines())
    assert written["child"] == 24
    check_family(run_python, printed, parents={"parent": written["parent"]}, children={"child": 24})


@needs_fork
@pytest.mark.parametrize(
    "changing", ["ops.store.flush", "recorder.active().store.purge", "lambda: ops.store.delete('none')"]
)
def test_a_child_forked_while_the_store_is_changed_can_write_too(run_python, changing):
    printed = run_python(
        f"""{PROGRAM}
import signal, threading, time
from contextlib import contextmanager
from mirascope_ops.store import recorder
from mirascope_ops.store.connections import Connections

writing, inside = Connections.writing, threading.Event()

@contextmanager
def slow(self):
    with writing(self) as connection:
        if threading.current_thread() is changing:
            inside.set()
            time.sleep(0.2)  # the fork falls in here, inside of a transaction
        yield connection

record("parent")
ops.store.flush()
Connections.writing = slow
record("parent")
changing = threading.Thread(target={changing})
changing.start()
assert inside.wait(120)
child = os.fork()
if not child:
    {HANGS}
    record("child")
    ops.store.flush()
    os._exit(0)
ended = os.waitpid(child, 0)[1]
assert ended == 0, ended
"""
    )

    check_family(run_python, printed, parents={"parent": 6}, children={"child": 3})


@needs_fork
def test_seeding_the_global_generator_repeats_no_ids(run_python):
    printed = run_python(
        """
        import os, random, sys
        import mirascope_ops as ops

        for _ in range(3):
            random.seed(0)
            with ops.session() as ctx, ops.span("work") as span:
                print(ctx.id, span.trace_id, span.span_id)
        """
    )

    assert len(set(printed.split())) == 9


def test_two_programs_write_one_file_at_once(run_python):
    import subprocess

    program = run_python.store.parent / "writer.py"
    program.write_text(f"{PROGRAM}\nwith ops.session(id='shared'):\n    record(sys.argv[1], 200)\n", encoding="utf-8")

    running = [
        subprocess.Popen(
            [sys.executable, "-W", "error", str(program), name],
            env={**os.environ, "MIRASCOPE_OPS_STORE": str(run_python.store)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for name in ("first", "second", "third")
    ]
    outcomes = [process.communicate(timeout=170) for process in running]

    assert [error for _, error in outcomes] == ["", "", ""]
    printed = "".join(out for out, _ in outcomes)
    check_family(run_python, printed, parents={"first": 200}, children={"second": 200, "third": 200})
    _, runs = stored(run_python.store)
    assert [(run.session_id, run.end is not None) for run in runs] == [("shared", True)] * 3
