"""What a figure shows where nothing draws it: on a code host, on an exported page, to a screen reader.

plotly's own output is data for a program in the page. Beside it stands a table of the same numbers, as static HTML,
which front ends that draw the data leave out.
"""

from __future__ import annotations

import html
from typing import TYPE_CHECKING, Any, Final

from mirascope_ops._optional import require
from mirascope_ops.views.escape import html_text, one_line
from mirascope_ops.views.format import count, duration, offset, plural, usd
from mirascope_ops.views.html_parts import article, code, icon, name_html, status_html
from mirascope_ops.views.html_table import foot_html, head_html, table_html
from mirascope_ops.views.styles import KIND_COLOURS, kind_class

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from pandas import DataFrame  # pyright: ignore[reportMissingTypeStubs] - pandas ships none
    from plotly.graph_objects import Figure  # pyright: ignore[reportMissingTypeStubs] - plotly ships none

MOST_ROWS: Final = 30
# Its bytes at most, with all rows; the figure itself has the rest of an output.
MOST_BYTES: Final = 16_000
_NAME: Final = 60

# By kind: title, classes and field of each column; then the field that is drawn as a bar.
_COLUMNS: Final[dict[str, tuple[tuple[tuple[str, str, str], ...], str]]] = {
    "latency": (
        (
            ("Name", "gr", "name"), ("p50", "nu", "p50"), ("p95", "nu", "p95"), ("p99", "nu", "p99"),
            ("Total", "nu", "total"), ("Spans", "nu", "count"),
        ),
        "p50",
    ),
    "errors": (
        (("Name", "gr", "name"), ("Failed", "nu", "rate"), ("Errors", "nu", "errors"), ("Spans", "nu", "count")),
        "rate",
    ),
    "turns": (
        (
            ("Turn", "nu", "turn"), ("User", "gr", "user"), ("Tokens in", "nu", "input_tokens"),
            ("Tokens out", "nu", "output_tokens"), ("Cost", "nu", "cost"), ("Duration", "nu", "duration"),
        ),
        "input_tokens",
    ),
    "context": (
        (
            ("Session", "gr", "session_id"), ("Turn", "nu", "turn"), ("Call", "nu", "call"),
            ("Tokens of the prompt", "nu", "context"),
            ("Growth", "nu", "growth"), ("Cached", "nu h6", "cached"), ("Tokens out", "nu h6", "output_tokens"),
        ),
        "context",
    ),
    "timeline": (
        (("Span", "gr", "name"), ("Status", "", "status"), ("At", "nu", "at"), ("Duration", "nu", "duration")),
        "duration",
    ),
    "icicle": (
        (
            ("Name", "gr", "path"), ("Total", "nu", "total"), ("Itself", "nu", "self_time"),
            ("Spans", "nu", "count"), ("Errors", "nu", "errors"),
        ),
        "total",
    ),
}  # fmt: skip


def with_table(figure: Figure, table: Callable[[], str]) -> Figure:
    """Let a figure show itself with a table beside it, for where nothing draws it.

    Args:
        figure: The figure; what it is and what can be done with it stays.
        table: Makes the HTML, when the figure is shown.

    Returns:
        The same figure.
    """
    made: Any = figure
    drawn: Callable[..., dict[str, Any]] = made._repr_mimebundle_

    def bundle(include: Any = None, exclude: Any = None, **options: Any) -> dict[str, Any]:
        """What is shown: plotly's output, and the table where that has no HTML."""
        plotly: Any = require("plotly.io", extra="notebook")
        if not plotly.renderers.render_on_display:
            return {"text/plain": repr(made)}
        shown = drawn(include, exclude, **options)
        if not shown:  # plotly opens something by itself, such as a browser
            plotly.show(made)
            return {"text/plain": ""}
        # Without a text of ours, IPython writes down all that the figure holds, once more.
        text = {"text/plain": f"Figure: {html.unescape(str(made.layout.title.text or ''))}"}
        return text | shown if "text/html" in shown else text | {"text/html": table()} | shown

    # Of this one figure: pickles and copies are plain figures. IPython would ask the other method first.
    made._repr_mimebundle_ = bundle
    made._ipython_display_ = None
    return figure


def table_of(kind: str, title: str, rows: DataFrame, total: int) -> str:
    """A figure's numbers as static HTML.

    Args:
        kind: What the figure shows.
        title: The figure's title.
        rows: What it draws, or the first of it.
        total: How many rows there are.

    Returns:
        One `<article>` with its style sheet and at most 30 rows; how many are missing is said.
    """
    records = _records(kind, rows)
    shown = ""
    for most in (MOST_ROWS, MOST_ROWS // 2, 4):
        shown = _article(kind, html_text(one_line(html.unescape(title), 160)), records[:most], total)
        if len(shown.encode()) <= MOST_BYTES:
            break
    return shown


def _article(kind: str, title: str, records: Sequence[dict[str, Any]], total: int) -> str:
    columns, measured = _COLUMNS["icicle" if kind == "flame" else kind]
    longest = max((record[measured] for record in records if record[measured] is not None), default=0)
    after = 2 if kind == "turns" else 1  # the bar stands beside what it is about
    titles = [(word, name) for word, name, _ in columns]
    titles.insert(after, ("", "h7"))
    cells = [[_cell(field, record) for _, _, field in columns] for record in records]
    for record, row in zip(records, cells, strict=True):
        row.insert(after, _bar(record, measured, longest))
    body = table_html(titles, cells) if cells else '<p class="me">There is nothing to draw.</p>'
    call = code(f".figure_table({kind!r})")
    missing = total - len(records)
    left = f"{plural(missing, 'more row')}: {call}" if missing else f"{call} for the table"
    foot = foot_html(left, "drawn as a figure where the page can")
    return article(head_html(title, "", "") + body + foot, title, ("list",))


def _records(kind: str, rows: DataFrame) -> list[dict[str, Any]]:
    """The first rows, with what the columns need beside the table's own."""
    frame: Any = rows
    frame = frame.reset_index() if frame.index.name else frame
    part = frame.head(MOST_ROWS)
    records: list[dict[str, Any]] = [
        {str(key): None if _missing(value) else value for key, value in record.items()}
        for record in part.to_dict("records")
    ]
    if kind == "timeline" and records:
        begin = min(frame["start"])
        for record in records:
            record["at"] = record["start"] - begin
    for number, record in enumerate(records, 1):
        record["turn"] = record.get("turn", number) if kind == "context" else number
        record["path"] = record.get("name")
    return records


def _missing(value: Any) -> bool:
    pandas = require("pandas", extra="notebook")
    return bool(pandas.isna(value)) if not isinstance(value, list | dict) else False


def _cell(field: str, record: dict[str, Any]) -> str:
    value = record[field]
    if value is None:
        return "(no session)" if field == "session_id" else ""
    if field in {"name", "path"}:
        kind = str(record.get("kind") or "")
        indent = "\N{NO-BREAK SPACE}" * 4 * int(record.get("depth") or 0) if field == "path" else ""
        sign = icon(kind) if kind in KIND_COLOURS else ""
        return f'{indent}{sign} <span dir="auto">{name_html(str(value), _NAME)}</span>'
    return _FORMS.get(field, _number)(value)


def _words(value: Any) -> str:
    return html_text(one_line(str(value), _NAME))


def _time(value: Any) -> str:
    return duration(value.value)


def _number(value: Any) -> str:
    return count(int(value))


_FORMS: Final[dict[str, Callable[[Any], str]]] = {
    "user": _words,
    "session_id": _words,
    "status": lambda value: status_html(str(value)),
    "rate": lambda value: f"{100 * value:.1f} %",
    "cost": lambda value: html_text(usd(float(value))),
    "growth": lambda value: f"{value:+,}",
    "at": lambda value: offset(value.value),
    **dict.fromkeys(("p50", "p95", "p99", "total", "duration", "self_time"), _time),
}


def _bar(record: dict[str, Any], measured: str, longest: Any) -> str:
    value = record[measured]
    if not value or not longest:
        return ""
    kind = str(record.get("kind") or "other")
    name = f"dur {kind_class(kind)}" if kind in KIND_COLOURS else "dur"
    failed = " er" if measured == "rate" or str(record.get("status") or "") == "error" else ""
    return f'<span class="{name}{failed}"><i style="--w:{100 * float(value / longest):.0f}%"></i></span>'
