"""OpenTelemetry as others use it: their spans come in, ours go out, whatever is installed first."""

from __future__ import annotations

import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from opentelemetry import trace as otel_trace
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import Status, StatusCode

from mirascope_ops import ops
from mirascope_ops.core.cell import Cell, set_current_cell
from mirascope_ops.core.configuration import ensure_provider


def ours_among(provider):
    """How many processors of ours a provider has."""
    processors = provider._active_span_processor._span_processors
    return sum(isinstance(processor, ops.SessionProcessor) for processor in processors)


@ops.trace(name="answer", tags=["b", "a"], metadata={"team": "search"})
def answer(question: str, top_k: int = 3) -> str:
    return f"{question} {top_k}"


# -- our spans go out ---------------------------------------------------------------------------------


@pytest.mark.parametrize("processor", [SimpleSpanProcessor, BatchSpanProcessor])
def test_our_spans_are_exported_with_the_attributes_of_mirascope(processor):
    exporter = InMemorySpanExporter()
    provider = TracerProvider(resource=Resource({"service.name": "travel"}))
    provider.add_span_processor(processor(exporter))
    ops.configure(tracer_provider=provider)

    with ops.session(id="a", attributes={"user_tier": "premium"}):
        trace = answer.wrapped("why?")
    provider.force_flush()
    provider.shutdown()

    (span,) = exporter.get_finished_spans()
    assert (f"{span.context.trace_id:032x}", f"{span.context.span_id:016x}") == (trace.trace_id, trace.span_id)
    assert span.name == "answer"
    assert dict(span.attributes) == {
        "mirascope.type": "trace",
        "mirascope.fn.qualname": "answer",
        "mirascope.fn.module": __name__,
        "mirascope.fn.is_async": False,
        "mirascope.trace.arg_types": '{"question":"str","top_k":"int"}',
        "mirascope.trace.arg_values": '{"question":"why?","top_k":3}',
        "mirascope.trace.output": "why? 3",
        "mirascope.trace.tags": ("a", "b"),
        "mirascope.trace.metadata": '{"team":"search"}',
        "mirascope.ops.session.id": "a",
        "mirascope.ops.session.attributes": '{"user_tier":"premium"}',
        "session.id": "a",
    }
    assert span.resource.attributes["service.name"] == "travel"
    assert span.start_time <= span.end_time


class Scrubber(SpanProcessor):
    """Takes from ended spans what must not leave, as programs do it: the SDK has no public way."""

    def on_end(self, span):
        span._attributes = {key: "***" if "output" in key else value for key, value in span._attributes.items()}
        span._events = [event for event in span._events if event.name != "exception"]


def test_what_a_processor_takes_from_an_ended_span_is_not_exported_and_stays_in_the_store(only):
    exporter, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(Scrubber())
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    ops.configure(tracer_provider=provider)

    with provider.get_tracer("a library").start_as_current_span("theirs"):
        answer("Why?")
    with pytest.raises(ValueError, match="private"), ops.span("failed"):
        raise ValueError("private")
    ours, _, failed = exporter.get_finished_spans()

    assert ours.attributes["mirascope.trace.output"] == "***"
    assert json.loads(ours.to_json())["attributes"]["mirascope.trace.output"] == "***"
    assert (len(failed.events), failed.dropped_attributes, failed.dropped_events) == (0, 0, 0)
    assert only("answer").output == "Why? 3"
    assert only("failed").error_message == "private"


def test_failed_calls_are_exported_as_failed(install_provider):
    provider = install_provider()

    @ops.trace
    def fail():
        raise LookupError("no such city")

    with pytest.raises(LookupError):
        fail()

    span = provider.one("fail")
    (event,) = span.events
    assert span.status.status_code is StatusCode.ERROR
    assert span.status.description == "LookupError: no such city"
    assert event.attributes["exception.type"] == "LookupError"
    assert "no such city" in event.attributes["exception.stacktrace"]


def test_secrets_in_an_exceptions_message_do_not_reach_exporters(install_provider):
    provider = install_provider()

    with pytest.raises(LookupError), ops.span("work"):
        raise LookupError("no such client: Client(host='db', api_key='sk-1')")

    span = provider.one()
    (event,) = span.events
    told = (span.status.description, event.attributes["exception.message"], event.attributes["exception.stacktrace"])
    assert all("api_key=[masked]" in text for text in told)
    assert "LookupError: no such client: Client(host='db', api_key='sk-1')" not in told[2]


def test_spans_leave_in_the_form_of_otlp(install_provider):
    from opentelemetry.exporter.otlp.proto.common import trace_encoder as encoder

    provider = install_provider()

    with ops.session(id="a"), ops.span("outer", n=1) as outer, ops.span("inner") as inner:
        inner.event("tick", at=1)
        inner.add_link(outer.get_span_context())

    encoded = encoder.encode_spans(provider.exported)
    (scope,) = encoded.resource_spans[0].scope_spans
    found = {span.name: span for span in scope.spans}
    assert scope.scope.name == "mirascope_ops"
    assert found["inner"].parent_span_id == found["outer"].span_id == found["inner"].links[0].span_id
    assert found["inner"].events[0].name == "tick"
    assert {item.key for item in found["outer"].attributes} >= {"n", "session.id", "mirascope.type"}


# -- their spans come in ----------------------------------------------------------------------------------


def test_a_foreign_span_is_recorded_whole(install_provider, only):
    provider = install_provider(resource=Resource({"service.name": "travel"}))
    ensure_provider()

    with provider.tracer.start_as_current_span("chat", kind=otel_trace.SpanKind.CLIENT) as span:
        span.set_attributes({"gen_ai.request.model": "m", "numbers": [1, 2]})
        span.add_event("tick", {"n": 1})
        span.set_status(Status(StatusCode.ERROR, "too slow"))

    found, sdk = only("chat"), provider.one("chat")
    assert (found.trace_id, found.span_id) == (f"{sdk.context.trace_id:032x}", f"{sdk.context.span_id:016x}")
    assert (found.start, found.end) == (sdk.start_time, sdk.end_time)
    assert (found.status, found.error_message, found.model) == ("error", "too slow", "m")
    assert (found.service, found.scope) == ("travel", "a stock library")
    assert list(found.attributes["numbers"]) == [1, 2]
    assert [(event.name, dict(event.attributes)) for event in found.events] == [("tick", {"n": 1})]


def test_a_foreign_span_belongs_to_the_run_and_the_cell_of_its_session(install_provider, only):
    provider = install_provider()
    ensure_provider()
    set_current_cell(Cell("c1", 7, "travel.ipynb"))
    try:
        with ops.session(id="a", attributes={"n": 1}) as ctx:
            set_current_cell(Cell("c2", 8, "travel.ipynb"))
            with provider.tracer.start_as_current_span("chat"):
                set_current_cell(Cell("c3", 9, "travel.ipynb"))
    finally:
        set_current_cell(None)

    found = only("chat")
    assert (found.session_id, found.run_id) == ("a", ctx.run_id)
    assert (found.cell_id, found.execution_count, found.notebook) == ("c1", 7, "travel.ipynb")
    assert json.loads(found.session_attributes) == {"n": 1}


def test_a_foreign_span_outside_of_a_session_belongs_to_the_cell_in_which_it_started(install_provider, only):
    provider = install_provider()
    ensure_provider()
    set_current_cell(Cell("c1", 7, None))
    try:
        span = provider.tracer.start_span("chat")
        set_current_cell(Cell("c2", 8, None))
        span.end()
    finally:
        set_current_cell(None)

    assert (only("chat").cell_id, only("chat").execution_count) == ("c1", 7)


def test_a_foreign_span_belongs_to_the_session_in_which_it_started(install_provider, only):
    provider = install_provider()
    ensure_provider()

    with ops.session(id="a"):
        span = provider.tracer.start_span("chat")
    with ops.session(id="b"):
        span.end()

    assert only("chat").session_id == "a"


def test_a_foreign_span_is_stamped_though_no_span_of_ours_came_before(install_provider, only):
    provider = install_provider()

    with ops.session(id="a"), provider.tracer.start_as_current_span("chat"):
        pass

    assert provider.one("chat").attributes["mirascope.ops.session.id"] == "a"
    assert only("chat").session_id == "a"


def test_a_span_of_a_provider_that_appeared_inside_the_session_is_stamped(install_provider):
    with ops.session(id="a"), ops.span("ours"):
        provider = install_provider()
        with ops.span("ours again"):
            pass
        with provider.tracer.start_as_current_span("chat"):
            pass

    assert provider.one("chat").attributes["mirascope.ops.session.id"] == "a"


def test_foreign_spans_of_threads_that_end_together_are_each_recorded_once(install_provider, recorded):
    provider = install_provider()
    ensure_provider()

    def work(number):
        for turn in range(25):
            with ops.session(id=f"s{number}"), provider.tracer.start_as_current_span(f"s{number}/{turn}"):
                pass

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    found = sorted((span.name, span.session_id) for span in recorded())
    assert found == sorted((f"s{number}/{turn}", f"s{number}") for number in range(8) for turn in range(25))


def test_a_foreign_span_that_is_not_sampled_is_nobodys(install_provider, recorded):
    from opentelemetry.sdk.trace.sampling import ALWAYS_OFF

    provider = install_provider(sampler=ALWAYS_OFF)
    ensure_provider()

    with ops.session(id="a"), provider.tracer.start_as_current_span("chat"):
        pass

    assert len(recorded()) == 0


def test_a_provider_of_ones_own_is_joined_by_hand(only):
    provider = TracerProvider()
    provider.add_span_processor(ops.SessionProcessor())

    with ops.session(id="a"), provider.get_tracer("lib").start_as_current_span("chat"):
        pass

    assert (only("chat").session_id, only("chat").scope) == ("a", "lib")


# -- our processor is added once ----------------------------------------------------------------------------


def test_our_processor_is_added_once_only(install_provider):
    provider = install_provider()

    for _ in range(3):
        with ops.span("work"):
            pass
        ensure_provider()
        ops.configure()
        ops.configure(tracer_provider=provider.sdk)

    assert ours_among(provider.sdk) == 1


def test_our_processor_is_not_added_where_the_user_added_it(install_provider, recorded):
    provider = install_provider(ops.SessionProcessor())
    ops.configure()

    with ops.span("ours"), provider.tracer.start_as_current_span("chat"):
        pass

    assert ours_among(provider.sdk) == 1
    assert sorted(span.name for span in recorded()) == ["chat", "ours"]


def test_a_span_is_recorded_once_whichever_provider_exports_it(install_provider, recorded):
    provider = install_provider()
    ops.configure(tracer_provider=TracerProvider())

    with ops.span("ours"), provider.tracer.start_as_current_span("chat"):
        pass

    assert sorted(span.name for span in recorded()).count("ours") == 1
    assert ours_among(provider.sdk) <= 1


class Slow(TracerProvider):
    """Takes its time to add a processor, so that every thread comes while the first one is at it."""

    def add_span_processor(self, span_processor):
        time.sleep(0.05)
        super().add_span_processor(span_processor)


def test_threads_that_make_the_first_spans_together_add_our_processor_once():
    provider = Slow()
    otel_trace.set_tracer_provider(provider)
    barrier = threading.Barrier(16)

    def work():
        barrier.wait()
        with ops.span("work"):
            pass

    threads = [threading.Thread(target=work) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert ours_among(provider) == 1


# -- processors of others see ours as they see the SDK's ------------------------------------------------------


class Baggage(SpanProcessor):
    """Writes on a span when it starts, the way people do it, and reads it when it ends."""

    def __init__(self):
        self.parents = []
        self.ended = {}

    def on_start(self, span, parent_context=None):
        self.parents.append(otel_trace.get_current_span(parent_context))
        span.set_attribute("deployment", "blue")

    def on_end(self, span):
        self.ended[span.name] = dict(span.attributes)


def test_a_processor_gets_the_context_around_the_span(install_provider, only):
    processor = Baggage()
    install_provider(processor)

    with ops.span("outer") as outer, ops.span("inner"):
        pass

    assert processor.parents == [otel_trace.INVALID_SPAN, outer]
    assert processor.ended["inner"]["deployment"] == "blue"
    assert only("inner").attributes["deployment"] == "blue"


# -- who installs a provider, in programs of their own --------------------------------------------------------

SHOW = "print(type(trace.get_tracer_provider()).__name__)"


@pytest.mark.parametrize(
    ("statement", "provider"),
    [
        ("pass", "ProxyTracerProvider"),
        ("from mirascope_ops import session, span, trace as t, spans, SpanSet, store", "ProxyTracerProvider"),
        ("with ops.session(id='a'), ops.span('work'): ops.inject_context({})", "ProxyTracerProvider"),
        ("ops.spans(); ops.sessions(); ops.store.flush()", "ProxyTracerProvider"),
        ("ops.configure()", "TracerProvider"),
        ("from mirascope_ops.core.configuration import ensure_provider; ensure_provider()", "TracerProvider"),
    ],
)
def test_only_configuring_installs_a_provider(run_python, statement, provider):
    printed = run_python(
        f"from opentelemetry import trace\nimport mirascope_ops as ops\n{statement}\n{SHOW}",
        MIRASCOPE_OPS_STORE=":memory:",
    )

    assert printed.split() == [provider]


def test_a_provider_installed_after_our_first_span_is_joined(run_python):
    printed = run_python(
        """
        from opentelemetry import trace
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import SimpleSpanProcessor
        from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
        import mirascope_ops as ops

        early = trace.get_tracer("a library that asked early")  # a proxy, as every library at import has

        @ops.trace
        def work():
            return "done"

        work()
        exporter = InMemorySpanExporter()
        provider = TracerProvider()
        provider.add_span_processor(SimpleSpanProcessor(exporter))
        trace.set_tracer_provider(provider)
        with ops.session(id="a"):
            work()
            with early.start_as_current_span("foreign"):
                work()

        print(*[span.name for span in exporter.get_finished_spans()])
        print(*[span.name for span in ops.spans()])
        print(*[span.name for span in ops.get_session("a")])
        """,
        MIRASCOPE_OPS_STORE=":memory:",
    )

    assert printed.splitlines() == [
        "work work foreign",
        "work work foreign work",
        "work foreign work",
    ]


def test_the_user_may_still_install_a_provider_after_we_traced(run_python):
    run_python(
        """
        from opentelemetry import trace
        from opentelemetry.sdk.trace import TracerProvider
        import mirascope_ops as ops

        with ops.session(id="a"), ops.span("work"):
            pass
        provider = TracerProvider()
        trace.set_tracer_provider(provider)  # logs a warning, on stderr, where there was one
        assert trace.get_tracer_provider() is provider
        """,
        MIRASCOPE_OPS_STORE=":memory:",
    )


@pytest.mark.parametrize("has_private_name", [True, False])
def test_a_provider_takes_the_place_of_the_one_that_we_installed_for_want_of_it(run_python, has_private_name):
    printed = run_python(
        f"""
        from opentelemetry import trace
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import SimpleSpanProcessor
        from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
        from mirascope_ops.core import pipeline
        import mirascope_ops as ops

        pipeline._HAS_GLOBAL = {has_private_name}
        ops.configure(store=":memory:")
        early = trace.get_tracer("early")
        exporter = InMemorySpanExporter()
        provider = TracerProvider()
        provider.add_span_processor(SimpleSpanProcessor(exporter))
        trace.set_tracer_provider(provider)

        with ops.session(id="a"), ops.span("work"), trace.get_tracer("late").start_as_current_span("foreign"):
            with early.start_as_current_span("of before"):
                pass
        print(*[span.name for span in ops.get_session("a").spans])
        print(*[span.name for span in exporter.get_finished_spans()])
        """,
        silent=has_private_name,  # where the name is gone, OpenTelemetry refuses the second and says so
    )

    expected = ["work foreign of before", "foreign work"] if has_private_name else ["work foreign of before", ""]
    assert printed.splitlines() == expected


def test_configure_makes_the_given_provider_the_global_one_where_there_is_none(run_python):
    run_python(
        """
        from opentelemetry import trace
        from opentelemetry.sdk.trace import TracerProvider
        import mirascope_ops as ops

        provider = TracerProvider()
        ops.configure(tracer_provider=provider, store=":memory:")
        assert trace.get_tracer_provider() is provider
        with ops.session(id="a"), trace.get_tracer("lib").start_as_current_span("foreign"):
            pass
        assert [span.session_id for span in ops.spans(name="foreign")] == ["a"]
        """
    )


def test_a_disabled_sdk_records_nothing_and_calls_work(run_python):
    printed = run_python(
        """
        import mirascope_ops as ops

        @ops.trace
        def work():
            return ops.current_session().id

        with ops.session(id="a"):
            trace = work.wrapped()
        print(trace.result, trace.span_id, len(ops.spans()), len(ops.sessions()))
        """,
        OTEL_SDK_DISABLED="true",
        silent=False,
    )

    assert printed.split() == ["a", "None", "0", "0"]
    assert not run_python.store.exists()


# -- over the wire ----------------------------------------------------------------------------------------


@pytest.fixture
def collector():
    """A collector of OTLP over HTTP on this machine: its address, and the spans that came."""
    from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

    came = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            request = ExportTraceServiceRequest.FromString(self.rfile.read(int(self.headers["content-length"])))
            came.extend(request.resource_spans)
            self.send_response(200)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *_):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/v1/traces", came
        server.shutdown()
        thread.join()


@pytest.mark.parametrize("processor", [SimpleSpanProcessor, BatchSpanProcessor])
def test_spans_reach_a_collector_over_http_ours_and_theirs_in_one_tree(collector, processor, recorded):
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

    url, came = collector
    provider = TracerProvider(resource=Resource({"service.name": "travel"}))
    provider.add_span_processor(processor(OTLPSpanExporter(url)))
    ops.configure(tracer_provider=provider)
    tracer = provider.get_tracer("a stock library")

    theirs = tracer.start_as_current_span("theirs")
    with ops.session(id="a"), ops.span("outer") as outer, theirs, ops.span("inner") as inner:
        inner.event("tick", at=1)
        inner.add_link(outer.get_span_context(), {"why": "because"})
        inner.error("lost")
    flushed = provider.force_flush()
    provider.shutdown()
    with ops.span("after the shutdown"):
        pass

    found = {span.name: span for resource in came for scope in resource.scope_spans for span in scope.spans}
    assert flushed
    assert set(found) == {"outer", "theirs", "inner"}
    assert sum(len(scope.spans) for resource in came for scope in resource.scope_spans) == 3
    assert found["inner"].parent_span_id == found["theirs"].span_id
    assert found["theirs"].parent_span_id == found["outer"].span_id
    assert found["inner"].links[0].span_id == found["outer"].span_id
    assert [event.name for event in found["inner"].events] == ["tick", "error"]
    assert found["inner"].status.code == 2
    sessions = [
        {item.key: item.value.string_value for item in span.attributes}["session.id"] for span in found.values()
    ]
    assert sessions == ["a"] * 3
    assert {item.value.string_value for item in came[0].resource.attributes} == {"travel"}
    assert [span.name for span in recorded()] == ["outer", "theirs", "inner", "after the shutdown"]
