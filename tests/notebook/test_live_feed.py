"""What the live card knows of a running session, without a kernel."""

from __future__ import annotations

import threading
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mirascope_ops import ops
from mirascope_ops.core import backend
from mirascope_ops.notebook.live_feed import LiveFeed
from mirascope_ops.testing import captured
from mirascope_ops.views.html_live import live_html
from mirascope_ops.views.live import live_text


@pytest.fixture(autouse=True)
def _store():
    with captured():
        yield
    assert backend._watching == ()


class Followed:
    """A session that is followed."""

    def __init__(self, session_id="followed"):
        self._session = ops.session(session_id)

    def __enter__(self):
        self.context = self._session.__enter__()
        self.feed = LiveFeed(self.context)
        self.feed.open()
        return self

    def __exit__(self, *error):
        self.feed.close()
        self._session.__exit__(*error)

    def read(self):
        self.feed.again()
        return self.feed.read(time.time_ns())


def call(name="call", tokens=(10, 2), cost=0.5, *, fails=False):
    """A model call, as instrumentations record it."""
    told = {"gen_ai.usage.input_tokens": tokens[0], "gen_ai.usage.output_tokens": tokens[1]}
    with ops.span(name, **{"gen_ai.operation.name": "chat", "gen_ai.usage.cost": cost, **told}) as span:
        if fails:
            span.error("no luck")


def figures(live):
    return (live.spans, live.turns, live.failed, live.llm_calls, live.input_tokens, live.output_tokens, live.cost)


def stored(session_id="followed"):
    card = ops.get_session(session_id).card
    turns = [card, *card.children]
    total = card.totals
    return (
        total.spans,
        sum(len(one.turns) for one in turns),
        sum(turn.error is not None for one in turns for turn in one.turns),
        total.llm_calls,
        total.input_tokens,
        total.output_tokens,
        total.cost,
    )


def test_figures_are_those_of_the_stored_session_at_every_moment():
    with Followed() as followed:
        for number in range(20):
            with ops.span("turn"):
                call()
                if number % 5 == 0:
                    call("failed", fails=True)
            assert figures(followed.read()) == stored()


def test_what_is_open_is_shown_with_the_time_it_has_taken():
    with Followed() as followed, ops.span("turn"), ops.span("step"):
        time.sleep(0.01)
        live = followed.read()

    assert live.running == ["turn", "step"]
    (line,) = live.shown
    assert [row.span.status for row in line.view.lines] == ["open", "open"]
    assert line.turn.totals.duration >= 10_000_000
    assert live.open_turns == {line.turn.trace_id}


def test_nothing_new_is_told_as_such():
    with Followed() as followed:
        call()

        assert followed.feed.read(0) is not None
        assert followed.feed.read(1) is None
        call()
        assert followed.feed.read(2) is not None


def test_other_sessions_do_not_count_and_sessions_inside_do():
    def other():
        with ops.session("other"):
            call("theirs")

    with Followed() as followed:
        thread = threading.Thread(target=other)
        thread.start()
        thread.join()
        with ops.session("inside"), ops.span("turn"):
            call("ours")
        live = followed.read()

    assert figures(live) == stored()
    assert (live.spans, live.turns, live.llm_calls) == (2, 1, 1)


def test_a_session_that_is_resumed_starts_from_what_it_holds():
    with ops.session("followed"):
        for _ in range(12):
            call()

    with Followed() as followed:
        call()
        live = followed.read()

    assert (live.spans, live.turns, live.llm_calls) == (13, 13, 13)
    assert [line.number for line in live.shown] == [8, 9, 10, 11, 12, 13]


def test_a_trace_under_way_before_is_counted_once():
    with ops.session("followed") as context, ops.span("turn"):
        call("before")
        feed = LiveFeed(context)
        feed.open()
        call("after")
        live = feed.read(time.time_ns())
        feed.close()

    assert (live.spans, live.turns, live.llm_calls) == (3, 1, 2)


def test_spans_that_come_faster_than_they_are_read_count_at_once():
    with Followed() as followed:
        for _ in range(5_000):
            with ops.span("tiny"):
                pass
        live = followed.feed.read(time.time_ns(), seconds=0.0)

        assert live.spans == 5_000
        assert live.turns < 100
        while (more := followed.feed.read(time.time_ns())) is not None:
            live = more
    assert figures(live)[:2] == (5_000, 5_000)


def test_of_a_large_trace_the_open_and_the_newest_spans_are_shown():
    with Followed() as followed, ops.span("root"), ops.span("stage"):
        for _ in range(1_000):
            call("old")
        followed.read()
        with ops.span("now"):
            call("newest")
            live = followed.read()

    names = [line.span.name for line in live.shown[0].view.lines]
    assert names[:2] == ["root", "stage"]
    assert {"now", "newest"} <= set(names)
    assert len(names) < 100
    assert live.spans == 1_004
    assert live.llm_calls >= 1_000


@settings(max_examples=30, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(["open", "close", "call", "fail", "read"]), st.integers(0, 9)), max_size=60))
def test_any_course_of_events_ends_with_the_figures_of_the_store(course):
    with captured(), Followed() as followed:
        under_way = []
        for what, number in course:
            if what == "open":
                under_way.append(ops.span(f"s{number}").__enter__())
            elif what == "close" and under_way:
                under_way.pop().finish()
            elif what in {"call", "fail"}:
                call(fails=what == "fail")
            elif what == "read":
                followed.read()
        while under_way:
            under_way.pop().finish()

        assert figures(followed.read())[:6] == stored()[:6]


# -- what it looks like ---------------------------------------------------------------------------------------


def test_the_progress_tells_spans_tokens_cost_and_what_runs():
    with Followed() as followed:
        for _ in range(3):
            call()
        with ops.span("chat"), ops.span("retrieve"):
            live = followed.read()

    text = live_text(live)
    assert "Session followed ● running for" in text
    assert "5 spans · 4 turns · 30 → 6 tokens · $1.50 · in retrieve, chat" in text
    page = live_html(live)
    assert "5 spans · 30 → 6 tokens · $1.50 so far · in retrieve, chat" in page
    assert 'role="status"' in page


def test_a_card_stays_small_however_long_the_session_is():
    with Followed() as followed:
        for number in range(300):
            with ops.span("turn", message=f"question {number} " * 50):
                call()
        with ops.span("root"):
            for _ in range(300):
                call("x" * 300)
            page = live_html(followed.read())

    assert len(page.encode()) < 35_000
    assert "295 earlier turns" in page


def test_a_store_that_is_switched_off_is_no_error():
    ops.configure(store="off")
    with Followed() as followed, ops.span("turn"):
        call()
        assert followed.read().spans >= 1
    ops.configure(store=":memory:")


# -- figures of large traces, each span added once -----------------------------------------------------------------


def test_figures_of_a_large_trace_are_exact_at_every_moment():
    with Followed() as followed, ops.span("root"):
        for number in range(12):
            with ops.span("agent", **{"gen_ai.operation.name": "chat", "gen_ai.usage.input_tokens": 99}):
                for _ in range(40):
                    call()
            if number % 3 == 0:
                call("failed", fails=True)
            assert figures(followed.read()) == stored()


def test_a_call_inside_a_call_counts_once_also_where_it_ends_later():
    with Followed() as followed, ops.span("root"):
        for _ in range(250):
            call()
        outer = ops.span("outer", **{"gen_ai.operation.name": "chat", "gen_ai.usage.input_tokens": 7})
        outer.__enter__()
        inner = ops.span("inner", **{"gen_ai.operation.name": "chat", "gen_ai.usage.input_tokens": 7})
        inner.__enter__()
        outer.finish()
        followed.read()
        inner.finish()
        live = followed.read()

        assert figures(live) == stored()


def test_a_call_that_two_libraries_record_counts_once():
    from opentelemetry.sdk.trace import TracerProvider

    from mirascope_ops.core.processor import SessionProcessor

    provider = TracerProvider()
    provider.add_span_processor(SessionProcessor())
    told = {"gen_ai.operation.name": "chat", "gen_ai.usage.input_tokens": 5, "gen_ai.response.id": "r1"}
    with Followed() as followed, ops.span("root"):
        for library in ("one", "other"):
            with provider.get_tracer(library).start_as_current_span("chat", attributes=told):
                pass
        live = followed.read()

        assert figures(live) == stored()
        assert (live.llm_calls, live.input_tokens) == (1, 5)


def test_plain_spans_are_not_read():
    with Followed() as followed:
        for _ in range(3_000):
            with ops.span("outer", question="Why?"), ops.span("inner"):
                pass
        call()
        began = followed.feed._count
        read = []
        followed.feed._count = lambda records: (read.extend(records), began(records))
        live = followed.read()

    assert [record.name for record in read] == ["call"]
    assert (live.spans, live.turns, live.llm_calls) == (6_001, 3_001, 1)
