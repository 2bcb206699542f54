"""The first picture of a large timeline: a few of its spans, laid out while somebody waits for all of them.

Where a window shows everything, most of a million spans are narrower than a pixel. So the first picture has the ones
that are not, and of the others whole traces, chosen evenly; the first span of each session and name, so that lanes and
colours come in the order in which they stay; and what called all of these. What costs time with each span (events,
threads, calls) is read of the chosen ones only.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

from mirascope_ops._optional import require
from mirascope_ops.analysis.table import few_spans_at, spans_at
from mirascope_ops.views.timeline import STATUSES, TimelineData, Whole, origin_of, timeline_data
from mirascope_ops.views.timeline_columns import Fields, coded, different, has_none, integers, numbers_of
from mirascope_ops.views.timeline_keys import FIELDS, SpanKeys
from mirascope_ops.views.timeline_static import Overview, errors_figure

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mirascope_ops.analysis.rows import SpanRow

_MOST: Final = 20_000  # spans that are chosen, without those that called them
_MOST_FIRST: Final = 2_000  # of them for being the first of their session or name
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
    sessions, session = numbers_of(np, given["session_id"])
    _, name = numbers_of(np, given["name"])
    chosen = np.zeros(len(spans), dtype=bool)
    order = np.argsort(start, kind="stable")
    for codes in (session, name):
        chosen[_first_of_each(np, codes, order)] = True
    took = end - start
    last = float(end.max()) if len(spans) else 0.0
    _add(np, chosen, took, took * (2 * _PIXELS) > last, _MOST_WIDE)
    some = keys.sample((_MOST - int(chosen.sum())) / max(1, len(spans)))
    if some is not None:
        _add(np, chosen, took, some, _MOST - int(chosen.sum()))
    _add(np, chosen, took, ~chosen, _MOST - int(chosen.sum()))
    keys.add_callers(chosen, _MOST_CALLERS, _LEVELS)
    places = chosen.nonzero()[0]
    few = few_spans_at(spans, places.tolist())
    whole = Whole(len(spans), origin, last, spans_at(few, keys.calling(places).nonzero()[0].tolist()))
    failed = coded(np, given["status"], STATUSES, "unset") == STATUSES.index("error")
    overview = Overview(
        number=len(spans),
        traces=different(np, keys.traces),
        sessions=sum(map(bool, sessions)),
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


def _first_of_each(np: Any, codes: Any, order: Any) -> Any:
    """The places at which numbers stand first, in this order; of many numbers, those that come first."""
    ordered = codes[order][::-1]
    first = np.zeros(int(codes.max()) + 1 if len(codes) else 0, dtype=np.int64)
    first[ordered] = np.arange(len(codes))[::-1]  # the last one that is written stays
    return order[np.sort(first)[:_MOST_FIRST]]


def _add(np: Any, chosen: Any, took: Any, those: Any, most: int) -> None:
    """Choose those spans; where they are too many, the longest of them."""
    places: Any = (those & ~chosen).nonzero()[0]
    if len(places) > most:
        left_out = len(places) - max(0, most)
        order = np.argpartition(took[places], min(left_out, len(places) - 1))
        places = places[order[left_out:]]
    chosen[places] = True
