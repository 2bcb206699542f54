"""The arguments of a call that is to run again: those that its trace holds, made again, and those given instead."""

from __future__ import annotations

import contextlib
import functools
import inspect
import types
import typing
from inspect import Parameter
from typing import TYPE_CHECKING, Any, Final, cast

import orjson

from mirascope_ops.analysis.checker_names import checker_names
from mirascope_ops.analysis.misfits import RebuildError
from mirascope_ops.analysis.rebuilding import OPEN, capture_again, rebuild, whole
from mirascope_ops.analysis.told import confirmed, has_open_part, narrowed, told
from mirascope_ops.core.kinds import WITHIN, is_open
from mirascope_ops.core.site import type_text
from mirascope_ops.exceptions import ReplayError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from mirascope_ops.analysis.recorded_call import RecordedCall

_MANY: Final = (Parameter.VAR_POSITIONAL, Parameter.VAR_KEYWORD)


def arguments(call: RecordedCall, function: Callable[..., Any], given: Mapping[str, Any]) -> inspect.BoundArguments:
    """Return the arguments with which a function is called again.

    Args:
        call: The call, as its span tells of it.
        function: What is to be called; a method with its object.
        given: Arguments by parameter that take the place of the recorded ones.

    Raises:
        ReplayError: An argument cannot be made again, or does not fit the function; the message lists every one.
    """
    return _Arguments(call, function, given).bound()


class _Arguments:
    """The search for every parameter's argument."""

    def __init__(self, call: RecordedCall, function: Any, given: Mapping[str, Any]) -> None:
        self.call = call
        self.signature = inspect.signature(function)
        self.held = _held(function)
        self.recorded = {name: data for name, data in (call.arguments or {}).items() if name not in self.held}
        self.given = dict(given)
        self.namespaces = _namespaces(function)
        self.problems: dict[str, str] = {}

    def bound(self) -> inspect.BoundArguments:
        parameters = self.signature.parameters
        found: dict[str, Any] = {}
        rest = next((name for name, parameter in parameters.items() if parameter.kind is Parameter.VAR_KEYWORD), None)
        unknown = {
            name: self.given.pop(name) for name in [*self.given] if name not in parameters and name not in self.held
        }
        if unknown and rest is None:
            self._refuse_unknown(next(iter(unknown)))
        for name, parameter in parameters.items():
            if name in self.given:
                found[name] = self.given[name]
            elif name not in self.held:
                self._recorded(name, parameter, found)
        left = {name: data for name, data in self.recorded.items() if name not in parameters and name not in unknown}
        if rest is not None:
            more = {name: self._made(name, data, parameters[rest]) for name, data in left.items()}
            found[rest] = {**found.get(rest, {}), **more, **unknown}
        elif left:
            self._refuse_left(next(iter(left)))
        if self.problems:
            self._refuse()
        bound = inspect.BoundArguments(self.signature, cast("Any", found))
        bound.apply_defaults()
        return bound

    def _recorded(self, name: str, parameter: Parameter, found: dict[str, Any]) -> None:
        """Make the recorded argument of one parameter again."""
        if name not in self.recorded:
            if self.call.arguments is None:
                self.problems[name] = "arguments were not captured"
            elif parameter.default is Parameter.empty and parameter.kind not in _MANY:
                self.problems[name] = "the trace has no such argument, and it has no default"
            return
        data = self.recorded[name]
        if parameter.kind is Parameter.VAR_POSITIONAL and isinstance(data, list):
            found[name] = tuple(self._made(name, item, parameter) for item in cast("list[Any]", data))
        elif parameter.kind is Parameter.VAR_KEYWORD and isinstance(data, dict):
            items = cast("dict[str, Any]", data).items()
            found[name] = {key: self._made(key, item, parameter) for key, item in items if key not in self.given}
        elif not _is_default(parameter.default, data):
            found[name] = self._made(name, data, parameter)

    def _made(self, name: str, data: Any, parameter: Parameter) -> Any:
        try:
            words = None if parameter.kind in _MANY else self.call.types.get(parameter.name)
            found = told(words, _text(parameter))
            return confirmed(rebuild(whole(data, name), narrowed(self._hint(parameter), found)), found)
        except RebuildError as error:
            self.problems[name] = str(error)
        except (RecursionError, orjson.JSONEncodeError):  # no value that was captured is so deep
            self.problems[name] = "it is nested too deep"
        return None

    def _hint(self, parameter: Parameter) -> Any:
        """Return the annotation of a parameter, or of each of the arguments that it takes, as a type."""
        hint, words = self._resolved(parameter), self.call.types.get(parameter.name)
        if parameter.kind in _MANY and words is not None and WITHIN in words and has_open_part(hint):
            message = f"{parameter.name} was a {words}, of which its annotation says nothing"
            raise RebuildError(message)
        return hint

    def _resolved(self, parameter: Parameter) -> Any:
        if parameter.annotation is Parameter.empty:
            return OPEN
        holder: Any = types.SimpleNamespace(__annotations__={"it": parameter.annotation})
        around, enclosing = self.namespaces
        # Names that are imported for type checkers only are missing there.
        for names in (around, {**checker_names(str(around.get("__name__"))), **around}):
            with contextlib.suppress(Exception):  # the annotation is code, and may fail in any way
                return typing.get_type_hints(holder, names, enclosing)["it"]
        written = _text(parameter)
        if is_open(written) and self.call.types.get(parameter.name) == written:
            return OPEN  # then it was plain JSON data
        message = f"its annotation {written} cannot be resolved here: a name in it is not defined"
        raise RebuildError(message)

    @property
    def _name(self) -> str:
        return self.call.span.name

    def _refuse(self) -> None:
        lines = "".join(f"\n  {name}: {words}" for name, words in self.problems.items())
        what = ", ".join(f"{name}=..." for name in self.problems)
        several = "these arguments" if len(self.problems) > 1 else "this argument"
        message = f"{self._name} cannot be run again without {several}:{lines}\nGive what it was: .replay({what})."
        raise ReplayError(message)

    def _refuse_unknown(self, name: str) -> None:
        message = f"{self._name} has no parameter {name!r}; its parameters are {', '.join(self.signature.parameters)}."
        if callable(self.given.get(name)) or name == "function":
            message += " Another function is given first, without a name: .replay(function)."
        raise ReplayError(message)

    def _refuse_left(self, name: str) -> None:
        message = (
            f"The trace of {self._name} has an argument {name!r}, for which the function has no parameter now. Give a "
            "function that takes it: .replay(function)."
        )
        raise ReplayError(message)


def _text(parameter: Parameter) -> str | None:
    return None if parameter.annotation is Parameter.empty else type_text(parameter.annotation)


def _is_default(default: Any, data: Any) -> bool:
    """Tell whether this is what was captured of a default that is known by its address or its name."""
    if not isinstance(data, str) or default is Parameter.empty:
        return False
    named = isinstance(default, type | types.BuiltinFunctionType) or data.endswith(f" at {id(default):#x}>")
    return named and capture_again(default) == data


def _held(function: Any) -> set[str]:
    """Return the names of the arguments that a partial brings along."""
    if not isinstance(function, functools.partial):
        return set()
    partial = cast("functools.partial[Any]", function)
    return {*inspect.signature(partial.func).bind_partial(*partial.args, **partial.keywords).arguments}


def _namespaces(function: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the global and the enclosing names of the function that the user wrote."""
    while isinstance(function, functools.partial | types.MethodType):
        function = cast("Any", function.func if isinstance(function, functools.partial) else function.__func__)
    function = inspect.unwrap(function)
    names = getattr(getattr(function, "__code__", None), "co_freevars", ())
    enclosing: dict[str, Any] = {}
    for name, cell in zip(names, getattr(function, "__closure__", None) or (), strict=False):
        try:
            enclosing[name] = cell.cell_contents
        except ValueError:  # not set yet
            continue
    return getattr(function, "__globals__", {}), enclosing
