"""A session's timeline while its cell runs: a widget that takes in spans as they start and end.

The widget's model is opened without being shown. Only a browser that shows widgets answers, and then the output that
holds the session's card is told to show the widget in its place, card included; everywhere else the card stays HTML.
"""

from __future__ import annotations

import time
from collections import deque
from typing import TYPE_CHECKING, Any, Final, cast

import anywidget
import traitlets

from mirascope_ops._optional import require
from mirascope_ops.analysis.normalise import normalise
from mirascope_ops.core import backend
from mirascope_ops.core.ended import END, SPAN, STAMP, START
from mirascope_ops.core.open_spans import open_spans
from mirascope_ops.store.ended import span_record
from mirascope_ops.views.escape import one_line
from mirascope_ops.views.timeline import KINDS, NO_TOKENS, ROOT, STATUSES, packed
from mirascope_ops.views.timeline_bundle import Bundle, bundle
from mirascope_ops.views.timeline_columns import NAME_LIMIT, Codes
from mirascope_ops.views.timeline_threads import MAIN, Thread, ThreadLabels, is_main, thread_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from mirascope_ops.analysis.rows import SpanRow
    from mirascope_ops.core.ended import EndedSpan

_MOST_WAITING: Final = 100_000  # spans that have ended and were not looked at yet; older ones are forgotten
_MOST_SHOWN: Final = 50_000  # later ones are told when the cell is over
_FEWEST: Final = 20  # spans that are looked at in one go, however little time there is
_MOST_LEVELS: Final = 50  # that are looked at for what a span does not say itself
_LISTS: Final = ("names", "sessions", "threads", "models", "events")
_NAN: Final = float("nan")
_MAIN: Final = Thread("", "", MAIN)


class TimelineFeed:
    """Follows the spans of a session, and tells what is new as columns.

    Args:
        owns: Whether a span belongs to the session, by its stamp.
    """

    def __init__(self, owns: Callable[[Any], bool]) -> None:
        self._owns = owns
        self._waiting: deque[EndedSpan] = deque(maxlen=_MOST_WAITING)
        self._tell = self._waiting.append
        self._rows: list[SpanRow] = []
        self._places: dict[str, int] = {}  # by a span's id
        self._waiting_for: dict[str, list[int]] = {}  # places of spans by the id of a parent that has not come yet
        self._traces: set[str] = set()
        self._changed: dict[int, None] = {}
        self._words: dict[str, Codes] = {name: Codes() for name in _LISTS}
        self._told: dict[str, int] = dict.fromkeys(_LISTS, 0)
        self._threads = ThreadLabels()
        self._anew = True
        self._is_running = False
        self._rate = 10_000.0  # spans that are looked at in a second

    def open(self) -> None:
        """Start to follow."""
        backend.watch(self._tell)

    def close(self) -> None:
        """Follow no more."""
        backend.unwatch(self._tell)

    def again(self) -> None:
        """Let the next payload tell everything: for a browser that knows nothing yet."""
        self._anew = True

    def read(self, now: int, seconds: float) -> bytes | None:
        """Give what is new as a payload; None where nothing is.

        Args:
            now: Nanoseconds since the epoch.
            seconds: About so long spans are looked at; those that are left wait for the next time.
        """
        begun = time.thread_time()
        most = max(_FEWEST, int(seconds * self._rate))
        taken = self._take(most)
        if taken >= _FEWEST:
            self._rate = taken / max(1e-6, time.thread_time() - begun)
        anew, self._anew = self._anew, False
        if anew:
            self._changed = dict.fromkeys(range(len(self._rows)))
            self._told = dict.fromkeys(_LISTS, 0)
        if not self._rows or not (self._changed or self._is_running):
            self._anew = anew
            return None
        told = self._payload(now, anew=anew)
        self._changed.clear()
        return told

    def _take(self, most: int) -> int:
        # Those that are open are looked at first: one that ends meanwhile comes with those that have ended.
        opened = [row for row in open_spans() if row[END] is None and self._owns(row[STAMP])]
        self._is_running = bool(opened)
        new = [row for row in opened if f"{row[SPAN]:016x}" not in self._places][:most]
        number = min(most, len(self._waiting))
        ended = [row for row in (self._waiting.popleft() for _ in range(number)) if self._owns(row[STAMP])]
        # By start, so that few have to find their place in the browser.
        records = [*map(span_record, sorted([*new, *ended], key=lambda row: (row[START], row[END] is not None)))]
        for row in normalise(records):
            self._keep(row)
        return len(new) + number

    def _keep(self, row: SpanRow) -> None:
        place = self._places.get(row.span_id)
        if place is None:
            place = len(self._rows)
            if place >= _MOST_SHOWN:
                return
            self._places[row.span_id] = place
            self._rows.append(row)
            self._traces.add(row.trace_id)
            self._changed.update(dict.fromkeys(self._waiting_for.pop(row.span_id, ())))
            if row.parent_id and row.parent_id not in self._places:
                self._waiting_for.setdefault(row.parent_id, []).append(place)
        elif row.status == "open":
            return  # it was told before, also that it has ended
        self._rows[place] = row
        self._changed[place] = None

    def _payload(self, now: int, *, anew: bool) -> bytes:
        np = require("numpy", extra="notebook")
        rows = [(place, self._rows[place]) for place in self._changed]
        origin = self._rows[0].start
        events = [(place, event) for place, row in rows for event in row.events]
        words, told_of = self._words, self._told
        columns: dict[str, tuple[str, Iterable[Any]]] = {
            "place": ("u4", (place for place, _ in rows)),
            "start": ("f8", (row.start - origin for _, row in rows)),
            "duration": ("f8", (_or(row.duration, _NAN) for _, row in rows)),
            "parent": ("i4", (self._places.get(row.parent_id or "", ROOT) for _, row in rows)),
            "name": ("u4", (words["names"][_shown(row.name)] for _, row in rows)),
            "session": ("u4", (words["sessions"][_shown(row.session_id)] for _, row in rows)),
            "thread": ("u4", (words["threads"][_shown(self._thread(row))] for _, row in rows)),
            "kind": ("u1", (KINDS.index(row.kind) for _, row in rows)),
            "status": ("u1", (STATUSES.index(row.status) for _, row in rows)),
            "model": ("u4", (words["models"][_shown(row.model)] for _, row in rows)),
            "input": ("u4", (_tokens(row.input_tokens) for _, row in rows)),
            "output": ("u4", (_tokens(row.output_tokens) for _, row in rows)),
            "cost": ("f8", (_or(row.cost, _NAN) for _, row in rows)),
            "first": ("f8", (_or(row.ttft, _NAN) for _, row in rows)),
            "event_place": ("i4", (place for place, _ in events)),
            "event_time": ("f8", (event.time - origin for _, event in events)),
            "event_name": ("u4", (words["events"][_shown(event.name)] for _, event in events)),
        }
        made = {name: np.fromiter(values, dtype=kind) for name, (kind, values) in columns.items()}
        header = {
            "version": 1,
            "anew": anew,
            "origin": str(origin),
            "now": float(max(0, now - origin)),
            "traces": len(self._traces),
            "kinds": KINDS,
            "statuses": STATUSES,
            **{name: list(known)[told_of[name] :] for name, known in words.items()},
        }
        self._told = {name: len(known) for name, known in words.items()}
        return packed(header, made)

    def _thread(self, row: SpanRow) -> str:
        """The thread that a span says it ran in, else the one of what called it."""
        for _ in range(_MOST_LEVELS):
            thread = thread_of(row.attributes) or (_MAIN if is_main(row.scope) else None)  # of one process, all of them
            if thread is not None:
                return self._threads[thread]
            above = self._places.get(row.parent_id or "")
            if above is None:
                break
            row = self._rows[above]
        return ""


def _or(value: float | None, instead: float) -> float:
    return instead if value is None else value


def _tokens(number: int | None) -> int:
    return NO_TOKENS if number is None else min(max(number, 0), NO_TOKENS - 1)


def _shown(text: str | None) -> str:
    return one_line(text, NAME_LIMIT) if text else ""


class LiveTimeline(anywidget.AnyWidget):
    """The widget: a card as HTML, and the timeline below it.

    Args:
        owns: Whether a span belongs to the session, by its stamp.
        built: The built front end.

    Attributes:
        html: The card, as the views made and escaped it.
        is_ready: Whether a browser has opened the model.
    """

    html = traitlets.Unicode("").tag(sync=True)

    def __init__(self, owns: Callable[[Any], bool], built: Bundle) -> None:
        self._esm, self._css = built
        self.is_ready = False
        self.feed = TimelineFeed(owns)
        super().__init__()
        cast("Any", self).on_msg(self._receive)
        # ipykernel takes an answer to the thread that spoke last, and that one runs the cell; without this note the
        # answer goes where the browser has sent it: around the cell.
        cast("dict[str, Any]", vars(cast("Any", self).comm)).pop("_reply_subshell_id", None)

    def show(self, html: str, now: int, seconds: float) -> None:
        """Tell the browser what is new.

        Args:
            html: The card.
            now: Nanoseconds since the epoch.
            seconds: About so long spans are looked at; those that are left wait for the next time.
        """
        self.html = html
        told = self.feed.read(now, seconds)
        if told is not None:
            cast("Any", self).send({"type": "spans", "version": 1}, buffers=[told])

    def view(self) -> dict[str, Any]:
        """Give what an output has to hold to show the widget."""
        shown = cast("Any", self)._repr_mimebundle_()
        return {kind: value for kind, value in shown[0].items() if kind.startswith("application/")}

    def end(self) -> None:
        """Follow no more, and let the browser forget the model."""
        self.feed.close()
        cast("Any", self).close()

    def _receive(self, _widget: Any, content: Any, _buffers: Any) -> None:
        if isinstance(content, dict) and cast("dict[str, Any]", content).get("type") == "ready":
            self.feed.again()
            self.is_ready = True


def live_timeline(owns: Callable[[Any], bool]) -> LiveTimeline | None:
    """Open the widget, without showing it; None where the front end was not built.

    Args:
        owns: Whether a span belongs to the session, by its stamp.
    """
    built = bundle("live")
    return None if built is None else LiveTimeline(owns, built)
