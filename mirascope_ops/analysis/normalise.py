"""From spans as they were emitted to one vocabulary, ours: as rows, or as the columns of a table."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mirascope_ops.analysis import annotations as annotated
from mirascope_ops.analysis.errors import failure_of, has_failed
from mirascope_ops.analysis.gathered import Gathered
from mirascope_ops.analysis.inheritance import inherit_sessions, settle_wrappers
from mirascope_ops.analysis.plans import Plan, plan_of, read_all
from mirascope_ops.analysis.rows import SLOT, SpanRow
from mirascope_ops.analysis.table import SpanTable, make_row
from mirascope_ops.analysis.values import identifier, mapping, milliseconds, words
from mirascope_ops.analysis.vocabulary import FIRST_TOKEN_EVENTS, USER_IN_SESSION
from mirascope_ops.core import prices
from mirascope_ops.store.batch import batches_of_records
from mirascope_ops.store.codec import SPAN_COLUMNS
from mirascope_ops.store.collection import uncollected

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from mirascope_ops.analysis.plans import Step
    from mirascope_ops.store.batch import SpanBatch
    from mirascope_ops.store.records import AnnotationRecord, SpanRecord

Columns = list[list[Any]]  # one list for each field of SpanRow, in their order
Later = dict[tuple[str, str], list["AnnotationRecord"]]

_KIND, _TAGS, _TTFT, _COST = SLOT["kind"], SLOT["tags"], SLOT["ttft"], SLOT["cost"]
_INPUT_TOKENS, _OUTPUT_TOKENS = SLOT["input_tokens"], SLOT["output_tokens"]
_STATUS, _ERROR_TYPE, _ERROR_MESSAGE = SLOT["status"], SLOT["error_type"], SLOT["error_message"]
_USER, _ANNOTATIONS = SLOT["user_id"], SLOT["annotations"]
_SESSION, _SESSION_ATTRIBUTES = SLOT["session_id"], SLOT["session_attributes"]
# What the record itself says; with what is empty where no attribute says more.
_RECORDED = {SLOT[name]: place for place, name in enumerate(SPAN_COLUMNS) if name in SLOT}
_RECORDED[SLOT["status_code"]] = SPAN_COLUMNS.index("status")
# What calls a model. Spans around them may tell their tokens again.
_PRICED = frozenset({"llm", "embedding"})
_EMPTY = {_TAGS: (), _ANNOTATIONS: ()}


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
    columns: Columns = [[] for _ in SpanRow._fields]
    wrappers: list[int] = []
    later = annotated.by_span(annotations)
    for batch in batches_of_records(records):
        part, undecided = read(batch, later)
        wrappers += [len(columns[_KIND]) + place for place in undecided]
        for column, more in zip(columns, part, strict=True):
            column.extend(more)
    settle(columns, wrappers)
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
    gathered = Gathered()
    wrappers: list[int] = []
    later = annotated.by_span(annotations)
    for batch in batches:
        with uncollected():
            part, undecided = read(batch, later)
        wrappers += [len(gathered) + place for place in undecided]
        gathered.extend(part)
    settle(gathered.columns, wrappers)
    return SpanTable(gathered.finished())


def _fill_costs(columns: Columns) -> None:
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
            columns[_COST][place] = price.cost(sent, answered, cached)


def settle(columns: Columns, wrappers: Sequence[int]) -> None:
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


def read(batch: SpanBatch, later: Later) -> tuple[Columns, list[int]]:
    """Read a batch of spans into columns, each span by itself.

    Args:
        batch: The spans.
        later: Judgements on them.

    Returns:
        The columns, and the places of the spans of which `settle` must decide the kind.
    """
    number = len(batch)
    columns: Columns = [
        list(batch.columns[_RECORDED[slot]]) if slot in _RECORDED else [_EMPTY.get(slot)] * number
        for slot in range(len(SpanRow._fields))
    ]
    if batch.encoded and None in columns[SLOT["attributes"]]:
        columns[SLOT["attributes"]] = [found or "{}" for found in columns[SLOT["attributes"]]]
    if "" in columns[SLOT["parent_id"]]:
        columns[SLOT["parent_id"]] = [parent or None for parent in columns[SLOT["parent_id"]]]
    # Clocks may go backwards: no duration is negative. A time of 0 is one that was not told.
    columns[SLOT["duration"]] = [
        None if end is None or not start else end - start if end > start else 0
        for start, end in zip(columns[SLOT["start"]], columns[SLOT["end"]], strict=True)
    ]
    wrappers: list[int] = []
    remarkable: list[int] = []
    if any(columns[SLOT["events"]]) or "error" in columns[_STATUS]:
        told = zip(columns[SLOT["events"]], columns[_STATUS], strict=True)
        remarkable = [place for place, (events, status) in enumerate(told) if events or status == "error"]
    for keys, places in _by_keys(batch.attributes).items():
        plan = plan_of(keys)
        whole = len(places) == number
        found = batch.attributes if whole else [batch.attributes[place] for place in places]
        for step in plan.steps:
            _fill(columns[step.slot], step, places, found, whole=whole)
        _fill_kinds(columns[_KIND], places, plan, wrappers)
        if plan.remarkable:
            remarkable += places
    _fill_users(columns)
    if later:
        identified = zip(columns[SLOT["trace_id"]], columns[SLOT["span_id"]], strict=True)
        remarkable += [place for place, ids in enumerate(identified) if ids in later]
    for place in dict.fromkeys(remarkable):
        record = batch.record(place)
        plan = plan_of(tuple(record.attributes))
        _note_cost(columns, place)
        _note_events(columns, place, record, plan)
        _note_annotations(columns, place, record, plan, later)
    return columns, sorted(wrappers)


def _by_keys(attributes: Sequence[Mapping[str, Any]]) -> dict[tuple[str, ...], list[int]]:
    groups: dict[tuple[str, ...], list[int]] = {}
    for place, keys in enumerate(map(tuple, attributes)):
        group = groups.get(keys)
        if group is None:
            groups[keys] = [place]
        else:
            group.append(place)
    return groups


def _fill(
    column: list[Any], step: Step, places: Sequence[int], found: Sequence[Mapping[str, Any]], *, whole: bool
) -> None:
    """Fill the places of one column for spans of one key set, from the first source that has a value."""
    if step.recorded:
        lacking = [index for index, place in enumerate(places) if not column[place]]
        if not lacking:
            return
        if len(lacking) < len(places):
            places, found, whole = [places[index] for index in lacking], [found[index] for index in lacking], False
    values = read_all(step.sources[0], found)
    for source in step.sources[1:]:
        if None not in values:
            break
        lacking = [index for index, value in enumerate(values) if value is None]
        for index, value in zip(lacking, read_all(source, [found[index] for index in lacking]), strict=True):
            values[index] = value
    if whole and None not in values:
        column[:] = values
        return
    for place, value in zip(places, values, strict=True):
        if value is not None:
            column[place] = value


def _fill_kinds(kinds: list[Any], places: Sequence[int], plan: Plan, wrappers: list[int]) -> None:
    unnamed = [place for place in places if kinds[place] is None]
    for place in unnamed:
        kinds[place] = plan.kind
    if plan.wrapper:
        wrappers += unnamed


def _fill_users(columns: Columns) -> None:
    users: dict[str, str | None] = {}
    column, told = columns[_USER], columns[_SESSION_ATTRIBUTES]
    for place, attributes in enumerate(told):
        if attributes is not None and column[place] is None:
            if attributes not in users:
                users[attributes] = _user(attributes)
            column[place] = users[attributes]


def _user(session_attributes: str) -> str | None:
    told = mapping(session_attributes) or {}
    return next((user for key in USER_IN_SESSION if (user := identifier(told.get(key)))), None)


def _note_cost(columns: Columns, place: int) -> None:
    if columns[_COST][place] == 0 and not columns[_INPUT_TOKENS][place] and not columns[_OUTPUT_TOKENS][place]:
        # Langfuse writes zeros for a call that failed: nothing was reported.
        columns[_COST][place] = None


def _note_events(columns: Columns, place: int, record: SpanRecord, plan: Plan) -> None:
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


def _note_annotations(columns: Columns, place: int, record: SpanRecord, plan: Plan, later: Later) -> None:
    emitted = annotated.emitted(record) if plan.annotated else []
    found = annotated.merged(emitted, later.get((record.trace_id, record.span_id), ()))
    if not found:
        return
    columns[_ANNOTATIONS][place] = tuple(found)
    tags = [*columns[_TAGS][place], *(tag for annotation in found for tag in annotation.tags)]
    columns[_TAGS][place] = words(tags) or ()
