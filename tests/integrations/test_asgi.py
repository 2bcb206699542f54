"""ASGI: a session for every request, kept apart from all others and from the process's own."""

from __future__ import annotations

import asyncio
import json
import threading

import aiohttp
import httpx
import pytest
from fastapi import BackgroundTasks, FastAPI, Request
from fastapi.responses import StreamingResponse
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF
from opentelemetry.trace import SpanKind
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Mount, Route, WebSocketRoute

from mirascope_ops import ConfigurationError, ops
from mirascope_ops.core import guard
from mirascope_ops.integrations.asgi import SessionMiddleware

NAMES = ("X-Mirascope-Session-Id", "Mirascope-Session-Id")
TRACEPARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
TRACE, SPAN = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"


async def answer(scope, receive, send):
    """Answer with the session's id, and trace that much."""
    assert scope["type"] == "http"  # it has no lifespan
    with ops.span("handle"):
        text = ops.current_session().id
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/plain")]})
    await send({"type": "http.response.body", "body": text.encode()})


def call(app, headers=(), **scope):
    """Call an ASGI application without a server, with headers that no server would let through; return what it sent."""
    sent = []

    async def run():
        async def receive():
            return {"type": "http.request", "body": b"", "more_body": False}

        async def send(message):
            sent.append(message)

        given = {"type": "http", "method": "GET", "path": "/", "headers": list(headers), **scope}
        await app(given, receive, send)
        assert ops.current_session() is None

    asyncio.run(run())
    return sent


def body(sent):
    return b"".join(message.get("body", b"") for message in sent).decode()


# -- which session ---------------------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
def test_the_id_comes_from_either_header(serve_asgi, name):
    url = serve_asgi(SessionMiddleware(answer))

    assert httpx.get(url, headers={name: "user-1"}).text == "user-1"


@pytest.mark.parametrize("identifier", ["Zoë 1 ", "100%", "日本語", "a b;c,d", " padded ", "x" * 256])
def test_every_id_arrives_as_it_was(serve_asgi, identifier):
    url = serve_asgi(SessionMiddleware(answer))
    headers = {}
    with ops.session(id=identifier):
        ops.inject_context(headers)

    assert httpx.get(url, headers=headers).text == identifier


def test_a_request_without_an_id_gets_a_new_session_each_time(serve_asgi):
    url = serve_asgi(SessionMiddleware(answer))

    first, second = httpx.get(url).text, httpx.get(url).text

    assert len(first) == len(second) == 36
    assert first != second


def test_the_header_can_have_another_name(serve_asgi):
    url = serve_asgi(SessionMiddleware(answer, header="X-Conversation"))

    assert httpx.get(url, headers={"x-conversation": "c-1", NAMES[0]: "other"}).text == "c-1"


def test_several_headers_are_tried_in_order(serve_asgi):
    url = serve_asgi(SessionMiddleware(answer, header=["X-A", "X-B"]))

    assert httpx.get(url, headers={"X-B": "b"}).text == "b"
    assert httpx.get(url, headers={"X-B": "b", "X-A": "a"}).text == "a"


def test_no_header_is_believed_where_none_is_named(serve_asgi):
    url = serve_asgi(SessionMiddleware(answer, header=None))

    assert len(httpx.get(url, headers={NAMES[0]: "user-1"}).text) == 36


def test_a_function_chooses_the_id_and_the_header_does_not():
    app = SessionMiddleware(answer, session_id=lambda scope: scope.get("user"))

    assert body(call(app, [(b"x-mirascope-session-id", b"forged")], user="ada")) == "ada"
    assert len(body(call(app, [(b"x-mirascope-session-id", b"forged")]))) == 36


def test_attributes_come_from_the_request(serve_asgi, only):
    app = SessionMiddleware(answer, attributes=lambda scope: {"path": scope["path"], "tier": "premium"})

    httpx.get(serve_asgi(app) + "/chat", headers={NAMES[0]: "user-1"})

    assert json.loads(only("handle").session_attributes) == {"path": "/chat", "tier": "premium"}


def test_baggage_is_read_only_on_request_and_the_servers_attributes_win(serve_asgi, only):
    headers = {}
    with ops.session(id="s", attributes={"tier": "free", "turn": 3}):
        ops.inject_context(headers, baggage=True)
    deaf, listening = (
        serve_asgi(SessionMiddleware(answer, attributes=lambda _: {"tier": "premium"}, baggage=baggage))
        for baggage in (False, True)
    )

    httpx.get(deaf, headers=headers | {NAMES[0]: "deaf", NAMES[1]: "deaf"})
    httpx.get(listening, headers=headers)

    found = {span.session_id: json.loads(span.session_attributes) for span in ops.spans(name="handle")}
    assert found == {"deaf": {"tier": "premium"}, "s": {"tier": "premium", "turn": 3}}


def test_the_session_is_in_the_scope():
    seen = {}

    async def app(scope, receive, send):
        seen["is"] = scope["mirascope_ops.session"] is ops.current_session()

    call(SessionMiddleware(app))

    assert seen["is"]


def test_of_two_middlewares_the_outer_one_decides():
    app = SessionMiddleware(SessionMiddleware(answer, session_id=lambda _: "inner"), session_id=lambda _: "outer")

    assert body(call(app)) == "outer"
    assert [session.id for session in ops.sessions()] == ["outer"]


def test_a_scope_used_twice_gets_a_session_each_time():
    scope = {"type": "http", "headers": []}
    ids = []

    async def app(scope, receive, send):
        ids.append(ops.current_session().id)

    for _ in range(2):
        asyncio.run(SessionMiddleware(app)(scope, None, None))

    assert len(set(ids)) == 2


# -- how long --------------------------------------------------------------------------------------


async def item(item: int):
    with ops.span("item"):
        return {"session": ops.current_session().id}


def blocking():
    with ops.span("blocking"):
        return {"session": ops.current_session().id, "thread": threading.current_thread().name}


async def stream():
    async def pieces():
        for number in range(3):
            with ops.span(f"piece {number}"):
                yield f"{number}:{ops.current_session().id}\n"
            await asyncio.sleep(0.001)

    return StreamingResponse(pieces())


def blocking_stream():
    return StreamingResponse(f"{number}:{ops.current_session().id}\n" for number in range(3))


async def background(tasks: BackgroundTasks):
    def later():
        with ops.span("later"):
            pass

    tasks.add_task(later)
    return "ok"


async def fails():
    message = "no luck"
    raise RuntimeError(message)


def fastapi_app(**options):
    app = FastAPI()
    app.add_middleware(SessionMiddleware, **options)
    app.get("/items/{item}")(item)
    for function in (blocking, stream, blocking_stream, background, fails):
        app.get("/" + function.__name__.replace("_", "-"))(function)
    return app


def test_the_span_covers_the_whole_stream(serve_asgi, only):
    httpx.get(serve_asgi(fastapi_app(span=True)) + "/stream")

    assert only("GET /stream").end >= only("piece 2").end


@pytest.mark.parametrize("path", ["/stream", "/blocking-stream"])
def test_a_streamed_response_stays_in_the_session(serve_asgi, path):
    url = serve_asgi(fastapi_app())

    with httpx.stream("GET", url + path, headers={NAMES[0]: "user-1"}) as response:
        lines = list(response.iter_lines())

    assert lines == ["0:user-1", "1:user-1", "2:user-1"]


def test_background_tasks_and_worker_threads_stay_in_the_session(serve_asgi, only):
    url = serve_asgi(fastapi_app())

    httpx.get(url + "/background", headers={NAMES[0]: "user-1"})
    answered = httpx.get(url + "/blocking", headers={NAMES[0]: "user-2"}).json()

    assert only("later").session_id == "user-1"
    assert answered["session"] == only("blocking").session_id == "user-2"
    assert answered["thread"] != "MainThread"


def test_a_session_ends_with_its_request():
    call(SessionMiddleware(answer), [(b"mirascope-session-id", b"user-1")])

    (run,) = ops.get_session("user-1").runs
    assert run.end is not None


async def test_a_websocket_is_one_session_until_it_is_closed(serve_asgi, only):
    async def echo(websocket):
        await websocket.accept()
        async for text in websocket.iter_text():
            with ops.span(f"turn {text}"):
                await websocket.send_text(ops.current_session().id)

    routed = Starlette(routes=[WebSocketRoute("/ws", echo)])
    url = serve_asgi(SessionMiddleware(routed, span=True, response_header=NAMES[0]))

    async with (
        aiohttp.ClientSession(headers={NAMES[0]: "user-1"}) as client,
        client.ws_connect(url + "/ws") as websocket,
    ):
        for text in ("one", "two"):
            await websocket.send_str(text)
            assert await websocket.receive_str() == "user-1"
        assert websocket._response.headers[NAMES[0]] == "user-1"

    served = only("websocket /ws")
    assert {only("turn one").parent_id, only("turn two").parent_id} == {served.span_id}


def test_lifespan_and_unknown_connections_pass_through():
    seen = []

    async def app(scope, receive, send):
        seen.append((scope["type"], ops.current_session()))

    for kind in ("lifespan", "something new"):
        asyncio.run(SessionMiddleware(app)({"type": kind}, None, None))

    assert seen == [("lifespan", None), ("something new", None)]


def test_the_applications_own_exception_comes_out_as_it_was():
    error = ValueError("its own")

    async def app(scope, receive, send):
        raise error

    with pytest.raises(ValueError, match="its own") as caught:
        call(SessionMiddleware(app, span=True))

    assert caught.value is error
    assert caught.value.__context__ is None


def test_a_client_that_hangs_up_leaves_nothing_behind(serve_asgi, recorded):
    url = serve_asgi(fastapi_app(span=True))

    for _ in range(5):
        with httpx.stream("GET", url + "/stream") as response:
            next(response.iter_lines())
    after = httpx.get(url + "/items/1", headers={NAMES[0]: "after"}).json()

    assert after == {"session": "after"}


# -- the trace -------------------------------------------------------------------------------------


def test_the_callers_trace_is_continued(serve_asgi, only):
    url = serve_asgi(SessionMiddleware(answer))

    httpx.get(url, headers={"traceparent": TRACEPARENT})

    assert (only("handle").trace_id, only("handle").parent_id) == (TRACE, SPAN)


@pytest.mark.parametrize("chosen", ["b3", "b3multi", "jaeger", "composite"])
def test_in_every_format(monkeypatch, serve_asgi, recorded, chosen):
    monkeypatch.setenv("MIRASCOPE_PROPAGATOR", chosen)
    ops.reset_propagator()
    url = serve_asgi(SessionMiddleware(answer))
    headers = {}

    with ops.span("client") as client:
        ops.inject_context(headers)
        httpx.get(url, headers=headers)

    (handled,) = [span for span in recorded() if span.name == "handle"]
    assert (handled.trace_id, handled.parent_id) == (client.trace_id, client.span_id)


def test_the_callers_trace_is_not_believed_where_the_server_says_so(serve_asgi, only):
    url = serve_asgi(SessionMiddleware(answer, trace=False))

    httpx.get(url, headers={"traceparent": TRACEPARENT})

    assert only("handle").trace_id != TRACE
    assert only("handle").parent_id is None


def test_there_is_no_request_span_unless_asked_for(serve_asgi, recorded):
    httpx.get(serve_asgi(SessionMiddleware(answer)))

    assert [span.name for span in recorded()] == ["handle"]


def test_a_request_span_says_what_was_asked_and_answered(serve_asgi, only):
    url = serve_asgi(fastapi_app(span=True))

    httpx.get(url + "/items/7?token=secret", headers={"traceparent": TRACEPARENT, NAMES[0]: "user-1"})

    span = only("GET /items/{item}")
    assert (span.trace_id, span.parent_id, span.session_id) == (TRACE, SPAN, "user-1")
    assert only("item").parent_id == span.span_id
    expected = {
        "http.request.method": "GET",
        "url.path": "/items/7",
        "url.scheme": "http",
        "http.route": "/items/{item}",
        "http.response.status_code": 200,
    }
    assert {key: span.attributes[key] for key in expected} == expected
    assert "secret" not in str(span)


def test_a_request_span_is_a_server_span_for_exporters():
    kinds = []

    async def app(scope, receive, send):
        from opentelemetry import trace as otel_trace

        kinds.append(otel_trace.get_current_span().kind)

    call(SessionMiddleware(app, span=True))

    assert kinds == [SpanKind.SERVER]


def test_a_mounted_route_is_named_whole(serve_asgi, only):
    def hello(request):
        return PlainTextResponse("hello")

    inner = Starlette(routes=[Route("/hello/{name}", hello)])
    url = serve_asgi(SessionMiddleware(Starlette(routes=[Mount("/api/{version}", inner)]), span=True))

    httpx.get(url + "/api/v1/hello/ada")

    assert only("GET /api/v1/hello/{name}").attributes["http.route"] == "/api/v1/hello/{name}"


@pytest.mark.parametrize(("path", "status"), [("/fails", "error"), ("/items/1", "unset"), ("/missing", "unset")])
def test_a_failure_of_the_server_is_an_error_and_the_clients_is_not(serve_asgi, only, path, status):
    url = serve_asgi(fastapi_app(span=True))

    httpx.get(url + path)

    span = only(f"GET {'/items/{item}' if path == '/items/1' else path}")
    assert span.status == status
    if status == "error":
        assert (span.error_type, span.error_message) == ("RuntimeError", "no luck")


def test_a_status_above_500_is_an_error():
    async def app(scope, receive, send):
        await send({"type": "http.response.start", "status": 503, "headers": []})
        await send({"type": "http.response.body"})

    call(SessionMiddleware(app, span=True), path="/down")

    (span,) = ops.spans()
    assert (span.name, span.status, span.error_message) == ("GET /down", "error", "HTTP 503")


def test_the_span_ends_with_the_body_and_not_with_background_tasks(serve_asgi, only):
    url = serve_asgi(fastapi_app(span=True))

    httpx.get(url + "/background")

    later, request = only("later"), only("GET /background")
    assert later.parent_id == request.span_id
    assert request.end <= later.start


def test_a_server_span_of_another_instrumentation_is_kept_as_the_parent(serve_asgi, only):
    tracer = TracerProvider().get_tracer("another library")
    kept = {}

    async def instrumented(scope, receive, send):
        with tracer.start_as_current_span("theirs", kind=SpanKind.SERVER) as span:
            kept["context"] = span.get_span_context()
            await SessionMiddleware(answer)(scope, receive, send)

    httpx.get(serve_asgi(instrumented), headers={"traceparent": TRACEPARENT})

    assert only("handle").parent_id == f"{kept['context'].span_id:016x}"
    assert only("handle").trace_id == f"{kept['context'].trace_id:032x}"


def test_a_request_that_another_instrumentation_sampled_away_stays_so():
    tracer = TracerProvider(sampler=ALWAYS_OFF).get_tracer("another library")
    headers = {}

    async def app(scope, receive, send):
        ops.inject_context(headers)

    async def instrumented(scope, receive, send):
        with tracer.start_as_current_span("theirs", kind=SpanKind.SERVER):
            await SessionMiddleware(app)(scope, receive, send)

    call(instrumented)

    assert not int(headers["traceparent"][-2:], 16) & 1


def test_an_inner_instrumentation_that_attaches_a_fresh_context_does_not_drop_the_session(only):
    from opentelemetry import context as otel_context
    from opentelemetry.context import Context

    async def instrumented(scope, receive, send):
        token = otel_context.attach(Context())
        try:
            await answer(scope, receive, send)
        finally:
            otel_context.detach(token)

    call(SessionMiddleware(instrumented), [(b"x-mirascope-session-id", b"user-1")])

    assert only("handle").session_id == "user-1"


# -- the response ----------------------------------------------------------------------------------


def test_the_response_tells_no_id_unless_asked_for(serve_asgi):
    response = httpx.get(serve_asgi(SessionMiddleware(answer)), headers={NAMES[0]: "user-1"})

    assert not {name.lower() for name in NAMES} & set(response.headers)


@pytest.mark.parametrize("identifier", ["user-1", "Zoë\u2028 "])
def test_the_response_tells_the_id_in_a_form_that_can_be_sent_back(serve_asgi, identifier):
    url = serve_asgi(SessionMiddleware(answer, response_header=NAMES[0], session_id=lambda _: identifier))

    response = httpx.get(url)

    assert ops.extract_session_id(response.headers) == identifier


def test_a_new_session_can_be_continued_by_the_client(serve_asgi):
    url = serve_asgi(SessionMiddleware(answer, response_header=NAMES[0]))

    first = httpx.get(url)
    second = httpx.get(url, headers={NAMES[0]: first.headers[NAMES[0]]})

    assert first.text == second.text


def test_a_header_that_the_application_wrote_stays_alone():
    async def app(scope, receive, send):
        await send({"type": "http.response.start", "status": 200, "headers": [(b"X-Session", b"theirs")]})

    (start,) = call(SessionMiddleware(app, response_header="x-session"))

    assert start["headers"] == [(b"X-Session", b"theirs")]


def test_messages_of_the_application_are_not_changed_in_place():
    message = {"type": "http.response.start", "status": 200, "headers": []}

    async def app(scope, receive, send):
        await send(message)

    (start,) = call(SessionMiddleware(app, response_header="x-session", session_id=lambda _: "s"))

    assert start["headers"] == [(b"x-session", b"s")]
    assert message["headers"] == []


# -- apart -----------------------------------------------------------------------------------------


async def test_a_process_that_is_in_a_session_itself_keeps_the_two_apart(make_asgi_server, only):
    """As in a notebook: `%ops_session start`, a span open, and the server run by the same event loop."""
    with ops.session(id="notebook", attributes={"secret": "mine"}), ops.span("cell") as cell:
        server = make_asgi_server(SessionMiddleware(answer))
        server.listens = asyncio.Event()
        serving = asyncio.create_task(server.serve())
        await server.listens.wait()
        async with httpx.AsyncClient(base_url=server.url) as client:
            without, with_id = await client.get("/"), await client.get("/", headers={NAMES[0]: "user-1"})
        assert ops.current_session().id == "notebook"
        server.should_exit = True
        await serving

    handled = list(ops.spans(name="handle"))
    assert [span.session_id for span in handled] == [without.text, "user-1"]
    assert without.text != "notebook"
    assert with_id.text == "user-1"
    assert [span.parent_id for span in handled] == [None, None]
    assert cell.trace_id not in {span.trace_id for span in handled}
    assert [span.session_attributes for span in handled] == [None, None]
    assert all(run.parent_run_id is None for span in handled for run in ops.get_session(span.session_id).runs)
    assert [span.name for span in ops.get_session("notebook").spans] == ["cell"]


async def test_fifty_requests_at_once_stay_apart(serve_asgi, recorded, until):
    url = serve_asgi(fastapi_app(span=True, attributes=lambda scope: {"path": scope["path"]}))
    paths = ("/items/1", "/blocking", "/stream", "/blocking-stream", "/background")
    wanted = {}

    async def ask(client, number):
        headers = {}
        with ops.session(id=f"user-{number}"), ops.span("ask") as span:
            ops.inject_context(headers)
            wanted[f"user-{number}"] = span.trace_id
            return (await client.get(paths[number % 5], headers=headers)).text

    async with httpx.AsyncClient(base_url=url, timeout=60) as client:
        texts = await asyncio.gather(*(ask(client, number) for number in range(50)))

    for number, text in enumerate(texts):
        assert paths[number % 5] == "/background" or f"user-{number}" in text
        assert text.count("user-") == text.count(f"user-{number}")
    until(lambda: sum(span.name.startswith("GET ") and span.status != "open" for span in recorded()) == 50)
    spans = recorded()
    assert {span.session_id for span in spans} == set(wanted)
    assert all(wanted[span.session_id] == span.trace_id for span in spans)


# -- hostile ---------------------------------------------------------------------------------------

HOSTILE = [
    b"", b" ", b"a\x00b", b"a\r\nX-Evil: 1", b"\x1b[31m", b"\x7f", b"x" * 1_000_000, b"x" * 257, b"%", b"%zz", b"%00",
    b"%0d%0aSet-Cookie:x", b"\xff\xfe", b"\xc3\x28", b"%C3%28", b"%ED%A0%80", b"\x80\x9f", "\u2028".encode(),
    b"<script>alert(1)</script>", b"../../etc/passwd", b"' OR 1=1 --",
]  # fmt: skip


@pytest.mark.parametrize("value", HOSTILE, ids=lambda value: ascii(value[:20]))
def test_hostile_ids_never_raise_and_never_poison_the_next_request(value):
    app = SessionMiddleware(answer, response_header=NAMES[0], baggage=True, span=True)
    headers = [
        (b"x-mirascope-session-id", value), (b"mirascope-session-id", value), (b"traceparent", value),
        (b"tracestate", value), (b"baggage", value),
    ]  # fmt: skip

    sent = call(app, headers)
    after = call(app, [(b"x-mirascope-session-id", b"user-1"), (b"traceparent", TRACEPARENT.encode())])

    told = dict(sent[0]["headers"])[b"x-mirascope-session-id"]
    assert told.isascii()
    assert not set(told) & set(b"\r\n\x00")
    assert body(after) == "user-1"
    assert [span.trace_id for span in ops.spans(session="user-1")] == [TRACE, TRACE]


@pytest.mark.parametrize(
    "traceparent",
    [
        f"00-{'0' * 32}-{SPAN}-01", f"00-{TRACE}-{'0' * 16}-01", f"ff-{TRACE}-{SPAN}-01", f"00-{TRACE}-{SPAN}",
        "-" * 100_000, f"00-{'é' * 32}-{SPAN}-01", f"{TRACEPARENT},{TRACEPARENT}",
    ],
    ids=lambda value: ascii(value[:20]),
)  # fmt: skip
def test_a_bad_traceparent_starts_a_new_trace(traceparent):
    call(SessionMiddleware(answer), [(b"traceparent", traceparent.encode()), (b"mirascope-session-id", b"user-1")])

    (span,) = ops.spans(name="handle")
    assert (span.session_id, span.parent_id) == ("user-1", None)
    assert span.trace_id not in (TRACE, "0" * 32)


def test_of_duplicate_headers_the_first_counts():
    headers = [(b"x-mirascope-session-id", b"first"), (b"X-Mirascope-Session-Id", b"second")]

    assert body(call(SessionMiddleware(answer), headers)) == "first"


@pytest.mark.parametrize("headers", [None, [], [(b"", b"")], [("x-mirascope-session-id", "text")], [(b"a", None)]])
def test_a_strange_server_does_no_harm(headers):
    sent = []

    async def send(message):
        sent.append(message)

    asyncio.run(SessionMiddleware(answer)({"type": "http", "headers": headers}, None, send))

    assert len(sent) == 2


def test_over_the_wire_too(serve_asgi, raw_request, recorded):
    url = serve_asgi(SessionMiddleware(answer, response_header=NAMES[0], span=True))
    for value in HOSTILE:
        raw_request(url, b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nX-Mirascope-Session-Id: " + value
                    + b"\r\ntraceparent: " + value + b"\r\n\r\n")  # fmt: skip

        assert httpx.get(url, headers={NAMES[0]: "user-1"}).text == "user-1"


@pytest.mark.parametrize("given", [object(), 7, "", "x" * 300, "a\nb", b"bytes"])
def test_a_function_that_gives_no_id_is_reported_once(warnings_logged, given):
    app = SessionMiddleware(answer, session_id=lambda _: given)

    for _ in range(3):
        assert len(body(call(app))) == 36

    assert len(warnings_logged()) == 1
    assert "session_id=" in warnings_logged()[0]


def test_functions_that_raise_are_reported_once_and_the_request_is_answered(warnings_logged):
    def fails(scope):
        raise KeyError("user")

    app = SessionMiddleware(answer, session_id=fails, attributes=fails)

    for _ in range(3):
        assert len(body(call(app))) == 36

    assert len(warnings_logged()) == 2


@pytest.mark.parametrize("given", [{"ok": 1, "bad": object()}, {"ok": 1, 7: 1}, {"ok": 1, "nan": float("nan")}])
def test_attributes_that_are_no_json_are_left_out_one_by_one(given):
    call(SessionMiddleware(answer, attributes=lambda _: given))

    (span,) = ops.spans()
    assert json.loads(span.session_attributes) == {"ok": 1}


@pytest.mark.parametrize("given", [7, "text", [1]])
def test_attributes_that_are_no_mapping_are_left_out(given):
    assert len(body(call(SessionMiddleware(answer, attributes=lambda _: given)))) == 36


def test_a_fault_of_ours_does_not_reach_the_request(monkeypatch, warnings_logged):
    from mirascope_ops.integrations import incoming

    async def app(scope, receive, send):
        await send({"type": "http.response.start", "status": 200})

    def broken(*_):
        raise RuntimeError("ours")

    monkeypatch.setattr(incoming, "Visit", broken)
    guard.strict(on=False)

    assert len(call(SessionMiddleware(app))) == 1
    assert "opening the session of a request" in warnings_logged()[0]


# -- mistakes --------------------------------------------------------------------------------------


async def not_awaited(scope):
    return "x"


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"header": "X Session"}, "token"),
        ({"header": ["X-A", 7]}, "token"),
        ({"header": b"X-A"}, "token"),
        ({"response_header": "X-A\r\nX-B"}, "token"),
        ({"session_id": "user-1"}, "plain function"),
        ({"session_id": not_awaited}, "plain function"),
        ({"attributes": {"tier": "x"}}, "plain function"),
    ],
)
def test_a_mistake_is_said_when_the_server_starts(options, expected):
    with pytest.raises(ConfigurationError, match=expected):
        SessionMiddleware(answer, **options)


def test_an_unknown_propagator_is_said_when_the_server_starts(monkeypatch):
    monkeypatch.setenv("MIRASCOPE_PROPAGATOR", "smoke")
    ops.reset_propagator()

    with pytest.raises(ConfigurationError, match="smoke"):
        SessionMiddleware(answer)


def test_what_fastapi_offers_can_read_the_session(serve_asgi):
    app = FastAPI()
    app.add_middleware(SessionMiddleware, session_id=lambda scope: scope["path"].strip("/"))

    @app.get("/{name}")
    async def show(name: str, request: Request):
        return request.scope["mirascope_ops.session"].id

    assert httpx.get(serve_asgi(app) + "/ada").json() == "ada"


# -- websockets that are refused, bodies that stream in, servers' extensions ------------------------


def test_a_websocket_that_is_refused_with_a_response_tells_the_session_and_the_status():
    async def app(scope, receive, send):
        await send({"type": "websocket.http.response.start", "status": 503, "headers": []})
        await send({"type": "websocket.http.response.body", "body": b"later"})

    sent = call(
        SessionMiddleware(app, response_header="x-session", session_id=lambda _: "s", span=True),
        type="websocket",
        method=None,
    )

    (span,) = ops.spans(session="s")
    assert sent[0]["headers"] == [(b"x-session", b"s")]
    assert (span.status, span.attributes["http.response.status_code"]) == ("error", 503)


def test_a_websocket_that_is_closed_before_it_is_accepted_is_one_session():
    async def app(scope, receive, send):
        with ops.span("check"):
            await send({"type": "websocket.close", "code": 1008})

    call(SessionMiddleware(app, session_id=lambda _: "s", span=True), type="websocket", method=None)

    assert sorted(span.name for span in ops.spans(session="s")) == ["check", "websocket /"]


async def test_a_body_that_streams_in_is_read_in_the_session(serve_asgi, only):
    async def upload(scope, receive, send):
        if scope["type"] == "lifespan":
            return
        size, more = 0, True
        while more:
            message = await receive()
            size, more = size + len(message.get("body", b"")), message.get("more_body", False)
            with ops.span("piece"):
                pass
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": str(size).encode()})

    async def pieces():
        for _ in range(5):
            yield b"x" * 100_000

    async with httpx.AsyncClient() as client:
        answered = await client.post(
            serve_asgi(SessionMiddleware(upload)), content=pieces(), headers={NAMES[0]: "up-1"}
        )

    assert answered.text == "500000"
    assert {span.session_id for span in ops.spans(name="piece")} == {"up-1"}


def test_a_file_that_the_server_sends_by_itself_passes_through():
    async def app(scope, receive, send):
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.pathsend", "path": "/tmp/file"})

    sent = call(SessionMiddleware(app, session_id=lambda _: "s", span=True))

    (span,) = ops.spans(session="s")
    assert [message["type"] for message in sent] == ["http.response.start", "http.response.pathsend"]
    assert span.status != "open"
