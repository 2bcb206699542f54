"""Fixtures for all tests. No test may touch the store of the person who runs them."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

ROOT = Path(__file__).parent.parent
os.environ["MIRASCOPE_OPS_STORE"] = ":memory:"
sys.path.insert(0, str(ROOT / "notebooks"))  # the loopback model stands beside the notebooks that use it

if TYPE_CHECKING:
    from collections.abc import Iterator

    from loopback_model import LoopbackModel


@pytest.fixture(scope="session")
def loopback_model() -> Iterator[LoopbackModel]:
    """A pretend OpenAI on this machine, the same one for the whole run: clients keep its address."""
    from loopback_model import LoopbackModel

    with LoopbackModel() as model:
        yield model


@pytest.fixture
def llm_server(loopback_model: LoopbackModel, monkeypatch: pytest.MonkeyPatch) -> LoopbackModel:
    """The pretend OpenAI, with the environment set so that clients made in the test talk to it."""
    monkeypatch.setenv("OPENAI_BASE_URL", loopback_model.base_url)
    monkeypatch.setenv("OPENAI_API_KEY", "unused")
    loopback_model.requests.clear()
    return loopback_model
