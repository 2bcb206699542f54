"""`stats`, `delete`, `purge`, `vacuum` and `repair`: the store itself."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from mirascope_ops.cli.completion import complete_session
from mirascope_ops.cli.opening import opened, store_path
from mirascope_ops.cli.options import json_option, store_option, yes_option
from mirascope_ops.cli.output import print_json, print_line, print_text

if TYPE_CHECKING:
    from pathlib import Path


@click.command("stats", short_help="Say what the store holds, where, and for how long.")
@json_option
@store_option
def stats_command(*, as_json: bool) -> None:
    """Say what the store holds, where, and for how long."""
    from dataclasses import replace

    from mirascope_ops import store
    from mirascope_ops.cli.told import stats_data
    from mirascope_ops.store.location import is_private
    from mirascope_ops.views.escape import visible

    with opened() as active:
        found = store.stats()
        if active.rescue is not None:  # also where a copy of it is read
            path = active.rescue.path
            found = replace(found, path=path, private=is_private(path))
    if as_json:
        print_json(stats_data(found))
    else:
        print_text(visible(str(found)))


@click.command("delete", short_help="Delete sessions for good.")
@click.argument("sessions", metavar="SESSION...", nargs=-1, required=True, shell_complete=complete_session)
@yes_option
@store_option
def delete_command(sessions: tuple[str, ...], *, yes: bool) -> None:
    """Delete SESSIONs for good: their entries, spans and annotations. Whole ids only."""
    from mirascope_ops import store
    from mirascope_ops.cli.finding import find_session
    from mirascope_ops.views.format import plural
    from mirascope_ops.views.text_trace import name_text

    with opened(copy=False):
        found = [
            find_session(session, whole=True) for session in dict.fromkeys(sessions)
        ]  # all, before the first one goes
        for session in found:
            own = sum(span.session_id == session.id for span in session)
            words = f"session {name_text(session.id)}: {plural(own, 'span')}, {plural(len(session.runs), 'run')}"
            if yes or _agreed(f"Delete {words}, for good?"):
                print_line(f"Deleted {plural(store.delete(session.id), 'span')} of session {name_text(session.id)}.")


@click.command("purge", short_help="Delete what is too old or too much, now.")
@click.option("--days", metavar="N", help="Delete traces that ended longer ago than so many days; or: forever.")
@click.option("--size", metavar="SIZE", help='Delete the oldest until the file needs no more, such as "500 MB".')
@click.option("--archive", type=click.Path(file_okay=False), metavar="FOLDER", help="First write them to files there.")
@yes_option
@store_option
def purge_command(days: str | None, size: str | None, archive: str | None, *, yes: bool) -> None:
    """Delete what is too old or too much now, and not within the hour.

    Without options that is what MIRASCOPE_OPS_KEEP_DAYS and MIRASCOPE_OPS_KEEP_SIZE say, else 90 days and 2 GB.
    """
    from mirascope_ops import store
    from mirascope_ops.views.format import plural

    with opened(copy=False):
        kept = store.retain(days=days, size=size, archive=archive)
        if yes or _agreed(f"Delete what is beyond {kept}?"):
            print_line(f"Deleted {plural(store.purge(), 'span')}.")


@click.command("vacuum", short_help="Make the file as small as it can be.")
@store_option
def vacuum_command() -> None:
    """Give the space of deleted spans back to the file system; other processes wait meanwhile."""
    from mirascope_ops import store
    from mirascope_ops.store.protocol import size_text
    from mirascope_ops.views.escape import visible

    with opened(copy=False):
        before = store.stats().bytes
        store.vacuum()
        after = store.stats()
    print_line(visible(f"{after.path}: {size_text(after.bytes)}, was {size_text(before)}"))


@click.command("repair", short_help="Save what can be read of a damaged store.")
@store_option
def repair_command() -> None:
    """Save what can be read of a damaged store; the old file is kept beside it."""
    from mirascope_ops import store
    from mirascope_ops.store.recorder import replaced
    from mirascope_ops.views.escape import visible

    with replaced(_without_the_file(store_path())):
        print_line(visible(str(store.repair())))


def _without_the_file(path: Path):  # noqa: ANN202 - what is imported here
    """Give a recorder that has not opened its file, which may be damaged."""
    from mirascope_ops.store import retention
    from mirascope_ops.store.memory import MemoryStore
    from mirascope_ops.store.recorder import Recorder
    from mirascope_ops.store.rescue import Rescue

    return Recorder(MemoryStore(), rescue=Rescue(path, retention.from_environment()), rescued=True)


def _agreed(question: str) -> bool:
    if not sys.stdin.isatty():
        raise click.UsageError("There is no terminal to ask in: say --yes.")
    if not click.confirm(question, err=True):
        click.echo("Nothing was deleted.", err=True)
        raise click.exceptions.Exit(1)
    return True
