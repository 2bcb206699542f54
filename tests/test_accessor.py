from __future__ import annotations

import subprocess
import sys

import pandas as pd
import pytest

from mirascope_ops import ops
from mirascope_ops.exceptions import OpsError


@pytest.fixture
def spans():
    with ops.session() as session, ops.span("root"):
        with ops.span("step"):
            pass
        with ops.span("step"):
            pass
    return ops.get_session(session).spans


def test_a_frame_of_spans_answers_what_the_spans_do(spans):
    frame = spans.to_pandas()

    pd.testing.assert_frame_equal(frame.ops.summary("kind"), spans.summary("kind"))
    pd.testing.assert_frame_equal(frame.ops.critical_path(), spans.critical_path())
    pd.testing.assert_frame_equal(frame.ops.turns(), spans.turns())
    pd.testing.assert_frame_equal(frame.ops.messages(), spans.messages())
    assert repr(frame.ops.tree()) == repr(spans.tree())
    assert type(frame.ops.timeline()) is type(spans.timeline())
    assert len(frame.ops.spans) == 3


def test_any_frame_with_the_columns_will_do(spans):
    few = spans.to_pandas(["trace_id", "span_id", "parent_id", "name", "start", "end"])

    found = few[few["name"] == "step"].ops.summary()

    assert list(found["count"]) == [2]
    assert found["total"].iloc[0] == spans.summary().loc["step", "total"]
    assert "step" in repr(few.ops.tree())


def test_a_frame_of_something_else_says_what_is_missing():
    with pytest.raises(AttributeError, match="lacks trace_id, span_id"):
        _ = pd.DataFrame({"name": ["a"], "start": [1], "end": [2]}).ops


def test_pandas_is_never_imported_for_the_accessor_and_frames_have_it_once_spans_are_read():
    program = (
        "import sys, os; os.environ['MIRASCOPE_OPS_STORE'] = ':memory:'\n"
        "import mirascope_ops\n"
        "mirascope_ops.spans\n"
        "assert 'pandas' not in sys.modules\n"
        "import pandas\n"
        "assert not hasattr(pandas.DataFrame, 'ops')\n"
        "mirascope_ops.spans().to_pandas()\n"
        "assert hasattr(pandas.DataFrame, 'ops')\n"
    )

    subprocess.run([sys.executable, "-c", program], check=True)
    subprocess.run(
        [sys.executable, "-c", "import pandas, mirascope_ops; mirascope_ops.spans; pandas.DataFrame.ops"], check=True
    )


def test_a_query_of_pandas_filters_spans(spans):
    assert [span.name for span in spans.filter("name == 'step' and duration >= '0s'")] == ["step", "step"]
    assert len(spans.filter("kind == 'other'", name="root")) == 1
    assert len(spans.filter(lambda span: span.parent_id is None)) == 1


@pytest.mark.parametrize("query", ["colour == 1", "name ==", "name"])
def test_a_query_that_makes_no_sense_says_what_there_is(spans, query):
    with pytest.raises(OpsError, match=r"columns trace_id"):
        spans.filter(query)


def test_context_and_concurrency_are_tables_of_any_spans(spans):
    assert list(spans.context_growth().columns)[:2] == ["session_id", "trace_id"]
    assert spans.concurrency()["running"].max() >= 1
