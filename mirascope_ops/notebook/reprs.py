"""Our view for the `Trace` objects of PyPI's `mirascope.ops`, whose spans reach our store too."""

from __future__ import annotations

from typing import Any, Final

from mirascope_ops import reading
from mirascope_ops.exceptions import OpsError

# By name: mirascope need not be installed, and is not imported by us.
_MODULE: Final = "mirascope.ops._internal.traced_functions"
_TYPES: Final = ("Trace", "AsyncTrace")


def register(shell: Any) -> dict[str, Any]:
    """Show those objects as traces of ours, from when their module is imported.

    Args:
        shell: The InteractiveShell.

    Returns:
        What was registered for them before, for `unregister`.
    """
    formatter = shell.display_formatter.mimebundle_formatter
    return {name: formatter.for_type_by_name(_MODULE, name, _bundle) for name in _TYPES}


def unregister(shell: Any, before: dict[str, Any]) -> None:
    """Undo `register`.

    Args:
        shell: The InteractiveShell.
        before: What `register` returned.
    """
    formatter = shell.display_formatter.mimebundle_formatter
    for name, function in before.items():
        formatter.pop(f"{_MODULE}.{name}", None)
        if function is not None:
            formatter.for_type_by_name(_MODULE, name, function)


def _bundle(trace: Any, include: Any = None, exclude: Any = None) -> Any:
    """Return the bundle of the stored trace; None, and so the object's own repr, where it is not stored."""
    if not trace.trace_id:
        return None
    try:
        stored: Any = reading.get_trace(trace.trace_id)
        return stored._repr_mimebundle_(include, exclude)
    except OpsError:
        return None
