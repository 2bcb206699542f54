"""`frame.ops`: what can be asked of spans, asked of the DataFrame that holds them.

It is registered with pandas when spans become a DataFrame, or when `mirascope_ops.spans` is first read in a
program that uses pandas; never by importing `mirascope_ops` alone.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from mirascope_ops.analysis.schema import SPANS_SCHEMA

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from pandas import DataFrame  # pyright: ignore[reportMissingTypeStubs] - pandas ships none

NAME = "ops"
NEEDED = ("trace_id", "span_id", "name", "start", "end")
_INSTEAD = {"kind": "other", "status": "unset", "tags": "[]", "attributes": "{}", "sampled": True, "scope": ""}


class FrameAccessor:
    """The spans of a DataFrame that has the columns of the spans table.

    Columns that are not needed may be missing, but for `trace_id`, `span_id`, `name`, `start` and `end`.

    Args:
        frame: The DataFrame.

    Example:
        >>> from mirascope_ops import ops
        >>> with ops.span("retrieve"):
        ...     pass
        >>> frame = ops.spans(name="retrieve").to_pandas()
        >>> list(frame.ops.summary().index)
        ['retrieve']
    """

    # Set by `register`: makes a SpanSet, which stands above this layer.
    spans_of: Callable[[Any], Any]

    def __init__(self, frame: DataFrame) -> None:
        self._spans: Any = type(self).spans_of(completed(frame))

    @property
    def spans(self) -> Any:
        """The rows as a SpanSet."""
        return self._spans

    def tree(self) -> Any:
        """Return the spans as a forest; see `SpanSet.tree`."""
        return self._spans.tree()

    def timeline(self, **options: Any) -> Any:
        """Return the timeline; see `SpanSet.timeline`."""
        return self._spans.timeline(**options)

    def summary(self, by: str | Sequence[str] = "name") -> DataFrame:
        """Return counts, errors, latencies, tokens and cost by group; see `SpanSet.summary`."""
        return self._spans.summary(by)

    def critical_path(self) -> DataFrame:
        """Return what the traces waited for; see `SpanSet.critical_path`."""
        return self._spans.critical_path()

    def turns(self) -> DataFrame:
        """Return the traces as turns of a conversation; see `SpanSet.turns`."""
        return self._spans.turns()

    def messages(self) -> DataFrame:
        """Return the messages of all model calls; see `SpanSet.messages`."""
        return self._spans.messages()


def completed(frame: DataFrame) -> DataFrame:
    """Add what a frame lacks of the columns of the spans table, empty.

    Args:
        frame: A DataFrame with at least the columns of `NEEDED`.

    Returns:
        A DataFrame with all columns of the spans table; the given one stays as it is.

    Raises:
        AttributeError: A column that is needed is missing: pandas then says that the frame has no accessor.
    """
    given: Any = frame
    missing = [name for name in NEEDED if name not in given.columns]
    if missing:
        message = f"frame.ops needs the columns {', '.join(NEEDED)}; this DataFrame lacks {', '.join(missing)}."
        raise AttributeError(message)
    from mirascope_ops.analysis.columns import array_of

    spread = any(str(name).startswith("attributes.") for name in given.columns)
    added: dict[str, Any] = {}
    for column in SPANS_SCHEMA:
        if column.name in given.columns or (column.name == "attributes" and spread):
            continue
        if column.name == "duration":
            added["duration"] = (given["end"] - given["start"]).array
        else:
            added[column.name] = array_of([_INSTEAD.get(column.name)] * len(given), column)
    return given.assign(**added) if added else given


def register(spans_of: Callable[[Any], Any]) -> None:
    """Register the accessor, once, where pandas has been imported.

    Args:
        spans_of: Makes a SpanSet of a DataFrame that has all columns of the spans table.
    """
    pandas = sys.modules.get("pandas")
    frame_type: Any = getattr(pandas, "DataFrame", None)
    if frame_type is None or hasattr(frame_type, NAME) or not hasattr(pandas, "api"):
        return
    accessor = type(
        "FrameAccessor", (FrameAccessor,), {"spans_of": staticmethod(spans_of), "__doc__": FrameAccessor.__doc__}
    )
    pandas.api.extensions.register_dataframe_accessor(NAME)(accessor)  # type: ignore[union-attr] # pyright: ignore[reportOptionalMemberAccess]
