"""The queue between the program and the writer: bounded by count and bytes, whatever is put in."""

from __future__ import annotations

import sys
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mirascope_ops.core import guard
from mirascope_ops.core.ended import NOTES, OUTPUT
from mirascope_ops.core.notes import NOTHING, PLAIN, Notes
from mirascope_ops.store import waiting
from mirascope_ops.store.waiting import Waiting, size_of

LOOKED_AT = 256  # spans: so many may come in before their size is looked at


def ended(number, text=""):
    return (None, "work", 1, number, 0, 1, 2, None, None, text, None, NOTHING, PLAIN, None)


def numbers(spans):
    return [span[3] for span in spans]


@pytest.fixture(autouse=True)
def _no_memory_of_warnings():
    reported = set(guard._reported)
    yield
    guard._reported.clear()
    guard._reported.update(reported)


def test_spans_come_out_in_the_order_in_which_they_came():
    queue = Waiting()
    for number in range(1000):
        queue.take(ended(number))

    assert numbers(queue.some(600)) == list(range(600))
    assert numbers(queue.some(600)) == list(range(600, 1000))
    assert queue.dropped == 0


def test_what_was_put_back_comes_first():
    queue = Waiting()
    for number in range(10):
        queue.take(ended(number))

    queue.put_back(queue.some(4))

    assert numbers(queue.some(10)) == list(range(10))


@pytest.mark.parametrize(("ring", "kept"), [(False, range(100)), (True, range(150, 250))])
def test_no_more_than_so_many_wait_and_the_rest_is_counted(monkeypatch, ring, kept):
    monkeypatch.setattr(waiting, "MAX_SPANS", 100)
    queue = Waiting(ring=ring)

    for number in range(250):
        queue.take(ended(number))

    assert queue.dropped == 150
    assert numbers(queue.some(1000)) == list(kept)


@pytest.mark.parametrize("ring", [False, True])
def test_no_more_than_so_many_bytes_wait(monkeypatch, ring):
    monkeypatch.setattr(waiting, "MAX_BYTES", 1_000_000)
    queue = Waiting(ring=ring)

    for number in range(5000):
        queue.take(ended(number, "x" * 10_000))

    assert len(queue) + queue.dropped == 5000
    assert len(queue) <= 1_000_000 // 10_000 + LOOKED_AT


@pytest.mark.parametrize("ring", [False, True])
def test_what_was_taken_out_makes_room(monkeypatch, ring):
    monkeypatch.setattr(waiting, "MAX_BYTES", 3_000_000)
    queue = Waiting(ring=ring)

    for number in range(5000):
        queue.take(ended(number, "x" * 10_000))
        if number % 200 == 0:
            queue.some(1000)

    assert queue.dropped == 0


@given(
    st.lists(st.one_of(st.integers(1, 400), st.integers(-400, -1)), max_size=60),
    st.booleans(),
    st.integers(0, 5000),
)
def test_every_span_is_taken_out_once_or_counted_as_dropped(steps, ring, size):
    queue = Waiting(ring=ring)
    put = taken = 0
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(waiting, "MAX_SPANS", 700)
        patch.setattr(waiting, "MAX_BYTES", 1_500_000)
        for step in steps:
            if step > 0:
                for _ in range(step):
                    queue.take(ended(put, "x" * size))
                    put += 1
            else:
                taken += len(queue.some(-step))

            assert put == taken + len(queue) + queue.dropped
            assert len(queue) <= 700
            assert len(queue) * size <= 1_500_000 + LOOKED_AT * size


@pytest.mark.parametrize("ring", [False, True])
def test_threads_that_put_spans_in_at_once_lose_none_uncounted(monkeypatch, ring):
    monkeypatch.setattr(waiting, "MAX_SPANS", 700)
    queue = Waiting(ring=ring)
    taken = []

    def put():
        for number in range(5_000):
            queue.take(ended(number))

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    try:
        with ThreadPoolExecutor(4) as pool:
            putting = [pool.submit(put) for _ in range(4)]
            while not all(each.done() for each in putting):
                taken += queue.some(100)
    finally:
        sys.setswitchinterval(interval)

    assert len(taken) + len(queue) + queue.dropped == 4 * 5_000
    assert len(queue) <= 700 + 4


def test_a_size_counts_all_that_may_be_large():
    bare = size_of(ended(1))
    full = list(ended(1, "x" * 1000))
    full[OUTPUT], full[NOTES] = "y" * 1000, Notes()
    full[NOTES].extra, full[NOTES].events = {"key": "z" * 1000}, [("event", 1, {"message": "e" * 1000})]

    assert bare < 1000
    assert size_of(tuple(full)) >= 4000


@given(st.integers(1, 40), st.integers(0, 39), st.booleans())
def test_large_spans_at_equal_distances_are_seen(period, place, ring):
    queue = Waiting(ring=ring)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(waiting, "MAX_BYTES", 4_000_000)
        for number in range(20_000):
            queue.take(ended(number, "x" * (50_000 if number % period == place else 0)))

        waits = sum(map(size_of, queue.some(20_000)))

    assert waits <= 1.5 * 4_000_000 + LOOKED_AT * 50_000
