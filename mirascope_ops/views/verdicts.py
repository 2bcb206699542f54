"""A judgement in few words, as tables and cards show it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mirascope_ops.views.escape import html_text, one_line

if TYPE_CHECKING:
    from mirascope_ops.analysis.verdicts import Verdict

_SIGNS = {"pass": "✓ ", "fail": "✕ "}


def verdict_text(verdict: Verdict | None) -> str:
    """A judgement as "✓ pass 4", "✕ fail" or "score 4"; "" where there is none.

    Example:
        >>> from mirascope_ops.analysis.verdicts import Verdict
        >>> [verdict_text(Verdict(*told, "hm", 0)) for told in (("pass", 4.0), (None, 4.0), (None, None))]
        ['✓ pass 4', 'score 4', 'noted']
    """
    if verdict is None:
        return ""
    label = one_line(verdict.label, 40) if verdict.label else ""
    score = f"{'' if label else 'score '}{verdict.score:g}" if verdict.score is not None else ""
    return " ".join(part for part in (_SIGNS.get(label, "") + label, score) if part) or "noted"


def verdict_html(verdict: Verdict | None) -> str:
    """The same as HTML, with what was noted as a tooltip."""
    if verdict is None:
        return ""
    note = f' title="{html_text(one_line(verdict.note, 300))}"' if verdict.note else ""
    tone = "e" if verdict.label == "fail" else "q"
    return f'<span class="{tone}"{note}>{html_text(verdict_text(verdict))}</span>'
