"""Sessions go to files and come back: their entries, parents and attributes, also where they have no spans."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mirascope_ops import ops
from mirascope_ops.exceptions import FormatError
from mirascope_ops.recording import Recording
from mirascope_ops.store.records import RunRecord
from mirascope_ops.testing import captured

SUFFIXES = ("jsonl", "jsonl.gz", "pb", "parquet")


def back(spans, folder, suffix):
    """What comes back of a set of spans that is written to a file."""
    path = Path(folder) / f"sessions.{suffix}"
    if suffix == "parquet":
        return ops.read_parquet(spans.to_parquet(path))
    return ops.read_otlp(spans.to_otlp(path))


def told(sessions):
    """All that a set of sessions tells."""
    return [(session.id, session.attributes, session.parent_id, session.runs, session.card) for session in sessions]


@pytest.fixture
def recorded():
    with captured() as spans:
        yield spans


@pytest.fixture
def talk(recorded):
    """A session with a child, entered twice, another without spans, and one inside of itself."""
    with ops.session(id="talk", attributes={"user_tier": "premium", "n": [1, None]}):
        with ops.span("a"), ops.session(id="aside"), ops.span("b"):
            pass
        with ops.session(id="silent", attributes={"why": "nothing was said"}):
            pass
    with ops.session(id="talk", attributes={"user_tier": "free"}), ops.session(id="talk"), ops.span("c"):
        pass
    with ops.session(id="empty"):
        pass


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_all_sessions_come_back(suffix, talk, tmp_path):
    found = back(ops.sessions(), tmp_path, suffix)

    assert isinstance(found, Recording)
    assert [span.name for span in found] == ["a", "b", "c"]
    assert told(found.sessions) == told(ops.sessions())
    assert found.sessions.to_pandas().equals(ops.sessions().to_pandas())


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_one_session_comes_back_with_those_inside(suffix, talk, tmp_path):
    found = back(ops.get_session("talk"), tmp_path, suffix)

    assert sorted(found.sessions.ids) == ["aside", "silent", "talk"]
    assert told(s for s in found.sessions if s.id == "talk") == told([ops.get_session("talk")])


def test_what_was_read_can_be_written_again(talk, tmp_path):
    first = back(ops.sessions(), tmp_path, "jsonl")

    second = back(first, tmp_path, "pb")
    third = back(second.sessions, tmp_path, "parquet")

    assert told(third.sessions) == told(ops.sessions())


def test_spans_of_single_traces_have_the_sessions_that_they_name(talk, tmp_path):
    found = back(ops.traces()[0], tmp_path, "jsonl")

    assert found.runs == ()
    assert sorted(found.sessions.ids) == ["aside", "talk"]
    assert found.sessions[0].attributes == {"user_tier": "premium", "n": [1, None]}


def test_other_readers_of_otlp_see_the_spans_and_nothing_else(talk, tmp_path):
    path = ops.sessions().to_otlp(tmp_path / "sessions.jsonl")

    documents = [json.loads(line) for line in path.read_text().splitlines()]
    scopes = [scope for one in documents for resource in one["resourceSpans"] for scope in resource["scopeSpans"]]
    assert [span["name"] for scope in scopes for span in scope["spans"]] == ["a", "b", "c"]


@pytest.mark.parametrize("runs", ["3", '"x"', "[1]", "[{}]", '[{"run_id": 1}]', "[", '{"a": 1}'])
def test_entries_that_cannot_be_read_are_told_and_can_be_left_out(runs, talk, tmp_path):
    path = ops.sessions().to_otlp(tmp_path / "sessions.jsonl")
    lines = path.read_text().splitlines()
    document = json.loads(lines[-1])
    document["resourceSpans"][0]["resource"]["attributes"][0]["value"]["stringValue"] = runs
    path.write_text("\n".join([*lines[:-1], json.dumps(document)]))

    with pytest.raises(FormatError, match=r"line 2.*holds no entries into sessions"):
        ops.read_otlp(path)
    with pytest.warns(UserWarning, match="1 place was left out"):
        assert len(ops.read_otlp(path, errors="skip")) == 3


NAMES = st.sampled_from(["a", "b", "c"])
RUN_IDS = st.sampled_from(["r1", "r2", "r3", "r4"])
TIMES = st.integers(1, 50)
RUNS = st.lists(
    st.builds(
        RunRecord,
        run_id=RUN_IDS,
        session_id=NAMES,
        parent_run_id=st.none() | RUN_IDS,
        parent_session_id=st.none() | NAMES,
        attributes=st.dictionaries(NAMES, st.none() | st.booleans() | st.integers(0, 9) | st.text(max_size=3)),
        cell_id=st.none() | NAMES,
        execution_count=st.none() | st.integers(0, 9),
        notebook=st.none() | st.just("a.ipynb"),
        start=TIMES,
        end=st.none() | TIMES,
    ),
    unique_by=lambda run: run.run_id,
    max_size=4,
)


@settings(deadline=None)
@given(runs=RUNS, suffix=st.sampled_from(SUFFIXES))
def test_whatever_entries_there_are_they_come_back(runs, suffix):
    recording = Recording([], runs)

    with tempfile.TemporaryDirectory() as folder:
        found = back(recording, folder, suffix)

    assert found.runs == recording.runs
    assert told(found.sessions) == told(recording.sessions)
