"""Spans, traces, sessions, turns and messages as pandas DataFrames.

Every frame has the columns and dtypes of its schema (`schema`), also when it is empty.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from mirascope_ops._optional import require
from mirascope_ops.analysis.columns import ABSENT, array_of, inferred
from mirascope_ops.analysis.critical import concurrency, critical_path
from mirascope_ops.analysis.messages import messages_of
from mirascope_ops.analysis.paths import paths
from mirascope_ops.analysis.rows import SLOT, SpanRow
from mirascope_ops.analysis.schema import (
    CONCURRENCY_SCHEMA,
    CONTEXT_SCHEMA,
    CRITICAL_PATH_SCHEMA,
    MESSAGES_SCHEMA,
    PATHS_SCHEMA,
    SESSIONS_SCHEMA,
    SPANS_SCHEMA,
    TRACES_SCHEMA,
    TURNS_SCHEMA,
    Column,
)
from mirascope_ops.analysis.stats import innermost_calls
from mirascope_ops.analysis.table import ENCODED, Told, told_by
from mirascope_ops.analysis.values import text
from mirascope_ops.analysis.verdicts import verdict_of_trace
from mirascope_ops.exceptions import ConfigurationError
from mirascope_ops.store import codec
from mirascope_ops.store.same import Same

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from pandas import DataFrame  # pyright: ignore[reportMissingTypeStubs] - pandas ships none

    from mirascope_ops.analysis.rows import SessionCard, Turn
    from mirascope_ops.analysis.texts import Column as Values
    from mirascope_ops.analysis.verdicts import Verdict

__all__ = [
    "SPANS_SCHEMA",
    "concurrency_frame",
    "context_frame",
    "critical_path_frame",
    "messages_frame",
    "paths_frame",
    "sessions_frame",
    "spans_frame",
    "traces_frame",
    "turns_frame",
]

PREFIX = "attributes."
# Where a frame says which of its attribute columns hold JSON text: `frame.attrs["mirascope_ops.json"]`.
JSON_COLUMNS = "mirascope_ops.json"


def spans_frame(
    spans: Sequence[SpanRow],
    columns: Sequence[str] | None = None,
    attributes: Literal["json", "columns"] = "json",
) -> DataFrame:
    """Give spans as a DataFrame, one row a span, in the order of the spans.

    Args:
        spans: The spans.
        columns: Names of the columns to have, in this order; all of `SPANS_SCHEMA` where None.
        attributes: "json" keeps the attributes in one column of JSON text; "columns" gives each attribute a
            column of its own instead, named `attributes.` and its key, with the dtype that its values allow; those
            of several types are JSON text, and named in the frame's `attrs["mirascope_ops.json"]`.

    Returns:
        A DataFrame with the dtypes of `SPANS_SCHEMA`.

    Raises:
        ConfigurationError: A name in `columns` is no column, or `attributes` is neither of the two.

    Example:
        >>> list(spans_frame([], columns=["name", "duration"]).columns)
        ['name', 'duration']
    """
    if attributes not in {"json", "columns"}:
        message = f"attributes={attributes!r} means nothing here; expected 'json' or 'columns'."
        raise ConfigurationError(message)
    pd = require("pandas", extra="notebook")
    schema = {column.name: column for column in SPANS_SCHEMA}
    spread = attributes == "columns"
    wanted = list(schema) if columns is None else list(columns)
    unknown = [name for name in wanted if name not in schema and not (spread and name.startswith(PREFIX))]
    if unknown:
        message = (
            f"{unknown[0]!r} is no column of spans; expected any of {', '.join(schema)}. "
            "For single attributes: to_pandas(attributes='columns')."
        )
        raise ConfigurationError(message)
    told = told_by(spans)
    data: dict[str, Any] = {}
    json: list[str] = []
    for name in wanted:
        if spread and (name == "attributes" or name.startswith(PREFIX)):
            key = None if name == "attributes" else name[len(PREFIX) :]
            data.update(_spread(told, key, json))
        else:
            data[name] = array_of(values_of(told, name), schema[name])
    frame = pd.DataFrame(data, index=pd.RangeIndex(len(spans)), copy=False)
    if spread:
        frame.attrs[JSON_COLUMNS] = json
    return frame


def traces_frame(turns: Sequence[Turn]) -> DataFrame:
    """Give traces as a DataFrame, one row a trace.

    Args:
        turns: The traces as `turns.turns` reads them.
    """
    return _frame(
        TRACES_SCHEMA,
        [{**turn.totals._asdict(), **_of_turn(turn), "status": turn.roots[0].span.status} for turn in turns],
    )


def turns_frame(turns: Sequence[Turn]) -> DataFrame:
    """Give the turns of conversations as a DataFrame, one row a turn.

    Args:
        turns: The turns, as `turns.turns` reads them.
    """
    return _frame(TURNS_SCHEMA, [{**turn.totals._asdict(), **_of_turn(turn)} for turn in turns])


def messages_frame(spans: Sequence[SpanRow]) -> DataFrame:
    """Give the messages of all model calls as a DataFrame, one row a message of a call.

    A call sends the conversation so far, so earlier messages are there again in each later call: a call's
    rows are what its model was given and what it answered.

    Args:
        spans: Spans of any kind, in any order; each model call counts once.
    """
    rows = [
        {
            "trace_id": span.trace_id,
            "span_id": span.span_id,
            "session_id": span.session_id,
            "index": place,
            "role": message.role,
            "content": message.content,
            "tool_calls": text([call._asdict() for call in message.tool_calls]) if message.tool_calls else None,
            "tool_call_id": message.tool_call_id,
        }
        for span in innermost_calls(spans)
        for place, message in enumerate(messages_of(span))
    ]
    return _frame(MESSAGES_SCHEMA, rows)


def critical_path_frame(spans: Sequence[SpanRow]) -> DataFrame:
    """Give what the traces waited for as a DataFrame, one row a stretch of time; see `critical.critical_path`.

    Args:
        spans: Spans of any traces, in any order.
    """
    rows = [
        {
            **{name: getattr(step.span, name) for name in ("trace_id", "span_id", "name", "kind")},
            "depth": step.depth,
            "start": step.start,
            "end": step.end,
            "duration": step.end - step.start,
        }
        for step in critical_path(spans)
    ]
    return _frame(CRITICAL_PATH_SCHEMA, rows)


def concurrency_frame(spans: Sequence[SpanRow]) -> DataFrame:
    """Give how many spans ran at once as a DataFrame, one row a change; see `critical.concurrency`.

    Args:
        spans: Spans of any traces, in any order.
    """
    return _frame(CONCURRENCY_SCHEMA, [{"time": time, "running": running} for time, running in concurrency(spans)])


def context_frame(spans: Sequence[SpanRow]) -> DataFrame:
    """Give how the context grew as a DataFrame, one row a model call, by session and start.

    Args:
        spans: Spans of any traces, in any order; each model call counts once, however many spans tell of it.
    """
    turns: dict[str | None, dict[str, int]] = {}
    numbers: dict[tuple[str | None, str], int] = {}
    before: dict[str | None, int] = {}
    rows: list[dict[str, Any]] = []
    for span in innermost_calls(spans):
        calls = turns.setdefault(span.session_id, {})
        calls[span.trace_id] = calls.get(span.trace_id, 0) + 1
        turn = numbers.setdefault((span.session_id, span.trace_id), len(calls))
        context, last = span.input_tokens, before.get(span.session_id)
        rows.append(
            {
                **{name: getattr(span, name) for name in ("session_id", "trace_id", "span_id", "start", "model")},
                "turn": turn,
                "call": calls[span.trace_id],
                "context": context,
                "growth": None if context is None or last is None else context - last,
                "cached": span.cache_read_tokens,
                "output_tokens": span.output_tokens,
            }
        )
        if context is not None:
            before[span.session_id] = context
    order = {session: place for place, session in enumerate(turns)}
    return _frame(CONTEXT_SCHEMA, sorted(rows, key=lambda row: order[row["session_id"]]))


def paths_frame(spans: Sequence[SpanRow]) -> DataFrame:
    """Give spans, added up by the names from their root down, as a DataFrame, one row a path.

    Args:
        spans: Spans of any traces, in any order.
    """
    found = paths(spans)
    rows = [
        {**one._asdict(), "parent": found[one.parent].name if one.depth else None, "count": one.number} for one in found
    ]
    return _frame(PATHS_SCHEMA, rows)


def sessions_frame(cards: Sequence[SessionCard]) -> DataFrame:
    """Give sessions as a DataFrame, one row a session; figures include those of child sessions.

    Args:
        cards: The sessions' cards, as `sessions.session_card` makes them.
    """
    rows = [
        {
            **card.totals._asdict(),
            "session_id": card.session_id,
            "parent_session_id": card.parent_session_id,
            "attributes": text(dict(card.attributes)),
            "tags": text(card.tags),
            "status": card.status,
            "first_seen": card.first_seen,
            "last_seen": card.last_seen,
            "runs": card.runs,
            **_judged(card.verdict),
        }
        for card in cards
    ]
    return _frame(SESSIONS_SCHEMA, rows)


def _of_turn(turn: Turn) -> dict[str, Any]:
    fields = ("trace_id", "session_id", "name", "user", "assistant", "model", "error", "recovered")
    verdict = verdict_of_trace([root.span for root in turn.roots])
    return {**{name: getattr(turn, name) for name in fields}, **_judged(verdict)}


def _judged(verdict: Verdict | None) -> dict[str, Any]:
    label, score, note = (None, None, None) if verdict is None else verdict[:3]
    return {"label": label, "score": score, "note": note}


def _frame(schema: Sequence[Column], rows: Sequence[dict[str, Any]]) -> DataFrame:
    pd = require("pandas", extra="notebook")
    data = {column.name: array_of([row[column.name] for row in rows], column) for column in schema}
    return pd.DataFrame(data, index=pd.RangeIndex(len(rows)), copy=False)


def values_of(told: Told, name: str) -> Values:
    """Give one column's values, as its schema has them, times as ints of nanoseconds.

    Args:
        told: The columns of the spans.
        name: The column.
    """
    values = told.columns[SLOT[name]]
    if name in {"attributes", "status_code"} and told.encoded:
        return values  # a store knows them
    if name == "status_code":
        return _codes(values, told.columns[SLOT["status"]])
    reader = _JSON.get(name)
    if reader is None:
        return values
    if name in ENCODED and told.encoded:
        read = ENCODED[name]
        values = Same(read(values.value), len(values)) if isinstance(values, Same) else list(map(read, values))
    return Same(reader([values.value])[0], len(values)) if isinstance(values, Same) else reader(values)


def _codes(codes: Values, statuses: Values) -> Values:
    # Rows that were made by hand say their status once.
    if isinstance(codes, Same) and codes.value is not None:
        return codes
    return [status if code is None else code for code, status in zip(codes, statuses, strict=True)]


def _json(values: Iterable[Any]) -> list[str | None]:
    # As the store writes it: what JSON lacks, such as NaN and lone surrogates, included.
    return list(codec.encode_all(list(values)))


def _shared(values: Iterable[Any]) -> list[str | None]:
    # Many spans have one and the same resource: it is written once.
    texts: dict[int, str] = {}
    return [texts.get(id(value)) or texts.setdefault(id(value), codec.encode(value)) for value in values]


def _tags(values: Iterable[tuple[str, ...]]) -> list[str | None]:
    # Most spans have none: one text for all of them.
    return [text(tags) if tags else "[]" for tags in values]


def _records(names: tuple[str, ...]) -> Callable[[Iterable[Any]], list[str | None]]:
    def read(values: Iterable[Any]) -> list[str | None]:
        return [
            codec.encode([{name: getattr(record, name) for name in names} for record in records]) if records else "[]"
            for records in values
        ]

    return read


_JSON: dict[str, Callable[[Iterable[Any]], list[str | None]]] = {
    "tags": _tags,
    "attributes": _json,
    "resource": _shared,
    "events": _records(("name", "time", "attributes")),
    "links": _records(("trace_id", "span_id", "attributes")),
    "annotations": _records(("time", "label", "reasoning", "tags", "metadata")),
}


def _spread(told: Told, key: str | None, json: list[str]) -> dict[str, Any]:
    values = told.columns[SLOT["attributes"]]
    attributes: list[Mapping[str, Any]] = list(map(codec.decode, values)) if told.encoded else list(values)
    keys = [key] if key is not None else list(dict.fromkeys(key for found in attributes for key in found))
    found: dict[str, Any] = {}
    for name in keys:
        # A lone surrogate is no character to pandas, not even in a name.
        column = PREFIX + codec.text(name)
        found[column], is_json = inferred([each.get(name, ABSENT) for each in attributes])
        if is_json:
            json.append(column)
    return found
