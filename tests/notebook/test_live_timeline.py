"""The rows of a live timeline: each span once, written anew when it ends, with its parent whenever that comes."""

from __future__ import annotations

import time

import pytest

from mirascope_ops import ops
from mirascope_ops.notebook.live_timeline import TimelineFeed
from tests.views.test_timeline import read


@pytest.fixture
def feed():
    with ops.session() as entered:
        followed = TimelineFeed(lambda stamp: stamp is not None and stamp.session_id == entered.id)
        followed.open()
        yield followed
        followed.close()


def told(feed, seconds=1.0):
    payload = feed.read(time.time_ns(), seconds)
    return None if payload is None else read(payload)


def test_a_span_is_told_while_it_is_open_and_again_when_it_has_ended(feed):
    with ops.span("turn") as turn:
        first, columns = told(feed)
        assert columns["place"].tolist() == [0]
        assert columns["duration"].tolist() != columns["duration"].tolist()  # NaN: it has not ended
        turn.event("halfway")
    second, ended = told(feed)

    assert first["anew"] is True
    assert first["names"] == ["turn"]
    assert second["anew"] is False
    assert second["names"] == []
    assert ended["place"].tolist() == [0]
    assert ended["duration"][0] > 0
    assert second["events"] == ["halfway"]
    assert told(feed) is None


def test_what_is_known_is_not_told_again_but_the_time(feed):
    with ops.span("turn"):
        told(feed)
        header, columns = told(feed)

    assert len(columns["place"]) == 0
    assert header["now"] > 0


def test_a_child_finds_its_parent_also_where_that_comes_later(feed):
    with ops.span("turn"), ops.span("ask"):
        pass
    ended = list(feed._waiting)
    feed._waiting.clear()
    feed._waiting.append(ended[0])  # the inner one ends first

    _, alone = told(feed)
    feed._waiting.append(ended[1])
    _, both = told(feed)

    assert alone["parent"].tolist() == [-1]
    assert dict(zip(both["place"].tolist(), both["parent"].tolist(), strict=True)) == {0: 1, 1: -1}


def test_a_browser_that_knows_nothing_is_told_everything(feed):
    for name in ("one", "two"):
        with ops.span(name):
            pass
    told(feed)

    feed.again()
    header, columns = told(feed)

    assert header["anew"] is True
    assert header["names"] == ["one", "two"]
    assert columns["place"].tolist() == [0, 1]


def test_in_little_time_few_spans_are_looked_at_and_the_others_later(feed):
    for _ in range(50):
        with ops.span("step"):
            pass
    feed._rate = 1

    first, later = (len(told(feed)[1]["place"]) for _ in range(2))

    assert (first, later) != (50, 0)
    assert first < 50
    while told(feed) is not None:
        pass
    assert len(feed._rows) == 50


def test_spans_of_other_sessions_are_not_told(feed):
    with ops.session(), ops.span("elsewhere"):
        pass

    assert told(feed) is None
