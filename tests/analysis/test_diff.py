"""Two runs compared: what differs is told once, and what differs in any two runs is not told."""

from __future__ import annotations

import random

import pytest
from analysis_build import exception, record
from hypothesis import given
from hypothesis import strategies as st
from test_truth import capture_of  # the whole corpus, read once

from mirascope_ops.analysis.alignment import align
from mirascope_ops.analysis.diff import compare
from mirascope_ops.analysis.normalise import normalise
from mirascope_ops.analysis.textdiff import text_diff
from mirascope_ops.spanset import SpanSet

OLD, NEW = "Answer briefly.", "Answer in one short sentence and name the source."


def renewed(records, seed=1, later=10**15):
    """The same run once more: other ids, other times."""
    rng = random.Random(seed)
    ids = {None: None}

    def new(identifier):
        return ids.setdefault(identifier, identifier and f"{rng.getrandbits(4 * len(identifier)):0{len(identifier)}x}")

    def fresh(value):
        return value.replace("call_00595", "call_77812") if isinstance(value, str) else value

    found = []
    for one in records:
        attributes = {key: fresh(value) for key, value in one.attributes.items()}
        if "gen_ai.response.id" in attributes:
            attributes["gen_ai.response.id"] = f"chatcmpl-{rng.getrandbits(40)}"
        found.append(
            one._replace(
                trace_id=new(one.trace_id),
                span_id=new(one.span_id),
                parent_id=new(one.parent_id),
                start=one.start + later,
                end=one.end and one.end + later + rng.randrange(50_000),
                attributes=attributes,
            )
        )
    return found


@pytest.fixture
def records():
    return capture_of("mirascope").records


def edited(records):
    """A turn's prompt edited, a tool call added, a model call failing, two turns swapped; all ids and times new."""
    chats = [one for one in records if one.name == "chat" and not one.parent_id]
    swap = {chats[1].trace_id: chats[2].start - chats[1].start, chats[2].trace_id: chats[1].start - chats[2].start}
    found = []
    for one in records:
        shift = swap.get(one.trace_id, 0)
        changed = one._replace(start=one.start + shift, end=one.end + shift)
        if one.trace_id == chats[0].trace_id:
            attributes = {k: v.replace(OLD, NEW) if isinstance(v, str) else v for k, v in one.attributes.items()}
            changed = changed._replace(attributes=attributes)
        if one.name.startswith("chat openai") and "part 1" in str(one.attributes):
            answer = ("gen_ai.response", "gen_ai.output", "gen_ai.usage", "mirascope.response")
            attributes = {k: v for k, v in one.attributes.items() if not k.startswith(answer)}
            changed = changed._replace(status="error", attributes=attributes, events=(exception(message="boom"),))
        found.append(changed)
        if one.name == "get_weather_impl":
            arguments = {"mirascope.trace.arg_values": '{"city":"Rome","unit":"celsius"}'}
            attributes = {**one.attributes, **arguments}
            end = changed.end + 2_000_000
            found.append(changed._replace(span_id="f" * 16, start=changed.end + 1, end=end, attributes=attributes))
    return renewed(found)


def test_the_four_edits_of_a_run_are_told_and_nothing_else(records):
    diff = SpanSet(normalise(records)).diff(SpanSet(normalise(edited(records))))

    assert sorted(change.what for change in diff) == ["added", "error", "moved", "prompt"]
    told = {change.what: change for change in diff}
    assert (told["added"].span.name, told["added"].span.input) == (
        "get_weather_impl",
        '{"city":"Rome","unit":"celsius"}',
    )
    assert told["error"].after == "ValueError: boom"
    assert [place.pair.span.name for place in told["moved"].places] == ["chat", "chat"]
    assert told["prompt"].places[0].edit.removed == {"briefly"}
    assert f"+ system: You are a helpful travel assistant. {NEW}" in diff.to_text()


@pytest.mark.parametrize("name", ["mirascope", "langfuse", "mlflow", "traceloop_openai", "vercel_ai_sdk"])
def test_the_same_run_with_new_ids_and_times_is_the_same(name):
    records = capture_of(name).records

    assert SpanSet(normalise(records)).diff(SpanSet(normalise(renewed(records)))).same


def test_an_edit_that_goes_in_and_comes_out_shows_in_one_span():
    one, other = (
        [record(attributes={"input.value": word, "output.value": f"Hello, {word}"})] for word in ("Ada", "Bob")
    )

    (change,) = compare(normalise(one), normalise(other)).changes

    assert (change.what, len(change.places), change.elsewhere) == ("input", 2, 0)


def test_a_span_that_is_of_another_kind_now_is_that_span_still():
    def run(kind):
        return normalise(
            [
                record("ask"),
                record("agent", parent="ask", start=1, attributes={"openinference.span.kind": kind}),
                record("search", parent="agent", start=2, attributes={"input.value": "Lisbon"}),
            ]
        )

    (change,) = compare(run("CHAIN"), run("AGENT")).changes

    assert (change.what, change.span.name, change.before, change.after) == ("kind", "agent", "chain", "agent")


def test_a_change_prints_itself_on_a_line(records):
    diff = SpanSet(normalise(records)).diff(SpanSet(normalise(edited(records))))

    assert [repr(change) for change in diff][:2] == [
        "Change(prompt, turn 1, 'chat openai/gpt-4o-mini:completions', and 2 more)",
        "Change(moved, turn 3, 'chat', and 1 more)",
    ]
    assert all(len(repr(change.places[0].pair)) < 1_000 for change in diff)


def test_of_a_long_line_the_text_tells_what_is_near_the_change():
    def run(word):
        return normalise(
            [record(attributes={"input.value": "many words before " * 40 + word + " and many after" * 40})]
        )

    lines = repr(SpanSet(run("old")).diff(SpanSet(run("new")))).splitlines()

    assert [line[:5] for line in lines if "…" in line] == ["  - …", "  + …"]
    assert any("many words before old and many after" in line for line in lines)
    assert any("many words before new and many after" in line for line in lines)


def test_figures_say_by_how_much_they_differ():
    text = repr(SpanSet(normalise([record(end=100)])).diff(SpanSet(normalise([record(end=80)]))))

    assert "duration: 100.0 ms -> 80.0 ms (-20%)" in text
    assert "spans: 1 -> 1" in text.splitlines()


def test_an_error_that_leaves_several_spans_is_one_change():
    def run(**failed):
        return normalise([record("root", end=30, **failed), record("inner", parent="root", end=20, **failed)])

    changes = compare(run(), run(status="error", events=(exception(),))).changes

    assert [(change.what, change.span.name, len(change.places)) for change in changes] == [("error", "inner", 2)]


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(-1, 8)), max_size=10), st.randoms())
def test_every_span_of_both_runs_stands_in_one_pair(shape, rng):
    def run(trace):
        return normalise(
            [
                record(f"n{name}", span=f"{trace}{at}", parent=f"{trace}{above}" if above >= 0 else None, trace=trace)
                for at, (name, above) in enumerate(shape)
            ]
        )

    one, other = run("a"), run("b")
    rng.shuffle(other)
    other = other[: len(other) // 2 + 1]

    pairs = align(one, other).walk()

    assert sorted(pair.a.span_id for pair in pairs if pair.a) == sorted(span.span_id for span in one)
    assert sorted(pair.b.span_id for pair in pairs if pair.b) == sorted(span.span_id for span in other)


def test_long_texts_are_cut_and_say_so():
    lines = text_diff("\n".join(f"a{n}" for n in range(900)), "\n".join(f"b {n}" for n in range(900)))

    assert lines[-1].text == "700 more lines are not compared"
    assert len(lines) == 401
