"""Completion in shells: its scripts, and the ids that can be completed."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click
from click.shell_completion import CompletionItem, get_completion_class

if TYPE_CHECKING:
    from collections.abc import Callable

NAME: Final = "mirascope-ops"
VARIABLE: Final = "_MIRASCOPE_OPS_COMPLETE"
_SHELLS: Final = ("bash", "zsh", "fish")
_MOST: Final = 200
# An id is put on the command line as it is, and anybody may have made it: none that a shell would obey.
_HARMLESS: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.:@/+=-]*").fullmatch


def complete_session(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Give the ids of the newest sessions that begin so."""
    del parameter
    return _ids(context, incomplete, _sessions)


def complete_id(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Give the ids of the newest sessions and traces that begin so."""
    del parameter
    return _ids(context, incomplete, _sessions, _traces)


def _ids(
    context: click.Context, incomplete: str, *sources: Callable[[str], list[tuple[str, str]]]
) -> list[CompletionItem]:
    from mirascope_ops.cli.opening import opened

    try:
        with context.scope(cleanup=False), opened(copy=False):  # what --store says is known by it
            found = [pair for source in sources for pair in source(incomplete)]
    except Exception:  # noqa: BLE001 - whatever is wrong with the store, a tab key is no place to tell
        return []
    return [CompletionItem(value, help=help_) for value, help_ in found if _HARMLESS(value)]


def _sessions(incomplete: str) -> list[tuple[str, str]]:
    from mirascope_ops.store import recorder
    from mirascope_ops.store.records import SessionQuery

    records = recorder.active().store.sessions(SessionQuery())
    found = (record.session_id for record in records if record.session_id.startswith(incomplete))
    return [(value, "session") for value, _ in zip(found, range(_MOST), strict=False)]


def _traces(incomplete: str) -> list[tuple[str, str]]:
    from mirascope_ops.store import recorder
    from mirascope_ops.store.records import SpanQuery

    spans = recorder.active().store.spans(SpanQuery(limit=_MOST))
    found = {span.trace_id: None for span in reversed(spans) if span.trace_id.startswith(incomplete)}
    return [(value, "trace") for value in found]


@click.command("completion", short_help="Print the script for completion in a shell.")
@click.argument("shell", type=click.Choice(_SHELLS), required=False)
def completion_command(shell: str | None) -> None:
    """Print the script that completes commands, options and ids in a shell.

    \b
    bash  eval "$(mirascope-ops completion bash)"    in ~/.bashrc
    zsh   eval "$(mirascope-ops completion zsh)"     in ~/.zshrc
    fish  mirascope-ops completion fish | source     in ~/.config/fish/config.fish

    Without SHELL, that of the variable SHELL.
    """  # noqa: D301 - \b is for click: lines to be left as they are
    chosen = shell or Path(os.environ.get("SHELL", "")).name
    kind = get_completion_class(chosen)
    if chosen not in _SHELLS or kind is None:
        raise click.UsageError(f"Which shell? Give one of {', '.join(_SHELLS)}.")
    from mirascope_ops.cli.program import program

    click.echo(kind(program, {}, NAME, VARIABLE).source())
