"""What opens under a row: inputs, outputs, messages, the error, events, judgements, attributes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mirascope_ops.views.escape import html_text, one_line
from mirascope_ops.views.format import offset, plural, short_id
from mirascope_ops.views.html_chat import chat_html, model_line
from mirascope_ops.views.html_error import error_html
from mirascope_ops.views.html_parts import chip, chips, name_html
from mirascope_ops.views.outline import last_name
from mirascope_ops.views.styles import kind_class
from mirascope_ops.views.values import json_html, structured, text_html, value_html

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mirascope_ops.analysis.rows import SpanRow
    from mirascope_ops.store.records import AnnotationRecord, EventRecord
    from mirascope_ops.views.outline import Line, Outline

_MOST_EVENTS = 12
_HINTED = 60
_NAMED = 4
_LEVELS = frozenset({"debug", "info", "warning", "error", "critical"})
_MOST_ATTRIBUTES = 60
_ATTRIBUTE_LIMIT = 200
# Below this many characters a value, attributes are only counted: most of them stand elsewhere in the row.
_ATTRIBUTES_FROM = 500
_WORDS = {"tool": ("Arguments", "Result"), "retriever": ("Query", "Documents")}


def panel_html(line: Line, view: Outline, limit: int) -> str:
    """The panel of one span; "" where there is nothing to show.

    Args:
        line: The span.
        view: Its trace.
        limit: Characters of one value.
    """
    span = line.span
    inner = ""
    if span.kind == "llm":
        inner += model_line(span)
    if span.status == "interrupted":
        inner += '<p class="me">Interrupted: the process ended before this span did.</p>'
    if span.status == "open":
        inner += '<p class="me">Still running when this was shown.</p>'
    if line.source >= 0:
        inner += error_html(line, view, limit) if line.source == line.place else _raised_below(line, view)
    chat = chat_html(line, view, limit) if span.kind == "llm" else ""
    pairs: list[tuple[str, str]] = []
    if not chat:
        went_in, came_out = _WORDS.get(span.kind, ("Input", "Output"))
        pairs += [(went_in, value_html(span.input, limit))] if span.input is not None else []
        pairs += [(came_out, value_html(span.output, limit))] if span.output is not None else []
    pairs += [("Tags", chips([chip(tag) for tag in span.tags[:20]]))] if span.tags else []
    pairs += [("Annotation", _annotation(annotation, limit)) for annotation in span.annotations[:_MOST_EVENTS]]
    inner += chat + _list(pairs) + _events(span, limit) + _links(span) + _attributes(span.attributes, limit)
    return f'<div class="pn {kind_class(span.kind)}">{inner}</div>' if inner else ""


def _raised_below(line: Line, view: Outline) -> str:
    below = view.lines[line.source].span
    name = last_name(line.span.error_type or below.error_type or "error")
    return f'<p class="me">{name_html(name)} raised from {name_html(below.name)}</p>'


def _list(pairs: list[tuple[str, str]]) -> str:
    shown = "".join(f'<div class="io"><dt>{word}</dt><dd>{value}</dd></div>' for word, value in pairs)
    return f"<dl>{shown}</dl>" if shown else ""


def _annotation(annotation: AnnotationRecord, limit: int) -> str:
    parts = [f"<b>{name_html(annotation.label)}</b>"] if annotation.label else []
    if annotation.reasoning:
        parts.append(f'<span class="bd" dir="auto">{text_html(annotation.reasoning, limit)}</span>')
    parts += [chip(tag) for tag in annotation.tags[:20]]
    parts += [chip(value, key) for key, value in list(annotation.metadata.items())[:20]]
    return " ".join(parts)


def _events(span: SpanRow, limit: int) -> str:
    """All events but the exceptions, which the error shows."""
    events = [event for event in span.events if event.name != "exception"]
    if not events:
        return ""
    shown = ""
    for event in events[:_MOST_EVENTS]:
        message, rest = _message_of(event)
        values = json_html(rest, min(limit, _ATTRIBUTE_LIMIT)) if rest else ""
        code = f' <code class="j" dir="auto">{values}</code>' if values else ""
        text = f' <span class="bd" dir="auto">{text_html(message, limit)}</span>' if message else ""
        name = f'<span class="q">{event.name}</span>' if message else f'<span dir="auto">{name_html(event.name)}</span>'
        shown += f'<div class="io"><dt>{offset(event.time - span.start)}</dt><dd>{name}{text}{code}</dd></div>'
    left = len(events) - _MOST_EVENTS
    more = f'<p class="me">{plural(left, "more event")}</p>' if left > 0 else ""
    return f'<dl aria-label="Events">{shown}</dl>{more}'


def _message_of(event: EventRecord) -> tuple[str, dict[str, Any]]:
    """What `span.info` and the like were told, "" of other events; and the event's other values."""
    values = dict(event.attributes)
    if event.name not in _LEVELS or not isinstance(values.get("message"), str):
        return "", values
    message = values.pop("message")
    if values.get("level") == event.name:
        del values["level"]
    return message, values


def _links(span: SpanRow) -> str:
    if not span.links:
        return ""
    traces = ", ".join(html_text(short_id(link.trace_id)) for link in span.links[:_MOST_EVENTS])
    return f'<p class="me">linked to {plural(len(span.links), "span")} in trace <span class="m">{traces}</span></p>'


def _attributes(attributes: Mapping[str, Any], limit: int) -> str:
    if not attributes or limit < _ATTRIBUTES_FROM:
        return ""
    shown = "\n".join(
        f"<i>{name_html(str(key))}:</i> {_attribute(value)}"
        for key, value in list(attributes.items())[:_MOST_ATTRIBUTES]
    )
    rest = len(attributes) - _MOST_ATTRIBUTES
    shown += f"\n{plural(rest, 'more attribute')}" if rest > 0 else ""
    words = plural(len(attributes), "attribute")
    return f'<details><summary class="tx">{words}</summary><pre class="j" dir="auto">{shown}</pre></details>'


def _attribute(value: Any) -> str:
    parsed = structured(value) if isinstance(value, str) else value
    if isinstance(value, str) and parsed is None:
        shown = text_html(value, _ATTRIBUTE_LIMIT)
    else:
        shown = json_html(parsed, _ATTRIBUTE_LIMIT)
    # Attributes are always short here, so it is no news that they were cut: the footer does not tell of it.
    return shown.replace('<span class="q">…', "<span>…")


def says_more(line: Line) -> bool:
    """Whether a container's panel tells more than the hint beside its name does."""
    span = line.span
    return bool(
        span.output is not None
        or len(span.input or "") > _HINTED
        or span.tags
        or span.annotations
        or span.events
        or span.links
        or span.kind == "llm"
        or line.source >= 0
    )


def _told(span: SpanRow) -> str:
    """What a span without input and output has to tell, in a few words."""
    events = [name_html(_message_of(one)[0] or one.name, 40) for one in span.events if one.name != "exception"]
    some = f"{', '.join(events[:_NAMED])}{', …' if len(events) > _NAMED else ''}"
    tags = f"{', '.join(name_html(tag, 40) for tag in span.tags[:_NAMED])}{', …' if len(span.tags) > _NAMED else ''}"
    parts = [
        f"{plural(len(events), 'event')}: {some}" if events else "",
        f"{'tag' if len(span.tags) == 1 else 'tags'} {tags}" if span.tags else "",
        plural(len(span.attributes), "attribute") if span.attributes else "",
    ]
    return " · ".join(part for part in parts if part) or "details"


def preview_html(line: Line, panel: str, *, is_open: bool = False) -> str:
    """A container's own values on one line, which opens to its panel."""
    span = line.span
    if not panel:
        return ""
    state = " open" if is_open else ""
    parts: list[str] = []
    if span.input is not None:
        value = structured(span.input)
        parts.append(html_text(one_line(span.input, 160)) if value is None else json_html(value, 120))
    if span.output is not None:
        output = span.output
        value = structured(output)
        shown = json_html(value, 120) if value is not None else f'"{html_text(one_line(output, 160))}"'
        parts.append(f"→ {shown}")
    if not parts:
        return f'<details class="at"{state}><summary class="tx" dir="auto">{_told(span)}</summary>{panel}</details>'
    summary = f'<span class="j" dir="auto">{" ".join(parts)}</span>'
    return f'<details class="pv"{state}><summary>{summary}</summary>{panel}</details>'
