"""What a timeline's widget shows: a first picture of many spans at once, all of them when somebody asks."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Final

from mirascope_ops.analysis.table import SpanTable
from mirascope_ops.views.timeline import TimelineData, timeline_data
from mirascope_ops.views.timeline_first import first_picture
from mirascope_ops.views.timeline_keys import places_among
from mirascope_ops.views.timeline_static import overview_html, timeline_html

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from mirascope_ops.analysis.rows import SpanRow

# Of more spans there is a first picture, and no payload is made before it is asked for.
_MOST_AT_ONCE: Final = 50_000


class TimelineSpans:
    """The spans of a timeline.

    Args:
        spans: The spans, of any traces.

    Attributes:
        first: The first picture; None where there are few spans.
    """

    def __init__(self, spans: Iterable[SpanRow]) -> None:
        self._given: Sequence[SpanRow] = spans if isinstance(spans, SpanTable) else tuple(spans)
        # Kernels answer the browser in a thread of its own while a cell runs, and that may ask as well.
        self._making = threading.Lock()
        self._whole: TimelineData | None = None
        self.first = first_picture(self._given) if len(self._given) > _MOST_AT_ONCE else None
        if self.first is None:
            self._whole = timeline_data(self._given)

    def __len__(self) -> int:
        """How many spans there are, as far as that is known: of several with the same ids one will count."""
        return len(self._given if self._whole is None else self._whole.spans)

    @property
    def whole(self) -> TimelineData:
        """All spans with their payload, made when it is asked for first."""
        with self._making:
            if self._whole is None:
                self._whole = timeline_data(self._given)
            return self._whole

    def moved(self) -> bytes | None:
        """Give where the spans of the first picture stand among all, as integers of 32 bits; None without one."""
        if self.first is None:
            return None
        return places_among(self.first.data.spans, self.whole.spans).astype("<i4").tobytes()

    def html(self) -> str:
        """Show them as static HTML: figures, and how busy it was over time."""
        if self.first is not None and self._whole is None:
            return overview_html(self.first.overview)
        return timeline_html(self.whole)
