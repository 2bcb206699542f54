"""Session and span where the work goes: joblib's workers, anyio, callbacks, and what runs after a response."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import Future, ThreadPoolExecutor

import anyio
import anyio.from_thread
import anyio.to_thread
import pytest
from joblib import Parallel, delayed
from starlette.applications import Starlette
from starlette.background import BackgroundTask, BackgroundTasks
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from mirascope_ops import ops
from mirascope_ops.integrations.asgi import SessionMiddleware


@ops.trace
def work(number):
    return number, ops.current_session() and ops.current_session().id


@ops.trace
async def work_async(number):
    await asyncio.sleep(0)
    return number, ops.current_session() and ops.current_session().id


def under(recorded, parent):
    """The parents and sessions of all spans called work, and of how many."""
    (around,) = [span for span in recorded() if span.name == parent]
    found = [span for span in recorded() if span.name.startswith("work")]
    assert {(span.parent_id, span.session_id) for span in found} == {(around.span_id, around.session_id)}
    return len(found)


# -- joblib -----------------------------------------------------------------------------------------------


def test_joblibs_threads_work_in_the_session_that_was_bound(recorded):
    with ops.session(id="a"), ops.span("around"):
        bound = ops.bind_context(work)
        results = Parallel(n_jobs=2, backend="threading")(delayed(bound)(number) for number in range(8))

    assert results == [(number, "a") for number in range(8)]
    assert under(recorded, "around") == 8


@pytest.mark.slow
@pytest.mark.parametrize("backend", ["loky", "multiprocessing"])
def test_joblibs_processes_work_in_the_session_that_was_bound_and_lose_nothing(run_python, backend):
    printed = run_python(
        f"""
        from joblib import Parallel, delayed
        from mirascope_ops import ops

        @ops.trace
        def work(number):
            return number, ops.current_session().id

        if __name__ == "__main__":
            with ops.session(id="a"), ops.span("around"):
                bound = ops.bind_context(work)
                print(Parallel(n_jobs=2, backend="{backend}")(delayed(bound)(number) for number in range(8)))
        """,
        silent=False,
    )
    read = run_python(
        """
        from mirascope_ops import ops

        spans = ops.get_session("a").spans
        (around,) = spans.filter(name="around")
        found = spans.filter(name="work")
        print(len(found), len({span.span_id for span in found}), {span.parent_id for span in found} == {around.span_id})
        """
    )

    assert printed.strip() == str([(number, "a") for number in range(8)])
    assert read.strip() == "8 8 True"


@pytest.mark.slow
def test_joblibs_processes_work_with_methods_of_a_class_of_the_program_itself(run_python):
    # Such a class is sent as it is: what the program itself defines, a notebook for one, nobody else can import.
    printed = run_python(
        """
        from joblib import Parallel, delayed
        from mirascope_ops import ops

        @ops.trace
        def letters(number):
            yield from "ab" * number

        def use(number):
            return list(letters(number))

        class Worker:
            @ops.trace
            def method(self, number):
                return "method", number

            @ops.version
            def versioned(self, number):
                return "versioned", number

            @classmethod
            @ops.trace
            def class_inside(cls, number):
                return cls.__name__, number

            @ops.trace
            @classmethod
            def class_outside(cls, number):
                return cls.__name__, number

            @ops.trace
            @staticmethod
            def static_outside(number):
                return "static", number

            @staticmethod
            @ops.trace
            def static_inside(number):
                return "static", number

        if __name__ == "__main__":
            worker = Worker()
            print(Parallel(n_jobs=2)(delayed(use)(number) for number in range(2)))
            tasks = (worker.method, worker.versioned, worker.class_inside, Worker.class_outside, worker.static_outside,
                     Worker.static_inside)
            print(Parallel(n_jobs=2)(delayed(task)(number) for number, task in enumerate(tasks)))
        """,
        silent=False,
    )

    assert printed.splitlines()[0] == "[[], ['a', 'b']]"
    assert printed.splitlines()[1] == str(
        [("method", 0), ("versioned", 1), ("Worker", 2), ("Worker", 3), ("static", 4), ("static", 5)]
    )


# -- anyio ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("where", ["thread", "task group", "thread and back"])
def test_anyio_carries_it_by_itself(recorded, where):
    found = []

    async def run():
        with ops.session(id="a"), ops.span("around"):
            if where == "thread":
                found.append(await anyio.to_thread.run_sync(work, 1))
            elif where == "thread and back":
                found.append(await anyio.to_thread.run_sync(anyio.from_thread.run, work_async, 1))
            else:
                async with anyio.create_task_group() as group:
                    group.start_soon(work_async, 1)
                found.append((1, "a"))

    anyio.run(run)

    assert found == [(1, "a")]
    assert under(recorded, "around") == 1


# -- callbacks --------------------------------------------------------------------------------------------


async def test_an_event_loops_callbacks_keep_what_was_current_when_they_were_given(recorded):
    done = asyncio.Event()
    loop = asyncio.get_running_loop()
    task = asyncio.ensure_future(asyncio.sleep(0))
    with ops.session(id="a"), ops.span("around"):
        loop.call_soon(work, 1)
        loop.call_later(0, work, 2)
        loop.call_soon_threadsafe(work, 3)
        task.add_done_callback(work)
        loop.call_later(0.01, done.set)

    await done.wait()

    assert under(recorded, "around") == 4


def test_a_callback_that_is_called_elsewhere_is_bound(recorded):
    future: Future[int] = Future()
    with ops.session(id="a"), ops.span("around"):
        future.add_done_callback(ops.bind_context(work))
        timer = threading.Timer(0, ops.bind_context(work), (1,))

    with ops.session(id="elsewhere"):
        with ThreadPoolExecutor(1) as pool:
            pool.submit(future.set_result, 1).result()
        timer.start()
        timer.join()

    assert under(recorded, "around") == 2


def test_a_callback_that_is_not_bound_belongs_to_whoever_calls_it(only):
    future: Future[int] = Future()
    with ops.session(id="a"):
        future.add_done_callback(work)

    with ops.session(id="caller"):
        future.set_result(1)

    assert only("work").session_id == "caller"


# -- after the response -----------------------------------------------------------------------------------


def test_starlettes_background_tasks_belong_to_their_request(serve_asgi, recorded, until):
    import httpx

    async def endpoint(request):
        with ops.span("around"):
            tasks = BackgroundTasks([BackgroundTask(work, 1), BackgroundTask(work_async, 2)])
        return PlainTextResponse(ops.current_session().id, background=tasks)

    app = Starlette(routes=[Route("/", endpoint)])
    app.add_middleware(SessionMiddleware)
    url = serve_asgi(app)

    with httpx.Client(trust_env=False) as client:
        ids = [client.get(url, headers={"X-Mirascope-Session-Id": name}).text for name in ("a", "b")]

    until(lambda: len(recorded()) == 6 and not [span for span in recorded() if span.status == "open"])
    assert ids == ["a", "b"]
    found = sorted((span.session_id, span.name) for span in recorded() if span.name != "around")
    assert found == [("a", "work"), ("a", "work_async"), ("b", "work"), ("b", "work_async")]


def test_a_traced_object_with_an_async_call_is_awaited():
    done = []

    class Worker:
        async def __call__(self, number):
            done.append(await work_async(number))

    anyio.run(BackgroundTask(ops.trace(Worker()), 1))

    assert done == [(1, None)]
