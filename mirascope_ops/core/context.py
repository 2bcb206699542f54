"""OpenTelemetry's current Context, read and set at the price of one ContextVar.

`opentelemetry.context.attach` and `detach` cost about 1.5 us a pair and log an error when a token belongs to
another `contextvars.Context`, which is everyday life for generators and notebook cells. So the ContextVar
below them is used where the stock runtime context is in place (a private name: with any other runtime the
public functions are, and a test runs others of the core with such a one).
"""

from __future__ import annotations

import functools
from contextvars import ContextVar, Token
from typing import TYPE_CHECKING, Any, Final, NamedTuple, cast

from opentelemetry import context as otel_context
from opentelemetry import trace as otel_trace
from opentelemetry.context import Context

if TYPE_CHECKING:
    from collections.abc import Callable


def _span_key() -> str:
    """Find the key under which OpenTelemetry keeps the current span, by asking it to set one."""
    (key,) = otel_trace.set_span_in_context(otel_trace.INVALID_SPAN, Context())
    return key


SPAN_KEY: Final = _span_key()


class _PublicToken(NamedTuple):
    """The way back from `_PublicContext.set`."""

    token: Any
    old_value: Context


class _PublicContext:
    """The same three operations through OpenTelemetry's public functions only."""

    def get(self) -> Context:
        return otel_context.get_current()

    def set(self, value: Context) -> Token[Context]:
        old = otel_context.get_current()
        return cast("Token[Context]", _PublicToken(otel_context.attach(value), old))

    def reset(self, token: Any) -> None:
        if isinstance(token, Context):  # as a ContextVar has it, of what is no token
            raise TypeError(token)
        otel_context.detach(token.token)


def _runtime() -> ContextVar[Context] | _PublicContext:
    runtime = getattr(otel_context, "_RUNTIME_CONTEXT", None)
    variable = getattr(runtime, "_current_context", None)
    return cast("ContextVar[Context]", variable) if isinstance(variable, ContextVar) else _PublicContext()


CONTEXT: Final = _runtime()
get: Callable[[], Context] = CONTEXT.get
_set: Callable[[Context], Token[Context]] = CONTEXT.set
_put = dict[str, object].__setitem__  # Context forbids item assignment to its users
_update: Final = dict[str, object].update
_has: Final = dict[str, object].__contains__


class Within(Context):
    """The Context within a span: the one around it, with the span as the current one.

    A Context is a dict, and hardly anybody looks for more in it than the current span. So this one is filled, which
    costs more than most of what else a span does, when somebody looks at all of it.

    Attributes:
        around: The Context that has everything else; no `Within`, so that none leads on to another.
        span: The current span.
    """

    __slots__ = ("around", "span")
    around: Context
    span: Any

    def get(self, key: str, default: Any = None) -> Any:
        """Return what is kept under a key."""
        return self.span if key == SPAN_KEY else self.around.get(key, default)

    def filled(self) -> Context:
        """Return this Context as the dict that it is."""
        if not _has(self, SPAN_KEY):  # which comes last: another thread may look too
            _update(self, self.around)
            _put(self, SPAN_KEY, self.span)
        return self


def _filling(method: Callable[..., Any]) -> Callable[..., Any]:
    """Return a method of dict that fills a `Within` first."""

    @functools.wraps(method)
    def read(self: Within, *args: Any) -> Any:
        return method(self.filled(), *args)

    return read


for _name in (
    "__getitem__", "__contains__", "__iter__", "__reversed__", "__len__", "__eq__", "__ne__", "__or__", "__ror__",
    "__repr__", "keys", "values", "items", "copy",
):  # fmt: skip
    setattr(Within, _name, _filling(getattr(dict, _name)))


def place_of(span: Any) -> otel_trace.SpanContext:
    """Return where a span stands; the invalid place for one without, as MLflow makes where it records nothing."""
    return span.get_span_context() or otel_trace.INVALID_SPAN_CONTEXT


def attach(key: str, value: object) -> Token[Context]:
    """Make a copy of the current Context, with one more entry, current.

    Args:
        key: The entry's key.
        value: The entry.

    Returns:
        What `detach` needs.
    """
    context = Context(get())
    _put(context, key, value)
    return _set(context)


attach_context: Final = _set
"""Make a whole Context current; returns what `detach` needs."""


def before(token: Token[Context] | Context) -> Context:
    """Return the Context to which a way back leads: a token, or the Context itself."""
    old: Any = token if isinstance(token, Context) else token.old_value
    return old if isinstance(old, Context) else Context()


def detach(token: Token[Context] | Context, key: str, value: object) -> None:
    """Undo `attach(key, value)`; never raises.

    A token can be reset only in the `contextvars.Context` in which it was made. Elsewhere (a generator closed
    by another task, the cells of a notebook) the Context from before is put back where ours is still
    current, and another's is left alone.

    Args:
        token: What `attach` returned, or the Context that is to take its place.
        key: The key given to it.
        value: The value given to it.
    """
    try:
        CONTEXT.reset(cast("Token[Context]", token))
    except (ValueError, RuntimeError, TypeError):
        if get().get(key) is value:
            _put_back(token)


def detach_context(token: Token[Context], context: Context) -> None:
    """Undo `attach_context(context)`, in the same way as `detach`."""
    try:
        CONTEXT.reset(token)
    except (ValueError, RuntimeError):
        if get() is context:
            _put_back(token)


def reset(variable: ContextVar[Any], token: Token[Any], value: object) -> None:
    """Undo `variable.set(value)`, in the same way as `detach`."""
    try:
        variable.reset(token)
    except (ValueError, RuntimeError):
        if variable.get() is value:
            old = token.old_value
            variable.set(None if old is Token.MISSING else old)


def _put_back(token: Token[Context] | Context) -> None:
    _set(before(token))
