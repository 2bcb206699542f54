"""Texts compared: nothing is lost or made up, what is left out is said, and work has a bound."""

from __future__ import annotations

import random
from difflib import SequenceMatcher

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mirascope_ops.analysis import sequences
from mirascope_ops.analysis.content import Part
from mirascope_ops.analysis.partdiff import MOST_PARTS, part_diff
from mirascope_ops.analysis.sequences import MOST_ITEMS, Effort, blocks
from mirascope_ops.analysis.textdiff import MOST_LINES, text_diff
from mirascope_ops.analysis.worddiff import words_diff

TEXTS = st.lists(st.sampled_from(["a", "b", "c", "a b", "b  a", " c", ""]), max_size=12).map("\n".join)
WORDS = [f"w{number}x" for number in range(500)]


def shown(before, after, **options):
    return [line.sign + line.text for line in text_diff(before, after, **options)]


def prose(seed, words, line=12):
    rng = random.Random(seed)
    return "\n".join(" ".join(rng.choice(WORDS) for _ in range(line)) for _ in range(words // line))


@given(TEXTS, TEXTS)
def test_both_texts_can_be_read_off_their_comparison(before, after):
    lines = text_diff(before, after, context=99)

    if before != after:
        assert "\n".join(line.text for line in lines if line.sign in "=-") == before
        assert "\n".join(line.text for line in lines if line.sign in "=+") == after


@given(TEXTS, TEXTS, st.integers(0, 3))
def test_every_line_is_shown_or_counted(before, after, context):
    lines = text_diff(before, after, context=context)

    hidden = sum(int(line.text.split()[0]) for line in lines if line.sign == "…")
    assert sum(line.sign in "=+" for line in lines) + hidden == after.count("\n") + 1
    assert sum(line.sign in "=-" for line in lines) + hidden == before.count("\n") + 1


@given(st.text("ab ."), st.text("ab ."))
def test_both_lines_can_be_read_off_their_pieces(before, after):
    left, right = words_diff(before, after, Effort())

    assert "".join(piece.text for piece in left) == before
    assert "".join(piece.text for piece in right) == after


@given(st.lists(st.integers(0, 5), max_size=30), st.lists(st.integers(0, 5), max_size=30), st.integers(0, 300))
def test_blocks_cover_both_sequences_and_are_equal_where_they_say_so(one, other, effort):
    found = blocks(one, other, Effort(effort))

    assert [item for block in found for item in one[block.a0 : block.a1]] == one
    assert [item for block in found for item in other[block.b0 : block.b1]] == other
    assert all(one[block.a0 : block.a1] == other[block.b0 : block.b1] for block in found if block.equal)


def test_edits_far_apart_in_a_long_text_are_found_and_nothing_else():
    text = prose(1, 60_000)
    lines = text.split("\n")
    lines[10] = "changed here"
    lines[-10] = "and there"

    told = [line for line in shown(text, "\n".join(lines), context=0) if line[0] in "-+"]

    assert [line for line in told if line[0] == "+"] == ["+changed here", "+and there"]
    assert len(told) == 4


def test_edits_far_apart_in_one_long_line_are_found_and_nothing_else():
    words = prose(2, 4_000).replace("\n", " ").split(" ")
    edited = [*words]
    edited[100], edited[-100] = "first", "second"

    _, right = words_diff(" ".join(words), " ".join(edited), Effort())

    assert [piece.text for piece in right if piece.changed] == ["first", "second"]


def test_a_blank_that_changed_is_shown():
    left, right = words_diff("a b", "a  b", Effort())

    assert [piece.text for piece in left if piece.changed] == [" "]
    assert [piece.text for piece in right if piece.changed] == ["  "]


@pytest.mark.parametrize("alphabet", ["ab", WORDS])
def test_large_texts_that_differ_everywhere_cost_no_more_than_the_effort(alphabet, monkeypatch):
    looked_at = 0

    class Counting(SequenceMatcher):
        def __init__(self, junk, one, other, *, autojunk):
            nonlocal looked_at
            looked_at += sum(other.count(item) for item in one)
            assert max(len(one), len(other)) <= MOST_ITEMS
            super().__init__(junk, one, other, autojunk=autojunk)

    monkeypatch.setattr(sequences, "SequenceMatcher", Counting)
    rng = random.Random(1)
    texts = ["\n".join(" ".join(rng.choice(alphabet) for _ in range(90)) for _ in range(600)) for _ in range(2)]

    lines = text_diff(*texts, effort=Effort(20_000))

    assert looked_at <= 20_000
    assert len(lines) <= 2 * MOST_LINES + 1
    assert lines[-1].text.endswith("more lines are not compared")


def test_a_million_equal_lines_before_an_edit_are_only_counted():
    assert shown("\n" * 10**6 + "a", "\n" * 10**6 + "b", context=1) == ["…999,999 equal lines", "=", "-a", "+b"]


def test_a_megabyte_without_a_line_break_is_cut_and_says_so():
    lines = text_diff("a" * 10**6, "b" * 10**6)

    assert [line.sign for line in lines] == ["-", "+"]
    assert lines[0].text.endswith("… 980,000 more characters")
    assert sum(len(line.text) for line in lines) < 50_000


def test_messages_are_compared_by_role_and_equal_ones_are_counted():
    same = [Part("user", f"question {number}") for number in range(5)]
    before = [Part("system", "Be brief."), *same, Part("assistant", "Yes.")]
    after = [Part("system", "Be long."), *same, Part("tool", "21"), Part("assistant", "Yes.")]

    found = part_diff(before, after)

    assert [(one.role, one.sign) for one in found] == [
        ("system", "±"),
        ("user", "="),
        ("", "…"),
        ("user", "="),
        ("tool", "+"),
        ("assistant", "="),
    ]
    assert found[2].lines[0].text == "3 equal messages"


def test_of_many_changed_messages_some_are_compared_and_the_others_counted():
    found = part_diff([Part("user", f"a{n}") for n in range(100)], [Part("user", f"b{n}") for n in range(100)])

    assert sum(one.sign == "±" for one in found) == MOST_PARTS
    assert found[-1].sign == "…"
