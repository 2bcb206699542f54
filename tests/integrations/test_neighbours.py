"""Beside other tracers, real ones: langfuse, logfire, MLflow, and OpenTelemetry's instrumentation of threads.

Each runs in an interpreter of its own and sends what it records to a collector on this machine.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from pytest_examples import find_examples

pytestmark = pytest.mark.slow

COLLECTOR = """
import gzip
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

class Collector(BaseHTTPRequestHandler):
    spans, bodies = [], []

    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"]))
        if self.headers.get("content-encoding") == "gzip":
            body = gzip.decompress(body)
        if self.path.endswith("/v1/traces"):
            for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
                self.spans.extend(span for scope in resource.scope_spans for span in scope.spans)
        else:
            self.bodies.append((self.path, body))
        answer = b"{}"
        self.send_response(200)
        self.send_header("content-length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def do_GET(self):
        self.send_response(404)
        self.send_header("content-length", "0")
        self.end_headers()

    do_PUT = do_GET

    def log_message(self, *_):
        pass

server = ThreadingHTTPServer(("127.0.0.1", 0), Collector)
threading.Thread(target=server.serve_forever, daemon=True).start()
url = f"http://127.0.0.1:{server.server_port}"

def collected():
    return sorted([span.name, span.span_id.hex(), span.parent_span_id.hex()] for span in Collector.spans)
"""
EARLY = """
with ops.session(id="early"), ops.span("before"):
    pass
"""
LOADED = """
ops.configure(store=None)  # installs a provider, as `%load_ext mirascope_ops` does
"""
WHEN = pytest.mark.parametrize(
    "early",
    ["", EARLY, LOADED + EARLY],
    ids=["configured first", "configured after our first span", "configured after ours"],
)


def ids(ran, *names):
    """Spans as the collector tells them: name, id, parent's id."""
    spans = [span for span in ran.spans if span.name in names]
    number = {(span.name, span.trace): span.id for span in spans}
    return sorted([span.name, span.id, number.get((span.parent, span.trace), "")] for span in spans)


LOGFIRE = """
import logfire
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

exporter = InMemorySpanExporter()
logfire.configure(
    send_to_logfire=False, console=False, additional_span_processors=[SimpleSpanProcessor(exporter)]
)

@logfire.instrument("theirs {x}")
def theirs(x):
    with ops.span("ours"):
        logfire.info("said")
    return x

@ops.trace
def answer(x):
    return theirs(x)

@ops.trace
def fail():
    with logfire.span("failing"):
        raise LookupError("no such city")

with ops.session(id="talk"):
    answer(1)
with ops.session(id="failed"):
    try:
        fail()
    except LookupError:
        told["failed"] = True
logfire.force_flush()
told["seen"] = sorted(
    [span.name, f"{span.context.span_id:016x}", f"{span.parent.span_id:016x}" if span.parent else ""]
    for span in exporter.get_finished_spans()
)
"""


@WHEN
def test_logfire_and_we_see_the_same_tree_and_nothing_twice(run_beside, early):
    ran = run_beside(early + LOGFIRE)

    assert ran.tree("talk") == [("answer", None), ("theirs {x}", "answer"), ("ours", "theirs {x}"), ("said", "ours")]
    assert [(span.name, span.status) for span in ran.of("failed")] == [("fail", "error"), ("failing", "error")]
    assert ran.tree("early") == ([("before", None)] if early else [])
    assert len(ran.spans) == 6 + bool(early)
    assert ran.told["seen"] == ids(ran, "answer", "theirs {x}", "ours", "said", "fail", "failing")


LANGFUSE = """
from langfuse import Langfuse, observe

client = Langfuse(
    public_key="pk-unused", secret_key="unused", base_url=url, timeout=60, should_export_span=lambda span: True
)

@observe
def theirs(x):
    with ops.span("ours"):
        return x

@ops.trace
def answer(x):
    with client.start_as_current_observation(name="model", as_type="generation", model="m", input="Hi.") as call:
        call.update(output="Hello.", usage_details={"input": 3, "output": 4})
    return theirs(x)

@observe
def above(x):
    return answer(x)

with ops.session(id="talk"):
    answer(1)
with ops.session(id="below theirs"):
    above(1)
client.flush()
told["collected"] = collected()
"""


@WHEN
def test_langfuse_and_we_see_the_same_tree_and_nothing_twice(run_beside, early):
    ran = run_beside(COLLECTOR + early + LANGFUSE)

    assert ran.tree("talk") == [("answer", None), ("model", "answer"), ("theirs", "answer"), ("ours", "theirs")]
    assert ran.tree("below theirs") == [
        ("above", None), ("answer", "above"), ("model", "answer"), ("theirs", "answer"), ("ours", "theirs"),
    ]  # fmt: skip
    assert len(ran.spans) == 9 + bool(early)
    assert ran.told["collected"] == ids(ran, "above", "answer", "model", "theirs", "ours")
    call = ran.of("talk")[1]
    assert (call.kind, call.model, call.tokens, call.input, call.output) == ("llm", "m", [3, 4], "Hi.", "Hello.")
    assert (ran.totals["talk"].calls, ran.totals["talk"].tokens) == (1, [3, 4])


MLFLOW = """
import mlflow
from mlflow.entities.trace_location import MlflowExperimentLocation

mlflow.set_tracking_uri(url)  # forgets the global provider, so a provider of one's own is set after it
BEFORE
mlflow.tracing.set_destination(MlflowExperimentLocation(experiment_id="0"))
AFTER

@mlflow.trace
def theirs(x):
    with ops.span("ours"):
        return x

@ops.trace
def answer(x):
    with mlflow.start_span("model", span_type="LLM") as span:
        span.set_inputs("Hi.")
        span.set_outputs("Hello.")
    return theirs(x)

@mlflow.trace
def above(x):
    return answer(x)

with ops.session(id="talk"):
    answer(1)
with ops.session(id="below theirs"):
    above(1)
mlflow.flush_trace_async_logging()
sizes = []
for path, body in Collector.bodies:
    if path.endswith("/mlflow/traces"):
        about = json.loads(body)["trace"]["trace_info"]
        sizes.append([
            about["tags"]["mlflow.traceName"],
            json.loads(about["trace_metadata"]["mlflow.trace.sizeStats"])["num_spans"],
        ])
told["theirs"] = sorted(sizes)
"""
PROVIDER = """
from opentelemetry.sdk.trace import TracerProvider

ops.configure(tracer_provider=TracerProvider())
"""


@pytest.mark.parametrize("before", ["", PROVIDER], ids=["theirs is global", "the user's is global"])
def test_mlflow_that_uses_the_global_provider_sees_the_same_tree_as_we_do(run_beside, before):
    program = MLFLOW.replace("BEFORE", before).replace("AFTER", "")

    ran = run_beside(COLLECTOR + program, MLFLOW_USE_DEFAULT_TRACER_PROVIDER="false")

    assert ran.tree("talk") == [("answer", None), ("model", "answer"), ("theirs", "answer"), ("ours", "theirs")]
    assert ran.tree("below theirs") == [
        ("above", None), ("answer", "above"), ("model", "answer"), ("theirs", "answer"), ("ours", "theirs"),
    ]  # fmt: skip
    assert len(ran.spans) == 9
    assert ran.told["theirs"] == [["above", 5], ["answer", 4]]
    call = ran.of("talk")[1]
    assert (call.kind, call.status, call.input, call.output) == ("llm", "ok", "Hi.", "Hello.")


def test_mlflow_with_a_provider_of_its_own_is_joined_by_hand_and_its_traces_stay_its_own(run_beside):
    join = "mlflow.tracing.get_bridged_tracer_provider().add_span_processor(ops.SessionProcessor())"

    ran = run_beside(COLLECTOR + MLFLOW.replace("BEFORE", "").replace("AFTER", join))

    assert ran.tree("talk") == [("answer", None), ("model", None), ("theirs", None), ("ours", "answer")]
    assert len(ran.spans) == 9
    assert ran.told["theirs"] == [["above", 3], ["model", 1], ["theirs", 1]]


def test_mlflow_that_joins_the_provider_in_the_middle_of_a_trace_breaks_nothing(run_beside):
    # MLflow's own processor raises where no destination was set.
    late = "guard.strict(on=False)" + PROVIDER
    program = MLFLOW.replace("BEFORE", late).replace("mlflow.tracing.set_destination(", "str(").replace("AFTER", "")

    ran = run_beside(COLLECTOR + program, MLFLOW_USE_DEFAULT_TRACER_PROVIDER="false")

    assert [span.name for span in ran.of("talk") if span.scope == "mirascope_ops"] == ["answer", "ours"]


THREADS = """
import threading
from concurrent.futures import ThreadPoolExecutor

told["on"] = repr(ops.instrument("threading"))

@ops.trace
def work(number):
    return number

with ops.session(id="talk", attributes={"user_tier": "premium"}), ops.span("around"):
    thread = threading.Thread(target=work, args=(0,))
    thread.start()
    thread.join()
    timer = threading.Timer(0, work, (1,))
    timer.start()
    timer.join()
    with ThreadPoolExecutor(2) as pool:
        told["results"] = list(pool.map(work, range(4)))
work(9)
"""


def test_opentelemetrys_instrumentation_of_threads_carries_span_and_session(run_beside):
    ran = run_beside(THREADS)

    assert ran.told["on"] == "Switched on: threading (opentelemetry-instrumentation-threading)"
    assert ran.told["results"] == [0, 1, 2, 3]
    assert ran.tree("talk") == [("around", None)] + [("work", "around")] * 6
    assert ran.tree(None) == [("work", None)]


# -- what the README shows ----------------------------------------------------------------------------------

README = Path(__file__).parents[2] / "README.md"
BLOCKS = [example.source for example in find_examples(README) if example.prefix == "py"]


@pytest.mark.parametrize(
    ("library", "tree"),
    [
        ("openai", [("answer", None), ("chat gpt-4o-mini", "answer")]),
        ("logfire", [("theirs", None), ("ours", "theirs")]),
        ("mlflow", [("ours", None), ("theirs", "ours")]),
    ],
)
def test_the_readmes_examples_do_what_they_say(run_beside, library, tree):
    (block,) = [block for block in BLOCKS if f"import {library}\n" in block]
    # The README has one instrumentation of the client installed, and MLflow's server at its usual address.
    only = block.replace('"openai")', '"opentelemetry-instrumentation-openai-v2")')

    ran = run_beside(COLLECTOR + only.replace('"http://127.0.0.1:5000"', "url"))

    assert ran.tree("user-123") == tree


def test_the_readmes_examples_are_all_run():
    assert len(BLOCKS) == 3
