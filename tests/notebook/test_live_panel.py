"""What somebody does in a live output stays as it is while newer cards and spans come, in a real Chromium."""

from __future__ import annotations

import base64
import time

import pytest

from mirascope_ops import ops
from mirascope_ops.notebook.live_feed import LiveFeed
from mirascope_ops.notebook.live_timeline import TimelineFeed
from mirascope_ops.testing import captured
from mirascope_ops.views.html_live import live_html
from mirascope_ops.views.timeline_bundle import bundle
from tests.notebook.lab import SECONDS

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

# A widget's model, to which the test tells what a kernel would.
MODEL = """async ([script, style]) => {
  document.head.append(Object.assign(document.createElement("style"), {textContent: style}));
  const listeners = {};
  const state = {html: ""};
  const model = {
    get: (name) => state[name], set() {}, save_changes() {}, off() {}, send() {},
    on: (event, callback) => { (listeners[event] ??= []).push(callback); },
  };
  const widget = (await import(URL.createObjectURL(new Blob([script], {type: "text/javascript"})))).default;
  widget.initialize({model});
  widget.render({model, el: document.getElementById("place")});
  window.tell = (html, payload) => {
    state.html = html;
    for (const told of listeners["change:html"]) told();
    const bytes = Uint8Array.from(atob(payload), (letter) => letter.charCodeAt(0));
    for (const told of listeners["msg:custom"]) told({type: "spans", version: 1}, [new DataView(bytes.buffer)]);
  };
}"""
IN_SIGHT = """node => {
  const [own, list] = [node, node.closest(".tu")].map((one) => one.getBoundingClientRect());
  return own.top >= list.top && own.bottom <= list.bottom;
}"""
SELECT = "node => getSelection().selectAllChildren(node)"


class Live:
    """A session that goes on, and the output that shows it."""

    def __init__(self, page, context):
        self.page = page
        self.errors: list[str] = []
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.set_content("<div id='place' style='width:900px;overflow:auto'></div>")
        page.evaluate(MODEL, list(bundle("live")))
        self.feed = LiveFeed(context)
        self.feed.open()
        self.spans = TimelineFeed(self.feed.owns)
        self.spans.open()
        self.place, self.card = page.locator("#place"), page.locator(".live-card")
        self.canvas, self.panel = page.locator("canvas"), page.locator("aside")
        self.number = 0

    def close(self):
        self.feed.close()
        self.spans.close()

    def work(self, number=1):
        for _ in range(number):
            self.number += 1
            with ops.span(f"step {self.number}"):
                pass

    def update(self):
        """Tell the browser what there is, and wait until it shows that."""
        self.feed.again()
        payload = self.spans.read(time.time_ns(), 1.0)
        html = live_html(self.feed.read(time.time_ns()))
        self.page.evaluate("told => tell(...told)", [html, base64.b64encode(payload).decode()])
        self.page.locator(f"canvas[data-spans='{len(self.spans._rows)}']").wait_for()

    def selected_text(self):
        return self.page.evaluate("() => String(getSelection())")


@pytest.fixture
def live(browser):
    page = browser.new_page(viewport={"width": 1000, "height": 1300})
    page.set_default_timeout(SECONDS)
    with captured(), ops.session("talk") as entered:
        shown = Live(page, entered)
        for question in ("How are you?", "And then?"):
            with ops.span("turn", **{"input.value": question}), ops.span("ask"):
                pass
        with ops.span("turn", **{"input.value": "Is it over?"}):
            shown.work()
            shown.update()
            yield shown
        shown.close()
        assert shown.errors == []
    page.close()


def test_what_is_open_focused_and_selected_in_the_card_stays(live):
    rows = live.card.locator(".tu > li")
    rows.nth(2).locator("> details > summary").click()  # it was open, for it runs
    rows.nth(1).locator("> details > summary").press("Enter")
    live.card.locator(".us", has_text="How are you?").evaluate(SELECT)
    live.place.evaluate("node => { node.style.height = '420px'; node.scrollTop = 90; }")
    first = rows.nth(0).element_handle()

    live.work(3)
    live.update()

    live.card.get_by_text("9 spans").wait_for()
    assert rows.locator("> details").evaluate_all("all => all.map(one => one.open)") == [False, True, False]
    assert rows.nth(1).locator("> details > summary").evaluate("node => node === document.activeElement")
    assert live.selected_text() == "How are you?"
    assert live.place.evaluate("node => node.scrollTop") == 90
    assert first.evaluate("node => node.isConnected")


def test_the_newest_turns_are_in_sight_until_somebody_scrolls_and_the_timeline_stays_in_its_place(live):
    turns = live.card.locator(".tu")
    live.work(12)
    live.update()
    before = live.canvas.bounding_box()
    assert turns.get_by_text(f"step {live.number}", exact=True).evaluate(IN_SIGHT)

    live.work(4)
    live.update()
    assert turns.get_by_text(f"step {live.number}", exact=True).evaluate(IN_SIGHT)
    turns.evaluate("node => { node.scrollTop = 20; }")
    live.work()
    live.update()

    assert turns.evaluate("node => node.scrollTop") == 20
    assert live.canvas.bounding_box() == before


def test_the_panel_of_all_spans_stays_where_it_was_scrolled_to(live):
    live.page.get_by_role("button", name="Name").click()
    live.work(40)
    live.update()
    live.panel.evaluate("node => { node.scrollTop = 40; }")
    live.panel.locator("h5").evaluate(SELECT)

    live.work()
    live.update()

    live.panel.locator("tr", has_text="Spans").get_by_text("47").wait_for()
    assert live.panel.evaluate("node => node.scrollTop") == 40
    assert live.selected_text() == "Names"


def test_a_chosen_spans_panel_stays_where_it_was_scrolled_to_and_does_not_flicker(live):
    live.canvas.press("ArrowDown")
    live.panel.get_by_text("told when the cell is over").wait_for()
    live.page.evaluate(
        """() => { window.seen = []; new MutationObserver((all) => all.forEach(({addedNodes}) => addedNodes.forEach(
          (node) => seen.push(node.textContent)))).observe(document.querySelector("aside"),
          {childList: true, subtree: true}); }"""
    )
    live.panel.evaluate("node => { node.style.height = '60px'; node.scrollTop = 50; node.focus(); }")
    live.panel.locator(".more p").evaluate(SELECT)

    live.work(2)
    live.update()

    assert live.panel.evaluate("node => node.scrollTop") == 50
    assert live.panel.evaluate("node => node === document.activeElement")
    assert "told when the cell is over" in live.selected_text()
    assert live.page.evaluate("() => seen") == []


def test_a_filter_under_the_pointer_is_the_same_when_spans_come_between_press_and_release(live):
    live.work(12)
    live.update()
    live.page.get_by_text("Filter").click()
    live.page.get_by_role("checkbox", name="ask").scroll_into_view_if_needed()
    box = live.page.get_by_role("checkbox", name="ask").bounding_box()
    live.page.mouse.move(box["x"] + 4, box["y"] + 4)
    live.page.mouse.down()
    live.work()
    live.update()
    live.page.mouse.up()

    live.page.get_by_text("1 hidden").wait_for()
    assert not live.page.get_by_role("checkbox", name="ask").is_checked()


def test_the_card_beside_the_pointer_stays_while_the_pointer_does(live):
    box = live.canvas.bounding_box()
    live.page.mouse.move(box["x"] + 0.9 * box["width"], box["y"] + 56 + 24 + 8)
    hovered = live.page.locator(".hc")
    hovered.get_by_text("turn").wait_for()

    live.work()
    live.update()

    assert hovered.is_visible()
