"""`sessions` and `traces`: what there is, newest first."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Any, Final

import click

from mirascope_ops.cli.completion import complete_session
from mirascope_ops.cli.opening import opened
from mirascope_ops.cli.options import (
    AttributeType,
    json_option,
    limit_option,
    since_option,
    status_option,
    store_option,
    until_option,
)
from mirascope_ops.cli.output import Column, is_terminal, print_json, print_note, print_table

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from mirascope_ops.sessionset import Session
    from mirascope_ops.spanset import StoredTrace

_PAGE: Final = 200  # traces that are read at once
_SESSIONS: Final = (
    Column("session", style="bold", cut=True),
    Column("status"),
    Column("turns", rank=2, right=True),
    Column("tokens", rank=4, right=True),
    Column("cost", rank=3, right=True),
    Column("time", rank=6, right=True),
    Column("last seen", rank=1),
    Column("last message", rank=5, cut=True),
)
_TRACES: Final = (
    Column("trace", style="bold"),
    Column("name", cut=True),
    Column("status"),
    Column("verdict", rank=5),
    Column("duration", rank=2, right=True),
    Column("tokens", rank=4, right=True),
    Column("cost", rank=3, right=True),
    Column("spans", rank=7, right=True),
    Column("start", rank=1),
    Column("about", rank=6, cut=True),
)


def _filters(function: Callable[..., Any]) -> Callable[..., Any]:
    for option in (json_option, store_option, until_option, since_option, limit_option, status_option):
        function = option(function)
    return function


@click.command("sessions")
@click.option("--name", metavar="NAME", help="Only those with a trace of exactly this name.")
@click.option(
    "--session",
    "inside",
    metavar="ID",
    shell_complete=complete_session,
    help="Only this one and those inside it; the beginning of its id will do.",
)
@click.option(
    "-a",
    "--attribute",
    "attributes",
    type=AttributeType(),
    multiple=True,
    metavar="KEY=VALUE",
    help="Only those with this attribute; VALUE is JSON where it parses, else text. Can be repeated.",
)
@_filters
def sessions_command(
    *,
    limit: int,
    since: int | None,
    until: int | None,
    status: str | None,
    name: str | None,
    inside: str | None,
    attributes: tuple[tuple[str, Any], ...],
    as_json: bool,
) -> None:
    """List sessions, the one last seen first."""
    from mirascope_ops.cli.told import session_data

    with opened():
        listed = _sessions(since, until, inside, dict(attributes))
        fitting = (
            session
            for session in listed
            if (status is None or session.card.status == status)
            and (name is None or any(turn.name == name for turn in session.card.turns))
        )
        found = _limited(fitting, limit, "session")
        if as_json:
            for session in found:
                print_json(session_data(session))
            return
        rows = [_session_row(session) for session in found]
    _print(_SESSIONS, rows, "sessions", filtered=any((since, until, inside, attributes, status, name)))


@click.command("traces")
@click.option("--name", metavar="NAME", help="Only those whose root has exactly this name.")
@click.option(
    "--session",
    "inside",
    metavar="ID",
    shell_complete=complete_session,
    help="Only of this session and those inside it; the beginning of its id will do.",
)
@_filters
def traces_command(
    *,
    limit: int,
    since: int | None,
    until: int | None,
    status: str | None,
    name: str | None,
    inside: str | None,
    as_json: bool,
) -> None:
    """List traces, newest first."""
    from mirascope_ops.cli.told import trace_data
    from mirascope_ops.views.list_lines import trace_line

    with opened():
        listed = _traces_of(inside) if inside is not None else _traces(since, until, name, limit)
        fitting = (
            trace
            for trace in listed
            if (name is None or trace.name == name)
            and (since is None or trace.start >= since)
            and (until is None or trace.start < until)
            and (status is None or trace_line(trace).status == status)
        )
        found = _limited(fitting, limit, "trace")
        if as_json:
            for trace in found:
                print_json(trace_data(trace))
            return
        whole = not is_terminal()  # in a pipe an id is for the next command
        rows = [_trace_row(trace, whole=whole) for trace in found]
    _print(_TRACES, rows, "traces", filtered=any((since, until, inside, status, name)))


def _sessions(
    since: int | None, until: int | None, inside: str | None, attributes: dict[str, Any]
) -> Iterator[Session]:
    from mirascope_ops.cli.finding import find_session
    from mirascope_ops.reading import sessions

    within: set[str] | None = None
    if inside is not None:
        outer = find_session(inside)
        within = {outer.id, *(run.session_id for run in outer.entries)}
    listed = sessions(attributes=attributes, since=since, until=until)
    for place, session_id in enumerate(listed.ids):
        if within is None or session_id in within:
            yield listed[place : place + 1][0]  # a set of its own, so that its spans are forgotten with it


def _traces_of(session: str) -> Iterator[StoredTrace]:
    from mirascope_ops.cli.finding import find_session

    yield from sorted(find_session(session).traces, key=lambda trace: trace.start, reverse=True)


def _traces(since: int | None, until: int | None, name: str | None, limit: int) -> Iterator[StoredTrace]:
    """Give traces from the newest on, some at a time: a store may hold more than the memory."""
    from mirascope_ops.reading import page_of_traces

    page = min(limit + 1, _PAGE) if limit else _PAGE
    seen: set[str] = set()
    while True:
        found, until = page_of_traces(since=since, until=until, name=name, limit=page, seen=seen)
        yield from found
        if until is None:
            return
        page = _PAGE


def _limited(found: Iterable[Any], limit: int, noun: str) -> Iterator[Any]:
    """Give the first so many, and say if there are more."""
    from mirascope_ops.views.format import plural

    source = iter(found)
    if not limit:
        yield from source
        return
    yield from islice(source, limit)
    if next(source, None) is not None:
        print_note(f"The newest {plural(limit, noun)}; there are more: --limit N, or --limit 0 for all.")


def _print(columns: tuple[Column, ...], rows: list[list[str]], noun: str, *, filtered: bool) -> None:
    if rows:
        print_table(columns, rows)
    elif filtered:
        print_note(f"No {noun} fit.")
    else:
        print_note(f"There are no {noun} in the store yet.")


def _session_row(session: Session) -> list[str]:
    from mirascope_ops.views.escape import one_line
    from mirascope_ops.views.format import count, duration, token_flow, usd
    from mirascope_ops.views.list_lines import session_line
    from mirascope_ops.views.text_trace import name_text, status_text

    card = session.card
    line = session_line(card)
    return [
        name_text(card.session_id, 256),
        status_text(card.status),
        count(line.turns) if line.turns else "",
        token_flow(line.input_tokens, line.output_tokens),
        usd(line.cost) if line.cost is not None else "",
        duration(line.busy) if line.busy else "",
        _when(card.last_seen),
        one_line("no spans yet" if line.last is None else line.last, 200),
    ]


def _trace_row(trace: StoredTrace, *, whole: bool) -> list[str]:
    from mirascope_ops.views.escape import one_line
    from mirascope_ops.views.format import count, duration, short_id, token_flow, usd
    from mirascope_ops.views.list_lines import trace_line
    from mirascope_ops.views.text_trace import name_text, status_text, title_text
    from mirascope_ops.views.verdicts import verdict_text

    line = trace_line(trace)
    figures = line.figures
    return [
        name_text(trace.trace_id if whole else short_id(trace.trace_id), 64),
        title_text(line.root, 60),
        status_text(line.status, "ok, recovered" if line.word else ""),
        verdict_text(line.verdict),
        duration(figures.duration) if figures.duration is not None else "",
        token_flow(figures.input_tokens, figures.output_tokens),
        usd(figures.cost) if figures.cost is not None else "",
        count(figures.spans),
        _when(line.root.start),
        one_line(line.said, 200),
    ]


def _when(ns: int) -> str:
    """Write a time of this machine, with the year where it is not this one."""
    import time

    from mirascope_ops.views.format import date, moment

    at, now = moment(ns, None), moment(time.time_ns(), None)
    return date(ns, year=at is None or now is None or at.year != now.year, zone=None)
