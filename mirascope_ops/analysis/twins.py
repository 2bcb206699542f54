"""Twins: one call of a model that two libraries recorded side by side, neither inside the other.

They are known by the response's id, which the provider gives to one answer only. A library that records an answer from
a cache has the same id twice: so twins are of different libraries.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, cast

import orjson

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mirascope_ops.analysis.rows import SpanRow

_IDS: Final = ("gen_ai.response.id", "llm.response.id", "ai.response.id")
_WHOLE: Final = "output.value"  # where OpenInference keeps the response, as JSON


def without_twins(spans: Sequence[SpanRow], places: list[int]) -> list[int]:
    """Leave out those spans that tell of a call again of which an earlier one of another library tells.

    Args:
        spans: The spans.
        places: Which of them to look at: model calls, none of them inside another.

    Returns:
        The places of the others, in the same order.
    """
    if len({spans[place].scope for place in places}) < 2:  # noqa: PLR2004 - of one library there are no twins
        return places
    siblings: dict[tuple[str, str | None], list[int]] = {}
    for place in places:
        siblings.setdefault((spans[place].trace_id, spans[place].parent_id), []).append(place)
    again: set[int] = set()
    for group in siblings.values():
        if len({spans[place].scope for place in group}) > 1:
            again |= _again(spans, group)
    return [place for place in places if place not in again] if again else places


def _again(spans: Sequence[SpanRow], group: Sequence[int]) -> set[int]:
    first: dict[str, str] = {}
    again: set[int] = set()
    for place in group:
        found = response_id(spans[place].attributes)
        if found is not None and first.setdefault(found, spans[place].scope) != spans[place].scope:
            again.add(place)
    return again


def response_id(attributes: Mapping[str, Any]) -> str | None:
    """Find the id that the provider gave to the response of a model call; None where it is not told.

    Args:
        attributes: The span's attributes.
    """
    for key in _IDS:
        told = attributes.get(key)
        if isinstance(told, str) and told:
            return told
    whole = attributes.get(_WHOLE)
    if not isinstance(whole, str) or not whole.startswith("{"):
        return None
    try:
        response: Any = orjson.loads(whole)
    except ValueError:  # cut, by a limit of the SDK's
        return None
    told = cast("dict[str, Any]", response).get("id") if isinstance(response, dict) else None
    return told if isinstance(told, str) and told else None
