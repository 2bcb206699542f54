"""A large timeline as static HTML: its figures, and when it was busy."""

from __future__ import annotations

import re

from mirascope_ops.views.timeline import timeline_data
from mirascope_ops.views.timeline_static import timeline_html

HOSTILE = "<script>alert(1)</script>"


def heights(html):
    """The grey bars' heights, by place."""
    bar = r'<rect x="([\d.]+)" y="[\d.]+" width="[\d.]+" height="([\d.]+)" fill="var\(--a'
    return {float(x): float(height) for x, height in re.findall(bar, html)}


def test_it_tells_how_many_there_are_and_what_they_came_to(span):
    calls = {"kind": "llm", "input_tokens": 400, "output_tokens": 10, "cost": 0.5}
    spans = [
        span("a", None, HOSTILE, 0, 1000),
        span("b", "a", "ask", 100, 200, **calls),
        span("c", "a", "ask", 400, 200, status="error", **calls),
    ]

    html = timeline_html(timeline_data(spans))

    text = re.sub(r"<style>.*?</style>|<[^>]+>", "", html)
    assert "3 spans in 1 trace" in text
    assert "LLM calls 2" in text
    assert "800 → 20" in text
    assert "$1.00" in text
    assert "1 failed" in text
    assert "<script>" not in html


def test_bars_are_as_high_as_many_spans_ran_at_once(span):
    spans = [span("a", None, "whole", 0, 1200), span("b", None, "half", 600, 600)]

    bars = heights(timeline_html(timeline_data(spans)))

    assert len(bars) == 120
    assert bars[0.0] * 2 == bars[595.0] == 56


def test_it_is_small_however_many_there_are(span):
    spans = [span(f"{n:016x}", None, f"{HOSTILE} {n}", n * 7, n % 50, status="error") for n in range(6000)]

    assert len(timeline_html(timeline_data(spans))) < 40_000
