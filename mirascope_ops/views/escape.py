"""Making hostile text harmless: what a span holds was written by users, models and web pages.

Control characters could drive a terminal, bidirectional ones could make a line read as something else, tag
characters could hide a text, and a lone surrogate cannot be sent at all. `visible` shows all of them as
Python would write them; `html_text` makes the result safe in HTML, in text and in quoted attributes.
"""

from __future__ import annotations

import html
import json
import re
from typing import Final

_HOSTILE = re.compile(
    "\U0001f3f4[\U000e0020-\U000e007e]+\U000e007f"  # a regional flag: the one honest use of tag characters
    "|\r\n"
    "|[\x00-\x08\x0b-\x1f\x7f-\x9f]"  # C0 without tab and newline, DEL, C1
    "|[\u061c\u200e\u200f\u2028-\u202e\u2066-\u206f\ufff9-\ufffb\ufeff]"  # bidi, separators, annotation, BOM
    "|[\ud800-\udfff]"
    "|[\U000e0000-\U000e007f]"
)

_DELETE: Final = 0x7F  # which JSON may hold as it is


def _shown(match: re.Match[str]) -> str:
    found = match[0]
    if found == "\r\n":
        return "\n"
    if len(found) > 1:
        return found
    code = ord(found)
    if code > 0xFFFF:  # noqa: PLR2004 - the end of the basic plane
        return f"\\U{code:08x}"
    return f"\\u{code:04x}" if code > 0xFF else f"\\x{code:02x}"  # noqa: PLR2004 - as repr() does


def visible(text: str) -> str:
    r"""Show characters that act instead of being read as escapes, such as `\x1b` and `\u202e`.

    Newlines and tabs stay.

    Example:
        >>> print(visible("\x1b[31mred\u202e"))
        \x1b[31mred\u202e
    """
    return _HOSTILE.sub(_shown, text)


def visible_json(text: str) -> str:
    r"""Write such characters in JSON text as JSON's own escapes: it means the same, and no terminal obeys it.

    Example:
        >>> print(visible_json('["\u202ered"]'))
        ["\u202ered"]
    """
    return _HOSTILE.sub(_json_escape, text)


def _json_escape(match: re.Match[str]) -> str:
    found = match[0]
    # A flag is honest; \r and \n stand between values only, where they mean no more than a space.
    return found if len(found) > 1 else json.dumps(found)[1:-1] if ord(found) != _DELETE else "\\u007f"


def one_line(text: str, limit: int) -> str:
    """The text on one line for terminals and hints: white space collapsed, cut at `limit` with an ellipsis."""
    # Words beyond the limit are never looked at: a value may be a megabyte.
    line = " ".join(visible(text[: limit * 4]).split())
    if len(line) > limit or len(text) > limit * 4:
        return line[: limit - 1].rstrip() + "…"
    return line


def html_text(text: str) -> str:
    """The text for HTML, safe between tags and in quoted attributes."""
    return html.escape(visible(text))
