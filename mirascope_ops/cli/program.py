"""The program: its commands, and how it ends."""

from __future__ import annotations

import contextlib
import importlib
import os
import signal
import sys
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click
from click.shell_completion import shell_complete

from mirascope_ops.cli.completion import NAME, VARIABLE
from mirascope_ops.cli.options import store_option
from mirascope_ops.core.version import VERSION
from mirascope_ops.exceptions import ConfigurationError, OpsError
from mirascope_ops.views.escape import visible

if TYPE_CHECKING:
    from collections.abc import Sequence

# In the order in which help lists them; a command is loaded when it is used.
_COMMANDS: Final = {
    "sessions": "listing",
    "traces": "listing",
    "show": "showing",
    "export": "exporting",
    "import": "importing",
    "listen": "listening",
    "stats": "upkeep",
    "delete": "upkeep",
    "purge": "upkeep",
    "vacuum": "upkeep",
    "repair": "upkeep",
    "completion": "completion",
}


class _Program(click.Group):
    """A group whose commands stand in modules of their own."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Name the commands."""
        del ctx
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Load a command."""
        del ctx
        if cmd_name not in _COMMANDS:
            return None
        module = importlib.import_module(f"mirascope_ops.cli.{_COMMANDS[cmd_name]}")
        return getattr(module, f"{cmd_name}_command")

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command that is called, or say which one was meant."""
        if args and not args[0].startswith("-") and args[0] not in _COMMANDS:
            close = get_close_matches(args[0], _COMMANDS, 1)
            hint = f"Did you mean {close[0]}?" if close else f"There are: {', '.join(_COMMANDS)}."
            ctx.fail(f"There is no command {visible(args[0])!r}. {hint}")
        return super().resolve_command(ctx, args)


@click.group(
    NAME,
    cls=_Program,
    no_args_is_help=False,
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(VERSION, "-V", "--version", message="%(prog)s %(version)s")
@store_option
@click.pass_context
def program(context: click.Context) -> None:
    """Sessions, traces and spans of LLM applications, as mirascope_ops records them.

    Tables in a terminal are plain text in a pipe; --json gives JSON, a line each. What is read is the file that
    MIRASCOPE_OPS_STORE names, or the one in your state directory, or that of --store.
    """
    if context.invoked_subcommand is None:
        click.echo(context.get_help())


def run(arguments: Sequence[str]) -> int:
    """Run the program.

    Args:
        arguments: What follows its name.

    Returns:
        The exit code.
    """
    for name in ("stdin", "stdout", "stderr"):  # None where the program was started without
        if getattr(sys, name) is None:
            setattr(sys, name, Path(os.devnull).open("r" if name == "stdin" else "w", encoding="utf-8"))  # noqa: SIM115 - it stays open
    # A terminal that cannot show a character shows its number; files and pipes get UTF-8 where nothing else is said.
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(AttributeError, ValueError):  # no text file: closed, or a test's
            stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr] # pyright: ignore[reportAttributeAccessIssue, reportUnknownMemberType]
    if asked := os.environ.get(VARIABLE):
        return shell_complete(program, {}, NAME, VARIABLE, asked)
    try:
        code = _invoke(arguments)
        sys.stdout.flush()
    except (KeyboardInterrupt, click.Abort):
        return _end_by(signal.SIGINT)
    except BrokenPipeError:
        return _end_by(getattr(signal, "SIGPIPE", 13))
    return code


def _invoke(arguments: Sequence[str]) -> int:
    try:
        with program.make_context(NAME, list(arguments)) as context:
            program.invoke(context)
    except click.exceptions.Exit as ended:
        return ended.exit_code
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except BrokenPipeError:
        raise
    except (OpsError, ImportError) as error:
        # A setting that means nothing is a mistake in the call, whether it stands there or in the environment.
        return _failed(str(error), 2 if isinstance(error, ConfigurationError) else 1)
    except OSError as error:
        place = f"{error.filename}: " if error.filename else ""
        return _failed(f"{place}{error.strerror or error}", 1)
    return 0


def _failed(message: str, code: int) -> int:
    click.echo(f"Error: {visible(message)}", err=True)
    return code


def _end_by(number: int) -> int:
    """End as a program does that knows nothing of the signal, so that a shell sees what happened; say nothing."""
    with contextlib.suppress(OSError, ValueError, AttributeError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # what is left in buffers goes nowhere
    if sys.platform != "win32":
        signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)
    return 128 + number
