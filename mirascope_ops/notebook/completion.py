"""Tab completion behind our magics: options, the words that they take, and what is in the store."""

from __future__ import annotations

import re
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

from IPython.core import completer

from mirascope_ops import reading
from mirascope_ops.exceptions import OpsError
from mirascope_ops.notebook import arguments

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from IPython.core.completer import CompletionContext, SimpleMatcherResult

_COMPLETER: Final[Any] = completer  # untyped
_MAGIC: Final = re.compile(r"(?:^|.*=)\s*(%{1,2}ops_\w+)\s+(?P<line>.*)")
_BARE: Final = re.compile(r"[^\s'\"%$={}]+")  # words that a line of a magic takes without quotes
_MOST: Final = 200  # of what a store may hold any number of


def matcher(parsers: Mapping[str, argparse.ArgumentParser]) -> Callable[[CompletionContext], SimpleMatcherResult]:
    """Make a matcher for IPython's completer.

    Args:
        parsers: The magics' parsers, by what is typed: `%ops_spans`.
    """

    @_COMPLETER.completion_matcher(identifier="mirascope_ops", api_version=2)
    def match(context: CompletionContext) -> SimpleMatcherResult:
        found = _MAGIC.fullmatch(context.text_until_cursor)
        parser = parsers.get(found[1]) if found else None
        if found is None or parser is None:
            return {"completions": [], "suppress": False}
        done, begun = arguments.last_word(found["line"])
        completions = [
            completer.SimpleCompletion(text=text, type=kind)
            for text, kind in _candidates(parser, done, begun)
            if text.startswith(begun)
        ]
        return {"completions": completions, "suppress": True, "matched_fragment": begun, "ordered": True}

    return match


def _candidates(parser: argparse.ArgumentParser, done: Sequence[str], begun: str) -> list[tuple[str, str]]:
    """Give what may follow, as text and type: values, then options."""
    actions: list[argparse.Action] = parser._actions  # noqa: SLF001  # pyright: ignore[reportPrivateUsage] - no other way
    by_option = {option: action for action in actions for option in action.option_strings}
    asked = by_option.get(done[-1]) if done else None
    if asked is not None and asked.nargs != 0:
        return _values(asked, begun)
    given = {by_option[word].dest for word in done if word in by_option}
    places = [action for action in actions if not action.option_strings]
    taken = _places_taken(by_option, done)
    values = _values(places[taken], begun) if taken < len(places) else []
    options = [
        (max(action.option_strings, key=len), "option")
        for action in actions
        if action.option_strings and (action.dest not in given or action.dest == "attributes")
    ]
    return [*values, *options]


def _places_taken(by_option: Mapping[str, argparse.Action], done: Iterable[str]) -> int:
    """Count the words that are no options and no values of options."""
    taken, valued = 0, False
    for word in done:
        if word in by_option:
            valued = by_option[word].nargs != 0
        else:
            taken += not valued and not word.startswith("-")
            valued = False
    return taken


def _values(action: argparse.Action, begun: str) -> list[tuple[str, str]]:
    if action.choices is not None:
        return [(str(choice), "value") for choice in action.choices]
    find = _STORED.get(action.metavar if isinstance(action.metavar, str) else "", _nothing)
    values: list[str] = []
    with suppress(OpsError):  # a store that cannot be read completes nothing
        values = find(begun.lstrip("'\""))
    return [(word, "value") for value in values if (word := _quoted(value, begun[:1])) is not None]


def _quoted(value: str, quote: str) -> str | None:
    """Write a value as a magic's line takes it; None for one that it cannot take."""
    if quote not in {"'", '"'}:
        if _BARE.fullmatch(value) and not value.startswith("-"):
            return value
        quote = "'" if '"' in value else '"'
    # `$` and braces would be expanded, and a line takes no quote of the same kind inside.
    return None if quote in value or not {"$", "{", "}"}.isdisjoint(value) else f"{quote}{value}{quote}"


def _nothing(begun: str) -> list[str]:
    del begun
    return []


def _sessions(begun: str) -> list[str]:
    ids: Any = reading.sessions(limit=_MOST * 5).ids
    return [one for one in ids if one.startswith(begun)][:_MOST]


def _names(begun: str) -> list[str]:
    """The names of the newest spans, newest first."""
    names = dict.fromkeys(span.name for span in reversed(reading.spans(limit=_MOST)))
    return [name for name in names if name.startswith(begun)]


# What the store knows, by what the parsers call the value.
_STORED: Final[Mapping[str, Callable[[str], list[str]]]] = {"ID": _sessions, "SPAN": _names}
