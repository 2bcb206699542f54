"""Streamed answers: the span of a model call that streams lasts until the stream is read.

A streaming call returns before the model has said anything. Its span stays open, takes the time to the first
chunk, and ends when the stream is exhausted, fails, is closed, or is forgotten. The chunks pass through
untouched and nothing is read ahead.
"""

from __future__ import annotations

import weakref
from typing import TYPE_CHECKING, Any, Final, Self

from mirascope_ops.core import attributes as keys
from mirascope_ops.core import clock, guard, responses

if TYPE_CHECKING:
    from mirascope_ops.core.span import Span

_NANOSECONDS: Final = 10**9


def follow(span: Span, stream: Any) -> bool:
    """Let a span last until a Mirascope stream has been read.

    Args:
        span: The span of the call that returned the stream.
        stream: The stream, changed in place: its chunks pass by us.

    Returns:
        Whether the span is followed; False where the stream is of a kind that cannot be, and the span must end now.
    """
    # Mirascope's own instrumentation replaces the same attribute; there is no public way to see chunks go by.
    chunks = getattr(stream, "_chunk_iterator", None)
    if chunks is None:
        return False
    kind = _AsyncChunks if hasattr(chunks, "__anext__") else _Chunks
    stream._chunk_iterator = kind(chunks, span, stream)  # noqa: SLF001 # pyright: ignore[reportPrivateUsage]
    return True


class _Followed:
    """An iterator's chunks on their way to the user.

    The stream holds this, so this holds the stream weakly, or a stream that is left early would live, and its span
    stay open, until the garbage collector comes by. What the stream says is in its `__dict__`, which outlives it here
    for as long as the span needs it.
    """

    def __init__(self, chunks: Any, span: Span, stream: Any) -> None:
        self._chunks = chunks
        self._span: Span | None = span
        self._kind: type[Any] = type(stream)
        self._state: dict[str, Any] | None = getattr(stream, "__dict__", None)
        self._stream: weakref.ref[Any] | None = weakref.ref(stream, self._forgotten)
        self._first = True

    def _passed(self) -> None:
        if self._first and self._span is not None:
            self._first = False
            note_first_chunk(self._span)

    def _end(self, error: BaseException | None) -> None:
        span, self._span = self._span, None
        if span is None:
            return
        reference, self._stream = self._stream, None
        state, self._state = self._state, None
        try:
            stream = None if reference is None else reference()
            if stream is None and state is not None:  # it is gone: another of its kind tells what it would have told
                stream = object.__new__(self._kind)
                stream.__dict__ = state
            span.give_output(responses.record_response(span, stream))
        except Exception as fault:  # noqa: BLE001 - our bug is not the user's exception
            guard.report("recording a streamed answer", fault)
        if error is not None:
            span.fail(error)
        span.end()

    def _forgotten(self, _: weakref.ref[Any]) -> None:
        self._end(None)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._chunks, name)

    def __del__(self) -> None:
        self._end(None)


class _Chunks(_Followed):
    def __iter__(self) -> Self:
        return self

    def __next__(self) -> Any:
        try:
            chunk = next(self._chunks)
        except StopIteration:
            self._end(None)
            raise
        except BaseException as error:
            self._end(error)
            raise
        self._passed()
        return chunk

    def close(self) -> None:
        """Close the chunks; the span ends with what has been read."""
        self._chunks.close()
        self._end(None)


class _AsyncChunks(_Followed):
    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Any:
        try:
            chunk = await self._chunks.__anext__()
        except StopAsyncIteration:
            self._end(None)
            raise
        except BaseException as error:
            self._end(error)
            raise
        self._passed()
        return chunk

    async def aclose(self) -> None:
        """Close the chunks; the span ends with what has been read."""
        await self._chunks.aclose()
        self._end(None)


def note_first_chunk(span: Span) -> None:
    """Record the time from a span's start to now as the time to its first chunk, in seconds.

    The name is OpenTelemetry's (semantic conventions for generative AI).
    """
    span.set_attribute(keys.TIME_TO_FIRST_CHUNK, (clock.now() - (span.start_time or 0)) / _NANOSECONDS)
