"""This library, the store in a file: a thread of its own writes it."""

from __future__ import annotations

import atexit
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from adapters import ours

if TYPE_CHECKING:
    from adapters.work import Work


def prepare(*, keep: bool) -> Work:
    folder = Path(tempfile.mkdtemp())
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return ours.prepare(keep=keep, store=str(folder / "store.sqlite"))
