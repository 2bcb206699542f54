"""What must not be on the disk: secrets never get there, what was deleted is gone, in the file and all beside it."""

from __future__ import annotations

import contextlib
import random
import sqlite3

import pytest
from opentelemetry import trace
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from sample_records import run_record

from mirascope_ops import StoreError, ops
from mirascope_ops.core import capture, guard
from mirascope_ops.core.processor import SessionProcessor
from mirascope_ops.store import location, masked, rescue, summing
from mirascope_ops.store import recorder as recorders
from mirascope_ops.store.memory import MemoryStore
from mirascope_ops.store.records import EventRecord, LinkRecord, SessionQuery, SpanQuery
from mirascope_ops.store.sqlite import SqliteStore

SECRET = "sk-5up3r-s3cr3t"


@pytest.fixture
def recorder(monkeypatch, tmp_path, path):
    monkeypatch.setattr(location, "local_folder", lambda: tmp_path / "local")
    places = rescue.Rescue(path)
    with recorders.replaced(recorders.Recorder(places.opened(), rescue=places)) as active:
        yield active


@pytest.fixture
def tracer():
    provider = TracerProvider()
    provider.add_span_processor(SessionProcessor())
    return provider.get_tracer("theirs")


def on_disk(folder):
    """All bytes of all files."""
    return b"".join(file.read_bytes() for file in sorted(folder.rglob("*")) if file.is_file())


def test_no_secret_reaches_the_disk_whatever_way_it_takes(recorder, path, tracer):
    @ops.trace
    def call(api_key, options):
        return {"token": SECRET, "seen": "yes"}

    with ops.session(id="s", attributes={"api_key": SECRET, "deep": {"password": SECRET}}):
        done = call.wrapped(SECRET, {"headers": {"Authorization": SECRET}})
        done.annotate(label="pass", metadata={"api_key": SECRET, "by": "Ada"})
        with ops.span("ours", client_secret=SECRET, config={"secret": SECRET}) as span:
            span.set(password=SECRET)
            span.info("sent", token=SECRET)
        with tracer.start_as_current_span("theirs", links=[trace.Link(span.get_span_context(), {"api_key": SECRET})]):
            theirs = trace.get_current_span()
            theirs.set_attribute("http.request.header.authorization", [SECRET])
            theirs.set_attribute("llm.invocation_parameters", f'{{"model": "m", "api_key": "{SECRET}"}}')
            theirs.add_event("request", {"x-api-key": SECRET})
            ops.store.flush()  # while it is open, too
        with contextlib.suppress(ValueError), ops.span("failing"):
            raise ValueError(f"no such client: Client(host='db', api_key='{SECRET}')")
    ops.store.flush()

    assert SECRET.encode() not in on_disk(path.parent)
    found = {span.name: span for span in recorder.store.spans(SpanQuery())}
    assert (
        "seen"
        in found["call" if "call" in found else next(name for name in found if "call" in name)].attributes[
            "mirascope.trace.output"
        ]
    )
    assert found["theirs"].attributes["llm.invocation_parameters"] == '{"model":"m","api_key":"[masked]"}'
    assert "Client(host='db', api_key=[masked]" in found["failing"].status_message
    assert "raise ValueError" in found["failing"].events[0].attributes["exception.stacktrace"]
    assert [dict(note.metadata) for note in recorder.store.annotations([done.trace_id])] == [
        {"api_key": "[masked]", "by": "Ada"}
    ]


def test_ones_own_rule_holds_for_other_libraries_spans(monkeypatch, recorder, path, tracer):
    monkeypatch.setattr(capture, "policy", capture.Policy(redact=lambda key, value: "***" if "name" in key else value))

    with tracer.start_as_current_span("theirs", attributes={"user.name": "Ada", "n": 1, "json": '{"name":"Ada"}'}):
        pass
    ops.store.flush()

    (span,) = recorder.store.spans(SpanQuery())
    assert dict(span.attributes) == {"user.name": "***", "n": 1, "json": '{"name":"***"}'}


def test_ones_own_rule_holds_for_the_errors_of_other_libraries_spans(monkeypatch, path, tracer):
    monkeypatch.setattr(capture, "policy", capture.Policy(redact=lambda key, value: value.replace("Ada", "***")))
    with recorders.replaced(recorders.Recorder(MemoryStore())) as active:
        for name in ("Ada", "Eve", ""):
            with tracer.start_as_current_span("theirs") as span:
                span.set_status(trace.StatusCode.ERROR, name and f"no such person: {name}")
        ops.store.flush()

        (batch,) = active.store.batches(SpanQuery())
        messages = [span.status_message for span in active.store.spans(SpanQuery())]

        assert messages == ["no such person: ***", "no such person: Eve", ""]
        assert [batch.record(at).status_message for at in range(3)] == messages


@pytest.mark.parametrize("rule", [None, lambda key, value: "***" if key == "host.name" else value])
def test_what_this_process_says_of_itself_is_masked_in_every_store(monkeypatch, recorder, path, rule):
    monkeypatch.setattr(capture, "policy", capture.Policy(redact=rule))
    resource = Resource({"service.name": "app", "host.name": "Adas-laptop", "db.api_key": SECRET})
    provider = TracerProvider(resource=resource)
    provider.add_span_processor(SessionProcessor())
    expected = {"service.name": "app", "host.name": "***" if rule else "Adas-laptop", "db.api_key": "[masked]"}

    def work():
        with provider.get_tracer("theirs").start_as_current_span("theirs"), ops.span("ours"):
            pass
        ops.store.flush()

    work()
    with recorders.replaced(recorders.Recorder(MemoryStore())) as memory:
        work()
        found = [dict(span.resource) for span in memory.store.spans(SpanQuery()) if span.name == "theirs"]
        (batch,) = memory.store.batches(SpanQuery(name="theirs"))
        assert [*found, dict(batch.record(0).resource)] == [expected, expected]

    assert SECRET.encode() not in on_disk(path.parent)
    kept = {span.name: span for span in recorder.store.spans(SpanQuery())}
    assert dict(kept["theirs"].resource) == expected
    assert kept["theirs"].service == "app"


def test_a_resource_is_masked_once_and_anew_under_another_rule(monkeypatch):
    resource = {"host.name": "Ada", "n": 1}
    seen = []
    monkeypatch.setattr(capture.policy, "redact", lambda key, value: seen.append(key) or value)

    first, again = masked.resource(resource), masked.resource(resource)
    monkeypatch.setattr(capture.policy, "redact", lambda key, value: "***")

    assert again is first
    assert seen == ["host.name", "n"]
    assert masked.resource(resource) == {"host.name": "***", "n": "***"}


def test_what_a_rule_that_fails_did_not_see_is_not_kept(monkeypatch, recorder, path, tracer):
    def rule(key, value):
        raise LookupError(key)

    monkeypatch.setattr(capture, "policy", capture.Policy(redact=rule))
    with tracer.start_as_current_span("theirs", attributes={"user.name": "Ada Lovelace"}):
        pass
    ops.store.flush()

    assert b"Ada Lovelace" not in on_disk(path.parent)


@pytest.mark.parametrize("mask_secrets", [True, False])
def test_ones_own_rule_holds_for_all_that_other_processes_tell(monkeypatch, make, mask_secrets):
    def rule(key, value):
        return value.replace("Ada", "***") if isinstance(value, str) else value

    monkeypatch.setattr(capture, "policy", capture.Policy(redact=rule, mask_secrets=mask_secrets))
    span = make.span(status="error", status_message="no such person: Ada", session_attributes='{"who":{"name":"Ada"}}')
    note = make.annotation(span, label="Ada", reasoning="as Ada said", metadata={"by": "Ada", "to": ["Ada"], "n": 1})

    found, told = masked.span(span, {}), masked.annotation(note)

    assert found.status_message == "no such person: ***"
    assert found.session_attributes == '{"who":{"name":"***"}}'
    assert (told.label, told.reasoning) == ("***", "as *** said")
    assert dict(told.metadata) == {"by": "***", "to": ["***"], "n": 1}


def test_a_rule_gives_the_values_of_an_annotation_and_never_takes_its_place(monkeypatch, recorder):
    monkeypatch.setattr(capture, "policy", capture.Policy(redact=lambda key, value: "***"))
    with ops.span("ours") as span:
        pass

    ops.get_trace(span.trace_id).annotate(label="pass", metadata={"by": "Ada"})

    (note,) = recorder.store.annotations([span.trace_id])
    assert dict(note.metadata) == {"by": "***"}


def test_a_rule_that_fails_costs_what_it_did_not_see_and_no_more(monkeypatch, recorder, make):
    def rule(key, value):
        raise RuntimeError(key)

    monkeypatch.setattr(capture, "policy", capture.Policy(redact=rule))
    monkeypatch.setattr(guard, "_strict", False)
    span = make.span(status_message="Ada", session_attributes='{"who":"Ada"}', attributes={"n": 1})
    note = make.annotation(span, reasoning="Ada", metadata={"by": "Ada"})
    with ops.span("ours") as ours:
        pass

    found, told = masked.span(span, {}), masked.annotation(note)
    ops.get_trace(ours.trace_id).annotate(metadata={"by": "Ada"})

    assert found.span_id == span.span_id
    assert "Ada" not in repr((found, told, recorder.store.annotations([ours.trace_id])))


def test_masks_can_be_switched_off(monkeypatch, recorder, tracer):
    monkeypatch.setattr(capture, "policy", capture.Policy(mask_secrets=False))

    with tracer.start_as_current_span("theirs", attributes={"api_key": "k"}):
        pass
    ops.store.flush()

    assert recorder.store.spans(SpanQuery())[0].attributes["api_key"] == "k"


# -- deleting -----------------------------------------------------------------------------------------------


def fill(store, make, text, sessions):
    for session in sessions:
        spans = [
            make.span(
                name=f"{text} name",
                session_id=session,
                session_attributes=f'{{"who":"{text}"}}',
                resource={"host.name": f"{text} host"},
                attributes={"prompt": f"{text} {random.Random(number).randbytes(300).hex()} {text}" * (number % 7 + 1)},
            )
            for number in range(60)
        ]
        run = make.run(session, attributes={"who": text})
        store.write(spans, [run], [make.annotation(span, reasoning=text) for span in spans[:5]])


def test_a_deleted_session_is_in_no_byte_of_any_file(sqlite, path, make):
    fill(sqlite, make, "KEPT", ["kept 1", "kept 2"])
    fill(sqlite, make, "GONE", ["gone-1", "gone-2"])
    assert b"GONE" in on_disk(path.parent)

    sqlite.delete(["gone-1", "gone-2"])

    held = on_disk(path.parent)
    assert b"GONE" not in held
    assert b"gone-1" not in held
    assert b"KEPT" in held
    assert len(sqlite.spans(SpanQuery())) == 120


@pytest.mark.parametrize("settled", [True, False], ids=["added up", "not added up"])
def test_what_was_nested_in_a_deleted_session_does_not_tell_its_id(monkeypatch, sqlite, path, make, settled):
    for number in range(40):
        run = make.run(f"kept {number}", parent_session_id="gone-1", parent_run_id="outer")
        sqlite.write([make.span(session_id=run.session_id)], [run])
    sqlite.write([make.span(session_id="gone-1")], [make.run("gone-1", run_id="outer")])
    if settled:
        monkeypatch.setattr(summing, "QUIET_NS", 0)
        assert sqlite.settle() == 41

    sqlite.delete(["gone-1"])

    assert b"gone-1" not in on_disk(path.parent)
    assert len(sqlite.runs()) == len(sqlite.sessions(SessionQuery())) == 40


@pytest.mark.parametrize("seed", range(4))
def test_no_copy_that_moving_rows_left_behind_survives(path, make, seed):
    some = random.Random(seed)
    with contextlib.closing(SqliteStore(path)) as store:
        for step in range(60):
            session = some.choice(["kept", f"gone-{step % 3}"])
            text = ("GONE" if session != "kept" else "KEPT") * some.choice([1, 20, 300])
            spans = [
                make.span(
                    trace_id=f"{some.getrandbits(128):032x}", session_id=session, end=None, status="open",
                    attributes={"text": text},
                )
                for _ in range(some.randrange(1, 30))
            ]  # fmt: skip
            store.write(spans)
            store.write([span._replace(end=1, status="ok", attributes={"text": text * 3}) for span in spans])
        kept = store.spans(SpanQuery(session_ids=["kept"]))

        store.delete(["gone-0", "gone-1", "gone-2"])

        held = on_disk(path.parent)
        assert b"GONE" not in held
        assert b"gone-" not in held
        assert store.spans(SpanQuery()) == kept
        store.write([make.span(session_id="later")])
        with store._connections.reading() as connection:
            assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    with contextlib.closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    assert b"GONE" not in on_disk(path.parent)


def test_another_process_that_remembers_old_pages_does_not_bring_them_back(path, make):
    with contextlib.closing(SqliteStore(path)) as store, contextlib.closing(SqliteStore(path)) as other:
        fill(store, make, "KEPT", ["kept 1"])
        fill(store, make, "GONE", ["gone-1"])
        other.spans(SpanQuery())
        other.write([make.span(name="KEPT", session_id="kept 1")])

        store.delete(["gone-1"])
        fill(other, make, "KEPT", ["kept 2"])
        other.spans(SpanQuery())

        store.vacuum()
        assert b"gone-" not in on_disk(path.parent)
        assert len(store.spans(SpanQuery())) == 121


def test_what_waited_in_the_log_and_in_memory_is_deleted_too(recorder, path):
    for _ in range(3):
        with ops.session(id="gone-1"), ops.span("GONE", prompt="GONE" * 100):
            pass
    ops.store.flush()
    with ops.session(id="gone-1"), ops.span("GONE", prompt="GONE" * 100):
        pass

    assert ops.store.delete(session="gone-1") == 4

    assert b"GONE" not in on_disk(path.parent)
    assert b"gone-1" not in on_disk(path.parent)


def test_where_a_reader_is_in_the_way_it_is_said_and_can_be_done_later(path, make):
    store = SqliteStore(path, patience=0.2)
    fill(store, make, "GONE", ["gone-1"])
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM spans").fetchone()
        with pytest.raises(StoreError, match="vacuum"):
            store.delete(["gone-1"])
        assert store.spans(SpanQuery()) == []
        reader.execute("ROLLBACK")

    store.vacuum()

    assert b"GONE" not in on_disk(path.parent)
    store.close()


def test_what_another_process_recorded_is_masked_wherever_it_is(make, monkeypatch):
    event = EventRecord("exception", 1, {"exception.message": f"Client(api_key='{SECRET}')", "token": SECRET})
    link = LinkRecord("1" * 32, "1" * 16, {"password": SECRET})
    nested = {"headers": [{"Authorization": SECRET, "Accept": "text/plain"}], "seen": "yes"}
    span = make.span(
        session_id="s",
        session_attributes=f'{{"api_key":"{SECRET}","tier":"premium"}}',
        status_message=f"Client(api_key='{SECRET}')",
        attributes={"http.request.header.authorization": [SECRET], "request": nested},
        resource={"service.name": "app", "db.password": SECRET},
        events=[event],
        links=[link],
    )
    resources = {}

    found, again = (masked.span(each, resources) for each in (span, span._replace(span_id="2" * 16)))

    assert SECRET not in repr(found)
    assert found.session_attributes == '{"api_key":"[masked]","tier":"premium"}'
    assert found.attributes["request"] == {
        "headers": [{"Authorization": "[masked]", "Accept": "text/plain"}],
        "seen": "yes",
    }
    assert found.resource["service.name"] == "app"
    assert again.resource is found.resource
    assert SECRET not in repr(masked.run(run_record(run_id="r", session_id="s", start=1, attributes={"token": SECRET})))
    monkeypatch.setattr(capture, "policy", capture.Policy(mask_secrets=False))
    assert masked.span(span, {}) is span
