"""The collector of cycles waits, and goes on as it was, whoever else made it wait, and in a child too."""

from __future__ import annotations

import gc
import threading

import pytest

from mirascope_ops.store.collection import uncollected


@pytest.fixture(params=[True, False])
def enabled(request):
    before = gc.isenabled()
    (gc.enable if request.param else gc.disable)()
    yield request.param
    (gc.enable if before else gc.disable)()


def test_it_waits_inside_and_is_afterwards_as_it_was(enabled):
    with uncollected():
        with uncollected():
            pass
        assert not gc.isenabled()
    assert gc.isenabled() is enabled

    with pytest.raises(KeyError), uncollected():
        raise KeyError
    assert gc.isenabled() is enabled


def test_blocks_of_threads_may_overlap_in_any_order(enabled):
    entered, left = threading.Event(), threading.Event()

    def other():
        with uncollected():
            entered.set()
            left.wait(120)

    thread = threading.Thread(target=other)
    with uncollected():
        thread.start()
        entered.wait(120)
    assert not gc.isenabled()
    left.set()
    thread.join()

    assert gc.isenabled() is enabled


def test_a_child_that_was_forked_meanwhile_collects(run_python):
    said = run_python(
        """
        import gc, os, threading
        import mirascope_ops
        from mirascope_ops.store.collection import uncollected

        entered, left = threading.Event(), threading.Event()

        def other():
            with uncollected():
                entered.set()
                left.wait(120)

        thread = threading.Thread(target=other)
        thread.start()
        entered.wait(120)
        child = os.fork()
        if not child:
            with uncollected():
                pass
            os._exit(0 if gc.isenabled() else 1)
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), gc.isenabled())
        left.set()
        thread.join()
        print(gc.isenabled())
        """
    )

    assert said.split() == ["0", "False", "True"]
