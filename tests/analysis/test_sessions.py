from __future__ import annotations

from analysis_build import MS, T0, exception, llm, record, run, session

from mirascope_ops.analysis.normalise import normalise
from mirascope_ops.analysis.sessions import session_card


def made(name, session_id, run_id, trace=None, **fields):
    return record(name, session_id=session_id, run_id=run_id, trace=trace or name, **fields)


def test_a_session_without_spans_or_runs_has_an_empty_card():
    card = session_card(session("s", attributes={"tier": "gold"}), [], [])

    assert (card.session_id, card.attributes, card.status, card.run_spans) == ("s", {"tier": "gold"}, "ok", None)
    assert (card.turns, card.children, card.totals.spans) == ([], [], 0)


def test_children_have_cards_of_their_own_and_count_in_the_totals():
    runs = [
        run("r1", "s"),
        run("r2", "child", "r1", "s", start=5, attributes={"a": 1}),
        run("r3", "leaf", "r2", "child"),
    ]
    rows = normalise([made("one", "s", "r1"), made("two", "child", "r2", start=6), made("three", "leaf", "r3")])

    card = session_card(session("s"), runs, rows)

    (child,) = card.children
    assert (card.totals.spans, len(card.turns)) == (3, 1)
    assert (child.session_id, child.parent_session_id, child.totals.spans, child.attributes) == (
        "child",
        "s",
        2,
        {"a": 1},
    )
    assert (child.first_seen, child.last_seen) == (T0 + 5 * MS, T0 + 10 * MS)
    assert [leaf.session_id for leaf in child.children] == ["leaf"]


def test_an_id_nested_in_itself_counts_once():
    runs = [run("r1", "s"), run("r2", "s", "r1", "s"), run("r3", "s", "r2", "s")]
    rows = normalise([made("one", "s", "r1"), made("two", "s", "r3")])

    card = session_card(session("s"), runs, rows)

    assert (card.children, card.totals.spans, len(card.turns)) == ([], 2, 2)


def test_an_id_nested_in_its_own_child_makes_no_cycle():
    runs = [run("r1", "s"), run("r2", "child", "r1", "s"), run("r3", "s", "r2", "child"), run("r4", "child", "r3", "s")]
    rows = normalise([made(f"n{n}", "s" if n % 2 else "child", f"r{n}") for n in (1, 2, 3, 4)])

    card = session_card(session("s"), runs, rows)

    assert (card.totals.spans, len(card.turns)) == (4, 2)
    assert [(child.totals.spans, child.runs, child.children) for child in card.children] == [(2, 2, [])]


def test_a_trace_belongs_to_the_session_in_which_it_began():
    runs = [run("r1", "s"), run("r2", "child", "r1", "s")]
    rows = normalise(
        [
            made("root", "s", "r1", trace="t"),
            made("inner", "child", "r2", trace="t", parent="root"),
            made("other", "child", "r2", trace="t2"),
        ]
    )

    card = session_card(session("s"), runs, rows)

    assert [turn.trace_id for turn in card.turns] == ["t"]
    assert [turn.trace_id for turn in card.children[0].turns] == ["t2"]
    assert (card.totals.spans, card.children[0].totals.spans) == (3, 2)


def test_a_card_of_a_run_tells_it_from_the_session():
    runs = [run("r1", "s", execution_count=3), run("r2", "s", execution_count=4), run("r3", "child", "r2", "s")]
    rows = normalise([made("a", "s", "r1"), made("b", "s", "r2"), made("c", "child", "r3")])

    card = session_card(session("s", runs=2), runs, rows, run_id="r2")

    assert (card.run_spans, card.totals.spans, card.execution_count, card.runs) == (2, 3, 4, 2)


def test_a_failed_turn_makes_the_status_error_and_a_recovered_one_does_not():
    failed = normalise([made("a", "s", "r1", events=[exception()])])
    recovered = normalise([made("a", "s", "r1"), llm(parent="a", trace="a", session_id="s", events=[exception()])])

    assert session_card(session("s"), [run("r1", "s")], failed).status == "error"
    assert session_card(session("s"), [run("r1", "s")], recovered).status == "ok"


def test_a_childs_failure_is_its_parents():
    runs = [run("r1", "s"), run("r2", "child", "r1", "s")]
    rows = normalise([made("a", "child", "r2", events=[exception()])])

    card = session_card(session("s"), runs, rows)

    assert (card.status, card.children[0].status) == ("error", "error")


def test_open_spans_make_it_open_and_interrupted_ones_interrupted():
    still = normalise([made("a", "s", "r1", end=None), made("b", "s", "r1", events=[exception()])])
    lost = normalise([made("a", "s", "r1", end=None, status="interrupted")])

    assert session_card(session("s"), [], still).status == "open"
    assert session_card(session("s"), [], lost).status == "interrupted"


def test_spans_from_outside_without_a_run_belong_to_the_session_that_they_name():
    runs = [run("r1", "s"), run("r2", "child", "r1", "s")]
    rows = normalise([record("a", session_id="child"), record("b", session_id="s", trace="t2")])

    card = session_card(session("s"), runs, rows)

    assert [turn.trace_id for turn in card.turns] == ["t2"]
    assert card.children[0].totals.spans == 1


def test_tags_are_those_of_all_spans_in_the_order_of_their_coming():
    rows = normalise(
        [made("a", "s", "r", attributes={"tags": ["x", "y"]}), made("b", "s", "r", attributes={"tags": "y,z"})]
    )

    assert session_card(session("s"), [], rows).tags == ("x", "y", "z")


def test_sessions_nested_very_deep_still_count():
    runs = [run("r0", "s0")] + [run(f"r{n}", f"s{n}", f"r{n - 1}", f"s{n - 1}") for n in range(1, 400)]
    rows = normalise([made("deep", "s399", "r399")])

    assert session_card(session("s0"), runs, rows).totals.spans == 1
