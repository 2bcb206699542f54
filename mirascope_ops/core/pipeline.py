"""What the user configured in OpenTelemetry, as our spans need to see it.

A span must honour the provider that exists: its sampler, limits, id generator, resource and processors. Asking
the public API for these at every span costs as much as the span, so a `Pipeline` keeps them and `current()`
checks with two identity comparisons that they still hold: a provider can be installed later, and processors
can be added to it later.

Private names used, each with a fallback: `opentelemetry.trace._TRACER_PROVIDER` (else the public
`get_tracer_provider` and `set_tracer_provider`), the provider's `_active_span_processor`, its `_span_processors`,
`_span_limits` and `_disabled` (else no processors, default limits, enabled).
"""

from __future__ import annotations

import os
import threading
from typing import TYPE_CHECKING, Any, Final

from opentelemetry import trace as otel_trace
from opentelemetry.sdk.trace import SpanLimits
from opentelemetry.sdk.trace import sampling as otel_sampling
from opentelemetry.sdk.trace.id_generator import RandomIdGenerator
from opentelemetry.sdk.util.instrumentation import InstrumentationScope

from mirascope_ops.core import clock, guard
from mirascope_ops.core.version import VERSION

if TYPE_CHECKING:
    from opentelemetry.sdk.resources import Resource

SCOPE_NAME: Final = "mirascope_ops"
_HAS_GLOBAL: Final = hasattr(otel_trace, "_TRACER_PROVIDER")


class Origin:
    """Where a span comes from: the instrumentation scope and the resource, shared by many spans.

    Attributes:
        scope: The instrumentation scope.
        is_foreign: Whether another library made the span.
    """

    __slots__ = ("_resource", "is_foreign", "scope")

    def __init__(self, scope: InstrumentationScope, resource: Resource | None, *, is_foreign: bool = False) -> None:
        self.scope = scope
        self._resource = resource
        self.is_foreign = is_foreign

    @property
    def resource(self) -> Resource:
        """The resource; read from the environment (OTEL_RESOURCE_ATTRIBUTES) where no provider gives one."""
        if self._resource is None:
            # Not Resource.create(): it runs detectors in threads, which a program that is ending, or a process that
            # was just forked, cannot start.
            from opentelemetry.sdk.resources import OTELResourceDetector, Resource

            self._resource = Resource({"service.name": "unknown_service"}).merge(OTELResourceDetector().detect())
        return self._resource


class Pipeline:
    """A provider's settings at one moment.

    Attributes:
        provider: The provider these are of, or None.
        installed: The global provider, when somebody looked last; another one where these are pinned.
        pinned: Whether these hold whatever is installed globally.
        multi: What calls the provider's processors.
        processors: The processors, the very tuple that was seen.
        exporting: Whether there is a processor besides our own.
        sampler: The sampler, or None where it is the default one, whose answer is known.
        ids: The provider's id generator; `clock` where that is the default one.
        limits: The provider's span limits.
        origin: Our scope and the provider's resource.
        disabled: Whether tracing is switched off (OTEL_SDK_DISABLED).
        is_plain: Whether a span that starts has nobody to ask and nobody to tell.
    """

    __slots__ = (
        "disabled", "exporting", "ids", "installed", "is_plain", "limits", "multi", "origin", "pinned", "processors",
        "provider", "sampler",
    )  # fmt: skip

    def __init__(self, provider: Any, *, pinned: bool = False) -> None:
        self.provider = provider
        self.installed = _installed() if pinned else provider
        self.pinned = pinned
        sdk = _sdk_provider(provider)
        self.multi: Any = getattr(sdk, "_active_span_processor", None) or _NO_PROCESSORS
        if not hasattr(self.multi, "_span_processors"):
            self.multi = _Opaque(self.multi)
        self.processors: tuple[Any, ...] = self.multi._span_processors  # noqa: SLF001
        self.exporting = any(not _is_ours(processor) for processor in self.processors)
        sampler = getattr(sdk, "sampler", None)
        self.sampler = None if sampler is None or sampler is otel_sampling.DEFAULT_ON else sampler
        ids = getattr(sdk, "id_generator", None)
        self.ids: Any = clock if ids is None or type(ids) is RandomIdGenerator else ids
        self.limits: SpanLimits = getattr(sdk, "_span_limits", None) or SpanLimits()
        self.origin = Origin(_SCOPE, getattr(sdk, "resource", None))
        self.disabled = bool(getattr(sdk, "_disabled", False)) or _disabled_by_environment()
        self.is_plain = self.sampler is None and self.ids is clock and not (self.exporting or self.disabled)


class _NoProcessors:
    """Stands for the processors of a provider that has none that we can see."""

    _span_processors: tuple[Any, ...] = ()

    def on_start(self, span: Any, parent_context: Any = None) -> None:
        pass

    def on_end(self, span: Any) -> None:
        pass


_NO_PROCESSORS: Final = _NoProcessors()
_SCOPE: Final = InstrumentationScope(SCOPE_NAME, VERSION)


class _Opaque:
    """A provider's processors that we cannot look into: taken as one."""

    def __init__(self, multi: Any) -> None:
        self.on_start = multi.on_start
        self.on_end = multi.on_end
        self._span_processors: tuple[Any, ...] = (multi,)


def _disabled_by_environment() -> bool:
    return os.environ.get("OTEL_SDK_DISABLED", "").strip().lower() == "true"


def _sdk_provider(provider: Any) -> Any:
    """Return the SDK's provider, from inside a wrapper where there is one (logfire's proxy has `.provider`)."""
    for _ in range(4):
        if provider is None or hasattr(provider, "_active_span_processor"):
            return provider
        provider = getattr(provider, "provider", None)
    return provider


def _is_ours(processor: Any) -> bool:
    return getattr(processor, "mirascope_ops_processor", False) is True


def _installed() -> Any:
    """Return the global provider, or None where none was set (without making OpenTelemetry set one)."""
    if _HAS_GLOBAL:
        return otel_trace._TRACER_PROVIDER  # noqa: SLF001 # pyright: ignore[reportPrivateUsage]
    provider = otel_trace.get_tracer_provider()
    return None if isinstance(provider, otel_trace.ProxyTracerProvider) else provider


class _Unknown:
    """Stands for OpenTelemetry's module where that does not tell its global provider: nothing is what this tells."""

    _TRACER_PROVIDER = object()


HOLDER: Final[Any] = otel_trace if _HAS_GLOBAL else _Unknown()
_joining = threading.Lock()  # threads that make their first spans together add one processor
NONE: Final = Pipeline(None)
"""The settings of a span that has not started."""
latest = NONE
"""The settings that held when somebody asked last."""


def current() -> Pipeline:
    """Return the settings that hold now; joins a provider that has appeared since the last call.

    `Span.start` looks by itself whether those of the last call hold, and calls this where they may not.
    """
    pipeline, installed = latest, _installed()
    if pipeline.multi._span_processors is pipeline.processors and (pipeline.pinned or installed is pipeline.provider):  # noqa: SLF001
        pipeline.installed = installed
        return pipeline
    return _refresh(pipeline)


def has_global() -> bool:
    """Tell whether a tracer provider is installed globally."""
    return _installed() is not None


def install(provider: Any) -> None:
    """Install a provider globally for want of the user's, which may still take its place.

    OpenTelemetry accepts one provider in a process. A notebook that loads our extension in its first cell and
    configures logfire in its second would have logfire refused, and both would miss the other's spans.
    """
    if _HAS_GLOBAL:
        otel_trace._TRACER_PROVIDER = provider  # noqa: SLF001 # pyright: ignore[reportPrivateUsage]
    else:
        otel_trace.set_tracer_provider(provider)


def pin(provider: Any) -> None:
    """Use this provider from now on, whatever is installed globally; None follows the global one again."""
    global latest  # noqa: PLW0603 - process-wide, as OpenTelemetry's provider is
    latest = Pipeline(_installed() if provider is None else provider, pinned=provider is not None)
    join(latest.provider)
    latest = Pipeline(latest.provider, pinned=latest.pinned)


def refresh() -> Pipeline:
    """Read the environment and the provider anew; for tests and for `configure`."""
    return _refresh(latest)


def _refresh(old: Pipeline) -> Pipeline:
    global latest  # noqa: PLW0603 - process-wide, as OpenTelemetry's provider is
    provider = old.provider if old.pinned else _installed()
    join(provider)
    latest = Pipeline(provider, pinned=old.pinned)
    return latest


def join(provider: Any) -> None:
    """Add our processor to a provider, once, so that other libraries' spans get their session and are stored.

    Args:
        provider: The provider; None, or one that takes no processors, is left alone.
    """
    from mirascope_ops.core.processor import SessionProcessor

    sdk = _sdk_provider(provider)
    if sdk is None:
        return
    try:
        with _joining:
            multi = getattr(sdk, "_active_span_processor", None)
            if not any(_is_ours(processor) for processor in getattr(multi, "_span_processors", ())):
                sdk.add_span_processor(SessionProcessor())
    except Exception as error:  # noqa: BLE001 - a provider of another kind; our own spans work without it
        guard.report("joining the tracer provider", error)
