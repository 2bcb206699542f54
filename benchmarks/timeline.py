"""The timeline: how long its payload takes, until the first picture, and how smoothly it is dragged, in Chromium.

    python benchmarks/timeline.py [--lab] [SPANS ...]

The browser runs the built front end with a pretended widget model; the payload is handed over in memory, as a
notebook's front end has it when the message has come. With --lab a JupyterLab runs the cell, and what counts begins
there. Without a graphics card, numbers tell orders of magnitude.
"""

from __future__ import annotations

import argparse
import random
import statistics
import sys
import time
from pathlib import Path
from typing import Any

from tables import table

from mirascope_ops.analysis.rows import SpanRow
from mirascope_ops.views.timeline import timeline_data
from mirascope_ops.views.timeline_bundle import bundle

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tools"))
from install_chromium import chromium

SIZES = (1_000, 10_000, 100_000, 1_000_000)
LAB_SIZES = (100_000, 1_000_000)
MOVES = 90
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run", "--no-proxy-server"]
MS = 1_000_000
ORIGIN = "http://timeline.invalid"

PAGE = """<!doctype html><meta charset="utf-8"><link rel="stylesheet" href="/timeline.css">
<body style="margin:0"><div id="place" style="width:1200px"></div>"""

MEASURE = """async () => {
  const widget = (await import("/timeline.js")).default;
  const data = new DataView(await (await fetch("/payload")).arrayBuffer());
  const traits = {data, lanes: "session", color: "kind", view: "time", critical_path: false, query: "", height: 560,
    hidden: {kinds: [], statuses: [], names: []}, selected_span: -1, selected_range: []};
  const model = {get: (name) => traits[name], set() {}, save_changes() {}, on() {}, off() {}, send() {}};
  const frame = () => new Promise((done) => requestAnimationFrame(done));
  await frame();
  const began = performance.now();
  widget.render({model, el: document.getElementById("place")});
  while (!document.querySelector("canvas[data-frames]")) await frame();
  await frame();
  return performance.now() - began;
}"""

DRAG = """async (moves) => {
  const canvas = document.querySelector(".tl canvas");
  const box = canvas.getBoundingClientRect();
  const send = (type, x, y) => canvas.dispatchEvent(new PointerEvent(type, {bubbles: true, pointerId: 1, button: 0,
    clientX: box.left + x, clientY: box.top + y}));
  canvas.setPointerCapture = () => {};
  const wheel = (x) => canvas.dispatchEvent(new WheelEvent("wheel", {deltaY: -400, ctrlKey: true, cancelable: true,
    clientX: box.left + x, clientY: box.top + 200}));
  const frame = () => new Promise((done) => requestAnimationFrame(done));
  wheel(400); await frame(); await frame();
  const before = Number(canvas.dataset.frames);
  const gaps = [];
  send("pointerdown", 600, 200);
  const began = performance.now();
  let last = began;
  for (let move = 1; move <= moves; move++) {
    send("pointermove", 600 - 5 * move, 200 + (move % 7));
    await frame();
    gaps.push(performance.now() - last);
    last = performance.now();
  }
  send("pointerup", 600 - 5 * moves, 200);
  const frames = Number(canvas.dataset.frames) - before;
  return {rate: 1000 * frames / (last - began), gaps};
}"""


def spans(number: int, *, sessions: int = 8, seed: int = 7) -> list[SpanRow]:
    """Spans such as an evaluation leaves: sessions side by side, of turns with retrievals, model calls and tools."""
    chance = random.Random(seed)  # noqa: S311 - the same spans in every run
    empty: dict[str, Any] = dict.fromkeys(SpanRow._fields) | SpanRow._field_defaults
    empty |= {"tags": (), "scope": "bench", "attributes": {}}
    clocks = [1_795_548_239_000_000_000 + 70 * MS * session for session in range(sessions)]
    made: list[SpanRow] = []
    turn = 0
    while len(made) < number:
        session = turn % sessions
        turn += 1
        start, pace = clocks[session], 0.8 + chance.random() / 2
        failed = "error" if chance.randrange(33) == 0 else "ok"
        parts = [("chat", "chain", -1, 0, 180, failed), ("retrieve", "retriever", 0, 0.2, 6, "ok")]
        parts.append(("ChatCompletion", "llm", 0, 8, 85, failed))
        if chance.randrange(2):
            parts += [("get_weather", "tool", 0, 88, 93, "ok"), ("ChatCompletion", "llm", 0, 96, 178, "ok")]
        for name, kind, parent, begin, end, status in parts:
            fields = empty | {
                "trace_id": f"{turn:032x}",
                "span_id": f"{turn:012x}{len(made) % 16:04x}",
                "name": name,
                "kind": kind,
                "status": status,
                "session_id": f"eval-{session + 1:02d}",
                "start": start + int(begin * pace * MS),
                "end": start + int(end * pace * MS),
                "parent_id": None if parent < 0 else made[-1].parent_id or made[-1].span_id,
            }
            if kind == "llm":
                fields |= {"model": "gpt-4o-mini", "input_tokens": 400, "output_tokens": 90, "cost": chance.random()}
            fields["duration"] = fields["end"] - fields["start"]
            made.append(SpanRow(**fields))
        clocks[session] = start + int((190 + 100 * chance.random()) * pace * MS)
    return made[:number]


def measured(page: Any, payload: bytes) -> tuple[float, float, float]:
    """Milliseconds until the first picture, frames a second while dragging, the longest of 20 frames in ms."""
    built = bundle("timeline")
    if built is None:
        sys.exit("The front end is not built: make lint builds it.")
    served = {
        "/": ("text/html", PAGE.encode()),
        "/timeline.js": ("text/javascript", built.script.encode()),
        "/timeline.css": ("text/css", built.style.encode()),
        "/payload": ("application/octet-stream", payload),
    }

    def answer(route: Any) -> None:
        kind, body = served.get(route.request.url.removeprefix(ORIGIN), ("text/plain", b""))
        route.fulfill(content_type=kind, body=body)

    page.route("**/*", answer)
    page.goto(f"{ORIGIN}/")
    paint = page.evaluate(MEASURE)
    drag = page.evaluate(DRAG, MOVES)
    page.unroute("**/*")
    return paint, drag["rate"], statistics.quantiles(drag["gaps"], n=20)[-1]


def report(sizes: tuple[int, ...] = SIZES) -> str:
    """Measure, and give the table."""
    from playwright.sync_api import sync_playwright

    browser_path = chromium()
    if browser_path is None:
        sys.exit("There is no Chromium: python tools/install_chromium.py")
    rows: list[list[Any]] = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=browser_path, args=FLAGS)
        for size in sizes:
            made = spans(size)
            began = time.perf_counter()
            payload = timeline_data(made).payload
            took = time.perf_counter() - began
            del made
            page = browser.new_page(viewport={"width": 1300, "height": 700})
            paint, rate, slow = measured(page, payload)
            page.close()
            rows.append(
                [
                    f"{size:,}",
                    f"{len(payload) / 1e6:.1f} MB",
                    f"{took:.2f} s",
                    f"{paint:.0f} ms",
                    f"{rate:.0f}",
                    f"{slow:.0f} ms",
                ]
            )
        browser.close()
    heads = ["spans", "payload", "made in", "first picture", "frames/s dragging", "95 % of frames within"]
    return table("The timeline, in headless Chromium", heads, rows)


def lab_report(sizes: tuple[int, ...] = LAB_SIZES) -> str:
    """Measure in a JupyterLab, and give the table."""
    import timeline_lab

    rows: list[list[str]] = []
    for size in sizes:
        made = spans(size)
        for name, cells in timeline_lab.CELLS.items():
            rows.append(timeline_lab.row(size, name, timeline_lab.measured(made, cells, DRAG, MOVES)))
    return table("The timeline, in JupyterLab in headless Chromium", timeline_lab.HEADS, rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "sizes",
        nargs="*",
        type=int,
        metavar="SPANS",
        help="how many; else 1,000 to 1,000,000, in a JupyterLab 100,000 and 1,000,000",
    )
    parser.add_argument("--lab", action="store_true", help="in a JupyterLab, which runs the cell")
    options = parser.parse_args()
    sizes = tuple(options.sizes)
    print(lab_report(sizes or LAB_SIZES) if options.lab else report(sizes or SIZES))


if __name__ == "__main__":
    main()
