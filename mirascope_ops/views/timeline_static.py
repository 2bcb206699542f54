"""A large timeline without its widget: what a notebook shows that was saved, or where no widgets are."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from mirascope_ops._optional import require
from mirascope_ops.store import codec
from mirascope_ops.views.format import count, date, duration, plural, token_flow
from mirascope_ops.views.html_parts import article, code, cost_figure, figures_html, footer, header, unseen
from mirascope_ops.views.timeline import COUNTS_COST, COUNTS_LLM, COUNTS_USAGE, MAGIC, NO_TOKENS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mirascope_ops.views.timeline import TimelineData

_BARS: Final = 120
_WIDTH: Final = 600
_HEIGHT: Final = 56


class Overview(NamedTuple):
    """What the static picture tells.

    Attributes:
        number: How many spans there are.
        traces: How many traces.
        sessions: How many sessions.
        origin: Nanoseconds since the epoch.
        start: Nanoseconds after `origin` (a float64 array).
        end: In the same way.
        failed: Which of the spans failed (a bool array).
        figures: Figures with their labels; those that say nothing are left out.
    """

    number: int
    traces: int
    sessions: int
    origin: int
    start: Any
    end: Any
    failed: Any
    figures: Sequence[tuple[str, str]]


def timeline_html(data: TimelineData) -> str:
    """A timeline's figures, and how busy it was over time, as static HTML of some 15 KB.

    Args:
        data: The timeline.

    Raises:
        ImportError: numpy is not installed; the message says how.

    Example:
        >>> from mirascope_ops.views.timeline import timeline_data
        >>> "0 spans" in timeline_html(timeline_data([]))
        True
    """
    np = require("numpy", extra="notebook")
    told, columns = _read(np, data.payload)
    counts = columns["call_counts"]

    def used(name: str) -> int | None:
        tokens = columns[name][((counts & COUNTS_USAGE) > 0) & (columns[name] != NO_TOKENS)]
        return int(tokens.sum(dtype=np.int64)) if len(tokens) else None

    costs = columns["call_cost"][(counts & COUNTS_COST) > 0]
    calls = int(((counts & COUNTS_LLM) > 0).sum())
    failed = columns["status"] == told["statuses"].index("error")
    return overview_html(
        Overview(
            number=told["count"],
            traces=told["traces"],
            sessions=sum(map(bool, told["sessions"])),
            origin=data.origin,
            start=data.start,
            end=data.end,
            failed=failed,
            figures=[
                ("LLM calls", count(calls) if calls else ""),
                errors_figure(failed),
                ("Tokens", token_flow(used("call_input"), used("call_output"))),
                ("Cost", cost_figure(float(costs.sum()) if len(costs) else None)),
            ],
        )
    )


def overview_html(overview: Overview) -> str:
    """The same of a timeline whose columns have not been made: `timeline_html` tells what it is."""
    np = require("numpy", extra="notebook")
    number = overview.number
    end = float(overview.end.max()) if len(overview.end) else 0.0
    about = [
        f"{plural(number, 'span')} in {plural(overview.traces, 'trace')}",
        plural(overview.sessions, "session") if overview.sessions else "",
        f"{date(overview.origin)}, {duration(int(end))}" if number else "",
    ]
    body = header("Timeline", "", about, figures_html(overview.figures)) + _busy(np, overview, end)
    page = code(".to_html('timeline.html')")
    body += footer("Run the cell to look around in it", f"{page} writes a page that needs no kernel")
    return article(body, f"Timeline of {plural(number, 'span')}", ("session",))


def errors_figure(failed: Any) -> tuple[str, str]:
    """How many spans failed, as a figure."""
    return ("Errors", count(int(failed.sum())) if failed.any() else "")


def _read(np: Any, payload: bytes) -> tuple[dict[str, Any], dict[str, Any]]:
    """Header and columns, as a browser reads them."""
    begin = len(MAGIC) + 4
    (size,) = struct.unpack_from("<I", payload, len(MAGIC))
    header: dict[str, Any] = codec.decode(payload[begin : begin + size].decode())
    columns = {
        name: np.frombuffer(payload, f"<{kind}", length, begin + size + offset)
        for name, (kind, offset, length) in header["columns"].items()
    }
    return header, columns


def _busy(np: Any, overview: Overview, end: float) -> str:
    """How many spans ran at once over time, on average of each bar; bars in which one failed are red at their foot."""
    if not overview.number:
        return ""
    edges = np.linspace(0, max(1.0, end), _BARS + 1)
    # The time that all spans had run by each edge: what began before it, but for what has not ended by then.
    ran = _run_by(np, overview.start, edges) - _run_by(np, overview.end, edges)
    busy = np.diff(ran) / np.diff(edges)
    errors = np.histogram(overview.start[overview.failed], edges)[0]
    top = max(float(busy.max()), 1e-9)
    room = _WIDTH / _BARS
    bars = ""
    for at, (share, wrong) in enumerate(zip((busy / top).tolist(), errors.tolist(), strict=True)):
        for part, fill in ((share, "var(--a)"), (0.1 if wrong else 0, "var(--err)")):
            if part > 0:
                height = max(1.5, _HEIGHT * part)
                place = f'x="{at * room:.1f}" y="{_HEIGHT - height:.1f}" width="{room - 0.5:.1f}" height="{height:.1f}"'
                bars += f'<rect {place} fill="{fill}"/>'
    line = f'<path d="M0 {_HEIGHT}H{_WIDTH}" stroke="var(--line2)" vector-effect="non-scaling-stroke"/>'
    most = f"at most {top:,.0f}" if top >= 1 else "at most 1"
    shape = f'viewBox="0 0 {_WIDTH} {_HEIGHT}" preserveAspectRatio="none"'
    label = f"Spans at once over {duration(int(end))}: {most}"
    failed = int(overview.failed.sum())
    wrong = f'<span style="color:var(--err)">■</span> {count(failed)} failed' if failed else ""
    caption = f"<figcaption><span>Spans at once{unseen(': ')}</span><span>{most} {wrong}</span></figcaption>"
    ends_of = "".join(
        f'<span style="justify-content:{side}">{text} </span>'
        for side, text in (("start", "0"), ("end", duration(int(end))))
    )
    chart = f'<svg {shape} role="img" aria-label="{label}">{bars}{line}</svg>'
    return f'<div class="sp"><figure>{caption}{chart}<div class="lb" aria-hidden="true">{ends_of}</div></figure></div>'


def _run_by(np: Any, moments: Any, edges: Any) -> Any:
    """For each edge the time that has passed since each moment before it, in all."""
    # Where rounding puts a moment on the wrong side of an edge, next to no time has passed between them.
    bars = np.minimum(moments * (_BARS / edges[-1]), _BARS - 1).astype(np.int32)
    number, sums = (np.cumsum(np.bincount(bars, weights, _BARS)) for weights in (None, moments))
    return edges * np.append(0, number) - np.append(0, sums)
