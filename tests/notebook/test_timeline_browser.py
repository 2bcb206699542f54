"""The timeline in a real JupyterLab, and in a page that was exported from it."""

from __future__ import annotations

import re
import time

import pytest
from playwright.sync_api import TimeoutError, sync_playwright  # noqa: A004 - as it is called there

from mirascope_ops import ops
from tests.notebook.lab import FLAGS, SECONDS, browser_program, open_notebook

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

HOSTILE = "<img src=x onerror=\"document.title='broken'\">"
SETUP = f"""from mirascope_ops import ops
import time
with ops.session("talk"), ops.span({HOSTILE!r}, **{{"input.value": {HOSTILE!r}}}):
    for name in ("retrieve", "answer", "check"):
        with ops.span(name, **{{"openinference.span.kind": "LLM" if name == "answer" else "TOOL"}}) as span:
            span.event("halfway", note={HOSTILE!r})
            time.sleep(0.05)
spans = ops.get_session("talk").spans"""
SHOW = "widget = spans.timeline(lanes='depth')\nwidget"
READ = "print(list(widget.selection.to_pandas()['name']), widget.selected and widget.selected.name, widget.color)"
WRONG = "spans.timeline(colour='kind')"
NUMBER = 60_000
SPANS = f"""from mirascope_ops import ops
from mirascope_ops.analysis.rows import SpanRow
empty = dict.fromkeys(SpanRow._fields) | SpanRow._field_defaults | {{"tags": (), "attributes": {{}}, "scope": ""}}
START, MS = 1_790_000_000_000_000_000, 1_000_000
def row(number, name, begin, end):
    told = {{"trace_id": f"{{number + 1:032x}}", "span_id": f"{{number + 1:016x}}", "name": name, "kind": "tool"}}
    told |= {{"status": "ok", "start": START + begin * MS, "end": START + end * MS, "duration": (end - begin) * MS}}
    return SpanRow(**(empty | told))
rows = [row(number, "short", 10 * number, 10 * number + 5) for number in range({NUMBER})]
rows[30_000] = row(30_000, "long", 300_000, 400_000)
spans = ops.SpanSet(rows)"""
HELD = """import pathlib, time
from mirascope_ops.notebook.timeline import Timeline
send = Timeline._send_payload
def held(*told):
    while not pathlib.Path("go").exists():
        time.sleep(0.05)
    send(*told)
Timeline._send_payload = held"""
SAVED = '{"saveState": true}'

# Where the rows of a timeline without heads stand, from the top of its canvas.
FIRST_ROW, ROW = 56 + 8 + 9, 19


class Shown:
    """A timeline in a page."""

    def __init__(self, page, within):
        self.page = page
        self.root = within.locator(".tl")
        self.canvas = self.root.locator("canvas")
        self.panel = self.root.locator("aside")
        self.canvas.and_(page.locator("[data-frames]")).wait_for()
        self.canvas.scroll_into_view_if_needed()

    def at(self, part, row):
        """The point at a part of the width, in a row."""
        box = self.canvas.bounding_box()
        return box["x"] + part * box["width"], box["y"] + FIRST_ROW + row * ROW

    def click(self, part, row):
        self.page.mouse.click(*self.at(part, row))

    def window(self):
        first, last = map(float, self.canvas.get_attribute("data-window").split())
        return last - first

    def narrower(self, than):
        self.page.wait_for_function(
            "([canvas, most]) => { const [a, b] = canvas.dataset.window.split(' '); return b - a < most; }",
            arg=[self.canvas.element_handle(), than * 0.99],
        )

    def measure(self):
        """Drag along the axis, over the second half of all time."""
        box = self.canvas.bounding_box()
        y = box["y"] + 45
        self.page.mouse.move(box["x"] + box["width"] * 0.5, y)
        self.page.mouse.down()
        self.page.mouse.move(box["x"] + box["width"] * 0.7, y, steps=4)
        self.page.mouse.move(box["x"] + box["width"] - 2, y, steps=4)
        self.page.mouse.up()
        self.panel.locator("h4", has_text="Selection").wait_for()

    def brightness(self):
        """How bright the background is, 0 to 255."""
        return self.canvas.evaluate(
            "canvas => canvas.getContext('2d').getImageData(3, canvas.height - 9, 1, 1).data[1]"
        )


def run_until(lab, place, text):
    """Run a cell until it prints this: a widget tells its kernel one change after the other, as it takes them in."""
    end = time.monotonic() + SECONDS / 1000
    while True:
        lab.run_and_wait(place)
        try:
            return lab.output(place).get_by_text(text).wait_for(timeout=2000)
        except TimeoutError:
            assert time.monotonic() < end, lab.output(place).inner_text()


@pytest.mark.parametrize("application", ["jupyterlab", "notebook"])
def test_a_timeline_in_a_notebook(tmp_path, application):
    cells = [SETUP, SHOW, READ, READ, WRONG]
    with open_notebook(tmp_path, cells, application=application, MIRASCOPE_OPS_STORE=":memory:") as lab:
        lab.run_and_wait(0, 1)
        shown = Shown(lab.page, lab.output(1))

        # It is there, with what it is about.
        assert shown.canvas.get_attribute("data-spans") == "4"
        shown.panel.filter(has_text=re.compile(r"Traces\s*1(?!\d)")).wait_for()

        # A click shows what the kernel knows of a span; text stays text.
        shown.click(0.5, 0)
        shown.panel.locator("h4", has_text="<img src=x").wait_for()
        shown.panel.locator("pre", has_text="onerror").wait_for()
        assert shown.root.locator("img").count() == 0

        # Keys are the timeline's while it has the focus, and no cell is added or removed.
        before = shown.window()
        cells = lab.page.locator(".jp-Notebook .jp-Cell").count()
        for key in "wwaddm":
            lab.page.keyboard.press(key)
        shown.narrower(before * 0.6)
        assert lab.page.locator(".jp-Notebook .jp-Cell").count() == cells
        lab.page.keyboard.press("Escape")
        lab.page.keyboard.press("0")
        lab.page.keyboard.press("ArrowDown")
        lab.page.keyboard.press("ArrowDown")
        shown.panel.locator("h4", has_text="retrieve").wait_for()

        # The search counts, Enter goes to what it found, and the kernel knows which.
        shown.root.get_by_role("searchbox").fill("answer")
        shown.root.locator(".mc", has_text="1 found").wait_for()
        shown.root.get_by_role("searchbox").press("Enter")
        shown.panel.locator("h4", has_text="answer").wait_for()
        shown.root.get_by_role("button", name="Cost").click()
        run_until(lab, 2, "['answer'] answer cost")

        # A stretch of time has statistics, and is a table in the kernel.
        shown.root.get_by_role("searchbox").fill("")
        shown.root.get_by_role("button", name="Fit").click()
        shown.measure()
        shown.panel.filter(has_text=re.compile(r"LLM calls\s*1(?!\d)")).wait_for()
        shown.panel.get_by_text("widget.selection.to_pandas()").wait_for()
        run_until(lab, 3, "'answer', 'check'] None cost")

        # Names that are hidden leave the lanes; the flame view adds up.
        shown.root.get_by_text("Filter").click()
        shown.root.get_by_role("checkbox", name="check").uncheck()
        shown.root.get_by_text("1 hidden").wait_for()
        lab.page.keyboard.press("Escape")
        shown.root.get_by_role("button", name="Flame").click()
        shown.panel.locator("h4", has_text="Flame").wait_for()
        shown.root.get_by_role("button", name="Timeline").click()
        shown.root.get_by_role("button", name="Critical path").click()

        # The canvas follows the theme.
        assert shown.brightness() > 200
        lab.command("apputils:change-theme", theme="JupyterLab Dark")
        lab.page.wait_for_selector("body[data-jp-theme-light='false']", state="attached")
        lab.page.wait_for_function(
            "canvas => canvas.getContext('2d').getImageData(3, canvas.height - 9, 1, 1).data[1] < 60",
            arg=shown.canvas.element_handle(),
        )

        lab.run(4)
        lab.output(4).get_by_text("Did you mean 'color'?").first.wait_for()
        assert lab.page.title() != "broken"
        assert lab.errors == []
        assert lab.outside == []


def test_a_large_timeline_in_jupyterlab_and_in_its_saved_notebook(tmp_path):
    settings = tmp_path / "settings" / "@jupyter-widgets" / "jupyterlab-manager"
    settings.mkdir(parents=True)
    (settings / "plugin.jupyterlab-settings").write_text(SAVED)
    cells = [SPANS, HELD, "widget = spans.timeline(lanes='depth')\nwidget", "print(widget.selected.name)"]
    with open_notebook(tmp_path, cells, MIRASCOPE_OPS_STORE=":memory:") as lab:
        lab.run_and_wait(0, 1, 2)

        # While all spans are on their way there is a first picture, in which one can choose.
        shown = Shown(lab.page, lab.output(2))
        shown.root.locator(".pt", has_text=f"of {NUMBER:,} spans; the rest follows").wait_for()
        first = shown.canvas.get_attribute("data-spans")
        assert int(first) < NUMBER
        shown.root.get_by_role("searchbox").fill("long")
        shown.root.get_by_role("searchbox").press("Enter")
        shown.panel.locator("h4", has_text="long").wait_for()

        # Then all spans come, and the kernel knows which one is chosen.
        (tmp_path / "go").touch()
        shown.root.locator(f"canvas[data-spans='{NUMBER}']").wait_for()
        run_until(lab, 3, "long")
        assert lab.outside == []

        # The notebook that is saved has the first picture.
        lab.save()
        path = tmp_path / "notes.ipynb"
        lab.page.wait_for_function("() => !window.jupyterapp.shell.currentWidget.context.model.dirty")
        assert "application/vnd.jupyter.widget-state+json" in path.read_text()
        lab.restart()
        lab.page.reload()
        again = Shown(lab.page, lab.output(2))
        again.root.locator(".pt", has_text=f"of {NUMBER:,} spans").wait_for()
        assert again.canvas.get_attribute("data-spans") == first
        again.canvas.press("ArrowDown")
        again.panel.locator("h4", has_text="short").wait_for()
        assert lab.errors == []


def test_an_exported_page_works_from_a_file_alone(tmp_path):
    outer, inner = ops.span(HOSTILE, **{"input.value": HOSTILE}), ops.span("step", **{"output.value": "what came out"})
    with ops.session("exported"), outer, inner:
        pass
    path = ops.last_trace().to_html(tmp_path / "trace.html", lanes="depth")
    wrong = []

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=browser_program(), args=FLAGS, timeout=SECONDS)
        page = browser.new_page(viewport={"width": 1000, "height": 500}, color_scheme="dark")
        page.set_default_timeout(SECONDS)
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.on("console", lambda message: wrong.append(message.text))
        page.on("request", lambda asked: re.match(r"file:|data:|blob:", asked.url) or wrong.append(asked.url))
        page.goto(path.as_uri())
        shown = Shown(page, page)

        # The wheel is the page's until the timeline has the focus.
        before = shown.window()
        page.mouse.move(*shown.at(0.5, 3))
        page.mouse.wheel(0, 60)
        page.wait_for_function(  # the page has come to rest
            "() => { const last = window.last; window.last = scrollY; return scrollY > 0 && scrollY === last; }",
            polling=200,
        )
        assert shown.window() == before
        shown.click(0.5, 0)
        page.mouse.wheel(0, -200)
        shown.narrower(before)
        page.keyboard.press("0")

        # Details are in the page.
        shown.panel.locator("pre", has_text="onerror").wait_for()
        page.keyboard.press("ArrowDown")
        shown.panel.locator("pre", has_text="what came out").wait_for()
        shown.measure()
        assert shown.brightness() < 60
        assert page.locator("article").count() == 1
        assert page.title() != "broken"
        browser.close()

    assert wrong == []
