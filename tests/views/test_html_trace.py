from __future__ import annotations

import json
import re
import time

from mirascope_ops.store.records import AnnotationRecord, EventRecord, LinkRecord
from mirascope_ops.views.budget import MAX_BYTES
from mirascope_ops.views.html import span_html, trace_html

T0 = 1_795_548_239_000_000_000


def body(shown: str) -> str:
    return shown.split("</style>", 1)[1]


def words(shown: str) -> str:
    """The text as it stands on a page without styles."""
    return re.sub(r"<[^>]+>", "", body(shown)).replace("&quot;", '"').replace("&#x27;", "'")


def test_a_trace_answers_first(weather, html):
    shown = trace_html(weather)

    assert "chat ✓ ok" in words(shown)
    assert "session conv-1 · In [7] · 24 Nov 2026, 19:23:59 UTC · f9d136bb" in words(shown)
    assert "Duration 164.7 ms, LLM calls 2 of 5 spans, Tokens 111 → 19 27 cached, Cost $0.000026" in words(shown)
    assert shown == html


def test_a_row_reads_as_a_sentence_without_styles(weather):
    shown = words(trace_html(weather))

    assert 'tool get_weather city="Paris", unit="celsius", at +89.7 ms, took 4.3 ms' in shown
    assert (
        "llm ChatCompletion gpt-4o-mini → calls get_weather, 47 → 12 tokens, $0.000013, at +8.1 ms, took 80.8 ms"
        in shown
    )


def test_messages_of_the_call_before_are_one_line(weather):
    shown = words(trace_html(weather))

    assert "3 earlier messages, the same as in the call before" in shown
    assert 'Assistant: tool get_weather(city="Paris", unit="celsius") call_00667' in shown
    assert shown.count("Assistant: It is 18°C and sunny in Paris.") == 1


def test_a_tool_shows_arguments_and_result(weather):
    shown = words(trace_html(weather))

    assert 'Arguments{city: "Paris", unit: "celsius"}' in shown
    assert 'Result{city: "Paris", temp: 18, unit: "celsius", sky: "sunny ☀️"}' in shown


def test_a_model_line_tells_settings_and_usage(weather):
    expected = "gpt-4o-mini-2026-01-01 · openai · temperature 0.2 · max 200 tokens · 64 in (16 cached) → 7 out"

    assert expected in words(trace_html(weather))


def test_an_error_opens_on_the_notebooks_own_frames(failed, html):
    shown = trace_html(failed)

    assert "chat_error ✕ error" in words(shown)
    assert "raised from ChatCompletion, 1.7 ms later" in words(shown)
    assert "In [8], line 3, in chat_error" in words(shown)
    assert "In [5], line 9, in complete" in words(shown)
    assert "3 frames in openai, openinference" in words(shown)
    assert "openai/_base_client.py:1248, in request" in words(shown)
    assert "failed before the first token" in words(shown)
    assert shown == html


def test_an_error_of_a_container_is_open_too(span):
    stack = (
        'Traceback (most recent call last):\n  File "/tmp/ipykernel_1/2.py", line 4, in boom\n    return x[3]\n'
        "IndexError: no\n"
    )
    event = EventRecord("exception", T0, {"exception.stacktrace": stack})
    error = {"status": "error", "error_type": "IndexError", "error_message": "no", "events": (event,)}

    shown = trace_html([span("a", None, "boom", 0, 5, input={"x": 1}, **error), span("b", "a", "inner", 1, 1)])

    assert '<details class="pv" open>' in shown
    assert "Notebook cell, line 4, in boomreturn x[3]" in words(shown)


def test_our_own_wrappers_are_no_part_of_a_traceback(span):
    stack = (
        'Traceback (most recent call last):\n  File "/x/mirascope_ops/core/tracing.py", line 9, in wrapper\n    fn()\n'
        '  File "/tmp/ipykernel_1/2.py", line 6, in h\n    f()\nValueError: 2\n'
    )
    event = EventRecord("exception", T0, {"exception.stacktrace": stack})

    shown = words(trace_html([span("a", None, "h", 0, 5, status="error", events=(event,))]))

    assert "in h" in shown
    assert "wrapper" not in shown


def test_what_led_to_an_error_is_folded(span):
    stack = (
        'Traceback (most recent call last):\n  File "/tmp/ipykernel_1/2.py", line 4, in f\n    g()\nKeyError: 1\n\n'
        "The above exception was the direct cause of the following exception:\n\n"
        'Traceback (most recent call last):\n  File "/tmp/ipykernel_1/2.py", line 6, in h\n    f()\n'
        "  [Previous line repeated 990 more times]\nValueError: 2\n"
    )
    event = EventRecord("exception", T0, {"exception.stacktrace": stack, "mirascope.ops.exception.cells": "[1"})
    error = {"status": "error", "error_type": "ValueError", "error_message": "2", "events": (event,)}

    shown = words(trace_html([span("a", None, "h", 0, 5, **error)]))

    assert "before it: KeyError: 1" in shown
    assert "Notebook cell, line 6, in h, 990 times more" in shown


def test_settings_are_read_from_openinference_too(span):
    settings = json.dumps({"temperature": 0.7, "max_tokens": 64, "top_p": 1})
    shown = trace_html(
        [
            span(
                "a",
                None,
                "call",
                0,
                5,
                kind="llm",
                model="m",
                output_tokens=3,
                attributes={"llm.invocation_parameters": settings},
            )
        ]
    )

    assert "m · temperature 0.7 · top p 1 · max 64 tokens · 3 out" in words(shown)


def test_columns_that_nothing_reports_give_their_room_to_the_bars(span):
    shown = trace_html([span("a", None, "one", 0, 5)])

    assert '<section class="tr nt"' in shown
    assert 'data-t="Tokens"' not in shown


def test_nothing_that_was_not_reported_is_shown_as_zero(failed):
    shown = words(trace_html(failed))

    assert "$" not in shown
    assert "Tokens" not in shown
    assert " 0 →" not in shown


def test_the_time_to_the_first_token_is_pale_in_the_bar(streamed):
    shown = trace_html(streamed)

    assert ";--t:57%" in body(shown)
    assert "First token 56.1 ms" in words(shown)


def test_recovered_errors_leave_the_trace_ok(recovered):
    assert "chat_with_fallback ✓ ok, recovered from 1 error" in words(trace_html(recovered))


def test_open_and_interrupted_spans_say_so(span):
    spans = [
        span("o1", None, "agent_run", 0, None, kind="agent"),
        span("o2", "o1", "step", 5, None, status="interrupted", input="x"),
    ]

    shown = words(trace_html(spans))

    assert "agent_run ● running" in shown
    assert "Interrupted: the process ended before this span did." in shown
    assert "at +5.0 ms, interrupted" in shown


def test_events_links_annotations_and_tags_are_shown(span):
    events = (EventRecord("cache miss", T0 + 2_000_000, {"key": "abc", "size": 3}), EventRecord("exception", T0, {}))
    note = AnnotationRecord("", "", T0, "pass", "because it is right", ("gold",), {"rater": "me"})
    spans = [
        span(
            "a", None, "one", 0, 5, events=events, annotations=(note,), tags=("beta",),
            links=(LinkRecord("abcdef0123456789", "1", {}),), attributes={"k": "v"},
        )
    ]  # fmt: skip

    shown = words(trace_html(spans))

    assert '+2.0 mscache miss {key: "abc", size: 3}' in shown
    assert "pass because it is right gold rater me" in shown
    assert "Tagsbeta" in shown
    assert "linked to 1 span in trace abcdef01" in shown
    assert "1 attributek" in shown
    assert "exception" not in shown


def test_no_spans_say_how_to_make_some():
    assert "No spans here yet. Decorate a function with @ops.trace" in words(trace_html([]))


def test_one_span_by_itself_shows_everything(weather, html):
    shown = span_html(weather[1])

    assert "retrieve ✓ ok" in words(shown)
    assert "The Eiffel Tower 🗼 is in Paris." in words(shown)
    assert shown == html


def test_an_output_stands_alone_and_asks_for_nothing(weather, failed):
    for shown in (trace_html(weather), trace_html(failed), span_html(weather[2])):
        assert shown.count("<style>") == 1
        assert not re.search(r"<script|<iframe|<link|<img|src=|href=|@import|url\((?!\"data:)", shown)


# --- size -------------------------------------------------------------------------------------------------


def test_the_style_sheet_is_small(weather):
    assert len(trace_html(weather).split("</style>")[0].encode()) < 9_000


def test_a_sheet_has_only_what_its_output_uses(weather, failed):
    sheets = [trace_html(spans).split("</style>")[0] for spans in (weather, failed)]

    assert [".tb" in sheet for sheet in sheets] == [False, True]
    assert [".ic.too" in sheet for sheet in sheets] == [True, False]
    assert not any(".ic.emb" in sheet for sheet in sheets)


def test_rows_are_small(span):
    spans = [span("r", None, "root", 0, 1000, kind="chain")]
    spans += [span(f"c{n}", "r", "ChatCompletion", n, 1, kind="llm", input_tokens=64, output_tokens=7, cost=1e-5)
              for n in range(100)]  # fmt: skip

    small, large = len(trace_html(spans[:51])), len(trace_html(spans))

    # A panel with a model line included.
    assert (large - small) / 50 < 450


def test_five_thousand_spans_fit_and_say_what_was_cut(span):
    spans = [span("r", None, "root", 0, 5000, kind="chain")]
    spans += [
        span(f"c{n}", "r" if n < 50 else f"c{n % 50}", f"step {n}", n, 1, input={"text": "x" * 2_000}, output="y" * 500)
        for n in range(5_000)
    ]
    spans[4_321] = spans[4_321]._replace(status="error", error_type="ValueError", error_message="the one that failed")
    started = time.process_time()

    shown = trace_html(spans)

    assert time.process_time() - started < 5
    assert len(shown.encode()) <= MAX_BYTES
    assert re.search(r"\d+ of 5,001 spans shown · [\d,]+ more spans: trace.to_pandas\(\)", words(shown))
    assert "the one that failed" in words(shown)


def test_a_megabyte_of_text_is_cut_and_says_how_much(span):
    spans = [span("a", None, "big", 0, 5, input="x" * 1_000_000, output=json.dumps({"text": "y" * 1_000_000}))]

    shown = trace_html(spans)

    assert len(shown.encode()) < 40_000
    assert "994,000 more characters" in words(shown)
    assert "long values are cut" in words(shown)


def test_values_are_cut_before_rows(span):
    spans = [span("r", None, "root", 0, 100)]
    spans += [span(f"c{n}", "r", "step", n, 1, input="x" * 20_000) for n in range(80)]

    shown = trace_html(spans)

    assert len(shown.encode()) <= MAX_BYTES
    assert "81 of 81 spans shown" in words(shown)
    assert "more characters" in shown


def test_hundreds_of_megabyte_strings_are_rendered_quickly(span):
    spans = [span(f"c{n}", None, "step", n, 1, input="<&\u202e" * 300_000) for n in range(20)]
    started = time.process_time()

    shown = trace_html(spans)

    assert time.process_time() - started < 3
    assert len(shown.encode()) <= MAX_BYTES


def test_a_tree_a_thousand_deep_is_flattened_visibly(span):
    spans = [span(f"d{n}", f"d{n - 1}" if n else None, f"level {n}", n, 1000 - n) for n in range(1_000)]

    shown = trace_html(spans)

    assert len(shown.encode()) <= MAX_BYTES
    depth = deepest = 0
    for tag in re.findall(r"<(/?)ul", shown):
        depth += -1 if tag else 1
        deepest = max(deepest, depth)
    assert depth == 0
    assert deepest <= 42
    assert "Level 42 other level 41" in words(shown)


def test_what_is_left_out_is_told_where_it_would_stand(span):
    spans = [span("r", None, "root", 0, 1000)] + [span(f"c{n}", "r", "step", n, 1) for n in range(2_000)]

    shown = trace_html(spans)

    assert re.search(r'<li class="more">[\d,]+ more spans</li></ul>', shown)


def test_long_conversations_are_folded_in_the_middle(span):
    messages = [{"role": "user", "content": f"question {n}"} for n in range(200)]
    spans = [
        span("a", None, "call", 0, 5, kind="llm", input=messages, output=[{"role": "assistant", "content": "done"}])
    ]

    shown = words(trace_html(spans))

    assert "192 messages in between" in shown
    assert "question 199" in shown
    assert "180 more messages: .messages()" in shown


def test_what_a_span_was_told_is_read_as_a_message_and_beside_its_name(span):
    told = EventRecord("info", T0 + 1_000_000, {"level": "info", "message": "looked <b>up</b>", "notes": 2})
    shown = trace_html(
        [
            span("a1", None, "plan", 0, 9, events=(told,), attributes={"step": 1}),
            span("a2", "a1", "retrieve", 1, 2),
        ]
    )

    assert "1 event: looked &lt;b&gt;up&lt;/b&gt; · 1 attribute" in shown
    assert "info looked &lt;b&gt;up&lt;/b&gt; {notes: 2}" in words(shown)
