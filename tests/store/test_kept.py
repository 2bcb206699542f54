"""What memory keeps of spans: small, found from either form, and the same spans as a file would give."""

from __future__ import annotations

import contextlib
import gc
import tracemalloc

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mirascope_ops import ops
from mirascope_ops.core.span import Span
from mirascope_ops.store import codec, kept, recorder
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


odd_text = st.text(max_size=4) | st.sampled_from(["lone \ud800", "ünï", "null", '"', "\0", "x" * 40])
odd_values = (
    st.none() | st.booleans() | st.integers() | st.floats() | odd_text | st.binary(max_size=2)
    | st.lists(st.integers() | odd_text, max_size=2) | st.dictionaries(odd_text, st.floats(), max_size=1)
)  # fmt: skip


@ops.trace
def bare(value):
    return value


@ops.trace(tags=["b", "a"], metadata={"by": "ünï"})
def annotated(first: int, /, second: str = "ünï", *rest, key: object = None, **more):
    return {"second": second}


calls = st.builds(lambda value: lambda: bare(value), odd_values) | st.builds(
    lambda first, rest, key: lambda: annotated(first, *rest, key=key, more=key),
    odd_values, st.lists(odd_values, max_size=2), odd_values,
)  # fmt: skip


@st.composite
def spans_by_hand(draw):
    name, attributes = draw(odd_text), draw(st.dictionaries(odd_text | st.just("mirascope.trace.output"), odd_values))
    message, linked, start = draw(st.none() | odd_text), draw(st.booleans()), draw(st.none() | st.integers(1, 2**70))

    def make():
        span = Span(name)
        with span:
            span.set_attributes(attributes)
            if message is not None:
                span.error(message, told=name)
            if linked:
                span.add_link(span.get_span_context(), attributes)
            if start is not None:
                span.end(start)

    return make


@settings(max_examples=150, deadline=None)
@given(made=st.lists(calls | spans_by_hand(), max_size=6), session=st.none() | st.just({"a": "ünï"}) | st.just({}))
def test_by_column_spans_are_what_they_are_one_by_one(made, session):
    with recorder.replaced(recorder.Recorder(MemoryStore())) as active:
        with contextlib.nullcontext() if session is None else ops.session(id="ses-ünï", attributes=session):
            for each in made:
                each()
        active.flush()
        one_by_one = active.store.spans(SpanQuery())
        batches = list(active.store.batches(SpanQuery()))

    by_column = [batch.record(place) for batch in batches for place in range(len(batch))]
    texts = [row[19:] for batch in batches for row in zip(*batch.columns, strict=True)]
    assert repr(by_column) == repr(one_by_one)
    by_key = [
        sorted(
            (place, repr(mapping))
            for some in batch.groups
            for place, mapping in zip(some.places, some.mappings(), strict=True)
        )
        for batch in batches
    ]
    assert by_key == [
        [(place, repr(batch.record(place).attributes)) for place in range(len(batch))] for batch in batches
    ]
    assert texts == [codec.span_row(span, None)[19:] for span in one_by_one]


def test_ordinary_spans_need_no_record_to_be_read(store, monkeypatch):
    bare("a question")
    with ops.session(id="s"), ops.span("step", found=2) as span:
        span.info("two")
    ops.store.flush()
    monkeypatch.setattr(kept, "record_of", None)

    (batch,) = store.batches(SpanQuery())

    assert [batch.record(place).name for place in range(len(batch))] == ["bare", "step"]


def test_a_span_that_cannot_be_read_hides_no_other_by_column(store):
    store.write([ended("broken")[:-1], ended("whole")])

    assert [name for batch in store.batches(SpanQuery()) for name in batch.columns[3]] == ["whole"]
