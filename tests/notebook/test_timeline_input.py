"""The timeline under fingers, keys and screen readers, in a frame without an origin as Colab and VS Code make it."""

from __future__ import annotations

from typing import Any

import pytest

from mirascope_ops.analysis.rows import SpanRow
from mirascope_ops.spanset import SpanSet
from mirascope_ops.store.records import EventRecord
from tests.notebook.test_frontends import timeline_in_a_frame

pytestmark = [pytest.mark.slow, pytest.mark.timeout(120)]

MS = 1_000_000
START = 1_790_000_000_000 * MS
FIRST_ROW, ROW = 56 + 8, 19  # of a timeline without heads, from the top of its canvas


class Spans:
    """What the frame shows: a turn, in it a model call that waits for its first chunk and a tool with an event."""

    def __init__(self):
        rows = [
            self.row("turn", "chain", 0, 100, None),
            self.row("ask", "llm", 10, 60, 1, ttft=20 * MS),
            self.row("look up", "tool", 60, 90, 1, events=(EventRecord("halfway", START + 75 * MS, {}),)),
        ]
        self.spans = SpanSet(rows)

    @staticmethod
    def row(name, kind, begin, end, parent, **told):
        fields: dict[str, Any] = (
            dict.fromkeys(SpanRow._fields) | SpanRow._field_defaults | {"tags": (), "attributes": {}}
        )
        number = {"turn": 1, "ask": 2, "look up": 3}[name]
        fields |= {"trace_id": "1" * 32, "span_id": f"{number:016x}", "parent_id": parent and f"{parent:016x}"}
        fields |= {"name": name, "kind": kind, "status": "ok", "scope": "", "start": START + begin * MS}
        return SpanRow(**(fields | {"end": START + end * MS, "duration": (end - begin) * MS} | told))


class Shown:
    def __init__(self, page):
        self.page = page
        self.framed = timeline_in_a_frame(page, Spans())
        self.root = self.framed.frame.locator(".tl")
        self.canvas, self.panel = self.root.locator("canvas"), self.root.locator("aside")
        self.root.locator("canvas[data-frames]").wait_for()
        self.fingers = page.context.new_cdp_session(page)

    def touch(self, kind, *points):
        """Tell the browser where the fingers are: parts of the canvas' width, pixels from its top."""
        box = self.canvas.bounding_box()
        told = [
            {"x": box["x"] + part * box["width"], "y": box["y"] + y, "id": number}
            for number, (part, y) in enumerate(points)
        ]
        self.fingers.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": told})

    def window(self):
        return [float(moment) / MS for moment in self.canvas.get_attribute("data-window").split()]

    def wait_for_window(self, condition):
        self.canvas.evaluate(
            f"""async (canvas) => {{
                for (;;) {{
                    const [from, to] = canvas.dataset.window.split(" ").map((moment) => moment / {MS});
                    if ({condition}) return;
                    await new Promise((again) => requestAnimationFrame(again));
                }}
            }}"""
        )

    def colour(self, moment, y):
        """The colour of the canvas at a moment (ms), at a height within its place."""
        first, last = self.window()
        part = (moment - first) / (last - first)
        return self.canvas.evaluate(
            """(canvas, [part, y]) => {
                const ratio = canvas.width / canvas.clientWidth;
                const at = [part * canvas.clientWidth * ratio, y * ratio].map(Math.round);
                return [...canvas.getContext("2d").getImageData(...at, 1, 1).data].slice(0, 3);
            }""",
            [part, y],
        )


@pytest.fixture
def shown(browser):
    context = browser.new_context(has_touch=True, viewport={"width": 1000, "height": 1000})
    made = Shown(context.new_page())
    yield made
    assert made.framed.errors == []
    context.close()


def test_a_tap_chooses_one_finger_pans_and_two_zoom(shown):
    shown.touch("touchStart", (0.3, FIRST_ROW + ROW + 9))
    shown.touch("touchEnd")
    shown.panel.locator("h4", has_text="ask").wait_for()

    before = shown.window()
    y = FIRST_ROW + 120
    shown.touch("touchStart", (0.4, y), (0.6, y))
    for apart in (0.15, 0.2, 0.3, 0.4):
        shown.touch("touchMove", (0.5 - apart, y), (0.5 + apart, y))
    shown.touch("touchEnd")
    shown.wait_for_window(f"to - from < {(before[1] - before[0]) * 0.5}")
    first, last = shown.window()
    assert first > before[0]
    assert last < before[1]

    shown.touch("touchStart", (0.6, y))
    for part in (0.55, 0.5, 0.45, 0.4):
        shown.touch("touchMove", (part, y))
    shown.touch("touchEnd")
    shown.wait_for_window(f"from > {first} + 0.1 * (to - from)")
    moved = shown.window()
    assert moved[1] - moved[0] == pytest.approx(last - first)


def test_events_and_the_first_chunk_are_ticks(shown):
    ask, tool = FIRST_ROW + ROW, FIRST_ROW + ROW

    event, beside = shown.colour(75, tool + 2), shown.colour(80, tool + 4)
    assert sum(event) < 0.8 * sum(beside)

    waiting, answering = shown.colour(20, ask + 15), shown.colour(45, ask + 15)
    assert waiting != answering
    assert shown.colour(20, ask + 3) == answering  # above the stripe it is as the rest of the bar


def test_every_control_has_a_role_and_a_name_and_is_reached_by_tab(shown):
    frame = shown.framed.frame
    frame.get_by_role("region", name="Timeline").wait_for()
    frame.get_by_role("toolbar", name="Timeline controls").wait_for()
    frame.get_by_role("complementary", name="Details").wait_for()
    search = frame.get_by_role("searchbox", name="Find spans by name")
    reached = []

    search.focus()
    for _ in range(13):
        reached.append(
            shown.root.evaluate(
                "root => { const one = root.ownerDocument.activeElement; return root.contains(one) ?"
                " (one.getAttribute('aria-label') ?? one.textContent).split(/[.(]/)[0].trim() : ''; }"
            )
        )
        shown.page.keyboard.press("Tab")

    assert reached == [
        "Find spans by name, kind, status, model or session", "Filter", "Lanes", "Kind", "Status", "Cost", "Name",
        "Timeline", "Flame", "Critical path", "Fit", "Timeline of spans", "Details",
    ]  # fmt: skip


def test_what_is_chosen_by_key_is_said(shown):
    said = shown.root.locator("[aria-live=polite]")
    shown.canvas.focus()
    for words in ("chain turn, at +0", "llm ask, at +10.0 ms, took 50.0 ms"):
        shown.page.keyboard.press("ArrowDown")
        said.filter(has_text=words).wait_for(state="attached")
    shown.page.keyboard.press("ArrowRight")
    said.filter(has_text="tool look up").wait_for(state="attached")
    shown.page.keyboard.press("Enter")

    assert shown.panel.evaluate("node => node === node.ownerDocument.activeElement")
