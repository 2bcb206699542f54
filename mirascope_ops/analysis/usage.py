"""Tokens and costs that libraries report as one JSON object, under their providers' own names."""

from __future__ import annotations

from typing import Any, cast

from mirascope_ops.analysis.values import mapping, number, tokens

# One centicent, Mirascope's unit, is a hundredth of a cent.
_CENTICENTS_PER_DOLLAR = 10_000

_CACHE_READ = (
    "cache_read_tokens",
    "cache_read_input_tokens",
    "input_cached_tokens",
    "cached_tokens",
    "input_cache_read",
    "cache_read",
    "prompt_cached_tokens",
    "cached_content_token_count",
    "cachedContentTokenCount",
    "cachedContentTokens",
    "cacheReadInputTokens",
    "cachedInputTokens",
)
# The names of OpenAI, Anthropic, Gemini, Bedrock, Ollama and Cohere, and of those who rename them.
_INPUT = (
    "input_tokens",
    "prompt_tokens",
    "inputTokens",
    "promptTokens",
    "prompt_token_count",
    "promptTokenCount",
    "inputTokenCount",
    "prompt_eval_count",
)
_OUTPUT = (
    "output_tokens",
    "completion_tokens",
    "outputTokens",
    "completionTokens",
    "candidates_token_count",
    "candidatesTokenCount",
    "outputTokenCount",
    "eval_count",
)
_DETAILS = ("prompt_tokens_details", "input_tokens_details", "input_token_details", "inputTokenDetails")
# Where a whole response keeps its usage.
_INSIDE = ("usage", "usage_metadata", "usageMetadata", "token_usage", "tokenUsage")


def input_tokens(value: object) -> int | None:
    """Give the prompt's tokens, cached ones included.

    Args:
        value: A usage object such as `{"prompt_tokens": 26, ...}`, or its JSON text.

    Example:
        >>> input_tokens('{"input": 20, "input_cached_tokens": 6, "output": 5}')
        26
    """
    found = _usage_in(value)
    counted = tokens(_first(found, *_INPUT))
    return counted if counted is not None else _parts(found, "input")


def output_tokens(value: object) -> int | None:
    """Give the answer's tokens, from the same objects as `input_tokens`."""
    found = _usage_in(value)
    counted = tokens(_first(found, *_OUTPUT))
    return counted if counted is not None else _parts(found, "output")


def cache_read_tokens(value: object) -> int | None:
    """Give the prompt's tokens that came from the provider's cache, also from OpenAI's nested details."""
    found = _usage_in(value)
    for level in (found, *(found.get(name) for name in _DETAILS)):
        if isinstance(level, dict):
            counted = tokens(_first(cast("dict[str, Any]", level), *_CACHE_READ))
            if counted is not None:
                return counted
    return None


def dollars(value: object) -> float | None:
    """Give a cost in US dollars, from a number or from an object with a total or with parts.

    Example:
        >>> dollars('{"input": 0.25, "output": 0.5}'), dollars("0.5")
        (0.75, 0.5)
    """
    found = mapping(value)
    if found is None:
        return number(value)
    total = number(_first(found, "total", "total_cost"))
    if total is not None:
        return total
    parts = [cost for cost in map(number, found.values()) if cost is not None]
    return sum(parts) if parts else None


def centicents(value: object) -> float | None:
    """Give a cost that is reported in Mirascope's centicents in US dollars."""
    found = dollars(value)
    return None if found is None else found / _CENTICENTS_PER_DOLLAR


def _usage_in(value: object) -> dict[str, Any]:
    found = mapping(value) or {}
    return next((inner for name in _INSIDE if (inner := mapping(found.get(name))) is not None), found)


def _first(found: dict[str, Any], *names: str) -> Any:
    return next((found[name] for name in names if found.get(name) is not None), None)


def _parts(found: dict[str, Any], name: str) -> int | None:
    # Langfuse's own names: `input` holds what no other `input_...` part counts.
    if tokens(found.get(name)) is None:
        return None
    parts = (tokens(count) for key, count in found.items() if key == name or key.startswith(f"{name}_"))
    return sum(count for count in parts if count is not None)
