"""Markdown for a language model: complete, bounded, and nothing recorded can leave its fence."""

from __future__ import annotations

import json

import pytest
from exported_strategies import records
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from mirascope_ops import ConfigurationError, SpanSet
from mirascope_ops.analysis.normalise import normalise
from mirascope_ops.store.records import AnnotationRecord, EventRecord
from mirascope_ops.views.markdown import code, fenced, spans_markdown


def call(make, sent, answer, **fields):
    parts = lambda role, text: {"role": role, "parts": [{"type": "text", "content": text}]}  # noqa: E731 - short
    attributes = {
        "gen_ai.operation.name": "chat",
        "gen_ai.request.model": "gpt-4o",
        "gen_ai.usage.input_tokens": 10,
        "gen_ai.usage.output_tokens": 3,
        "gen_ai.input.messages": json.dumps([parts(role, text) for role, text in sent]),
        "gen_ai.output.messages": json.dumps([parts("assistant", answer)]),
    }
    return make(name="chat", attributes=attributes, **fields)


def tokens_of(text):
    """What CommonMark makes of a text: (kind, content) of its blocks, and of what is inline."""
    found = []
    for token in MarkdownIt("commonmark").parse(text):
        found.append((token.type, token.content))
        found += [(inner.type, inner.content) for inner in token.children or ()]
    return found


@pytest.fixture
def trace(make):
    """Two model calls, a retrieval and a failure, one after the other below a root."""
    root = make(
        name="answer", status="error", session_id="s-1", attributes={"mirascope.trace.arg_values": '{"q":"When?"}'}
    )
    below = {"parent_id": root.span_id}
    first = call(make, [("system", "Be brief."), ("user", "When?")], "At six.", **below)
    second = call(
        make, [("system", "Be brief."), ("user", "When?"), ("assistant", "At six."), ("user", "Sure?")], "Yes.", **below
    )
    raised = {
        "exception.type": "LookupError",
        "exception.message": "no such city",
        "exception.stacktrace": 'Traceback (most recent call last):\n  File "/me/app.py", line 7, in find\n    raise',
    }
    failed = make(name="retrieve", status="error", events=[EventRecord("exception", 5, raised)], **below)
    later = AnnotationRecord(root.trace_id, root.span_id, 1, "fail", "wrong city", [], {})
    return SpanSet(normalise([root, first, second, failed], [later]))


def test_it_tells_the_tree_the_messages_the_values_and_the_error(trace):
    text = trace.to_markdown()

    assert text.startswith("# Trace `answer`\n\n✕ error · 4 spans · 2 LLM calls")
    assert "session `s-1`" in text
    assert "1. other answer · ✕ error" in text
    assert "  2. llm chat · gpt-4o · +1.0 ms" in text
    assert "## 2. llm `chat`" in text
    assert "system:\n```text\nBe brief.\n```" in text
    assert "answer, assistant:\n```text\nYes.\n```" in text
    assert 'input:\n```json\n{"q":"When?"}\n```' in text
    assert "error:\n```text\nLookupError: no such city\n```" in text
    assert "app.py, line 7, in find: raise" in text
    assert "annotation: `fail: wrong city`" in text
    assert text.endswith("\n")
    assert "left out" not in text


def test_messages_that_the_call_before_had_are_counted_and_not_said_again(trace):
    text = trace.to_markdown()

    assert "3 messages as in the model call before, then:\n\nuser:\n```text\nSure?\n```" in text
    assert text.count("Be brief.") == 1


def test_several_traces_are_told_one_after_the_other(make):
    rows = normalise([make(trace_id=f"{n:032x}", name=f"turn {n}", status="error" if n == 2 else "ok") for n in (1, 2)])

    text = SpanSet(rows).to_markdown()

    assert text.startswith("# 2 traces\n\n2 spans")
    assert "1 trace failed" in text
    assert text.index("## Trace 1: `turn 1`") < text.index("## Trace 2: `turn 2`")


def test_long_values_are_cut_and_that_is_said(make):
    rows = normalise([make(attributes={"input.value": "x" * 100_000})])

    text = SpanSet(rows).to_markdown()

    assert "\n… 80,000 more characters" in text
    assert len(text) < 40_000


def test_errors_stay_when_there_is_room_for_little(make):
    root = make(attributes={"input.value": "y" * 900})
    many = [make(parent_id=root.span_id, attributes={"input.value": "y" * 900}) for _ in range(500)]
    failed = make(parent_id=root.span_id, name="bad", status="error", status_message="out of memory")

    text = SpanSet(normalise([root, *many, failed])).to_markdown(limit=3_000)

    assert len(text) <= 3_000
    assert "out of memory" in text
    assert "more spans" in text
    assert "left out: the values of " in text


def test_the_file_has_the_text(trace, tmp_path):
    text = trace.to_markdown(tmp_path / "trace.md")

    assert (tmp_path / "trace.md").read_text(encoding="utf-8") == text


def test_nothing_and_too_small_a_limit_are_told():
    assert SpanSet([]).to_markdown().startswith("No spans here yet")
    with pytest.raises(ConfigurationError, match="at least 2,000"):
        SpanSet([]).to_markdown(limit=10)


hostile = st.text(st.sampled_from(list("`~\n #>-*_[]()!<&\r\t\u2028x")), max_size=40)


@settings(max_examples=300, deadline=None)
@given(content=hostile)
def test_no_text_leaves_its_fence_or_its_code_span(content):
    blocks = tokens_of(fenced(content, 100) + "\n\nafter")
    inline = tokens_of(f"before {code(content)} after")

    assert [kind for kind, _ in blocks] == ["fence", "paragraph_open", "inline", "text", "paragraph_close"]
    assert [kind for kind, _ in inline] == [
        "paragraph_open",
        "inline",
        "text",
        "code_inline",
        "text",
        "paragraph_close",
    ]


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(spans=st.lists(records(), max_size=4), said=hostile, limit=st.sampled_from([2_000, 2_500, 40_000]))
def test_whatever_spans_hold_the_limit_holds_and_their_words_stay_in_code(spans, said, limit):
    evil = f"{said}\n# EVIL\n<b>EVIL</b>"
    attributes = {"input.value": evil, "output.value": evil, "session.id": evil, "tag.tags": [evil]}
    rows = normalise([record._replace(name=evil, status_message=evil, attributes=attributes) for record in spans])

    text = spans_markdown(rows, limit=limit)

    assert len(text) <= limit
    assert not [
        kind for kind, content in tokens_of(text) if "EVIL" in content and kind in {"text", "html_inline", "html_block"}
    ]
