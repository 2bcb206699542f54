"""From spans as they were emitted to one vocabulary, ours: as rows, or as the columns of a table."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from mirascope_ops.analysis import annotations as annotated
from mirascope_ops.analysis.durations import durations
from mirascope_ops.analysis.errors import failure_of, has_failed
from mirascope_ops.analysis.gathered import Gathered
from mirascope_ops.analysis.inheritance import inherit_sessions, settle_wrappers
from mirascope_ops.analysis.keysets import fill
from mirascope_ops.analysis.plans import Plan, plan_of
from mirascope_ops.analysis.rows import SLOT, SpanRow
from mirascope_ops.analysis.table import SpanTable, make_row
from mirascope_ops.analysis.texts import writable
from mirascope_ops.analysis.values import identifier, mapping, milliseconds, words
from mirascope_ops.analysis.vocabulary import FIRST_TOKEN_EVENTS, USER_IN_SESSION
from mirascope_ops.core import prices
from mirascope_ops.store.batch import batches_of_records
from mirascope_ops.store.codec import SPAN_COLUMNS
from mirascope_ops.store.collection import uncollected
from mirascope_ops.store.same import Same

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from mirascope_ops.analysis.texts import Column
    from mirascope_ops.store.batch import SpanBatch
    from mirascope_ops.store.records import AnnotationRecord, SpanRecord

Later = dict[tuple[str, str], list["AnnotationRecord"]]
Noted = Mapping[int, list[Any]]

_KIND, _TAGS, _TTFT, _COST = SLOT["kind"], SLOT["tags"], SLOT["ttft"], SLOT["cost"]
_INPUT_TOKENS, _OUTPUT_TOKENS = SLOT["input_tokens"], SLOT["output_tokens"]
_STATUS, _ERROR_TYPE, _ERROR_MESSAGE = SLOT["status"], SLOT["error_type"], SLOT["error_message"]
_USER, _ANNOTATIONS, _SESSION_ATTRIBUTES = SLOT["user_id"], SLOT["annotations"], SLOT["session_attributes"]
_ATTRIBUTES, _EVENTS, _PARENT = SLOT["attributes"], SLOT["events"], SLOT["parent_id"]
_START, _END, _DURATION = SLOT["start"], SLOT["end"], SLOT["duration"]
# What the record itself says; with what is empty where no attribute says more.
_RECORDED = {SLOT[name]: place for place, name in enumerate(SPAN_COLUMNS) if name in SLOT}
_RECORDED[SLOT["status_code"]] = SPAN_COLUMNS.index("status")
_EMPTY = {_TAGS: (), _ANNOTATIONS: ()}
# What is found out about a span alone, where there is something to find.
_NOTED = (_STATUS, _ERROR_TYPE, _ERROR_MESSAGE, _TTFT, _ANNOTATIONS, _TAGS)
# What calls a model. Spans around them may tell their tokens again.
_PRICED = frozenset({"llm", "embedding"})
# Events that are looked at whatever else is told.
_TELLING_EVENTS = ("exception", *FIRST_TOKEN_EVENTS)


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
    columns = _gathered(Gathered(packs=False), batches_of_records(records), annotations)
    return list(map(make_row, zip(*columns, strict=True)))


def table_of(batches: Iterable[SpanBatch], annotations: Sequence[AnnotationRecord] = ()) -> SpanTable:
    """Read batches of spans as `normalise` does, into a table.

    Args:
        batches: Spans as a store gives them, encoded; whole traces.
        annotations: Judgements on them, and maybe on others.

    Returns:
        The spans, in the same order.

    Example:
        >>> len(table_of([]))
        0
    """
    return SpanTable(_gathered(Gathered(), batches, annotations))


def _gathered(
    gathered: Gathered, batches: Iterable[SpanBatch], annotations: Sequence[AnnotationRecord]
) -> Sequence[Column]:
    wrappers: list[int] = []
    later = annotated.by_span(annotations)
    for batch in batches:
        with uncollected():
            part, undecided = read(batch, later)
            wrappers += [len(gathered) + place for place in undecided]
            gathered.extend(part)
            # What is made for a batch goes before the collector comes back, which would walk through it.
            del batch, part
    with uncollected():
        columns = gathered.columns
        columns[_DURATION] = durations(columns[_START], columns[_END])
        settle(columns, wrappers)
        return gathered.finished()  # before the collector looks at columns that will be packed


def _fill_costs(columns: list[Column]) -> None:
    """Give model calls that tell tokens and no cost the cost that they have by the user's prices."""
    told = ("kind", "model", "cost", "input_tokens", "output_tokens", "cache_read_tokens")
    known: dict[str, prices.Price | None] = {}
    for place, (kind, model, cost, sent, answered, cached) in enumerate(
        zip(*(columns[SLOT[name]] for name in told), strict=True)
    ):
        if cost is not None or model is None or kind not in _PRICED or (sent is None and answered is None):
            continue
        if model not in known:
            known[model] = prices.price_of(model)
        price = known[model]
        if price is not None:
            writable(columns, _COST)[place] = price.cost(sent, answered, cached)


def settle(columns: list[Column], wrappers: Sequence[int]) -> None:
    """Let spans take from those around them what they lack; the columns are those of whole traces.

    Args:
        columns: The columns; changed in place.
        wrappers: The places of the spans of which their surroundings decide the kind.
    """
    if wrappers:
        settle_wrappers(columns, wrappers)
    inherit_sessions(columns)
    if prices.prices:
        _fill_costs(columns)


def read(batch: SpanBatch, later: Later) -> tuple[list[Column], list[int]]:
    """Read a batch of spans into columns, each span by itself; all but their durations.

    Args:
        batch: The spans.
        later: Judgements on them.

    Returns:
        The columns, and the places of the spans of which `settle` must decide the kind.
    """
    number = len(batch)
    columns: list[Column] = [
        batch.columns[_RECORDED[slot]] if slot in _RECORDED else Same(_EMPTY.get(slot), number)
        for slot in range(len(SpanRow._fields))
    ]
    if batch.encoded:
        columns[_ATTRIBUTES] = _each(columns[_ATTRIBUTES], lambda text: text or "{}", where=None)
    columns[_PARENT] = _each(columns[_PARENT], lambda parent: parent or None, where="")
    wrappers = fill(columns, batch.groups)
    remarkable: list[int] = []
    if "error" in columns[_STATUS]:
        remarkable = [place for place, status in enumerate(columns[_STATUS]) if status == "error"]
    events = columns[_EVENTS]
    if not (isinstance(events, Same) and not events.value):
        # Most events say nothing that a table has a column for: their names tell, also in the text of them all.
        remarkable += [
            place
            for place, each in enumerate(events)
            if each and (not batch.encoded or any(name in each for name in _TELLING_EVENTS))
        ]
    for group in batch.groups:
        if plan_of(group.keys).remarkable:
            remarkable += group.places
    _fill_users(columns)
    _check_costs(columns)
    if later:
        identified = zip(columns[SLOT["trace_id"]], columns[SLOT["span_id"]], strict=True)
        remarkable += [place for place, ids in enumerate(identified) if ids in later]
    if remarkable:
        noted = {slot: list(columns[slot]) for slot in _NOTED}
        for place in dict.fromkeys(remarkable):
            record = batch.record(place)
            plan = plan_of(tuple(record.attributes))
            _note_events(noted, place, record, plan)
            _note_annotations(noted, place, record, plan, later)
        for slot, column in noted.items():
            columns[slot] = column
    return columns, wrappers


def _each(values: Column, read: Callable[[Any], Any], *, where: Any) -> Column:
    """Read values in which something stands, if it does."""
    if isinstance(values, Same):
        return Same(read(values.value), len(values))
    return list(map(read, values)) if where in values else values


def _fill_users(columns: list[Column]) -> None:
    told = columns[_SESSION_ATTRIBUTES]
    different: set[str | None] = {told.value} if isinstance(told, Same) else set(told)
    users = {attributes: _user(attributes) for attributes in different if attributes is not None}
    if any(users.values()):
        column = columns[_USER]
        columns[_USER] = [
            users.get(attributes) if user is None else user for user, attributes in zip(column, told, strict=True)
        ]


def _user(session_attributes: str) -> str | None:
    told = mapping(session_attributes) or {}
    return next((user for key in USER_IN_SESSION if (user := identifier(told.get(key)))), None)


def _check_costs(columns: list[Column]) -> None:
    if 0 in columns[_COST]:
        told = zip(*(columns[slot] for slot in (_COST, _INPUT_TOKENS, _OUTPUT_TOKENS)), strict=True)
        # Langfuse writes zeros for a call that failed: nothing was reported.
        columns[_COST] = [None if cost == 0 and not sent and not answered else cost for cost, sent, answered in told]


def _note_events(columns: Noted, place: int, record: SpanRecord, plan: Plan) -> None:
    if has_failed(record):
        columns[_STATUS][place] = "error"
        columns[_ERROR_TYPE][place], columns[_ERROR_MESSAGE][place] = failure_of(record)
    if columns[_TTFT][place] is None:
        columns[_TTFT][place] = _first_token(record, plan)


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


def _note_annotations(columns: Noted, place: int, record: SpanRecord, plan: Plan, later: Later) -> None:
    emitted = annotated.emitted(record) if plan.annotated else []
    found = annotated.merged(emitted, later.get((record.trace_id, record.span_id), ()))
    if not found:
        return
    columns[_ANNOTATIONS][place] = tuple(found)
    tags = [*columns[_TAGS][place], *(tag for annotation in found for tag in annotation.tags)]
    columns[_TAGS][place] = words(tags) or ()
