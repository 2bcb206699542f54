"""Two runs compared as HTML and text: better or worse first, then what changed, whatever the spans hold."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

# Tests are no package; the checker of the other views is imported by its name.
sys.path.insert(0, str(Path(__file__).parent))

from test_html_safety import DIRECT, HOSTILE_TEXT, Checker
from test_html_safety import check as check_view

from mirascope_ops.analysis.diff import compare
from mirascope_ops.spandiff import SpanDiff
from mirascope_ops.views.budget import MAX_BYTES
from mirascope_ops.views.html_delta import delta_html
from mirascope_ops.views.html_diff import diff_html
from mirascope_ops.views.text_diff import diff_text
from mirascope_ops.views.words import MINUS

MS = 1_000_000
OLD, NEW = "Answer briefly.", "Answer in one short sentence."


class DiffChecker(Checker):
    """Knows the elements that comparisons have beside those of the other views."""

    def handle_starttag(self, tag, attrs):
        super().handle_starttag(_plain(tag), attrs)

    def handle_endtag(self, tag):
        super().handle_endtag(_plain(tag))


def _plain(tag):
    return "span" if tag in {"h5", "ins", "del"} else tag


def check(shown):
    return check_view(shown, DiffChecker())


def words(shown: str) -> str:
    """The text as it stands on a page without styles."""
    text = re.sub(r"<[^>]+>", "", shown.split("</style>", 1)[1]).replace(MINUS, "-").replace("  ", " ")
    return text.replace("&quot;", '"').replace("&#x27;", "'").replace("&lt;", "<").replace("&gt;", ">")


def later(spans, **changed):
    """The same spans in another run; `changed` are fields by the span's id."""
    return [
        span._replace(
            trace_id=span.trace_id[::-1],
            start=span.start + 60_000 * MS,
            end=None if span.end is None else span.end + 60_000 * MS,
            execution_count=11,
        )._replace(**changed.get(span.span_id, {}))
        for span in spans
    ]


def edited(call):
    """Fields of a model call with another system prompt."""
    attributes = {
        key: value.replace(OLD, NEW) if isinstance(value, str) else value for key, value in call.attributes.items()
    }
    return {"attributes": attributes, "input": call.input.replace(OLD, NEW)}


@pytest.fixture
def runs(weather, span):
    """A run, and one whose first call was asked otherwise and was faster; with a span more and one less."""
    faster = {"duration": 52_400_000, "input_tokens": 55, "cost": 14.6e-6}
    after = later(weather, a3=edited(weather[2]) | faster, a1={"duration": 128_900_000})
    more = span("a6", "a1", "rerank", 60_007, 9.2, kind="embedding", trace_id=after[0].trace_id, input={"n": 2})
    before = [*weather, span("a7", "a1", "sleep_backoff", 94.1, 1.5)]
    return before, [*after, more]


def test_a_comparison_answers_first(runs, html):
    shown = diff_html(compare(*runs))

    assert "Comparison of chat 3 changes" in words(shown)
    assert "1 changed prompt, 1 added, 1 removed" in words(shown)
    assert "Duration: B 128.9 ms, A 164.7 ms, ▼ -35.8 ms (-22%) better" in words(shown)
    assert "Input tokens: B 119, A 111, ▲ +8 (+7%) worse" in words(shown)
    assert shown == html


def test_a_changed_prompt_reads_line_by_line_without_styles(runs):
    shown = diff_html(compare(*runs))

    assert "System in A: - You are a helpful travel assistant. Answer briefly." in words(shown)
    assert "System in B: + You are a helpful travel assistant. Answer in one short sentence." in words(shown)
    assert "<del>briefly</del>" in shown
    assert "<ins>in one short sentence</ins>" in shown


def test_a_message_is_named_where_its_first_line_is_left_out(span):
    def run(last):
        text = "\n".join([*(f"line {n}" for n in range(9)), last])
        return [span("a", None, "ask", 0, 5, kind="llm", input=[{"role": "system", "content": text}])]

    shown = diff_html(compare(run("Be brief."), run("Be polite.")))

    assert '<span class="ro" dir="auto">System<bdi>: </bdi></span><span class="gw"></span>' in shown


def test_a_row_says_what_became_of_the_span(runs):
    shown = words(diff_html(compare(*runs)))

    assert "level 2: embedding + only in B: rerank" in shown
    assert "level 2: other - only in A: sleep_backoff" in shown
    assert "level 2: llm ± changed: ChatCompletion prompt" in shown
    assert "A 80.8 ms, B 52.4 ms▼ -28.4 ms better" in shown


def test_a_new_error_stands_first(weather, failed):
    healthy = [one._replace(status="ok", error_type=None, error_message=None, events=()) for one in failed]

    shown = words(diff_html(compare(healthy, later(failed))))

    assert "1 new error" in shown
    assert "✕ new error: InternalServerError: Error code: 500 - fake upstream failure turn 1" in shown
    assert "✓ fixed: InternalServerError" in words(diff_html(compare(failed, later(healthy))))


def test_turns_that_changed_places_are_told_and_those_without_changes_folded(all_traces):
    swap = {"a": 200 * MS, "c": -200 * MS}
    moved = [one._replace(start=one.start + swap.get(one.span_id[0], 0)) for one in later(all_traces)]

    diff = compare(all_traces, moved)
    shown = words(diff_html(diff))

    assert [change.what for change in diff.changes] == ["moved"]
    assert "↕ moved: chain chat, turn" in shown
    assert re.search(r"\d turns without changes", shown)


def test_the_same_run_says_that_nothing_differs(weather):
    shown = words(diff_html(compare(weather, later(weather))))

    assert "no changes" in shown
    assert "Nothing differs but ids, times and the like" in shown


def test_nothing_compared_with_something(weather):
    for shown in (diff_html(compare([], weather)), diff_html(compare(weather, [])), diff_html(compare([], []))):
        check(shown)


def test_hostile_runs_come_out_escaped(hostile, weather):
    hurt = [one._replace(status="error", error_message=one.name) for one in weather]
    for pair in ((weather, hostile), (hostile, weather), (hostile, later(hostile[:2])), (hostile, hurt)):
        checker = check(diff_html(compare(*pair)))
        assert "<script>alert('x')</script>" in "".join(checker.text)


@pytest.mark.parametrize("kind", ["llm", "tool"])
@pytest.mark.parametrize(
    "text",
    [
        "<script>alert(1)</script>",
        '<img src=x onerror="alert(1)">',
        '<a href="javascript:alert(1)">go</a>',
        "</style><style>*{display:none}</style>",
        "</article></details></table>",
        "a\u202eb\u2066c\x1b[31m\x00\x9b",
        "\ud800",
    ],
)
def test_an_edit_of_hostile_text_is_shown_and_acts_nowhere(span, kind, text):
    before, after = (
        [span("a", None, "ask", 0, 5, kind=kind, input={"city": f"{text} {n} is here"}, output=f"{n} {text}")]
        for n in "xy"
    )
    diff = SpanDiff(before, after)

    check(diff._html())
    assert not DIRECT.search(diff.to_text())
    assert diff.to_pandas()["differs"][0].endswith("output")


@settings(max_examples=60, deadline=None)
@given(HOSTILE_TEXT, HOSTILE_TEXT, HOSTILE_TEXT, st.sampled_from(["llm", "tool", "other"]))
def test_no_text_adds_an_element(one, other, shared, kind):
    from mirascope_ops.analysis.rows import SpanRow

    empty = {"attributes": {}, "scope": "", "events": (), "links": (), "annotations": ()}
    fields = dict.fromkeys(SpanRow._fields) | empty | {"span_id": "a", "trace_id": "t", "kind": kind, "start": 1}
    runs = [
        [
            SpanRow(
                **(
                    fields
                    | {"name": shared + text, "input": shared + text, "output": text, "status": status, "tags": (text,)}
                )
            )
        ]
        for text, status in ((one, "ok"), (other, "error"))
    ]

    check(diff_html(compare(*runs)))
    assert not DIRECT.search(diff_text(compare(*runs)))


def test_megabytes_are_cut_and_it_says_so(span):
    def run(text):
        return [span("a", None, "ask", 0, 5, kind="llm", input=[{"role": "user", "content": text}], output=text * 2)]

    before, after = "<b>word</b> & \n" * 70_000, "<b>word</b> & \n" * 35_000 + "<i>new</i>\n" * 35_000

    shown = diff_html(compare(run(before), run(after)))

    check(shown)
    assert len(shown.encode()) <= MAX_BYTES
    assert "more lines" in words(shown)


def test_many_changes_stay_within_the_budget_and_it_says_so(span):
    def run(word):
        spans = [span(f"{n:016}", "root", f"step {n}", n, 1, kind="tool", input=f"{word}{n} " * 60) for n in range(800)]
        return [span("root", None, "work", 0, 900), *spans]

    shown = diff_html(compare(run("before"), run("after")))

    check(shown)
    assert len(shown.encode()) <= MAX_BYTES
    assert re.search(r"\d+ more changes: iterate over the diff", words(shown))
    assert re.search(r"\d+ more spans: .to_pandas\(\)", words(shown))


def test_a_tree_a_thousand_deep_is_shown_flat(span):
    def run(word):
        return [
            span(f"{n:016}", f"{n - 1:016}" if n else None, f"level {n}", n, 2_000 - n, input=word)
            for n in range(1_000)
        ]

    shown = diff_html(compare(run("one"), run("two")))

    check(shown)
    assert len(shown.encode()) <= MAX_BYTES


def test_a_figure_that_is_not_known_in_one_run_has_no_delta(weather):
    free = [one._replace(cost=None) for one in weather]

    shown = words(diff_html(compare(weather, later(free))))

    assert "Cost: B unknown, A $0.000026" in shown
    assert not delta_html(None, 3, "tokens")


@pytest.mark.parametrize(
    ("before", "after", "unit", "told"),
    [
        (100 * MS, 90 * MS, "ns", "▼ -10.0 ms (-10%) better"),
        (100 * MS, 100 * MS + 1_000, "ns", "+1 µs"),
        (5, 5, "tokens", "="),
        (2, 60, "tokens", "▲ +58 (30 times) worse"),
        (0, 1, "", "▲ +1 worse"),
        (0.01, 0.02, "usd", "▲ +$0.0100 (+100%) worse"),
    ],
)
def test_a_delta_says_by_how_much_and_whether_it_is_better(before, after, unit, told):
    assert re.sub(r"<[^>]+>", "", delta_html(before, after, unit, share=True)).replace(MINUS, "-") == told


def test_user_text_has_a_direction_of_its_own(span):
    runs = [[span("a", None, "ما هي", 0, 1, kind="llm", input=json.dumps(f"שלום {n}"))] for n in "ab"]

    shown = diff_html(compare(*runs))

    assert '<b dir="auto">ما هي</b>' in shown
    assert '<span class="lw" dir="auto">' in shown


def test_the_page_of_a_comparison_stands_alone(runs, tmp_path):
    path = SpanDiff(*runs).to_html(tmp_path / "diff.html")

    page = path.read_text(encoding="utf-8")
    assert page.startswith("<!doctype html>")
    assert "<title>Comparison of chat</title>" in page
    assert "<title>a &lt; b</title>" in SpanDiff(*runs).to_html(path, title="a < b").read_text(encoding="utf-8")
    assert not re.search(r"<script|<link|<iframe|https?://(?!www\.w3\.org/2000/svg)", page)


def test_the_bundle_has_every_form_and_those_that_were_asked_for(runs):
    diff = SpanDiff(*runs)

    assert list(diff._repr_mimebundle_()) == ["application/vnd.mirascope.ops.spans+json", "text/html", "text/plain"]
    assert list(diff._repr_mimebundle_(include=["text/plain"])) == ["text/plain"]
    assert diff._repr_mimebundle_()["application/vnd.mirascope.ops.spans+json"]["type"] == "diff"


def test_a_deep_tree_without_changes_is_shown_from_the_top(span):
    run = [span(f"{n:016}", f"{n - 1:016}" if n else None, f"level {n}", n, 2_000 - n) for n in range(500)]

    shown = words(diff_html(compare(run, later(run))))

    assert "level 3: other level 2" in shown
    assert re.search(r"\d+ more spans: .to_pandas\(\)", shown)
