"""What a Trace does where there is no span."""

from __future__ import annotations

import pytest

from mirascope_ops import ops
from mirascope_ops.core import pipeline
from mirascope_ops.exceptions import OpsError


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
