"""A listener on this machine: what it takes, what it refuses and how it says so, and that it ends."""

from __future__ import annotations

import contextlib
import gc
import gzip
import json
import os
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import httpx
import pytest
import requests
from google.rpc.status_pb2 import Status
from made_requests import TRACE, attributes, protobuf, request
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

from mirascope_ops import ConfigurationError, StoreError, ops
from mirascope_ops.receiver import exchange, listening, server
from mirascope_ops.store.memory import MemoryStore
from mirascope_ops.store.recorder import Recorder, replaced


def names(spans):
    return sorted(span.name for span in spans)


# -- what it takes --------------------------------------------------------------------------------------------------


def test_spans_in_protobuf_are_in_the_store_when_they_are_acknowledged(post, recorded):
    answer = post(protobuf(3))

    assert (answer.status_code, answer.content) == (200, b"")
    assert answer.headers["Content-Type"] == "application/x-protobuf"
    assert names(recorded()) == ["span 1", "span 2", "span 3"]


def test_spans_in_json_are_answered_in_json(post, recorded):
    answer = post(request({"attributes": attributes(session__id="user-1")}))

    assert (answer.status_code, answer.json()) == (200, {})
    assert answer.headers["Content-Type"] == "application/json"
    assert names(ops.get_session("user-1").spans) == ["answer"]


def test_a_body_in_chunks_and_compressed_is_taken(post, listener, recorded):
    data = gzip.compress(protobuf(500))
    pieces = (data[at : at + 100] for at in range(0, len(data), 100))

    answer = httpx.post(
        listener.endpoint,
        content=pieces,
        headers={**listener.headers, "Content-Type": "application/x-protobuf", "Content-Encoding": "gzip"},
    )

    assert answer.status_code == 200
    assert len(recorded()) == 500
    assert listener.stats().waiting_bytes == 0


def test_the_same_spans_once_more_are_the_same_spans(post, recorded):
    post(protobuf(3))
    post(protobuf(3))

    assert len(recorded()) == 3


def test_a_span_that_is_none_is_told_and_the_others_are_taken(post, recorded, listener):
    good_and_bad = request({}, {"traceId": "00"}, {"spanId": ""})

    answer = post(good_and_bad)

    assert answer.status_code == 200
    told = answer.json()["partialSuccess"]
    assert told["rejectedSpans"] == "2"
    assert told["errorMessage"].startswith("2 of 3 spans were left out")
    assert len(recorded()) == 1
    assert (listener.stats().received, listener.stats().rejected) == (1, 2)


def test_a_partial_success_in_protobuf_is_one_for_those_who_know_the_message(post, recorded):
    body = protobuf(2).replace(bytes.fromhex(TRACE), bytes(16), 1)

    told = ExportTraceServiceResponse.FromString(post(body).content).partial_success

    assert told.rejected_spans == 1
    assert "not all zero" in told.error_message


def test_it_answers_while_this_thread_computes(listener, recorded):
    """A cell that runs holds the kernel's loop, and not the listener's."""
    program = (
        "import sys, httpx; headers = {'Authorization': sys.argv[2]}; "
        "answer = httpx.post(sys.argv[1], json={}, headers=headers, timeout=60); "
        "print(answer.status_code)"
    )
    asking = subprocess.Popen(
        [sys.executable, "-c", program, listener.endpoint, listener.headers["Authorization"]], stdout=subprocess.PIPE
    )
    while asking.poll() is None:
        sum(range(10_000))

    assert asking.communicate()[0] == b"200\n"


def test_what_was_acknowledged_is_in_the_file_for_other_processes(run_python, tmp_path):
    printed = run_python(
        """
        import os, signal, sys, httpx
        from mirascope_ops import ops
        sys.path.insert(0, os.environ["MADE"])
        from made_requests import protobuf

        listener = ops.listen()
        headers = {**listener.headers, "Content-Type": "application/x-protobuf"}
        print(httpx.post(listener.endpoint, content=protobuf(100), headers=headers, timeout=60).status_code, flush=True)
        os.kill(os.getpid(), signal.SIGKILL)
        """,
        ends_with=-9,
        MADE=str(Path(__file__).parent),
    )

    assert printed == "200\n"
    assert run_python("from mirascope_ops import ops; print(len(ops.spans()))") == "100\n"


# -- what it refuses ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "header", ["", "Bearer", "Bearer wrong", "Basic {token}", "{token}", "Bearer {token}x", "Bearer é"]
)
def test_who_does_not_know_the_token_is_refused(listener, recorded, header):
    given = header.format(token=listener.token).encode()
    headers = [(b"Content-Type", b"application/json")]
    headers += [(b"Authorization", given)] if given else []

    answer = httpx.post(listener.endpoint, content=json.dumps(request({})), headers=headers)

    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"] == "Bearer"
    assert "listener.headers" in answer.json()["message"]
    assert len(recorded()) == 0


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER"])
def test_the_schemes_name_may_be_in_any_case(listener, scheme):
    answer = httpx.post(listener.endpoint, json={}, headers={"Authorization": f"{scheme} {listener.token}"})

    assert answer.status_code == 200


@pytest.mark.parametrize(
    "host", ["attacker.example", "attacker.example:80", "127.0.0.1.attacker.example", "10.0.0.1", ""]
)
def test_a_request_to_another_name_is_refused_as_a_browser_may_have_been_lured(post, recorded, host):
    assert post(request({}), Host=host).status_code == 403
    assert len(recorded()) == 0


@pytest.mark.parametrize(
    "host", ["localhost", "localhost:4318", "LOCALHOST.", "127.0.0.1", "[::1]:4318", "otel.localhost"]
)
def test_this_machine_has_several_names(post, host):
    assert post({}, Host=host).status_code == 200


@pytest.mark.parametrize(
    ("path", "told"),
    [
        ("/v1/metrics", "set OTEL_METRICS_EXPORTER=none"),
        ("/v1/logs", "set OTEL_LOGS_EXPORTER=none"),
        ("/v1development/profiles", "no profiles"),
        ("/", "spans are sent to /v1/traces"),
        ("/v1/traces/", "spans are sent to /v1/traces"),
        ("/v1/traces/v1/traces", "spans are sent to /v1/traces"),
    ],
)
def test_what_is_sent_to_another_path_is_refused_for_good_and_told_where_to(post, path, told):
    answer = post({}, path)

    assert answer.status_code == 404
    assert told in answer.json()["message"]
    assert answer.reason_phrase not in ("", "Not Found")  # all that Python's exporter logs


def test_a_query_is_no_other_path(post):
    assert post({}, "/v1/traces?tenant=7").status_code == 200


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "OPTIONS", "HEAD"])
def test_other_methods_are_refused_and_no_browser_is_told_that_it_may(listener, method):
    answer = httpx.request(method, listener.endpoint, headers={**listener.headers, "Origin": "http://localhost:3000"})

    assert (answer.status_code, answer.headers["Allow"]) == (405, "POST")
    assert not [name for name in answer.headers if name.startswith("access-control")]


@pytest.mark.parametrize(
    ("headers", "told"),
    [
        ({"Content-Type": "text/plain"}, "application/x-protobuf or application/json"),
        ({"Content-Type": "application/grpc"}, "application/x-protobuf or application/json"),
        ({"Content-Encoding": "zstd"}, "gzip or deflate, got 'zstd'"),
    ],
)
def test_other_contents_are_refused(post, headers, told):
    answer = post(protobuf(), **{name.replace("-", "_"): value for name, value in headers.items()})

    assert answer.status_code == 415
    told_by = answer.json if answer.headers["Content-Type"] == "application/json" else None
    message = told_by()["message"] if told_by else Status.FromString(answer.content).message
    assert told in message


def test_a_bad_body_is_refused_in_its_own_encoding(post, listener):
    text = post(b"{", Content_Type="application/json; charset=utf-8")
    binary = post(b"no protobuf")

    assert (text.status_code, binary.status_code) == (400, 400)
    assert "cannot be read as OTLP" in text.json()["message"]
    assert "no OTLP message in protobuf" in Status.FromString(binary.content).message
    assert listener.stats().bad == 2


def test_a_body_that_is_too_large_is_refused_and_the_connection_lives_on(post, monkeypatch, listener):
    monkeypatch.setattr(exchange, "MAX_BODY", 1000)
    monkeypatch.setattr(exchange, "_MOST_READ", 100_000)

    answer = post(b"x" * 50_000)

    assert answer.status_code == 413
    assert "more than 1,000 bytes" in Status.FromString(answer.content).message
    assert answer.headers.get("Connection") != "close"
    assert post({}).status_code == 200
    assert listener.stats().waiting_bytes == 0


def test_a_body_in_chunks_that_is_too_large_is_refused(listener, monkeypatch):
    monkeypatch.setattr(exchange, "MAX_BODY", 1000)
    headers = {**listener.headers, "Content-Type": "application/x-protobuf"}

    answer = httpx.post(listener.endpoint, content=(b"x" * 100 for _ in range(100)), headers=headers)

    assert answer.status_code == 413
    assert listener.stats().waiting_bytes == 0


def test_a_body_without_end_is_not_read_to_its_end(listener, monkeypatch):
    monkeypatch.setattr(exchange, "MAX_BODY", 1000)
    monkeypatch.setattr(exchange, "_MOST_READ", 10_000)

    with socket.create_connection((listener.host, listener.port), timeout=60) as connection:
        connection.sendall(
            f"POST /v1/traces HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {listener.token}\r\n"
            "Content-Type: application/json\r\nContent-Length: 1000000000000\r\n\r\n".encode()
        )
        answered = connection.recv(65536)

    assert answered.startswith(b"HTTP/1.1 413 ")


@pytest.mark.parametrize(
    "sent",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"GET\r\n\r\n",
        b"\r\n\r\n\r\n",
        b"POST / HTTP/1.1\r\n" + b"a" * 100_000,
        b"POST /v1/traces HTTP/1.1\r\nHost: localhost\r\nContent-Length: x\r\n\r\n",
        b"POST /v1/traces HTTP/1.1\r\nHost: localhost\r\nContent-Length: -5\r\n\r\n",
        b"POST /v1/traces HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n12345",
        b"POST /v1/traces HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n",
        b"POST /v1/traces HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\nhang up",
    ],
)  # fmt: skip
def test_what_is_no_http_harms_nobody(listener, post, sent):
    address = (listener.host, listener.port)
    with contextlib.suppress(OSError), socket.create_connection(address, timeout=60) as connection:
        connection.sendall(sent)
        connection.shutdown(socket.SHUT_WR)
        while connection.recv(65536):
            pass

    assert post({}).status_code == 200
    assert listener.stats().waiting_bytes == 0


def test_too_many_connections_are_sent_away(listener, monkeypatch, until):
    monkeypatch.setattr(server, "_MOST_CONNECTIONS", 20)
    held = [socket.create_connection((listener.host, listener.port)) for _ in range(20)]
    until(lambda: len(listener._server._open) == 20)

    answer = httpx.post(listener.endpoint, json={}, headers=listener.headers)
    for connection in held:
        connection.close()
    until(lambda: len(listener._server._open) == 0)

    assert answer.status_code == 503
    assert int(answer.headers["Retry-After"]) > 0
    assert httpx.post(listener.endpoint, json={}, headers=listener.headers).status_code == 200


def begun(listener, length):
    """A connection on which a body of so many bytes was announced, and nothing of it was sent."""
    connection = socket.create_connection((listener.host, listener.port), timeout=60)
    connection.sendall(
        f"POST /v1/traces HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {listener.token}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {length}\r\n\r\n".encode()
    )
    return connection


def test_a_sender_that_was_stopped_keeps_no_room_from_others(listener, post, monkeypatch, until):
    monkeypatch.setattr(exchange, "_LOOK_SECONDS", 0.1)

    with begun(listener, 60_000_000):
        until(lambda: listener.stats().waiting_bytes == 60_000_000)
        until(lambda: listener.stats().waiting_bytes == 0)

        assert post(request({})).status_code == 200


def test_a_sender_that_goes_on_after_all_is_served(listener, monkeypatch, until, recorded):
    monkeypatch.setattr(exchange, "_LOOK_SECONDS", 0.1)
    body = json.dumps(request({"name": "late"})).encode()

    with begun(listener, len(body)) as connection:
        connection.sendall(body[:10])
        until(lambda: listener.stats().waiting_bytes == len(body))
        until(lambda: listener.stats().waiting_bytes == 10)
        connection.sendall(body[10:])
        answered = connection.recv(65536)

    assert answered.startswith(b"HTTP/1.1 200 ")
    assert [span.name for span in recorded()] == ["late"]
    assert listener.stats().waiting_bytes == 0


def test_who_was_sent_away_because_of_a_large_body_comes_in_as_soon_as_that_is_stored(listener, post, until):
    large = json.dumps(request({"attributes": attributes(text="x" * 5_000_000)})).encode()

    with begun(listener, len(large)) as connection:
        until(lambda: listener.stats().waiting_bytes == len(large))
        before = post(request({"spanId": "f" * 16}))
        connection.sendall(large)
        answered = connection.recv(65536)
    after = post(request({"spanId": "f" * 16}))

    assert answered.startswith(b"HTTP/1.1 200 ")
    assert (before.status_code, after.status_code) == (503, 200)
    assert int(before.headers["Retry-After"]) < 10


# -- when more comes than can be stored -----------------------------------------------------------------------------


class Store(MemoryStore):
    """A store that takes long, or fails, as it is told."""

    def __init__(self):
        super().__init__()
        self.go = threading.Event()
        self.go.set()
        self.entered = threading.Event()
        self.error = None

    def write(self, spans, runs=(), annotations=()):
        self.entered.set()
        assert self.go.wait(60)
        if self.error is not None:
            raise self.error
        super().write(spans, runs, annotations)


@pytest.fixture
def store(recorded):
    made = Store()
    with replaced(Recorder(made)):
        yield made
        made.go.set()


def test_a_store_that_fails_is_told_and_the_exporter_is_to_come_again(store, listener, post, logged):
    store.error = StoreError("no space left")

    failed = post(protobuf(3))
    store.error = None
    again = post(protobuf(3))

    assert failed.status_code == 503
    assert int(failed.headers["Retry-After"]) == 5
    assert "no space left" in Status.FromString(failed.content).message
    assert (again.status_code, listener.stats().received, listener.stats().refused) == (200, 3, 1)
    assert sum("no space left" in message for message in logged()) == 1


def test_one_body_that_cannot_be_stored_costs_no_other_body(store, listener, post, until, monkeypatch):
    monkeypatch.setattr(listening.recorder.guard, "_strict", False)  # in a program, faults of ours are logged
    real = store.write

    def write(spans, runs=(), annotations=()):
        if any(span.name == "span 7" for span in spans):
            raise RuntimeError("odd")
        real(spans, runs, annotations)

    store.go.clear()
    answers = {}
    senders = [
        threading.Thread(target=lambda n=n: answers.__setitem__(n, post(protobuf(1, first=n)).status_code))
        for n in range(1, 9)
    ]
    for number, sender in enumerate(senders):
        sender.start()
        until(store.entered.is_set)  # the first one is being written, the others wait
        until(lambda number=number: len(listener._server.intake) >= number)
    store.write = write
    store.go.set()
    for sender in senders:
        sender.join()

    assert answers.pop(7) == 400
    assert set(answers.values()) == {200}
    assert len(ops.spans()) == 7


def test_where_no_more_can_wait_exporters_are_told_when_to_come_again(store, listener, recorded, until):
    store.go.clear()
    listener._server.turns.measured(1, 1000.0)  # it takes long, says the past
    headers = {**listener.headers, "Content-Type": "application/x-protobuf"}
    answers = []

    def send(number):
        with httpx.Client(timeout=60) as client:
            answers.append(client.post(listener.endpoint, content=protobuf(50, first=number * 50 + 1), headers=headers))

    senders = [threading.Thread(target=send, args=(number,)) for number in range(6)]
    senders[0].start()
    until(lambda: listener._server.turns.waiting > 0)
    for sender in senders[1:]:
        sender.start()
    until(lambda: len(answers) == 5)
    busy = list(answers)
    store.go.set()
    for sender in senders:
        sender.join()

    assert {answer.status_code for answer in busy} == {503}
    assert all(int(answer.headers["Retry-After"]) >= 1 for answer in busy)
    assert answers[-1].status_code == 200
    assert listener.stats().refused == 5
    assert listener.stats().waiting_bytes == 0


def test_who_waits_too_long_is_answered_before_it_gives_up(store, listener, post, until, monkeypatch):
    monkeypatch.setattr(server, "_PATIENCE", 0.3)
    store.go.clear()

    late = post(protobuf(3))
    monkeypatch.setattr(server, "_PATIENCE", 60.0)
    store.go.set()

    assert late.status_code == 503
    assert int(late.headers["Retry-After"]) >= 1
    assert post(protobuf(3)).status_code == 200
    assert len(ops.spans()) == 3
    until(lambda: listener.stats().waiting_bytes == 0)


def test_who_hangs_up_costs_nothing(store, listener, until):
    store.go.clear()
    body = protobuf(3)
    head = (
        f"POST /v1/traces HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {listener.token}\r\n"
        f"Content-Type: application/x-protobuf\r\nContent-Length: {len(body)}\r\n\r\n"
    ).encode()
    for sent in (head, head + body[:10], head + body):
        with socket.create_connection((listener.host, listener.port)) as connection:
            connection.sendall(sent)
            until(lambda: listener._server.turns.waiting > 0)
        if sent is not head + body:
            until(lambda: not listener._server._open)
    store.go.set()

    until(lambda: listener.stats().waiting_bytes == 0)
    until(lambda: listener.stats().received == 3)


def test_a_copy_of_what_this_store_recorded_itself_does_not_take_its_place(listener, post):
    """A service on this machine may write the same file, and send its spans as well."""
    with ops.session(id="user-1") as session, ops.span("ours") as ours:
        pass
    copy = {
        "traceId": ours.trace_id,
        "spanId": ours.span_id,
        "name": "ours",
        "attributes": attributes(session__id="user-1"),
    }
    body = request(copy, {"traceId": ours.trace_id, "name": "another"})
    body["resourceSpans"][0]["scopeSpans"][0]["scope"] = {"name": "mirascope_ops"}

    answer = post(body)

    assert answer.json() == {}
    kept = {span.name: span.run_id for span in ops.get_trace(ours.trace_id).spans}
    assert kept["ours"] == session.run_id
    assert set(kept) == {"ours", "another"}


def test_a_store_that_takes_the_place_of_another_is_written(recorded, listener, post):
    post(protobuf(1))

    with replaced(Recorder(MemoryStore())):
        post(protobuf(1, first=2))
        later = names(ops.spans())

    assert later == ["span 2"]
    assert names(recorded()) == ["span 1"]


def test_where_recording_is_switched_off_meanwhile_nothing_is_acknowledged(listener, post, logged):
    with replaced(Recorder(MemoryStore(), recording=False)):
        assert post(protobuf(1)).status_code == 503


# -- one listener ---------------------------------------------------------------------------------------------------


def test_called_again_it_is_the_same(listener):
    assert ops.listen() is listener
    assert ops.listen(port=listener.port, token=listener.token) is listener


@pytest.mark.parametrize("other", [{"port": 1}, {"host": "::1"}, {"token": "x" * 16}])
def test_called_for_another_one_it_says_what_to_do(listener, other):
    with pytest.raises(ConfigurationError, match=r"runs at http://127.0.0.1:\d+ already.*ops.listen\(\).close\(\)"):
        ops.listen(**other)


def test_closed_it_can_be_made_anew_on_the_same_port(recorded):
    first = ops.listen()
    first.close()
    first.close()

    with ops.listen(port=first.port) as second:
        assert second is not first
        assert second.token != first.token
        assert (first.closed, second.closed) == (True, False)
        assert httpx.post(second.endpoint, json={}, headers=second.headers).status_code == 200
    with pytest.raises(httpx.ConnectError):
        httpx.post(second.endpoint, json={})


def test_closing_leaves_no_thread_and_no_socket(recorded, until):
    def state():
        return threading.active_count(), len(list(Path("/proc/self/fd").iterdir()))

    with ops.listen() as listener:
        httpx.post(listener.endpoint, json={}, headers=listener.headers)
    gc.collect()  # what other tests have left
    before = state()
    for _ in range(5):
        with ops.listen() as listener, httpx.Client() as client:
            client.post(listener.endpoint, content=protobuf(), headers=listener.headers)
            client.post(listener.endpoint, json={}, headers=listener.headers)

    until(lambda: all(now <= earlier for now, earlier in zip(state(), before, strict=True)))


def test_what_waits_when_it_is_closed_is_stored_and_acknowledged(store, listener, post, until, monkeypatch):
    monkeypatch.setattr(server, "_DRAIN_SECONDS", 60.0)
    store.go.clear()
    answers = []
    sender = threading.Thread(target=lambda: answers.append(post(protobuf(3)).status_code))
    sender.start()
    until(store.entered.is_set)  # its body has come whole
    closing = threading.Thread(target=listener.close)
    closing.start()
    until(lambda: listener.closed)
    store.go.set()
    closing.join()
    sender.join()

    assert answers == [200]
    assert len(ops.spans()) == 3


def test_closing_does_not_wait_for_ever_for_a_store(store, listener, post, until, monkeypatch):
    monkeypatch.setattr(server, "_DRAIN_SECONDS", 0.2)
    store.go.clear()
    failed = []

    def send():
        try:
            post(protobuf(3))
        except httpx.TransportError as error:
            failed.append(error)

    sender = threading.Thread(target=send)
    sender.start()
    until(store.entered.is_set)
    listener.close()
    sender.join()
    store.go.set()
    until(lambda: not listener._server.intake._thread.is_alive())

    assert len(failed) == 1  # so that the exporter sends it again, to whoever listens then
    assert len(ops.spans()) == 3


def test_a_program_ends_with_its_listener_open(run_python):
    assert run_python("from mirascope_ops import ops; print(ops.listen().closed)") == "False\n"


def test_the_child_of_a_fork_has_no_listener_and_holds_no_port(run_python):
    printed = run_python(
        """
        import os, time, warnings, httpx
        from mirascope_ops import ops

        warnings.simplefilter("ignore", DeprecationWarning)
        parent = ops.listen()
        client = httpx.Client()
        client.post(parent.endpoint, json={}, headers=parent.headers)
        read, write = os.pipe()
        child = os.fork()
        if not child:
            os.read(read, 1)  # the parent has closed
            with ops.listen(port=parent.port) as own:
                print(parent.closed, own.closed, httpx.post(own.endpoint, json={}, headers=own.headers).status_code)
            client.close()
            os.sys.stdout.flush()
            os._exit(0)
        print(client.post(parent.endpoint, json={}, headers=parent.headers).status_code, flush=True)
        client.close()
        parent.close()
        os.write(write, b"x")
        os.waitpid(child, 0)
        """
    )

    assert printed == "200\nTrue False 200\n"


@pytest.mark.parametrize("port", [-1, 65536, "4318", None, True])
def test_a_port_that_is_none_is_refused(port):
    with pytest.raises(ConfigurationError, match="is no port"):
        ops.listen(port=port)


@pytest.mark.parametrize(
    "token", ["", "short", "with space in it", "ünicode-ünicode-ünicode", "x" * 513, "line\nfeed" * 3]
)
def test_a_token_that_no_header_can_carry_or_that_is_short_is_refused(token):
    with pytest.raises(ConfigurationError, match="16 to 512 visible ASCII characters"):
        ops.listen(token=token)


def test_a_port_that_is_taken_is_told(recorded):
    with (
        socket.create_server(("127.0.0.1", 0)) as taken,
        pytest.raises(ConfigurationError, match="port=0 takes a free one"),
    ):
        ops.listen(port=taken.getsockname()[1])
    ops.listen().close()


def test_an_address_that_is_not_there_is_told(recorded):
    with pytest.raises(ConfigurationError, match=r"cannot use port 0 of 'no.such.host.invalid'"):
        ops.listen(host="no.such.host.invalid")


def test_where_nothing_is_recorded_it_does_not_listen():
    with replaced(Recorder(MemoryStore(), recording=False)), pytest.raises(StoreError, match="switched off"):
        ops.listen()


@pytest.mark.parametrize("package", ["tornado", "opentelemetry.proto"])
def test_a_missing_package_is_named_with_what_installs_it(monkeypatch, package):
    monkeypatch.setitem(sys.modules, package, None)

    with pytest.raises(ImportError, match=r'pip install "mirascope_ops\[receiver\]"'):
        ops.listen()


# -- what it shows --------------------------------------------------------------------------------------------------


def test_no_output_of_it_has_the_token(listener, post):
    post(protobuf(2))

    shown = [repr(listener), str(listener), *map(str, listener._repr_mimebundle_().values())]

    assert listener.url in shown[0]
    assert "2 received" in shown[0]
    assert "listener.environment" in shown[0]
    assert not [text for text in shown if listener.token in text]


def test_its_addresses_are_those_that_exporters_take(recorded):
    with ops.listen(token="a-token+with/odd=chars%") as listener:
        environment = listener.environment

    assert listener.endpoint == f"http://127.0.0.1:{listener.port}/v1/traces"
    assert environment["OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"] == listener.endpoint
    assert environment["OTEL_EXPORTER_OTLP_TRACES_HEADERS"] == "Authorization=Bearer%20a-token%2Bwith%2Fodd%3Dchars%25"
    assert all(isinstance(value, str) for value in environment.values())


def test_a_process_behind_a_proxy_sends_here_directly(listener, monkeypatch):
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("NO_PROXY", "intranet.example")
    for name, value in listener.environment.items():
        monkeypatch.setenv(name, value)

    assert os.environ["NO_PROXY"] == os.environ["no_proxy"] == "intranet.example,127.0.0.1"
    assert requests.post(listener.endpoint, json={}, headers=listener.headers, timeout=60).status_code == 200


def test_it_listens_on_ipv6_too(recorded):
    with ops.listen(host="::1") as listener:
        assert listener.url == f"http://[::1]:{listener.port}"
        assert httpx.post(listener.endpoint, json={}, headers=listener.headers).status_code == 200


def test_where_others_can_reach_it_that_is_told_and_they_name_it_as_they_know_it(recorded):
    with ops.listen(host="0.0.0.0") as listener:
        answer = httpx.post(
            f"http://127.0.0.1:{listener.port}/v1/traces",
            json={},
            headers={**listener.headers, "Host": "docker.internal"},
        )

        assert "OTHER MACHINES" in repr(listener)
        assert answer.status_code == 200


def test_many_requests_at_once_are_all_stored(recorded, listener):
    headers = {**listener.headers, "Content-Type": "application/x-protobuf"}

    def send(number):
        with httpx.Client(timeout=60) as client:
            for part in range(10):
                body = protobuf(20, first=number * 1000 + part * 20 + 1)
                while (answer := client.post(listener.endpoint, content=body, headers=headers)).status_code == 503:
                    time.sleep(int(answer.headers["Retry-After"]))  # on a busy machine there may be no room
                assert answer.status_code == 200

    senders = [threading.Thread(target=send, args=(number,)) for number in range(16)]
    for sender in senders:
        sender.start()
    for sender in senders:
        sender.join()

    assert len(recorded()) == 16 * 200
    assert listener.stats().received == 16 * 200
