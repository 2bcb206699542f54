"""A session's card as text."""

from __future__ import annotations

from datetime import UTC
from typing import TYPE_CHECKING

from mirascope_ops.analysis.verdicts import verdict_of_trace
from mirascope_ops.views.escape import one_line
from mirascope_ops.views.format import count, date, duration, plural, token_flow, usd
from mirascope_ops.views.session_outline import SessionOutline, TurnLine, session_outline
from mirascope_ops.views.text_trace import joined, name_text, status_text
from mirascope_ops.views.verdicts import verdict_text
from mirascope_ops.views.words import NO_SPANS, run_words, session_word

if TYPE_CHECKING:
    from datetime import tzinfo

    from mirascope_ops.analysis.rows import SessionCard

_MOST_TURNS = 60
_MOST_SESSIONS = 40
_MOST_NESTING = 6
_MOST_ATTRIBUTES = 24
_LIMIT = 160


def session_text(card: SessionCard, *, zone: tzinfo | None = UTC) -> str:
    """A session's card as text: the header, then a line or two for each turn.

    Args:
        card: The session with its turns and child sessions.
        zone: The time zone of its start; None for this machine's.

    Returns:
        Lines without a final newline; what was cut is said.
    """
    view = session_outline(card)
    shown = view.most_telling(_MOST_TURNS)
    lines = _head(view, zone)
    if not view.turns and not card.totals.spans:
        return "\n".join([*lines, NO_SPANS])
    for number, section in enumerate(view.sections[:_MOST_SESSIONS]):
        indent = "  " * min(section.depth, _MOST_NESTING)
        if number:
            lines.append(f"{indent}{_child(section.card)}")
        for line in section.turns:
            if line.place in shown:
                lines += _turn(line, indent)
        missing = sum(1 for line in section.turns if line.place not in shown)
        if missing:
            lines.append(f"{indent}… {plural(missing, 'more turn')}")
    rest = len(view.sections) - _MOST_SESSIONS
    if rest > 0:
        lines.append(f"… {plural(rest, 'more session')}: ops.sessions()")
    lookup = f"ops.get_session({one_line(repr(card.session_id), 120)})"
    lines += ["", f"{lookup} has .conversation() .timeline() .turns() .to_pandas()"]
    return "\n".join(lines)


def _head(view: SessionOutline, zone: tzinfo | None) -> list[str]:
    card = view.card
    totals = card.totals
    failed = sum(1 for line in view.turns if line.turn.error)
    recovered = sum(1 for line in view.turns if line.turn.recovered)
    used = token_flow(totals.input_tokens, totals.output_tokens)
    turns = f"{count(len(view.turns) - failed)} of {plural(len(view.turns), 'turn')} ok" if failed else ""
    status = status_text(card.status, session_word(card, failed)) if view.turns or card.status != "ok" else ""
    first = joined(
        f"Session {name_text(card.session_id)} {status}".rstrip(),
        f"! {recovered} recovered" if recovered else "",
        turns or (plural(len(view.turns), "turn") if view.turns else ""),
        f"in {plural(len(view.sections), 'session')}" if len(view.sections) > 1 else "",
        plural(totals.llm_calls, "LLM call") if totals.llm_calls else "",
        f"{used} tokens" if used else "",
        usd(totals.cost) if totals.cost is not None else "",
    )
    second = joined(
        verdict_text(card.verdict),
        plural(card.runs, "run") if card.runs > 1 else "",
        run_words(card) if totals.spans else "",
        f"In [{card.execution_count}]" if card.execution_count is not None else "",
        date(totals.start or card.first_seen, zone=zone),
        duration(view.busy) if view.busy else "",
    )
    pairs = [
        f"{name_text(str(k), 40)}={one_line(str(v), 60)}" for k, v in list(card.attributes.items())[:_MOST_ATTRIBUTES]
    ]
    labels = ", ".join([*pairs, *(name_text(tag, 40) for tag in card.tags[:_MOST_ATTRIBUTES])])
    return [first, second, *([labels] if labels else []), ""]


def _child(card: SessionCard) -> str:
    failed = sum(1 for turn in card.turns if turn.error)
    used = token_flow(card.totals.input_tokens, card.totals.output_tokens)
    return joined(
        f"Session {name_text(card.session_id)}",
        f"child of {name_text(card.parent_session_id, 60)}" if card.parent_session_id is not None else "",
        plural(len(card.turns), "turn") if card.turns else "no spans yet",
        f"{used} tokens" if used else "",
        f"✕ {plural(failed, 'error')}" if failed else "",
        verdict_text(card.verdict),
    )


def _turn(line: TurnLine, indent: str) -> list[str]:
    turn = line.turn
    totals = turn.totals
    used = token_flow(totals.input_tokens, totals.output_tokens)
    figures = joined(
        duration(totals.duration) if totals.duration is not None else "",
        f"{used} tokens" if used else "",
        usd(totals.cost) if totals.cost is not None else "",
        f"trace {name_text(turn.trace_id, 40)}",
        verdict_text(verdict_of_trace([root.span for root in turn.roots])),
    )
    lead = f"{indent}{line.number}. "
    under = " " * len(lead)
    told = [f"{lead}{one_line(turn.user or turn.name, _LIMIT)}"]
    if turn.error:
        told.append(f"{under}✕ {one_line(line.problem, _LIMIT)}")
    else:
        if turn.recovered:
            told.append(f"{under}! recovered from {one_line(line.problem, _LIMIT)}")
        if turn.assistant:
            told.append(f"{under}→ {one_line(turn.assistant, _LIMIT)}")
    return [*told, f"{under}{figures}"]
