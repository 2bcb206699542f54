"""Importing packages that belong to an extra, with an error that says which."""

from __future__ import annotations

import importlib
from typing import Any


def require(name: str, *, extra: str) -> Any:
    """Import an optional package, or say how to install it.

    Args:
        name: The module to import, such as "pandas".
        extra: The extra of mirascope_ops that installs it.

    Returns:
        The module.

    Raises:
        ImportError: The package is not installed; the message holds the command that installs it.

    Example:
        >>> require("json", extra="notebook").dumps([1])
        '[1]'
    """
    try:
        return importlib.import_module(name)
    except ImportError as error:
        message = f'{name} is needed for this. Install it with: pip install "mirascope_ops[{extra}]"'
        raise ImportError(message, name=name) from error
