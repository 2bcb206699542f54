"""What commands print: tables and trees that fit a terminal, the same as plain text in a pipe, or JSON.

Everything that comes from spans is made harmless before it gets here (`views.escape`); here nothing is read as markup.
"""

from __future__ import annotations

import json
import math
import os
import re
import sys
import unicodedata
from collections.abc import Mapping, Sequence
from typing import IO, TYPE_CHECKING, Any, Final, NamedTuple, cast

import click

from mirascope_ops.views.escape import visible_json
from mirascope_ops.views.words import STATUS

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

_COLOURS: Final = {"ok": "green", "error": "red", "open": "blue", "interrupted": "yellow"}
_SIGNS: Final = {sign: _COLOURS[status] for status, (sign, _) in STATUS.items() if status in _COLOURS}
_STATE: Final = re.compile(f"[{''.join(_SIGNS)}] [a-z]+")
_BRANCHES: Final = re.compile(r"^[ │├└─]+")
# What stands before a line's words: branches, a turn's number, what a value is.
_LEAD: Final = re.compile(r"^[ │├└─]*(?:\d+\. |(?:error|in|out|tags|note) +|[→✕!] )?")
_HANGING: Final = str.maketrans({"├": "│", "└": " ", "─": " "})
_NARROWEST: Final = 12  # columns for words, below which lines are left to the terminal
_LEAST: Final = 10  # columns of a text that is cut
_GAP: Final = 2


class Column(NamedTuple):
    """A column of a table.

    Attributes:
        head: Its title.
        rank: The higher, the sooner it is left out where there is no room.
        style: How rich shows it.
        cut: Whether its text is cut where there is no room.
        right: Whether it is aligned to the right.
    """

    head: str
    rank: int = 0
    style: str = ""
    cut: bool = False
    right: bool = False


def is_terminal() -> bool:
    """Tell whether a person sees standard output: then it is coloured and fits the width, where rich is there."""
    return _console() is not None


def binary_output() -> IO[bytes]:
    """Give standard output for bytes."""
    return sys.stdout.buffer


def binary_input() -> IO[bytes]:
    """Give standard input for bytes."""
    return sys.stdin.buffer


def print_line(text: str) -> None:
    """Print a line of harmless text as it is."""
    click.echo(text, color=True)


def print_note(text: str) -> None:
    """Tell the person something that is not the command's output: on standard error."""
    click.echo(text, err=True)


def print_json(value: Any) -> None:
    """Print a value as JSON on one line, in UTF-8 whatever the terminal; nothing in it acts on one."""
    text = visible_json(json.dumps(_plain(value), ensure_ascii=False))
    click.echo(text.encode(errors="surrogatepass") if _has_bytes() else text)


def print_table(columns: Sequence[Column], rows: Sequence[Sequence[str]]) -> None:
    """Print a table; columns in which nothing is known are left out.

    Args:
        columns: The columns; the last one takes what room there is.
        rows: Their harmless texts.
    """
    used = [place for place in range(len(columns)) if any(row[place] for row in rows)]
    console = _console()
    if console is None:
        widths = {place: max(map(_width, (columns[place].head, *(row[place] for row in rows)))) for place in used}
        for cells in ([column.head for column in columns], *rows):
            print_line((" " * _GAP).join(_aligned(cells[at], widths[at], columns[at]) for at in used).rstrip())
        return
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, padding=(0, _GAP, 0, 0), header_style="dim")
    for place, width in _fitting(console, columns, rows, used):
        column = columns[place]
        table.add_column(
            column.head, style=column.style, justify="right" if column.right else "left", no_wrap=True, width=width
        )
    shown = [place for place, _ in _fitting(console, columns, rows, used)]
    for row in rows:
        table.add_row(*(_state(Text(row[place])) for place in shown))
    console.print(table)


def print_text(text: str) -> None:
    """Print harmless text of several lines: in a terminal long lines go on below their beginning, in colours."""
    console = _console()
    if console is None:
        print_line(text)
        return
    from rich.text import Text

    for number, line in enumerate(text.split("\n")):
        for part in _wrapped(console, line):
            shown = _state(Text(part, style="bold" if number == 0 else ""))
            branches = _BRANCHES.match(part)
            if branches:
                shown.stylize("dim", *branches.span())
            console.print(shown, soft_wrap=True)


def _wrapped(console: Console, line: str) -> list[str]:
    from rich.cells import cell_len
    from rich.text import Text

    if cell_len(line) <= console.width:
        return [line]
    found = _LEAD.match(line)
    lead = found[0] if found else ""
    room = console.width - len(lead)
    if room < _NARROWEST:
        return [line]
    below = _BRANCHES.match(lead)
    hanging = (below[0].translate(_HANGING) if below else "").ljust(len(lead))
    parts = Text(line[len(lead) :]).wrap(console, room)
    return [f"{hanging if number else lead}{part.plain.rstrip()}" for number, part in enumerate(parts)]


def _fitting(
    console: Console, columns: Sequence[Column], rows: Sequence[Sequence[str]], used: Sequence[int]
) -> list[tuple[int, int]]:
    """Choose the columns that fit, with their widths: first texts are cut, then columns left out by rank."""
    from rich.cells import cell_len

    widths = {place: max(map(cell_len, (columns[place].head, *(row[place] for row in rows)))) for place in used}
    while True:
        over = sum(widths.values()) + _GAP * (len(widths) - 1) - console.width
        if over <= 0:
            return list(widths.items())
        room = {place: widths[place] - _LEAST for place in widths if columns[place].cut and widths[place] > _LEAST}
        if sum(room.values()) >= over:
            for place in sorted(room, reverse=True):  # the last one first
                taken = min(room[place], over)
                widths[place] -= taken
                over -= taken
            return list(widths.items())
        dropped = max(widths, key=lambda place: columns[place].rank)
        if columns[dropped].rank == 0:
            return list(widths.items())  # as narrow as it can be: rich cuts the rest
        del widths[dropped]


def _state(text: Text) -> Text:
    for found in _STATE.finditer(text.plain):
        text.stylize(_SIGNS[found[0][0]], *found.span())
    return text


def _aligned(text: str, width: int, column: Column) -> str:
    missing = " " * (width - _width(text))
    return missing + text if column.right else text + missing


def _width(text: str) -> int:
    """Count the columns that a text takes, where rich may not be there to count them."""
    if text.isascii():
        return len(text)
    wide = sum(unicodedata.east_asian_width(letter) in "WF" for letter in text)
    return len(text) + wide - sum(unicodedata.combining(letter) > 0 for letter in text)


def _console() -> Console | None:
    if not (sys.stdout.isatty() or os.environ.get("FORCE_COLOR")):
        return None  # before rich is loaded
    try:
        from rich.console import Console
    except ImportError:
        return None
    return Console(highlight=False, markup=False, emoji=False)


def _has_bytes() -> bool:
    return hasattr(sys.stdout, "buffer")


def _plain(value: Any) -> Any:
    """Make JSON data of what attributes may hold; floats that JSON lacks become text, as in OTLP's JSON."""
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    if value is None or isinstance(value, str | int | float):
        return value
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in cast("Mapping[Any, Any]", value).items()}
    if isinstance(value, Sequence) and not isinstance(value, bytes | bytearray):
        return [_plain(item) for item in cast("Sequence[Any]", value)]
    if isinstance(value, bytes | bytearray):
        import base64

        return base64.b64encode(value).decode()
    return str(value)
