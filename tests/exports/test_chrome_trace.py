"""Chrome traces: slices nest on every lane, times are exact, and what spans hold cannot break the document."""

from __future__ import annotations

import gzip
import json
from decimal import Decimal

from exported_strategies import records
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mirascope_ops import SpanSet
from mirascope_ops.analysis.normalise import normalise
from mirascope_ops.analysis.tree import lineage
from mirascope_ops.store.records import EventRecord, LinkRecord
from mirascope_ops.views.chrome_trace import chrome_trace

T0 = 1_790_000_000_000_000_000
MS = 1_000_000


def events_of(rows):
    return json.loads(b"".join(chrome_trace(rows)), parse_float=Decimal)["traceEvents"]


def slices_of(rows):
    return [event for event in events_of(rows) if event["ph"] == "X"]


def span(make, name, start, end, **fields):
    """A span from one millisecond to another."""
    ends = {"end": None, "status": "open"} if end is None else {"end": T0 + end * MS}
    return make(name=name, span_id=f"{name:0>16}", start=T0 + start * MS, **{**ends, **fields})


def lanes(rows):
    return {one["name"]: one["tid"] for one in slices_of(rows)}


def nesting_faults(rows):
    """What is wrong with the slices, as a reader builds its stacks from them."""
    linked = lineage(rows)
    parents = {
        (span.trace_id, span.span_id): None
        if parent < 0
        else (linked.spans[parent].trace_id, linked.spans[parent].span_id)
        for span, parent in zip(linked.spans, linked.parents, strict=True)
    }
    stacks = {}
    faults = []
    last = Decimal(0)
    for one in slices_of(rows):
        start, end = one["ts"], one["ts"] + one["dur"]
        own = (one["args"]["trace_id"], one["args"]["span_id"])
        stack = stacks.setdefault((one["pid"], one["tid"]), [])
        if start < last or one["dur"] < 0:
            faults.append(("order", own))
        last = start
        while stack and stack[-1][0] <= start:
            stack.pop()
        if stack and end > stack[-1][0]:
            faults.append(("across", own))
        ancestors, above = set(), parents[own]
        while above is not None:
            ancestors.add(above)
            above = parents[above]
        if stack and stack[-1][1] not in ancestors:
            faults.append(("inside a stranger", own))
        stack.append((end, own))
    return faults


few_times = st.integers(T0, T0 + 12)
forests = st.lists(
    records(
        trace_ids=st.sampled_from([f"{1:032x}", f"{2:032x}"]),
        span_ids=st.integers(1, 12).map("{:016x}".format),
        times=few_times,
        starts=few_times | st.just(0),
    ),
    max_size=12,
)


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(spans=forests)
def test_on_every_lane_slices_lie_inside_their_ancestors_or_beside_each_other(spans):
    rows = normalise([record._replace(attributes={}, events=(), resource={}) for record in spans])

    assert nesting_faults(rows) == []
    assert len(slices_of(rows)) == len({(row.trace_id, row.span_id) for row in rows})


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(spans=st.lists(records(), max_size=3))
def test_whatever_spans_hold_the_document_is_json(spans):
    assert len(slices_of(normalise(spans))) <= len(spans)


def test_children_lie_on_their_parents_lane_and_overlapping_siblings_on_others(make):
    root = span(make, "root", 0, 100)
    one = span(make, "one", 10, 50, parent_id=root.span_id)
    inner = span(make, "inner", 20, 30, parent_id=one.span_id)
    two = span(make, "two", 30, 70, parent_id=root.span_id)
    below = span(make, "below", 40, 60, parent_id=two.span_id)
    three = span(make, "three", 80, 90, parent_id=root.span_id)
    late = span(make, "late", 95, 120, parent_id=root.span_id)

    found = lanes(normalise([root, one, inner, two, below, three, late]))

    assert found == {"root": 1, "one": 1, "inner": 1, "two": 2, "below": 2, "three": 1, "late": 2}


def test_lanes_are_used_again_and_services_have_their_own(make):
    traces = [span(make, f"t{n}", n * 10, n * 10 + 9, service="a", resource={"service.name": "a"}) for n in range(5)]
    other = span(make, "other", 1, 50, service="b", resource={"service.name": "b"})

    events = events_of(normalise([*traces, other]))

    assert {(one["pid"], one["tid"]) for one in events if one["ph"] == "X"} == {(1, 1), (2, 1)}
    names = {one["pid"]: one["args"]["name"] for one in events if one["name"] == "process_name"}
    assert names == {1: "a", 2: "b"}
    assert [one["args"]["name"] for one in events if one["name"] == "thread_name"] == ["lane 1", "lane 1"]


def test_times_are_exact_to_the_nanosecond(make):
    first = make(start=T0, end=T0 + 3_600 * 10**9 + 1)
    second = make(start=T0 + 3_599 * 10**9 + 7, end=T0 + 3_599 * 10**9 + 10)

    one, two = slices_of(normalise([first, second]))
    document = json.loads(b"".join(chrome_trace(normalise([first, second]))))

    assert (one["ts"], one["dur"]) == (0, Decimal("3600000000.001"))
    assert (two["ts"], two["dur"]) == (Decimal("3599000000.007"), Decimal("0.003"))
    assert document["otherData"]["start_unix_nano"] == str(T0)


def test_a_slice_tells_tokens_model_and_status_and_long_values_are_cut(make):
    attributes = {
        "gen_ai.operation.name": "chat",
        "gen_ai.request.model": "gpt",
        "gen_ai.usage.input_tokens": 3,
        "input.value": "x" * 5_000,
    }
    failed = make(status="error", status_message="no", attributes=attributes)

    found = slices_of(normalise([failed]))[0]

    told = found["args"]
    assert (found["cat"], found["cname"]) == ("llm", "terrible")
    assert (told["status"], told["error"], told["model"], told["input_tokens"]) == ("error", "no", "gpt", 3)
    assert told["input"] == "x" * 4_000 + "… 1,000 more characters"
    assert "output" not in told


def test_links_are_arrows_between_slices_that_are_there(make):
    cause = span(make, "cause", 0, 10)
    gone = LinkRecord("f" * 32, "f" * 16, {})
    effect = span(make, "effect", 5, 8, links=[LinkRecord(cause.trace_id, cause.span_id, {}), gone])

    events = events_of(normalise([cause, effect]))

    starts, ends = ([one for one in events if one["ph"] == kind] for kind in "sf")
    assert [(one["id"], one["ts"], one["tid"]) for one in starts] == [(1, 0, 1)]
    assert [(one["id"], one["ts"], one["tid"], one["bp"]) for one in ends] == [(1, 5000, 2, "e")]


def test_events_are_marks_and_an_open_span_lasts_to_the_traces_last_moment(make):
    root = span(make, "root", 0, None, events=[EventRecord("tick", T0 + 3 * MS, {"n": 1, "text": "a\x1b"})])
    child = span(make, "child", 1, 20, parent_id=root.span_id)

    events = events_of(normalise([root, child]))

    mark = next(one for one in events if one["ph"] == "i")
    assert (mark["name"], mark["ts"], mark["args"]) == ("tick", 3000, {"n": 1, "text": "a\\x1b"})
    assert [(one["dur"], one["tid"]) for one in events if one["ph"] == "X"] == [(20_000, 1), (19_000, 1)]


def test_a_chain_of_a_thousand_and_five_thousand_siblings_are_laid_out(make):
    deep = [
        make(span_id=f"{n:016x}", parent_id=f"{n - 1:016x}" if n else None, start=T0, end=T0 + 9) for n in range(1000)
    ]
    wide = [make(trace_id="w", span_id=f"{n:016x}", start=T0 + n, end=T0 + 10_000) for n in range(5000)]

    assert set(lanes(normalise(deep)).values()) == {1}
    assert nesting_faults(normalise(wide)) == []


def test_the_file_is_written_and_compressed_by_name(make, tmp_path):
    spans = SpanSet(normalise([make(), make()]))

    plain = spans.to_chrome_trace(tmp_path / "trace.json")
    packed = spans.to_chrome_trace(tmp_path / "trace.json.gz")

    assert gzip.decompress(packed.read_bytes()) == plain.read_bytes()
    assert json.loads(plain.read_text())["displayTimeUnit"] == "ns"
