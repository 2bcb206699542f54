"""`show`: one session, trace or span."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import click

from mirascope_ops.cli.completion import complete_id
from mirascope_ops.cli.opening import opened
from mirascope_ops.cli.options import store_option
from mirascope_ops.cli.output import print_json, print_line, print_text

if TYPE_CHECKING:
    from mirascope_ops.cli.finding import FoundSpan
    from mirascope_ops.sessionset import Session
    from mirascope_ops.spanset import StoredTrace

_FORMATS: Final = ("text", "json", "markdown", "html")


@click.command("show", short_help="Show a session, a trace or a span.")
@click.argument("id_", metavar="[ID]", required=False, shell_complete=complete_id)
@click.option("-f", "--format", "format_", type=click.Choice(_FORMATS), default="text", show_default=True)
@click.option("--json", "as_json", is_flag=True, help="The same as --format json.")
@store_option
def show_command(id_: str | None, format_: str, *, as_json: bool) -> None:
    """Show a session, a trace or a span; without ID the newest trace.

    ID is that of a session, a trace or a span, or its beginning where only one begins so (of a trace's or a span's at
    least 4 digits).
    """
    from mirascope_ops.cli.finding import find
    from mirascope_ops.reading import last_trace

    with opened():
        found = last_trace() if id_ is None else find(id_)
        if as_json or format_ == "json":
            print_json(_data(found))
        elif format_ == "text":
            print_text(_text(found))
        elif format_ == "markdown":
            from mirascope_ops.views.escape import visible

            print_line(visible(_holder(found).to_markdown()).rstrip("\n"))
        else:
            from mirascope_ops.cli.exporting import write_page

            write_page(_holder(found))


def _holder(found: Session | StoredTrace | FoundSpan) -> Any:
    from mirascope_ops.cli.finding import FoundSpan

    return found.spans if isinstance(found, FoundSpan) else found


def _text(found: Session | StoredTrace | FoundSpan) -> str:
    from mirascope_ops.cli.finding import FoundSpan
    from mirascope_ops.sessionset import Session
    from mirascope_ops.views.text import session_text, span_text, trace_text
    from mirascope_ops.views.text_trace import name_text

    if isinstance(found, Session):
        return session_text(found.card, zone=None)
    if isinstance(found, FoundSpan):
        span = found.spans[0]
        about = f"Span {name_text(span.span_id)} of trace {name_text(span.trace_id)}"
        return f"{about}\n\n{span_text(span, zone=None)}"
    return f"Trace {name_text(found.trace_id)}\n\n{trace_text(found, zone=None)}"


def _data(found: Session | StoredTrace | FoundSpan) -> dict[str, Any]:
    from mirascope_ops.cli import told
    from mirascope_ops.cli.finding import FoundSpan
    from mirascope_ops.sessionset import Session

    if isinstance(found, FoundSpan):
        return {"type": "span", "span": told.span_data(found.spans[0])}
    spans = told.spans_data(found)
    if isinstance(found, Session):
        entries = [told.run_data(run) for run in found.entries]
        return {"type": "session", "session": told.session_data(found), "entries": entries, "spans": spans}
    return {"type": "trace", "trace": told.trace_data(found), "spans": spans}
