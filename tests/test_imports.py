"""Importing the package is cheap and has no effects."""

from __future__ import annotations

import subprocess
import sys
import textwrap

import mirascope_ops

# Some of these would be a fifth of the import's time each.
HEAVY = (
    "IPython",
    "ipywidgets",
    "anywidget",
    "pandas",
    "plotly",
    "numpy",
    "pyarrow",
    "sqlite3",
    "mirascope",
    "asyncio",
    "importlib.metadata",
)


def run(code, folder):
    """What this code prints, in a new interpreter whose every place for files is this folder."""
    environment = {
        name: str(folder) for name in ("HOME", "XDG_STATE_HOME", "XDG_CACHE_HOME", "XDG_CONFIG_HOME", "TMPDIR")
    }
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", textwrap.dedent(code)],
        env=environment,
        cwd=folder,
        capture_output=True,
        text=True,
        check=True,
    )
    assert not done.stderr
    return done.stdout


def test_import_loads_nothing_heavy(tmp_path):
    loaded = run("import mirascope_ops, sys; print(*sys.modules)", tmp_path).split()
    # OpenTelemetry 1.38 loads asyncio by itself.
    without_us = run("import opentelemetry.sdk.trace, sys; print(*sys.modules)", tmp_path).split()

    assert "mirascope_ops" in loaded
    assert set(HEAVY) & set(loaded) - set(without_us) == set()


def test_import_makes_no_thread_no_file_no_provider_and_prints_nothing(tmp_path):
    printed = run(
        """
        import mirascope_ops
        import threading
        from opentelemetry.trace import ProxyTracerProvider, get_tracer_provider

        assert threading.enumerate() == [threading.main_thread()]
        assert type(get_tracer_provider()) is ProxyTracerProvider
        """,
        tmp_path,
    )

    assert not printed
    assert not list(tmp_path.iterdir())


def test_ops_is_the_package_itself(tmp_path):
    printed = run(
        """
        import mirascope_ops
        import mirascope_ops.ops as module
        from mirascope_ops import ops
        from mirascope_ops.ops import trace

        print(trace is mirascope_ops.trace is ops.trace is module.trace)
        print(all(getattr(ops, name) is getattr(mirascope_ops, name) for name in mirascope_ops.__all__))
        """,
        tmp_path,
    )

    assert printed.split() == ["True", "True"]


def test_public_names():
    """What is public is a promise: adding a name here is a decision, removing one breaks somebody's program."""
    assert sorted(mirascope_ops.__all__) == sorted(
        [
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
    )
