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
from mirascope_ops.core.session import CURRENT
from mirascope_ops.core.span import forget_open_spans
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
def settled() -> Callable[[Callable[[], object]], None]:
    """Wait until something holds: a server ends its spans after the client has read the answer."""

    def wait(holds: Callable[[], object]) -> None:
        deadline = time.monotonic() + 30
        while not holds():
            assert time.monotonic() < deadline, "it never came to hold"
            time.sleep(0.01)

    return wait


@pytest.fixture
def only(recorded, settled) -> Callable[[str], SpanRow]:
    """Return the only span of a name, once it has ended."""

    def find(name: str) -> SpanRow:
        settled(lambda: any(span.name == name and span.status != "open" for span in recorded()))
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
        deadline = time.monotonic() + 30
        while not server.started:
            assert thread.is_alive(), "the server did not start"
            assert time.monotonic() < deadline
            time.sleep(0.01)
        return server.url

    yield start
    for server, thread in running:
        server.should_exit = True
        thread.join(timeout=30)


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
        thread.join(timeout=30)


@pytest.fixture
def raw_request() -> Callable[[str, bytes], bytes]:
    """Send bytes to a server, as no client library would, and return all that it answers."""

    def send(url: str, payload: bytes) -> bytes:
        host, port = url.removeprefix("http://").split(":")
        with socket.create_connection((host, int(port)), timeout=30) as connection:
            with contextlib.suppress(ConnectionError):  # a server may refuse before it has read all
                connection.sendall(payload)
            answer = b""
            with contextlib.suppress(ConnectionError):
                while piece := connection.recv(65536):
                    answer += piece
            return answer

    return send


@pytest.fixture
def run_beside(tmp_path, llm_server) -> Callable[..., list[dict[str, Any]]]:
    """Run a program beside other libraries, in a new interpreter; gives the spans that are in its store afterwards.

    Other libraries warn of one another, so warnings are no errors there. A faulty processor of ours is.
    """

    def run(program: str) -> list[dict[str, Any]]:
        path = tmp_path / "beside.py"
        path.write_text(textwrap.dedent(_BEFORE) + textwrap.dedent(program) + textwrap.dedent(_AFTER), encoding="utf-8")
        environment = {
            **os.environ,
            "MIRASCOPE_OPS_STORE": str(tmp_path / "beside.db"),
            "LOGFIRE_IGNORE_NO_CONFIG": "1",
        }
        done = subprocess.run(
            [sys.executable, str(path)],
            env=environment, cwd=tmp_path, capture_output=True, text=True, timeout=170, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout.splitlines()[-1])

    return run


_BEFORE = """
    import json
    from mirascope_ops import ops
    from mirascope_ops.core import guard

    guard.strict(on=True)
"""
_AFTER = """
    spans = ops.spans()
    names = {span.span_id: span.name for span in spans}
    print()
    print(json.dumps([
        {
            "name": span.name, "parent": names.get(span.parent_id), "kind": span.kind, "session": span.session_id,
            "model": span.model, "tokens": [span.input_tokens, span.output_tokens], "status": span.status,
            "ttft": span.ttft, "counted": spans.totals.llm_calls, "counted_tokens": spans.totals.output_tokens,
        }
        for span in spans
    ]))
"""
