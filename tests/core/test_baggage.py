"""Session attributes over the wire: only on request, within W3C's limits, and nothing hostile gets in."""

from __future__ import annotations

import json
import re

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from opentelemetry import baggage as otel_baggage
from opentelemetry.baggage.propagation import W3CBaggagePropagator
from opentelemetry.context import Context

from mirascope_ops import ops
from mirascope_ops.core import baggage, guard
from mirascope_ops.core.propagation import accepted_attributes, extract_session_attributes

# https://www.w3.org/TR/baggage/#definition, without properties
MEMBER = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+=[\x21\x23-\x2b\x2d-\x3a\x3c-\x5b\x5d-\x7e]*")

keys = texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False) | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner),
    max_leaves=5,
)


def sent(attributes, headers=None, **options):
    headers = {} if headers is None else headers
    with ops.session(id="s", attributes=attributes):
        ops.inject_context(headers, **options)
    return headers


def received(headers, **options):
    with ops.propagated_context(extract_from=headers, **options):
        return dict(ops.current_session().attributes)


def test_attributes_are_not_sent_unless_asked_for():
    assert "baggage" not in sent({"user_tier": "premium"})


def test_attributes_are_not_read_unless_asked_for():
    assert received(sent({"user_tier": "premium"}, baggage=True)) == {}


def test_attributes_arrive_when_both_sides_ask():
    attributes = {"user_tier": "premium", "turn": 3, "beta": True, "ratio": 0.5, "tags": ["a", {"b": None}]}

    assert received(sent(attributes, baggage=True), baggage=True) == attributes


def test_a_session_without_attributes_sends_no_baggage():
    assert "baggage" not in sent({}, baggage=True)


def test_without_a_session_no_baggage_is_sent():
    headers = {}

    ops.inject_context(headers, baggage=True)

    assert headers == {}


def test_without_a_session_id_attributes_make_no_session():
    with ops.propagated_context(extract_from={"baggage": "mirascope.session.a=1"}, baggage=True):
        assert ops.current_session() is None


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow], max_examples=200)
@given(st.dictionaries(keys, json_values, max_size=6))
def test_every_attribute_survives_as_valid_baggage(attributes):
    value = baggage.encode(attributes)

    assert all(MEMBER.fullmatch(member) for member in value.split(",") if value)
    assert len(value) <= baggage.MAX_OWN_BYTES
    if len(value.split(",")) == len(attributes):  # nothing was left out for its size
        assert baggage.decode([value]) == attributes


def test_opentelemetrys_own_propagator_reads_the_same_values():
    headers = sent({"tier": "a + b, c;d=\\ü"}, baggage=True)

    found = otel_baggage.get_all(W3CBaggagePropagator().extract(headers, Context()))

    assert found == {"mirascope.session.tier": '"a + b, c;d=\\\\ü"'}


@pytest.mark.parametrize("name", ["baggage", "Baggage", "BAGGAGE"])
def test_baggage_of_others_stays_first_and_in_one_header(name):
    headers = sent({"turn": 3}, {name: "tenant=7;p=1"}, baggage=True)

    assert headers[name] == "tenant=7;p=1,mirascope.session.turn=3"
    assert [key.lower() for key in headers].count("baggage") == 1


def test_what_does_not_fit_is_left_out_and_the_rest_is_sent():
    headers = sent({"a": 1, "huge": "x" * 5000, "b": 2}, baggage=True)

    assert received(headers, baggage=True) == {"a": 1, "b": 2}


def test_many_attributes_stay_within_the_limits():
    headers = sent({f"key{number}": "v" * 100 for number in range(200)}, baggage=True)

    assert len(headers["baggage"]) <= baggage.MAX_OWN_BYTES
    assert 0 < len(received(headers, baggage=True)) <= baggage.MAX_MEMBERS


def test_members_are_counted_with_those_of_others():
    headers = sent({"a": 1, "b": 2}, {"baggage": ",".join(f"k{n}=1" for n in range(63))}, baggage=True)

    assert headers["baggage"].count(",") == 63
    assert received(headers, baggage=True) == {"a": 1}


def test_full_baggage_of_others_is_left_alone():
    others = "k=" + "v" * 8180

    assert sent({"a": 1}, {"baggage": others}, baggage=True)["baggage"] == others


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("mirascope.session.tier=gold", {"tier": "gold"}),  # plain text, by somebody else
        ("mirascope.session.tier = gold ; secure", {"tier": "gold"}),
        ("mirascope.session.a=1,mirascope.session.a=2", {"a": 1}),
        (["mirascope.session.a=1", b"mirascope.session.b=2"], {"a": 1, "b": 2}),
        (b"mirascope.session.a=1", {"a": 1}),
        ("mirascope.session.=1", {"": 1}),
        ("mirascope.session.a=", {"a": ""}),
        ("mirascope.session.a=1e999", {"a": "1e999"}),  # no JSON number
    ],
)
def test_what_other_services_may_write_is_read(value, expected):
    assert extract_session_attributes({"BAGGAGE": value}) == expected


@pytest.mark.parametrize(
    "value",
    [
        "", ",", ";;,=,==", "mirascope.session.a", "mirascope.session.a=%FF", "mirascope.session.%FF=1",
        "x" * 1_000_000, "mirascope.session.a=" + "1" * 10_000, None, 7,
        "mirascope.session.\x00", b"\xff\xfe", ["mirascope.session.a=%C3"], "mirascope.sessionXa=1",
        "\ud800", "mirascope.session.a=%ED%A0%80",
    ],
)  # fmt: skip
def test_hostile_baggage_is_ignored(value):
    assert extract_session_attributes({"baggage": value}) == {}


@pytest.mark.parametrize("value", ["%5B" * 2700, "[" * 8000, "%7B%22a%22%3A" * 600])
def test_deeply_nested_values_never_raise(value):
    (text,) = extract_session_attributes({"baggage": "mirascope.session.a=" + value}).values()

    assert isinstance(text, str)


def test_no_more_members_are_read_than_may_be_sent():
    many = ",".join(f"mirascope.session.k{number}=1" for number in range(500))

    assert len(extract_session_attributes({"baggage": many[:8000]})) == baggage.MAX_MEMBERS


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow], max_examples=200)
@given(st.text() | st.binary() | st.lists(st.text() | st.binary()))
def test_any_header_is_read_without_raising(value):
    attributes = extract_session_attributes({"baggage": value})

    assert accepted_attributes(attributes) == attributes


def test_attributes_that_a_session_would_refuse_are_left_out_one_by_one():
    assert accepted_attributes({"good": 1, "bad": object(), 7: "no key", "nan": float("nan")}) == {"good": 1}


def test_a_server_of_ones_own_opens_the_session_with_what_arrived(only):
    headers = sent({"user_tier": "premium", "turn": 3}, baggage=True)

    identifier, attributes = ops.extract_session_id(headers), ops.extract_session_attributes(headers)
    with ops.session(id=identifier, attributes=attributes), ops.span("work"):
        pass

    assert only().session_id == "s"
    assert json.loads(only().session_attributes) == {"user_tier": "premium", "turn": 3}


def test_whoever_sends_headers_cannot_fill_the_log(caplog):
    reported = set(guard._reported)
    guard._reported.clear()

    for number in range(50):
        extract_session_attributes({"baggage": f"mirascope.session.k{number}=%5B1e999%5D"})
        extract_session_attributes({"baggage": f"mirascope.session.k{number}=%FF"})
        ops.extract_session_id({"X-Mirascope-Session-Id": f"{number}\x00"})
        ops.extract_context({"traceparent": f"00-{number}"})

    assert len(guard._reported) == len(caplog.records) <= 4
    guard._reported.update(reported)
