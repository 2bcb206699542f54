"""What an id means: a session, a trace or a span, whole or by its beginning."""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING, Final, NamedTuple

import click

from mirascope_ops.exceptions import NotFoundError
from mirascope_ops.reading import get_session, get_trace
from mirascope_ops.spanset import SpanSet
from mirascope_ops.store import recorder
from mirascope_ops.store.digits import SPAN_DIGITS, TRACE_DIGITS
from mirascope_ops.store.records import SessionQuery, SpanQuery
from mirascope_ops.views.escape import one_line
from mirascope_ops.views.format import date, plural

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mirascope_ops.sessionset import Session
    from mirascope_ops.spanset import StoredTrace

_LEAST: Final = 4  # digits of a trace or span id: fewer would fit a good part of a large store
_SHOWN: Final = 10
_HEX: Final = frozenset("0123456789abcdef")


class AmbiguousError(click.ClickException):
    """Several things begin with what was given."""

    def __init__(self, noun: str, given: str, found: Sequence[tuple[str, str]]) -> None:
        candidates = [f"  {one_line(value, 120)}  {about}".rstrip() for value, about in found[:_SHOWN]]
        more = [f"  … {len(found) - _SHOWN:,} more"] if len(found) > _SHOWN else []
        head = f"{plural(len(found), noun)} begin with {one_line(given, 80)!r}; give more of one:"
        super().__init__("\n".join([head, *candidates, *more]))


class FoundSpan(NamedTuple):
    """A span, and the trace that it is in."""

    spans: SpanSet
    trace: StoredTrace


def find(given: str) -> Session | StoredTrace | FoundSpan:
    """Find what an id means.

    A session's id counts before a trace's, and this before a span's; whole ids before beginnings.

    Args:
        given: The id, or the beginning of one; of a trace's or a span's at least 4 digits.

    Raises:
        AmbiguousError: Several begin so.
        NotFoundError: Nothing does.
    """
    store = recorder.active().store
    if store.sessions(SessionQuery(session_ids=[given])):
        return get_session(given)
    digits = given.strip().lower()
    is_hex = len(digits) >= _LEAST and _HEX.issuperset(digits)
    if is_hex and len(digits) == TRACE_DIGITS and store.spans(SpanQuery(trace_ids=[digits])):
        return get_trace(digits)
    if is_hex and len(digits) == SPAN_DIGITS and (spans := _spans(digits)):
        return _one_span(given, spans)
    sessions = _sessions(given)
    traces = _traces(digits) if is_hex and len(digits) < TRACE_DIGITS else []
    if sessions or traces:
        if len(sessions) + len(traces) > 1:
            noun = "session" if not traces else "trace" if not sessions else "session and trace"
            raise AmbiguousError(noun, given, [*sessions, *traces])
        return get_session(sessions[0][0]) if sessions else get_trace(traces[0][0])
    if is_hex and len(digits) < SPAN_DIGITS and (spans := _spans(digits)):
        return _one_span(given, spans)
    raise NotFoundError(_nothing(given, digits))


def find_session(given: str, *, whole: bool = False) -> Session:
    """Find a session by its id, or the beginning of it.

    Args:
        given: The id.
        whole: Whether it has to be the whole id.

    Raises:
        AmbiguousError: Several begin so.
        NotFoundError: None does; the message names similar ones.
    """
    if recorder.active().store.sessions(SessionQuery(session_ids=[given])):
        return get_session(given)
    found = [] if whole else _sessions(given)
    if len(found) > 1:
        raise AmbiguousError("session", given, found)
    if not found:
        hint = _similar(given) or "`mirascope-ops sessions` lists them."
        raise NotFoundError(f"There is no session {given!r} in the store. {hint}")
    return get_session(found[0][0])


def _nothing(given: str, digits: str) -> str:
    few = len(digits) < _LEAST and _HEX.issuperset(digits)
    hint = (
        f"Of a trace's or a span's id at least {_LEAST} digits are needed."
        if few
        else "`mirascope-ops sessions` and `mirascope-ops traces` list what there is."
    )
    return f"No session, trace or span has the id {given!r}, or begins with it. {_similar(given) or hint}"


def _similar(given: str) -> str:
    known = [record.session_id for record in recorder.active().store.sessions(SessionQuery(limit=1000))]
    close = get_close_matches(given, known, 3)
    return f"Did you mean {' or '.join(map(repr, close))}?" if close else ""


def _sessions(prefix: str) -> list[tuple[str, str]]:
    found = recorder.active().store.sessions(SessionQuery())
    return [
        (session.session_id, f"session, last seen {date(session.last_seen, zone=None)}")
        for session in found
        if prefix and session.session_id.startswith(prefix)
    ]


def _traces(prefix: str) -> list[tuple[str, str]]:
    found: dict[str, str] = {}
    for span in recorder.active().store.spans(SpanQuery(trace_prefix=prefix)):
        if span.trace_id not in found or span.parent_id is None:
            found[span.trace_id] = f"trace of {one_line(span.name, 60)}, {date(span.start, zone=None)}"
    return list(found.items())


def _spans(prefix: str) -> list[tuple[str, str, str]]:
    found = recorder.active().store.spans(SpanQuery(span_prefix=prefix))
    return [(span.span_id, span.trace_id, one_line(span.name, 60)) for span in found]


def _one_span(given: str, found: Sequence[tuple[str, str, str]]) -> FoundSpan:
    if len(found) > 1:
        raise AmbiguousError("span", given, [(span, f"{name}, in trace {trace}") for span, trace, name in found])
    span_id, trace_id, _ = found[0]
    trace = get_trace(trace_id)
    return FoundSpan(SpanSet([span for span in trace if span.span_id == span_id]), trace)
