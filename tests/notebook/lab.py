"""A JupyterLab with a notebook in it, driven in Chromium as a person does."""

from __future__ import annotations

import json
import os
import secrets
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import nbformat
from playwright.sync_api import sync_playwright

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
FLAGS = [
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync",
    "--disable-background-networking", "--disable-component-update", "--no-proxy-server",
]  # fmt: skip
SECONDS = 90_000  # milliseconds that anything may take


def browser_program() -> str:
    named = os.environ.get("CHROMIUM")
    found = [shutil.which(name) for name in ([named] if named else BROWSERS)]
    return next(path for path in found if path)


@contextmanager
def jupyter_lab(folder: Path, **environment: str) -> Iterator[str]:
    """Start a server in a folder; gives its address with the token."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
    token = secrets.token_hex(8)
    settings = folder / "settings" / "@jupyterlab"
    (settings / "apputils-extension").mkdir(parents=True)
    (settings / "apputils-extension" / "notification.jupyterlab-settings").write_text('{"fetchNews": "false"}')
    log = (folder / "server.log").open("w")
    server = subprocess.Popen(
        [
            sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root", f"--port={port}",
            "--ServerApp.ip=127.0.0.1", f"--IdentityProvider.token={token}", f"--ServerApp.root_dir={folder}",
            "--expose-app-in-browser", "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate",
        ],
        env={
            **os.environ,
            "PYTHONPATH": str(ROOT),
            "JUPYTER_CONFIG_DIR": str(folder / "config"),
            "JUPYTERLAB_SETTINGS_DIR": str(folder / "settings"),
            "JUPYTERLAB_WORKSPACES_DIR": str(folder / "workspaces"),
            "JUPYTER_RUNTIME_DIR": str(folder / "runtime"),
            "IPYTHONDIR": str(folder / "ipython"),
            **environment,
        },
        stdout=log,
        stderr=subprocess.STDOUT,
    )  # fmt: skip
    address = f"http://127.0.0.1:{port}"
    try:
        for _ in range(300):
            try:
                urllib.request.urlopen(f"{address}/api/status?token={token}", timeout=5)
                break
            except OSError:
                time.sleep(0.2)
        yield f"{address}/lab/tree/{{}}?token={token}&reset"
    finally:
        server.terminate()
        server.wait(timeout=20)
        log.close()


class Page:
    """One notebook in the browser; collects what went wrong in the page and what was asked of other machines."""

    def __init__(self, page: Any, address: str) -> None:
        self.page = page
        self.errors: list[str] = []
        self.outside: list[str] = []
        host = address.partition("/lab")[0]
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.on(
            "request",
            lambda request: (
                None
                if request.url.startswith((host, "data:", "blob:", "about:", host.replace("http", "ws", 1)))
                else self.outside.append(request.url)
            ),
        )

    def command(self, name: str, **arguments: Any) -> None:
        self.page.evaluate("([name, told]) => { window.jupyterapp.commands.execute(name, told); }", [name, arguments])

    def wait_for_kernel(self) -> None:
        """Wait until the kernel is idle, and has been for a while: a question for which one may come at first."""
        self.page.wait_for_function(
            """() => {
                const context = window.jupyterapp?.shell.currentWidget?.sessionContext;
                const kernel = context?.session?.kernel;
                const asks = document.querySelector(".jp-Dialog");
                const ready = context?.isReady && kernel?.connectionStatus === "connected" && kernel.status === "idle";
                if (!ready || asks) window.idleSince = undefined;
                else window.idleSince ??= performance.now();
                return window.idleSince !== undefined && performance.now() - window.idleSince > 1500;
            }""",
            timeout=SECONDS,
        )

    def run_all(self) -> None:
        self.command("notebook:run-all-cells")

    def run(self, place: int) -> None:
        """Run one cell, without waiting for its end."""
        self.page.evaluate(
            "place => { const n = window.jupyterapp.shell.currentWidget.content; n.activeCellIndex = place; }", place
        )
        self.command("notebook:run-cell")

    def restart(self) -> None:
        """Restart the kernel, as its command does after it has asked."""
        self.page.evaluate("() => window.jupyterapp.shell.currentWidget.sessionContext.session.kernel.restart()")
        self.wait_for_kernel()

    def save(self) -> None:
        self.page.evaluate("() => window.jupyterapp.shell.currentWidget.context.save()")

    def output(self, place: int) -> Any:
        return self.page.locator(".jp-Notebook .jp-Cell").nth(place).locator(".jp-Cell-outputArea")

    def wait_for_cell(self, place: int) -> None:
        """Wait until a cell is over."""
        self.page.wait_for_function(
            """place => {
                const cell = window.jupyterapp.shell.currentWidget.content.widgets[place].model;
                return cell.executionCount !== null && cell.executionState !== "running";
            }""",
            arg=place,
            timeout=SECONDS,
        )


@contextmanager
def open_notebook(folder: Path, cells: list[str], *, dark: bool = False, **environment: str) -> Iterator[Page]:
    """Write a notebook, start JupyterLab, open it."""
    notebook = nbformat.v4.new_notebook(
        cells=[nbformat.v4.new_code_cell(source) for source in cells],
        metadata={"kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"}},
    )
    nbformat.write(notebook, folder / "notes.ipynb")
    with jupyter_lab(folder, **environment) as address:
        if dark:
            themes = folder / "settings" / "@jupyterlab" / "apputils-extension" / "themes.jupyterlab-settings"
            themes.write_text(json.dumps({"theme": "JupyterLab Dark"}))
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=browser_program(), args=FLAGS)
            page = browser.new_page(viewport={"width": 1000, "height": 1100}, color_scheme="dark" if dark else "light")
            page.set_default_timeout(SECONDS)
            # JupyterLab may ask for the kernel that the notebook names already.
            page.add_init_script("setInterval(() => document.querySelector('.jp-Dialog .jp-mod-accept')?.click(), 200)")
            opened = Page(page, address)
            page.goto(address.format("notes.ipynb"))
            page.wait_for_selector(".jp-Notebook .jp-Cell")
            opened.wait_for_kernel()
            yield opened
            browser.close()
