"""What memory keeps of spans: small, found from either form, and the same spans as a file would give."""

from __future__ import annotations

import gc
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mirascope_ops import ops
from mirascope_ops.core.span import Span
from mirascope_ops.store import kept, recorder
from mirascope_ops.store.ended import span_record
from mirascope_ops.store.memory import MemoryStore
from mirascope_ops.store.records import SpanQuery

MOST_BYTES = 800


@pytest.fixture
def store():
    with recorder.replaced(recorder.Recorder(MemoryStore())) as active:
        yield active.store


def ended(name="work", **attributes):
    with Span(name, **attributes) as span:
        pass
    return span.record()


def test_a_span_takes_no_more_than_800_bytes_after_it_was_read_too(store):
    @ops.trace
    def answer(question: str, number: int) -> dict[str, object]:
        return {"question": question, "number": number}

    def keep(numbers):
        with ops.session(id="s"):
            for number in numbers:
                answer("What is the capital of France?", number)
        ops.store.flush()
        return len(ops.spans())

    keep(range(100))
    gc.collect()
    tracemalloc.start()
    before, _ = tracemalloc.get_traced_memory()
    number = keep(range(100, 3_100)) - 100
    gc.collect()
    taken = tracemalloc.get_traced_memory()[0] - before
    tracemalloc.stop()

    assert number == 3_000
    assert taken / number <= MOST_BYTES


@pytest.mark.usefixtures("store")
def test_a_span_and_its_record_are_one_span():
    row = ended()

    assert kept.key_of(row) == kept.key_of(span_record(row))
    assert kept.head_of(row) == kept.head_of(span_record(row))


def test_a_record_and_then_the_span_itself_are_kept_once(store):
    row = ended("late")

    store.write([span_record(row)._replace(end=None, status="open")])
    store.write([row])

    assert [(span.name, span.status) for span in store.spans(SpanQuery())] == [("late", "unset")]


@given(st.text(alphabet="0123456789abcdefABCDEF_ +x", max_size=34), st.text(alphabet="0123456789abcdefA_", max_size=18))
def test_different_ids_never_become_the_same_key(trace_id, span_id):
    key = kept.key_of_ids(trace_id, span_id)

    assert key == (trace_id, span_id) or f"{key:048x}" == trace_id + span_id


def test_one_span_that_cannot_be_read_does_not_hide_the_others(store):
    without_origin = ended("broken")[:-1]
    store.write([without_origin, ended("whole")])

    assert [span.name for span in store.spans(SpanQuery())] == ["whole"]
