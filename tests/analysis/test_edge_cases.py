"""What spans look like when things go wrong: each field that the truth file of the edge cases states."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest
from analysis_build import MS, T0
from analysis_otlp import records_of

from mirascope_ops.analysis.frames import messages_frame, spans_frame, traces_frame
from mirascope_ops.analysis.messages import message_split, messages_of
from mirascope_ops.analysis.normalise import normalise
from mirascope_ops.analysis.stats import summary, totals
from mirascope_ops.analysis.tree import forest, lineage, walk
from mirascope_ops.analysis.turns import turns

CORPUS = Path(__file__).parent / "data" / "corpus"
CASES = {case["case"]: case for case in json.loads((CORPUS / "edge_cases.truth.json").read_text())["cases"]}


class Edge:
    """One case as it is read: from its lines to rows, a tree and a turn."""

    def __init__(self, case):
        with gzip.open(CORPUS / "edge_cases.jsonl.gz", "rt") as file:
            lines = file.read().split("\n")
        first, last = case["lines"]
        self.records = records_of(lines[first - 1 : last])
        self.rows = normalise(self.records)
        self.lineage = lineage(self.rows)
        self.roots = forest(self.rows)
        self.walked = list(walk(self.roots))
        self.frame = spans_frame(self.rows)

    def named(self, name):
        return next(row for row in self.rows if row.name == name)

    @property
    def child(self):
        return next(node.span for depth, node in self.walked if depth == 1)

    @property
    def root(self):
        return self.roots[0].span

    def in_cycle(self):
        above = {row.span_id: row.parent_id for row in self.rows}

        def returns(span_id):
            found, seen = above.get(span_id), set()
            while found in above and found not in seen and found != span_id:
                seen.add(found)
                found = above[found]
            return found == span_id

        return sum(returns(row.span_id) for row in self.rows)


_read = {}


def edge(name):
    if name not in _read:
        _read[name] = Edge(CASES[name])
    return _read[name]


FIELDS = {
    "spans": lambda e: len(e.walked),
    "spans_raw": lambda e: len(e.records),
    "spans_unique": lambda e: len(e.walked),
    "traces": lambda e: len({row.trace_id for row in e.rows}),
    "roots": lambda e: sum(node.span.parent_id is None for node in e.roots),
    "orphans": lambda e: sum(node.orphan for node in e.roots),
    "in_cycle": Edge.in_cycle,
    "max_depth": lambda e: 1 + max(depth for depth, _ in e.walked),
    "child_starts_before_parent_ms": lambda e: (e.root.start - e.child.start) / MS,
    "child_ends_after_parent_ms": lambda e: (e.child.end - e.root.end) / MS,
    "child_duration_ns": lambda e: e.child.duration,
    "trace_start_ms": lambda e: (totals(e.rows).start - T0) / MS,
    "trace_end_ms": lambda e: (totals(e.rows).end - T0) / MS,
    "trace_duration_ms": lambda e: totals(e.rows).duration / MS,
    "duration_ns": lambda e: e.root.duration,
    "zero_duration": lambda e: sum(row.duration == 0 for row in e.rows),
    "negative_duration": lambda e: sum(row.end < row.start and row.duration == 0 for row in e.rows),
    "open": lambda e: sum(row.status == "open" for row in e.rows),
    "state": lambda e: e.root.attributes["state"],
    "service": lambda e: e.root.service,
    "services": lambda e: sorted({row.service for row in e.rows}),
    "attributes": lambda e: len(e.root.attributes),
    "nulls": lambda e: sum(value is None for value in e.root.attributes.values()),
    "int_big_number": lambda e: e.root.attributes["int_big_number"],
    "lone_surrogate_attributes": lambda e: [key for key, value in e.root.attributes.items() if is_lone(value)],
    "name_has_lone_surrogate": lambda e: is_lone(e.root.name),
    "input_value_chars": lambda e: len(e.root.input),
    "links": lambda e: len(e.root.links),
    "events": lambda e: len(e.root.events),
    "errors_by_status": lambda e: sum(record.status == "error" for record in e.records),
    "name_last": lambda e: e.root.name,
    "session": lambda e: {row.session_id for row in e.rows},
    "first_input": lambda e: e.root.input_tokens,
    "first_output": lambda e: e.root.output_tokens,
    "old_user": lambda e: message_split(e.named("old"))[0][0].content,
    "old_answer": lambda e: message_split(e.named("old"))[1][0].content,
    "event_user": lambda e: message_split(e.named("ev"))[0][0].content,
    "event_answer": lambda e: message_split(e.named("ev"))[1][0].content,
}


def is_lone(value):
    try:
        value.encode()
    except UnicodeEncodeError:
        return True
    return False


STATED = [(name, field) for name, case in CASES.items() for field in case["expect"] if field != "note"]


@pytest.mark.parametrize(("name", "field"), STATED)
def test_what_is_stated_is_found(name, field):
    expected = CASES[name]["expect"][field]

    found = FIELDS[field](edge(name))

    assert found == ({expected} if field == "session" else expected)


@pytest.mark.parametrize("name", CASES)
def test_every_table_takes_every_case_and_holds_each_span_once(name):
    found = edge(name)

    tables = [traces_frame(turns(found.rows)), messages_frame(found.rows), summary(found.rows)]

    assert len(found.frame) == len(found.records)
    assert len({(node.span.trace_id, node.span.span_id) for _, node in found.walked}) == len(found.walked)
    assert sum(tables[2]["count"]) == len(found.walked)
    for table in [found.frame, *tables]:
        assert table.to_csv()


def test_an_orphan_is_a_root_and_keeps_what_is_below_it():
    found = edge("orphan")

    assert [(depth, node.orphan) for depth, node in found.walked] == [(0, True), (1, False)]


def test_a_span_without_times_is_in_no_year_and_stretches_no_trace():
    found = edge("no_times")

    assert found.frame["start"].isna().all()
    assert totals(found.rows).start is None


def test_a_time_beyond_the_calendar_is_missing_in_a_table_and_exact_in_the_row():
    found = edge("far_future")

    assert found.frame["start"].isna().all()
    assert (found.root.end, found.root.duration) == (2**64 - 1, 1)


def test_of_two_copies_that_differ_the_last_counts():
    assert edge("dup_conflict").root.name == "second"
    assert edge("dup_keys").root.attributes["k"] == "second"


def test_an_exception_that_was_handled_is_no_error_and_one_that_was_not_is():
    found = {row.name: (row.status, row.error_type, row.error_message) for row in edge("exception").rows}

    assert found == {
        "root": ("error", "ValueError", "bad <b>value</b> ☕"),
        "handled": ("ok", None, None),
        "no_event": ("error", None, None),
        "by_attr": ("error", "TimeoutError", None),
        "bare_event": ("error", None, None),
    }


def test_a_blank_session_is_none_and_the_nearest_ancestors_counts():
    assert {row.name: row.session_id for row in edge("session_mixed").rows} == {
        "root": "edge-s1",
        "child": "edge-s2",
        "none": "edge-s1",
    }


def test_what_is_no_json_is_shown_as_it_is():
    found = edge("truncated_json").root

    assert [message.content for message in messages_of(found)] == [
        found.attributes["gen_ai.input.messages"],
        "not json at all",
    ]


def test_messages_of_unexpected_shapes_say_what_can_be_read():
    sent, answered = message_split(edge("odd_messages").root)

    assert [(message.role, message.content) for message in sent] == [("user", "an object, not a list")]
    assert [message.content for message in answered] == ["1", "s", "[image]\nbare"]


def test_lone_surrogates_are_replaced_in_a_table():
    found = edge("surrogates").frame

    assert found["name"][0] == "lone � high"
    assert json.loads(found["attributes"][0])["lone_high"] == "a�b"
