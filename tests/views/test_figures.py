"""Figures by name, by turn and by path, and what each draws as a table."""

from __future__ import annotations

import copy
import html
import json
import pickle

import pytest

from mirascope_ops import OpsError, ops
from mirascope_ops.analysis.paths import paths
from mirascope_ops.views import figures, figures_static
from mirascope_ops.views.figures_theme import look

KINDS = ("timeline", "latency", "errors", "turns", "context", "icicle", "flame")


def drawn(kind, spans, **options):
    return figures.draw(kind, spans, **options)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("theme", ["auto", "light", "dark"])
def test_every_figure_is_drawn_in_every_theme_also_of_nothing(kind, theme, all_traces):
    for spans in (all_traces, []):
        figure = drawn(kind, spans, theme=theme)

        assert figure.layout.title.text
        assert figure.layout.paper_bgcolor in {None, "rgba(0,0,0,0)"}
        json.loads(figure.to_json())


@pytest.mark.parametrize("kind", KINDS)
def test_every_figure_is_a_table_too(kind, all_traces):
    assert len(figures.table(kind, all_traces)) > 0
    assert len(figures.table(kind, [])) == 0


@pytest.fixture
def drawn_as_data(monkeypatch):
    """As plotly shows figures in JupyterLab and in a kernel without a page."""
    plotly = pytest.importorskip("plotly.io")
    monkeypatch.setattr(plotly.renderers, "_default_name", "plotly_mimetype")
    monkeypatch.setattr(plotly.renderers, "_default_renderers", [plotly.renderers["plotly_mimetype"]])
    monkeypatch.setattr(plotly.renderers, "render_on_display", True)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.usefixtures("drawn_as_data")
def test_where_nothing_draws_a_figure_its_table_stands_in_its_place(kind, all_traces):
    for spans in (all_traces, []):
        shown = drawn(kind, spans)._repr_mimebundle_()

        assert set(shown) == {"application/vnd.plotly.v1+json", "text/html", "text/plain"}
        assert drawn(kind, spans).layout.title.text in html.unescape(shown["text/html"])
        assert f".figure_table('{kind}')" in html.unescape(shown["text/html"])
    assert len(shown["text/html"].encode()) < figures_static.MOST_BYTES
    assert len(shown["text/plain"]) < 100


@pytest.mark.usefixtures("drawn_as_data")
def test_a_figures_table_is_bounded_escaped_and_no_part_of_its_copies(all_traces):
    name = "<script>alert(1)</script>" + "x" * 5_000
    spans = [span._replace(name=f"{n} {name}", span_id=f"{n:016x}") for n, span in enumerate(all_traces * 2)]
    figure = drawn("latency", spans)
    shown = figure._repr_mimebundle_()

    assert "more rows" in shown["text/html"]
    assert "<script" not in shown["text/html"]
    assert len(shown["text/html"].encode()) <= figures_static.MOST_BYTES
    assert len(json.dumps(shown).encode()) < 110_000
    assert type(pickle.loads(pickle.dumps(figure))) is type(figure)
    assert "text/html" not in copy.deepcopy(figure)._repr_mimebundle_()


def test_an_unknown_kind_is_answered_with_those_that_there_are(all_traces):
    for call in (figures.draw, figures.table):
        with pytest.raises(OpsError, match=r"'latency', 'errors'.*Did you mean 'latency'\?"):
            call("latencies", all_traces)
    with pytest.raises(OpsError, match="'timeline'"):
        figures.draw(None, all_traces)


def test_an_unknown_theme_and_a_negative_limit_are_errors(all_traces):
    with pytest.raises(OpsError, match="'auto', 'light', 'dark'"):
        drawn("latency", all_traces, theme="blue")
    with pytest.raises(OpsError, match="limit must be 0 or more"):
        drawn("latency", all_traces, limit=-1)


def test_latency_has_a_box_a_name_the_longest_in_all_first(span):
    spans = [span(f"a{n}", None, "fast", n, n) for n in range(1, 21)]
    spans += [span(f"b{n}", None, "slow", n, 100 * n, kind="llm") for n in range(1, 6)]
    spans.append(span("open", None, "never", 0, None))

    figure = drawn("latency", spans)

    fast, slow = figure.data  # from below
    assert (fast.y[0], slow.y[0]) == ("fast", "slow")
    assert slow.median[0] == pytest.approx(300)
    assert fast.median[0] == pytest.approx(10.5)
    assert slow.line.color == look("auto").kinds["llm"]
    assert "p50 300.0 ms" in slow.hovertext
    assert figure.layout.xaxis.title.text == "Duration (ms)"


def test_errors_are_rates_with_their_numbers(span):
    spans = [span(f"a{n}", None, "shaky", n, 1, status="error" if n < 3 else "ok") for n in range(4)]
    spans.append(span("b", None, "firm", 0, 1))

    figure = drawn("errors", spans)
    table = figures.table("errors", spans)

    (bar,) = figure.data
    assert list(bar.y) == ["firm", "shaky"]
    assert list(bar.x) == [0, 75]
    assert list(bar.text) == ["0 of 1", "3 of 4"]
    assert table["rate"].to_dict() == {"shaky": 0.75, "firm": 0.0}
    assert figure.layout.title.text == "3 errors in 5 spans"


def test_turns_have_tokens_and_cost_and_cost_only_where_it_is_known(all_traces, span):
    figure = drawn("turns", all_traces)
    without = drawn("turns", [span("a", None, "x", 0, 1, kind="llm", input_tokens=5, output_tokens=1)])

    assert [trace.name for trace in figure.data] == ["input", "output", "cost"]
    assert figure.layout.barmode == "stack"
    assert [trace.name for trace in without.data] == ["input", "output"]
    assert list(without.data[0].y) == [5]


def test_the_context_has_a_line_a_session(span):
    spans = [
        span(
            f"{session}{n}",
            None,
            "chat",
            n,
            1,
            kind="llm",
            input_tokens=10 * n,
            session_id=session,
            trace_id=f"{n:032x}",
        )
        for session, calls in (("long", 5), ("short", 2))
        for n in range(1, calls + 1)
    ]

    figure = drawn("context", spans)

    assert [(trace.name, list(trace.y)) for trace in figure.data] == [
        ("long", [10, 20, 30, 40, 50]),
        ("short", [10, 20]),
    ]
    assert figure.layout.title.text == "Context of 7 model calls in 2 sessions"


def test_an_icicle_adds_up_what_has_the_same_callers(span):
    spans = []
    for n in range(3):
        spans.append(span(f"r{n}", None, "turn", 100 * n, 50, trace_id=f"{n:032x}"))
        spans.append(span(f"c{n}", f"r{n}", "chat", 100 * n + 10, 30, trace_id=f"{n:032x}", kind="llm"))
    spans.append(span("alone", None, "chat", 500, 5, trace_id="9" * 32, status="error"))

    (icicle,) = drawn("icicle", spans).data
    (flame,) = drawn("flame", spans).data

    assert [
        (path.name, path.parent, path.number, path.total, path.self_time, path.errors) for path in paths(spans)
    ] == [
        ("turn", -1, 3, 150_000_000, 60_000_000, 0),
        ("chat", 0, 3, 90_000_000, 90_000_000, 0),
        ("chat", -1, 1, 5_000_000, 5_000_000, 1),
    ]
    assert list(icicle.labels) == ["turn", "chat", "chat ✕ 1 error"]
    assert list(icicle.parents) == ["", icicle.ids[0], ""]
    assert list(icicle.values) == [60, 90, 5]
    assert icicle.marker.colors[2] == look("auto").error
    assert (icicle.tiling.flip, flame.tiling.flip) == (None, "y")


def test_deep_and_broken_trees_are_added_up(span):
    deep = [span(f"s{n}", f"s{n - 1}" if n else None, "step", n, 5_000 - n) for n in range(3_000)]
    cycle = [span("a", "b", "a", 0, 1), span("b", "a", "b", 0, 1)]

    assert len(paths(deep)) == 3_000
    assert sum(path.number for path in paths(cycle)) == 2


def test_figures_are_bounded_and_say_what_they_leave_out(span):
    spans = [
        span(f"s{n}", None, f"name {n}", n, n + 1, trace_id=f"{n:032x}", input_tokens=1, kind="llm") for n in range(900)
    ]

    assert len(drawn("latency", spans).data) == 30
    assert drawn("latency", spans).layout.title.text == "Latency of 30 names; 870 more names left out"
    assert len(drawn("errors", spans, limit=5).data[0].y) == 5
    assert len(drawn("turns", spans).data[0].x) == 200
    assert drawn("turns", spans).data[0].x[-1] == 900
    assert len(drawn("icicle", spans).data[0].labels) == 500
    assert "400 more paths left out" in drawn("icicle", spans).layout.title.text
    for kind in KINDS[1:]:
        assert len(drawn(kind, spans).to_json()) < 300_000


@pytest.mark.parametrize("kind", KINDS[1:])
def test_hostile_names_are_escaped(kind, span):
    hostile = "<a href='javascript:alert(1)'>x</a><script>$x^2$\u202e"
    spans = [span("a", None, hostile, 0, 5, session_id=hostile, input=hostile, kind="llm", input_tokens=1, cost=0.1)]

    told = drawn(kind, spans).to_json()

    assert "<a" not in told.replace("\\u003c", "<")
    assert "<script" not in told.replace("\\u003c", "<")
    assert "\u202e" not in told
    assert "$x" not in told


def test_sets_traces_and_sessions_have_them(llm_server):
    from mirascope_ops.testing import captured

    with captured():
        with ops.session("drawn") as session, ops.span("turn"):
            pass
        for one in (ops.spans(), ops.traces(), ops.get_session("drawn"), ops.sessions(), session):
            assert one.figure("latency").layout.title.text == "Latency of 1 name"
            assert list(one.figure_table("icicle")["name"]) == ["turn"]
