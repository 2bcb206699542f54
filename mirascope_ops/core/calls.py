"""A traced call, from its arguments to its result: what every wrapper in `tracing` does around the user's code."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import orjson

from mirascope_ops.core import capture, clock, guard, responses, streams
from mirascope_ops.core.annotated import keep_annotation
from mirascope_ops.core.span import Span

if TYPE_CHECKING:
    from mirascope_ops.core.site import CallSite

open_call: Final = Span.begin
_others: Final = responses.others
_ITEM_SIZE: Final = 64  # bytes that a yielded value other than a string counts for


def prepare_call(site: CallSite, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Span:
    """Capture a call's arguments now, for a span that starts later: a generator's, at its first item."""
    span = Span(site.name)
    try:
        if site.latest is not None:
            site = site.latest()
        span.adopt(site, site.capture_arguments(args, kwargs))
    except Exception as error:  # noqa: BLE001 - our bug is not the user's exception
        guard.report("capturing arguments", error)
    return span


def close_call(span: Span, site: CallSite, result: Any) -> None:
    """Capture a call's result and end its span; never raises an Exception."""
    ended: int | None = clock.now()
    output: Any = None
    try:
        policy, wanted = capture.policy, site.captures_result
        # Where something may be kept as it is the policy is enabled, and that is told without asking a property.
        if result is not None and (policy.longest_as_is >= 0 or policy.enabled if wanted is None else wanted):
            if type(result) is dict:
                output = capture.dump_dict(result)  # pyright: ignore[reportUnknownArgumentType] - whatever it holds
            elif type(result) in _others or (kind := responses.kind_of(result)) is None:
                output = capture.dump_result(result)
            elif kind == "whole":
                output = responses.record_response(span, result)
            elif streams.follow(span, result):
                span.leave()
                ended = None
    except Exception as error:  # noqa: BLE001 - our bug is not the user's exception
        guard.report("capturing a result", error)
    finally:
        if ended is not None:
            span.finish_at(ended, output)


def fail_call(span: Span, error: BaseException) -> None:
    """Note the exception that left a call and end its span; never raises an Exception."""
    try:
        span.fail(error)
    finally:  # an interrupt must not leave the span current
        span.finish_at(None)


class Iteration:
    """The span of a generator: it covers the iteration and keeps what was yielded.

    A stream of strings is kept as the text that they make together, anything else as a list. What is over the
    size limit is counted and left out.
    """

    __slots__ = ("_bytes", "_dropped", "_first", "_items", "_site", "_text", "span")

    def __init__(self, site: CallSite, span: Span) -> None:
        self.span = span
        self._site = site
        self._items: list[Any] = []  # as `capture_result` gives them: text, numbers, JSON text
        self._text = self._first = True
        self._bytes = self._dropped = 0

    @classmethod
    def open(cls, site: CallSite, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Iteration:
        """Start the span of a generator's body."""
        return cls(site, open_call(site, args, kwargs))

    @classmethod
    def resume(cls, site: CallSite, span: Span, waiting: list[dict[str, Any]], *_: object) -> Iteration:
        """Start a span that `prepare_call` made, and keep what was said of it; the arguments are captured already."""
        try:
            span.start()
            while waiting:
                keep_annotation(span.trace_id, span.span_id, waiting.pop(0))
        except Exception as error:  # noqa: BLE001 - our bug is not the user's exception
            guard.report("starting the span of a generator", error)
        return cls(site, span)

    def call(self, fn: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Make the generator; gives it the span where it wants one."""
        at = self._site.skipped
        return fn(*args[:at], self.span, *args[at:], **kwargs) if self._site.wants_span else fn(*args, **kwargs)

    def item(self, value: Any) -> None:
        """Keep a yielded value, and the time to the first one."""
        try:
            if self._first:
                self._first = False
                streams.note_first_chunk(self.span)
            captured = self._site.capture_result(value)
            if captured is None and value is not None:
                return
            if not isinstance(value, str) and isinstance(captured, str):
                captured = orjson.Fragment(captured)
            if self._bytes > capture.policy.limit:
                self._dropped += 1
                return
            self._text = self._text and type(value) is str
            self._items.append(captured)
            self._bytes += len(captured) if isinstance(captured, str) else _ITEM_SIZE
        except Exception as error:  # noqa: BLE001 - our bug is not the user's exception
            guard.report("capturing a yielded value", error)

    def close(self, error: BaseException | None) -> None:
        """End the span."""
        try:
            if self._items:
                self.span.give_output(self._joined())
        except Exception as fault:  # noqa: BLE001 - our bug is not the user's exception
            guard.report("capturing yielded values", fault)
        try:
            if error is not None:
                self.span.fail(error)
        finally:
            self.span.finish_at(None)

    def _joined(self) -> str:
        more = [f"… [{self._dropped:,} more items]"] if self._dropped else []
        return "".join(self._items + more) if self._text else capture.dump([*self._items, *more])
