"""Annotated: a call that can be judged and tagged, also long after it has ended."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from mirascope_ops.core import backend, capture, clock
from mirascope_ops.exceptions import ConfigurationError


class Annotated:
    """The span of a subclass, which says where annotations go."""

    __slots__ = ()

    def _keep_annotation(self, said: dict[str, Any]) -> None:
        """Keep what was said of the span."""
        raise NotImplementedError

    def annotate(
        self,
        *,
        label: str | None = None,
        reasoning: str | None = None,
        metadata: Mapping[str, Any] | None = None,
    ) -> None:
        """Say what you think of this call; works after it has ended, and more than once.

        Args:
            label: The judgement, such as "pass" or "fail".
            reasoning: Why.
            metadata: Anything more, as JSON values.

        Raises:
            ConfigurationError: The metadata are no mapping.

        While tracing is disabled there is nothing to annotate, and this does nothing.
        """
        if metadata is not None and not isinstance(cast("Any", metadata), Mapping):
            message = f"metadata must be a mapping, got {metadata!r:.80}: write metadata={{'score': 0.5}}."
            raise ConfigurationError(message)
        self._annotate(label=label, reasoning=reasoning, metadata=dict(metadata or {}))

    def tag(self, *tags: str) -> None:
        """Add tags to this call; works after it has ended.

        Args:
            *tags: The tags.

        Raises:
            ConfigurationError: A tag is no string.

        While tracing is disabled there is nothing to tag, and this does nothing.
        """
        for tag in tags:
            if not isinstance(cast("Any", tag), str):
                message = f"tag takes strings, got {tag!r:.80}: write trace.tag('first', 'second')."
                raise ConfigurationError(message)
        self._annotate(tags=list(tags))

    def _annotate(self, **fields: Any) -> None:
        empty: dict[str, Any] = {"label": None, "reasoning": None, "tags": [], "metadata": {}}
        given: dict[str, Any] = {key: value for key, value in fields.items() if value is not None}
        for key in ("label", "reasoning"):
            if key in given:
                given[key] = capture.text(str(given[key]))
        self._keep_annotation({**empty, **given, "time": clock.now()})


def keep_annotation(trace_id: str | None, span_id: str | None, said: dict[str, Any]) -> None:
    """Keep what is said of a span; nothing where it has no ids: a program must not fail because it is not traced."""
    if trace_id is not None and span_id is not None:
        backend.get().annotate({**said, "trace_id": trace_id, "span_id": span_id})
