"""Take the pictures of the timeline and of a live output in docs/images, in a Chromium with a pretended kernel.

python tools/take_timeline_pictures.py [NAME ...]     timeline, timeline-cost, timeline-range, timeline-flame,
                                                      timeline-1m, live

See `take_pictures.py` for the static views, and for the fonts.
"""

from __future__ import annotations

import base64
import json
import random
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from playwright.sync_api import sync_playwright

import mirascope_ops as ops
from mirascope_ops.analysis.rows import SpanRow
from mirascope_ops.core import clock
from mirascope_ops.notebook.live_feed import LiveFeed
from mirascope_ops.notebook.live_timeline import TimelineFeed
from mirascope_ops.store.records import EventRecord
from mirascope_ops.views.html_live import live_html
from mirascope_ops.views.timeline import timeline_data
from mirascope_ops.views.timeline_detail import timeline_detail

ROOT: Final = Path(__file__).parent.parent
sys.path[:0] = [str(ROOT / "tools"), str(ROOT / "benchmarks")]
import timeline as bench  # noqa: E402 - these folders are no packages
from take_pictures import (  # noqa: E402
    FLAGS,
    SCALE,
    SCHEMES,
    START,
    STATIC,
    WIDTH,
    Cell,
    Clock,
    keep,
    notebook,
    page,
)  # fmt: skip

if TYPE_CHECKING:
    from collections.abc import Callable

    from playwright.sync_api import Browser, Page

MS: Final = 1_000_000
_MANY: Final = 1_000_000

SCRIPT: Final = """
const told = __TOLD__, heard = [];
const bytes = (text) => Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
const view = (text) => new DataView(bytes(text).buffer);
const payload = told.file ? new DataView(await (await fetch(told.file)).arrayBuffer()) : view(told.payload);
const state = {...told.state, data: payload, payload: {bytes: 0}};
const on = (event, what) => heard.push([event, what]);
const say = (event, ...what) => heard.forEach(([name, hear]) => name === event && hear(...what));
const model = {get: (key) => state[key], set: (key, value) => { state[key] = value; }, save_changes() {}, on, off() {},
  send: ({type, request, span}) => setTimeout(() => type === "detail"
    && say("msg:custom", {version: 1, request, type, detail: told.details[span]}))};
const module = await import(URL.createObjectURL(new Blob([told.source], {type: "text/javascript"})));
await module.default.initialize?.({model});
module.default.render({model, el: document.querySelector("#here")});
if (told.live) say("msg:custom", {type: "spans", version: 1}, [payload]);
"""


class Widget(NamedTuple):
    """What a browser gets: which front end, its state, what it is told."""

    cell: Cell
    name: str
    state: dict[str, Any]
    payload: bytes
    details: dict[int, Any]


def rows() -> list[SpanRow]:
    """Three sessions side by side: conversations with tools, requests that fan out, and one that fails at times."""
    chance = random.Random(4)  # noqa: S311 - the same spans in every run
    empty: dict[str, Any] = dict.fromkeys(SpanRow._fields) | SpanRow._field_defaults
    empty |= {"tags": (), "scope": "travel", "attributes": {}}
    found: list[SpanRow] = []

    def add(parent: SpanRow | None, name: str, kind: str, at: float, took: float, **told: Any) -> SpanRow:
        start = START + round(at * MS)
        above = (
            {"trace_id": f"{chance.getrandbits(128):032x}", "session_id": told.pop("session", None)}
            if parent is None
            else {"trace_id": parent.trace_id, "session_id": parent.session_id, "parent_id": parent.span_id}
        )
        fields = {
            "name": name,
            "kind": kind,
            "start": start,
            "end": start + round(took * MS),
            "duration": round(took * MS),
        }
        made = SpanRow(
            **(empty | {"span_id": f"{chance.getrandbits(64):016x}", "status": "ok"} | above | fields | told)
        )
        found.append(made)
        return made

    def ask(parent: SpanRow, at: float, took: float, question: str, answer: str, **told: Any) -> None:
        said = {
            "gen_ai.input.messages": json.dumps([{"role": "user", "content": question}]),
            "gen_ai.output.messages": json.dumps([{"role": "assistant", "content": answer}]),
        }
        used = {"input_tokens": 300 + len(question) * 4, "output_tokens": len(answer), "model": "gpt-4o-mini"}
        used["cost"] = used["input_tokens"] * 1.5e-7 + used["output_tokens"] * 6e-7 * chance.choice((1, 4, 30))
        add(parent, "chat gpt-4o-mini", "llm", at, took, attributes=said, **used, **told)

    def fails(parent: SpanRow, at: float, took: float) -> None:
        error = {"error_type": "ConnectionError", "error_message": "429: too many requests to this model"}
        add(parent, "chat large", "llm", at, took, status="error", model="large", **error)

    def turn(session: str, at: float) -> float:
        took = 460 + chance.randrange(400)
        chat = add(None, "chat", "chain", at, took, session=session, input="How is the weather in Lisbon?")
        add(chat, "retrieve", "retriever", at + 4, 52)
        first = (took - 200) * 0.5
        ask(
            chat,
            at + 60,
            first,
            "How is the weather in Lisbon?",
            "I look it up in the forecast.",
            ttft=round(first * 0.45 * MS),
        )
        begun = START + round((at + 66 + first) * MS)
        events = [EventRecord("asked", begun, {}), EventRecord("answered", begun + 60 * MS, {"status": 200})]
        add(chat, "get_weather", "tool", at + 64 + first, 90, events=tuple(events))
        left = took - first - 164
        ask(
            chat,
            at + 160 + first,
            left,
            "21 °C, sunny",
            "It is 21 °C and sunny in Lisbon.",
            ttft=round(left * 0.3 * MS),
        )
        return took

    def fan_out(session: str, at: float) -> float:
        took = 520 + chance.randrange(160)
        top = add(None, "fan_out", "agent", at, took, session=session)
        for part in range(3):
            worker = add(top, "worker", "chain", at + 6 + 3 * part, took - 12 - 20 * part)
            ask(worker, at + 10 + 3 * part, took - 20 - 20 * part, f"Summarise part {part}", "A short café ☕ summary.")
        return took

    def fallback(session: str, at: float) -> float:
        top = add(None, "chat_with_fallback", "chain", at, 610, session=session)
        fails(top, at + 6, 280)
        ask(top, at + 292, 310, "Tell me in one line", "One provider was down, and all is well again.")
        return 610

    kinds: dict[str, tuple[Callable[[str, float], float], ...]] = {
        "lisbon": (turn, fan_out, turn), "outage": (fallback, turn, fallback), "eval-7": (fan_out, turn, fallback),
    }  # fmt: skip
    for place, (session, made) in enumerate(kinds.items()):
        at = 140.0 * place
        for number in range(12):
            at += made[number % len(made)](session, at) + chance.randrange(260)
    return sorted(found, key=lambda row: row.start)


def timeline_widget(source: str, spans: list[SpanRow], **options: Any) -> Widget:
    data = timeline_data(spans)
    state = {"lanes": "session", "color": "kind", "view": "time", "critical_path": False, "query": "", "height": 560}
    state |= {"hidden": {"kinds": [], "statuses": [], "names": []}, "selected_span": -1, "selected_range": []} | options
    few = len(data.spans) <= 10_000  # noqa: PLR2004 - the large one has no details
    details = {place: timeline_detail(row) for place, row in enumerate(data.spans)} if few else {}
    return Widget(Cell(12, source, '<div id="here"></div>'), "timeline", state, data.payload, details)


def live_widget() -> Widget:
    """A session at a moment at which three workers run."""
    now = Clock()
    clock.replace(now, random.Random(7).getrandbits)  # noqa: S311 - ids that must repeat
    ops.configure(store=":memory:")
    source = "%%ops_session travel --live\nfor question in questions:\n    answer(question)"
    told = {"gen_ai.operation.name": "chat", "gen_ai.request.model": "gpt-4o-mini"}

    def model(milliseconds: float, tokens: int) -> None:
        with ops.span("chat gpt-4o-mini", **told) as span:
            now.work(milliseconds)
            used = {
                "gen_ai.usage.input_tokens": tokens,
                "gen_ai.usage.output_tokens": 60,
                "gen_ai.usage.cost": tokens * 2e-6,
            }
            span.set(**used, **{"gen_ai.response.time_to_first_chunk": milliseconds / 3000})

    def tool(name: str, kind: str, milliseconds: float) -> None:
        with ops.span(name, **{"openinference.span.kind": kind}):
            now.work(milliseconds)

    with ops.session("travel") as entered:
        feed = LiveFeed(entered)
        feed.open()
        spans = TimelineFeed(feed.owns)
        spans.open()
        questions = ("What is the capital of Portugal?", "How is the weather there?", "Where do I eat well?")
        for number, question in enumerate(questions):
            with ops.span("answer", **{"openinference.span.kind": "CHAIN", "input.value": question}) as span:
                tool("retrieve", "RETRIEVER", 46)
                model(620 + 190 * number, 410 + 160 * number)
                tool("get_weather", "TOOL", 150)
                model(390 + 60 * number, 520 + 160 * number)
                span.set(**{"output.value": ("Lisbon.", "21 °C and sunny.", "In Alfama, by the river.")[number]})
        with ops.span("answer", **{"openinference.span.kind": "CHAIN", "input.value": "Plan three days for me"}):
            tool("retrieve", "RETRIEVER", 51)
            with ops.span("plan", **{"openinference.span.kind": "AGENT"}):
                model(840, 900)
                tool("search_hotels", "TOOL", 240)
                with ops.span("chat gpt-4o-mini", **told):
                    now.work(430)
                    html = live_html(feed.read(now()) or _nothing())
                    payload = spans.read(now(), 1.0) or b""
        feed.close()
        spans.close()
    return Widget(Cell(7, source, '<div id="here"></div>'), "live", {"html": html}, payload, {})


def _nothing() -> Any:
    raise SystemExit("The live session has nothing to show.")


def at(shown: Page, part: float, row: int) -> tuple[float, float]:
    """A point of the canvas: at a part of its width, in a row of the first group."""
    box = shown.locator("canvas").bounding_box() or {"x": 0, "y": 0, "width": 0}
    return box["x"] + part * box["width"], box["y"] + 56 + 24 + 19 * row + 9


def narrowed(shown: Page, times: int) -> None:
    shown.mouse.move(*at(shown, 0.06, 3))
    for _ in range(times):
        shown.locator("canvas").press("w")


def looked_around(shown: Page) -> None:
    narrowed(shown, 4)
    shown.mouse.click(*at(shown, 0.2, 1))
    shown.locator("aside .msg").first.wait_for()
    for part in range(40, 80, 2):  # until there is a span below the pointer
        shown.mouse.move(*at(shown, part / 100, 1))
        if shown.locator(".hc").is_visible():
            break


def measured(shown: Page) -> None:
    narrowed(shown, 2)
    x, y = at(shown, 0.22, 0)
    shown.mouse.move(x, y - 36)
    shown.mouse.down()
    shown.mouse.move(*(at(shown, 0.7, 0)[0], y - 36), steps=5)
    shown.mouse.up()


def costs(shown: Page) -> None:
    narrowed(shown, 4)


def nothing(shown: Page) -> None:
    shown.locator("canvas").wait_for()


class Picture(NamedTuple):
    widget: Callable[[], Widget]
    done: Callable[[Page], None]


PICTURES: Final = {
    "timeline": Picture(lambda: timeline_widget("spans.timeline()", rows()), looked_around),
    "timeline-cost": Picture(lambda: timeline_widget("spans.timeline(color='cost')", rows(), color="cost"), costs),
    "timeline-range": Picture(
        lambda: timeline_widget("spans.timeline(critical_path=True)", rows(), critical_path=True), measured
    ),
    "timeline-flame": Picture(lambda: timeline_widget("spans.timeline(view='flame')", rows(), view="flame"), nothing),
    "timeline-1m": Picture(lambda: timeline_widget("ops.spans().timeline()  # a million", bench.spans(_MANY)), nothing),
    "live": Picture(live_widget, nothing),
}


def take(browser: Browser, name: str, scheme: str, widget: Widget) -> None:
    """Show a widget, do what the picture is of, keep the picture."""
    shown = browser.new_page(
        viewport={"width": WIDTH + 80, "height": 200},
        color_scheme=scheme,  # pyright: ignore[reportArgumentType]
        device_scale_factor=SCALE,
    )
    failed: list[str] = []
    shown.set_default_timeout(300_000)
    shown.on("pageerror", lambda error: failed.append(str(error)))
    source, style = ((STATIC / f"{widget.name}.{end}").read_text(encoding="utf-8") for end in ("js", "css"))
    told = {"source": source, "state": widget.state, "details": widget.details, "live": widget.name == "live"}
    large = len(widget.payload) > 10 * MS
    told |= {"file": "/payload"} if large else {"payload": base64.b64encode(widget.payload).decode()}
    script = SCRIPT.replace("__TOLD__", json.dumps(told).replace("</", "<\\/"))
    body = f'{notebook([widget.cell])}<script type="module">{script}</script>'
    served = {"/": ("text/html", page(scheme, body, head=f"<style>{style}</style>").encode())}
    served["/payload"] = ("application/octet-stream", widget.payload)

    def answer(route: Any) -> None:
        kind, content = served[route.request.url.removeprefix(bench.ORIGIN)]
        route.fulfill(content_type=kind, body=content)

    shown.route(f"{bench.ORIGIN}/**", answer)
    shown.goto(f"{bench.ORIGIN}/")
    shown.locator("canvas[data-frames]").wait_for()
    PICTURES[name].done(shown)
    keep(shown, name, scheme, failed)


def main() -> None:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=list(FLAGS))
        for name in sys.argv[1:] or list(PICTURES):
            widget = PICTURES[name].widget()
            for scheme in SCHEMES:
                take(browser, name, scheme, widget)
        browser.close()


if __name__ == "__main__":
    main()
