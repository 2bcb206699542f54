"""The version of this library; the build reads it from here, because asking the installed metadata takes 25 ms."""

from __future__ import annotations

from typing import Final

VERSION: Final = "0.1.0"
