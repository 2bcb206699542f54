"""Options that several commands have, and what their values may be."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import click

from mirascope_ops.exceptions import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Callable

_STORE: Final = "mirascope_ops.store"


class TimeType(click.ParamType):  # pyright: ignore[reportMissingTypeArgument] - generic since click 8.5 only
    """A time: ISO text, or how long ago; becomes nanoseconds since the epoch."""

    name = "time"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Read the time."""
        from mirascope_ops.reading import time_of

        try:
            found = time_of(value)
        except ConfigurationError:
            found = None
        if found is None:
            message = f"{value!r} is no time: give ISO text such as 2026-11-30 or 2026-11-30T14:00, or 30m, 2h, 7d ago."
            self.fail(message, param, ctx)
        return found


class AttributeType(click.ParamType):  # pyright: ignore[reportMissingTypeArgument] - generic since click 8.5 only
    """A session's attribute, KEY=VALUE; the value is JSON where it parses, else text."""

    name = "key=value"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, Any]:
        """Read the pair."""
        import json

        key, equals, text = str(value).partition("=")
        if not (key and equals):
            self.fail(f"{value!r} is no attribute: expected KEY=VALUE.", param, ctx)
        try:
            return key, json.loads(text)
        except ValueError:
            return key, text


def _keep_store(context: click.Context, parameter: click.Parameter, value: str | None) -> None:
    del parameter
    if value is not None:
        context.meta[_STORE] = value


def store_setting() -> str | None:
    """Give what `--store` says, before or after the command's name; None where nothing was said."""
    return click.get_current_context().meta.get(_STORE)


store_option: Callable[[Any], Any] = click.option(
    "--store",
    metavar="FILE",
    type=click.Path(),
    expose_value=False,
    is_eager=True,
    callback=_keep_store,
    help="The store's file, in place of the one that MIRASCOPE_OPS_STORE names.",
)
json_option: Callable[[Any], Any] = click.option(
    "--json", "as_json", is_flag=True, help="JSON, a line each; times are ISO text in UTC."
)
limit_option: Callable[[Any], Any] = click.option(
    "-n",
    "--limit",
    type=click.IntRange(min=0),
    default=20,
    show_default=True,
    metavar="N",
    help="The newest so many; 0 for all.",
)
since_option: Callable[[Any], Any] = click.option(
    "--since",
    type=TimeType(),
    metavar="TIME",
    help="Only from this time on: ISO text, or how long ago: 30m, 2h, 7d.",
)
until_option: Callable[[Any], Any] = click.option(
    "--until", type=TimeType(), metavar="TIME", help="Only before this time."
)
status_option: Callable[[Any], Any] = click.option(
    "--status",
    type=click.Choice(("ok", "error", "open", "interrupted")),
    help="Only of this status.",
)
yes_option: Callable[[Any], Any] = click.option("-y", "--yes", is_flag=True, help="Do not ask.")
