"""Replay: a traced function runs again with the arguments of its trace, and what differs is shown.

The call runs in a trace of its own, below a span that links to the original, in the session that is current now, if
any. What a trace names is neither imported nor evaluated: it is looked for among what is loaded, and runs only if it is
traced. A trace that comes from elsewhere still decides which of your traced functions runs, and with what: look at it
first, as you would at a script.
"""

from __future__ import annotations

import contextlib
import functools
import inspect
from contextlib import contextmanager
from types import MethodType
from typing import TYPE_CHECKING, Any, Final, NamedTuple, cast

from opentelemetry.context import Context
from opentelemetry.trace import SpanContext

from mirascope_ops import reading
from mirascope_ops.analysis.arguments import arguments
from mirascope_ops.analysis.recorded_call import recorded_call
from mirascope_ops.core import attributes as keys
from mirascope_ops.core import context, responses
from mirascope_ops.core.lookup import Located, is_traced, locate
from mirascope_ops.core.session import KEY, current_session
from mirascope_ops.core.span import Span
from mirascope_ops.core.tracing import decorate_callable
from mirascope_ops.exceptions import ReplayError
from mirascope_ops.spanset import SpanSet
from mirascope_ops.store import recorder

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping

    from mirascope_ops.analysis.recorded_call import RecordedCall
    from mirascope_ops.spandiff import SpanDiff
    from mirascope_ops.spanset import StoredTrace

TRACE_ID: Final = "mirascope.ops.replay.trace_id"
SPAN_ID: Final = "mirascope.ops.replay.span_id"


class Replay:
    """A traced call that ran again, beside the call that it repeats; shows what differs.

    `trace.replay()` gives one. For a function that is awaited it has not run yet: `await trace.replay()`.

    Attributes:
        arguments: The arguments by parameter, without `self`.
        original: The spans of the call that was repeated.

    Example:
        >>> from mirascope_ops import ops
        >>> @ops.trace
        ... def greet(name: str) -> str:
        ...     return f"Hello, {name}!"
        >>> again = greet.wrapped("Ada").replay(greet, name="Alan")
        >>> again.result, again.arguments
        ('Hello, Alan!', {'name': 'Alan'})
    """

    def __init__(self, plan: _Plan) -> None:
        self.arguments: dict[str, Any] = dict(plan.bound.arguments)
        self.original: SpanSet = plan.original
        self._plan = plan
        self._result: Any = None
        self._trace_id: str | None = None

    @property
    def result(self) -> Any:
        """What the function returned; of a generator the list of what it yielded.

        Raises:
            ReplayError: It is to be awaited, and has not run.
        """
        self._need()
        return self._result

    @functools.cached_property
    def trace(self) -> StoredTrace:
        """The new trace, whose root is the replay itself.

        Raises:
            ReplayError: It is to be awaited, and has not run.
        """
        return reading.get_trace(self._need())

    @property
    def spans(self) -> SpanSet:
        """The spans of the new call, without the span of the replay."""
        trace = self.trace
        return SpanSet(span for span in trace if span is not trace.root)

    @functools.cached_property
    def diff(self) -> SpanDiff:
        """What differs between the original (a) and the new call (b)."""
        return self.original.diff(self)

    def to_text(self) -> str:
        """Return what differs, in text."""
        return self.diff.to_text()

    def __await__(self) -> Generator[Any, Any, Replay]:
        if self._plan.is_async and self._trace_id is None:
            yield from self._run_async().__await__()
        return self

    def __repr__(self) -> str:
        if self._trace_id is None:
            return f"<replay of {self._plan.name}, which has not run: await it>"
        return self.to_text()

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> Any:
        if self._trace_id is None:
            return {"text/plain": repr(self)}
        show: Any = getattr(self.diff, "_repr_mimebundle_", None)
        return {"text/plain": repr(self)} if show is None else show(include, exclude)

    def _need(self) -> str:
        if self._trace_id is None:
            message = f"{self._plan.name} is awaited: write `await trace.replay()`."
            raise ReplayError(message)
        return self._trace_id

    def _run(self) -> Replay:
        with _replaying(self._plan) as span:
            self._result = _read(self._plan.call())
        self._trace_id = span.trace_id
        return self

    async def _run_async(self) -> None:
        with _replaying(self._plan) as span:
            self._result = await _read_async(self._plan.call())
        self._trace_id = span.trace_id


class _Plan(NamedTuple):
    """A call that is about to run again."""

    recorded: RecordedCall
    original: SpanSet
    function: Any
    bound: inspect.BoundArguments
    is_async: bool

    @property
    def name(self) -> str:
        return self.recorded.span.name

    def call(self) -> Any:
        return self.function(*self.bound.args, **self.bound.kwargs)


def replay(spans: SpanSet, function: Any, given: Mapping[str, Any]) -> Replay:
    """Run a traced function again; see `SpanSet.replay`.

    Args:
        spans: A trace, or a part of one, with the call at its top.
        function: What runs; None for the function that the trace names.
        given: Arguments in place of the recorded ones, by parameter.
    """
    recorded = recorded_call(spans)
    if not recorder.active().recording:
        message = "Nothing is recorded, so a replay would have nothing to show: ops.configure(store=None) records."
        raise ReplayError(message)
    overrides = dict(given)
    target = _bound(_located(recorded, function), recorded, overrides)
    bound = arguments(recorded, target, overrides)
    original = spans.below(recorded.span.span_id)
    found = Replay(_Plan(recorded, original, _streaming(target, recorded), bound, _is_async(target)))
    return found if _is_async(target) else found._run()  # noqa: SLF001 # pyright: ignore[reportPrivateUsage] - it is made here


def _located(recorded: RecordedCall, function: Any) -> Located:
    if function is None:
        found = locate(recorded.module, recorded.qualname)
        if found is not None:
            return found
        message = (
            f"There is no traced function {recorded.qualname} in the module {recorded.module}, as it is loaded now. "
            "Import the module, or give the function: trace.replay(function)."
        )
        raise ReplayError(message)
    if not callable(function):
        message = (
            f"What runs again must be a function, got {type(function).__name__}: trace.replay(function, name=value)."
        )
        raise ReplayError(message)
    return Located(function if is_traced(function) else decorate_callable(function), None)


def _bound(located: Located, recorded: RecordedCall, overrides: dict[str, Any]) -> Any:
    """Return what is called: a method with the object that is given for it."""
    function, owner = located
    if owner is None:
        return function
    name = next(iter(inspect.signature(function).parameters), "self")
    if name not in overrides:
        message = (
            f"{recorded.qualname} is a method, and a trace does not hold its object. Give it: trace.replay({name}=...)."
        )
        raise ReplayError(message)
    instance = overrides.pop(name)
    if not isinstance(instance, owner):
        message = f"{recorded.qualname} is a method of {owner.__name__}, and {name} is a {type(instance).__name__}."
        raise ReplayError(message)
    return MethodType(function, instance)


def _streaming(function: Any, recorded: RecordedCall) -> Any:
    """Return the streaming form of a model call that was streamed, where the first chunk has its time."""
    streams = keys.TIME_TO_FIRST_CHUNK in recorded.span.attributes
    model_call = type(function).__name__ == "TracedCall"
    return function.stream if streams and model_call else function


def _is_async(function: Any) -> bool:
    """Tell whether a function is awaited, or iterated with `async for`."""
    return any(
        inspect.iscoroutinefunction(one) or inspect.isasyncgenfunction(one)
        for one in (function, getattr(function, "wrapped", None))
    )


@contextmanager
def _replaying(plan: _Plan) -> Generator[Span]:
    """Run a block in a new trace, below a span that tells what is repeated."""
    original = plan.recorded.span
    session = current_session()
    fresh = Context() if session is None else Context({KEY: session})
    token = context.attach_context(fresh)
    span = Span(f"replay {plan.name}", **{TRACE_ID: original.trace_id, SPAN_ID: original.span_id})
    with contextlib.suppress(ValueError):  # ids of a table may be any text
        span.add_link(SpanContext(int(original.trace_id, 16), int(original.span_id, 16), is_remote=True))
    try:
        with span:
            yield span
    except BaseException as error:
        error.add_note(
            f"This was a replay of {plan.name}, of trace {original.trace_id}; look at what happened with "
            f"ops.get_trace({span.trace_id!r})."
        )
        raise
    finally:
        context.detach_context(token, fresh)


def _read(result: Any) -> Any:
    """Return a result that has happened: generators and streams are lazy."""
    if inspect.isgenerator(result):
        return list(cast("Generator[Any]", result))
    if responses.kind_of(result) == "stream":
        result.finish()
    return result


async def _read_async(result: Any) -> Any:
    if inspect.isasyncgen(result):
        return [item async for item in result]
    found = await result if inspect.isawaitable(result) else result
    if inspect.isasyncgen(found):
        return [item async for item in found]
    if responses.kind_of(found) == "stream":
        finished = found.finish()
        if inspect.isawaitable(finished):
            await finished
        return found
    return _read(found)
