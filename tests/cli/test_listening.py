"""`listen`: a receiver in a process of its own, real requests, and its end."""

from __future__ import annotations

import json
import os
import re
import shlex
import signal
import stat
import subprocess
import sys
from contextlib import contextmanager, suppress
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest
from cli_samples import trace
from sample_records import T0

from mirascope_ops.store import otlp_file
from mirascope_ops.store.otlp import Exported
from mirascope_ops.store.records import SpanQuery
from mirascope_ops.store.sqlite import SqliteStore


@pytest.fixture
def listening(environment, tmp_path):
    """Run `listen` on a free port; gives the process, and the lines that it printed on standard output."""

    @contextmanager
    def run(*options, lines=4):
        command = [sys.executable, "-m", "mirascope_ops", "--store", tmp_path / "in.db", "listen", "--port", "0"]
        with subprocess.Popen(
            [*command, *options], env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        ) as running:
            try:
                yield running, [running.stdout.readline() for _ in range(lines)]
            finally:
                running.kill()

    return run


def variables(lines):
    return dict(shlex.split(line.removeprefix("export "))[0].split("=", 1) for line in lines)


def send(endpoint, token):
    [(_, body)] = otlp_file.encoded(map(Exported, trace("d1", "sent", T0, session_id="far")), format="json")
    headers = {"Content-Type": "application/json", "Authorization": f"Bearer {token}"}
    with urlopen(Request(endpoint, body, headers), timeout=60) as answer:
        return answer.status


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_spans_that_are_sent_are_in_the_store_and_it_ends_well(listening, tmp_path, number):
    with listening() as (running, lines):
        told = variables(lines)
        endpoint = told["OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"]
        token = told["OTEL_EXPORTER_OTLP_TRACES_HEADERS"].removeprefix("Authorization=Bearer%20")
        status = send(endpoint, token)
        running.send_signal(number)
        out, err = running.communicate()

    assert (status, running.returncode, out) == (200, 0, "")
    first, last = err.splitlines()
    assert first == f"Taking spans at {endpoint} into {tmp_path / 'in.db'}. Stop with Ctrl-C."
    assert last == "2 spans received"
    kept = SqliteStore(tmp_path / "in.db")
    assert {span.session_id for span in kept.spans(SpanQuery())} == {"far"}
    kept.close()


def test_it_ends_well_also_where_it_is_stopped_as_soon_as_it_has_told_its_address(environment, tmp_path):
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    with suppress(BlockingIOError):
        while True:
            os.write(writer, b".")  # until there is no room for what it says next, so that it waits there
    os.set_blocking(writer, True)
    command = [sys.executable, "-m", "mirascope_ops", "--store", tmp_path / "in.db", "listen", "--port", "0"]
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=writer, text=True) as running:
        os.close(writer)
        for _ in range(4):
            running.stdout.readline()
        running.send_signal(signal.SIGINT)
        with os.fdopen(reader, encoding="utf-8") as said:
            last = said.read().splitlines()[-1]

    assert (running.returncode, last) == (0, "0 spans received")


def test_a_program_with_these_variables_sends_its_spans_there(listening, environment, tmp_path):
    program = """
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor

        provider = TracerProvider()
        provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
        with provider.get_tracer("elsewhere").start_as_current_span("far away"):
            pass
        provider.shutdown()
        """
    with listening() as (running, lines):
        subprocess.run(
            [sys.executable, "-c", re.sub("(?m)^ {8}", "", program)],
            env={**environment, **variables(lines)},
            check=True,
        )
        running.send_signal(signal.SIGINT)
        running.communicate()

    kept = SqliteStore(tmp_path / "in.db")
    assert [span.name for span in kept.spans(SpanQuery())] == ["far away"]
    kept.close()


def test_a_token_of_a_file_is_made_once_for_the_owner_alone(listening, tmp_path):
    path = tmp_path / "token"

    for _ in range(2):
        with listening("--json", "--token-file", path, lines=1) as (running, [line]):
            told = json.loads(line)
            token = path.read_text().strip()
            assert told["headers"] == {"Authorization": f"Bearer {token}"}
            assert send(told["endpoint"], token) == 200
            with pytest.raises(HTTPError, match="401"):
                send(told["endpoint"], "another token than that")
            running.send_signal(signal.SIGINT)
            _, err = running.communicate()
            assert err.splitlines()[-1] == "2 spans received, 1 request refused"

    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_port_in_use_is_a_failure_that_says_so(listening, process):
    with listening() as (_, lines):
        port = re.search(r":(\d+)/", lines[0])[1]

        done = process("listen", "--port", port)

    assert done.code == 1
    assert f"127.0.0.1, port {port}: Address already in use. Try another one, such as --port 0." in done.err


def test_an_empty_token_is_a_failure_and_one_that_others_read_is_told(cli, tmp_path):
    (tmp_path / "token").write_text("")
    (tmp_path / "token").chmod(0o644)

    done = cli("listen", "--port", "0", "--token-file", tmp_path / "token")

    assert done.code == 1
    assert "token is empty" in done.err
    assert "OTHERS ON THIS MACHINE CAN READ" in done.err
