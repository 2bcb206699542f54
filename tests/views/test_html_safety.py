"""Whatever spans hold, the page has our elements and attributes only."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mirascope_ops.views.html import session_html, sessions_html, span_html, spans_html, trace_html

ELEMENTS = {
    "article", "style", "header", "div", "section", "p", "h4", "b", "i", "small", "span", "bdi", "details",
    "summary", "h5", "ul", "ol", "li", "dl", "dt", "dd", "code", "pre", "br", "figure", "figcaption", "svg", "g",
    "title", "rect", "path", "table", "thead", "tbody", "tr", "th", "td",
}  # fmt: skip
ATTRIBUTES = {
    "class", "style", "aria-label", "aria-hidden", "dir", "open", "title", "data-t", "value", "role", "scope",
    "viewbox", "preserveaspectratio", "x", "y", "width", "height", "fill", "d", "stroke", "vector-effect",
}  # fmt: skip
VOID = {"br", "rect", "path"}
STYLES = re.compile(
    r"--[a-z0-9]+:(?:[\d.]+%|var\(--[a-z0-9]+\))(?:;--[a-z0-9]+:[\d.]+%)*|color:var\(--[a-z0-9]+\)|justify-content:(?:start|end)"
)
DIRECT = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


class Checker(HTMLParser):
    """Collects what should not be there, and checks that elements close in order."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.wrong: list[str] = []
        self.stack: list[str] = []
        self.text: list[str] = []

    def handle_starttag(self, tag, attrs):
        if tag not in ELEMENTS:
            self.wrong.append(f"<{tag}>")
        for name, value in attrs:
            if name not in ATTRIBUTES:
                self.wrong.append(f"<{tag} {name}>")
            if name == "style" and not STYLES.fullmatch(value or ""):
                self.wrong.append(f"style={value}")
        if tag not in VOID:
            self.stack.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.stack.pop()

    def handle_endtag(self, tag):
        if not self.stack or self.stack.pop() != tag:
            self.wrong.append(f"</{tag}> out of order")

    def handle_data(self, data):
        self.text.append(data)

    def handle_comment(self, data):
        self.wrong.append("comment")

    def handle_decl(self, decl):
        self.wrong.append("declaration")

    def handle_pi(self, data):
        self.wrong.append("instruction")


def check(shown: str, checker: Checker | None = None) -> Checker:
    checker = checker or Checker()
    checker.feed(shown)
    checker.close()
    assert checker.wrong == []
    assert checker.stack == []
    assert not DIRECT.search(shown)
    shown.encode()
    return checker


def test_the_checker_finds_what_is_foreign():
    checker = Checker()

    checker.feed("<div onclick=x><script>1</script></span><!-- x -->")

    assert checker.wrong == ["<div onclick>", "<script>", "</span> out of order", "comment"]


def test_hostile_spans_come_out_escaped(hostile):
    for shown in (
        trace_html(hostile),
        spans_html(hostile),
        spans_html(hostile, by="trace"),
        spans_html(hostile, by="span"),
    ):
        checker = check(shown)
        assert "<script>alert('x')</script>" in "".join(checker.text)


def test_every_hostile_span_by_itself_comes_out_escaped(hostile):
    for span in hostile:
        check(span_html(span))


def test_hostile_sessions_come_out_escaped(hostile_card):
    for shown in (session_html(hostile_card), sessions_html([hostile_card, *hostile_card.children], 9)):
        checker = check(shown)
        assert "<script>alert('x')</script>" in "".join(checker.text)


def test_hostile_conversations_come_out_escaped(hostile):
    from mirascope_ops.conversations import Conversation
    from mirascope_ops.testing import captured

    with captured():
        conversation = Conversation(hostile)
        bundle = conversation._repr_mimebundle_()

    checker = check(bundle["text/html"])
    assert "<script>alert('x')</script>" in "".join(checker.text)
    assert not DIRECT.search(bundle["text/plain"])
    assert not DIRECT.search(conversation.to_markdown())


def test_ordinary_views_pass_too(weather, failed, streamed, card, all_traces):
    for shown in (
        trace_html(weather),
        trace_html(failed),
        trace_html(streamed),
        session_html(card),
        spans_html(all_traces),
    ):
        check(shown)


def test_user_text_has_a_direction_of_its_own(weather):
    shown = trace_html([weather[0]._replace(name="ما هي", session_id="אבג")])

    assert '<b dir="auto">ما هي</b>' in shown
    assert '<span dir="auto">אבג</span>' in shown


@pytest.mark.parametrize("limit", [10, 300, 8_000])
def test_text_that_is_cut_stays_escaped(span, limit):
    spans = [
        span("a", None, "<b>" * limit, 0, 1, input=json.dumps({"<i>" * 50: "&<\"'" * limit}), output="</pre>" * limit)
    ]

    check(trace_html(spans))


FIELDS = ("name", "trace_id", "session_id", "input", "output", "model", "provider", "error_type", "error_message")
HOSTILE_TEXT = st.one_of(
    st.text(),
    st.lists(
        st.sampled_from(["<", ">", '"', "'", "&", "</details>", "<script>", "{", "[", ":", "\x1b", "\u202e", "a"])
    ).map("".join),
)


@settings(max_examples=60, deadline=None)
@given(
    values=st.fixed_dictionaries(dict.fromkeys(FIELDS, HOSTILE_TEXT)), kind=st.sampled_from(["llm", "tool", "other"])
)
def test_no_text_in_any_field_adds_an_element(values, kind):
    from mirascope_ops.analysis.rows import SpanRow

    fields = dict.fromkeys(SpanRow._fields)
    fields |= {
        "span_id": "a",
        "kind": kind,
        "status": "error",
        "start": 0,
        "end": 5,
        "duration": 5,
        "tags": (values["name"],),
    }
    fields |= {
        "attributes": {values["name"]: values["input"]},
        "scope": "",
        "events": (),
        "links": (),
        "annotations": (),
    }
    span = SpanRow(**(fields | values))

    check(trace_html([span]))
    check(spans_html([span], by="span"))


def test_a_hostile_session_comes_out_escaped_while_it_runs(hostile, hostile_card):
    from mirascope_ops.analysis.turns import turn_of
    from mirascope_ops.views.html_live import live_html
    from mirascope_ops.views.live import LiveSession, live_text
    from mirascope_ops.views.outline import outline
    from mirascope_ops.views.session_outline import TurnLine

    turn = turn_of(hostile)
    line = TurnLine(turn, outline(turn.roots), 1, 1, hostile_card.session_id, is_first_of_child=False)
    for running in (frozenset[str](), frozenset([turn.trace_id])):
        live = LiveSession(
            session_id=hostile_card.session_id,
            attributes=hostile_card.attributes,
            execution_count=3,
            started=0,
            now=5_000_000_000,
            spans=len(hostile),
            running=[span.name for span in hostile],
            turns=1,
            failed=1,
            llm_calls=1,
            input_tokens=1,
            output_tokens=None,
            cost=0.1,
            past=[line, line],
            shown=[line],
            open_turns=running,
        )

        checker = check(live_html(live))

        assert "<script>alert('x')</script>" in "".join(checker.text)
        assert not DIRECT.search(live_text(live))
        assert "\n" not in live_text(live)
