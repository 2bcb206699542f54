from __future__ import annotations

from analysis_build import MS, record
from hypothesis import given
from hypothesis import strategies as st

from mirascope_ops.analysis.normalise import normalise
from mirascope_ops.analysis.tree import forest, self_time, walk

NAMES = "abcdefgh"


def tree(*records):
    return forest(normalise(records))


def shape(nodes):
    return [(depth, node.span.name) for depth, node in walk(nodes)]


spans = st.lists(
    st.builds(
        record,
        name=st.sampled_from(NAMES),
        parent=st.none() | st.sampled_from(NAMES + "z"),
        start=st.integers(0, 9),
        end=st.none() | st.integers(0, 9),
        trace=st.sampled_from(["t1", "t2"]),
    ),
    max_size=12,
)


@given(spans)
def test_every_span_is_in_the_tree_exactly_once_whatever_the_order_and_the_links(records):
    rows = normalise(records)

    found = [(node.span.trace_id, node.span.span_id) for _, node in walk(forest(rows))]

    assert sorted(found) == sorted({(row.trace_id, row.span_id) for row in rows})


@given(spans)
def test_children_stand_below_the_parent_that_they_name_in_the_order_of_their_starts(records):
    nodes = [node for _, node in walk(forest(normalise(records)))]

    for node in nodes:
        starts = [child.span.start for child in node.children]
        assert starts == sorted(starts)
        assert all(child.span.parent_id == node.span.span_id for child in node.children)
        assert all(child.span.trace_id == node.span.trace_id for child in node.children)


@given(st.permutations(range(8)))
def test_the_order_of_arrival_changes_nothing(order):
    records = [record(f"n{n}", parent=f"n{(n - 1) // 2}" if n else None, start=n) for n in range(8)]

    found = tree(*(records[place] for place in order))

    assert shape(found) == shape(tree(*records))


def test_a_span_whose_parent_was_not_read_is_an_orphan_root():
    roots = tree(record("child", parent="unread"), record("grandchild", parent="child"))

    assert shape(roots) == [(0, "child"), (1, "grandchild")]
    assert [root.orphan for root in roots] == [True]
    assert not roots[0].children[0].orphan


def test_a_cycle_is_cut_above_the_span_that_started_first():
    roots = tree(
        record("tail", parent="b"),
        record("a", parent="c", start=1),
        record("b", parent="a", start=2),
        record("c", parent="b", start=3),
        record("self", parent="self", start=4),
    )

    assert shape(roots) == [(0, "a"), (1, "b"), (2, "tail"), (2, "c"), (0, "self")]
    assert not any(root.orphan for root in roots)


def test_the_ended_copy_of_a_span_wins_in_any_order():
    open_copy, ended = record("a", end=None), record("a", end=5)

    assert [tree(*order)[0].span.status for order in ([open_copy, ended], [ended, open_copy])] == ["unset", "unset"]


def test_the_same_span_id_in_two_traces_is_two_spans():
    assert len(tree(record("a", trace="t1"), record("a", trace="t2"))) == 2


def test_a_chain_of_ten_thousand_needs_no_recursion():
    chain = [record(f"n{n}", parent=f"n{n - 1}" if n else None) for n in range(10_000)]

    assert max(depth for depth, _ in walk(tree(*reversed(chain)))) == 9_999


def test_self_time_counts_overlapping_children_once_and_only_inside_their_parent():
    (root,) = tree(
        record("root", start=0, end=100),
        record("a", parent="root", start=10, end=30),
        record("b", parent="root", start=20, end=40),
        record("late", parent="root", start=90, end=500),
        record("outside", parent="root", start=600, end=700),
        record("before", parent="root", start=-20, end=5),
    )

    assert self_time(root) == (100 - 30 - 10 - 5) * MS


def test_an_open_span_has_no_self_time_and_covers_its_parents_rest():
    (root,) = tree(record("root", end=100), record("open", parent="root", start=60, end=None))

    assert self_time(root) == 60 * MS
    assert self_time(root.children[0]) is None
