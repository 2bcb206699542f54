"""What both stores promise, asked of each."""

from __future__ import annotations

import threading

import pytest

from mirascope_ops.exceptions import StoreError
from mirascope_ops.store.memory import MemoryStore
from mirascope_ops.store.records import EventRecord, LinkRecord, SessionQuery, SpanQuery


def names(spans):
    return [span.name for span in spans]


def ids(sessions):
    return [session.session_id for session in sessions]


def test_a_span_comes_back_as_it_was_written(store, make):
    span = make.span(
        parent_id="00000000000000aa",
        status="error",
        status_message="boom",
        session_id="s",
        run_id="r",
        session_attributes='{"tier":"premium"}',
        cell_id="cell",
        execution_count=3,
        notebook="folder/a.ipynb",
        sampled=False,
        service="shop",
        resource={"service.name": "shop", "host.cpus": 8},
        attributes={
            "text": "ünï\u0000 😀",
            "n": 1,
            "big": 2**63,
            "f": 1.5,
            "yes": True,
            "list": ["a", "b"],
            "none": None,
        },
        events=[EventRecord("exception", 7, {"exception.type": "ValueError"}), EventRecord("e", 8, {})],
        links=[LinkRecord("0" * 31 + "1", "0" * 15 + "1", {"why": "retry"})],
    )

    store.write([span])

    assert store.spans(SpanQuery()) == [span]
    assert store.spans(SpanQuery())[0].sampled is False


def test_runs_and_annotations_come_back_as_they_were_written(store, make):
    span = make.span()
    run = make.run("s", attributes={"tier": "premium", "n": [1, {"a": None}]}, cell_id="c", execution_count=1, end=9)
    annotation = make.annotation(span, reasoning="polite", tags=["a", "b"], metadata={"score": 0.5})

    store.write([span], [run], [annotation])

    assert store.runs() == [run]
    assert store.annotations([span.trace_id]) == [annotation]


def test_a_later_record_of_the_same_span_replaces_the_earlier(store, make):
    opened = make.span(end=None, status="open")
    ended = opened._replace(end=opened.start + 5, status="ok", session_id="s")

    store.write([opened])
    before = store.spans(SpanQuery())
    store.write([ended])

    assert before == [opened]
    assert store.spans(SpanQuery()) == [ended]
    assert store.spans(SpanQuery(session_ids=["s"])) == [ended]


def test_a_later_record_of_the_same_run_replaces_the_earlier(store, make):
    entered = make.run("s")
    left = entered._replace(end=entered.start + 1, attributes={"a": 1})

    store.write([], [entered])
    store.write([], [left])

    assert store.runs() == [left]


def test_writing_a_batch_again_changes_nothing(store, make):
    span = make.span(session_id="s")
    batch = [span], [make.run("s")], [make.annotation(span)]

    store.write(*batch)
    store.write(*batch)

    assert store.spans(SpanQuery()) == batch[0]
    assert store.runs() == batch[1]
    assert store.annotations([span.trace_id]) == batch[2]


def test_spans_are_ordered_by_start_then_by_first_writing(store, make):
    late, early = make.span(name="late", start=20), make.span(name="early", start=10)
    twins = [make.span(name=f"twin {number}", start=15) for number in range(3)]

    store.write([late, *twins])
    store.write([early])
    store.write([twins[0]])  # replaced, in its old place

    assert names(store.spans(SpanQuery())) == ["early", "twin 0", "twin 1", "twin 2", "late"]


def test_limit_keeps_the_newest_and_their_order(store, make):
    store.write([make.span(name=str(number), start=number) for number in range(5)])

    assert names(store.spans(SpanQuery(limit=2))) == ["3", "4"]
    assert store.spans(SpanQuery(limit=0)) == []


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        (SpanQuery(name="a"), "a"),
        (SpanQuery(session_ids=["s", "t"]), "ab"),
        (SpanQuery(session_ids=["s"], run_ids=["r2"]), ""),
        (SpanQuery(session_ids=["s"], run_ids=["r2"], sessions_or_runs=True), "ab"),
        (SpanQuery(session_ids=["s"], sessions_or_runs=True), "a"),
        (SpanQuery(run_ids=["r2"]), "b"),
        (SpanQuery(status="error"), "b"),
        (SpanQuery(cell_id="c"), "c"),
        (SpanQuery(execution_count=4), "c"),
        (SpanQuery(notebook="n.ipynb"), "c"),
        (SpanQuery(since=20), "bcd"),
        (SpanQuery(until=20), "a"),
        (SpanQuery(since=20, until=30, name="b"), "b"),
        (SpanQuery(session_ids=[]), ""),
        (SpanQuery(trace_ids=[]), ""),
        (SpanQuery(), "abcd"),
    ],
)
def test_every_condition_must_hold(store, make, query, expected):
    store.write(
        [
            make.span(name="a", start=10, session_id="s", run_id="r1"),
            make.span(name="b", start=20, session_id="t", run_id="r2", status="error"),
            make.span(name="c", start=30, cell_id="c", execution_count=4, notebook="n.ipynb"),
            make.span(name="d", start=40),
        ]
    )

    assert "".join(names(store.spans(query))) == expected


def test_a_span_is_found_by_the_beginning_of_its_id(store, make):
    store.write([make.span(name="a", span_id="12ab" + "0" * 12), make.span(name="b", span_id="12b" + "0" * 13)])

    assert names(store.spans(SpanQuery(span_prefix="12a"))) == ["a"]
    assert names(store.spans(SpanQuery(span_prefix="12"))) == ["a", "b"]
    assert store.spans(SpanQuery(span_prefix="a")) == []


def test_whole_traces_gives_the_other_spans_of_the_traces_found(store, make):
    trace = "f" * 32
    store.write(
        [
            make.span(name="inside", trace_id=trace, session_id="s"),
            make.span(name="outside", trace_id=trace),
            make.span(name="elsewhere"),
        ]
    )

    assert names(store.spans(SpanQuery(session_ids=["s"]))) == ["inside"]
    assert names(store.spans(SpanQuery(session_ids=["s"], whole_traces=True))) == ["inside", "outside"]


def test_limit_with_whole_traces_gives_the_newest_traces_whole(store, make):
    older, newer = "a" * 32, "b" * 32
    store.write(
        [
            make.span(name="older root", trace_id=older, start=10),
            make.span(name="newer root", trace_id=newer, start=20),
            make.span(name="late in older", trace_id=older, start=25, session_id="s"),
            make.span(name="later in newer", trace_id=newer, start=30),
        ]
    )

    assert names(store.spans(SpanQuery(whole_traces=True, limit=1))) == ["newer root", "later in newer"]
    assert names(store.spans(SpanQuery(session_ids=["s"], whole_traces=True, limit=1))) == [
        "older root",
        "late in older",
    ]
    assert store.spans(SpanQuery(whole_traces=True, limit=0)) == []


def test_a_trace_is_found_by_the_beginning_of_its_id(store, make):
    store.write([make.span(name="a", trace_id="ab" * 16), make.span(name="b", trace_id="ac" * 16)])

    assert names(store.spans(SpanQuery(trace_prefix="ab"))) == ["a"]
    assert names(store.spans(SpanQuery(trace_prefix="a"))) == ["a", "b"]
    assert store.spans(SpanQuery(trace_prefix="abc")) == []


def test_long_lists_of_ids_are_no_different(store, make):
    spans = [make.span() for _ in range(1200)]
    store.write(spans, [], [make.annotation(span) for span in spans])
    traces = [span.trace_id for span in spans[:1100]]

    assert len(store.spans(SpanQuery(trace_ids=[*traces, *traces]))) == 1100
    assert len(store.spans(SpanQuery(trace_ids=traces, session_ids=[str(n) for n in range(40_000)]))) == 0
    assert len(store.annotations(traces)) == 1100


def test_descendants_are_found_through_any_number_of_runs_and_cycles(store, make):
    top = make.run("top", run_id="1")
    middle = make.run("middle", run_id="2", parent_run_id="1", parent_session_id="top")
    again = make.run("top", run_id="3", parent_run_id="2", parent_session_id="middle")
    cycle = [make.run("x", run_id="4", parent_run_id="5"), make.run("y", run_id="5", parent_run_id="4")]
    store.write([], [top, middle, again, *cycle])

    assert store.runs(["middle"]) == [middle]
    assert store.runs(["middle"], descendants=True) == [middle, again]
    assert store.runs(["top"], descendants=True) == [top, middle, again]
    assert store.runs(["x"], descendants=True) == cycle
    assert store.runs([], descendants=True) == []


def test_a_session_adds_up_its_own_runs_and_spans(store, make):
    trace = "e" * 32
    store.write(
        [
            make.span(session_id="s", trace_id=trace, start=100, end=300),
            make.span(session_id="s", trace_id=trace, start=150, end=None, status="error"),
            make.span(session_id="other", trace_id=trace),
        ],
        [
            make.run("s", start=90, end=250, attributes={"a": 1, "b": 1}, parent_session_id="p"),
            make.run("s", start=260, attributes={"b": 2}, parent_session_id="s"),
        ],
    )

    session = store.sessions(SessionQuery(session_ids=["s"]))[0]

    assert session.attributes == {"a": 1, "b": 2}
    assert session.parent_session_id == "p"
    assert (session.first_seen, session.last_seen) == (90, 300)
    assert (session.runs, session.spans, session.traces, session.errors) == (2, 2, 1, 1)


def test_sessions_are_listed_without_spans_and_without_runs_the_last_seen_first(store, make):
    store.write(
        [
            make.span(session_id="spans only", start=50, end=60, session_attributes='{"tier":"old"}'),
            make.span(session_id="spans only", start=70, end=80, session_attributes='{"tier":"new"}'),
            make.span(session_id="spans only", start=90, end=95),
        ],
        [make.run("runs only", start=10, end=20)],
    )

    sessions = store.sessions(SessionQuery())

    assert ids(sessions) == ["spans only", "runs only"]
    assert sessions[0].attributes == {"tier": "new"}
    assert sessions[1].spans == 0


@pytest.mark.parametrize("text", ["[1]", "no json", "null", ""])
def test_session_attributes_from_outside_that_are_no_object_read_as_none(store, make, text):
    store.write([make.span(session_id="s", session_attributes=text)])

    assert store.sessions(SessionQuery())[0].attributes == {}


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        ({"tier": "premium"}, ["s"]),
        ({"tier": "premium", "n": 1.0}, ["s"]),
        ({"n": True}, []),
        ({"yes": True}, ["s"]),
        ({"yes": 1}, []),
        ({"nested": {"b": [1, 2], "a": None}}, ["s"]),
        ({"nested": {"a": None}}, []),
        ({"missing": None}, []),
        ({"nothing": None}, ["s"]),
        ({"pair": (1, 2)}, ["s"]),
    ],
)
def test_attributes_match_when_they_are_equal_as_json(store, make, wanted, expected):
    attributes = {"tier": "premium", "n": 1, "yes": True, "nested": {"a": None, "b": [1, 2]}, "nothing": None}
    store.write([], [make.run("s", attributes={**attributes, "pair": [1, 2]}), make.run("plain")])

    assert ids(store.sessions(SessionQuery(attributes=wanted))) == expected


def test_sessions_are_chosen_by_time_and_limit(store, make):
    store.write([], [make.run(name, start=start, end=start + 5) for name, start in (("a", 10), ("b", 20), ("c", 30))])

    assert ids(store.sessions(SessionQuery(since=25))) == ["c", "b"]
    assert ids(store.sessions(SessionQuery(until=20))) == ["a"]
    assert ids(store.sessions(SessionQuery(limit=1))) == ["c"]
    assert ids(store.sessions(SessionQuery(session_ids=["a", "b"], limit=5))) == ["b", "a"]


def test_deleting_a_session_takes_all_that_is_its_own(store, make):
    trace = "d" * 32
    own = make.span(name="own", session_id="s", trace_id=trace)
    loose = make.span(name="loose", trace_id=trace)
    other = make.span(name="other", session_id="t", trace_id=trace)
    away = make.span(name="away")
    everything = [own, loose, other, away]
    store.write(everything, [make.run("s"), make.run("t")], [make.annotation(span) for span in everything])

    deleted = store.delete(["s", "unknown"])

    assert deleted == 2
    assert names(store.spans(SpanQuery())) == ["other", "away"]
    assert [run.session_id for run in store.runs()] == ["t"]
    assert [a.span_id for a in store.annotations([trace, away.trace_id])] == [other.span_id, away.span_id]
    assert ids(store.sessions(SessionQuery())) == ["t"]


def test_what_was_nested_in_a_deleted_session_stays_and_is_nested_in_none(store, make):
    outer = make.run("ünï\0")
    inner = make.run("inner", parent_session_id=outer.session_id, parent_run_id=outer.run_id)
    innermost = make.run("innermost", parent_session_id="inner", parent_run_id=inner.run_id)
    store.write([], [outer, inner, innermost])

    store.delete([outer.session_id])

    assert [(run.session_id, run.parent_session_id) for run in store.runs()] == [
        ("inner", None),
        ("innermost", "inner"),
    ]
    parents = {found.session_id: found.parent_session_id for found in store.sessions(SessionQuery())}
    assert parents == {"inner": None, "innermost": "inner"}


def test_odd_values_never_raise_and_come_back_alike(store, make):
    class Broken:
        def __str__(self):
            raise RuntimeError

    cycle: list[object] = []
    cycle.append(cycle)
    span = make.span(
        name="lone \ud800",
        start=2**80,
        execution_count=-(2**80),
        attributes={
            "big": 10**30,
            "huge": 10**6000,
            "nan": float("nan"),
            "inf": [float("inf"), -float("inf")],
            "bytes": b"ab\xff",
            "lone \ud800": "lone \ud800",
            "tuple": (1, (2,)),
            "set": {1},
            "object": Broken(),
            "cycle": cycle,
            5: "number as key",
        },
        events=[EventRecord("e", 2**70, {"nan": float("nan")})],
    )

    store.write([span, make.span(name="next")])

    back, following = sorted(store.spans(SpanQuery()), key=lambda each: each.span_id)
    assert following.name == "next"
    assert back.name == "lone \ufffd"
    assert (back.start, back.execution_count) == (2**63 - 1, -(2**63))
    assert back.attributes["big"] == "1" + "0" * 30
    assert back.attributes["huge"] == hex(10**6000)
    assert back.attributes["nan"] != back.attributes["nan"]
    assert back.attributes["inf"] == [float("inf"), -float("inf")]
    assert back.attributes["bytes"] == "ab\\xff"
    assert back.attributes["lone \ufffd"] == "lone \ufffd"
    assert back.attributes["tuple"] == [1, [2]]
    assert back.attributes["set"] == [1]
    assert back.attributes["object"] == "<Broken that cannot be written as text>"
    assert back.attributes["5"] == "number as key"
    assert back.events[0].time == 2**70
    assert store.spans(SpanQuery(name="lone \ud800")) != []


def test_a_missing_required_value_costs_no_other_span(store, make):
    store.write([make.span(name=None), make.span(name="fine")])

    assert names(store.spans(SpanQuery())) == ["", "fine"]


def test_stats_say_where_prompts_are_kept_and_how_to_stop_it(store, make):
    span = make.span(session_id="s", start=10**18)
    store.write([span, make.span(start=2 * 10**18)], [make.run("t")], [make.annotation(span)])

    stats = store.stats()

    assert (stats.spans, stats.traces, stats.runs, stats.sessions, stats.annotations) == (2, 2, 1, 2, 1)
    assert (stats.oldest, stats.newest) == (10**18, 2 * 10**18)
    assert repr(stats) == str(stats)
    assert ("memory only" in str(stats)) == (stats.path is None)
    assert stats.path is None or str(stats.path) in str(stats)
    for words in ("2 sessions", "2001-09-09", "retention", "MIRASCOPE_OPS_STORE=off", 'configure(store="off")'):
        assert words in str(stats)
    assert len(str(stats).splitlines()) < 12


def test_memory_holds_no_more_than_so_many_bytes_and_counts_what_it_drops(make):
    store = MemoryStore(max_bytes=100_000)

    for _ in range(10):
        store.write([make.span(name=str(number), attributes={"text": "x" * 9_000}) for number in range(10)])
        store.write([make.span(name="9", attributes={"text": "x" * 9_000})])

    assert [span.name for span in store.spans(SpanQuery())] == [*map(str, range(10)), "9"][-10:]
    assert store.stats().dropped == 100
    assert "100 spans" in str(store.stats())


def test_memory_forgets_the_size_of_what_is_replaced_and_deleted(make):
    store = MemoryStore(max_bytes=100_000)
    span = make.span(session_id="s", attributes={"text": "x" * 60_000})

    for _ in range(10):
        store.write([span])
    store.delete(["s"])
    store.write([make.span(attributes={"text": "x" * 90_000})])

    assert store.stats().dropped == 0
    assert len(store.spans(SpanQuery())) == 1


def test_a_closed_store_says_so_and_closes_twice(store):
    store.close()
    store.close()

    with pytest.raises(StoreError, match="configure"):
        store.spans(SpanQuery())
    with pytest.raises(StoreError, match="configure"):
        store.write([])


def test_threads_write_and_read_at_once_and_lose_nothing(store, make):
    spans = [make.span(session_id=f"s{number % 8}") for number in range(1600)]
    errors: list[BaseException] = []

    def work(number):
        try:
            for index in range(number, 1600, 8 * 20):
                store.write(spans[index : index + 8 * 20 : 8])
                store.spans(SpanQuery(session_ids=[f"s{number}"]))
        except BaseException as error:  # noqa: BLE001 - reported below
            errors.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert errors == []
    assert {span.span_id for span in store.spans(SpanQuery())} == {span.span_id for span in spans}
