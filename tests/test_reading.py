"""Look-ups: what `ops.spans`, `traces`, `sessions`, `get_session`, `get_trace` and `last_trace` find."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest

from mirascope_ops import ConfigurationError, NotFoundError, ops, testing
from mirascope_ops.core.cell import Cell, set_current_cell
from mirascope_ops.reading import session_card_of, time_of
from mirascope_ops.testing import START, STEP, captured

SECOND = 1_000_000_000


@pytest.fixture(autouse=True)
def recorded():
    with captured() as spans:
        yield spans
    set_current_cell(None)
    assert ops.current_session() is None


@pytest.fixture
def stepping():
    """Times and ids that repeat: every reading of the clock is a millisecond later."""
    testing.deterministic()
    yield
    testing.real()


@ops.trace
def retrieve(question: str) -> list[str]:
    return [question]


@ops.trace
def answer(question: str) -> str:
    if question == "fail":
        raise LookupError("no such city")
    with ops.span("rerank"):
        pass
    return "".join(retrieve(question))


def names(spans):
    return [span.name for span in spans]


# -- spans ----------------------------------------------------------------------------------------------


def test_spans_come_by_start(recorded):
    answer("a")
    retrieve("b")

    assert names(ops.spans()) == ["answer", "rerank", "retrieve", "retrieve"]
    assert [span.start for span in ops.spans()] == sorted(span.start for span in ops.spans())


def test_spans_by_name_and_status():
    answer("a")
    with pytest.raises(LookupError):
        answer("fail")

    assert names(ops.spans(name="retrieve")) == ["retrieve"]
    assert names(ops.spans(name="retr")) == []
    assert [span.error_message for span in ops.spans(status="error")] == ["no such city"]
    assert names(ops.spans(name="answer", status="unset")) == ["answer"]


def test_spans_by_kind():
    with ops.span("chat") as span:
        span.set(**{"gen_ai.operation.name": "chat", "gen_ai.request.model": "m"})
    answer("a")

    assert names(ops.spans(kind="llm")) == ["chat"]
    assert len(ops.spans(kind="other")) == 3


def test_spans_of_a_session_are_those_of_its_children_too():
    with ops.session(id="parent"):
        retrieve("a")
        with ops.session(id="child"):
            retrieve("b")
    with ops.session(id="else"):
        retrieve("c")

    assert [span.output for span in ops.spans(session="parent")] == ['["a"]', '["b"]']
    assert [span.output for span in ops.spans(session="child")] == ['["b"]']


def test_spans_of_a_trace():
    trace = answer.wrapped("a")
    answer("b")

    assert names(ops.spans(trace=trace.trace_id)) == ["answer", "rerank", "retrieve"]
    assert names(ops.spans(trace=trace.trace_id[:8], name="rerank")) == ["rerank"]


def test_spans_of_a_cell_and_of_a_notebook():
    set_current_cell(Cell("c1", 1, "a.ipynb"))
    answer("a")
    set_current_cell(Cell("c2", 2, "b.ipynb"))
    retrieve("b")
    set_current_cell(None)
    retrieve("c")

    assert len(ops.spans(cell=1)) == len(ops.spans(cell="c1")) == len(ops.spans(notebook="a.ipynb")) == 3
    assert [span.output for span in ops.spans(cell=2)] == ['["b"]']
    assert len(ops.spans(cell=2, notebook="a.ipynb")) == 0
    assert [trace.name for trace in ops.traces(cell=1)] == ["answer"]
    assert [trace.name for trace in ops.traces(notebook="b.ipynb")] == ["retrieve"]


def test_a_limit_keeps_the_newest():
    for letter in "abcd":
        retrieve(letter)

    assert [span.output for span in ops.spans(limit=2)] == ['["c"]', '["d"]']
    assert [span.output for span in ops.spans(kind="other", limit=3)] == ['["b"]', '["c"]', '["d"]']
    assert len(ops.spans(limit=100)) == 4
    assert len(ops.spans(limit=0)) == 0


def test_a_limit_counts_the_spans_that_fit():
    for letter in "abcd":
        answer(letter)

    assert names(ops.spans(name="rerank", limit=2)) == ["rerank", "rerank"]
    with ops.session(id="a"):
        retrieve("last")
    assert [span.output for span in ops.spans(session="a", limit=1)] == ['["last"]']


def test_conditions_hold_together():
    with ops.session(id="a"):
        answer("x")
        retrieve("y")

    assert names(ops.spans(session="a", name="retrieve", status="unset", kind="other", since="1 h")) == ["retrieve"] * 2
    assert len(ops.spans(session="a", name="retrieve", since=datetime.now(UTC) + timedelta(hours=1))) == 0


def test_nothing_recorded_gives_empty_sets():
    assert len(ops.spans()) == len(ops.traces()) == len(ops.sessions()) == 0
    assert len(ops.spans(name="x").to_pandas()) == 0


# -- times ----------------------------------------------------------------------------------------------


def test_since_and_until_bound_the_start(stepping):
    for letter in "abc":  # each span reads the clock twice, at its start and at its end
        retrieve(letter)
    first, second, third = (span.start for span in ops.spans())

    assert (first, second, third) == (START, START + 2 * STEP, START + 4 * STEP)
    assert [span.start for span in ops.spans(since=second)] == [second, third]
    assert [span.start for span in ops.spans(until=second)] == [first]
    assert [span.start for span in ops.spans(since=second, until=third)] == [second]
    assert [trace.start for trace in ops.traces(since=second)] == [second, third]
    assert [trace.start for trace in ops.traces(until=second)] == [first]


@pytest.mark.parametrize(
    ("value", "nanoseconds"),
    [
        (None, None),
        (5, 5),
        (0, 0),
        ("2026-01-01T00:00:00+00:00", 1767225600 * SECOND),
        ("2026-01-01T00:00:00Z", 1767225600 * SECOND),
        ("2026-01-01T01:00:00+01:00", 1767225600 * SECOND),
        ("2026-01-01T00:00:00.000001+00:00", 1767225600 * SECOND + 1000),
        (datetime(2026, 1, 1, tzinfo=UTC), 1767225600 * SECOND),
        (datetime(2026, 1, 1, 1, tzinfo=timezone(timedelta(hours=1))), 1767225600 * SECOND),
        (datetime(1969, 12, 31, 23, 59, 59, tzinfo=UTC), -SECOND),
    ],
)
def test_a_moment_may_be_written_in_many_ways(value, nanoseconds):
    assert time_of(value) == nanoseconds


def test_a_moment_without_a_zone_is_local():
    naive = datetime(2026, 1, 1)  # noqa: DTZ001 - what is tested

    assert time_of(naive) == time_of("2026-01-01") == time_of(naive.astimezone(UTC))


def test_a_moment_of_pandas_and_a_span_of_time_are_understood():
    import pandas as pd

    assert time_of(pd.Timestamp("2026-01-01", tz="UTC")) == 1767225600 * SECOND
    assert abs(time_of(pd.Timedelta("1h")) - time_of("1 h")) < 10 * SECOND


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("30 s", 30),
        ("30s", 30),
        ("5 min", 300),
        ("5min", 300),
        ("2 h", 7200),
        ("30m", 1800),
        ("2 w", 14 * 86_400),
        ("1.5 h", 5400),
        ("1 d", 86400),
        (" 1 d ", 86400),
        (timedelta(minutes=5), 300),
    ],
)
def test_a_span_of_time_is_so_long_ago(text, seconds):
    expected = (datetime.now(UTC).timestamp() - seconds) * SECOND

    assert abs(time_of(text) - expected) < 10 * SECOND


@pytest.mark.parametrize(
    "value",
    [
        "",
        "yesterday",
        "5",
        "5 weeks",
        "h",
        "-1 h",
        "1 hh",
        1.5,
        True,
        [],
        "2026-13-01",
        object(),
        "9" * 400 + " d",
        "99999999 d",
        timedelta.max,
    ],
    ids=lambda value: repr(value)[:20],
)
def test_what_is_no_time_is_refused(value):
    for look_up in (ops.spans, ops.traces, ops.sessions):
        with pytest.raises(ConfigurationError, match="time"):
            look_up(since=value)
        with pytest.raises(ConfigurationError, match="time"):
            look_up(until=value)


@pytest.mark.parametrize("value", ["0001-01-01", "9999-12-31T23:59:59", "0001-01-01T00:00:00Z"])
def test_a_moment_at_the_edge_of_the_calendar_is_one_or_is_refused(value):
    """Which of the two depends on the zone of the machine."""
    try:
        found = time_of(value)
    except ConfigurationError:
        return

    assert isinstance(found, int)


# -- traces ---------------------------------------------------------------------------------------------


def test_traces_are_whole_and_oldest_first():
    answer("a")
    retrieve("b")

    traces = ops.traces()
    assert [(trace.name, len(trace)) for trace in traces] == [("answer", 3), ("retrieve", 1)]
    assert [trace.name for trace in ops.traces(name="retrieve")] == ["retrieve"]
    assert [trace.name for trace in ops.traces(limit=1)] == ["retrieve"]


def test_traces_of_a_session_and_by_status():
    with ops.session(id="a"):
        answer("x")
        with pytest.raises(LookupError):
            answer("fail")
    answer("elsewhere")

    assert len(ops.traces(session="a")) == 2
    assert [trace.status for trace in ops.traces(session="a", status="error")] == ["error"]


def test_get_trace_by_its_id_or_the_beginning_of_it():
    trace = answer.wrapped("a")
    answer("b")
    full = trace.trace_id

    for written in (full, full[:8], full[:20], full.upper(), f" {full} ", full[:8].upper()):
        assert ops.get_trace(written).trace_id == full
    assert names(ops.get_trace(full)) == ["answer", "rerank", "retrieve"]
    assert ops.get_trace(full).root.name == "answer"


@pytest.mark.parametrize("written", ["", "abc", "1234567"])
def test_a_beginning_that_is_too_short_is_refused(written):
    answer("a")

    with pytest.raises(NotFoundError, match="too short"):
        ops.get_trace(written)


def test_a_beginning_of_several_traces_is_refused(monkeypatch):
    from mirascope_ops.core import clock

    monkeypatch.setattr(clock, "generate_trace_id", lambda: (0xABCDEF0123 << 88) | clock.bits(88))
    retrieve("a")
    retrieve("b")

    with pytest.raises(NotFoundError, match="2 traces begin with 'abcdef01'"):
        ops.get_trace("abcdef01")


@pytest.mark.parametrize("written", ["f" * 32, "f" * 8, "not hex digits", "%" * 10, "f" * 40])
def test_a_trace_that_is_not_there_is_named(written):
    retrieve("a")

    with pytest.raises(NotFoundError) as refused:
        ops.get_trace(written)

    assert written in str(refused.value)
    assert "ops.traces()" in str(refused.value)


def test_the_last_trace_is_that_of_the_span_that_started_last():
    answer("a")
    assert ops.last_trace().name == "answer"
    with ops.span("outer"):
        retrieve("b")
        assert ops.last_trace().name == "outer"
    assert ops.last_trace().status == "unset"


def test_without_a_trace_the_last_one_says_how_to_make_one():
    with pytest.raises(NotFoundError, match=r"@ops\.trace"):
        ops.last_trace()


# -- sessions ---------------------------------------------------------------------------------------------


def test_sessions_come_newest_first_with_and_without_spans():
    with ops.session(id="first"):
        retrieve("a")
    with ops.session(id="empty"):
        pass
    with ops.session(id="last"):
        retrieve("b")
    with ops.session(id="first"):
        retrieve("c")

    assert ops.sessions().ids == ["first", "last", "empty"]
    assert ops.sessions(limit=1).ids == ["first"]
    assert len(ops.sessions()[2]) == 0


def test_a_session_is_listed_while_it_is_open():
    with ops.session(id="open", attributes={"n": 1}):
        assert ops.sessions().ids == ["open"]
        assert ops.sessions()[0].attributes == {"n": 1}


@pytest.mark.parametrize("value", ["premium", 1, 1.5, True, False, None, ["a", 1], {"deep": {"er": [1]}}, "", "Zoë"])
def test_sessions_by_attributes_of_any_json_value(value):
    with ops.session(id="wanted", attributes={"key": value, "other": 1}):
        pass
    with ops.session(id="another", attributes={"key": "something else"}):
        pass
    with ops.session(id="without", attributes={"other": 1}):
        pass

    assert ops.sessions(attributes={"key": value}).ids == ["wanted"]
    assert ops.sessions(attributes={"key": value, "other": 1}).ids == ["wanted"]
    assert ops.sessions(attributes={"key": value, "other": 2}).ids == []


def test_text_and_numbers_and_truth_are_different_attributes():
    for name, value in (("number", 1), ("text", "1"), ("truth", True)):
        with ops.session(id=name, attributes={"key": value}):
            pass

    assert ops.sessions({"key": 1}).ids == ["number"]
    assert ops.sessions({"key": "1"}).ids == ["text"]
    assert ops.sessions({"key": True}).ids == ["truth"]


def test_the_attributes_of_all_entries_count_later_ones_winning():
    with ops.session(id="a", attributes={"tier": "free", "channel": "web"}):
        pass
    with ops.session(id="a", attributes={"tier": "premium"}):
        pass

    assert ops.sessions(attributes={"tier": "premium", "channel": "web"}).ids == ["a"]
    assert ops.sessions(attributes={"tier": "free"}).ids == []
    assert ops.get_session("a").attributes == {"tier": "premium", "channel": "web"}


def test_attributes_that_were_set_inside_count():
    with ops.session(id="a") as ctx:
        ctx.set(tier="premium")

    assert ops.sessions(attributes={"tier": "premium"}).ids == ["a"]


def test_sessions_since_and_until(stepping):
    with ops.session(id="early"):
        retrieve("a")
    middle = ops.get_session("early").card.last_seen + 1
    with ops.session(id="late"):
        retrieve("b")

    assert ops.sessions(since=middle).ids == ["late"]
    assert ops.sessions(until=middle).ids == ["early"]


def test_sessions_of_spans_from_elsewhere_are_listed_too():
    """A span that only carries `session.id`, as another library writes it, makes a session."""
    with ops.span("foreign") as span:
        span.set(**{"session.id": "theirs"})

    assert [span.session_id for span in ops.spans()] == ["theirs"]


def test_get_session_by_id_and_by_context():
    with ops.session(id="a", attributes={"n": 1}) as ctx:
        retrieve("x")

    by_id, by_context = ops.get_session("a"), ops.get_session(ctx)
    assert by_id.id == by_context.id == "a"
    assert list(by_id) == list(by_context)
    assert by_id.attributes == {"n": 1}
    assert by_id.parent_id is None


def test_a_session_that_is_not_there_is_named_with_similar_ones():
    with ops.session(id="conversation-456"):
        pass

    with pytest.raises(NotFoundError, match="conversation-456"):
        ops.get_session("conversation-465")
    with pytest.raises(NotFoundError, match=r"ops\.sessions\(\)"):
        ops.get_session("zzz")
    with pytest.raises(NotFoundError, match="no session 'zzz'"):
        ops.spans(session="zzz")
    with pytest.raises(LookupError):
        ops.traces(session="zzz")


@pytest.mark.parametrize("name", ["Zoë 😀", "a/b?c=d&e", "' OR 1=1 --", "%", "_", " spaces ", '"quoted"', "x" * 256])
def test_sessions_of_any_id_are_found_again(name):
    with ops.session(id=name):
        retrieve("x")

    assert ops.get_session(name).id == name
    assert len(ops.spans(session=name)) == 1
    assert ops.sessions().ids == [name]


# -- child sessions -------------------------------------------------------------------------------------------


@pytest.fixture
def family():
    """A parent entered twice, with a child inside of the first entry, and the child once more alone."""
    with ops.session(id="parent"):
        retrieve("in parent")
        with ops.session(id="child", attributes={"part": 1}):
            retrieve("in child")
            with ops.session(id="grandchild"):
                retrieve("in grandchild")
    with ops.session(id="parent"):
        retrieve("in parent again")
    with ops.session(id="child"):
        retrieve("in child alone")


def outputs(session):
    return [span.output for span in session]


def test_a_roll_up_has_the_descendants_of_its_own_entries_only(family):
    assert outputs(ops.get_session("parent")) == [
        '["in parent"]',
        '["in child"]',
        '["in grandchild"]',
        '["in parent again"]',
    ]
    assert outputs(ops.get_session("child")) == ['["in child"]', '["in grandchild"]', '["in child alone"]']
    assert outputs(ops.get_session("grandchild")) == ['["in grandchild"]']


def test_a_card_shows_the_children(family):
    card = ops.get_session("parent").card

    assert [child.session_id for child in card.children] == ["child"]
    assert [child.session_id for child in card.children[0].children] == ["grandchild"]
    assert (card.totals.spans, card.children[0].totals.spans) == (4, 2)
    assert card.runs == 2
    assert len(ops.get_session("parent").runs) == 2


def test_a_card_of_one_run_says_how_many_spans_it_had(family):
    with ops.session(id="parent") as ctx:
        retrieve("now")
        retrieve("and now")

    assert session_card_of(ctx).card.run_spans == 2
    assert session_card_of(ctx).card.totals.spans == 6
    assert session_card_of("parent").card.run_spans is None


def test_an_id_inside_itself_and_inside_its_child_counts_every_span_once():
    with ops.session(id="a"):
        retrieve("1")
        with ops.session(id="b"):
            retrieve("2")
            with ops.session(id="a"):
                retrieve("3")

    assert outputs(ops.get_session("a")) == ['["1"]', '["2"]', '["3"]']
    assert outputs(ops.get_session("b")) == ['["2"]', '["3"]']


def test_a_context_reads_its_session_back(family):
    with ops.session(id="parent") as ctx:
        retrieve("now")

        assert len(ctx.spans) == 5
        assert len(ctx.traces) == 5
        assert len(ctx.to_pandas()) == 5
        assert len(ctx.turns()) == 5
        assert list(ctx.summary()["count"]) == [5]


def test_a_span_that_inherits_its_session_from_its_trace_is_read_with_it(recorded):
    with ops.span("outer") as outer:
        with ops.session(id="a"):
            retrieve("x")
        with ops.span("beside"):
            pass

    found = {span.name: span.session_id for span in recorded()}
    assert found["retrieve"] == "a"
    assert {span.name for span in ops.get_session("a")} == {name for name, owner in found.items() if owner == "a"}
    assert outer.trace_id == ops.get_session("a")[0].trace_id
