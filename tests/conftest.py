"""Fixtures for all tests. No test may touch the store of the person who runs them."""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, settings

ROOT = Path(__file__).parent.parent
os.environ["MIRASCOPE_OPS_STORE"] = ":memory:"
sys.path.insert(0, str(ROOT / "notebooks"))  # the loopback model stands beside the notebooks that use it
sys.path.insert(0, str(ROOT / "tests"))  # tests are no package: sample_records is imported by its name

# A busy machine is no failure, and a run on the same sources tries the same examples: what nobody has changed does not
# fail by chance. `--hypothesis-profile=searching` tries others each time.
settings.register_profile("searching", deadline=None, print_blob=True, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("same", settings.get_profile("searching"), derandomize=True, database=None)
settings.load_profile("same")

if hasattr(signal, "SIGHUP"):  # under nohup it is ignored, and would be by the programs that tests start
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # as under a script's `&`
    signal.signal(signal.SIGINT, signal.default_int_handler)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from loopback_model import LoopbackModel


@pytest.fixture(scope="session", autouse=True)
def ipython_folder(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Keep shells and kernels off the person's own IPython profile and history."""
    os.environ["IPYTHONDIR"] = str(tmp_path_factory.mktemp("ipython"))


@pytest.fixture(scope="session", autouse=True)
def unhurried_values() -> None:
    """Let no pause of a busy machine pass for a slow `repr`; tests of slow ones have clocks of their own."""
    from mirascope_ops.core import patience

    patience.clock = lambda: 0.0


@pytest.fixture(scope="session", autouse=True)
def patient_clients() -> None:
    """Let HTTPX, which gives up after five seconds, wait for servers on a busy machine, where a test says no time."""
    from httpx import _config

    for part in ("connect", "read", "write", "pool"):
        setattr(_config.DEFAULT_TIMEOUT_CONFIG, part, 60.0)


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


@pytest.fixture
def until() -> Callable[[Callable[[], object]], None]:
    """Wait until something holds."""

    def wait(holds: Callable[[], object]) -> None:
        deadline = time.monotonic() + 120
        while not holds():
            assert time.monotonic() < deadline, "it never came to hold"
            time.sleep(0.01)

    return wait


@pytest.fixture
def run_python(tmp_path: Path) -> Callable[..., str]:
    """Run a program in a new interpreter, warnings as errors; gives what it printed.

    It records to a file of this test's own (`run_python.store`); options are variables of its environment. It
    must end as it is expected to (0, unless `ends_with=` says otherwise) and say nothing on stderr.
    """
    store = tmp_path / "spans.db"

    def run(program: str, *, ends_with: int = 0, silent: bool = True, **environment: str) -> str:
        path = tmp_path / "program.py"  # a file: processes that are spawned import it
        path.write_text(textwrap.dedent(program), encoding="utf-8")
        done = subprocess.run(
            [sys.executable, "-W", "error", str(path)],
            env={**os.environ, "MIRASCOPE_OPS_STORE": str(store), **environment},
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=170,
            check=False,
        )
        assert done.returncode == ends_with, done.stderr
        assert not (silent and done.stderr), done.stderr
        return done.stdout

    run.store = store
    return run


@pytest.fixture
def logged(caplog: pytest.LogCaptureFixture) -> Iterator[Callable[[], list[str]]]:
    """What is logged, with no memory of what other tests logged."""
    from mirascope_ops.core import guard

    reported = set(guard._reported)
    guard._reported.clear()
    caplog.set_level(logging.WARNING, logger="mirascope_ops")
    yield lambda: [record.getMessage() for record in caplog.records]
    guard._reported.clear()
    guard._reported.update(reported)
