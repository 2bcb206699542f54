"""The trace and the session across a service boundary: five formats, two headers, real HTTP, hostile input."""

from __future__ import annotations

import asyncio
import http.client
import io
import socket
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from opentelemetry import context as otel_context
from opentelemetry import propagate
from opentelemetry import trace as otel_trace
from opentelemetry.context import Context
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF
from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags

from mirascope_ops import ConfigurationError, SessionError, ops

FORMATS = ("tracecontext", "b3", "b3multi", "jaeger", "composite")
# The headers that each format is known by.
HEADERS = {
    "tracecontext": {"traceparent"},
    "b3": {"b3"},
    "b3multi": {"x-b3-traceid", "x-b3-spanid", "x-b3-sampled"},
    "jaeger": {"uber-trace-id"},
}
HEADERS["composite"] = set().union(*HEADERS.values())
NAMES = ("X-Mirascope-Session-Id", "Mirascope-Session-Id")
TRACEPARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
TRACE, SPAN = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"

# Every id that `ops.session` accepts: no control characters, no lone surrogates, 1 to 256 characters.
ids = st.text(st.characters(exclude_categories=["Cc", "Cs"]), min_size=1, max_size=256)
visible_ids = st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E, exclude_characters="%"), min_size=1)


@pytest.fixture(autouse=True)
def _default_propagator(monkeypatch):
    monkeypatch.delenv("MIRASCOPE_PROPAGATOR", raising=False)
    ops.reset_propagator()
    yield
    ops.reset_propagator()


@pytest.fixture(params=FORMATS)
def chosen(request, monkeypatch):
    """Choose a format, as the environment would."""
    monkeypatch.setenv("MIRASCOPE_PROPAGATOR", request.param)
    ops.reset_propagator()
    return request.param


def remote_in(context):
    return otel_trace.get_current_span(context).get_span_context()


def session_id():
    session = ops.current_session()
    return None if session is None else session.id


# -- the trace --------------------------------------------------------------------------------------


def test_every_format_keeps_the_trace_the_span_and_the_decision_to_sample(chosen):
    headers = {}

    with ops.span("client") as span:
        ops.inject_context(headers)

    found = remote_in(ops.extract_context(headers))
    assert f"{found.trace_id:032x}" == span.trace_id
    assert f"{found.span_id:016x}" == span.span_id
    assert found.trace_flags.sampled
    assert found.is_remote


def test_every_format_says_that_a_span_is_not_sampled(chosen, install_provider):
    install_provider(sampler=ALWAYS_OFF)
    headers = {}

    with ops.span("client") as span:
        ops.inject_context(headers)

    found = remote_in(ops.extract_context(headers))
    assert f"{found.trace_id:032x}" == span.trace_id
    assert not found.trace_flags.sampled


def test_every_format_writes_the_headers_that_it_is_known_by(chosen):
    headers = {}

    with ops.span("client"):
        ops.inject_context(headers)

    written = {name.lower() for name in headers} - {"tracestate", "x-b3-parentspanid", "x-b3-flags"}
    assert written == HEADERS[chosen]


def test_every_format_continues_a_trace_below_the_remote_span(chosen, only):
    headers = {}
    with ops.span("client") as client:
        ops.inject_context(headers)

    with ops.propagated_context(extract_from=headers), ops.span("server"):
        pass

    server = only("server")
    assert (server.trace_id, server.parent_id) == (client.trace_id, client.span_id)


@pytest.mark.parametrize("written", [name for name in FORMATS if name != "composite"])
def test_composite_reads_every_other_format(monkeypatch, written):
    monkeypatch.setenv("MIRASCOPE_PROPAGATOR", written)
    ops.reset_propagator()
    headers = {}
    with ops.span("client") as span:
        ops.inject_context(headers)

    monkeypatch.setenv("MIRASCOPE_PROPAGATOR", "composite")
    ops.reset_propagator()
    found = remote_in(ops.extract_context(headers))

    assert f"{found.trace_id:032x}" == span.trace_id
    assert f"{found.span_id:016x}" == span.span_id


def test_without_a_span_and_a_session_nothing_is_written(chosen):
    headers = {"Accept": "text/html"}

    ops.inject_context(headers)

    assert headers == {"Accept": "text/html"}


def test_trace_headers_are_read_in_any_case_and_as_text_bytes_or_lists(chosen):
    headers = {}
    with ops.span("client") as span:
        ops.inject_context(headers)
    forms = [
        {name.upper(): value for name, value in headers.items()},
        {name.lower(): value for name, value in headers.items()},
        {name: [value] for name, value in headers.items()},
        {name: (value,) for name, value in headers.items()},
        {name.encode(): value.encode() for name, value in headers.items()},
        {name: [value.encode()] for name, value in headers.items()},
    ]

    found = [remote_in(ops.extract_context(form)) for form in forms]

    assert {f"{each.trace_id:032x}" for each in found} == {span.trace_id}
    assert {f"{each.span_id:016x}" for each in found} == {span.span_id}


def test_tracestate_survives():
    headers = {"traceparent": TRACEPARENT, "tracestate": "vendor=opaque"}
    onward = {}

    with ops.propagated_context(extract_from=headers), ops.span("server"):
        ops.inject_context(onward)

    assert onward["tracestate"] == "vendor=opaque"
    assert TRACE in onward["traceparent"]


def test_a_context_given_to_inject_is_where_the_trace_comes_from():
    remote = SpanContext(int(TRACE, 16), int(SPAN, 16), is_remote=True, trace_flags=TraceFlags(1))
    given_context = otel_trace.set_span_in_context(NonRecordingSpan(remote), Context())
    headers = {}

    with ops.span("not this one"):
        ops.inject_context(headers, context=given_context)

    assert headers["traceparent"] == TRACEPARENT


# -- choosing a format ------------------------------------------------------------------------------


def test_an_unknown_format_is_refused_with_the_choices(monkeypatch):
    monkeypatch.setenv("MIRASCOPE_PROPAGATOR", "zipkin")
    ops.reset_propagator()

    with pytest.raises(ConfigurationError) as refused:
        ops.inject_context({})

    assert "zipkin" in str(refused.value)
    assert "MIRASCOPE_PROPAGATOR" in str(refused.value)
    assert all(name in str(refused.value) for name in FORMATS)


@pytest.mark.parametrize("written", ["B3", " b3 ", "b3\n"])
def test_a_formats_name_may_have_any_case_and_spaces_around_it(monkeypatch, written):
    monkeypatch.setenv("MIRASCOPE_PROPAGATOR", written)
    ops.reset_propagator()

    assert ops.get_propagator().format == "b3"


@pytest.mark.parametrize("written", ["", " "])
def test_an_empty_variable_is_as_good_as_none(monkeypatch, written):
    monkeypatch.setenv("MIRASCOPE_PROPAGATOR", written)
    ops.reset_propagator()

    assert ops.get_propagator().format == "tracecontext"


def test_the_variable_is_read_once_until_reset(monkeypatch):
    before = ops.get_propagator()
    monkeypatch.setenv("MIRASCOPE_PROPAGATOR", "jaeger")

    assert ops.get_propagator() is before
    ops.reset_propagator()
    assert ops.get_propagator().format == "jaeger"


def test_the_global_propagator_is_left_alone_unless_asked():
    before = propagate.get_global_textmap()

    ops.inject_context({})
    assert propagate.get_global_textmap() is before

    try:
        propagator = ops.ContextPropagator(set_global=True)
        headers = {}
        with ops.span("client"):
            propagate.inject(headers)
        assert propagate.get_global_textmap() is not before
        assert remote_in(propagator.extract_context(headers)).is_valid
    finally:
        propagate.set_global_textmap(before)


# -- the session's headers ----------------------------------------------------------------------------


def test_the_session_is_written_under_both_names():
    headers = {}

    with ops.session(id="user-session-123"):
        ops.inject_context(headers)

    assert headers == dict.fromkeys(NAMES, "user-session-123")
    assert ops.SESSION_HEADER_NAME in headers


def test_the_innermost_session_is_written():
    headers = {}

    with ops.session(id="outer"), ops.session(id="inner"):
        ops.inject_context(headers)

    assert headers[NAMES[0]] == "inner"


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    "form",
    [
        lambda name, value: {name: value},
        lambda name, value: {name.lower(): value},
        lambda name, value: {name.upper(): value},
        lambda name, value: {name: [value]},
        lambda name, value: {name: (value, "a second one")},
        lambda name, value: {name.encode(): value.encode()},
        lambda name, value: {name.lower().encode(): [value.encode()]},
        lambda name, value: {"Other": 5, 7: "number", name: value},
        lambda name, value: http.client.parse_headers(io.BytesIO(f"{name}: {value}\r\n\r\n".encode())),
    ],
)
def test_both_names_are_read_in_any_case_and_form(name, form):
    assert ops.extract_session_id(form(name, "user-1")) == "user-1"


def test_the_documented_name_wins():
    assert ops.extract_session_id({NAMES[1]: "deployed", NAMES[0]: "documented"}) == "documented"


def test_the_other_name_is_read_where_the_documented_one_makes_no_sense(lenient):
    assert ops.extract_session_id({NAMES[0]: "bad\x00id", NAMES[1]: "good"}) == "good"


@pytest.mark.parametrize("headers", [{}, {"X-Session-Id": "another header"}, {NAMES[0]: ""}, {NAMES[0]: []}])
def test_without_a_session_header_there_is_no_session(headers):
    assert ops.extract_session_id(headers) is None


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("100%", "100%"),
        ("%zz", "%zz"),
        ("%ff%fe", "%ff%fe"),
        ("a%20b", "a b"),
        ("  user-1\t", "user-1"),
        ("Zo%C3%AB", "Zoë"),
    ],
)
def test_ids_that_others_wrote_are_read_as_well_as_can_be(written, meant):
    assert ops.extract_session_id({NAMES[0]: written}) == meant


# -- every id survives HTTP ---------------------------------------------------------------------------


class _Echo(BaseHTTPRequestHandler):
    """Reads the session and the trace from a request, the way a service would."""

    protocol_version = "HTTP/1.1"

    def do_GET(self):
        with ops.propagated_context(extract_from=self.headers):
            self.server.received = (
                session_id(),
                ops.extract_session_id(dict(self.headers.items())),
                otel_trace.get_current_span().get_span_context(),
                [self.headers.get(name) for name in NAMES],
            )
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass


@pytest.fixture(scope="module")
def send():
    """Make a real request with these headers over loopback; gives what the service understood."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Echo)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    connection = http.client.HTTPConnection("127.0.0.1", server.server_port, timeout=120)
    connection.connect()
    connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def send(headers):
        server.received = None
        connection.request("GET", "/", headers=headers)
        answer = connection.getresponse()
        answer.read()
        assert answer.status == 200
        return server.received

    yield send
    connection.close()
    server.shutdown()
    thread.join()
    server.server_close()


over_http = settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)


@over_http
@given(identifier=ids)
@example("%")
@example("%41")
@example("%25")
@example(" ")
@example("   ")
@example(" a  b ")
@example("\u00a0x\u00a0")
@example("Zoë")
@example("\u2028\u2029\ufeff")
@example("😀" * 256)
@example("\U0010ffff" * 256)
@example("x" * 256)
@example('a,b;c="d"\\\'')
def test_every_id_that_a_session_takes_survives_a_real_request(send, identifier):
    headers = {}

    with ops.session(id=identifier), ops.span("client"):
        ops.inject_context(headers)
        here = otel_trace.get_current_span().get_span_context()
    current, extracted, remote, _ = send(headers)

    assert current == identifier
    assert extracted == identifier
    assert (remote.trace_id, remote.span_id) == (here.trace_id, here.span_id)


@over_http
@given(identifier=visible_ids.filter(lambda text: len(text) <= 256))
@example("user-session-123")
@example('a,b;c="d"\\\'')
def test_ids_of_visible_ascii_travel_byte_for_byte(send, identifier):
    headers = {}

    with ops.session(id=identifier):
        ops.inject_context(headers)
    *_, raw = send(headers)

    assert headers == dict.fromkeys(NAMES, identifier)
    assert raw == [identifier, identifier]


@settings(max_examples=300, deadline=None)
@given(st.text(max_size=300))
@example("\x00")
@example("\x85")
@example("\ud800")
@example("a" * 257)
@example("")
def test_an_id_is_refused_at_once_or_survives(identifier):
    try:
        session = ops.session(id=identifier)
    except SessionError:
        return
    headers = {}

    with session:
        ops.inject_context(headers)

    assert all(" " <= character <= "~" for character in headers[NAMES[0]])
    assert ops.extract_session_id(headers) == identifier


# -- what arrives from outside is not to be trusted -----------------------------------------------------

HOSTILE = [
    "bad\x00id",
    "bad\r\nSet-Cookie: x=1",
    "\x1b[31mred",
    "%00",
    "%0d%0aSet-Cookie:%20x=1",
    "%c2%85",
    "%ed%a0%80" * 100,
    "%1b",
    "x" * 257,
    "%41" * 257,
    "x" * 1_000_000,
    "%" * 1_000_000,
    "%20" * 300,
    "\ud800",
    b"\x00\x01",
    b"x" * 1_000_000,
    None,
    5,
    object(),
    {"a": 1},
    [None],
    [[]],
    [b"\x00"],
]


@pytest.mark.parametrize("value", HOSTILE, ids=lambda value: repr(value)[:20])
@pytest.mark.parametrize("name", NAMES)
def test_a_hostile_session_header_is_ignored(lenient, name, value):
    assert ops.extract_session_id({name: value}) is None
    with ops.propagated_context(extract_from={name: value}):
        assert ops.current_session() is None


@pytest.mark.parametrize("value", [b"\xff\xfe\xfd", b"caf\xe9", b"\xc3\x28"])
def test_bytes_that_are_not_utf8_never_raise_and_make_an_id_that_a_session_takes_or_none(lenient, value):
    found = ops.extract_session_id({NAMES[0]: value})

    assert found is None or ops.session(id=found).id == found


@pytest.mark.parametrize(
    "value",
    [
        "",
        "00",
        "garbage",
        "00-" + "0" * 32 + "-" + SPAN + "-01",
        "00-" + TRACE + "-" + "0" * 16 + "-01",
        "ff-" + TRACE + "-" + SPAN + "-01",
        "00-" + TRACE.upper() + "-" + SPAN + "-zz",
        "00-" + "g" * 32 + "-" + SPAN + "-01",
        TRACEPARENT + "\x00",
        "x" * 1_000_000,
        "\ud800",
        b"\xff\xfe",
        None,
        5,
        [None],
        [b"\xff"],
        object(),
        "a:b:c",
        "::::",
        "-1:-1:-1:-1",
        "1" * 5000 + ":1:0:1",
    ],
    ids=lambda value: repr(value)[:20],
)
def test_hostile_trace_headers_are_ignored_by_every_format(chosen, lenient, only, value):
    headers = dict.fromkeys(HEADERS["composite"], value)

    with ops.propagated_context(extract_from=headers), ops.span("server"):
        assert not remote_in(ops.extract_context(headers)).is_valid

    assert only("server").parent_id is None


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(
    st.dictionaries(
        st.one_of(
            st.sampled_from([*HEADERS["composite"], *NAMES, "tracestate", "baggage", "x-b3-flags"]),
            st.text(),
            st.binary(),
        ),
        st.one_of(st.text(), st.binary(), st.integers(), st.none(), st.lists(st.one_of(st.text(), st.binary()))),
    )
)
def test_no_headers_at_all_raise(chosen, lenient, headers):
    with ops.propagated_context(extract_from=headers), ops.span("server"):
        onward = {}
        ops.inject_context(onward)

    assert ops.current_session() is None


def test_a_hostile_header_is_logged_once_and_cut(lenient, caplog):
    for _ in range(3):
        ops.extract_session_id({NAMES[0]: "secret\x00" + "x" * 2000})

    (logged,) = caplog.records
    assert logged.levelname == "WARNING"
    assert NAMES[0] in logged.getMessage()
    assert len(logged.getMessage()) < 300
    assert "\x00" not in logged.getMessage()


# -- propagated_context ---------------------------------------------------------------------------------


def test_a_session_from_outside_is_current_inside_the_block_only(only):
    with ops.propagated_context(extract_from={NAMES[0]: "remote", "traceparent": TRACEPARENT}):
        inside = ops.current_session()
        with ops.span("server"):
            pass

    assert inside.id == "remote"
    assert ops.current_session() is None
    span = only("server")
    assert (span.session_id, span.trace_id, span.parent_id) == ("remote", TRACE, SPAN)


def test_a_session_from_outside_is_no_child_of_one_that_is_here():
    with ops.session(id="local"):
        with ops.propagated_context(extract_from={NAMES[0]: "remote"}):
            assert ops.current_session().parent is None
            assert session_id() == "remote"
        assert session_id() == "local"

    assert ops.get_session("remote").parent_id is None
    assert [run.parent_run_id for run in ops.get_session("remote").runs] == [None]
    assert {run.session_id for run in ops.get_session("local").runs} == {"local"}


def test_a_session_inside_the_remote_one_is_its_child():
    with ops.propagated_context(extract_from={NAMES[0]: "remote"}), ops.session(id="local") as local:
        assert local.parent.id == "remote"

    assert ops.get_session("local").parent_id == "remote"


def test_a_remote_trace_is_no_part_of_a_local_one(only):
    with ops.span("local"), ops.propagated_context(extract_from={"traceparent": TRACEPARENT}), ops.span("server"):
        pass

    assert only("server").trace_id == TRACE
    assert only("local").trace_id != TRACE


def test_headers_without_a_trace_start_one_of_their_own(only):
    with ops.span("local"), ops.propagated_context(extract_from={NAMES[0]: "remote"}), ops.span("server"):
        pass

    assert only("server").parent_id is None
    assert only("server").trace_id != only("local").trace_id


def test_a_context_carries_the_trace_and_the_session_to_a_thread(in_thread, only):
    with ops.session(id="here") as here, ops.span("local") as local:
        carried = otel_context.get_current()

        def work():
            assert ops.current_session() is None
            with ops.propagated_context(parent=carried), ops.span("in thread"):
                inside = ops.current_session()
            assert ops.current_session() is None
            return inside

        assert in_thread(work) is here

    assert (only("in thread").parent_id, only("in thread").session_id) == (local.span_id, "here")


def test_a_context_without_a_session_leaves_the_one_that_is_here():
    with ops.session(id="here"), ops.propagated_context(parent=Context()):
        assert session_id() == "here"


@pytest.mark.parametrize("arguments", [{}, {"parent": Context(), "extract_from": {}}])
def test_both_and_neither_are_refused(arguments):
    with pytest.raises(ConfigurationError, match=r"parent=.*extract_from="), ops.propagated_context(**arguments):
        pass


@pytest.mark.parametrize("how", ["headers", "context"])
@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, GeneratorExit])
def test_nothing_is_left_current_when_the_body_raises(how, error):
    with ops.session(id="elsewhere"):
        carried = otel_context.get_current()
    headers = {NAMES[0]: "elsewhere", "traceparent": TRACEPARENT}
    before = otel_context.get_current()
    given_arguments = {"extract_from": headers} if how == "headers" else {"parent": carried}

    def body():
        with ops.propagated_context(**given_arguments):
            assert session_id() == "elsewhere"
            raise error

    with pytest.raises(error):
        body()

    assert ops.current_session() is None
    assert otel_context.get_current() is before
    assert otel_trace.get_current_span() is otel_trace.INVALID_SPAN


def test_headers_that_say_nothing_leave_nothing_behind():
    before = otel_context.get_current()

    with ops.propagated_context(extract_from={}):
        assert ops.current_session() is None

    assert otel_context.get_current() is before


def test_a_session_from_outside_is_one_run_that_ends():
    with ops.propagated_context(extract_from={NAMES[0]: "remote"}), ops.span("server"):
        pass

    (run,) = ops.get_session("remote").runs
    assert run.end is not None


def test_a_request_handled_inside_a_local_session_without_a_session_header_stays_in_it():
    with ops.session(id="local"), ops.propagated_context(extract_from={"traceparent": TRACEPARENT}):
        assert session_id() == "local"


async def test_tasks_started_inside_keep_what_is_current():
    async def work():
        await asyncio.sleep(0)
        return session_id(), f"{otel_trace.get_current_span().get_span_context().trace_id:032x}"

    with ops.propagated_context(extract_from={NAMES[0]: "remote", "traceparent": TRACEPARENT}):
        task = asyncio.create_task(work())

    assert await task == ("remote", TRACE)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"extract_from": 3}, "extract_from must be a mapping of headers, got int"),
        ({"extract_from": [("X-Mirascope-Session-Id", "a")]}, r"got list: write extract_from=dict\(\.\.\.\)"),
        ({"parent": 3}, "parent must be an OpenTelemetry Context, got int"),
    ],
)
def test_what_is_no_context_and_no_headers_is_refused_and_changes_nothing(wrong, message):
    with ops.span("outer") as outer:
        with pytest.raises(ConfigurationError, match=message), ops.propagated_context(**wrong):
            pass
        assert otel_trace.get_current_span() is outer


@pytest.mark.parametrize("carrier", [None, [], "headers", 3])
def test_headers_are_written_into_a_mapping_only(carrier):
    with pytest.raises(ConfigurationError, match=f"into a mapping, got {type(carrier).__name__}"):
        ops.inject_context(carrier)
