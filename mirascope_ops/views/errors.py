"""The traceback of a span's error, as its views show it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, cast

from mirascope_ops.core import attributes as keys
from mirascope_ops.views.frames import Section, read_traceback

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mirascope_ops.analysis.rows import SpanRow
    from mirascope_ops.views.outline import Line, Outline


def traceback_of(line: Line, view: Outline) -> list[Section]:
    """The traceback of the error that a span raised first.

    Outer spans saw the same exception with more frames, up to the cell's own, so theirs is taken where it is
    longer.
    """
    found = _read(line.span)
    above = line.parent
    while above >= 0 and view.lines[above].source == line.source:
        wider = _read(view.lines[above].span)
        if wider and len(wider[-1].frames) > (len(found[-1].frames) if found else 0):
            found = wider
        above = view.lines[above].parent
    return found


def _read(span: SpanRow) -> list[Section]:
    """The longest traceback that the span's events hold."""
    found = ""
    cells: Mapping[str, int] = {}
    for event in span.events:
        text = event.attributes.get(keys.EXCEPTION_STACKTRACE)
        if isinstance(text, str) and len(text) > len(found):
            found, cells = text, _cells(event.attributes.get(keys.EXCEPTION_CELLS))
    return [_without_ours(section) for section in read_traceback(found, cells)]


def _without_ours(section: Section) -> Section:
    """Without our own wrappers: they stand between all functions that are traced, and tell nothing."""
    *outer, raised = section.frames
    return Section([*(frame for frame in outer if frame.package != "mirascope_ops"), raised], section.message)


def _cells(text: Any) -> dict[str, int]:
    try:
        value: Any = json.loads(text) if isinstance(text, str) else {}
    except (ValueError, RecursionError):
        value = {}
    if not isinstance(value, dict):
        return {}
    pairs = cast("dict[str, Any]", value)
    return {name: number for name, number in pairs.items() if isinstance(number, int)}
