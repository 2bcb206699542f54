"""The built front end: script and style sheet of what `jupyter_extension` holds, as files of this package."""

from __future__ import annotations

from importlib.resources import files
from typing import NamedTuple


class Bundle(NamedTuple):
    """A built entry point: its script, an ES module, and its style sheet."""

    script: str
    style: str


def bundle(name: str) -> Bundle | None:
    """Read a built entry point.

    Args:
        name: The folder of its sources in `jupyter_extension/src`, such as "timeline".

    Returns:
        The files' texts, or None where they were not built: a checkout in which nobody has typed `make` yet.

    Example:
        >>> bundle("no-such-folder") is None
        True
    """
    static = files("mirascope_ops.views").joinpath("static")
    script, style = static.joinpath(f"{name}.js"), static.joinpath(f"{name}.css")
    if not script.is_file():
        return None
    return Bundle(script.read_text(encoding="utf-8"), style.read_text(encoding="utf-8") if style.is_file() else "")
