"""Static HTML of what is read back: no script, no request, one `<article>` with its own style sheet each.

Every output stands alone, is at most 100 KB, follows the host's light or dark theme, and reads as a report
where a host strips styles.
"""

from __future__ import annotations

from mirascope_ops.views.html_lists import spans_html
from mirascope_ops.views.html_session import session_html
from mirascope_ops.views.html_session_list import sessions_html
from mirascope_ops.views.html_trace import span_html, trace_html

__all__ = ["session_html", "sessions_html", "span_html", "spans_html", "trace_html"]
