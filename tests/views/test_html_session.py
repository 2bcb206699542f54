from __future__ import annotations

import dataclasses
import re

import pytest

from mirascope_ops.views.budget import MAX_BYTES
from mirascope_ops.views.html import session_html


def words(shown: str) -> str:
    """The text as it stands on a page without styles."""
    return re.sub(r"<[^>]+>", "", shown.split("</style>", 1)[1]).replace("&quot;", '"').replace("&#x27;", "'")


def test_a_card_answers_first(card, html):
    shown = session_html(card)

    assert "Session conv-1 ✕ 1 failed turn,  ! 1 recovered" in words(shown)
    assert "6 turns in 2 sessions · In [9] · 24 Nov 2026, 19:23:59 UTC, 576.9 ms" in words(shown)
    assert "user.id user-42, env test, plan pro, attempt 3, beta, corpus" in words(shown)
    assert "Turns 5 of 6 ok, LLM calls 10 2 failed, Tokens 307 → 87 60 cached, Cost $0.000093" in words(shown)
    assert shown == html


def test_turns_read_as_question_and_answer(card):
    shown = words(session_html(card))

    assert "What is the weather there right now? → It is 18°C and sunny in Paris. · 111 → 19 tokens" in shown
    assert "✕ InternalServerError: Error code: 500 - fake upstream failure" in shown
    assert "! recovered from RateLimitError → A short summary: all is well." in shown


def test_a_failed_turn_names_the_errors_type(span, build_card, build_turn):
    error = {"status": "error", "error_type": "IndexError", "error_message": "list index out of range"}
    turn = build_turn([span("a", None, "boom", 0, 5, **error)], "x", None)

    assert "✕ IndexError: list index out of range" in words(session_html(build_card("s", [turn])))


def test_the_run_is_told_from_the_session(card):
    assert "this run 7 spans, session 24" in words(session_html(dataclasses.replace(card, run_spans=7, runs=2)))
    assert "this run no spans, session 24" in words(session_html(dataclasses.replace(card, run_spans=0)))
    assert "this run" not in words(session_html(card))


def test_charts_tell_their_figures_in_words(card):
    shown = session_html(card)

    assert "Latency per turn: median 92.0 ms, max 164.7 ms" in words(shown)
    assert "total 307 → 87" in words(shown)
    assert shown.count("<svg") == 2
    assert 'aria-label="turn 1 85.6 ms, turn 2 164.7 ms' in shown


def test_child_sessions_are_nested_and_name_their_parent(card):
    assert "Session conv-2, child of conv-1 · 3 turns · 84 → 27 tokens · $0.000027, ✕ 1 error" in words(
        session_html(card)
    )


def test_a_turn_opens_to_its_trace(card):
    shown = session_html(card)

    assert shown.count('<section class="tr"') == 6
    assert "tool get_weather" in words(shown)


def test_messages_of_the_turn_before_are_one_line(card):
    assert "3 earlier messages, the same as in the call before" in words(session_html(card))


def test_a_session_without_spans_says_how_to_trace_something(build_card, html):
    shown = session_html(build_card("quiet", [], attributes={"env": "test"}))

    assert "Session quiet" in words(shown)
    assert "Put @ops.trace on a function and call it in the session" in words(shown)
    assert "env test" in words(shown)
    assert len(shown.encode()) < 4_000
    assert shown == html


@pytest.mark.parametrize(("status", "word"), [("open", "● running"), ("interrupted", "◐ interrupted"), ("ok", "✓ ok")])
def test_a_sessions_status_is_a_sign_and_a_word(card, build_card, status, word):
    assert word in words(session_html(build_card("s", card.turns[:2], status=status)))


def test_a_turn_without_question_or_answer_still_has_a_line(span, build_card, build_turn):
    shown = words(session_html(build_card("s", [build_turn([span("a", None, "job", 0, None)], None, None)])))

    assert "job running" in shown


def test_hundreds_of_turns_fit_and_say_what_was_cut(span, build_card, build_turn):
    turns = [
        build_turn(
            [span(f"a{n}", None, "chat", n, 5, trace_id=f"{n:032x}", input="x" * 5_000)], f"question {n}", "y" * 900
        )
        for n in range(700)
    ]
    turns[3] = build_turn(
        [span("bad", None, "chat", 3, 5, status="error", error_message="broke early")], "the failed question", None
    )

    shown = session_html(build_card("long", turns))

    assert len(shown.encode()) <= MAX_BYTES
    assert re.search(r"[\d,]+ more turns: ops.get_session\('long'\).turns\(\)", words(shown))
    assert "the failed question" in words(shown)
    assert "question 699" in words(shown)
    assert '<li value="700">' in shown


def test_large_traces_in_turns_are_cut_with_the_call_that_shows_them(span, build_card, build_turn):
    spans = [span("r", None, "chat", 0, 900)] + [span(f"c{n}", "r", "step", n, 1) for n in range(900)]

    shown = words(session_html(build_card("s", [build_turn(spans, "hello", "there")] * 3)))

    assert re.search(r"[\d,]+ more spans: ops.get_trace\('f9d136bb'\)", shown)


def test_sessions_a_thousand_deep_are_flattened(span, build_card, build_turn):
    card = build_card("s0", [])
    for n in range(1, 1_000):
        card = build_card(f"s{n}", [build_turn([span("a", None, "x", 0, 1)], "q", "a")] if n % 100 == 0 else [], [card])

    shown = session_html(card)

    assert len(shown.encode()) <= MAX_BYTES
    assert "more sessions: ops.sessions()" in words(shown)


def test_the_style_sheet_is_small(card):
    assert len(session_html(card).split("</style>")[0].encode()) < 10_240


def test_of_a_long_session_many_turns_have_their_line_though_few_have_their_spans(card):
    turns = [card.turns[number % 3] for number in range(90)]
    long = dataclasses.replace(card, turns=turns, children=())
    shown = session_html(long)

    assert shown.count("<li value=") >= 32
    assert shown.index("earlier turns") < shown.index("<li value=")
    assert "per turn, last 60" in words(shown)
    assert len(shown.encode()) <= 77_000
