"""Where times and ids come from; one place, so that a test can replace both.

The module is an id generator as OpenTelemetry's SDK has them (`generate_trace_id`, `generate_span_id`), and stands
where the user's would. Ids come from a generator of our own: the SDK's uses the global one, whose ids repeat after
`random.seed(0)`. After a fork the child's generator is seeded anew, else both would make the same ids.
"""

from __future__ import annotations

import os
import random
import uuid
from functools import partial
from time import time_ns
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

_random = random.Random()  # noqa: S311 - ids must be unique, not secret
now: Callable[[], int] = time_ns
bits: Callable[[int], int] = _random.getrandbits
generate_trace_id: Callable[[], int] = partial(bits, 128)
generate_span_id: Callable[[], int] = partial(bits, 64)

if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_random.seed)


def new_uuid() -> uuid.UUID:
    """Return a random UUID (version 4)."""
    return uuid.UUID(int=bits(128), version=4)


def replace(now_ns: Callable[[], int] | None = None, random_bits: Callable[[int], int] | None = None) -> None:
    """Take times and ids from elsewhere, or (None) from the real clock and generator again; for tests.

    Args:
        now_ns: Returns nanoseconds since the epoch.
        random_bits: Returns a positive int of at most as many bits as asked for.
    """
    global now, bits, generate_trace_id, generate_span_id  # noqa: PLW0603 - the one switch for the process
    now = now_ns or time_ns
    bits = random_bits or _random.getrandbits
    generate_trace_id, generate_span_id = partial(bits, 128), partial(bits, 64)
