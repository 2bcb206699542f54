"""A page that stands alone: the interactive timeline with its data inside, and the static view below it.

Nothing is requested from anywhere, and a policy in the page forbids it: the one script that may run is the built
front end, named by its hash. What spans hold is compressed and in base64, in elements that no browser runs.
"""

from __future__ import annotations

import base64
import gzip
import hashlib
from typing import TYPE_CHECKING, Any, Final

from mirascope_ops.analysis.stats import totals
from mirascope_ops.store import codec
from mirascope_ops.views.escape import html_text, one_line
from mirascope_ops.views.format import plural
from mirascope_ops.views.styles import minify
from mirascope_ops.views.timeline import timeline_data
from mirascope_ops.views.timeline_bundle import Bundle, bundle
from mirascope_ops.views.timeline_detail import timeline_detail

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from mirascope_ops.analysis.rows import SpanRow
    from mirascope_ops.views.timeline_options import TimelineOptions

# Spans whose details stand in one element, which is read at the first click on one of them.
_BLOCK: Final = 256
# Of more spans, those that failed and the model calls come first.
_MOST_DETAILS: Final = 50_000
# Characters of one value, by how many spans there are details of.
_LIMITS: Final = ((1_000, 20_000), (10_000, 4_000), (_MOST_DETAILS, 1_000))
_TITLE: Final = 160

_STYLE: Final = """
:root{color-scheme:light dark}
body{margin:0;background:light-dark(#fff,#111315)}
main{max-width:1280px;margin:0 auto;padding:16px}
h1{margin:0 0 12px;color:light-dark(#1c1f23,#e3e5e8);font:600 18px/1.4 system-ui,sans-serif;overflow-wrap:anywhere}
#timeline{margin-bottom:24px}
p.note{color:light-dark(#5a5f66,#a6abb3);font:12px/1.5 system-ui,sans-serif}
@media print{#timeline{display:none}}
"""


def timeline_page(
    spans: Sequence[SpanRow], static: str, *, title: str, options: TimelineOptions, built: Bundle | None = None
) -> Iterator[str]:
    """Write the page, part by part.

    Args:
        spans: The spans, of any traces.
        static: The HTML view of the same spans, which stands below, and alone where no script runs.
        title: The page's title.
        options: How the timeline begins.
        built: The built front end; the package's own where it is not given.

    Returns:
        The parts of one HTML document, which requests nothing.

    Raises:
        ImportError: numpy is not installed; the message says how.

    Example:
        >>> from mirascope_ops.views.timeline_options import TimelineOptions
        >>> "".join(timeline_page([], "", title="Nothing", options=TimelineOptions()))[:15]
        '<!doctype html>'
    """
    front = built or bundle("page")
    allowed = f"'sha256-{_hash(front.script)}'" if front else "'none'"
    policy = f"default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src {allowed}; base-uri 'none'"
    heading = html_text(one_line(title, _TITLE))
    style = minify(_STYLE) + (front.style if front else "")
    yield (
        '<!doctype html>\n<html lang="en"><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}; form-action \'none\'">'
        '<meta name="viewport" content="width=device-width"><meta name="referrer" content="no-referrer">'
        f"<title>{heading}</title><style>{style}</style>\n<body><main><h1>{heading}</h1>"
    )
    if front is not None and spans:
        yield '<div id="timeline"><noscript><p class="note">The timeline needs JavaScript.</p></noscript></div>'
    yield f"{static}\n</main>\n"
    if front is not None and spans:
        yield from _data(spans, options)
        yield f'<script type="module">{front.script}</script>'
    yield "\n"


def page_title(spans: Sequence[SpanRow], name: str) -> str:
    """A title that says what there is: "chat: 5 spans, 1 error"."""
    figures = totals(spans)
    failed = f", {plural(figures.errors, 'error')}" if figures.errors else ""
    return f"{name}: {plural(figures.spans, 'span')}{failed}"


def _data(spans: Sequence[SpanRow], options: TimelineOptions) -> Iterator[str]:
    """The elements that the script reads."""
    data = timeline_data(spans)
    yield _element("ops-timeline", data.payload)
    rows = list(data.spans)
    told = _told(rows)
    limit = next((limit for most, limit in _LIMITS if len(told) <= most), _LIMITS[-1][1])
    for block in range(0, len(rows), _BLOCK):
        places = [place for place in range(block, min(block + _BLOCK, len(rows))) if place in told]
        if places:
            details = {str(place): timeline_detail(rows[place], limit=limit) for place in places}
            yield _element(f"ops-details-{block // _BLOCK}", codec.encode_bytes(details))
    start: dict[str, Any] = {
        **options._asdict(),
        "height": options.height or 0,
        "hidden": {"kinds": [], "statuses": [], "names": []},
        "block": _BLOCK,
    }
    told_options = codec.encode(start).replace("<", "\\u003c")  # so that nothing in it can end the element
    yield f'<script type="application/json" id="ops-options">{told_options}</script>\n'


def _told(spans: Sequence[SpanRow]) -> range | set[int]:
    """The places of the spans whose details the page holds."""
    if len(spans) <= _MOST_DETAILS:
        return range(len(spans))
    rank = {True: 0, False: 1}
    order = sorted(range(len(spans)), key=lambda at: (rank[spans[at].status == "error"], rank[spans[at].kind == "llm"]))
    return set(order[:_MOST_DETAILS])


def _element(name: str, content: bytes) -> str:
    packed = base64.b64encode(gzip.compress(content, 6, mtime=0)).decode()
    return f'<script type="text/plain" id="{name}">{packed}</script>\n'


def _hash(script: str) -> str:
    return base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
