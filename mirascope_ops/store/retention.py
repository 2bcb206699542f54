"""How long this person's stores keep traces: from the environment, for every process, or from `ops.store.retain`."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Final

from mirascope_ops.exceptions import ConfigurationError
from mirascope_ops.store.protocol import Retention

DAYS_VARIABLE: Final = "MIRASCOPE_OPS_KEEP_DAYS"
SIZE_VARIABLE: Final = "MIRASCOPE_OPS_KEEP_SIZE"
ARCHIVE_VARIABLE: Final = "MIRASCOPE_OPS_ARCHIVE"
FOR_EVER: Final = "forever"
_MOST_DAYS: Final = 100_000  # before that no span began: times count from 1970, in 63 bits
_UNITS: Final = {"": 1, "b": 1, "kb": 2**10, "mb": 2**20, "gb": 2**30, "tb": 2**40}
_SIZE: Final = re.compile(r"\s*(\d+(?:\.\d+)?)\s*([kmgt]?i?b?)\s*", re.IGNORECASE)


def from_environment() -> Retention:
    """Read what the environment says; what it does not say is as `Retention` has it.

    Raises:
        ConfigurationError: A variable means nothing.

    Example:
        >>> from_environment().max_age_days
        90.0
    """
    kept, faults = judged()
    if faults:
        raise ConfigurationError(" ".join(faults))
    return kept


def judged() -> tuple[Retention, list[str]]:
    """Read what the environment says, each variable by itself: one that means nothing deletes nothing.

    Returns:
        What is kept, and for each variable that means nothing what is wrong with it and what follows.

    Example:
        >>> judged()
        (Retention(max_age_days=90.0, max_bytes=2147483648, archive=None), [])
    """
    kept = Retention()
    faults: list[str] = []
    days, size, archive = (
        os.environ.get(name, "").strip() for name in (DAYS_VARIABLE, SIZE_VARIABLE, ARCHIVE_VARIABLE)
    )
    if days:
        try:
            kept = kept._replace(max_age_days=days_of(days))
        except ConfigurationError as error:
            kept = kept._replace(max_age_days=None)
            faults.append(f"{DAYS_VARIABLE}: {error} Until then no trace is deleted for its age.")
    if size:
        try:
            kept = kept._replace(max_bytes=bytes_of(size))
        except ConfigurationError as error:
            kept = kept._replace(max_bytes=None)
            faults.append(f"{SIZE_VARIABLE}: {error} Until then no trace is deleted for the file's size.")
    if archive:
        try:
            kept = kept._replace(archive=Path(archive).expanduser().absolute())
        except (RuntimeError, OSError) as error:  # "~" of somebody whom this system does not know
            kept = Retention(None, None)  # without an archive, all that is deleted would be lost
            faults.append(f"{ARCHIVE_VARIABLE}: {archive!r} is no folder ({error}). Until then no trace is deleted.")
    return kept, faults


def days_of(value: float | str) -> float | None:
    """Read a number of days above 0, or "forever" (None), which more days than a span can be old are too.

    Raises:
        ConfigurationError: It is neither.

    Example:
        >>> days_of("7"), days_of("forever")
        (7.0, None)
    """
    if _is_for_ever(value):
        return None
    try:
        days = float(value)
    except (TypeError, ValueError):
        days = 0.0
    if not 0 < days < float("inf") or isinstance(value, bool):
        raise ConfigurationError(f'{value!r} is no number of days above 0: give one, such as 30, or "forever".')
    return days if days < _MOST_DAYS else None


def bytes_of(value: int | str) -> int | None:
    """Read a size of at least a megabyte, in bytes or as people write it, or "forever" (None: any size).

    Raises:
        ConfigurationError: It is neither.

    Example:
        >>> bytes_of("1.5 GB"), bytes_of("forever")
        (1610612736, None)
    """
    if _is_for_ever(value):
        return None
    found = _SIZE.fullmatch(str(value))
    try:
        size = int(float(found[1]) * _UNITS[_unit(found[2])]) if found and not isinstance(value, bool) else 0
    except OverflowError:
        size = 0
    if size < 2**20:
        raise ConfigurationError(
            f'{value!r} is no size of at least a megabyte: give bytes, text such as "500 MB", or "forever".'
        )
    return size


def _is_for_ever(value: float | str) -> bool:
    return isinstance(value, str) and value.strip().lower() == FOR_EVER


def _unit(text: str) -> str:
    unit = text.lower().replace("i", "")
    return unit if unit in _UNITS else unit + "b"
