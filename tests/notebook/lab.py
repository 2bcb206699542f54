"""A JupyterLab with a notebook in it, driven in Chromium as a person does."""

from __future__ import annotations

import json
import os
import secrets
import shutil
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
# What Notebook 7.6 itself throws while it starts, also where nothing of ours is.
_NOT_OURS = {"notebook": "Cannot read properties of undefined (reading 'schema')"}
_PATHS = {"jupyterlab": "lab/tree", "notebook": "notebooks"}  # of an application's notebooks


def browser_program() -> str:
    named = os.environ.get("CHROMIUM")
    found = [shutil.which(name) for name in ([named] if named else BROWSERS)]
    return next(path for path in found if path)


@contextmanager
def jupyter_server(folder: Path, application: str = "jupyterlab", **environment: str) -> Iterator[str]:
    """Start a server in a folder; gives its address, where the path to an application has to be put, and the token.

    Args:
        folder: The folder.
        application: The package that is run: "jupyterlab" or "notebook".
        **environment: Variables for the server and its kernels.
    """
    token = secrets.token_hex(8)
    settings = folder / "settings" / "@jupyterlab"
    (settings / "apputils-extension").mkdir(parents=True)
    (settings / "apputils-extension" / "notification.jupyterlab-settings").write_text('{"fetchNews": "false"}')
    log = (folder / "server.log").open("w")
    server = subprocess.Popen(
        [
            sys.executable, "-m", application, "--no-browser", "--allow-root", "--port=0",
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
    try:
        yield f"{_address(server, folder, token)}/{{}}?token={token}&reset"
    finally:
        server.terminate()
        try:
            server.wait(timeout=60)  # it ends its kernels
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()
        log.close()


def _address(server: subprocess.Popen[bytes], folder: Path, token: str) -> str:
    """Wait until the server answers at the address that it has written down: the port is of its own choice."""
    end = time.monotonic() + SECONDS / 1000
    while time.monotonic() < end and server.poll() is None:
        for told in (folder / "runtime").glob("jpserver-*.json"):
            try:
                address = json.loads(told.read_text())["url"].rstrip("/")
                urllib.request.urlopen(f"{address}/api/status?token={token}", timeout=5)
            except (OSError, ValueError):  # it is being written, or not listened to yet
                continue
            return address
        time.sleep(0.1)
    raise AssertionError(f"The server did not start: {(folder / 'server.log').read_text()[-2000:]}")


class Page:
    """One notebook in the browser; collects what went wrong in the page and what was asked of other machines."""

    def __init__(self, page: Any, address: str, not_ours: str = "") -> None:
        self.page = page
        self.errors: list[str] = []
        self.outside: list[str] = []
        host = address.partition("/{}")[0]
        page.on("pageerror", lambda error: str(error) == not_ours or self.errors.append(str(error)))
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
        """Wait until the notebook's kernel has answered a request, and no question stands open for which one it is."""
        self.evaluate(
            """for (;; await new Promise((again) => setTimeout(again, 50))) {
                const context = window.jupyterapp?.shell.currentWidget?.sessionContext;
                const kernel = context?.session?.kernel;
                const asks = () => document.querySelector(".jp-Dialog") !== null;
                if (!context?.isReady || kernel?.connectionStatus !== "connected" || asks()) continue;
                const told = kernel.requestExecute({code: "", silent: true, store_history: false}).done;
                try { await told; } catch { continue; }  // this kernel was replaced by another
                if (context.session?.kernel === kernel && kernel.status === "idle" && !asks()) return;
            }"""
        )

    def evaluate(self, body: str, told: Any = None) -> Any:
        """Run the body of an asynchronous function in the page, and wait for its end, as `wait_for_function` does not.

        Args:
            body: JavaScript; it finds what is told it under the name `told`.
            told: A JSON value.
        """
        return self.page.evaluate(
            f"""([told, patience]) => Promise.race([
                (async () => {{ {body} }})(),
                new Promise((_, failed) => setTimeout(() => failed(new Error("It takes too long.")), patience)),
            ])""",
            [told, SECONDS],
        )

    def wait_for_frames(self) -> None:
        """Wait until what was to be drawn is drawn."""
        self.evaluate("for (const _ of [1, 2]) await new Promise(requestAnimationFrame);")

    def run(self, place: int) -> None:
        """Run one cell, without waiting for its end."""
        self.evaluate(
            """const notebook = window.jupyterapp.shell.currentWidget.content;
            notebook.deselectAll();
            notebook.activeCellIndex = told;
            (window.running ??= {})[told] = window.jupyterapp.commands.execute("notebook:run-cell");""",
            place,
        )

    def restart(self) -> None:
        """Restart the kernel, as its command does after it has asked."""
        self.page.evaluate("() => window.jupyterapp.shell.currentWidget.sessionContext.session.kernel.restart()")
        self.wait_for_kernel()

    def save(self) -> None:
        self.page.evaluate("() => window.jupyterapp.shell.currentWidget.context.save()")

    def output(self, place: int) -> Any:
        return self.page.locator(".jp-Notebook .jp-Cell").nth(place).locator(".jp-Cell-outputArea")

    def wait_for_cell(self, place: int) -> None:
        """Wait until the cell that `run` has started is over, with all its output."""
        self.evaluate("await window.running[told]", place)

    def run_and_wait(self, *places: int) -> None:
        """Run cells one after the other."""
        for place in places:
            self.run(place)
            self.wait_for_cell(place)


@contextmanager
def open_notebook(
    folder: Path, cells: list[str], *, dark: bool = False, application: str = "jupyterlab", **environment: str
) -> Iterator[Page]:
    """Write a notebook, start JupyterLab or Notebook 7, open it."""
    notebook = nbformat.v4.new_notebook(
        cells=[nbformat.v4.new_code_cell(source) for source in cells],
        metadata={"kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"}},
    )
    nbformat.write(notebook, folder / "notes.ipynb")
    with jupyter_server(folder, application, **environment) as address:
        if dark:
            themes = folder / "settings" / "@jupyterlab" / "apputils-extension" / "themes.jupyterlab-settings"
            themes.write_text(json.dumps({"theme": "JupyterLab Dark"}))
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=browser_program(), args=FLAGS, timeout=SECONDS)
            page = browser.new_page(viewport={"width": 1000, "height": 1100}, color_scheme="dark" if dark else "light")
            page.set_default_timeout(SECONDS)
            # It may ask for the kernel that the notebook names already.
            page.add_init_script("setInterval(() => document.querySelector('.jp-Dialog .jp-mod-accept')?.click(), 200)")
            opened = Page(page, address, _NOT_OURS.get(application, ""))
            page.goto(address.format(f"{_PATHS[application]}/notes.ipynb"))
            page.wait_for_selector(".jp-Notebook .jp-Cell")
            opened.wait_for_kernel()
            yield opened
            browser.close()
