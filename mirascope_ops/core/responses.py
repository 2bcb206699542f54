"""What a model's response adds to the span of the call that returned it.

The one kind known here is Mirascope's (`mirascope.llm.responses`), because `@ops.trace` on top of `@llm.call` is
this library's main use. It is recognised by its class's module, so nothing is imported.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from mirascope_ops.core import attributes as keys
from mirascope_ops.core import capture

if TYPE_CHECKING:
    from mirascope_ops.core.span import Span

_MODULE: Final = "mirascope.llm.responses."
_known: dict[type, bool] = {}


def is_response(value: Any) -> bool:
    """Tell whether a value is a complete response of Mirascope's (a stream is not: it has yet to be read)."""
    kind: type = type(value)  # pyright: ignore[reportUnknownVariableType] - any result
    found = _known.get(kind)
    if found is None:
        found = any(base.__module__.startswith(_MODULE) and base.__name__ == "BaseResponse" for base in kind.__mro__)
        if len(_known) < 1000:  # noqa: PLR2004 - a program that makes classes without end must not grow us
            _known[kind] = found
    return found


def record_response(span: Span, response: Any) -> str:
    """Put a response's messages, content, usage and model on a span, under Mirascope's own keys.

    Args:
        span: The span of the call.
        response: The response.

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
