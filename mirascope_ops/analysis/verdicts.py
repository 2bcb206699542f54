"""What people have judged a span to be: the newest of its annotations that is a judgement."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from mirascope_ops.analysis.rows import SpanRow
    from mirascope_ops.store.records import AnnotationRecord

SCORE = "score"
"""The key of an annotation's metadata under which a score stands."""
WITHDRAWN = "withdrawn"
"""The key of an annotation's metadata that takes back the judgements before it."""


class Verdict(NamedTuple):
    """A judgement.

    Attributes:
        label: Such as "pass" or "fail"; None where only a score or a note was given.
        score: A number, on whatever scale the reviewer has.
        note: Why.
        time: When, nanoseconds since the epoch.
    """

    label: str | None
    score: float | None
    note: str | None
    time: int


def verdict_of(annotations: Iterable[AnnotationRecord]) -> Verdict | None:
    """Find the judgement that holds.

    Args:
        annotations: What was said about a span, in any order.

    Returns:
        The newest annotation that has a label, a score or a reasoning; None without any, and where it was taken back.

    Example:
        >>> from mirascope_ops.store.records import AnnotationRecord
        >>> said = AnnotationRecord("t", "s", 1, "fail", "too long", (), {"score": 2})
        >>> verdict_of([said])
        Verdict(label='fail', score=2.0, note='too long', time=1)
    """
    newest: Verdict | None = None
    for annotation in sorted(annotations, key=lambda annotation: annotation.time):
        if annotation.metadata.get(WITHDRAWN) is True:
            newest = None
            continue
        score = _number(annotation.metadata.get(SCORE))
        if annotation.label or annotation.reasoning or score is not None:
            newest = Verdict(annotation.label or None, score, annotation.reasoning or None, annotation.time)
    return newest


def verdict_of_trace(roots: Sequence[SpanRow]) -> Verdict | None:
    """Find the judgement on a trace: on its roots, the newest.

    Args:
        roots: The trace's roots.
    """
    return verdict_of(annotation for root in roots for annotation in root.annotations)


def _number(value: Any) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return None
    return float(value)
