from __future__ import annotations

from adapters.work import Work, answer, answer_async


def prepare(*, keep: bool) -> Work:  # noqa: ARG001 - as the others have it
    return Work(answer, answer_async)
