"""What `%%ops_session` and `%%ops_trace` run a cell in, and the card that each shows after it."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any, NamedTuple

from IPython.core.error import UsageError
from IPython.display import display  # pyright: ignore[reportUnknownVariableType]

from mirascope_ops import reading
from mirascope_ops.core import guard
from mirascope_ops.core.cell import Cell, set_current_cell
from mirascope_ops.core.session import session
from mirascope_ops.core.span import span
from mirascope_ops.exceptions import NotFoundError, OpsError
from mirascope_ops.notebook import arguments
from mirascope_ops.notebook.autotrace import cell_name
from mirascope_ops.notebook.live import LiveCard, is_possible

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Mapping, Sequence
    from types import TracebackType

    from mirascope_ops.core.session import SessionContext
    from mirascope_ops.core.span import Span
    from mirascope_ops.notebook.autotrace import Autotrace, CellSpan
    from mirascope_ops.notebook.long_session import LongSession
    from mirascope_ops.notebook.runner import Scope


class SessionScope:
    """A cell in a session, as `%%ops_session` asked for.

    Args:
        shell: The InteractiveShell, for `--as`.
        options: The parsed header.

    Raises:
        UsageError: The id, an attribute or the variable's name cannot be used.
    """

    def __init__(self, shell: Any, options: argparse.Namespace) -> None:
        self.quiet: bool = options.quiet
        self.live: bool = options.live and is_possible(shell)
        self._timeline: bool = options.timeline
        self._shell = shell
        self._variable = arguments.variable(options.as_name, "--as")
        self._session = session(session_id(options), arguments.attributes(options.attributes))
        self._context: SessionContext | None = None
        self._card: LiveCard | None = None
        if options.live and self.quiet:
            raise UsageError("--live shows a card while the cell runs and --quiet shows none: leave one of them out.")

    def __enter__(self) -> None:
        self._context = self._session.__enter__()
        try:
            if self._variable:
                self._shell.push({self._variable: self._context})
            if self.live:
                self._start_card(self._context)
        except BaseException:  # an interrupt: nothing leaves what was not entered
            self._session.__exit__(None, None, None)
            raise

    def _start_card(self, context: SessionContext) -> None:
        try:
            self._card = LiveCard(context, self._shell)
            self._card.start()
        except Exception as error:  # noqa: BLE001 - the card comes in the end then
            self.live, self._card = False, None
            guard.report("showing a live card", error)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None, /
    ) -> None:
        self._session.__exit__(kind, error, traceback)

    def show(self) -> None:
        """Display the session's card, in the place of its live card, and its timeline where it was asked for."""
        if self._context is None:
            return
        if self._card is not None:
            self._card.finish()
        with suppress(NotFoundError):  # the store is switched off
            card = reading.session_card_of(self._context)
            if self._card is None:
                display(card)
            if self._timeline:
                display(card.timeline())


class SpanScope:
    """A cell as one span, as `%%ops_trace` asked for.

    Args:
        shell: The InteractiveShell, for `--as`.
        options: The parsed header.

    Raises:
        UsageError: The variable's name cannot be used.
    """

    def __init__(self, shell: Any, options: argparse.Namespace) -> None:
        self.quiet: bool = options.quiet
        self.live = False
        self._shell = shell
        self._variable = arguments.variable(options.as_name, "--as")
        self._span: Span = span(options.name or cell_name())

    def __enter__(self) -> None:
        self._span.__enter__()
        if self._variable:
            self._shell.push({self._variable: self._span})

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None, /
    ) -> None:
        self._span.__exit__(kind, error, traceback)

    def show(self) -> None:
        """Display the trace."""
        if self._span.trace_id:
            with suppress(NotFoundError):  # the store is switched off
                display(reading.get_trace(self._span.trace_id))


def session_id(options: argparse.Namespace) -> str | None:
    """Return the id given as a word or by `--id`.

    Raises:
        UsageError: Both are given.
    """
    if options.id is not None and options.session is not None:
        message = f"Two session ids were given, {options.session!r} and {options.id!r}. Quote an id that has spaces."
        raise UsageError(message)
    return options.session if options.id is None else options.id


class CellMagic(NamedTuple):
    """One kind of header: how it is read, and what it makes."""

    parser: argparse.ArgumentParser
    scope: Callable[[Any, argparse.Namespace], Scope]


class CellRuntime:
    """What the headers mean: `runner.Runtime` for sessions and spans.

    Args:
        shell: The InteractiveShell.
        magics: The kinds of headers, by the magic's name.
        long_session: The session over several cells, which every cell starts in.
        autotrace: Whether every cell is a span.
    """

    def __init__(
        self, shell: Any, magics: Mapping[str, CellMagic], long_session: LongSession, autotrace: Autotrace
    ) -> None:
        self._shell = shell
        self._magics = magics
        self._long_session = long_session
        self._autotrace = autotrace

    def scope(self, header: str) -> Scope:
        """Make the scope of one header line.

        Raises:
            UsageError: An option, the id or an attribute means nothing; the message says what does.
        """
        name, line = _parts(header)
        magic = self._magics[name]
        try:
            return magic.scope(self._shell, arguments.parse(f"%%{name}", magic.parser, line))
        except OpsError as error:
            raise UsageError(str(error)) from None

    def root(self, headers: Sequence[str] = ()) -> CellSpan | None:
        """Make the span of a cell while every cell is one; a cell under `%%ops_trace` is one by itself."""
        traced = any(_parts(header)[0] == "ops_trace" for header in headers if header)
        return None if traced else self._autotrace.root()

    def help(self, header: str) -> None:
        """Print the help of the header's magic."""
        print(self._magics[_parts(header)[0]].parser.format_help())  # noqa: T201 - this is what was asked for

    def starts(self, cell: Cell) -> None:
        """Note which cell runs, and bring back the session over several cells."""
        set_current_cell(cell)
        self._long_session.resume(cell)


def _parts(header: str) -> tuple[str, str]:
    name, *rest = header.split(None, 1)
    return name.removeprefix("%%"), rest[0] if rest else ""
