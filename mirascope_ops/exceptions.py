"""The errors that this library raises on purpose.

Every one is an `OpsError`; where Python has a built-in for the same mistake, it is that too, so that
`except ValueError` works without knowing this module.
"""

from __future__ import annotations

from typing import Any


class OpsError(Exception):
    """Base of every error that mirascope_ops raises on purpose."""


class SessionError(OpsError, ValueError):
    """A session id or a session attribute that cannot be kept or sent."""


class ConfigurationError(OpsError, ValueError):
    """A setting, argument or environment variable with a value that means nothing."""


class TraceTargetError(OpsError, TypeError):
    """`@ops.trace` was applied to something that is not a callable it can wrap."""


class NotFoundError(OpsError, LookupError):
    """No session, trace or span of that id is in the store."""


class FormatError(OpsError, ValueError):
    """A file or a table that cannot be read as what it was given for."""


class StoreError(OpsError):
    """The store could not be opened, read or written."""


class CheckError(OpsError, AssertionError):
    """A run broke a bound that `check` was given; the message lists every breach.

    Attributes:
        breaches: The same as data: `mirascope_ops.analysis.checks.Breach`, one for each line of the message.
    """

    breaches: tuple[Any, ...] = ()


class ReplayError(OpsError):
    """A traced call cannot be run again from its trace; the message says why, and what to give."""
