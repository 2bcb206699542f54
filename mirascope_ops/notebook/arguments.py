"""Reading a magic's line: splitting it without breaking quotes or JSON, and parsing what was split."""

from __future__ import annotations

import json
import keyword
import re
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, Final

from IPython.core.error import UsageError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Sequence

_DECODER: Final = json.JSONDecoder()
# What argparse says of a word that is none of those that there are.
_REFUSED: Final = re.compile(r"invalid choice: '([^']*)' \(choose from (.*)\)")
_KEY: Final = re.compile(r"[^\s='\"]+=")


def split(line: str) -> list[str]:
    """Split a magic's line at spaces; quotes hold words together, and so does JSON after `KEY=`.

    Never raises: a quote that is not closed is a character like any other.

    Example:
        >>> split('"my session" -a tags=["a", "b"] -a note="two words"')
        ['my session', '-a', 'tags=["a", "b"]', '-a', 'note="two words"']
    """
    words: list[str] = []
    at = 0
    while at < len(line):
        if line[at].isspace():
            at += 1
            continue
        if (found := _KEY.match(line, at)) and (end := _json_end(line, found.end())):
            words.append(line[at:end])
            at = end
            continue
        word, at = _word(line, at)
        words.append(word)
    return words


def _json_end(line: str, start: int) -> int | None:
    """Return where a JSON value that starts here ends, if it is a word of its own."""
    try:
        end = _DECODER.raw_decode(line, start)[1]
    except (ValueError, RecursionError):
        return None
    return end if end == len(line) or line[end].isspace() else None


def _word(line: str, at: int) -> tuple[str, int]:
    """Read one word; quotes count at its start and after `=`, so that the one in `it's` is an apostrophe."""
    word = ""
    start = at
    while at < len(line) and not line[at].isspace():
        quotes = line[at] in "'\"" and (at == start or line[at - 1] == "=")
        close = line.find(line[at], at + 1) if quotes else -1
        if close > 0:
            word += line[at + 1 : close]
            at = close + 1
        else:
            word += line[at]
            at += 1
    return word, at


def last_word(line: str) -> tuple[list[str], str]:
    """Split what stands before a cursor into the words that are done and the text of the one under way.

    Example:
        >>> last_word("--session conv")
        (['--session'], 'conv')
        >>> last_word('--session "two wo')
        (['--session'], '"two wo')
        >>> last_word("--session ")
        (['--session'], '')
    """
    at = start = 0
    while at < len(line):
        if line[at].isspace():
            at += 1
            start = at
            continue
        start = at
        if line[at] in "'\"" and line.find(line[at], at + 1) < 0:  # a quote that is still to be closed
            break
        _, at = _word(line, at)
    return split(line[:start]), line[start:]


def protect(line: str) -> str:
    """Double the braces of JSON objects in `KEY={...}`, so that IPython's `{name}` expansion leaves them alone.

    Example:
        >>> protect('{user} -a filter={"a": 1}')
        '{user} -a filter={{"a": 1}}'
    """
    done = ""
    at = 0
    for found in _KEY.finditer(line):
        start = found.end()
        end = _json_end(line, start) if found.start() >= at else None
        if end and line[start] in "{[":
            done += line[at:start] + line[start:end].replace("{", "{{").replace("}", "}}")
            at = end
    return done + line[at:]


def wants_help(header: str) -> bool:
    """Whether a line asks for help."""
    return not {"-h", "--help"}.isdisjoint(split(header))


def parse(name: str, parser: argparse.ArgumentParser, line: str) -> argparse.Namespace:
    """Parse a magic's line.

    Args:
        name: The magic as it is typed, such as "%%ops_session", for the message.
        parser: The magic's parser.
        line: What follows the name.

    Raises:
        UsageError: An option is unknown or lacks its value; the message says how the magic is used.
    """
    try:
        return parser.parse_args(split(line))
    except UsageError as error:
        usage = " ".join(parser.format_usage().removeprefix("::").split())
        hint = _hint(name, parser, str(error))
        message = f"{name}: {error}{hint}\nUsage: {usage}\n{name} -h explains the options."
        raise UsageError(message) from None


def options(parser: argparse.ArgumentParser) -> list[str]:
    """Give the names of a parser's options, the long ones where there are any."""
    actions: list[argparse.Action] = parser._actions  # noqa: SLF001  # pyright: ignore[reportPrivateUsage] - no other way
    return [max(action.option_strings, key=len) for action in actions if action.option_strings]


def _hint(name: str, parser: argparse.ArgumentParser, error: str) -> str:
    """Return what was probably meant by words that a parser does not know."""
    refused = _REFUSED.search(error)
    if refused:
        word, choices = refused[1], re.findall(r"'([^']*)'", refused[2])
        close = get_close_matches(word, choices, 1)
        if not close and "start" in choices:  # an id, as the cell magic takes it
            return f". To start a session, type: {name} start {_quoted(word)}"
        return f" (did you mean {close[0]}?)" if close else ""
    unknown = error.partition("unrecognized arguments: ")[2].split()
    if not unknown:
        return ""
    known = options(parser)
    if unknown[0].startswith("-"):
        close = get_close_matches(unknown[0].partition("=")[0], known, 1)
        return f" (did you mean {close[0]}?)" if close else ""
    if "--session" in known:
        return f". Of one session, type: {name} --session {_quoted(' '.join(unknown))}"
    return " (quote an id or a value that has spaces)"


def _quoted(word: str) -> str:
    return f'"{word}"' if " " in word else word


def help_text(parser: argparse.ArgumentParser) -> str:
    """A magic's help, as people read it: IPython writes it for Sphinx."""
    return parser.format_help().removeprefix("::").strip("\n")


def attributes(pairs: Sequence[str] | None) -> dict[str, Any]:
    """Read `KEY=VALUE` words: a VALUE is JSON where it parses, else text.

    Example:
        >>> attributes(["tier=premium", "turns=3", 'tags=["a"]'])
        {'tier': 'premium', 'turns': 3, 'tags': ['a']}

    Raises:
        UsageError: A word has no `=` or nothing before it.
    """
    read: dict[str, Any] = {}
    for pair in pairs or ():
        key, equals, value = pair.partition("=")
        if not key or not equals:
            message = f"-a takes KEY=VALUE, got {pair!r}. Write, for example: -a user_tier=premium"
            raise UsageError(message)
        read[key] = _value(value)
    return read


def _value(text: str) -> Any:
    try:
        return json.loads(text, parse_constant=_no_constant)
    except (ValueError, RecursionError):
        return text


def _no_constant(name: str) -> Any:
    """NaN and Infinity are no JSON, whatever Python's parser thinks: they are text."""
    raise ValueError(name)


def variable(name: str | None, option: str) -> str | None:
    """Check the name of a variable that a magic is to set.

    Raises:
        UsageError: It is no Python name.
    """
    if name is not None and (not name.isidentifier() or keyword.iskeyword(name)):
        message = f"{option} takes the name of a variable, got {name!r}. Write, for example: {option} result"
        raise UsageError(message)
    return name


def positive(option: str) -> Callable[[str], int]:
    """Return a converter for an option that takes a whole number of at least 1."""

    def convert(text: str) -> int:
        number = int(text) if text.isascii() and text.isdigit() else 0
        if number < 1:
            message = f"{option} takes a whole number of at least 1, got {text!r}."
            raise UsageError(message)
        return number

    return convert


def port(text: str) -> int:
    """Read a port's number.

    Raises:
        UsageError: It is none.
    """
    number = int(text) if text.isascii() and text.isdigit() and len(text) <= len("65535") else -1
    if not 0 <= number <= 65535:  # noqa: PLR2004 - the last port
        message = f"--port takes a number from 0 to 65535, got {text!r}; 0 takes a free one."
        raise UsageError(message)
    return number
