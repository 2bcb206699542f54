"""The timeline as a widget: a canvas in the browser, spans as columns, details on request.

The browser sends numbers and words, which are checked here; nothing that it sends is run.
"""

from __future__ import annotations

import logging
import math
from typing import TYPE_CHECKING, Any, Final, cast

import anywidget
import traitlets

from mirascope_ops.analysis.table import spans_at
from mirascope_ops.notebook.timeline_spans import TimelineSpans
from mirascope_ops.spanset import SpanSet
from mirascope_ops.views.escape import one_line
from mirascope_ops.views.timeline_columns import NAME_LIMIT
from mirascope_ops.views.timeline_detail import timeline_detail

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from mirascope_ops.analysis.rows import SpanRow
    from mirascope_ops.views.timeline_bundle import Bundle
    from mirascope_ops.views.timeline_options import TimelineOptions

_logger = logging.getLogger("mirascope_ops")
_NOBODY: Final = -1
_PAIR: Final = 2
# Of more spans a saved notebook has the figures: a list of them would be long in the making, and read by nobody.
_MOST_STATIC: Final = 5_000
# A larger payload is no part of the widget's state: it would be in the way of the model that the browser has to make,
# and in every notebook that is saved with the state of its widgets. The browser asks for it, and gets it in parts.
_IN_STATE: Final = 500_000
_PART: Final = 1_000_000
_HIDDEN: Final = {"kinds": "kind", "statuses": "status", "names": "name"}


class Timeline(anywidget.AnyWidget):
    """Spans over time, to look around in; made by `timeline()` of a set of spans.

    Its traits (`lanes`, `color`, `view`, `critical_path`, `query`, `selected_span`, `selected_range`, `hidden`)
    follow what is done in the browser, and can be set. Of more than 50,000 spans the browser shows a first picture of
    some 20,000 while all of them are on their way; what is chosen in it is told here when they have come. A notebook
    that is saved with the state of its widgets keeps that picture.

    Args:
        spans: The spans, of any traces.
        options: How it begins.
        bundle: The built front end.

    Attributes:
        selected_span: The place in `spans` of the span that is chosen, or -1.
        selected_range: The stretch of time that is chosen: nanoseconds after the first span's start; or empty.
        hidden: Kinds, statuses and names that are filtered out.
    """

    data = traitlets.Bytes(b"").tag(sync=True)
    payload = traitlets.Dict({"bytes": 0, "revision": 0}).tag(sync=True)
    lanes = traitlets.Enum(("session", "depth", "thread", "name"), default_value="session").tag(sync=True)
    color = traitlets.Enum(("kind", "status", "cost", "name"), default_value="kind").tag(sync=True)
    view = traitlets.Enum(("time", "flame"), default_value="time").tag(sync=True)
    critical_path = traitlets.Bool(default_value=False).tag(sync=True)
    query = traitlets.Unicode("").tag(sync=True)
    height = traitlets.Int(0).tag(sync=True)
    selected_span = traitlets.Int(_NOBODY).tag(sync=True)
    selected_range = traitlets.List(traitlets.Float()).tag(sync=True)
    hidden = traitlets.Dict(default_value={name: [] for name in _HIDDEN}).tag(sync=True)

    def __init__(self, spans: Iterable[SpanRow], options: TimelineOptions, bundle: Bundle) -> None:
        self._shown = TimelineSpans(spans)
        self._esm, self._css = bundle
        super().__init__(**self._told(), **options._replace(height=options.height or 0)._asdict())
        cast("Any", self).on_msg(self._receive)

    @property
    def spans(self) -> SpanSet:
        """All spans that it shows, by start."""
        return SpanSet(self._shown.whole.spans)

    @property
    def selected(self) -> SpanRow | None:
        """The span that is chosen, or None."""
        place: int = self.selected_span
        return self._shown.whole.spans[place] if place >= 0 else None

    @property
    def selection(self) -> SpanSet:
        """The spans that ran in the stretch of time that is chosen, but for hidden ones; else the chosen span."""
        chosen = self.selected_range
        if not chosen:
            return SpanSet([] if self.selected is None else [self.selected])
        shown = self._shown.whole
        kept = SpanSet(spans_at(shown.spans, shown.between(*chosen)))
        hidden = {field: set(self.hidden.get(name, ())) for name, field in _HIDDEN.items()}
        return kept.filter(lambda row: not _is_hidden(row, hidden)) if any(hidden.values()) else kept

    def update(self, spans: Iterable[SpanRow]) -> None:
        """Show other spans, such as those of a session that goes on; what the window shows stays.

        Args:
            spans: All spans to show.
        """
        self._shown = TimelineSpans(spans)
        if self.selected_span != _NOBODY and self.selected_span >= len(self._shown.whole.spans):
            self.selected_span = _NOBODY
        with cast("Any", self).hold_sync():
            for name, value in self._told().items():
                setattr(self, name, value)

    def _told(self) -> dict[str, Any]:
        """What the state says of the payload: all of it, or that there is more to ask for."""
        revision: int = self.payload["revision"] + 1
        if self._shown.first is not None:
            return {"data": self._shown.first.data.payload, "payload": {"bytes": 0, "revision": revision}}
        payload = self._shown.whole.payload
        is_large = len(payload) > _IN_STATE
        return {
            "data": b"" if is_large else payload,
            "payload": {"bytes": len(payload) if is_large else 0, "revision": revision},
        }

    @traitlets.validate("selected_span")
    def _check_span(self, proposal: Any) -> int:
        place: int = proposal["value"]
        if place != _NOBODY:  # nobody is there without laying all of them out
            number = len(self._shown.whole.spans)
            if not 0 <= place < number:
                raise traitlets.TraitError(f"There is no span {place}: there are {number}.")
        return place

    @traitlets.validate("selected_range")
    def _check_range(self, proposal: Any) -> list[float]:
        chosen: list[float] = proposal["value"]
        if chosen and not (len(chosen) == _PAIR and all(map(math.isfinite, chosen)) and chosen[0] <= chosen[1]):
            raise traitlets.TraitError("selected_range is empty, or two moments: nanoseconds after the first start.")
        return chosen

    @traitlets.validate("hidden")
    def _check_hidden(self, proposal: Any) -> dict[str, list[str]]:
        given: dict[Any, Any] = proposal["value"]
        kept = {name: given.get(name, []) for name in _HIDDEN}
        if set(given) - set(_HIDDEN) or not all(isinstance(words, list | tuple) for words in kept.values()):
            raise traitlets.TraitError(f"hidden has lists of words under {', '.join(_HIDDEN)}, and nothing else.")
        return {name: [str(word) for word in words] for name, words in kept.items()}

    def _receive(self, _widget: Any, content: Any, _buffers: Any) -> None:
        """Answer a message; whatever it is, the browser gets an answer or, where it cannot be one, silence."""
        if not isinstance(content, dict):
            return
        message = cast("dict[str, Any]", content)
        request = message.get("request")
        if message.get("type") not in {"detail", "data"} or not isinstance(request, int):
            return
        try:
            if message["type"] == "data":
                self._send_payload(message, request)
                return
            answer = {"type": "detail", "detail": self._detail(message)}
        except Exception as error:  # the browser waits for an answer, and no click may fail in the kernel
            _logger.debug("A timeline could not tell of a span.", exc_info=True)
            answer = {"type": "error", "message": one_line(f"{type(error).__name__}: {error}", 200)}
        cast("Any", self).send({"version": 1, "request": request, **answer})

    def _send_payload(self, message: Mapping[str, Any], request: int) -> None:
        _check_version(message)
        shown = self._shown
        whole, moved = memoryview(shown.whole.payload), shown.moved()
        for at in range(0, len(whole), _PART):
            told = {"version": 1, "request": request, "type": "data", "at": at, "bytes": len(whole)}
            # With the last part, so that the browser can say of what was chosen meanwhile which one that is.
            more = [moved] if moved is not None and at + _PART >= len(whole) else []
            cast("Any", self).send(told, buffers=[whole[at : at + _PART], *more])

    def _detail(self, message: Mapping[str, Any]) -> Mapping[str, Any]:
        place = message.get("span")
        _check_version(message)
        # The browser says where it counts: among all spans, or among those of the first picture.
        shown = self._shown
        if not message.get("first"):
            spans = shown.whole.spans
        else:
            spans = shown.first.data.spans if shown.first is not None else ()
        if not isinstance(place, int) or not 0 <= place < len(spans):
            raise ValueError("there is no such span")
        return timeline_detail(spans[place])

    def _repr_mimebundle_(self, **kwargs: Any) -> Any:
        """Show the widget; and the spans as static HTML, for where a saved notebook is read without a kernel."""
        widget: Any = super()
        shown = widget._repr_mimebundle_(**kwargs)
        if shown is None:
            return None
        data: dict[str, Any] = shown[0]
        static: dict[str, Any] = {}
        if len(self._shown) <= _MOST_STATIC:
            static = cast("Any", self.spans)._repr_mimebundle_(include={"text/html"})
        else:
            static = {"text/html": self._shown.html()}
        return {**data, **static, "text/plain": repr(self)}, shown[1]

    def __repr__(self) -> str:
        number = len(self._shown)
        return f"Timeline of {number:,} {'span' if number == 1 else 'spans'}"


def _check_version(message: Mapping[str, Any]) -> None:
    if message.get("version") != 1:
        raise ValueError("this message has a version that is not understood: run the cell again")


def _is_hidden(row: SpanRow, hidden: Mapping[str, set[str]]) -> bool:
    return (
        row.kind in hidden["kind"]
        or row.status in hidden["status"]
        or bool(hidden["name"] and one_line(row.name, NAME_LIMIT) in hidden["name"])
    )
