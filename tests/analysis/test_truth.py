"""Every field that a capture's truth file states is what the reader finds.

`data/corpus` holds what seven libraries emitted in one scenario, whole, and synthetic edge cases; each has a truth
file. A case here is one stated field of one file: it compares that field for every span, call or turn that states it.
"""

from __future__ import annotations

import gzip
import json
from collections import Counter
from pathlib import Path

import pytest
from analysis_otlp import records_of

from mirascope_ops.analysis.messages import message_split
from mirascope_ops.analysis.normalise import normalise
from mirascope_ops.analysis.stats import counted
from mirascope_ops.analysis.tree import lineage
from mirascope_ops.analysis.turns import turns
from mirascope_ops.analysis.values import unquoted

CORPUS = Path(__file__).parent / "data" / "corpus"
CAPTURES = (
    "langfuse",
    "mirascope",
    "mlflow",
    "openinference_openai",
    "otel_genai_openai",
    "traceloop_openai",
    "vercel_ai_sdk",
)
# As OTLP numbers them.
SPAN_KINDS = ("unspecified", "internal", "server", "client", "producer", "consumer")
STATUS_CODES = ("unset", "ok", "error")


class Capture:
    """One library's spans as they are read, and what should be found in them."""

    def __init__(self, name):
        self.truth = json.loads((CORPUS / f"{name}.truth.json").read_text())
        with gzip.open(CORPUS / f"{name}.jsonl.gz", "rt") as lines:
            self.records = records_of(lines)
        self.rows = normalise(self.records)
        self.by_id = {row.span_id: row for row in self.rows}
        self.record_by_id = {record.span_id: record for record in self.records}
        self.turn_by_trace = {turn.trace_id: turn for turn in turns(self.rows)}
        self.lineage = lineage(self.rows)
        self.calls = [self.lineage.spans[place] for place in counted(self.lineage).llm]

    def of(self, session):
        return [row for row in self.rows if row.session_id == session]

    def trace(self, trace_id):
        return [row for row in self.rows if row.trace_id == trace_id]

    def call(self, stated):
        return message_split(self.by_id[stated["span_id"]])


_read = {}


def capture_of(name):
    if name not in _read:
        _read[name] = Capture(name)
    return _read[name]


def emits_session(row):
    keys = ("mirascope.ops.session.id", "session.id", "langfuse.session.id", "gen_ai.conversation.id")
    more = ("traceloop.association.properties.session_id", "ai.telemetry.metadata.sessionId")
    return next((row.attributes[key] for key in (*keys, *more) if key in row.attributes), None)


def sessions_of(capture):
    return {
        session: {
            "traces": len({row.trace_id for row in capture.of(session)}),
            "spans": len(capture.of(session)),
            "spans_with_session_attribute": sum(emits_session(row) is not None for row in capture.of(session)),
        }
        for session in sorted({row.session_id for row in capture.rows if row.session_id})
    }


def traces_without_session(capture):
    with_one = {row.trace_id for row in capture.rows if row.session_id}
    return len({row.trace_id for row in capture.rows} - with_one)


def failed(capture):
    return {row.span_id for row in capture.rows if row.status == "error"}


def kinds_of(capture):
    # A span without a type may be read as any of several kinds; it counts as the one that is stated first.
    acceptable = {stated["span_id"]: stated for stated in capture.truth["spans"]}
    told = Counter()
    for row in capture.rows:
        stated = acceptable[row.span_id]
        told[stated["kind"] if row.kind in stated["kind_acceptable"] else row.kind] += 1
    return dict(told)


OF_FILE = {
    "span_count": (lambda c: len(c.lineage.spans), lambda v: v),
    "trace_count": (lambda c: len(c.turn_by_trace), lambda v: v),
    "llm_span_count": (lambda c: len(c.calls), lambda v: v),
    "llm_calls_on_server": (lambda c: len(c.calls), lambda v: v),
    "llm_calls_without_span": (lambda c: c.truth["llm_calls_on_server"] - len(c.calls), len),
    "duplicate_llm_spans": (
        lambda c: sum(c.by_id[x["span_id"]].kind == "llm" for x in c.truth["llm_spans"]) - len(c.calls),
        lambda v: v,
    ),
    "sessions": (sessions_of, lambda v: v),
    "traces_without_session": (traces_without_session, lambda v: v),
    "user_id": (lambda c: {row.user_id for row in c.rows if row.user_id}, lambda v: {v} - {None}),
    "tags_where": (
        lambda c: {frozenset(row.tags) for row in c.rows if row.tags},
        lambda v: {frozenset({"corpus", "beta"})} if v else set(),
    ),
    "root_names": (
        lambda c: sorted(turn.name for turn in c.turn_by_trace.values()),
        sorted,
    ),
    "orphan_spans": (lambda c: sum(c.lineage.orphans), len),
    "error_spans": (failed, set),
    "error_spans_by_status": (
        lambda c: {
            row.span_id for row in c.rows if row.status == "error" and c.record_by_id[row.span_id].status == "error"
        },
        set,
    ),
    "kinds": (kinds_of, lambda v: v),
    "span_links": (lambda c: sum(len(row.links) for row in c.rows), lambda v: v),
}

OF_SPAN = {
    "span_id": lambda c, x: c.by_id[x["span_id"]].span_id,
    "parent_span_id": lambda c, x: c.by_id[x["span_id"]].parent_id,
    "parent_present": lambda c, x: (parent := c.by_id[x["span_id"]].parent_id) and parent in c.by_id,
    "trace_id": lambda c, x: c.by_id[x["span_id"]].trace_id,
    "name": lambda c, x: c.by_id[x["span_id"]].name,
    "scope": lambda c, x: c.by_id[x["span_id"]].scope,
    "is_error": lambda c, x: c.by_id[x["span_id"]].status == "error",
    "exception_events": lambda c, x: sum(event.name == "exception" for event in c.by_id[x["span_id"]].events),
    "session_effective": lambda c, x: c.by_id[x["span_id"]].session_id,
    "session_emitted": lambda c, x: emits_session(c.by_id[x["span_id"]]),
    "duration_ns": lambda c, x: c.by_id[x["span_id"]].duration,
    "otel_kind": lambda c, x: SPAN_KINDS.index(c.record_by_id[x["span_id"]].span_kind),
    "status_code": lambda c, x: STATUS_CODES.index(c.record_by_id[x["span_id"]].status),
}

OF_TURN = {
    "trace_id": lambda c, x: c.turn_by_trace[x["trace_id"]].trace_id,
    "session_found": lambda c, x: c.turn_by_trace[x["trace_id"]].session_id,
    "root_span_id": lambda c, x: c.turn_by_trace[x["trace_id"]].roots[0].span.span_id,
    "root_name": lambda c, x: c.turn_by_trace[x["trace_id"]].name,
    "roots_or_orphans": lambda c, x: len(c.turn_by_trace[x["trace_id"]].roots),
    "spans": lambda c, x: c.turn_by_trace[x["trace_id"]].totals.spans,
    "user_prompt": lambda c, x: c.turn_by_trace[x["trace_id"]].user,
    "assistant_text": lambda c, x: c.turn_by_trace[x["trace_id"]].assistant,
    "is_error": lambda c, x: c.turn_by_trace[x["trace_id"]].error is not None,
    "root_status_is_error": lambda c, x: c.turn_by_trace[x["trace_id"]].roots[0].span.status == "error",
    "has_error_descendant": lambda c, x: any(
        row.status == "error" for row in c.trace(x["trace_id"]) if row.span_id != x["root_span_id"]
    ),
    "tokens_billed": lambda c, x: {
        "input": c.turn_by_trace[x["trace_id"]].totals.input_tokens or 0,
        "output": c.turn_by_trace[x["trace_id"]].totals.output_tokens or 0,
        "calls": c.turn_by_trace[x["trace_id"]].totals.llm_calls,
    },
    "root_input_emitted": lambda c, x: c.by_id[x["root_span_id"]].input,
    "root_output_emitted": lambda c, x: c.by_id[x["root_span_id"]].output,
}

OF_CALL = {
    "is_error": lambda c, x: c.by_id[x["span_id"]].status == "error",
    "canonical": lambda c, x: c.by_id[x["span_id"]] in c.calls,
    "span_id": lambda c, x: c.by_id[x["span_id"]].span_id,
    "trace_id": lambda c, x: c.by_id[x["span_id"]].trace_id,
    "name": lambda c, x: c.by_id[x["span_id"]].name,
    "scope": lambda c, x: c.by_id[x["span_id"]].scope,
    "status_code_emitted": lambda c, x: STATUS_CODES.index(c.record_by_id[x["span_id"]].status),
    "emitted.response_model": lambda c, x: c.by_id[x["span_id"]].model,
    "emitted.input_tokens": lambda c, x: c.by_id[x["span_id"]].input_tokens,
    "emitted.output_tokens": lambda c, x: c.by_id[x["span_id"]].output_tokens,
    "emitted.cache_read_tokens": lambda c, x: c.by_id[x["span_id"]].cache_read_tokens,
    "emitted.ttft_ms": lambda c, x: (ttft := c.by_id[x["span_id"]].ttft) and round(ttft / 1e6, 3),
    "emitted.last_user_prompt": lambda c, x: [m.content for m in c.call(x)[0] if m.role == "user"][-1],
    "emitted.assistant_text": lambda c, x: "".join(m.content for m in c.call(x)[1]) or None,
    "emitted.tool_calls": lambda c, x: [tool.name for m in c.call(x)[1] for tool in m.tool_calls],
    "expected.input_tokens": lambda c, x: c.by_id[x["span_id"]].input_tokens,
    "expected.output_tokens": lambda c, x: c.by_id[x["span_id"]].output_tokens,
    "expected.cache_read_tokens": lambda c, x: c.by_id[x["span_id"]].cache_read_tokens,
    "expected.last_user_prompt": lambda c, x: [m.content for m in c.call(x)[0] if m.role == "user"][-1],
    "expected.assistant_text": lambda c, x: "".join(m.content for m in c.call(x)[1]) or None,
    "expected.tool_calls": lambda c, x: [tool.name for m in c.call(x)[1] for tool in m.tool_calls],
}


def joined(value):
    # Where several calls ran at once, their texts are listed; a turn tells them all.
    return "\n\n".join(dict.fromkeys(value)) if isinstance(value, list) else value


def stated(told, path):
    for part in path.split("."):
        told = told[part]
    return told


@pytest.mark.parametrize("field", OF_FILE)
@pytest.mark.parametrize("library", CAPTURES)
def test_a_file_holds_what_is_stated(library, field):
    capture = capture_of(library)
    find, expected = OF_FILE[field]

    assert find(capture) == expected(capture.truth[field])


@pytest.mark.parametrize("field", [*OF_SPAN, "kind_acceptable"])
@pytest.mark.parametrize("library", CAPTURES)
def test_each_span_is_read_as_stated(library, field):
    capture = capture_of(library)

    assert len(capture.truth["spans"]) == len(capture.rows)
    for told in capture.truth["spans"]:
        if field == "kind_acceptable":
            assert capture.by_id[told["span_id"]].kind in told[field], told["name"]
        else:
            assert OF_SPAN[field](capture, told) == told[field], told["name"]


@pytest.mark.parametrize("field", OF_TURN)
@pytest.mark.parametrize("library", CAPTURES)
def test_each_turn_is_read_as_stated(library, field):
    capture = capture_of(library)

    for told in capture.truth["turns"]:
        expected = joined(told[field])
        # Some libraries write a text as a JSON string; it is read as the text.
        expected = unquoted(expected) if field.endswith("_emitted") else expected

        assert OF_TURN[field](capture, told) == expected, told["root_name"]


@pytest.mark.parametrize("field", OF_CALL)
@pytest.mark.parametrize("library", CAPTURES)
def test_each_model_call_is_read_as_stated(library, field):
    capture = capture_of(library)

    for told in capture.truth["llm_spans"]:
        expected = stated(told, field)
        if field == "emitted.response_model":
            expected = expected or told["emitted"]["request_model"]
        assert OF_CALL[field](capture, told) == expected, told["name"]
