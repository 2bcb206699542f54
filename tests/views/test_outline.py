from __future__ import annotations

from mirascope_ops.analysis.stats import totals
from mirascope_ops.analysis.tree import forest
from mirascope_ops.views.outline import hidden_below, most_telling, outline


def test_a_containers_tokens_are_those_of_the_calls_below(weather):
    view = outline(forest(weather))

    root = view.lines[0]
    assert (root.input_tokens, root.output_tokens) == (111, 19)
    assert root.cost == totals(weather).cost


def test_usage_that_an_outer_span_repeats_counts_once(span):
    spans = [
        span("a", None, "outer", 0, 10, input_tokens=5, output_tokens=2, cost=0.1),
        span("b", "a", "inner", 1, 5, kind="llm", input_tokens=5, output_tokens=2),
    ]

    root = outline(forest(spans)).lines[0]

    assert (root.input_tokens, root.output_tokens, root.cost) == (5, 2, 0.1)


def test_an_error_is_traced_to_the_span_that_raised_it(failed):
    view = outline(forest(failed))

    assert [view.lines[line.source].span.name if line.source >= 0 else None for line in view.lines] == [
        "ChatCompletion",
        None,
        "ChatCompletion",
    ]
    assert view.errors() == [2]


def test_a_different_error_further_out_has_its_own_source(span):
    spans = [
        span("a", None, "outer", 0, 10, status="error", error_type="ValueError", error_message="other"),
        span("b", "a", "inner", 1, 5, status="error", error_type="KeyError", error_message="x"),
    ]

    assert outline(forest(spans)).errors() == [0, 1]


def test_an_open_trace_lasts_until_the_last_thing_known_of_it(span):
    view = outline(forest([span("a", None, "open", 0, None), span("b", "a", "done", 10, 50)]))

    assert view.total == 60_000_000


def test_where_not_all_rows_fit_errors_are_kept_with_their_paths(span):
    spans = [span("r", None, "root", 0, 1000)]
    spans += [span(f"c{n}", "r", "child", n, 1) for n in range(500)]
    spans.append(span("bad", "c400", "bad", 400, 0.5, status="error", error_message="x"))
    view = outline(forest(spans))

    shown = most_telling(view.lines, view.errors(), 20)

    names = {view.lines[place].span.span_id for place in shown}
    assert {"r", "c400", "bad"} <= names
    assert len(shown) == 20
    assert sum(hidden_below(view.lines, shown).values()) == len(spans) - 20


def test_shown_rows_always_have_their_parents(span):
    spans = [span("s0", None, "s", 0, 1)] + [span(f"s{n}", f"s{n // 3}", "s", n, 1) for n in range(1, 300)]
    view = outline(forest(spans))

    shown = most_telling(view.lines, [250, 299], 40)

    assert all(view.lines[place].parent in shown or view.lines[place].parent < 0 for place in shown)
