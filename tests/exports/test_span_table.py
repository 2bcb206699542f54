"""Spans by column are the spans: whatever is asked of them, columns and rows answer alike."""

from __future__ import annotations

import math
import tempfile
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pytest
from exported_strategies import keys, maybe_text, records, said, scalars, values
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mirascope_ops import SpanSet
from mirascope_ops.analysis import gathered, vocabulary
from mirascope_ops.analysis.arrow import spans_table
from mirascope_ops.analysis.frames import spans_frame
from mirascope_ops.analysis.normalise import normalise, table_of
from mirascope_ops.analysis.table import SpanTable, chosen_spans, few_spans_at
from mirascope_ops.analysis.texts import Texts
from mirascope_ops.store import memory, sqlite
from mirascope_ops.store.memory import MemoryStore
from mirascope_ops.store.records import AnnotationRecord, EventRecord, SpanQuery
from mirascope_ops.store.sqlite import SqliteStore

# Keys that mean something to some library, with values as they write them, and others that nobody writes there.
known_keys = st.sampled_from(
    sorted(
        {
            source.key + ("0.message.content" if source.key.endswith(".") else "")
            for sources in vocabulary.FIELDS.values()
            for source in sources
        }
        | {"error.type", "mirascope.annotation.label", "annotations.0.annotation.label", "mirascope.response.content"}
    )
)
told = st.sampled_from(
    [
        "chat", "LLM", '"TOOL"', "EMBEDDING", '{"input_tokens": 3, "output_tokens": 2}', '{"total": 0.5}', '["a", "b"]',
        "a,b", '"quoted"', '"lone \\ud800"', "12", 12, 0.25, 0, True, ["x", "y"], {"type": "llm"}, "session", " ",
    ]
)  # fmt: skip
vocabularies = st.dictionaries(known_keys | keys, told | scalars | values, max_size=6)


@st.composite
def stored(draw):
    """Spans, each once, of whatever vocabulary, some of them of traces in which they take from each other."""
    found = draw(st.lists(records(), max_size=6, unique_by=lambda span: span[:2]))
    return [span._replace(attributes=draw(vocabularies)) if draw(st.booleans()) else span for span in found]


@st.composite
def judged(draw, spans):
    """Judgements on some of these spans, and on one that is not there."""
    ids = [span[:2] for span in spans] + [("0" * 32, "0" * 16)]
    return [
        AnnotationRecord(*draw(st.sampled_from(ids)), draw(st.integers(0, 9)), draw(maybe_text), "why", ["tag"], {})
        for _ in range(draw(st.integers(0, 2)))
    ]


def tables(store):
    """The spans of a store by column: as few, packed as if they were many, and so in several batches."""
    annotations = store.annotations(None)
    found = [table_of(store.batches(SpanQuery()), annotations)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(gathered, "_MANY", 2)
        found.append(table_of(store.batches(SpanQuery()), annotations))
        for place in (gathered, "_CHUNK"), (memory, "BATCH"), (sqlite, "BATCH"):
            patch.setattr(*place, 2)
        found.append(table_of(store.batches(SpanQuery()), annotations))
    return found


@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data(), spans=stored())
def test_columns_and_rows_make_the_same_frame_whatever_the_spans_speak(data, spans):
    annotations = data.draw(judged(spans))
    with tempfile.TemporaryDirectory() as folder:
        file = SqliteStore(Path(folder) / "spans.db")
        for store in (MemoryStore(), file):
            store.write(spans, (), annotations)
            rows = normalise(store.spans(SpanQuery()), store.annotations(None))
            for table in tables(store):
                for attributes in ("json", "columns"):
                    expected, found = (
                        spans_frame(rows, attributes=attributes),
                        spans_frame(table, attributes=attributes),
                    )
                    pd.testing.assert_frame_equal(found, expected)
                    assert found.attrs == expected.attrs
                assert spans_table(table).equals(spans_table(rows))
                assert table.columns is not None, "rows were made for a table"
                assert said(list(table)) == said(rows)
        file.close()


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data(), spans=stored())
def test_parts_of_a_table_are_parts_of_its_rows(data, spans):
    store = MemoryStore()
    store.write(spans)
    rows = normalise(store.spans(SpanQuery()))
    bounds = st.none() | st.integers(-7, 7)
    part = slice(data.draw(bounds), data.draw(bounds), data.draw(st.sampled_from([None, 1, 2, -1, -2])))
    places = data.draw(st.lists(st.integers(0, len(rows) - 1), max_size=4)) if rows else []

    for table in tables(store):
        assert said(list(table[part])) == said(rows[part])
        assert said(list(table.take(places))) == said([rows[place] for place in places])
        wanted = {row.status for row in rows[:1]}
        with_events = chosen_spans(table, bool, "events")
        assert said(list(with_events)) == said([row for row in rows if row.events])
        few = chosen_spans(table, wanted.__contains__, "status")
        assert said(list(few)) == said([row for row in rows if row.status in wanted])


@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(spans=stored())
def test_what_a_batch_tells_key_by_key_are_its_spans_attributes(spans):
    with tempfile.TemporaryDirectory() as folder:
        file = SqliteStore(Path(folder) / "spans.db")
        for store in (MemoryStore(), file):
            store.write(spans)
            for batch in store.batches(SpanQuery()):
                told = {place: mapping for some in batch.groups for place, mapping in attributes_in(some)}
                assert said([told[place] for place in range(len(batch))]) == said(
                    [batch.record(place).attributes for place in range(len(batch))]
                )
        file.close()


def attributes_in(some):
    """The attributes of spans with the same keys, by place; each value is read by its key."""
    columns = [some.values(key) for key in some.keys]
    rows = [dict(zip(some.keys, values, strict=True)) for values in zip(*columns, strict=True)]
    assert said(some.mappings()) == said(rows or [{}] * len(some))
    return zip(some.places, some.mappings(), strict=True)


@pytest.fixture
def store(make):
    made = MemoryStore()
    failure = EventRecord("exception", 5, {"exception.type": "ValueError"})
    called = {"gen_ai.operation.name": "chat", "gen_ai.usage.input_tokens": 10}
    root = make(name="root", session_id="s", start=1, events=[failure])
    call = make(name="call", parent_id=root.span_id, attributes=called)
    odd = {"share": 1e-7, "big": 1e22, "told": math.nan}
    step = make(name="step", parent_id=call.span_id, end=None, status="open", attributes=odd)
    made.write([root, call, step])
    return made


def test_a_frame_is_made_without_a_single_row(store, monkeypatch):
    monkeypatch.setattr("mirascope_ops.analysis.table.make_row", None)
    spans = SpanSet(table_of(store.batches(SpanQuery())))

    frame = spans.to_pandas()

    assert frame["session_id"].tolist() == ["s", "s", "s"]
    assert frame["attributes"].tolist()[2] == '{"share":1e-07,"big":1e+22,"told":NaN}'
    assert spans.filter(kind="llm").to_pandas(columns=["name"])["name"].tolist() == ["call"]
    assert spans.filter("input_tokens > 3").to_arrow().num_rows == 1
    assert len(spans[1:]) == 2


def test_events_that_tell_something_are_read_among_others(make):
    store = MemoryStore()
    names = ["ai.stream.firstChunk", "exception", "gen_ai.user.message", "error"]
    store.write([make(start=1, events=[EventRecord(name, 5, {"exception.type": "E"})]) for name in names])

    frame = spans_frame(table_of(store.batches(SpanQuery())))

    assert [ttft.value for ttft in frame["ttft"]] == [4, *[pd.NaT.value] * 3]
    assert frame["error_type"].isna().tolist() == [True, False, True, True]
    assert frame["status"].tolist() == [row.status for row in normalise(store.spans(SpanQuery()))]


def test_a_set_holds_columns_or_rows_and_never_both(store):
    table = table_of(store.batches(SpanQuery()))
    first = table[0]

    rows = list(table)

    assert table.columns is None
    assert table[0] is rows[0]
    assert first == rows[0]
    assert table[0].start == 1
    assert table[1].attributes["gen_ai.usage.input_tokens"] == 10
    assert table[2].duration is None
    assert [row.name for row in table.take([2, 0])] == ["step", "root"]
    assert table[0].events[0].time == 5
    with pytest.raises(IndexError):
        table[3]


def test_a_table_without_spans_is_an_empty_sequence():
    table = table_of(())

    assert len(spans_frame(table)) == len(table[:2]) == 0
    assert isinstance(table, SpanTable)
    assert list(table) == []


def test_a_few_spans_are_taken_of_text_in_many_parts(make):
    store = MemoryStore()
    store.write([make(start=number, name=f"step {number}", attributes={"n": number}) for number in range(1, 10)])
    whole = table_of(store.batches(SpanQuery()))
    columns = [
        Texts(pa.chunked_array([pa.array(list(column[at : at + 4]), pa.large_string()) for at in (0, 4, 8)]))
        if all(isinstance(value, str) for value in column)
        else column
        for column in whole.columns
    ]
    table = SpanTable(columns)

    few = few_spans_at(table, [0, 3, 4, 8])

    rows = list(whole)
    assert any(isinstance(column, Texts) for column in few.columns)
    assert len(few_spans_at(table, [])) == 0
    assert list(few) == [rows[place] for place in (0, 3, 4, 8)]
    assert few_spans_at(rows, [2]) == [rows[2]]
