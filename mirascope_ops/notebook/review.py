"""Reviewing in the cell: sessions, traces or spans one after the other, judged by the keyboard, kept at once.

The browser sends judgements, which are checked here; nothing that it sends is run.
"""

from __future__ import annotations

import logging
import math
import threading
from typing import TYPE_CHECKING, Any, Final, cast

import anywidget
import traitlets

from mirascope_ops.analysis.verdicts import OF_SESSION, SCORE, WITHDRAWN, Verdict
from mirascope_ops.core import backend, capture, clock
from mirascope_ops.store import recorder
from mirascope_ops.views.escape import one_line
from mirascope_ops.views.review import ReviewItem, item_data, page_data, review_items, verdict_data

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mirascope_ops.analysis.rows import SpanRow
    from mirascope_ops.views.timeline_bundle import Bundle

_logger = logging.getLogger("mirascope_ops")
LABELS: Final = ("pass", "fail")
_MOST_NOTE: Final = 10_000
_HIGHEST: Final = 1e6
_VERSION: Final = 1


class Review(anywidget.AnyWidget):
    """Sessions, traces or spans to judge one after the other; made by `review()` of a set of spans.

    Each judgement is in the store when the browser shows it as kept: after a restart of the kernel, `review()` goes
    on with the first that has none.

    Args:
        spans: The spans to judge, or of the traces or sessions to judge.
        built: The built front end.
        by: "session", "trace", "span", or None for what the spans are.
        session_id: The session that the spans are.

    Attributes:
        cursor: The place of the item that is shown.
    """

    rows = traitlets.List(traitlets.Any()).tag(sync=True)
    cursor = traitlets.Int(0).tag(sync=True)

    def __init__(
        self, spans: Sequence[SpanRow], built: Bundle, by: str | None = None, session_id: str | None = None
    ) -> None:
        self._items: list[ReviewItem] = review_items(spans, by=by, session_id=session_id)
        self._verdicts: list[Verdict | None] = [item.verdict for item in self._items]
        self._lock = threading.Lock()  # messages of the browser may come in a thread of the kernel's
        self._esm, self._css = built
        super().__init__(rows=[dict(item_data(item)) for item in self._items], cursor=self._first_open())
        cast("Any", self).on_msg(self._receive)

    def __len__(self) -> int:
        return len(self._items)

    @property
    def verdicts(self) -> list[Verdict | None]:
        """The judgements, None where there is none yet."""
        return list(self._verdicts)

    @property
    def reviewed(self) -> int:
        """How many have a judgement."""
        return sum(verdict is not None for verdict in self._verdicts)

    def judge(self, place: int, *, label: str | None = None, score: float | None = None, note: str = "") -> None:
        """Keep a judgement; the newest holds, and one without label, score and note takes back those before.

        Args:
            place: The item's place.
            label: "pass" or "fail".
            score: A number.
            note: Why, at most 10,000 characters.

        Raises:
            ValueError: One of them cannot be; the message says what can.
        """
        self._keep(place, _checked_label(label), _checked_score(score), _checked_note(note))

    @traitlets.validate("cursor")
    def _check_cursor(self, proposal: Any) -> int:
        place: int = proposal["value"]
        return min(max(place, 0), max(0, len(self._items) - 1))

    def _first_open(self) -> int:
        return next((place for place, verdict in enumerate(self._verdicts) if verdict is None), 0)

    def _keep(self, place: int, label: str | None, score: float | None, note: str) -> None:
        if not 0 <= place < len(self._items):
            raise ValueError(f"there is no item {place}: there are {len(self._items)}")
        if not recorder.active().recording:
            raise ValueError("nothing is recorded: the store is switched off")
        empty = label is None and score is None and not note
        verdict = None if empty else Verdict(label, score, note or None, clock.now())
        metadata: dict[str, Any] = {WITHDRAWN: True} if empty else {} if score is None else {SCORE: score}
        span, session_id = self._items[place].span, self._items[place].session_id
        if session_id is not None:
            metadata[OF_SESSION] = session_id
        backend.get().annotate(
            {
                "trace_id": span.trace_id,
                "span_id": span.span_id,
                "time": clock.now() if verdict is None else verdict.time,
                "label": label,
                "reasoning": note or None,
                "tags": [],
                "metadata": metadata,
            }
        )
        told = verdict_data(verdict)
        with self._lock:
            self._verdicts[place] = verdict
            # In place: of a thousand rows one has changed, and the browser is told of that one.
            cast("list[Any]", self.rows)[place]["verdict"] = told
        cast("Any", self).send({"version": _VERSION, "type": "verdict", "item": place, "verdict": told})

    def _receive(self, _widget: Any, content: Any, _buffers: Any) -> None:
        """Answer a message; whatever it is, the browser gets an answer or, where it cannot be one, silence."""
        message = cast("dict[str, Any]", content) if isinstance(content, dict) else {}
        request = message.get("request")
        if not isinstance(request, int):
            return
        try:
            answer = self._answer(message)
        except Exception as error:  # the browser waits for an answer, and no key may fail in the kernel
            _logger.debug("A review could not do what the browser asked for.", exc_info=True)
            answer = {"type": "error", "message": one_line(str(error) or type(error).__name__, 200)}
        cast("Any", self).send({"version": _VERSION, "request": request, **answer})

    def _answer(self, message: Mapping[str, Any]) -> Mapping[str, Any]:
        place = message.get("item")
        if message.get("version") != _VERSION:
            raise ValueError("this message has a version that is not understood: run the cell again")
        if not isinstance(place, int) or isinstance(place, bool) or not 0 <= place < len(self._items):
            raise ValueError("there is no such item")
        if message.get("type") == "page":
            return {"type": "page", "page": page_data(self._items[place])}
        if message.get("type") != "judge":
            raise ValueError("there is no such request")
        label, score, note = (message.get(name) for name in ("label", "score", "note"))
        self._keep(place, _checked_label(label), _checked_score(score), _checked_note(note))
        return {"type": "kept", "verdict": verdict_data(self._verdicts[place])}

    def __repr__(self) -> str:
        number = len(self._items)
        return f"Review of {number:,} {'item' if number == 1 else 'items'}, {self.reviewed:,} judged"


def _checked_label(label: Any) -> str | None:
    if label is None or label in LABELS:
        return cast("str | None", label)
    raise ValueError(f"a label is one of {', '.join(LABELS)}, or none")


def _checked_score(score: Any) -> float | None:
    if score is None:
        return None
    if isinstance(score, bool) or not isinstance(score, int | float) or not abs(score) <= _HIGHEST:
        raise ValueError("a score is a number, at most a million")
    return float(score) if math.isfinite(score) else None


def _checked_note(note: Any) -> str:
    if note is None:
        return ""
    if not isinstance(note, str) or len(note) > _MOST_NOTE:
        raise ValueError(f"a note is a text of at most {_MOST_NOTE:,} characters")
    return capture.text(note).strip()
