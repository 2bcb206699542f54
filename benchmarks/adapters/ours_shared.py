"""This library, the store in a file that all workers of this benchmark write at once."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from adapters import ours

if TYPE_CHECKING:
    from adapters.work import Work


def prepare(*, keep: bool) -> Work:
    # Who started us started the others too. It removes the folder.
    folder = Path(tempfile.gettempdir()) / f"mirascope-ops-benchmark-{os.getppid()}"
    return ours.prepare(keep=keep, store=str(folder / "store.sqlite"))
