"""Answers are the messages that OTLP's own definitions read."""

from __future__ import annotations

import json

import pytest
from google.protobuf import json_format
from google.rpc.status_pb2 import Status
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

from mirascope_ops.receiver.answers import Answer, Encoding, later

ANSWERS = [
    Answer(200),
    Answer(200, "3 of 4 spans were left out", rejected=3),
    Answer(200, "ü" * 300, rejected=2**40),
    Answer(200, "a warning"),
]
FAULTS = [
    Answer(400, "it is no OTLP"),
    Answer(401, "日本語 " * 100),
    Answer(429, "come again", "Too many", headers={"Retry-After": "3"}),
]


def message(answer):
    return Status() if answer.status != 200 else ExportTraceServiceResponse()


@pytest.mark.parametrize("answer", [*ANSWERS, *FAULTS])
def test_both_encodings_say_the_same_to_those_who_know_the_messages(answer):
    binary, text = message(answer), message(answer)

    binary.ParseFromString(answer.body(Encoding.PROTOBUF))
    json_format.Parse(answer.body(Encoding.JSON), text)

    assert binary == text
    told = binary.message if answer.status != 200 else binary.partial_success.error_message
    assert told == answer.message
    if answer.status == 200:
        assert binary.partial_success.rejected_spans == answer.rejected


def test_where_all_went_well_partial_success_is_not_set():
    found = ExportTraceServiceResponse.FromString(Answer(200).body(Encoding.PROTOBUF))

    assert not found.HasField("partial_success")
    assert json.loads(Answer(200).body(Encoding.JSON)) == {}


def test_who_is_to_come_again_is_told_when():
    assert later("closing", "Closing", 5).headers == {"Retry-After": "5"}
