"""A trace, and one span by itself, as text."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC
from typing import TYPE_CHECKING

from mirascope_ops.analysis.stats import totals
from mirascope_ops.analysis.tree import forest
from mirascope_ops.views.errors import traceback_of
from mirascope_ops.views.escape import one_line, visible
from mirascope_ops.views.format import count, date, duration, offset, plural, token_flow, tokens, usd
from mirascope_ops.views.hints import hint
from mirascope_ops.views.outline import Line, Outline, hidden_below, most_telling, outline
from mirascope_ops.views.values import arguments_line
from mirascope_ops.views.words import NO_SPANS, STATUS, trace_status

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import tzinfo

    from mirascope_ops.analysis.rows import Message, SpanRow, Totals

_MOST_BYTES = 40_000
_VALUE_LIMIT = 200
_NAME_LIMIT = 120
# Deeper spans stay at this indentation, with their level written before the name.
_MOST_DEPTH = 24
_MOST_FRAMES = 6
# Rows of a tree, characters of a value (0 leaves values out); the first that fits is taken.
_LADDER = ((300, _VALUE_LIMIT), (300, 80), (300, 0), (100, 0), (30, 0), (10, 0))


def name_text(text: str, limit: int = _NAME_LIMIT) -> str:
    """A name or an id on one line."""
    return one_line(text, limit) or "(no name)"


def title_text(span: SpanRow, limit: int = _NAME_LIMIT) -> str:
    """A span's kind, where there is one to tell, and its name."""
    name = name_text(span.name, limit)
    return name if span.kind == "other" else f"{span.kind} {name}"


def status_text(status: str, word: str = "") -> str:
    """A status: sign and word."""
    sign, usual = STATUS[status]
    return f"{sign} {word or usual}"


def joined(*parts: str) -> str:
    """What there is to say, on a line."""
    return " · ".join(part for part in parts if part)


def trace_text(spans: Sequence[SpanRow], *, zone: tzinfo | None = UTC) -> str:
    """A trace as a tree in text.

    Args:
        spans: The spans of one trace, in any order, complete or not.
        zone: The time zone of its start; None for this machine's.

    Returns:
        Lines without a final newline, about 40 KB at most; what was cut is said.

    Example:
        >>> trace_text([]).startswith("No spans")
        True
    """
    roots = forest(spans)
    if not roots:
        return NO_SPANS
    view = outline(roots)
    first = roots[0].span
    status, word = trace_status(roots, len(view.errors()))
    more = f" and {plural(len(roots) - 1, 'more root')}" if len(roots) > 1 else ""
    head = joined(f"{name_text(first.name)}{more} {status_text(status, word)}", _figures(totals(spans)))
    shown = ""
    for rows, limit in _LADDER:
        shown = f"{head}\n{_where(first, zone)}\n\n{_tree(view, rows, limit)}"
        if len(shown.encode()) <= _MOST_BYTES:
            break
    return shown


def _figures(figures: Totals) -> str:
    cached = f" ({tokens(figures.cache_read_tokens)} cached)" if figures.cache_read_tokens else ""
    used = token_flow(figures.input_tokens, figures.output_tokens)
    calls = f"{plural(figures.llm_calls, 'LLM call')} of " if figures.llm_calls and figures.spans > 1 else ""
    return joined(
        duration(figures.duration) if figures.duration is not None else "",
        calls + plural(figures.spans, "span") if figures.spans > 1 else "",
        f"{used} tokens{cached}" if used else "",
        usd(figures.cost) if figures.cost is not None else "",
    )


def _where(span: SpanRow, zone: tzinfo | None) -> str:
    return joined(
        f"session {name_text(span.session_id)}" if span.session_id is not None else "",
        f"In [{span.execution_count}]" if span.execution_count is not None else "",
        date(span.start, zone=zone),
        f"trace {name_text(span.trace_id, 40)}",
    )


@dataclass(slots=True)
class _Branch:
    """The marks before a row, and before what belongs to it."""

    row: str
    below: str


def _tree(view: Outline, most: int, limit: int) -> str:
    lines = view.lines
    shown = most_telling(lines, view.errors(), most)
    hidden = hidden_below(lines, shown)
    places = sorted(shown)
    # The last row below each parent ends its branch, unless a word on hidden spans comes after it.
    last: dict[int, int] = {}
    for place in places:
        last[lines[place].parent] = place
    out: list[str] = []
    branches: dict[int, _Branch] = {-1: _Branch("", "")}
    waiting: list[int] = []

    def close(depth: int) -> None:
        while waiting and lines[waiting[-1]].depth >= depth:
            done = waiting.pop()
            if hidden.get(done):
                out.append(f"{branches[done].below}└─ {plural(hidden[done], 'more span')}")

    for place in places:
        line = lines[place]
        close(line.depth)
        above = branches[line.parent]
        if line.depth == 0 or line.depth > _MOST_DEPTH:
            branch = _Branch(above.below, above.below)
        else:
            ends = last[line.parent] == place and not hidden.get(line.parent)
            branch = _Branch(f"{above.below}{'└─ ' if ends else '├─ '}", f"{above.below}{'   ' if ends else '│  '}")
        branches[place] = branch
        waiting.append(place)
        level = f"[level {line.depth + 1}] " if line.depth > _MOST_DEPTH else ""
        out.append(f"{branch.row}{level}{_row(line, view)}")
        bar = "│  " if place in last and line.depth < _MOST_DEPTH else "   "
        out += [f"{branch.below}{bar}{detail}" for detail in _details(line, view, limit)]
    close(0)
    missing = len(lines) - len(places)
    if missing:
        out.append(f"{plural(missing, 'more span')}: trace.to_pandas() has all {count(len(lines))}")
    return "\n".join(out)


def _row(line: Line, view: Outline) -> str:
    span = line.span
    used = token_flow(line.input_tokens, line.output_tokens)
    state = f" {status_text(span.status)}" if span.status in {"error", "open", "interrupted"} else ""
    failed_or_call = span.kind == "llm" or (line.source >= 0 and line.source != line.place)
    return joined(
        f"{title_text(span)}{state}",
        hint(line, view) if failed_or_call and line.source != line.place else "",
        offset(span.start - view.start) if line.depth else "",
        duration(span.duration) if span.duration is not None else "",
        f"{used} tokens" if used else "",
        usd(line.cost) if line.cost is not None else "",
    )


def _details(line: Line, view: Outline, limit: int) -> list[str]:
    span = line.span
    found: list[str] = []
    if line.source == line.place:
        error = ": ".join(part for part in (span.error_type, span.error_message) if part)
        found.append(f"error  {one_line(error or 'nothing more is known', max(limit, 120))}")
        found += _frames(line, view) if limit else []
    if not limit:
        return found
    sent, answered = view.messages(span) if span.kind == "llm" else ([], [])
    if sent or answered:
        if sent:
            others = f" ({plural(len(sent), 'message')})" if len(sent) > 1 else ""
            found.append(f"in     {_message(sent[-1], limit)}{others}")
        found += [f"out    {_message(message, limit)}" for message in answered[:3]]
    else:
        found += [f"in     {one_line(span.input, limit)}"] if span.input is not None else []
        found += [f"out    {one_line(span.output, limit)}"] if span.output is not None else []
    if span.tags:
        found.append(f"tags   {', '.join(name_text(tag, 40) for tag in span.tags[:20])}")
    for annotation in span.annotations[:5]:
        words = ": ".join(part for part in (annotation.label, annotation.reasoning) if part)
        found.append(f"note   {one_line(words or ', '.join(annotation.tags), limit)}")
    return found


def _frames(line: Line, view: Outline) -> list[str]:
    """The person's own frames of the traceback, and the one that raised."""
    sections = traceback_of(line, view)
    if not sections:
        return []
    frames = sections[-1].frames
    own = [frame for frame in frames if frame.owner != "library"][-_MOST_FRAMES:]
    if frames[-1] not in own:
        own.append(frames[-1])
    told: list[str] = []
    for frame in own:
        function = f", in {name_text(frame.function, 60)}" if frame.function else ""
        code = frame.code.split("\n", 1)[0]
        told.append(f"       {name_text(frame.place)}, line {frame.line}{function}: {one_line(code, 120)}".rstrip(": "))
    return told


def _message(message: Message, limit: int) -> str:
    calls = [
        f"calls {name_text(call.name, 60)}({arguments_line(call.arguments, limit)})" for call in message.tool_calls
    ]
    words = one_line(message.content, limit) if message.content else ""
    return f"{name_text(message.role, 20)}: {joined(words, *calls[:3])}"


def span_text(span: SpanRow, *, zone: tzinfo | None = UTC) -> str:
    """One span as text: what it was, its values in up to a few thousand characters each.

    Args:
        span: The span.
        zone: The time zone of its start; None for this machine's.
    """
    view = outline(forest([span]))
    line = view.lines[0]
    head = joined(f"{title_text(span)} {status_text(span.status)}", _figures(totals([span])))
    about = joined(*(name_text(part) for part in (span.model, span.provider) if part))
    shown = [head, _where(span, zone), *([about] if about else []), *_details(line, view, 0)]
    for word, value in (("input", span.input), ("output", span.output)):
        if value is not None:
            shown += ["", f"{word}:", _block(value)]
    if span.tags:
        shown += ["", f"tags: {', '.join(name_text(tag, 40) for tag in span.tags[:50])}"]
    return "\n".join(shown)


def _block(text: str, limit: int = 4_000) -> str:
    lines = visible(text[:limit]).replace("\t", "    ").split("\n")
    more = f"\n  … {count(len(text) - limit)} more characters" if len(text) > limit else ""
    return "\n".join(f"  {line}" for line in lines) + more
