"""How a timeline begins: the keyword arguments of `timeline()`, checked."""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple, TypedDict, get_args

from mirascope_ops.exceptions import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Mapping

Lanes = Literal["session", "depth", "thread", "name"]
Color = Literal["kind", "status", "cost", "name"]
View = Literal["time", "flame"]

LOWEST: Final = 240


class TimelineArguments(TypedDict, total=False):
    """What `timeline()` takes, all of it optional.

    Attributes:
        lanes: What stands together: the spans of a "session" (which is used where there are sessions), of a "thread"
            (as the attributes `thread.name` or `thread.id` say it), of a "name", or all by "depth".
        color: What colours tell: "kind", "status", "cost" or "name".
        view: "time", or "flame": spans added up by what called them.
        critical_path: Whether the critical path is drawn over the spans.
        query: Words to search for, as in the search field.
        height: Pixels, at least 240; None for what the rows need, within bounds.
    """

    lanes: Lanes
    color: Color
    view: View
    critical_path: bool
    query: str
    height: int | None


class TimelineOptions(NamedTuple):
    """The checked arguments; see `TimelineArguments`."""

    lanes: Lanes = "session"
    color: Color = "kind"
    view: View = "time"
    critical_path: bool = False
    query: str = ""
    height: int | None = None


_CHOICES: Final[Mapping[str, tuple[str, ...]]] = {
    "lanes": get_args(Lanes),
    "color": get_args(Color),
    "view": get_args(View),
}


def timeline_options(given: Mapping[str, Any]) -> TimelineOptions:
    """Check the keyword arguments of `timeline()`.

    Args:
        given: The arguments by name.

    Raises:
        TypeError: There is no such argument; the message names those that there are.
        ConfigurationError: An argument has a value that means nothing.

    Example:
        >>> timeline_options({"lanes": "depth"}).lanes
        'depth'
    """
    for name in given:
        if name not in TimelineOptions._fields:
            close = get_close_matches("color" if name.startswith("colour") else name, TimelineOptions._fields, 1)
            meant = f" Did you mean {close[0]!r}?" if close else ""
            raise TypeError(
                f"timeline() takes no argument {name!r}.{meant} It takes {', '.join(TimelineOptions._fields)}."
            )
    options = TimelineOptions(**given)
    for name, choices in _CHOICES.items():
        value = getattr(options, name)
        if value not in choices:
            raise ConfigurationError(f"{name}={value!r} means nothing to timeline(); use one of {', '.join(choices)}.")
    height: Any = options.height
    if height is not None and (not isinstance(height, int) or isinstance(height, bool) or height < LOWEST):
        raise ConfigurationError(f"height={height!r} is no height: give pixels, {LOWEST} or more, as in height=600.")
    query: Any = options.query
    if not isinstance(query, str):
        raise ConfigurationError(f"query={query!r} is no text to search for, as in query='status:error'.")
    return options._replace(critical_path=bool(options.critical_path))
