"""This library: arguments and result captured, in a session, the store in memory (which keeps what it is given)."""

from __future__ import annotations

import functools

import mirascope_ops as ops
from adapters.work import SESSION, Work, answer, answer_async


def prepare(*, keep: bool, store: str = ":memory:") -> Work:  # noqa: ARG001 - as the others have it
    ops.configure(store=store)
    return Work(
        ops.trace(answer), ops.trace(answer_async), functools.partial(ops.session, SESSION), settle=ops.store.flush
    )
