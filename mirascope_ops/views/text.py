"""Plain text of what is read back: good in a terminal, in a log, and for a language model to read.

Nothing in a span reaches a terminal as a control character.
"""

from __future__ import annotations

from mirascope_ops.views.text_lists import sessions_text, spans_text
from mirascope_ops.views.text_session import session_text
from mirascope_ops.views.text_trace import span_text, trace_text

__all__ = ["session_text", "sessions_text", "span_text", "spans_text", "trace_text"]
