"""The bounds that a run breaks, as the message of an error."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mirascope_ops.views.escape import one_line
from mirascope_ops.views.format import duration, plural, short_id, usd

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mirascope_ops.analysis.checks import Breach
    from mirascope_ops.analysis.rows import SpanRow

_MOST = 50


def breaches_text(breaches: Sequence[Breach], spans: Sequence[SpanRow]) -> str:
    """List breaches, one a line: the check, the span, the value, the bound.

    Args:
        breaches: The breaches.
        spans: The run that was checked.
    """
    lines = [
        f"{plural(len(breaches), 'check')} failed: {run_words(spans)}",
        *(f"  ✕ {_line(breach)}" for breach in breaches[:_MOST]),
    ]
    return "\n".join([*lines, *([f"  … {len(breaches) - _MOST:,} more"] if len(breaches) > _MOST else [])])


def run_words(spans: Sequence[SpanRow]) -> str:
    """What was run, in a few words: "session conv-1, 3 traces, 12 spans".

    Example:
        >>> run_words([])
        'no spans'
    """
    if not spans:
        return "no spans"
    traces = {span.trace_id for span in spans}
    sessions = {span.session_id for span in spans}
    first = spans[0]
    of_one = len(sessions) == 1 and first.session_id is not None
    session = f"session {one_line(first.session_id or '', 80)}" if of_one else ""
    several = plural(len(traces), "trace")
    trace = f"trace {_id(first.trace_id)} {one_line(first.name, 80)}" if len(traces) == 1 else several
    return ", ".join(part for part in (session, trace, plural(len(spans), "span")) if part)


def _line(breach: Breach) -> str:
    said: list[str] = [breach.check]
    if breach.span is not None:
        said.append(f"{_where(breach.span)}:")
    said += [one_line(breach.words, 200)] if breach.words else []
    bound = f"allowed: {_measure(breach, breach.bound)}" if breach.bound is not None else ""
    measured = _measure(breach, breach.value) if breach.value is not None else ""
    most = f"most of it in {_where(breach.most)}" if breach.most is not None else ""
    figures = ", ".join(part for part in (measured, bound, most) if part)
    return " ".join([*said, f"({figures})" if breach.words and figures else figures]).strip()


def _where(span: SpanRow) -> str:
    return f"{one_line(span.name, 80)} (span {_id(span.span_id)}, trace {_id(span.trace_id)})"


def _id(identifier: str) -> str:
    return one_line(short_id(identifier), 80)


def _measure(breach: Breach, value: float) -> str:
    if breach.unit == "usd":
        return usd(value)
    return duration(round(value)) if breach.unit == "ns" else f"{value:,}"
