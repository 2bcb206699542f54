"""From spans as they were emitted to rows in one vocabulary, ours."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mirascope_ops.analysis import annotations as annotated
from mirascope_ops.analysis.errors import failure_of, has_failed
from mirascope_ops.analysis.inheritance import inherit_sessions, settle_wrappers
from mirascope_ops.analysis.plans import SLOT, Plan, plan_of
from mirascope_ops.analysis.rows import SpanRow
from mirascope_ops.analysis.values import identifier, mapping, milliseconds, words
from mirascope_ops.analysis.vocabulary import FIRST_TOKEN_EVENTS, USER_IN_SESSION

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mirascope_ops.store.records import AnnotationRecord, SpanRecord

Row = list[Any]

_KIND, _TAGS, _TTFT, _COST = SLOT["kind"], SLOT["tags"], SLOT["ttft"], SLOT["cost"]
_INPUT_TOKENS, _OUTPUT_TOKENS = SLOT["input_tokens"], SLOT["output_tokens"]
_STATUS, _ERROR_TYPE, _ERROR_MESSAGE = SLOT["status"], SLOT["error_type"], SLOT["error_message"]
_USER, _SESSION_ATTRIBUTES, _ANNOTATIONS = SLOT["user_id"], SLOT["session_attributes"], SLOT["annotations"]


def normalise(records: Sequence[SpanRecord], annotations: Sequence[AnnotationRecord] = ()) -> list[SpanRow]:
    """Read spans, whatever library emitted them, as rows with the same fields.

    A field is filled from the first key of its table (`vocabulary`) that has a value; what no table knows
    stays in `attributes`, under its own name. Then the set is looked at as a whole: a span without a session
    takes its nearest ancestor's, else its trace's, and a span to which a mirascope response was attached
    is the model call where no model call is below it.

    Args:
        records: Spans, in any order. Give whole traces where ancestors matter.
        annotations: Judgements on these spans.

    Returns:
        One row a record, in the same order.

    Example:
        >>> normalise([])
        []
    """
    later = annotated.by_span(annotations)
    rows: list[SpanRow] = []
    wrappers: list[int] = []
    users: dict[str | None, str | None] = {None: None}
    made = SpanRow._make
    for record in records:
        attributes = record.attributes
        plan = plan_of(attributes)
        row = _recorded(record)
        _fill(row, attributes, plan)
        if row[_USER] is None and (told := row[_SESSION_ATTRIBUTES]) is not None:
            row[_USER] = users[told] if told in users else users.setdefault(told, _user(told))
        if row[_KIND] is None:
            row[_KIND] = plan.kind
            if plan.wrapper:
                wrappers.append(len(rows))
        if plan.remarkable or later or record.events or record.status == "error":
            _note_cost(row)
            _note_events(row, record, plan)
            _note_annotations(row, record, plan, later)
        # The list is gone at once: rows that stay make the garbage collector work.
        rows.append(made(row))
    if wrappers:
        settle_wrappers(rows, wrappers)
    inherit_sessions(rows)
    return rows


def _recorded(record: SpanRecord) -> Row:
    """Start a row with what the record itself says, in the order of SpanRow's fields."""
    start, end = record.start, record.end
    return [
        record.trace_id,
        record.span_id,
        record.parent_id or None,
        record.session_id,
        None,  # conversation_id
        record.name,
        None,  # kind
        record.status,
        start,
        end,
        # Clocks may go backwards: no duration is negative. A time of 0 is one that was not told.
        None if end is None or not start else end - start if end > start else 0,
        None,  # input
        None,  # output
        None,  # model
        None,  # provider
        None,  # input_tokens
        None,  # output_tokens
        None,  # cache_read_tokens
        None,  # cost
        None,  # ttft
        None,  # error_type
        None,  # error_message
        None,  # user_id
        (),  # tags
        record.session_attributes,
        record.cell_id,
        record.execution_count,
        record.notebook,
        record.service,
        record.scope,
        record.attributes,
        record.events,
        record.links,
        record.run_id,
        (),  # annotations
        record.span_kind,
        record.status,
        record.status_message,
        record.sampled,
        record.resource,
    ]


def _fill(row: Row, attributes: Mapping[str, Any], plan: Plan) -> None:
    for slot, sources in plan.steps:
        if row[slot]:
            continue
        for key, read in sources:
            value = read(attributes if key is None else attributes[key])
            if value is not None:
                row[slot] = value
                break


def _user(session_attributes: str) -> str | None:
    told = mapping(session_attributes) or {}
    return next((user for key in USER_IN_SESSION if (user := identifier(told.get(key)))), None)


def _note_cost(row: Row) -> None:
    if row[_COST] == 0 and not row[_INPUT_TOKENS] and not row[_OUTPUT_TOKENS]:
        # Langfuse writes zeros for a call that failed: nothing was reported.
        row[_COST] = None


def _note_events(row: Row, record: SpanRecord, plan: Plan) -> None:
    if has_failed(record):
        row[_STATUS] = "error"
        row[_ERROR_TYPE], row[_ERROR_MESSAGE] = failure_of(record)
    if row[_TTFT] is None:
        row[_TTFT] = _first_token(record, plan)


def _first_token(record: SpanRecord, plan: Plan) -> int | None:
    for source in plan.first_token_at:
        moment = source.gather(record.attributes)
        if moment is not None and moment >= record.start:
            return moment - record.start
    for event in record.events:
        if event.name in FIRST_TOKEN_EVENTS:
            told = milliseconds(event.attributes.get("ai.response.msToFirstChunk"))
            return told if told is not None else max(event.time - record.start, 0)
    return None


def _note_annotations(
    row: Row, record: SpanRecord, plan: Plan, later: dict[tuple[str, str], list[AnnotationRecord]]
) -> None:
    emitted = annotated.emitted(record) if plan.annotated else []
    found = annotated.merged(emitted, later.get((record.trace_id, record.span_id), ()))
    if not found:
        return
    row[_ANNOTATIONS] = tuple(found)
    row[_TAGS] = words([*row[_TAGS], *(tag for annotation in found for tag in annotation.tags)]) or ()
