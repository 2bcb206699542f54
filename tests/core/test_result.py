"""What a Trace does: where there is no span, before there is one, and elsewhere."""

from __future__ import annotations

import copy
import pickle
import sys
import types

import pytest

from mirascope_ops import ops
from mirascope_ops.core import pipeline
from mirascope_ops.exceptions import ConfigurationError, OpsError


@pytest.fixture
def disabled(monkeypatch):
    monkeypatch.setenv("OTEL_SDK_DISABLED", "true")
    pipeline.refresh()
    yield
    monkeypatch.undo()
    pipeline.refresh()


@pytest.mark.usefixtures("disabled")
def test_a_program_that_annotates_and_tags_runs_on_while_tracing_is_disabled(recorded):
    @ops.trace
    def double(number):
        return 2 * number

    trace = double.wrapped(21)
    trace.annotate(label="pass", reasoning="right", metadata={"by": "me"})
    trace.tag("checked")

    assert (trace.result, trace.span_id, trace.trace_id) == (42, None, None)
    assert len(recorded()) == 0


@pytest.mark.usefixtures("disabled")
def test_spans_that_were_never_made_cannot_be_read():
    @ops.trace
    def double(number):
        return 2 * number

    with pytest.raises(OpsError, match="OTEL_SDK_DISABLED"):
        _ = double.wrapped(21).spans


def test_what_is_said_of_a_generator_before_its_first_item_is_kept(only):
    @ops.trace
    def items():
        yield 1

    trace = items.wrapped()
    trace.tag("early")
    trace.annotate(label="pass", metadata={"score": 1})
    with pytest.raises(OpsError, match="no span before its first item"):
        _ = trace.spans

    assert list(trace.result) == [1]
    trace.tag("late")
    assert only().tags == ("early", "late")
    assert [(note.label, note.metadata) for note in only().annotations if note.label] == [("pass", {"score": 1})]


@pytest.mark.parametrize("tags", [(["a", "b"],), (1,), ("a", None)])
def test_tags_that_are_no_strings_are_refused_with_what_to_write(tags, only):
    trace = ops.trace(len).wrapped("x")

    with pytest.raises(ConfigurationError, match=r"tag takes strings.*write trace\.tag\("):
        trace.tag(*tags)
    with pytest.raises(ConfigurationError, match=r"metadata must be a mapping, got \[1\]"):
        trace.annotate(metadata=[1])
    assert only().tags == ()


def work(number):
    return number + 1


work = ops.trace(work)


def test_a_trace_may_be_pickled_and_copied_and_finds_its_spans(only):
    trace = work.wrapped(1)

    for again in (pickle.loads(pickle.dumps(trace)), copy.copy(trace), copy.deepcopy(trace)):
        again.annotate(label="pass")
        assert (again.result, again.span_id, again.trace_id) == (2, trace.span_id, trace.trace_id)
        assert (again.span.name, again.span.is_recording(), len(again.spans)) == ("work", False, 1)
        assert again.span.attributes["mirascope.trace.output"] == 2
        assert (again.span.start_time, again.span.end_time) == (trace.span.start_time, trace.span.end_time)
    assert len(only().annotations) == 3


def test_wrapped_is_pickled_by_reference_as_the_function_is(monkeypatch):
    module = types.ModuleType("with_a_traced_function")
    monkeypatch.setitem(sys.modules, module.__name__, module)
    exec("def work(x):\n    return x\nclass A:\n    def work(self): ...\n", vars(module))
    module.work = ops.trace(module.work)

    assert pickle.loads(pickle.dumps(module.work.wrapped)) is module.work.wrapped
