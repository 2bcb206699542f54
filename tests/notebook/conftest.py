"""Kernels and shells for the notebook's tests."""

from __future__ import annotations

import ast
import atexit
import os
import re
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from IPython.core.interactiveshell import InteractiveShell
from jupyter_client.manager import KernelManager
from traitlets.config import Config

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from jupyter_client.blocking.client import BlockingKernelClient
    from playwright.sync_api import Browser

ROOT = Path(__file__).parents[2]
PATIENCE = 120  # seconds that a kernel on a busy machine may take for anything
_ANSI = re.compile(r"\x1b\[[0-9;]*m")


@dataclass
class Reply:
    """What a frontend got for one cell."""

    content: dict[str, Any]
    outputs: list[dict[str, Any]] = field(default_factory=list)

    @property
    def status(self) -> str:
        return self.content["status"]

    @property
    def error(self) -> str | None:
        return f"{self.content['ename']}: {self.content['evalue']}" if self.status == "error" else None

    @property
    def kinds(self) -> list[str]:
        return [output["kind"] for output in self.outputs]

    @property
    def stdout(self) -> str:
        return "".join(output["text"] for output in self.outputs if output.get("name") == "stdout")

    @property
    def stderr(self) -> str:
        return "".join(output["text"] for output in self.outputs if output.get("name") == "stderr")

    @property
    def result(self) -> str | None:
        """The text of `Out[n]`."""
        return next((o["data"]["text/plain"] for o in self.outputs if o["kind"] == "execute_result"), None)

    @property
    def displayed(self) -> list[dict[str, Any]]:
        return [output["data"] for output in self.outputs if output["kind"] == "display_data"]

    @property
    def coloured_traceback(self) -> list[str]:
        return next((output["traceback"] for output in self.outputs if output["kind"] == "error"), [])

    @property
    def traceback(self) -> str:
        return _ANSI.sub("", "\n".join(self.coloured_traceback))


class Kernel:
    """A real kernel, spoken to as a frontend does."""

    def __init__(self, manager: KernelManager, client: BlockingKernelClient) -> None:
        self.manager = manager
        self.client = client

    def run(
        self,
        code: str,
        cell_id: str | None = None,
        *,
        meanwhile: Callable[[], None] | None = None,
        watch: Callable[[dict[str, Any]], None] = lambda output: None,
        silent: bool = False,
        history: bool = True,
    ) -> Reply:
        """Execute one cell and collect what comes back.

        Args:
            code: The cell.
            cell_id: The id in the request's metadata, as JupyterLab sends it.
            meanwhile: Called when the cell first printed something: the first card of a live session may come before
                the cell's own code runs.
            watch: Called with each output as it comes.
            silent: As in the execute request.
            history: As in the execute request.
        """
        content = {
            "code": code,
            "silent": silent,
            "store_history": history,
            "user_expressions": {},
            "allow_stdin": False,
            "stop_on_error": False,
        }
        message = self.client.session.msg("execute_request", content, metadata={"cellId": cell_id} if cell_id else {})
        self.client.shell_channel.send(message)
        outputs: list[dict[str, Any]] = []
        request = message["header"]["msg_id"]
        while True:
            answer = self.client.get_iopub_msg(timeout=PATIENCE)
            if answer["parent_header"].get("msg_id") != request:
                continue
            kind = answer["msg_type"]
            if kind == "status" and answer["content"]["execution_state"] == "idle":
                break
            if kind in {"status", "execute_input"}:
                continue
            if kind == "stream" and outputs and outputs[-1].get("name") == answer["content"]["name"]:
                outputs[-1]["text"] += answer["content"]["text"]
            else:
                outputs.append({"kind": kind, **answer["content"]})
                watch(outputs[-1])
            if meanwhile is not None and kind == "stream":
                meanwhile()
                meanwhile = None
        while (reply := self.client.get_shell_msg(timeout=PATIENCE))["parent_header"]["msg_id"] != request:
            pass
        return Reply(reply["content"], outputs)

    def value(self, expression: str) -> Any:
        """Evaluate an expression in the kernel, out of sight of its history; it must be a literal's repr."""
        printed = self.run(f"print(repr(({expression})), end='')", history=False)
        assert printed.status == "ok", printed.traceback
        return ast.literal_eval(printed.stdout)

    def is_complete(self, code: str) -> str:
        request = self.client.is_complete(code)
        while (reply := self.client.get_shell_msg(timeout=PATIENCE))["parent_header"]["msg_id"] != request:
            pass
        return reply["content"]["status"]


def start_kernel(cwd: Path, **environment: str) -> Iterator[Kernel]:
    """Start a kernel on this Python; generators of fixtures delegate to it.

    It is spoken to through files: a port that was free when it was chosen may be taken when the kernel binds it.
    """
    sockets = tempfile.TemporaryDirectory()  # not in `cwd`: a socket's path has room for some 100 characters
    manager = KernelManager(kernel_name="python3", transport="ipc", ip=f"{sockets.name}/kernel")
    manager.kernel_spec.argv[0] = sys.executable
    manager.start_kernel(
        cwd=str(cwd),
        env={
            **os.environ,
            "PYTHONPATH": str(ROOT),
            "MIRASCOPE_OPS_STORE": ":memory:",
            "IPYTHONDIR": str(cwd / "ipython"),
            **environment,
        },
    )
    client = manager.blocking_client()
    client.start_channels()
    try:
        client.wait_for_ready(timeout=PATIENCE)
        yield Kernel(manager, client)
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)
        manager.cleanup_resources()
        sockets.cleanup()


def _directory(factory: pytest.TempPathFactory) -> Path:
    """Return one directory for all kernels, so that what they print of it is the same."""
    directory = factory.getbasetemp() / "kernels"
    directory.mkdir(exist_ok=True)
    return directory


@pytest.fixture(scope="module")
def bare_kernel(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kernel]:
    """A kernel without the extension, to compare with."""
    yield from start_kernel(_directory(tmp_path_factory), JPY_SESSION_NAME="notes/travel.ipynb")


@pytest.fixture(scope="module")
def kernel(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kernel]:
    """A kernel with the extension loaded, shared by the tests of a module."""
    for started in start_kernel(_directory(tmp_path_factory), JPY_SESSION_NAME="notes/travel.ipynb"):
        loaded = started.run("%load_ext mirascope_ops")
        assert loaded.status == "ok", loaded.traceback
        yield started


@pytest.fixture
def shell() -> Iterator[Any]:
    """A fresh IPython shell in this process."""
    InteractiveShell.clear_instance()
    config = Config()
    config.HistoryManager.hist_file = ":memory:"
    config.HistoryManager.enabled = False
    hooks, main = (sys.displayhook, sys.excepthook), sys.modules["__main__"]
    made = InteractiveShell.instance(config=config)
    try:
        yield made
    finally:
        sys.displayhook, sys.excepthook = hooks
        sys.modules["__main__"] = main
        atexit.unregister(made.atexit_operations)
        made.atexit_operations()
        InteractiveShell.clear_instance()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """A Chromium for pages that need no Jupyter."""
    from playwright.sync_api import sync_playwright

    from tests.notebook.lab import FLAGS, SECONDS, browser_program

    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=browser_program(), args=FLAGS, timeout=SECONDS)
        yield started
        started.close()
