"""What other frontends show: a frame without an origin, under a policy that lets nothing be requested.

Colab and VS Code put outputs into such frames: no script but the one that they load, no storage, no address, and the
widget's module comes from a blob. What needs more has to say so, and be there as text and static HTML all the same.
"""

from __future__ import annotations

import base64
import html
import json

import pytest

from mirascope_ops import ops
from mirascope_ops.notebook.review import Review
from mirascope_ops.notebook.timeline import Timeline
from mirascope_ops.views import figures_static
from mirascope_ops.views.review import page_data, review_items
from mirascope_ops.views.timeline_bundle import bundle
from mirascope_ops.views.timeline_options import TimelineOptions
from tests.notebook.lab import SECONDS

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

HOSTILE = "<img src=x onerror=\"document.title='broken'\"><script>document.title='broken'</script>"
POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; img-src data:; font-src data:; base-uri 'none'; form-action 'none'"
)
# As anywidget's own runtime does it: the module comes from a blob; the style sheet is an element of the page.
LOAD = """
const state = JSON.parse(document.getElementById("state").textContent);
if (state.data) {
  const bytes = Uint8Array.from(atob(state.data), (letter) => letter.charCodeAt(0));
  state.data = new DataView(bytes.buffer);
}
const listeners = {};
const bytesOf = (text) => new DataView(Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0)).buffer);
window.sent = [];
window.answer = (message, told, buffers = []) =>
  listeners["msg:custom"]({version: 1, request: message.request, ...told}, buffers.map(bytesOf));
window.state = state;
const model = {
  get: (name) => state[name], set: (name, value) => { state[name] = value; }, save_changes() {}, off() {},
  on: (event, callback) => { listeners[event] = callback; },
  send: (message) => {
    window.sent.push(message.type);
    window.last = message;
    if (message.type === "data") window.asked = message;
    const answer = state.answers?.[message.type];
    if (answer) setTimeout(() => window.answer(message, answer));
  },
};
const url = URL.createObjectURL(new Blob([state._esm], {type: "text/javascript"}));
import(url).then((made) => made.default.render({model, el: document.getElementById("place")}));
"""


@pytest.fixture
def session():
    with ops.session() as entered:
        for question in (HOSTILE, "and then?"):
            with ops.span("turn", **{"input.value": question}), ops.span("ask", **{"openinference.span.kind": "LLM"}):
                pass
    return ops.get_session(entered.id)


class Framed:
    """An output in a frame of its own; what goes wrong in it, and what it asks of anybody, is noted."""

    def __init__(self, page, body, *, scripts="", dark=False):
        self.page = page
        self.errors: list[str] = []
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.on("console", lambda told: told.type == "error" and self.errors.append(told.text))
        page.on(
            "request", lambda asked: asked.url.startswith(("about:", "blob:", "data:")) or self.errors.append(asked.url)
        )
        policy = POLICY + (f"; script-src {scripts}" if scripts else "")
        host = "vscode-dark" if dark else "vscode-light"
        framed = (
            f'<!doctype html><html><meta charset="utf-8">'
            f'<meta http-equiv="Content-Security-Policy" content="{policy}"><body class="{host}">{body}</body></html>'
        )
        sandbox = "allow-scripts" if scripts else ""
        page.set_content(
            f'<iframe sandbox="{sandbox}" style="width:900px;height:900px" srcdoc="{html.escape(framed)}"></iframe>'
        )
        self.frame = page.frame_locator("iframe")


@pytest.fixture
def page(browser):
    opened = browser.new_page(viewport={"width": 1000, "height": 1000})
    opened.set_default_timeout(SECONDS)
    yield opened
    opened.close()


def shown_html(value):
    return value._repr_mimebundle_()["text/html"]


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("view", ["session", "trace", "conversation", "list"])
def test_static_views_need_no_script_and_ask_for_nothing(page, session, view, dark):
    value = {
        "session": lambda: shown_html(session),
        "trace": lambda: shown_html(ops.last_trace()),
        "conversation": lambda: shown_html(session.conversation()),
        "list": lambda: shown_html(ops.traces()),
    }[view]()
    framed = Framed(page, value, dark=dark)

    framed.frame.locator("article").first.wait_for()

    closed = framed.frame.locator("details:not([open]) > summary:visible")
    if closed.count():
        closed.first.click()
        framed.frame.locator("details[open]").first.wait_for()
    background = framed.frame.locator("article").first.evaluate("shown => getComputedStyle(shown).backgroundColor")
    assert (sum(map(int, background[4:-1].split(","))) < 200) is dark
    assert framed.frame.locator("img, script").count() == 0
    assert page.title() != "broken"
    assert framed.errors == []


def timeline_in_a_frame(page, session, *, dark=False, widget=None):
    widget = widget or Timeline(session.spans, TimelineOptions(), bundle("timeline"))
    names = ("lanes", "color", "view", "critical_path", "query", "height", "selected_span", "selected_range", "hidden")
    state = {name: getattr(widget, name) for name in names}
    state |= {"data": base64.b64encode(widget.data).decode(), "payload": widget.payload, "_esm": widget._esm}
    return widget_in_a_frame(page, widget, state, dark=dark)


def widget_in_a_frame(page, widget, state, *, dark=False):
    told = json.dumps(state).replace("<", "\\u003c")
    body = (
        f"<style>{widget._css}</style><div id='place'></div>"
        f"<script type='application/json' id='state'>{told}</script><script>{LOAD}</script>"
    )
    return Framed(page, body, scripts="'unsafe-inline' blob:", dark=dark)


@pytest.mark.parametrize("dark", [False, True])
def test_the_timeline_works_in_a_frame_without_an_origin(page, session, dark):
    framed = timeline_in_a_frame(page, session, dark=dark)
    root = framed.frame.locator(".tl")
    canvas = root.locator("canvas[data-spans='4']")

    canvas.wait_for()
    canvas.press("ArrowDown")
    canvas.press("ArrowDown")
    root.locator("aside h4", has_text="ask").wait_for()
    root.get_by_role("searchbox").fill("kind:llm")
    root.locator(".mc", has_text="2 found").wait_for()

    shade = "canvas => canvas.getContext('2d').getImageData(3, canvas.height - 9, 1, 1).data[1]"
    assert (canvas.evaluate(shade) < 60) is dark
    assert framed.frame.locator("img").count() == 0
    assert framed.errors == []


def test_without_a_kernel_the_timeline_says_why_a_span_tells_no_more(page, session):
    page.clock.install()
    framed = timeline_in_a_frame(page, session)
    canvas = framed.frame.locator("canvas[data-spans='4']")
    page.clock.run_for(1000)
    canvas.wait_for()

    canvas.press("ArrowDown")
    page.clock.run_for(30_000)

    framed.frame.locator("aside", has_text="The kernel does not answer").wait_for()
    assert framed.errors == []


@pytest.mark.parametrize("dark", [False, True])
def test_a_review_works_in_a_frame_without_an_origin(page, session, dark):
    items = review_items(session.spans)
    widget = Review(session.spans, bundle("review"))
    answers = {"page": {"type": "page", "page": page_data(items[0])}, "judge": {"type": "kept", "verdict": None}}
    state = {"rows": widget.rows, "cursor": 0, "answers": answers, "_esm": widget._esm}
    framed = widget_in_a_frame(page, widget, state, dark=dark)
    review = framed.frame.locator(".rv")

    review.locator(".sd", has_text="onerror").wait_for()
    review.press("3")
    review.press("f")
    review.press("p")
    review.locator(".pg", has_text="2 of 2 reviewed · 1 pass · 1 fail").wait_for()
    review.locator(".ss", has_text="Kept").wait_for()

    assert framed.frame.locator("body").evaluate("() => window.sent.filter((type) => type === 'judge').length") == 3
    assert framed.frame.locator("img").count() == 0
    assert page.title() != "broken"
    assert framed.errors == []


def test_where_no_widget_is_shown_the_same_output_has_a_static_picture_and_text(page, session):
    widget = Timeline(session.spans, TimelineOptions(), bundle("timeline"))
    data, _ = widget._repr_mimebundle_()

    framed = Framed(page, data["text/html"])
    framed.frame.locator("article").first.wait_for()

    assert "turn" in framed.frame.locator("body").inner_text()
    assert data["text/plain"] == "Timeline of 4 spans"
    assert framed.errors == []


def test_a_figure_that_no_renderer_takes_is_there_as_a_table(page, session):
    shown = figures_static.table_of("timeline", "Spans", session.figure_table("timeline"), 4)

    framed = Framed(page, shown)
    framed.frame.locator("table").wait_for()

    assert "ask" in framed.frame.locator("table").inner_text()
    assert framed.errors == []
