"""How all figures look: colours and type of the design's tokens, for light pages, dark ones, or both."""

from __future__ import annotations

from typing import Any, Final, Literal, NamedTuple

from mirascope_ops.views.figure import COLOURS, ERROR_COLOUR, INK
from mirascope_ops.views.styles import KIND_COLOURS

Theme = Literal["auto", "light", "dark"]
_FONT: Final = '-apple-system, "Segoe UI", Roboto, Helvetica, Arial, sans-serif'


class Look(NamedTuple):
    """The colours of a figure.

    Attributes:
        ink: Text.
        line: Grid lines.
        quiet: Bars that say how much and nothing else.
        accent: What stands out against those.
        error: What failed.
        kinds: By kind.
        background: Of what lies over the plot.
    """

    ink: str
    line: str
    quiet: str
    accent: str
    error: str
    kinds: dict[str, str]
    background: str


_LOOKS: Final[dict[str, Look]] = {
    # A figure does not follow its host's theme: these show on white and on JupyterLab's black alike.
    "auto": Look(INK, "rgba(128,132,140,.25)", "#82878f", "#3f86f5", ERROR_COLOUR, COLOURS, "rgba(128,132,140,.15)"),
    "light": Look(
        "#1c1f23", "#e4e4e5", "#8e8f91", "#1a5fd0", "#c0201a", {kind: pair[0] for kind, pair in KIND_COLOURS.items()},
        "#ffffff",
    ),
    "dark": Look(
        "#e3e5e8", "#2a2c2e", "#7a7c7e", "#7db4ff", "#ff8b82", {kind: pair[1] for kind, pair in KIND_COLOURS.items()},
        "#111315",
    ),
}  # fmt: skip


def look(theme: str) -> Look:
    """The colours of a theme.

    Args:
        theme: "auto", "light" or "dark".

    Raises:
        ValueError: There is no such theme.
    """
    if theme not in _LOOKS:
        raise ValueError(f"There is no theme {theme!r}: use {', '.join(map(repr, _LOOKS))}.")
    return _LOOKS[theme]


def layout(shown: Look, title: str, *, height: int = 320, **more: Any) -> dict[str, Any]:
    """The layout that all figures share.

    Args:
        shown: The colours.
        title: What the figure shows, and what was left out; escaped.
        height: Pixels.
        **more: What this figure has beside.
    """
    axis = {
        "gridcolor": shown.line,
        "linecolor": shown.line,
        "zerolinecolor": shown.line,
        "automargin": True,
        "title": {"font": {"size": 12}},
    }
    return {
        "template": {
            "layout": {
                "colorway": [shown.accent, shown.quiet, *shown.kinds.values()],
                "font": {"family": _FONT, "color": shown.ink, "size": 12},
                "title": {"font": {"size": 13}, "x": 0, "xref": "paper", "xanchor": "left"},
                "paper_bgcolor": "rgba(0,0,0,0)",
                "plot_bgcolor": "rgba(0,0,0,0)",
                "hoverlabel": {"align": "left"},
                "legend": {
                    "orientation": "h",
                    "traceorder": "normal",
                    "x": 1,
                    "xanchor": "right",
                    "y": 1,
                    "yanchor": "bottom",
                },
                "margin": {"l": 12, "r": 12, "t": 56, "b": 44},
                "xaxis": axis,
                "yaxis": axis,
                "bargap": 0.35,
            }
        },
        "title": {"text": title},
        "height": height,
        **more,
    }
