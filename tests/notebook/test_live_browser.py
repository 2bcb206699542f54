"""A session's timeline while its cell runs, in a real JupyterLab and a real Notebook 7."""

from __future__ import annotations

import nbformat
import pytest

from tests.notebook.lab import open_notebook

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

HOSTILE = "<img src=x onerror=\"document.title='broken'\"><script>document.title='broken'</script>"
SETUP = "%load_ext mirascope_ops\nfrom mirascope_ops import ops\nimport asyncio, time\nfrom pathlib import Path"
# The cell goes on when the test says so: however slow the machine, what is looked at is there to be looked at.
LIVE = """%%ops_session {name} --live
for turn in range(3):
    with ops.span({named!r}), ops.span("ask", **{{"openinference.span.kind": "LLM", "llm.token_count.prompt": 7}}):
        while not Path(f"{name}-{{turn}}").exists():
            {wait}"""
WAITS = {"blocking": "time.sleep(.02)", "awaiting": "await asyncio.sleep(.02)"}


@pytest.mark.parametrize("application", ["jupyterlab", "notebook"])
def test_the_timeline_takes_in_spans_while_a_cell_blocks_and_while_it_awaits(tmp_path, application):
    cells = [SETUP, *(LIVE.format(name=name, wait=wait, named=HOSTILE) for name, wait in WAITS.items())]
    with open_notebook(tmp_path, cells, application=application, MIRASCOPE_OPS_STORE=":memory:") as lab:
        lab.run_and_wait(0)
        for place, name in enumerate(WAITS, 1):
            lab.run(place)
            output = lab.output(place)
            output.locator("canvas[data-spans='2']").wait_for()  # both are open
            output.locator("h4", has_text=f"Session {name} ● running").wait_for()
            panel, canvas = output.locator("aside"), output.locator("canvas")

            # What is chosen and what the window shows stay while spans come.
            for key in ("ArrowDown", "ArrowDown", "w"):
                canvas.press(key)
            panel.locator("h4", has_text="ask● running").wait_for()
            panel.get_by_text("told when the cell is over").wait_for()
            lab.wait_for_frames()
            before = canvas.get_attribute("data-window")
            (tmp_path / f"{name}-0").touch()
            output.locator("canvas[data-spans='4']").wait_for()
            lab.wait_for_frames()
            assert canvas.get_attribute("data-window") == before
            panel.locator("h4", has_text="ask", has_not_text="running").wait_for()
            output.locator(".go").filter(has_text="4 spans").wait_for()
            assert output.locator("img, script").count() == 0

            # In the end the card is all that there is.
            for turn in (1, 2):
                (tmp_path / f"{name}-{turn}").touch()
            lab.wait_for_cell(place)
            output.locator(".ok", has_text="✓ ok").wait_for()
            canvas.wait_for(state="detached")
            assert output.locator("article").count() == 1
            assert output.locator(".tu > li").count() == 3
        lab.save()

        assert lab.page.title() != "broken"
        assert lab.errors == []
        assert lab.outside == []

    saved = nbformat.read(tmp_path / "notes.ipynb", as_version=4)
    for cell in saved.cells[1:]:
        (output,) = cell.outputs
        assert "running" not in output["data"]["text/html"]
        assert "application/vnd.jupyter.widget-view+json" not in output["data"]
