"""The MIME bundle of an output: our own data for front ends that know it, HTML, text."""

from __future__ import annotations

import json
import math
from bisect import bisect_right
from collections.abc import Collection, Mapping, Sequence
from itertools import accumulate
from typing import Any, cast

from mirascope_ops.views.escape import visible

DATA_MIME = "application/vnd.mirascope.ops.spans+json"
# It repeats what the HTML shows, and a saved notebook holds both: so twenty outputs of usual size are a megabyte.
MAX_DATA_BYTES = 50_000
_LEAST_DATA_BYTES = 9_000
MAX_TEXT_BYTES = 13_000

# Values nested deeper than this are told, not shown; it bounds the recursion.
_MOST_DEPTH = 12
# Characters of a string, then entries of every list and mapping below the top.
_LADDER = ((10_000, 10_000), (2_000, 1_000), (500, 500), (200, 200), (100, 100), (100, 30), (50, 10), (20, 3), (0, 0))


class _Cut:
    """How much was left out."""

    def __init__(self, characters: int, entries: int) -> None:
        self.characters = characters
        self.entries = entries
        self.strings_cut = 0
        self.entries_cut = 0


def bundle(text: str, html: str, data: Mapping[str, Any]) -> dict[str, Any]:
    """The three forms of one output.

    Args:
        text: For terminals.
        html: For everything that shows HTML.
        data: For front ends that draw by themselves. What is not JSON becomes its text, records become objects.

    Returns:
        A MIME bundle of at most 100 KB, as the views bound the HTML. Of the text it has the first 13 KB. The data is
        what the others leave of 50 KB, at least 9 KB: strings are cut first, then lists; what was left out is counted
        under the key "cut".

    Example:
        >>> bundle("one", "<b>one</b>", {"spans": 1})[DATA_MIME]
        {'spans': 1}
    """
    text = _first_lines(text)
    room = max(_LEAST_DATA_BYTES, MAX_DATA_BYTES - len(html.encode()) - len(text.encode()))
    return {DATA_MIME: _bounded(data, room), "text/html": html, "text/plain": text}


def chosen(
    bundled: dict[str, Any], include: Collection[str] | None = None, exclude: Collection[str] | None = None
) -> dict[str, Any]:
    """The forms that a front end asked for, as `_repr_mimebundle_` has to answer.

    Args:
        bundled: All forms.
        include: MIME types to keep; None or empty keeps all.
        exclude: MIME types to leave out.
    """
    return {
        mime: form for mime, form in bundled.items() if (not include or mime in include) and mime not in (exclude or ())
    }


def _first_lines(text: str) -> str:
    """As many lines as there is room for."""
    if len(text) * 4 <= MAX_TEXT_BYTES or len(text.encode()) <= MAX_TEXT_BYTES:
        return text
    lines = text.splitlines()
    sizes = accumulate(len(line.encode()) + 1 for line in lines)
    kept = bisect_right(list(sizes), MAX_TEXT_BYTES - 100)  # and the line that tells of the others
    return "\n".join([*lines[:kept], f"… {len(lines) - kept:,} more lines: print(... .to_text()) shows more"])


def _bounded(data: Mapping[str, Any], room: int) -> dict[str, Any]:
    shown: dict[str, Any] = {}
    for characters, entries in _LADDER:
        cut = _Cut(characters, entries)
        shown = {visible(str(key)[:200]): _plain(value, cut, 0) for key, value in list(data.items())[:200]}
        if cut.strings_cut or cut.entries_cut:
            shown["cut"] = {"strings": cut.strings_cut, "entries": cut.entries_cut}
        if len(json.dumps(shown, ensure_ascii=False).encode()) <= room:
            break
    return shown


def _plain(value: Any, cut: _Cut, depth: int) -> Any:  # noqa: PLR0911 - one for each kind of value
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int):
        # Larger ints do not survive a browser's numbers; times in nanoseconds are larger.
        return value if abs(value) < 2**53 else str(value)
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    if isinstance(value, str):
        return _string(value, cut)
    if depth >= _MOST_DEPTH:
        cut.entries_cut += 1
        return "…"
    if hasattr(value, "_asdict"):
        value = value._asdict()
    if isinstance(value, Mapping):
        pairs = list(cast("Mapping[Any, Any]", value).items())
        # The fields of a record are few and all wanted; a span's attributes can be any number.
        kept = pairs[: max(cut.entries, 40)] if cut.entries else []
        cut.entries_cut += len(pairs) - len(kept)
        return {_string(str(key), cut): _plain(item, cut, depth + 1) for key, item in kept}
    if isinstance(value, Sequence) and not isinstance(value, bytes | bytearray):
        items = cast("Sequence[Any]", value)
        cut.entries_cut += max(0, len(items) - cut.entries)
        return [_plain(item, cut, depth + 1) for item in items[: cut.entries]]
    return _string(str(value), cut)


def _string(text: str, cut: _Cut) -> str:
    if len(text) <= max(cut.characters, 40):
        return visible(text)
    cut.strings_cut += 1
    return f"{visible(text[: cut.characters])}… {len(text) - cut.characters:,} more characters"
