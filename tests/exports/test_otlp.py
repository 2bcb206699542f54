"""OTLP files: what was written is read back, peers read what we write, and what others write is read."""

from __future__ import annotations

import base64
import gzip
import json
import math
import os
import struct
import sys
import tempfile
import warnings
from pathlib import Path

import pytest
from exported_strategies import as_stored, exported, said
from google.protobuf import json_format
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import TracesData
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import Link, SpanKind, StatusCode

from mirascope_ops import ConfigurationError, FormatError
from mirascope_ops.store import otlp_file
from mirascope_ops.store.otlp import Exported
from mirascope_ops.store.records import LinkRecord

SUFFIXES = ["jsonl", "jsonl.gz", "pb", "binpb.gz"]


def read(path, **options):
    return list(otlp_file.read(path, **options))


def span(**fields):
    """An OTLP/JSON span."""
    return {"traceId": "0af7651916cd43dd8448eb211c80319c", "spanId": "00000000000000a1", "name": "answer"} | fields


def document(*spans, **fields):
    return {"resourceSpans": [{"scopeSpans": [{"spans": list(spans)}]}], **fields}


@pytest.fixture
def written(tmp_path):
    """Writes text or bytes to a file and reads it."""

    def write(content, name="spans.jsonl", **options):
        path = tmp_path / name
        if not isinstance(content, bytes):
            content = (content if isinstance(content, str) else json.dumps(content)).encode()
        path.write_bytes(content)
        return read(path, **options)

    return write


def one(written, **fields):
    return written(document(span(**fields)))[0].record


# -- round trips ----------------------------------------------------------------------------------------------------


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(spans=st.lists(exported(), max_size=3))
def test_what_was_written_is_read_back(spans):
    with tempfile.TemporaryDirectory() as folder:
        paths = [otlp_file.write(Path(folder) / f"spans.{suffix}", spans) for suffix in SUFFIXES]

        for path in paths:
            assert said(read(path)) == said(spans)


@settings(max_examples=30, deadline=None)
@given(
    spans=st.lists(
        exported(
            trace_ids=st.text(max_size=3) | st.just("A" * 32),
            span_ids=st.text(max_size=3) | st.just("\udc00"),
            times=st.integers(),
        ),
        max_size=3,
    )
)
def test_ids_and_times_that_otlp_has_no_room_for_come_back_too(spans):
    with tempfile.TemporaryDirectory() as folder:
        paths = [otlp_file.write(Path(folder) / f"spans.{suffix}", spans) for suffix in ("jsonl", "pb")]

        for path in paths:
            # A lone surrogate is no character in a file.
            assert said(read(path)) == said(spans).replace("\\udc00", "�")


def test_links_between_spans_with_odd_ids_stay_links_for_other_readers(make, tmp_path):
    cause = make(trace_id="t", span_id="cause")
    effect = make(trace_id="t", span_id="effect", parent_id="cause", links=[LinkRecord("t", "cause", {})])

    path = otlp_file.write(tmp_path / "spans.jsonl", [Exported(cause), Exported(effect)])

    first, second = json.loads(path.read_text())["resourceSpans"][0]["scopeSpans"][0]["spans"]
    assert second["parentSpanId"] == first["spanId"] == second["links"][0]["spanId"]
    assert second["traceId"] == first["traceId"] == second["links"][0]["traceId"]
    assert read(path)[1].record.links == [LinkRecord("t", "cause", {})]


@pytest.mark.parametrize("suffix", ["jsonl", "pb"])
def test_bytes_come_back_as_bytes(suffix, make, tmp_path):
    span = make(attributes={"raw": b"\0\xff", "many": [b"", b"a"]})

    path = otlp_file.write(tmp_path / f"spans.{suffix}", [Exported(span)])

    assert read(path)[0].record.attributes == span.attributes


def test_what_no_file_can_hold_becomes_its_nearest_kin(make, tmp_path):
    class Thing:
        def __str__(self):
            return "a thing"

    span = make(name="lone \ud800", attributes={"big": 2**70, "thing": Thing(), 5: (1, "\udc00"), "set": {1}})

    path = otlp_file.write(tmp_path / "spans.jsonl", [Exported(span)])

    record = read(path)[0].record
    assert record.name == "lone \ufffd"
    assert record.attributes == {"big": str(2**70), "thing": "a thing", "5": [1, "\ufffd"], "set": [1]}


@pytest.mark.parametrize("suffix", ["jsonl", "pb"])
def test_values_nested_deeper_than_protobuf_allows_come_back(suffix, make, tmp_path):
    value: object = 1
    for _ in range(50):
        value = {"a": [value]}
    span = as_stored(make(attributes={"deep": value}, events=()))

    path = otlp_file.write(tmp_path / f"spans.{suffix}", [Exported(span)])

    assert read(path)[0].record == span


def test_many_spans_are_written_as_several_lines_under_few_resources(make, tmp_path):
    spans = [Exported(make(resource={"service.name": "web"}, service="web")) for _ in range(1000)]

    path = otlp_file.write(tmp_path / "spans.jsonl", iter(spans))

    lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert [len(line["resourceSpans"]) for line in lines] == [1, 1, 1, 1]
    assert [len(line["resourceSpans"][0]["scopeSpans"][0]["spans"]) for line in lines] == [256, 256, 256, 232]
    assert read(path) == spans


def test_resources_that_are_equal_in_python_only_stay_apart(make, tmp_path):
    spans = [Exported(make(resource={"n": n})) for n in (1, 1.0, True, 1)]

    path = otlp_file.write(tmp_path / "spans.jsonl", spans)

    assert [repr(found.record.resource["n"]) for found in read(path)] == ["1", "1.0", "True", "1"]


# -- peers ------------------------------------------------------------------------------------------------------------


def with_base64_ids(found):
    """OTLP/JSON as protobuf's own reader takes it: that one knows nothing of hex ids."""
    if isinstance(found, dict):
        ids = ("traceId", "spanId", "parentSpanId")
        return {
            key: base64.b64encode(bytes.fromhex(value)).decode() if key in ids else with_base64_ids(value)
            for key, value in found.items()
        }
    return [with_base64_ids(each) for each in found] if isinstance(found, list) else found


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(spans=st.lists(exported(), min_size=1, max_size=3))
def test_protobufs_own_reader_finds_the_same_in_json_and_in_protobuf(spans):
    with tempfile.TemporaryDirectory() as folder:
        text = otlp_file.write(Path(folder) / "spans.jsonl", spans).read_bytes()
        data = otlp_file.write(Path(folder) / "spans.pb", spans).read_bytes()

    by_json = json_format.ParseDict(with_base64_ids(json.loads(text)), TracesData())
    by_protobuf = TracesData.FromString(data[4:])
    assert struct.unpack(">I", data[:4]) == (len(data) - 4,)
    assert by_json.SerializeToString(deterministic=True) == by_protobuf.SerializeToString(deterministic=True)
    assert sum(len(s.spans) for r in by_json.resource_spans for s in r.scope_spans) == len(spans)


@pytest.fixture
def sdk_spans():
    """Spans of the OpenTelemetry SDK, of all that it has."""
    exporter = InMemorySpanExporter()
    provider = TracerProvider(resource=Resource({"service.name": "shop", "host.cpus": 4}))
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    tracer = provider.get_tracer("shop.lib", "1.2.3", "https://schema.example/1", {"team": "a"})
    with tracer.start_as_current_span("order", kind=SpanKind.SERVER) as order:
        order.set_attributes({"n": 3, "ok": True, "share": 0.5, "tags": ["a", "b"], "nan": math.nan})
        link = Link(order.get_span_context(), {"why": "because"})
        with tracer.start_as_current_span("pay", links=[link]) as pay:
            pay.add_event("tried", {"times": 2}, timestamp=1_790_000_000_000_000_001)
            pay.set_status(StatusCode.ERROR, "no money")
    return exporter.get_finished_spans()


def _as_collector_lines(request):
    found = json_format.MessageToDict(request, use_integers_for_enums=True)

    def hexed(value):
        if isinstance(value, dict):
            ids = ("traceId", "spanId", "parentSpanId")
            return {k: base64.b64decode(v).hex() if k in ids else hexed(v) for k, v in value.items()}
        return [hexed(each) for each in value] if isinstance(value, list) else value

    return json.dumps(hexed(found))


@pytest.mark.parametrize(
    "form",
    [
        lambda request: request.SerializeToString(),
        lambda request: struct.pack(">I", request.ByteSize()) + request.SerializeToString(),
        lambda request: gzip.compress(request.SerializeToString()),
        _as_collector_lines,
        json_format.MessageToJson,
        lambda request: json_format.MessageToJson(request, preserving_proto_field_name=True),
        lambda request: json.dumps([json.loads(_as_collector_lines(request))]),
    ],
    ids=["message", "messages", "gzip", "lines", "protobuf's json", "snake case", "list"],
)
def test_what_the_sdks_exporter_encodes_is_read(form, sdk_spans, written):
    request = encode_spans(sdk_spans)
    assert isinstance(request, ExportTraceServiceRequest)

    pay, order = (found.record for found in written(form(request), "spans"))

    context = sdk_spans[1].get_span_context()
    assert (order.trace_id, order.span_id) == (f"{context.trace_id:032x}", f"{context.span_id:016x}")
    assert (order.name, order.span_kind, order.status, order.parent_id) == ("order", "server", "unset", None)
    assert (order.start, order.end) == (sdk_spans[1].start_time, sdk_spans[1].end_time)
    assert (order.scope, order.service, order.resource["host.cpus"]) == ("shop.lib", "shop", 4)
    assert (pay.parent_id, pay.status, pay.status_message) == (order.span_id, "error", "no money")
    assert (pay.events[0].name, pay.events[0].time) == ("tried", 1_790_000_000_000_000_001)
    assert pay.events[0].attributes == {"times": 2}
    assert pay.links == [LinkRecord(order.trace_id, order.span_id, {"why": "because"})]
    attributes = dict(order.attributes)
    assert math.isnan(attributes.pop("nan"))
    assert attributes == {"n": 3, "ok": True, "share": 0.5, "tags": ["a", "b"]}
    assert type(attributes["n"]) is int
    assert order.resource["otel.scope.version"] == "1.2.3"
    assert order.resource["otel.scope.schema_url"] == "https://schema.example/1"
    assert order.resource["otel.scope.attributes"] == {"team": "a"}
    assert order.resource is pay.resource


def test_what_otlp_has_and_records_have_not_comes_back_to_its_place(sdk_spans, tmp_path):
    request = encode_spans(sdk_spans)
    first = request.resource_spans[0].scope_spans[0].spans[0]
    first.dropped_attributes_count, first.dropped_events_count, first.dropped_links_count = 1, 2, 3
    first.trace_state, first.flags = "vendor=1", 0x301
    first.events[0].dropped_attributes_count = 4
    first.links[0].trace_state = "other=2"
    request.resource_spans[0].schema_url = "https://schema.example/resource"
    request.resource_spans[0].resource.dropped_attributes_count = 5
    (tmp_path / "in.pb").write_bytes(request.SerializeToString())

    path = otlp_file.write(tmp_path / "out.pb", read(tmp_path / "in.pb"))

    back = TracesData.FromString(path.read_bytes()[4:])
    for spans in (request.resource_spans[0].scope_spans[0].spans, back.resource_spans[0].scope_spans[0].spans):
        for found in spans:  # the SDK tells "not remote" by a flag, which says nothing more
            found.flags = found.flags & ~0x101
            for link in found.links:
                link.flags = link.flags & ~0x101
            found.attributes.sort(key=lambda pair: pair.key)
    assert back.resource_spans == request.resource_spans


# -- what others write ------------------------------------------------------------------------------------------------


def test_every_kind_of_value_is_read(written):
    told = {
        "text": {"stringValue": "a"},
        "yes": {"boolValue": True},
        "number": {"intValue": "9007199254740993"},
        "plain number": {"intValue": 9007199254740993},
        "share": {"doubleValue": 1},
        "nan": {"doubleValue": "NaN"},
        "infinite": {"doubleValue": "-Infinity"},
        "raw": {"bytesValue": "AP8="},
        "list": {"arrayValue": {"values": [{"intValue": "1"}, {}, {"arrayValue": {}}]}},
        "map": {"kvlistValue": {"values": [{"key": "a", "value": {"kvlistValue": {}}}]}},
        "nothing": {},
        "null": None,
        "snake": {"array_value": {"values": [{"string_value": "b"}, {"int_value": 2}]}},
        "unreadable": {"intValue": "many"},
        "of a later version": {"decimalValue": "1.5"},
    }

    found = one(written, attributes=[{"key": key, "value": value} for key, value in told.items()] + [{"key": "bare"}])

    attributes = dict(found.attributes)
    assert math.isnan(attributes.pop("nan"))
    assert repr(attributes) == repr(
        {
            "text": "a",
            "yes": True,
            "number": 9007199254740993,
            "plain number": 9007199254740993,
            "share": 1.0,
            "infinite": -math.inf,
            "raw": b"\0\xff",
            "list": [1, None, []],
            "map": {"a": {}},
            "nothing": None,
            "null": None,
            "snake": ["b", 2],
            "unreadable": "many",
            "of a later version": {"decimalValue": "1.5"},
            "bare": None,
        }
    )


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"kind": "SPAN_KIND_CLIENT"}, ("span_kind", "client")),
        ({"kind": 3}, ("span_kind", "client")),
        ({"kind": "3"}, ("span_kind", "client")),
        ({"kind": 99}, ("span_kind", "internal")),
        ({"endTimeUnixNano": "5", "status": {"code": "STATUS_CODE_ERROR"}}, ("status", "error")),
        ({"endTimeUnixNano": 5, "status": {"code": 1}}, ("status", "ok")),
        ({"endTimeUnixNano": 5, "status": None}, ("status", "unset")),
        ({"endTimeUnixNano": "0"}, ("status", "open")),
        ({}, ("end", None)),
        ({"startTimeUnixNano": 1790000000000000001}, ("start", 1790000000000000001)),
        ({"startTimeUnixNano": "18446744073709551615"}, ("start", 2**64 - 1)),
        ({"traceId": "0AF7651916CD43DD8448EB211C80319C"}, ("trace_id", "0af7651916cd43dd8448eb211c80319c")),
        ({"traceId": "CvdlGRbNQ92ESOshHIAxnA=="}, ("trace_id", "0af7651916cd43dd8448eb211c80319c")),
        ({"spanId": "AAAAAAAAAKE="}, ("span_id", "00000000000000a1")),
        ({"spanId": "not an id="}, ("span_id", "not an id=")),
        ({"parentSpanId": ""}, ("parent_id", None)),
        ({"name": None}, ("name", "")),
        ({"unknown": {"field": 1}}, ("name", "answer")),
    ],
)
def test_spellings_of_fields(fields, expected, written):
    name, value = expected

    assert getattr(one(written, **fields), name) == value


def test_older_and_other_documents(written):
    older = {"resourceSpans": [{"instrumentationLibrarySpans": [
        {"instrumentationLibrary": {"name": "lib"}, "spans": [span()]}]}]}  # fmt: skip
    lines = [json.dumps(older), "", json.dumps({"resourceMetrics": []}), "{}", json.dumps(document(span(name="b")))]

    found = written("\ufeff" + "\r\n".join(lines))

    assert [(each.record.name, each.record.scope) for each in found] == [("answer", "lib"), ("b", "")]


def test_lone_surrogates_and_bare_nans_are_read(written):
    text = json.dumps(document(span(name="NAME", attributes=[{"key": "a", "value": {"doubleValue": math.nan}}])))

    found = written(text.replace("NAME", "\\ud800"))[0].record

    assert found.name == "\ud800"
    assert math.isnan(found.attributes["a"])


def test_an_empty_file_has_no_spans(written):
    assert written("") == written("\n \n") == written(gzip.compress(b""), "spans.gz") == []


# -- what cannot be read ----------------------------------------------------------------------------------------------

GOOD = json.dumps(document(span()))
BROKEN = [
    (f"{GOOD}\n{GOOD[:-9]}\n{GOOD}\n", 2, r"at line 2: .*1 spans before it can be read.*errors='skip'"),
    (f"{GOOD[:-9]}\n{GOOD}\n", 1, "at line 1: "),
    (f'{GOOD}\n{{"spans": []}}\n', 1, r"at line 2: expected an object with resourceSpans, found one with 'spans'"),
    (f"{GOOD}\n17\n", 1, "at line 2: expected an object with resourceSpans, found a number"),
    ("hello\n", 0, "at line 1: "),
    (document(span(), span(name=7)), 1, r"at line 1, resourceSpans\[0\].scopeSpans\[0\].spans\[1\]: .*expected text"),
    (document(span(startTimeUnixNano="noon")), 0, r"at line 1, .*spans\[0\]: invalid literal .* 'noon'"),
    (document(span(), "no span", span()), 2, r"at line 1, .*spans\[1\]"),
    (document(span(attributes={"a": 1})), 0, "at line 1, .*: attributes is an object, expected a list"),
    ({"resourceSpans": {}}, 0, "at line 1: resourceSpans is an object, expected a list"),
    ({"resourceSpans": [None, document(span())["resourceSpans"][0]]}, 1, r"at line 1, resourceSpans\[0\]"),
    (
        document(span(attributes=[{"key": "mirascope.ops.record.end", "value": {"stringValue": "x"}}])),
        0,
        "at line 1, .*invalid literal",
    ),
    (
        document(span(attributes=[{"key": "mirascope.ops.record.run_id", "value": {"intValue": 1}}])),
        0,
        "at line 1, .*run_id is int",
    ),
    (
        document(span(attributes=[{"key": "mirascope.ops.record.annotations", "value": {"stringValue": "["}}])),
        0,
        "at line 1, ",
    ),
    ("[" * 100_000, 0, "at line 1: "),
]


@pytest.mark.parametrize(("content", "readable", "message"), BROKEN)
def test_broken_json_is_told_with_its_place_and_loses_nothing_else(content, readable, message, written):
    with pytest.raises(FormatError, match=f"spans.jsonl cannot be read as OTLP {message}"):
        written(content)

    with pytest.warns(UserWarning, match=rf"1 place was left out.*; {readable} spans could. The first: "):
        found = written(content, errors="skip")

    assert len(found) == readable


@pytest.fixture
def messages(make, tmp_path):
    """Two messages of protobuf in a file."""
    path = otlp_file.write(tmp_path / "spans.pb", [Exported(make()) for _ in range(300)])
    return path.read_bytes()


def test_cut_off_protobuf_is_told_with_its_place(messages, written):
    second = 4 + struct.unpack(">I", messages[:4])[0]

    for cut, reason in ((-5, "within a message"), (second + 2 - len(messages), "within a length")):
        with pytest.raises(FormatError, match=rf"at byte {second:,}: the file ends {reason}.* 256 spans before it"):
            written(messages[:cut], "spans.pb")
        with pytest.warns(UserWarning, match="256 spans could"):
            assert len(written(messages[:cut], "spans.pb", errors="skip")) == 256


def test_a_broken_message_between_good_ones_is_left_out(messages, written):
    second = 4 + struct.unpack(">I", messages[:4])[0]
    broken = messages[:second] + struct.pack(">I", 3) + b"\xff\xff\xff" + messages[second:]

    with pytest.raises(FormatError, match=f"at byte {second:,}: it is no OTLP message"):
        written(broken, "spans.pb")
    with pytest.warns(UserWarning, match="300 spans could"):
        assert len(written(broken, "spans.pb", errors="skip")) == 300


@pytest.mark.parametrize("content", [b"PAR1\x15\x04\x15", b"\x0aabc", b"\x00\x00\x00\x03\xff\xff\xff", b"\x89PNG"])
def test_what_is_no_otlp_at_all_is_told(content, written):
    with pytest.raises(FormatError, match="cannot be read as OTLP at byte 0"):
        written(content, "spans.bin")


def test_cut_off_gzip_gives_what_came_before(make, tmp_path, written):
    rows = [Exported(make(attributes={"noise": base64.b85encode(os.urandom(200)).decode()})) for _ in range(600)]
    data = otlp_file.write(tmp_path / "spans.jsonl.gz", rows).read_bytes()[:-2000]

    with pytest.raises(FormatError, match="at line 3: Compressed file ended"):
        written(data, "cut.jsonl.gz")
    with pytest.warns(UserWarning, match="512 spans could"):
        assert len(written(data, "cut.jsonl.gz", errors="skip")) == 512


def test_a_file_compressed_by_zstd_says_what_to_do(written):
    for start in (b"", b"\0\0\0\x20"):
        with pytest.raises(FormatError, match="zstd -d"):
            written(start + b"\x28\xb5\x2f\xfd....", "spans.zst")


def test_a_missing_file_and_a_wrong_option_are_told(tmp_path, make):
    with pytest.raises(FileNotFoundError):
        read(tmp_path / "none.jsonl")
    with pytest.raises(ConfigurationError, match="expected 'raise' or 'skip'"):
        read(tmp_path / "none.jsonl", errors="ignore")
    with pytest.raises(ConfigurationError, match="expected 'json' or 'protobuf'"):
        otlp_file.write(tmp_path / "x", [], format="xml")


def test_without_the_protobuf_package_json_works_and_protobuf_says_what_to_install(make, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "opentelemetry.proto.trace.v1.trace_pb2", None)

    path = otlp_file.write(tmp_path / "spans.jsonl", [Exported(make())])

    assert len(read(path)) == 1
    with pytest.raises(ImportError, match=r'pip install "mirascope_ops\[files\]"'):
        otlp_file.write(tmp_path / "spans.pb", [])
    assert not (tmp_path / "spans.pb").exists()


def nested(depth):
    value = '{"stringValue":"deep"}'
    for _ in range(depth):
        value = f'{{"arrayValue":{{"values":[{value}]}}}}'
    return value


@pytest.mark.parametrize(
    "field",
    ['"startTimeUnixNano":1e999', '"flags":1e999', f'"attributes":[{{"key":"a","value":{nested(240)}}}]'],
    ids=["a time without end", "flags without end", "a value nested deep"],
)
def test_a_span_that_holds_what_python_cannot_take_costs_no_other_span(written, field):
    content = f'{{"resourceSpans":[{{"scopeSpans":[{{"spans":[{{"name":"odd",{field}}},{json.dumps(span())}]}}]}}]}}'

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        found = written(content, errors="skip")

    assert found[-1].record.name == "answer"
