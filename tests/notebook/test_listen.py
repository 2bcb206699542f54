"""A notebook calls a service in a process of its own: one tree over both, in the notebook's session."""

from __future__ import annotations

from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

NAMES = ("ask", "GET /answers/{number}", "look_up")
SETUP = f"""
import os, subprocess, sys, time
import httpx
from mirascope_ops import ops

def start(kind):
    service = subprocess.Popen(
        [sys.executable, {str(Path(__file__).parent / "answering_service.py")!r}, kind],
        env=os.environ | listener.environment, stdout=subprocess.PIPE, text=True,
    )
    return service, service.stdout.readline().strip()

@ops.trace
def ask(question):
    headers = {{}}
    ops.inject_context(headers)
    return httpx.get(url + "/answers/7", params={{"question": question}}, headers=headers, timeout=60).json()

def came(session, *names):
    deadline = time.monotonic() + 100
    while not {{span.name for span in ops.get_session(session).spans}}.issuperset(names):
        assert time.monotonic() < deadline, ops.spans()
        time.sleep(0.05)
"""


@pytest.fixture(scope="module")
def listening(kernel):
    for cell in ("%ops_listen", SETUP, "listener = ops.listen()"):
        reply = kernel.run(cell)
        assert reply.status == "ok", reply.traceback
    yield kernel
    kernel.run("listener.close()")


@pytest.mark.parametrize("kind", ["middleware", "plain"])
def test_a_notebook_and_a_service_that_it_calls_are_one_tree(listening, kind):
    assert listening.run(f"service, url = start({kind!r})").status == "ok"
    called = listening.run(f"%%ops_session visit-{kind}\nask('When does the harbour open?')")
    waited = listening.run(f"came('visit-{kind}', *{NAMES})\nservice.terminate()\nservice.communicate()\nNone")
    shown = listening.run(f"(trace,) = ops.get_session('visit-{kind}').traces\nprint(trace.tree())")

    assert called.result == "'When does the harbour open? At six.'"
    assert waited.status == "ok", waited.traceback
    lines = shown.stdout.splitlines()
    places = [min(at for at, line in enumerate(lines) if name in line) for name in NAMES]
    depths = [lines[at].index(name) for at, name in zip(places, NAMES, strict=True)]
    assert places == sorted(places)
    assert depths == sorted(depths)
    rows = listening.value(
        "[(s.name, s.span_id, s.parent_id, s.service, s.session_id, s.span_kind) for s in trace.spans]"
    )
    ids = {row[1] for row in rows}
    assert [row[0] for row in rows if row[2] not in ids] == ["ask"]
    assert {row[3] for row in rows if row[0] != "ask"} == {"answers"}
    assert {row[4] for row in rows} == {f"visit-{kind}"}
    assert "server" in {row[5] for row in rows if row[0].startswith("GET")}
    masked = listening.value("[s.attributes['api_key'] for s in trace.spans if 'api_key' in s.attributes]")
    assert masked == (["[masked]"] if kind == "plain" else [])


def test_a_service_that_only_keeps_the_header_joins_the_session_without_a_trace(listening):
    variable = "OTEL_INSTRUMENTATION_HTTP_CAPTURE_HEADERS_SERVER_REQUEST"
    listening.run(f"os.environ['{variable}'] = 'X-Mirascope-Session-Id'\nservice, url = start('plain')")
    listening.run("ask = ask.__wrapped__")  # which traces nothing
    called = listening.run("%%ops_session by-header -q\nask('When does the ferry leave?')")
    waited = listening.run("came('by-header', 'look_up')\nservice.terminate()\nservice.communicate()\nNone")

    assert called.result == "'When does the ferry leave? At six.'"
    assert waited.status == "ok", waited.traceback
    services = listening.value("{s.service for s in ops.get_session('by-header').spans}")
    assert services == {"answers"}


def test_spans_come_in_while_a_cell_blocks_the_kernel(listening):
    program = """
import sys, httpx
sys.path.insert(0, sys.argv[3])
from made_requests import protobuf
headers = {"Authorization": "Bearer " + sys.argv[2], "Content-Type": "application/x-protobuf"}
print(httpx.post(sys.argv[1], content=protobuf(5, session__id="meanwhile"), headers=headers, timeout=60).status_code)
"""
    here = str(Path(__file__).parents[1] / "receiver")
    cell = f"""
sender = subprocess.Popen(
    [sys.executable, "-c", {program!r}, listener.endpoint, listener.token, {here!r}], stdout=subprocess.PIPE, text=True
)
while sender.poll() is None:  # the kernel's loop does not run, and much of the time none of its other threads
    sum(range(100_000))
print(sender.communicate()[0], len(ops.get_session("meanwhile").spans))
"""

    reply = listening.run(cell)

    assert reply.stdout.split() == ["200", "5"], reply.traceback


def test_the_magic_tells_how_to_send_and_keeps_the_token_out_of_the_notebook(listening):
    token = listening.value("listener.token")

    shown = listening.run("%ops_listen")

    assert "takes spans of other processes" in shown.result
    assert "listener" in shown.result
    assert token not in str(shown.outputs)
    assert listening.value("ops.listen() is listener") is True


def test_the_magic_starts_shows_and_stops(kernel):
    kernel.run("ops.listen().close()")

    started = kernel.run("told = %ops_listen --port 0\ntold.closed")
    stopped = kernel.run("%ops_listen stop")
    again = kernel.run("%ops_listen stop")

    assert started.result == "False"
    assert "closed" in stopped.result
    assert again.content["ename"] == "UsageError"
    assert "No listener runs" in again.content["evalue"]
    assert kernel.value("told.closed") is True


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("%ops_listen --port many", "--port takes a number from 0 to 65535"),
        ("%ops_listen --port 70000", "--port takes a number from 0 to 65535"),
        ("%ops_listen begin", "invalid choice"),
        ("%ops_listen --prt", "did you mean --port?"),
    ],
)
def test_a_bad_option_says_what_is_meant(kernel, line, message):
    reply = kernel.run(line)

    assert reply.content["ename"] == "UsageError"
    assert message in reply.content["evalue"]
