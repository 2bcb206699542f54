"""Run notebooks/quickstart.ipynb in a kernel, keep its store and a page of it in build/demo, and say what is there."""

from __future__ import annotations

import os
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parent.parent
NOTEBOOK = ROOT / "notebooks" / "quickstart.ipynb"
FOLDER = ROOT / "build" / "demo"
STORE = FOLDER / "store.sqlite"
PAGE = FOLDER / "quickstart.html"
PLOTLY = "application/vnd.plotly.v1+json"

# Set before anything of ours is imported, and inherited by the kernel: the demo never touches your own store.
os.environ["MIRASCOPE_OPS_STORE"] = str(STORE)

import nbformat  # noqa: E402
import plotly.io  # noqa: E402
from nbclient import NotebookClient  # noqa: E402
from nbclient.exceptions import CellExecutionError  # noqa: E402
from nbconvert import HTMLExporter  # noqa: E402

import mirascope_ops as ops  # noqa: E402


def execute() -> nbformat.NotebookNode:
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    with tempfile.TemporaryDirectory() as profile:  # your own IPython startup files are none of the demo's business
        os.environ["IPYTHONDIR"] = profile
        NotebookClient(
            notebook,
            resources={"metadata": {"path": str(NOTEBOOK.parent)}},
            extra_arguments=["--log-level=ERROR"],  # or the kernel remarks on its own transport
        ).execute()
    return notebook


def render(notebook: nbformat.NotebookNode) -> str:
    """The executed notebook as one page that asks no network for anything."""
    script: bool | str = True
    for cell in notebook.cells:
        for output in cell.get("outputs", ()):
            figure = output.get("data", {}).get(PLOTLY)
            if figure:  # nbconvert drops a figure that has no HTML of its own
                output.data["text/html"] = plotly.io.to_html(figure, include_plotlyjs=script, full_html=False)
                script = False
    page, _ = HTMLExporter(require_js_url="", mathjax_url="", jquery_url="").from_notebook_node(notebook)
    return page


def report(cells: int, seconds: float) -> str:
    spans = ops.spans().to_pandas()
    sessions = ops.sessions()
    table = spans[["session_id", "name", "status", "duration"]].tail(8)
    shown = table.assign(duration=table["duration"].dt.total_seconds().map("{:.6f} s".format)).to_string(index=False)
    return f"""
Executed {NOTEBOOK.relative_to(ROOT)}: {cells} cells in a kernel, {seconds:.1f} s. It is gone; what it recorded is not:

  {len(sessions)} sessions, {spans["trace_id"].nunique()} traces, {len(spans)} spans. The last of them:

{indent(shown)}

  the store   {STORE.relative_to(ROOT)}  ({size(STORE)})
  the page    {PAGE.relative_to(ROOT)}  ({size(PAGE)}, needs no network)

Next:

  make lab                                  the same notebook in JupyterLab
  MIRASCOPE_OPS_STORE={STORE.relative_to(ROOT)} .venv/bin/python
  >>> import mirascope_ops as ops
  >>> print(ops.last_trace().to_text())     what the kernel recorded, read back
"""


def indent(text: str) -> str:
    return "\n".join(f"  {line}" for line in text.splitlines())


def size(path: Path) -> str:
    return f"{path.stat().st_size / 1024:,.0f} KB"


def main() -> int:
    FOLDER.mkdir(parents=True, exist_ok=True)
    for old in FOLDER.iterdir():
        old.unlink()
    print(f"Running {NOTEBOOK.relative_to(ROOT)} ...", flush=True)
    start = time.perf_counter()
    try:
        notebook = execute()
    except CellExecutionError as error:
        print(error)
        return 1
    seconds = time.perf_counter() - start
    PAGE.write_text(render(notebook), encoding="utf-8")
    print(report(sum(cell.cell_type == "code" for cell in notebook.cells), seconds))
    return 0


if __name__ == "__main__":
    sys.exit(main())
