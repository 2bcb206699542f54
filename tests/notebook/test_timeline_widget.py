"""The timeline's widget on the kernel's side: what the browser may send, and what it gets."""

from __future__ import annotations

import math
from concurrent.futures import ThreadPoolExecutor

import pytest
import traitlets

from mirascope_ops import ops
from mirascope_ops.notebook.timeline import Timeline
from mirascope_ops.views.timeline_bundle import Bundle
from mirascope_ops.views.timeline_options import TimelineOptions

BUNDLE = Bundle("export default { render() {} };", ".tl {}")


@pytest.fixture
def spans():
    with ops.session("talk"), ops.span("turn"):
        with ops.span("retrieve", **{"input.value": "<script>alert(1)</script>"}):
            pass
        with pytest.raises(ValueError, match="no answer"), ops.span("answer"):
            raise ValueError("no answer")
    return ops.last_trace().spans


@pytest.fixture
def widget(spans):
    return Timeline(spans, TimelineOptions(), BUNDLE)


@pytest.fixture
def sent(widget, monkeypatch):
    """What the widget sends to the browser."""
    messages = []
    monkeypatch.setattr(widget, "send", messages.append)
    return messages


def test_the_chosen_span_is_read_as_a_row(widget):
    assert widget.selected is None
    assert len(widget.selection) == 0

    widget.selected_span = 1

    assert widget.selected.name == "retrieve"
    assert [span.name for span in widget.selection] == ["retrieve"]


def test_the_chosen_stretch_of_time_is_read_as_a_table(widget):
    answer = next(span for span in widget.spans if span.name == "answer")
    begin = answer.start - widget.spans[0].start

    widget.selected_range = [begin, begin + 1]

    assert list(widget.selection.to_pandas()["name"]) == ["turn", "answer"]
    widget.hidden = {"kinds": [], "statuses": ["error"], "names": []}
    assert [span.name for span in widget.selection] == ["turn"]


@pytest.mark.parametrize("place", [-2, 3, 10**9])
def test_a_span_that_there_is_not_cannot_be_chosen(widget, place):
    with pytest.raises(traitlets.TraitError, match="There is no span"):
        widget.selected_span = place


@pytest.mark.parametrize("chosen", [[1.0], [1.0, 2.0, 3.0], [5.0, 1.0], [0.0, math.nan], [0.0, math.inf], ["a", "b"]])
def test_a_stretch_of_time_that_is_none_cannot_be_chosen(widget, chosen):
    with pytest.raises(traitlets.TraitError):
        widget.selected_range = chosen


@pytest.mark.parametrize("hidden", [{"kinds": "llm"}, {"code": ["1"]}, {"names": 5}])
def test_what_is_hidden_has_a_shape(widget, hidden):
    with pytest.raises(traitlets.TraitError, match="lists of words"):
        widget.hidden = hidden


def test_details_are_told_on_request(widget, sent):
    widget._receive(widget, {"type": "detail", "version": 1, "request": 7, "span": 1}, [])

    (answer,) = sent
    assert (answer["type"], answer["request"], answer["version"]) == ("detail", 7, 1)
    assert ("Input", "<script>alert(1)</script>") in answer["detail"]["values"]


@pytest.mark.parametrize(
    "message",
    [
        {"type": "detail", "version": 1, "request": 1, "span": 99},
        {"type": "detail", "version": 1, "request": 1, "span": -1},
        {"type": "detail", "version": 1, "request": 1, "span": "__import__('os')"},
        {"type": "detail", "version": 2, "request": 1, "span": 0},
        {"type": "detail", "request": 1},
    ],
)
def test_a_request_that_makes_no_sense_is_answered_with_an_error(widget, sent, message):
    widget._receive(widget, message, [])

    (answer,) = sent
    assert (answer["type"], answer["request"]) == ("error", 1)


@pytest.mark.parametrize(
    "message", [None, "detail", {}, {"type": "run", "request": 1}, {"type": "detail", "request": "x"}]
)
def test_what_is_no_request_is_left_alone(widget, sent, message):
    widget._receive(widget, message, [])

    assert sent == []


def test_a_large_payload_is_no_state_and_is_told_in_parts_on_request(spans, monkeypatch):
    monkeypatch.setattr("mirascope_ops.notebook.timeline._IN_STATE", 100)
    monkeypatch.setattr("mirascope_ops.notebook.timeline._PART", 64)
    widget = Timeline(spans, TimelineOptions(), BUNDLE)
    parts = []
    monkeypatch.setattr(widget, "send", lambda content, buffers=None: parts.append((content, buffers)))
    whole = widget._shown.whole.payload

    widget._receive(widget, {"type": "data", "version": 1, "request": 3}, [])

    assert widget.data == b""
    assert widget.payload == {"bytes": len(whole), "revision": 1}
    assert b"".join(bytes(buffer) for _, (buffer,) in parts) == whole
    assert [content["at"] for content, _ in parts] == list(range(0, len(whole), 64))
    assert {(content["type"], content["request"], content["bytes"]) for content, _ in parts} == {
        ("data", 3, len(whole))
    }
    widget.update(spans[:1])
    assert widget.payload["revision"] == 2


@pytest.fixture
def first(spans, monkeypatch):
    """A widget with a first picture of two of its three spans; and what it sends, with buffers."""
    monkeypatch.setattr("mirascope_ops.notebook.timeline_spans._MOST_AT_ONCE", 2)
    monkeypatch.setattr("mirascope_ops.notebook.timeline._MOST_STATIC", 2)
    for name, number in {"_MOST": 2, "_MOST_FIRST": 1, "_MOST_WIDE": 1}.items():
        monkeypatch.setattr(f"mirascope_ops.views.timeline_first.{name}", number)
    made = Timeline(spans, TimelineOptions(), BUNDLE)
    sent = []
    monkeypatch.setattr(made, "send", lambda content, buffers=(): sent.append((content, buffers)))
    return made, sent


def test_of_many_spans_the_state_has_a_first_picture_and_nothing_is_laid_out_before_it_is_asked_for(first):
    widget, sent = first

    data, _ = widget._repr_mimebundle_()

    assert widget._shown._whole is None
    assert 0 < len(widget._shown.first.data.spans) < 3
    assert widget.data == widget._shown.first.data.payload
    assert data["text/plain"] == "Timeline of 3 spans"
    assert "3 spans in 1 trace" in data["text/html"]
    widget._receive(widget, {"type": "data", "version": 1, "request": 3}, [])
    ((content, (part, moved)),) = sent
    assert (content["type"], content["at"], content["bytes"]) == ("data", 0, len(part))
    assert bytes(part) == widget._shown._whole.payload
    places = memoryview(moved).cast("i").tolist()
    assert [widget.spans[place].span_id for place in places] == [one.span_id for one in widget._shown.first.data.spans]
    assert "LLM calls" not in data["text/html"]


def test_a_place_in_the_first_picture_is_no_place_among_all_spans(first):
    widget, sent = first
    last = len(widget._shown.first.data.spans) - 1

    for place, told in ((last, {"first": True}), (2, {"first": True}), (2, {})):
        widget._receive(widget, {"type": "detail", "version": 1, "request": place, "span": place, **told}, [])

    answers = [content for content, _ in sent]
    assert [content["type"] for content in answers] == ["detail", "error", "detail"]
    assert ("Span", widget._shown.first.data.spans[last].span_id[:8]) in answers[0]["detail"]["facts"]
    widget.update(widget.spans[:1])
    widget._receive(widget, {"type": "detail", "version": 1, "request": 9, "span": 0, "first": True}, [])
    assert sent[-1][0]["type"] == "error"


@pytest.mark.parametrize("name", ["spans", "selection"])
def test_all_spans_are_laid_out_for_who_reads_them_in_the_kernel(first, name):
    widget, _ = first
    widget.selected_range = [0.0, 1e18]

    read = getattr(widget, name)

    assert [span.name for span in read] == ["turn", "retrieve", "answer"]
    widget.selected_span = 2
    assert widget.selected.name == "answer"
    with pytest.raises(traitlets.TraitError, match="There is no span 3"):
        widget.selected_span = 3


def test_two_threads_that_ask_for_all_spans_get_the_same(first):
    widget, _ = first

    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda _: widget._shown.whole, range(8)))

    assert all(one is found[0] for one in found)


def test_a_payload_that_cannot_be_made_is_answered_with_an_error(first, monkeypatch):
    widget, sent = first
    monkeypatch.setattr("mirascope_ops.notebook.timeline_spans.timeline_data", None)

    widget._receive(widget, {"type": "data", "version": 1, "request": 3}, [])

    ((content, _),) = sent
    assert (content["type"], content["request"]) == ("error", 3)


def test_more_spans_than_before_come_with_a_first_picture_too(first, spans):
    widget, _ = first
    revision = widget.payload["revision"]

    widget.update(spans[:2])
    assert widget._shown.first is None
    widget.update(spans)

    assert widget.data == widget._shown.first.data.payload
    assert widget.payload["revision"] > revision + 1
    assert widget.payload["bytes"] == 0


def test_other_spans_can_be_shown_later(widget, spans):
    before = widget.data
    widget.selected_span = 2

    widget.update(spans[:1])

    assert len(widget.spans) == 1
    assert widget.selected is None
    assert widget.data != before


def test_a_saved_notebook_has_the_spans_as_text_and_html_too(widget):
    data, _ = widget._repr_mimebundle_()

    assert data["text/plain"] == "Timeline of 3 spans"
    assert "<script" not in data["text/html"]
    assert "retrieve" in data["text/html"]
    assert "application/vnd.jupyter.widget-view+json" in data


def test_a_script_gets_a_figure_and_options_are_checked_all_the_same(spans):
    assert type(spans.timeline()).__name__ == "Figure"
    assert type(spans.timeline(lanes="depth", critical_path=True)).__name__ == "Figure"
    for shown in (spans, spans.traces, spans.to_pandas().ops, ops.sessions(), ops.get_session("talk")):
        with pytest.raises(TypeError, match=r"'rows'\. It takes lanes, color"):
            shown.timeline(rows=3)
