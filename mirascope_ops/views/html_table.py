"""The table that every list is: heading, columns, rows, last line."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


def table_html(columns: Sequence[tuple[str, str]], rows: Sequence[str]) -> str:
    """The table of these columns (title, classes) and rows."""
    heads = "".join(f'<th scope="col"{_class(name)}>{title}</th>' for title, name in columns)
    return f"<table><thead><tr>{heads}</tr></thead><tbody>{''.join(rows)}</tbody></table>"


def _class(name: str) -> str:
    return f' class="{name}"' if name else ""


def row_html(columns: Sequence[tuple[str, str]], cells: Sequence[str], names: Sequence[str] = ()) -> str:
    """A row; a cell has its column's class and what `names` adds."""
    extra = [*names, *([""] * (len(cells) - len(names)))]
    shown = ""
    for (_, name), cell, added in zip(columns, cells, extra, strict=True):
        own = f"{name} {added}".strip()
        auto = ' dir="auto"' if "gr" in own.split() else ""
        shown += f"<td{_class(own)}{auto}>{cell}</td>"
    return f"<tr>{shown}</tr>"


def head_html(title: str, about: str, right: str) -> str:
    """The line above a table: what it is, how much of it, and figures at the right."""
    aside = f'<span class="me">{right}</span>' if right else ""
    return f'<div class="tp"><h4>{title}</h4> <span class="q">{about}</span> {aside}</div>'


def foot_html(left: str, right: str) -> str:
    """The line below a table: what was cut, and the next calls."""
    return f'<p class="kb"><span>{left}</span> <span>{right}</span></p>'
