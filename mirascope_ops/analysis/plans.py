"""How to read the spans of one key set: decided once, used for every span that has these keys.

The spans of one program repeat few sets of attribute keys, so asking all tables for every span would do
the same work again and again. A plan keeps, of all tables, the sources that these keys can feed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from mirascope_ops.analysis import vocabulary
from mirascope_ops.analysis.errors import ERROR_KEYS
from mirascope_ops.analysis.rows import SLOT
from mirascope_ops.analysis.values import MOST_TOKENS, text, tokens, unquoted
from mirascope_ops.store.codec import kinds_of
from mirascope_ops.store.records import SpanRecord
from mirascope_ops.store.same import Same

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from collections.abc import Set as AbstractSet

    from mirascope_ops.analysis.texts import Column
    from mirascope_ops.analysis.vocabulary import Source
    from mirascope_ops.store.alike import Alike

# Attribute keys are hostile too: a program that invents new ones for each span must not fill the memory.
_MOST_PLANS = 4096
_COUNTED = frozenset(SLOT[name] for name in ("kind", "input_tokens", "output_tokens", "cost"))


# The types of which equal values read alike, so that each different one need be read once only.
_PLAIN: frozenset[type] = frozenset((str, int, float, bool))


class Step(NamedTuple):
    """One field's sources, in order; `recorded` where the span's record may say it already."""

    slot: int
    sources: tuple[Source, ...]
    recorded: bool


class Plan(NamedTuple):
    """The steps for one key set.

    Attributes:
        steps: The fields that these keys can fill.
        kind: The kind where no key names one.
        first_token_at: Sources of the first token's time.
        wrapper: Whether a mirascope response was attached to the span.
        annotated: Whether annotations stand among the attributes.
        remarkable: Whether more than the steps must look at such a span.
        counts: Whether such a span may be a model call, or report tokens or a cost.
    """

    steps: tuple[Step, ...]
    kind: str
    first_token_at: tuple[Source, ...]
    wrapper: bool
    annotated: bool
    remarkable: bool
    counts: bool


_plans: dict[tuple[str, ...], Plan] = {}


def plan_of(keys: tuple[str, ...]) -> Plan:
    """Give the plan for spans with these attribute keys, in this order."""
    plan = _plans.get(keys)
    if plan is None:
        if len(_plans) >= _MOST_PLANS:
            _plans.clear()
        plan = _plans[keys] = _compiled(keys)
    return plan


def read_all(source: Source, group: Alike, some: Sequence[int] | None = None) -> Column:
    """Read one source of many spans.

    Args:
        source: The source.
        group: The spans, all of which have its key.
        some: Which of them to read, by their place in the group; None for all.

    Returns:
        A value, or None, for each. It may be the group's own column: change nothing in it.
    """
    key, read = source
    if key[-1] == ".":
        mappings = group.mappings()
        return list(map(source.gather, mappings if some is None else [mappings[place] for place in some]))
    values = group.values(key)
    if isinstance(values, Same):
        return Same(read(values.value), len(values if some is None else some))
    if some is not None:
        values = [values[place] for place in some]
    types = kinds_of(values)
    if len(types) == 1 and _reads_as_it_is(read, types, values):
        return values
    if len(types) == 1 and types <= _PLAIN:
        different = set(values)
        if len(different) * 2 <= len(values):
            meanings = {value: read(value) for value in different}
            return list(map(meanings.__getitem__, values))
    return list(map(read, values))


def _reads_as_it_is(read: Callable[[Any], Any], types: AbstractSet[type], values: Sequence[Any]) -> bool:
    """Tell whether values of one type are what a reader makes of them."""
    if types == {str}:
        return read is text or (read is unquoted and not any(value.startswith('"') for value in values))
    return types == {int} and read is tokens and min(values) >= 0 and max(values) <= MOST_TOKENS


def _compiled(keys: tuple[str, ...]) -> Plan:
    present = set(keys)

    def feeds(source: Source) -> bool:
        return source.key in present or (source.key[-1] == "." and any(key.startswith(source.key) for key in keys))

    steps: list[Step] = []
    for name, sources in vocabulary.FIELDS.items():
        fed = tuple(source for source in sources if feeds(source))
        if fed:
            steps.append(Step(SLOT[name], fed, name in SpanRecord._fields))
    model_call = bool(present & vocabulary.MODEL_CALL_KEYS) or any(
        key.startswith(vocabulary.MODEL_CALL_PREFIXES) for key in keys
    )
    first_token_at = tuple(source for source in vocabulary.FIRST_TOKEN_AT if feeds(source))
    annotated = any(key.startswith(vocabulary.ANNOTATION_PREFIXES) for key in keys)
    wrapper = any(key.startswith(vocabulary.RESPONSE_PREFIX) for key in keys)
    costs = any(feeds(source) for source in vocabulary.COST)
    return Plan(
        steps=tuple(steps),
        kind="llm" if model_call else "other",
        first_token_at=first_token_at,
        wrapper=wrapper,
        annotated=annotated,
        remarkable=annotated or bool(first_token_at) or costs or not present.isdisjoint(ERROR_KEYS),
        counts=model_call or wrapper or costs or any(step.slot in _COUNTED for step in steps),
    )
