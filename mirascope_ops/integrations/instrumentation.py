"""Switching on the instrumentations that are installed: OpenTelemetry's by entry point, and Mirascope's own.

An instrumentation is a package that makes another library emit OpenTelemetry spans
(`opentelemetry-instrumentation-openai-v2`, `openinference-instrumentation-openai`, ...). Its spans appear under the
traced function that called the library, in its session, in our store.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points
from typing import Any, Final, NamedTuple

from opentelemetry import trace as otel_trace

from mirascope_ops._optional import require
from mirascope_ops.core import pipeline
from mirascope_ops.core.configuration import ensure_provider
from mirascope_ops.exceptions import ConfigurationError

_GROUP: Final = "opentelemetry_instrumentor"
_MIRASCOPE_TRACER: Final = "mirascope.llm"  # the name under which Mirascope's own instrumentation makes its spans


class Instrumentation(NamedTuple):
    """An installed instrumentation.

    Attributes:
        name: What it instruments, as its entry point says: "openai".
        package: The package that it came with: "opentelemetry-instrumentation-openai-v2".
        problem: Why it could not be switched on; empty where it could.
    """

    name: str
    package: str
    problem: str = ""

    def __str__(self) -> str:
        return f"{self.name} ({self.package})"


@dataclass(frozen=True)
class Instrumented:
    """What `instrument` did.

    Attributes:
        on: The instrumentations that it switched on.
        already: Those that were on before.
        failed: Those that could not be switched on; their `problem` says why.
    """

    on: tuple[Instrumentation, ...] = ()
    already: tuple[Instrumentation, ...] = ()
    failed: tuple[Instrumentation, ...] = ()

    def __repr__(self) -> str:
        if not (self.on or self.already or self.failed):
            return "No instrumentation is installed; for one: pip install opentelemetry-instrumentation-openai-v2"
        lines: list[str] = []
        for title, found in (("Switched on", self.on), ("On already", self.already)):
            if found:
                lines.append(f"{title}: {', '.join(map(str, found))}")
        lines += [f"Failed: {one}: {one.problem}" for one in self.failed]
        return "\n".join(lines)


def instrument(*names: str) -> Instrumented:
    """Switch on the OpenTelemetry instrumentations that are installed, so that the libraries' calls are seen.

    Installs an OpenTelemetry tracer provider where there is none. One instrumentation that fails does not keep the
    others off.

    Args:
        *names: Which: what they instrument ("openai"), or their package where several instrument the same
            ("openinference-instrumentation-openai"). All that are installed where none is named.

    Returns:
        Which were switched on, which were on before, and which failed and why.

    Raises:
        ConfigurationError: No instrumentation of that name is installed; nothing is switched on.

    Example:
        ops.instrument()  # Switched on: openai (opentelemetry-instrumentation-openai-v2), threading (...)
    """
    chosen = _chosen(names)
    ensure_provider()
    current = pipeline.current()
    # An instrumentation takes the global provider by itself; one that was only given to us must be handed on.
    options = {"tracer_provider": current.provider} if current.pinned else {}
    on: list[Instrumentation] = []
    already: list[Instrumentation] = []
    failed: list[Instrumentation] = []
    for entry in chosen:
        found = Instrumentation(entry.name, _package(entry))
        try:
            (on if _switch_on(entry, options) else already).append(found)
        except Exception as error:  # noqa: BLE001 - whatever another package raises, the rest is switched on
            failed.append(found._replace(problem=f"{type(error).__name__}: {error}"))
    return Instrumented(tuple(on), tuple(already), tuple(failed))


def _chosen(names: tuple[str, ...]) -> list[EntryPoint]:
    """Return the entry points of these names, or all, in a fixed order; raises where a name is unknown."""
    installed = {(entry.name, _package(entry)): entry for entry in entry_points(group=_GROUP)}
    entries = [entry for _, entry in sorted(installed.items())]
    known = {name for entry in entries for name in (entry.name, _package(entry))}
    unknown = [name for name in names if name not in known]
    if unknown:
        there = ", ".join(str(Instrumentation(entry.name, _package(entry))) for entry in entries) or "none"
        message = (
            f"No instrumentation called {', '.join(map(repr, unknown))} is installed. Installed: {there}. "
            "Install another one first, for example: pip install opentelemetry-instrumentation-openai-v2"
        )
        raise ConfigurationError(message)
    return [entry for entry in entries if not names or entry.name in names or _package(entry) in names]


def _package(entry: EntryPoint) -> str:
    return entry.value.partition(":")[0] if entry.dist is None else entry.dist.name


def _switch_on(entry: EntryPoint, options: dict[str, Any]) -> bool:
    """Switch one on; False where it was on already."""
    instrumentor = entry.load()()
    if getattr(instrumentor, "is_instrumented_by_opentelemetry", False):
        return False
    # Without this, an instrumentation whose library is missing logs an error and returns as if all were well.
    instrumentor.instrument(raise_exception_on_conflict=True, **options)
    return True


_tracer_contexts: list[Any] = []  # what Mirascope's tracer was before, kept to be put back


def instrument_llm() -> None:
    """Switch on Mirascope's own instrumentation: every call of a model through `mirascope.llm` makes a span.

    Its spans carry the model's messages, tools and tokens under OpenTelemetry's names; under `@ops.trace` on top of
    `@llm.call`, the model call counts once. Done twice, it is on once. Installs an OpenTelemetry tracer provider
    where there is none.

    Raises:
        ImportError: A package is missing; the message holds the command that installs it.

    Example:
        ops.instrument_llm()
        with ops.session(id="user-123"):
            chat("What is the capital of France?")  # a span of kind "llm" below the one of @ops.trace
    """
    theirs = _mirascope_ops()
    ensure_provider()
    current = pipeline.current()
    tracer = otel_trace.get_tracer(_MIRASCOPE_TRACER, tracer_provider=current.provider if current.pinned else None)
    # Mirascope's `configure` would install its provider globally, once more; this is its other public way.
    _leave_tracer()
    context = theirs.tracer_context(tracer)
    context.__enter__()
    _tracer_contexts.append(context)
    theirs.instrument_llm()


def uninstrument_llm() -> None:
    """Switch Mirascope's own instrumentation off again; where it is off, nothing happens.

    Raises:
        ImportError: A package is missing; the message holds the command that installs it.
    """
    theirs = _mirascope_ops()
    theirs.uninstrument_llm()
    _leave_tracer()


def _leave_tracer() -> None:
    while _tracer_contexts:
        _tracer_contexts.pop().__exit__(None, None, None)


def _mirascope_ops() -> Any:
    """Import `mirascope.ops` with all that it needs; Mirascope puts stubs in the place of what is missing."""
    theirs = require("mirascope.ops", extra="instrument")
    if isinstance(theirs.instrument_llm, type):
        message = (
            "The packages that Mirascope's instrumentation needs are missing. Install them with: "
            'pip install "mirascope_ops[instrument]"'
        )
        raise ImportError(message, name="mirascope.ops")  # noqa: TRY004 - a package is missing, whatever stands for it
    return theirs
