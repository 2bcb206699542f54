"""Context propagation: the trace and the session across a service boundary, in headers.

What arrives from outside is not to be trusted: a header that makes no sense is logged and ignored, never
raised. What leaves is what HTTP can carry: a session id of visible ASCII goes byte for byte, anything else is
percent-encoded UTF-8, so that every id that `ops.session` accepts comes back as it was.
"""

from __future__ import annotations

import os
import re
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final, Literal, cast, get_args
from urllib.parse import quote, unquote_to_bytes

from opentelemetry.context import Context
from opentelemetry.trace import INVALID_SPAN, get_current_span, set_span_in_context

from mirascope_ops.core import baggage as session_baggage
from mirascope_ops.core import context, guard
from mirascope_ops.core.session import CURRENT, check_id, current_session, enter, leave, session, session_in
from mirascope_ops.exceptions import ConfigurationError, OpsError

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping, MutableMapping, Sequence

    from opentelemetry.propagators.textmap import Getter, Setter, TextMapPropagator

SESSION_HEADER_NAME: Final = "X-Mirascope-Session-Id"
# The name that Mirascope 2.8's own source uses, and deployed services read; its documents have the other.
_DEPLOYED_HEADER_NAME: Final = "Mirascope-Session-Id"
SESSION_HEADER_NAMES: Final = (SESSION_HEADER_NAME, _DEPLOYED_HEADER_NAME)
_FORMAT_VARIABLE: Final = "MIRASCOPE_PROPAGATOR"
_MAX_HEADER: Final = 4096  # longer than any id that we write; a longer header is not looked at
_NEEDS_ENCODING: Final = re.compile(r"[^\x21-\x7e]|%")
_SAFE: Final = "".join(chr(code) for code in range(0x20, 0x7F) if chr(code) != "%")

PropagatorFormat = Literal["tracecontext", "b3", "b3multi", "jaeger", "composite"]


class _HeaderGetter:
    """Reads headers whatever their case, and whether values are str, bytes or lists of these."""

    def get(self, carrier: Mapping[Any, Any], key: str) -> list[str] | None:
        return _header_values(carrier, key) or None

    def keys(self, carrier: Mapping[Any, Any]) -> list[str]:
        return [_text(name) for name in carrier]


class _HeaderSetter:
    def set(self, carrier: MutableMapping[str, str], key: str, value: str) -> None:
        carrier[key] = value


# By their form: a program's start does not wait for the classes themselves.
_GETTER: Final = cast("Getter[Mapping[Any, Any]]", _HeaderGetter())
_SETTER: Final = cast("Setter[MutableMapping[str, str]]", _HeaderSetter())


class ContextPropagator:
    """Reads and writes the trace headers of one format.

    The format is the value of `MIRASCOPE_PROPAGATOR`: tracecontext (the default), b3, b3multi, jaeger, or
    composite (reads and writes all of them).

    Args:
        set_global: Whether OpenTelemetry's own global propagator is set to this one too, so that its
            instrumentations write the same headers.

    Raises:
        ConfigurationError: `MIRASCOPE_PROPAGATOR` names no format.
    """

    def __init__(self, *, set_global: bool = False) -> None:
        chosen = os.environ.get(_FORMAT_VARIABLE, "").strip().lower() or "tracecontext"
        if chosen not in get_args(PropagatorFormat):
            expected = ", ".join(get_args(PropagatorFormat))
            message = f"{_FORMAT_VARIABLE} is {chosen!r}; expected one of {expected}."
            raise ConfigurationError(message)
        self.format: Final = cast("PropagatorFormat", chosen)
        self._propagator = _make(self.format)
        if set_global:
            from opentelemetry import propagate

            propagate.set_global_textmap(self._propagator)

    @property
    def fields(self) -> set[str]:
        """The names of the trace headers that it writes."""
        return self._propagator.fields

    def inject_context(
        self, carrier: MutableMapping[str, str], context: Context | None = None, *, baggage: bool = False
    ) -> None:
        """Write the trace and the session into headers; see `inject_context`."""
        around: Any = get_current_span(context)
        nowhere = around.get_span_context() is None  # as of MLflow, where it records nothing; propagators fail on it
        carried = set_span_in_context(INVALID_SPAN, context) if nowhere else context
        self._propagator.inject(carrier, context=carried, setter=_SETTER)
        active = current_session() if context is None else (session_in(context) or current_session())
        if active is not None:
            carrier[SESSION_HEADER_NAME] = carrier[_DEPLOYED_HEADER_NAME] = encode_id(active.id)
            if baggage and active.attributes:
                _add_baggage(carrier, active.attributes)

    def extract_context(self, carrier: Mapping[Any, Any]) -> Context:
        """Read the trace from headers; see `extract_context`."""
        try:
            return self._propagator.extract(carrier, context=Context(), getter=_GETTER)
        except Exception as error:  # noqa: BLE001 - what arrives from outside must not raise here
            guard.warn_once("extract", f"mirascope_ops ignored trace headers that it could not read: {error!r}")
            return Context()


def _make(name: PropagatorFormat) -> TextMapPropagator:
    """Import and make a propagator; only the one that is asked for."""
    if name == "b3":
        from opentelemetry.propagators.b3 import B3SingleFormat

        return B3SingleFormat()
    if name == "b3multi":
        from opentelemetry.propagators.b3 import B3MultiFormat

        return B3MultiFormat()
    if name == "jaeger":
        from opentelemetry.propagators.jaeger import JaegerPropagator

        return JaegerPropagator()
    if name == "composite":
        from opentelemetry.propagators.composite import CompositePropagator

        parts: tuple[PropagatorFormat, ...] = (
            "jaeger",
            "b3multi",
            "b3",
            "tracecontext",
        )  # on reading, the last one wins
        return CompositePropagator([_make(part) for part in parts])
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

    return TraceContextTextMapPropagator()


_propagator: ContextPropagator | None = None


def get_propagator() -> ContextPropagator:
    """Return the process's propagator, made on first use from `MIRASCOPE_PROPAGATOR`.

    Raises:
        ConfigurationError: `MIRASCOPE_PROPAGATOR` names no format.
    """
    global _propagator  # noqa: PLW0603 - one propagator a process
    if _propagator is None:
        _propagator = ContextPropagator()
    return _propagator


def reset_propagator() -> None:
    """Forget the process's propagator; the next use reads `MIRASCOPE_PROPAGATOR` again."""
    global _propagator  # noqa: PLW0603 - one propagator a process
    _propagator = None


def inject_context(carrier: MutableMapping[str, str], *, context: Context | None = None, baggage: bool = False) -> None:
    """Write the current trace and session into headers.

    The session goes under `X-Mirascope-Session-Id`, and under `Mirascope-Session-Id`, which deployed Mirascope
    services read.

    Args:
        carrier: The headers, changed in place.
        context: An OpenTelemetry Context to take the trace from; the current one where None.
        baggage: Whether the session's attributes go along, as W3C baggage, up to 4,096 bytes of them. They say
            something about a user, so this is to be asked for; baggage that is there already stays.

    Raises:
        ConfigurationError: `MIRASCOPE_PROPAGATOR` names no format, or the carrier is no mapping.

    Example:
        >>> from mirascope_ops import ops
        >>> headers: dict[str, str] = {}
        >>> with ops.session(id="user-session-123"):
        ...     ops.inject_context(headers)
        >>> headers["X-Mirascope-Session-Id"]
        'user-session-123'
    """
    if not (hasattr(carrier, "__setitem__") and hasattr(carrier, "keys")):
        message = (
            f"inject_context writes into a mapping, got {_kind(carrier)}: give it the request's headers, or a dict."
        )
        raise ConfigurationError(message)
    get_propagator().inject_context(carrier, context, baggage=baggage)


def extract_context(carrier: Mapping[Any, Any]) -> Context:
    """Read a trace from headers.

    Args:
        carrier: The headers, in any case; values are str, bytes or lists of these.

    Returns:
        An OpenTelemetry Context with the remote span; an empty one where there is none.

    Raises:
        ConfigurationError: `MIRASCOPE_PROPAGATOR` names no format.
    """
    return get_propagator().extract_context(carrier)


def extract_session_id(headers: Mapping[Any, Any], names: Sequence[str] = SESSION_HEADER_NAMES) -> str | None:
    """Read a session id from headers.

    Args:
        headers: The headers, in any case; values are str, bytes or lists of these.
        names: The names of the header; the first that holds an id counts.

    Returns:
        The id; None where there is none, or none that `ops.session` would accept.

    Example:
        >>> extract_session_id({"x-mirascope-session-id": ["user-1"]})
        'user-1'
    """
    for name in names:
        for value in _header_values(headers, name)[:1]:
            try:
                return check_id(decode_id(value))
            except (OpsError, ValueError):
                guard.warn_once("session header", f"mirascope_ops ignored an invalid {name} header: {value[:80]!r}")
    return None


def extract_session_attributes(headers: Mapping[Any, Any]) -> dict[str, Any]:
    """Read session attributes from the W3C baggage in headers.

    Args:
        headers: The headers, in any case; values are str, bytes or lists of these.

    Returns:
        The attributes; those that `ops.session` would not accept are left out.

    Example:
        >>> extract_session_attributes({"baggage": "mirascope.session.user_tier=%22premium%22"})
        {'user_tier': 'premium'}
    """
    return accepted_attributes(
        session_baggage.decode(_header_values(headers, session_baggage.HEADER, session_baggage.MAX_BYTES))
    )


def accepted_attributes(attributes: Mapping[Any, Any]) -> dict[str, Any]:
    """Return those attributes that `ops.session` accepts; the first of the others is logged."""
    accepted: dict[str, Any] = {}
    for key, value in attributes.items():
        try:
            accepted.update(session(attributes={key: value}).attributes)
        except OpsError as error:
            # Once, whatever the key: who sends the headers could make up keys without end.
            guard.warn_once("session attribute", f"mirascope_ops ignored a session attribute: {error!s:.500}")
    return accepted


@contextmanager
def propagated_context(
    *, parent: Context | None = None, extract_from: Mapping[Any, Any] | None = None, baggage: bool = False
) -> Generator[None]:
    """Continue a trace and a session that come from elsewhere.

    Args:
        parent: An OpenTelemetry Context, from another thread or task.
        extract_from: Headers, from another service. Give one of the two.
        baggage: Whether the session takes the attributes that arrive as W3C baggage; whoever sends the headers
            chooses these.

    Raises:
        ConfigurationError: Both or neither were given, or something of another type.

    Example:
        >>> from mirascope_ops import ops
        >>> with ops.propagated_context(extract_from={"X-Mirascope-Session-Id": "user-1"}):
        ...     ops.current_session().id
        'user-1'
    """
    if (parent is None) == (extract_from is None):
        message = "propagated_context needs exactly one of parent= (a Context) and extract_from= (headers)."
        raise ConfigurationError(message)
    if extract_from is not None and not hasattr(extract_from, "items"):
        message = f"extract_from must be a mapping of headers, got {_kind(extract_from)}: write extract_from=dict(...)."
        raise ConfigurationError(message)
    if parent is not None and not isinstance(cast("Any", parent), Context):
        message = f"parent must be an OpenTelemetry Context, got {_kind(parent)}: write parent=context.get_current()."
        raise ConfigurationError(message)
    carried: Context = extract_context(extract_from) if extract_from is not None else cast("Context", parent)
    token = context.attach_context(carried)
    session_id = None if extract_from is None else extract_session_id(extract_from)
    # A session from another service is not a child of one that this process happens to be in.
    attributes = {} if not baggage or extract_from is None else extract_session_attributes(extract_from)
    entry = None if session_id is None else enter(session_id, attributes, parent=None)
    found = session_in(carried)
    session_token = None if found is None else CURRENT.set(found)
    try:
        yield
    finally:
        if session_token is not None:
            context.reset(CURRENT, session_token, found)
        if entry is not None:
            leave(entry)
        context.detach_context(token, carried)


def _kind(value: object) -> str:
    return type(value).__name__


def encode_id(session_id: str) -> str:
    """Return a session id as a header value: itself where it is visible ASCII without `%`.

    Example:
        >>> encode_id("user-1"), encode_id("Zoë 1 ")
        ('user-1', 'Zo%C3%AB 1%20')
    """
    if not _NEEDS_ENCODING.search(session_id):
        return session_id
    # Spaces inside survive a header, spaces at its edges do not.
    inner = session_id.strip(" ")
    before = len(session_id) - len(session_id.lstrip(" "))
    after = len(session_id) - before - len(inner)
    return "%20" * before + quote(inner, safe=_SAFE) + "%20" * after


def decode_id(value: str) -> str:
    """Return the session id that a header value stands for; the inverse of `encode_id`.

    A value that no `encode_id` made, whose percent signs stand for no UTF-8, is taken as it is.
    """
    value = value.strip(" \t")
    if "%" not in value:
        return value
    try:
        return unquote_to_bytes(value).decode()
    except UnicodeDecodeError:
        return value


def _add_baggage(carrier: MutableMapping[str, str], attributes: Mapping[str, Any]) -> None:
    """Append session attributes to a baggage header, under the name that it has there."""
    name = next((key for key in carrier if _text(key).lower() == session_baggage.HEADER), session_baggage.HEADER)
    existing = ",".join(_header_values(carrier, name, session_baggage.MAX_BYTES))
    if written := session_baggage.encode(attributes, existing):
        carrier[name] = written


def _header_values(headers: Mapping[Any, Any], name: str, longest: int = _MAX_HEADER) -> list[str]:
    """Return a header's values as text, whatever its case and type; what is not text is left out."""
    wanted = name.lower()
    found: list[str] = []
    size = len(wanted)  # told apart by length first: a server does this for every header of every request
    for key, value in headers.items():
        if isinstance(key, str | bytes) and len(key) == size and _text(key).lower() == wanted:
            values: list[Any] = list(cast("list[Any]", value)) if isinstance(value, list | tuple) else [value]
            found.extend(text for text in map(_text, values) if 0 < len(text) <= longest)
    return found


def _text(value: Any) -> str:
    if isinstance(value, bytes):
        return value.decode("latin-1")
    return value if isinstance(value, str) else ""
