"""Faithful classes: those whose instances can be made again from what a trace holds of them.

A trace holds a dataclass, an attrs class or a pydantic model as its fields. Where a class keeps more than that, or
writes its fields otherwise than they are, two different instances look the same in a trace; then none is made.
"""

from __future__ import annotations

import dataclasses
import inspect
import sys
from typing import Any, Final, cast

_SERIALIZERS: Final = ("PlainSerializer", "WrapSerializer", "SerializeAsAny")
_MOST: Final = 64  # subclasses that are tried in place of a class


def is_model(kind: type[Any]) -> bool:
    """Tell whether a class is a pydantic model (of pydantic 2)."""
    return hasattr(kind, "__pydantic_fields__") and hasattr(kind, "model_validate_json")


def is_structured(kind: type[Any]) -> bool:
    """Tell whether a trace holds instances of a class as their fields."""
    return dataclasses.is_dataclass(kind) or hasattr(kind, "__attrs_attrs__") or is_model(kind)


def losses(kind: type[Any]) -> str | None:
    """Say in words what a trace does not hold of a class's instances; None where it holds all.

    Args:
        kind: A dataclass, an attrs class or a pydantic model.

    Example:
        >>> @dataclasses.dataclass
        ... class Client:
        ...     host: str
        ...     _socket: int = 0
        >>> losses(Client)
        'a trace does not hold the field `_socket` of Client'
    """
    if is_model(kind):
        return _losses_of_model(kind)
    if dataclasses.is_dataclass(kind):
        private = [field.name for field in dataclasses.fields(kind) if field.name.startswith("_")]
        given: dict[str, Any] = getattr(kind, "__dataclass_fields__", {})
        only_given = [name for name, field in given.items() if "InitVar" in str(field.type)]
        if private or only_given:
            return f"a trace does not hold the field `{(private or only_given)[0]}` of {kind.__name__}"
    return None


def _losses_of_model(kind: Any) -> str | None:
    decorators = kind.__pydantic_decorators__
    if decorators.field_serializers or decorators.model_serializers:
        return f"{kind.__name__} writes its fields in a way of its own"
    for name in kind.__private_attributes__:
        return f"a trace does not hold the private attribute `{name}` of {kind.__name__}"
    for name, field in kind.__pydantic_fields__.items():
        if field.exclude:
            return f"a trace does not hold the field `{name}` of {kind.__name__}"
        if any(type(item).__name__ in _SERIALIZERS for item in field.metadata):
            return f"{kind.__name__} writes its field `{name}` in a way of its own"
    return None


def variants(kind: type[Any]) -> list[type[Any]]:
    """Return a class and its subclasses of which instances can be made, as they are now.

    A notebook cell that runs twice leaves two classes of one name, of which the first is out of use.
    """
    found: dict[Any, type[Any]] = {}
    waiting = [kind]
    while waiting and len(found) <= _MOST:
        one = waiting.pop()
        waiting += type.__subclasses__(one)
        if is_structured(one) and not inspect.isabstract(one):
            name = (one.__module__, one.__qualname__)
            if one is kind or name not in found or _current(one) is one:
                found[name] = one
    return list(found.values())


def _current(kind: type[Any]) -> Any:
    found: Any = sys.modules.get(kind.__module__)
    for part in kind.__qualname__.split("."):
        found = getattr(found, "__dict__", cast("dict[str, Any]", {})).get(part)
    return found


def instances(value: Any) -> list[Any]:
    """Return the structured instances inside a value, itself included."""
    found: list[Any] = []
    waiting = [value]
    seen: set[int] = set()
    while waiting:
        item = waiting.pop()
        kind = cast("type[Any]", type(item))
        if id(item) in seen:
            continue
        seen.add(id(item))
        if issubclass(kind, dict):
            waiting += [*item.keys(), *item.values()]
        elif issubclass(kind, list | tuple | set | frozenset):
            waiting += list(item)
        elif is_structured(kind):
            found.append(item)
            waiting += list(getattr(item, "__dict__", {}).values())
            waiting += [getattr(item, name, None) for name in getattr(kind, "__slots__", ()) if name != "__weakref__"]
    return found
