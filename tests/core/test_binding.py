"""The session and the span go where Python does not take them."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import textwrap
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from opentelemetry import trace as otel_trace

from mirascope_ops import ConfigurationError, ops


@ops.trace
def work(number):
    return number, ops.current_session() and ops.current_session().id


@pytest.mark.parametrize("how", ["thread", "pool", "executor"])
def test_a_bound_function_runs_in_the_session_and_below_the_span(how, recorded):
    found = []

    def call():
        found.append(work(1))

    with ops.session(id="a"), ops.span("outer"):
        bound = ops.bind_context(call)
    if how == "thread":
        thread = threading.Thread(target=bound)
        thread.start()
        thread.join()
    elif how == "pool":
        with ThreadPoolExecutor(1) as pool:
            pool.submit(bound).result()
    else:
        asyncio.run(_in_executor(bound))

    assert found == [(1, "a")]
    outer, inner = recorded()
    assert (inner.name, inner.parent_id, inner.session_id, inner.run_id) == (
        "work",
        outer.span_id,
        "a",
        outer.run_id,
    )


async def _in_executor(function):
    await asyncio.get_running_loop().run_in_executor(None, function)


def test_one_bound_function_may_be_called_by_many_threads_at_once(recorded):
    with ops.session(id="a"), ops.span("outer") as outer:
        bound = ops.bind_context(work)

    with ThreadPoolExecutor(8) as pool:
        results = list(pool.map(bound, range(200)))

    assert results == [(number, "a") for number in range(200)]
    spans = recorded().filter(name="work")
    assert len(spans) == 200
    assert {span.parent_id for span in spans} == {outer.span_id}


def test_nothing_is_left_current_and_what_was_current_comes_back():
    with ops.session(id="a"), ops.span("outer"):
        bound = ops.bind_context(lambda: None)

    with ops.session(id="other"), ops.span("mine") as mine:
        bound()

        assert ops.current_session().id == "other"
        assert otel_trace.get_current_span() is mine


def test_bound_outside_of_everything_runs_outside_of_everything():
    bound = ops.bind_context(lambda: (ops.current_session(), otel_trace.get_current_span().is_recording()))

    with ops.session(id="other"), ops.span("mine"):
        assert bound() == (None, False)


def test_the_body_of_a_coroutine_function_runs_in_the_context():
    async def session_id():
        await asyncio.sleep(0)
        return ops.current_session().id

    with ops.session(id="a"):
        bound = ops.bind_context(session_id)

    assert asyncio.run(bound()) == "a"


def test_the_body_of_a_generator_runs_in_the_context_and_the_consumer_does_not():
    def ids():
        for _ in range(2):
            yield ops.current_session().id

    with ops.session(id="a"):
        bound = ops.bind_context(ids)

    for found in bound():
        assert found == "a"
        assert ops.current_session() is None


def test_arguments_results_exceptions_and_names_are_the_functions_own():
    def divide(a, *, b):
        """Divide."""
        return a / b

    bound = ops.bind_context(divide)

    assert bound(6, b=3) == 2
    assert (bound.__name__, bound.__doc__) == ("divide", "Divide.")
    with pytest.raises(ZeroDivisionError):
        bound(1, b=0)


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_other_processes_continue_the_same_run_and_their_spans_are_stored_once(method, tmp_path):
    script = tmp_path / "program.py"
    script.write_text(
        textwrap.dedent(
            f"""
            import multiprocessing
            from concurrent.futures import ProcessPoolExecutor
            from mirascope_ops import ops

            @ops.trace
            def work(number):
                return number, ops.current_session().id

            if __name__ == "__main__":
                ops.configure(store={str(tmp_path / "spans.db")!r})
                with ops.session(id="batch", attributes={{"tier": "premium"}}) as session, ops.span("root") as root:
                    context = multiprocessing.get_context({method!r})
                    with ProcessPoolExecutor(2, mp_context=context) as pool:
                        print(list(pool.map(ops.bind_context(work), range(20))))
                spans = session.spans
                print(len(spans), len({{span.span_id for span in spans}}), len(spans.traces))
                print({{span.parent_id for span in spans.filter(name="work")}} == {{root.span_id}})
                kept = {{(span.run_id, span.session_attributes) for span in spans}}
                print(kept == {{(session.run_id, '{{"tier":"premium"}}')}})
            """
        )
    )

    done = subprocess.run(
        [sys.executable, str(script)],
        env={"MIRASCOPE_OPS_STORE": str(tmp_path / "spans.db"), "HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=True,
        timeout=170,
    )

    assert not done.stderr
    results = [(number, "batch") for number in range(20)]
    assert done.stdout.splitlines() == [str(results), "21 21 1", "True", "True"]


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_a_pool_that_ends_its_workers_with_a_signal_loses_no_span(run_python, method):
    printed = run_python(
        f"""
        import multiprocessing
        from mirascope_ops import ops

        @ops.trace
        def work(number):
            return number

        if __name__ == "__main__":
            with ops.session(id="batch") as session, ops.span("root"):
                with multiprocessing.get_context({method!r}).Pool(2) as pool:
                    print(pool.map(ops.bind_context(work), range(20), chunksize=1) == list(range(20)))
            print(len(session.spans.filter(name="work")))
        """
    )

    assert printed.split() == ["True", "20"]


def test_what_a_program_recorded_last_is_stored_though_it_ends_at_once(tmp_path):
    place = tmp_path / "spans.db"
    code = "from mirascope_ops import ops\nwith ops.session(id='a'), ops.span('last'): pass"
    environment = {"MIRASCOPE_OPS_STORE": str(place), "HOME": str(tmp_path)}

    ended = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True, timeout=170
    )
    read = subprocess.run(
        [sys.executable, "-c", "from mirascope_ops import ops; print([span.name for span in ops.spans(session='a')])"],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
        timeout=170,
    )

    assert (ended.stdout, ended.stderr) == ("", "")
    assert read.stdout == "['last']\n"


def test_what_is_not_callable_is_refused_with_what_to_write():
    with pytest.raises(ConfigurationError, match=r"got int: write bind_context\(work\)"):
        ops.bind_context(3)


class AsyncAgent:
    async def __call__(self, question):
        await asyncio.sleep(0)
        return question, ops.current_session()


class StreamingAgent:
    def __call__(self, question):
        yield question, ops.current_session()


@pytest.mark.parametrize("decorate", [lambda agent: agent, ops.trace], ids=["plain", "traced"])
async def test_the_body_of_an_object_that_is_called_runs_in_the_context(decorate):
    with ops.session(id="a") as session:
        asynchronous = ops.bind_context(decorate(AsyncAgent()))
        streaming = ops.bind_context(decorate(StreamingAgent()))

    assert await asynchronous("why?") == ("why?", session)
    assert list(streaming("why?")) == [("why?", session)]
    assert ops.current_session() is None
