"""An exception's traceback as text, once: on the innermost span that it leaves.

An exception that passes many traced calls would be written out whole by each of them, which takes time and room
with the square of the depth. A span further out writes only its own frames, down to the traced call from which
the exception came.
"""

from __future__ import annotations

import traceback
from itertools import islice
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from types import TracebackType

_OURS: Final = frozenset(__file__.removesuffix("stacks.py") + name for name in ("tracing.py", "callables.py"))


def text_of(error: BaseException) -> str:
    """Return an exception's traceback, as Python prints it.

    Args:
        error: An exception that leaves a span now.

    Returns:
        The whole traceback with its causes, or, where an inner traced call has left it behind already, this
        span's own frames.
    """
    own = _own_frames(error.__traceback__)
    if own is None:
        return "".join(traceback.format_exception(error))
    frames = traceback.StackSummary.extract(islice(traceback.walk_tb(error.__traceback__), own))
    lines = ["Traceback (most recent call last):\n", *frames.format()]
    return "".join([*lines, *traceback.format_exception_only(error)])


def _own_frames(tb: TracebackType | None) -> int | None:
    """Count the frames before an inner traced call; None where there is no inner one."""
    count = 0
    while tb is not None:
        if count and tb.tb_frame.f_code.co_filename in _OURS:
            return count
        tb = tb.tb_next
        count += 1
    return None
