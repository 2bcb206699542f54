from __future__ import annotations

import re
from textwrap import dedent

import pytest

from mirascope_ops.views.text import session_text, sessions_text, span_text, spans_text, trace_text


def test_a_trace_is_a_tree(weather):
    shown = trace_text(weather)

    assert shown == dedent("""\
        chat ✓ ok · 164.7 ms · 2 LLM calls of 5 spans · 111 → 19 tokens (27 cached) · $0.000026
        session conv-1 · In [7] · 24 Nov 2026, 19:23:59 UTC · trace f9d136bb000000000000000000000000

        chain chat · 164.7 ms · 111 → 19 tokens · $0.000026
        │  in     {"turn": 2, "message": "What is the weather there right now?", "history": "3 messages"}
        │  out    It is 18°C and sunny in Paris.
        │  tags   beta, corpus
        ├─ retriever retrieve · +100 µs · 6.3 ms
        │     in     {"query": "What is the weather there right now?"}
        │     out    [{"id": "doc-1", "score": 0.91, "text": "Paris is the capital of France."}, {"id": "doc-2", \
"score": 0.42, "text": "The Eiffel Tower 🗼 is in Paris."}]
        ├─ llm ChatCompletion · gpt-4o-mini → calls get_weather · +8.1 ms · 80.8 ms · 47 → 12 tokens · $0.000013
        │     in     user: What is the weather there right now? (4 messages)
        │     out    assistant: calls get_weather(city="Paris", unit="celsius")
        ├─ tool get_weather · +89.7 ms · 4.3 ms
        │     in     {"city": "Paris", "unit": "celsius"}
        │     out    {"city": "Paris", "temp": 18, "unit": "celsius", "sky": "sunny ☀️"}
        └─ llm ChatCompletion · gpt-4o-mini · +96.0 ms · 68.5 ms · 64 → 7 tokens · $0.000013
              in     tool: {"city": "Paris", "temp": 18, "unit": "celsius", "sky": "sunny ☀️"} (6 messages)
              out    assistant: It is 18°C and sunny in Paris.""")


def test_an_error_tells_its_message_and_the_notebooks_frames(failed):
    shown = trace_text(failed)

    assert "chat_error ✕ error · 22.8 ms · 1 LLM call of 3 spans\n" in shown
    assert "error  openai.InternalServerError: Error code: 500 - fake upstream failure" in shown
    assert "In [8], line 3, in chat_error: return complete([{" in shown
    assert "openai/_base_client.py, line 1248, in request: raise self._make_status" in shown


def test_open_and_interrupted_spans_say_so(span):
    shown = trace_text([span("a", None, "run", 0, None), span("b", "a", "step", 1, None, status="interrupted")])

    assert "run ● running" in shown
    assert "step ◐ interrupted" in shown


def test_large_traces_are_cut_and_say_so(span):
    spans = [span("r", None, "root", 0, 9_000)]
    spans += [span(f"c{n}", "r", "step", n, 1, input="x" * 100_000) for n in range(5_000)]

    shown = trace_text(spans)

    assert len(shown.encode()) <= 40_000
    assert re.search(r"└─ [\d,]+ more spans\n[\d,]+ more spans: trace.to_pandas\(\) has all 5,001$", shown)


def test_deep_traces_stop_moving_right(span):
    shown = trace_text([span(f"d{n}", f"d{n - 1}" if n else None, "level", n, 1000 - n) for n in range(1_000)])

    assert "[level 40] level" in shown
    assert max(len(line) for line in shown.splitlines()) < 200


def test_several_roots_are_told(span):
    shown = trace_text([span("a", None, "one", 0, 1), span("b", "gone", "two", 2, 1)])

    assert shown.startswith("one and 1 more root ✓ ok")


def test_no_spans_say_how_to_make_some():
    assert trace_text([]) == spans_text([])
    assert "@ops.trace" in trace_text([])


def test_a_session_is_its_turns(card):
    shown = session_text(card)

    assert shown.startswith(
        "Session conv-1 ✕ 1 failed turn · ! 1 recovered · 5 of 6 turns ok · in 2 sessions · 10 LLM calls"
        " · 307 → 87 tokens · $0.000093\nIn [9] · 24 Nov 2026, 19:23:59 UTC · 576.9 ms\nuser.id=user-42, env=test"
    )
    assert (
        "2. What is the weather there right now?\n   → It is 18°C and sunny in Paris.\n   164.7 ms · 111 → 19" in shown
    )
    assert "  Session conv-2 · child of conv-1 · 3 turns · 84 → 27 tokens · ✕ 1 error\n  1. This one will fail" in shown
    assert "✕ InternalServerError: Error code: 500" in shown
    assert "! recovered from RateLimitError: 429, fake rate limit" in shown


def test_the_run_is_told_from_the_session(build_card, card):
    assert "2 runs · this run 4 spans, session 8 · In [9]" in session_text(
        build_card("s", card.turns[:2], run_spans=4, runs=2)
    )


def test_a_session_without_spans_says_how_to_make_some(build_card):
    assert session_text(build_card("quiet", [])).startswith("Session quiet\nIn [9] · 24 Nov 2026")
    assert "@ops.trace" in session_text(build_card("quiet", []))


def test_long_sessions_are_cut(span, build_card, build_turn):
    turns = [build_turn([span(f"a{n}", None, "chat", n, 5)], f"question {n}", "yes") for n in range(500)]

    shown = session_text(build_card("long", turns, [build_card(f"child {n}", []) for n in range(100)]))

    assert "… 440 more turns" in shown
    assert "question 499" in shown
    assert "… 61 more sessions: ops.sessions()" in shown


def test_several_traces_are_a_list(all_traces):
    shown = spans_text(all_traces).splitlines()

    assert shown[0] == "Traces, 6"
    assert shown[1].split() == ["trace", "status", "duration", "tokens", "cost", "spans", "id", "input"]
    assert "chain chat_error          ✕ error          22.8 ms" in shown[5]


def test_one_trace_in_a_set_is_its_tree(weather):
    assert spans_text(weather) == trace_text(weather)
    assert spans_text(weather, by="trace").startswith("Traces, 1")


def test_spans_picked_out_of_traces_are_a_list_of_spans(all_traces):
    shown = spans_text([span for span in all_traces if span.kind == "llm"]).splitlines()

    assert shown[0] == "Spans, 10"
    assert "gpt-4o-mini → calls get_weather" in shown[3]


def test_long_lists_are_cut(span):
    spans = [span(f"a{n}", None, "x", n, 1, trace_id=f"{n:032x}") for n in range(1_000)]

    assert spans_text(spans).endswith("900 more traces: .to_pandas() has all")


def test_columns_in_which_nothing_is_known_are_left_out(span):
    spans = [span(f"a{n}", None, "x", n, 1, trace_id=f"{n:032x}") for n in range(2)]

    assert spans_text(spans).splitlines()[1].split() == ["trace", "status", "duration", "spans", "id"]


def test_sessions_are_a_list(card, build_card):
    shown = sessions_text([card, build_card("quiet", [])], 214).splitlines()

    assert shown[0] == "Sessions, 2 of 214"
    assert "conv-1   ✕ error  3      223 → 60  $0.000065  348.8 ms  24 Nov 2026, 19:24:04 UTC" in shown[2]
    assert "no spans yet" in shown[3]
    assert shown[4] == "212 more: .to_pandas() has all"
    assert "ops.session(id)" in sessions_text([], 0)


def test_one_span_shows_its_whole_values(span):
    shown = span_text(span("a", None, "one", 0, 5, input="line 1\nline 2", output="x" * 5_000, tags=("beta",)))

    assert "input:\n  line 1\n  line 2\n" in shown
    assert "… 1,000 more characters" in shown
    assert "tags: beta" in shown


@pytest.mark.parametrize("render", [trace_text, spans_text])
def test_nothing_reaches_the_terminal_as_a_control_character(hostile, render):
    shown = render(hostile)

    assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]", shown)
    assert r"\x1b" in shown


def test_sessions_and_single_spans_reach_the_terminal_without_control_characters(hostile, hostile_card):
    for shown in (session_text(hostile_card), sessions_text([hostile_card], 1), *map(span_text, hostile)):
        assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]", shown)
