"""`%load_ext mirascope_ops` and `%unload_ext`: everything that is installed in a shell, and its removal."""

from __future__ import annotations

from typing import Any, Final

from mirascope_ops.core.cell import set_cell_files, set_current_cell
from mirascope_ops.core.configuration import ensure_provider
from mirascope_ops.notebook import arguments, cells, reprs
from mirascope_ops.notebook.autotrace import Autotrace
from mirascope_ops.notebook.completion import matcher
from mirascope_ops.notebook.long_session import LongSession
from mirascope_ops.notebook.magics import CELL_MAGICS, PARSERS, OpsMagics
from mirascope_ops.notebook.runner import Runner
from mirascope_ops.notebook.scopes import CellRuntime
from mirascope_ops.notebook.transform import NAME, CellTransform, HeaderTransform, SingleLineTransform

_ATTRIBUTE: Final = "_mirascope_ops_extension"


def load(shell: Any) -> None:
    """Install everything in a shell; does nothing where it is installed.

    Args:
        shell: The InteractiveShell.
    """
    ensure_provider()
    found: Extension | None = getattr(shell, _ATTRIBUTE, None)
    if found is None:
        found = Extension(shell)
        setattr(shell, _ATTRIBUTE, found)
    found.install()


def unload(shell: Any) -> None:
    """Take everything out of a shell again; does nothing where nothing is installed.

    Args:
        shell: The InteractiveShell.
    """
    found: Extension | None = getattr(shell, _ATTRIBUTE, None)
    if found is not None:
        found.uninstall()


class Extension:
    """What this package installs in one shell.

    Args:
        shell: The InteractiveShell.
    """

    def __init__(self, shell: Any) -> None:
        self._shell = shell
        self._installed = False
        self._long_session = LongSession()
        self._autotrace = Autotrace()
        self._runner = Runner(shell, CellRuntime(shell, CELL_MAGICS, self._long_session, self._autotrace))
        self._magics = OpsMagics(shell, self._long_session, self._autotrace)
        self._completion = matcher(PARSERS)
        self._header = HeaderTransform()
        self._single_line = SingleLineTransform(lambda line: str(shell.prefilter_manager.prefilter_lines(line)))
        self._tree = CellTransform(lambda: str(shell.ast_node_interactivity), arguments.wants_help)
        self._replaced: dict[tuple[str, str], Any] = {}
        self._formatters: dict[str, Any] = {}

    def install(self) -> None:
        """Install it, once."""
        if self._installed:
            return
        self._installed = True
        shell = self._shell
        setattr(shell, NAME, self._runner)
        shell.input_transformers_cleanup.append(self._header)
        shell.input_transformers_post.append(self._single_line)
        shell.ast_transformers.append(self._tree)
        self._register("pre_run_cell", self._runner.pre_run_cell)
        self._register("post_run_cell", self._post_run_cell)
        self._replaced = {
            (kind, name): shell.magics_manager.magics[kind].get(name)
            for kind, magics in self._magics.magics.items()
            for name in magics
        }
        shell.register_magics(self._magics)
        if self._magics not in shell.configurables:  # they enter themselves, but only when they are made
            shell.configurables.append(self._magics)
        shell.Completer.custom_matchers.append(self._completion)
        self._formatters = reprs.register(shell)
        set_cell_files(cells.count_by_file(shell))

    def uninstall(self) -> None:
        """Take it out; what a running cell still needs goes when that cell is over."""
        if not self._installed:
            return
        self._installed = False
        shell = self._shell
        shell.input_transformers_cleanup.remove(self._header)
        shell.input_transformers_post.remove(self._single_line)
        if self._tree in shell.ast_transformers:
            shell.ast_transformers.remove(self._tree)
        for (kind, name), before in self._replaced.items():
            magics = shell.magics_manager.magics[kind]
            if before is None:
                magics.pop(name, None)
            else:
                magics[name] = before
        shell.magics_manager.registry.pop(type(self._magics).__name__, None)
        if self._magics in shell.configurables:
            shell.configurables.remove(self._magics)
        if self._completion in shell.Completer.custom_matchers:
            shell.Completer.custom_matchers.remove(self._completion)
        reprs.unregister(shell, self._formatters)
        set_cell_files(None)
        self._autotrace.on = False
        self._long_session.end()
        if not self._runner.running:
            self._remove_rest()

    def _post_run_cell(self, result: Any) -> None:
        self._runner.post_run_cell(result)
        if not self._installed and not self._runner.running:
            self._remove_rest()

    def _remove_rest(self) -> None:
        shell = self._shell
        for event, callback in (
            ("pre_run_cell", self._runner.pre_run_cell),
            ("post_run_cell", self._post_run_cell),
        ):
            if callback in shell.events.callbacks[event]:
                shell.events.unregister(event, callback)
        for name in (NAME, _ATTRIBUTE):
            if hasattr(shell, name):
                delattr(shell, name)
        set_current_cell(None)

    def _register(self, event: str, callback: Any) -> None:
        if callback not in self._shell.events.callbacks[event]:
            self._shell.events.register(event, callback)
