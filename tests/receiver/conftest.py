"""A listener with a store of the test's own, and what is sent to it."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from mirascope_ops.receiver import server
from mirascope_ops.receiver.listening import listen
from mirascope_ops.testing import captured

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from mirascope_ops import SpanSet
    from mirascope_ops.receiver.listener import Listener

sys.path.insert(0, str(Path(__file__).parent))  # tests are no package: made_requests is imported by its name


@pytest.fixture
def recorded() -> Iterator[Callable[[], SpanSet]]:
    """What is in the store, which is in memory."""
    with captured() as spans:
        yield spans


@pytest.fixture
def listener(recorded, monkeypatch) -> Iterator[Listener]:
    monkeypatch.setattr(server, "_PATIENCE", 60.0)  # a busy machine is no store that takes long
    with listen() as started:
        yield started


@pytest.fixture
def post(listener) -> Iterator[Callable[..., httpx.Response]]:
    """Send a body: a dict as JSON, bytes as protobuf."""
    with httpx.Client(headers=listener.headers, timeout=60) as client:

        def send(body: Any, path: str = "/v1/traces", **headers: str) -> httpx.Response:
            named = {name.replace("_", "-"): value for name, value in headers.items()}
            if isinstance(body, dict):
                return client.post(listener.url + path, json=body, headers=named)
            return client.post(
                listener.url + path, content=body, headers={"Content-Type": "application/x-protobuf", **named}
            )

        yield send
