from __future__ import annotations

import json

import pandas as pd
import pytest
from analysis_build import MS, T0, exception, llm, record, run, session

from mirascope_ops.analysis.frames import messages_frame, sessions_frame, spans_frame, traces_frame, turns_frame
from mirascope_ops.analysis.normalise import normalise
from mirascope_ops.analysis.rows import SpanRow
from mirascope_ops.analysis.schema import (
    MESSAGES_SCHEMA,
    SESSIONS_SCHEMA,
    SPANS_SCHEMA,
    TRACES_SCHEMA,
    TURNS_SCHEMA,
)
from mirascope_ops.analysis.sessions import session_card
from mirascope_ops.analysis.turns import turns
from mirascope_ops.exceptions import ConfigurationError
from mirascope_ops.store.records import AnnotationRecord, LinkRecord

FIRST_COLUMNS = (
    "trace_id, span_id, parent_id, session_id, conversation_id, name, kind, status, start, end, duration, input, "
    "output, model, provider, input_tokens, output_tokens, cache_read_tokens, cost, ttft, error_type, error_message, "
    "user_id, tags, session_attributes, cell_id, execution_count, notebook, service, scope, attributes, events, links"
)


def rows():
    annotation = AnnotationRecord("t1", "root", T0, "pass", None, ("seen",), {})
    return normalise(
        [
            record("root", end=20, session_id="s", cell_id="c", execution_count=3, links=[LinkRecord("t", "x", {})]),
            llm("call", 10, 2, parent="root", attributes={"gen_ai.usage.cost": 0.5, "gen_ai.request.temperature": 1}),
            record("bad", parent="root", events=[exception()], end=None),
        ],
        [annotation],
    )


def test_the_columns_are_the_records_fields_in_their_order():
    assert [column.name for column in SPANS_SCHEMA] == list(SpanRow._fields)
    assert ", ".join(spans_frame(rows()).columns).startswith(FIRST_COLUMNS)


def test_a_spans_frame_has_the_dtypes_of_its_schema():
    dtypes = spans_frame(rows()).dtypes

    assert str(dtypes["start"]) == str(dtypes["end"]) == "datetime64[ns, UTC]"
    assert str(dtypes["duration"]) == str(dtypes["ttft"]) == "timedelta64[ns]"
    assert str(dtypes["input_tokens"]) == str(dtypes["execution_count"]) == "Int64"
    assert str(dtypes["cost"]) == "Float64"
    assert dtypes["name"] == pd.StringDtype("pyarrow", na_value=pd.NA)
    assert str(dtypes["kind"]) == str(dtypes["status"]) == "category"
    assert dtypes["tags"] == dtypes["attributes"] == dtypes["name"]


def test_values_come_through_exactly():
    found = spans_frame(rows())

    first, call, bad = (found.iloc[place] for place in range(3))
    assert first["start"] == pd.Timestamp(T0, tz="UTC")
    assert first["duration"].value == 20 * MS
    assert (json.loads(first["tags"]), first["kind"], first["execution_count"]) == (["seen"], "other", 3)
    assert (call["input_tokens"], call["cost"], call["session_id"]) == (10, 0.5, "s")
    assert (bad["status"], bad["error_type"], bad["error_message"]) == ("error", "ValueError", "bad")
    assert bad["end"] is pd.NaT
    assert bad["model"] is pd.NA


def test_attributes_events_links_and_annotations_are_json():
    found = spans_frame(rows())

    assert json.loads(found["attributes"][1])["gen_ai.usage.cost"] == 0.5
    assert json.loads(found["events"][2])[0]["attributes"]["exception.type"] == "ValueError"
    assert json.loads(found["links"][0]) == [{"trace_id": "t", "span_id": "x", "attributes": {}}]
    assert json.loads(found["annotations"][0])[0]["label"] == "pass"
    assert found["events"][0] == "[]"


@pytest.mark.parametrize(
    ("empty", "full", "schema"),
    [
        (spans_frame([]), spans_frame(rows()), SPANS_SCHEMA),
        (traces_frame([]), traces_frame(turns(rows())), TRACES_SCHEMA),
        (turns_frame([]), turns_frame(turns(rows())), TURNS_SCHEMA),
        (messages_frame([]), messages_frame(rows()), MESSAGES_SCHEMA),
        (sessions_frame([]), sessions_frame([session_card(session("s"), [run("r", "s")], rows())]), SESSIONS_SCHEMA),
    ],
    ids=["spans", "traces", "turns", "messages", "sessions"],
)
def test_empty_tables_have_the_same_columns_and_dtypes(empty, full, schema):
    assert list(full.columns) == [column.name for column in schema]
    assert full.dtypes.to_dict() == empty.dtypes.to_dict()
    assert len(empty) == 0


def test_how_a_span_was_emitted_stays_beside_what_reading_made_of_it():
    emitted = record("a", status="ok", span_kind="client", sampled=False, status_message="fine", events=[exception()])
    emitted = emitted._replace(resource={"service.name": "web"})

    row = normalise([emitted])[0]
    found = spans_frame([row]).iloc[0]

    assert (row.status, row.status_code) == ("error", "ok")
    assert (row.span_kind, row.sampled, row.status_message) == ("client", False, "fine")
    assert row.resource == {"service.name": "web"}
    assert (found["status_code"], found["span_kind"], found["sampled"]) == ("ok", "client", False)
    assert json.loads(found["resource"]) == {"service.name": "web"}
    assert "resource" not in row.shown()


def test_columns_are_given_in_the_order_asked_for():
    assert list(spans_frame(rows(), columns=["duration", "name"]).columns) == ["duration", "name"]


def test_an_unknown_column_says_which_there_are():
    with pytest.raises(ConfigurationError, match=r"'colour' is no column of spans; expected any of trace_id"):
        spans_frame([], columns=["colour"])
    with pytest.raises(ConfigurationError, match=r"expected 'json' or 'columns'"):
        spans_frame([], attributes="rows")


def test_attributes_can_be_columns_with_the_dtypes_of_their_values():
    spans = normalise(
        [
            record("a", attributes={"n": 1, "x": 1, "flag": True, "mixed": 1, "name": "theirs", "many": ["p", "q"]}),
            record("b", attributes={"x": 0.5, "mixed": "text"}),
        ]
    )

    found = spans_frame(spans, attributes="columns")

    assert "attributes" not in found.columns
    assert list(found["name"]) == ["a", "b"]
    assert list(found["attributes.name"]) == ["theirs", pd.NA]
    dtypes = {name: str(found[f"attributes.{name}"].dtype) for name in ("n", "x", "flag", "mixed", "many")}
    assert dtypes == {"n": "Int64", "x": "Float64", "flag": "boolean", "mixed": "string", "many": "string"}
    assert found["attributes.many"][0] == '["p","q"]'


def test_single_attributes_can_be_asked_for():
    found = spans_frame(rows(), columns=["name", "attributes.gen_ai.request.temperature"], attributes="columns")

    assert list(found["attributes.gen_ai.request.temperature"]) == [pd.NA, 1, pd.NA]


def test_what_a_dtype_cannot_hold_is_missing_and_nothing_raises():
    far = record("\ud83d", attributes={"lone\udc00": "\ud83d", "big": 2**70})._replace(end=2**64 - 1)

    found = spans_frame(normalise([far, record("b")]))

    assert found["end"][0] is pd.NaT
    assert found["name"][0] == "�"
    assert list(spans_frame(normalise([far]), attributes="columns")["attributes.big"]) == [f'"{2**70}"']


def test_a_traces_frame_has_a_row_a_trace():
    found = traces_frame(turns(rows()))

    assert list(found[["name", "status", "spans", "llm_calls", "input_tokens"]].iloc[0]) == ["root", "unset", 3, 1, 10]
    assert found["recovered"][0] == "bad"


def test_a_messages_frame_has_a_row_a_message_of_each_call():
    said = {"gen_ai.prompt.0.role": "user", "gen_ai.prompt.0.content": "Hi", "gen_ai.completion.0.content": "Hello"}

    found = messages_frame(normalise([llm("outer", attributes=said), llm("inner", parent="outer", attributes=said)]))

    assert list(found["span_id"]) == ["inner", "inner"]
    assert list(found["index"]) == [0, 1]
    assert list(found["role"]) == ["user", "assistant"]
    assert found["tool_calls"].isna().all()


def test_a_spans_frame_survives_parquet(tmp_path):
    found = spans_frame(rows())

    found.to_parquet(tmp_path / "spans.parquet")
    read = pd.read_parquet(tmp_path / "spans.parquet")

    pd.testing.assert_frame_equal(read, found)
