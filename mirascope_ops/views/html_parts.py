"""The small parts that every HTML view is made of.

Without style sheets the text must still read as a report, so separators that the layout makes superfluous are
there, in `<bdi>`, which the style sheet hides from the eye but not from screen readers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mirascope_ops.views.escape import html_text, one_line
from mirascope_ops.views.format import date, duration, short_id, token_flow, tokens, usd
from mirascope_ops.views.styles import KIND_COLOURS, kind_class, style
from mirascope_ops.views.words import STATUS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mirascope_ops.analysis.rows import SpanRow, Totals

# The style sheet's class of a status.
_STATUS_CLASS = {"ok": "ok", "unset": "ok", "error": "er", "open": "ru", "interrupted": "wa"}
NAME_LIMIT = 120


def unseen(text: str) -> str:
    """Text for readers without the style sheet, and for screen readers."""
    return f"<bdi>{text}</bdi>"


COMMA = unseen(", ")


def icon(kind: str) -> str:
    """A kind's icon, with its word."""
    return f'<span class="ic {kind_class(kind)}">{kind} </span>'


def name_html(text: str, limit: int = NAME_LIMIT) -> str:
    """A name or an id on one line, escaped."""
    return html_text(one_line(text, limit)) or "(no name)"


def code(text: str) -> str:
    """A call to type next."""
    return f'<span class="m">{html_text(text)}</span>'


def call(name: str, identifier: str) -> str:
    """A call with an id as its argument, as Python would write it; an id too long to type is left to the reader."""
    return f"ops.{name}({identifier!r})" if len(identifier) <= NAME_LIMIT else f"ops.{name}(id)"


def status_html(status: str, word: str | None = None) -> str:
    """A status: sign and word."""
    sign, usual = STATUS[status]
    return f'<span class="st {status_class(status)}">{sign} {word or usual}</span>'


def status_class(status: str) -> str:
    """The style sheet's class of a status."""
    return _STATUS_CLASS[status]


def article(inner: str, label: str, parts: Sequence[str]) -> str:
    """One output: a named article with its style sheet.

    What the sheet needs is read off the markup: user text cannot hold a class, as its quotes are escaped.
    """
    kinds = [kind for kind in KIND_COLOURS if f'class="ic {kind_class(kind)}"' in inner]
    used = [*parts, "error"] if 'class="xm"' in inner else parts
    name = html_text(one_line(label, 160))
    return f'<article class="mo" aria-label="{name}">{style(used, kinds)}{inner}</article>'


def header(title: str, status: str, meta: Sequence[str], figures: str, chips: str = "") -> str:
    """Name, status, where and when; then the figures."""
    below = f'<p class="cs">{chips}</p>' if chips else ""
    about = f'<p class="me">{" · ".join(part for part in meta if part)}</p>'
    return f'<header class="hd"><div class="ti"><h4>{title} {status}</h4>{about}</div>{figures}{below}</header>'


def figures_html(pairs: Sequence[tuple[str, str]]) -> str:
    """Labelled figures; those with nothing to tell are not given."""
    shown = [f"<span><i>{label} </i><b>{value}</b>" for label, value in pairs if value]
    return f'<p class="kp">{f"{COMMA}</span>".join(shown)}</span></p>' if shown else ""


def with_unit(text: str) -> str:
    """A measure with its unit in small: "164.7 ms"."""
    number, _, unit = text.partition(" ")
    return f"{number} <small>{unit}</small>" if unit and " " not in unit else text


def duration_figure(ns: int | None) -> str:
    """A duration for the header, or ""."""
    return "" if ns is None else with_unit(duration(ns))


def tokens_figure(totals: Totals) -> str:
    """Tokens in and out, with what came from the provider's cache, or ""."""
    flow = token_flow(totals.input_tokens, totals.output_tokens)
    cached = f" <small>{tokens(totals.cache_read_tokens)} cached</small>" if totals.cache_read_tokens else ""
    return flow + cached if flow else ""


def cost_figure(dollars: float | None) -> str:
    """A cost, or ""."""
    return "" if dollars is None else html_text(usd(dollars))


def chip(value: Any, key: str = "") -> str:
    """A tag or an attribute."""
    label = f"<i>{name_html(key, 40)}</i> " if key else ""
    text = value if isinstance(value, str) else str(value)
    return f'<span class="ch">{label}<span dir="auto">{name_html(text, 60)}</span></span>'


def chips(items: Sequence[str]) -> str:
    """Chips in a row."""
    return COMMA.join(items)


def where(span: SpanRow) -> list[str]:
    """Where and when a span started, for a header's second line."""
    session = f'session <span dir="auto">{name_html(span.session_id)}</span>' if span.session_id is not None else ""
    return [
        session,
        f"In [{span.execution_count}]" if span.execution_count is not None else "",
        date(span.start),
        f'<span class="m" title="trace {html_text(span.trace_id[:64])}">{html_text(short_id(span.trace_id))}</span>',
    ]


def footer(*parts: str) -> str:
    """The last line: what was shown, what was cut, and the next calls."""
    return f'<p class="ft">{" · ".join(part for part in parts if part)}</p>'


def was_cut(body: str) -> bool:
    """Whether values in the body were cut; user text cannot hold a tag, so it cannot pretend."""
    return '<span class="q">… ' in body
