"""Conversation: what was said in a set of traces, as a person holds it."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, overload

from mirascope_ops._optional import require
from mirascope_ops.analysis.conversation import ConversationReader, ConversationTurn
from mirascope_ops.core import backend

if TYPE_CHECKING:
    import os
    from collections.abc import Iterable
    from pathlib import Path

    from pandas import DataFrame  # pyright: ignore[reportMissingTypeStubs] - pandas ships none

    from mirascope_ops.analysis.rows import SpanRow
    from mirascope_ops.views.conversation import Talk

MIME_DATA_TURNS = 100


class Conversation(Sequence[ConversationTurn]):
    """A conversation as it was held, as a sequence of turns; `conversation()` of anything that holds spans makes one.

    Each message stands once, in the turn in which it was said, whatever library recorded it: system, user and
    assistant, with the tools that were asked for, their results, what failed, and how long each answer took. A slice
    is a conversation too, whose turns keep their numbers.

    Args:
        spans: The spans, of any traces; a turn is a trace.
        name: What it is called; None takes the session's id, else the first trace's name.
        source: What was typed for what it was made of, so that views can say how to see what they left out.

    Example:
        >>> from mirascope_ops import ops
        >>> @ops.trace
        ... def answer(question: str) -> str:
        ...     return "At six."
        >>> with ops.session("harbour-talk"):
        ...     _ = answer("When does the harbour open?")
        >>> conversation = ops.get_session("harbour-talk").conversation()
        >>> [message.content for message in conversation[0].messages]
        ['When does the harbour open?', 'At six.']
    """

    def __init__(self, spans: Iterable[SpanRow], *, name: str | None = None, source: str = "") -> None:
        self._reader = ConversationReader(spans)
        self._places = range(len(self._reader))
        self._name, self._source = name, source

    def __len__(self) -> int:
        return len(self._places)

    @overload
    def __getitem__(self, index: int) -> ConversationTurn: ...
    @overload
    def __getitem__(self, index: slice) -> Conversation: ...
    def __getitem__(self, index: int | slice) -> ConversationTurn | Conversation:
        if not isinstance(index, slice):
            place = self._places[index]
            return self._reader.turn(place, is_first=place == self._places[0])
        part = Conversation([], name=self._name, source=self._source)
        part._reader, part._places = self._reader, self._places[index]
        return part

    def to_text(self) -> str:
        """Return the conversation as a terminal shows it, at most some 40,000 characters; what was cut is said."""
        from mirascope_ops.views.text_conversation import conversation_text

        return conversation_text(self._talk)

    def to_markdown(self, path: str | os.PathLike[str] | None = None, *, limit: int = 40_000) -> str:
        """Return the conversation as Markdown.

        What was said stands in fences that it cannot end. What does not fit is left out, the oldest turns first, and
        that is said.

        Args:
            path: Also write the text to this file.
            limit: Characters at most; at least 2,000.

        Returns:
            The text.

        Raises:
            ConfigurationError: The limit is too small.
            OSError: The file cannot be written.
        """
        from pathlib import Path

        from mirascope_ops.store import files
        from mirascope_ops.views.markdown_conversation import conversation_markdown

        text = conversation_markdown(self._talk, limit=limit)
        if path is not None:
            with files.written(Path(path).expanduser()) as file:
                file.write(text.encode())
        return text

    def to_html(self, path: str | os.PathLike[str], *, title: str | None = None) -> Path:
        """Write the conversation to a file, as a page that stands alone, has no script and requests nothing.

        Args:
            path: The file, such as conversation.html.
            title: The page's title; else the session's id or the trace's name.

        Returns:
            The path.

        Raises:
            OSError: The file cannot be written.
        """
        from pathlib import Path

        from mirascope_ops.store import files
        from mirascope_ops.views.html_conversation import conversation_html
        from mirascope_ops.views.html_page import page_html

        place, talk = Path(path).expanduser(), self._talk
        with files.written(place) as file:
            file.write(page_html(title or talk.title, conversation_html(talk)).encode())
        return place

    def to_pandas(self) -> DataFrame:
        """Return all messages as a DataFrame, one row each, whole.

        The columns and their types are `mirascope_ops.analysis.schema.CONVERSATION_SCHEMA`.

        Raises:
            ImportError: pandas is not installed; the message says how.
        """
        from mirascope_ops.analysis.conversation_frame import conversation_frame

        require("pandas", extra="notebook")
        return conversation_frame(self)

    def show(self) -> None:
        """Show the conversation here: as the output of a notebook's cell, or as text in a terminal."""
        backend.get().show(self)

    @functools.cached_property
    def _talk(self) -> Talk:
        from mirascope_ops.views.conversation import Talk

        return Talk(self._reader, self._places, name=self._name, source=f"{self._source}.conversation()")

    def _data(self) -> dict[str, Any]:
        turns = [
            {
                "number": turn.number,
                "trace_id": turn.turn.trace_id,
                "session_id": turn.turn.session_id,
                "messages": [{"role": message.role, "content": message.content} for message in turn.messages],
            }
            for turn in self[-MIME_DATA_TURNS:]
        ]
        return {"type": "conversation", "count": len(self), "turns": turns}

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, Any]:
        from mirascope_ops.views.bundle import MAX_TEXT_BYTES, bundle, chosen
        from mirascope_ops.views.html_conversation import conversation_html
        from mirascope_ops.views.text_conversation import conversation_text

        text = conversation_text(self._talk, MAX_TEXT_BYTES * 4 // 5)  # the newest turns, and room for what is around
        return chosen(bundle(text, conversation_html(self._talk), self._data()), include, exclude)

    def __repr__(self) -> str:
        return f"Conversation of {len(self):,} {'turn' if len(self) == 1 else 'turns'}"
