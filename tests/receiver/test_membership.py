"""Spans from elsewhere find their session by what their sender wrote on them."""

from __future__ import annotations

import pytest
from sample_records import span_record

from mirascope_ops.receiver.membership import in_session


def span(session_id=None, session_attributes=None, resource=None, **attributes):
    told = {key.replace("__", "."): value for key, value in attributes.items()}
    return span_record(
        trace_id="1" * 32, span_id="1" * 16, start=1, end=2, session_id=session_id,
        session_attributes=session_attributes, attributes=told, resource=resource or {},
    )  # fmt: skip


@pytest.mark.parametrize(
    "attributes",
    [
        {"session.id": "user-1"},
        {"mirascope.ops.session.id": "user-1", "session.id": "another"},
        {"langfuse.session.id": "user-1"},
        {"traceloop.association.properties.session_id": "user-1"},
        {"http.request.header.x-mirascope-session-id": ["user-1"]},
        {"http.request.header.x_mirascope_session_id": ["user-1", "forged"]},
        {"http.request.header.mirascope-session-id": "user-1"},
        {"session.id": "user-1", "http.request.header.x-mirascope-session-id": ["user-2"]},
        {"session.id": " ", "http.request.header.x-mirascope-session-id": ["user-1"]},
    ],
)
def test_the_session_is_read_from_attributes(attributes):
    assert in_session(span(**attributes)).session_id == "user-1"


def test_an_id_in_a_header_is_decoded_as_our_middlewares_do():
    found = in_session(span(**{"http.request.header.x-mirascope-session-id": ["Zo%C3%AB 1%20"]}))

    assert found.session_id == "Zoë 1 "


def test_a_resource_tells_the_session_of_spans_that_do_not():
    resource = {"service.name": "app", "session.id": "whole-process"}

    assert in_session(span(resource=resource)).session_id == "whole-process"
    assert in_session(span(resource=resource, session__id="own")).session_id == "own"


@pytest.mark.parametrize("value", ["", "  ", "x" * 257, "line\nfeed", True, ["a"], {"a": 1}, None, b"bytes"])
@pytest.mark.parametrize("key", ["session.id", "http.request.header.x-mirascope-session-id"])
def test_what_is_no_session_id_makes_no_session_and_stays_an_attribute(key, value):
    if key != "session.id" and value == ["a"]:
        value = [["a"]]

    found = in_session(span(**{key: value}))

    assert found.session_id is None
    assert found.attributes == {key: value}


def test_a_session_id_that_ours_would_not_take_is_none():
    assert in_session(span(session_id="x" * 257)).session_id is None
    assert in_session(span(session_id="x" * 257, session__id="user-1")).session_id == "user-1"


def test_baggage_that_was_put_on_the_span_tells_the_sessions_attributes():
    found = in_session(
        span(
            session__id="user-1",
            mirascope__session__user_tier='"premium"',
            mirascope__session__turn="3",
            mirascope__session__note="a, b; c=%41",
            tenant="7",
        )
    )

    assert found.session_attributes == '{"user_tier":"premium","turn":3,"note":"a, b; c=%41"}'


def test_attributes_that_the_span_has_itself_win():
    found = in_session(span("user-1", '{"turn":1}', mirascope__session__turn="3"))

    assert found.session_attributes == '{"turn":1}'


def test_without_a_session_there_are_no_attributes_of_one():
    assert in_session(span(mirascope__session__turn="3")).session_attributes is None


def test_a_span_that_tells_nothing_is_left_alone():
    alone = span(http__route="/")

    assert in_session(alone) is alone
