"""Numbers, times and counts as people read them; the same in text, HTML and figures."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import tzinfo

_US = 1_000
_MS = 1_000_000
_S = 1_000_000_000
_MINUTE = 60 * _S
_HOUR = 60 * _MINUTE
_DAY = 24 * _HOUR
# Nanoseconds below which a unit serves, the unit, its digits and its name. Each bound is where rounding would
# write the next unit's 1 in this one: 999.96 ms is 1.00 s.
_UNITS = (
    (_US, 1, 0, "ns"),
    (999_500, _US, 0, "µs"),
    (999_950_000, _MS, 1, "ms"),
    (9_995_000_000, _S, 2, "s"),
    (59_950_000_000, _S, 1, "s"),
)
# The same for tokens and for dollars.
_TOKENS = ((1_000, 1, 0, ""), (99_950, 1_000, 1, "k"), (999_500, 1_000, 0, "k"))
_DOLLARS = ((0.00095, 6), (0.9995, 4))
_SMALLEST_AMOUNT = 5e-7
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def duration(ns: int) -> str:
    """A duration with the unit that keeps it short.

    Args:
        ns: Nanoseconds; a negative duration (clocks that disagree) keeps its sign.

    Returns:
        The duration, such as "164.7 ms".

    Example:
        >>> [duration(ns) for ns in (820, 164_700_000, 18_400_000_000, 200_000_000_000)]
        ['820 ns', '164.7 ms', '18.4 s', '3 min 20 s']
    """
    if ns < 0:
        return f"-{duration(-ns)}"
    if ns == 0:
        return "0 ms"
    for below, unit, digits, name in _UNITS:
        if ns < below:
            return f"{ns / unit:.{digits}f} {name}"
    seconds = round(ns / _S)
    minutes = round(ns / _MINUTE)
    if seconds * _S < _HOUR:
        return f"{seconds // 60} min {seconds % 60} s"
    if minutes * _MINUTE < _DAY:
        return f"{minutes // 60} h {minutes % 60} min"
    hours = round(ns / _HOUR)
    return f"{hours // 24} d {hours % 24} h"


def offset(ns: int) -> str:
    """A time after the start of a trace, such as "+8.1 ms"."""
    return duration(ns) if ns < 0 else f"+{duration(ns)}"


def count(number: int) -> str:
    """A whole number with thousands separated, such as "1,234"."""
    return f"{number:,}"


def plural(number: int, noun: str, many: str | None = None) -> str:
    """A number with its noun, such as "1 span" and "1,234 spans"."""
    return f"{number:,} {noun if number == 1 else many or noun + 's'}"


def tokens(number: int) -> str:
    """A number of tokens in at most five characters: "986", "41.2k", "1.3M"."""
    for below, unit, digits, name in _TOKENS:
        if number < below:
            return f"{number / unit:.{digits}f}{name}"
    return f"{number / 1e6:.1f}M"


def token_flow(given: int | None, answered: int | None) -> str:
    """Tokens in and out as "111 → 19"; what was not reported is left out, and "" says nothing was."""
    if given is None:
        return "" if answered is None else f"{tokens(answered)} out"
    if answered is None:
        return f"{tokens(given)} in"
    return f"{tokens(given)} → {tokens(answered)}"


def usd(dollars: float) -> str:
    """An amount of US dollars with as many digits as it needs: "$0.000026", "$0.0142", "$1.87"."""
    if dollars < 0:
        return f"-{usd(-dollars)}"
    if dollars == 0:
        return "$0"
    if dollars < _SMALLEST_AMOUNT:
        return "<$0.000001"
    for below, digits in _DOLLARS:
        if dollars < below:
            return f"${dollars:.{digits}f}"
    return f"${dollars:,.2f}"


def moment(ns: int, zone: tzinfo | None = UTC) -> datetime | None:
    """The time of nanoseconds since the epoch, or None where no calendar has it (a broken clock).

    Args:
        ns: Nanoseconds since the epoch.
        zone: The time zone; None for this machine's.
    """
    try:
        return datetime.fromtimestamp(ns // _S, tz=UTC).astimezone(zone)
    except (OverflowError, OSError, ValueError):
        return None


def date(ns: int, *, seconds: bool = True, year: bool = True, zone: tzinfo | None = UTC) -> str:
    """A time, always in English and, unless another zone is given, in UTC: "24 Nov 2026, 19:23:59 UTC".

    Args:
        ns: Nanoseconds since the epoch.
        seconds: Whether with seconds and the zone's name.
        year: Whether with the year.
        zone: The time zone; None for this machine's.
    """
    at = moment(ns, zone)
    if at is None:
        return f"{ns} ns after 1970"
    clock = f"{at:%H:%M:%S %Z}" if seconds else f"{at:%H:%M}"
    return f"{at.day} {_MONTHS[at.month - 1]}{f' {at.year}' if year else ''}, {clock}"


def short_id(identifier: str) -> str:
    """The first eight characters of a trace or span id: enough to tell it from its neighbours."""
    return identifier[:8]


# Marks of an axis: 1, 2 and 5 times a power of ten up to half a minute, then what a clock divides into.
_STEPS = (
    *(times * 10**power for power in range(10) for times in (1, 2, 5)),
    *(times * 10**10 for times in (1, 2, 3)),
    *(times * _MINUTE for times in (1, 2, 5, 10, 15, 30)),
    *(times * _HOUR for times in (1, 2, 3, 6, 12)),
    *(times * _DAY for times in (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000)),
)


def axis_step(total: int, most: int) -> int:
    """The distance of an axis' marks.

    Args:
        total: The axis' length in nanoseconds.
        most: How many marks fit.

    Returns:
        A round number of nanoseconds.

    Example:
        >>> axis_step(164_700_000, 4)
        50000000
    """
    return next((size for size in _STEPS if size * most >= total), max(1, total // most))


def mark(ns: int) -> str:
    """An axis mark, shorter than a duration: "50 ms", "2 s", "1 min"; zero is "0"."""
    if ns == 0:
        return "0"
    for unit, name in ((_DAY, "d"), (_HOUR, "h"), (_MINUTE, "min"), (_S, "s"), (_MS, "ms"), (_US, "µs")):
        if ns >= unit:
            return f"{ns / unit:g} {name}" if ns % unit == 0 or unit <= _S else duration(ns)
    return f"{ns} ns"
