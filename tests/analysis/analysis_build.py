"""Small spans and runs for tests: every argument has a default, times are milliseconds after one instant."""

from __future__ import annotations

from sample_records import MS, T0, run_record, span_record

from mirascope_ops.analysis.normalise import normalise
from mirascope_ops.store.records import EventRecord, SessionRecord


def record(name="work", *, parent=None, start=0, end=10, span=None, trace="t1", attributes=None, **fields):
    ended = None if end is None else T0 + end * MS
    told = {"status": "unset" if end is not None else "open", "attributes": attributes or {}, **fields}
    place = {"trace_id": trace, "span_id": span or name, "parent_id": parent}
    return span_record(**place, name=name, start=T0 + start * MS, end=ended, **told)


def row(*args, **kwargs):
    return normalise([record(*args, **kwargs)])[0]


def llm(name="llm", input_tokens=None, output_tokens=None, attributes=None, **fields):
    told = {"gen_ai.operation.name": "chat", **(attributes or {})}
    if input_tokens is not None:
        told |= {"gen_ai.usage.input_tokens": input_tokens, "gen_ai.usage.output_tokens": output_tokens}
    return record(name, attributes=told, **fields)


def exception(kind="ValueError", message="bad", at=1):
    return EventRecord("exception", T0 + at * MS, {"exception.type": kind, "exception.message": message})


def run(run_id, session_id, parent=None, parent_session=None, start=0, **fields):
    place = {"parent_run_id": parent, "parent_session_id": parent_session}
    return run_record(run_id=run_id, session_id=session_id, start=T0 + start * MS, **place, **fields)


def session(session_id="s", **fields):
    defaults = {
        "parent_session_id": None,
        "attributes": {},
        "first_seen": T0,
        "last_seen": T0 + 100 * MS,
        "runs": 1,
        "spans": 0,
        "traces": 0,
        "errors": 0,
    }
    return SessionRecord(session_id=session_id, **{**defaults, **fields})
