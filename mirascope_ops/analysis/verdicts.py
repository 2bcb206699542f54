"""What people have judged a span, a trace or a session to be: the newest annotation that is a judgement of it."""

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
OF_SESSION = "mirascope.ops.judged.session.id"
"""The key of an annotation's metadata that names the session which is judged as a whole.

Such an annotation is kept on one of the session's spans, so that it goes wherever the session's spans go: to files and
back, and away when they are deleted.
"""


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
        annotations: What was said about a span, in any order; what was said about its session is passed over.

    Returns:
        The newest annotation that has a label, a score or a reasoning; None without any, and where it was taken back.

    Example:
        >>> from mirascope_ops.store.records import AnnotationRecord
        >>> said = AnnotationRecord("t", "s", 1, "fail", "too long", (), {"score": 2})
        >>> verdict_of([said])
        Verdict(label='fail', score=2.0, note='too long', time=1)
    """
    return _newest(annotation for annotation in annotations if OF_SESSION not in annotation.metadata)


def verdict_of_session(session_id: str, spans: Iterable[SpanRow]) -> Verdict | None:
    """Find the judgement on a session as a whole.

    Args:
        session_id: The session.
        spans: Its spans.
    """
    said = (annotation for span in spans for annotation in span.annotations)
    return _newest(annotation for annotation in said if annotation.metadata.get(OF_SESSION) == session_id)


def _newest(annotations: Iterable[AnnotationRecord]) -> Verdict | None:
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
