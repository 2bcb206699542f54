"""The fields that attributes tell, of a batch of spans: key set by key set, and put together in the batch's order."""

from __future__ import annotations

from itertools import chain
from operator import itemgetter
from typing import TYPE_CHECKING, Any

from mirascope_ops.analysis.plans import plan_of, read_all
from mirascope_ops.analysis.rows import SLOT
from mirascope_ops.store.same import Same

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from mirascope_ops.analysis.plans import Step
    from mirascope_ops.analysis.texts import Column
    from mirascope_ops.store.alike import Alike

_KIND = SLOT["kind"]


def fill(columns: list[Column], groups: Sequence[Alike]) -> list[int]:
    """Fill columns from the spans' attributes: each field from the first of its sources that has a value.

    Args:
        columns: For each field of `SpanRow` what the records say themselves; replaced where attributes say more.
        groups: The spans by their attribute keys.

    Returns:
        The places of the spans of which those around them decide the kind.
    """
    wrappers: list[int] = []
    found: dict[int, dict[int, Column]] = {_KIND: {}}  # by field, then by group
    for number, group in enumerate(groups):
        plan = plan_of(group.keys)
        for step in plan.steps:
            values = _read(step, group, columns[step.slot])
            if values is not None:
                found.setdefault(step.slot, {})[number] = values
        kinds = found[_KIND].get(number)
        if plan.wrapper:
            unnamed = range(len(group)) if kinds is None else [at for at, kind in enumerate(kinds) if kind is None]
            wrappers += [group.places[at] for at in unnamed]
        found[_KIND][number] = Same(plan.kind, len(group)) if kinds is None else _filled(kinds, plan.kind)
    in_order = _in_order(groups) if len(groups) > 1 else None
    for slot, parts in found.items():
        columns[slot] = parts[0] if in_order is None else in_order(_joined(groups, parts, columns[slot]))
    return sorted(wrappers)


def _read(step: Step, group: Alike, recorded: Column) -> Column | None:
    """Read one field of spans with the same keys; None where their records say it already."""
    told = _at(recorded, group.places)
    if step.recorded and all([told.value] if isinstance(told, Same) else told):
        return None
    values = read_all(step.sources[0], group)
    for source in step.sources[1:]:
        if isinstance(values, Same) and values.value is None:
            values = read_all(source, group)
        elif None in values:
            lacking = [index for index, value in enumerate(values) if value is None]
            values = list(values)
            for index, value in zip(lacking, read_all(source, group, lacking), strict=True):
                values[index] = value
    if isinstance(told, Same):
        return _filled(values, told.value)
    return [one or (one if value is None else value) for one, value in zip(told, values, strict=True)]


def _at(column: Column, places: Sequence[int]) -> Column:
    if isinstance(column, Same):
        return Same(column.value, len(places))
    return column if len(places) == len(column) else [column[place] for place in places]


def _filled(values: Column, instead: Any) -> Column:
    """Give values, with something else in the place of None."""
    if isinstance(values, Same):
        return Same(instead, len(values)) if values.value is None else values
    if instead is None or None not in values:
        return values
    return [instead if value is None else value for value in values]


def _joined(groups: Sequence[Alike], parts: Mapping[int, Column], recorded: Column) -> Column:
    """Give a column's values, group after group."""
    found = [parts[at] if at in parts else _at(recorded, group.places) for at, group in enumerate(groups)]
    first = found[0]
    if isinstance(first, Same) and all(isinstance(part, Same) and part.value is first.value for part in found):
        return Same(first.value, sum(map(len, found)))
    return list(chain.from_iterable(found))


def _in_order(groups: Sequence[Alike]) -> Callable[[Column], Column]:
    """Make a function that puts what stands group after group into the order of the batch."""
    places = list(chain.from_iterable(group.places for group in groups))
    origins = [0] * len(places)
    for origin, place in enumerate(places):
        origins[place] = origin
    choose = itemgetter(*origins)
    return lambda column: column if isinstance(column, Same) else list(choose(column))
