"""How long values may take to answer: a type whose `repr` takes seconds must not stall every traced call.

What a value answers is code of its class, and nobody can stop it half-way. So it is measured, and a type is asked no
more once its slow answers have taken a tenth of a second in all. Quick answers in between make up for a slow one, which
may have been a pause of the machine.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Final, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

R = TypeVar("R")

SLOW: Final = 0.005  # seconds for one answer
_ALLOWED: Final = 0.1  # seconds for all slow answers of a type
_MAX_TYPES: Final = 4096

_spent: dict[type, float] = {}  # of types with slow answers only
clock = time.perf_counter


class ImpatientError(Exception):
    """A type is not asked any more."""


def ask(kind: type, question: Callable[[Any], R], value: Any) -> R:
    """Ask a value something, unless values of its type have taken too long before.

    Args:
        kind: The value's type.
        question: Runs code of the value's.
        value: The value.

    Raises:
        ImpatientError: The type is not asked any more.
    """
    if _spent and _spent.get(kind, 0.0) > _ALLOWED:
        raise ImpatientError
    started = clock()
    try:
        return question(value)
    finally:
        took = clock() - started
        if took > SLOW or kind in _spent:
            _note(kind, took)


def _note(kind: type, took: float) -> None:
    spent = _spent.pop(kind, 0.0)
    if took > SLOW:
        _spent[kind] = spent + took
        if len(_spent) > _MAX_TYPES:
            del _spent[next(iter(_spent))]  # the one that has been there longest
    elif spent / 2 > SLOW:
        _spent[kind] = spent / 2


def forget() -> None:
    """Ask all types again; for tests."""
    _spent.clear()
