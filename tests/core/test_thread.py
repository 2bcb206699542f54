"""Spans say on which thread they started, where it is not the main one."""

from __future__ import annotations

import asyncio
import os
import threading

import pytest
from opentelemetry.sdk.trace.sampling import Decision, StaticSampler

from mirascope_ops import ops

THREAD = ("thread.id", "thread.name")


@ops.trace
def work():
    return threading.get_ident()


def run_in(name, function):
    found = []
    thread = threading.Thread(target=lambda: found.append(function()), name=name)
    thread.start()
    thread.join()
    return found[0]


def thread_of(span):
    return tuple(span.attributes.get(key) for key in THREAD)


def test_a_span_of_another_thread_names_it(recorded):
    with ops.session(id="s"), ops.span("outer"):
        number = run_in("worker", ops.bind_context(work))

    outer, inner = recorded()
    assert thread_of(inner) == (number, "worker")
    assert thread_of(outer) == (None, None)
    assert inner.parent_id == outer.span_id


def test_spans_of_one_thread_do_not_share_what_is_set_on_one_of_them(recorded):
    def twice():
        with ops.span("first") as first:
            first.set(own=1)
        with ops.span("second", own=2):
            pass

    run_in("worker", twice)

    first, second = recorded()
    assert (first.attributes["own"], second.attributes["own"]) == (1, 2)
    assert thread_of(first) == thread_of(second)


def test_what_the_user_says_of_the_thread_holds(recorded):
    def own():
        with ops.span("own", **{"thread.name": "mine"}):
            pass

    run_in("worker", own)

    (span,) = recorded()
    assert span.attributes["thread.name"] == "mine"


def test_a_coroutine_in_the_main_thread_hands_work_to_another(recorded):
    @ops.trace
    async def outer():
        return await asyncio.to_thread(work)

    number = asyncio.run(outer())

    spans = {span.name: span for span in recorded()}
    assert spans["work"].attributes["thread.id"] == number
    assert thread_of(next(span for name, span in spans.items() if name != "work")) == (None, None)


def test_a_sampler_sees_the_thread(install_provider):
    seen = []

    class Sampler(StaticSampler):
        def should_sample(self, *given):
            seen.append(dict(given[4]))
            return super().should_sample(*given)

    install_provider(sampler=Sampler(Decision.RECORD_AND_SAMPLE))
    number = run_in("worker", work)

    assert [each["thread.id"] for each in seen] == [number]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_the_thread_that_forks_is_the_main_thread_of_the_child(run_python):
    printed = run_python(
        """
        import os, threading, warnings
        warnings.simplefilter("ignore", DeprecationWarning)
        from mirascope_ops import ops

        def child():
            number = os.fork()
            if not number:
                with ops.span("child"):
                    pass
                print([span.attributes.get("thread.name") for span in ops.spans(name="child")], flush=True)
                os._exit(0)
            os.waitpid(number, 0)

        thread = threading.Thread(target=child)
        thread.start()
        thread.join()
        """
    )

    assert printed == "[None]\n"
