"""The first picture of a large timeline in a browser: what can be done with it, and how all spans take its place."""

from __future__ import annotations

import base64
import json
import re

import pytest

from mirascope_ops.analysis.rows import SpanRow
from mirascope_ops.notebook.timeline import Timeline
from mirascope_ops.views.timeline_bundle import bundle
from mirascope_ops.views.timeline_options import TimelineOptions
from tests.notebook.test_frontends import timeline_in_a_frame
from tests.notebook.test_timeline_browser import Shown

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

MS = 1_000_000
START = 1_790_000_000_000 * MS
NUMBER = 60_000


def row(number, parent, name, begin, end):
    fields = dict.fromkeys(SpanRow._fields) | SpanRow._field_defaults | {"tags": (), "attributes": {}}
    fields |= {"trace_id": f"{(parent or number) + 1:032x}", "span_id": f"{number + 1:016x}", "name": name}
    fields |= {"parent_id": parent and f"{parent + 1:016x}", "kind": "tool", "status": "ok", "scope": ""}
    fields |= {"session_id": "talk", "start": START + begin * MS, "end": START + end * MS}
    return SpanRow(**(fields | {"duration": (end - begin) * MS}))


@pytest.fixture(scope="module")
def widget():
    """Many short spans one after the other, and a long one in the middle of them, which called the next one."""
    rows = [row(number, None, "short", 10 * number, 10 * number + 5) for number in range(NUMBER)]
    middle = NUMBER // 2
    rows[middle] = row(middle, None, "long", 10 * middle, 13 * middle)
    rows[middle + 1] = row(middle + 1, middle, "called", 10 * middle + 1, 12 * middle)
    return Timeline(rows, TimelineOptions(), bundle("timeline"))


class Held(Shown):
    """The widget in a frame, with a kernel that answers when it is told to."""

    def __init__(self, page, widget):
        page.set_default_timeout(90_000)
        self.framed = timeline_in_a_frame(page, None, widget=widget)
        self.widget = widget
        super().__init__(page, self.framed.frame)
        self.note = self.root.locator(".pt")
        self.inside = page.frames[-1]

    def wait_for(self, number):
        self.framed.frame.locator(f"canvas[data-spans='{number}']").wait_for()

    def narrower(self, than):
        # Under this policy nothing is evaluated that the browser would have to be asked for again and again.
        self.canvas.evaluate(
            """async (canvas, most) => {
                const width = () => canvas.dataset.window.split(" ").reduce((from, to) => to - from);
                while (width() >= most) await new Promise(requestAnimationFrame);
            }""",
            than * 0.99,
        )

    def answer(self):
        """Let all spans come."""
        message = json.loads(self.inside.evaluate("JSON.stringify(window.asked)"))
        sent = []
        self.widget.send = lambda told, buffers=(): sent.append((told, buffers))
        self.widget._receive(self.widget, message, [])
        for told, buffers in sent:
            texts = [base64.b64encode(buffer).decode() for buffer in buffers]
            self.inside.evaluate("([told, texts]) => window.answer(told, told, texts)", [told, texts])
        self.wait_for(NUMBER)

    def state(self, name):
        return self.inside.evaluate("name => window.state[name]", name)


@pytest.fixture
def shown(browser, widget):
    page = browser.new_page(viewport={"width": 1000, "height": 1000})
    made = Held(page, widget)
    yield made
    assert made.framed.errors == []
    page.close()


def test_the_first_picture_says_what_it_is_and_all_spans_take_its_place(shown):
    first = len(shown.widget._shown.first.data.spans)

    shown.wait_for(first)
    shown.note.filter(has_text=f"{first:,} of {NUMBER:,} spans; the rest follows").wait_for()
    shown.panel.filter(has_text=f"{first:,} of {NUMBER:,}").wait_for()
    assert "Traces" not in shown.panel.inner_text()
    whole = shown.window()
    for _ in "zoom":
        shown.canvas.press("w")
    shown.narrower(whole)
    shown.root.get_by_role("searchbox").fill("short")
    shown.root.locator(".mc", has_text=f"{first - 2:,} found").wait_for()
    window = shown.canvas.get_attribute("data-window")
    shown.answer()

    # The window stays, what was searched for is searched for among all, and the note is gone.
    shown.root.locator(".mc", has_text=f"{NUMBER - 2:,} found").wait_for()
    assert shown.canvas.get_attribute("data-window") == window
    shown.panel.filter(has_text=re.compile(rf"Spans\s*{NUMBER:,}")).wait_for()
    assert not shown.note.is_visible()


def test_what_is_chosen_in_the_first_picture_is_told_when_all_spans_have_come(shown):
    shown.root.get_by_role("searchbox").fill("called")
    shown.root.get_by_role("searchbox").press("Enter")
    shown.panel.locator("h4", has_text="called").wait_for()
    assert "widget.selected" not in shown.panel.inner_text()

    # A place among a few would be taken for one among all.
    assert shown.state("selected_span") == -1
    asked = shown.inside.evaluate("window.last")
    assert (asked["type"], asked["first"]) == ("detail", True)
    told = shown.widget._detail(asked)
    assert ("Span", f"{NUMBER // 2 + 2:016x}"[:8]) in told["facts"]
    assert shown.widget._shown.first.data.spans[asked["span"]].name == "called"
    shown.answer()

    shown.panel.get_by_text("widget.selected").wait_for()
    place = shown.state("selected_span")
    assert shown.widget._shown.whole.spans[place].name == "called"
    shown.panel.locator("h4", has_text="called").wait_for()
    again = shown.inside.evaluate("window.last")
    assert (again["type"], again["first"], again["span"]) == ("detail", False, place)


def test_a_stretch_of_time_that_is_chosen_in_the_first_picture_stays(shown):
    shown.measure()
    chosen = shown.state("selected_range")
    assert chosen[1] > chosen[0] > 0
    shown.panel.filter(has_text="Of ").wait_for()

    shown.answer()

    assert shown.state("selected_range") == chosen
    shown.panel.filter(has_not_text=" of 60,000 spans").locator("h4", has_text="Selection").wait_for()


def test_other_lanes_and_filters_are_kept_for_all_spans(shown):
    shown.root.get_by_label("Lanes").select_option("name")
    shown.root.get_by_text("Filter").click()
    shown.root.get_by_role("checkbox", name="long").uncheck()

    shown.answer()

    shown.root.get_by_text("1 hidden").wait_for()
    assert shown.root.get_by_label("Lanes").input_value() == "name"


def test_a_first_picture_that_was_saved_says_so_where_no_kernel_answers(browser, widget):
    page = browser.new_page(viewport={"width": 1000, "height": 1000})
    page.clock.install()
    framed = timeline_in_a_frame(page, None, widget=widget)
    canvas = framed.frame.locator("canvas[data-spans]")
    page.clock.run_for(1000)
    canvas.wait_for()

    page.clock.run_for(30_000)

    framed.frame.locator(".pt", has_text="if that is gone, run the cell again").wait_for()
    canvas.press("ArrowDown")
    framed.frame.locator("aside h4", has_text="short").wait_for()
    assert framed.errors == []
    page.close()
