"""The magics: each reads its line, makes one call into a lower layer, and returns or displays the result."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, TypeVar

from IPython.core.error import UsageError
from IPython.core.magic import Magics, cell_magic, line_magic, magics_class
from IPython.core.magic_arguments import argument, magic_arguments

from mirascope_ops import reading
from mirascope_ops.exceptions import OpsError
from mirascope_ops.notebook import arguments
from mirascope_ops.notebook.scopes import CellMagic, SessionScope, SpanScope, session_id

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable

    from mirascope_ops.notebook.long_session import LongSession

_T = TypeVar("_T")

_SESSION = argument("--session", metavar="ID", help="only those of this session and its child sessions")
_LAST = argument("--last", metavar="N", type=arguments.positive("--last"), help="only the newest N")
_DF = argument("--df", metavar="NAME", help="bind the table to this variable instead of showing the result")
_SINCE = argument("--since", metavar="TIME", help='only later ones: ISO time, or "30 min", "2 h", "1 d" ago')
_ATTRIBUTE = argument(
    "-a",
    "--attribute",
    dest="attributes",
    metavar="KEY=VALUE",
    action="append",
    help="a session attribute; VALUE is JSON where it parses, else text; may be repeated",
)


@magics_class
class OpsMagics(Magics):
    """The magics of mirascope_ops.

    Args:
        shell: The InteractiveShell.
        long_session: The session over several cells.
    """

    def __init__(self, shell: Any, long_session: LongSession) -> None:
        super().__init__(shell)
        self._long_session = long_session

    @magic_arguments()
    @argument("session", nargs="?", metavar="ID", help="the session's id; a new one where it is left out")
    @argument("--id", metavar="ID", help="the same, for an id that looks like an option")
    @_ATTRIBUTE
    @argument("--as", dest="as_name", metavar="NAME", help="bind the SessionContext to this variable")
    @argument("-q", "--quiet", action="store_true", help="show no card after the cell")
    @argument("--timeline", action="store_true", help="show the timeline too")
    @cell_magic("ops_session")
    def session_cell(self, line: str, cell: str) -> None:
        """Run the cell in a session and show the session's card after it.

        The cell behaves as it does without this line. {name} and $name in the line are expanded.
        """
        self.shell.run_cell(f"%%ops_session {line}\n{cell}").raise_error()

    @magic_arguments()
    @argument("name", nargs="?", metavar="NAME", help="the span's name; In [n] where it is left out")
    @argument("--as", dest="as_name", metavar="NAME", help="bind the Span to this variable")
    @argument("-q", "--quiet", action="store_true", help="do not show the trace after the cell")
    @cell_magic("ops_trace")
    def trace_cell(self, line: str, cell: str) -> None:
        """Run the cell as one span and show its trace after it.

        The cell behaves as it does without this line. {name} and $name in the line are expanded.
        """
        self.shell.run_cell(f"%%ops_trace {line}\n{cell}").raise_error()

    @magic_arguments()
    @argument("action", choices=("start", "stop", "status"), help="start it, stop it and show its card, or tell it")
    @argument("session", nargs="?", metavar="ID", help="the session's id; a new one where it is left out")
    @argument("--id", metavar="ID", help="the same, for an id that looks like an option")
    @_ATTRIBUTE
    @line_magic("ops_session")
    def session_line(self, line: str) -> Any:
        """Run this and the following cells in one session, until it is stopped."""
        options = self._options(self.session_line, "%ops_session", line)
        if options is None:
            return None
        if options.action == "start":
            given = session_id(options)
            read = arguments.attributes(options.attributes)
            print(f"Session {_asked(lambda: self._long_session.start(given, read)).id} started.")  # noqa: T201
            return None
        if options.action == "stop":
            stopped = self._long_session.stop()
            if stopped is None:
                raise UsageError("No session is running: start one with %ops_session start [ID].")
            return _asked(lambda: reading.session_card_of(stopped))
        running = self._long_session.current
        print("No session is running." if running is None else f"Session {running.id} is running.")  # noqa: T201
        return None

    @magic_arguments()
    @_ATTRIBUTE
    @_SINCE
    @_LAST
    @_DF
    @line_magic
    def ops_sessions(self, line: str) -> Any:
        """List sessions, the one last seen first."""
        options = self._options(self.ops_sessions, "%ops_sessions", line)
        return None if options is None else self._given(options, lambda: reading.sessions(
            arguments.attributes(options.attributes), since=options.since, limit=options.last
        ))  # fmt: skip

    @magic_arguments()
    @_SESSION
    @argument("--name", metavar="NAME", help="only traces whose root span has this name")
    @argument("--status", metavar="STATUS", help="unset, ok, error, open or interrupted")
    @_SINCE
    @_LAST
    @_DF
    @line_magic
    def ops_traces(self, line: str) -> Any:
        """List traces, oldest first."""
        options = self._options(self.ops_traces, "%ops_traces", line)
        return None if options is None else self._given(options, lambda: reading.traces(
            session=options.session, name=options.name, status=options.status, since=options.since, limit=options.last
        ))  # fmt: skip

    @magic_arguments()
    @_SESSION
    @argument("--trace", metavar="ID", help="only those of this trace; the first 8 digits suffice")
    @argument("--name", metavar="NAME", help="only spans of this name")
    @argument("--kind", metavar="KIND", help="llm, embedding, retriever, tool, agent, chain or other")
    @argument("--status", metavar="STATUS", help="unset, ok, error, open or interrupted")
    @_SINCE
    @_LAST
    @_DF
    @line_magic
    def ops_spans(self, line: str) -> Any:
        """List spans, oldest first."""
        options = self._options(self.ops_spans, "%ops_spans", line)
        return None if options is None else self._given(options, lambda: reading.spans(
            session=options.session, trace=options.trace, name=options.name, kind=options.kind,
            status=options.status, since=options.since, limit=options.last,
        ))  # fmt: skip

    @magic_arguments()
    @_SESSION
    @argument("--trace", metavar="ID", help="this trace; the first 8 digits suffice")
    @_SINCE
    @argument("--last", metavar="N", type=arguments.positive("--last"), help="the newest N traces")
    @line_magic
    def ops_timeline(self, line: str) -> Any:
        """Show the timeline of a session, of a trace, or (without options) of the last trace."""
        options = self._options(self.ops_timeline, "%ops_timeline", line)
        return None if options is None else _asked(lambda: _spans_for_timeline(options).timeline())

    def _options(self, magic: Any, name: str, line: str) -> argparse.Namespace | None:
        """Read a magic's line; None where it asked for help, which is printed."""
        if arguments.wants_help(line):
            print(magic.parser.format_help())  # noqa: T201 - this is what was asked for
            return None
        return arguments.parse(name, magic.parser, line)

    def _given(self, options: argparse.Namespace, look_up: Callable[[], Any]) -> Any:
        """Return what was looked up; with `--df`, bind its table and return nothing."""
        variable = arguments.variable(options.df, "--df")
        found = _asked(look_up)
        if variable is None:
            return found
        self.shell.push({variable: found.to_pandas()})
        return None


def _spans_for_timeline(options: argparse.Namespace) -> Any:
    if options.trace is not None:
        return reading.get_trace(options.trace)
    if options.session is None and options.since is None and options.last is None:
        return reading.last_trace()
    return reading.traces(session=options.session, since=options.since, limit=options.last)


def _asked(function: Callable[[], _T]) -> _T:
    """Call a lower layer; what it refuses is the user's to correct, and needs no traceback.

    Raises:
        UsageError: It refused; the message says why.
    """
    try:
        return function()
    except OpsError as error:
        raise UsageError(str(error)) from None


CELL_MAGICS: Final = {
    "ops_session": CellMagic(OpsMagics.session_cell.parser, SessionScope),
    "ops_trace": CellMagic(OpsMagics.trace_cell.parser, SpanScope),
}
