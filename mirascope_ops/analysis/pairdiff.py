"""What differs between a span of the one run and the span of the other that it is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal

from mirascope_ops.analysis.content import leaves, parts_of, whole
from mirascope_ops.analysis.edits import Edit, edit_of
from mirascope_ops.analysis.likeness import plain_name
from mirascope_ops.analysis.origins import error_words
from mirascope_ops.analysis.vocabulary import FIELDS, INPUT, OUTPUT, RESPONSE_PREFIX
from mirascope_ops.analysis.volatile import lasting, stable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mirascope_ops.analysis.alignment import Pair
    from mirascope_ops.analysis.content import Part

What = Literal[
    "added", "removed", "moved", "prompt", "input", "output", "error", "fixed", "status", "model", "name", "kind",
    "tags", "attributes",
]  # fmt: skip

_CONTENT_PREFIXES: Final = (
    RESPONSE_PREFIX, *(source.key for source in (*INPUT, *OUTPUT) if source.key.endswith(".")), "ai.prompt.",
    "ai.response.", "gen_ai.system_instructions",
)  # fmt: skip
_CONTENT: Final = frozenset(source.key for source in (*INPUT, *OUTPUT))
# Read into fields that are compared by themselves; of the model's sources two hold more than the model.
_FIELD_KEYS: Final = frozenset(
    source.key for name, sources in FIELDS.items() if name not in {"input", "output"} for source in sources
) - {"llm.invocation_parameters", *_CONTENT}
_ERROR_KEYS: Final = frozenset({"error.type", "error.message", "langfuse.observation.status_message"})


@dataclass(frozen=True, slots=True, eq=False)
class Found:
    """One difference in one pair of spans.

    Attributes:
        pair: The pair.
        what: What differs.
        before: The value in the first run.
        after: The value in the second run.
        edit: The words that differ, where it is a text.
    """

    pair: Pair
    what: What
    before: Any = None
    after: Any = None
    edit: Edit | None = None

    def __repr__(self) -> str:
        return f"Found({self.what}, turn {self.pair.turn}, {self.pair.span.name!r})"


def differences(pair: Pair) -> list[Found]:
    """Find what differs between the two spans of a pair.

    Args:
        pair: A pair that both runs have.

    Returns:
        All that differs, also where the same edit shows in other spans. What is volatile (`volatile.VOLATILE`), times,
        tokens and costs are left out.
    """
    return _Differences(pair).found()


class _Differences:
    """What differs between the two spans of a pair."""

    def __init__(self, pair: Pair) -> None:
        assert pair.a is not None and pair.b is not None  # noqa: S101, PT018 - both runs have it
        self.pair = pair
        self.a, self.b = pair.a, pair.b
        self.all: list[Found] = []

    def found(self) -> list[Found]:
        a, b = self.a, self.b
        self._compare_status()
        failed = any(one.what in {"error", "fixed"} for one in self.all)
        self._value("name", plain_name(a), plain_name(b), shown=(a.name, b.name))
        self._value("kind", a.kind, b.kind)
        if not failed or (a.model and b.model):
            self._value("model", a.model, b.model)
        self._value("tags", list(a.tags), list(b.tags))
        lasting_a, lasting_b = lasting(a.attributes), lasting(b.attributes)
        events = any(event.name.startswith("gen_ai.") for span in (a, b) for event in span.events)
        if a.input == b.input and a.output == b.output and lasting_a == lasting_b and not events:
            return self.all
        parts_a, parts_b = parts_of(a), parts_of(b)
        self._text("prompt" if b.kind == "llm" else "input", parts_a[0], parts_b[0], a.input, b.input)
        if not failed:
            # A call that fails has no answer, and none of the attributes that come with one.
            self._text("output", parts_a[1], parts_b[1], a.output, b.output)
            self._compare_attributes(lasting_a, lasting_b)
        return self.all

    def _add(self, what: What, before: Any, after: Any, edit: Edit | None = None) -> None:
        self.all.append(Found(self.pair, what, before, after, edit))

    def _value(self, what: What, before: Any, after: Any, shown: tuple[Any, Any] | None = None) -> None:
        if before != after:
            self._add(what, *(shown or (before, after)))

    def _compare_status(self) -> None:
        a, b = self.a, self.b
        failed_a, failed_b = a.status == "error", b.status == "error"
        if failed_b and not failed_a:
            self._add("error", None, error_words(b))
        elif failed_a and not failed_b:
            self._add("fixed", error_words(a), None)
        elif failed_a and stable(error_words(a)) != stable(error_words(b)):
            self._add("error", error_words(a), error_words(b))
        elif {a.status, b.status} & {"open", "interrupted"}:
            self._value("status", a.status, b.status)

    def _text(self, what: What, one: list[Part], other: list[Part], raw: str | None, raw_other: str | None) -> None:
        edit = _edit(one, other)
        if edit is None and raw != raw_other and self.b.kind == "llm":
            one, other = whole(raw), whole(raw_other)  # what the messages leave out
            edit = _edit(one, other)
        if edit is not None:
            self._add(what, one, other, edit)

    def _compare_attributes(self, one: dict[str, Any], other: dict[str, Any]) -> None:
        told = [found.edit for found in self.all if found.edit is not None]
        before: dict[str, Any] = {}
        after: dict[str, Any] = {}
        for key in one.keys() | other.keys():
            if one.get(key) == other.get(key) or key in _FIELD_KEYS or key in _ERROR_KEYS:
                continue
            if told and (key in _CONTENT or key.startswith(_CONTENT_PREFIXES)):
                continue
            edit = edit_of("\n".join(leaves(one.get(key, ""))), "\n".join(leaves(other.get(key, ""))))
            if edit is None or (told and edit.within(told)):
                continue
            before[key], after[key] = one.get(key), other.get(key)
        if before:
            text = ["\n".join(f"{key} {leaves(values[key])}" for key in sorted(values)) for values in (before, after)]
            self._add("attributes", before, after, edit_of(*text))


def _edit(one: Sequence[Part], other: Sequence[Part]) -> Edit | None:
    """Find what differs between two lists of parts, without the parts that are the same at both ends."""
    if one == other:
        return None
    most = min(len(one), len(other))
    head = next((place for place in range(most) if one[place] != other[place]), most)
    tail = next((place for place in range(most - head) if one[-1 - place] != other[-1 - place]), most - head)
    texts = ["\n".join(f"{role} {text}" for role, text in parts[head : len(parts) - tail]) for parts in (one, other)]
    return edit_of(*texts)
