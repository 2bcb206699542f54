from __future__ import annotations

import json
from html.parser import HTMLParser

from hypothesis import given
from hypothesis import strategies as st

from mirascope_ops.views.escape import html_text, one_line, visible, visible_json


def test_control_characters_are_shown_as_python_writes_them():
    assert visible("a\x00b\x1b[31m\x7f\x9b") == r"a\x00b\x1b[31m\x7f\x9b"


def test_newlines_and_tabs_stay_and_windows_line_ends_become_plain():
    assert visible("a\r\nb\tc\n") == "a\nb\tc\n"
    assert visible("a\rb") == r"a\x0db"


def test_bidirectional_controls_are_shown():
    assert visible("\u202eabc\u2066\u200f\u061c") == r"\u202eabc\u2066\u200f\u061c"


def test_lone_surrogates_are_shown_so_that_the_text_can_be_sent():
    assert visible("\ud800x").encode() == rb"\ud800x"


def test_hidden_tag_characters_are_shown_but_flags_stay():
    england = "\U0001f3f4\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f"

    assert visible("\U000e0041") == r"\U000e0041"
    assert visible(england) == england


@given(st.text(st.characters(codec=None, exclude_categories=())))
def test_json_means_the_same_and_holds_nothing_that_acts(text):
    shown = visible_json(json.dumps([text], ensure_ascii=False))

    assert json.loads(shown) == [text]
    assert visible(shown) == shown


def test_emoji_sequences_and_right_to_left_letters_stay():
    text = "👩‍👩‍👧‍👦 ما هي أقصر رحلة"

    assert visible(text) == text


def test_quotes_and_tags_are_escaped():
    assert html_text('<a href="x">\'&') == "&lt;a href=&quot;x&quot;&gt;&#x27;&amp;"


@given(st.text())
def test_escaped_text_reads_back_as_what_is_visible(text):
    found: list[str] = []
    parser = HTMLParser(convert_charrefs=True)
    parser.handle_data = found.append

    parser.feed(html_text(text))
    parser.close()

    assert "".join(found) == visible(text)


@given(st.text(), st.integers(min_value=2, max_value=50))
def test_a_line_is_one_line_and_within_its_limit(text, limit):
    line = one_line(text, limit)

    assert len(line) <= limit
    assert not any(mark in line for mark in "\n\r\t\x1b\x00\x85\u2028")


def test_a_line_that_was_cut_ends_with_an_ellipsis():
    assert one_line("a " * 1_000_000, 10) == "a a a a a…"
