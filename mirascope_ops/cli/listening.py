"""`listen`: takes spans of other processes into the store, until it is stopped."""

from __future__ import annotations

import ipaddress
import os
import secrets
import shlex
import signal
import sys
import threading
from contextlib import closing, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from mirascope_ops.cli.opening import store_path
from mirascope_ops.cli.options import json_option, store_option
from mirascope_ops.cli.output import print_json, print_line, print_note
from mirascope_ops.exceptions import ConfigurationError, StoreError

if TYPE_CHECKING:
    from mirascope_ops.receiver.listener import Listener

_PORT: Final = 4318  # OTLP's own over HTTP: exporters send there by default
_LOOK_SECONDS: Final = 0.5


@click.command("listen", short_help="Take spans of other processes into the store.")
@click.option("--port", type=click.IntRange(0, 65535), default=_PORT, show_default=True, help="0 takes a free one.")
@click.option("--host", default="127.0.0.1", show_default=True, help="Any but a loopback address lets others send too.")
@click.option(
    "--token-file",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="What senders must know; made, for you alone, where it is missing. Without it: a new one each time.",
)
@json_option
@store_option
def listen_command(port: int, host: str, token_file: Path | None, *, as_json: bool) -> None:
    """Take spans of other processes, in any language, into the store, until Ctrl-C or SIGTERM.

    They come as OTLP over HTTP. What a sender needs is printed as variables for its environment: put them before its
    command, or give their values to an exporter or a collector.
    """
    from mirascope_ops.store import recorder

    path = store_path(create=True)
    token = None if token_file is None else _token_in(token_file.expanduser())
    recorder.reopen(path)
    try:
        with closing(_listener(port, host, token)) as listener:
            stop = _stop_by_signal()  # who was told the address may want it to end at once
            _tell(listener, path, as_json=as_json)
            _wait(listener, stop)
            if sys.stderr.isatty():
                click.echo(err=True)
        print_note(_count(listener))
    finally:
        recorder.close()


def _listener(port: int, host: str, token: str | None) -> Listener:
    from mirascope_ops.receiver.listening import listen

    try:
        return listen(port=port, host=host, token=token)
    except ConfigurationError as error:
        cause = error.__cause__
        if isinstance(cause, OSError):  # a port in use: the call makes sense
            problem = os.strerror(cause.errno) if cause.errno else cause
            raise click.ClickException(f"{host}, port {port}: {problem}. Try another one, such as --port 0.") from None
        raise


def _tell(listener: Listener, path: Path, *, as_json: bool) -> None:
    from mirascope_ops.views.escape import visible

    variables = listener.environment
    if as_json:
        print_json({"endpoint": listener.endpoint, "headers": listener.headers, "environment": variables})
    else:
        for name, value in variables.items():
            print_line(f"export {name}={shlex.quote(value)}")
    sys.stdout.flush()
    print_note(visible(f"Taking spans at {listener.endpoint} into {path}. Stop with Ctrl-C."))
    if not _is_loopback(listener.host):
        print_note("OTHER MACHINES can send too, and what they send is not encrypted.")


def _stop_by_signal() -> threading.Event:
    """Let Ctrl-C and SIGTERM say from now on that somebody wants it to end."""
    stop = threading.Event()

    def end(number: int, frame: object) -> None:
        del number, frame
        stop.set()

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, end)
    return stop


def _wait(listener: Listener, stop: threading.Event) -> None:
    """Wait until somebody wants it to end; in a terminal the count of spans is kept up to date."""
    told = ""
    while not stop.wait(_LOOK_SECONDS):
        if sys.stderr.isatty() and (now := _count(listener)) != told:
            told = now
            click.echo(f"\r{now}", nl=False, err=True)


def _count(listener: Listener) -> str:
    from mirascope_ops.views.format import plural

    stats = listener.stats()
    parts = [f"{plural(stats.received, 'span')} received"]
    parts += [f"{stats.rejected:,} cannot be read"] if stats.rejected else []
    parts += [f"{plural(stats.bad, 'request')} refused"] if stats.bad else []
    return ", ".join(parts)


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _token_in(path: Path) -> str:
    """Read the token, or make one that its owner alone can read."""
    from mirascope_ops.store.location import is_private
    from mirascope_ops.views.escape import visible

    with suppress(FileExistsError), os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(f"{secrets.token_urlsafe(32)}\n")
    if is_private(path) is False:
        print_note(visible(f"OTHERS ON THIS MACHINE CAN READ {path}: chmod 600 {path}"))
    token = path.read_text(encoding="utf-8").strip()
    if not token:
        raise StoreError(f"{path} is empty: put a token of 16 or more characters into it, or remove it.")
    return token
