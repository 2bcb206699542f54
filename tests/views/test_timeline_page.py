"""The exported page: what it holds, and that nothing in it can become markup or leave it."""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
import re

import pytest

from mirascope_ops import ops
from mirascope_ops.views.timeline_bundle import Bundle
from mirascope_ops.views.timeline_options import TimelineOptions
from mirascope_ops.views.timeline_page import timeline_page

BUNDLE = Bundle("const a = '</p>';", ".tl {}")


def page_of(spans, **options):
    return "".join(
        timeline_page(spans, "<p>static</p>", title="A <b> page", options=TimelineOptions(**options), built=BUNDLE)
    )


def element(page, name):
    return gzip.decompress(base64.b64decode(re.search(f'id="{name}">([^<]*)<', page)[1]))


def test_the_data_is_inside(weather):
    page = page_of(weather)

    assert element(page, "ops-timeline")[:4] == b"OPS1"
    details = json.loads(element(page, "ops-details-0"))
    assert sorted(details, key=int) == ["0", "1", "2", "3", "4"]
    assert "<p>static</p>" in page


def test_the_policy_lets_only_our_script_run_and_nothing_be_requested(weather):
    page = page_of(weather)

    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', page)[1]
    script = re.search(r'<script type="module">(.*?)</script>', page, re.DOTALL)[1]
    assert "default-src 'none'" in policy
    assert f"'sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}'" in policy
    assert "unsafe-inline'; script-src 'sha256-" in policy
    assert not re.search(r"""(?:src|href)=["']?(?:https?:)?//""", page)


def test_hostile_text_cannot_become_markup(hostile):
    page = page_of(hostile, query="</script><script>alert(1)</script>")

    assert page.count("<script") == len(re.findall(r'<script type="(?:text/plain|application/json|module)"', page))
    assert "alert(1)" not in re.sub(r"\\u003c.*", "", page)
    assert "<title>A &lt;b&gt; page</title>" in page


def test_spans_by_the_hundred_are_told_in_blocks(span):
    spans = [span(f"{n:016x}", None, "step", n, 1) for n in range(600)]

    page = page_of(spans)

    assert [len(json.loads(element(page, f"ops-details-{n}"))) for n in range(3)] == [256, 256, 88]


def test_the_same_spans_give_the_same_page(weather):
    assert page_of(weather) == page_of(weather)


def test_without_the_built_front_end_the_static_view_is_there(weather, monkeypatch):
    monkeypatch.setattr("mirascope_ops.views.timeline_page.bundle", lambda _name: None)

    page = "".join(timeline_page(weather, "<p>static</p>", title="x", options=TimelineOptions()))

    assert "<p>static</p>" in page
    assert "<script" not in page
    assert "script-src 'none'" in page


def test_every_set_of_spans_is_written_to_a_page(tmp_path):
    with ops.session("talk-on-a-page"), ops.span("turn"):
        pass
    shown = (ops.last_trace(), ops.get_session("talk-on-a-page"), ops.spans(), ops.traces(), ops.sessions())

    for number, spans in enumerate(shown):
        path = spans.to_html(tmp_path / f"{number}.html", lanes="depth")

        assert path.read_text(encoding="utf-8").startswith("<!doctype html>")
    assert "<title>turn: 1 span</title>" in (tmp_path / "0.html").read_text(encoding="utf-8")
    assert "<title>talk-on-a-page: 1 span</title>" in (tmp_path / "1.html").read_text(encoding="utf-8")


def test_an_option_that_there_is_not_writes_nothing(tmp_path):
    with ops.span("turn"):
        pass

    with pytest.raises(TypeError, match="It takes lanes"):
        ops.last_trace().to_html(tmp_path / "x.html", rows=3)
    assert not list(tmp_path.iterdir())
