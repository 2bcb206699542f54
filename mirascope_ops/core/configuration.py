"""`ops.configure`: which provider, which store, what is captured and what is masked."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, Final

from opentelemetry import trace as otel_trace

from mirascope_ops.core import backend, capture, pipeline
from mirascope_ops.core import prices as model_prices
from mirascope_ops.exceptions import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path


class _Unchanged:
    """Tells an argument that was left out from None."""

    def __repr__(self) -> str:
        return "<unchanged>"


_UNCHANGED: Final = _Unchanged()


def configure(
    *,
    tracer_provider: Any = None,
    store: str | Path | _Unchanged | None = _UNCHANGED,
    capture_content: bool | None = None,
    capture_limit: int | None = None,
    redact: Callable[[str, Any], Any] | _Unchanged | None = _UNCHANGED,
    mask_secrets: bool | None = None,
    prices: Mapping[str, Mapping[str, float]] | str | Path | _Unchanged | None = _UNCHANGED,
) -> None:
    """Change how this process is traced; what is left out stays as it is.

    Nothing need be configured: without this, spans go to the local store and join whatever tracer provider
    exists. Calling it also installs an OpenTelemetry tracer provider where there is none, so that spans of
    other libraries are seen.

    Args:
        tracer_provider: The SDK TracerProvider whose sampler, limits, processors and resource our spans use. It
            becomes the global one where there is none.
        store: A file, ":memory:" for nothing on disk, "off" to record nothing, None for the default place.
        capture_content: Whether arguments and results are captured.
        capture_limit: Bytes of JSON a captured value; longer ones are cut.
        redact: Called with the key and value of everything that is captured; returns what is kept instead.
            None takes an earlier one away.
        mask_secrets: Whether values under keys such as `api_key` or `password` are masked.
        prices: What models cost, for spans that report tokens and no cost: a mapping such as
            `{"gpt-4o-mini": {"input_per_million": 0.15, "output_per_million": 0.60}}` in US dollars (also
            `cache_read_per_million`, and `..._per_token`), or a file of it, .json or .csv. None for no prices.

    Raises:
        ConfigurationError: A value means nothing; nothing is changed.
        StoreError: The store cannot be opened.

    Example:
        >>> configure(store=":memory:", capture_limit=16_384)
    """
    _check(tracer_provider, capture_limit, redact)
    _check_kinds(store, capture_content=capture_content, mask_secrets=mask_secrets)
    priced = None if isinstance(prices, _Unchanged) else model_prices.read(prices)
    if not isinstance(store, _Unchanged):
        backend.get().reopen(store)
    if priced is not None:
        model_prices.prices = priced
    policy = capture.policy
    if capture_content is not None:
        policy.enabled = capture_content
    if capture_limit is not None:
        policy.limit = capture_limit
    if mask_secrets is not None:
        policy.mask_secrets = mask_secrets
    if not isinstance(redact, _Unchanged):
        policy.redact = redact
    if tracer_provider is None:
        ensure_provider()
    else:
        if not pipeline.has_global():
            otel_trace.set_tracer_provider(tracer_provider)
        pipeline.pin(tracer_provider)


def _check(tracer_provider: Any, capture_limit: int | None, redact: Any) -> None:
    if tracer_provider is not None and not hasattr(tracer_provider, "add_span_processor"):
        message = (
            "tracer_provider must be an SDK TracerProvider (opentelemetry.sdk.trace.TracerProvider), "
            f"got {type(tracer_provider).__name__}."
        )
        raise ConfigurationError(message)
    if capture_limit is not None and (type(capture_limit) is not int or capture_limit < 1):
        message = f"capture_limit must be a whole number of bytes above 0, got {capture_limit!r}."
        raise ConfigurationError(message)
    if not isinstance(redact, _Unchanged) and redact is not None and not callable(redact):
        message = f"redact must be a function of a key and a value, got {type(redact).__name__}."
        raise ConfigurationError(message)


def _check_kinds(store: Any, **switches: Any) -> None:
    for name, value in switches.items():
        if value is not None and type(value) is not bool:
            message = f"{name} must be True or False, got {value!r}."
            raise ConfigurationError(message)
    if not (store is None or isinstance(store, str | os.PathLike | _Unchanged)):
        message = f'store must be a file\'s path, ":memory:", "off" or None, got {store!r}.'
        raise ConfigurationError(message)


def ensure_provider() -> None:
    """Install an SDK tracer provider where none is, and join the one that is, so that foreign spans are seen."""
    if not pipeline.has_global():
        from opentelemetry.sdk.trace import TracerProvider

        pipeline.install(TracerProvider())
    pipeline.refresh()
