"""The first picture of a large timeline: some of its spans, chosen so that it looks like the whole."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mirascope_ops.analysis.table import SpanTable, told_by
from mirascope_ops.store import codec
from mirascope_ops.store.records import EventRecord
from mirascope_ops.views import timeline_first
from mirascope_ops.views.timeline import timeline_data
from mirascope_ops.views.timeline_first import first_picture
from mirascope_ops.views.timeline_keys import places_among
from mirascope_ops.views.timeline_static import overview_html, timeline_html
from tests.views.test_timeline import any_spans, read


@pytest.fixture
def few(monkeypatch):
    """Let a first picture have some forty spans."""
    for name, number in {"_MOST": 40, "_MOST_FIRST": 10, "_MOST_WIDE": 20, "_MOST_CALLERS": 20}.items():
        monkeypatch.setattr(timeline_first, name, number)


def ids_of(spans):
    return {(span.trace_id, span.span_id) for span in spans}


@pytest.fixture
def forest(span):
    """Two hundred traces of a turn and three calls in four sessions, one of them long; the last trace is deep."""
    made = []
    for turn in range(200):
        told = {"trace_id": f"{turn + 1:032x}", "session_id": f"s{turn % 4}"}
        took = 60_000 if turn == 70 else 90
        top = f"{turn * 8 + 1:016x}"
        made.append(span(top, None, "turn", turn * 100, took, kind="chain", **told))
        for call in range(3):
            failed = "error" if turn % 50 == 0 else "ok"
            name, at = f"{turn * 8 + 2 + call:016x}", turn * 100 + call * 20
            made.append(span(name, top, "ask", at, took / 9, kind="llm", status=failed, **told))
    told = {"trace_id": "f" * 32, "session_id": "deep"}
    for level in range(12):
        above = f"{9000 + level - 1:016x}" if level else None
        made.append(span(f"{9000 + level:016x}", above, "dig", 20_100 + level, 5000 - level, **told))
    return made


def test_it_has_the_longest_spans_with_what_called_them_and_whole_traces_of_the_others(few, forest):
    shown = first_picture(forest).data

    longest = sorted(forest, key=lambda one: one.duration, reverse=True)[:14]
    assert ids_of(longest) <= ids_of(shown.spans)
    assert 32 <= len(shown.spans) <= 60
    header, columns = read(shown.payload)
    assert header["of"] == len(forest)
    assert header["count"] == len(shown.spans)
    above = {(one.trace_id, one.span_id): one.parent_id for one in forest}
    for place, parent in enumerate(columns["parent"].tolist()):
        one = shown.spans[place]
        told = None if parent < 0 else shown.spans[parent].span_id
        assert told == above[one.trace_id, one.span_id]
    traces = [one.trace_id for one in shown.spans]
    assert any(traces.count(trace) == 4 for trace in set(traces) - {f"{71:032x}"})


def test_lanes_and_colours_come_in_the_order_in_which_they_stay(few, forest):
    told, _ = read(first_picture(forest).data.payload)
    whole, _ = read(timeline_data(forest).payload)

    for words in ("sessions", "names", "origin", "end"):
        assert told[words] == whole[words]


def test_a_span_whose_calls_are_left_out_is_none_that_called_nothing(few, forest):
    shown = first_picture(forest).data
    _, columns = read(shown.payload)

    calling = {(one.trace_id, one.parent_id) for one in forest}
    assert {place for place, one in enumerate(shown.spans) if (one.trace_id, one.span_id) in calling} == set(
        columns["callers"].tolist()
    )
    assert len(set(columns["callers"].tolist()) - set(columns["parent"].tolist())) > 0


def test_rows_and_the_columns_of_a_store_give_the_same_picture(few, forest):
    columns = told_by(forest).columns
    texts = {"attributes": codec.encode, "events": lambda _: None, "links": lambda _: None}
    encoded = [
        list(map(texts[name], column)) if name in texts else column
        for name, column in zip(forest[0]._fields, columns, strict=True)
    ]
    table = SpanTable(encoded)

    assert first_picture(table).data.payload == first_picture(forest).data.payload
    assert table.columns is not None


def test_spans_may_come_in_any_order(few, forest):
    backwards = sorted(forest, key=lambda one: -one.start)

    shown = first_picture(backwards).data

    starts = [one.start for one in shown.spans]
    assert starts == sorted(starts)
    told, whole = read(shown.payload)[0], read(first_picture(forest).data.payload)[0]
    assert [told[name] for name in ("sessions", "names", "origin", "end")] == [
        whole[name] for name in ("sessions", "names", "origin", "end")
    ]


def test_the_static_picture_tells_of_all_spans(few, forest):
    overview = first_picture(forest).overview

    html, whole = overview_html(overview), timeline_html(timeline_data(forest))
    assert "812 spans in 201 traces" in html
    assert "5 sessions" in html
    assert html.split("<svg")[1].split("</svg>")[0] == whole.split("<svg")[1].split("</svg>")[0]
    assert "12 failed" in html


@given(data=st.data())
def test_whatever_the_spans_each_one_of_the_picture_has_its_own_place_among_all(data):
    spans = data.draw(any_spans())

    shown = first_picture(spans).data
    whole = timeline_data(spans).spans

    for place, one in zip(places_among(shown.spans, whole).tolist(), shown.spans, strict=True):
        assert place < 0 or (whole[place].trace_id, whole[place].span_id) == (one.trace_id, one.span_id)
    parents = read(shown.payload)[1]["parent"]
    assert ((parents >= -1) & (parents < len(shown.spans))).all()


@pytest.mark.parametrize("ids", ["not hex {:08}", "{:x}"])
def test_ids_that_are_none_leave_out_callers_and_places_and_nothing_else(few, span, ids):
    spans = [span(ids.format(n), ids.format(n - 1) if n else None, "step", n, 500 - n, trace_id="t") for n in range(99)]

    shown = first_picture(spans)

    assert len(shown.data.spans) == 40
    assert shown.overview.traces == 1
    assert set(places_among(shown.data.spans, spans).tolist()) == {-1}


def test_open_spans_and_events_are_there(few, span):
    spans = [span(f"{n + 1:016x}", None, "step", n, 1) for n in range(99)]
    spans[50] = span("f" * 16, None, "runs", 50, None, events=[EventRecord("soon", spans[50].start + 5, {})])

    shown = first_picture(spans).data

    header, columns = read(shown.payload)
    (open_one,) = columns["open"].tolist()
    assert shown.spans[open_one].name == "runs"
    assert header["events"] == ["soon"]
    assert header["end"] == 99_000_000
