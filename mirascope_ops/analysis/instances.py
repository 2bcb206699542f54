"""Instances of classes that a trace holds as their fields: dataclasses, attrs classes, pydantic models."""

from __future__ import annotations

import dataclasses
import sys
import typing
from collections.abc import Callable
from typing import Any, TypeAlias, TypeVar, cast

import orjson

from mirascope_ops.analysis import faithful
from mirascope_ops.analysis.checker_names import checker_names
from mirascope_ops.analysis.misfits import RebuildError, expected

Build: TypeAlias = Callable[[Any, Any], Any]


def instance(data: Any, kind: Any, arguments: tuple[Any, ...], build: Build) -> Any:
    """Make an instance of a class of its fields.

    Args:
        data: The fields, as JSON data.
        kind: A dataclass, an attrs class or a pydantic model.
        arguments: Its type arguments.
        build: Makes a field's value, of its data and annotation.

    Raises:
        RebuildError: That is not possible.
    """
    if faithful.is_model(kind):
        value = _validated(data, kind)
        for inside in faithful.instances(value):
            if type(inside) is not kind and len(faithful.variants(cast("type[Any]", type(inside)))) > 1:
                message = f"it holds a {type(inside).__name__}, which may have been of a subclass"
                raise RebuildError(message)
        return value
    fields = expected(data, dict, kind)
    lost = faithful.losses(kind)
    if lost is not None:
        raise RebuildError(lost)
    hints = field_hints(kind, arguments)
    known = _init_names(kind)
    if fields.keys() - known.keys():
        message = f"{kind.__name__} has no field `{min(fields.keys() - known.keys())}`"
        raise RebuildError(message)
    given = {known[name]: build(item, hints.get(name, Any)) for name, item in fields.items()}
    return made(kind, {name: value for name, value in given.items() if name is not None})


def _validated(data: Any, kind: Any) -> Any:
    """Let a pydantic model read its fields, by their names or by their aliases."""
    written = orjson.dumps(data)
    for options in ({"by_name": True, "by_alias": False}, {}):
        try:
            return kind.model_validate_json(written, **options)
        except TypeError:  # older than 2.11, which knows no such options
            continue
        except Exception as error:
            message = f"{kind.__name__} does not take what was recorded ({type(error).__name__})"
            raise RebuildError(message) from error
    message = f"{kind.__name__} does not take what was recorded"
    raise RebuildError(message)


def _init_names(kind: Any) -> dict[str, str | None]:
    """Return by field the name of its parameter of `__init__`; None where there is none."""
    if dataclasses.is_dataclass(kind):
        return {field.name: field.name if field.init else None for field in dataclasses.fields(kind)}
    return {field.name: field.alias if field.init else None for field in kind.__attrs_attrs__}


def field_hints(kind: Any, arguments: tuple[Any, ...] = ()) -> dict[str, Any]:
    """Return the annotations of a class's fields, with its type parameters filled in.

    Args:
        kind: The class.
        arguments: Its type arguments.

    Raises:
        RebuildError: They cannot be resolved.
    """
    try:
        hints = typing.get_type_hints(kind)
    except Exception:  # noqa: BLE001 - annotations are code; this one may need names that only type checkers see
        hints = _checked_hints(kind)
    filled = dict(zip(getattr(kind, "__parameters__", ()), arguments, strict=False))
    return {name: _filled(hint, filled) for name, hint in hints.items()} if filled else hints


def _checked_hints(kind: Any) -> dict[str, Any]:
    names: dict[str, Any] = {}
    for module in [base.__module__ for base in reversed(kind.__mro__)]:
        own: dict[str, Any] = getattr(sys.modules.get(module), "__dict__", {})
        names |= checker_names(module)
        names |= {name: own[name] for name in names.keys() & own.keys()}  # what the module defines itself wins
    try:
        return typing.get_type_hints(kind, localns=names)
    except Exception as error:
        message = f"the annotations of {kind.__name__} cannot be resolved ({error})"
        raise RebuildError(message) from error


def _filled(hint: Any, filled: dict[Any, Any]) -> Any:
    if isinstance(hint, TypeVar):
        return filled.get(hint, hint)
    parameters = getattr(hint, "__parameters__", ()) if typing.get_origin(hint) is not None else ()
    return hint[tuple(filled.get(parameter, parameter) for parameter in parameters)] if parameters else hint


def made(kind: Any, fields: dict[str, Any], *values: Any) -> Any:
    """Call a class with fields, in which its own code may fail.

    Args:
        kind: The class.
        fields: Its arguments, by name.
        *values: Those by position.

    Raises:
        RebuildError: It does not take them.
    """
    try:
        return kind(*values, **fields)
    except Exception as error:
        message = f"{kind.__name__} cannot be made of what was recorded ({type(error).__name__}: {error})"
        raise RebuildError(message) from error
