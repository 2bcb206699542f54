"""Operations for LLM applications: sessions, traces and spans, at home in Jupyter.

    from mirascope_ops import ops

    @ops.trace
    def answer(question: str) -> str: ...

    with ops.session(id="user-123", attributes={"user_tier": "premium"}):
        answer.wrapped("What is the capital of France?")

    ops.get_session("user-123")

`ops` is this package: `import mirascope_ops as ops` is the same thing. Importing it opens nothing, starts
nothing and prints nothing; the first span opens the local store.
"""

from __future__ import annotations

import importlib
import sys
from typing import TYPE_CHECKING, Any

from mirascope_ops.core import backend as _backend
from mirascope_ops.core.propagation import (
    SESSION_HEADER_NAME,
    ContextPropagator,
    PropagatorFormat,
    extract_context,
    extract_session_attributes,
    extract_session_id,
    get_propagator,
    inject_context,
    propagated_context,
    reset_propagator,
)
from mirascope_ops.core.result import Trace
from mirascope_ops.core.session import SessionContext, current_session, session
from mirascope_ops.core.span import Span, span
from mirascope_ops.core.tracing import AsyncTracedFunction, TraceDecorator, TracedFunction, trace
from mirascope_ops.exceptions import (
    CheckError,
    ConfigurationError,
    FormatError,
    NotFoundError,
    OpsError,
    ReplayError,
    SessionError,
    StoreError,
    TraceTargetError,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from types import ModuleType

    from mirascope_ops import llm, ops, store
    from mirascope_ops.analysis.rows import SpanRow
    from mirascope_ops.conversations import Conversation
    from mirascope_ops.core.binding import bind_context
    from mirascope_ops.core.configuration import configure
    from mirascope_ops.core.processor import SessionProcessor
    from mirascope_ops.core.versioning import VersionInfo, version
    from mirascope_ops.files import from_pandas, read_otlp, read_parquet
    from mirascope_ops.integrations.instrumentation import instrument, instrument_llm, uninstrument_llm
    from mirascope_ops.reading import get_session, get_trace, last_trace, sessions, spans, traces
    from mirascope_ops.receiver.listener import Listener
    from mirascope_ops.receiver.listening import listen
    from mirascope_ops.recording import Recording
    from mirascope_ops.replaying import Replay
    from mirascope_ops.sessionset import Session, SessionSet
    from mirascope_ops.spandiff import SpanDiff
    from mirascope_ops.spanset import SpanSet, StoredTrace, TraceSet

__all__ = [
    "SESSION_HEADER_NAME",
    "AsyncTracedFunction",
    "CheckError",
    "ConfigurationError",
    "ContextPropagator",
    "Conversation",
    "FormatError",
    "Listener",
    "NotFoundError",
    "OpsError",
    "PropagatorFormat",
    "Recording",
    "Replay",
    "ReplayError",
    "Session",
    "SessionContext",
    "SessionError",
    "SessionProcessor",
    "SessionSet",
    "Span",
    "SpanDiff",
    "SpanSet",
    "StoreError",
    "StoredTrace",
    "Trace",
    "TraceDecorator",
    "TraceSet",
    "TraceTargetError",
    "TracedFunction",
    "VersionInfo",
    "bind_context",
    "configure",
    "current_session",
    "extract_context",
    "extract_session_attributes",
    "extract_session_id",
    "from_pandas",
    "get_propagator",
    "get_session",
    "get_trace",
    "inject_context",
    "instrument",
    "instrument_llm",
    "last_trace",
    "listen",
    "llm",
    "ops",
    "propagated_context",
    "read_otlp",
    "read_parquet",
    "reset_propagator",
    "session",
    "sessions",
    "span",
    "spans",
    "store",
    "trace",
    "traces",
    "uninstrument_llm",
    "version",
]

# Names that are loaded on first use: a program that only traces needs none of what they bring in.
_LAZY = {
    "Conversation": "conversations",
    "Listener": "receiver.listener",
    "Recording": "recording",
    "Replay": "replaying",
    "Session": "sessionset",
    "SessionProcessor": "core.processor",
    "SessionSet": "sessionset",
    "SpanDiff": "spandiff",
    "SpanSet": "spanset",
    "StoredTrace": "spanset",
    "TraceSet": "spanset",
    "VersionInfo": "core.versioning",
    "bind_context": "core.binding",
    "configure": "core.configuration",
    "from_pandas": "files",
    "get_session": "reading",
    "get_trace": "reading",
    "instrument": "integrations.instrumentation",
    "instrument_llm": "integrations.instrumentation",
    "last_trace": "reading",
    "listen": "receiver.listening",
    "read_otlp": "files",
    "read_parquet": "files",
    "sessions": "reading",
    "spans": "reading",
    "traces": "reading",
    "uninstrument_llm": "integrations.instrumentation",
    "version": "core.versioning",
}
_MODULES = ("llm", "ops", "store", "testing")


def __getattr__(name: str) -> Any:
    if name in _LAZY:
        found = getattr(importlib.import_module(f"{__name__}.{_LAZY[name]}"), name)
        globals()[name] = found
        return found
    if name in _MODULES:
        return importlib.import_module(f"{__name__}.{name}")
    message = f"module {__name__!r} has no attribute {name!r}"
    raise AttributeError(message)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


_VERSION_SPANS = 1_000  # the newest so many spans of a function tell its versions; reading them takes some 10 ms


class _LazyBackend:
    """What is above the core, imported when the core first asks for it."""

    @property
    def _reading(self) -> ModuleType:
        from mirascope_ops import reading

        return reading

    @property
    def _recorder(self) -> ModuleType:
        with _backend.loading:
            from mirascope_ops.store import recorder

        return recorder

    def open(self) -> _backend.Sink:
        return self._recorder.active().sink

    def reopen(self, setting: Any) -> None:
        self._recorder.reopen(setting)

    def flush(self) -> None:
        self._recorder.active().flush()

    def record_run(self, context: SessionContext) -> None:
        self._recorder.active().record_run(context)

    def annotate(self, annotation: Mapping[str, Any]) -> None:
        from mirascope_ops.store.records import AnnotationRecord

        self._recorder.active().annotate(AnnotationRecord(**annotation))

    def session(self, context: SessionContext) -> Session:
        return self._reading.session_card_of(context)

    def review(self, spans: Sequence[SpanRow], by: str | None, session_id: str | None) -> Any:
        from mirascope_ops.views.timeline_bundle import bundle

        built = bundle("review") if _has_frontend() else None
        if built is None:
            message = (
                "review() is a widget of notebooks, and there is none here. In a script, judge by "
                'trace.annotate(label="pass", reasoning="...", metadata={"score": 5}).'
            )
            raise OpsError(message)
        from mirascope_ops.notebook.review import Review

        return Review(spans, built, by, session_id)

    def live(self, context: SessionContext) -> Any:
        from mirascope_ops.notebook.live import Live

        return Live(context)

    def spans(self, trace_id: str, span_id: str) -> SpanSet:
        return self._reading.get_trace(trace_id).below(span_id)

    def versions(self, name: str) -> list[tuple[str, str, str]]:
        from mirascope_ops.core import attributes as keys
        from mirascope_ops.store.records import SpanQuery

        recorder = self._recorder.active()
        found: dict[tuple[str, str, str], None] = {}
        if recorder.recording:
            for span in recorder.readable().spans(SpanQuery(name=name, limit=_VERSION_SPANS)):
                known = span.attributes
                if keys.VERSION_HASH in known and keys.VERSION_NUMBER in known:
                    signature = str(known.get(keys.VERSION_SIGNATURE_HASH, ""))
                    found[str(known[keys.VERSION_HASH]), signature, str(known[keys.VERSION_NUMBER])] = None
        return list(found)

    def replay(self, spans: SpanSet, function: Any, given: Mapping[str, Any]) -> Replay:
        from mirascope_ops.replaying import replay

        return replay(spans, function, given)

    def timeline(self, spans: Sequence[SpanRow], options: Mapping[str, Any]) -> Any:
        from mirascope_ops.views import figures
        from mirascope_ops.views.timeline_bundle import bundle
        from mirascope_ops.views.timeline_options import timeline_options

        checked = timeline_options(options)
        built = bundle("timeline") if _has_frontend() else None
        if built is None:
            return figures.draw("timeline", spans)
        from mirascope_ops.notebook.timeline import Timeline

        return Timeline(spans, checked, built)

    def show(self, shown: Any) -> None:
        ipython: Any = sys.modules.get("IPython")
        if ipython is not None and ipython.get_ipython() is not None:
            ipython.display.display(shown)
        else:
            sys.stdout.write(f"{shown.to_text()}\n")

    def view(self, shown: SpanRow, include: Any, exclude: Any) -> Any:
        from mirascope_ops.views import html, text
        from mirascope_ops.views.bundle import bundle, chosen

        data = {"type": "span", **shown.shown()}
        return chosen(bundle(text.span_text(shown), html.span_html(shown), data), include, exclude)


def _has_frontend() -> bool:
    """Whether a widget could show: in a kernel that has anywidget, not in a script or a terminal."""
    ipython: Any = sys.modules.get("IPython")
    shell: Any = ipython.get_ipython() if ipython is not None else None
    if getattr(shell, "kernel", None) is None:
        return False
    from importlib.util import find_spec

    return find_spec("anywidget") is not None


_backend.install(_LazyBackend())


def load_ipython_extension(ipython: Any) -> None:
    """Load the notebook extension: `%load_ext mirascope_ops`."""
    from mirascope_ops.notebook import extension

    extension.load(ipython)


def unload_ipython_extension(ipython: Any) -> None:
    """Unload the notebook extension: `%unload_ext mirascope_ops`."""
    from mirascope_ops.notebook import extension

    extension.unload(ipython)
