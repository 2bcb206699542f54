"""What a trace's views share: its spans in reading order, with roll-ups, the source of errors and the scale."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from mirascope_ops.analysis.messages import message_split
from mirascope_ops.analysis.tree import walk

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mirascope_ops.analysis.rows import Message, Node, SpanRow


@dataclass(slots=True)
class Line:
    """One span in reading order.

    Attributes:
        node: The span and its children.
        place: The line's index in the outline.
        depth: 0 at a root.
        parent: The parent's place in the outline, -1 at a root.
        size: Spans in the subtree, itself included.
        source: The place of the span that raised this span's error first: its own or a descendant's; -1 without.
        input_tokens: Tokens of the innermost model calls at or below the span; None where none were reported.
        output_tokens: In the same way.
        cost: In the same way, US dollars.
        earlier: The model call before this one, whose messages this one may repeat.
    """

    node: Node
    place: int
    depth: int
    parent: int
    size: int = 1
    source: int = -1
    input_tokens: int | None = None
    output_tokens: int | None = None
    cost: float | None = None
    earlier: SpanRow | None = None

    @property
    def span(self) -> SpanRow:
        """The span itself."""
        return self.node.span


@dataclass(slots=True)
class Outline:
    """A trace's spans in reading order, with the time scale that they share."""

    lines: list[Line]
    start: int
    total: int
    last_call: SpanRow | None = None
    _messages: dict[tuple[str, str], tuple[list[Message], list[Message]]] = field(
        default_factory=dict[tuple[str, str], "tuple[list[Message], list[Message]]"]
    )

    def messages(self, span: SpanRow) -> tuple[list[Message], list[Message]]:
        """What a model call sent and what it answered; read once."""
        key = (span.trace_id, span.span_id)
        if key not in self._messages:
            self._messages[key] = message_split(span)
        return self._messages[key]

    def errors(self) -> list[int]:
        """The places where errors were raised first, in order."""
        return [place for place, line in enumerate(self.lines) if line.source == place]


def outline(roots: Sequence[Node], *, before: SpanRow | None = None) -> Outline:
    """Bring a forest into reading order.

    Args:
        roots: The trace's trees.
        before: The last model call of the turn before, whose messages the first call may repeat.

    Returns:
        The outline; without spans it is empty.
    """
    lines: list[Line] = []
    path: list[int] = []
    call = before
    for depth, node in walk(roots):
        del path[depth:]
        line = Line(node, len(lines), depth, path[-1] if path else -1)
        path.append(line.place)
        if node.span.kind == "llm":
            line.earlier, call = call, node.span
        lines.append(line)
    _roll_up(lines)
    start = min((line.span.start for line in lines), default=0)
    end = max((_end(line.span) for line in lines), default=0)
    return Outline(lines, start, max(1, end - start), call)


def _end(span: SpanRow) -> int:
    """The last moment that is known of a span: an open one has only its start and its events."""
    if span.end is not None:
        return span.end
    return max([span.start, *(event.time for event in span.events)])


def _roll_up(lines: list[Line]) -> None:
    # From the last line to the first, every span comes after all of its children.
    for place in range(len(lines) - 1, -1, -1):
        line = lines[place]
        span = line.span
        if line.input_tokens is None and line.output_tokens is None:
            line.input_tokens, line.output_tokens = span.input_tokens, span.output_tokens
        if line.cost is None:
            line.cost = span.cost
        if span.status == "error" and line.source < 0:
            line.source = place
        if line.parent < 0:
            continue
        above = lines[line.parent]
        above.size += line.size
        above.input_tokens = _sum(above.input_tokens, line.input_tokens)
        above.output_tokens = _sum(above.output_tokens, line.output_tokens)
        if line.cost is not None:
            above.cost = line.cost + (above.cost or 0)
        if line.source >= 0 and above.span.status == "error" and _same_error(above.span, lines[line.source].span):
            # The first child in reading order wins: lines go backwards here.
            above.source = line.source


def _sum(one: int | None, other: int | None) -> int | None:
    return one if other is None else other + (one or 0)


def _same_error(above: SpanRow, below: SpanRow) -> bool:
    """Whether the outer error is the inner one on its way up; libraries differ in what they write of it."""
    if above.error_type and below.error_type and last_name(above.error_type) != last_name(below.error_type):
        return False
    return not above.error_message or not below.error_message or above.error_message == below.error_message


def last_name(dotted: str) -> str:
    """The class's name out of a qualified one."""
    return dotted.rsplit(".", 1)[-1]


def error_line(span: SpanRow) -> str:
    """The error on a line: "ValueError: no city", as far as it is known."""
    kind = last_name(span.error_type or "")
    message = span.error_message or ""
    return f"{kind}: {message}" if kind and message else kind or message or "error"


def most_telling(lines: Sequence[Line], sources: Sequence[int], most: int) -> set[int]:
    """The rows to show where not all fit: paths to errors for at most half of them, then from the top on.

    Args:
        lines: All rows.
        sources: Places of the spans that raised errors.
        most: How many rows fit.

    Returns:
        Places; every place's parent is among them.
    """
    if len(lines) <= most:
        return set(range(len(lines)))
    shown: set[int] = set()
    for source in sources:
        path: list[int] = []
        place = source
        while place >= 0 and place not in shown:
            path.append(place)
            place = lines[place].parent
        if len(shown) + len(path) <= most // 2:
            shown.update(path)
    for place, line in enumerate(lines):
        if len(shown) >= most:
            break
        if line.parent < 0 or line.parent in shown:
            shown.add(place)
    return shown


def hidden_below(lines: Sequence[Line], shown: set[int]) -> dict[int, int]:
    """How many spans each shown row (or -1, the trace) has below it that are not shown."""
    nearest: list[int] = []
    missing: dict[int, int] = {}
    for place, line in enumerate(lines):
        if place in shown:
            nearest.append(place)
            continue
        above = nearest[line.parent] if line.parent >= 0 else -1
        nearest.append(above)
        missing[above] = missing.get(above, 0) + 1
    return missing
