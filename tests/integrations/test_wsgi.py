"""WSGI: a session for every request, current only while the application runs."""

from __future__ import annotations

import json
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from wsgiref.util import FileWrapper, setup_testing_defaults
from wsgiref.validate import validator

import httpx
import pytest
from flask import Flask, Response, stream_with_context
from opentelemetry import trace as otel_trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.trace import SpanKind
from werkzeug.serving import WSGIRequestHandler
from werkzeug.serving import make_server as make_werkzeug_server

from mirascope_ops import ConfigurationError, ops
from mirascope_ops.integrations.wsgi import SessionMiddleware

NAMES = ("X-Mirascope-Session-Id", "Mirascope-Session-Id")
TRACEPARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
TRACE, SPAN = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"


def answer(environ, start_response):
    """Answer with the session's id, and trace that much."""
    with ops.span("handle"):
        text = ops.current_session().id
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [text.encode()]


def streaming(environ, start_response):
    """Answer with the session's id, piece by piece; the pieces are made while the server reads them."""
    start_response("200 OK", [("Content-Type", "text/plain")])
    for number in range(3):
        with ops.span(f"piece {number}"):
            yield f"{number}:{ops.current_session().id}\n".encode()


class Call:
    """A request without a server, with headers that no server would let through."""

    def __init__(self, app, **environ):
        self.environ = dict(environ)
        setup_testing_defaults(self.environ)
        self.status = self.headers = None
        self.body = app(self.environ, self.start_response)

    def start_response(self, status, headers, exc_info=None):
        self.status, self.headers = status, dict(headers)
        return lambda data: None

    def read(self):
        try:
            return b"".join(self.body).decode()
        finally:
            self.close()
            assert ops.current_session() is None

    def close(self):
        if hasattr(self.body, "close"):
            self.body.close()


# -- which session ---------------------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
def test_the_id_comes_from_either_header(serve_wsgi, name):
    url = serve_wsgi(SessionMiddleware(answer))

    assert httpx.get(url, headers={name: "user-1"}).text == "user-1"


@pytest.mark.parametrize("identifier", ["Zoë 1 ", "100%", "日本語", "a b;c,d", " padded ", "x" * 256])
def test_every_id_arrives_as_it_was(serve_wsgi, identifier):
    url = serve_wsgi(SessionMiddleware(answer))
    headers = {}
    with ops.session(id=identifier):
        ops.inject_context(headers)

    assert httpx.get(url, headers=headers).text == identifier


def test_a_request_without_an_id_gets_a_new_session_each_time(serve_wsgi):
    url = serve_wsgi(SessionMiddleware(answer))

    first, second = httpx.get(url).text, httpx.get(url).text

    assert len(first) == len(second) == 36
    assert first != second


def test_header_and_functions_choose_as_for_asgi():
    by_header = SessionMiddleware(answer, header="X-Conversation")
    by_function = SessionMiddleware(answer, session_id=lambda environ: environ.get("REMOTE_USER"))
    by_none = SessionMiddleware(answer, header=None)
    claimed = {"HTTP_X_CONVERSATION": "c-1", "HTTP_X_MIRASCOPE_SESSION_ID": "claimed"}

    assert Call(by_header, **claimed).read() == "c-1"
    assert Call(by_function, REMOTE_USER="ada", **claimed).read() == "ada"
    assert len(Call(by_function, **claimed).read()) == 36
    assert len(Call(by_none, **claimed).read()) == 36


def test_attributes_and_baggage(only):
    app = SessionMiddleware(answer, attributes=lambda environ: {"path": environ["PATH_INFO"]}, baggage=True)

    Call(app, PATH_INFO="/chat", HTTP_BAGGAGE="mirascope.session.turn=3,mirascope.session.path=forged").read()

    assert json.loads(only("handle").session_attributes) == {"path": "/chat", "turn": 3}


def test_of_two_middlewares_the_outer_one_decides():
    app = SessionMiddleware(SessionMiddleware(streaming, session_id=lambda _: "in"), session_id=lambda _: "out")

    assert Call(app).read() == "0:out\n1:out\n2:out\n"
    assert [session.id for session in ops.sessions()] == ["out"]


# -- how long --------------------------------------------------------------------------------------


def test_a_streamed_body_stays_in_the_session(serve_wsgi, only):
    url = serve_wsgi(SessionMiddleware(streaming))

    with httpx.stream("GET", url, headers={NAMES[0]: "user-1", "traceparent": TRACEPARENT}) as response:
        lines = list(response.iter_lines())

    assert lines == ["0:user-1", "1:user-1", "2:user-1"]
    assert [only(f"piece {number}").session_id for number in range(3)] == ["user-1"] * 3
    assert {only(f"piece {number}").trace_id for number in range(3)} == {TRACE}


def test_between_pieces_the_servers_thread_is_as_it_was():
    with ops.session(id="process"), ops.span("process") as span:
        call = Call(SessionMiddleware(streaming), HTTP_X_MIRASCOPE_SESSION_ID="user-1")
        seen = []
        for piece in call.body:
            seen.append(piece)
            assert ops.current_session().id == "process"
            assert otel_trace.get_current_span() is span
        call.close()
        assert ops.current_session().id == "process"

    assert seen == [b"0:user-1\n", b"1:user-1\n", b"2:user-1\n"]


def test_two_streams_read_in_turn_in_one_thread_stay_apart():
    app = SessionMiddleware(streaming)
    one, two = (Call(app, HTTP_X_MIRASCOPE_SESSION_ID=identifier) for identifier in ("one", "two"))

    pieces = [piece for pair in zip(one.body, two.body, strict=True) for piece in pair]
    one.close()
    two.close()

    assert pieces == [f"{n}:{name}\n".encode() for n in range(3) for name in ("one", "two")]


def test_a_stream_that_moves_between_threads_stays_in_its_session():
    call = Call(SessionMiddleware(streaming), HTTP_X_MIRASCOPE_SESSION_ID="user-1")
    pieces = iter(call.body)

    with ThreadPoolExecutor(1) as first, ThreadPoolExecutor(1) as second:
        seen = [first.submit(next, pieces).result(), second.submit(next, pieces).result(), next(pieces)]
        second.submit(call.close).result()
        left = [pool.submit(ops.current_session).result() for pool in (first, second)]

    assert seen == [b"0:user-1\n", b"1:user-1\n", b"2:user-1\n"]
    assert left == [None, None]


def test_the_session_lasts_until_close_and_the_applications_close_is_in_it():
    closed = []

    class Body:
        def __iter__(self):
            return iter([b"a", b"b"])

        def close(self):
            closed.append(ops.current_session().id)

    def app(environ, start_response):
        start_response("200 OK", [])
        return Body()

    call = Call(SessionMiddleware(app), HTTP_X_MIRASCOPE_SESSION_ID="user-1")
    assert list(call.body) == [b"a", b"b"]
    assert ops.get_session("user-1").runs[0].end is None
    call.close()

    assert closed == ["user-1"]
    assert ops.get_session("user-1").runs[0].end is not None


def test_a_body_that_nobody_closes_is_closed_in_its_session_when_it_is_forgotten():
    left_in = []

    def app(environ, start_response):
        try:
            with ops.span("unfinished"):
                yield b"first"
        finally:
            left_in.append(ops.current_session().id)

    body = SessionMiddleware(app, span=True)({"HTTP_X_MIRASCOPE_SESSION_ID": "user-1"}, lambda *_: None)
    next(iter(body))
    del body

    assert left_in == ["user-1"]
    assert ops.current_session() is None
    assert otel_trace.get_current_span() is otel_trace.INVALID_SPAN
    assert ops.get_session("user-1").runs[0].end is not None


def test_a_list_and_the_servers_file_wrapper_are_returned_as_they_are(tmp_path):
    given = [b"all"]
    path = tmp_path / "file"
    path.write_bytes(b"content")

    assert Call(SessionMiddleware(lambda environ, start: given)).body is given
    with path.open("rb") as file:
        wrapped = FileWrapper(file)
        call = Call(SessionMiddleware(lambda environ, start: wrapped), **{"wsgi.file_wrapper": FileWrapper})
        assert call.body is wrapped
    assert all(session.runs[0].end is not None for session in ops.sessions())


def test_a_servers_content_length_is_as_without_the_middleware(serve_wsgi):
    def app(environ, start_response):
        start_response("200 OK", [("Content-Type", "text/plain")])
        return [b"x" * 9]

    bare, wrapped = httpx.get(serve_wsgi(app)), httpx.get(serve_wsgi(SessionMiddleware(app)))

    assert bare.headers["content-length"] == wrapped.headers["content-length"] == "9"


def test_the_write_function_works(serve_wsgi):
    def app(environ, start_response):
        write = start_response("200 OK", [("Content-Type", "text/plain")])
        write(ops.current_session().id.encode())
        return []

    url = serve_wsgi(SessionMiddleware(app, response_header=NAMES[0]))

    response = httpx.get(url, headers={NAMES[0]: "user-1"})
    assert (response.text, response.headers[NAMES[0]]) == ("user-1", "user-1")


@pytest.mark.parametrize("options", [{}, {"span": True, "response_header": NAMES[0]}])
@pytest.mark.parametrize("app", [answer, streaming])
def test_it_keeps_to_the_standard_on_both_sides(serve_wsgi, app, options):
    checked = validator(SessionMiddleware(validator(app), **options))

    assert "user-1" in httpx.get(serve_wsgi(checked), headers={NAMES[0]: "user-1"}).text


@pytest.mark.parametrize("at", ["call", "piece", "close"])
def test_the_applications_own_exception_comes_out_as_it_was(at, only):
    error = ValueError("its own")

    class Body:
        def __iter__(self):
            yield b"first"
            if at == "piece":
                raise error

        def close(self):
            if at == "close":
                raise error

    def app(environ, start_response):
        if at == "call":
            raise error
        return Body()

    with pytest.raises(ValueError, match="its own") as caught:
        Call(SessionMiddleware(app, span=True)).read()

    assert caught.value is error
    assert caught.value.__context__ is None
    assert ops.current_session() is None
    if at != "close":  # by then the body was sent and the span had ended
        assert only("GET /").error_message == "its own"


# -- the trace -------------------------------------------------------------------------------------


def test_the_callers_trace_is_continued_unless_the_server_says_no(serve_wsgi):
    trusting, wary = serve_wsgi(SessionMiddleware(answer)), serve_wsgi(SessionMiddleware(answer, trace=False))

    for url, name in ((trusting, "trusting"), (wary, "wary")):
        httpx.get(url, headers={"traceparent": TRACEPARENT, NAMES[0]: name})

    found = {span.session_id: (span.trace_id == TRACE, span.parent_id) for span in ops.spans(name="handle")}
    assert found == {"trusting": (True, SPAN), "wary": (False, None)}


def test_a_request_span_says_what_was_asked_and_answered(serve_wsgi, only):
    url = serve_wsgi(SessionMiddleware(streaming, span=True))

    httpx.post(url + "/caf%C3%A9/menu?token=secret", headers={"traceparent": TRACEPARENT, NAMES[0]: "user-1"})

    span = only("POST /café/menu")
    assert (span.trace_id, span.parent_id, span.session_id) == (TRACE, SPAN, "user-1")
    assert {only(f"piece {number}").parent_id for number in range(3)} == {span.span_id}
    assert span.attributes["http.response.status_code"] == 200
    assert span.end >= only("piece 2").end
    assert "secret" not in str(span)


def test_a_status_above_500_is_an_error(serve_wsgi, only):
    def app(environ, start_response):
        start_response("503 Service Unavailable", [])
        return []

    httpx.get(serve_wsgi(SessionMiddleware(app, span=True)) + "/down")

    assert only("GET /down").status == "error"


def test_a_server_span_of_another_instrumentation_is_kept_as_the_parent(only):
    tracer = TracerProvider().get_tracer("another library")

    with tracer.start_as_current_span("theirs", kind=SpanKind.SERVER) as span:
        Call(SessionMiddleware(answer), HTTP_TRACEPARENT=TRACEPARENT).body.clear()

    assert only("handle").parent_id == f"{span.get_span_context().span_id:016x}"


# -- apart -----------------------------------------------------------------------------------------


def test_a_process_that_is_in_a_session_itself_keeps_the_two_apart():
    with ops.session(id="notebook", attributes={"secret": "mine"}), ops.span("cell") as cell:
        (without,), (with_id,) = (Call(SessionMiddleware(answer), **headers).body
                                  for headers in ({}, {"HTTP_X_MIRASCOPE_SESSION_ID": "user-1"}))  # fmt: skip
        assert ops.current_session().id == "notebook"

    handled = list(ops.spans(name="handle"))
    assert [span.session_id for span in handled] == [without.decode(), with_id.decode()]
    assert without != b"notebook"
    assert with_id == b"user-1"
    assert [(span.parent_id, span.session_attributes) for span in handled] == [(None, None)] * 2
    assert cell.trace_id not in {span.trace_id for span in handled}
    assert all(run.parent_run_id is None for span in handled for run in ops.get_session(span.session_id).runs)


def test_fifty_requests_at_once_stay_apart(serve_wsgi, recorded, until):
    meet = threading.Barrier(50, timeout=120)

    def app(environ, start_response):
        meet.wait()  # all fifty are inside at once
        start_response("200 OK", [("Content-Type", "text/plain")])
        for _ in range(5):
            time.sleep(0.002)
            with ops.span("piece"):
                yield ops.current_session().id.encode() + b"\n"

    url = serve_wsgi(SessionMiddleware(app, span=True))
    wanted = {}

    def ask(number):
        headers = {}
        with ops.session(id=f"user-{number}"), ops.span("ask") as span:
            ops.inject_context(headers)
            wanted[f"user-{number}"] = span.trace_id
            return set(client.get("/", headers=headers).text.split())

    limits = httpx.Limits(max_connections=None)
    with httpx.Client(base_url=url, timeout=120, limits=limits) as client, ThreadPoolExecutor(50) as pool:
        answers = list(pool.map(ask, range(50)))

    assert answers == [{f"user-{number}"} for number in range(50)]
    until(lambda: sum(span.name == "GET /" and span.status != "open" for span in recorded()) == 50)
    spans = recorded()
    assert all(wanted[span.session_id] == span.trace_id for span in spans)
    assert sum(span.name == "piece" for span in spans) == 250


# -- hostile ---------------------------------------------------------------------------------------

HOSTILE = [
    "", " ", "a\x00b", "a\r\nX-Evil: 1", "\x1b[31m", "\x7f", "x" * 1_000_000, "x" * 257, "%", "%zz", "%00",
    "%0d%0aSet-Cookie:x", "\xff\xfe", "%C3%28", "%ED%A0%80", "\x80\x9f", "\ud800", "日本語",
]  # fmt: skip


@pytest.mark.parametrize("value", HOSTILE, ids=lambda value: ascii(value[:20]))
def test_hostile_headers_never_raise_and_never_poison_the_next_request(value):
    app = SessionMiddleware(answer, response_header=NAMES[0], baggage=True, span=True)
    names = ("X_MIRASCOPE_SESSION_ID", "MIRASCOPE_SESSION_ID", "TRACEPARENT", "TRACESTATE", "BAGGAGE")

    first = Call(app, PATH_INFO=value, REQUEST_METHOD=value, **{f"HTTP_{name}": value for name in names})
    first.read()
    after = Call(app, HTTP_X_MIRASCOPE_SESSION_ID="user-1", HTTP_TRACEPARENT=TRACEPARENT)

    assert first.headers[NAMES[0]].isprintable()
    assert first.headers[NAMES[0]].isascii()
    assert after.read() == "user-1"
    assert {span.trace_id for span in ops.spans(session="user-1")} == {TRACE}


def test_over_the_wire_too(serve_wsgi, raw_request):
    url = serve_wsgi(SessionMiddleware(answer, response_header=NAMES[0], span=True))
    for value in HOSTILE:
        raw = value.encode("utf-8", "surrogatepass")
        raw_request(url, b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nX-Mirascope-Session-Id: " + raw
                    + b"\r\ntraceparent: " + raw + b"\r\n\r\n")  # fmt: skip

        assert httpx.get(url, headers={NAMES[0]: "user-1"}).text == "user-1"


@pytest.mark.parametrize("status", ["", "OK", "20", "abc def"])
def test_a_status_that_is_none_is_the_servers_to_refuse(status):
    def app(environ, start_response):
        start_response(status, [])
        return []

    assert Call(SessionMiddleware(app, span=True)).status == status


def test_mistakes_are_said_when_the_server_starts():
    with pytest.raises(ConfigurationError, match="token"):
        SessionMiddleware(answer, header="X Session")
    with pytest.raises(ConfigurationError, match="plain function"):
        SessionMiddleware(answer, attributes={"tier": "x"})


# -- Flask -----------------------------------------------------------------------------------------


class _Keeping(WSGIRequestHandler):
    protocol_version = "HTTP/1.1"

    def log(self, *_):
        pass


@pytest.fixture
def serve_flask():
    """Serve with werkzeug, over HTTP/1.1 with connections kept: the next request comes in the same thread."""
    running = []

    def start(app):
        server = make_werkzeug_server("127.0.0.1", 0, app, threaded=True, request_handler=_Keeping)
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        running.append((server, thread))
        return f"http://127.0.0.1:{server.server_port}"

    yield start
    for server, thread in running:
        server.shutdown()
        server.server_close()
        thread.join(timeout=120)


def flask_app():
    app = Flask("test")

    @app.get("/")
    def plain():
        with ops.span("plain"):
            return ops.current_session().id

    @app.get("/stream")
    def stream():
        def pieces():
            for number in range(3):
                yield f"{number}:{ops.current_session().id}\n"

        return Response(stream_with_context(pieces()), mimetype="text/plain")

    return app


def test_flask_in_a_session(serve_flask):
    app = flask_app()
    app.wsgi_app = SessionMiddleware(app.wsgi_app, response_header=NAMES[0])
    url = serve_flask(app)

    with httpx.Client(base_url=url) as client:
        first = client.get("/", headers={NAMES[0]: "user-1"})
        streamed = client.get("/stream", headers={NAMES[0]: "user-2"})
        last = client.get("/")

    assert (first.text, first.headers[NAMES[0]]) == ("user-1", "user-1")
    assert streamed.text == "0:user-2\n1:user-2\n2:user-2\n"
    assert len(last.text) == 36
