"""`diff` and `check` on whatever holds a run."""

from __future__ import annotations

import inspect

import pytest

from mirascope_ops import CheckError, ConfigurationError, OpsError, ops
from mirascope_ops.analysis.checks import BOUNDS
from mirascope_ops.testing import captured

KINDS = ["trace", "stored trace", "context", "session", "spans", "traces", "sessions", "list"]


@pytest.fixture(autouse=True)
def recorded():
    with captured() as spans:
        yield spans


@ops.trace
def search(question):
    return [f"{question}: a note"]


@ops.trace
def answer(question):
    if question == "fail":
        raise LookupError("no such city")
    return search(question)[0]


def held(session_id, question):
    """One run, as everything that can hold it."""
    with ops.session(id=session_id) as context:
        trace = answer.wrapped(question)
    session = ops.get_session(session_id)
    return {
        "trace": trace,
        "stored trace": ops.get_trace(trace.trace_id),
        "context": context,
        "session": session,
        "spans": ops.spans(session=session_id),
        "traces": session.traces,
        "sessions": ops.sessions()[:1],
        "list": list(session),
    }


@pytest.fixture
def first():
    return held("run-1", "When does it open?")


@pytest.fixture
def second(first):
    return held("run-2", "When does it close?")


@pytest.mark.parametrize("one", KINDS[:-1])
@pytest.mark.parametrize("other", KINDS)
def test_any_run_is_compared_with_any_other(first, second, one, other):
    diff = first[one].diff(second[other])

    assert [change.what for change in diff] == ["input"]  # the question comes back in the answer: it is one change
    assert diff[0].places[0].edit.added == {"close"}


@pytest.mark.parametrize("kind", KINDS[:-1])
def test_a_run_does_not_differ_from_itself(first, kind):
    assert first[kind].diff(first[kind]).same


@pytest.mark.parametrize(
    ("other", "advice"),
    [
        ("run-2", r"ops.get_session\(id\) or ops.get_trace\(id\)"),
        (None, "what fn.wrapped"),
        (3, "not with an int"),
        ([1, 2], "not with a list"),
        ({"spans": []}, "not with a dict"),
        (answer, r"not with a traced function: call it, fn.wrapped\("),
        (ops.SpanSet, "not with an? "),
    ],
)
def test_what_is_no_run_is_refused_with_advice(first, other, advice):
    for run in (first["session"], first["trace"], first["context"]):
        with pytest.raises(ConfigurationError, match=advice):
            run.diff(other)


def test_a_table_of_spans_is_compared_once_it_is_read_back(first):
    table = first["session"].to_pandas()

    with pytest.raises(ConfigurationError, match="from_pandas"):
        first["session"].diff(table)
    assert first["session"].diff(ops.from_pandas(table)).same


@pytest.mark.parametrize("kind", KINDS[:-1])
def test_a_run_within_its_bounds_is_given_back(first, kind):
    run = first[kind]

    assert run.check(max_latency=60, max_cost=0.1, require=["answer", "search"], min_turns=1, max_turns=1) is run


@pytest.mark.parametrize("kind", KINDS[:-1])
def test_a_run_that_breaks_bounds_says_all_of_them(first, kind):
    with pytest.raises(CheckError) as raised:
        first[kind].check(max_spans=1, forbid="search", max_turns=0)

    assert str(raised.value).startswith("3 checks failed: session run-1, trace ")
    assert [breach.check for breach in raised.value.breaches] == ["max_turns", "max_spans", "forbid"]


@pytest.mark.parametrize("kind", KINDS[:-1])
def test_a_misspelt_bound_names_the_nearest(first, kind):
    with pytest.raises(TypeError, match=r"no bound 'max_latncy': did you mean 'max_latency'\?"):
        first[kind].check(max_latncy=3)


def test_a_bound_like_none_lists_them_all(first):
    with pytest.raises(TypeError, match="no bound 'wxyz'; there are max_cost, max_latency, "):
        first["session"].check(wxyz=3)


@pytest.mark.parametrize("kind", KINDS[:-1])
def test_a_function_is_asked_about_the_run_itself(first, kind):
    asked = []

    first[kind].check(asked.append)

    assert asked == [first[kind]]


def test_functions_that_do_not_hold_stand_in_the_same_error(first):
    def mentions_paris(trace):
        return "Paris" in trace.result

    def is_short(trace):
        raise AssertionError("too long")

    with pytest.raises(CheckError) as raised:
        first["trace"].check(mentions_paris, is_short, lambda trace: trace.nothing, lambda trace: 0, max_spans=1)

    lines = str(raised.value).splitlines()
    assert lines[0].startswith("5 checks failed: ")
    assert lines[1:] == [
        "  ✕ max_spans 2, allowed: 1",
        "  ✕ mentions_paris does not hold: it returned False",
        "  ✕ is_short AssertionError: too long",
        "  ✕ check 3 AttributeError: 'Trace' object has no attribute 'nothing'",
        "  ✕ check 4 does not hold: it returned 0",
    ]
    assert isinstance(raised.value.__cause__, AssertionError)


def test_an_asynchronous_function_is_refused_and_does_not_pass(first):
    async def judge(trace):
        return False

    with pytest.raises(CheckError, match="judge is asynchronous"):
        first["trace"].check(judge)


def test_what_is_no_function_is_refused(first):
    with pytest.raises(ConfigurationError, match=r"Check 1 is a bool; expected a function of the run"):
        first["trace"].check(first["trace"].result == "x")


def test_a_failed_call_is_found_in_its_session():
    with ops.session(id="failed") as context, pytest.raises(LookupError):
        answer("fail")

    with pytest.raises(CheckError, match=r"no_errors answer \(span .{8}, trace .{8}\): LookupError: no such city"):
        context.check()


def test_without_tracing_nothing_is_checked_and_it_says_so(run_python):
    out = run_python(
        """
        from mirascope_ops import OpsError, ops

        @ops.trace
        def answer():
            return 1

        trace = answer.wrapped()
        for call in (trace.check, lambda: trace.diff(trace)):
            try:
                call()
            except OpsError as error:
                print("tracing was disabled" in str(error))
        """,
        OTEL_SDK_DISABLED="true",
    )

    assert out.split() == ["True", "True"]


def test_an_error_of_diff_is_an_ops_error(first):
    with pytest.raises(OpsError):
        first["session"].diff(object())


@pytest.mark.parametrize("kind", ["trace", "context", "session"])
def test_the_frames_of_a_check_hide_in_tracebacks_of_notebooks(first, kind):
    with pytest.raises(CheckError) as raised:
        first[kind].check(max_spans=0)

    frames = [entry.frame for entry in raised.traceback]
    assert all("__tracebackhide__" in frame.f_locals for frame in frames[1:])


def test_the_bounds_are_the_parameters_of_check():
    parameters = inspect.signature(ops.SpanSet.check).parameters.values()

    assert {one.name for one in parameters if one.kind is one.KEYWORD_ONLY} == set(BOUNDS)


def test_comparing_is_loaded_when_something_is_compared(run_python):
    out = run_python(
        """
        import sys
        from mirascope_ops import ops

        ops.SpanSet
        print({"difflib", "mirascope_ops.spandiff", "mirascope_ops.analysis.diff"} & set(sys.modules))
        """
    )

    assert out.strip() == "set()"
