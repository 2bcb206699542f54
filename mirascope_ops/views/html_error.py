"""An error with its traceback: the person's own frames open, those of libraries folded."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mirascope_ops.views.errors import traceback_of
from mirascope_ops.views.escape import html_text, one_line
from mirascope_ops.views.format import plural
from mirascope_ops.views.values import text_html

if TYPE_CHECKING:
    from mirascope_ops.views.frames import Frame, Section
    from mirascope_ops.views.outline import Line, Outline

_MOST_SECTIONS = 4
_MOST_FRAMES = 10
_FOLDED_FRAMES = 12


def error_html(line: Line, view: Outline, limit: int) -> str:
    """The error of the span that raised it, with its traceback and the exceptions that led to it."""
    span = line.span
    sections = traceback_of(line, view)
    title = ": ".join(part for part in (span.error_type, span.error_message) if part) or "error, nothing more is known"
    shown = f'<p class="xm" dir="auto">{text_html(title, limit)}</p>'
    earlier = sections[:-1][-_MOST_SECTIONS:]
    for section in earlier:
        head = html_text(one_line(section.message, 200))
        shown += f'<details><summary class="tx">before it: {head}</summary>{_frames(section, limit)}</details>'
    return shown + (_frames(sections[-1], limit) if sections else "")


def _frames(section: Section, limit: int) -> str:
    """Own frames, with runs of library frames folded; the frame that raised is always shown."""
    shown: list[str] = []
    run: list[Frame] = []
    frames = section.frames
    own = [place for place, frame in enumerate(frames) if frame.owner != "library"]
    # A recursion has hundreds of own frames: the outermost and the innermost ones tell the story.
    open_ones = set(own if len(own) <= _MOST_FRAMES else own[: _MOST_FRAMES // 2] + own[-_MOST_FRAMES // 2 :])
    open_ones.add(len(frames) - 1)
    for place, frame in enumerate(frames):
        if place in open_ones:
            shown += _folded(run, limit)
            run = []
            shown.append(_frame(frame, limit))
        else:
            run.append(frame)
    return f'<ol class="tb">{"".join(shown)}</ol>'


def _folded(run: list[Frame], limit: int) -> list[str]:
    if not run:
        return []
    if len(run) == 1:
        return [_frame(run[0], limit)]
    names = list(dict.fromkeys(frame.package or "this file" for frame in run))
    words = ", ".join(names[:3]) + ("" if len(names) <= 3 else f" and {len(names) - 3} more")  # noqa: PLR2004
    inner = "".join(_frame(frame, limit) for frame in run[:_FOLDED_FRAMES])
    if len(run) > _FOLDED_FRAMES:
        inner += f'<li class="f">{plural(len(run) - _FOLDED_FRAMES, "more frame")}</li>'
    title = html_text(one_line(f"{plural(len(run), 'frame')} in {words}", 120))
    return [f'<li><details><summary class="tx">{title}</summary><ol>{inner}</ol></details></li>']


def _frame(frame: Frame, limit: int) -> str:
    line = f":{frame.line}" if frame.owner == "library" else f", line {frame.line}"
    function = ""
    if frame.function:
        name = html_text(one_line(frame.function, 80))
        function = f", in {name}" if frame.owner == "library" else f", in <b>{name}</b>"
    again = f", {plural(frame.repeated, 'time')} more" if frame.repeated else ""
    place = f"{html_text(one_line(frame.place, 120))}{line}{function}{again}"
    source = f"<pre>{text_html(frame.code, max(200, limit))}</pre>" if frame.code else ""
    if frame.owner == "library":
        return f'<li><span class="f">{place}</span>{source}</li>'
    return f'<li class="mine">{place}{source}</li>'
