"""The style sheet of an output: only the parts, kinds and icons that the output uses, minified.

Every output stands alone (a notebook may show one without the others), so the sheet is small rather than shared.
"""

from __future__ import annotations

import re
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

# Told apart under protan-, deuteran- and tritanopia, and by the icon's shape: (light, dark).
KIND_COLOURS = {
    "llm": ("#631bc9", "#a46bff"),
    "embedding": ("#005451", "#12958b"),
    "retriever": ("#247d01", "#72bd40"),
    "tool": ("#723f02", "#f9cc4a"),
    "agent": ("#9f0784", "#fb4fbb"),
    "chain": ("#2464fe", "#74c0ff"),
    "other": ("#70757e", "#c3c9d3"),
}

_LINES = "fill='none' stroke='%23000' stroke-width='2' stroke-linecap='round'"
_ICONS = {
    "llm": "%3E%3Cpath d='M8 .8l1.9 5.3L15.2 8l-5.3 1.9L8 15.2l-1.9-5.3L.8 8l5.3-1.9z'/",
    "embedding": "%3E%3Cpath d='M1 1h4v4H1zM6 6h4v4H6zM11 11h4v4h-4zM11 1h4v4h-4zM1 11h4v4H1z'/",
    "retriever": f" {_LINES}%3E%3Ccircle cx='6.8' cy='6.8' r='4.6'/%3E%3Cpath d='M10.4 10.4l4 4'/",
    "tool": "%3E%3Cpath d='M14.6 4.2l-2.5 2.5-2.2-.6-.6-2.2 2.5-2.5a4.3 4.3 0 0 0-5.5 5.6L1.4 11.9a1.9 1.9 0 0 0 "
    "2.7 2.7L9 9.7a4.3 4.3 0 0 0 5.6-5.5z'/",
    "agent": " fill-rule='evenodd'%3E%3Cpath d='M7.2.8h1.6v2.4h3A2.2 2.2 0 0 1 14 5.4v6.4a2.2 2.2 0 0 1-2.2 2.2H4.2"
    "A2.2 2.2 0 0 1 2 11.8V5.4a2.2 2.2 0 0 1 2.2-2.2h3zM4.6 7h2.2v2.6H4.6zM9.2 7h2.2v2.6H9.2z'/",
    "chain": f" {_LINES}%3E%3Cpath d='M6.6 9.4a3 3 0 0 0 4.3 0l2.2-2.2a3 3 0 0 0-4.3-4.3l-.9.9M9.4 6.6a3 3 0 0 0-4.3 0"
    "L2.9 8.8a3 3 0 0 0 4.3 4.3l.9-.9'/",
    "other": f" {_LINES}%3E%3Ccircle cx='8' cy='8' r='4.5'/",
}


# Lengths that no host changes: named in the sources, written out in the output, where they are shorter.
_LENGTHS = {"--t1": "11px", "--t2": "12px", "--t3": "13px", "--t4": "15px"}


def minify(css: str) -> str:
    """The sheet without comments and superfluous white space, with type sizes written out."""
    css = re.sub(r"/\*.*?\*/", "", css, flags=re.DOTALL)
    css = re.sub(r"\s*\n\s*", "", css)
    css = re.sub(r"var\((--t\d)\)", lambda found: _LENGTHS[found[1]], css)
    return re.sub(r"\s*([{};])\s*", r"\1", css).replace(";}", "}")


@cache
def _part(name: str) -> str:
    return minify(files("mirascope_ops.views").joinpath("css", f"{name}.css").read_text(encoding="utf-8"))


def kind_class(kind: str) -> str:
    """The class of a kind: its first three letters."""
    return kind[:3]


def _kind(kind: str) -> str:
    name = kind_class(kind)
    light, dark = KIND_COLOURS[kind]
    mask = "--i:url(\"data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 16 16'"
    shape = f'.ic.{name}{{{mask}{_ICONS[kind]}%3E%3C/svg%3E")}}'
    return f".{name}{{--k:light-dark({light},{dark})}}{shape}"


def style(parts: Iterable[str], kinds: Iterable[str] = ()) -> str:
    """The `<style>` element of one output.

    Args:
        parts: Names of style sheets beside the base: "tree", "session", "list", "error".
        kinds: The kinds of spans that are shown.

    Returns:
        The element. All rules are nested in `article.mo.mo.mo`, which outweighs the rules that notebooks have for the
        tables, lists and code of any output.
    """
    inner = _part("base") + "".join(_part(part) for part in parts)
    shown = "".join(_kind(kind) for kind in KIND_COLOURS if kind in set(kinds))
    return f"<style>{_part('tokens')}article.mo.mo.mo{{{inner}{shown}}}</style>"
