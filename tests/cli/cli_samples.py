"""What the stores of these tests hold."""

from __future__ import annotations

import json

from sample_records import MS, T0, run_record, span_record

from mirascope_ops.store.sqlite import SqliteStore

HOSTILE = "\x1b]0;pwned\x07evil\u202e \x9b31m [red]x[/red]"


def fill(path):
    """Two sessions, a third inside the first, and a trace outside of any; trace ids begin with a1, a2, b1, c1."""
    store = SqliteStore(path)
    inner = {"parent_run_id": "r1", "parent_session_id": "user-1"}
    runs = [
        run_record(run_id="r1", session_id="user-1", start=T0, end=T0 + 100 * MS, attributes={"user_tier": "premium"}),
        run_record(run_id="r2", session_id="inner", start=T0 + 10 * MS, end=T0 + 20 * MS, **inner),
        run_record(run_id="r3", session_id="user-2", start=T0 + 1000 * MS, end=T0 + 1100 * MS),
    ]
    spans = [
        *trace("a1", "answer", T0 + MS, session_id="user-1", run_id="r1"),
        *trace("a2", "inside", T0 + 11 * MS, session_id="inner", run_id="r2"),
        *trace("b1", "fails", T0 + 1001 * MS, session_id="user-2", run_id="r3", status="error"),
        *trace("c1", HOSTILE, T0 + 2000 * MS),
    ]
    store.write(spans, runs)
    store.close()


def trace(byte, name, start, **told):
    """A function's span, and a model's call in it."""
    trace_id, root, call = byte * 16, byte * 4 + "0" * 8, byte * 4 + "f" * 8
    failed = told.get("status") == "error"
    asked = {"mirascope.trace.arg_values": json.dumps({"question": f"What is {name}?"})}
    used = {
        "gen_ai.operation.name": "chat",
        "gen_ai.request.model": "gpt-4o-mini",
        "gen_ai.usage.input_tokens": 1200,
        "gen_ai.usage.output_tokens": 42,
    }
    within = {"trace_id": trace_id, "start": start, **told}
    return [
        span_record(
            **{**within, "status_message": "no such ferry" if failed else ""},
            span_id=root,
            name=name,
            end=start + 8 * MS,
            attributes=asked,
        ),
        span_record(
            **{**within, "status": "ok", "start": start + MS},
            span_id=call,
            parent_id=root,
            name="chat",
            end=start + 7 * MS,
            attributes=used,
        ),
    ]
