"""More than can be stored, and an end without notice: what was acknowledged is there, and the rest is sent again."""

from __future__ import annotations

import contextlib
import itertools
import random
import threading

import flood
import httpx
import pytest
from made_requests import protobuf

from mirascope_ops.store.records import SpanQuery
from mirascope_ops.store.sqlite import SqliteStore

pytestmark = pytest.mark.slow

MB = 1024**2


def test_four_times_too_much_is_all_stored_in_the_end(tmp_path):
    found = flood.flood(tmp_path, pace=200, times=4, seconds=6, exporters=16)

    assert found["made"] > 1000
    assert (found["lost"], found["failed"]) == (0, [])
    assert found["refused"] > 0
    assert found["most_bytes"] < 16 * MB
    assert found["rss"] - found["rss_before"] < 100 * MB


def test_as_fast_as_it_goes_all_are_stored(tmp_path):
    found = flood.throughput(tmp_path, batches=6, senders=2)

    assert found["ours"]["failed"] == 0
    assert found["ours"]["received"] == found["ours"]["spans"] == 2 * 6 * flood.BATCH


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_what_was_acknowledged_before_a_kill_is_in_the_file(tmp_path, seed):
    acknowledged = []
    numbers = itertools.count()
    stop = threading.Event()

    def send(url, headers):
        with contextlib.suppress(httpx.TransportError), httpx.Client(headers=headers, timeout=60) as client:
            while not stop.is_set():
                first = next(numbers) * 20 + 1
                if client.post(f"{url}/v1/traces", content=protobuf(20, first=first)).status_code == 200:
                    acknowledged.append(first)

    with flood.Process("serve", tmp_path / "spans.db") as receiver:
        place = receiver.answer()
        headers = {"Authorization": f"Bearer {place['token']}", "Content-Type": "application/x-protobuf"}
        senders = [threading.Thread(target=send, args=(place["url"], headers)) for _ in range(6)]
        for sender in senders:
            sender.start()
        most = random.Random(seed).randrange(30, 200)
        while len(acknowledged) < most:
            stop.wait(0.001)
        receiver.kill()
        stop.set()
        for sender in senders:
            sender.join()

    store = SqliteStore(tmp_path / "spans.db")
    kept = {span.span_id for span in store.spans(SpanQuery())}
    store.close()
    wanted = {f"{number:016x}" for first in acknowledged for number in range(first, first + 20)}
    assert len(wanted) >= 20 * most
    assert wanted - kept == set()
