"""The first picture of a large timeline: a few of its spans, laid out while somebody waits for all of them.

Where a window shows everything, most of a million spans are narrower than a pixel. So the first picture has the ones
that are not; of the others whole traces, chosen evenly; the first span of each early session and name, so that lanes
and colours come in the order in which they stay; and what called all of these. What costs time with each span (events,
threads, calls) is read of the chosen ones only.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from mirascope_ops._optional import require
from mirascope_ops.analysis.table import few_spans_at, spans_at
from mirascope_ops.analysis.texts import take
from mirascope_ops.views.timeline import TimelineData, Whole, origin_of, timeline_data
from mirascope_ops.views.timeline_columns import Fields, different, has_none, integers, numbers_of
from mirascope_ops.views.timeline_keys import FIELDS, SpanKeys
from mirascope_ops.views.timeline_static import Overview, errors_figure

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mirascope_ops.analysis.rows import SpanRow

_MOST: Final = 20_000  # spans that are chosen, without those that called them
_ENOUGH: Final = 0.8  # of them
_EARLIEST: Final = 50_000  # spans among which the first one of each session and name is chosen
_MOST_FIRST: Final = 2_000  # sessions, and names
_MOST_WIDE: Final = 10_000  # of them for being wider than half a pixel
_PIXELS: Final = 1_000  # of a window
_MOST_CALLERS: Final = 10_000
_LEVELS: Final = 50  # of callers; what was called deeper has the nearest one that is there, or none
_FIELDS: Final = (*FIELDS, "session_id", "name", "status", "start", "end")


class FirstPicture(NamedTuple):
    """What there is to see of a timeline before its payload is made.

    Attributes:
        data: The chosen spans.
        overview: What is known of all of them.
    """

    data: TimelineData
    overview: Overview


def first_picture(spans: Sequence[SpanRow]) -> FirstPicture:
    """Choose and lay out what a window that shows all of the spans has to show.

    Args:
        spans: Spans of any traces, in any order.

    Raises:
        ImportError: numpy is not installed; the message says how.

    Example:
        >>> first_picture([]).overview.number
        0
    """
    np = require("numpy", extra="notebook")
    given = Fields(spans, *_FIELDS)
    origin, start, end = _times(np, given)
    keys = SpanKeys(np, given)
    chosen = np.zeros(len(spans), dtype=bool)
    earliest = np.argsort(start, kind="stable")[:_EARLIEST]
    for field in ("session_id", "name"):
        _, codes = numbers_of(np, take(given[field], earliest.tolist()))
        _, first = np.unique(codes, return_index=True)
        chosen[earliest[first[:_MOST_FIRST]]] = True
    took = end - start
    last = float(end.max()) if len(spans) else 0.0
    _add(np, chosen, took, took * (2 * _PIXELS) > last, _MOST_WIDE)
    some = keys.sample((_MOST - int(chosen.sum())) / max(1, len(spans)))
    if some is not None:
        _add(np, chosen, took, some, _MOST - int(chosen.sum()))
    if chosen.sum() < _ENOUGH * _MOST:  # a few traces of very many spans, or spans without ids
        _add(np, chosen, took, ~chosen, _MOST - int(chosen.sum()))
    keys.add_callers(chosen, _MOST_CALLERS, _LEVELS)
    places = chosen.nonzero()[0]
    few = few_spans_at(spans, places.tolist())
    whole = Whole(len(spans), origin, last, spans_at(few, keys.calling(places).nonzero()[0].tolist()))
    failed = _are(np, given["status"], "error")
    overview = Overview(
        number=len(spans),
        traces=different(np, keys.traces),
        sessions=sum(map(bool, set(given["session_id"]))),
        origin=origin,
        start=start,
        end=end,
        failed=failed,
        figures=[errors_figure(failed)],
    )
    return FirstPicture(timeline_data(few, part_of=whole), overview)


def _times(np: Any, given: Fields) -> tuple[int, Any, Any]:
    """Origin, starts and ends; open spans are there until the last moment that is known of any."""
    starts = integers(np, given["start"])
    origin = origin_of(starts)
    starts = np.where(starts > 0, starts, origin)
    ended = given["end"]
    if has_none(ended):
        last = max((end for end in ended if end is not None), default=origin)
        ended = [last if end is None else end for end in ended]
    ends = np.maximum(starts, integers(np, ended))
    return origin, (starts - origin).astype(np.float64), (ends - origin).astype(np.float64)


def _are(np: Any, values: Sequence[Any], word: str) -> Any:
    """Which of the values are a word, of which there are few."""
    if not isinstance(values, list):
        return np.fromiter(map(word.__eq__, values), bool, len(values))
    found = np.zeros(len(values), dtype=bool)
    place = -1
    with suppress(ValueError):
        while True:
            place = values.index(word, place + 1)
            found[place] = True
    return found


def _add(np: Any, chosen: Any, took: Any, those: Any, most: int) -> None:
    """Choose those spans; where they are too many, the longest of them."""
    places: Any = (those & ~chosen).nonzero()[0]
    if len(places) > most:
        left_out = len(places) - max(0, most)
        order = np.argpartition(took[places], min(left_out, len(places) - 1))
        places = places[order[left_out:]]
    chosen[places] = True
