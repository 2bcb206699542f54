"""Take the pictures of the static views in docs/images: a small program runs in cells, on a clock of its own.

python tools/take_pictures.py [NAME ...]      session, trace, error, conversation, lists, diff, figures, review

The pages are drawn by Chromium with the fonts of this machine: Debian's fonts-liberation and fonts-noto-color-emoji
are what the committed pictures were taken with. Timelines and live cards move, and are no business of this tool.
"""

from __future__ import annotations

import html
import io
import json
import random
import shutil
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np
from IPython.core.interactiveshell import InteractiveShell
from IPython.utils.capture import capture_output
from PIL import Image
from playwright.sync_api import sync_playwright
from traitlets.config import Config

import mirascope_ops as ops
from mirascope_ops.core import clock
from mirascope_ops.notebook.review import Review
from mirascope_ops.views.review import page_data

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

ROOT: Final = Path(__file__).parent.parent
IMAGES: Final = ROOT / "docs" / "images"
STATIC: Final = ROOT / "mirascope_ops" / "views" / "static"
SCHEMES: Final = {"light": ("#fff", "#f5f6f8", "#dfe2e6"), "dark": ("#111315", "#1b1e22", "#30353b")}
WIDTH: Final = 900
SCALE: Final = 2
FLAGS: Final = ["--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--no-proxy-server"]
START: Final = 1_795_548_239_000_000_000  # 24 Nov 2026, 19:23:59 UTC
MS: Final = 1_000_000
_EXACT: Final = 160  # colours of a picture that are kept as they are


class Clock:
    """A clock that stands still but for what is said to take time, and some microseconds at each look."""

    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> int:
        self.now += 20_000
        return self.now

    def work(self, milliseconds: float) -> None:
        self.now += round(milliseconds * MS)


# The program: a travel assistant, whose model calls are told in the words of OpenTelemetry's GenAI conventions.
PROGRAM: Final = """
import json
from mirascope_ops import ops

SYSTEM = "You are a helpful travel assistant. Answer briefly."
ANSWERS = {
    "capital": ("The capital of Portugal is Lisbon.", 640, 190),
    "weather": ("It is 21°C and sunny in Lisbon.", 520, 160),
    "story": ("Once upon a time in Lisbon, a small café ☕ opened its doors at dawn. The baker hummed, the river "
              "shone, and every guest left with a warm pastel de nata and a story to tell.", 2_350, 410),
    "عاصمة": ("عاصمة البرتغال هي لشبونة (Lisbon).", 890, 230),
    "outage": ("In short: one provider was down, and all is well again.", 1_180, 260),
}


def usage(messages, text):
    count = lambda value: max(1, round(len(value) / 4.2))
    return sum(count(json.dumps(message)) for message in messages), count(text)


def model(messages, name="gpt-4o-mini", tools=False):
    told = {"gen_ai.operation.name": "chat", "gen_ai.provider.name": "openai", "gen_ai.request.model": name,
            "gen_ai.request.temperature": 0.2, "gen_ai.input.messages": json.dumps(messages)}
    with ops.span(f"chat {name}", **told) as span:
        if name == "large":
            work(1_240)
            raise ConnectionError("429: too many requests to this model, try again in 20 s")
        question = next(m["content"] for m in reversed(messages) if m["role"] == "user")
        key = next((key for key in ANSWERS if key in question), None)
        if key is None:
            work(310)
            raise ConnectionError("500: the model server failed")
        text, took, first = ANSWERS[key]
        answer = {"role": "assistant", "content": text}
        if tools and "weather" in question and messages[-1]["role"] == "user":
            call = {"name": "get_weather", "arguments": json.dumps({"city": "Lisbon", "unit": "celsius"})}
            answer = {"role": "assistant", "content": None, "tool_calls": [{"id": "call_00667", "function": call}]}
            text, took = "x" * 60, 700
        given, answered = usage(messages, text)
        work(took)
        span.set(**{"gen_ai.output.messages": json.dumps([answer]), "gen_ai.response.time_to_first_chunk": first / 1000,
                    "gen_ai.usage.input_tokens": given, "gen_ai.usage.output_tokens": answered,
                    "gen_ai.usage.cache_read.input_tokens": given // 3})
    return answer


def retrieve(question):
    with ops.span("retrieve", **{"openinference.span.kind": "RETRIEVER", "input.value": question}) as span:
        work(48)
        found = [{"id": "doc-1", "score": 0.91, "text": "Lisbon is the capital of Portugal."}]
        span.set(**{"output.value": json.dumps(found)})


def get_weather(city, unit):
    told = {"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": "get_weather",
            "gen_ai.tool.call.arguments": json.dumps({"city": city, "unit": unit})}
    with ops.span("get_weather", **told) as span:
        work(164)
        weather = {"city": city, "temp": 21, "unit": unit, "sky": "sunny ☀️"}
        span.set(**{"gen_ai.tool.call.result": json.dumps(weather, ensure_ascii=False)})
    return weather


def of_kind(kind):
    from opentelemetry import trace
    trace.get_current_span().set_attribute("openinference.span.kind", kind)


history = [{"role": "system", "content": SYSTEM}]
"""

CELLS: Final = {
    "program": """
@ops.trace
def chat(message):
    of_kind("CHAIN")
    retrieve(message)
    history.append({"role": "user", "content": message})
    answer = model(history, tools=True)
    while "tool_calls" in answer:
        history.append(answer)
        call = answer["tool_calls"][0]
        result = get_weather(**json.loads(call["function"]["arguments"]))
        history.append({"role": "tool", "tool_call_id": call["id"], "content": json.dumps(result, ensure_ascii=False)})
        answer = model(history, tools=True)
    history.append(answer)
    return answer["content"]


@ops.trace
def chat_with_fallback(message):
    of_kind("CHAIN")
    messages = [{"role": "user", "content": message}]
    try:
        return model(messages, "large")["content"]
    except ConnectionError:
        return model(messages)["content"]


def try_to(function, message):
    try:
        function(message)
    except ConnectionError:
        history.pop()
""",
    "session": """%%ops_session lisbon -a user=ada -a plan=pro
chat("What is the capital of Portugal?")
chat("How is the weather there right now?")
chat("Tell me a story about it")
with ops.session("lisbon-outage"):
    try_to(chat, "This one will fail: what is at the end of the world?")
    chat_with_fallback("Tell me in one line about the outage")
chat("ما هي عاصمة البرتغال؟")
""",
    "trace": "session = ops.get_session('lisbon')\nsession.traces[1]",
    "error": "ops.traces(status='error')[0]",
    "conversation": "session.conversation()",
    "again": """%%ops_session lisbon-2 --quiet
history[:] = [{"role": "system", "content": "You are a helpful travel assistant. Answer in one sentence."}]
ANSWERS["story"] = ("A small café in Lisbon opened at dawn, and every guest left with a story to tell.", 1_280, 380)
chat("What is the capital of Portugal?")
chat("How is the weather there right now?")
chat("Tell me a story about it")
""",
    "diff": "session.traces[1:3].diff(ops.get_session('lisbon-2').traces[1:3])",
    "sessions": "ops.sessions()",
    "traces": "session.traces",
    "spans": "ops.spans(kind='llm')",
}
PICTURES: Final = {
    "session": ("session",),
    "trace": ("trace",),
    "error": ("error",),
    "conversation": ("conversation",),
    "lists": ("sessions", "traces", "spans"),
    "diff": ("diff",),
    "figures": (),
    "review": (),
}
FIGURES: Final = ("latency", "errors", "turns", "context", "icicle", "flame")


class Cell(NamedTuple):
    """What was typed, and the HTML below it."""

    number: int
    source: str
    output: str


def run_program() -> dict[str, Cell]:
    """Run all cells; without a kernel, but in IPython, so that errors point to cells."""
    now = Clock()
    clock.replace(now, random.Random(7).getrandbits)  # noqa: S311 - ids that must repeat
    ops.configure(
        store=":memory:",
        prices={"gpt-4o-mini": {"input_per_million": 0.15, "output_per_million": 0.60}},
    )
    config = Config()
    config.HistoryManager.enabled = False
    shell = InteractiveShell.instance(config=config)
    shell.user_ns["work"] = now.work
    cells: dict[str, Cell] = {}
    shell.run_cell(PROGRAM, store_history=True)
    shell.run_line_magic("load_ext", "mirascope_ops")
    for name, source in CELLS.items():
        number = shell.execution_count
        with capture_output() as captured:
            result = shell.run_cell(source, store_history=True)
        result.raise_error()
        outputs = [output.data for output in captured.outputs]
        if result.result is not None:
            outputs.append(shell.display_formatter.format(result.result)[0])
        shown = [data["text/html"] for data in outputs if "text/html" in data]
        cells[name] = Cell(number, source.strip(), shown[-1] if shown else "")
        now.work(40_000)
    return cells


def page(scheme: str, body: str, *, head: str = "") -> str:
    """A page in the look of a notebook."""
    ground, box, line = SCHEMES[scheme]
    style = (
        f"html{{color-scheme:{scheme}}}body{{margin:0;padding:14px 16px 16px;background:{ground};"
        "font:13px/1.5 'Liberation Sans',Arial,sans-serif;"
        "--jp-ui-font-family:'Liberation Sans',Arial,sans-serif;--jp-code-font-family:'Liberation Mono',monospace}"
        f".cell{{display:grid;grid-template-columns:48px 1fr;margin-bottom:10px}}.out+.cell{{margin-top:20px}}"
        f".out{{margin-left:48px}}.cell span{{font:12px/28px 'Liberation Mono',monospace;color:#7a818a}}"
        f".cell pre{{margin:0;padding:6px 10px;background:{box};border:1px solid {line};border-radius:3px;"
        "font:12px/1.5 'Liberation Mono',monospace;color:light-dark(#1c1f23,#e3e5e8);white-space:pre-wrap}"
    )
    return f"<!doctype html><meta charset=utf-8><style>{style}</style>{head}<body>{body}"


def notebook(cells: list[Cell]) -> str:
    """Cells with their outputs."""
    return "".join(
        f'<div class="cell"><span>[{cell.number}]:</span><pre>{html.escape(cell.source)}</pre></div>'
        f'<div class="out">{cell.output}</div>'
        for cell in cells
    )


def figures_page(scheme: str) -> str:
    """All figures, two in a row."""
    import plotly.offline

    both = [*ops.get_session("lisbon").spans, *ops.get_session("lisbon-2").spans]
    spans = ops.SpanSet(both)
    shown = [spans.figure(kind, theme=scheme).update_layout(width=434) for kind in FIGURES]
    drawn = "".join(f"<div>{figure.to_html(include_plotlyjs=False, full_html=False)}</div>" for figure in shown)
    style = "<style>.g{display:grid;grid-template-columns:1fr 1fr;align-items:start;gap:16px 4px}</style>"
    script = f"<script>{plotly.offline.get_plotlyjs()}</script>"
    return page(scheme, f'<div class="g">{drawn}</div>', head=style + script)


def review_page(scheme: str) -> str:
    """The review of a session's turns, with a model that answers as the kernel does."""
    made = Review(ops.get_session("lisbon").spans, ("", ""), session_id="lisbon")
    made.judge(0, label="pass", score=5)
    made.judge(1, label="pass", score=4, note="Right, and it asked the tool once")
    made.judge(2, label="fail", score=2, note="Twice as long as asked for")
    state = {"rows": made.rows, "cursor": 2}
    pages = [page_data(item) for item in made._items]  # noqa: SLF001 - what the kernel would answer
    script = f"""
        const state = {_json(state)}, pages = {_json(pages)}, heard = [];
        const model = {{
            get: (key) => state[key], set: (key, value) => {{ state[key] = value; }}, save_changes() {{}},
            on: (event, told) => {{ if (event === "msg:custom") heard.push(told); }}, off() {{}},
            send: ({{ request, item }}) => setTimeout(() => heard.forEach((told) =>
                told({{ version: 1, request, type: "page", page: pages[item] }}))),
        }};
        const source = {_json((STATIC / "review.js").read_text(encoding="utf-8"))};
        const module = await import(URL.createObjectURL(new Blob([source], {{ type: "text/javascript" }})));
        module.default.render({{ model, el: document.querySelector("#here") }});
        window.ready = true;"""
    cell = Cell(12, "session.review()", '<div id="here"></div>')
    css = f"<style>{(STATIC / 'review.css').read_text(encoding='utf-8')}</style>"
    return page(scheme, f'{notebook([cell])}<script type="module">{script}</script>', head=css)


def _json(value: Any) -> str:
    return json.dumps(value).replace("</", "<\\/")


def few_colours(picture: Image.Image) -> Image.Image:
    """In 256 colours, as a page has few: the most frequent as they are, of emoji and edges those that come close."""
    pixels = np.asarray(picture).astype(np.int32)
    packed = pixels[..., 0] << 16 | pixels[..., 1] << 8 | pixels[..., 2]
    found, places, counts = np.unique(packed, return_inverse=True, return_counts=True)
    colours = np.stack([found >> 16, found >> 8 & 255, found & 255], axis=1)
    by_count = np.argsort(-counts, kind="stable")
    palette = colours[by_count[:_EXACT]]
    if len(found) > _EXACT:
        rest = Image.fromarray(colours[by_count[_EXACT:]].astype(np.uint8)[np.newaxis])
        shades = rest.quantize(256 - _EXACT).getpalette() or []
        palette = np.concatenate([palette, np.reshape(shades, (-1, 3))[: 256 - _EXACT]])
    near = [int(np.argmin(((palette - colour) ** 2).sum(axis=1))) for colour in colours]
    reduced = Image.fromarray(np.array(near, dtype=np.uint8)[places.reshape(packed.shape)], mode="P")
    reduced.putpalette(palette.astype(np.uint8).tobytes())
    return reduced


def take(browser: Browser, name: str, scheme: str, text: str) -> None:
    """Draw a page and keep its picture."""
    opened = browser.new_page(
        viewport={"width": WIDTH, "height": 200},
        color_scheme=scheme,  # pyright: ignore[reportArgumentType]
        device_scale_factor=SCALE,
    )
    failed: list[str] = []
    opened.on("pageerror", lambda error: failed.append(str(error)))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "page.html"
        path.write_text(text, encoding="utf-8")
        opened.goto(path.as_uri())
        if name == "review":
            opened.wait_for_function("window.ready")
        keep(opened, name, scheme, failed)


def keep(opened: Page, name: str, scheme: str, failed: list[str]) -> None:
    """Save what a page shows, and close it; ends the program where the page has failed."""
    opened.wait_for_timeout(600)
    picture = Image.open(io.BytesIO(opened.screenshot(full_page=True))).convert("RGB")
    opened.close()
    if failed:
        raise SystemExit(f"{name}: {failed}")
    path = IMAGES / f"{name}-{scheme}.png"
    few_colours(picture).save(path, optimize=True)
    print(f"{path.relative_to(ROOT)}: {picture.width} by {picture.height}, {path.stat().st_size // 1024} KB")


def main() -> None:
    wanted = sys.argv[1:] or list(PICTURES)
    cells = run_program()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=list(FLAGS))
        for name in wanted:
            for scheme in SCHEMES:
                if name == "figures":
                    text = figures_page(scheme)
                elif name == "review":
                    text = review_page(scheme)
                else:
                    text = page(scheme, notebook([cells[cell] for cell in PICTURES[name]]))
                take(browser, name, scheme, text)
        browser.close()


if __name__ == "__main__":
    main()
