"""How many bytes the outputs take: each view at 1 to 100,000 spans, and the outputs of the committed notebooks.

python tools/output_sizes.py [SPANS ...]
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, get_args

import nbformat

from mirascope_ops.analysis.rows import SessionCard, SpanRow
from mirascope_ops.analysis.stats import totals
from mirascope_ops.analysis.turns import turns
from mirascope_ops.spanset import SpanSet, StoredTrace, TraceSet
from mirascope_ops.views.figures import FigureKind
from mirascope_ops.views.html import session_html, sessions_html
from mirascope_ops.views.text import session_text, sessions_text

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

ROOT = Path(__file__).resolve().parent.parent
SIZES = (1, 20, 1_000, 100_000)
A_TURN = 20  # spans
MS = 1_000_000
START = 1_795_548_239_000_000_000
WORDS = "The harbour opens at six, the ferry leaves at seven, and the café ☕ on the pier has fresh bread. "


class Output(NamedTuple):
    """What a cell's output takes in a saved notebook, in bytes by MIME type."""

    what: str
    spans: int
    forms: dict[str, int]

    @property
    def total(self) -> int:
        return sum(self.forms.values())


def made(number: int, *, turn: int = A_TURN) -> list[SpanRow]:
    """So many spans, in traces of so many each: a chain, and below it model calls, tools and others."""
    return [_span(place, place // turn, place % turn) for place in range(number)]


def _span(place: int, trace: int, inside: int) -> SpanRow:
    begin = START + trace * 1_000 * MS + inside * 40 * MS
    took = 900 * MS if inside == 0 else 35 * MS
    fields: dict[str, Any] = dict.fromkeys(SpanRow._fields)
    kind = "chain" if inside == 0 else ("llm", "tool", "retriever", "other")[inside % 4]
    failed = inside == 7 and trace % 10 == 9  # noqa: PLR2004 - one turn in ten recovers from an error
    fields |= SpanRow._field_defaults | {
        "trace_id": f"{trace + 1:032x}",
        "span_id": f"{place + 1:016x}",
        "parent_id": None if inside == 0 else f"{place - inside + 1:016x}",
        "session_id": f"talk-{trace // 40}",
        "name": ("chat", "ChatCompletion", "get_weather", "retrieve", "choose")[0 if inside == 0 else 1 + inside % 4],
        "kind": kind,
        "status": "error" if failed else "ok",
        "start": begin,
        "end": begin + took,
        "duration": took,
        "input": json.dumps({"message": f"Question {trace}: when does the ferry leave?", "place": inside}),
        "output": WORDS * (1 + inside % 5),
        "tags": (),
        "scope": "sizes",
        "attributes": {"place": place},
    }
    if failed:
        fields |= {"error_type": "TimeoutError", "error_message": "The tool did not answer in time."}
    if kind == "llm":
        sent = [{"role": "user", "content": f"Question {trace}: when does the ferry leave?"}]
        fields |= {
            "model": "gpt-4o-mini",
            "provider": "openai",
            "input_tokens": 60 + inside,
            "output_tokens": 20,
            "cost": 1e-5,
            "attributes": {
                "gen_ai.input.messages": json.dumps(sent),
                "gen_ai.output.messages": json.dumps([{"role": "assistant", "content": WORDS}]),
            },
        }
    return SpanRow(**fields)


def card_of(spans: Sequence[SpanRow], session_id: str = "talk-0") -> SessionCard:
    """All spans as one session's card."""
    return SessionCard(
        session_id=session_id,
        parent_session_id=None,
        attributes={"plan": "pro", "env": "test"},
        tags=("beta",),
        status="ok",
        first_seen=spans[0].start,
        last_seen=spans[-1].start,
        runs=1,
        run_spans=None,
        execution_count=3,
        totals=totals(spans),
        turns=turns(spans),
        children=(),
    )


def outputs(number: int) -> Iterator[Output]:
    """Every view of so many spans.

    Args:
        number: How many.
    """
    spans = made(number)
    trace = StoredTrace(made(number, turn=number))
    several = TraceSet(SpanSet(spans).traces)
    yield _of("trace", number, trace._repr_mimebundle_())
    yield _of("span", number, {"text/html": trace[0]._repr_mimebundle_()["text/html"]})
    yield _of("list of spans", number, SpanSet([span for span in spans if span.kind == "llm"])._repr_mimebundle_())
    yield _of("list of traces", number, several._repr_mimebundle_())
    card = card_of(spans)
    yield _of("session", number, {"text/html": session_html(card), "text/plain": session_text(card)})
    cards = [card_of(group, group[0].session_id or "") for group in _by_session(spans)[:20]]
    shown = {"text/html": sessions_html(cards, len(cards)), "text/plain": sessions_text(cards, len(cards))}
    yield _of("list of sessions", number, shown)
    yield _of("conversation", number, SpanSet(spans).conversation()._repr_mimebundle_())
    other = [span._replace(output="Something else.") for span in spans]
    yield _of("diff", number, SpanSet(spans).diff(SpanSet(other))._repr_mimebundle_())
    for kind in get_args(FigureKind):
        figure = SpanSet(spans).figure(kind)
        yield _of(f"figure {kind}", number, {"application/vnd.plotly.v1+json": figure.to_json()})
    yield _of("Markdown", number, {"text/markdown": SpanSet(spans).to_markdown()})


def _by_session(spans: Sequence[SpanRow]) -> list[list[SpanRow]]:
    groups: dict[str | None, list[SpanRow]] = {}
    for span in spans:
        groups.setdefault(span.session_id, []).append(span)
    return list(groups.values())


def _of(what: str, number: int, bundle: dict[str, Any]) -> Output:
    return Output(what, number, {mime: _bytes(form) for mime, form in bundle.items()})


def _bytes(form: Any) -> int:
    return len((form if isinstance(form, str) else json.dumps(form, ensure_ascii=False)).encode())


def of_notebook(path: Path) -> list[Output]:
    """The outputs of a notebook, one for each cell that has some."""
    notebook = nbformat.read(path, as_version=4)
    found: list[Output] = []
    for place, cell in enumerate(notebook.cells):
        forms: dict[str, int] = {}
        for output in cell.get("outputs", ()):
            for mime, form in output.get("data", {"text/plain": output.get("text", "")}).items():
                forms[mime] = forms.get(mime, 0) + _bytes(form)
        if forms:
            first = cell.source.strip().splitlines()[-1]
            found.append(Output(f"[{place}] {first[:60]}", 0, forms))
    return found


def main() -> None:
    sizes = [int(word) for word in sys.argv[1:]] or list(SIZES)
    rows: dict[str, dict[int, Output]] = {}
    for number in sizes:
        for output in outputs(number):
            rows.setdefault(output.what, {})[number] = output
    print("| view, KB by form | " + " | ".join(f"{number:,} spans" for number in sizes) + " |")
    print("|---|" + "---:|" * len(sizes))
    for what, found in rows.items():
        cells = (" + ".join(f"{size / 1000:.1f}" for size in found[number].forms.values()) for number in sizes)
        print(f"| {what} | " + " | ".join(cells) + " |")
    for path in sorted((ROOT / "notebooks").glob("*.ipynb")):
        found = of_notebook(path)
        print(f"\n{path.name}: {path.stat().st_size / 1000:.0f} KB, {len(found)} outputs")
        for output in found:
            told = ", ".join(f"{mime.split('/')[-1]} {size / 1000:.1f}" for mime, size in output.forms.items())
            print(f"  {output.total / 1000:6.1f} KB  {output.what}  ({told})")


if __name__ == "__main__":
    main()
