"""What a transformed cell calls while it runs: entering, leaving, and showing the cards afterwards."""

from __future__ import annotations

import sys
import threading
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any, Protocol

from IPython.core.error import UsageError

from mirascope_ops.core import guard
from mirascope_ops.notebook import arguments, cells, tracebacks
from mirascope_ops.notebook.transform import is_marked

if TYPE_CHECKING:
    from collections.abc import Sequence
    from contextlib import AbstractContextManager
    from types import TracebackType

    from mirascope_ops.core.cell import Cell


class Scope(Protocol):
    """What one header line asks for: a context to run the body in, and something to show after it."""

    quiet: bool
    live: bool  # whether a card stands there already, for `show` to replace

    def __enter__(self) -> object:
        """Enter the session or the span."""
        ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None, /
    ) -> None:
        """Leave it; must not raise."""
        ...

    def show(self) -> None:
        """Display the card."""
        ...


class Runtime(Protocol):
    """What the headers mean; the runner knows no session and no span."""

    def scope(self, header: str) -> Scope:
        """Make the scope of one header line, with `{name}` and `$name` expanded.

        Raises:
            UsageError: The header means nothing; the cell fails before its body runs.
        """
        ...

    def root(self, headers: Sequence[str] = ()) -> AbstractContextManager[object] | None:
        """What a cell of the user's runs in, inside of what its headers ask for; None for nothing more."""
        ...

    def help(self, header: str) -> None:
        """Print the help of the header's magic."""
        ...

    def starts(self, cell: Cell) -> None:
        """A cell of the user's starts; not called for cells that run inside another."""
        ...


class _Marked:
    """One execution of a marked cell."""

    def __init__(self) -> None:
        self.scopes: list[Scope] = []
        self.stack = ExitStack()

    def show(self) -> None:
        """Display one card: the outermost that is wanted tells of those inside. Live ones are there already."""
        outermost = next((scope for scope in self.scopes if not scope.quiet), None)
        for scope in self.scopes:
            if scope is outermost or scope.live:
                scope.show()


class _Run:
    """One `run_cell` of the shell."""

    def __init__(self, shell: Any, info: Any) -> None:
        self.info = info
        self.request = cells.request_of(shell).get("header", {}).get("msg_id")
        self.history_index = len(shell.history_manager.input_hist_parsed) if info.store_history else None
        self.marked: dict[int, _Marked] = {}
        self.root: AbstractContextManager[object] | None = None


class _Step:
    """The `with` around one statement."""

    def __init__(self, runner: Runner, key: int, *, last: bool) -> None:
        self._runner = runner
        self._key = key
        self._last = last

    def __enter__(self) -> None:
        pass

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if error is not None and traceback is not None:
            tracebacks.keep_colours(traceback.tb_frame.f_code.co_filename)
        if error is not None or self._last:
            self._runner.close(self._key, error)


class Runner:
    """Runs marked cells of one shell.

    Sessions are entered and left by the cell's own code, in the cell's own context, so a cell that awaits
    works too. `run_cell`'s events only decide when a card appears, and clear away what a cell left open that
    stopped between two statements.

    Args:
        shell: The InteractiveShell.
        runtime: What the headers mean.
    """

    def __init__(self, shell: Any, runtime: Runtime) -> None:
        self._shell = shell
        self._runtime = runtime
        self._local = threading.local()
        self._open: dict[int, _Marked] = {}
        self._kept: dict[int, Any] = {}

    def __call__(self, *headers: str) -> None:
        """Complain: the marker ran as it stands, so something ran the cell's text without its tree.

        Raises:
            UsageError: Always.
        """
        name = headers[0].split()[0]
        message = (
            f"{name} must be the first line of the cell. Put it above the magic that runs it now (such as %%prun)."
        )
        raise UsageError(message)

    # --- called by the transformed cell

    def open(self, key: int, *top: str) -> None:
        """Enter what the cell's header lines ask for; blank lines between them are there to count lines."""
        frame = sys._getframe(1)  # noqa: SLF001  # pyright: ignore[reportPrivateUsage] - the cell's own
        tracebacks.show_header(frame.f_code.co_filename, top)
        marked = _Marked()
        with ExitStack() as entering:
            for header in filter(None, top):
                protected = arguments.protect(header)
                expanded = self._shell.var_expand(protected, 1)  # 1: names are looked up in the cell
                scope = self._runtime.scope(header if expanded == protected else expanded)
                entering.enter_context(_context(scope))
                marked.scopes.append(scope)
            if (root := self._root_below(top)) is not None:
                entering.enter_context(root)
            marked.stack = entering.pop_all()
        self._open[key] = marked
        if self._runs:
            self._runs[-1].marked[key] = marked

    def step(self, key: int) -> _Step:
        """Return the context of a statement."""
        return _Step(self, key, last=False)

    def last_step(self, key: int) -> _Step:
        """Return the context of the last statement."""
        return _Step(self, key, last=True)

    def keep(self, key: int, value: Any) -> None:
        """Keep the value of the last expression until `take`."""
        self._kept[key] = value

    def take(self, key: int) -> Any:
        """Hand out what was kept, once."""
        return self._kept.pop(key, None)

    def help(self, header: str) -> None:
        """Print help in place of running the cell."""
        self._runtime.help(header)

    def close(self, key: int, error: BaseException | None = None) -> None:
        """Leave what `open` entered; does nothing the second time."""
        marked = self._open.pop(key, None)
        if marked is None:
            return
        marked.stack.__exit__(type(error) if error else None, error, error.__traceback__ if error else None)
        if not self._runs:  # run by something that is no cell: nothing will tell us when it is over
            self._show(marked)

    # --- called by the shell's events

    def pre_run_cell(self, info: Any) -> None:
        """Note that a cell starts."""
        request = cells.request_of(self._shell).get("header", {}).get("msg_id")
        if self._runs and self._runs[0].request != request:
            self._runs.clear()  # an awaited `run_cell_async` has no end that we are told of
        self._runs.append(_Run(self._shell, info))
        if len(self._runs) == 1:
            self._runtime.starts(cells.cell_of(self._shell, info))
            if info.store_history and not self._is_marked(info):  # a marked one enters what it asks for first
                self._enter_root(self._runs[0])

    def post_run_cell(self, result: Any) -> None:
        """Clear up after a cell and show its card."""
        info = getattr(result, "info", None)
        if info is not None and not (info.raw_cell or "").strip():
            return  # an empty cell never started
        known = [index for index, run in enumerate(self._runs) if run.info is info]
        start = known[-1] if known else len(self._runs) - 1
        error = getattr(result, "error_in_exec", None) or getattr(result, "error_before_exec", None)
        if result is None:
            error = sys.exc_info()[1]  # the cell's task was cancelled, and IPython tells of its end on the way out
        for run in reversed(self._runs[max(start, 0) :]):
            self._end(run, error)
            self._runs.remove(run)

    @property
    def running(self) -> bool:
        """Whether a cell is running in this thread."""
        return bool(self._runs)

    @property
    def _runs(self) -> list[_Run]:
        """The `run_cell`s of this thread, outermost first."""
        runs: list[_Run] | None = getattr(self._local, "runs", None)
        if runs is None:
            runs = self._local.runs = []
        return runs

    def _is_marked(self, info: Any) -> bool:
        source: str | None = getattr(info, "transformed_cell", None)  # newer versions of IPython tell it
        if source is None:
            try:
                source = self._shell.transform_cell(info.raw_cell)
            except Exception:  # noqa: BLE001 - IPython met it too, and shows it
                return False
        return is_marked(source or "")

    def _enter_root(self, run: _Run) -> None:
        run.root = self._runtime.root()
        if run.root is not None:
            run.root.__enter__()

    def _root_below(self, headers: Sequence[str]) -> AbstractContextManager[object] | None:
        """What the body of a marked cell runs in; nothing for a body inside of a cell that is a span already."""
        if len(self._runs) != 1 or self._runs[0].root is not None or not self._runs[0].info.store_history:
            return None
        self._runs[0].root = root = self._runtime.root(headers)
        return root

    def _leave_root(self, run: _Run, error: BaseException | None) -> None:
        root, run.root = run.root, None
        if root is not None:  # what a marked cell entered it has left, and the second time does nothing
            root.__exit__(type(error) if error else None, error, error.__traceback__ if error else None)

    def _end(self, run: _Run, error: BaseException | None) -> None:
        for key in reversed(run.marked):
            self.close(key, error)
            self._kept.pop(key, None)
        self._leave_root(run, error)
        self._restore_history(run)
        for marked in run.marked.values():
            self._show(marked)

    def _restore_history(self, run: _Run) -> None:
        """Put the cell's own text back into `In`. Not earlier: `;` at its end is looked up there on display."""
        history: list[str] = self._shell.history_manager.input_hist_parsed
        index = run.history_index
        if index is not None and index < len(history) and is_marked(history[index]):
            history[index] = run.info.raw_cell.rstrip("\n")

    def _show(self, marked: _Marked) -> None:
        try:
            marked.show()
        except Exception as error:  # noqa: BLE001 - the cell is over and went as it went
            guard.report("showing what a cell recorded", error)


def _context(scope: Scope) -> AbstractContextManager[object]:
    return scope  # pyright: ignore[reportReturnType] - its `__exit__` swallows nothing
