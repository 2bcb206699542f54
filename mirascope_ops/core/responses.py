"""What a model's response adds to the span of the call that returned it.

The one kind known here is Mirascope's (`mirascope.llm.responses`), because `@ops.trace` on top of `@llm.call` is
this library's main use. It is recognised by its class's module, so nothing is imported.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Literal

from mirascope_ops.core import attributes as keys
from mirascope_ops.core import capture

if TYPE_CHECKING:
    from mirascope_ops.core.span import Span

ResponseKind = Literal["whole", "stream"]

_MAX_KINDS: Final = 1000  # a program that makes classes without end must not grow us
_MODULE: Final = "mirascope.llm.responses."
_KINDS: Final[dict[str, ResponseKind]] = {"BaseResponse": "whole", "BaseStreamResponse": "stream"}
_known: dict[type, ResponseKind] = {}
others: Final[set[type]] = set()
"""Types known to be no responses; every result is looked for here first."""


def kind_of(value: Any) -> ResponseKind | None:
    """Tell whether a value is a response of Mirascope's: whole, a stream that has yet to be read, or neither."""
    kind: type = type(value)  # pyright: ignore[reportUnknownVariableType] - any result
    if kind in others:
        return None
    if kind in _known:
        return _known[kind]
    names = [base.__name__ for base in kind.__mro__ if str(base.__module__).startswith(_MODULE)]
    found: ResponseKind | None = next((_KINDS[name] for name in names if name in _KINDS), None)
    if len(_known) + len(others) < _MAX_KINDS:
        if found is None:
            others.add(kind)
        else:
            _known[kind] = found
    return found


def record_response(span: Span, response: Any) -> str:
    """Put a response's messages, content, usage and model on a span, under Mirascope's own keys.

    Args:
        span: The span of the call.
        response: The response; a stream's is what has been read of it.

    Returns:
        The response as text, for the span's output.
    """
    span.set_attribute(keys.RESPONSE_PROVIDER, response.provider_id)
    span.set_attribute(keys.RESPONSE_MODEL, response.model_id)
    messages = list(response.messages)
    # The last message is the answer itself, which goes under `content`.
    span.set_attribute(keys.RESPONSE_MESSAGES, capture.dump([_message(message) for message in messages[:-1]]))
    span.set_attribute(keys.RESPONSE_CONTENT, capture.dump(list(response.content)))
    usage = response.usage
    if usage is not None:
        names = ("input_tokens", "output_tokens", "cache_read_tokens", "cache_write_tokens", "reasoning_tokens")
        counts = {name: getattr(usage, name, None) for name in names}
        counts["total_tokens"] = getattr(usage, "total_tokens", None)
        span.set_attribute(keys.RESPONSE_USAGE, capture.dump(counts))
    return capture.text(response.pretty())


def _message(message: Any) -> dict[str, Any]:
    kept = {"role": message.role, "content": message.content}
    if getattr(message, "name", None) is not None:
        kept["name"] = message.name
    return kept
