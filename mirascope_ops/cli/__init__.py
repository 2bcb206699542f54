"""The command line `mirascope-ops`: what a store holds, in and out of it, and its upkeep."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from mirascope_ops._optional import require

if TYPE_CHECKING:
    from collections.abc import Sequence


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line.

    Args:
        arguments: What follows the program's name; by default what this process was started with.

    Returns:
        The exit code: 0, 1 where something was not found or failed, 2 where it was called wrongly.
    """
    try:
        require("click", extra="cli")
    except ImportError as error:
        sys.stderr.write(f"mirascope-ops: {error}\n")
        return 1
    from mirascope_ops.cli.program import run

    return run(sys.argv[1:] if arguments is None else arguments)
