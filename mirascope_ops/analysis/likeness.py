"""What a run's spans are known by when they are looked for in another run: their keys and their words."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from mirascope_ops.analysis.tree import lineage
from mirascope_ops.analysis.volatile import stable

if TYPE_CHECKING:
    from collections.abc import Container, Hashable, Iterable, Sequence

    from mirascope_ops.analysis.rows import SpanRow

# What is looked at of a text to find its span again; what changed in it is found later, in all of it.
_LOOKED_AT: Final = 2_000
_SPANS: Final = 60  # spans of a tree whose words count
_WORDS: Final = 1_500  # words of a tree that count
_WORD: Final = re.compile(r"\w+")
_MODEL_KEYS: Final = ("gen_ai.request.model", "gen_ai.response.model", "llm.model_name", "ai.model.id")


class Side:
    """One run's spans, with all by which they are matched; a span is its place in `spans`.

    Attributes:
        spans: The spans, each once.
        children: The places of each span's children, by start.
        roots: The places of the roots, by start.
        order: All places, parents before children.
        root: The place of each span's root.
        whole: For each span a key of itself and all below it: equal where nothing differs.
        call: For each span a key of its name, kind and input.

    Args:
        spans: The spans, in any order.
        shared: Texts that both runs have, letter by letter.
    """

    def __init__(self, spans: Iterable[SpanRow], shared: Container[str] = ()) -> None:
        linked = lineage(spans)
        self.spans = linked.spans
        size = len(self.spans)
        self.children: list[list[int]] = [[] for _ in range(size)]
        self.roots: list[int] = []
        for place, parent in enumerate(linked.parents):
            (self.roots if parent < 0 else self.children[parent]).append(place)
        self.order: list[int] = []
        self.root = [0] * size
        stack = [(place, place) for place in reversed(self.roots)]
        while stack:
            place, top = stack.pop()
            self.order.append(place)
            self.root[place] = top
            stack += [(child, top) for child in reversed(self.children[place])]
        self._words: dict[int, frozenset[str]] = {}
        self._own_words: dict[int, frozenset[str]] = {}
        self.name = [plain_name(span) for span in self.spans]
        known = _Keys(shared)
        self.call: list[Hashable] = [
            hash((self.name[place], span.kind, known.of(span.input))) for place, span in enumerate(self.spans)
        ]
        self.whole: list[Hashable] = [None] * size
        for place in reversed(self.order):
            span = self.spans[place]
            below = tuple(self.whole[child] for child in self.children[place])
            failed = span.error_type or span.error_message if span.status == "error" else None
            own = (self.call[place], known.of(span.output), span.model, span.status == "error", failed)
            self.whole[place] = hash((own, below))

    def label(self, place: int, *, named: bool = True) -> Hashable:
        """What two spans must share to be compared: their name and kind, or their kind."""
        kind = self.spans[place].kind
        return (self.name[place], kind) if named else kind

    def tells(self, place: int) -> bool:
        """Whether a span is more than a name, so that an equal one elsewhere is no chance."""
        span = self.spans[place]
        return bool(span.input or span.output or self.children[place])

    def words(self, place: int) -> frozenset[str]:
        """The words of a span and of what is below it, up to some hundreds."""
        found = self._words.get(place)
        if found is None:
            gathered: set[str] = set()
            stack = [place]
            seen = 0
            while stack and seen < _SPANS and len(gathered) < _WORDS:
                here = stack.pop()
                seen += 1
                gathered |= self._own(here)
                stack += reversed(self.children[here])
            found = self._words[place] = frozenset(gathered)
        return found

    def _own(self, place: int) -> frozenset[str]:
        """The words of a span by itself; of a deep tree each span is asked for them many times."""
        found = self._own_words.get(place)
        if found is None:
            span = self.spans[place]
            gathered = {f"={self.name[place]}"}
            for text in (span.input, span.output):
                if text:
                    gathered.update(_WORD.findall(stable(text[:_LOOKED_AT])))
            found = self._own_words[place] = frozenset(gathered)
        return found

    def at_once(self, places: Sequence[int]) -> dict[int, int]:
        """Number spans so that those which ran at the same time, one after another overlapping, share a number."""
        groups: dict[int, int] = {}
        number = 0
        reached: int | None = None
        for place in sorted(places, key=lambda place: self.spans[place].start):
            span = self.spans[place]
            if reached is not None and span.start >= reached:
                number += 1
                reached = None
            groups[place] = number
            end = span.start if span.end is None else span.end
            reached = end if reached is None else max(reached, end)
        return groups


def plain_name(span: SpanRow) -> str:
    """Give a span's name without the model's, which many libraries write into it.

    Example:
        >>> from mirascope_ops.analysis.rows import SpanRow
        >>> span = SpanRow(
        ...     **dict.fromkeys(SpanRow._fields),
        ... )._replace(name="chat gpt-4o", model="gpt-4o", attributes={})
        >>> plain_name(span)
        'chat'
    """
    name = span.name
    for model in (span.model, *(span.attributes.get(key) for key in _MODEL_KEYS)):
        if isinstance(model, str) and model and model in name and model != name:
            name = name.replace(model, "")
    return stable(" ".join(name.split())) or span.name


def likeness(one: frozenset[str], other: frozenset[str]) -> float:
    """Give the share of words that two spans have in common, 0 to 1."""
    shared = len(one & other)
    return shared / (len(one) + len(other) - shared) if shared else 0.0


class _Keys:
    """Keys of texts: equal for texts that differ in what is volatile only."""

    def __init__(self, shared: Container[str]) -> None:
        self._shared = shared
        self._known: dict[str, Hashable] = {}

    def of(self, text: str | None) -> Hashable:
        """Give a text's key."""
        if text is None or text in self._shared:
            return text
        found = self._known.get(text)
        if found is None:
            # The beginning is often a history that many calls share; the end tells them apart.
            found = self._known[text] = hash(
                stable(text if len(text) <= 2 * _LOOKED_AT else text[:_LOOKED_AT] + text[-_LOOKED_AT:])
            )
        return found


def texts_of(spans: Iterable[SpanRow]) -> set[str]:
    """Give all inputs and outputs of spans."""
    return {text for span in spans for text in (span.input, span.output) if text is not None}
