"""The conversation as it was held: each message once, in the turn in which it was said.

A model is sent the conversation so far with every call, so what a call adds is what the calls before it neither
sent nor answered. How a library writes messages does not matter: `messages` reads them.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from mirascope_ops.analysis.messages import message_split
from mirascope_ops.analysis.stats import counted
from mirascope_ops.analysis.tree import lineage
from mirascope_ops.analysis.turns import turn_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from mirascope_ops.analysis.rows import Message, SpanRow, ToolCall, Turn

# Calls whose messages a later call is compared with: those of so many turns before, and so many messages of each.
_MOST_TURNS: Final = 4
_MOST_CALLS: Final = 12
_MOST_REPEATED: Final = 200
_CALL_IDS: Final = ("gen_ai.tool.call.id", "tool_call.id", "ai.toolCall.id", "tool.id")

_Key = tuple[str, str, tuple[str, ...]]


@dataclass(slots=True)
class ToolUse:
    """A tool that a model asked for.

    Attributes:
        call: What it asked.
        result: What the tool answered, as far as it was recorded.
        span: The tool's own span, where there is one.
    """

    call: ToolCall
    result: str | None = None
    span: SpanRow | None = None


@dataclass(slots=True)
class ConversationMessage:
    """One message.

    Attributes:
        role: system, user, assistant or tool; error where something else than a model call failed.
        content: The text; "" where only tools were asked for, or nothing was recorded.
        span: The model call that answered it, or what failed; None for what was sent.
        sent_with: The model call that it was sent with; None for an answer.
        tools: The tools that it asks for.
        tool_call_id: The request that a tool message answers.
    """

    role: str
    content: str
    span: SpanRow | None = None
    sent_with: SpanRow | None = None
    tools: list[ToolUse] = field(default_factory=list[ToolUse])
    tool_call_id: str | None = None


@dataclass(frozen=True, slots=True)
class ConversationTurn:
    """One trace, read as what was said in it.

    Attributes:
        number: Its place in the conversation, from 1.
        turn: The trace's figures, error and tree.
        messages: What was said, in order.
        calls: The model calls, each once, by start.
    """

    number: int
    turn: Turn
    messages: Sequence[ConversationMessage]
    calls: Sequence[SpanRow]


@dataclass(frozen=True, slots=True)
class _Exchange:
    """A model call with its messages."""

    span: SpanRow
    sent: list[Message]
    answered: list[Message]
    systems: list[_Key]
    others: list[_Key]


class ConversationReader:
    """Reads traces as a conversation, turn by turn, each when it is asked for.

    Args:
        spans: Spans of any traces, in any order; a turn is a trace, by start.
    """

    def __init__(self, spans: Iterable[SpanRow]) -> None:
        groups: dict[str, list[SpanRow]] = {}
        for span in spans:
            groups.setdefault(span.trace_id, []).append(span)
        # A start of 0 was not told; it comes first nowhere.
        self.groups: list[list[SpanRow]] = sorted(
            groups.values(), key=lambda group: min((span.start for span in group if span.start), default=1 << 63)
        )
        self._exchanges: dict[int, list[_Exchange]] = {}
        self._turns: dict[tuple[int, bool], ConversationTurn] = {}

    def __len__(self) -> int:
        return len(self.groups)

    def turn(self, place: int, *, is_first: bool = False) -> ConversationTurn:
        """Read one turn.

        Args:
            place: Its place, from 0.
            is_first: Whether it is the first that is shown, which tells what the model was instructed, also where
                that was said before.
        """
        key = (place, is_first)
        if key not in self._turns:
            self._turns[key] = self._read(place, is_first=is_first)
        return self._turns[key]

    def _calls(self, place: int) -> list[_Exchange]:
        if place not in self._exchanges:
            linked = lineage(self.groups[place])
            calls = sorted(counted(linked).llm)
            self._exchanges[place] = [_exchange(linked.spans[call]) for call in calls]
        return self._exchanges[place]

    def _read(self, place: int, *, is_first: bool) -> ConversationTurn:
        group = self.groups[place]
        turn = turn_of(group)
        own = self._calls(place)
        earlier = [call for before in range(max(0, place - _MOST_TURNS), place) for call in self._calls(before)]
        earlier = earlier[-_MOST_CALLS:]
        messages: list[ConversationMessage] = []
        for number, call in enumerate(own):
            known = [*earlier, *own[:number]][-_MOST_CALLS:]
            fresh = _fresh(call, known, is_first_call=not number, with_systems=is_first and not number)
            for message in fresh:
                _add_sent(messages, message, call.span)
            messages += _answers(call)
        if not any(message.content or message.tools for message in messages):
            messages = [*_as_called(turn), *(message for message in messages if message.span is not None)]
            if own and turn.assistant and own[-1].span.status != "error":
                messages[-1] = ConversationMessage("assistant", turn.assistant, own[-1].span)
        _find_tools(messages, group)
        for failed in _failures(messages, group):
            _insert(messages, failed)
        return ConversationTurn(place + 1, turn, messages, [call.span for call in own])


def _exchange(span: SpanRow) -> _Exchange:
    sent, answered = message_split(span)
    lead = next((place for place, message in enumerate(sent) if message.role != "system"), len(sent))
    keys = [_key(message) for message in sent]
    return _Exchange(span, sent, answered, keys[:lead], [*keys[lead:], *map(_key, answered)])


def _key(message: Message) -> _Key:
    """What makes two messages the same one: libraries differ in white space, and in ids and order of arguments."""
    return message.role, message.content.strip(), tuple(call.name for call in message.tool_calls)


def _fresh(call: _Exchange, known: Sequence[_Exchange], *, is_first_call: bool, with_systems: bool) -> list[Message]:
    """The messages that a call sent and no call before it did."""
    lead = len(call.systems)
    rest = call.others[: len(call.sent) - lead]
    repeated = max((_repeated(rest, before.others) for before in known), default=0)
    if is_first_call and repeated >= len(rest):
        # The same question again, in a turn of its own: it was asked, so it is told.
        asked = [place for place, key in enumerate(rest) if key[0] == "user"]
        repeated = asked[-1] if asked else repeated
    instructed = not with_systems and any(before.systems == call.systems for before in known)
    systems = [] if instructed else call.sent[:lead]
    return [*systems, *call.sent[lead + repeated :]]


def _repeated(rest: Sequence[_Key], before: Sequence[_Key]) -> int:
    """How many of the first messages stood in an earlier call: at its beginning, or, of a cut history, at its end."""
    same = 0
    for one, other in zip(rest, before, strict=False):
        # Where all before is the same, so is the answer, however the library wrote it.
        if one != other and not one[0] == other[0] == "assistant":
            break
        same += 1
    tail = before[-_MOST_REPEATED:]
    for size in range(min(len(tail), len(rest)), same, -1):
        if list(tail[-size:]) == list(rest[:size]):
            return size
    return same


def _add_sent(messages: list[ConversationMessage], message: Message, span: SpanRow) -> None:
    if message.role == "tool":
        asked = [use for said in messages for use in said.tools if use.result is None]
        identifier = message.tool_call_id
        use = next((use for use in asked if identifier and use.call.id == identifier), None)
        if use is None and not identifier:
            use = next(iter(asked), None)
        if use is not None:
            use.result = message.content
            return
    uses = [ToolUse(call) for call in message.tool_calls]
    said = ConversationMessage(message.role, message.content, None, span, uses, message.tool_call_id)
    messages.append(said)


def _answers(call: _Exchange) -> list[ConversationMessage]:
    """What a call answered; a failed call, and one of which nothing was recorded, is an answer without text."""
    said = [
        ConversationMessage(
            message.role, message.content, call.span, None, [ToolUse(one) for one in message.tool_calls]
        )
        for message in call.answered
    ]
    if said and call.span.status != "error":
        return said
    return [*said, ConversationMessage("assistant", "", call.span)]


def _as_called(turn: Turn) -> list[ConversationMessage]:
    """A turn of which no messages were recorded, by what its trace was given and what it gave back."""
    said: list[ConversationMessage] = []
    if turn.user:
        said.append(ConversationMessage("user", turn.user))
    if turn.assistant and not turn.totals.llm_calls:
        said.append(ConversationMessage("assistant", turn.assistant))
    return said


def _find_tools(messages: Sequence[ConversationMessage], group: Sequence[SpanRow]) -> None:
    """Give the tools that were asked for the spans in which they ran, by their ids, else by name and order.

    A function of the user's says by its name only that it is a tool.
    """
    ran = sorted(
        (span for span in group if span.kind in {"tool", "other"}), key=lambda span: (span.kind != "tool", span.start)
    )
    for message in messages:
        for use in message.tools:
            since = message.span.start if message.span is not None else 0
            found = next((span for span in ran if use.call.id and use.call.id in _ids(span)), None)
            if found is None:
                later = (span for span in ran if span.start >= since and not _ids(span))
                found = next((span for span in later if span.name.rpartition(".")[2] == use.call.name), None)
            if found is None:
                continue
            ran.remove(found)
            use.span = found
            if use.result is None:
                use.result = found.output


def _ids(span: SpanRow) -> set[str]:
    return {value for key in _CALL_IDS if isinstance(value := span.attributes.get(key), str)}


def _insert(messages: list[ConversationMessage], failed: ConversationMessage) -> None:
    """Put what failed before the first answer that was begun after it."""
    begun = failed.span.start if failed.span is not None else 0
    later = (place for place, said in enumerate(messages) if said.span is not None and said.span.start > begun)
    messages.insert(next(later, len(messages)), failed)


def _failures(messages: Sequence[ConversationMessage], group: Sequence[SpanRow]) -> list[ConversationMessage]:
    """What failed without being a model call or a tool that is shown: the innermost spans of each error."""
    linked = lineage(group)
    failed = [place for place, span in enumerate(linked.spans) if span.status == "error"]
    outer = linked.above(failed)
    told = {message.span.span_id for message in messages if message.span is not None}
    told |= {use.span.span_id for message in messages for use in message.tools if use.span is not None}
    innermost = [linked.spans[place] for place in failed if place not in outer]
    return [ConversationMessage("error", "", span) for span in innermost if span.span_id not in told]
