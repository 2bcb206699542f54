"""The table that every list is: heading, columns, rows, last line."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mirascope_ops.views.html_parts import unseen

if TYPE_CHECKING:
    from collections.abc import Sequence


def table_html(columns: Sequence[tuple[str, str]], rows: Sequence[Sequence[str]], added: Sequence[str] = ()) -> str:
    """A table, without the columns in which nothing is known.

    Args:
        columns: Title and classes of each column; the text of a column of class "gr" has its own direction.
        rows: HTML of the cells, row by row.
        added: A class for each row's cell in the column of class "gr".
    """
    used = [at for at in range(len(columns)) if any(row[at] for row in rows)]
    heads = "".join(f'<th scope="col"{_class(columns[at][1])}>{columns[at][0]}</th>' for at in used)
    body = ""
    for number, row in enumerate(rows):
        body += "<tr>"
        for at in used:
            name = columns[at][1]
            grows = "gr" in name.split()
            own = f"{name} {added[number]}" if grows and added else name
            direction = ' dir="auto"' if grows else ""
            body += f"<td{_class(own)}{direction}>{row[at]}</td>"
        body += "</tr>"
    return f"<table><thead><tr>{heads}</tr></thead><tbody>{body}</tbody></table>"


def _class(name: str) -> str:
    return f' class="{name}"' if name else ""


def head_html(title: str, about: str, right: str) -> str:
    """The line above a table: what it is, how much of it, and figures at the right."""
    aside = f'{unseen(" · ")}<span class="me">{right}</span>' if right else ""
    return f'<div class="tp"><h4>{title}</h4> <span class="q">{about}</span>{aside}</div>'


def foot_html(left: str, right: str) -> str:
    """The line below a table: what was cut, and the next calls."""
    return f'<p class="kb"><span>{left}</span>{unseen(" · ")}<span>{right}</span></p>'
