"""A live card and a review, in a real JupyterLab."""

from __future__ import annotations

import json

import nbformat
import pytest

from tests.notebook.lab import open_notebook

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

SETUP = "%load_ext mirascope_ops\nfrom mirascope_ops import ops\nimport asyncio, time\nfrom pathlib import Path"
HOSTILE = "<img src=x onerror=\"document.title='broken'\"><script>document.title='broken'</script>"
# A turn ends when the test says so: however slow the machine, what is looked at is there to be looked at.
LIVE = """%%ops_session {name} --live
for i in range(3):
    with ops.span("turn", **{{"input.value": {question!r}}}), ops.span("step"):
        while not Path(f"{name}-{{i}}").exists():
            {wait}"""
TALK = f"""for i in range(20):
    asked = f"question {{i}} " + {HOSTILE!r}
    with ops.session("talk"), ops.span("turn", **{{"input.value": asked, "output.value": "answer"}}):
        pass"""
ASK = f"""%%ops_session asked
@ops.trace
def answer(question):
    with ops.span("look up", **{{"input.value": question}}):
        return question
answer({HOSTILE!r})
answer("again");"""
KEPT = "() => !document.querySelector('.rv .li').textContent.includes('…')"


def test_a_card_lives_while_its_cell_blocks_and_while_it_awaits(tmp_path):
    cells = [
        SETUP,
        LIVE.format(name="blocking", wait="time.sleep(.02)", question=HOSTILE),
        LIVE.format(name="awaiting", wait="await asyncio.sleep(.02)", question=HOSTILE),
    ]
    with open_notebook(tmp_path, cells, MIRASCOPE_OPS_STORE=":memory:") as lab:
        lab.run_and_wait(0)
        for place, name in ((1, "blocking"), (2, "awaiting")):
            lab.run(place)
            output = lab.output(place)
            output.locator("h4").filter(has_text=f"Session {name} ● running").wait_for()
            output.locator(".go").filter(has_text="so far · in step, turn").wait_for()
            (tmp_path / f"{name}-0").touch()
            output.locator(".go").filter(has_text="4 spans").wait_for()
            for turn in (1, 2):
                (tmp_path / f"{name}-{turn}").touch()
            output.locator(".ok", has_text="✓ ok").wait_for()
            lab.wait_for_cell(place)
            assert output.locator(".go").count() == 0
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
        assert "application/vnd.mirascope.ops.spans+json" in output["data"]


@pytest.mark.parametrize(("application", "dark"), [("jupyterlab", False), ("jupyterlab", True), ("notebook", True)])
def test_a_card_and_a_trace_open_and_close(tmp_path, application, dark):
    cells = [SETUP, ASK, "ops.traces()[0]"]
    with open_notebook(tmp_path, cells, application=application, dark=dark, MIRASCOPE_OPS_STORE=":memory:") as lab:
        lab.run_and_wait(0, 1, 2)
        lab.output(1).locator("h4", has_text="Session asked").wait_for()
        lab.output(2).locator("h4", has_text="answer").wait_for()
        for place in (1, 2):
            summary = lab.output(place).locator("summary:visible").first
            details = lab.output(place).locator("details").first
            opened = details.evaluate("shown => shown.open")
            for act, *told in ((summary.click,), (summary.press, "Enter"), (summary.press, "Space")):
                act(*told)
                opened = not opened
                lab.page.wait_for_function(
                    "([shown, open]) => shown.open === open", arg=[details.element_handle(), opened]
                )
            background = (
                lab.output(place).locator("article").evaluate("shown => getComputedStyle(shown).backgroundColor")
            )
            assert (sum(map(int, background[4:-1].split(","))) < 200) is dark
            assert lab.output(place).locator("img, script").count() == 0

        assert lab.page.locator(".jp-Notebook .jp-Cell").count() == len(cells)
        assert lab.page.title() != "broken"
        assert lab.errors == []
        assert lab.outside == []


@pytest.mark.parametrize("application", ["jupyterlab", "notebook"])
def test_twenty_traces_are_reviewed_by_the_keyboard_alone_over_a_restart(tmp_path, application):
    cells = [SETUP, TALK, "ops.traces().review()", "ops.traces().to_pandas()[['label', 'score', 'note']].to_json()"]
    store = str(tmp_path / "spans.db")

    def judge(lab, number):
        """Judge one trace: every third fails with a note, every second has a score."""
        keys = lab.page.keyboard
        if number % 2:
            keys.press(str(1 + number % 5))
        if number % 3 == 0:
            keys.press("n")
            keys.type(f"note {number} pfjk")
            keys.press("Enter")
        keys.press("f" if number % 3 == 0 else "p")

    with open_notebook(tmp_path, cells, application=application, MIRASCOPE_OPS_STORE=store) as lab:
        lab.run_and_wait(0, 1, 2)
        review = lab.output(2).locator(".rv")
        review.wait_for()
        assert review.locator(".pg").inner_text() == "0 of 20 reviewed"
        review.focus()
        for number in range(9):
            judge(lab, number)
        review.locator(".pg", has_text="9 of 20 reviewed · 6 pass · 3 fail").wait_for()
        lab.page.wait_for_function(KEPT)

        # The kernel goes; the same cell goes on with the tenth.
        lab.restart()
        lab.run_and_wait(0, 2)
        review.locator(".pg", has_text="9 of 20 reviewed · 6 pass · 3 fail").wait_for()
        lab.page.wait_for_function("() => document.querySelector('.rv h4').textContent.startsWith('10.')")
        review.focus()
        for number in range(9, 20):
            judge(lab, number)
        review.locator(".pg", has_text="20 of 20 reviewed · 13 pass · 7 fail").wait_for()
        lab.page.wait_for_function(KEPT)

        # Back to the first: a judgement is taken back, and made again.
        lab.page.keyboard.press("k")
        lab.page.keyboard.press("u")
        review.locator(".pg", has_text="19 of 20").wait_for()
        lab.page.keyboard.press("p")
        review.locator(".pg", has_text="20 of 20").wait_for()
        lab.page.wait_for_function(KEPT)

        lab.run_and_wait(3)
        shown = lab.output(3).inner_text()
        assert lab.page.title() != "broken"
        assert review.locator("script, img").count() == 0
        assert lab.errors == []
        assert lab.outside == []

    table = json.loads(shown[shown.index("'") + 1 : shown.rindex("'")].replace("\\\\", "\\"))
    labels = [table["label"][str(number)] for number in range(20)]
    assert labels[:18] == ["fail" if number % 3 == 0 else "pass" for number in range(18)]
    assert labels.count(None) == 0
    assert [table["note"][str(number)] for number in (0, 3, 6, 9, 12, 15)] == [
        f"note {number} pfjk" for number in (0, 3, 6, 9, 12, 15)
    ]
    assert [table["score"][str(number)] for number in (1, 3, 5, 7, 9)] == [2, 4, 1, 3, 5]
