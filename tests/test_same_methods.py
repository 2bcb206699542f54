"""Whatever holds spans has the same methods, with the same results."""

from __future__ import annotations

import pytest

from mirascope_ops import ops
from mirascope_ops.testing import captured

TABLES = ["messages", "turns", "summary", "critical_path", "concurrency", "context_growth"]
OTHERS = [
    "totals",
    "tree",
    "figure",
    "to_polars",
    "to_arrow",
    "to_text",
    "to_markdown",
    "diff",
    "check",
    "conversation",
    "show",
    "review",
]
FILES = {"to_otlp": "a.jsonl", "to_parquet": "a.parquet", "to_chrome_trace": "a.json", "to_html": "a.html"}


@ops.trace
def chat(question: str) -> str:
    with ops.span("call") as span:
        span.set(**{"gen_ai.operation.name": "chat", "gen_ai.request.model": "small", "gen_ai.usage.input_tokens": 3})
    return "Because."


@pytest.fixture(scope="module")
def holders(tmp_path_factory):
    """One call in one session, held in every way."""
    with captured():
        with ops.session(id="lesson") as context:
            trace = chat.wrapped("Why?")
        yield {
            "SpanSet": ops.spans(),
            "StoredTrace": ops.last_trace(),
            "TraceSet": ops.traces(),
            "Session": ops.get_session("lesson"),
            "SessionSet": ops.sessions(),
            "Recording": ops.read_otlp(ops.sessions().to_otlp(tmp_path_factory.mktemp("files") / "a.jsonl")),
            "Trace": trace,
            "SessionContext": context,
        }


HOLDERS = ["SpanSet", "StoredTrace", "TraceSet", "Session", "SessionSet", "Recording", "Trace", "SessionContext"]


@pytest.mark.parametrize("name", HOLDERS)
def test_what_holds_spans_has_all_methods(name, holders):
    missing = [method for method in [*TABLES, *OTHERS, *FILES, "spans"] if not hasattr(holders[name], method)]

    assert missing == []


@pytest.mark.parametrize("method", TABLES)
@pytest.mark.parametrize("name", HOLDERS)
def test_the_tables_are_the_same(name, method, holders):
    by = {"by": "name"} if method == "summary" else {}

    assert getattr(holders[name], method)(**by).equals(getattr(holders["SpanSet"], method)(**by))


@pytest.mark.parametrize("name", HOLDERS)
def test_totals_trees_and_arrow_tables_are_the_same(name, holders):
    held, spans = holders[name], holders["SpanSet"]

    assert held.totals == spans.totals
    assert repr(held.tree()) == repr(spans.tree())
    assert held.to_arrow().select(["span_id", "name", "session_id"]) == spans.to_arrow().select(
        ["span_id", "name", "session_id"]
    )
    assert held.to_markdown() == spans.to_markdown()
    assert len(held.figure().data) == len(spans.figure().data)


@pytest.mark.parametrize("name", HOLDERS)
def test_the_conversation_is_the_same(name, holders):
    held, spans = holders[name].conversation(), holders["SpanSet"].conversation()

    assert held.to_pandas().equals(spans.to_pandas())


@pytest.mark.parametrize("name", ["Session", "SessionContext", "Trace", "StoredTrace"])
def test_one_run_can_be_cut_to_some_of_its_spans(name, holders):
    held = holders[name]

    assert [span.name for span in held.roots] == ["chat"]
    assert [span.name for span in held.filter(kind="llm")] == ["call"]
    assert [span.name for span in held.filter(lambda span: span.name == "chat")] == ["chat"]
    assert len(held.below(held.roots[0].span_id)) == 2


def test_what_a_stored_session_has_its_context_has(holders):
    stored, context = holders["Session"], holders["SessionContext"]
    public = {name for name in dir(stored) if not name.startswith("_")}

    # A sequence's own methods, a constructor, and what runs one call again: a session has several.
    assert public - set(dir(context)) == {"count", "index", "from_pandas", "replay", "parent_id"}
    assert context.card.totals == stored.card.totals
    assert context.runs == stored.runs
    assert context.entries == stored.entries


@pytest.mark.parametrize("name", HOLDERS)
def test_files_are_written_of_all(name, holders, tmp_path):
    for method in ("to_otlp", "to_parquet", "to_chrome_trace"):
        assert getattr(holders[name], method)(tmp_path / FILES[method]).stat().st_size > 100
