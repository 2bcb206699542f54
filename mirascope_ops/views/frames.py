"""Reading a traceback's text: which frames are the person's own, and what to call their files.

The text comes from an `exception` event, written by whatever library recorded it, on any machine; so nothing
here looks at the file system or at the running notebook.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Literal, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping

Owner = Literal["cell", "user", "library"]

# A longer traceback is read from both ends: the outermost frames are the person's, the innermost raised.
_MOST_CHARACTERS = 65_536

_FRAME = re.compile(r'\s*(?:File "(?P<file>[^"\n]*)", line (?P<line>\d+)(?:, in (?P<function>.*))?)\s*$')
# As IPython's own formatter writes them: `Cell In[3], line 2, in f(x)` and `File ~/x.py:12, in f(x)`.
_CELL_FRAME = re.compile(r"\s*Cell In\s?\[(?P<count>\d+)\], line (?P<line>\d+)(?:, in (?P<function>[^(\n]*).*)?\s*$")
_IPYTHON_FRAME = re.compile(r"\s*File (?P<file>[^\"\n]+?):(?P<line>\d+)(?:, in (?P<function>[^(\n]*).*)?\s*$")
_IPYTHON_CODE = re.compile(r"^(?:-+>\s*\d+|\s+\d+)\s")
# Exception groups: rulers such as `+-+------ 1 ------`, and the bar before every line with one space.
_GROUP = re.compile(r"^\s*[+-]+(?: (?:\d+|\.{3}) )?-{4,}\s*$|^\s*[|+] ?")
_MARKS = re.compile(r"^\s*[\^~]+[\^~\s]*$")
_REPEATED = re.compile(r"\s*\[Previous line repeated (\d+) more times?\]")
_CELL_FILE = re.compile(r"ipykernel_\d+[/\\]\d+\.py$|^<ipython-input-(\d+)-|^<stdin>$|^<string>$|^<ipython")
_PACKAGES = re.compile(r"(?:site|dist)-packages[/\\]+")
_STANDARD = re.compile(r"[/\\](?:lib|Lib)[/\\](?:python\d[\d.]*[/\\])?")


class Frame(NamedTuple):
    """One frame of a traceback.

    Attributes:
        place: Where, in short: "In [5]", or a path from the package's folder on.
        line: The line's number.
        function: The function's name, or "" at the top level.
        code: The source, without marks; "" where the traceback has none.
        owner: Whose code it is: the notebook's, the user's other files', or a library's.
        package: The library's name, "" for other owners.
        repeated: How often the frame came again right after itself.
    """

    place: str
    line: int
    function: str
    code: str
    owner: Owner
    package: str = ""
    repeated: int = 0


class Section(NamedTuple):
    """One exception of a chain: its frames, outermost first, and the lines that name it."""

    frames: list[Frame]
    message: str


def place_of(filename: str, cells: Mapping[str, int]) -> tuple[str, Owner, str]:
    """The short name, the owner and the package of a frame's file.

    Args:
        filename: As the traceback has it.
        cells: Execution counts of notebook cells by the file name that their code was compiled under.
    """
    if filename in cells:
        return f"In [{cells[filename]}]", "cell", ""
    if cell := _CELL_FILE.search(filename):
        return (f"In [{cell[1]}]" if cell[1] else "Notebook cell"), "cell", ""
    if filename.startswith("<"):
        return filename, "library", "python"
    if (found := _last(_PACKAGES, filename)) is not None or (found := _last(_STANDARD, filename)) is not None:
        relative = filename[found:].replace("\\", "/")
        return relative, "library", relative.split("/", 1)[0].removesuffix(".py")
    parts = filename.replace("\\", "/").split("/")
    if "mirascope_ops" in parts[:-1]:  # ours, also where it is installed from a checkout
        return "/".join(parts[parts.index("mirascope_ops") :]), "library", "mirascope_ops"
    return "/".join(parts[-2:]), "user", ""


def _last(pattern: re.Pattern[str], text: str) -> int | None:
    ends = [match.end() for match in pattern.finditer(text)]
    return ends[-1] if ends else None


def read_traceback(text: str, cells: Mapping[str, int] | None = None) -> list[Section]:
    """Read a traceback as Python or IPython prints it; exception groups lose their frame of bars.

    Args:
        text: The traceback.
        cells: Execution counts of notebook cells by file name, where they are known.

    Returns:
        One section for each exception of the chain, the last one raised last; empty where there are no frames.
    """
    if len(text) > _MOST_CHARACTERS:
        half = _MOST_CHARACTERS // 2
        text = text[:half] + "\n" + text[-half:]
    reader = _Reader(cells or {})
    for raw in text.splitlines():
        reader.read(_GROUP.sub("", raw) if raw.lstrip()[:1] in {"|", "+"} else raw)
    reader.end_section()
    return reader.sections


class _Reader:
    """Reads a traceback line by line: frames, their code, then the lines that name the exception."""

    def __init__(self, cells: Mapping[str, int]) -> None:
        self.cells = cells
        self.sections: list[Section] = []
        self.frames: list[Frame] = []
        self.message: list[str] = []
        self.code: list[str] = []

    def read(self, line: str) -> None:
        frame = _frame(line, self.cells)
        if frame is not None:
            if self.message:
                self.end_section()
            self.end_frame()
            self.frames.append(frame)
        elif "Traceback (most recent call last)" in line:
            self.end_section()
        elif self.frames and not self.message and (line[:1].isspace() or _IPYTHON_CODE.match(line)):
            self.read_below_frame(line)
        elif self.frames and line.strip():
            self.message.append(line)

    def read_below_frame(self, line: str) -> None:
        if again := _REPEATED.match(line):
            self.end_frame()
            self.frames[-1] = self.frames[-1]._replace(repeated=int(again[1]))
        elif not _MARKS.match(line):
            self.code.append(line)

    def end_frame(self) -> None:
        if self.frames and self.code:
            self.frames[-1] = self.frames[-1]._replace(code=_dedented(self.code))
        self.code.clear()

    def end_section(self) -> None:
        self.end_frame()
        if self.frames:
            self.sections.append(Section(list(self.frames), "\n".join(self.message).strip()))
        self.frames.clear()
        self.message.clear()


def _frame(line: str, cells: Mapping[str, int]) -> Frame | None:
    if found := _CELL_FRAME.match(line):
        function = (found["function"] or "").strip()
        return Frame(f"In [{found['count']}]", int(found["line"]), _function(function), "", "cell")
    found = _FRAME.match(line) or _IPYTHON_FRAME.match(line)
    if found is None:
        return None
    place, owner, package = place_of(found["file"].strip(), cells)
    return Frame(place, int(found["line"]), _function((found["function"] or "").strip()), "", owner, package)


def _function(name: str) -> str:
    return "" if name == "<module>" else name


def _dedented(lines: list[str]) -> str:
    if any(line.startswith("-") and "> " in line for line in lines):
        # IPython shows the lines around; the arrow points at the one that matters.
        lines = [re.sub(r"^-+>\s*\d+\s?", "", line) for line in lines if line.startswith("-")]
    filled = [line for line in lines if line.strip()]
    margin = min((len(line) - len(line.lstrip()) for line in filled), default=0)
    return "\n".join(line[margin:].rstrip() for line in filled)
