"""What a body holds becomes records; what it is not, is said."""

from __future__ import annotations

import contextlib
import gzip
import json
import random
import zlib
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from made_requests import TRACE, attributes, protobuf, request

from mirascope_ops.receiver import bodies
from mirascope_ops.receiver.answers import Encoding
from mirascope_ops.receiver.bodies import BadBodyError, received

DATA = Path(__file__).parent / "data"


def read(body, coding=""):
    if isinstance(body, dict):
        body = json.dumps(body).encode()
    return received(body, Encoding.JSON if body[:1] in (b"{", b"[", b"") else Encoding.PROTOBUF, coding)


def test_protobuf_and_json_give_the_same_spans():
    binary = received(protobuf(2, session__id="s"), Encoding.PROTOBUF)
    text = read(
        request(
            *(
                {
                    "name": f"span {number}",
                    "startTimeUnixNano": str(1_796_082_484_247_000_000 + number),
                    "endTimeUnixNano": str(1_796_082_484_248_000_000 + number),
                    "attributes": attributes(session__id="s"),
                }
                for number in (1, 2)
            )
        )
    )

    assert binary.spans == text.spans
    assert [span.session_id for span in binary.spans] == ["s", "s"]
    assert (binary.rejected, binary.problem) == (0, "")


@pytest.mark.parametrize("body", [b"", b"{}", b'{"resourceSpans":[]}', b" \n"])
def test_a_request_without_spans_is_good(body):
    assert received(body, Encoding.JSON).spans == []


@pytest.mark.parametrize(
    ("coding", "pack"),
    [
        ("gzip", gzip.compress),
        ("x-gzip", gzip.compress),
        ("deflate", zlib.compress),
        ("gzip", lambda data: gzip.compress(data[:9]) + gzip.compress(data[9:])),
        ("identity", bytes),
    ],
)
def test_bodies_are_decompressed(coding, pack):
    assert len(received(pack(protobuf(50)), Encoding.PROTOBUF, coding).spans) == 50


@pytest.mark.parametrize("size", [bodies._PIECE - 1, bodies._PIECE, bodies._PIECE + 1, 3 * bodies._PIECE + 7])
def test_decompression_in_pieces_gives_every_byte(size):
    data = random.Random(1).randbytes(size // 2) + b"\0" * (size - size // 2)

    assert bodies._unpacked(gzip.compress(data)) == data


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"no gzip", "cannot be decompressed"),
        (gzip.compress(b"{}")[:-9], "ends too early"),
        (gzip.compress(b"{}") + b"rest", "cannot be decompressed"),
        (b"", "ends too early"),
        (gzip.compress(b"") * 2000, "too many pieces"),
    ],
)
def test_a_body_that_is_not_compressed_as_it_says_is_refused(body, message):
    with pytest.raises(BadBodyError, match=message) as caught:
        received(body, Encoding.JSON, "gzip")
    assert caught.value.status == 400


def test_a_bomb_is_not_unpacked(monkeypatch):
    monkeypatch.setattr(bodies, "MAX_BODY", 10 * 1024**2)
    bomb = gzip.compress(b"\0" * 50 * 1024**2, 9)

    with pytest.raises(BadBodyError, match="more than 10,485,760 bytes when it is decompressed") as caught:
        received(bomb, Encoding.PROTOBUF, "gzip")

    assert caught.value.status == 413


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"traceId": ""}, "its trace id is '', expected 32 hex digits that are not all zero"),
        ({"traceId": "0" * 32}, "its trace id is '00000000"),
        ({"traceId": TRACE[:-1]}, "its trace id is"),
        ({"traceId": TRACE[:-1] + "g"}, "its trace id is"),
        ({"spanId": "0" * 16}, "its span id is"),
        ({"spanId": "ab"}, "its span id is 'ab', expected 16 hex digits"),
        ({"parentSpanId": "xyz"}, "its parent's id is 'xyz'"),
        ({"startTimeUnixNano": "soon"}, r"resourceSpans\[0\].scopeSpans\[0\].spans\[1\]: invalid literal"),
        ({"startTimeUnixNano": 1e999}, r"spans\[1\]: cannot convert float infinity"),
        ({"attributes": {"a": 1}}, "attributes is an object, expected a list"),
        ({"name": 7}, "found a number, expected text"),
        ({"events": "none"}, "events is text, expected a list"),
        ({"attributes": attributes(**{"mirascope.ops.record.trace_id": "forged"})}, "its trace id is 'forged'"),
    ],
)
def test_a_span_that_is_none_costs_no_other_span(wrong, message):
    found = received(json.dumps(request({}, wrong, {})).encode(), Encoding.JSON)

    assert [span.span_id for span in found.spans] == ["0000000000000001", "0000000000000003"]
    assert found.rejected == 1
    with pytest.raises(AssertionError, match=message):  # to match by expression
        raise AssertionError(found.problem)
    assert found.problem.startswith("1 of 3 spans were left out, for they cannot be read: ")


def test_all_spans_of_a_broken_resource_are_counted():
    body = request({}, {})
    broken = request({}, {}, {})["resourceSpans"][0]
    broken["resource"] = {"attributes": "none"}
    body["resourceSpans"].append(broken)

    found = read(body)

    assert (len(found.spans), found.rejected) == (2, 3)


def test_upper_case_ids_and_a_parent_of_zeros_are_read():
    (span,) = read(request({"traceId": TRACE.upper(), "parentSpanId": "0" * 16})).spans

    assert (span.trace_id, span.parent_id) == (TRACE, None)


@pytest.mark.parametrize(
    "body",
    [
        b"[]", b"7", b"null", b'"text"', b"{", b'{"spans":[]}', b'{"resourceSpans":{}}', b"[" * 100_000,
        b'{"a":' * 100_000, b"\xff\xfe", b'{"resourceSpans":1e999}',
    ],
)  # fmt: skip
def test_json_that_is_no_otlp_is_refused(body):
    with pytest.raises(BadBodyError) as caught:
        received(body, Encoding.JSON)
    assert caught.value.status == 400


@pytest.mark.parametrize("body", [b"{}", b"\x0a", b"\x0a\xff\xff\xff\xff\x0f", b"hello", b"\xff" * 100])
def test_what_is_no_protobuf_is_refused(body):
    with pytest.raises(BadBodyError, match="no OTLP message in protobuf"):
        received(body, Encoding.PROTOBUF)


def test_secrets_are_masked():
    body = request(
        {"attributes": attributes(api_key="sk-secret", request='{"password":"sk-secret","n":1}', model="m")},
        resource={"auth_token": "sk-secret"},
    )

    (span,) = read(body).spans

    assert "sk-secret" not in repr(span)
    assert span.attributes["model"] == "m"


def test_what_our_own_stores_send_comes_with_its_entries_and_annotations():
    run = {"run_id": "r", "session_id": "s", "start": 1, "attributes": {"api_key": "sk-secret", "tier": "gold"}}
    body = request(
        {
            "attributes": attributes(
                **{"mirascope.ops.record.annotations": '[{"time":1,"label":"pass","metadata":{"token":"sk-secret"}}]'}
            )
        }
    )
    body["resourceSpans"].append(
        {"resource": {"attributes": attributes(**{"mirascope.ops.record.runs": json.dumps([run])})}}
    )

    found = read(body)

    assert [(one.run_id, one.attributes["tier"]) for one in found.runs] == [("r", "gold")]
    assert [one.label for one in found.annotations] == ["pass"]
    assert "sk-secret" not in repr(found)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("status", "bogus"),
        ("annotations", '[{"time":1,"tags":[5]}]'),
        ("annotations", '[{"time":1,"tags":"pass"}]'),
        ("annotations", '[{"time":1,"label":{}}]'),
        ("annotations", '[{"time":1,"reasoning":7}]'),
        ("annotations", '[{"time":1,"metadata":[1]}]'),
        ("annotations", "[1]"),
    ],
)
def test_what_only_our_own_stores_send_is_looked_at_before_it_spoils_what_shows_it(field, value):
    marked = {"attributes": attributes(**{f"mirascope.ops.record.{field}": value})}

    found = read(request(marked, {"name": "good"}))

    assert [span.name for span in found.spans] == ["good"]
    assert (found.rejected, found.annotations) == (1, [])
    assert f"mirascope.ops.record.{field}" in found.problem


def test_a_link_to_an_id_that_is_no_text_is_none():
    link = {"traceId": TRACE, "spanId": "1" * 16}
    odd = [{"key": "mirascope.ops.record.trace_id", "value": {"intValue": "5"}}]

    found = read(request({"links": [{**link, "attributes": odd}]}, {"name": "good", "links": [link]}))

    assert [span.name for span in found.spans] == ["good"]


@pytest.mark.parametrize("odd", ["", "x" * 257, "\x1b[2J"])
def test_an_entry_into_a_session_that_none_can_be_called_is_left_out(odd):
    run = {"run_id": "r", "session_id": "s", "start": 1, "attributes": {}}
    told = [{**run, "session_id": odd}, {**run, "parent_session_id": odd}, run]
    body = request({"name": "good"})
    body["resourceSpans"].append(
        {"resource": {"attributes": attributes(**{"mirascope.ops.record.runs": json.dumps(told)})}}
    )

    found = read(body)

    assert [one.session_id for one in found.runs] == ["s"]
    assert ([span.name for span in found.spans], found.rejected) == (["good"], 0)
    assert "an entry into session" in found.problem


SEEDS = [
    (Encoding.JSON, (DATA / "node.json").read_bytes()),
    (Encoding.JSON, (DATA / "collector.json").read_bytes()),
    (Encoding.PROTOBUF, protobuf(5, session__id="s", text="日本語")),
]


ODD = [b"null", b"[]", b"{}", b"1e999", b"-1", b'"', b"\x0a\x7f", b"\xff\xff\x0f", b"\x00"]


def mutated(body, some):
    """A body with a few bytes changed, cut, doubled or moved."""
    data = bytearray(body)
    for _ in range(some.randint(1, 6)):
        at, length = some.randrange(len(data) + 1), some.randrange(24)
        what = some.randrange(5)
        if what == 0:
            data[at : at + length] = some.randbytes(length)
        elif what == 1:
            del data[at : at + length]
        elif what == 2:
            data[at:at] = data[at : at + length]
        elif what == 3:
            data[at:at] = some.choice(
                [b"null", b"[]", b"{}", b"1e999", b"-1", b'"', b"\x0a\x7f", b"\xff\xff\x0f", b"\x00"]
            )
        else:
            del data[at:]
    return bytes(data)


@pytest.mark.parametrize("seed", range(20))
def test_no_damage_to_a_body_does_more_than_being_refused(seed):
    some = random.Random(seed)
    for _ in range(100):
        encoding, body = some.choice(SEEDS)
        data = mutated(body, some)
        with contextlib.suppress(BadBodyError):
            found = received(data, encoding)
            assert all(len(span.trace_id) == 32 and len(span.span_id) == 16 for span in found.spans)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
FIELDS = (
    "traceId", "spanId", "parentSpanId", "name", "kind", "startTimeUnixNano", "endTimeUnixNano", "attributes", "events",
    "links", "status", "flags", "droppedAttributesCount", "traceState",
)  # fmt: skip


@settings(max_examples=100, suppress_health_check=[HealthCheck.too_slow])
@given(fields=st.dictionaries(st.sampled_from(FIELDS), JSON, max_size=4))
def test_any_value_in_any_field_costs_that_span_at_most(fields):
    found = received(json.dumps(request(fields, {})).encode(), Encoding.JSON)

    assert found.spans[-1].span_id == "0000000000000002"
    assert len(found.spans) + found.rejected == 2
