"""Whatever is written and asked, a file and memory answer alike: each is the other's check."""

from __future__ import annotations

import tempfile
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mirascope_ops.store.memory import MemoryStore
from mirascope_ops.store.records import (
    AnnotationRecord,
    EventRecord,
    LinkRecord,
    RunRecord,
    SessionQuery,
    SpanQuery,
    SpanRecord,
)
from mirascope_ops.store.sqlite import SqliteStore

# Few values, so that records meet and queries find something; some of them odd.
times = st.integers(0, 12)
maybe = st.none
traces = st.sampled_from(["a", "b", "c"])
sessions = st.sampled_from(["s", "t", "ünï\0", "lone \ud800", "'; DROP TABLE spans; --"])
runs = st.sampled_from(["1", "2", "3", "4"])
names = st.sampled_from(["answer", "chat", "", "%"])
statuses = st.sampled_from(["unset", "ok", "error", "open", "interrupted"])
counts = st.sampled_from([1, 2])
cells = st.sampled_from(["c", "d"])
scalars = (
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=3) | st.binary(max_size=3)
)
values = scalars | st.lists(scalars, max_size=2) | st.tuples(scalars)
mappings = st.dictionaries(st.sampled_from(["k", "l", "m"]), values, max_size=2)
plain = st.dictionaries(
    st.sampled_from(["k", "l"]), st.sampled_from([1, 1.0, True, "1", None, [1], {"a": 1}]), max_size=2
)

spans = st.builds(
    SpanRecord,
    trace_id=traces,
    span_id=runs,
    parent_id=maybe() | runs,
    name=names,
    span_kind=st.just("internal"),
    start=times,
    end=maybe() | times,
    status=statuses,
    status_message=st.text(max_size=3),
    session_id=maybe() | sessions,
    run_id=maybe() | runs,
    session_attributes=st.sampled_from([None, "{}", '{"k":1}', '{"l":[1]}', "[", '{"k":NaN}']),
    cell_id=maybe() | cells,
    execution_count=maybe() | counts,
    notebook=maybe() | cells,
    sampled=st.booleans(),
    service=maybe() | names,
    scope=names,
    resource=mappings,
    attributes=mappings,
    events=st.lists(st.builds(EventRecord, names, times, mappings), max_size=1),
    links=st.lists(st.builds(LinkRecord, traces, runs, mappings), max_size=1),
)
run_records = st.builds(
    RunRecord,
    run_id=runs,
    session_id=sessions,
    parent_run_id=maybe() | runs,
    parent_session_id=maybe() | sessions,
    attributes=plain,
    cell_id=maybe() | cells,
    execution_count=maybe() | counts,
    notebook=maybe() | cells,
    start=times,
    end=maybe() | times,
)
annotations = st.builds(
    AnnotationRecord,
    trace_id=traces,
    span_id=runs,
    time=times,
    label=maybe() | names,
    reasoning=maybe() | names,
    tags=st.lists(names, max_size=2),
    metadata=mappings,
)
writes = st.tuples(st.lists(spans, max_size=6), st.lists(run_records, max_size=4), st.lists(annotations, max_size=2))
some = lambda one: maybe() | st.lists(one, max_size=2)  # noqa: E731 - a strategy, short
span_queries = st.builds(
    SpanQuery,
    trace_ids=some(traces),
    session_ids=some(sessions),
    run_ids=some(runs),
    sessions_or_runs=st.booleans(),
    name=maybe() | names,
    status=maybe() | statuses,
    cell_id=maybe() | maybe() | cells,
    execution_count=maybe() | maybe() | counts,
    notebook=maybe() | maybe() | cells,
    since=maybe() | times,
    until=maybe() | times,
    whole_traces=st.booleans(),
    limit=maybe() | st.integers(0, 4),
    trace_prefix=maybe() | maybe() | traces.map(lambda trace: trace[:3]),
)
session_queries = st.builds(
    SessionQuery,
    session_ids=some(sessions),
    attributes=st.just({}) | plain,
    since=maybe() | times,
    until=maybe() | times,
    limit=maybe() | st.integers(0, 3),
)
questions = st.tuples(
    st.lists(span_queries, min_size=3, max_size=5),
    st.lists(session_queries, min_size=2, max_size=3),
    st.tuples(some(sessions), st.booleans()),
    st.lists(traces, max_size=3),
)


def answers(store, asked):
    span_questions, session_questions, (session_ids, descendants), trace_ids = asked
    return (
        [store.spans(query) for query in span_questions],
        [[batch.record(at) for batch in store.batches(query) for at in range(len(batch))] for query in span_questions],
        [store.sessions(query) for query in session_questions],
        store.runs(session_ids, descendants=descendants),
        store.annotations(trace_ids),
        [getattr(store.stats(), name) for name in ("spans", "traces", "runs", "sessions", "oldest", "newest")],
    )


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(written=st.lists(writes, min_size=1, max_size=3), asked=questions, deleted=st.lists(sessions, max_size=1))
def test_both_stores_answer_every_question_alike(written, asked, deleted):
    with tempfile.TemporaryDirectory() as folder:
        memory, file = MemoryStore(), SqliteStore(Path(folder) / "spans.db")

        for batch in written:
            memory.write(*batch)
            file.write(*batch)
        before = repr(answers(memory, asked)), repr(answers(file, asked))
        by_rows, by_columns = map(repr, answers(file, asked)[:2])
        numbers = memory.delete(deleted), file.delete(deleted)
        after = repr(answers(memory, asked)), repr(answers(file, asked))
        file.close()

    # By their text, since 1, 1.0 and True are equal in Python but not in what a person reads.
    assert before[0] == before[1]
    assert by_columns == by_rows
    assert numbers[0] == numbers[1]
    assert after[0] == after[1]
