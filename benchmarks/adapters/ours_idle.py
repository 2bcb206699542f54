"""This library, its spans left where the traced program put them: nobody has read the store."""

from __future__ import annotations

from typing import TYPE_CHECKING

from adapters import ours

if TYPE_CHECKING:
    from adapters.work import Work


def prepare(*, keep: bool) -> Work:
    return ours.prepare(keep=keep)._replace(settle=lambda: None)
