"""The magics, as `%lsmagic`, help and completion know them.

Each reads its line, makes one call into a lower layer and shows what that returns. `%%ops_session` and
`%%ops_trace` are usually taken out of a cell before it runs, by `transform`; here are their options.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final, TypeVar, get_args

from IPython.core.error import UsageError
from IPython.core.magic import Magics, cell_magic, line_magic, magics_class, no_var_expand
from IPython.core.magic_arguments import argument, magic_arguments
from IPython.display import display  # pyright: ignore[reportUnknownVariableType]

from mirascope_ops import reading
from mirascope_ops.analysis.rows import Kind, Status
from mirascope_ops.exceptions import NotFoundError, OpsError
from mirascope_ops.notebook import arguments, direct
from mirascope_ops.notebook.scopes import CellMagic, SessionScope, SpanScope, session_id

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Generator, Mapping

    from mirascope_ops.notebook.autotrace import Autotrace
    from mirascope_ops.notebook.long_session import LongSession

_Magic = TypeVar("_Magic", bound="Callable[..., Any]")

_help = argument("-h", "--help", action="store_true", help="Show this text.")
_id = argument("session", nargs="?", metavar="ID", help="The session's id; a new UUID where left out.")
_id_option = argument("--id", metavar="ID", help="The same, as an option.")
_attribute = argument(
    "-a",
    "--attribute",
    dest="attributes",
    action="append",
    metavar="KEY=VALUE",
    help="An attribute of the session; VALUE is JSON where it parses, else text. Can be repeated.",
)
_quiet = argument("-q", "--quiet", action="store_true", help="Show no card after the cell.")
_session = argument("--session", metavar="ID", help="Only of this session and its child sessions.")
_name = argument("--name", metavar="SPAN", help="Only of exactly this name.")
_status = argument(
    "--status", metavar="STATUS", choices=get_args(Status), help="unset, ok, error, open or interrupted."
)
_since = argument("--since", metavar="TIME", help="Only later ones: ISO time, or '30 min', '2 h', '1 d' ago.")
_last = argument("--last", type=arguments.positive("--last"), metavar="N", help="Only the newest N.")
_AUTOTRACE: Final = {
    True: "Each cell is a trace of its own, until %ops_autotrace off. ops.traces() lists them.",
    False: "Cells are not traced by themselves. %ops_autotrace on makes each a trace of its own.",
}
_df = argument("--df", metavar="NAME", help="Put a DataFrame of the result into this variable.")


def _magic(kind: Any, name: str, *options: Any) -> Callable[[_Magic], _Magic]:
    """Make a method a magic with options; it then has a `parser`, and help that explains them.

    Args:
        kind: `line_magic` or `cell_magic`.
        name: The magic's name.
        *options: What `argument` makes.
    """

    def apply(method: _Magic) -> _Magic:
        for option in reversed(options):
            option(method)
        with_parser: Any = magic_arguments(name=f"%{name}" if kind is cell_magic else name)
        made = with_parser(method)
        made.__doc__ = arguments.help_text(made.parser)
        return kind(name)(made)

    return apply


@contextmanager
def _usage_errors() -> Generator[None]:
    """Show an error that says what to type as such, without the frames of this library."""
    try:
        yield
    except OpsError as error:
        raise UsageError(str(error)) from None


@magics_class
class OpsMagics(Magics):
    """All magics of this package.

    Args:
        shell: The InteractiveShell.
        long_session: The session over several cells.
        autotrace: Whether every cell is a span.
    """

    def __init__(self, shell: Any, long_session: LongSession, autotrace: Autotrace) -> None:
        super().__init__(shell)
        self._long_session = long_session
        self._autotrace = autotrace

    @no_var_expand  # done when the transformed cell runs
    @_magic(
        cell_magic,
        "ops_session",
        _id,
        _id_option,
        _attribute,
        argument("--as", dest="as_name", metavar="NAME", help="Put the SessionContext into this variable."),
        _quiet,
        argument("--timeline", action="store_true", help="Show the session's timeline below its card."),
        argument("--live", action="store_true", help="Show the card from the start, and keep it up to date."),
        _help,
    )
    def session_cell(self, line: str, cell: str) -> Any:
        """Run the cell in a session, and show the session's card after it.

        The cell does what it does without this line: top-level await, display of the last expression, errors
        and everything else. {name} and $name are expanded. Several such lines nest.
        """
        return direct.run_text(self.shell, f"%%ops_session {line}\n{cell}")

    @no_var_expand
    @_magic(
        cell_magic,
        "ops_trace",
        argument("name", nargs="?", metavar="NAME", help="The span's name; the cell's number where left out."),
        argument("--as", dest="as_name", metavar="NAME", help="Put the Span into this variable."),
        _quiet,
        _help,
    )
    def trace_cell(self, line: str, cell: str) -> Any:
        """Run the cell as one span, and show the trace after it."""
        return direct.run_text(self.shell, f"%%ops_trace {line}\n{cell}")

    @_magic(
        line_magic,
        "ops_session",
        argument(
            "action", nargs="?", choices=("start", "stop", "status"), default="status", help="What to do; else: status."
        ),
        _id,
        _id_option,
        _attribute,
        _help,
    )
    def session_line(self, line: str) -> Any:
        """Run this and the following cells in a session, from `start` to `stop`, which shows its card."""
        options = self._parse("ops_session", line)
        if options is None:
            return None
        with _usage_errors():
            if options.action == "start":
                attributes = arguments.attributes(options.attributes)
                context = self._long_session.start(session_id(options), attributes)
                print(f"Cells run in session {context.id!r} until %ops_session stop.")  # noqa: T201 - an answer
                return None
            context = self._long_session.context if options.action == "status" else self._long_session.end()
        if context is None:
            raise UsageError("No session was started. Type: %ops_session start ID")
        try:
            display(reading.session_card_of(context))
        except NotFoundError:  # the store is switched off
            print(f"Session {context.id!r}")  # noqa: T201 - an answer
        return None

    @_magic(
        line_magic,
        "ops_autotrace",
        argument(
            "switch",
            nargs="?",
            choices=("on", "off"),
            help="From the next cell on, or no more; else: tell which it is.",
        ),
        _help,
    )
    def autotrace_line(self, line: str) -> None:
        """Make every cell a span of its own, at the root of a trace, from the next cell on.

        Cells behave as they do without it. What a `%%ops_session` cell does is then one trace of its session.
        """
        options = self._parse("ops_autotrace", line)
        if options is None:
            return
        if options.switch is not None:
            self._autotrace.on = options.switch == "on"
        print(_AUTOTRACE[self._autotrace.on])  # noqa: T201 - an answer

    @_magic(
        line_magic,
        "ops_sessions",
        argument(
            "-a",
            "--attribute",
            dest="attributes",
            action="append",
            metavar="KEY=VALUE",
            help="Only sessions with this attribute; VALUE is JSON where it parses, else text. Can be repeated.",
        ),
        _since,
        _last,
        _df,
        _help,
    )
    def sessions_line(self, line: str) -> Any:
        """List sessions, the one last seen first."""
        return self._look_up(
            "ops_sessions",
            line,
            lambda options: reading.sessions(
                arguments.attributes(options.attributes), since=options.since, limit=options.last
            ),
        )

    @_magic(line_magic, "ops_traces", _session, _name, _status, _since, _last, _df, _help)
    def traces_line(self, line: str) -> Any:
        """List traces, oldest first."""
        return self._look_up(
            "ops_traces",
            line,
            lambda options: reading.traces(
                session=options.session,
                name=options.name,
                status=options.status,
                since=options.since,
                limit=options.last,
            ),
        )

    @_magic(
        line_magic,
        "ops_spans",
        _session,
        _name,
        argument(
            "--kind",
            metavar="KIND",
            choices=get_args(Kind),
            help="llm, embedding, retriever, tool, agent, chain or other.",
        ),
        _status,
        _since,
        _last,
        _df,
        _help,
    )
    def spans_line(self, line: str) -> Any:
        """List spans by start."""
        return self._look_up(
            "ops_spans",
            line,
            lambda options: reading.spans(
                session=options.session,
                name=options.name,
                kind=options.kind,
                status=options.status,
                since=options.since,
                limit=options.last,
            ),
        )

    @_magic(
        line_magic,
        "ops_timeline",
        _session,
        argument("--last", type=arguments.positive("--last"), metavar="N", help="The newest N traces."),
        _df,
        _help,
    )
    def timeline_line(self, line: str) -> Any:
        """Show spans as bars over time: of a session, of the newest traces, or else of the last trace."""
        found = self._look_up("ops_timeline", line, _spans_for_timeline)
        return None if found is None else found.timeline()

    @_magic(
        line_magic,
        "ops_listen",
        argument("action", nargs="?", choices=("start", "stop"), default="start", help="What to do; else: start."),
        argument("--port", type=arguments.port, default=0, metavar="N", help="The port; a free one where left out."),
        _help,
    )
    def listen_line(self, line: str) -> Any:
        """Take spans of other processes, in any language, into this kernel's store and sessions, until `stop`."""
        options = self._parse("ops_listen", line)
        if options is None:
            return None
        from mirascope_ops.receiver import listening

        with _usage_errors():
            listener = listening.listen(port=options.port) if options.action == "start" else listening.running()
        if listener is None:
            raise UsageError("No listener runs. Type: %ops_listen")
        if options.action == "stop":
            listener.close()
        return listener

    def _parse(self, name: str, line: str) -> argparse.Namespace | None:
        """Read a line magic's options; None where help was asked for, and shown."""
        parser = PARSERS[f"%{name}"]
        if arguments.wants_help(line):
            print(parser.format_help())  # noqa: T201 - this is what was asked for
            return None
        return arguments.parse(f"%{name}", parser, line)

    def _look_up(self, name: str, line: str, read: Callable[[argparse.Namespace], Any]) -> Any:
        """Read the options, look up, bind the DataFrame; None after a `;`, which asks for no output."""
        shown = line.rstrip().removesuffix(";")
        options = self._parse(name, shown)
        if options is None:
            return None
        variable = arguments.variable(options.df, "--df")
        with _usage_errors():
            found = read(options)
        if variable:
            self._shell.push({variable: found.to_pandas()})
        return None if shown != line.rstrip() else found

    @property
    def _shell(self) -> Any:
        return self.shell


def _spans_for_timeline(options: argparse.Namespace) -> Any:
    if options.session is None and options.last is None:
        return reading.last_trace().spans
    return reading.traces(session=options.session, limit=options.last).spans


def _parser(magic: Any) -> argparse.ArgumentParser:
    return magic.parser


CELL_MAGICS: Final[Mapping[str, CellMagic]] = {
    "ops_session": CellMagic(_parser(OpsMagics.session_cell), SessionScope),
    "ops_trace": CellMagic(_parser(OpsMagics.trace_cell), SpanScope),
}
PARSERS: Final[Mapping[str, argparse.ArgumentParser]] = {
    **{f"%%{name}": magic.parser for name, magic in CELL_MAGICS.items()},
    "%ops_session": _parser(OpsMagics.session_line),
    "%ops_autotrace": _parser(OpsMagics.autotrace_line),
    "%ops_sessions": _parser(OpsMagics.sessions_line),
    "%ops_traces": _parser(OpsMagics.traces_line),
    "%ops_spans": _parser(OpsMagics.spans_line),
    "%ops_timeline": _parser(OpsMagics.timeline_line),
    "%ops_listen": _parser(OpsMagics.listen_line),
}
