"""Reviewing: what the widget keeps, what it refuses, and that a later kernel goes on where it stopped."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mirascope_ops import OpsError, ops
from mirascope_ops.analysis.verdicts import Verdict, verdict_of
from mirascope_ops.notebook.review import Review
from mirascope_ops.store.records import AnnotationRecord
from mirascope_ops.testing import captured
from mirascope_ops.views.review import item_data, page_data, review_items
from mirascope_ops.views.timeline_bundle import Bundle

BUILT = Bundle("export default { render() {} }", "")
HOSTILE = "<script>alert('x')</script>\u202e\x1b[31m"


@pytest.fixture(autouse=True)
def _store():
    with captured():
        yield


def trace(question, answer="fine", *, fails=False):
    with ops.session("talk"), ops.span("turn", **{"input.value": question}) as span:
        said = [{"role": "user", "content": question}]
        told = {"gen_ai.operation.name": "chat", "gen_ai.input.messages": json.dumps(said)}
        answered = json.dumps([{"role": "assistant", "content": answer}])
        with ops.span("chat", **told, **{"gen_ai.output.messages": answered, "gen_ai.usage.input_tokens": 3}):
            pass
        if fails:
            span.error("no luck")


def reviewed(spans=None, **options):
    """A review that remembers what it sends to the browser."""
    review = Review(ops.spans() if spans is None else spans, BUILT, **options)
    review.sent = []
    review.send = lambda content, buffers=None: review.sent.append(content)
    return review


def ask(review, **message):
    """Ask as the browser does; gives the answer."""
    review.sent.clear()
    review._receive(review, {"version": 1, "request": 7, **message}, [])
    (answer,) = [sent for sent in review.sent if "request" in sent]
    assert answer["request"] == 7
    return answer


def verdicts():
    return [verdict_of(one.root.annotations) for one in ops.traces()]


def test_a_judgement_is_in_the_store_when_the_answer_comes():
    trace("why?")
    review = reviewed()

    answer = ask(review, type="judge", item=0, label="fail", score=2, note=" too long ")

    assert answer["type"] == "kept"
    assert answer["verdict"] == {"label": "fail", "score": 2.0, "note": "too long"}
    (verdict,) = verdicts()
    assert verdict[:3] == ("fail", 2.0, "too long")
    (annotation,) = ops.last_trace().root.annotations
    assert (annotation.label, annotation.reasoning, annotation.metadata) == ("fail", "too long", {"score": 2.0})


def test_all_who_show_the_review_are_told():
    trace("why?")
    review = reviewed()

    ask(review, type="judge", item=0, label="pass")

    assert review.sent[0] == {
        "version": 1,
        "type": "verdict",
        "item": 0,
        "verdict": {"label": "pass", "score": None, "note": ""},
    }
    assert review.rows[0]["verdict"]["label"] == "pass"


def test_the_newest_judgement_holds_and_an_empty_one_takes_it_back():
    trace("why?")
    review = reviewed()
    ask(review, type="judge", item=0, label="fail", note="hm")
    ask(review, type="judge", item=0, label="pass")
    second = verdicts()[0][:3]

    answer = ask(review, type="judge", item=0)

    assert second == ("pass", None, None)
    assert answer["verdict"] is None
    assert verdicts() == [None]
    assert review.reviewed == 0


def test_a_later_review_goes_on_with_the_first_that_is_open():
    for number in range(5):
        trace(f"question {number}")
    first = reviewed()
    for place in (0, 1, 3):
        first.judge(place, label="pass", score=place)

    second = reviewed()

    assert second.cursor == 2
    assert [verdict and verdict.score for verdict in second.verdicts] == [0.0, 1.0, None, 3.0, None]
    assert second.rows[1]["verdict"] == {"label": "pass", "score": 1.0, "note": ""}
    assert repr(second) == "Review of 5 items, 3 judged"


def test_traces_turns_and_spans_are_reviewed():
    trace("one")
    trace("two")

    assert len(reviewed(ops.traces().spans)) == 2
    assert len(reviewed(ops.get_session("talk"))) == 2
    assert len(reviewed(ops.spans(), by="span")) == 4
    assert len(reviewed(ops.spans(kind="llm"))) == 2
    assert len(reviewed([])) == 0


def test_a_judged_span_is_judged_and_not_its_trace():
    trace("one")
    review = reviewed(ops.spans(kind="llm"))

    review.judge(0, label="pass")

    assert verdict_of(ops.spans(kind="llm")[0].annotations).label == "pass"
    assert verdicts() == [None]


def test_a_page_has_the_conversation_or_what_went_in_and_came_out():
    trace("why?", "because")
    with ops.span("plain", **{"input.value": "in", "output.value": "out"}):
        pass
    review = reviewed()

    talk = ask(review, type="page", item=0)["page"]
    plain = ask(review, type="page", item=1)["page"]

    assert [(said["role"], said["text"]) for said in talk["messages"]] == [("user", "why?"), ("assistant", "because")]
    assert "session talk" in talk["facts"]
    assert talk["code"].startswith("ops.get_trace('")
    assert plain["values"] == [("Input", "in"), ("Output", "out")]
    assert plain["messages"] == []


@pytest.mark.parametrize(
    "message",
    [
        {"type": "judge", "item": 1, "label": "pass"},
        {"type": "judge", "item": -1, "label": "pass"},
        {"type": "judge", "item": True, "label": "pass"},
        {"type": "judge", "item": "0", "label": "pass"},
        {"type": "judge", "item": 0, "label": "great"},
        {"type": "judge", "item": 0, "label": ["pass"]},
        {"type": "judge", "item": 0, "score": "5"},
        {"type": "judge", "item": 0, "score": True},
        {"type": "judge", "item": 0, "score": float("nan")},
        {"type": "judge", "item": 0, "score": 1e300},
        {"type": "judge", "item": 0, "note": 5},
        {"type": "judge", "item": 0, "note": "x" * 10_001},
        {"type": "judge", "item": 0, "label": "pass", "version": 2},
        {"type": "eval", "item": 0},
        {"item": 0},
    ],
)
def test_what_cannot_be_is_answered_and_nothing_is_kept(message):
    trace("why?")
    review = reviewed()

    answer = ask(review, **message)

    assert answer["type"] == "error"
    assert answer["message"]
    assert verdicts() == [None]
    assert ops.last_trace().root.annotations == ()


@pytest.mark.parametrize("message", [None, 5, "judge", [], {}, {"request": "x"}, {"type": "judge"}])
def test_what_is_no_request_is_passed_over(message):
    trace("why?")
    review = reviewed()

    review._receive(review, message, [])

    assert review.sent == []


def test_a_store_that_is_switched_off_is_told():
    trace("why?")
    review = reviewed()
    ops.configure(store="off")

    answer = ask(review, type="judge", item=0, label="pass")
    ops.configure(store=":memory:")

    assert answer["type"] == "error"
    assert "switched off" in answer["message"]
    assert review.reviewed == 0


def test_hostile_content_comes_as_text_without_what_acts():
    trace(HOSTILE, HOSTILE)
    with ops.span(HOSTILE, **{"input.value": HOSTILE * 10_000}):
        pass
    review = reviewed()
    review.judge(0, label="fail", note=HOSTILE)

    shown = json.dumps([review.rows, *(page_data(item) for item in review_items(ops.spans()))], ensure_ascii=False)

    assert "\u202e" not in shown
    assert "\x1b" not in shown
    assert "\\\\u202e" in shown
    assert page_data(review_items(ops.spans())[1])["cut"] == 1


@settings(max_examples=40, deadline=None)
@given(st.text(), st.text())
def test_rows_and_pages_are_json_whatever_was_recorded(question, answer):
    with captured():
        trace(question, answer)
        for item in review_items(ops.spans()):
            json.dumps([item_data(item), page_data(item)]).encode()


# -- verdicts ---------------------------------------------------------------------------------------------


def said(time, label=None, reasoning=None, **metadata):
    return AnnotationRecord("t", "s", time, label, reasoning, (), metadata)


@pytest.mark.parametrize(
    ("annotations", "verdict"),
    [
        ([], None),
        ([said(1)], None),
        ([said(1, source="import")], None),
        ([said(1, "pass")], Verdict("pass", None, None, 1)),
        ([said(2, "fail"), said(1, "pass")], Verdict("fail", None, None, 2)),
        ([said(1, score=3)], Verdict(None, 3.0, None, 1)),
        ([said(1, score=True)], None),
        ([said(1, "pass", withdrawn=True)], None),
        ([said(1, "pass"), said(2, withdrawn=True)], None),
        ([said(1, "pass"), said(2, withdrawn=True), said(3, "fail", "bad")], Verdict("fail", None, "bad", 3)),
        ([said(1, "pass"), said(2, source="import")], Verdict("pass", None, None, 1)),
    ],
)
def test_the_verdict_is_the_newest_judgement(annotations, verdict):
    assert verdict_of(annotations) == verdict


def test_tables_and_views_show_the_verdict():
    trace("why?")
    trace("how?")
    reviewed().judge(1, label="fail", score=2.5, note=HOSTILE)

    table = ops.traces().to_pandas()
    turns = ops.get_session("talk").turns()

    assert list(table["label"].fillna("")) == list(turns["label"].fillna("")) == ["", "fail"]
    assert list(turns["score"].fillna(0)) == [0, 2.5]
    assert turns["note"].iloc[1] == HOSTILE
    traces = ops.traces()
    for shown in (traces, ops.get_session("talk"), traces[1]):
        bundle = shown._repr_mimebundle_()
        assert "✕ fail 2.5" in bundle["text/html"]
        assert "<script>" not in bundle["text/html"]
    assert "✕ fail 2.5" in traces.to_text()
    assert "✕ fail 2.5" in ops.get_session("talk").to_text()
    assert "Verdict" not in ops.traces(name="nothing")._repr_mimebundle_()["text/html"]


def test_without_a_notebook_the_error_says_what_to_write():
    trace("why?")

    for call in (ops.spans().review, ops.traces().review, ops.get_session("talk").review):
        with pytest.raises(OpsError, match=r'trace\.annotate\(label="pass"'):
            call()


# -- sessions as wholes -------------------------------------------------------------------------------------


def session_review(session_id="talk", **options):
    return reviewed(ops.get_session(session_id), session_id=session_id, **options)


def test_a_session_is_judged_as_a_whole_after_its_turns():
    trace("why?")
    trace("how?")
    review = session_review()

    review.judge(0, label="pass")
    answer = ask(review, type="judge", item=2, label="fail", score=3, note="went astray")

    assert [row["name"] for row in review.rows] == ["turn", "turn", "Session talk"]
    assert answer["verdict"] == {"label": "fail", "score": 3.0, "note": "went astray"}
    session = ops.get_session("talk")
    assert session.card.verdict[:3] == ("fail", 3.0, "went astray")
    assert verdicts()[0].label == "pass"
    assert verdicts()[1] is None  # the span that keeps the session's judgement is not judged itself
    again = session_review()
    assert again.cursor == 1
    assert [verdict and verdict.label for verdict in again.verdicts] == ["pass", None, "fail"]


def test_a_session_that_goes_on_keeps_its_judgement_and_the_newest_holds():
    trace("why?")
    session_review(by="session").judge(0, label="fail")
    trace("how?")
    before = ops.get_session("talk").card.verdict
    session_review(by="session").judge(0, label="pass", score=1)
    after = ops.get_session("talk").card.verdict
    session_review(by="session").judge(0)

    assert (before.label, after.label, after.score) == ("fail", "pass", 1.0)
    assert ops.get_session("talk").card.verdict is None


def test_each_of_several_sessions_is_judged_by_itself():
    for name in ("one", "two"):
        with ops.session(name), ops.span("turn"):
            pass
    with ops.session("outer"), ops.session("inner"), ops.span("turn"):
        pass
    with ops.session("silent"):
        pass
    spans = [span for session in ops.sessions() for span in session if span.session_id == session.id]
    review = reviewed(spans, by="session")

    review.judge([row["name"] for row in review.rows].index("Session one"), label="pass")

    assert sorted(row["name"] for row in review.rows) == ["Session inner", "Session one", "Session two"]
    table = ops.sessions().to_pandas().set_index("session_id")
    assert table.loc["one", "label"] == "pass"
    assert table["label"].isna().sum() == 4


def test_the_judgement_on_a_session_shows_in_tables_and_views_and_goes_to_files_and_back(tmp_path):
    trace("why?")
    session_review(by="session").judge(0, label="fail", score=2.5, note=HOSTILE)

    session, sessions = ops.get_session("talk"), ops.sessions()
    for shown in (session, sessions):
        bundle = shown._repr_mimebundle_()
        assert "✕ fail 2.5" in bundle["text/html"]
        assert "<script>" not in bundle["text/html"]
        assert "✕ fail 2.5" in bundle["text/plain"]
    row = sessions.to_pandas().iloc[0]
    assert (row["label"], row["score"], row["note"]) == ("fail", 2.5, HOSTILE)
    back = ops.read_otlp(session.to_otlp(tmp_path / "a.jsonl")).sessions
    assert back[0].card.verdict[:2] == ("fail", 2.5)
    frame = session.to_pandas()
    assert ops.from_pandas(frame)[0].annotations == session[0].annotations


def test_a_sessions_page_is_its_whole_conversation_and_what_failed():
    trace("why?", "because")
    trace("how?", HOSTILE, fails=True)
    review = session_review(by="session")

    page = ask(review, type="page", item=0)["page"]

    assert [said["role"] for said in page["messages"]] == ["user", "assistant"] * 2
    assert page["facts"][:2] == ["2 turns", "4 spans"]
    assert page["error"] == "no luck"
    assert page["code"] == "ops.get_session('talk')"
    assert "\u202e" not in json.dumps(page, ensure_ascii=False)
