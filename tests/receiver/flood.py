"""A listener in a process of its own, and OpenTelemetry's exporters in others that flood it.

    flood.py serve STORE [--pace SPANS_A_SECOND]    a listener; commands on stdin, an answer in JSON for each
    flood.py null                                   a server that reads and says yes, to compare with
    flood.py send URL TOKEN --batches N             as fast as it goes, from one exporter
    flood.py overload URL TOKEN --rate N --seconds S --exporters K

What is sent is made before the time is taken. `--pace` makes the store no faster than that, so that it can be
overloaded by exporters in Python, which take as long for a span as we do.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import logging
import os
import resource
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from types import TracebackType

BATCH = 512
MESSAGES = '[{"role":"user","parts":[{"type":"text","content":"What is the weather like there right now?"}]}]'


class Process:
    """One of the above, started; answers questions if it is one that does."""

    def __init__(self, *arguments: object, **environment: str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, __file__, *map(str, arguments)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, **environment},
        )

    def answer(self) -> Any:
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"it has ended: {self._process.wait()}")
        return json.loads(line)

    def ask(self, command: str) -> Any:
        self._process.stdin.write(f"{command}\n")
        self._process.stdin.flush()
        return self.answer()

    def go(self) -> None:
        """Let it begin with what it is to do."""
        self._process.stdin.write("\n")
        self._process.stdin.flush()

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.close()
        try:
            self._process.wait(60)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process.stdout.close()


# -- the receiver ---------------------------------------------------------------------------------------------------


def serve(store, pace):
    from mirascope_ops import ops
    from mirascope_ops.store.recorder import Recorder

    written = Recorder.write_records

    def slowly(self, spans, *more):
        begun = time.monotonic()
        written(self, spans, *more)
        if at["pace"]:
            time.sleep(max(0.0, len(spans) / at["pace"] - (time.monotonic() - begun)))

    at = {"pace": pace}
    Recorder.write_records = slowly
    ops.configure(store=store)
    listener = ops.listen()
    turns = listener._server.turns
    most = {"seconds": 0.0, "bytes": 0}

    def watch():
        while True:
            most["seconds"] = max(most["seconds"], turns.seconds)
            most["bytes"] = max(most["bytes"], turns.waiting)
            time.sleep(0.02)

    threading.Thread(target=watch, daemon=True).start()
    say(url=listener.url, token=listener.token)
    for line in sys.stdin:
        if line.strip() == "full speed":
            at["pace"] = None
        stats = listener.stats()
        say(
            received=stats.received,
            refused=stats.refused,
            bad=stats.bad,
            rejected=stats.rejected,
            cpu=time.process_time(),
            rss=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
            most_seconds=most["seconds"],
            most_bytes=most["bytes"],
        )
    listener.close()


def null():
    """tornado too, with the least that is possible."""
    from tornado.httpserver import HTTPServer
    from tornado.httputil import HTTPHeaders, ResponseStartLine

    def answer(request):
        headers = HTTPHeaders({"Content-Type": "application/x-protobuf", "Content-Length": "0"})
        request.connection.write_headers(ResponseStartLine("HTTP/1.1", 200, "OK"), headers)
        request.connection.finish()

    async def run():
        server = HTTPServer(answer)
        server.listen(0, "127.0.0.1")
        port = next(iter(server._sockets.values())).getsockname()[1]
        say(url=f"http://127.0.0.1:{port}", token="none")
        loop = asyncio.get_running_loop()
        while await loop.run_in_executor(None, sys.stdin.readline):
            say(cpu=time.process_time())

    asyncio.run(run())


# -- the exporters --------------------------------------------------------------------------------------------------


def exporter(url, token, **options):
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

    return OTLPSpanExporter(f"{url}/v1/traces", headers={"Authorization": f"Bearer {token}"}, **options)


def provider(name):
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider

    return TracerProvider(resource=Resource({"service.name": name}))


def turn(tracer, number):
    """Four spans: a request, and three model calls below it."""
    with tracer.start_as_current_span(
        "POST /chat",
        attributes={
            "http.request.method": "POST",
            "url.path": "/chat",
            "http.response.status_code": 200,
            "session.id": f"session-{number // 25}",
            "server.address": "127.0.0.1",
        },
    ):
        for call in range(3):
            attributes = {
                "gen_ai.operation.name": "chat",
                "gen_ai.request.model": "gpt-4o-mini",
                "gen_ai.usage.input_tokens": 100 + call,
                "gen_ai.usage.output_tokens": 20,
                "gen_ai.input.messages": MESSAGES,
            }
            with tracer.start_as_current_span("chat gpt-4o-mini", attributes=attributes):
                pass


def send(url, token, batches):
    from opentelemetry.sdk.trace.export import SimpleSpanProcessor, SpanExportResult
    from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

    kept, made = InMemorySpanExporter(), provider("flood")
    made.add_span_processor(SimpleSpanProcessor(kept))
    tracer = made.get_tracer("flood")
    for number in range(batches * BATCH // 4):
        turn(tracer, number)
    spans = kept.get_finished_spans()
    sender = exporter(url, token, timeout=60)
    say(ready=len(spans))
    sys.stdin.readline()
    begun, cpu, failed = time.monotonic(), time.process_time(), 0
    for first in range(0, len(spans), BATCH):
        failed += sender.export(spans[first : first + BATCH]) is not SpanExportResult.SUCCESS
    say(seconds=time.monotonic() - begun, cpu=time.process_time() - cpu, spans=len(spans), failed=failed)
    sys.stdin.readline()


def overload(url, token, rate, seconds, exporters):
    """Trace at a rate that the receiver cannot keep up with, for so long; then wait until the exporters have done.

    Where this process is slower than that rate, it takes longer to trace as much.
    """
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    failed = []
    logging.getLogger("opentelemetry").setLevel(logging.ERROR)
    logging.getLogger("opentelemetry").addHandler(_Kept(failed))
    providers, processors = [], []
    for number in range(exporters):
        processor = BatchSpanProcessor(
            exporter(url, token, timeout=600), max_queue_size=10_000_000, schedule_delay_millis=200
        )
        providers.append(provider(f"service {number}"))
        providers[-1].add_span_processor(processor)
        processors.append(processor)
    tracers = [each.get_tracer("flood") for each in providers]
    begun = time.monotonic()
    made = 0
    while made < seconds * rate:
        passed = min(seconds, time.monotonic() - begun)
        while made < passed * rate:
            turn(tracers[made // 4 % exporters], made // 4)
            made += 4
        time.sleep(0.005)
    say(made=made, seconds=time.monotonic() - begun)
    sys.stdin.readline()
    flushing = [threading.Thread(target=each.force_flush) for each in processors]
    for each in flushing:
        each.start()
    for each in flushing:
        each.join()
    say(made=made, seconds=time.monotonic() - begun, failed=failed)
    sys.stdin.readline()


class _Kept(logging.Handler):
    def __init__(self, kept):
        super().__init__(logging.ERROR)
        self._list = kept

    def emit(self, record):
        self._list.append(record.getMessage())


# -- what is measured -----------------------------------------------------------------------------------------------


def throughput(folder, batches, senders=1):
    """Send to a null server, then to a listener with a file; returns figures of both."""
    figures = {}
    for name in ("null", "ours"):
        arguments = ["null"] if name == "null" else ["serve", Path(folder) / "spans.db"]
        with contextlib.ExitStack() as stack:
            receiver = stack.enter_context(Process(*arguments))
            place = receiver.answer()
            send = ("send", place["url"], place["token"], "--batches", batches)
            sending = [stack.enter_context(Process(*send)) for _ in range(senders)]
            for each in sending:
                each.answer()
            before = receiver.ask("stats")
            begun = time.monotonic()
            for each in sending:
                each.go()
            done = [each.answer() for each in sending]
            seconds = time.monotonic() - begun
            after = receiver.ask("stats")
        spans = sum(each["spans"] for each in done)
        figures[name] = {
            "spans": spans,
            "failed": sum(each["failed"] for each in done),
            "seconds": seconds,
            "sender_us": 1e6 * sum(each["cpu"] for each in done) / spans,
            "receiver_us": 1e6 * (after["cpu"] - before["cpu"]) / spans,
            "received": after.get("received"),
            "rss": after.get("rss"),
        }
    return figures


def flood(folder, pace, times, seconds, exporters):
    """Overload a listener whose store takes `pace` spans a second so many times, and count what arrived."""
    store = Path(folder) / "overloaded.db"
    with Process("serve", store, "--pace", pace) as receiver:
        place = receiver.answer()
        before = receiver.ask("stats")
        options = ["--rate", pace * times, "--seconds", seconds, "--exporters", exporters]
        with Process("overload", place["url"], place["token"], *options) as sender:
            sender.answer()
            under = receiver.ask("stats")
            receiver.ask("full speed")
            done = sender.ask("flush")
        after = receiver.ask("stats")
    from mirascope_ops.store.records import SpanQuery
    from mirascope_ops.store.sqlite import SqliteStore

    kept = SqliteStore(store)
    found = sum(map(len, kept.batches(SpanQuery())))
    kept.close()
    return {
        "made": done["made"],
        "found": found,
        "lost": done["made"] - found,
        "failed": done["failed"],
        "received_under_load": under["received"],
        "refused": after["refused"],
        "most_seconds": after["most_seconds"],
        "most_bytes": after["most_bytes"],
        "rss_before": before["rss"],
        "rss": after["rss"],
        "rss_under_load": under["rss"],
    }


def say(**told):
    sys.stdout.write(json.dumps(told) + "\n")
    sys.stdout.flush()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["serve", "null", "send", "overload"])
    parser.add_argument("places", nargs="*")
    for option in ("--pace", "--rate", "--seconds"):
        parser.add_argument(option, type=float)
    for option in ("--batches", "--exporters"):
        parser.add_argument(option, type=int)
    options = parser.parse_args()
    if options.what == "serve":
        serve(*options.places, options.pace)
    elif options.what == "null":
        null()
    elif options.what == "send":
        send(*options.places, options.batches)
    else:
        overload(*options.places, options.rate, options.seconds, options.exporters)


if __name__ == "__main__":
    main()
