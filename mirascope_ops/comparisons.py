"""What any set of spans can be held against: another run, or bounds."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Never, Self, cast

from mirascope_ops.analysis.rows import SpanRow
from mirascope_ops.exceptions import CheckError, ConfigurationError

if TYPE_CHECKING:
    from datetime import timedelta

    from mirascope_ops.analysis.checks import Breach
    from mirascope_ops.spandiff import SpanDiff

_PRINTED = 60  # characters of a check's answer in an error
_NO_BOUNDS = frozenset({"self", "checks", "unknown", "__tracebackhide__"})  # names in `check` beside the bounds


class Comparisons:
    """The comparisons of a set of spans; a subclass says which spans these are."""

    __slots__ = ()

    def _rows(self) -> Sequence[SpanRow]:
        """Give the spans."""
        raise NotImplementedError

    def diff(self, other: Any) -> SpanDiff:
        """Compare this run with another one.

        Args:
            other: The second run: a trace, session, SpanSet or set of these, what `.wrapped()` returned, the context
                of `ops.session(...)`, or a list of spans. The two need not be of one sort.

        Returns:
            The changes, with the figures of both runs. It shows itself as text and as HTML; `.to_pandas()` has the
            spans side by side, `.summary()` one row of counts and figures.

        Raises:
            ConfigurationError: The other one is no run.

        Example:
            >>> from mirascope_ops import ops
            >>> @ops.trace
            ... def greet(name: str) -> str:
            ...     return f"Hello, {name}"
            >>> diff = greet.wrapped("Ada").spans.diff(greet.wrapped("Bob"))
            >>> print(diff.to_text().split("duration")[0])
            1 change
            <BLANKLINE>
            input  turn 1, greet
              - name: Ada
              + name: Bob
            <BLANKLINE>
            <BLANKLINE>
        """
        from mirascope_ops.spandiff import SpanDiff

        return SpanDiff(self._rows(), spans_of(other))

    def check(  # noqa: D417 - `unknown` takes what is misspelt, so that the error can name the nearest
        self,
        *checks: Callable[[Self], object],
        max_cost: float | None = None,
        max_latency: float | timedelta | None = None,
        max_ttft: float | timedelta | None = None,
        no_errors: bool = True,
        max_errors: int | None = None,
        max_tokens: int | None = None,
        max_input_tokens: int | None = None,
        max_output_tokens: int | None = None,
        min_turns: int | None = None,
        max_turns: int | None = None,
        min_llm_calls: int | None = None,
        max_llm_calls: int | None = None,
        min_tool_calls: int | None = None,
        max_tool_calls: int | None = None,
        min_spans: int = 1,
        max_spans: int | None = None,
        require: str | Sequence[str] = (),
        forbid: str | Sequence[str] = (),
        **unknown: Never,
    ) -> Self:
        """Raise one error that lists every bound that does not hold; for notebooks and tests that run unattended.

        What is not known does not pass: a model call without a cost breaks `max_cost`, one without tokens `max_tokens`.

        Args:
            *checks: Functions of this run. One that returns False, or anything false but None, does not hold; nor does
                one that raises, such as by `assert`.
            max_cost: US dollars of all model calls.
            max_latency: Of each trace: seconds, or a timedelta; a trace that has not ended breaks it.
            max_ttft: Time to the first token of each model call that streamed, in the same way.
            no_errors: Whether a failed span breaks the check, also one that was recovered from.
            max_errors: So many errors are allowed, in place of `no_errors`; an exception counts once.
            max_tokens: Tokens of all prompts and answers.
            max_input_tokens: Tokens of all prompts.
            max_output_tokens: Tokens of all answers.
            min_turns: Number of traces that there must be.
            max_turns: Number of traces.
            min_llm_calls: Number of model calls that there must be.
            max_llm_calls: Number of model calls.
            min_tool_calls: Number of calls of tools that there must be.
            max_tool_calls: Number of calls of tools.
            min_spans: Number of spans that there must be; by default a run without spans breaks the check.
            max_spans: Number of spans.
            require: Names of spans that there must be.
            forbid: Names of spans that there must not be.

        Returns:
            The run itself, so that a check can stand in the middle of an expression.

        Raises:
            CheckError: A bound does not hold. It is an AssertionError; its `breaches` are the list as data.
            ConfigurationError: A bound is no number, or negative, or a name is no text.
            TypeError: There is no such bound; the message names the nearest.

        Example:
            >>> from mirascope_ops import ops
            >>> @ops.trace
            ... def greet(name: str) -> str:
            ...     return f"Hello, {name}"
            >>> greet.wrapped("Ada").check(lambda trace: "Ada" in trace.result, max_latency=60).result
            'Hello, Ada'
        """
        __tracebackhide__ = True  # tracebacks of notebooks and pytest end where the check stands
        bounds = {name: value for name, value in locals().items() if name not in _NO_BOUNDS} | unknown
        self._check(self, checks, bounds)
        return self

    def _check(self, run: Any, checks: Sequence[Callable[[Any], object]], bounds: Mapping[str, Any]) -> None:
        """Check these spans for another object, which is what the functions get."""
        __tracebackhide__ = True
        from mirascope_ops.analysis.checks import BOUNDS, DEFAULTS, breaches, unknown_bound

        for name in bounds:
            if name not in BOUNDS:
                raise unknown_bound(name)
        rows = self._rows()
        answers = [_asked(check, run, number) for number, check in enumerate(checks, 1)]
        found = [*breaches(rows, {**DEFAULTS, **bounds}), *(breach for breach, _ in answers if breach is not None)]
        if found:
            from mirascope_ops.views.text_checks import breaches_text

            error = CheckError(breaches_text(found, rows))
            error.breaches = tuple(found)
            raise error from next((raised for _, raised in answers if raised is not None), None)


def spans_of(run: Any) -> Sequence[SpanRow]:
    """Give the spans of whatever holds a run.

    Args:
        run: A set of spans, traces or sessions, anything with `spans`, or a list of spans.

    Raises:
        ConfigurationError: It holds no spans.

    Example:
        >>> spans_of([])
        []
    """
    found: Any = run if isinstance(run, type) else getattr(run, "spans", run)
    if isinstance(found, Iterable) and not isinstance(found, str | bytes | Mapping):
        rows = list(cast("Iterable[Any]", found))
        if all(isinstance(row, SpanRow) for row in rows):
            return rows
    kind = "traced function" if hasattr(run, "wrapped") else type(run).__name__
    advice = {
        "str": "for an id, ops.get_session(id) or ops.get_trace(id)",
        "DataFrame": "for a table of spans, ops.from_pandas(frame)",
        "traced function": "call it, fn.wrapped(...)",
    }.get(kind, "give what fn.wrapped(...), ops.get_trace(id), ops.get_session(id) or ops.spans(...) returns")
    message = f"A run can be compared with another run, not with {_an(kind)}: {advice}."
    raise ConfigurationError(message)


def _an(kind: str) -> str:
    return f"{'an' if kind[:1].lower() in 'aeiou' else 'a'} {kind}"


def _asked(check: Any, run: Any, number: int) -> tuple[Breach | None, Exception | None]:
    """Ask a function about a run."""
    from mirascope_ops.analysis.checks import Breach

    if not callable(check):
        message = f"Check {number} is {_an(type(check).__name__)}; expected a function of the run: lambda run: ..."
        raise ConfigurationError(message)
    name = getattr(check, "__name__", type(check).__name__)
    name = f"check {number}" if name == "<lambda>" else name
    try:
        answer = check(run)
        holds = answer is None or bool(answer)
    except Exception as error:  # noqa: BLE001 - whatever it is, the check does not hold; the error is its cause
        return Breach(name, f"{type(error).__name__}: {error}".removesuffix(": ")), error
    if inspect.isawaitable(answer):
        if inspect.iscoroutine(answer):
            answer.close()
        return Breach(name, "is asynchronous, so that its answer is not known; give a function that is not"), None
    return (None, None) if holds else (Breach(name, f"does not hold: it returned {_printed(answer)}"), None)


def _printed(answer: object) -> str:
    text = repr(answer)
    return text if len(text) <= _PRINTED else f"{text[:_PRINTED]}…"
