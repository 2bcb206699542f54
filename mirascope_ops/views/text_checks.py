"""The bounds that a run breaks, as the message of an error."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mirascope_ops.views.escape import one_line
from mirascope_ops.views.format import duration, plural, short_id, usd

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mirascope_ops.analysis.checks import Breach

_MOST = 50


def breaches_text(breaches: Sequence[Breach]) -> str:
    """List breaches, one a line: the check, the span, the value, the bound."""
    lines = [f"{plural(len(breaches), 'check')} failed:", *(f"  ✕ {_line(breach)}" for breach in breaches[:_MOST])]
    return "\n".join([*lines, *([f"  … {len(breaches) - _MOST:,} more"] if len(breaches) > _MOST else [])])


def _line(breach: Breach) -> str:
    said: list[str] = [breach.check]
    if breach.span is not None:
        span = breach.span
        said.append(f"{one_line(span.name, 80)} (span {short_id(span.span_id)}, trace {short_id(span.trace_id)}):")
    said += [one_line(breach.words, 200)] if breach.words else []
    bound = f"allowed: {_measure(breach, breach.bound)}" if breach.bound is not None else ""
    measured = _measure(breach, breach.value) if breach.value is not None else ""
    figures = ", ".join(part for part in (measured, bound) if part)
    return " ".join([*said, f"({figures})" if breach.words and figures else figures]).strip()


def _measure(breach: Breach, value: float) -> str:
    if breach.unit == "usd":
        return usd(value)
    return duration(round(value)) if breach.unit == "ns" else f"{value:,}"
