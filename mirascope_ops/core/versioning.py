"""`@ops.version`: every span of a function says which version of it ran.

A version is known by its closure hash (`closure`) and, among people, by a number X.Y: a change of the code or of
a constant that it uses raises Y, a change of the signature gives a new X. The hash is made at the function's first
call, when all that it uses is defined. After that each call checks that the names which the function uses still
stand for the same objects; the first call in every notebook cell looks again at everything, because a cell may have
changed a list in place or reloaded a module.
"""

from __future__ import annotations

import inspect
import re
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Concatenate, Final, NoReturn, ParamSpec, Protocol, TypeVar, cast, overload

from mirascope_ops.core import attributes as keys
from mirascope_ops.core import backend, capture, guard
from mirascope_ops.core import cell as cells
from mirascope_ops.core.methods import BoundTrace, TracedMethod, TracedObject, TracedPartial
from mirascope_ops.core.site import CallSite, qualified_name
from mirascope_ops.core.tracing import AsyncTracedFunction, TracedFunction, check_options, decorate_callable

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Mapping, Sequence

    from mirascope_ops.core.cell import Cell
    from mirascope_ops.core.closure import Read

P = ParamSpec("P")
Q = ParamSpec("Q")
R = TypeVar("R")
R_co = TypeVar("R_co", covariant=True)
S = TypeVar("S")

_NUMBER: Final = re.compile(r"(\d{1,9})\.(\d{1,9})")


class _Unchanging(dict[str, Any]):
    """A dictionary that refuses changes; a mapping proxy is no dictionary to `json` and `dataclasses.asdict`."""

    def _refuse(self, *_: object, **__: object) -> NoReturn:
        message = "A version's metadata cannot be changed; change a copy of it: dict(info.metadata)."
        raise TypeError(message)

    __setitem__ = __delitem__ = __ior__ = clear = pop = popitem = setdefault = update = _refuse  # pyright: ignore[reportAssignmentType, reportIncompatibleMethodOverride] - they all refuse

    def __reduce__(self) -> tuple[Any, ...]:
        return (type(self), (dict(self),))


@dataclass(frozen=True, kw_only=True)
class VersionInfo:
    """Which version of a function this is.

    Attributes:
        hash: SHA-256 of the function with all of the user's code and constants that it uses, hex.
        signature_hash: SHA-256 of its signature as it is written, hex.
        name: The name given to `ops.version`, else the function's qualified name.
        description: The function's docstring, or None.
        version: "X.Y", counted per name: X changes with the signature, Y with anything else.
        tags: The tags given to `ops.version`, sorted.
        metadata: The metadata given to `ops.version`; read-only.

    Example:
        >>> @version
        ... def greet(name: str) -> str:
        ...     return f"Hello, {name}!"
        >>> greet.version_info.version
        '1.0'
    """

    hash: str
    signature_hash: str
    name: str
    description: str | None
    version: str
    tags: tuple[str, ...] = ()
    metadata: Mapping[str, Any] = field(default_factory=dict[str, Any], hash=False)

    def __post_init__(self) -> None:
        """Keep a metadata of its own, which nobody can change."""
        object.__setattr__(self, "metadata", _Unchanging(self.metadata))


class VersionedFunction(TracedFunction[P, R_co], Protocol):
    """A traced function that knows its version."""

    @property
    def version_info(self) -> VersionInfo | None:
        """The function's version now; None where it cannot be told (a function that is not written in Python)."""
        ...

    @overload
    def __get__(self, instance: None, owner: type, /) -> VersionedFunction[P, R_co]: ...
    @overload
    def __get__(
        self: VersionedFunction[Concatenate[S, Q], R_co], instance: S, owner: type | None = None, /
    ) -> VersionedFunction[Q, R_co]: ...
    def __get__(self, instance: Any, owner: Any = None, /) -> Any: ...


class AsyncVersionedFunction(AsyncTracedFunction[P, R_co], Protocol):
    """A traced coroutine function that knows its version."""

    @property
    def version_info(self) -> VersionInfo | None:
        """The function's version now; None where it cannot be told."""
        ...

    @overload
    def __get__(self, instance: None, owner: type, /) -> AsyncVersionedFunction[P, R_co]: ...
    @overload
    def __get__(
        self: AsyncVersionedFunction[Concatenate[S, Q], R_co], instance: S, owner: type | None = None, /
    ) -> AsyncVersionedFunction[Q, R_co]: ...
    def __get__(self, instance: Any, owner: Any = None, /) -> Any: ...


class VersionDecorator(Protocol):
    """What `ops.version(...)` with options returns."""

    @overload
    def __call__(self, fn: Callable[P, Coroutine[Any, Any, R]], /) -> AsyncVersionedFunction[P, R]: ...  # pyright: ignore[reportOverlappingOverload] - a coroutine function is a function too; the first that fits is meant
    @overload
    def __call__(self, fn: Callable[P, R], /) -> VersionedFunction[P, R]: ...
    def __call__(self, fn: Any, /) -> Any:
        """Version the function."""
        ...


@overload
def version(fn: Callable[P, Coroutine[Any, Any, R]], /) -> AsyncVersionedFunction[P, R]: ...  # pyright: ignore[reportOverlappingOverload] - as above
@overload
def version(fn: Callable[P, R], /) -> VersionedFunction[P, R]: ...
@overload
def version(
    *, name: str | None = None, tags: Sequence[str] = (), metadata: Mapping[str, Any] | None = None
) -> VersionDecorator: ...
def version(
    fn: Any = None,
    /,
    *,
    name: str | None = None,
    tags: Sequence[str] = (),
    metadata: Mapping[str, Any] | None = None,
) -> Any:
    """Trace every call of a function, with its version: `@ops.version`, or `@ops.version(...)` with options.

    It does all that `ops.trace` does, and works on the same callables; above or below `ops.trace` it makes one span
    with it. The function gains `version_info`. Two functions of the same name count as versions of one function,
    in whatever notebook or file they are, so that the count goes on after a kernel restart.

    `version_info` and the attributes of spans are those of Mirascope's `ops.version`. Different on purpose:

    - Versions are counted; there each is 1.0. The hashes themselves are others, made at the first call and not while
      the function is decorated, which takes milliseconds and not most of a second.
    - Comments do not count; constants count by value, however they are written. `ops.trace` on a helper does not
      count, and above or below `ops.version` it works. What a method uses of its class does count.
    - The signature is the parameters and the result, and whether it is async; the function's name and other
      decorators are not part of it, so that another model (`@llm.call(...)`) gives another Y, not another X.
    - A function that was given a name has spans of that name, and `mirascope.version.name` is on all spans. Tags and
      metadata are not written a second time as `tags` and `metadata.*`.
    - `get_version` is not there, nor `uuid`, which belong to Mirascope's service; the environment variable that
      makes docstrings count is not read.

    Args:
        fn: The function, where the decorator is used without options.
        name: The name under which versions are counted, and the spans' name; the qualified name where None.
        tags: Tags of this version, and of every call of it.
        metadata: Values to keep with this version and every call of it, JSON.

    Returns:
        The versioned function, or a decorator.

    Raises:
        TraceTargetError: It is not something that can be traced; the message says what to do.

    Example:
        >>> PROMPT = "Answer in one word: "
        >>> @version(tags=["production"])
        ... def ask(question: str) -> str:
        ...     return PROMPT + question
        >>> ask("Why?")
        'Answer in one word: Why?'
        >>> ask.version_info.tags
        ('production',)
    """
    check_options(name, tags, metadata)
    upgrade = _Versioning(name, tuple(sorted(set(tags))), dict(metadata or {}))

    def decorate(target: Any) -> Any:
        return decorate_callable(target, upgrade)

    return decorate if fn is None else decorate(fn)


class _Versioning:
    """What `ops.version` adds to tracing."""

    def __init__(self, name: str | None, tags: tuple[str, ...], metadata: dict[str, Any]) -> None:
        self.name = name
        self.tags = tags
        self.metadata = metadata

    def site(self, fn: Any, *, name: str | None = None, **options: Any) -> VersionedSite:
        """Make the site of a versioned callable."""
        return VersionedSite(fn, self, name=name or self.name, **options)

    def present(self, traced: Any, site: CallSite) -> Any:
        """Give a traced callable its `version_info`."""
        kind = cast("type[Any]", type(traced))
        if kind is TracedMethod:
            # A class for each function, because calling an instance of it needs no Python code of ours in between.
            own = {"__call__": staticmethod(traced.function)}
            return type("VersionedMethod", (VersionedMethod,), own)(traced.function, cast("VersionedSite", site))
        _set_class(traced, _versioned_kind(kind))
        traced.version_site = site
        return traced

    @property
    def partial(self) -> type[TracedPartial]:
        """The kind of partial that knows its version."""
        return VersionedPartial


class VersionedSite(CallSite):
    """A versioned function, as its spans see it.

    Spans are made with a site that holds the version's attributes and is never changed; `latest` returns the one
    of the version that runs now.
    """

    __slots__ = ("_earlier_read", "_fn", "_info", "_versioning")

    def __init__(self, fn: Any, versioning: _Versioning, **options: Any) -> None:
        # What is said of a version holds for each call of it, as in Mirascope.
        options["tags"] = (*(options.get("tags") or ()), *versioning.tags)
        options["metadata"] = {**versioning.metadata, **(options.get("metadata") or {})}
        super().__init__(fn, **options)
        self._fn = fn
        self._versioning = versioning
        self._info: VersionInfo | None = None
        self._earlier_read = False
        self.latest = self._renewed

    @property
    def info(self) -> VersionInfo | None:
        """The version that a call made now would have."""
        if self.latest is not None:
            self.latest()
        return self._info

    def _renewed(self) -> CallSite:
        """Look at the function and all that it uses, and return the site of its version; never raises."""
        cell = cells.current_cell()
        site: CallSite = self
        reads: tuple[Read, ...] = ()
        try:
            from mirascope_ops.core.closure import closure_of, function_of

            closure = closure_of(self._fn)
            if closure is None:
                _warn_of_missing(self._fn)
                self.latest = None
                return self
            reads = closure.reads
            name = self._versioning.name or qualified_name(self._fn)
            number = history.number(name, closure.hash, closure.signature_hash, self._earlier())
            self._info = VersionInfo(
                hash=closure.hash,
                signature_hash=closure.signature_hash,
                name=name,
                description=inspect.getdoc(function_of(self._fn)),
                version=number,
                tags=self._versioning.tags,
                metadata=self._versioning.metadata,
            )
            site = _stamped(self, self._info)
        except Exception as error:  # noqa: BLE001 - our bug is not the user's exception
            guard.report("telling a function's version", error)
        self.latest = self._checked(site, cell, reads)
        return site

    def _checked(self, site: CallSite, cell: Cell | None, reads: tuple[Read, ...]) -> Callable[[], CallSite]:
        """Return what every call pays: a few comparisons."""
        renewed = self._renewed
        if len(reads) < 2:  # noqa: PLR2004 - the common case: a function that reads names of its own module, or none
            get, source, values = reads[0] if reads else (tuple, (), ())

            def latest() -> CallSite:
                try:
                    if cells._current is cell and get(source) == values:  # noqa: SLF001 - a call saved  # pyright: ignore[reportPrivateUsage]
                        return site
                except Exception:  # noqa: BLE001, S110 - a name is gone, or objects cannot be compared: a change
                    pass
                return renewed()

            return latest

        def latest_of_all() -> CallSite:
            try:
                if cells._current is cell and all(get(source) == values for get, source, values in reads):  # noqa: SLF001 - as above  # pyright: ignore[reportPrivateUsage]
                    return site
            except Exception:  # noqa: BLE001, S110 - as above
                pass
            return renewed()

        return latest_of_all

    def _earlier(self) -> list[tuple[str, str, str]]:
        """Read from the store what versions there were, once for this function."""
        if self._earlier_read:
            return []
        self._earlier_read = True
        try:
            return backend.get().versions(self.name)
        except Exception as error:  # noqa: BLE001 - a store that cannot be read is no reason not to count
            guard.warn_once("reading earlier versions", f"Earlier versions cannot be read from the store: {error}")
            return []


class _History:
    """The versions that were seen, by function name."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._seen: dict[str, dict[str, tuple[str, int, int]]] = {}

    def number(self, name: str, digest: str, signature: str, earlier: Sequence[tuple[str, str, str]] = ()) -> str:
        """Return a version's number: its old one where it was seen before, else the next.

        Args:
            name: The function's name.
            digest: Its closure hash.
            signature: Its signature hash.
            earlier: Versions found in the store, as (hash, signature hash, number), oldest first.

        Example:
            >>> count = _History()
            >>> count.number("f", "a", "s"), count.number("f", "b", "s"), count.number("f", "c", "t")
            ('1.0', '1.1', '2.0')
            >>> count.number("f", "a", "s")
            '1.0'
        """
        with self._lock:
            seen = self._seen.setdefault(name, {})
            for old, old_signature, number in earlier:
                found = _NUMBER.fullmatch(number)
                if found is not None:
                    seen.setdefault(old, (old_signature, int(found[1]), int(found[2])))
            if digest not in seen:
                same = [(major, minor) for other, major, minor in seen.values() if other == signature]
                newest = max((major for _, major, _ in seen.values()), default=0)
                major, minor = max(same) if same else (newest + 1, -1)
                seen[digest] = (signature, major, minor + 1)
            _, major, minor = seen[digest]
        return f"{major}.{minor}"

    def forget(self) -> None:
        """Forget all, for tests; what is in the store is read again by functions not called yet."""
        with self._lock:
            self._seen.clear()


history: Final = _History()


class _Versioned:
    """The property that versioned callables share."""

    version_site: VersionedSite

    @property
    def version_info(self) -> VersionInfo | None:
        """The version now; None where it cannot be told."""
        return self.version_site.info


class VersionedMethod(_Versioned, TracedMethod):  # pyright: ignore[reportIncompatibleMethodOverride] - its names are the function's
    """A versioned function; in a class body it binds like a function.

    It is an object because a plain function cannot have an attribute that is worked out when it is asked for.
    """

    _own = ("function", "version_site")

    def __init__(self, function: Callable[..., Any], site: VersionedSite) -> None:
        super().__init__(function)
        self.version_site = site

    def __get__(self, instance: Any, owner: type | None = None) -> Any:
        return self if instance is None else BoundTrace(self, instance)

    def __reduce__(self) -> str:
        return self.function.__qualname__

    def __repr__(self) -> str:
        return f"<versioned {self.function!r}>"


class VersionedPartial(TracedPartial):
    """A partial of a versioned function."""

    @property
    def version_info(self) -> VersionInfo | None:
        """The function's version now; None where it cannot be told."""
        return self.func.version_info  # type: ignore[attr-defined] # pyright: ignore[reportFunctionMemberAccess]


_set_class: Final = cast("Any", object).__dict__["__class__"].__set__  # also where a class hides its `__class__`


def _versioned_kind(kind: type[Any]) -> type[Any]:
    """Return a kind of `TracedObject` that knows its version."""
    assert issubclass(kind, TracedObject)  # noqa: S101 - `present` is given nothing else
    return type(f"Versioned{kind.__name__}", (_Versioned, kind), {"__module__": __name__})


def _stamped(site: CallSite, info: VersionInfo) -> CallSite:
    """Return a plain site with the attributes of a version."""
    made = CallSite.__new__(CallSite)
    for name in CallSite.__slots__:
        setattr(made, name, getattr(site, name))
    made.attributes = {
        **site.attributes,
        keys.VERSION_HASH: info.hash,
        keys.VERSION_SIGNATURE_HASH: info.signature_hash,
        keys.VERSION_NUMBER: info.version,
        keys.VERSION_NAME: info.name,
    }
    if info.description:
        made.attributes[keys.VERSION_DESCRIPTION] = capture.text(info.description)
    if info.tags:
        made.attributes[keys.VERSION_TAGS] = info.tags
    for key, value in info.metadata.items():
        if value is not None:
            made.attributes[keys.VERSION_META + str(key)] = capture.attribute(value, str(key))
    return made


def _warn_of_missing(fn: Any) -> None:
    name = qualified_name(fn)
    guard.warn_once(
        f"version of {name}",
        f"{name} is not written in Python, so it has no version; its calls are traced without one. Put it into a "
        "Python function and decorate that.",
    )
