"""The timeline in a JupyterLab, as a person meets it: from running the cell to a picture, to all spans, to dragging.

The spans stand in a store's file, and are in the kernel's memory before the cell runs, in columns as a store gives them
or as rows; or the cell reads them itself. Times are of the clock: kernel, server and browser share the machine.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from mirascope_ops.store.records import SpanRecord
from mirascope_ops.store.sqlite import SqliteStore

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from tests.notebook.lab import SECONDS, open_notebook

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mirascope_ops.analysis.rows import SpanRow

HEADS: Final = [
    "spans", "which are", "cell, in the kernel", "first picture", "with spans", "all spans", "longest task",
    "frames/s dragging", "95 % of frames within",
]  # fmt: skip
_READ: Final = "from mirascope_ops import ops\nspans = ops.spans(limit=None)\nlen(spans)"
_SHOW: Final = "spans.timeline()"
CELLS: Final = {
    "in columns": [_READ, _SHOW],
    "rows": [f"{_READ}\nspans = ops.SpanSet(list(spans))", _SHOW],
    "read by the cell": ["from mirascope_ops import ops", "ops.spans(limit=None).timeline()"],
}
_RESOURCE: Final = {"service.name": "bench"}
_BATCH: Final = 10_000
_SAID: Final = "What is the weather like there right now, and do I need an umbrella? " * 3

# Runs the cell, and looks at each frame what the canvas shows. The header of a kernel's message says when it was made.
_RUN: Final = """
const [number, patience] = told;
const { content, sessionContext } = window.jupyterapp.shell.currentWidget;
const found = { tasks: [], all: Number.NaN };
new PerformanceObserver((list) => {
  for (const task of list.getEntries()) found.tasks.push([task.startTime, task.duration]);
}).observe({ type: "longtask" });
const states = {};
sessionContext.session.kernel.iopubMessage.connect((_, { header, content, parent_header }) => {
  if (header.msg_type === "status" && parent_header.msg_type === "execute_request")
    states[content.execution_state] = new Date(header.date).getTime();
});
content.deselectAll();
content.activeCellIndex = 1;
const began = performance.now();
void window.jupyterapp.commands.execute("notebook:run-cell");
const frame = () => new Promise(requestAnimationFrame);
const shown = () => {
  const canvas = content.widgets[1].node.querySelector(".tl canvas[data-frames]");
  return canvas?.dataset.spans ? canvas : null;
};
const filled = (canvas) => {
  const { data } = canvas.getContext("2d").getImageData(0, 60, canvas.width, canvas.height - 60);
  const colours = new Set();
  for (let at = 0; at < data.length; at += 4) colours.add((data[at] << 16) | (data[at + 1] << 8) | data[at + 2]);
  return colours.size > 3;
};
for (; performance.now() - began < patience; await frame()) {
  const canvas = shown();
  if (!canvas) continue;
  const now = performance.now() - began;
  if (!found.first && filled(canvas)) Object.assign(found, { first: now, spans: Number(canvas.dataset.spans) });
  if (Number(canvas.dataset.spans) !== number) continue;
  const { frames } = canvas.dataset;
  while (canvas.dataset.frames === frames && performance.now() - began < now + 500) await frame();
  found.all = now;
  break;
}
await frame();
await new Promise((done) => setTimeout(done, 500));
found.kernel = states.idle - states.busy;
found.longest = Math.max(0, ...found.tasks.filter(([start]) => start >= began).map(([, took]) => took));
return found;
"""


def measured(spans: Sequence[SpanRow], cells: list[str], drag: str, moves: int) -> dict[str, Any]:
    """Show spans in a JupyterLab of its own, and tell in milliseconds what that took.

    Args:
        spans: The spans.
        cells: The first one makes ready, the second one shows.
        drag: A JavaScript function that drags the timeline.
        moves: How many times it moves.
    """
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder) / "spans.db"
        store = SqliteStore(place)
        for first in range(0, len(spans), _BATCH):
            store.write([_record(span) for span in spans[first : first + _BATCH]])
        store.close()
        with open_notebook(Path(folder), cells, MIRASCOPE_OPS_STORE=str(place)) as lab:
            lab.run_and_wait(0)
            found: dict[str, Any] = lab.evaluate(_RUN, [len(spans), SECONDS])
            lab.page.locator(".tl canvas").scroll_into_view_if_needed()
            dragged = lab.page.evaluate(drag, moves)
            if lab.errors:
                sys.exit(f"The page failed: {lab.errors}")
    return {**found, "rate": dragged["rate"], "slow": statistics.quantiles(dragged["gaps"], n=20)[-1]}


def row(number: int, name: str, found: dict[str, Any]) -> list[str]:
    """A row of the table."""
    return [
        f"{number:,}", name, f"{found['kernel'] / 1000:.2f} s", f"{found['first'] / 1000:.2f} s",
        f"{found['spans']:,}", f"{found['all'] / 1000:.2f} s", f"{found['longest']:.0f} ms", f"{found['rate']:.0f}",
        f"{found['slow']:.0f} ms",
    ]  # fmt: skip


def _record(span: SpanRow) -> SpanRecord:
    """What an instrumentation would have emitted, of the size of a short prompt."""
    attributes: dict[str, Any] = {"mirascope.ops.session.id": span.session_id}
    if span.kind == "llm":
        attributes |= {
            "gen_ai.operation.name": "chat",
            "gen_ai.request.model": span.model,
            "gen_ai.usage.input_tokens": span.input_tokens,
            "gen_ai.usage.output_tokens": span.output_tokens,
            "gen_ai.usage.cost": span.cost,
            "gen_ai.input.messages": f'[{{"role":"user","parts":[{{"type":"text","content":"{_SAID}"}}]}}]',
        }
    else:
        attributes |= {"openinference.span.kind": span.kind.upper(), "output.value": f"done {span.span_id}"}
    return SpanRecord(
        trace_id=span.trace_id, span_id=span.span_id, parent_id=span.parent_id, name=span.name, span_kind="internal",
        start=span.start, end=span.end, status=span.status, status_message="", session_id=span.session_id, run_id=None,
        session_attributes=None, cell_id=None, execution_count=None, notebook=None, sampled=True, service="bench",
        scope="bench", resource=_RESOURCE, attributes=attributes,
    )  # fmt: skip
