"""Masks for what reaches the store without having been captured by us: foreign spans, exceptions, annotations, OTLP.

What `@ops.trace`, `ops.span` and `ops.session` take is masked as it is captured (`core.capture`). Other libraries write
onto their spans what they like, headers and clients' settings included, and an exception's message may tell a whole
argument. This is the last place before a file.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, cast

import orjson

from mirascope_ops.core import capture, guard, masking, outline
from mirascope_ops.store.records import SpanRecord

if TYPE_CHECKING:
    from collections.abc import Mapping, MutableMapping

    from mirascope_ops.store.records import AnnotationRecord, RunRecord

_MESSAGE: Final = "exception.message"
_STACKTRACE: Final = "exception.stacktrace"
_RESOURCE: Final = SpanRecord._fields.index("resource")
_OPENINGS: Final = frozenset("{[")
_HARMLESS: Final = frozenset((int, float, bool, type(None)))
_MOST_RESOURCES: Final = 100
# What was made of each, by identity, under which policy; held, so that nothing takes its place in memory meanwhile.
_resources: Final[dict[int, tuple[tuple[Any, bool], Mapping[str, Any], Mapping[str, Any]]]] = {}


def attributes(found: Mapping[str, Any]) -> Mapping[str, Any]:
    """Mask the attributes of another library's span, event or link, JSON texts among them.

    Example:
        >>> attributes({"http.request.header.authorization": ["Bearer s"], "options": '{"n": 1, "api_key": "s"}'})
        {'http.request.header.authorization': '[masked]', 'options': '{"n":1,"api_key":"[masked]"}'}
    """
    policy = capture.policy
    if policy.redact is None and not (policy.mask_secrets and any(map(_may_be_secret, found.items()))):
        return found
    try:
        return {key: _value(key, value) for key, value in found.items()}
    except Exception as error:  # noqa: BLE001 - the user's rule may raise anything; what it did not see is not kept
        guard.report("masking attributes", error)
        return dict.fromkeys(found, masking.MASK)


def message(text: str) -> str:
    """Mask what an exception's message tells of secrets.

    Example:
        >>> message("no such client: Client(host='db', api_key='sk-1')")
        "no such client: Client(host='db', api_key=[masked])"
    """
    return outline.masked(text)


def foreign_message(text: str) -> str:
    """Mask the message of an error of another library or process, which the user's rule has not seen."""
    return _redacted(_MESSAGE, message(text))


def resource(found: Mapping[str, Any]) -> Mapping[str, Any]:
    """Mask what this process says of itself as what it captures is, each resource once: all its spans share it.

    Example:
        >>> resource({"service.name": "app", "api_key": "s"})
        {'service.name': 'app', 'api_key': '[masked]'}
    """
    rules = capture.policy.redact, capture.policy.mask_secrets
    known = _resources.get(id(found))
    if known is None or known[0] != rules:
        if len(_resources) >= _MOST_RESOURCES:  # somebody makes a provider for every task
            _resources.clear()
        told = {key: capture.attribute(value, key) for key, value in found.items() if value is not None}
        known = _resources[id(found)] = rules, found, told
    return known[2]


def event(found: Mapping[str, Any]) -> Mapping[str, Any]:
    """Mask the message of an exception event, and the same message in its traceback; others come back as they are."""
    told = found.get(_MESSAGE)
    if not isinstance(told, str) or (masked := message(told)) == told:
        return found
    trace = found.get(_STACKTRACE)
    changed = {**found, _MESSAGE: masked}
    return {**changed, _STACKTRACE: trace.replace(told, masked)} if isinstance(trace, str) else changed


def metadata(found: Mapping[str, Any]) -> Mapping[str, Any]:
    """Mask what a person adds to an annotation."""
    return attributes(found)


def annotation(found: AnnotationRecord) -> AnnotationRecord:
    """Mask a judgement that another process recorded; of this process's own the texts are masked already."""
    label, reasoning = (None if text is None else _redacted("", text) for text in (found.label, found.reasoning))
    return found._replace(label=label, reasoning=reasoning, metadata=metadata(found.metadata))


def span(found: SpanRecord, resources: MutableMapping[int, tuple[Any, Mapping[str, Any]]]) -> SpanRecord:
    """Mask a span that another process recorded.

    Args:
        found: The span.
        resources: The resources so far, by identity, which many spans share; each with what was made of it.
    """
    policy = capture.policy
    if not policy.mask_secrets and policy.redact is None:
        return found
    known = resources.get(id(found.resource))
    if known is None:
        known = resources[id(found.resource)] = found.resource, attributes(found.resource)
    masked = attributes(found.attributes)
    told = found.session_attributes
    if not (found.status_message or told or found.events or found.links):
        return SpanRecord._make((*found[:_RESOURCE], known[1], masked, (), ()))
    return found._replace(
        status_message=foreign_message(found.status_message) if found.status_message else "",
        session_attributes=_session_attributes(told),
        resource=known[1],
        attributes=masked,
        events=[each._replace(attributes=event(attributes(each.attributes))) for each in found.events],
        links=[each._replace(attributes=attributes(each.attributes)) for each in found.links],
    )


def run(found: RunRecord) -> RunRecord:
    """Mask an entry into a session that another process recorded."""
    return found._replace(attributes=attributes(found.attributes))


def _session_attributes(told: str | None) -> str | None:
    """Mask a session's attributes, which are JSON text; what is no object is nobody's attributes."""
    if not told or (capture.policy.redact is None and not masking.may_hold_secret(told)):
        return told
    try:
        data = orjson.loads(told)
    except orjson.JSONDecodeError:
        return _redacted("", told)
    if not isinstance(data, dict):
        return _redacted("", told)
    return orjson.dumps(attributes(cast("dict[str, Any]", data)), default=str).decode()


def _redacted(key: str, text: str) -> str:
    """Apply the user's rule to a text; one that fails must not let anything through."""
    redact = capture.policy.redact
    try:
        return text if redact is None else str(redact(key, text))
    except Exception as error:  # noqa: BLE001 - the user's own code
        guard.report("masking a text", error)
        return masking.MASK


def _may_be_secret(item: tuple[str, Any]) -> bool:
    """Tell whether an attribute is worth a closer look; of most a glance tells that nothing is to be masked."""
    key, value = item
    if masking.is_secret(key):
        return True
    if type(value) is str:
        return value[:1] in _OPENINGS and masking.may_hold_secret(value)
    return type(value) not in _HARMLESS


def _value(key: str, value: Any) -> Any:
    policy = capture.policy
    if policy.mask_secrets and masking.is_secret(key):
        return masking.MASK
    if isinstance(value, str):
        return _text(key, value)
    if isinstance(value, tuple | list):
        return [_value(key, each) for each in cast("list[Any]", value)]
    if isinstance(value, dict):
        return {name: _value(name, each) for name, each in cast("dict[str, Any]", value).items()}
    return value if policy.redact is None else policy.redact(key, value)


def _text(key: str, value: str) -> Any:
    policy = capture.policy
    is_json = value[:1] in _OPENINGS and (policy.redact is not None or masking.may_hold_secret(value))
    if is_json:
        try:
            data = orjson.loads(value)
        except orjson.JSONDecodeError:
            pass
        else:
            return orjson.dumps(masking.mask(data, policy.redact, key)).decode()
    return value if policy.redact is None else policy.redact(key, value)
