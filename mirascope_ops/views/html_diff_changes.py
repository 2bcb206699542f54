"""What changed between two runs: new errors, then texts line by line, then what else there is to tell."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from mirascope_ops.analysis.partdiff import passages
from mirascope_ops.analysis.sequences import Effort
from mirascope_ops.views.escape import html_text, one_line
from mirascope_ops.views.format import plural
from mirascope_ops.views.html_delta import change_mark
from mirascope_ops.views.html_parts import icon, name_html, unseen
from mirascope_ops.views.values import text_html
from mirascope_ops.views.words import MINUS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mirascope_ops.analysis.diff import Change
    from mirascope_ops.analysis.partdiff import Passage
    from mirascope_ops.analysis.textdiff import Line
    from mirascope_ops.views.budget import Limits

_TEXTS: Final = frozenset({"prompt", "input", "output", "attributes"})
_MOST_COMPARED: Final = 40  # changes whose texts are compared
_OPEN: Final = 6  # sections that are open; more would bury the spans
_ROLES: Final = frozenset({"system", "user", "assistant", "tool", "developer"})
_ROLE: Final = 24
_NAME: Final = 60
_ERROR: Final = 300


class Sections:
    """The changes, on their way to HTML; texts are compared once, however often the view is made smaller.

    Args:
        changes: The changes.
    """

    def __init__(self, changes: Sequence[Change]) -> None:
        self._errors = [change for change in changes if change.what in {"error", "fixed"}]
        self._texts = [change for change in changes if change.what in _TEXTS]
        self._others = [change for change in changes if change.what not in {"error", "fixed", *_TEXTS}]
        effort = Effort()
        self._passages = [passages(change.places[0], effort) for change in self._texts[:_MOST_COMPARED]]

    def html(self, limits: Limits) -> tuple[str, int]:
        """The sections.

        Args:
            limits: How much of them.

        Returns:
            The HTML, and how many changes it leaves out.
        """
        most = max(1, limits.items // 5)
        errors, others = self._errors[:most], self._others[:most]
        texts = self._texts[: min(most, _MOST_COMPARED)]
        shown = _list("Errors", [_error(change) for change in errors])
        for place, (change, found) in enumerate(zip(texts, self._passages, strict=False)):
            shown += _section(change, found, limits, is_open=place < _OPEN)
        shown += _list("Also changed" if self._texts else "Changed", [_other(change) for change in others])
        told = len(errors) + len(texts) + len(others)
        return shown, len(self._errors) + len(self._texts) + len(self._others) - told


def place_words(change: Change) -> str:
    """Where a change shows, as HTML."""
    span = change.span
    others = f" and {plural(change.elsewhere, 'more span')}" if change.elsewhere else ""
    return f'turn {change.turn}, <span dir="auto">{name_html(span.name, _NAME)}</span>{others}'


def _section(change: Change, found: Sequence[Passage], limits: Limits, *, is_open: bool) -> str:
    calls = change.span.kind == "llm"
    title = {"prompt": "Prompt", "input": "Input", "attributes": "Attributes"}.get(
        change.what, "Answer" if calls else "Output"
    )
    parts: Sequence[Any] = change.after or change.before or ()
    changed = sum(passage.sign in {"±", "+", "-"} for passage in found)
    many = change.what == "prompt" and len(parts) > 1
    counted = f"{changed} of {plural(len(parts), 'message')} changed, " if many else ""
    heading = f'{title} <span class="q">{counted}{place_words(change)}</span>'
    most = max(4, min(120, limits.value // 20))
    lines = [(passage, line) for passage in found for line in passage.lines]
    items = ""
    last: Passage | None = None
    begun: set[str] = set()
    for passage, line in lines[:most]:
        begun = begun if passage is last else set()
        last = passage
        named = line.sign != "…" and not begun & {line.sign, "="}
        items += _line(passage, line, limits.value, named=named, again=bool(begun - {"…"}))
        begun.add(line.sign)
    rest = len(lines) - most
    items += f'<li class="nw"><span class="q">… {rest:,} more lines</span></li>' if rest > 0 else ""
    block = f'<ul class="pd" aria-label="{title}, line by line">{items}</ul>'
    if is_open:
        return f"<h5>{heading}</h5>{block}"
    return f'<details class="sc"><summary><b>{heading}</b></summary>{block}</details>'


def _line(passage: Passage, line: Line, limit: int, *, named: bool, again: bool) -> str:
    """One line: whose message it is, the sign, the text with its changed words marked."""
    name, sign, run = {"-": ("dw", f"{MINUS} ", " in A"), "+": ("iw", "+ ", " in B")}.get(line.sign, ("", "", ""))
    if line.sign == "…":
        return f'<li class="nw"><span>{html_text(line.text)}</span></li>'
    role = ""
    if named and passage.role:
        # Arguments keep their names as they are; a message's role is a word.
        role = name_html(passage.role.capitalize() if passage.role in _ROLES else passage.role, _ROLE)
        role = f"{unseen(role) if again else role}{unseen(f'{run}: ')}"
    tag = {"-": "del", "+": "ins"}.get(line.sign, "")
    all_new = all(piece.changed for piece in line.pieces)
    text = "".join(
        f"<{tag}>{text_html(piece.text, limit)}</{tag}>"
        if piece.changed and not all_new
        else text_html(piece.text, limit)
        for piece in line.pieces
    )
    kind = f' class="{name}"' if name else ""
    return (
        f'<li{kind}><span class="ro" dir="auto">{role}</span><span class="gw">{sign}</span>'
        f'<span class="lw" dir="auto">{text}</span></li>'
    )


def _list(title: str, items: Sequence[str]) -> str:
    return f'<h5>{title}</h5><ul class="cl">{"".join(items)}</ul>' if items else ""


def _error(change: Change) -> str:
    new, old = (html_text(one_line(words, _ERROR)) if words else "" for words in (change.after, change.before))
    if change.what == "fixed":
        said = f"<del>{old}</del>"
    else:
        said = f'<span class="e">{new}</span>' + (f"{unseen(' before: ')} <del>{old}</del>" if old else "")
    place = f'<span class="q">{place_words(change)}</span>'
    return f'<li>{change_mark(change.what)}<span class="lw">{said} {place}</span></li>'


def _other(change: Change) -> str:
    span = change.span
    mark = change_mark(change.what) or change_mark("changed")
    name = f'{icon(span.kind)} <b dir="auto">{name_html(span.name, _NAME)}</b>'
    if change.what in {"added", "removed"}:
        below = f", with {plural(change.elsewhere, 'span')} below" if change.elsewhere else ""
        words = f"turn {change.turn}{below}"
    elif change.what == "moved":
        places = [f"turn {place.pair.turn}" for place in change.places[1:] if not place.pair.depth]
        places = places or [name_html(place.pair.span.name, _NAME) for place in change.places[1:]]
        words = f"turn {change.turn}" + (f", changed places with {', '.join(places)}" if places else "")
    else:
        values = (html_text(one_line(_brief(value), _NAME)) for value in (change.before, change.after))
        words = f"{change.what} {' → '.join(values)}, turn {change.turn}"
    return f'<li>{mark}<span class="lw">{name}{unseen(",")} <span class="q">{words}</span></span></li>'


def _brief(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(map(str, value)) or "none"  # pyright: ignore[reportUnknownArgumentType,reportUnknownVariableType]
    return "none" if value is None else str(value)
