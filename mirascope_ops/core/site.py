"""What is known of a traced function before it is called: everything that need not be found out per call."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any, Final, TypeAlias, cast

import orjson

from mirascope_ops.core import attributes as keys
from mirascope_ops.core import capture, described, masking
from mirascope_ops.core import kinds as noted

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

# What a span keeps of a call's arguments. Values that cannot change and that JSON holds as they are need not be written
# out before somebody reads them.
Arguments: TypeAlias = "str | tuple[str | int | float | bool | None, ...]"

_SELF_NAMES: Final = frozenset(("self", "cls", "mcs"))
_IMMUTABLE: Final = (str, bytes, bool, int, float, complex, type(None))
SPAN_PARAMETER: Final = "trace_ctx"
_PLAIN: Final = frozenset((str, bool, type(None)))
_MOST_ALIKE: Final = 64  # of kinds of arguments whose types are kept as text: a function may take any keyword
_TYPES: Final = "<types>"  # among captured arguments


class CallSite:
    """A traced function, as its spans see it.

    Attributes:
        name: The spans' name.
        attributes: The attributes that every call shares.
        quick: How many positional arguments a call may have of which nothing but the types need a look; -1 where more
            does.
        skipped: How many leading arguments (`self`, `cls`) are not captured.
        wants_span: Whether a parameter named `trace_ctx` takes the span.
        captures_arguments: True or False as the decorator says, None to follow the policy.
        captures_result: The same for results.
        latest: None, or where attributes can change from one call to the next: returns the site that holds now. Spans
            keep their site and read its attributes late, so a site in use is never changed.
    """

    __slots__ = (
        "_annotations", "_by_keyword", "_default_types", "_defaults", "_mutable", "_open", "_positional", "_rest",
        "_rest_by_name", "_type_texts", "attributes", "captures_arguments", "captures_result", "latest", "name",
        "quick", "skipped", "wants_span",
    )  # fmt: skip

    def __init__(
        self,
        fn: Callable[..., Any],
        *,
        name: str | None = None,
        tags: Sequence[str] = (),
        metadata: Mapping[str, Any] | None = None,
        captures_arguments: bool | None = None,
        captures_result: bool | None = None,
        is_async: bool = False,
    ) -> None:
        qualname = qualified_name(fn)
        self.name = name or qualname
        self.captures_arguments = captures_arguments
        self.captures_result = captures_result
        self.latest: Callable[[], CallSite] | None = None
        self.attributes: dict[str, Any] = {
            keys.TYPE: "trace",
            keys.FN_QUALNAME: qualname,
            keys.FN_MODULE: getattr(fn, "__module__", None) or type(fn).__module__,
            keys.FN_IS_ASYNC: is_async,
        }
        if tags:
            self.attributes[keys.TAGS] = tuple(sorted(set(tags)))
        if metadata:
            self.attributes[keys.METADATA] = capture.dump(dict(metadata))
        self._read_signature(fn, qualname)

    def _read_signature(self, fn: Callable[..., Any], qualname: str) -> None:
        try:
            parameters = list(inspect.signature(fn).parameters.values())
        except (TypeError, ValueError):  # a builtin without a signature: its arguments go under `args`
            parameters = [inspect.Parameter("args", inspect.Parameter.VAR_POSITIONAL)]
        first = parameters[0].name if parameters else ""
        self.skipped = int("." in qualname and first in _SELF_NAMES)
        parameters = parameters[self.skipped :]
        self.wants_span = bool(parameters) and parameters[0].name == SPAN_PARAMETER
        parameters = parameters[int(self.wants_span) :]
        kinds = inspect.Parameter
        self._positional = tuple(
            p.name for p in parameters if p.kind in (kinds.POSITIONAL_ONLY, kinds.POSITIONAL_OR_KEYWORD)
        )
        self._by_keyword = frozenset(
            p.name for p in parameters if p.kind in (kinds.POSITIONAL_OR_KEYWORD, kinds.KEYWORD_ONLY)
        )
        self._rest = next((p.name for p in parameters if p.kind is kinds.VAR_POSITIONAL), None)
        self._rest_by_name = next((p.name for p in parameters if p.kind is kinds.VAR_KEYWORD), None)
        given = {p.name: p.default for p in parameters if p.default is not kinds.empty}
        # A default that can change is captured at each call, one that cannot is captured here.
        self._mutable = {name: value for name, value in given.items() if not isinstance(value, _IMMUTABLE)}
        self._defaults = {name: capture.dump(value, name) for name, value in given.items() if name not in self._mutable}
        needs_care = self._mutable or any(masking.is_secret(p.name) for p in parameters)
        self.quick = -1 if needs_care or self.captures_arguments is False else len(self._positional)
        self._annotations = {p.name: type_text(p.annotation) for p in parameters if p.annotation is not kinds.empty}
        self._type_texts: dict[tuple[Any, ...], str] = {}
        self._default_types = {
            name: words
            for name in self._defaults
            if noted.is_open(self._annotations.get(name)) and (words := noted.odd(given[name])) is not None
        }
        # Of these the types are noted where JSON does not tell them; places and names of what is given by position.
        self._open = tuple(
            (place, name) for place, name in enumerate(self._positional) if noted.is_open(self._annotations.get(name))
        )

    def capture_arguments(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> str | None:
        """Capture the arguments of a call, at once.

        Args:
            args: The positional arguments, as the caller gave them.
            kwargs: The keyword arguments.

        Returns:
            A JSON array of the first parameters' values where these are all (the common case, and the fast one), else
            a JSON object by name; None where arguments are not captured.
        """
        if not (capture.policy.enabled if self.captures_arguments is None else self.captures_arguments):
            return None
        if self.skipped:
            args = args[self.skipped :]
        first = self._in_order(args, kwargs) if kwargs else args
        if first is not None and len(first) <= self.quick and not (self._open and self._has_odd(first)):
            text = capture.dump_arguments(first)
            if text is not None:
                return text
        bound = self._bind(args, kwargs)
        text = capture.dump_fields((), (), bound)
        types = self._types_of_odd(bound)
        # Types go under a name that no parameter has, past the user's own rule: they are none of the user's values.
        return text if not types else f'{text[:-1]},"{_TYPES}":{orjson.dumps(types).decode()}}}'

    def capture_result(self, result: Any) -> Any:
        """Capture a result, at once; None where results are not captured."""
        if capture.policy.enabled if self.captures_result is None else self.captures_result:
            return capture.dump_result(result)
        return None

    def describe(self, arguments: Arguments) -> tuple[str, str]:
        """Return `mirascope.trace.arg_types` and `.arg_values` of captured arguments, with defaults filled in.

        A parameter without an annotation gets the type of its captured value.

        Args:
            arguments: What `capture_arguments` returned, or the first parameters' values as `Span.begin` keeps them.

        Returns:
            Two texts of JSON objects, keyed by parameter.
        """
        found: Any = arguments if type(arguments) is tuple else orjson.loads(cast("str", arguments))
        values: dict[str, Any] = found
        if type(found) is not dict:
            values = dict(zip(self._positional, found, strict=False))
            if not self._defaults:  # the common case, and the fast one
                return self._types_text(values, {}), orjson.dumps(values).decode()
        odd: dict[str, str] = values.pop(_TYPES, None) or {}
        for name, default in self._defaults.items():
            if name not in values:
                values[name] = orjson.loads(default)
                if name in self._default_types:
                    odd[name] = self._default_types[name]
        return self._types_text(values, odd), orjson.dumps(values).decode()

    def describe_all(self, arguments: Sequence[Arguments]) -> tuple[Sequence[str], Sequence[str]]:
        """Describe the arguments of many calls: what `describe` tells of each, in a fraction of the time.

        Args:
            arguments: Of each call what `describe` takes: of all either text or values.

        Returns:
            The texts of the types, and those of the values.

        Raises:
            ValueError: One of the texts is no JSON.
        """
        rows: Sequence[Any] = arguments
        if type(arguments[0]) is str:
            rows = described.rows_of(cast("Sequence[str]", arguments))
        lists: set[type[Any]] = set(map(type, rows))
        given = list(map(len, rows)) if dict not in lists else [len(row) * (type(row) is list) for row in rows]
        if given.count(given[0]) == len(given):
            return self._described(rows, arguments, given[0])
        types, values = [""] * len(rows), [""] * len(rows)
        for number in set(given):
            places = [place for place, one in enumerate(given) if one == number]
            found = self._described([rows[at] for at in places], [arguments[at] for at in places], number)
            for place, its_types, its_values in zip(places, *found, strict=True):
                types[place], values[place] = its_types, its_values
        return types, values

    def _described(
        self, rows: Sequence[Sequence[Any]], arguments: Sequence[Arguments], given: int
    ) -> tuple[Sequence[str], Sequence[str]]:
        """Describe calls that gave so many parameters by position; 0 where that does not tell which."""
        if not given:
            types, values = zip(*map(self.describe, arguments), strict=True)
            return types, values
        names = self._positional[:given]
        columns = list(zip(*rows, strict=True))[: len(names)]
        rest = {name: orjson.loads(default) for name, default in self._defaults.items() if name not in names}
        told = {name: self._annotations.get(name) or None for name in names} | {
            name: self._default_types.get(name) or self._annotations.get(name) or described.type_name(value)
            for name, value in rest.items()
        }
        untold = [column for name, column in zip(names, columns, strict=True) if told[name] is None]
        return (
            described.type_texts(told, untold) if untold else [orjson.dumps(told).decode()] * len(rows),
            described.value_texts(names, columns, orjson.dumps(rest).decode()),
        )

    def _types_text(self, values: Mapping[str, Any], odd: Mapping[str, str]) -> str:
        """Write the types of arguments as JSON; calls that are alike in this share the text."""
        alike = (*values, *map(type, values.values()))
        text = None if odd else self._type_texts.get(alike)
        if text is None:
            types = {
                name: odd.get(name) or self._annotations.get(name) or described.type_name(value)
                for name, value in values.items()
            }
            text = orjson.dumps(types).decode()
            if not odd and len(self._type_texts) < _MOST_ALIKE:
                self._type_texts[alike] = text
        return text

    def _in_order(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Any, ...] | None:
        """Return the arguments as if all were given by position; None where one in between was left out."""
        names = self._positional[len(args) : len(args) + len(kwargs)]
        asked = self._by_keyword.intersection(names)
        if len(asked) < len(kwargs) or not kwargs.keys() >= asked:
            return None
        return (*args, *map(kwargs.__getitem__, names))

    def _has_odd(self, args: tuple[Any, ...]) -> bool:
        """Tell whether a type has to be noted."""
        given = len(args)
        for place, _ in self._open:
            if place < given and type(args[place]) not in _PLAIN and noted.odd(args[place]) is not None:
                return True
        return False

    def _types_of_odd(self, bound: dict[str, Any]) -> dict[str, str]:
        """Return the types to note, by parameter."""
        types: dict[str, str] = {}
        for name, value in bound.items():
            if noted.is_open(self._annotations.get(name)):
                words = noted.odd([*value] if name == self._rest else value)
                if words is not None:
                    types[name] = words
        return types

    def _bind(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> dict[str, Any]:
        """Name the arguments. A call that does not fit fails by itself, in the user's function, not here."""
        bound: dict[str, Any] = dict(zip(self._positional, args, strict=False))
        if len(args) > len(self._positional):
            bound[self._rest or "args"] = args[len(self._positional) :]
        rest: dict[str, Any] = {}
        for name, value in kwargs.items():
            (bound if name in self._by_keyword else rest)[name] = value
        if rest:
            bound[self._rest_by_name or "kwargs"] = rest
        for name, default in self._mutable.items():
            bound.setdefault(name, default)
        return bound


def qualified_name(fn: Callable[..., Any]) -> str:
    """Return a callable's name from inside its function or module: `Agent.run`, `helper`, `<lambda>`.

    Example:
        >>> qualified_name(dict.get)
        'dict.get'
    """
    qualname = getattr(fn, "__qualname__", None) or getattr(fn, "__name__", None) or type(fn).__qualname__
    return str(qualname).rpartition("<locals>.")[2]


def type_text(annotation: Any) -> str:
    """Write an annotation as Mirascope does: a class's name, else its text."""
    if isinstance(annotation, str):  # a quoted one, under `from __future__ import annotations`, is quoted twice
        return annotation[1:-1] if annotation[:1] == annotation[-1:] and annotation[:1] in "'\"" else annotation
    return getattr(annotation, "__name__", None) or str(annotation)
