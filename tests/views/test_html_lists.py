from __future__ import annotations

import re

from mirascope_ops.views.budget import MAX_BYTES
from mirascope_ops.views.html import sessions_html, spans_html


def rows(shown: str) -> list[str]:
    """The table's rows, cells separated by bars."""
    found = re.findall(r"<tr>(.*?)</tr>", shown.split("</style>", 1)[1], flags=re.DOTALL)
    return [re.sub(r"<[^>]+>", "", re.sub(r"</t[dh]>", "|", row)) for row in found]


def test_sessions_are_a_table(card, html):
    shown = sessions_html([card.children[0], card], 214)

    assert rows(shown) == [
        "Session|Status|Last message|Latency by turn|Turns|Tokens|Cost|Time|Last seen, UTC|",
        (
            "conv-2|✕ 1 error ! 1 recovered|Summarise café ☕ 日本語 👩‍👩‍👧‍👦 "
            "&lt;script&gt;alert(1)&lt;/script&gt; &amp; &quot;quotes&quot; "
            "\\ part 0 and 2 more||3|84 → 27|$0.000027|228.1 ms|24 Nov, 19:24|"
        ),
        "conv-1|✕ error in a child|Tell me a short story about it.||3|223 → 60|$0.000065|348.8 ms|24 Nov, 19:24|",
    ]
    assert "2 of 214, newest first" in shown
    assert "212 more" in shown
    assert shown == html


def test_a_session_without_spans_is_listed_without_zeros(build_card):
    assert rows(sessions_html([build_card("quiet", [])], 1)) == [
        "Session|Status|Last message|Last seen, UTC|",
        "quiet|✓ ok|no spans yet|24 Nov, 19:24|",
    ]


def test_years_are_shown_where_they_differ(build_card):
    shown = sessions_html([build_card("a", []), build_card("b", [], last_seen=10**18)], 2)

    assert "24 Nov 2026, 19:24" in rows(shown)[1]
    assert "9 Sep 2001, 01:46" in rows(shown)[2]


def test_no_sessions_say_how_to_start_one():
    assert "A session starts with ops.session(id)" in sessions_html([], 0)


def test_several_traces_are_a_table_of_traces(all_traces, html):
    shown = spans_html(all_traces)

    assert rows(shown)[2] == (
        "chain  chat|✓ ok|What is the weather there right now?||164.7 ms|111 → 19|$0.000026|5|f9d136bb|"
    )
    assert "InternalServerError: Error code: 500" in rows(shown)[4]
    assert "! recovered" in rows(shown)[5]
    assert "p50 92.0 ms · p95 154.8 ms · 1 error" in shown
    assert "6, oldest first" in shown
    assert shown == html


def test_one_trace_is_shown_as_its_tree(weather):
    assert '<section class="tr"' in spans_html(weather)
    assert "<table>" in spans_html(weather, by="trace")


def test_spans_picked_out_of_traces_are_a_table_of_spans(all_traces):
    shown = spans_html([span for span in all_traces if span.kind == "llm"])

    assert len(rows(shown)) == 11
    assert rows(shown)[2] == (
        "llm  ChatCompletion|✓ ok|gpt-4o-mini → calls get_weather · What is the weather there right now?||"
        "80.8 ms|47 → 12|$0.000013|[7]|f9d136bb|"
    )


def test_columns_in_which_nothing_is_known_are_left_out(span):
    spans = [span(f"a{n}", None, "x", n, 1, trace_id=f"{n:032x}", execution_count=None) for n in range(2)]

    assert rows(spans_html(spans, by="span"))[0] == "Span|Status|0 to 1 ms|Duration|Trace|"


def test_a_failed_second_root_tells_its_error(span):
    spans = [
        span("a", None, "one", 0, 1),
        span("b", None, "two", 2, 1, status="error", error_type="KeyError", error_message="city"),
    ]

    assert "KeyError: city" in rows(spans_html(spans, by="trace"))[1]


def test_the_order_is_told(all_traces):
    assert "newest first" in spans_html(
        list(reversed([span for span in all_traces if span.parent_id is None])), by="span"
    )


def test_thousands_of_rows_fit_and_say_what_was_cut(span):
    spans = [
        span(f"a{n}", None, f"name {n} " * 20, n, 5, trace_id=f"{n:032x}", input="x" * 9_000) for n in range(3_000)
    ]

    for shown, noun in ((spans_html(spans), "more"), (spans_html(spans, by="span"), "more spans")):
        assert len(shown.encode()) <= MAX_BYTES
        assert re.search(rf"[\d,]+ {noun}: <span class=\"m\">.to_pandas\(\)</span>", shown)


def test_thousands_of_sessions_fit(build_card):
    shown = sessions_html([build_card(f"session {n} " * 20, []) for n in range(2_000)], 5_000)

    assert len(shown.encode()) <= MAX_BYTES
    assert re.search(r"4,\d+ more", shown)


def test_no_spans_say_how_to_make_some():
    assert "@ops.trace" in spans_html([])


def test_the_style_sheet_is_small(all_traces):
    assert len(spans_html(all_traces).split("</style>")[0].encode()) < 6_000
