"""A recorded call: what a span tells of the call of a traced function."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple, cast

import orjson

from mirascope_ops.analysis import tree
from mirascope_ops.core import attributes as keys
from mirascope_ops.exceptions import ReplayError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mirascope_ops.analysis.rows import Node, SpanRow

_SHOWN: Final = 5  # calls that an error names


class RecordedCall(NamedTuple):
    """A call of a traced function, as its span tells of it.

    Attributes:
        span: The span.
        module: The function's module.
        qualname: The function's name in it.
        arguments: JSON data by parameter, defaults included; None where arguments were not captured.
        types: The parameters' types in words.
    """

    span: SpanRow
    module: str
    qualname: str
    arguments: dict[str, Any] | None
    types: dict[str, str]


def recorded_call(spans: Sequence[SpanRow]) -> RecordedCall:
    """Return the call that stands at the top of these spans.

    Args:
        spans: The spans of a trace, or a part of them.

    Raises:
        ReplayError: None of them is the call of a traced function; or several are, side by side.
    """
    found: list[SpanRow] = []
    waiting: list[Node] = tree.forest(spans)[::-1]
    while waiting:
        node = waiting.pop()
        if keys.FN_QUALNAME in node.span.attributes and keys.FN_MODULE in node.span.attributes:
            found.append(node.span)
        else:
            waiting += node.children[::-1]
    if not found:
        message = "There is no call of a traced function here to run again: only functions under @ops.trace are."
        raise ReplayError(message)
    if len(found) > 1:
        told = ", ".join(f"{span.name} ({span.span_id})" for span in found[:_SHOWN])
        more = f" and {len(found) - _SHOWN:,} more" if len(found) > _SHOWN else ""
        message = (
            f"There are {len(found):,} calls of traced functions side by side: {told}{more}. Say which is to run "
            f"again: trace.spans.below({found[0].span_id!r}).replay()."
        )
        raise ReplayError(message)
    return _read(found[0])


def _read(span: SpanRow) -> RecordedCall:
    values, told = (_object(span.attributes.get(key)) for key in (keys.ARG_VALUES, keys.ARG_TYPES))
    module, qualname = str(span.attributes[keys.FN_MODULE]), str(span.attributes[keys.FN_QUALNAME])
    return RecordedCall(span, module, qualname, values, {name: str(text) for name, text in (told or {}).items()})


def _object(text: Any) -> dict[str, Any] | None:
    """Read a JSON object; what an exporter cut is none."""
    try:
        found: Any = orjson.loads(text)
    except (TypeError, ValueError):
        return None
    return cast("dict[str, Any]", found) if isinstance(found, dict) else None
