from __future__ import annotations

import base64
import json
import struct
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mirascope_ops import ops
from mirascope_ops.analysis.critical import critical_path
from mirascope_ops.analysis.rows import SpanRow
from mirascope_ops.analysis.stats import totals
from mirascope_ops.analysis.table import SpanTable
from mirascope_ops.analysis.tree import lineage
from mirascope_ops.exceptions import ConfigurationError
from mirascope_ops.store import codec
from mirascope_ops.store.records import AnnotationRecord, EventRecord
from mirascope_ops.views.timeline import KINDS, STATUSES, timeline_data
from mirascope_ops.views.timeline_bundle import bundle
from mirascope_ops.views.timeline_detail import timeline_detail
from mirascope_ops.views.timeline_options import timeline_options
from mirascope_ops.views.timeline_threads import said_by, thread_of

ROOT = Path(__file__).parents[2]
FIXTURE = ROOT / "jupyter_extension" / "tests" / "fixtures" / "python.json"
TYPES = {"f8": "<f8", "u4": "<u4", "i4": "<i4", "u2": "<u2", "u1": "u1"}


def read(payload):
    """Header and columns of a payload, read as the browser does."""
    assert payload[:4] == b"OPS1"
    (told,) = struct.unpack_from("<I", payload, 4)
    header = json.loads(payload[8 : 8 + told])
    assert (8 + told) % 8 == 0
    columns = {}
    for name, (kind, offset, length) in header["columns"].items():
        assert offset % 8 == 0
        columns[name] = np.frombuffer(payload, TYPES[kind], length, 8 + told + offset)
    return header, columns


def rows_of(payload):
    """Every span of a payload: name, kind, status, session, start and end (ns since the epoch), parent's place."""
    header, columns = read(payload)
    origin = int(header["origin"])
    return [
        (
            header["names"][columns["name"][place]],
            header["kinds"][columns["kind"][place]],
            header["statuses"][columns["status"][place]],
            header["sessions"][columns["session"][place]],
            origin + int(columns["start"][place]),
            origin + int(columns["start"][place] + columns["duration"][place]),
            int(columns["parent"][place]),
        )
        for place in range(header["count"])
    ]


def test_every_span_is_there_with_what_it_is(weather):
    data = timeline_data(weather)

    assert rows_of(data.payload) == [
        (span.name, span.kind, span.status, span.session_id, span.start, span.end, 0 if span.parent_id else -1)
        for span in sorted(weather, key=lambda span: span.start)
    ]
    assert data.spans == sorted(weather, key=lambda span: span.start)


_ids = st.sampled_from([f"{number:016x}" for number in range(12)])
_times = st.integers(min_value=1, max_value=10**15)


@st.composite
def any_spans(draw):
    """Spans in any order: orphans, cycles, the same ids twice, open ones, ends before starts, starts not told."""
    rows = draw(
        st.lists(
            st.tuples(_ids, st.none() | _ids, st.sampled_from(["a" * 32, "b" * 32]), _times, st.none() | _times),
            max_size=14,
        )
    )
    made = []
    for span_id, parent_id, trace_id, start, end in rows:
        told = draw(st.sampled_from([start, start, start, 0]))
        status = "open" if end is None else draw(st.sampled_from(["ok", "error", "unset"]))
        fields = dict.fromkeys(SpanRow._fields) | SpanRow._field_defaults
        fields |= {"trace_id": trace_id, "span_id": span_id, "parent_id": parent_id, "name": f"name {span_id[-1]}"}
        fields |= {"kind": "other", "status": status, "start": told, "end": end, "tags": (), "attributes": {}}
        made.append(SpanRow(**fields))
    return made


@given(data=st.data())
def test_whatever_the_spans_each_one_is_there_once_with_its_times_and_its_parent(data):
    spans = data.draw(any_spans())

    shown = timeline_data(spans)

    expected = lineage(spans)
    assert sorted(map(id, shown.spans)) == sorted(map(id, expected.spans))
    by_id = {id(one): place for place, one in enumerate(expected.spans)}
    for (*_, start, end, parent), one in zip(rows_of(shown.payload), shown.spans, strict=True):
        if one.start > 0:
            assert start == one.start
        if one.end is not None and one.start > 0:
            assert end == max(one.end, one.start)
        assert end >= start
        above = expected.parents[by_id[id(one)]]
        assert (None if parent < 0 else shown.spans[parent]) is (None if above < 0 else expected.spans[above])


@given(data=st.data())
def test_each_call_counts_as_often_as_in_the_totals(data):
    numbers = st.none() | st.integers(min_value=0, max_value=1000)
    spans = [
        one._replace(
            kind=data.draw(st.sampled_from(["llm", "chain"])),
            input_tokens=data.draw(numbers),
            output_tokens=data.draw(numbers),
            cost=data.draw(st.none() | st.sampled_from([0.5, 0.25])),
        )
        for one in data.draw(any_spans())
    ]

    _, columns = read(timeline_data(spans).payload)

    figures = totals(spans)
    counts = columns["call_counts"]

    def summed(name, bit, missing):
        told = [value for value in columns[name][counts & bit > 0] if value != missing and not np.isnan(value)]
        return sum(told) if told else None

    assert int((counts & 1 > 0).sum()) == figures.llm_calls
    assert summed("call_input", 2, 2**32 - 1) == figures.input_tokens
    assert summed("call_output", 2, 2**32 - 1) == figures.output_tokens
    assert summed("call_cost", 4, None) == figures.cost


@given(data=st.data())
def test_between_gives_the_spans_that_run_then(data):
    shown = timeline_data(data.draw(any_spans()))
    first, last = sorted(data.draw(st.tuples(st.floats(0, 1e15), st.floats(0, 1e15))))

    found = shown.between(first, last)

    for place in range(len(shown.spans)):
        start, end = shown.start[place], shown.end[place]
        runs = start < last and (end > first or (start == end and start >= first))
        assert (place in found) is bool(runs)


def test_columns_of_a_store_give_what_their_rows_give():
    with ops.session("columns"), ops.span("run", **{"thread.name": "worker"}) as outer:
        outer.event("soon", n=1)
        with ops.span("call", **{"openinference.span.kind": "LLM", "llm.token_count.prompt": 5}) as inner:
            inner.event("later")
    stored = ops.get_session("columns")._spans
    assert isinstance(stored, SpanTable)
    assert stored.columns is not None
    backwards = stored.take(range(len(stored) - 1, -1, -1))

    payload = timeline_data(stored).payload

    assert stored.columns is not None
    assert read(payload)[0]["threads"] == ["worker", "MainThread"]
    assert payload == timeline_data(list(stored)).payload == timeline_data(backwards).payload


def test_a_chain_of_ten_thousand_calls_is_no_recursion(span):
    spans = [
        span(f"{n:016x}", f"{n - 1:016x}" if n else None, "level", n, 20_000 - n, kind="llm") for n in range(10_000)
    ]

    _, columns = read(timeline_data(spans).payload)

    assert columns["parent"].tolist() == list(range(-1, 9_999))
    assert columns["call_counts"].tolist() == [0] * 9_999 + [1]


def test_open_spans_end_with_what_is_known_of_their_trace(span):
    spans = [span("a", None, "run", 0, None), span("b", "a", "step", 10, 50)]

    _, columns = read(timeline_data(spans).payload)

    assert columns["duration"].tolist() == [60e6, 50e6]
    assert columns["open"].tolist() == [0]


def test_no_spans_are_a_payload_too():
    header, columns = read(timeline_data([]).payload)

    assert header["count"] == 0
    assert len(columns["start"]) == 0


def test_times_that_no_clock_has_are_put_where_they_fit(span):
    spans = [span("a", None, "x", 0, 1)._replace(start=2**64, end=2**64 + 5), span("b", None, "y", 0, 1)]

    _, columns = read(timeline_data(spans).payload)

    assert np.isfinite(columns["start"]).all()
    assert (columns["duration"] >= 0).all()


def test_hostile_text_is_made_visible_and_bounded(hostile):
    header, _ = read(timeline_data(hostile).payload)

    for text in (*header["names"], *header["sessions"], *header["models"], *header["events"]):
        assert len(text) <= 200
        assert not set(text) & set("\x1b\u202e\x00")


def test_names_are_there_once(span):
    spans = [span(f"{n:016x}", None, f"name {n % 3}", n, 1) for n in range(1000)]

    header, columns = read(timeline_data(spans).payload)

    assert header["names"] == ["name 0", "name 1", "name 2"]
    assert columns["name"].itemsize == 1


def threads_of(spans):
    header, columns = read(timeline_data(spans).payload)
    return [header["threads"][code] for code in columns["thread"]]


def test_a_span_without_a_thread_is_in_its_callers(span):
    spans = [
        span("a", None, "root", 0, 10, attributes={"thread.name": "MainThread"}),
        span("b", "a", "step", 1, 5),
        span("c", "a", "job", 2, 5, attributes={"thread.id": 7}),
        span("d", None, "other", 20, 5),
    ]

    assert threads_of(spans) == ["MainThread", "MainThread", "thread 7", ""]


def test_a_span_of_ours_without_a_thread_is_in_the_main_one(span):
    one, other = {"service.instance.id": "one"}, {"service.instance.id": "other"}
    spans = [
        span("a", None, "root", 0, 10, scope="mirascope_ops", resource=one),
        span("b", "a", "job", 1, 5, scope="mirascope_ops", resource=one, attributes={"thread.id": 7}),
        span("c", "b", "call", 2, 5, scope="openai", resource=one),
        span("d", "c", "callback", 3, 5, scope="mirascope_ops", resource=one),
        span("e", "a", "service", 4, 5, scope="mirascope_ops", resource=other),
        span("f", None, "unknown", 5, 5, scope="openai", resource=one),
    ]

    assert threads_of(spans) == ["MainThread", "thread 7", "thread 7", "MainThread", "MainThread · 2", ""]


def test_without_other_threads_our_spans_are_in_one_lane():
    with ops.session("one"), ops.span("outer"), ops.span("inner"):
        pass

    assert threads_of(ops.get_session("one").spans) == ["MainThread", "MainThread"]


def test_a_thread_is_its_id_its_name_and_its_process(span):
    one, other = {"service.instance.id": "one"}, {"service.instance.id": "other"}
    told = [
        ({"thread.id": 7, "thread.name": "worker"}, one),
        ({"thread.id": 8, "thread.name": "worker"}, one),  # of the same name
        ({"thread.id": 7}, one),  # of which another span tells more
        ({"thread.name": "MainThread"}, one),
        ({"thread.name": "MainThread"}, other),
        ({"thread.id": "7"}, other),
        ({"thread.id": None, "thread.name": " "}, other),
        ({"note": '"thread.id":9', "nested": {"thread.id": 9}}, other),
    ]
    spans = [
        span(f"{place:016x}", None, "step", place, 5, attributes=attributes, resource=resource)
        for place, (attributes, resource) in enumerate(told)
    ]
    expected = ["worker", "worker (8)", "worker", "MainThread", "MainThread · 2", "thread 7", "", ""]

    assert threads_of(spans) == expected


def test_a_service_that_was_called_is_not_in_its_callers_thread(span):
    caller = span("a", None, "ask", 0, 10, attributes={"thread.id": 7}, resource={"service.name": "shop"})
    called = span("b", "a", "answer", 1, 5, resource={"service.name": "model"})

    assert threads_of([caller, called]) == ["thread 7", ""]


@pytest.mark.parametrize(
    "attributes",
    [
        {"thread.id": 7, "thread.name": "worker"},
        {"thread.id": -7},
        {"thread.id": 2.5},
        {"thread.name": 'a "quoted" \\ name', "thread.id": "7"},
        {"said": '"thread.id":9', "thread.name": "x"},
        {"said": {"thread.id": 9}},
        {"said": '{"thread.id":9}', "thread.id": 3},
        {"thread.name": ["a"], "thread.daemon": True},
        {"input": "no thread"},
    ],
)
def test_the_text_of_attributes_tells_the_same_thread_as_the_attributes(attributes):
    text = codec.encode(attributes)

    said, thread = said_by(text), thread_of(codec.decode(text))

    assert said is None or said == (thread[1:] if thread else ("", ""))


def test_events_stand_by_span_and_time(span):
    spans = [span("a", None, "run", 0, 10, events=[EventRecord("late", 9, {}), EventRecord("soon", 2, {})])]

    header, columns = read(timeline_data(spans).payload)

    assert [header["events"][code] for code in columns["event_name"]] == ["soon", "late"]


def cases(all_traces, failed, span):
    """Spans of all sorts, by name."""
    overlapping = [
        span(f"{n:016x}", f"{n // 3:016x}" if n else None, f"step {n % 4}", n * 3 % 17 + n // 3, 40 - n)
        for n in range(30)
    ]
    return {
        "conversation": all_traces,
        "failed": failed,
        "overlapping": overlapping,
        "open": [span("a", None, "run", 0, None), span("b", "a", "step", 10, 50)],
    }


def told(name, spans):
    """What the browser's side is to find in a payload."""
    data = timeline_data(spans)
    place = {id(one): at for at, one in enumerate(data.spans)}
    rows = zip(data.spans, data.start, data.end, read(data.payload)[1]["parent"], strict=True)
    figures = totals(spans)
    return {
        "name": name,
        "payload": base64.b64encode(data.payload).decode(),
        "spans": [
            {
                "name": one.name,
                "kind": one.kind,
                "status": one.status,
                "session": one.session_id or "",
                "start": start,
                "end": end,
                "parent": int(parent),
            }
            for one, start, end, parent in rows
        ],
        "critical": [
            [place[id(step.span)], step.start - data.origin, step.end - data.origin] for step in critical_path(spans)
        ],
        "totals": {key: getattr(figures, key) for key in ("spans", "errors", "llm_calls", "input_tokens", "cost")},
        "events": [
            [at, event.time - data.origin, event.name]
            for at, one in enumerate(data.spans)
            for event in sorted(one.events, key=lambda event: event.time)
        ],
    }


def test_the_browsers_tests_read_what_is_written_here(all_traces, failed, span, request):
    """Its fixture is what this side says; with --snapshot-update it is written anew."""
    expected = [told(name, spans) for name, spans in cases(all_traces, failed, span).items()]
    text = json.dumps(expected, ensure_ascii=False, indent=1) + "\n"
    if request.config.getoption("--snapshot-update"):
        FIXTURE.write_text(text, encoding="utf-8")

    assert json.loads(FIXTURE.read_text(encoding="utf-8")) == json.loads(text)


def test_a_panel_tells_what_the_columns_do_not(weather):
    detail = timeline_detail(weather[2])

    assert [message["role"] for message in detail["messages"]][-1] == "assistant"
    assert detail["messages"][-1]["calls"] == ['get_weather({"city":"Paris","unit":"celsius"})']
    assert ("Cell", "In [7]") in detail["facts"]
    assert not detail["values"]
    assert detail["cut"] == 0


def test_a_panel_shows_an_error_with_its_traceback(failed):
    (raised,) = [span for span in failed if span.status == "error" and span.kind == "llm"]

    detail = timeline_detail(raised)

    assert detail["error"] is not None
    assert "InternalServerError" in detail["error"]["title"]
    assert "Traceback" in detail["error"]["traceback"]


def test_a_panel_is_bounded_and_says_what_was_cut(span):
    told = AnnotationRecord("t", "s", 1, "pass", "good", ["a"], {})
    one = span(
        "a",
        None,
        "big",
        0,
        10,
        input="x" * 1_000_000,
        output="y",
        attributes={f"key {n}": "z" * 10_000 for n in range(1000)},
        events=[EventRecord(f"event {n}", n, {"n": n}) for n in range(1000)],
        annotations=[told],
    )

    detail = timeline_detail(one)

    assert len(json.dumps(detail)) < 250_000
    assert detail["cut"] > 1000
    assert detail["values"][0][1].endswith("980,000 more characters")
    assert detail["annotations"] == ["pass · good · a"]


def test_a_panel_of_hostile_spans_is_plain_text(hostile):
    for one in hostile:
        text = json.dumps(timeline_detail(one), ensure_ascii=False)

        assert not set(text) & set("\x1b\u202e")
        text.encode()


def test_an_option_that_there_is_not_is_refused_with_those_that_there_are():
    with pytest.raises(TypeError, match=r"'colour'. Did you mean 'color'\? It takes lanes, color, view, critical_path"):
        timeline_options({"colour": "kind"})


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"lanes": "rows"}, "session, depth, thread, name"),
        ({"color": "red"}, "kind, status, cost, name"),
        ({"view": "3d"}, "time, flame"),
        ({"height": 10}, "240 or more"),
        ({"height": True}, "240 or more"),
        ({"query": 5}, "no text"),
    ],
)
def test_an_option_with_a_value_that_means_nothing_is_refused(given, said):
    with pytest.raises(ConfigurationError, match=said):
        timeline_options(given)


def test_the_front_end_tells_kinds_and_statuses_by_the_same_words():
    source = (ROOT / "jupyter_extension" / "src" / "timeline" / "theme.ts").read_text(encoding="utf-8")

    assert f"KINDS = [{', '.join(json.dumps(kind) for kind in KINDS)}]" in source
    assert STATUSES[2] == "error"


def test_the_colours_of_kinds_are_those_of_the_other_views():
    from mirascope_ops.views.styles import KIND_COLOURS

    sheet = (ROOT / "jupyter_extension" / "src" / "timeline" / "timeline.css").read_text(encoding="utf-8")

    for kind, (light, dark) in KIND_COLOURS.items():
        assert f"--{kind}: light-dark({light}, {dark});" in sheet


def test_what_was_not_built_is_none():
    assert bundle("no such folder") is None
