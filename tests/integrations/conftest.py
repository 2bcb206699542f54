"""Fixtures for the tests of the integrations: real servers on this machine, ports by the operating system."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import subprocess
import sys
import textwrap
import threading
import time
import types
from socketserver import ThreadingMixIn
from typing import TYPE_CHECKING, Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

import pytest
import uvicorn
from opentelemetry import trace as otel_trace
from opentelemetry.context import Context
from opentelemetry.util._once import Once

from mirascope_ops import ops
from mirascope_ops.core import context, guard, pipeline
from mirascope_ops.core.open_spans import forget_open_spans
from mirascope_ops.core.session import CURRENT
from mirascope_ops.testing import captured

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable, Iterator

    from mirascope_ops import SpanSet
    from mirascope_ops.analysis.rows import SpanRow


@pytest.fixture(autouse=True)
def recorded(monkeypatch) -> Iterator[Callable[[], SpanSet]]:
    """Record into a store of the test's own; afterwards no session and no span may be left current or open."""
    provider, once = otel_trace._TRACER_PROVIDER, otel_trace._TRACER_PROVIDER_SET_ONCE
    otel_trace._TRACER_PROVIDER, otel_trace._TRACER_PROVIDER_SET_ONCE = None, Once()
    pipeline.pin(None)
    monkeypatch.delenv("MIRASCOPE_PROPAGATOR", raising=False)
    ops.reset_propagator()
    with captured() as spans:
        yield spans
        left = (ops.current_session(), otel_trace.get_current_span())
        still_open = [span.name for span in spans() if span.status == "open"]
    CURRENT.set(None)
    context.attach_context(Context())
    forget_open_spans()
    ops.reset_propagator()
    otel_trace._TRACER_PROVIDER, otel_trace._TRACER_PROVIDER_SET_ONCE = provider, once
    pipeline.pin(None)
    assert left == (None, otel_trace.INVALID_SPAN), "a session or a span was left current"
    assert still_open == []


@pytest.fixture
def only(recorded, until) -> Callable[[str], SpanRow]:
    """Return the only span of a name, once it has ended."""

    def find(name: str) -> SpanRow:
        until(lambda: any(span.name == name and span.status != "open" for span in recorded()))
        (span,) = [span for span in recorded() if span.name == name]
        return span

    return find


@pytest.fixture
def warnings_logged(caplog) -> Callable[[], list[str]]:
    """Return what the library logged in this test, as if nothing had been logged before."""
    reported = set(guard._reported)
    guard._reported.clear()
    yield lambda: [record.getMessage() for record in caplog.records if record.name == "mirascope_ops"]
    guard._reported.update(reported)


class LoopbackServer(uvicorn.Server):
    """uvicorn, told to stop by us alone."""

    listens: asyncio.Event | None = None

    @contextlib.contextmanager
    def capture_signals(self):
        yield

    async def startup(self, sockets=None):
        await super().startup(sockets)
        if self.listens is not None:
            self.listens.set()

    @property
    def url(self) -> str:
        host, port = self.servers[0].sockets[0].getsockname()[:2]
        return f"http://{host}:{port}"


def loopback_server(app: Any) -> LoopbackServer:
    """Return uvicorn for an application, to be run in a thread or awaited."""
    return LoopbackServer(uvicorn.Config(app, host="127.0.0.1", port=0, log_level="critical", ws="websockets-sansio"))


@pytest.fixture
def make_asgi_server() -> Callable[[Any], LoopbackServer]:
    return loopback_server


@pytest.fixture
def serve_asgi() -> Iterator[Callable[[Any], str]]:
    """Serve an ASGI application with uvicorn in a thread; returns its URL."""
    running: list[tuple[LoopbackServer, threading.Thread]] = []

    def start(app: Any) -> str:
        server = loopback_server(app)
        thread = threading.Thread(target=server.run, daemon=True)
        thread.start()
        running.append((server, thread))
        deadline = time.monotonic() + 120
        while not server.started:
            assert thread.is_alive(), "the server did not start"
            assert time.monotonic() < deadline
            time.sleep(0.01)
        return server.url

    yield start
    for server, thread in running:
        server.should_exit = True
        thread.join(timeout=120)


class _Quiet(WSGIRequestHandler):
    def log_message(self, *_: Any) -> None:
        pass


class _ThreadingServer(ThreadingMixIn, WSGIServer):
    daemon_threads = False  # closing the server waits for its requests
    request_queue_size = 128

    def handle_error(self, *_: Any) -> None:
        pass  # a client that hung up


@pytest.fixture
def serve_wsgi() -> Iterator[Callable[[Any], str]]:
    """Serve a WSGI application with wsgiref, a thread for each request; returns its URL."""
    running: list[tuple[WSGIServer, threading.Thread]] = []

    def start(app: Any) -> str:
        server = make_server("127.0.0.1", 0, app, server_class=_ThreadingServer, handler_class=_Quiet)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        running.append((server, thread))
        return f"http://127.0.0.1:{server.server_port}"

    yield start
    for server, thread in running:
        server.shutdown()
        server.server_close()
        thread.join(timeout=120)


@pytest.fixture
def raw_request() -> Callable[[str, bytes], bytes]:
    """Send bytes to a server, as no client library would, and return all that it answers."""

    def send(url: str, payload: bytes) -> bytes:
        host, port = url.removeprefix("http://").split(":")
        with socket.create_connection((host, int(port)), timeout=120) as connection:
            with contextlib.suppress(ConnectionError):  # a server may refuse before it has read all
                connection.sendall(payload)
            answer = b""
            with contextlib.suppress(ConnectionError):
                while piece := connection.recv(65536):
                    answer += piece
            return answer

    return send


class Beside:
    """What a program recorded that ran beside other libraries.

    Attributes:
        told: What the program put into `told`, as JSON keeps it.
        spans: The spans in its store, as `ops.get_session` and `ops.spans` read them.
        totals: The totals of each session.
    """

    def __init__(self, printed: str) -> None:
        found = json.loads(printed)
        self.told: dict[str, Any] = found["told"]
        self.spans = [types.SimpleNamespace(**span) for span in found["spans"]]
        self.totals = {key: types.SimpleNamespace(**totals) for key, totals in found["totals"].items()}

    def of(self, session: str | None) -> list[types.SimpleNamespace]:
        """Return the spans of a session, in the order in which they started."""
        return [span for span in self.spans if span.session == session]

    def tree(self, session: str | None) -> list[tuple[str, str | None]]:
        """Return each span's name and its parent's."""
        return [(span.name, span.parent) for span in self.of(session)]


@pytest.fixture(scope="session")
def run_beside(tmp_path_factory, loopback_model) -> Callable[..., Beside]:
    """Run a program beside other libraries, in a new interpreter.

    Other libraries warn of one another, so warnings are no errors there. A fault of ours is. The session's own
    fixture, so that the tests of a module can share one run: these libraries take seconds to import.
    """

    def run(program: str, **environment: str) -> Beside:
        folder = tmp_path_factory.mktemp("beside")
        path = folder / "beside.py"
        path.write_text(_BEFORE + textwrap.dedent(program) + _AFTER, encoding="utf-8")
        settings = {
            "LOGFIRE_IGNORE_NO_CONFIG": "1",
            "MIRASCOPE_OPS_STORE": str(folder / "beside.db"),
            "OPENAI_API_KEY": "unused",
            "OPENAI_BASE_URL": loopback_model.base_url,
        }
        done = subprocess.run(
            [sys.executable, str(path)],
            env={**os.environ, **settings, **environment},
            cwd=folder, capture_output=True, text=True, timeout=550, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return Beside(done.stdout.splitlines()[-1])

    return run


_BEFORE = """\
import json

from mirascope_ops import ops
from mirascope_ops.core import guard

guard.strict(on=True)
told = {}
"""
_AFTER = """
spans = ops.spans()
names = {span.span_id: span.name for span in spans}
sessions = [ops.get_session(session.id) for session in ops.sessions()]
known = {span.span_id for session in sessions for span in session.spans}
assert known == {span.span_id for span in spans if span.session_id}, "a session misses a span of its own"
print()
print(json.dumps({
    "told": told,
    "totals": {
        session.id: {
            "calls": session.spans.totals.llm_calls,
            "tokens": [session.spans.totals.input_tokens, session.spans.totals.output_tokens],
        }
        for session in sessions
    },
    "spans": [
        {
            "name": span.name, "parent": names.get(span.parent_id, span.parent_id), "session": span.session_id,
            "kind": span.kind, "status": span.status, "scope": span.scope, "trace": span.trace_id, "id": span.span_id,
            "model": span.model, "provider": span.provider, "tokens": [span.input_tokens, span.output_tokens],
            "ttft": span.ttft, "input": span.input, "output": span.output,
            "error": span.error_type, "message": span.error_message,
        }
        for span in sorted(spans, key=lambda span: span.start)
    ],
}))
"""
