"""`%ops_autotrace`: every cell as a root span."""

from __future__ import annotations

from typing import TYPE_CHECKING

from opentelemetry.trace import INVALID_SPAN

from mirascope_ops.core import context
from mirascope_ops.core.cell import current_cell
from mirascope_ops.core.span import Span, span

if TYPE_CHECKING:
    from contextvars import Token
    from types import TracebackType

    from opentelemetry.context import Context


def cell_name() -> str:
    """Return the name of a span that is a whole cell, such as `In [7]`."""
    cell = current_cell()
    return "cell" if cell is None or cell.execution_count is None else f"In [{cell.execution_count}]"


class Autotrace:
    """Whether every cell is a span; one of a shell.

    Attributes:
        on: Whether the next cell is.
    """

    def __init__(self) -> None:
        self.on = False

    def root(self) -> CellSpan | None:
        """Return the span to run a cell in, or None while this is switched off."""
        return CellSpan() if self.on else None


class CellSpan:
    """A cell as one span at the root of a trace, whatever an earlier cell left current.

    It may be entered in the task of a cell that awaits and left outside of it, where nothing is to be undone.
    """

    def __init__(self) -> None:
        self._span: Span = span(cell_name())
        self._token: Token[Context] | None = None

    def __enter__(self) -> None:
        self._token = context.attach(context.SPAN_KEY, INVALID_SPAN)
        self._span.__enter__()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None, /
    ) -> None:
        self._span.__exit__(kind, error, traceback)
        token, self._token = self._token, None
        if token is not None:
            context.detach(token, context.SPAN_KEY, INVALID_SPAN)
