from __future__ import annotations

import sys

import pytest

from mirascope_ops.views.figure import COLOURS, ERROR_COLOUR, INK, timeline_figure


def bars(figure):
    """(legend, start, length, lane) of every bar."""
    return [
        (trace.name, base, x, y)
        for trace in figure.data
        for base, x, y in zip(trace.base, trace.x, trace.y, strict=True)
    ]


def test_each_span_is_a_bar_below_what_called_it(weather):
    found = bars(timeline_figure(weather))

    assert sorted(found, key=lambda bar: bar[1]) == [
        ("chain", 0, pytest.approx(164.7), 0),
        ("retriever", pytest.approx(0.1), pytest.approx(6.3), 1),
        ("llm", pytest.approx(8.1), pytest.approx(80.8), 1),
        ("tool", pytest.approx(89.7), pytest.approx(4.3), 1),
        ("llm", 96, pytest.approx(68.5), 1),
    ]


def test_the_axis_has_a_unit_and_a_start(weather, span):
    assert timeline_figure(weather).layout.xaxis.title.text == "Time since 24 Nov 2026, 19:23:59 UTC (ms)"
    assert timeline_figure([span("a", None, "long", 0, 90_000)]).layout.xaxis.title.text.endswith("(min)")


def test_spans_at_the_same_time_have_lanes_of_their_own(all_traces):
    fan_out = [span for span in all_traces if span.trace_id.startswith("4bf010d3")]

    lanes = [lane for *_, lane in bars(timeline_figure(fan_out))]

    assert sorted(lanes) == [0, 1, 2, 3, 4, 5, 6]


def test_traces_one_after_the_other_share_lanes(all_traces):
    lanes = {lane for name, *_, lane in bars(timeline_figure(all_traces)) if name == "chain"}

    assert 0 in lanes
    assert max(lane for *_, lane in bars(timeline_figure(all_traces))) == 6


def test_traces_at_the_same_time_do_not_overlap(span):
    spans = [span(f"a{n}", None, "x", 0, 10, trace_id=f"{n:032x}") for n in range(3)]

    assert [lane for *_, lane in bars(timeline_figure(spans))] == [0, 1, 2]


def test_errors_are_told_by_colour_hatch_and_word(failed):
    figure = timeline_figure(failed)

    (error,) = [trace for trace in figure.data if trace.name == "error"]
    assert error.marker.color == ERROR_COLOUR
    assert error.marker.pattern.shape == "/"
    assert "InternalServerError" in error.customdata[1]
    assert figure.layout.title.text == "3 spans, 2 errors"


def test_errors_and_the_longest_spans_are_kept_and_the_others_told(span):
    spans = [span("r", None, "root", 0, 5_000)]
    spans += [span(f"c{n}", "r", f"step {n}", n, 1 + n / 1_000) for n in range(5_000)]
    spans[7] = spans[7]._replace(status="error", name="short failure")

    figure = timeline_figure(spans)

    assert len(bars(figure)) == 2_000
    assert figure.layout.title.text == "2,000 spans, 1 error; 3,001 shorter ones left out: figure(limit=...)"
    hovers = [text for trace in figure.data for text in trace.customdata]
    assert any("short failure" in text for text in hovers)
    assert any("step 4999" in text for text in hovers)
    assert len(figure.to_json()) < 1_000_000


def test_the_limit_can_be_set(weather):
    assert len(bars(timeline_figure(weather, limit=2))) == 2
    assert bars(timeline_figure(weather, limit=0)) == []
    with pytest.raises(ValueError, match="limit must be 0 or more"):
        timeline_figure(weather, limit=-1)


def test_hovering_tells_what_a_bar_is(weather):
    hovers = [text for trace in timeline_figure(weather).data for text in trace.customdata]

    assert (
        "<b>ChatCompletion</b> llm<br>gpt-4o-mini → calls get_weather<br>at +8.1 ms, took 80.8 ms · 47 → 12 tokens · "
        "$0.000013<br>session conv-1 · trace f9d136b…"
    ) in hovers


def test_hostile_text_is_escaped_for_plotly(hostile):
    figure = timeline_figure(hostile)

    for trace in figure.data:
        for text in (*trace.customdata, *trace.text):
            assert "<script" not in text
            assert "<a " not in text
            assert "\x1b" not in text
    figure.to_json().encode()


def test_open_spans_reach_the_end_of_their_trace(span):
    found = bars(timeline_figure([span("a", None, "run", 0, None), span("b", "a", "step", 10, 50)]))

    assert found[0][2] == 60


def test_no_spans_are_an_empty_figure():
    assert timeline_figure([]).layout.title.text == "No spans"


def test_a_thousand_levels_are_no_recursion(span):
    spans = [span(f"d{n}", f"d{n - 1}" if n else None, "level", n, 2_000 - 2 * n) for n in range(1_000)]

    assert len(bars(timeline_figure(spans))) == 1_000


def luminance(colour: str) -> float:
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


@pytest.mark.parametrize("colour", [*COLOURS.values(), ERROR_COLOUR, INK])
@pytest.mark.parametrize("page", ["#ffffff", "#111111"])
def test_every_colour_shows_on_light_and_on_dark_pages(colour, page):
    light, dark = sorted((luminance(colour), luminance(page)), reverse=True)

    assert (light + 0.05) / (dark + 0.05) >= 3


def test_without_plotly_the_error_says_how_to_install_it(weather, monkeypatch):
    monkeypatch.setitem(sys.modules, "plotly.graph_objects", None)

    with pytest.raises(ImportError, match="notebook"):
        timeline_figure(weather)
