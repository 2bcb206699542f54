"""A conversation as a DataFrame, one row a message."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mirascope_ops._optional import require
from mirascope_ops.analysis.columns import array_of
from mirascope_ops.analysis.schema import CONVERSATION_SCHEMA
from mirascope_ops.analysis.values import text

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pandas import DataFrame  # pyright: ignore[reportMissingTypeStubs] - pandas ships none

    from mirascope_ops.analysis.conversation import ConversationMessage, ConversationTurn, ToolUse


def conversation_frame(turns: Iterable[ConversationTurn]) -> DataFrame:
    """Give the messages of a conversation, each once, in order.

    Args:
        turns: The turns.

    Returns:
        A DataFrame with the columns and dtypes of `schema.CONVERSATION_SCHEMA`.
    """
    pd = require("pandas", extra="notebook")
    rows = [_row(turn, message) for turn in turns for message in turn.messages]
    data = {column.name: array_of([row[column.name] for row in rows], column) for column in CONVERSATION_SCHEMA}
    return pd.DataFrame(data, index=pd.RangeIndex(len(rows)), copy=False)


def _row(turn: ConversationTurn, message: ConversationMessage) -> dict[str, Any]:
    span = message.span
    trace = turn.turn
    given = None if span is None else span
    told = message.span or message.sent_with
    return {
        "turn": turn.number,
        "trace_id": trace.trace_id,
        "span_id": None if told is None else told.span_id,
        "session_id": trace.session_id,
        "role": message.role,
        "content": message.content or None,
        "tools": text([_use(use) for use in message.tools]) if message.tools else None,
        "tool_call_id": message.tool_call_id,
        "start": None if given is None else given.start,
        "duration": None if given is None else given.duration,
        "ttft": None if given is None else given.ttft,
        "model": None if given is None else given.model,
        "input_tokens": None if given is None else given.input_tokens,
        "output_tokens": None if given is None else given.output_tokens,
        "cost": None if given is None else given.cost,
        "error": None
        if given is None or given.status != "error"
        else given.error_message or given.error_type or "error",
    }


def _use(use: ToolUse) -> dict[str, Any]:
    failed = use.span is not None and use.span.status == "error"
    problem = (use.span.error_message or use.span.error_type or "error") if use.span is not None and failed else None
    return {**use.call._asdict(), "result": use.result, "error": problem}
